"""A page is decoded, located and answered once, whatever is asked of it afterwards."""

from collections import Counter
from pathlib import Path

import pytest
from call_counts import count_calls
from tiny_models import write_model

import ecglens
from ecglens.leads import locate
from ecglens.pages.read import read_page
from ecglens.reading import load_runtime, measure_reading, read_located

PAGE = Path(__file__).resolve().parent / "data" / "MI_26.jpg"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    write_model(tmp_path / "tiny", (0.0, 5.0))
    return tmp_path / "tiny"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    return count_calls(monkeypatch)


def test_measurements_neither_locate_nor_predict_again(model: Path, calls: Counter[str]) -> None:
    reading = ecglens.examine(PAGE, model=model, measure=True)
    assert reading.measurements is not None
    assert calls == {"find_layout": 1, "predict": 1}


def test_a_second_step_continues_from_the_first(model: Path, calls: Counter[str]) -> None:
    located = locate.locate_leads(read_page(PAGE))
    reading = measure_reading(read_located(located, load_runtime(model)))
    assert reading.measurements is not None
    assert calls == {"find_layout": 1, "predict": 1}


def test_each_further_model_costs_its_own_prediction_only(tmp_path: Path, calls: Counter[str]) -> None:
    located = locate.locate_leads(read_page(PAGE))
    for version in ("first", "second", "third"):
        write_model(tmp_path / version, (0.0, 5.0))
        assert read_located(located, load_runtime(tmp_path / version)).prediction.label == "mi"
    assert calls == {"find_layout": 1, "predict": 3}
