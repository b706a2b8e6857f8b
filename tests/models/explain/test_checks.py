from dataclasses import replace

import numpy as np
import pytest
from tiny_explained import weighing

from ecglens.models.explain import compute_heat
from ecglens.models.explain.caching import CachingRuntime
from ecglens.models.explain.checks import check_location, check_order, compute_curves, locate_heat, make_random_map
from ecglens.models.explain.projection import project
from ecglens.models.explain.weight_shuffling import shuffle_layers
from ecglens.models.registry import find_model
from ecglens.models.runtime import Runtime


@pytest.fixture(scope="module")
def scene(page, layout):
    return weighing(page, layout, "V2")


def test_a_map_that_knows_passes_and_its_opposite_fails(scene):
    knows = compute_heat(scene, "occlusion_lead")
    opposite = {name: -plane for name, plane in knows.items()}
    assert [check.passed for check in check_order(scene, knows, np.random.default_rng(0))] == [True, True]
    assert [check.passed for check in check_order(scene, opposite, np.random.default_rng(0))] == [False, False]


def test_curves_begin_and_end_where_the_page_and_bare_paper_are(scene):
    """With a linear model of equal weights, any order of evenly inked places gives the mean of both ends."""
    whole = {"page": np.ones_like(scene.regions["page"], dtype=bool)}
    own, bare = scene.log_odds([{}, whole])
    curves = compute_curves(scene, compute_heat(scene, "occlusion_lead"))
    assert bare < curves.deletion < (own + bare) / 2 < curves.insertion < own


def test_a_random_map_is_another_each_time_and_knows_nothing(scene):
    rng = np.random.default_rng(0)
    random_curves = [compute_curves(scene, make_random_map(scene, rng)) for _ in range(30)]
    assert len({one.deletion for one in random_curves}) == 30
    deletion, insertion = (np.mean([getattr(one, name) for one in random_curves]) for name in ("deletion", "insertion"))
    assert deletion == pytest.approx(insertion, rel=0.25)


def test_heat_on_a_trace_is_near_it_and_heat_in_the_header_is_outside(scene, page):
    on_trace = project(scene, {"page": np.maximum(0, scene.arrays["page"][:, 0] - scene.paper["page"][:, 0])})
    result = locate_heat(scene, on_trace.heat)
    assert result.near > 0.85
    assert result.outside < 0.02
    assert check_location(scene, on_trace.heat).passed
    header = np.zeros_like(on_trace.heat)
    header[1:4, 20:60] = 1.0
    assert locate_heat(scene, header).outside == 1.0
    assert locate_heat(scene, header).near == 0.0
    assert not check_location(scene, header).passed


def test_shuffled_weights_change_one_layer_more_each_time_and_the_answer():
    card = find_model("compact_cnn")
    before = Runtime(card).logits({"page": np.ones((1, 1, 304, 512), np.float32)})
    result = list(shuffle_layers(card, np.random.default_rng(0)))
    assert [layers for layers, _ in result] == [1, 2, 3, 4, 5, 6]
    answers = [runtime.logits({"page": np.ones((1, 1, 304, 512), np.float32)}) for _, runtime in result]
    assert all(np.abs(one - other).max() > 1e-3 for one, other in zip([before, *answers], answers, strict=False))


def test_logits_of_the_same_arrays_are_computed_once(scene):
    model = CachingRuntime(scene.model)
    cached = replace(scene, model=model)
    before = scene.model.row_count
    planes = compute_heat(cached, "occlusion_lead")
    first = scene.model.row_count - before
    again = compute_heat(cached, "occlusion_lead")
    assert scene.model.row_count - before == first > 0
    assert (again["page"] == planes["page"]).all()
    assert (compute_heat(scene, "occlusion_lead")["page"] == planes["page"]).all()
