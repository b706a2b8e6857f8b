"""Corrections by hand: their file, and what they change on a page."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ecglens
from ecglens.corrections import (
    Corrections,
    HandTrace,
    build_layout_by_hand,
    check_file,
    correct_page,
    place_corrections,
    read_corrections,
    write_corrections,
)
from ecglens.digitizing import digitize_page, find_view
from ecglens.errors import EcgReadError
from ecglens.formats.csv import read_csv
from ecglens.reading import locate_corrected
from ecglens.records import Box, Located, NotFound, Page, Tracing
from ecglens.render import render_page

DATA = Path(__file__).resolve().parent / "data"
RECORD = read_csv(DATA / "ptbxl_00001.csv")
RENDERED = render_page(RECORD)
PAGE = RENDERED.page
PLAIN = digitize_page(PAGE)
VIEW = (PLAIN.page.width, PLAIN.page.height)
ALL = Corrections(
    page=2,
    sha256="ab" * 32,
    corners=((0.0, 0.0), (900.0, 0.0), (900.0, 700.0), (0.0, 700.0)),
    rotation_deg=90.0,
    layout="3x4+1",
    names={"V1": "V2", "V2": "V1"},
    px_per_mm=(4.0, 4.5),
    speed_mm_s=50.0,
    gain_mm_mv=5.0,
    boxes={"V3": Box(10.0, 20.0, 110.0, 220.0)},
    traces=(
        HandTrace("II-rhythm", ((1.0, 2.0), (3.5, 4.25))),
        HandTrace("V1", ((9.0, 0.0), (12.0, 0.0)), is_removed=True),
    ),
    view_px=(900, 700),
)


def signal(tracing: Tracing, name: str) -> np.ndarray:
    assert tracing.record is not None
    return np.asarray(tracing.record.signals_mv[tracing.record.leads.index(name)])


def test_a_file_holds_all_corrections(tmp_path: Path) -> None:
    path = place_corrections(tmp_path / "ecg.pdf", 2)
    assert path.name == "ecg.pdf.page2.corrections.json"
    assert place_corrections(Path("ecg.jpg")).name == "ecg.jpg.corrections.json"
    write_corrections(ALL, path)
    assert read_corrections(path) == ALL
    assert read_corrections(path.read_bytes()) == ALL
    assert Corrections.from_dict(ALL.to_dict()) == ALL
    assert list(json.loads(path.read_text()))[:2] == ["format", "format_version"]


def test_corrections_that_are_not_made_are_not_in_the_file() -> None:
    assert Corrections().to_dict() == {"page": 1}
    assert not Corrections()
    assert Corrections(speed_mm_s=50.0)
    assert ALL.describe()[0] == "corners"
    assert len(ALL.describe()) == 10


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ({"page": 0}, "number of a page from 1, got 0"),
        ({"gian_mm_mv": 10}, "expected fields out of .*, got 'gian_mm_mv'"),
        ({"gain_mm_mv": "10"}, "expected a number as gain_mm_mv, got '10'"),
        ({"gain_mm_mv": True}, "expected a number as gain_mm_mv, got True"),
        ({"gain_mm_mv": 0.5}, "expected gain_mm_mv from 1 to 80, got 0.5"),
        ({"layout": "5x5"}, "expected a layout out of .*, got '5x5'"),
        ({"names": {"V1": "V9"}}, "expected names out of .*, got 'V9'"),
        ({"corners": [[0, 0]]}, "expected a list of 4 as corners"),
        ({"corners": [[0, 0], [1, 1], [2, 2], [3, 1e9]]}, "expected corners up to"),
        ({"corners": [[0, 0]] * 4}, "expected four corners, clockwise from the top left"),
        ({"corners": [[0, 0], [0, 9], [9, 9], [9, 0]]}, "expected four corners, clockwise from the top left"),
        ({"corners": [[0, 0], [9, 9], [9, 0], [0, 9]]}, "expected four corners, clockwise from the top left"),
        ({"px_per_mm": [0, 4], "view_px": [9, 9]}, "expected px_per_mm from 1 to 200"),
        ({"px_per_mm": [4, 4]}, "expected view_px"),
        ({"view_px": [1.5, 2]}, "expected a whole number as view_px, got 1.5"),
        ({"boxes": {"V1": {"top": 1}}}, "expected top, left, bottom and right"),
        ({"traces": [{"lead": "V1"}]}, "expected lead, points and perhaps removed"),
        ({"traces": [{"lead": "V1", "points": [[1, 1], [2, 1]], "removed": 1}]}, "expected lead, points and perhaps"),
        ({"traces": [{"lead": "V1", "points": [[2, 1], [1, 1]]}], "view_px": [9, 9]}, "from left to right"),
        ({"traces": [{"lead": "V1", "points": [[i, 1] for i in range(20_001)]}]}, "at most 20000 points"),
        ([], "expected an object"),
    ],
)
def test_a_field_that_is_wrong_is_refused_with_its_name(content: Any, match: str) -> None:
    with pytest.raises(EcgReadError, match=match) as caught:
        Corrections.from_dict(content)
    assert caught.value.code == "invalid_argument"


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"{", "expected a JSON document"),
        (b"\xff\xfe\x00", "expected a JSON document"),
        (b"[" * 5000, "expected a JSON document"),
        (b'{"format": "ecglens-record", "format_version": 1}', "expected a document of the format"),
        (b'{"format": "ecglens-corrections", "format_version": 2}', "expected version 1"),
        (b'{"format": "ecglens-corrections", "format_version": 1, "page": []}', "expected a number as page"),
    ],
)
def test_a_file_that_holds_no_corrections_is_refused(tmp_path: Path, content: bytes, match: str) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    for source in (path, content):
        with pytest.raises(EcgReadError, match=match):
            read_corrections(source)
    with pytest.raises(EcgReadError, match="expected a file of corrections"):
        read_corrections(tmp_path / "none.json")


def test_corrections_of_another_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "page.png"
    path.write_bytes(b"page")
    own = Corrections(sha256=hashlib.sha256(b"page").hexdigest())
    check_file(own, path)
    check_file(own, b"page")
    check_file(own, PAGE)
    with pytest.raises(EcgReadError, match="got another one by its SHA-256"):
        check_file(own, b"other")


def test_a_page_that_lies_on_its_side_is_turned_by_hand() -> None:
    turned = Page(np.ascontiguousarray(np.rot90(PAGE.pixels)))
    tracing = digitize_page(turned, corrections=Corrections(rotation_deg=90.0))
    assert np.array_equal(tracing.page.pixels, PLAIN.page.pixels)
    assert tracing.record is not None
    assert "Corrected by hand: rotation by 90 degrees." in tracing.record.comments
    small = correct_page(PAGE, Corrections(rotation_deg=10.0))
    assert small.width > PAGE.width
    assert correct_page(PAGE, Corrections()) is PAGE


def test_corners_speed_and_gain_of_the_file_are_used() -> None:
    corners = ((0.0, 0.0), (PAGE.width - 1.0, 0.0), (PAGE.width - 1.0, PAGE.height - 1.0), (0.0, PAGE.height - 1.0))
    tracing = digitize_page(PAGE, corrections=Corrections(corners=corners, speed_mm_s=50.0, gain_mm_mv=5.0))
    assert (tracing.speed_mm_s, tracing.speed_source) == (50.0, "given")
    assert (tracing.gain_mm_mv, tracing.gain_source) == (5.0, "given")
    again = digitize_page(PAGE, speed_mm_s=25.0, corrections=Corrections(speed_mm_s=50.0))
    assert again.speed_mm_s == 25.0


def test_renamed_leads_exchange_their_signals() -> None:
    tracing = digitize_page(PAGE, corrections=Corrections(names={"V1": "V2", "V2": "V1"}))
    assert np.array_equal(signal(tracing, "V1"), signal(PLAIN, "V2"), equal_nan=True)
    assert np.array_equal(signal(tracing, "V2"), signal(PLAIN, "V1"), equal_nan=True)
    strip = digitize_page(PAGE, corrections=Corrections(names={"II-rhythm": "V1"}))
    assert strip.record is not None
    assert strip.record.leads[-1] == "V1-rhythm"
    with pytest.raises(EcgReadError, match="got V2 twice"):
        digitize_page(PAGE, corrections=Corrections(names={"V1": "V2"}))
    with pytest.raises(EcgReadError, match="expected names out of those of the page"):
        digitize_page(PAGE, corrections=Corrections(names={"V1-rhythm": "V2"}))


def test_the_scale_by_hand_changes_millivolts_and_seconds() -> None:
    down, across = (2 * value for value in PLAIN.layout.px_per_mm)
    fix = Corrections(px_per_mm=(down, across), view_px=VIEW, gain_mm_mv=10.0)
    tracing = digitize_page(PAGE, corrections=fix)
    assert tracing.layout.px_per_mm_source == "given"
    assert np.nanmax(signal(tracing, "V5")) == pytest.approx(np.nanmax(signal(PLAIN, "V5")) / 2, rel=0.02)
    assert tracing.layout.pulse_mm == pytest.approx((PLAIN.layout.pulse_mm or 0) / 2)


def test_a_trace_that_was_drawn_replaces_that_of_the_ink() -> None:
    trace = PLAIN.traces[PLAIN.record.leads.index("V5")] if PLAIN.record else PLAIN.traces[0]
    first, last = float(trace.columns_px[100]), float(trace.columns_px[300])
    points = ((first, trace.baseline_px), (last, trace.baseline_px))
    part = Corrections(traces=(HandTrace("V5", points),), view_px=VIEW)
    tracing = digitize_page(PAGE, corrections=part)
    assert signal(tracing, "V5")[100:301] == pytest.approx(0, abs=1e-6)
    assert np.array_equal(signal(tracing, "V5")[310:], signal(PLAIN, "V5")[310:], equal_nan=True)
    assert "Lead V5 was traced by hand over 16% of its length." in tracing.warnings
    with pytest.raises(EcgReadError, match="Expected traces of leads of the page"):
        digitize_page(PAGE, corrections=Corrections(traces=(HandTrace("V9", points),), view_px=VIEW))
    with pytest.raises(EcgReadError, match="got those of one of 9 x 9 px"):
        digitize_page(PAGE, corrections=Corrections(traces=(HandTrace("V5", points),), view_px=(9, 9)))


def test_a_stretch_that_was_removed_is_missing_and_may_be_drawn_afterwards() -> None:
    trace = next(each for each in PLAIN.traces if each.lead == "V5")
    ends = tuple((float(trace.columns_px[sample]), 0.0) for sample in (100, 300))
    removed = HandTrace("V5", ends, is_removed=True)
    tracing = digitize_page(PAGE, corrections=Corrections(traces=(removed,), view_px=VIEW))
    assert np.isnan(signal(tracing, "V5")[100:301]).all()
    assert np.array_equal(signal(tracing, "V5")[310:], signal(PLAIN, "V5")[310:], equal_nan=True)
    assert not any("traced by hand" in warning for warning in tracing.warnings)
    redrawn = HandTrace("V5", tuple((column, trace.baseline_px) for column, _ in ends))
    tracing = digitize_page(PAGE, corrections=Corrections(traces=(removed, redrawn), view_px=VIEW))
    assert signal(tracing, "V5")[100:301] == pytest.approx(0, abs=1e-6)


def test_a_lead_that_was_drawn_as_a_whole_is_trusted() -> None:
    pixels = PAGE.pixels.copy()
    box = next(lead.box for lead in PLAIN.layout.leads if lead.lead == "V2")
    pixels[int(box.top) : int(box.bottom), int(box.left) + 60 : int(box.right) - 30] = 255  # a label stuck on the page
    damaged = Page(pixels)
    before = digitize_page(damaged)
    assert before.record is not None
    number = before.record.leads.index("V2")
    assert before.record.quality[number] < 0.5
    trace = before.traces[number]
    truth = PLAIN.traces[number]
    points = tuple(zip(truth.columns_px.tolist(), np.nan_to_num(truth.rows_px).tolist(), strict=True))
    points = ((trace.columns_px[0] - 1, points[0][1]), *points[1:-1], (trace.columns_px[-1] + 1, points[-1][1]))
    view = (before.page.width, before.page.height)
    after = digitize_page(damaged, corrections=Corrections(traces=(HandTrace(trace.lead, points),), view_px=view))
    assert after.record is not None
    assert after.record.quality[number] >= 0.5


def test_boxes_names_and_traces_are_of_the_view_that_an_editor_shows() -> None:
    assert np.array_equal(find_view(PAGE).pixels, PLAIN.page.pixels)
    box = next(lead.box for lead in PLAIN.layout.leads if lead.rhythm)
    moved = Box(box.top, box.left + 20, box.bottom, box.right)
    tracing = digitize_page(PAGE, corrections=Corrections(boxes={"II-rhythm": moved}, view_px=VIEW))
    assert len(tracing.traces[-1].rows_px) < len(PLAIN.traces[-1].rows_px)


def test_a_page_that_is_refused_is_read_by_boxes_layout_and_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse: Callable[..., Located] = lambda page, name=None: Located(page, NotFound("No names."))  # noqa: E731
    monkeypatch.setattr("ecglens.digitizing.locate_flat_leads", refuse)
    with pytest.raises(EcgReadError, match="expected the leads of an ECG page"):
        digitize_page(PAGE)
    boxes = {f"{lead.lead}-rhythm" if lead.rhythm else lead.lead: lead.box for lead in PLAIN.layout.leads}
    view = find_view(PAGE)
    fix = Corrections(layout="3x4+1", boxes=boxes, px_per_mm=PLAIN.layout.px_per_mm, view_px=(view.width, view.height))
    tracing = digitize_page(PAGE, corrections=fix)
    assert tracing.layout.px_per_mm_source == "given"
    r = np.corrcoef(np.nan_to_num(signal(tracing, "V5"))[50:1200], np.nan_to_num(signal(PLAIN, "V5"))[50:1200])[0, 1]
    assert r > 0.95
    assert build_layout_by_hand(view, Corrections(layout="3x4+1")) is None


def test_reading_uses_the_corrections() -> None:
    swap = Corrections(names={"V1": "V2", "V2": "V1"})
    reading = ecglens.read(PAGE, measure=True, corrections=swap)
    assert reading.tracing is not None
    assert np.array_equal(signal(reading.tracing, "V1"), signal(PLAIN, "V2"), equal_nan=True)
    located, tracing = locate_corrected(PAGE, Corrections(rotation_deg=180.0))
    assert tracing is None
    assert not located.layout or any("turned upright" in text for text in located.page.warnings)
    assert locate_corrected(PAGE, None)[1] is None


def test_the_same_file_gives_the_same_result(tmp_path: Path) -> None:
    trace = PLAIN.traces[0]
    points = ((float(trace.columns_px[10]), trace.baseline_px), (float(trace.columns_px[90]), trace.baseline_px - 9))
    fix = Corrections(names={"V1": "V2", "V2": "V1"}, traces=(HandTrace("I", points),), view_px=VIEW)
    write_corrections(fix, tmp_path / "fix.json")
    digitize: Callable[[Corrections], Tracing] = lambda each: digitize_page(PAGE, corrections=each)  # noqa: E731
    first, second = digitize(fix), digitize(read_corrections(tmp_path / "fix.json"))
    assert first.record is not None
    assert second.record is not None
    assert np.allclose(first.record.signals_mv, second.record.signals_mv, atol=0.01, equal_nan=True)
