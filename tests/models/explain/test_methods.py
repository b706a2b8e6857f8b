from pathlib import Path

import numpy as np
import pytest
import torch
from captum.attr import KernelShap
from sklearn.linear_model import Ridge
from tiny_explained import weighing
from torch import nn

from ecglens.errors import ModelError
from ecglens.leads import find_layout
from ecglens.models.explain import METHODS, ModuleRuntime, compute_heat, explain_scene
from ecglens.models.explain.class_map import compute_slope, spread_map
from ecglens.models.explain.projection import project
from ecglens.models.explain.scene import Scene, compute_log_odds
from ecglens.models.explain.surrogate import _coalitions, linear_weights, shapley_values
from ecglens.models.inputs import TraceCanvas
from ecglens.models.zoo.compact_cnn import load_compact_cnn
from ecglens.pages import read_page
from ecglens.reading import load_runtime

PAGE = Path(__file__).resolve().parents[2] / "data" / "MI_26.jpg"


@pytest.fixture(scope="module")
def shipped_scene():
    """Return the scene of a real page and the shipped model."""
    page = read_page(PAGE)
    return Scene.of(page, find_layout(page), load_runtime("compact_cnn"), "mi")


@pytest.fixture(scope="module")
def module(shipped_scene):
    return load_compact_cnn(shipped_scene.model.card.folder / "model.onnx")


@pytest.mark.parametrize("method", ["occlusion_lead", "occlusion_patch", "lime", "kernel_shap"])
@pytest.mark.parametrize("lead", ["V2", "II-rhythm"])
def test_a_model_that_looks_at_one_lead_is_explained_by_that_lead(page, layout, method, lead):
    scene = weighing(page, layout, lead)
    on_page = project(scene, compute_heat(scene, method))
    assert max(on_page.shares, key=lambda name: on_page.shares[name]) == lead
    assert on_page.shares[lead] > (0.6 if method == "lime" else 0.8)


def test_occlusion_by_lead_is_what_the_lead_adds(page, layout):
    scene = weighing(page, layout, "V2")
    scene.model.weights = scene.model.weights + 0.001
    planes = compute_heat(scene, "occlusion_lead")
    own = scene.arrays["page"] - scene.paper["page"]
    for lead in ("V2", "I"):
        mask = np.isin(
            scene.regions["page"], [number for number, one in enumerate(scene.stretches) if one.lead == lead]
        )
        added = float((own[:, 0] * scene.model.weights * mask).sum())
        assert planes["page"][mask].sum() == pytest.approx(added, rel=0.01, abs=1e-3)


