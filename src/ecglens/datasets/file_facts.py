"""Facts that the audit needs of each file, read once and stored so that a stopped audit resumes."""

import hashlib
import io
import json
import multiprocessing
import signal
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from ecglens.datasets.duplicates.signatures import grid_rows, trace_gray, trace_signature
from ecglens.datasets.header_groups import Word, header_words
from ecglens.documents import parse_json
from ecglens.errors import EcgReadError
from ecglens.pages.read import read_page

__all__ = ["FileFacts", "file_digest", "gather", "open_store"]

_VERSION = 3
_STRIP = (12, 64)
"""Rows and columns of the small images of header and footer."""


@dataclass(frozen=True, slots=True, eq=False)
class FileFacts:
    """One distinct file.

    Attributes:
        problem: Reason why it is no page, or ``""``.
        warnings: Warnings of the reader.
        pixels: SHA-256 of the decoded pixels and their shape.
        height: Height in px.
        width: Width in px.
        size_bytes: Size of the file.
        brightness: Mean gray level.
        sharpness: Logarithm of the variance of the Laplacian.
        tables: Sum of the JPEG quantization tables, 0 for other files.
        beats: Beats across the width of the traces, or 0 where they could not be counted.
        signature: Signature of the traces, empty where there are none.
        header: ``_STRIP`` small image, empty where there is none.
        footer: ``_STRIP`` small image, empty where there is none.
        date: The right part of the footer, where recorders print the date.
        words: Words of the header.
    """

    problem: str = ""
    warnings: tuple[str, ...] = ()
    pixels: str = ""
    height: int = 0
    width: int = 0
    size_bytes: int = 0
    brightness: float = 0.0
    sharpness: float = 0.0
    tables: float = 0.0
    beats: float = 0.0
    signature: NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, np.uint8))
    header: NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, np.uint8))
    footer: NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, np.uint8))
    date: NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, np.uint8))
    words: tuple[Word, ...] = ()


_ARRAYS = ("signature", "header", "footer", "date")


def file_digest(path: Path) -> str:
    """Compute the SHA-256 of a file, ``""`` where it cannot be read."""
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError:
        return ""


def gather(
    paths: Sequence[Path],
    digests: Sequence[str],
    *,
    store: Path | None,
    workers: int,
    progress: Callable[[int, int], None],
) -> dict[str, FileFacts]:
    """Read each distinct file once.

    Args:
        paths: Files.
        digests: SHA-256 of each.
        store: A file that stores what was read, so that the work can resume; ``None`` stores nothing.
        workers: Number of processes; 0 does the work in this one.
        progress: Called with the number done and the number of all.

    Returns:
        Facts by digest.
    """
    first: dict[str, Path] = {}
    for path, digest in zip(paths, digests, strict=True):
        first.setdefault(digest, path)
    facts_of: dict[str, FileFacts] = {}
    with closing(open_store(store)) as connection:
        for digest, blob in connection.execute("SELECT digest, facts FROM facts WHERE version = ?", (_VERSION,)):
            if digest in first:
                facts_of[digest] = _unpack(blob)
        todo = [(digest, path) for digest, path in first.items() if digest not in facts_of]
        progress(len(facts_of), len(first))
        for (digest, _), facts in zip(todo, _examine_all([path for _, path in todo], workers), strict=True):
            facts_of[digest] = facts
            connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?, ?)", (digest, _VERSION, _pack(facts)))
            if len(facts_of) % 16 == 0:
                connection.commit()
            progress(len(facts_of), len(first))
        connection.commit()
    return facts_of


def open_store(store: Path | None) -> sqlite3.Connection:
    """Open the file that stores what an audit has read, or a store in memory where it is ``None``."""
    if store is not None:
        store.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(":memory:" if store is None else store)
    for table in ("facts", "prints"):
        connection.execute(
            f"CREATE TABLE IF NOT EXISTS {table} (digest TEXT PRIMARY KEY, version INTEGER, {table} BLOB)"
        )
    return connection


