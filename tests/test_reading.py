import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from not_ecgs import generate_not_ecgs
from PIL import Image
from tiny_models import ecg_page, write_graph, write_model

import ecglens
from ecglens.demo import demo_pages
from ecglens.digitizing import digitize_page
from ecglens.errors import EcgReadError, ModelError, SettingsError
from ecglens.formats.csv import read_csv
from ecglens.leads import find_layout
from ecglens.models.cards import SetLimits
from ecglens.models.runtime import Runtime
from ecglens.pages.read import read_page
from ecglens.reading import examine_page, is_auto, load_runtime, locate_page, read_with_both
from ecglens.records import Layout, Located, NotFound, Page
from ecglens.render import render_page
from ecglens.render.damage import damage_page
from ecglens.settings import load_settings

DATA = Path(__file__).resolve().parent / "data"
PAGE = DATA / "MI_26.jpg"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model that says "mi" of every page that it is given."""
    write_model(tmp_path / "tiny", (0.0, 5.0))
    return tmp_path / "tiny"


@pytest.fixture
def fresh_settings() -> Iterator[None]:
    load_settings.cache_clear()
    yield
    load_settings.cache_clear()


def test_path_text_bytes_and_file_answer_the_same(model):
    answer = ecglens.read(PAGE, model=model).to_dict()
    assert answer["label"] == "mi"
    assert ecglens.read(str(PAGE), model=str(model)).to_dict() == answer
    assert ecglens.read(PAGE.read_bytes(), model=model).to_dict() == answer
    assert ecglens.read(io.BytesIO(PAGE.read_bytes()), model=model).to_dict() == answer
    with PAGE.open("rb") as stream:
        assert ecglens.read(stream, model=model).to_dict() == answer


def test_examine_shows_the_page_and_its_layout_beside_the_answer(model):
    reading = ecglens.examine(PAGE, model=model)
    assert reading.page.source == "MI_26.jpg"
    assert isinstance(reading.layout, Layout)
    assert reading.prediction.layout is reading.layout
    assert reading.prediction.to_dict() == ecglens.read(PAGE, model=model).to_dict()
    assert reading.to_dict()["width_px"] == 1107


def test_a_pdf_s_page_is_chosen_by_its_number(model):
    assert ecglens.examine(DATA / "00009_hr.pdf", model=model, page=1).page.number == 1
    with pytest.raises(EcgReadError, match="expected page 1, found page 2; the file has one page"):
        ecglens.read(DATA / "00009_hr.pdf", model=model, page=2)


@pytest.mark.slow
def test_what_is_no_ecg_is_abstained_on_and_never_labelled(model):
    kinds = set()
    for kind, pixels in generate_not_ecgs(np.random.default_rng(3), 8):
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, "PNG")
        reading = ecglens.examine(stream.getvalue(), model=model)
        prediction = reading.prediction
        assert prediction.abstention is not None, kind
        assert prediction.abstention.kind == "no_layout", kind
        assert prediction.abstention.reason.startswith("This was not recognized as an ECG page that can be read. ")
        assert (prediction.label, prediction.probabilities, prediction.layout) == (None, None, None)
        assert prediction.confidence is None
        assert isinstance(reading.layout, NotFound)
        assert reading.layout.reason in prediction.abstention.reason
        kinds.add(kind)
    assert len(kinds) == 8


def test_a_refusal_carries_the_page_s_warnings_and_the_model_s_name(model):
    from ecglens.reading import examine_page, load_runtime

    blank = Page(np.full((600, 800, 3), 255, np.uint8), warnings=("The file is cut short.",))
    prediction = examine_page(blank, load_runtime(model)).prediction
    assert prediction.warnings == ("The file is cut short.",)
    assert (prediction.model, prediction.model_version) == ("tiny", "1.0")


def test_a_broken_model_is_an_error_not_an_answer(model):
    assert ecglens.read(PAGE, model=model).label == "mi"
    write_graph(model / "model.onnx", (5.0, 0.0))
    with pytest.raises(ModelError, match="model.onnx in '.*tiny' is not the graph that its card describes"):
        ecglens.read(PAGE, model=model)
    (model / "model.onnx").unlink()
    with pytest.raises(ModelError, match="but model.onnx cannot be read in"):
        ecglens.read(PAGE, model=model)
    (model / "model.json").unlink()
    with pytest.raises(ModelError, match="Expected a model's name or folder, but '.*tiny' is neither"):
        ecglens.read(PAGE, model=model)


def test_a_model_that_is_no_number_is_an_error_not_an_answer(tmp_path):
    write_model(tmp_path / "nan", (np.nan, 0.0))
    with pytest.raises(ModelError, match="Model 'nan' gave no finite logits for this page"):
        ecglens.read(PAGE, model=tmp_path / "nan")


def test_a_model_that_was_exported_again_is_loaded_again(model):
    assert ecglens.read(PAGE, model=model).label == "mi"
    write_model(model, (5.0, 0.0), version="2.0")
    answer = ecglens.read(PAGE, model=model)
    assert (answer.label, answer.model_version) == ("normal", "2.0")


def test_a_file_that_is_no_page_is_an_error(model):
    with pytest.raises(EcgReadError, match="empty"):
        ecglens.read(b"", model=model)
    with pytest.raises(EcgReadError, match="nowhere.jpg"):
        ecglens.read("nowhere.jpg", model=model)


@pytest.mark.usefixtures("fresh_settings")
def test_pages_above_the_settings_size_are_refused(model, monkeypatch):
    monkeypatch.setenv("ECGLENS_MAX_MEGAPIXELS", "0.5")
    with pytest.raises(EcgReadError, match="0.5 megapixel"):
        ecglens.read(PAGE, model=model)


@pytest.mark.usefixtures("fresh_settings")
def test_a_setting_of_the_wrong_kind_is_named(model, monkeypatch):
    monkeypatch.setenv("ECGLENS_MAX_MEGAPIXELS", "many")
    with pytest.raises(SettingsError, match="ECGLENS_MAX_MEGAPIXELS cannot be used: expected a number greater than 0"):
        ecglens.read(PAGE, model=model)


def test_a_photo_whose_grid_flattening_spoils_is_traced_as_it_came():
    photo = next(page.path for page in demo_pages() if page.name == "photo")
    reading = ecglens.digitize(photo)

    assert reading.layout.name == "3x4+1"
    assert len(reading.record.leads) == 13
    assert max(reading.record.quality) > 0.5, "its traces correlate with the truth by 0.92 and more"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "strength"), [("perspective", 0.25), ("perspective", 1.0), ("curl", 0.5), ("fold", 0.5), ("fold", 0.75)]
)
def test_a_page_that_was_photographed_at_an_angle_or_curled_is_answered_as_it_lies_flat(kind, strength):
    page = read_page(PAGE)
    runtime = load_runtime()
    plain, reading = (examine_page(each, runtime) for each in (page, damage_page(page, kind, strength, 3, dpi=100.0)))

    assert reading.prediction.label == plain.prediction.label
    assert any(word in warning for warning in reading.warnings for word in ("dewarped", "edges", "rectified"))
    assert max(lead.box.right for lead in reading.layout.leads) <= reading.page.width


@pytest.mark.slow
def test_a_page_that_is_turned_further_than_a_scan_keeps_its_label():
    page = read_page(PAGE)
    turn = cv2.getRotationMatrix2D((page.width / 2, page.height / 2), 25, 1.0)
    turn[:, 2] += 200
    size = (page.width + 400, page.height + 400)
    pixels = cv2.warpAffine(page.pixels, turn, size, flags=cv2.INTER_CUBIC, borderValue=(255, 255, 255))
    reading = examine_page(Page(np.asarray(pixels, dtype=np.uint8)), load_runtime())

    assert reading.prediction.label == "mi"
    assert any("by its grid" in warning for warning in reading.warnings)


@pytest.mark.slow
def test_the_signals_of_a_page_that_was_flattened_for_its_label_are_trusted_no_more_than_those_of_the_page():
    page = damage_page(read_page(PAGE), "curl", 0.75, 3, dpi=100.0)
    reading = examine_page(page, load_runtime(), measure=True)
    alone = digitize_page(page)

    assert reading.page.pixels is not page.pixels, "only the flattened page shows its leads"
    assert reading.page.bend_mm == alone.page.bend_mm > 1
    assert np.mean(reading.tracing.record.quality) < np.mean(alone.record.quality) + 0.05


@pytest.mark.slow
@pytest.mark.parametrize(("quarters", "side"), [(1, "left side"), (2, "upside down"), (3, "right side")])
def test_a_page_that_lies_on_another_side_is_turned(quarters, side):
    page = read_page(PAGE)
    turned = Page(np.ascontiguousarray(np.rot90(page.pixels, quarters)))
    reading = examine_page(turned, load_runtime())

    assert reading.prediction.label == "mi"
    assert side in reading.warnings[0]
    assert reading.page.pixels.shape == page.pixels.shape


@pytest.mark.slow
def test_a_page_seen_in_a_mirror_is_refused():
    page = read_page(PAGE)
    for pixels in (page.pixels[::-1], page.pixels[:, ::-1]):
        assert isinstance(examine_page(Page(np.ascontiguousarray(pixels)), load_runtime()).layout, NotFound)


def test_a_page_of_another_recorder_is_measured_but_gets_no_label() -> None:
    page = render_page(read_csv(DATA / "ptbxl_00001.csv")).page
    layout = find_layout(page)
    assert isinstance(layout, Layout)
    assert not layout.known_print
    reading = examine_page(page, load_runtime(), measure=True)
    assert reading.prediction.label is None
    assert reading.prediction.abstention is not None
    assert reading.prediction.abstention.kind == "unfamiliar"
    assert reading.measurements is not None
    assert reading.measurements.rate_bpm is not None


def write_signal_model(folder: Path, *, normal: bool) -> Runtime:
    """Write a model of signals whose sets say that a page is normal, or that it is not."""
    logits = (4.0, -4.0) if normal else (-4.0, 4.0)
    limits = (SetLimits(yes_from=0.6, no_to=0.4),) * 2
    card = write_model(
        folder,
        logits,
        graph={"shape": (27, 75), "ends": ("signal", "logits")},
        input={"kind": "lead_beats"},
        labels=("NORM", "MI"),
        several=True,
        set_limits=limits,
    )
    return lambda: Runtime(card)


def test_a_label_that_the_signal_model_contradicts_is_withdrawn(tmp_path, model):
    located = locate_page(read_page(PAGE))
    page_model = load_runtime(model)
    agreed = read_with_both(located, page_model, write_signal_model(tmp_path / "mi", normal=False), measure=True)
    assert agreed.prediction.label == "mi"
    assert agreed.beside.holds == {"NORM": False, "MI": True}
    assert agreed.to_dict()["beside"]["probabilities"]["MI"] > 0.9
    contrary = read_with_both(located, page_model, write_signal_model(tmp_path / "normal", normal=True), measure=True)
    assert contrary.prediction.label is None
    assert contrary.prediction.abstention.kind == "uncertain"


def test_a_page_of_the_page_model_s_recorder_is_not_digitized_for_its_label_alone(tmp_path, model):
    located = locate_page(read_page(PAGE))
    reading = read_with_both(located, load_runtime(model), write_signal_model(tmp_path / "normal", normal=True))
    assert reading.prediction.label == "mi"
    assert reading.beside is None
    assert reading.tracing is None


@pytest.mark.slow
def test_a_page_of_another_recorder_gets_the_answer_of_the_signal_model(tmp_path, model):
    located = locate_page(ecg_page(dpi=150, layout="6x2"))
    reading = read_with_both(located, load_runtime(model), write_signal_model(tmp_path / "normal", normal=True))
    assert (reading.prediction.model, reading.prediction.label) == ("normal", "NORM")
    assert reading.beside is None


def test_a_page_without_leads_is_refused_by_both(tmp_path, model):
    located = locate_page(Page(np.full((400, 500, 3), 255, np.uint8)))
    reading = read_with_both(located, load_runtime(model), write_signal_model(tmp_path / "normal", normal=True))
    assert reading.prediction.abstention.kind == "no_layout"


@pytest.mark.usefixtures("fresh_settings")
def test_auto_is_a_name_or_the_model_of_the_settings(monkeypatch):
    assert is_auto("auto")
    assert not is_auto("compact_cnn")
    assert is_auto(None)
    monkeypatch.setenv("ECGLENS_MODEL", "compact_cnn")
    load_settings.cache_clear()
    assert not is_auto(None)


def test_a_page_whose_signals_alone_were_read_gets_the_answer_of_the_signal_model(tmp_path, model):
    page = ecg_page(dpi=150, layout="6x2")
    nothing = Located(page, NotFound("No lead names were read."))
    reading = read_with_both(nothing, load_runtime(model), write_signal_model(tmp_path / "normal", normal=True))
    assert reading.prediction.abstention.kind == "no_layout"
    load_signal_runtime = write_signal_model(tmp_path / "other", normal=True)
    reading = read_with_both(nothing, load_runtime(model), load_signal_runtime, measure=True)
    assert (reading.prediction.label, reading.layout.name) == ("NORM", "6x2")


@pytest.mark.slow
def test_a_page_is_read_with_its_measurements_on_request() -> None:
    reading = ecglens.read(DATA / "Normal_1.jpg", measure=True)
    assert (reading.prediction.label, reading.measurements is not None) == ("normal", True)
    assert ecglens.read(DATA / "Normal_1.jpg") == reading.prediction


def test_pages_of_a_file_are_read_one_after_another() -> None:
    (page,) = ecglens.iterate_pages(DATA / "Normal_1.jpg")
    assert ecglens.read(page).label == "normal"
    assert ecglens.digitize(page).page.source == "Normal_1.jpg"
    assert list(ecglens.iterate_pages(page)) == [page]


def test_a_page_that_was_read_before_is_no_other_page_of_its_file(tmp_path: Path) -> None:
    picture = Image.open(PAGE).convert("RGB")
    picture.save(tmp_path / "two.tif", save_all=True, append_images=[picture])
    first, second = ecglens.iterate_pages(tmp_path / "two.tif")
    assert [ecglens.assess(second).px_per_mm, ecglens.assess(second, page=2).px_per_mm] == [
        pytest.approx(ecglens.assess(first).px_per_mm)
    ] * 2
    for read_other in (ecglens.read, ecglens.examine, ecglens.digitize, ecglens.assess, ecglens.explain):
        with pytest.raises(EcgReadError, match="expected the file to read page 2, got its page 1, which") as refused:
            read_other(first, page=2)
        assert refused.value.code == "no_such_page"


@pytest.mark.usefixtures("fresh_settings")
def test_every_way_to_read_a_page_obeys_the_largest_size_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ECGLENS_MAX_MEGAPIXELS", "0.1")
    for read_large in (ecglens.read, ecglens.digitize, read_page, lambda page: next(ecglens.iterate_pages(page))):
        with pytest.raises(EcgReadError, match=r"expected a page of at most 0\.1 megapixels"):
            read_large(PAGE)


def test_a_picture_that_cannot_be_read_says_what_would_make_a_better_one():
    page = read_page(PAGE)
    blurred = replace(page, pixels=cv2.GaussianBlur(page.pixels, (0, 0), 9))
    abstention = examine_page(blurred, load_runtime()).prediction.abstention
    assert abstention.kind == "no_layout"
    assert "Hold the phone still and tap on the page to focus." in abstention.reason


def test_one_page_of_several_says_which_one_it_is(tmp_path):
    with Image.open(PAGE) as picture:
        picture.convert("RGB").save(tmp_path / "two.pdf", save_all=True, append_images=[picture.convert("RGB")])
    sentence = "The file has 2 pages, of which this is page 2; choose others by their number."
    assert ecglens.read(tmp_path / "two.pdf", page=2).warnings[0] == sentence
    assert ecglens.digitize(tmp_path / "two.pdf", page=2).warnings[0] == sentence
    assert not any("pages" in warning for warning in ecglens.read(PAGE).warnings[:-1])


def test_results_are_one_line_in_a_console():
    reading = ecglens.read(PAGE, measure=True)
    record_reading = ecglens.examine_record(ecglens.read_record(PAGE.parent / "ptbxl_00001.csv"))
    results = (
        reading,
        reading.prediction,
        reading.tracing,
        reading.measurements,
        ecglens.explain(PAGE),
        record_reading,
    )
    for result in results:
        assert repr(result).startswith(f"{type(result).__name__}(")
        assert len(repr(result)) < 400
    assert repr(reading.prediction) == "Prediction(mi, p = 0.999, by compact_cnn 1.0)"
    assert "rate 54/min" in repr(reading.measurements)
