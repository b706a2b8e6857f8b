import shutil
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
from msgspec.structs import replace
from scipy.special import expit, softmax
from tiny_models import LABELS, ecg_page, write_model

import ecglens
from ecglens.errors import ModelError
from ecglens.layouts import STANDARD_LEADS
from ecglens.leads import find_layout
from ecglens.models.cards import FeatureMap, SetLimits, load_card, save_card, sha256_of
from ecglens.models.inputs import make_input
from ecglens.models.registry import find_model
from ecglens.models.runtime import Runtime
from ecglens.reading import load_runtime
from ecglens.records import EcgRecord, Layout, Page

BEAT_MV = np.exp(-0.5 * (((np.arange(5000) / 500 - 0.4) % 0.8 - 0.4) / 0.02) ** 2).astype(np.float32)
RECORD = EcgRecord(np.tile(BEAT_MV, (12, 1)), 500.0, STANDARD_LEADS)
MAP = FeatureMap(features="relu", weights="relu.weights", step=(1.0, 1.0), start=(0.0, 0.0))


@pytest.fixture(scope="module")
def page() -> Page:
    return ecg_page()


@pytest.fixture(scope="module")
def layout(page: Page) -> Layout:
    result = find_layout(page)
    assert isinstance(result, Layout), result
    return result


def png_of(page: Page) -> bytes:
    return cv2.imencode(".png", np.ascontiguousarray(page.pixels[..., ::-1]))[1].tobytes()


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_probabilities_are_the_softmax_of_the_logits_over_the_temperature(tmp_path, page, layout, temperature):
    runtime = Runtime(write_model(tmp_path / "tiny", (1.0, 3.0), temperature=temperature))
    prediction = runtime.predict(page, layout)
    odds = np.exp(np.array([1.0, 3.0]) / temperature)
    assert prediction.probabilities == pytest.approx(dict(zip(LABELS, odds / odds.sum(), strict=True)))
    assert prediction.label == "mi"
    assert prediction.confidence == pytest.approx((odds / odds.sum())[1])


def test_huge_logits_do_not_overflow(tmp_path, page, layout):
    prediction = Runtime(write_model(tmp_path / "tiny", (1e30, -1e30), temperature=0.05)).predict(page, layout)
    assert prediction.probabilities == {"normal": 1.0, "mi": 0.0}


def test_labels_are_read_in_the_card_s_order(tmp_path, page, layout):
    for order in (LABELS, LABELS[::-1]):
        prediction = Runtime(write_model(tmp_path / order[0], (0.0, 5.0), labels=order)).predict(page, layout)
        assert prediction.label == order[1]


@pytest.mark.parametrize(
    ("threshold", "answered"), [(0.0, True), (0.5, True), (np.nextafter(0.5, 1), False), (1, False)]
)
def test_it_answers_from_the_threshold_on_and_abstains_below(tmp_path, page, layout, threshold, answered):
    prediction = Runtime(write_model(tmp_path / "tiny", (0.0, 0.0), abstain_below=threshold)).predict(page, layout)
    assert prediction.confidence == 0.5
    assert (prediction.label == "normal") == answered
    assert (prediction.abstention is None) == answered
    if not answered:
        assert prediction.label is None
        assert prediction.abstention.kind == "uncertain"
        assert "the top label has 50.0 %" in prediction.abstention.reason
        assert prediction.probabilities == {"normal": 0.5, "mi": 0.5}


def test_certainty_answers_at_a_threshold_of_1(tmp_path, page, layout):
    card = write_model(tmp_path / "tiny", (0.0, 900.0), abstain_below=1.0)
    assert Runtime(card).predict(page, layout).label == "mi"


def test_the_answer_depends_on_the_page_s_array(tmp_path, page, layout):
    runtime = Runtime(write_model(tmp_path / "tiny", graph={"slope": 0.01}))
    array = make_input(page, layout, runtime.recipe)["page"]
    assert runtime.logits({"page": array})[0] == pytest.approx([0, 0.01 * array.sum()], rel=1e-3)
    assert runtime.logits({"page": np.concatenate([array, 0 * array])}).shape == (2, 2)


def test_warnings_of_page_layout_and_model_are_part_of_the_prediction(tmp_path, page, layout):
    runtime = Runtime(write_model(tmp_path / "tiny", warnings=("One hospital only.",)))
    cut = Page(page.pixels, warnings=("The file is cut short.",))
    prediction = runtime.predict(cut, layout)
    assert prediction.warnings == ("The file is cut short.", *layout.warnings, "One hospital only.")
    assert (prediction.model, prediction.model_version) == ("tiny", "1.0")
    assert prediction.layout is layout


