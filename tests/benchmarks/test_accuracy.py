"""What `make accuracy` and `make thresholds` do around the figures."""

import importlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@dataclass(frozen=True, slots=True)
class WaveLimits:
    least_ms: float = 60.0
    beats: int = 3
    name: str = "P"


@pytest.fixture
def accuracy(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("accuracy")


@pytest.fixture
def sweep(accuracy: ModuleType) -> ModuleType:
    return importlib.import_module("threshold_sweep")


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """A module with thresholds of every kind, importable by its name."""
    source = (
        "from ecglens.layouts import RHYTHM\nLIMITS = None\n_QUIET, _ZERO = 6, 0\n_EDGES = (0.03, 0.4)\nlower = 1.0\n"
    )
    (tmp_path / "made_thresholds.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    made = importlib.import_module("made_thresholds")
    monkeypatch.setattr(made, "LIMITS", WaveLimits())
    monkeypatch.setitem(sys.modules, "made_thresholds", made)
    return made


def test_thresholds_are_numbers_in_capitals_and_fields_of_limits(sweep: ModuleType, module: ModuleType) -> None:
    labels = [threshold.label for threshold in [*sweep.constants_of(module), *sweep.limits_of(module)]]
    assert labels == [
        "made_thresholds:_QUIET",
        "made_thresholds:_EDGES[0]",
        "made_thresholds:_EDGES[1]",
        "made_thresholds:LIMITS.least_ms",
        "made_thresholds:LIMITS.beats",
    ]


def test_a_threshold_is_changed_within_the_context_and_restored_after_it(sweep: ModuleType, module: ModuleType) -> None:
    for threshold in [*sweep.constants_of(module), *sweep.limits_of(module)]:

        def current(threshold: object = threshold) -> object:
            holder = getattr(module, threshold.name)  # type: ignore[attr-defined]
            part = threshold.part  # type: ignore[attr-defined]
            return holder if part is None else holder[part] if isinstance(part, int) else getattr(holder, part)

        with sweep.changed(sweep.Change(threshold, 99)):
            assert current() == 99
        assert current() == threshold.value


def test_results_of_another_program_and_broken_lines_are_left_aside(sweep: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    lines = [{"change": "a", "program": sweep.digest_program()}, {"change": "b", "program": "another"}]
    path.write_text("\n".join(map(json.dumps, lines)) + '\n{"change": "c', encoding="utf-8")
    assert list(sweep.read_results(path)) == ["a"]


def test_a_figure_fails_only_when_it_is_worse_than_its_floor(accuracy: ModuleType) -> None:
    for kind, value, worse in (("snr", 20.0, 19.9), ("spread", 9.0, 9.2), ("missed", 3.0, 4.0)):
        floor = accuracy.KINDS[kind].floor(value)
        sentences = [
            list(accuracy.complain([accuracy.Figure(kind, "pages", today, 12)], {f"{kind} / pages": floor}, whole=True))
            for today in (value, worse)
        ]
        assert sentences[0] == []
        assert len(sentences[1]) == 1
        assert sentences[1][0].startswith(accuracy.KINDS[kind].title)


def test_a_figure_without_a_floor_or_a_floor_without_its_figure_fails(accuracy: ModuleType) -> None:
    figure = accuracy.Figure("snr", "pages", 20.0, 12)
    assert "none for snr / pages" in next(accuracy.complain([figure], {}, whole=False))
    assert "was not measured" in next(accuracy.complain([], {"snr / pages": 19.9}, whole=True))


def test_every_floor_names_a_kind_of_figure(accuracy: ModuleType) -> None:
    floors = accuracy.read_floors()
    assert floors
    assert {name.partition(" / ")[0] for name in floors} <= set(accuracy.KINDS)
