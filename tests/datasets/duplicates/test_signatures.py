from pathlib import Path

import cv2
import numpy as np
import pytest

from ecglens.datasets.duplicates.signatures import ink_overlap, same_traces, trace_gray, trace_signature
from ecglens.datasets.rendering import read_signals
from ecglens.records import EcgRecord
from ecglens.render import STYLES, render_page

RECORD = read_signals(Path(__file__).resolve().parents[2] / "data" / "ptbxl_00001.csv")


@pytest.mark.parametrize("style", STYLES)
def test_a_smaller_recompressed_copy_is_known_again_on_every_maker_s_paper(style):
    page = render_page(RECORD, style=style, dpi=200).page.pixels
    small = cv2.resize(page[20:-30, 25:-15], None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    copy = cv2.imdecode(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 60])[1], cv2.IMREAD_COLOR)
    assert same_traces(trace_signature(trace_gray(page)), trace_signature(trace_gray(copy)))


def test_the_same_leads_at_another_time_are_not_the_same():
    later = EcgRecord(np.roll(1.8 * RECORD.signals_mv, 1234, axis=1), RECORD.fs_hz, RECORD.leads)
    pages = [trace_signature(trace_gray(render_page(record, dpi=150).page.pixels)) for record in (RECORD, later)]
    assert ink_overlap(*pages) < 0.9


def test_red_and_pink_paper_is_as_light_as_white_and_ink_stays_dark():
    pixels = np.uint8([[[255, 255, 255], [250, 120, 120], [255, 190, 200], [20, 20, 24], [90, 90, 90]]])
    assert trace_gray(pixels).tolist() == [[255, 250, 255, 20, 90]]


def test_a_page_without_traces_has_no_signature():
    assert trace_signature(np.full((700, 1100), 255, np.uint8)) is None
