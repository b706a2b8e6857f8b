"""Floors, thresholds and stored results of `make accuracy` and `make thresholds`."""

import dataclasses
import importlib
import json
import runpy
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"


@pytest.fixture
def accuracy(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("accuracy")


@pytest.fixture
def sweep(accuracy: ModuleType) -> ModuleType:
    return importlib.import_module("threshold_sweep")


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """A module with limits, importable by its name."""
    source = """
from dataclasses import dataclass

@dataclass(frozen=True)
class WaveLimits:
    min_ms: float = 12.5
    beats: int = 3
    edges: tuple[float, float] = (0.03, 0.4)
    title: str = "waves"
    nothing: float = 0.0

LIMITS = WaveLimits()
OTHER = 7
"""
    (tmp_path / "small_limits.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "small_limits", raising=False)
    return importlib.import_module("small_limits")


def test_thresholds_are_the_numbers_of_limits(sweep: ModuleType, module: ModuleType) -> None:
    assert [threshold.label for threshold in sweep.limits_of(module)] == [
        "small_limits:LIMITS.min_ms",
        "small_limits:LIMITS.beats",
        "small_limits:LIMITS.edges[0]",
        "small_limits:LIMITS.edges[1]",
    ]


def test_the_sweep_covers_every_threshold_of_the_docs(sweep: ModuleType) -> None:
    page = runpy.run_path(str(BENCHMARKS.parent / "docs" / "make_thresholds.py"))
    documented = {
        (type(limits).__module__, field.name)
        for package in page["STEPS"]
        for limits in page["find_limits"](package)
        for field in dataclasses.fields(limits)
        if np.any(getattr(limits, field.name))
    }
    assert {(threshold.module, threshold.field) for threshold in sweep.find_thresholds()} == documented


def test_a_threshold_is_changed_within_the_context_and_restored_after_it(sweep: ModuleType, module: ModuleType) -> None:
    for threshold in sweep.limits_of(module):
        before = module.LIMITS
        untouched = dataclasses.asdict(before)
        with sweep.apply_change(sweep.Change(threshold, 99)):
            whole = getattr(module.LIMITS, threshold.field)
            assert (whole if threshold.part is None else whole[threshold.part]) == 99
        assert dataclasses.asdict(module.LIMITS) == untouched


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
