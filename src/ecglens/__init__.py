"""Read ECG pages: a photo, scan or PDF in; a label with honest probabilities and the leads out.

For research and teaching; not a medical device.

``import ecglens`` loads numpy and the standard library only; the rest is loaded by the first call.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ecglens.errors import EcgLensError, EcgReadError
from ecglens.records import (
    Abstention,
    Box,
    EcgRecord,
    Explanation,
    Layout,
    LeadBox,
    Located,
    NotFound,
    Page,
    Prediction,
    Reading,
    Tracing,
)

if TYPE_CHECKING:
    from ecglens.digitizing import digitize
    from ecglens.explaining import explain
    from ecglens.reading import examine, read

__all__ = [
    "Abstention",
    "Box",
    "EcgLensError",
    "EcgReadError",
    "EcgRecord",
    "Explanation",
    "Layout",
    "LeadBox",
    "Located",
    "NotFound",
    "Page",
    "Prediction",
    "Reading",
    "Tracing",
    "__version__",
    "digitize",
    "examine",
    "explain",
    "read",
]

__version__ = "0.1.0"

_HOMES = {
    "digitize": "ecglens.digitizing",
    "examine": "ecglens.reading",
    "explain": "ecglens.explaining",
    "read": "ecglens.reading",
}
"""Modules that are loaded by the first use of these names."""


def __getattr__(name: str) -> Any:
    module = _HOMES.get(name)
    if module is not None:
        return getattr(import_module(module), name)
    raise AttributeError(f"module 'ecglens' has no attribute {name!r}")
