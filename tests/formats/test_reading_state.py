"""A reading packed without its pixels, and unpacked beside them."""

import io
from dataclasses import replace

import numpy as np
import pytest

from ecglens.formats.reading_state import pack_reading, unpack_reading
from ecglens.records import (
    Abstention,
    Box,
    InkMap,
    Layout,
    LeadBox,
    Located,
    NotFound,
    Page,
    Prediction,
    Reading,
)

PIXELS = np.full((120, 200, 3), 255, np.uint8)
INK = InkMap(np.arange(60 * 100, dtype=np.uint32).reshape(60, 100).astype(np.uint8), (2.0, 2.0), (4.0, 6.0))
LAYOUT = Layout(
    name="1x1",
    leads=(LeadBox("II", Box(20.0, 10.0, 60.0, 190.0), 40.0, rhythm=True),),
    trace_area=Box(24.0, 16.0, 64.0, 106.0),
    rotation_deg=1.5,
    px_per_mm=(4.0, 4.1),
    px_per_mm_source="grid",
    pulse_mm=9.9,
    to_upright=((1.0, 0.1, 2.0), (-0.1, 1.0, 3.0)),
    ink=INK,
    warnings=("The page may be stretched.",),
    doubt="Leads do not add up.",
    names=(Box(1.0, 2.0, 3.0, 4.0),),
    unread=1,
)
PREDICTION = Prediction(
    label=None,
    probabilities={"mi": 0.4, "normal": 0.6},
    model="tiny",
    model_version="1",
    abstention=Abstention("uncertain", "No label is probable enough."),
    lead_probabilities={"II": {"mi": 0.3}},
    layout=LAYOUT,
    warnings=("Small.",),
    inputs={"pixels": np.arange(6, dtype=np.float32).reshape(2, 3)},
)
CURVE = np.array([[1, 2], [3, 4]], np.float32)
PAGE = Page(PIXELS, "a.pdf", 2, 3, ("It was turned.",), (CURVE,), bend_mm=2.5)
READING = Reading(Located(PAGE, LAYOUT), PREDICTION)
STORED = Page(PIXELS, "stored.png")


def test_everything_but_pixels_signals_and_measurements_comes_back() -> None:
    back = unpack_reading(pack_reading(READING), STORED)
    assert back.page.pixels is STORED.pixels
    assert (back.page.number, back.page.count, back.page.warnings, back.page.bend_mm) == (2, 3, PAGE.warnings, 2.5)
    np.testing.assert_array_equal(back.page.curves[0], CURVE)
    assert back.layout == LAYOUT
    assert replace(back.prediction, inputs=None) == replace(PREDICTION, inputs=None)
    assert back.prediction.inputs is not None
    np.testing.assert_array_equal(back.prediction.inputs["pixels"], PREDICTION.inputs["pixels"])  # type: ignore[index]


def test_only_the_ink_around_the_traces_is_stored_in_its_place() -> None:
    layout = unpack_reading(pack_reading(READING), STORED).layout
    assert isinstance(layout, Layout)
    np.testing.assert_array_equal(layout.ink.pixels, INK.pixels[10:31, 5:51])
    assert layout.ink.row(24.0) == 0
    assert layout.ink.column(16.0) == 0
    assert layout.ink.scale == INK.scale


def test_a_page_without_a_layout_comes_back_with_the_reason() -> None:
    reading = Reading(Located(PAGE, NotFound("No grid.")), replace(PREDICTION, layout=None, inputs=None))
    back = unpack_reading(pack_reading(reading), STORED)
    assert back.layout == NotFound("No grid.")
    assert back.prediction.layout is None
    assert back.prediction.inputs is None


def test_a_state_that_holds_objects_is_not_unpacked() -> None:
    stream = io.BytesIO()
    np.savez(stream, state=np.array([{"version": 1}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle=False"):
        unpack_reading(stream.getvalue(), STORED)
