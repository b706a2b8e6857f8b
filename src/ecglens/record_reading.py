"""Reading a digital ECG: the answers that a page gets too, from signals that need no digitizing."""

import os
import re
from dataclasses import replace

from ecglens.criteria import evaluate_criteria
from ecglens.errors import ModelError
from ecglens.measuring.measure import measure
from ecglens.models.registry import SIGNAL_MODEL
from ecglens.reading import predict_record
from ecglens.record_checks import check_leads
from ecglens.records import EcgRecord, Prediction, RecordReading

__all__ = ["examine_record", "measure_record"]

_AGE = re.compile(r"age: (\d{1,3})")
_SEX = re.compile(r"sex: (female|male)")
_LOW_PASS = re.compile(r"low pass: ([\d.]+) Hz")


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


def measure_record(record: EcgRecord, *, age: float | None = None, sex: str | None = None) -> RecordReading:
    """Check the leads of a digital ECG, measure it and evaluate the criteria, without a model.

    Args:
        record: As for :func:`examine_record`.
        age: As for :func:`examine_record`.
        sex: As for :func:`examine_record`.
    """
    record = check_leads(record)
    low_pass = _search(_LOW_PASS, record)
    measurements = measure(record, low_pass_hz=None if low_pass is None else float(low_pass))
    stated = _search(_AGE, record)
    statements = evaluate_criteria(
        measurements,
        age=age if age is not None else None if stated is None else float(stated),
        sex=sex or _search(_SEX, record),
    )
    return RecordReading(record, measurements, statements)


def _predict(record: EcgRecord, model: str | os.PathLike[str] | None) -> Prediction | None:
    """Return the answer of the model; ``None`` where none was named and the shipped one is not installed."""
    if model is not None:
        return predict_record(record, model=model)
    try:
        return predict_record(record, model=SIGNAL_MODEL)
    except ModelError:
        return None


def _search(pattern: re.Pattern[str], record: EcgRecord) -> str | None:
    """Return what a comment of the record states."""
    return next((hit[1] for comment in record.comments if (hit := pattern.fullmatch(comment))), None)
