"""The overlay."""

from pathlib import Path

from ecglens.digitizing import digitize_page
from ecglens.formats.csv import read_csv
from ecglens.render import render_page
from ecglens.tracing.overlay import draw_overlay

DATA = Path(__file__).resolve().parents[1] / "data"
RECORD = read_csv(DATA / "ptbxl_00001.csv")


def test_the_overlay_shows_the_traces_over_the_page() -> None:
    rendered = render_page(RECORD, dpi=100)
    picture = draw_overlay(digitize_page(rendered.page))
    assert picture.shape == rendered.page.pixels.shape
    blue = picture[..., 2].astype(int) - picture[..., 0] > 60
    assert blue.sum() > 5000
    assert (rendered.page.pixels[..., 2].astype(int) - rendered.page.pixels[..., 0] > 60).sum() < 100
