import numpy as np
import pytest

from ecglens.errors import RenderError
from ecglens.layouts import STANDARD_LEADS
from ecglens.records import EcgRecord
from ecglens.render.records import draw_record


@pytest.mark.parametrize(
    ("leads", "layout"),
    [
        (STANDARD_LEADS, "3x4+1"),
        (("I", "II", *STANDARD_LEADS[6:]), "3x4+1"),
        (("I", "II"), "6x1-limb"),
        (STANDARD_LEADS[6:], "6x1-precordial"),
        (("MLII", "V5"), "1x1"),
        (("ECG",), "1x1"),
    ],
)
def test_a_record_is_drawn_in_the_first_layout_that_its_leads_allow(leads: tuple[str, ...], layout: str) -> None:
    clock = np.arange(5000) / 500
    record = EcgRecord(np.tile(np.float32(np.sin(7 * clock)), (len(leads), 1)), 500.0, leads)
    rendered = draw_record(record, dpi=100)
    assert rendered.truth.layout == layout
    assert rendered.page.pixels.min() < 100  # a trace


def test_an_empty_record_is_refused() -> None:
    with pytest.raises(RenderError, match="this one is empty"):
        draw_record(EcgRecord(np.zeros((1, 0), np.float32), 500.0, ("I",)))
