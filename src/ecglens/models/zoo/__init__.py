"""Architectures (extra ``train``): each is a function with the name of the model."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from inspect import signature
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from ecglens.errors import TrainingError
from ecglens.models.zoo.backbones import (
    backbone,
    densenet121,
    efficientnet_b0,
    find_architecture,
    mobilenet_v1,
    mobilenet_v2,
    resnet50,
    vgg16,
)
from ecglens.models.zoo.compact_cnn import compact_cnn
from ecglens.models.zoo.plain import cnn_224, cnn_lead, crnn_lead, crnn_lead_repeated
from ecglens.models.zoo.signals import fusion, resnet1d
from ecglens.models.zoo.towers import Towers
from ecglens.models.zoo.weights import find_weights

__all__ = [
    "ZOO",
    "Towers",
    "ZooEntry",
    "build",
    "check_weights",
    "cnn_224",
    "cnn_lead",
    "compact_cnn",
    "count_weights",
    "crnn_lead",
    "crnn_lead_repeated",
    "densenet121",
    "efficientnet_b0",
    "fusion",
    "mobilenet_v1",
    "mobilenet_v2",
    "resnet1d",
    "resnet50",
    "vgg16",
]

_RECURRENT = "+lstm"
_INPUTS = ("page", "signal")


@dataclass(frozen=True, slots=True)
class ZooEntry:
    """Function that builds a network of :data:`ecglens.models.networks.NETWORKS`.

    Attributes:
        make: The function; it has the keywords ``labels`` and one for each input.
    """

    make: Callable[..., nn.Module]

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Default shape of one row of each input, by the input's name in the graph."""
        defaults = signature(self.make).parameters
        return {name: defaults[name].default for name in _INPUTS if name in defaults}


ZOO: Mapping[str, ZooEntry] = MappingProxyType(
    {
        make.__name__: ZooEntry(make)
        for make in (
            compact_cnn,
            cnn_224,
            cnn_lead,
            crnn_lead,
            crnn_lead_repeated,
            mobilenet_v1,
            mobilenet_v2,
            densenet121,
            resnet50,
            vgg16,
            efficientnet_b0,
            resnet1d,
            fusion,
        )
    }
)
"""All models by name; ``build`` also accepts names of timm and the ending ``+lstm``."""


def build(name: str, *, labels: int, shapes: Mapping[str, tuple[int, ...]], **options: Any) -> nn.Module:
    """Build a model.

    Args:
        name: Name of a model in :data:`ZOO` or in timm, optionally with the prefix ``timm:``. The ending ``+lstm``
            adds an LSTM layer that reads the last feature map of a backbone along time.
        labels: Number of labels.
        shapes: Shape of one row of each input, as in an input recipe.
        **options: Keyword arguments of the model.

    Returns:
        A module that takes its inputs in the order of ``shapes`` and returns logits ``(rows, labels)``.

    Raises:
        TrainingError: There is no such model, or it cannot take these inputs or options.
    """
    make, inputs = _find_function(name)
    if set(shapes) != set(inputs):
        raise TrainingError(
            f"Model '{name}' reads {' and '.join(inputs)}, but the input recipe produces {' and '.join(shapes)}."
        )
    try:
        signature(make).bind(labels=labels, **shapes, **options)
        return make(labels=labels, **shapes, **options)
    except (TypeError, ValueError, RuntimeError) as error:
        first = str(error).splitlines()[0].rstrip(".")
        raise TrainingError(f"The options or the input of model '{name}' cannot be used: {first}.") from error


def check_weights(name: str, options: Mapping[str, Any]) -> None:
    """Check that a model's pretrained weights are available, and fetch them if necessary.

    Args:
        name: As for :func:`build`.
        options: Options of the model.

    Raises:
        TrainingError: The weights are missing and cannot be fetched; the message says which file to put where.
    """
    weights = options.get("weights")
    if weights is None:
        return
    timm_name = find_architecture(str(options.get("backbone", name)).removesuffix(_RECURRENT))
    if timm_name is None:
        raise TrainingError(f"Model '{name}' has no pretrained weights; leave the option weights out.")
    find_weights(timm_name, weights)


def count_weights(name: str, *, labels: int = 4) -> int:
    """Count the weights of a model of the zoo with its default input, without allocating them."""
    with torch.device("meta"):
        model = build(name, labels=labels, shapes=ZOO[name].shapes)
    return sum(weight.numel() for weight in model.parameters())


def _find_function(name: str) -> tuple[Callable[..., nn.Module], tuple[str, ...]]:
    """Find the function of a model and the names of its inputs."""
    entry = ZOO.get(name)
    if entry is not None:
        return entry.make, tuple(entry.shapes)
    base = name.removesuffix(_RECURRENT)
    if find_architecture(base) is None:
        raise TrainingError(
            f"Expected one of the models {', '.join(ZOO)}, a backbone with {_RECURRENT} or a name of timm, "
            f"got '{name}'."
        )
    head: dict[str, Any] = {"recurrent": True} if name.endswith(_RECURRENT) else {}
    return partial(backbone, base, **head), ("page",)
