from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from tiny_models import ecg_page

from ecglens.errors import ModelError
from ecglens.leads import find_layout
from ecglens.models.inputs import (
    LeadCrops,
    PageImage,
    find_mismatch,
    make_input,
    make_lead_crops,
    make_page_image,
    make_stored_input,
)
from ecglens.pages import read_page
from ecglens.pages.preprocessing import rotate
from ecglens.records import Layout, Page

DATA = Path(__file__).resolve().parents[2] / "data"


def locate(page: Page) -> tuple[Page, Layout]:
    layout = find_layout(page)
    assert isinstance(layout, Layout), layout
    return page, layout


@pytest.fixture(scope="module")
def printed_page() -> tuple[Page, Layout]:
    return locate(read_page(DATA / "MI_26.jpg"))


@pytest.fixture(scope="module")
def rendered_page() -> tuple[Page, Layout]:
    return locate(ecg_page(dpi=150))


def paint_box(page: Page, rows: slice, columns: slice = slice(None), color: int = 0) -> Page:
    pixels = page.pixels.copy()
    pixels[rows, columns] = color
    return replace(page, pixels=pixels)


def test_pixels_are_stored_as_bytes_and_fed_scaled(printed_page):
    recipe = PageImage(width=64, height=48, mean=0.5, std=0.25)
    stored, fed = make_stored_input(*printed_page, recipe)["page"], make_input(*printed_page, recipe)["page"]
    assert (stored.dtype, fed.dtype) == (np.uint8, np.float32)
    assert stored.shape == fed.shape == (1, 3, 48, 64)
    np.testing.assert_allclose(fed, (stored / 255 - 0.5) / 0.25, atol=1e-5)


def test_header_and_footer_reach_the_whole_page_but_not_its_traces(printed_page):
    page, layout = printed_page
    bottom = int(np.ceil(layout.trace_area.bottom)) + 2
    changed = paint_box(paint_box(page, slice(0, int(layout.trace_area.top) - 2)), slice(bottom, None))
    for area, same in (("traces", True), ("page", False)):
        recipe = PageImage(area=area)
        assert np.array_equal(make_page_image(page, layout, recipe), make_page_image(changed, layout, recipe)) == same


def test_an_image_shows_the_traces_area_from_edge_to_edge(rendered_page):
    page, layout = rendered_page
    image = make_page_image(page, layout, PageImage(width=300, height=200))
    area = layout.trace_area
    half = paint_box(page, slice(int(area.top), int((area.top + area.bottom) / 2)))
    dark = (make_page_image(half, layout, PageImage(width=300, height=200))[0] == 0).all(axis=1)
    assert image.shape == (3, 200, 300)
    assert dark[1:99].all()
    assert not dark[101:].any()


@pytest.mark.parametrize("turn", [-2.0, 1.5])
def test_a_page_that_is_turned_is_shown_upright(rendered_page, turn):
    page, layout = rendered_page
    turned = locate(replace(page, pixels=rotate(page.pixels, turn)))
    for recipe in (PageImage(steps=("gray",)), LeadCrops(steps=("gray",))):
        before, after = make_stored_input(page, layout, recipe)["page"], make_stored_input(*turned, recipe)["page"]
        assert np.corrcoef(before.ravel(), after.ravel())[0, 1] > 0.9
        assert np.abs(before.astype(int) - after).mean() < 8


def test_gray_images_fill_every_channel(printed_page):
    one = make_page_image(*printed_page, PageImage(channels=1, steps=("gray", "median")))
    three = make_page_image(*printed_page, PageImage(steps=("gray", "median")))
    assert (one.shape, three.shape) == ((1, 224, 224), (3, 224, 224))
    np.testing.assert_array_equal(three, np.repeat(one, 3, axis=0))


def test_steps_do_what_they_say(printed_page):
    assert set(np.unique(make_page_image(*printed_page, PageImage(steps=("gray", "gaussian", "otsu"))))) == {0, 255}
    assert set(np.unique(make_page_image(*printed_page, PageImage(steps=("gray", "canny"))))) == {0, 255}
    plain = make_page_image(*printed_page, PageImage(steps=("gray",)))
    equalized = make_page_image(*printed_page, PageImage(steps=("gray", "clahe")))
    assert equalized.std() > plain.std()
    without_grid = make_page_image(*printed_page, PageImage(steps=("remove_grid",)))
    assert np.median(without_grid) > np.median(plain)
    edges = make_page_image(*printed_page, PageImage(steps=("gray", "edge_channel")))
    np.testing.assert_array_equal(edges[:2], plain[:2])
    np.testing.assert_array_equal(edges[2], make_page_image(*printed_page, PageImage(steps=("gray", "canny")))[0])


