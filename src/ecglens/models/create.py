"""Networks of the zoo by name, ready to train in a loop of one's own (extra ``train``)."""

from collections.abc import Mapping
from typing import Any

from torch import nn

from ecglens.arguments import check_type
from ecglens.errors import TrainingError
from ecglens.labels import LABELS
from ecglens.models.cards import GRAPH_FILE
from ecglens.models.registry import find_model
from ecglens.models.zoo import ZOO, build, check_weights
from ecglens.models.zoo.compact_cnn import load_compact_cnn
from ecglens.models.zoo.weights import IMAGENET

__all__ = ["create_model"]

_PAGE_SHAPE = (3, 224, 224)
"""Shape of one page for backbones of timm, which take any size."""


def create_model(
    name: str,
    num_classes: int = len(LABELS),
    pretrained: bool | str = False,
    *,
    shapes: Mapping[str, tuple[int, ...]] | None = None,
    **options: Any,
) -> nn.Module:
    """Create a network.

    Args:
        name: Name of a network of ``ecglens models --zoo``, such as ``compact_cnn`` or ``cnn_lead``, or of a backbone
            of timm; the ending ``+lstm`` adds an LSTM layer.
        num_classes: Number of labels.
        pretrained: ``True`` for the weights of the shipped model of that name, whose last layers are new where the
            number of labels is another, or for a backbone's ImageNet weights; a file of weights for a backbone.
        shapes: Shape of one row of each input, such as ``{"page": (3, 224, 224)}``; that of the zoo when ``None``.
        **options: Further options of the network, such as ``dropout``.

    Returns:
        A module that returns logits ``(rows, num_classes)``.

    Raises:
        ModelError: There are no shipped weights of that name.
        TrainingError: There is no such network, or no label, or it cannot take these options, or weights
            cannot be fetched.
        ArgumentError: The name is no text.
    """
    check_type(name, str, "the name of a network")
    if not isinstance(num_classes, int) or num_classes < 1:
        raise TrainingError(f"Expected num_classes of at least 1, got {num_classes!r}; give the number of labels.")
    base = name.removesuffix("+lstm")
    is_backbone = base not in ZOO or "weights" in options or (bool(pretrained) and base != "compact_cnn")
    if pretrained and not is_backbone:
        card = find_model(name)
        network = load_compact_cnn(card.folder / GRAPH_FILE)
        if num_classes != len(card.labels):
            network.reset_classifier(num_classes)
        return network
    if pretrained:
        options["weights"] = IMAGENET if pretrained is True else pretrained
        check_weights(name, options)
    default = ZOO[base].shapes if base in ZOO else {"page": _PAGE_SHAPE}
    return build(name, labels=num_classes, shapes=shapes or default, **options)