@pytest.mark.parametrize("logits", [(np.nan, 0.0), (np.inf, 0.0), (0.0, -np.inf)])
def test_an_answer_that_is_no_number_is_an_error_not_a_label(tmp_path, page, layout, logits):
    runtime = Runtime(write_model(tmp_path / "tiny", logits))
    with pytest.raises(ModelError, match="Model 'tiny' gave no finite logits for this page"):
        runtime.predict(page, layout)


def test_an_array_of_another_shape_is_refused(tmp_path):
    runtime = Runtime(write_model(tmp_path / "tiny"))
    with pytest.raises(ModelError, match=r"Expected page \(1, 48, 64\) for model 'tiny', got page \(1, 64, 48\)"):
        runtime.logits({"page": np.zeros((1, 1, 64, 48), np.float32)})
    with pytest.raises(ModelError, match=r"Expected page \(1, 48, 64\) for model 'tiny', got nothing"):
        runtime.logits({})


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ({"logits": (0.0, 0.0, 0.0)}, r"names 2 labels, but its graph returns \['pages', 3\]"),
        ({"graph": {"ends": ("image", "logits")}}, "from 'page' to 'logits' .*got one from 'image' to 'logits'"),
        ({"graph": {"ends": ("page", "scores")}}, "from 'page' to 'logits' .*got one from 'page' to 'scores'"),
        ({"graph": {"shape": (3, 48, 64)}}, r"produces \(1, 48, 64\), but its graph reads \(3, 48, 64\)"),
        ({"input": {"kind": "gray"}}, "input recipe cannot be used: expected a kind out of"),
        (
            {"feature_maps": (MAP,)},
            "field feature_maps in the card of model 'tiny' to describe .* outputs, got relu, relu.weights beside them",
        ),
    ],
)
def test_a_graph_that_does_not_fit_its_card_is_refused_at_loading(tmp_path, model, reason):
    with pytest.raises(ModelError, match=reason):
        Runtime(write_model(tmp_path / "tiny", **model))


def test_a_card_without_the_feature_maps_of_its_graph_says_which_field_is_missing(tmp_path):
    shipped = find_model("compact_cnn")
    folder = Path(shutil.copytree(shipped.folder, tmp_path / "mine"))
    save_card(replace(shipped, feature_maps=()), folder)
    with pytest.raises(
        ModelError, match="the field feature_maps in the card .* describe the graph's outputs, got none for relu_4, "
    ):
        Runtime(load_card(folder))


def test_a_file_that_is_no_graph_is_refused(tmp_path):
    card = write_model(tmp_path / "tiny")
    (card.folder / "model.onnx").write_bytes(b"not a graph")
    with pytest.raises(ModelError, match="The graph of model 'tiny' cannot be loaded; export the model again"):
        Runtime(replace(card, graph_sha256=sha256_of(Path(card.folder) / "model.onnx")))


def test_threads_share_one_model(tmp_path, page, layout):
    runtime = Runtime(write_model(tmp_path / "tiny", graph={"slope": 0.001}))
    alone = runtime.predict(page, layout).to_dict()
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(runtime.predict(page, layout).to_dict())) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [alone] * 8


CROPS = {"kind": "lead_crops", "width": 40, "height": 32, "channels": 1, "steps": ["remove_grid"], "std": 0.25}
SIGNALS = {"kind": "lead_signals"}


@pytest.mark.parametrize("method", ["mean_log", "majority"])
def test_the_answers_of_leads_are_aggregated_and_stay_visible(tmp_path, page, layout, method):
    card = write_model(
        tmp_path / "leads",
        (20.0, 0.0),
        temperature=2.0,
        input={**CROPS, "aggregate": method},
        graph={"shape": (1, 32, 40), "slope": 0.004},
    )
    runtime = Runtime(card)
    prediction = runtime.predict(page, layout)
    logits = runtime.logits(make_input(page, layout, runtime.recipe)).astype(np.float64)
    assert logits.shape == (13, 2)
    own = softmax(logits / 2.0, axis=1)
    assert len({tuple(row) for row in own.round(6)}) > 6
    assert list(prediction.lead_probabilities) == list(runtime.recipe.leads)
    for row, answer in zip(own, prediction.lead_probabilities.values(), strict=True):
        assert answer == pytest.approx(dict(zip(LABELS, row, strict=True)))
    pooled = (
        softmax(logits.mean(axis=0) / 2.0) if method == "mean_log" else np.eye(2)[logits.argmax(axis=1)].mean(axis=0)
    )
    assert prediction.probabilities == pytest.approx(dict(zip(LABELS, pooled, strict=True)))
    assert 0 < pooled.min() < pooled.max() < 1
    assert "lead_probabilities" in prediction.to_dict()


