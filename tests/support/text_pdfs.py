"""PDFs with text, drawn for tests: recorders print names and values as text over vectors or a picture."""

import io
from collections.abc import Callable

from PIL import Image
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from ecglens.records import Page

POINTS_PER_PX = 72 / 200
"""Pages are decoded at 200 dpi."""


def text_pdf(*pages: Callable[[Canvas], None], size: tuple[float, float] = (842, 595)) -> bytes:
    """Return a PDF with a page of this size in points for each function that draws one."""
    stream = io.BytesIO()
    canvas = Canvas(stream, pagesize=size)
    for draw in pages:
        canvas.setFont("Helvetica", 8)
        draw(canvas)
        canvas.showPage()
    canvas.save()
    return stream.getvalue()


def page_with_text(page: Page, *lines: tuple[float, float, str]) -> Callable[[Canvas], None]:
    """Return a function that draws the pixels of a page, and text over them at a column and row in px."""

    def draw(canvas: Canvas) -> None:
        width, height = page.width * POINTS_PER_PX, page.height * POINTS_PER_PX
        canvas.setPageSize((width, height))
        canvas.drawImage(ImageReader(Image.fromarray(page.pixels)), 0, 0, width, height)
        for column, row, text in lines:
            canvas.drawString(column * POINTS_PER_PX, height - row * POINTS_PER_PX, text)

    return draw


def draw_cover(canvas: Canvas) -> None:
    """Draw a page of print without a trace."""
    canvas.setFont("Helvetica", 12)
    for row in range(20):
        canvas.drawString(60, 540 - 22 * row, f"Name of the patient, address and findings, line {row}")
