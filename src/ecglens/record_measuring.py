"""Measuring a digital ECG: its leads are checked, its signals measured and the criteria evaluated, without a model."""

import re

from ecglens.criteria import evaluate_criteria
from ecglens.measuring.measure import measure
from ecglens.record_checks import check_leads
from ecglens.records import EcgRecord, RecordReading

__all__ = ["measure_record"]

_AGE = re.compile(r"age: (\d{1,3})")
_SEX = re.compile(r"sex: (female|male)")
_LOW_PASS = re.compile(r"low pass: ([\d.]+) Hz")


def measure_record(record: EcgRecord, *, age: float | None = None, sex: str | None = None) -> RecordReading:
    """Check the leads of a digital ECG, measure it and evaluate the criteria, without a model.

    Args:
        record: From :func:`ecglens.read_record`, or signals of your own.
        age: Age in years; the one in the record's comments when ``None``.
        sex: ``"female"`` or ``"male"``; the one in the record's comments when ``None``.
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


def _search(pattern: re.Pattern[str], record: EcgRecord) -> str | None:
    """Return what a comment of the record states."""
    return next((hit[1] for comment in record.comments if (hit := pattern.fullmatch(comment))), None)
