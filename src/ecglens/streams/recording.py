"""Recording of a stream in WFDB segments, of which a process that is killed loses at most what it had not received.

Samples are appended to the signal file as they arrive, without a buffer in this process, and the header is there from
the first sample on; it states no length, so that readers take the file as long as it is. Nothing is ever moved: gaps
of up to some seconds are written as missing samples, and after a longer one the next segment begins. So it does where
the offset of an electrode leaves the range of a segment; each header states the offsets of its leads as baselines.
"""

import json
import os
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecglens.arguments import folder_name
from ecglens.documents import check_version, dump_document, parse_json
from ecglens.errors import DatasetError, StreamError
from ecglens.formats.coded import HIDDEN
from ecglens.formats.names import plain_name
from ecglens.records import EcgRecord
from ecglens.streams.digital import STEPS_PER_MV, choose_offsets, digitize
from ecglens.streams.packets import StreamInfo, Stretch
from ecglens.streams.results import Result

__all__ = [
    "MAX_SAMPLES",
    "RESULTS",
    "SEGMENT_S",
    "SESSION",
    "Recorder",
    "Session",
    "list_segments",
    "name_session",
    "read_results",
    "read_session",
    "read_session_info",
    "span_session",
]

SESSION, RESULTS = "session.json", "results.jsonl"
_MAX_FILLED_S = 10.0
"""Longest gap that is written as missing samples."""
SEGMENT_S = 3600.0
"""Length after which the next segment begins, so that no file grows without end."""
_SYNC_S = 10.0
"""Interval at which the disk is asked to have written, for a power cut; a killed process loses nothing either way."""
_CENTER_S = 1.0
"""Least time between two segments that begin as an offset has changed."""
_MAX_RESULTS_BYTES = 1 << 20
MAX_SAMPLES = 60_000_000
"""Samples of all leads of a session that are read at a time."""
_SEGMENT = re.compile(r"segment-(\d{4,})")
_START = re.compile(r"# first sample: (\d+)")
_BASELINE = re.compile(rf"\.dat 16 {STEPS_PER_MV}\((-?\d+)\)/mV ")


