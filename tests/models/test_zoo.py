"""Tests that every model of the zoo has to pass; each is as small as its architecture allows."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from ecglens.errors import TrainingError
from ecglens.models.graph import check_graph, write_graph
from ecglens.models.networks import NETWORKS
from ecglens.models.zoo import ZOO, Towers, build, count_weights, crnn_lead_repeated

PAGE, WIDE, SIGNAL = (3, 64, 96), (1, 64, 96), (6, 60)
SMALL = {
    **dict.fromkeys(ZOO, {"page": PAGE}),
    "compact_cnn": {"page": WIDE},
    "resnet1d": {"signal": SIGNAL},
    "fusion": {"page": WIDE, "signal": SIGNAL},
    "mobilenet_v1+lstm": {"page": PAGE},
    "timm:test_resnet": {"page": (1, 64, 96)},
    "test_vit+lstm": {"page": (3, 64, 96)},
}
"""Beside the registry: a recurrent head, a name of timm's for one channel, and a transformer."""

EXPORTED_NIGHTLY = {
    "crnn_lead",
    "crnn_lead_repeated",
    "densenet121",
    "efficientnet_b0",
    "mobilenet_v1",
    "mobilenet_v2",
    "mobilenet_v1+lstm",
    "resnet50",
    "test_vit+lstm",
    "vgg16",
}
"""Their export takes 10 to 40 s each; the other models have their kinds of layers too."""

COUNTS = {
    "compact_cnn": 211_496,
    "cnn_224": 11_169_476,
    "cnn_lead": 4_828_868,
    "crnn_lead": 1_323_844,
    "crnn_lead_repeated": 19_149_636,
    "mobilenet_v1": 3_206_976 + 4 * 1025,
    "mobilenet_v2": 2_223_872 + 4 * 1281,
    "densenet121": 6_953_856 + 4 * 1025,
    "resnet50": 23_508_032 + 4 * 2049,
    "vgg16": 14_714_688 + 4 * 513,
    "efficientnet_b0": 4_007_548 + 4 * 1281,
    "resnet1d": 206_820,
    "fusion": 418_316,
}

PUBLISHED = {
    "mobilenet_v1": 3_228_864,
    "mobilenet_v2": 2_257_984,
    "densenet121": 7_037_504,
    "resnet50": 23_587_712,
    "vgg16": 14_714_688,
    "efficientnet_b0": 4_049_571,
}
"""Parameters that Keras Applications counts without the top, in which the works are written."""


@pytest.fixture(scope="module", params=SMALL)
def name(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def model(name) -> torch.nn.Module:
    return build_small(name)


def build_small(name: str, labels: int = 4, **options) -> torch.nn.Module:
    torch.manual_seed(0)
    return build(name, labels=labels, shapes=SMALL[name], **options).eval()


def arrays(name: str, rows: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    return {key: rng.random((rows, *shape), dtype=np.float32) for key, shape in SMALL[name].items()}


def tensors(name: str, rows: int) -> tuple[torch.Tensor, ...]:
    return tuple(torch.from_numpy(array) for array in arrays(name, rows).values())


def answers(model: torch.nn.Module, *inputs: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return model(*inputs)


def test_a_model_answers_one_logit_a_label(name, model):
    assert answers(model, *tensors(name, 3)).shape == (3, 4)


def test_a_row_s_answer_does_not_depend_on_the_rows_beside_it(name, model):
    inputs = tensors(name, 3)
    alone = answers(model, *(array[1:2] for array in inputs))
    torch.testing.assert_close(answers(model, *inputs)[1], alone[0], rtol=1e-3, atol=1e-4)


def test_gradients_reach_every_weight(name, model):
    """In the second step: residual networks begin with branches that are shut."""
    model = deepcopy(model).train()
    inputs = tensors(name, 4)
    for _ in range(2):
        model.zero_grad()
        torch.nn.functional.cross_entropy(model(*inputs), torch.arange(4)).backward()
        torch.optim.SGD(model.parameters(), 0.01).step()
    dead = [key for key, weight in model.named_parameters() if weight.grad is None or not weight.grad.abs().sum() > 0]
    assert dead == []


@pytest.mark.parametrize("name", ["compact_cnn", "fusion"])
def test_the_losses_of_the_towers_reach_every_weight(name):
    model = build_small(name).train()
    assert isinstance(model, Towers)
    towers = model.towers(*tensors(name, 4))
    assert {tuple(tower.shape) for tower in towers} == {(4, 4)}
    torch.stack(towers).square().sum().backward()
    assert all(weight.grad is not None for weight in model.parameters())


def test_weights_are_kept_and_loaded(name, model, tmp_path):
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    torch.manual_seed(1)
    other = build(name, labels=4, shapes=SMALL[name]).eval()
    inputs = tensors(name, 2)
    assert not torch.equal(answers(other, *inputs), answers(model, *inputs))
    other.load_state_dict(load_file(tmp_path / "model.safetensors"))
    torch.testing.assert_close(answers(other, *inputs), answers(model, *inputs), rtol=0, atol=0)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.nightly] * (name in EXPORTED_NIGHTLY)) for name in SMALL],
    indirect=True,
)
def test_the_graph_answers_as_the_module_does(name, model, tmp_path):
    write_graph(model, SMALL[name], tmp_path / "model.onnx")
    check_graph(model, tmp_path / "model.onnx", arrays(name, 3))
    check_graph(model, tmp_path / "model.onnx", arrays(name, 1))


