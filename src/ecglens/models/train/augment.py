"""Random small changes to the rows of a training batch."""

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
        amounts: Largest changes; for signals only ``contrast`` (their amplitude) and ``noise`` apply.
        rng: Random generator on the CPU, whatever the device of the rows.
        levels: Range from black to white in units of the rows, for ``brightness``.

    Returns:
        Changed rows of the same shape.
    """
    count = len(rows)

    def sample(amount: float) -> Tensor:
        return amount * (2 * torch.rand(count, generator=rng) - 1)

    if rows.ndim == _IMAGE:
        rows = _transform(
            rows, amounts, sample(amounts.rotate_deg), [sample(amount) for amount in _geometric_amounts(amounts)]
        )
    each = (count,) + (1,) * (rows.ndim - 1)
    gain, offset = 1 + sample(amounts.contrast), levels * sample(amounts.brightness)
    noise = amounts.noise * torch.rand(count, generator=rng)
    if amounts.contrast:
        rows = rows * gain.view(each).to(rows.device)
    if amounts.brightness and rows.ndim == _IMAGE:
        rows = rows + offset.view(each).to(rows.device)
    if amounts.noise:
        device_rng = (
            rng if rows.device.type == "cpu" else None
        )  # sampled on the device that uses it; the loop seeds every device
        rows = rows + noise.view(each).to(rows.device) * torch.randn(
            rows.shape, generator=device_rng, device=rows.device
        )
    return rows


def _geometric_amounts(amounts: Augmentation) -> tuple[float, ...]:
    return amounts.stretch, amounts.grow, amounts.shear, amounts.shift_right, amounts.shift_down


def _transform(rows: Tensor, amounts: Augmentation, rotation_deg: Tensor, sampled: list[Tensor]) -> Tensor:
    """Rotate, stretch, shear and shift in one resampling; pixels from outside repeat the edge."""
    if not any((amounts.rotate_deg, *_geometric_amounts(amounts))):
        return rows
    stretch, grow, shear, right, down = sampled
    sine, cosine = torch.sin(rotation_deg * math.pi / 180), torch.cos(rotation_deg * math.pi / 180)
    height, width = rows.shape[-2:]
    across, along = (1 + stretch), (1 + grow)
    # affine_grid scales each side to -1 to 1, so a rotation has to account for the page's aspect ratio
    upper = torch.stack([across * cosine, shear - sine * height / width, right], dim=1)
    lower = torch.stack([sine * width / height, along * cosine, down], dim=1)
    place = torch.stack([upper, lower], dim=1).to(rows.device)
    grid = functional.affine_grid(place, list(rows.shape), align_corners=False)
    return functional.grid_sample(rows, grid, padding_mode="border", align_corners=False)
