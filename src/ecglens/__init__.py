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
    NotFound,
    Page,
    Prediction,
    Reading,
    Tracing,
)

if TYPE_CHECKING:
    from ecglens.reader import digitize, examine, explain, read

__all__ = [
    "Abstention",
    "Box",
    "EcgLensError",
    "EcgReadError",
    "EcgRecord",
    "Explanation",
    "Layout",
    "LeadBox",
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


def __getattr__(name: str) -> Any:
    if name in {"digitize", "examine", "explain", "read"}:
        return getattr(import_module("ecglens.reader"), name)
    raise AttributeError(f"module 'ecglens' has no attribute {name!r}")
