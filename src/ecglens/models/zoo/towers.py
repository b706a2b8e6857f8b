"""Protocol of models with several towers."""

from typing import Protocol, runtime_checkable

from torch import Tensor

__all__ = ["Towers"]


@runtime_checkable
class Towers(Protocol):
    """Model whose logits are the mean of towers, each trained by its own loss."""

    def towers(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Compute the logits of each tower, ``(rows, labels)``."""
