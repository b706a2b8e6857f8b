"""Column of times in a table of samples: its unit, times of a clock or of a calendar, and the sampling rate."""

import re
from collections.abc import Sequence
from datetime import datetime
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from ecglens.errors import DatasetError
from ecglens.formats.checks import LIMITS
from ecglens.formats.coded import rate_of_step

__all__ = ["is_clock_name", "read_rate"]

_SECONDS = MappingProxyType(
    dict.fromkeys(("", "s", "sec", "second", "seconds", "hh:mm:ss.mmm", "mm:ss.mmm"), 1.0)
    | dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), 1e-3)
    | dict.fromkeys(("us", "\N{MICRO SIGN}s", "\N{GREEK SMALL LETTER MU}s"), 1e-6)
    | {"ns": 1e-9}
)
_NAME = re.compile(
    r"(?:t|time|timestamp|seconds|elapsed[ _]time|zeit|temps|tiempo|tempo)(?:[ _](s|sec|seconds|ms|us|µs|ns))?", re.I
)
"""Name of a column of times, in languages whose recorders we have met, with its unit."""
_CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:\.\d+)?)")
_MAX_UNEVEN = 0.05
"""Largest difference of a step from the mean, as its share: clocks of sensors are less even than those of recorders."""
_MAX_ROUNDED = 0.45
"""Largest difference of a rounded time from an even one, as a share of a step; a lost sample makes half a step."""
_MAX_DOUBT = 1e-3
"""Largest share of the recording that a time may be rounded by: seconds of 360 Hz in whole milliseconds are enough."""
_DIGITS = 8
"""Digits of a rate by times that are uneven, as the clocks of sensors are."""
_MOST_DIGITS = 12
_NOISE = 8
"""Smallest differences of floats that computing a time may make."""


def is_clock_name(name: str) -> bool:
    """Return whether a column has times, by its name.

    >>> is_clock_name("Time_ms"), is_clock_name("V1")
    (True, False)
    """
    return _NAME.fullmatch(name.strip()) is not None


def read_rate(cells: Sequence[str], column: str, unit: str, name: str) -> float:
    """Return the sampling rate in Hz by the times of the samples.

    Times that were rounded, as 2.778 ms to whole milliseconds, are even as far as they are stated; the rate is a whole
    number of Hz that fits all of them, or else the number of fewest digits that does.

    Args:
        cells: Time of each sample: numbers, times of a clock such as ``0:00.003``, or of a calendar (ISO 8601).
        column: Name of the column, which may end in the unit.
        unit: Unit that stands elsewhere; empty where it stands nowhere, for seconds.
        name: Name of the file, for errors.

    Raises:
        DatasetError: A time cannot be read, the unit is none of time, or the steps are uneven.
    """
    hit = _NAME.fullmatch(column.strip())
    unit = unit or (hit[1] if hit and hit[1] else "")
    if unit.lower() not in _SECONDS:
        raise DatasetError(f"Expected a unit of s, ms, us or ns of the times in {name}, got '{unit}'; correct it.")
    try:
        parsed = [_parse_time(cell.strip("[]' ")) for cell in cells]
    except ValueError as error:
        raise DatasetError(
            f"Expected times as numbers, as hh:mm:ss or as ISO 8601 in {name}, got another text; correct the times."
        ) from error
    scale = _SECONDS[unit.lower()] if all(is_plain for _, is_plain in parsed) else 1.0
    times = np.array([seconds for seconds, _ in parsed])
    times = (times - times[0]) * scale  # differences first: seconds since 1970 take up most of a float
    decimals = max(len(hit[1]) if (hit := re.search(r"\.(\d+)", cell)) else 0 for cell in cells)
    rate = _even_rate(times, scale * 10.0**-decimals)
    if rate is None:
        raise DatasetError(f"Expected even steps of time in {name}, but they differ.")
    if rate < LIMITS.rate_hz[0] and not unit:
        raise DatasetError(
            f"Expected times in s in {name}, got steps of {1 / rate:g}; name their unit in the header, such as time_ms."
        )
    return rate


def _parse_time(text: str) -> tuple[float, bool]:
    """Return a time as a number, and whether it is a plain one and not in s of a clock or a calendar.

    Raises:
        ValueError: The text is no time.
    """
    try:
        return float(text), True
    except ValueError:
        hit = _CLOCK.match(text)
    if hit:
        return 3600 * int(hit[1] or 0) + 60 * int(hit[2]) + float(hit[3]), False
    return datetime.fromisoformat(text).timestamp(), False


def _even_rate(times_s: NDArray[np.float64], resolution_s: float) -> float | None:
    """Return the rate of times that are even as far as their resolution goes; ``None`` for others."""
    steps = np.diff(times_s)
    if not np.all(steps > 0):
        return None
    count, step = len(steps), float(times_s[-1]) / len(steps)
    numbers = np.arange(count + 1)
    is_fine = resolution_s <= _MAX_DOUBT * times_s[-1]
    uneven, noise = float(np.abs(times_s - step * numbers).max()), _NOISE * float(np.spacing(times_s[-1]))
    is_rounded = is_fine and uneven <= min(resolution_s + noise, _MAX_ROUNDED * step)
    if not (is_rounded or np.allclose(steps, step, rtol=_MAX_UNEVEN)):
        return None
    if is_rounded:
        bound = min(resolution_s, 2 * uneven) + noise  # decimals that are 0 everywhere may be missing
        whole = round(1 / step)
        shorter = (rate_of_step(step, digits=digits) for digits in range(len(str(whole)) + 1, _MOST_DIGITS))
        for rate in (float(whole), *shorter):
            if rate > 0 and np.abs(times_s - numbers / rate).max() <= bound:
                return rate
        return rate_of_step(step, digits=_MOST_DIGITS)
    return rate_of_step(step, digits=_DIGITS)