def test_each_crop_shows_its_own_lead_alone(rendered_page):
    page, layout = rendered_page
    recipe = LeadCrops()
    before = make_lead_crops(page, layout, recipe)
    assert before.shape == (13, 3, 150, 150)
    box = next(lead.box for lead in layout.leads if lead.lead == "aVL")
    rows, columns = (slice(int(low) + 3, int(high) - 3) for low, high in ((box.top, box.bottom), (box.left, box.right)))
    after = make_lead_crops(paint_box(page, rows, columns), layout, recipe)
    changed = [name for name, old, new in zip(recipe.rows, before, after, strict=True) if not np.array_equal(old, new)]
    assert changed == ["aVL"]


def test_crops_come_in_the_recipe_s_order(rendered_page):
    every = dict(zip(LeadCrops().rows, make_lead_crops(*rendered_page, LeadCrops()), strict=True))
    some = make_lead_crops(*rendered_page, LeadCrops(leads=("rhythm", "V6", "I")))
    np.testing.assert_array_equal(some, [every["rhythm"], every["V6"], every["I"]])


def test_the_rhythm_strip_is_read_whichever_lead_it_shows(rendered_page):
    page, layout = rendered_page
    strip = layout.leads[-1]
    other = replace(layout, leads=(*layout.leads[:-1], replace(strip, lead="V1")))
    np.testing.assert_array_equal(
        make_lead_crops(page, other, LeadCrops(leads=("rhythm",))),
        make_lead_crops(page, layout, LeadCrops(leads=("rhythm",))),
    )
    assert find_mismatch(other, LeadCrops()) is None
    assert "has no II-rhythm" in (find_mismatch(other, LeadCrops(leads=("II-rhythm",))) or "")


def test_what_the_model_has_not_learned_is_not_read(rendered_page):
    page, layout = rendered_page
    unknown = replace(layout, known_print=False)
    for recipe in (PageImage(), LeadCrops()):
        with pytest.raises(ModelError, match="learned pages of one recorder"):
            make_input(page, unknown, recipe)
        assert find_mismatch(unknown, msgspec.structs.replace(recipe, known_print=False)) is None
        other = replace(layout, name="6x2")
        assert find_mismatch(other, recipe) == "The model reads pages of the layout 3x4+1, and this one is 6x2."
        assert find_mismatch(other, msgspec.structs.replace(recipe, layouts=("3x4+1", "6x2"))) is None
    short = replace(layout, leads=layout.leads[1:])
    with pytest.raises(ModelError, match="The model reads the leads I, II, .* and this page has no I"):
        make_input(page, short, LeadCrops())


def test_controls_see_header_and_footer_and_no_trace(printed_page):
    page, layout = printed_page
    area = layout.trace_area
    erased = paint_box(page, slice(int(area.top) + 2, int(area.bottom) - 2), slice(46, 1066), color=200)
    for name in ("header", "footer"):
        recipe = PageImage(area=name)
        assert np.array_equal(make_page_image(page, layout, recipe), make_page_image(erased, layout, recipe))
    inside = make_page_image(page, layout, PageImage(area="blurred", width=1107, height=786))[
        :, 160:750, 60:1050
    ].astype(int)
    assert max(np.abs(np.diff(inside, axis=axis)).max() for axis in (1, 2)) <= 1
    printed_below = paint_box(page, slice(int(np.ceil(area.bottom)) + 2, None))
    for name, same in (("header", True), ("footer", False), ("blurred", False)):
        recipe = PageImage(area=name)
        assert (
            np.array_equal(make_page_image(page, layout, recipe), make_page_image(printed_below, layout, recipe))
            == same
        )


def test_a_control_refuses_a_page_without_what_it_reads(printed_page):
    page, layout = printed_page
    cut = replace(layout, trace_area=replace(layout.trace_area, top=3.0))
    with pytest.raises(ModelError, match="the model reads the page's header, and this page has none"):
        make_page_image(page, cut, PageImage(area="header"))
