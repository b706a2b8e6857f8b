"""A model that is asked the same again: other labels and methods, and their checks, take away the same parts."""

import hashlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ecglens.models.runtime import Runtime

__all__ = ["CachingRuntime"]


class CachingRuntime(Runtime):
    """A loaded model that answers the same arrays once, for as long as this object lives: for one page.

    Args:
        runtime: Who answers.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.card, self.recipe, self._runtime = runtime.card, runtime.recipe, runtime
        self._said: dict[bytes, NDArray[np.float32]] = {}

    def logits(self, arrays: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """As :meth:`ecglens.models.runtime.Runtime.logits`."""
        asked = hashlib.sha256()
        for array in arrays.values():
            asked.update(np.ascontiguousarray(array).data)
        key = asked.digest()
        if key not in self._said:
            self._said[key] = self._runtime.logits(arrays)
        return self._said[key]

    def class_maps(
        self, arrays: Mapping[str, NDArray[np.float32]]
    ) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
        """As :meth:`ecglens.models.runtime.Runtime.class_maps`."""
        return self._runtime.class_maps(arrays)
