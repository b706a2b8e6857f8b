"""The last seconds of a stream, as a record at any time."""

import numpy as np
from numpy.typing import NDArray

from ecglens.records import EcgRecord
from ecglens.streams.packets import StreamInfo

__all__ = ["Window"]


class Window:
    """A ring of the last samples; samples that never arrived are NaN.

    Args:
        info: The stream.
        seconds: Length of the window.
    """

    def __init__(self, info: StreamInfo, seconds: float) -> None:
        self._info = info
        self._ring = np.full((len(info.leads), max(round(seconds * info.fs_hz), 1)), np.nan, dtype=np.float32)
        self._end = 0

    @property
    def end(self) -> int:
        """Number of the sample after the last one."""
        return self._end

    @property
    def start(self) -> int:
        """Number of the first sample in the window."""
        return max(self._end - self._ring.shape[1], 0)

    def append(self, first: int, samples: NDArray[np.floating]) -> None:
        """Append samples; what lies between them and the last ones is a gap.

        Args:
            first: Number of the first sample, at least :attr:`end`.
            samples: ``(leads, samples)`` in mV.

        Raises:
            ValueError: The samples begin before the end of the window.
        """
        if first < self._end:
            raise ValueError(f"Expected samples from number {self._end} on, got {first}; append them in their order.")
        size = self._ring.shape[1]
        missing = min(first - self._end, size)
        if missing:
            self._ring[:, np.arange(first - missing, first) % size] = np.nan
        part = samples[:, -size:]
        end = first + samples.shape[1]
        start = (end - part.shape[1]) % size
        space = min(size - start, part.shape[1])
        self._ring[:, start : start + space] = part[:, :space]
        if space < part.shape[1]:
            self._ring[:, : part.shape[1] - space] = part[:, space:]
        self._end = end

    def cut(self, first: int, end: int) -> NDArray[np.float32]:
        """Return the samples from one number to the one before another, ``(leads, samples)`` float32 in mV.

        Args:
            first: Number of the first sample.
            end: Number of the sample after the last one.

        Returns:
            A copy; NaN where a sample never arrived, is not in the window any more or has not arrived yet.
        """
        out = np.full((len(self._ring), max(end - first, 0)), np.nan, dtype=np.float32)
        low, high = max(first, self.start), min(end, self._end)
        if high > low:
            size = self._ring.shape[1]
            at, offset, length = low % size, low - first, high - low
            space = min(size - at, length)
            out[:, offset : offset + space] = self._ring[:, at : at + space]
            out[:, offset + space : offset + length] = self._ring[:, : length - space]
        return out

    def to_record(self, seconds: float | None = None) -> EcgRecord:
        """Return the last seconds as a record.

        Args:
            seconds: Length of the record; the whole window by default.
        """
        size = self._ring.shape[1] if seconds is None else round(seconds * self._info.fs_hz)
        return EcgRecord(self.cut(max(self._end - size, self.start), self._end), self._info.fs_hz, self._info.leads)
