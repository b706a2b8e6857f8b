"""Records as EDF+ files, one signal for each lead in steps of a microvolt, and what a file says beside its signals.

The files are written here (https://www.edfplus.info/specs/edfplus.html): libraries state the length of a block in steps
of 10 µs, of which rates such as 512.414 Hz are no multiple, and cut annotations after 40 characters.
"""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecglens.errors import DatasetError
from ecglens.formats.coded import WRITER, microvolts, rate_of_step, remarks
from ecglens.formats.folders import make_folder
from ecglens.formats.gaps import refuse_gaps
from ecglens.records import EcgRecord

__all__ = ["read_edf_comments", "read_edf_rate", "restore_edf_length", "restore_edf_time", "write_edf"]

_LARGEST = 32767
"""Largest number of a sample, and largest voltage in microvolts, as a step is a microvolt."""
_UNDATED = datetime(1985, 1, 1)
"""Start of a recording whose time is not known: the earliest that EDF can state."""
_YEARS = (1985, 2084)
"""First and last year that the two digits of the header can state."""
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_MAX_BLOCK_SAMPLES = 30_720
"""Samples of all signals in a block; the standard recommends at most 61,440 bytes."""
_BLOCK_S = (0.1, 60.0)
"""Shortest and longest block."""
_NUMBER_CHARS = 8
"""Characters of a number in the header."""
_MAX_DRIFT = 1e-7
"""Relative error of the length of a block: 10 ms in a day, a hundredth of what clocks of recorders have."""
_MAX_MISSTATED = 1e-4
"""Relative error of the rate by the header, up to which an annotation states the same one more exactly."""
_FILLED = "last sample is repeated from here on"
_RATE = re.compile(r"sampling rate: ([\d.]+) Hz")
_MAX_GAP_S = 3600.0
"""Longest gap in a discontinuous recording that becomes missing samples; beyond it are recordings of their own."""


@dataclass(frozen=True, slots=True)
class _Block:
    """A block of samples.

    Attributes:
        samples: Number of samples of each lead.
        seconds: Its length in s as the header states it.
    """

    samples: int
    seconds: str

    @property
    def rate_hz(self) -> float:
        """Sampling rate that a reader computes from the header."""
        return rate_of_step(float(self.seconds) / self.samples)


