"""Checks of a record that came from a file, whatever its format is."""

import math

from ecglens.errors import DatasetError
from ecglens.records import EcgRecord

__all__ = ["check_record"]


def check_record(record: EcgRecord, name: str) -> EcgRecord:
    """Return a record whose parts fit each other, as everything that works with records expects.

    Args:
        record: From a file.
        name: Name of the file, for the error.

    Raises:
        DatasetError: The rate is no number above 0, there is no sample, or the names do not fit the signals.
    """
    if not (0 < record.fs_hz < math.inf):
        raise DatasetError(f"Expected a sampling rate above 0 Hz in {name}, got {record.fs_hz:g} Hz; correct it.")
    if record.signals_mv.ndim != 2 or not record.signals_mv.size:
        raise DatasetError(f"Expected leads of one sample or more in {name}, got none; give a file of signals.")
    rows, *others = len(record.signals_mv), record.leads, record.start_s, record.quality
    if len(record.leads) != rows or any(len(each) not in {0, rows} for each in others):
        raise DatasetError(
            f"Expected a name and, where they are given, a start and a quality for each of {rows} leads in {name}, got "
            f"{', '.join(str(len(each)) for each in others)}."
        )
    if not all(isinstance(lead, str) for lead in record.leads):
        raise DatasetError(f"Expected names of leads in {name}, got other values.")
    if not all(isinstance(start, int | float) and math.isfinite(start) for start in record.start_s):
        raise DatasetError(f"Expected starts of leads in s in {name}, got other values.")
    return record
