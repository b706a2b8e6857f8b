"""A limit on the time that a digital ECG takes to be read, as pages have one in the process that decodes them."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from ecglens.errors import EcgReadError
from ecglens.pages.decoding import LIMITS
from ecglens.records import EcgRecord

__all__ = ["limit_time", "read_record_in_time"]

_MB_S = 1.0
"""Further time for each megabyte, as recordings of days are large and take long."""
_AGAIN_S = 1.0
"""Interval at which the end is requested again, where a library took the first request for a fault of the file."""


@contextmanager
def limit_time(source: str, seconds: float) -> Iterator[None]:
    """End what runs too long; on Windows and outside the main thread, nothing is ended.

    Args:
        source: File that is read, for the error.
        seconds: Longest time.

    Raises:
        EcgReadError: The time is over.
    """
    if not hasattr(signal, "setitimer") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: FrameType | None) -> None:
        detail = f"expected a digital ECG that can be read within {seconds:.1f} s; cut it into shorter recordings."
        raise EcgReadError(code="too_costly", source=source, detail=detail)

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def read_record_in_time(path: Path, source: str) -> EcgRecord:
    """Read a digital ECG within the time that a page has, and more where the file is large.

    Args:
        path: The file.
        source: Name of the file, for the error.

    Raises:
        EcgReadError: The time is over.
        DatasetError: The file cannot be read.
    """
    from ecglens.formats.files import read_record

    size_mb = path.stat().st_size / 1e6 if path.is_file() else 0.0
    with limit_time(source, LIMITS.wall_seconds + _MB_S * size_mb):
        return read_record(path)
