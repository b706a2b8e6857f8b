"""Limits on how fast a stream may arrive where others share the machine: the length of its lines, and its samples.

Everything is counted in samples: a line costs as many samples as it moves the stream on by, lost ones too, and never
less than its bytes would take. So nobody is served better by long numbers, short lines, gaps or lines without samples.
"""

import math
import threading
import time
from collections.abc import Callable

from ecglens.errors import StreamError
from ecglens.streams.json_lines import MAX_LINE_BYTES
from ecglens.streams.packets import StreamInfo

__all__ = [
    "BURST_S",
    "FASTER",
    "MAX_SAMPLES_A_S",
    "PATIENCE_S",
    "SAMPLE_BYTES",
    "Budget",
    "check_pace",
    "count_cost",
    "count_samples_a_second",
    "limit_line",
]

SAMPLE_BYTES = 24
"""Bytes of the longest sample: a double with all its digits, a sign, an exponent, a comma and a space."""
MAX_SAMPLES_A_S = 100_000.0
"""Samples a second of all leads of a stream, such as 64 leads at 1,500 Hz; 12 leads at 500 Hz are 6,000."""
FASTER = 10.0
"""Times its own rate at which a stream may arrive, so that a sender that was cut off catches up."""
BURST_S = 60.0
"""Length of the signal that may arrive at once."""
PATIENCE_S = 60.0
"""Time for which a sender that is too fast is slowed down before it is refused; with the burst, 10 min of signal."""
_OTHER = 200
"""Samples a second for lines without samples, such as RR intervals, and for the description of packets."""
_LINE_BYTES = 128
"""Bytes that a line costs beside its own, for the work that even an empty one makes."""


class Budget:
    """Samples that may arrive: so many at once, and so many a second after that. Threads may share it.

    Args:
        rate: Samples a second.
        burst: Samples at once.
        clock: Function for the time in s.

    >>> budget = Budget(100.0, 50.0, clock=lambda: 0.0)
    >>> budget.spend(40)
    >>> budget.wait_s
    0.0
    >>> budget.spend(20)
    >>> budget.wait_s
    0.1
    """

    def __init__(self, rate: float, burst: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._left, self._at_s = burst, clock()
        self._short_since_s: float | None = None
        self._lock = threading.Lock()

    def spend(self, samples: float) -> None:
        """Count samples that have arrived."""
        with self._lock:
            self._refill()
            self._left -= samples
            if self._left < 0 and self._short_since_s is None:
                self._short_since_s = self._at_s

    @property
    def wait_s(self) -> float:
        """Time in s until more may arrive."""
        with self._lock:
            self._refill()
            return max(-self._left / self._rate, 0.0)

    @property
    def is_full(self) -> bool:
        """Whether nothing has arrived for so long that a new budget would be the same."""
        with self._lock:
            self._refill()
            return self._left >= self._burst

    @property
    def is_exceeded(self) -> bool:
        """Whether waiting did not help: the sender is too fast for longer than anyone has patience."""
        with self._lock:
            self._refill()
            return self._short_since_s is not None and self._at_s - self._short_since_s > PATIENCE_S

    def _refill(self) -> None:
        now = self._clock()
        self._left = min(self._left + (now - self._at_s) * self._rate, self._burst)
        self._at_s = now
        if self._left > self._burst / 2:
            self._short_since_s = None


def check_pace(info: StreamInfo) -> None:
    """Check that a machine that others share can carry a stream.

    Raises:
        StreamError: It has too many samples a second.
    """
    samples = len(info.leads) * info.fs_hz
    if samples > MAX_SAMPLES_A_S:
        raise StreamError(
            f"Expected a stream of at most {MAX_SAMPLES_A_S:,.0f} samples a second in all leads together, got "
            f"{samples:,.0f}; send fewer leads or a lower rate."
        )


def count_samples_a_second(info: StreamInfo) -> float:
    """Return the number of samples that a second of a stream costs, with those for lines without samples."""
    return len(info.leads) * info.fs_hz + _OTHER


def limit_line(info: StreamInfo) -> int:
    """Return the number of bytes that a line of a stream may have: what a second of its samples needs.

    >>> limit_line(StreamInfo("bed 1", ("I", "II"), 250.0))
    16800
    """
    return min(math.ceil(count_samples_a_second(info)) * SAMPLE_BYTES, MAX_LINE_BYTES)


def count_cost(line_bytes: int, samples: float) -> float:
    """Return the number of samples that a line costs.

    Args:
        line_bytes: Length of the line.
        samples: Samples of all leads by which it moves the stream on, lost ones too.
    """
    return max((line_bytes + _LINE_BYTES) / SAMPLE_BYTES, samples)
