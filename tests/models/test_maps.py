from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
import torch
from msgspec.structs import replace
from onnx import numpy_helper
from tiny_models import write_model
from torch import nn

from ecglens.errors import ModelError
from ecglens.models.cards import CARD_FILE, GRAPH_FILE, load_card, save_card, sha256_of
from ecglens.models.graph import write_graph
from ecglens.models.maps import add_feature_maps, write_with_maps
from ecglens.models.registry import SHIPPED
from ecglens.models.runtime import Runtime
from ecglens.models.zoo import build

SHAPES = {"page": (1, 96, 128)}
RECIPE = {"kind": "trace_canvas", "width": 128, "height": 96}


def trunk() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 5, stride=2, padding=2), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 3, padding=1), nn.Tanh()
    )


class Pooled(nn.Module):
    """A trunk, its map pooled, one linear layer."""

    def __init__(self, pooling: str) -> None:
        super().__init__()
        self.trunk, self.pooling = trunk(), pooling
        _, channels, height, width = self.trunk(torch.zeros(1, *SHAPES["page"])).shape
        size = {"mean": channels, "both": 2 * channels, "cells": 16 * channels, "flat": channels * height * width}
        self.linear = nn.Linear(size.get(pooling, channels), 3)

    def forward(self, page: torch.Tensor) -> torch.Tensor:
        result = self.trunk(page)
        if self.pooling == "flat":
            return self.linear(result.flatten(1))
        if self.pooling == "cells":
            return self.linear(nn.functional.adaptive_avg_pool2d(result, (4, 4)).flatten(1)) * 0.25
        if self.pooling == "both":
            return self.linear(torch.cat([result.mean((2, 3)), result.amax((2, 3))], dim=1))
        mean = result.mean((2, 3))
        return self.linear(mean * mean if self.pooling == "squared" else mean)


def folder_of(module: nn.Module, folder: Path) -> Path:
    write_model(folder, input=RECIPE, labels=("normal", "mi", "history_mi"), graph={"shape": SHAPES["page"]})
    write_graph(module.eval(), SHAPES, folder / GRAPH_FILE)
    card = load_card_without_hash(folder)
    save_card(replace(card, graph_sha256=sha256_of(folder / GRAPH_FILE)), folder)
    return folder


def load_card_without_hash(folder: Path):
    from ecglens.models.cards import ModelCard

    return msgspec.json.decode((folder / CARD_FILE).read_bytes(), type=ModelCard)


def pages(rows: int) -> dict[str, np.ndarray]:
    return {"page": np.random.default_rng(rows).normal(size=(rows, *SHAPES["page"])).astype(np.float32)}


@pytest.mark.parametrize("pooling", ["mean", "both", "cells", "flat"])
def test_maps_sum_to_the_logits_but_for_a_constant(pooling, tmp_path):
    torch.manual_seed(0)
    folder = folder_of(Pooled(pooling), tmp_path / pooling)
    before = Runtime(load_card(folder)).logits(pages(4))
    card = add_feature_maps(folder)
    runtime = Runtime(load_card(folder))
    assert card.feature_maps == runtime.card.feature_maps
    assert np.array_equal(runtime.logits(pages(4)), before)
    logits, (result,) = runtime.class_maps(pages(4))
    assert np.array_equal(logits, before)
    assert result.shape[:2] == (4, 3)
    assert np.ptp(result.sum(axis=(2, 3)) - before, axis=0) == pytest.approx(0, abs=1e-4)
    assert np.ptp(before, axis=0).min() > 1e-3


def test_both_towers_of_the_compact_cnn_have_a_map(tmp_path):
    torch.manual_seed(0)
    shapes = {"page": (1, 304, 512)}
    write_graph(build("compact_cnn", labels=3, shapes=shapes).eval(), shapes, tmp_path / "a.onnx")
    place, presence = write_with_maps(tmp_path / "a.onnx", shapes, tmp_path / "b.onnx")
    assert (place.cells, place.maximum) == ((4, 4), False)
    assert (presence.cells, presence.maximum) == ((1, 1), True)
    assert place.factor == presence.factor == 0.5
    assert place.step == (32.0, 32.0)
    assert place.start == (15.0, 15.0)


def test_a_unit_of_the_map_lies_where_its_field_has_its_centre(tmp_path):
    module = trunk()
    write_graph(Pooled("mean").eval(), SHAPES, tmp_path / "a.onnx")
    (result,) = write_with_maps(tmp_path / "a.onnx", SHAPES, tmp_path / "b.onnx")
    for layer in module:
        if isinstance(layer, nn.Conv2d):
            nn.init.constant_(layer.weight, 1.0)
    module[2], module[4] = nn.AvgPool2d(2), nn.Identity()
    page = torch.rand(1, *SHAPES["page"], requires_grad=True)
    unit = (5, 9)
    module(page)[0, 0, unit[0], unit[1]].backward()
    field = page.grad[0, 0].abs().numpy()
    for axis in (0, 1):
        field_indices = np.flatnonzero(field.sum(axis=1 - axis))
        assert (field_indices[0] + field_indices[-1]) / 2 == result.start[axis] + result.step[axis] * unit[axis]


def test_a_model_with_another_head_is_left_as_it_is_with_a_remedy(tmp_path):
    folder = folder_of(Pooled("squared"), tmp_path / "squared")
    graph = (folder / GRAPH_FILE).read_bytes()
    with pytest.raises(ModelError, match="'squared' does not end in pooling .* occlusion, or by Grad-CAM from its run"):
        add_feature_maps(folder)
    assert (folder / GRAPH_FILE).read_bytes() == graph
    assert Runtime(load_card(folder)).class_maps(pages(1))[1] == []


def test_hidden_layers_after_the_map_are_no_linear_head(tmp_path):
    module = nn.Sequential(trunk(), nn.Flatten(), nn.Linear(6 * 24 * 32, 5), nn.ReLU(), nn.Linear(5, 3))
    write_graph(module.eval(), SHAPES, tmp_path / "a.onnx")
    assert write_with_maps(tmp_path / "a.onnx", SHAPES, tmp_path / "b.onnx") == ()
    assert not (tmp_path / "b.onnx").exists()


def test_a_pooled_backbone_has_its_map(tmp_path):
    torch.manual_seed(0)
    shapes = {"page": (3, 64, 96)}
    write_graph(build("timm:resnet18", labels=2, shapes=shapes).eval(), shapes, tmp_path / "a.onnx")
    (result,) = write_with_maps(tmp_path / "a.onnx", shapes, tmp_path / "b.onnx")
    assert result.step == (32.0, 32.0)


def test_the_shipped_graph_outputs_its_maps_and_has_its_weights_once():
    card = load_card(SHIPPED / "compact_cnn")
    assert len(card.feature_maps) == 2
    graph = onnx.load(SHIPPED / "compact_cnn" / GRAPH_FILE).graph
    weights = [numpy_helper.to_array(part).tobytes() for part in graph.initializer if part.dims and max(part.dims) > 99]
    assert len(set(weights)) == len(weights)
