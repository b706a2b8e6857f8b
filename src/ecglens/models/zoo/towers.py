"""What models of several towers have in common."""

from typing import Protocol, runtime_checkable

from torch import Tensor

__all__ = ["Towers"]


@runtime_checkable
class Towers(Protocol):
    """A model whose answer is the mean of towers that each learn by their own loss."""

    def towers(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """Logits of each tower, ``(rows, labels)``."""
