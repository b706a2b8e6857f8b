"""Small changes to the rows of a training batch, drawn anew each time."""

import math

import torch
from torch import Tensor
from torch.nn import functional

from ecglens.models.train.recipe import Augmentation

__all__ = ["augment"]

_IMAGE = 4  # dimensions of a batch of pages: rows, channels, height, width


def augment(rows: Tensor, amounts: Augmentation, rng: torch.Generator, *, levels: float = 1.0) -> Tensor:
    """Change each row of a batch a little; see :class:`~ecglens.models.train.recipe.Augmentation`.

    Args:
        rows: Pages ``(rows, channels, height, width)`` or signals ``(rows, channels, samples)``, scaled.
        amounts: What may be changed; signals know only ``contrast``, as their amplitude, and ``noise``.
        rng: On the CPU, whatever the rows' device.
        levels: The range from black to white in units of the rows, for ``brightness``.
    """
    count = len(rows)

    def draw(amount: float) -> Tensor:
        return amount * (2 * torch.rand(count, generator=rng) - 1)

    if rows.ndim == _IMAGE:
        rows = _moved(rows, amounts, draw(amounts.rotate_deg), [draw(amount) for amount in _places(amounts)])
    each = (count,) + (1,) * (rows.ndim - 1)
    gain, offset = 1 + draw(amounts.contrast), levels * draw(amounts.brightness)
    noise = amounts.noise * torch.rand(count, generator=rng)
    if amounts.contrast:
        rows = rows * gain.view(each).to(rows.device)
    if amounts.brightness and rows.ndim == _IMAGE:
        rows = rows + offset.view(each).to(rows.device)
    if amounts.noise:
        own = rng if rows.device.type == "cpu" else None  # drawn where it is used; the loop seeds every device
        rows = rows + noise.view(each).to(rows.device) * torch.randn(rows.shape, generator=own, device=rows.device)
    return rows


def _places(amounts: Augmentation) -> tuple[float, ...]:
    return amounts.stretch, amounts.grow, amounts.shear, amounts.shift_right, amounts.shift_down


def _moved(rows: Tensor, amounts: Augmentation, turn_deg: Tensor, drawn: list[Tensor]) -> Tensor:
    """Turned, stretched, sheared and shifted in one resampling; what comes from outside repeats the edge."""
    if not any((amounts.rotate_deg, *_places(amounts))):
        return rows
    stretch, grow, shear, right, down = drawn
    sine, cosine = torch.sin(turn_deg * math.pi / 180), torch.cos(turn_deg * math.pi / 180)
    height, width = rows.shape[-2:]
    across, along = (1 + stretch), (1 + grow)
    # affine_grid counts each side from -1 to 1, so that a turn must know the page's shape to stay a turn
    upper = torch.stack([across * cosine, shear - sine * height / width, right], dim=1)
    lower = torch.stack([sine * width / height, along * cosine, down], dim=1)
    place = torch.stack([upper, lower], dim=1).to(rows.device)
    grid = functional.affine_grid(place, list(rows.shape), align_corners=False)
    return functional.grid_sample(rows, grid, padding_mode="border", align_corners=False)
