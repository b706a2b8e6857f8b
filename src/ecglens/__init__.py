"""Read ECG pages: a photo, scan or PDF in; a label with calibrated probabilities, leads and signals out.

For research and teaching; not a medical device.

``import ecglens`` loads the standard library only; the rest is loaded by the first use of a name.
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from ecglens.errors import (
    ArgumentError,
    BatchError,
    DatasetError,
    EcgLensError,
    EcgReadError,
    MissingDataError,
    MissingExtraError,
    MissingFileError,
    MissingModelError,
    MissingSourceError,
    ModelError,
    RenderError,
    SettingsError,
    StreamError,
    TrainingError,
)

if TYPE_CHECKING:
    from ecglens.batch.frame import read_many
    from ecglens.corrections import Corrections
    from ecglens.digitizing import digitize
    from ecglens.explaining import explain
    from ecglens.fine_tuning import fine_tune
    from ecglens.formats.files import read_record
    from ecglens.joining import digitize_joined
    from ecglens.model import Model, load_model
    from ecglens.models.create import create_model
    from ecglens.models.registry import list_models
    from ecglens.pages.assessing import assess
    from ecglens.pages.read import iterate_pages
    from ecglens.reading import examine, read
    from ecglens.record_reading import examine_record
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
        RecordReading,
        Tracing,
    )

__all__ = [
    "Abstention",
    "ArgumentError",
    "BatchError",
    "Box",
    "Corrections",
    "DatasetError",
    "EcgLensError",
    "EcgReadError",
    "EcgRecord",
    "Explanation",
    "Layout",
    "LeadBox",
    "Located",
    "MissingDataError",
    "MissingExtraError",
    "MissingFileError",
    "MissingModelError",
    "MissingSourceError",
    "Model",
    "ModelError",
    "NotFound",
    "Page",
    "Prediction",
    "Reading",
    "RecordReading",
    "RenderError",
    "SettingsError",
    "StreamError",
    "Tracing",
    "TrainingError",
    "__version__",
    "assess",
    "create_model",
    "digitize",
    "digitize_joined",
    "examine",
    "examine_record",
    "explain",
    "fine_tune",
    "iterate_pages",
    "list_models",
    "load_model",
    "read",
    "read_many",
    "read_record",
]

__version__ = "0.1.0"

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # ONNX Runtime would send facts on this machine to its maker

_FUNCTIONS = {
    "Corrections": "ecglens.corrections",
    "Model": "ecglens.model",
    "assess": "ecglens.pages.assessing",
    "create_model": "ecglens.models.create",
    "digitize": "ecglens.digitizing",
    "digitize_joined": "ecglens.joining",
    "examine": "ecglens.reading",
    "examine_record": "ecglens.record_reading",
    "explain": "ecglens.explaining",
    "fine_tune": "ecglens.fine_tuning",
    "iterate_pages": "ecglens.pages.read",
    "list_models": "ecglens.models.registry",
    "load_model": "ecglens.model",
    "read": "ecglens.reading",
    "read_many": "ecglens.batch.frame",
    "read_record": "ecglens.formats.files",
}
"""Modules of the functions, the model and the corrections; the other names are of ``ecglens.records``."""

_NEED_TORCH = frozenset({"create_model", "fine_tune"})


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'ecglens' has no attribute {name!r}")
    extras = import_module("ecglens.extras")
    if name in _NEED_TORCH and not extras.is_installed("torch"):
        # The name exists in every installation, so that listing all names raises no error; a call says what is missing.
        return lambda *_, **__: extras.require("torch", extra="train")
    return getattr(import_module(_FUNCTIONS.get(name, "ecglens.records")), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