@dataclass(frozen=True, slots=True)
class Session:
    """A recorded stream.

    Attributes:
        info: The stream.
        began_s: When it began, in s since 1970.
        ended_s: When it ended, or ``None`` where it goes on or its recorder was killed.
    """

    info: StreamInfo
    began_s: float
    ended_s: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return all fields as plain types."""
        return {**self.info.to_dict(), "began_s": self.began_s, "ended_s": self.ended_s}


class Recorder:
    """Writer of one session into a folder; of a session that was interrupted, the next segment is begun.

    Args:
        folder: Folder of the session; it is made where it is missing.
        info: The stream.
        clock: Function for the time in s since 1970.
        segment_s: Length after which the next segment begins.
        keep_segments: Number of segments that stay, of which the last is being written; all by default. The file of
            results is emptied at a megabyte.

    Raises:
        StreamError: The folder has a session of another stream, or cannot be written to.
    """

    def __init__(
        self,
        folder: str | Path,
        info: StreamInfo,
        *,
        clock: Callable[[], float] = time.time,
        segment_s: float = SEGMENT_S,
        keep_segments: int | None = None,
    ) -> None:
        self.folder, self.info, self._clock = Path(folder), info, clock
        self._segment_s, self._keep = segment_s, keep_segments
        self._file: int | None = None
        self._results: int | None = None
        self._next = self._segment_first = 0
        self._header, self._offsets_mv, self._centered = Path(), np.zeros(len(info.leads), np.int64), -np.inf
        self._synced_s = clock()
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if (self.folder / SESSION).exists():
                before = read_session_info(self.folder)
                if (before.info.leads, before.info.fs_hz) != (info.leads, info.fs_hz):
                    raise StreamError(
                        f"Expected a new folder, or the session of a stream with the same leads and rate, in "
                        f"{folder_name(self.folder)}; choose another folder."
                    )
                self._session = replace(before, ended_s=None)
            else:
                self._session = Session(info, clock())
            segments = list_segments(self.folder)
            self._number = max((number for number, _ in segments), default=0)
            self._recorded_end = max((end for _, end, _ in _list_spans(self.folder, info, segments)), default=0)
            self._write_session()
            self._results = os.open(self.folder / RESULTS, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise StreamError(
                f"Expected a folder to record into at {self.folder}, but it cannot be written to: "
                f"{error.strerror or error}; choose another one."
            ) from error

    def write(self, stretches: Iterable[Stretch], results: Iterable[Result] = ()) -> None:
        """Append samples and results.

        Args:
            stretches: Samples in their order.
            results: What the monitor says.

        Raises:
            StreamError: The disk is full or the folder is gone.
        """
        try:
            for stretch in stretches:
                self._append(stretch)
            lines = "".join(f"{json.dumps(result.to_dict(), allow_nan=False)}\n" for result in results)
            if lines and self._results is not None:
                if self._keep is not None and os.fstat(self._results).st_size > _MAX_RESULTS_BYTES:
                    os.ftruncate(self._results, 0)
                _write_all(self._results, lines.encode())
            self._sync()
        except OSError as error:
            raise self._describe(error) from error

    def close(self) -> None:
        """End the session: state the length of the last segment and the time of the end.

        Raises:
            StreamError: The disk is full or the folder is gone. The files are closed in any case.
        """
        results, self._results = self._results, None
        try:
            try:
                self._end_segment()
            finally:
                if results is not None:
                    _close(results)
            if results is not None:
                self._session = replace(self._session, ended_s=self._clock())
                self._write_session()
        except OSError as error:
            raise self._describe(error) from error

    def release(self) -> None:
        """Close the files without an end of the session, which goes on later."""
        files, self._file, self._results = (self._file, self._results), None, None
        for file in files:
            if file is not None:
                os.close(file)

    def _describe(self, error: OSError) -> StreamError:
        return StreamError(
            f"Expected to write to {folder_name(self.folder)}, but that failed: {error.strerror or error}; make room "
            "and start the stream again."
        )

    def _append(self, stretch: Stretch) -> None:
        fs = self.info.fs_hz
        missing = stretch.first - self._next
        length = self._next - self._segment_first
        if self._file is None and stretch.first < self._recorded_end:
            raise StreamError(
                f"Expected samples that follow those in {folder_name(self.folder)}, got a stream that begins again; "
                "choose another folder."
            )
        if self._file is None or missing > _MAX_FILLED_S * fs or missing < 0 or length > self._segment_s * fs:
            self._end_segment()
            self._begin_segment(stretch)
            missing = 0
        digital = digitize(stretch.samples_mv, self._offsets_mv)
        lost = _count_lost(digital, stretch)
        if lost and stretch.first - self._centered >= _CENTER_S * fs:
            fresh = digitize(stretch.samples_mv, choose_offsets(stretch.samples_mv))
            if _count_lost(fresh, stretch) < lost:
                self._centered, digital, missing = stretch.first, fresh, 0
                self._end_segment()
                self._begin_segment(stretch)
        if missing:
            digital = np.concatenate([np.full((len(digital), missing), HIDDEN, "<i2"), digital], axis=1)
        assert self._file is not None
        _write_all(self._file, np.ascontiguousarray(digital.T).tobytes())
        self._next = stretch.end

    def _begin_segment(self, stretch: Stretch) -> None:
        self._number, first = self._number + 1, stretch.first
        self._offsets_mv = choose_offsets(stretch.samples_mv)
        name = f"segment-{self._number:04d}"
        self._header, self._segment_first, self._next = self.folder / f"{name}.hea", first, first
        self._write_header(None)
        self._file = os.open(self.folder / f"{name}.dat", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        if self._keep is not None:
            for number, _ in list_segments(self.folder)[: -self._keep]:
                for ending in ("hea", "dat"):
                    (self.folder / f"segment-{number:04d}.{ending}").unlink(missing_ok=True)

    def _end_segment(self) -> None:
        if self._file is None:
            return
        file, self._file = self._file, None
        _close(file)
        self._write_header(self._next - self._segment_first)

    def _write_header(self, length: int | None) -> None:
        name, info = self._header.stem, self.info
        lines = [f"{name} {len(info.leads)} {info.fs_hz:g}{'' if length is None else f' {length}'}"]
        for lead, offset_mv in zip(info.leads, self._offsets_mv, strict=True):
            lines.append(f"{name}.dat 16 {STEPS_PER_MV}({-offset_mv * STEPS_PER_MV})/mV 16 0 0 0 0 {lead}")
        lines.append(f"# first sample: {self._segment_first}")
        _replace(self._header, "\n".join(lines) + "\n")

    def _write_session(self) -> None:
        _replace(self.folder / SESSION, dump_document("ecglens-session", self._session.to_dict()) + "\n")

    def _sync(self) -> None:
        now = self._clock()
        if now - self._synced_s >= _SYNC_S and self._file is not None:
            self._synced_s = now
            os.fdatasync(self._file)


def read_session_info(folder: str | Path) -> Session:
    """Return what is known of a session.

    Raises:
        DatasetError: There is no session in the folder.
    """
    path = Path(folder) / SESSION
    try:
        document = parse_json(path.read_text(encoding="utf-8"))
        check_version(document, "ecglens-session", path.name)
        info = StreamInfo(str(document["device"]), tuple(document["leads"]), float(document["fs_hz"]))
        ended = document["ended_s"]
        return Session(info, float(document["began_s"]), None if ended is None else float(ended))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DatasetError(
            f"Expected a recorded stream in {folder_name(path.parent)}, got none; check the folder."
        ) from error


def span_session(folder: str | Path) -> tuple[float, float]:
    """Return where the recorded part of a stream begins and ends, in s from the start of the stream.

    Args:
        folder: Folder of the session.

    Raises:
        DatasetError: There is no session in the folder.
    """
    folder = Path(folder)
    info = read_session_info(folder).info
    spans = _list_spans(folder, info, list_segments(folder))
    first, end = min((first for first, _, _ in spans), default=0), max((end for _, end, _ in spans), default=0)
    return first / info.fs_hz, end / info.fs_hz


def read_session(folder: str | Path, *, start_s: float | None = None, seconds: float | None = None) -> EcgRecord:
    """Return a recorded stream, or a part of it, as one record; gaps are NaN.

    Args:
        folder: Folder of the session.
        start_s: Start of the part, in s from the start of the stream; where the recording begins by default.
        seconds: Length of the part; to the end by default.

    Raises:
        DatasetError: There is no session, no sample in that part, or more than fits into memory.
    """
    folder = Path(folder)
    info = read_session_info(folder).info
    size = 2 * max(len(info.leads), 1)
    spans = _list_spans(folder, info, list_segments(folder))
    low = min((first for first, _, _ in spans), default=0) if start_s is None else round(start_s * info.fs_hz)
    high = max((end for _, end, _ in spans), default=0)
    high = high if seconds is None else min(high, low + round(seconds * info.fs_hz))
    if high <= low or not info.leads:
        raise DatasetError(
            f"Expected samples in the recorded stream {folder_name(folder)}, got none in this part of it."
        )
    if (high - low) * len(info.leads) > MAX_SAMPLES:
        raise DatasetError(
            f"Expected at most {MAX_SAMPLES:,} samples, got {(high - low) * len(info.leads):,} in "
            f"{folder_name(folder)}; read a part of the stream."
        )
    signals = np.full((len(info.leads), high - low), np.nan, dtype=np.float32)
    for first, end, path in spans:
        start, stop = max(first, low), min(end, high)
        if stop <= start:
            continue
        with path.open("rb") as file:
            file.seek((start - first) * size)
            digital = np.frombuffer(file.read((stop - start) * size), dtype="<i2").reshape(-1, len(info.leads)).T
        signals_mv = digital / STEPS_PER_MV + _read_offsets(path)[:, None]
        signals[:, start - low : stop - low] = np.where(digital == HIDDEN, np.nan, signals_mv)
    valid = float((~np.isnan(signals)).any(axis=0).mean())
    warnings = () if valid > 0.999 else (f"{100 * (1 - valid):.1f} % of the stream never arrived.",)
    return EcgRecord(signals, info.fs_hz, info.leads, warnings=warnings)


def read_results(folder: str | Path, *, limit: int = 100_000) -> list[dict[str, Any]]:
    """Return the last results of a session as plain types; a line that was cut off by the end of a process is left out.

    Args:
        folder: Folder of the session.
        limit: Number of results.
    """
    path = Path(folder) / RESULTS
    if not path.is_file():
        return []
    with path.open("rb") as file:
        lines = file.readlines()[-limit:]
    out = []
    for line in lines:
        try:
            document = parse_json(line)
        except ValueError:
            continue
        if isinstance(document, dict):
            out.append(document)
    return out


def name_session(info: StreamInfo, began_s: float) -> str:
    """Return a name for the folder of a session, of the device and the time of its start."""
    return f"{plain_name(info.device) or 'stream'}-{time.strftime('%Y%m%dT%H%M%S', time.gmtime(began_s))}"


def list_segments(folder: Path) -> list[tuple[int, int]]:
    """Return number and first sample of each segment, in their order."""
    out = []
    for path in sorted(folder.glob("segment-*.hea")):
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:  # its recorder keeps only the last segments
            continue
        name, start = _SEGMENT.fullmatch(path.stem), _START.search(text)
        if name and start:
            out.append((int(name[1]), int(start[1])))
    return out


def _count_lost(digital: NDArray[np.int16], stretch: Stretch) -> int:
    """Return the number of samples that are out of the range."""
    return int(((digital == HIDDEN) & ~np.isnan(stretch.samples_mv)).sum())


def _read_offsets(path: Path) -> NDArray[np.float64]:
    """Return the offset of each lead of a segment in mV."""
    baselines = _BASELINE.findall(path.with_suffix(".hea").read_text(encoding="utf-8"))
    return -np.array(baselines, dtype=np.float64) / STEPS_PER_MV


def _list_spans(folder: Path, info: StreamInfo, segments: list[tuple[int, int]]) -> list[tuple[int, int, Path]]:
    """Return first sample, end and file of each segment."""
    size = 2 * max(len(info.leads), 1)
    parts = [(first, folder / f"segment-{number:04d}.dat") for number, first in segments]
    return [(first, first + path.stat().st_size // size, path) for first, path in parts if path.is_file()]


def _replace(path: Path, text: str) -> None:
    """Write a small file so that no reader sees half of it."""
    part = path.with_name(f".{path.name}.part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    part.replace(path)


def _close(file: int) -> None:
    """Close a file that is written through to the disk before; where that fails, it is closed all the same."""
    try:
        os.fsync(file)
    finally:
        os.close(file)


def _write_all(file: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(file, view) :]
