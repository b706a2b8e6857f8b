import pytest
import torch

from ecglens.models.inputs import TraceCanvas
from ecglens.models.zoo import ZOO, compact_cnn


@pytest.fixture(params=sorted(ZOO))
def make(request):
    return ZOO[request.param]


def test_compact_cnn_has_211496_weights_of_the_423000_that_it_may_have():
    parameters = sum(weight.numel() for weight in compact_cnn().parameters())
    assert parameters == 211_496
    assert parameters <= 423_000


@pytest.mark.parametrize("labels", [2, 4])
@pytest.mark.parametrize("shape", [TraceCanvas().shapes["page"], (1, 64, 96)])
def test_a_model_answers_one_logit_a_label(make, labels, shape):
    model = make(labels=labels).eval()
    with torch.inference_mode():
        assert model(torch.zeros(3, *shape)).shape == (3, labels)


def test_gradients_reach_every_weight(make):
    torch.manual_seed(0)
    model = make().train()
    model(torch.rand(4, 1, 96, 128)).square().sum().backward()
    dead = [name for name, weight in model.named_parameters() if weight.grad is None or not weight.grad.abs().sum() > 0]
    assert dead == []


def test_a_page_s_answer_does_not_depend_on_the_pages_beside_it(make):
    torch.manual_seed(0)
    model = make().eval()
    pages = torch.rand(3, 1, 64, 96)
    with torch.inference_mode():
        torch.testing.assert_close(model(pages)[1], model(pages[1:2])[0], rtol=1e-4, atol=1e-5)


def test_compact_cnn_is_the_mean_of_its_towers():
    model = compact_cnn().eval()
    pages = torch.rand(2, 1, 64, 96)
    with torch.inference_mode():
        first, second = model.towers(pages)
        torch.testing.assert_close(model(pages), (first + second) / 2)
        assert not torch.allclose(first, second)


def test_only_the_place_tower_knows_where_on_the_page_something_is():
    torch.manual_seed(1)
    model = compact_cnn().eval()
    page = torch.zeros(1, 1, 384, 384)
    page[..., 160:168, 160:168] = 4.0
    with torch.inference_mode():
        here, there = model.towers(page), model.towers(page.roll((32, 32), (2, 3)))
    torch.testing.assert_close(here[1], there[1], rtol=1e-3, atol=1e-4)
    assert (here[0] - there[0]).abs().max() > 1e-3
