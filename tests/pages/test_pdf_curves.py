"""Curves that a PDF holds as paths."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from reportlab.pdfgen.canvas import Canvas
from text_pdfs import text_pdf

from ecglens.pages import pdf_curves, read_page
from ecglens.pages.pdf import RENDER_DPI
from ecglens.pages.read import decode_here
from ecglens.records import Page

SIZE = (400.0, 300.0)
SCALE = RENDER_DPI / 72
X = np.linspace(50, 350, 200)
Y = 150 + 40 * np.sin(X / 20)


def draw_path(x: NDArray[np.float64], y: NDArray[np.float64], *, gray: float = 0.0) -> Callable[[Canvas], None]:
    """Return a function that draws a path through points in points of the page, from its lower left corner."""

    def draw(canvas: Canvas) -> None:
        path = canvas.beginPath()
        path.moveTo(x[0], y[0])
        for point in zip(x[1:], y[1:], strict=True):
            path.lineTo(*point)
        canvas.setStrokeGray(gray)
        canvas.drawPath(path, stroke=1, fill=0)

    return draw


def read(*draws: Callable[[Canvas], None]) -> Page:
    def draw_all(canvas: Canvas) -> None:
        for draw in draws:
            draw(canvas)

    return read_page(text_pdf(draw_all, size=SIZE), decode=decode_here)


def test_a_trace_is_returned_in_pixel_centers_and_lies_on_its_ink() -> None:
    page = read(draw_path(X, Y))
    (curve,) = page.curves
    assert curve.dtype == np.float32
    expected = np.stack([X * SCALE - 0.5, (SIZE[1] - Y) * SCALE - 0.5], axis=1)
    np.testing.assert_allclose(curve, expected, atol=0.02)
    columns, rows = np.rint(curve).astype(int).T
    assert (page.pixels[rows, columns].max(axis=1) < 128).mean() > 0.95


@pytest.mark.parametrize(
    "draw",
    [
        draw_path(X[::5], Y[::5]),
        draw_path(X[::-1], Y),
        draw_path(200 + 90 * np.cos(X), 150 + 90 * np.sin(X)),
        draw_path(X, Y, gray=0.9),
    ],
    ids=["few points", "right to left", "circles", "pale"],
)
def test_paths_that_are_no_trace_are_left_out(draw: Callable[[Canvas], None]) -> None:
    assert read(draw).curves == ()
    assert len(read(draw, draw_path(X, Y - 60)).curves) == 1


def test_a_hidden_trace_is_left_out() -> None:
    def cover(canvas: Canvas) -> None:
        canvas.setFillGray(1)
        canvas.rect(0, 100, 400, 100, stroke=0, fill=1)

    assert read(draw_path(X, Y), cover).curves == ()


def test_a_page_of_more_points_than_a_recording_has_is_left_to_its_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf_curves, "LIMITS", pdf_curves.CurveLimits(max_points=300))
    assert len(read(draw_path(X, Y)).curves) == 1
    assert read(draw_path(X, Y), draw_path(X, Y - 60)).curves == ()