def examine(path: Path) -> FileFacts:
    """Read one file and collect its facts; a file that is no page has a ``problem``."""
    try:
        page = read_page(path)
    except EcgReadError as error:
        return FileFacts(problem=str(error), size_bytes=path.stat().st_size if path.is_file() else 0)
    gray = np.asarray(cv2.cvtColor(page.pixels, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
    rows = grid_rows(gray)
    signature = trace_signature(trace_gray(page.pixels))
    nothing = np.empty(0, np.uint8)
    top, bottom = rows or (0, page.height)
    return FileFacts(
        problem="" if signature is not None else "No ECG traces were seen on the page.",
        warnings=page.warnings,
        pixels=hashlib.sha256(str(page.pixels.shape).encode() + page.pixels.tobytes()).hexdigest(),
        height=page.height,
        width=page.width,
        size_bytes=path.stat().st_size,
        brightness=float(gray.mean()),
        sharpness=float(np.log1p(cv2.Laplacian(gray, cv2.CV_32F).var())),
        tables=_tables(path),
        beats=_beats(gray[top:bottom]),
        signature=nothing if signature is None else signature,
        header=_strip(gray[:top]),
        footer=_strip(gray[bottom:]),
        date=_strip(gray[bottom:, gray.shape[1] * 2 // 3 :]),
        words=tuple(header_words(gray, top)),
    )


def _examine_all(paths: Sequence[Path], workers: int) -> Iterator[FileFacts]:
    if workers < 2 or len(paths) < 8:
        yield from map(examine, paths)
        return
    # A fork of a process in which OpenCV has threads can hang.
    fresh = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers, mp_context=fresh, initializer=_begin_worker)
    try:
        yield from pool.map(examine, paths, chunksize=8)
    finally:
        pool.shutdown(cancel_futures=True)


def _begin_worker() -> None:
    """Set up a worker with one thread; it ignores interrupts, which the waiting process handles."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)


def _strip(gray: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if gray.shape[0] < 8 or gray.shape[1] < 8:
        return np.empty(0, np.uint8)
    small = cv2.resize(gray, (_STRIP[1], _STRIP[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8).ravel()


def _tables(path: Path) -> float:
    try:
        with Image.open(path) as image:
            tables = getattr(image, "quantization", None) or {}
            return float(sum(sum(table) for table in tables.values()))
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError):
        return 0.0


def _beats(body: NDArray[np.uint8]) -> float:
    """Count beats across the lowest trace, by the strongest period of the amount of ink in each column."""
    strip = body[-max(1, body.shape[0] // 4) :]
    reach = (strip < 0.6 * float(np.percentile(strip, 90))).sum(axis=0).astype(np.float64)
    reach = reach[len(reach) // 12 : -len(reach) // 16]
    reach -= reach.mean()
    size = len(reach)
    if size < 64 or not reach.any():
        return 0.0
    spectrum = np.abs(np.fft.rfft(reach, 2 * size)) ** 2
    correlation = np.fft.irfft(spectrum)[:size]
    first, last = size // 35, size // 5
    lag = first + int(np.argmax(correlation[first:last]))
    return float(size / lag) if correlation[lag] > 0.15 * correlation[0] else 0.0


def _pack(facts: FileFacts) -> bytes:
    stream = io.BytesIO()
    plain = {name: value for name, value in asdict(facts).items() if name not in (*_ARRAYS, "words")}
    plain["places"] = [(word.parting, word.line, word.place) for word in facts.words]
    arrays = {name: getattr(facts, name) for name in _ARRAYS}
    arrays |= {f"word{number}": word.pixels for number, word in enumerate(facts.words)}
    np.savez(stream, plain=np.frombuffer(json.dumps(plain).encode(), np.uint8), **arrays)
    return stream.getvalue()


def _unpack(blob: bytes) -> FileFacts:
    with np.load(io.BytesIO(blob), allow_pickle=False) as stored:
        plain = parse_json(stored["plain"].tobytes())
        places = plain.pop("places")
        words = tuple(Word(parting, line, place, stored[f"word{n}"]) for n, (parting, line, place) in enumerate(places))
        arrays = {name: stored[name] for name in _ARRAYS}
    return FileFacts(**{**plain, "warnings": tuple(plain["warnings"])}, **arrays, words=words)
