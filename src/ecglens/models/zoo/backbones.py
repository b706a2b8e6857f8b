"""Backbones from timm, with a head of their own: pooled, or read along time by an LSTM layer.

Their trunks end at the last feature map; what timm puts behind it (its own classifier, and VGG16's linear layers) is
left out, as ``include_top=False`` does in the works.
"""

from typing import Any, Literal

import timm
import torch
from torch import Tensor, nn

from ecglens.errors import TrainingError
from ecglens.models.zoo.weights import load_weights

__all__ = [
    "Backbone",
    "find_architecture",
    "backbone",
    "densenet121",
    "efficientnet_b0",
    "mobilenet_v1",
    "mobilenet_v2",
    "resnet50",
    "vgg16",
]

Pool = Literal["average", "flatten"]
PageShape = tuple[int, int, int]

ARCHITECTURES = {
    "mobilenet_v1": "mobilenetv1_100",
    "mobilenet_v2": "mobilenetv2_100",
    "densenet121": "densenet121",
    "resnet50": "resnet50",
    "vgg16": "vgg16",
    "efficientnet_b0": "efficientnet_b0",
}
"""Our names and timm's."""

_REDUCED, _UNITS = 64, 128


def mobilenet_v1(*, labels: int = 4, page: PageShape = (3, 224, 224), **options: Any) -> "Backbone":
    """Howard et al., arXiv 1704.04861."""
    return backbone("mobilenet_v1", labels=labels, page=page, **options)


def mobilenet_v2(*, labels: int = 4, page: PageShape = (3, 224, 224), **options: Any) -> "Backbone":
    """Sandler et al., arXiv 1801.04381."""
    return backbone("mobilenet_v2", labels=labels, page=page, **options)


def densenet121(*, labels: int = 4, page: PageShape = (3, 224, 224), **options: Any) -> "Backbone":
    """Huang et al., arXiv 1608.06993."""
    return backbone("densenet121", labels=labels, page=page, **options)


def resnet50(*, labels: int = 4, page: PageShape = (3, 224, 224), **options: Any) -> "Backbone":
    """He et al., arXiv 1512.03385."""
    return backbone("resnet50", labels=labels, page=page, **options)


def vgg16(*, labels: int = 4, page: PageShape = (3, 224, 224), **options: Any) -> "Backbone":
    """Simonyan and Zisserman, arXiv 1409.1556."""
    return backbone("vgg16", labels=labels, page=page, **options)


def efficientnet_b0(*, labels: int = 4, page: PageShape = (3, 224, 224), **options: Any) -> "Backbone":
    """Tan and Le, arXiv 1905.11946."""
    return backbone("efficientnet_b0", labels=labels, page=page, **options)


def backbone(
    name: str,
    *,
    labels: int = 4,
    page: PageShape = (3, 224, 224),
    weights: str | None = None,
    pool: Pool = "average",
    hidden: int = 0,
    recurrent: bool = False,
    dropout: float = 0.2,
) -> "Backbone":
    """Build a backbone with its head.

    Args:
        name: One of ours or of timm's, which may stand behind ``timm:``.
        labels: Number of labels.
        page: Shape of one page or lead crop.
        weights: ``None`` from scratch, ``"imagenet"``, or a file; see :mod:`ecglens.models.zoo.weights`.
        pool: ``"average"`` over the last map, or all of it by ``"flatten"``.
        hidden: Units of a linear layer between; 0 for none.
        recurrent: The last map's columns are read from left to right by an LSTM layer, in place of pooling.
        dropout: Before the last layer.

    Raises:
        TrainingError: There is no such backbone, or its weights cannot be loaded.
    """
    known = find_architecture(name)
    if known is None:
        raise TrainingError(f"Expected the name of a backbone of ecglens or timm, but there is no '{name}'.")
    if pool not in {"average", "flatten"}:
        raise TrainingError(f"Expected the option pool to be average or flatten, but got '{pool}'.")
    trunk, map_shape = _trunk(known, page, weights)
    head = (
        _RecurrentHead(map_shape, hidden, labels, dropout)
        if recurrent
        else _PooledHead(map_shape, pool, hidden, labels, dropout)
    )
    return Backbone(trunk, head)


