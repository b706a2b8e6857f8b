import math

import cv2
import numpy as np
import pytest
from tiny_models import ecg_page

from ecglens.leads import find_layout
from ecglens.models.inputs import LeadCrops, LeadSignals, PageAndSignal, PageImage, TraceCanvas, make_input, make_views
from ecglens.pages.preprocessing import rotate
from ecglens.records import Box, EcgRecord, Layout, Page

SIZE = {"width": 400, "height": 300}
RECIPES = {
    "canvas": TraceCanvas(),
    "odd canvas": TraceCanvas(width=400, height=203, strip_mm=30),
    "traces": PageImage(**SIZE),
    "gray": PageImage(steps=("gray",), **SIZE),
    "whole page": PageImage(area="page", **SIZE),
    "crops": LeadCrops(**SIZE),
}


@pytest.fixture(scope="module", params=[0.0, 3.0], ids=["upright", "turned"])
def page(request) -> Page:
    return Page(np.ascontiguousarray(rotate(ecg_page(dpi=150).pixels, request.param)))


@pytest.fixture(scope="module")
def layout(page) -> Layout:
    layout = find_layout(page)
    assert isinstance(layout, Layout), layout
    assert layout.rotation_deg == pytest.approx(3.0 if layout.rotation_deg else 0.0, abs=0.1)
    return layout


def places(layout: Layout) -> list[tuple[float, float]]:
    """Return points of the upright page between traces: right of the middle of some leads' upper edge."""
    chosen = [lead for lead in layout.leads if lead.lead in {"I", "aVL", "V6"} and not lead.rhythm]
    return [(lead.box.left + 0.6 * lead.box.width, lead.box.top + 0.12 * lead.box.height) for lead in chosen]


def draw_square(page: Page, layout: Layout, point: tuple[float, float]) -> tuple[Page, tuple[float, float]]:
    """Return the page with a black square of about 2 mm, and the square's center on the upright page."""
    to_page = cv2.invertAffineTransform(np.array(layout.to_upright))
    column, row = to_page @ [point[0] - 0.5, point[1] - 0.5, 1.0]
    top, left, side = round(row) - 5, round(column) - 5, 11
    pixels = page.pixels.copy()
    pixels[top : top + side, left : left + side] = 0
    center = np.array(layout.to_upright) @ [left + 5, top + 5, 1.0]
    return Page(pixels), (center[0] + 0.5, center[1] + 0.5)


@pytest.mark.parametrize("name", RECIPES)
def test_a_mark_on_the_page_is_found_where_it_was_planted(page, layout, name):
    recipe = RECIPES[name]
    for point in places(layout):
        with_mark, center = draw_square(page, layout, point)
        again = find_layout(with_mark)
        assert isinstance(again, Layout)
        before = make_input(page, layout, recipe)["page"]
        after = make_input(with_mark, layout if name != "canvas" and name != "odd canvas" else again, recipe)["page"]
        changed = np.abs(after - before).max(axis=1)
        changed[changed < 0.5 * changed.max()] = 0
        points = []
        for view in make_views(page, layout, recipe)["page"]:
            part = changed[view.row, view.top : view.top + view.height, view.left : view.left + view.width]
            if part.sum() < 0.2 * changed.sum():
                continue
            rows, columns = np.nonzero(part)
            weights = part[rows, columns]
            middle = [
                np.average(columns, weights=weights) + view.left + 0.5,
                np.average(rows, weights=weights) + view.top + 0.5,
                1.0,
            ]
            points.append(view.to_page @ middle)
        assert points
        for place in points:
            assert math.dist(place, center) < 0.5 + 0.5 * np.abs(view.to_page[:, :2]).max()


@pytest.mark.parametrize("name", RECIPES)
def test_regions_name_the_box_of_each_pixel(page, layout, name):
    point = places(layout)[0]
    box = Box(point[1] - 30, point[0] - 40, point[1] + 30, point[0] + 40)
    count = 0
    for view in make_views(page, layout, RECIPES[name])["page"]:
        regions = view.regions([box, layout.trace_area])
        assert regions.shape == (view.height, view.width)
        rows, columns = np.nonzero(regions == 0)
        if not len(rows):
            continue
        count += 1
        points = view.to_page @ [columns + view.left + 0.5, rows + view.top + 0.5, np.ones(len(rows))]
        assert points[0].min() >= box.left
        assert points[0].max() < box.right
        assert points[1].min() >= box.top
        assert points[1].max() < box.bottom
        if rows.min() > 0 and rows.max() < view.height - 1 and columns.min() > 0 and columns.max() < view.width - 1:
            area = abs(np.linalg.det(view.to_page[:, :2])) * len(rows)
            assert area == pytest.approx(box.height * box.width, rel=0.15)
    assert count


def test_a_sample_of_a_signal_maps_to_where_it_was_rendered(page, layout):
    recipe = PageAndSignal(page=TraceCanvas(), signal=LeadSignals(leads=("I", "V6"), fs_hz=100))
    views_by_input = make_views(page, layout, recipe)
    assert set(views_by_input) == {"page", "signal"}
    box = next(lead.box for lead in layout.leads if lead.lead == "V6")
    second = layout.px_per_mm[1] * 25
    for row in (1, 3):
        view = next(view for view in views_by_input["signal"] if view.top == row)
        left, top = view.to_page @ [100, row, 1.0]
        assert (left, top) == pytest.approx((box.left + second, box.top))
        assert (view.to_page @ [0, row + 1, 1.0])[1] == pytest.approx(box.bottom)
    record = EcgRecord(np.zeros((2, 250), np.float32), 100.0, ("I", "V6"))
    assert make_input(page, layout, recipe, record)["signal"].shape[1] == len(views_by_input["signal"])