@pytest.mark.parametrize("name", ZOO)
def test_a_model_has_its_number_of_weights(name):
    assert count_weights(name) == COUNTS[name]


def test_the_list_of_networks_is_that_of_the_zoo():
    assert {name: (entry.parameters, dict(entry.shapes)) for name, entry in NETWORKS.items()} == {
        name: (count_weights(name), entry.shapes) for name, entry in ZOO.items()
    }


def test_compact_cnn_is_within_the_423000_weights_of_the_published_one():
    assert count_weights("compact_cnn") <= 423_000


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_backbone_has_the_weights_that_keras_counts(name):
    """Keras counts the running statistics too, ResNet50 has biases there, and EfficientNet scales its own input."""
    trunk = build_small(name).trunk
    norms = [module for module in trunk.modules() if hasattr(module, "running_mean")]
    statistics = sum(2 * len(norm.running_mean) for norm in norms)
    extra = {"resnet50": statistics // 2, "efficientnet_b0": 7}.get(name, 0)
    assert sum(weight.numel() for weight in trunk.parameters()) + statistics + extra == PUBLISHED[name]


def test_every_model_tells_what_it_is_made_for():
    for name, entry in ZOO.items():
        assert entry.make.__name__ == name
        assert set(entry.shapes) <= {"page", "signal"}
        assert entry.shapes
    assert set(SMALL) > set(ZOO)


@pytest.mark.parametrize(
    ("name", "shapes", "options", "reason"),
    [
        ("resnet5000", {"page": PAGE}, {}, r"Expected one of the models compact_cnn, .* got 'resnet5000'"),
        ("compact_cnn+lstm", {"page": PAGE}, {}, r"got 'compact_cnn\+lstm'"),
        ("resnet1d", {"page": PAGE}, {}, "Model 'resnet1d' reads signal, but the input recipe produces page"),
        ("fusion", {"page": PAGE}, {}, "Model 'fusion' reads page and signal, but the input recipe produces page"),
        ("compact_cnn", {"page": WIDE}, {"depth": 3}, "of model 'compact_cnn' cannot be used: .*'depth'"),
        ("vgg16", {"page": PAGE}, {"depth": 3}, "of model 'vgg16' cannot be used: .*'depth'"),
        ("vgg16", {"page": PAGE}, {"pool": "maximum"}, "Expected the option pool to be average or flatten"),
        ("cnn_224", {"page": (3, 8, 8)}, {}, "of model 'cnn_224' cannot be used: .*too small"),
        ("cnn_lead", {"page": PAGE}, {"dropout": 2.0}, "of model 'cnn_lead' cannot be used: .*probability"),
        (
            "fusion",
            {"page": WIDE, "signal": SIGNAL},
            {"backbone": "none"},
            "backbone of ecglens or timm, got 'none'",
        ),
    ],
)
def test_a_model_that_cannot_be_built_is_reported_in_one_sentence(name, shapes, options, reason):
    with pytest.raises(TrainingError, match=reason):
        build(name, labels=4, shapes=shapes, **options)


def test_a_head_may_flatten_the_map_and_have_a_layer_between():
    plain, flat = build_small("mobilenet_v2"), build_small("mobilenet_v2", pool="flatten", hidden=8)
    assert plain.head.classify[-1].in_features == 1280
    assert flat.head.classify[0].in_features == 1280 * 2 * 3
    assert answers(flat, *tensors("mobilenet_v2", 2)).shape == (2, 4)


def test_a_recurrent_head_reads_along_time():
    torch.manual_seed(0)
    model = build_small("mobilenet_v1+lstm")
    (page,) = tensors("mobilenet_v1+lstm", 1)
    feature_map = torch.rand(1, 1024, 2, 3)
    assert not torch.allclose(model.head(feature_map), model.head(feature_map.flip(3)))
    assert answers(model, page).shape == (1, 4)


def test_the_described_crnn_reads_a_sequence_along_time():
    model = build_small("crnn_lead")
    feature_map = model.features(tensors("crnn_lead", 1)[0])
    steps = []
    model.sequence.first.register_forward_hook(lambda module, inputs, out: steps.append(inputs[0]))
    model(*tensors("crnn_lead", 1))
    assert steps[0].shape == (1, feature_map.shape[3], feature_map.shape[1] * feature_map.shape[2])
    torch.testing.assert_close(steps[0][0, 2], feature_map[0, :, :, 2].flatten())


def test_a_hidden_sample_is_distinguished_from_a_zero():
    model = build_small("resnet1d")
    (signal,) = tensors("resnet1d", 1)
    valid, hidden = signal.clone(), signal.clone()
    valid[:, :, 20:40] = torch.tensor([0.0, 0.0, 0.0, 1.0, 1.0, 1.0])[:, None]
    hidden[:, :, 20:40] = 0.0
    assert not torch.allclose(answers(model, valid), answers(model, hidden))


def test_every_lead_is_read_by_the_same_tower_but_counts_for_itself():
    model = build_small("resnet1d")
    silent = torch.zeros(1, *SIGNAL)
    beat = torch.sin(torch.arange(60) / 3.0)
    by_lead = []
    for lead in range(3):
        signal = silent.clone()
        signal[0, lead], signal[0, lead + 3] = beat, 1.0
        by_lead.append(answers(model, signal))
    assert not torch.allclose(by_lead[0], by_lead[1])
    model.classify[-1].weight.data[:] = model.classify[-1].weight.data[:, :192].repeat(1, 3)
    same = []
    for lead in range(3):
        signal = silent.clone()
        signal[0, lead], signal[0, lead + 3] = beat, 1.0
        same.append(answers(model, signal))
    torch.testing.assert_close(same[0], same[2])


def test_fusion_averages_what_page_and_signal_say():
    model = build_small("fusion")
    page, signal = tensors("fusion", 2)
    expected = (answers(model.of_page, page) + answers(model.of_signal, signal)) / 2
    torch.testing.assert_close(answers(model, page, signal), expected)
    assert len(model.towers(page, signal)) == 3
    assert len(list(model.trunk.parameters())) == len(list(model.of_page.trunk.parameters()))


def test_fusion_takes_a_backbone_for_the_page():
    model = build("fusion", labels=3, shapes={"page": PAGE, "signal": SIGNAL}, backbone="timm:test_resnet", hidden=8)
    assert model.trunk is model.of_page.trunk
    assert model.eval()(torch.rand(2, *PAGE), torch.rand(2, *SIGNAL)).shape == (2, 3)


def test_compact_cnn_is_the_mean_of_its_towers():
    model = build_small("compact_cnn")
    pages = torch.rand(2, 1, 64, 96)
    first, second = model.towers(pages)
    torch.testing.assert_close(model(pages), (first + second) / 2)
    assert not torch.allclose(first, second)


def test_only_the_place_tower_knows_where_on_the_page_something_is():
    model = build_small("compact_cnn")
    page = torch.zeros(1, 1, 384, 384)
    page[..., 160:168, 160:168] = 4.0
    with torch.inference_mode():
        here, there = model.towers(page), model.towers(page.roll((32, 32), (2, 3)))
    torch.testing.assert_close(here[1], there[1], rtol=1e-3, atol=1e-4)
    assert (here[0] - there[0]).abs().max() > 1e-3


def test_one_vector_repeated_is_read_as_an_lstm_reads_the_sequence():
    torch.manual_seed(0)
    model = crnn_lead_repeated(page=(3, 48, 48), repeats=7).eval()
    pages = torch.rand(2, 3, 48, 48)
    with torch.inference_mode():
        vector = model.features(pages).flatten(1)
        written_out = model.classify(model.sequence(vector[:, None].expand(-1, 7, -1)))
        torch.testing.assert_close(model(pages), written_out, rtol=1e-4, atol=1e-6)