def test_a_model_of_whole_pages_says_nothing_of_leads(tmp_path, page, layout):
    assert Runtime(write_model(tmp_path / "tiny")).predict(page, layout).lead_probabilities is None


@pytest.fixture
def signal_model(tmp_path) -> Path:
    ends = {"shape": (24, 250), "ends": ("signal", "logits"), "slope": 0.001}
    return write_model(tmp_path / "signals", input=SIGNALS, graph=ends).folder


def test_a_signal_model_reads_what_was_digitized(signal_model, page, layout):
    reading = ecglens.examine(png_of(page), model=signal_model)
    assert reading.tracing is None
    record = ecglens.digitize(png_of(page)).record
    runtime = load_runtime(signal_model)
    assert reading.prediction.probabilities == runtime.predict(page, layout, record).probabilities
    logits = runtime.logits(make_input(page, layout, runtime.recipe, record))[0]
    assert logits[1] == pytest.approx(4.5, abs=1.5)  # the masks alone make 12 x 250 x 0.001 = 3


@pytest.mark.parametrize("record", [None, EcgRecord(np.full((12, 500), np.nan, np.float32), 500.0, STANDARD_LEADS)])
def test_a_signal_model_abstains_where_there_are_no_signals(signal_model, page, layout, record):
    prediction = load_runtime(signal_model).predict(page, layout, record)
    assert prediction.label is None
    assert prediction.probabilities is None
    assert prediction.abstention.kind == "unfamiliar"
    assert prediction.abstention.reason.startswith("The model reads signals, and ")


BEATS, BEATS_GRAPH = {"kind": "lead_beats"}, {"shape": (27, 75), "ends": ("signal", "logits")}
SEVERAL = {
    "several": True,
    "label_temperatures": (2.0, 0.5),
    "set_limits": (SetLimits(yes_from=0.6, no_to=0.4), SetLimits(yes_from=0.3, no_to=0.9)),
}


def test_a_model_of_several_labels_gives_each_its_own_probability_and_says_what_holds(tmp_path):
    runtime = Runtime(write_model(tmp_path / "several", (3.0, 0.5), input=BEATS, graph=BEATS_GRAPH, **SEVERAL))
    prediction = runtime.predict_record(RECORD)
    assert prediction.probabilities == pytest.approx({"normal": expit(1.5), "mi": expit(1.0)})
    assert prediction.holds == {"normal": True, "mi": None}
    assert prediction.to_dict()["holds"] == {"normal": True, "mi": None}
    assert prediction.label == "normal"
    assert prediction.layout is None


def test_the_model_knows_when_the_scale_of_a_record_is_unknown(tmp_path):
    runtime = Runtime(write_model(tmp_path / "beats", input=BEATS, graph=BEATS_GRAPH))
    in_mv = runtime.predict_record(RECORD).inputs["signal"]
    shape_alone = runtime.predict_record(RECORD, is_scale_known=False).inputs["signal"]
    np.testing.assert_array_equal(in_mv[:, 12:24], 2 * shape_alone[:, 12:24])
    np.testing.assert_array_equal(in_mv[:, 24:], shape_alone[:, 24:])


def test_a_record_with_too_few_samples_gets_no_answer(tmp_path):
    empty = EcgRecord(np.full((12, 500), np.nan, np.float32), 500.0, STANDARD_LEADS)
    prediction = Runtime(write_model(tmp_path / "beats", input=BEATS, graph=BEATS_GRAPH)).predict_record(empty)
    assert (prediction.label, prediction.abstention.kind) == (None, "unfamiliar")


def test_a_model_of_pages_refuses_a_record(tmp_path):
    with pytest.raises(ModelError, match="Expected a model of beats, got 'tiny', which reads pages"):
        Runtime(write_model(tmp_path / "tiny")).predict_record(RECORD)


def test_a_graph_without_the_signals_that_its_recipe_makes_is_refused(tmp_path):
    with pytest.raises(ModelError, match="from 'page' and 'signal' to 'logits' in model 'tiny', got one from 'page'"):
        Runtime(write_model(tmp_path / "tiny", input={"kind": "page_and_signal"}))
