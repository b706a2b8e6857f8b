"""Pages of a PDF, drawn at 200 dpi."""

import numpy as np
import pypdfium2
import pytest
from reportlab.pdfgen.canvas import Canvas
from text_pdfs import text_pdf
from wild_files import encrypted_pdf, pdf

from ecglens.errors import EcgReadError
from ecglens.pages.pdf import RENDER_DPI, count_pdf_pages, decode_pdf
from ecglens.pages.source import SourceFile

INCH = 72
"""Points in an inch."""


def source(data: bytes, *, page: int = 1) -> SourceFile:
    return SourceFile(data, "a.pdf", page, max_megapixels=100)


def draw_box(canvas: Canvas) -> None:
    canvas.setFillColorRGB(1, 0, 0)
    canvas.rect(INCH, INCH, INCH, 2 * INCH, stroke=0, fill=1)
    canvas.setFillColorRGB(0, 0, 0)
    canvas.drawString(4 * INCH, 2 * INCH, "aVR")


def test_a_page_is_drawn_in_color_at_its_resolution_with_its_text() -> None:
    decoded = decode_pdf(source(text_pdf(lambda canvas: None, draw_box, size=(6 * INCH, 4 * INCH)), page=2))
    assert decoded.pixels.shape == (4 * RENDER_DPI, 6 * RENDER_DPI, 3)
    assert decoded.pages == 2
    red = np.all(decoded.pixels == (255, 0, 0), axis=2)
    rows, columns = np.flatnonzero(red.any(axis=1)), np.flatnonzero(red.any(axis=0))
    assert (rows[0], rows[-1]) == pytest.approx((RENDER_DPI, 3 * RENDER_DPI), abs=2)
    assert (columns[0], columns[-1]) == pytest.approx((RENDER_DPI, 2 * RENDER_DPI), abs=2)
    assert [text.text for text in decoded.texts] == ["aVR"]


def test_pages_are_counted() -> None:
    assert count_pdf_pages(pdf((600, 400), (600, 400), (20, 20))) == 3
    with pytest.raises(pypdfium2.PdfiumError, match="Failed to load document"):
        count_pdf_pages(b"%PDF-1.7\n")


@pytest.mark.parametrize(
    ("data", "page", "message"),
    [
        (encrypted_pdf(), 1, "found an encrypted one; save a copy without a password"),
        (pdf((600, 400))[:60], 1, "expected a whole PDF file"),
        (pdf((600, 400), (600, 400)), 3, "expected a page number from 1 to 2, found 3"),
        (pdf((100, 400)), 1, "at least 300 px each way, found 278 x 1,111 px"),
        (pdf((3700, 3700)), 1, "at most 100 megapixels"),
    ],
    ids=["encrypted", "damaged", "no such page", "small", "large"],
)
def test_what_cannot_be_drawn_is_refused(data: bytes, page: int, message: str) -> None:
    with pytest.raises(EcgReadError, match=message):
        decode_pdf(source(data, page=page))
