"""Cache the logits of a page: other labels, methods and their checks replace the same parts of it by blank paper."""

import hashlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from ecglens.models.runtime import Runtime

__all__ = ["CachingRuntime"]


class CachingRuntime(Runtime):
    """Loaded model that computes the logits of the same arrays only once; create one for each page.

    Args:
        runtime: Model that computes the logits.
    """

    def __init__(self, runtime: Runtime) -> None:
        self.card, self.recipe, self._runtime = runtime.card, runtime.recipe, runtime
        self._logits: dict[bytes, NDArray[np.float32]] = {}

    def logits(self, arrays: Mapping[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """Compute logits as :meth:`ecglens.models.runtime.Runtime.logits` does, or return the cached ones."""
        digest = hashlib.sha256()
        for array in arrays.values():
            digest.update(np.ascontiguousarray(array).data)
        key = digest.digest()
        if key not in self._logits:
            self._logits[key] = self._runtime.logits(arrays)
        return self._logits[key]

    def class_maps(
        self, arrays: Mapping[str, NDArray[np.float32]]
    ) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
        """Compute class maps as :meth:`ecglens.models.runtime.Runtime.class_maps` does; they are not cached."""
        return self._runtime.class_maps(arrays)
