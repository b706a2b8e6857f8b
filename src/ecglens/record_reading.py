"""Reading a digital ECG: the answers that a page gets too, from signals that need no digitizing."""

import os
from dataclasses import replace

from ecglens.errors import ModelError
from ecglens.models.registry import SIGNAL_MODEL
from ecglens.reading import predict_record
from ecglens.record_measuring import measure_record
from ecglens.records import EcgRecord, Prediction, RecordReading

__all__ = ["examine_record"]


def examine_record(
    record: EcgRecord,
    *,
    model: str | os.PathLike[str] | None = None,
    age: float | None = None,
    sex: str | None = None,
) -> RecordReading:
    """Check the leads of a digital ECG, measure it, evaluate the criteria, and let a model of signals read it.

    Args:
        record: From :func:`ecglens.read_record`, or signals of your own.
        model: Name or folder of a model of signals; the shipped one where there is one when ``None``.
        age: Age in years; the one in the record's comments when ``None``.
        sex: ``"female"`` or ``"male"``; the one in the record's comments when ``None``.

    Raises:
        ModelError: The model cannot be used, or reads pages.
    """
    reading = measure_record(record, age=age, sex=sex)
    return replace(reading, prediction=_predict(reading.record, model))


def _predict(record: EcgRecord, model: str | os.PathLike[str] | None) -> Prediction | None:
    """Return the answer of the model; ``None`` where none was named and the shipped one is not installed."""
    if model is not None:
        return predict_record(record, model=model)
    try:
        return predict_record(record, model=SIGNAL_MODEL)
    except ModelError:
        return None
