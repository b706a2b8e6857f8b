import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from ecglens.formats.csv import read_csv
from ecglens.layouts import plan
from ecglens.leads import find_layout
from ecglens.pages import read_page
from ecglens.pages.preprocessing import rotate
from ecglens.records import Layout, NotFound, Page
from ecglens.render import render_page

DATA = Path(__file__).resolve().parents[1] / "data"
RECORD = read_csv(DATA / "ptbxl_00001.csv")
SHARED = Path(__file__).resolve().parents[3] / "shared" / "data" / "mendeley"
RHYTHM = {"Normal_1.jpg": "III", "HB_1.jpg": "III", "MI_26.jpg": "II", "PMI_18.jpg": "II"}
HEADS_PX = (75.7, 322.0, 568.3, 814.6, 1060.9)
ZEROS_PX = (232.3, 382.3, 533.7, 683.4)
"""Zero lines that the recorder of the sample pages prints, px of the pages at 1107 px width."""


def locate(pixels: NDArray[np.uint8]) -> Layout:
    layout = find_layout(Page(pixels))
    assert isinstance(layout, Layout), layout
    return layout


@pytest.fixture(params=sorted(RHYTHM))
def sample(request: pytest.FixtureRequest) -> Page:
    return read_page(DATA / request.param)


def test_every_lead_is_located_where_it_is_printed(sample: Page) -> None:
    layout = locate(sample.pixels)
    assert layout.name == "3x4+1"
    assert layout.rhythm_leads == (RHYTHM[sample.source],)
    assert [lead.lead for lead in layout.leads[:12]] == [name for row in plan("3x4").rows for name in row]
    for index, lead in enumerate(layout.leads[:12]):
        row, column = divmod(index, 4)
        assert lead.box.left == pytest.approx(HEADS_PX[column], abs=2.5)
        assert lead.box.right == pytest.approx(HEADS_PX[column + 1], abs=2.5)
        assert lead.baseline_px == pytest.approx(ZEROS_PX[row], abs=1.5)


def test_scale_comes_from_the_grid_and_agrees_with_the_pulse(sample: Page) -> None:
    layout = locate(sample.pixels)
    assert layout.px_per_mm == pytest.approx((3.97, 3.974), rel=0.005)
    assert layout.pulse_mm == pytest.approx(10, abs=0.3)


@pytest.mark.parametrize("width", [800, 1400, 2213, 4000])
@pytest.mark.parametrize("turn", [-3.0, 0.0, 1.3, 3.0])
def test_layout_follows_size_and_rotation(width: int, turn: float) -> None:
    pixels = read_page(DATA / "MI_26.jpg").pixels
    scale = width / pixels.shape[1]
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    changed = rotate(np.asarray(cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=method), np.uint8), turn)
    layout = locate(changed)
    assert layout.rotation_deg == pytest.approx(turn, abs=0.1)
    assert layout.rhythm_leads == ("II",)
    assert layout.leads[0].box.left == pytest.approx(HEADS_PX[0] * scale, abs=3 * scale + 1)
    assert layout.leads[-1].baseline_px == pytest.approx(ZEROS_PX[3] * scale, abs=3 * scale + 1)


@pytest.mark.parametrize("side", range(4))
@pytest.mark.parametrize("share", [-0.05, 0.05])
def test_layout_is_found_with_a_margin_cut_or_added(side: int, share: float) -> None:
    pixels = read_page(DATA / "PMI_18.jpg").pixels
    height, width = pixels.shape[:2]
    by = round(abs(share) * (height if side < 2 else width))
    if share > 0:
        changed = cv2.copyMakeBorder(pixels, *np.eye(4, dtype=int)[side] * by, cv2.BORDER_CONSTANT, value=(255,) * 3)
    else:
        top, bottom, left, right = np.eye(4, dtype=int)[side] * by
        changed = pixels[top : height - bottom, left : width - right]
    layout = locate(np.ascontiguousarray(changed))
    shift = (by if share > 0 else -by) if side == 2 else 0
    assert layout.leads[0].box.left == pytest.approx(HEADS_PX[0] + shift, abs=3)
    assert layout.leads[0].box.width == pytest.approx(246.3, abs=3)


def test_a_page_without_pulses_is_found_by_its_traces_and_says_so() -> None:
    pixels = read_page(DATA / "Normal_1.jpg").pixels.copy()
    pixels[150:750, 40:72] = 255
    layout = locate(pixels)
    assert layout.pulse_mm is None
    assert any("No calibration pulse" in warning for warning in layout.warnings)
    assert layout.leads[0].baseline_px == pytest.approx(ZEROS_PX[0], abs=5)


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda pixels: pixels[: pixels.shape[0] // 2], "not the 4 traces|could not be read"),
        (lambda pixels: pixels[:, : pixels.shape[1] // 2], "not the 4 traces|mm long|could not be read"),
        (lambda pixels: pixels[::-1], "not the 4 traces|could not be read"),
        (lambda pixels: pixels[:, ::-1], "not the 4 traces|could not be read|mm long"),
        (lambda pixels: np.full_like(pixels, 255), "No regular grid"),
    ],
)
def test_what_is_not_the_layout_is_refused_with_the_reason(
    spoil: Callable[[NDArray[np.uint8]], NDArray[np.uint8]], reason: str
) -> None:
    pixels = read_page(DATA / "Normal_1.jpg").pixels
    answer = find_layout(Page(np.ascontiguousarray(spoil(pixels))))
    assert not answer
    assert isinstance(answer, NotFound)
    assert re.search(reason, answer.reason), answer.reason


def test_layout_is_plain_in_json(sample: Page) -> None:
    layout = locate(sample.pixels).to_dict()
    assert layout["px_per_mm"]["source"] == "grid"
    assert len(layout["leads"]) == 13
    assert "ink" not in layout


@pytest.mark.shared
def test_every_public_page_is_found() -> None:
    if not SHARED.is_dir():
        pytest.skip("the public pages are not beside the repository")
    pages = sorted((SHARED / "pages").glob("*.jpg"))
    missed = [path.name for path in pages if not find_layout(read_page(path))]
    assert len(pages) == 393
    assert missed == []


def test_a_second_strip_in_the_known_print_is_not_lost() -> None:
    page = render_page(RECORD, layout="3x4+2", style="dotted-report", pulse=None, row_mm=None, rhythm=("V1", "II")).page
    layout = find_layout(page, doubtful=True)
    assert isinstance(layout, Layout)
    assert (layout.name, layout.rhythm_leads) == ("3x4+2", ("V1", "II"))


def test_a_doubtful_page_in_the_known_print_is_read_by_its_names(monkeypatch: pytest.MonkeyPatch) -> None:
    page = render_page(RECORD).page
    plain = find_layout(page)
    assert isinstance(plain, Layout)
    doubted = replace(plain, name="3x4", doubt="Lead I has no trace over part of its length.")
    monkeypatch.setattr("ecglens.leads.layout._known_print", lambda *_: doubted)
    by_names = find_layout(page, doubtful=True)
    assert isinstance(by_names, Layout)
    assert (by_names.name, by_names.doubt) == ("3x4+1", None)
    assert find_layout(page) == NotFound(doubted.doubt)
