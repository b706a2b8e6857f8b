import json

import numpy as np
import pytest

from ecglens.errors import ModelError
from ecglens.layouts import STANDARD_LEADS
from ecglens.models.inputs import (
    LeadCrops,
    LeadSignals,
    PageAndSignal,
    PageImage,
    TraceCanvas,
    dump_recipe,
    needs_record,
    parse_recipe,
    scale_input,
)

EVERY_KIND = [
    TraceCanvas(width=64, height=48, strip_mm=30.0),
    PageImage(width=64, height=48, steps=("gray", "clahe"), mean=(0.1, 0.2, 0.3), std=0.5),
    LeadCrops(leads=("V1", "rhythm"), width=40, height=50, channels=1, steps=("gray",), aggregate="majority"),
    LeadSignals(leads=("I", "II"), fs_hz=50, seconds=2),
    PageAndSignal(page=PageImage(area="page"), signal=LeadSignals(seconds=10)),
]
SHAPES = {
    "trace_canvas": {"page": (1, 48, 64)},
    "page_image": {"page": (3, 48, 64)},
    "lead_crops": {"page": (1, 50, 40)},
    "lead_signals": {"signal": (4, 100)},
    "page_and_signal": {"page": (3, 224, 224), "signal": (24, 1000)},
}


@pytest.fixture(params=EVERY_KIND, ids=lambda recipe: recipe.kind)
def recipe(request):
    return request.param


def test_a_recipe_travels_as_plain_values(recipe):
    assert parse_recipe(json.loads(json.dumps(dump_recipe(recipe)))) == recipe


def test_a_recipe_tells_the_shape_of_each_input(recipe):
    assert recipe.shapes == SHAPES[recipe.kind]
    assert needs_record(recipe) == ("signal" in recipe.shapes)


def test_only_lead_crops_have_a_row_for_each_lead(recipe):
    assert recipe.rows == (("V1", "rhythm") if recipe.kind == "lead_crops" else ("",))
    assert len(LeadCrops().rows) == 13


def test_scaling_fits_one_row_of_each_input(recipe):
    for name, shape in recipe.shapes.items():
        mean, std = recipe.scaling(name)
        assert mean.dtype == std.dtype == np.float32
        assert np.broadcast_shapes(mean.shape, shape) == np.broadcast_shapes(std.shape, shape) == shape


def test_mean_and_std_are_in_units_where_255_is_1():
    recipe = PageImage(width=32, height=32, mean=(0.0, 0.5, 1.0), std=(1.0, 0.5, 0.25))
    (array,) = scale_input({"page": np.full((1, 3, 32, 32), 255, np.uint8)}, recipe)["page"]
    np.testing.assert_allclose(array[:, 0, 0], [1.0, 1.0, 0.0])


@pytest.mark.parametrize(
    ("recipe", "reason"),
    [
        ({"kind": "gray_page"}, "expected a kind out of trace_canvas, .*, got 'gray_page'"),
        ({"kind": ["trace_canvas"]}, "expected a kind out of trace_canvas"),
        ({"width": 64}, "expected a kind out of trace_canvas, .*, got ''"),
        ({"kind": "trace_canvas", "color": 3}, "there is no field 'color'; expected one of known_print, width"),
        ({"kind": "trace_canvas", "widht": 64}, "there is no field 'widht'; the most similar one is width"),
        ({"kind": "trace_canvas", "width": 8}, "width: expected a whole number of at least 32 and at most 4096, got 8"),
        (
            {"kind": "trace_canvas", "height": 10_000},
            "height: expected a whole number of at least 32 and at most 4096, got 10000",
        ),
        ({"kind": "trace_canvas", "std": 0}, "std: expected a number greater than 0, got 0"),
        ({"kind": "trace_canvas", "mean": float("nan")}, "mean must be a finite number"),
        ({"kind": "trace_canvas", "std": float("inf")}, "std must be a finite number"),
        (
            {"kind": "trace_canvas", "strip_mm": "wide"},
            "strip_mm: expected a number greater than 5 and at most 100, got 'wide'",
        ),
        ({"kind": "page_image", "steps": ["blur"]}, "steps: expected a list, each one of gray, .*, got"),
        ({"kind": "page_image", "steps": ["clahe"]}, "step 'clahe' reads a gray image; begin with 'gray'"),
        ({"kind": "page_image", "steps": ["gray", "remove_grid"]}, "can only be the first step"),
        ({"kind": "page_image", "channels": 1}, "one channel needs 'gray' or 'remove_grid' as the first step"),
        ({"kind": "page_image", "steps": ["gray", "edge_channel", "otsu"]}, "'edge_channel' can only be the last step"),
        ({"kind": "page_image", "steps": ["gray", "edge_channel"], "channels": 1}, "and needs 3 channels"),
        ({"kind": "page_image", "mean": [0.5, 0.5]}, "expected one mean or one for each of 3 channels, got 2"),
        ({"kind": "page_image", "std": [1, 0, 1]}, "std must be greater than 0"),
        ({"kind": "page_image", "layouts": ["3x5"]}, "expected layouts out of .*, got '3x5'"),
        ({"kind": "lead_crops", "leads": ["I", "I"]}, "leads must differ"),
        ({"kind": "lead_crops", "aggregate": "mean"}, "aggregate: expected one of mean_log, majority, got 'mean'"),
        ({"kind": "lead_signals", "leads": ["I", "I"]}, "leads must differ"),
        (
            {"kind": "page_and_signal", "page": {"kind": "page_image", "width": 1}},
            "page.width: expected a whole number of at least 32",
        ),
        (
            {"kind": "page_and_signal", "page": {"kind": "lead_crops"}},
            "page: expected a table whose kind is one of trace_canvas, page_image, got",
        ),
    ],
)
def test_a_recipe_that_cannot_be_used_is_named(recipe, reason):
    with pytest.raises(ModelError, match=f"The model's input recipe cannot be used: .*{reason}"):
        parse_recipe(recipe)


def test_signals_default_to_the_twelve_leads_at_what_a_page_of_four_columns_shows():
    recipe = LeadSignals()
    assert recipe.leads == STANDARD_LEADS
    assert recipe.shapes == {"signal": (24, 250)}
