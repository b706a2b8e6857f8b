import pytest
import torch

from ecglens.errors import TrainingError
from ecglens.models.inputs import TraceCanvas
from ecglens.models.train.fit import augment, build, fit, logits_of
from ecglens.models.train.recipe import Augmentation, Optimization, Recipe

GENTLE = Augmentation(shift_right=0.05, noise=0.05, contrast=0.1)


def recipe(*, epochs=6, learning_rate=5e-3, **changes) -> Recipe:
    plan = Optimization(epochs=epochs, batch_size=8, learning_rate=learning_rate, bfloat16=False)
    tiny = {"model": "compact_cnn", "title": "Tiny", "labels": ("normal", "mi"), "input": TraceCanvas(width=64)}
    return Recipe(**{**tiny, "optimization": plan, "augmentation": GENTLE, **changes})


def easy_pages(count=24, seed=0):
    """Bars that stand for one label and lie for the other, anywhere."""
    rng = torch.Generator().manual_seed(seed)
    pages, targets = torch.zeros(count, 1, 64, 64), torch.arange(count) % 2
    for page, target in zip(pages, targets, strict=True):
        top, left = torch.randint(0, 24, (2,), generator=rng).tolist()
        high, wide = ((40, 3), (3, 40))[int(target)]
        page[0, top : top + high, left : left + wide] = 4.0
    return pages, targets


def test_the_loss_falls_and_new_pages_are_told_apart():
    losses = []
    pages, targets = easy_pages()
    model = fit(pages, targets, recipe(), seed=0, on_epoch=lambda epoch, loss: losses.append((epoch, loss)))
    assert [epoch for epoch, _ in losses] == [1, 2, 3, 4, 5, 6]
    assert losses[-1][1] < 0.5 * losses[0][1]
    assert not model.training
    unseen, truth = easy_pages(seed=9)
    assert (logits_of(model, unseen, batch_size=5).argmax(1) == truth.numpy()).mean() >= 0.9


def test_a_seed_makes_the_same_weights_again_and_another_makes_others():
    pages, targets = easy_pages(16)
    first, again, other = (fit(pages, targets, recipe(epochs=1), seed=seed).state_dict() for seed in (3, 3, 4))
    for name, weights in first.items():
        torch.testing.assert_close(weights, again[name], rtol=0, atol=0)
    assert any(not torch.equal(weights, other[name]) for name, weights in first.items())


def test_training_leaves_its_pages_as_they_were():
    pages, targets = easy_pages(16)
    kept = pages.clone()
    fit(pages, targets, recipe(epochs=1), seed=0)
    assert torch.equal(pages, kept)


def test_a_loss_that_is_no_number_stops_the_training():
    pages, targets = easy_pages(16)
    pages[3, 0, 32, 32] = float("nan")
    with pytest.raises(TrainingError, match="The loss is no longer a number in epoch 1; try a lower learning rate"):
        fit(pages, targets, recipe(), seed=0)


def test_an_unknown_model_or_option_is_answered_with_what_there_is():
    with pytest.raises(TrainingError, match="one of the models compact_cnn, .* there is no 'resnet'"):
        build(recipe(model="resnet"), seed=0)
    with pytest.raises(TrainingError, match="of model 'compact_cnn' cannot be used: .*'droput'"):
        build(recipe(options={"droput": 0.1}), seed=0)


def test_bfloat16_trains_too():
    pages, targets = easy_pages(16)
    plan = Optimization(epochs=1, batch_size=8, bfloat16=True)
    model = fit(pages, targets, recipe(optimization=plan), seed=0)
    assert all(weights.dtype != torch.bfloat16 for weights in model.state_dict().values())


def test_no_augmentation_changes_nothing():
    pages, _ = easy_pages(4)
    same = augment(pages, Augmentation(), torch.Generator().manual_seed(0))
    torch.testing.assert_close(same, pages, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("amounts", "moves"),
    [
        ({"shift_right": 0.5}, (0, 1)),
        ({"shift_down": 0.5}, (1, 0)),
    ],
)
def test_a_shift_moves_along_its_axis_within_its_amount(amounts, moves):
    pages = torch.zeros(64, 1, 65, 65)
    pages[:, 0, 32, 32] = 1.0
    moved = augment(pages, Augmentation(**amounts), torch.Generator().manual_seed(0))
    weight = moved[:, 0] / moved[:, 0].sum((1, 2), keepdim=True)
    places = torch.arange(65.0) - 32
    down, right = (weight.sum(2) * places).sum(1), (weight.sum(1) * places).sum(1)
    for travel, moving in zip((down, right), moves, strict=True):
        assert travel.abs().max() < 16.3
        assert travel.std() > 6 if moving else travel.abs().max() < 0.01


def test_contrast_and_noise_have_the_amounts_of_the_recipe():
    rng = torch.Generator().manual_seed(0)
    bright = augment(torch.ones(200, 1, 64, 64), Augmentation(contrast=0.2), rng)[:, 0, 32, 32]
    assert 0.8 <= bright.min() < 0.83
    assert 1.17 < bright.max() <= 1.2
    spread = augment(torch.zeros(200, 1, 64, 64), Augmentation(noise=0.1), rng).std((1, 2, 3))
    assert spread.max() == pytest.approx(0.1, abs=0.01)
    assert spread.min() < 0.01


def test_logits_come_in_the_pages_order_whatever_the_batch():
    model = build(recipe(), seed=0).eval()
    pages, _ = easy_pages(7)
    whole, parts = logits_of(model, pages), logits_of(model, pages, batch_size=2)
    assert whole.shape == (7, 2)
    assert whole == pytest.approx(parts, abs=1e-5)
