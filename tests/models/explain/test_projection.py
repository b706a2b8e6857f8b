import numpy as np
import pytest
from tiny_explained import Linear, layout_of, weighing
from tiny_models import ecg_page

from ecglens.models.explain.projection import project
from ecglens.models.explain.scene import Scene
from ecglens.pages.preprocessing import rotate
from ecglens.records import Page

RECIPES = {
    "canvas": {"kind": "trace_canvas"},
    "traces": {"kind": "page_image", "width": 300, "height": 200},
    "whole page": {"kind": "page_image", "width": 300, "height": 200, "area": "page"},
    "crops": {"kind": "lead_crops", "width": 64, "height": 64},
}


@pytest.fixture(scope="module", params=[0.0, 3.0], ids=["upright", "turned"])
def rotated_page(request):
    page = Page(np.ascontiguousarray(rotate(ecg_page(2, dpi=150).pixels, request.param)))
    return page, layout_of(page)


@pytest.mark.parametrize("name", RECIPES)
def test_heat_of_a_lead_lies_on_its_lead_of_the_page_as_it_came(rotated_page, name):
    page, layout = rotated_page
    scene = Scene.of(page, layout, Linear(RECIPES[name], 0.0), "mi")
    for lead in ("aVL", "V6"):
        values = np.array([float(stretch.lead == lead) for stretch in scene.stretches])
        on_page = project(scene, scene.spread(values))
        assert on_page.heat.sum() == pytest.approx(values.sum(), rel=0.02)
        assert on_page.shares[lead] == pytest.approx(1.0, abs=0.01)
        rows, columns = np.indices(on_page.heat.shape)
        cell = page.height / on_page.heat.shape[0], page.width / on_page.heat.shape[1]
        middle = [
            np.average((places + 0.5) * size, weights=on_page.heat)
            for places, size in zip((columns, rows), cell[::-1], strict=True)
        ]
        upright = np.array(layout.to_upright) @ [middle[0] - 0.5, middle[1] - 0.5, 1.0] + 0.5
        box = next(one.box for one in layout.leads if one.lead == lead)
        expected = (box.left + box.right) / 2, (box.top + box.bottom) / 2
        assert upright == pytest.approx(expected, abs=1.2 * max(cell))


def test_shares_and_what_lies_elsewhere_sum_to_one(page, layout):
    scene = Scene.of(page, layout, Linear(RECIPES["whole page"], 0.0), "mi")
    planes = {"page": np.random.default_rng(0).normal(size=scene.regions["page"].shape).astype(np.float32)}
    planes["page"][scene.regions["page"] < 0] = 0.01
    on_page = project(scene, planes)
    assert sum(map(abs, on_page.shares.values())) + on_page.elsewhere == pytest.approx(1.0)
    assert on_page.elsewhere > 0
    assert min(on_page.shares.values()) < 0


def test_segments_are_the_largest_first_and_alike_neighbours_are_one(page, layout):
    scene = weighing(page, layout, "V2")
    values = np.array([{"V2": 2.0, "I": -5.0}.get(one.lead, 0.0) * (one.start_s < 1.4) for one in scene.stretches])
    first, second = project(scene, scene.spread(values)).segments
    assert (first.lead, second.lead) == ("I", "V2")
    assert first.share == pytest.approx(-5 / 7, rel=1e-3)
    assert first.start_s == 0
    assert 1.4 < first.end_s < 1.6
