"""Digitizing with corrections by hand."""

from pathlib import Path

import pytest

import ecglens
from ecglens.digitizing import digitize_page
from ecglens.errors import EcgReadError
from ecglens.formats.csv import read_csv
from ecglens.records import Box
from ecglens.render import render_page

DATA = Path(__file__).resolve().parents[0] / "data"
RECORD = read_csv(DATA / "ptbxl_00001.csv")


def test_boxes_layout_and_gain_can_be_given_by_hand() -> None:
    page = render_page(RECORD).page
    plain = digitize_page(page)
    box = next(lead.box for lead in plain.layout.leads if lead.lead == "V1")
    moved = digitize_page(page, boxes={"V1": Box(box.top, box.left + 20, box.bottom, box.right)})
    assert moved.traces[2].lead == "V1"
    assert len(moved.traces[2].rows_px) < len(plain.traces[2].rows_px)
    with pytest.raises(EcgReadError, match="got one of V9"):
        digitize_page(page, boxes={"V9": box})
    with pytest.raises(EcgReadError, match="Expected a box of V1 on the page"):
        digitize_page(page, boxes={"V1": Box(0, 0, 5, 5)})
    with pytest.raises(EcgReadError, match="Expected a layout out of"):
        ecglens.digitize(b"", layout="5x5")
    with pytest.raises(EcgReadError, match="Expected a gain in mm/mV from 1 to 80, got 0"):
        ecglens.digitize(b"", gain_mm_mv=0)
