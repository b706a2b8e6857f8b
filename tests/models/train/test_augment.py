import pytest
import torch

from ecglens.models.train.augment import augment
from ecglens.models.train.recipe import Augmentation


def rng():
    return torch.Generator().manual_seed(0)


def bar(size=65):
    pages = torch.zeros(6, 1, size, 2 * size)
    pages[..., size // 2, :] = 1.0
    return pages


def test_no_augmentation_changes_nothing():
    pages = torch.rand(4, 1, 32, 48)
    assert augment(pages, Augmentation(), rng()) is pages


def test_a_batch_stays_as_it_was_given():
    pages = torch.rand(4, 1, 32, 48)
    before = pages.clone()
    augment(pages, Augmentation(rotate_deg=5, shift_right=0.1, brightness=0.2, contrast=0.2, noise=0.1), rng())
    assert torch.equal(pages, before)


def test_a_turned_line_stays_straight_and_turns_by_at_most_was_requested():
    turned = augment(bar(), Augmentation(rotate_deg=10), rng())
    for page in turned[:, 0]:
        middle, side = (page[:, column].argmax().item() for column in (65, 97))
        quarter = page[:, 81].argmax().item()
        assert abs(middle - 32) <= 1
        assert abs(side - 32) <= 32 * 0.18 + 1  # 32 columns away at tan(10 degrees)
        assert abs(quarter - (middle + side) / 2) <= 1


def test_each_page_is_changed_by_its_own_amount():
    moved = augment(bar(), Augmentation(shift_down=0.3), rng())
    assert len({page.sum(1).argmax().item() for page in moved[:, 0]}) > 3


def test_brightness_is_a_share_of_the_range_and_contrast_of_the_ink():
    pages = torch.full((200, 1, 4, 4), 0.5)
    lighter = augment(pages, Augmentation(brightness=0.2), rng(), levels=4.0)[:, 0, 0, 0] - 0.5
    assert lighter.abs().max() <= 0.8
    assert lighter.abs().max() > 0.7
    stronger = augment(pages, Augmentation(contrast=0.2), rng())[:, 0, 0, 0] / 0.5
    assert (stronger.min(), stronger.max()) == (pytest.approx(0.8, abs=0.02), pytest.approx(1.2, abs=0.02))


def test_signals_change_in_amplitude_and_noise_alone():
    signals = torch.ones(5, 3, 50)
    amounts = Augmentation(rotate_deg=10, shift_right=0.2, brightness=0.5, contrast=0.1)
    changed = augment(signals, amounts, rng())
    assert torch.equal(changed, changed[:, :1, :1].expand_as(changed))
    assert (augment(signals, Augmentation(noise=0.1), rng()) - 1).std(dim=(1, 2)).max() < 0.12
