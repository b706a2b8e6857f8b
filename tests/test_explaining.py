"""Explaining a page from the arrays that its answer was computed from."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from call_counts import count_calls
from tiny_models import write_model

from ecglens.errors import EcgReadError, ModelError
from ecglens.explaining import build_scene, explain, explain_page
from ecglens.formats.csv import read_csv
from ecglens.leads import locate
from ecglens.models.runtime import Runtime
from ecglens.pages.read import read_page
from ecglens.reading import load_runtime, read_located
from ecglens.record_pages import draw_record
from ecglens.records import Abstention, EcgRecord, Located, NotFound, Page, Prediction, Reading

PAGE = Path(__file__).resolve().parent / "data" / "MI_26.jpg"
METHOD = "occlusion_lead"


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    return count_calls(monkeypatch)


@pytest.fixture
def runtime(tmp_path: Path) -> Runtime:
    """A model whose log-odds of the label mi grow with the ink."""
    write_model(tmp_path / "tiny", graph={"slope": 0.01})
    return load_runtime(tmp_path / "tiny")


@pytest.fixture
def reading(runtime: Runtime) -> Reading:
    return read_located(locate.locate_leads(read_page(PAGE)), runtime)


def test_a_file_is_explained_as_the_page_that_was_read_from_it(runtime: Runtime, reading: Reading) -> None:
    own = explain_page(reading, runtime, method=METHOD, checks=False)
    of_file = explain(PAGE, model=runtime.card.folder, method=METHOD, checks=False)
    assert (own.label, own.method, own.checks) == ("mi", METHOD, ())
    assert own.page_size_px == (reading.page.height, reading.page.width)
    np.testing.assert_array_equal(own.heat, of_file.heat)
    assert own.shares == of_file.shares
    assert set(own.shares) >= {"I", "II", "V6"}


def test_the_label_is_the_most_probable_one_unless_one_is_given(runtime: Runtime, reading: Reading) -> None:
    other = explain_page(reading, runtime, method=METHOD, label="normal", checks=False)
    assert other.label == "normal"
    assert other.probability < 0.5
    with pytest.raises(ModelError, match="got"):
        explain_page(reading, runtime, method=METHOD, label="stroke", checks=False)


def test_a_scene_has_the_arrays_of_the_answer_and_needs_probabilities_and_a_layout(
    runtime: Runtime, reading: Reading
) -> None:
    scene = build_scene(reading, runtime)
    assert scene is not None
    assert scene.label == "mi"
    assert reading.prediction.inputs is not None
    for name, array in reading.prediction.inputs.items():
        assert array.any()
        np.testing.assert_array_equal(scene.arrays[name].reshape(array.shape), array)
    for prediction in (replace(reading.prediction, probabilities=None), replace(reading.prediction, inputs=None)):
        assert build_scene(replace(reading, prediction=prediction), runtime) is None
    assert build_scene(replace(reading, located=Located(reading.page, NotFound("No grid."))), runtime) is None


def test_a_page_that_the_model_does_not_answer_for_is_refused_with_the_reason(runtime: Runtime) -> None:
    blank = Page(np.full((400, 500, 3), 255, np.uint8), "blank.png")
    prediction = Prediction(None, None, "tiny", "1.0", Abstention("no_layout", "No regular grid was found."))
    answer = Reading(Located(blank, NotFound("No regular grid was found.")), prediction)
    with pytest.raises(EcgReadError, match=r"blank\.png: expected a page that the model answers for\. No regular grid"):
        explain_page(answer, runtime)


def test_an_explanation_uses_the_arrays_of_the_prediction(tmp_path: Path, calls: Counter[str]) -> None:
    write_model(tmp_path / "tiny", graph={"slope": 0.01})
    runtime = load_runtime(tmp_path / "tiny")
    reading = read_located(locate.locate_leads(read_page(PAGE)), runtime)
    explain_page(reading, runtime, method="occlusion_lead", checks=False)
    assert calls == {"find_layout": 1, "predict": 1}


def test_a_digital_ecg_of_one_lead_is_refused_by_the_model_of_signals() -> None:
    record = read_csv(PAGE.parent / "ptbxl_00001.csv")
    record = EcgRecord(record.signals_mv[:1], record.fs_hz, record.leads[:1])
    with pytest.raises(EcgReadError, match="this recording has 1 of them"):
        explain(draw_record(record, "record"))
