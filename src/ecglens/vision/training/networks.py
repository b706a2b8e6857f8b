"""The networks of pixel classes, a small U-Net on blocks of 2 x 2 pixels, and of lead names.

The U-Net follows Ronneberger et al., MICCAI 2015 (arXiv 1505.04597), but adds skip connections instead of concatenating
them. Working on blocks makes it four times as fast and costs no sharpness, because it has outputs for each pixel of a
block.
"""

from typing import cast

from torch import Tensor, nn
from torch.nn import functional

from ecglens.vision.lead_names import OTHER, WINDOW
from ecglens.vision.training.pages import CLASSES

__all__ = ["WIDTHS", "NameNet", "SegmentationNet"]

WIDTHS = (16, 32, 48, 64, 64)
"""Channels at 1/2, 1/4, 1/8, 1/16 and 1/32 of the page's resolution."""


_PRIOR_LOGIT = -3.0
"""Initial logit of each class, about a twentieth of the pixels: without it, rare classes vanish."""


class SegmentationNet(nn.Module):
    """Logits of each class for each pixel.

    Args:
        widths: Channels of each level.
    """

    def __init__(self, widths: tuple[int, ...] = WIDTHS) -> None:
        super().__init__()
        inputs = (4 * 3, *widths[:-1])
        self.down = nn.ModuleList(
            nn.Sequential(_convolve(before, here), _convolve(here, here))
            for before, here in zip(inputs, widths, strict=True)
        )
        self.narrow = nn.ModuleList(nn.Conv2d(after, here, 1) for here, after in zip(widths, widths[1:], strict=False))
        self.up = nn.ModuleList(_convolve(here, here) for here in widths[:-1])
        self.answer = nn.Conv2d(widths[0], 4 * len(CLASSES), 1)
        nn.init.constant_(cast(nn.Parameter, self.answer.bias), _PRIOR_LOGIT)

    def forward(self, pixels: Tensor) -> Tensor:
        """Compute the logits.

        Args:
            pixels: ``(pages, 3, height, width)`` float32 in [0, 1]; height and width are multiples of 32.

        Returns:
            ``(pages, classes, height, width)``.
        """
        levels = []
        x = functional.pixel_unshuffle(pixels, 2)
        for depth, block in enumerate(self.down):
            x = block(x if depth == 0 else functional.max_pool2d(x, 2))
            levels.append(x)
        for skip, narrow, block in zip(reversed(levels[:-1]), reversed(self.narrow), reversed(self.up), strict=True):
            x = block(skip + functional.interpolate(narrow(x), scale_factor=2.0, mode="nearest"))
        return functional.pixel_shuffle(self.answer(x), 2)


def _convolve(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(True))


class NameNet(nn.Module):
    """Logits of each lead name, and of none, for a window of print.

    Args:
        widths: Channels of each level.
    """

    def __init__(self, widths: tuple[int, ...] = (16, 32, 64, 96)) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        for before, here in zip((1, *widths[:-1]), widths, strict=True):
            blocks += [_convolve(before, here), _convolve(here, here), nn.MaxPool2d(2)]
        self.blocks = nn.Sequential(*blocks)
        rows, columns = (side >> len(widths) for side in WINDOW)
        self.answer = nn.Sequential(nn.Flatten(), nn.Dropout(0.2), nn.Linear(widths[-1] * rows * columns, OTHER + 1))

    def forward(self, windows: Tensor) -> Tensor:
        """Compute the logits ``(windows, names + 1)`` for ``(windows, 1, height, width)`` float32 in [0, 1]."""
        return cast(Tensor, self.answer(self.blocks(windows)))
