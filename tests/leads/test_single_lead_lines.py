"""One lead over several lines, which do not beat together."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from ink_lines import draw_line, normalized_from
from numpy.typing import NDArray
from rendered_recorders import over_several_lines
from synthetic_ecgs import synthesize_ecg

from ecglens.digitizing import digitize_page
from ecglens.errors import EcgReadError
from ecglens.formats.csv import read_csv
from ecglens.leads.name_shapes import Word
from ecglens.leads.single_lead_lines import find_single_lead_lines
from ecglens.records import EcgRecord, Layout, NotFound
from ecglens.render import render_page

RECORD = read_csv(Path(__file__).resolve().parents[1] / "data" / "ptbxl_00001.csv")
ZEROS = (100, 220, 340)
NAME = Word("II", 0.9, 80, 42, 90, 50)


def draw_lines(*, shift: int, right: int = 1040, last: int = 1040) -> NDArray[np.uint8]:
    """Return three lines of complexes; those of each line are ``shift`` px after those of the line above."""
    ink = np.zeros((440, 1100), np.uint8)
    for line, zero in enumerate(ZEROS):
        end = last if line == 2 else right
        beats = np.arange(80 + line * shift, end, 100)
        draw_line(ink, zero=zero, left=40, right=end, beats=beats)
        ink[zero - 2 : zero, 40:end:3] = ink[zero + 2 : zero + 4, 40:end:4] = 255  # an irregular pen
    return ink


def find_lead(ink: NDArray[np.uint8], words: list[Word] | None = None) -> Layout | NotFound:
    return find_single_lead_lines(normalized_from(ink), ink, words or [], "grid")


def test_lines_that_do_not_beat_together_are_one_lead_and_the_last_may_be_shorter() -> None:
    layout = find_lead(draw_lines(shift=35, last=400))
    assert isinstance(layout, Layout)
    assert layout.name == "one-lead-lines"
    assert [lead.lead for lead in layout.leads] == ["I"] * 3
    assert [lead.baseline_px for lead in layout.leads] == pytest.approx(ZEROS, abs=3)
    assert [lead.box.right for lead in layout.leads] == pytest.approx([1040, 1040, 400], abs=2)
    assert any("does not name its lead" in warning for warning in layout.warnings)


def test_the_lead_is_the_one_that_the_page_names() -> None:
    layout = find_lead(draw_lines(shift=35), [NAME, replace(NAME, name="V1", top=5, bottom=15)])
    assert isinstance(layout, Layout)
    assert {lead.lead for lead in layout.leads} == {"II"}
    assert not any("does not name its lead" in warning for warning in layout.warnings)


@pytest.mark.parametrize(
    ("ink", "words", "reason"),
    [
        (draw_lines(shift=0), [], "3 lines of traces that beat together"),
        (draw_lines(shift=35), [NAME, replace(NAME, name="V1")], "Several lead names"),
        (draw_lines(shift=35, right=300), [], "No lines of one lead"),
        (np.zeros((440, 1100), np.uint8), [], "No lines of one lead"),
    ],
    ids=["simultaneous", "two names", "short lines", "blank"],
)
def test_other_lines_are_refused_with_the_reason(ink: NDArray[np.uint8], words: list[Word], reason: str) -> None:
    answer = find_lead(ink, words)
    assert isinstance(answer, NotFound)
    assert reason in answer.reason


def one_lead(seconds: float) -> EcgRecord:
    record = synthesize_ecg(seconds=seconds)
    return replace(record, signals_mv=record.signals_mv[1:2], leads=("II",), quality=(), start_s=(), confidence=None)


def test_one_lead_over_several_lines_is_one_signal() -> None:
    tracing = digitize_page(over_several_lines(one_lead(seconds=30.0), lines=4, seconds=7.1, dpi=130))
    assert tracing.layout.name == "one-lead-lines"
    assert tracing.record is not None
    assert tracing.record.signals_mv.shape[0] == 1
    assert tracing.record.duration_s == pytest.approx(4 * 7.1, abs=0.3)
    assert any("does not name its lead" in warning for warning in tracing.warnings)


@pytest.mark.slow
def test_print_above_and_below_is_no_name_of_one_lead() -> None:
    lead = one_lead(seconds=30.0)
    page = over_several_lines(lead, lines=4, seconds=7.1, dpi=130)
    pixels = np.pad(page.pixels, ((120, 120), (0, 0), (0, 0)), constant_values=255)
    for text, row in (("V6", 60), ("I", pixels.shape[0] - 50)):
        cv2.putText(pixels, text, (900, row), cv2.FONT_HERSHEY_DUPLEX, 0.7, (0, 0, 0), 1, cv2.LINE_AA)
    assert digitize_page(replace(page, pixels=pixels)).layout.name == "one-lead-lines"


@pytest.mark.slow
def test_six_lines_that_beat_together_are_not_one_lead() -> None:
    page = render_page(RECORD, layout="6x1-limb", names=None, header=None, footer=None, dpi=120).page
    with pytest.raises(EcgReadError, match="no lead names could be read"):
        digitize_page(page)