def find_architecture(name: str) -> str | None:
    """The name in timm of a backbone, or ``None`` where there is none."""
    own = ARCHITECTURES.get(name, name.removeprefix("timm:"))
    return own if timm.is_model(own) else None


class Backbone(nn.Module):
    """A trunk, which may be pretrained and frozen, and a head, which never is."""

    def __init__(self, trunk: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.trunk, self.head = trunk, head

    def forward(self, page: Tensor) -> Tensor:
        """Logits, ``(rows, labels)``, of ``(rows, channels, height, width)``."""
        answer: Tensor = self.head(self.trunk(page))
        return answer


class _Trunk(nn.Module):
    """A network of timm up to its last feature map, ``(rows, channels, height, width)`` whatever its own order."""

    def __init__(self, network: nn.Module, channels: int, page: PageShape) -> None:
        super().__init__()
        self.network = network
        found = self._features(torch.zeros(1, *page))
        self.tokens = found.ndim == 3
        self.channels_last = found.ndim == 4 and found.shape[1] != channels and found.shape[3] == channels

    def forward(self, page: Tensor) -> Tensor:
        if self.tokens:
            read: Any = self.network.forward_intermediates
            (found,) = read(page, indices=1, norm=True, output_fmt="NCHW", intermediates_only=True)
            return torch.as_tensor(found)
        found = self._features(page)
        return found.permute(0, 3, 1, 2) if self.channels_last else found

    def _features(self, page: Tensor) -> Tensor:
        read: Any = self.network.forward_features
        found: Tensor = read(page)
        return found


class _PooledHead(nn.Module):
    def __init__(self, shape: PageShape, pool: Pool, hidden: int, labels: int, dropout: float) -> None:
        super().__init__()
        channels, height, width = shape
        self.average = pool == "average"
        self.classify = _classifier(channels if self.average else channels * height * width, hidden, labels, dropout)

    def forward(self, found: Tensor) -> Tensor:
        answer: Tensor = self.classify(found.mean((2, 3)) if self.average else found.flatten(1))
        return answer


class _RecurrentHead(nn.Module):
    """Each column of the map, its channels reduced but its rows kept, is a step of the page's time."""

    def __init__(self, shape: PageShape, hidden: int, labels: int, dropout: float) -> None:
        super().__init__()
        channels, height, _ = shape
        self.reduce = nn.Sequential(nn.Conv2d(channels, _REDUCED, 1), nn.ReLU())
        self.sequence = nn.LSTM(_REDUCED * height, _UNITS, batch_first=True)
        self.classify = _classifier(_UNITS, hidden, labels, dropout)

    def forward(self, found: Tensor) -> Tensor:
        columns = self.reduce(found).permute(0, 3, 1, 2).flatten(2)
        answers, _ = self.sequence(columns)
        answer: Tensor = self.classify(answers[:, -1])
        return answer


def _classifier(size: int, hidden: int, labels: int, dropout: float) -> nn.Sequential:
    between = [nn.Linear(size, hidden), nn.ReLU()] if hidden else []
    return nn.Sequential(*between, nn.Dropout(dropout), nn.Linear(hidden or size, labels))


def _trunk(name: str, page: PageShape, weights: str | None) -> tuple[nn.Module, PageShape]:
    """The trunk without the parts that do not lead to its map, and the map's shape."""
    config: Any = timm.get_pretrained_cfg(name)
    fixed: dict[str, Any] = {"img_size": page[1:]} if config is not None and config.fixed_input_size else {}
    network: Any = load_weights(name, weights, in_chans=page[0], **fixed).eval()
    with torch.no_grad():
        trunk = _Trunk(network, network.num_features, page)
        reached: set[str] = set()
        hooks = [
            module.register_forward_hook(lambda *_, part=part: reached.add(part))
            for part, child in network.named_children()
            for module in child.modules()
        ]
        _, channels, height, width = trunk(torch.zeros(1, *page)).shape
    for hook in hooks:
        hook.remove()
    for part, _ in list(network.named_children()):
        if part not in reached:
            setattr(network, part, nn.Identity())
    return trunk.train(), (channels, height, width)
