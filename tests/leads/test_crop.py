"""Crops of leads on the upright page."""

from pathlib import Path

import numpy as np

from ecglens.leads import crop_leads, crop_trace_area, find_layout, turn_upright
from ecglens.leads.crop import turn_map_upright
from ecglens.pages import read_page
from ecglens.pages.preprocessing import rotate
from ecglens.records import Box, InkMap, Layout, LeadBox, Page

DATA = Path(__file__).resolve().parents[1] / "data"
QUARTER = ((0.0, 1.0, 0.0), (-1.0, 0.0, 39.0))
"""Map from a page of 40 x 40 px to the page turned by a quarter counterclockwise."""
BOX = Box(10.2, -3.0, 20.4, 12.6)


def layout_of(*, rotation_deg: float = 0.0) -> Layout:
    ink = InkMap(np.zeros((1, 1), np.uint8), (1.0, 1.0), (0.0, 0.0))
    leads = (LeadBox("V1", BOX, 15.0), LeadBox("II", Box(38.9, 5, 39.0, 5.2), 39.0, rhythm=True))
    return Layout("1x1", leads, Box(0, 0, 20, 90), rotation_deg, (4.0, 4.0), "grid", None, QUARTER, ink)


def page_of_numbers() -> Page:
    """Return a page whose pixels all differ."""
    numbers = np.arange(1600, dtype=np.uint16).reshape(40, 40)
    return Page(np.stack([numbers // 256, numbers % 256, numbers % 7], axis=-1).astype(np.uint8))


def test_a_page_that_is_upright_is_returned_as_it_is() -> None:
    page = page_of_numbers()
    assert turn_upright(page, layout_of()) is page.pixels
    assert turn_map_upright(page.pixels[..., 0], layout_of()).base is page.pixels


def test_a_turned_page_is_mapped_to_the_upright_page() -> None:
    page = page_of_numbers()
    np.testing.assert_array_equal(turn_upright(page, layout_of(rotation_deg=90.0)), np.rot90(page.pixels))


def test_crops_are_the_rounded_boxes_that_lie_on_the_page_and_never_empty() -> None:
    page = page_of_numbers()
    (lead, crop), (strip, line) = crop_leads(page, layout_of())
    assert (lead.lead, strip.lead) == ("V1", "II")
    np.testing.assert_array_equal(crop, page.pixels[10:20, 0:13])
    assert line.shape == (1, 1, 3)
    np.testing.assert_array_equal(crop_trace_area(page, layout_of()), page.pixels[:20])
    crop[:] = 0
    assert page.pixels[10:20, 0:13].any()


def test_crops_show_the_boxes_of_the_upright_page() -> None:
    page = Page(rotate(read_page(DATA / "HB_1.jpg").pixels, 2.0))
    layout = find_layout(page)
    assert isinstance(layout, Layout), layout
    crops = crop_leads(page, layout)
    assert [lead.lead for lead, _ in crops] == [lead.lead for lead in layout.leads]
    assert all(crop.shape[0] > 140 and crop.shape[1] > 240 for _, crop in crops)
    assert turn_upright(page, layout).shape == page.pixels.shape
    area = crop_trace_area(page, layout)
    assert area.shape[0] < 0.8 * page.height
