"""Two pages of a file as one record."""

import io
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from tests.support.text_pdfs import page_with_text, text_pdf

import ecglens
from ecglens import joining
from ecglens.digitizing import digitize_page
from ecglens.errors import EcgReadError
from ecglens.formats.csv import read_csv
from ecglens.joining import digitize_joined, join_tracings
from ecglens.layouts import STANDARD_LEADS
from ecglens.records import Box, PageText, Tracing
from ecglens.render import render_page

DATA = Path(__file__).resolve().parent / "data"
RECORD = read_csv(DATA / "ptbxl_00001.csv")
LIMB, CHEST = STANDARD_LEADS[:6], STANDARD_LEADS[6:]
HEADER = ("Doe, Jane", "ID 4711", "05.02.2021 13:39:33")


def texts(page: int, *lines: str) -> tuple[PageText, ...]:
    """Return lines of a header, names of two leads beside the traces, and the number of the page."""
    pieces = [PageText(line, Box(30 + 40 * row, 60, 50 + 40 * row, 300)) for row, line in enumerate(lines)]
    names = [PageText(lead, Box(300, 20, 320, 40)) for lead in ((LIMB, CHEST)[page - 1])[:2]]
    return (*pieces, *names, PageText(f"Page {page} of 2", Box(1400, 60, 1420, 160)))


@cache
def limb_page() -> Tracing:
    return digitize_page(replace(render_page(RECORD, layout="6x1-limb").page, count=2, texts=texts(1, *HEADER)))


def chest_page(*lines: str, number: int = 2) -> Tracing:
    """Return the page of the limb leads as if it were that of the precordial leads."""
    page = limb_page()
    assert page.record is not None
    signals = np.stack([RECORD.signals_mv[RECORD.leads.index(lead)] for lead in CHEST])
    boxes = tuple(replace(box, lead=lead) for box, lead in zip(page.layout.leads, CHEST, strict=True))
    return replace(
        page,
        page=replace(page.page, number=number, texts=texts(number, *lines)),
        layout=replace(page.layout, name="6x1-precordial", leads=boxes),
        record=replace(page.record, signals_mv=signals[:, :4900], leads=CHEST, confidence=None),
        warnings=("A doubt.",),
    )


@pytest.mark.parametrize("reverse", [False, True])
def test_two_pages_are_one_record_with_one_start(reverse: bool) -> None:
    pages = [limb_page(), chest_page(*HEADER)]
    joined = join_tracings(*(reversed(pages) if reverse else pages))
    record, limb = joined.record, limb_page().record
    assert limb is not None
    assert record.leads == STANDARD_LEADS
    assert record.start_s == (0.0,) * 12
    assert record.confidence is not None
    assert record.signals_mv.shape == record.confidence.shape == (12, limb.signals_mv.shape[1])
    np.testing.assert_array_equal(record.signals_mv[:6], limb.signals_mv)
    np.testing.assert_array_equal(record.signals_mv[6, :4900], RECORD.signals_mv[6, :4900])
    assert np.isnan(record.signals_mv[6:, 4900:]).all()
    assert len(record.quality) == 12
    assert "Page 2: A doubt." in joined.warnings
    assert not any("No date and no patient" in warning for warning in joined.warnings)
    measurements = joined.measure()
    assert measurements is not None
    assert set(measurements.st_j_mv) >= {"II", "V2"}
    assert [page["page"] for page in joined.to_dict()["joined_pages"]] == [1, 2]


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (("Doe, Jane", "ID 4711", "06.02.2021 13:39:33"), "they print another date"),
        (("Doe, Jane", "ID 4711", "05.02.2021 13:41:00"), "they print another time"),
        (("Roe, John", "ID 4711", "05.02.2021 13:39:33"), "headers or footers print different text"),
        (("Doe, Jane", "ID 4712", "05.02.2021 13:39:33"), "headers or footers print different text"),
    ],
)
def test_pages_of_two_recordings_are_refused_without_naming_a_person(lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(EcgReadError, match=rf"one recording, but .*{message} \(pages 1 and 2\)") as error:
        join_tracings(limb_page(), chest_page(*lines))
    assert "Doe" not in str(error.value)


def test_what_one_page_alone_prints_is_no_contradiction() -> None:
    assert join_tracings(limb_page(), chest_page("Doe, Jane")).record.leads == STANDARD_LEADS


def test_pages_without_text_are_joined_with_a_warning() -> None:
    page = chest_page()
    joined = join_tracings(limb_page(), replace(page, page=replace(page.page, texts=())))
    assert any("No date and no patient can be compared" in warning for warning in joined.warnings)


def test_a_lead_on_both_pages_another_layout_and_an_unknown_scale_are_refused() -> None:
    page = chest_page(*HEADER)
    with pytest.raises(EcgReadError, match="I, II, III, aVR, aVL, aVF are on both"):
        join_tracings(limb_page(), replace(limb_page(), page=page.page))
    with pytest.raises(EcgReadError, match="but they are 6x1-limb and 12x1"):
        join_tracings(limb_page(), replace(page, layout=replace(page.layout, name="12x1")))
    with pytest.raises(EcgReadError, match="the scale of one is unknown"):
        join_tracings(limb_page(), replace(page, record=None))


def test_pages_of_different_lengths_bring_a_warning() -> None:
    page = chest_page(*HEADER)
    assert page.record is not None
    short = replace(page, record=replace(page.record, signals_mv=page.record.signals_mv[:, :2500]))
    joined = join_tracings(limb_page(), short)
    assert any("10.0 s and 5.0 s long" in warning for warning in joined.warnings)


def test_the_other_leads_are_searched_for_on_the_pages_after_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = {1: limb_page(), 3: chest_page(*HEADER, number=2)}

    def digitize(page: object, **options: object) -> Tracing:
        number = page.number  # type: ignore[attr-defined]
        if number not in pages:
            raise EcgReadError("no leads", code="no_leads")
        return replace(pages[number], page=replace(pages[number].page, count=3))

    page = page_with_text(render_page(RECORD, dpi=100).page)
    monkeypatch.setattr(joining, "digitize_page", digitize)
    assert ecglens.digitize_joined(io.BytesIO(text_pdf(page, page, page))).record.leads == STANDARD_LEADS
    del pages[3]
    with pytest.raises(EcgReadError, match="a page with V1 to V6 after page 1, but none was read on pages 2 to 3"):
        digitize_joined(text_pdf(page, page, page))


def test_a_pdf_of_two_pages_is_joined() -> None:
    pages = [render_page(RECORD, layout=layout, header=None).page for layout in ("6x1-limb", "6x1-precordial")]
    lines = [(150, 40, "05.02.2021 13:39:33"), (600, 40, "25 mm/s 10 mm/mV")]
    joined = digitize_joined(text_pdf(*(page_with_text(page, *lines) for page in pages)))
    assert joined.record.leads == STANDARD_LEADS
    assert joined.measure() is not None
