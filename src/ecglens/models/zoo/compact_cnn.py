"""``compact_cnn``: two small convolutional towers over the trace canvas, 211,496 weights.

Both towers read the same canvas. The first depends on *where* on the page a pattern is: its last map is averaged over a
grid of four rows by four columns before the linear layer, so that it distinguishes ST elevation in V2 from that in III.
The second depends on *whether* a pattern is present anywhere: it uses the mean and the maximum of the whole map. The
logits of the towers are averaged. Two small towers with different initial weights are more reliable than one, like an
ensemble (Lakshminarayanan et al., arXiv 1612.01474).
"""

from pathlib import Path
from typing import cast

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn
from torch.nn import functional

from ecglens.errors import ModelError

__all__ = ["CompactCNN", "compact_cnn", "load_compact_cnn"]

_CHANNELS = (16, 32, 48, 64, 96)
_CELLS = 4


def compact_cnn(*, labels: int = 4, page: tuple[int, int, int] = (1, 384, 384), dropout: float = 0.3) -> "CompactCNN":
    """Build the model; pages may have any size from 64 px."""
    return CompactCNN(labels=labels, channels=page[0], dropout=dropout)


def load_compact_cnn(path: Path) -> "CompactCNN":
    """Load the module of a graph in evaluation mode, so that gradients of a shipped model can be computed.

    The exporter merged the factor of each normalization into its convolution, so the module's normalizations only add.

    Args:
        path: ``model.onnx`` of an exported ``compact_cnn``.

    Raises:
        ModelError: The graph is that of another model.
    """
    stored = {part.name: np.array(numpy_helper.to_array(part)) for part in onnx.load(path).graph.initializer}
    try:
        channels = stored["place.features.0.weight"].shape[1]
        model = CompactCNN(labels=len(stored["place.classify.1.bias"]), channels=channels, dropout=0.0)
        with torch.no_grad():
            for name, part in model.named_modules():
                if isinstance(part, nn.Conv2d | nn.Linear):
                    part.weight.copy_(torch.from_numpy(stored[f"{name}.weight"]))
                if isinstance(part, nn.Linear):
                    part.bias.copy_(torch.from_numpy(stored[f"{name}.bias"]))
                if isinstance(part, nn.BatchNorm2d):
                    before, _, number = name.rpartition(".")
                    part.bias.copy_(torch.from_numpy(stored[f"{before}.{int(number) - 1}.weight_bias"]))
                    part.eps = 0.0
    except (KeyError, RuntimeError) as error:
        raise ModelError(f"Expected the graph of a compact_cnn in '{path.name}', got that of another model.") from error
    return model.eval()


class CompactCNN(nn.Module):
    """Model with two towers, whose logits are averaged."""

    def __init__(self, *, labels: int, channels: int, dropout: float) -> None:
        super().__init__()
        self.place = _Tower(channels, _CHANNELS[-1] * _CELLS**2, labels, dropout)
        self.presence = _Tower(channels, _CHANNELS[-1] * 2, labels, dropout)

    @property
    def trunk(self) -> nn.ModuleList:
        """Convolutions of both towers, which stay as they are where only the last layers are trained."""
        return nn.ModuleList([self.place.features, self.presence.features])

    def reset_classifier(self, num_classes: int) -> None:
        """Replace the last layers by new ones with random weights, for other labels, as models of timm do."""
        for tower in (self.place, self.presence):
            tower.classify[-1] = nn.Linear(cast(nn.Linear, tower.classify[-1]).in_features, num_classes)

    def towers(self, pages: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the logits of each tower, ``(pages, labels)``; each is trained by its own loss."""
        by_place = self.place.features(pages)
        cells = functional.adaptive_avg_pool2d(by_place, (_CELLS, _CELLS)).flatten(1)
        anywhere = self.presence.features(pages)
        pooled = torch.cat([anywhere.mean((2, 3)), anywhere.amax((2, 3))], dim=1)
        return self.place.classify(cells), self.presence.classify(pooled)

    def forward(self, pages: Tensor) -> Tensor:
        """Compute logits, ``(pages, labels)``, from ``(pages, channels, height, width)``."""
        first, second = self.towers(pages)
        return (first + second) / 2


class _Tower(nn.Module):
    def __init__(self, channels: int, pooled: int, labels: int, dropout: float) -> None:
        super().__init__()
        layers: list[nn.Module] = [
            nn.Conv2d(channels, _CHANNELS[0], 5, stride=2, padding=2, bias=False),
            nn.BatchNorm2d(_CHANNELS[0]),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ]
        for index, (before, after) in enumerate(zip(_CHANNELS, _CHANNELS[1:], strict=False), start=1):
            layers += [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
            if index < len(_CHANNELS) - 1:
                layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.classify = nn.Sequential(nn.Dropout(dropout), nn.Linear(pooled, labels))
