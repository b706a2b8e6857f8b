"""Follow a session that another process records: what was appended since the last look."""

from dataclasses import dataclass
from pathlib import Path

from ecglens.streams.packets import StreamInfo
from ecglens.streams.recording import RESULTS, list_segments, read_session_info

__all__ = ["Tail", "TailedSamples"]

_MAX_BYTES = 1 << 20
"""Bytes of one look."""


@dataclass(frozen=True, slots=True)
class TailedSamples:
    """Samples as they are on the disk.

    Attributes:
        first: Number of the first sample.
        count: Number of samples of each lead.
        content: Microvolts less the offset of the segment, 16 bits each, little endian, sample by sample; -32768
            where missing.
    """

    first: int
    count: int
    content: bytes


class Tail:
    """Reader of what is appended to a session.

    Args:
        folder: Folder of the session.
        back_s: How many seconds before now to begin with.

    Raises:
        DatasetError: There is no session in the folder.
    """

    def __init__(self, folder: Path, *, back_s: float = 10.0) -> None:
        self._folder = folder
        self.info: StreamInfo = read_session_info(folder).info
        self._size = 2 * max(len(self.info.leads), 1)
        self._segment, self._first, self._offset = 0, 0, 0
        self._seek(back_s)
        results = folder / RESULTS
        self._results_offset = max(results.stat().st_size - 20_000, 0) if results.is_file() else 0
        self._is_line_start = self._results_offset == 0

    def read_samples(self) -> list[TailedSamples]:
        """Return the samples since the last look, in their order."""
        out = []
        for number, first in list_segments(self._folder):
            if number < self._segment:
                continue
            if number > self._segment:
                self._segment, self._first, self._offset = number, first, 0
            content = self._read(self._folder / f"segment-{number:04d}.dat", self._offset)
            whole = len(content) - len(content) % self._size
            if whole:
                at = self._first + self._offset // self._size
                out.append(TailedSamples(at, whole // self._size, content[:whole]))
                self._offset += whole
        return out

    def read_results(self) -> list[bytes]:
        """Return the lines of results since the last look; a line that is not whole yet comes at the next."""
        path = self._folder / RESULTS
        if not path.is_file():
            return []
        if path.stat().st_size < self._results_offset:  # it was emptied
            self._results_offset, self._is_line_start = 0, True
        content = self._read(path, self._results_offset)
        end = content.rfind(b"\n") + 1
        self._results_offset += end
        lines = content[:end].split(b"\n")[:-1]
        if lines and not self._is_line_start:
            lines.pop(0)
        self._is_line_start = self._is_line_start or end > 0
        return lines

    def _seek(self, back_s: float) -> None:
        """Go to some seconds before the end."""
        segments = list_segments(self._folder)
        if not segments:
            return
        ends = []
        for number, first in segments:
            path = self._folder / f"segment-{number:04d}.dat"
            ends.append(first + (path.stat().st_size // self._size if path.is_file() else 0))
        start = max(ends) - round(back_s * self.info.fs_hz)
        for (number, first), end in zip(segments, ends, strict=True):
            if end > start or number == segments[-1][0]:
                self._segment, self._first = number, first
                self._offset = max(start - first, 0) * self._size
                return

    @staticmethod
    def _read(path: Path, offset: int) -> bytes:
        try:
            with path.open("rb") as file:
                file.seek(offset)
                return file.read(_MAX_BYTES)
        except FileNotFoundError:  # an old segment that was just deleted, or a new one that is not there yet
            return b""