def write_edf(record: EcgRecord, path: str | Path, *, recorded: datetime | None = None) -> None:
    """Write a record as EDF+; comments, qualities and warnings are annotations at its start.

    A recording whose length no block divides is filled up with its last sample, and an annotation states from when on.
    So does one with the sampling rate, where no block has a length that states it to ten digits.

    Args:
        record: Signals in mV, without gaps, which EDF cannot hold.
        path: Where to write; its folder is made where it is missing.
        recorded: When the recording began, in 1985 to 2084; 1985-01-01 is written where it is not given.

    Raises:
        DatasetError: A lead has gaps, a sample is beyond 32.7 mV, there are too many leads for a block, or EDF cannot
            state the time.
    """
    placed = record.with_distinct_leads().on_one_clock()
    refuse_gaps(placed, "EDF")
    samples = microvolts(placed.signals_mv)
    length = samples.shape[1]
    block = _choose_block(length, placed.fs_hz, len(placed.leads))
    notes = [(0.0, text) for text in remarks(record)]
    if block.rate_hz != placed.fs_hz:
        notes.append((0.0, f"sampling rate: {placed.fs_hz!r} Hz"))
    if filling := -length % block.samples:
        samples = np.pad(samples, ((0, 0), (0, filling)), mode="edge")
        notes.append((length / placed.fs_hz, _FILLED))
    count = samples.shape[1] // block.samples
    texts = _arrange_annotations(notes, count, float(block.seconds))
    header = _header(placed.leads, block, count, len(texts[0]) // 2, recorded)
    path = Path(path)
    make_folder(path.parent)
    with path.open("wb") as stream:
        stream.write(header)
        for number, text in enumerate(texts):
            start = number * block.samples
            stream.write(samples[:, start : start + block.samples].astype("<i2").tobytes() + text)


def read_edf_comments(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the comments of a file that :func:`write_edf` wrote.

    Args:
        facts: What ecgdatakit read beside the signals.
    """
    texts = [str(event["text"]) for event in facts.get("edf_annotations", ()) if event["onset"] == 0]
    return tuple(text for text in texts if not _RATE.fullmatch(text) and text != _FILLED)


def read_edf_rate(facts: Mapping[str, Any], stated_hz: float) -> float:
    """Return the sampling rate in Hz of a file that :func:`write_edf` wrote, to more digits than its header has.

    Args:
        facts: What ecgdatakit read beside the signals.
        stated_hz: Rate by the header, returned where no annotation with this rate states it.
    """
    hits = (_RATE.fullmatch(str(event["text"])) for event in facts.get("edf_annotations", ()))
    exact = next((float(hit[1]) for hit in hits if hit), stated_hz)
    return exact if math.isclose(exact, stated_hz, rel_tol=_MAX_MISSTATED) else stated_hz


def restore_edf_length(signals: NDArray[np.float32], rate_hz: float, facts: Mapping[str, Any]) -> NDArray[np.float32]:
    """Return the signals of a file that :func:`write_edf` wrote without the samples that fill its last block.

    Args:
        signals: ``(leads, samples)``.
        rate_hz: Their sampling rate.
        facts: What ecgdatakit read beside the signals.
    """
    ends = [event["onset"] for event in facts.get("edf_annotations", ()) if event["text"] == _FILLED]
    return signals[:, : max(1, round(ends[-1] * rate_hz))] if ends else signals


def restore_edf_time(
    signals: NDArray[np.float32], rate_hz: float, facts: Mapping[str, Any], name: str
) -> NDArray[np.float32]:
    """Return the signals of a discontinuous file (EDF+D) with missing samples between blocks that do not touch.

    Args:
        signals: ``(leads, samples)``, block after block.
        rate_hz: Their sampling rate.
        facts: What ecgdatakit read beside the signals.
        name: Name of the file, for the error.

    Raises:
        DatasetError: Blocks overlap, or are more than an hour apart.
    """
    onsets, block = np.array(facts.get("record_onsets", ()), float), float(facts["record_duration"])
    samples = round(block * rate_hz)
    if len(onsets) < 2 or samples * len(onsets) != signals.shape[1]:
        return signals
    starts = np.rint((onsets - onsets[0]) * rate_hz).astype(np.int64)
    steps = np.diff(starts)
    if np.all(np.abs(steps - samples) <= 1):
        return signals
    if np.any(steps < samples - 1) or np.any(steps > samples + _MAX_GAP_S * rate_hz):
        raise DatasetError(
            f"Expected blocks that follow each other within {_MAX_GAP_S / 3600:g} h in {name}, got others; cut it "
            "into parts."
        )
    spread = np.full((len(signals), starts[-1] + samples), np.nan, np.float32)
    for number, start in enumerate(starts.tolist()):
        spread[:, start : start + samples] = signals[:, number * samples : (number + 1) * samples]
    return spread


def _header(leads: Sequence[str], block: _Block, count: int, annotation_words: int, recorded: datetime | None) -> bytes:
    """Return the header: its first 256 bytes, then each field of all signals, the annotations last.

    Raises:
        DatasetError: The year is none that the header can state.
    """
    when, first, last = recorded or _UNDATED, *_YEARS
    if not first <= when.year <= last:
        raise DatasetError(
            f"Expected a recording of {first} to {last} to write it as EDF, got one of {when.year}; write WFDB."
        )
    date = "X" if recorded is None else f"{when.day:02}-{_MONTHS[when.month - 1]}-{when.year}"
    signals = len(leads)
    names = [f"ECG {lead}".encode("ascii", "replace").decode() for lead in leads]
    fields: list[tuple[int, Iterable[str | int]]] = [
        (8, ["0"]),
        (80, ["X X X X", f"Startdate {date} X X {WRITER}"]),
        (8, [f"{when:%d.%m.%y}", f"{when:%H.%M.%S}", 256 * (signals + 2)]),
        (44, ["EDF+C"]),
        (8, [count, block.seconds]),
        (4, [signals + 1]),
        (16, [*names, "EDF Annotations"]),
        (80, [""] * (signals + 1)),
        (8, [*["uV"] * signals, ""]),
        (8, [*[-_LARGEST] * signals, -1]),
        (8, [*[_LARGEST] * signals, 1]),
        (8, [*[-_LARGEST] * signals, -_LARGEST - 1]),
        (8, [_LARGEST] * (signals + 1)),
        (80, [""] * (signals + 1)),
        (8, [*[block.samples] * signals, annotation_words]),
        (32, [""] * (signals + 1)),
    ]
    return b"".join(str(value)[:width].ljust(width).encode("ascii") for width, values in fields for value in values)


def _arrange_annotations(notes: Sequence[tuple[float, str]], count: int, block_s: float) -> list[bytes]:
    """Return the annotations of each block, all of one even length: the block's own start, then those that fit.

    Args:
        notes: Onset in s and text.
        count: Number of blocks.
        block_s: Length of a block in s.
    """
    clocks = [f"{_onset(number * block_s)}\x14\x14\0".encode() for number in range(count)]
    waiting = [f"{_onset(onset_s)}\x14{_one_line(text)}\x14\0".encode() for onset_s, text in notes]
    # A block that the next text does not fit into is filled to at least the mean, so that all texts find their place.
    room = max(map(len, waiting), default=0) + math.ceil(sum(map(len, waiting)) / count)
    blocks = []
    for clock in clocks:
        text = b""
        while waiting and len(text) + len(waiting[0]) <= room:
            text += waiting.pop(0)
        blocks.append(clock + text)
    longest = max(map(len, blocks))
    return [block.ljust(longest + longest % 2, b"\0") for block in blocks]


def _onset(seconds: float) -> str:
    """Return a time in s as annotations state it.

    >>> _onset(0.0), _onset(2.5)
    ('+0', '+2.5')
    """
    return f"+{seconds:.9f}".rstrip("0").rstrip(".")


def _one_line(text: str) -> str:
    """Return a text without the characters that separate annotations."""
    return re.sub(r"[\x00\x14\x15]", " ", text)


def _choose_block(length: int, fs_hz: float, leads: int) -> _Block:
    """Return a block of about a second, whose length states the rate, and which divides the recording if one does.

    >>> _choose_block(5000, 500, 12), _choose_block(2503, 250, 12).samples, _choose_block(10_007, 500, 12).samples
    (_Block(samples=500, seconds='1'), 2503, 500)
    """
    least = max(1, math.ceil(_BLOCK_S[0] * fs_hz))
    most = min(max(length, least), _MAX_BLOCK_SAMPLES // leads, int(_BLOCK_S[1] * fs_hz))
    if most < least:
        raise DatasetError(
            f"Expected at most {_MAX_BLOCK_SAMPLES // least} leads at {fs_hz:g} Hz to write them as EDF, got {leads}; "
            "write WFDB."
        )
    sizes = np.arange(min(least, length), most + 1)
    seconds = sizes / fs_hz
    places = 10.0 ** np.where(seconds < 10, _NUMBER_CHARS - 2, _NUMBER_CHARS - 3)  # beside a digit or two and the point
    drifts = np.abs(np.rint(seconds * places) / places / seconds - 1)
    is_exact = drifts <= max(_MAX_DRIFT, drifts.min())
    divides = is_exact & (length % sizes == 0)
    chosen = sizes[divides if divides.any() else is_exact]
    best = int(chosen[np.argmin(np.abs(np.log(chosen / fs_hz)))])
    digits = int(np.log10(places[best - sizes[0]]))
    return _Block(best, f"{best / fs_hz:.{digits}f}".rstrip("0").rstrip("."))
