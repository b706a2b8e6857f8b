"""Text of PDFs: every visible piece with its place, and nothing else."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from reportlab.pdfgen.canvas import Canvas
from tests.support.text_pdfs import text_pdf

from ecglens.pages import pdf_text, read_page
from ecglens.pages.geometry.orientation import turn_by_quarters
from ecglens.pages.geometry.paper_edges import rectify
from ecglens.pages.read import decode_here
from ecglens.records import Page, PageText

DATA = Path(__file__).resolve().parents[1] / "data"


def texts_of(page: Page) -> list[str]:
    return [piece.text for piece in page.texts]


def ink_box(page: Page, near: PageText, margin: int = 6) -> tuple[int, int, int, int]:
    """Return the first and last dark rows and columns around a piece of text."""
    top, left = round(near.box.top) - margin, round(near.box.left) - margin
    part = page.pixels[top : round(near.box.bottom) + margin, left : round(near.box.right) + margin].min(axis=2) < 200
    rows, columns = np.flatnonzero(part.any(axis=1)), np.flatnonzero(part.any(axis=0))
    return top + rows[0], left + columns[0], top + rows[-1], left + columns[-1]


def names(canvas: Canvas) -> None:
    canvas.drawString(60, 400, "aVR")
    canvas.drawString(60, 300, "V1")
    canvas.drawString(300, 560, "PQ-Zeit")
    canvas.drawString(420, 560, "158\N{NO-BREAK SPACE}ms")


def test_each_piece_has_the_box_of_its_ink() -> None:
    page = read_page(text_pdf(names))
    assert texts_of(page) == ["aVR", "V1", "PQ-Zeit", "158 ms"]
    for piece in page.texts:
        box = piece.box
        assert ink_box(page, piece) == pytest.approx((box.top, box.left, box.bottom, box.right), abs=1.5)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_text_of_a_page_that_is_turned_lies_on_its_ink(turns: int) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setPageRotation(90 * turns)
        names(canvas)

    page = read_page(text_pdf(draw))
    assert [piece.turns for piece in page.texts] == [turns] * 4
    box = page.texts[0].box
    assert ink_box(page, page.texts[0]) == pytest.approx((box.top, box.left, box.bottom, box.right), abs=1.5)
    upright = list(turn_by_quarters(page))[{3: 0, 1: 1, 2: 2}[turns]]
    assert sorted(texts_of(upright)) == sorted(texts_of(page))
    for piece in upright.texts:
        box = piece.box
        assert piece.turns == 0
        assert ink_box(upright, piece) == pytest.approx((box.top, box.left, box.bottom, box.right), abs=1.5)


def test_a_page_that_is_cropped_has_its_text_in_place() -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setCropBox((40, 200, 842, 595))
        names(canvas)

    page = read_page(text_pdf(draw))
    assert page.width < 2339
    box = page.texts[0].box
    assert ink_box(page, page.texts[0]) == pytest.approx((box.top, box.left, box.bottom, box.right), abs=1.5)


def test_hidden_covered_white_and_skewed_text_is_left_out() -> None:
    def draw(canvas: Canvas) -> None:
        names(canvas)
        canvas.drawString(-500, 200, "outside")
        canvas.drawString(500, 200, "covered")
        canvas.rect(490, 190, 100, 30, fill=1)
        canvas.setFillColorRGB(1, 1, 1)
        canvas.drawString(500, 300, "white")
        canvas.setFillColorRGB(0, 0, 0)
        canvas.setFillAlpha(0)
        canvas.drawString(500, 350, "transparent")
        canvas.setFillAlpha(1)
        hidden = canvas.beginText(500, 400)
        hidden.setTextRenderMode(3)
        hidden.textOut("hidden")
        canvas.drawText(hidden)
        canvas.rotate(20)
        canvas.drawString(300, 200, "watermark")
        canvas.rotate(70)
        canvas.drawString(200, -30, "margin")

    assert texts_of(read_page(text_pdf(draw))) == ["aVR", "V1", "PQ-Zeit", "158 ms"]


def test_bold_print_that_is_drawn_twice_is_one_piece() -> None:
    def draw(canvas: Canvas) -> None:
        for shift in (0, 0.3):
            canvas.drawString(60 + shift, 400, "II")
        canvas.drawString(60, 300, "II")

    assert texts_of(read_page(text_pdf(draw))) == ["II", "II"]


@pytest.mark.parametrize("apart", [False, True])
def test_a_grid_of_glyphs_hides_no_lead_names(apart: bool) -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", 14)
        for row in range(30):
            for start in range(50):
                if apart:
                    canvas.drawString(60 + 14.2 * start, 60 + 14.2 * row, "1")
            if not apart:
                canvas.drawString(60, 60 + 14.2 * row, "1" * 80)
        canvas.setFont("Times-Roman", 9)
        for row, name in enumerate(("I", "II", "V1", "V6")):
            canvas.drawString(68, 100 + 61 * row, name)

    assert texts_of(read_page(text_pdf(draw))) == ["I", "II", "V1", "V6"]


def test_characters_without_ink_are_cleaned_away() -> None:
    assert pdf_text._clean("QT\N{NO-BREAK SPACE}\ue9c2 366 ms\r\n") == "QT 366 ms"
    assert (
        pdf_text._clean("Pat.\N{NON-BREAKING HYPHEN}ID e\x02mail \N{LATIN SMALL LIGATURE FI}t") == "Pat.-ID e-mail fit"
    )
    assert pdf_text._clean("\ue9c2 \N{ZERO WIDTH SPACE}") == ""


def test_a_page_with_too_much_text_says_that_it_was_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_text, "LIMITS", replace(pdf_text.LIMITS, max_letters=10))
    page = read_page(text_pdf(names), decode=decode_here)
    assert page.texts == ()
    assert any("more text than an ECG page" in warning for warning in page.warnings)


def test_views_that_move_pixels_have_no_text_in_the_wrong_place() -> None:
    page = read_page(text_pdf(names))
    corners = [(10.0, 10.0), (page.width - 10.0, 0.0), (page.width - 1.0, page.height - 1.0), (0.0, page.height - 9.0)]
    assert rectify(page, corners).texts == ()


def test_pictures_and_pdfs_of_pictures_have_no_text() -> None:
    assert read_page(DATA / "HB_1.jpg").texts == ()
    assert read_page(text_pdf(lambda canvas: canvas.line(0, 0, 9, 9))).texts == ()
    assert "texts" not in read_page(text_pdf(names)).to_dict()


def test_huge_glyphs_take_no_time() -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", 4000)
        for _ in range(300):
            canvas.drawString(-500, -900, "H")

    assert math.isfinite(len(read_page(text_pdf(draw)).texts))
