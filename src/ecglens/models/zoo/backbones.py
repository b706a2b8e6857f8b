"""Backbones from timm with our own head: pooling, or an LSTM layer that reads along time.

The trunk ends at the last feature map. Later layers of timm (its classifier, and VGG16's linear layers) are left out,
as ``include_top=False`` does in the reproduced works.
"""

from typing import Any, Literal

import timm
import torch
from torch import Tensor, nn

from ecglens.errors import TrainingError
from ecglens.models.zoo.weights import load_weights

__all__ = [
    "Backbone",
    "backbone",
    "densenet121",
    "efficientnet_b0",
    "find_architecture",
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
"""Names of backbones in timm, by our names."""

_REDUCED, _UNITS = 64, 128


def mobilenet_v1(*, labels: int = 4, page: PageShape = (3, 224, 224), **options: Any) -> "Backbone":
    """Build MobileNet (Howard et al., arXiv 1704.04861)."""
    return backbone("mobilenet_v1", labels=labels, page=page, **options)


def mobilenet_v2(*, labels: int = 4, page: PageShape = (3, 224, 224), **options: Any) -> "Backbone":
    """Build MobileNetV2 (Sandler et al., arXiv 1801.04381)."""
    return backbone("mobilenet_v2", labels=labels, page=page, **options)


def densenet121(*, labels: int = 4, page: PageShape = (3, 224, 224), **options: Any) -> "Backbone":
    """Build DenseNet121 (Huang et al., arXiv 1608.06993)."""
    return backbone("densenet121", labels=labels, page=page, **options)


def resnet50(*, labels: int = 4, page: PageShape = (3, 224, 224), **options: Any) -> "Backbone":
    """Build ResNet50 (He et al., arXiv 1512.03385)."""
    return backbone("resnet50", labels=labels, page=page, **options)


def vgg16(*, labels: int = 4, page: PageShape = (3, 224, 224), **options: Any) -> "Backbone":
    """Build VGG16 (Simonyan and Zisserman, arXiv 1409.1556)."""
    return backbone("vgg16", labels=labels, page=page, **options)


def efficientnet_b0(*, labels: int = 4, page: PageShape = (3, 224, 224), **options: Any) -> "Backbone":
    """Build EfficientNetB0 (Tan and Le, arXiv 1905.11946)."""
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
        name: One of our names or a name of timm, optionally with the prefix ``timm:``.
        labels: Number of labels.
        page: Shape of one page or lead crop.
        weights: ``None`` for random weights, ``"imagenet"``, or a file; see :mod:`ecglens.models.zoo.weights`.
        pool: ``"average"`` for the mean of the last map, or ``"flatten"`` for all its values.
        hidden: Number of units of a linear layer in between; 0 for none.
        recurrent: Whether an LSTM layer reads the columns of the last map from left to right, in place of pooling.
        dropout: Dropout rate before the last layer.

    Raises:
        TrainingError: There is no such backbone, or its weights cannot be loaded.
    """
    timm_name = find_architecture(name)
    if timm_name is None:
        raise TrainingError(f"Expected the name of a backbone of ecglens or timm, got '{name}'.")
    if pool not in {"average", "flatten"}:
        raise TrainingError(f"Expected the option pool to be average or flatten, got '{pool}'.")
    trunk, map_shape = _trunk(timm_name, page, weights)
    head = (
        _RecurrentHead(map_shape, hidden, labels, dropout)
        if recurrent
        else _PooledHead(map_shape, pool, hidden, labels, dropout)
    )
    return Backbone(trunk, head)


def find_architecture(name: str) -> str | None:
    """Find the name of a backbone in timm; ``None`` if there is none."""
    own = ARCHITECTURES.get(name, name.removeprefix("timm:"))
    return own if timm.is_model(own) else None


class Backbone(nn.Module):
    """Trunk, which may be pretrained and frozen, with a head, which is always trained."""

    def __init__(self, trunk: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.trunk, self.head = trunk, head

    def forward(self, page: Tensor) -> Tensor:
        """Compute logits, ``(rows, labels)``, from ``(rows, channels, height, width)``."""
        answer: Tensor = self.head(self.trunk(page))
        return answer


class _Trunk(nn.Module):
    """Network of timm up to its last feature map, always as ``(rows, channels, height, width)``."""

    def __init__(self, network: nn.Module, channels: int, page: PageShape) -> None:
        super().__init__()
        self.network = network
        feature_map = self._features(torch.zeros(1, *page))
        self.tokens = feature_map.ndim == 3
        self.channels_last = (
            feature_map.ndim == 4 and feature_map.shape[1] != channels and feature_map.shape[3] == channels
        )

    def forward(self, page: Tensor) -> Tensor:
        if self.tokens:
            compute: Any = self.network.forward_intermediates
            (feature_map,) = compute(page, indices=1, norm=True, output_fmt="NCHW", intermediates_only=True)
            return torch.as_tensor(feature_map)
        feature_map = self._features(page)
        return feature_map.permute(0, 3, 1, 2) if self.channels_last else feature_map

    def _features(self, page: Tensor) -> Tensor:
        compute: Any = self.network.forward_features
        feature_map: Tensor = compute(page)
        return feature_map


class _PooledHead(nn.Module):
    def __init__(self, shape: PageShape, pool: Pool, hidden: int, labels: int, dropout: float) -> None:
        super().__init__()
        channels, height, width = shape
        self.average = pool == "average"
        self.classify = _classifier(channels if self.average else channels * height * width, hidden, labels, dropout)

    def forward(self, feature_map: Tensor) -> Tensor:
        answer: Tensor = self.classify(feature_map.mean((2, 3)) if self.average else feature_map.flatten(1))
        return answer


class _RecurrentHead(nn.Module):
    """Head in which each column of the map is a time step; channels are reduced, and rows are preserved."""

    def __init__(self, shape: PageShape, hidden: int, labels: int, dropout: float) -> None:
        super().__init__()
        channels, height, _ = shape
        self.reduce = nn.Sequential(nn.Conv2d(channels, _REDUCED, 1), nn.ReLU())
        self.sequence = nn.LSTM(_REDUCED * height, _UNITS, batch_first=True)
        self.classify = _classifier(_UNITS, hidden, labels, dropout)

    def forward(self, feature_map: Tensor) -> Tensor:
        columns = self.reduce(feature_map).permute(0, 3, 1, 2).flatten(2)
        answers, _ = self.sequence(columns)
        answer: Tensor = self.classify(answers[:, -1])
        return answer


def _classifier(size: int, hidden: int, labels: int, dropout: float) -> nn.Sequential:
    between = [nn.Linear(size, hidden), nn.ReLU()] if hidden else []
    return nn.Sequential(*between, nn.Dropout(dropout), nn.Linear(hidden or size, labels))


def _trunk(name: str, page: PageShape, weights: str | None) -> tuple[nn.Module, PageShape]:
    """Return the trunk without the layers that its map does not depend on, and the shape of the map."""
    config: Any = timm.get_pretrained_cfg(name)
    fixed: dict[str, Any] = {"img_size": page[1:]} if config is not None and config.fixed_input_size else {}
    network: Any = load_weights(name, weights, in_chans=page[0], **fixed).eval()
    with torch.no_grad():
        trunk = _Trunk(network, network.num_features, page)
        used: set[str] = set()
        hooks = [
            module.register_forward_hook(lambda *_, part=part: used.add(part))
            for part, child in network.named_children()
            for module in child.modules()
        ]
        _, channels, height, width = trunk(torch.zeros(1, *page)).shape
    for hook in hooks:
        hook.remove()
    for part, _ in list(network.named_children()):
        if part not in used:
            setattr(network, part, nn.Identity())
    return trunk.train(), (channels, height, width)
