"""Architectures (extra ``train``); a model is a function here, and its name is the function's name."""

from collections.abc import Callable
from types import MappingProxyType

from torch import nn

from ecglens.models.zoo.compact_cnn import compact_cnn

__all__ = ["ZOO", "compact_cnn"]

ZOO: MappingProxyType[str, Callable[..., nn.Module]] = MappingProxyType({"compact_cnn": compact_cnn})