def test_occlusion_by_patch_does_not_ask_for_bare_paper(page, layout):
    scene = weighing(page, layout, "V2")
    compute_heat(scene, "occlusion_patch")
    patches = (152 // 10) * (256 // 10) * 4
    assert 0 < scene.model.row_count < patches


def test_shapley_values_of_a_game_with_a_pair_are_exact():
    parts = 6
    present = np.array([[bool(number >> part & 1) for part in range(parts)] for number in range(1, 2**parts - 1)])
    sizes = present.sum(axis=1)
    repeats = np.rint(60.0 / (sizes * (parts - sizes)) / np.array([1, 6, 15, 20, 15, 6, 1])[sizes] * 100).astype(int)
    coalitions = np.repeat(present, repeats, axis=0)
    answers = coalitions @ np.array([1.0, 0, 0, -2, 0, 0]) + 3.0 * (coalitions[:, 1] & coalitions[:, 2]) + 0.5
    result = shapley_values(coalitions, answers, (0.5, 0.5 + 1 - 2 + 3))
    assert result == pytest.approx([1, 1.5, 1.5, -2, 0, 0], abs=0.02)


def game(present: np.ndarray) -> np.ndarray:
    """Return values that are sums of the parts, except for one pair."""
    present = np.asarray(present, dtype=np.float64)
    return present @ np.random.default_rng(3).normal(size=present.shape[1]) + 2.0 * present[:, 3] * present[:, 8]


def test_kernel_shap_agrees_with_captum():
    parts = 10
    present = _coalitions(parts, 3000, np.random.default_rng(0))
    ends = game(np.array([np.zeros(parts), np.ones(parts)]))
    torch.manual_seed(0)
    theirs = KernelShap(lambda rows: torch.from_numpy(game(rows.numpy())))
    values = theirs.attribute(torch.ones(1, parts), n_samples=400, perturbations_per_eval=100).numpy()[0]
    assert shapley_values(present, game(present), (ends[0], ends[1])) == pytest.approx(values, abs=0.15)


def test_lime_agrees_with_a_weighted_ridge():
    present = np.random.default_rng(0).random((300, 12)) < 0.5
    weights = np.exp(-(((1 - np.sqrt(present.mean(axis=1))) / 0.25) ** 2))
    reference = Ridge(alpha=1.0).fit(present, game(present), sample_weight=weights)
    assert linear_weights(present, game(present)) == pytest.approx(reference.coef_, abs=1e-9)


def test_the_class_map_sums_to_what_the_page_adds_to_bare_paper(shipped_scene):
    planes = compute_heat(shipped_scene, "class_map")
    model = shipped_scene.model
    raw = [
        model.logits(arrays)[0].astype(np.float64) / model.card.temperature
        for arrays in (shipped_scene.arrays, {name: np.array(paper) for name, paper in shipped_scene.paper.items()})
    ]
    slope = compute_slope(raw[0], shipped_scene.index)
    assert planes["page"].sum() == pytest.approx(float(slope @ (raw[0] - raw[1])), rel=1e-3)
    assert project(shipped_scene, planes).heat.sum() == pytest.approx(planes["page"].sum(), rel=0.01)


def test_the_slope_is_the_derivative_of_the_log_odds():
    logits, step = np.array([0.3, -1.0, 2.0, 0.1]), 1e-5
    for label in range(4):
        change = [
            (
                compute_log_odds((logits + step * one)[None, None], TraceCanvas())[0, label]
                - compute_log_odds(logits[None, None], TraceCanvas())[0, label]
            )
            / step
            for one in np.eye(4)
        ]
        assert compute_slope(logits, label) == pytest.approx(change, abs=1e-4)


def test_units_of_a_map_are_laid_around_their_places(shipped_scene):
    described = shipped_scene.model.card.feature_maps[0]
    units = np.zeros((9, 16), np.float32)
    units[3, 5] = 2.0
    plane = spread_map(units, described, (304, 512))
    rows, columns = np.indices(plane.shape)
    assert plane.sum() == pytest.approx(2.0)
    assert (plane * rows).sum() / 2 == pytest.approx(15 + 3 * 32, abs=0.01)
    assert (plane * columns).sum() / 2 == pytest.approx(15 + 5 * 32, abs=0.01)


def test_integrated_gradients_sum_to_what_the_page_adds_to_bare_paper(shipped_scene, module):
    planes = compute_heat(shipped_scene, "integrated_gradients", module=module)
    bare = shipped_scene.log_odds([{"page": np.ones_like(shipped_scene.regions["page"], dtype=bool)}])[0]
    assert planes["page"].sum() == pytest.approx(shipped_scene.own_log_odds() - bare, rel=0.05)


def test_grad_cam_is_the_class_map_where_the_map_is_averaged_over_its_whole(page, layout):
    class Averaged(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(nn.Conv2d(1, 5, 7, stride=4), nn.ReLU())
            self.linear = nn.Linear(5, 2)

        def forward(self, page):
            return self.linear(self.features(page).mean((2, 3)))

    torch.manual_seed(1)
    module = Averaged().eval()
    recipe = {"kind": "trace_canvas", "width": 128, "height": 96}
    scene = weighing(page, layout, "V2", recipe=recipe)
    runtime = ModuleRuntime(scene.model.card, module)
    scene = Scene.of(page, layout, runtime, "mi")
    planes = compute_heat(scene, "grad_cam", module=module)
    with torch.no_grad():
        units = module.features(torch.from_numpy(scene.arrays["page"]))[0].numpy()
    weights = (module.linear.weight[1] - module.linear.weight[0]).detach().numpy() / units[0].size
    expected = np.maximum(0, np.einsum("c,cyx->yx", weights, units))
    assert planes["page"].sum() == pytest.approx(expected.sum(), rel=1e-4)
    assert np.array_equal(runtime.logits(scene.arrays), module(torch.from_numpy(scene.arrays["page"])).detach().numpy())


@pytest.mark.parametrize("method", ["grad_cam", "grad_cam_pp"])
def test_gradient_maps_speak_for_the_label_only_and_name_the_leads_of_the_class_map(shipped_scene, module, method):
    planes = compute_heat(shipped_scene, method, module=module)
    assert planes["page"].min() >= 0
    ours, theirs = (project(shipped_scene, one).shares for one in (planes, compute_heat(shipped_scene, "class_map")))
    first = sorted(theirs, key=lambda lead: -theirs[lead])[:4]
    assert len(set(first) & set(sorted(ours, key=lambda lead: -ours[lead])[:4])) >= 2


@pytest.mark.parametrize(
    "method", [name for name in METHODS if name not in {"occlusion_patch", "integrated_gradients"}]
)
def test_every_method_tells_the_same_twice(page, layout, method, shipped_scene, module):
    scene = weighing(page, layout, "V2") if not METHODS[method].gradients and method != "class_map" else shipped_scene
    first, second = (compute_heat(scene, method, module=module) for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_methods_that_cannot_explain_a_model_are_refused_with_the_remedy(page, layout):
    scene = weighing(page, layout, "V2")
    with pytest.raises(ModelError, match="Expected a method out of class_map, .* got 'guess'"):
        compute_heat(scene, "guess")
    with pytest.raises(ModelError, match="has no class map; use the method occlusion_lead"):
        compute_heat(scene, "class_map")
    with pytest.raises(ModelError, match=r"follows gradients through a torch module; give the run .* \(--run\)"):
        compute_heat(scene, "grad_cam")


def test_an_explanation_carries_its_checks_and_what_was_done(shipped_scene):
    prediction = shipped_scene.model.predict(shipped_scene.page, shipped_scene.layout)
    result = explain_scene(shipped_scene, prediction, "class_map")
    assert [check.name for check in result.checks] == ["deletion", "insertion", "location"]
    assert result.passed is all(check.passed for check in result.checks)
    assert (result.label, result.method, result.model) == ("mi", "class_map", "compact_cnn")
    assert result.probability == prediction.probabilities["mi"]
    assert "bare paper" in result.done
    bare = explain_scene(shipped_scene, prediction, "occlusion_lead", checks=False)
    assert bare.checks == ()
    assert bare.passed is None
