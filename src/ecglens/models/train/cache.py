"""Cache of prepared pages, in memory-mapped files that all runs with the same input share.

A folder belongs to one input recipe and one version of the code that prepares inputs. ``page.bin`` and ``signal.bin``
contain the entries of the pages one after another, and ``index.txt`` names the entries by a hash of their files. An
entry is added to the index after it was completely written, so that an interrupted preparation can be resumed.
"""

import hashlib
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import msgspec
import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from ecglens.datasets.sources import is_record
from ecglens.errors import EcgLensError, TrainingError
from ecglens.formats.files import read_record
from ecglens.leads.layout import find_layout
from ecglens.models.cards import sha256_of
from ecglens.models.inputs import (
    InputRecipe,
    LeadSignals,
    find_mismatch,
    make_signal_array,
    make_stored_input,
    needs_record,
)
from ecglens.pages.read import read_page
from ecglens.records import Layout, NotFound, Page
from ecglens.render import damage_page
from ecglens.tracing.trace import trace_page

__all__ = ["Entry", "PageCache", "prepare_page"]

_SOURCES = ("pages", "leads", "tracing", "render", "models/inputs", "layouts.py", "records.py")
_RECORD = ".hea"
_FEW = 8  # pages for which it is not worth starting processes


@dataclass(frozen=True, slots=True)
class Entry:
    """Page that a run needs.

    Attributes:
        path: File of the page.
        damage: Kind, strength and seed of the damage that is applied first, or ``None``.
    """

    path: Path
    damage: tuple[str, float, int] | None = None


class PageCache:
    """Prepared pages of one input recipe.

    Args:
        root: Folder that all caches share.
        recipe: Input recipe, from page to stored values.
    """

    def __init__(self, root: Path, recipe: InputRecipe) -> None:
        key = hashlib.sha256(msgspec.json.encode(recipe) + b"\n" + _code_hash().encode()).hexdigest()[:16]
        self._recipe, self._folder = recipe, root / key
        self._kinds = {name: np.dtype(np.uint8 if name == "page" else np.float32) for name in recipe.shapes}

    def fill(
        self,
        entries: Sequence[Entry],
        *,
        workers: int = 1,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> tuple[NDArray[np.intp], dict[int, str]]:
        """Prepare the pages that are missing.

        Args:
            entries: Pages that are needed.
            workers: Number of processes.
            progress: Function called with the number of prepared pages and the number of pages to prepare.

        Returns:
            The index of each entry in the arrays of :meth:`open`, -1 if it could not be prepared; and the reasons, by
            the entry's number.

        Raises:
            TrainingError: A file cannot be read, or the disk is full.
        """
        names = _entry_names(entries)
        self._folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self._folder / "lock"):
            places = self._index()
            self._truncate(len(places))
            missing = {name: entry for name, entry in zip(names, entries, strict=True) if name not in places}
            failed = self._add(missing, places, workers, progress)
        reasons = {number: failed[name] for number, name in enumerate(names) if name in failed}
        return np.array([places.get(name, -1) for name in names], dtype=np.intp), reasons

    def open(self) -> tuple[NDArray[Any], ...]:
        """Open all prepared pages, memory-mapped: one ``(pages, rows, *shape)`` array for each input of the model."""
        rows, count = len(self._recipe.rows), len(self._index())
        return tuple(
            np.memmap(self._folder / f"{name}.bin", self._kinds[name], mode="r", shape=(count, rows, *shape))
            for name, shape in self._recipe.shapes.items()
        )

    def _index(self) -> dict[str, int]:
        try:
            text = (self._folder / "index.txt").read_text(encoding="ascii")
        except FileNotFoundError:
            return {}
        whole, _, _ = text.rpartition("\n")  # the last line is incomplete if the run was killed while it was written
        return {name: place for place, name in enumerate(whole.splitlines())}

    def _add(
        self,
        missing: dict[str, Entry],
        places: dict[str, int],
        workers: int,
        progress: Callable[[int, int], None],
    ) -> dict[str, str]:
        """Append entries to the files and return the reasons for those that could not be prepared."""
        failed: dict[str, str] = {}
        jobs = [(entry, self._recipe) for entry in missing.values()]
        processes = (
            nullcontext()
            if min(workers, len(jobs) // _FEW) < 2
            else ProcessPoolExecutor(workers, get_context("spawn"), _start_worker)
        )
        with processes as pool:
            for done, (name, prepared) in enumerate(zip(missing, _prepare_all(jobs, pool), strict=True), start=1):
                if isinstance(prepared, str):
                    failed[name] = prepared
                else:
                    self._append(name, prepared)
                    places[name] = len(places)
                progress(done, len(jobs))
        return failed

    def _truncate(self, count: int) -> None:
        """Discard everything after the last complete entry."""
        for name, shape in self._recipe.shapes.items():
            size = count * len(self._recipe.rows) * int(np.prod(shape)) * self._kinds[name].itemsize
            path = self._folder / f"{name}.bin"
            path.touch()
            if path.stat().st_size < size:
                raise TrainingError(f"The prepared pages in '{self._folder}' are damaged; remove that folder.")
            os.truncate(path, size)
        index = self._folder / "index.txt"
        index.touch()
        os.truncate(index, index.read_bytes().rfind(b"\n") + 1)

    def _append(self, name: str, page: dict[str, NDArray[Any]]) -> None:
        try:
            for kind, values in page.items():
                _extend(self._folder / f"{kind}.bin", np.ascontiguousarray(values, self._kinds[kind]).tobytes())
            _extend(self._folder / "index.txt", f"{name}\n".encode())
        except OSError as error:
            raise TrainingError(
                f"The prepared pages could not be written to '{self._folder}': {error.strerror}; make room, or name "
                "another folder with --cache."
            ) from error


def prepare_page(entry: Entry, recipe: InputRecipe) -> dict[str, NDArray[Any]] | str:
    """Prepare the stored values of one page.

    Args:
        entry: Page, or a digital ECG for a model of signals.
        recipe: Input recipe, from page to stored values.

    Returns:
        One ``(rows, *shape)`` array for each input of the model, or the reason why the page cannot be used.
    """
    try:
        if is_record(entry.path):
            return _stored_record(entry.path, recipe)
        page = read_page(entry.path)
        layout = find_layout(page)
        if entry.damage is not None and isinstance(layout, Layout):
            kind, strength, seed = entry.damage
            page = damage_page(page, kind, strength, seed, dpi=25.4 * float(np.mean(layout.px_per_mm)))
            layout = find_layout(page)
        if isinstance(layout, NotFound):
            return f"The leads of '{entry.path.name}' were not found. {layout.reason}"
        reason = find_mismatch(layout, recipe)
        if reason is not None:
            hint = " Set input.known_print=false to train on other prints." if "print" in reason else ""
            return f"'{entry.path.name}' does not fit the recipe. {reason}{hint}"
        return make_stored_input(page, layout, recipe, _trace_record(page, layout, recipe))
    except EcgLensError as error:
        return f"'{entry.path.name}' cannot be used. {error}"


def _stored_record(path: Path, recipe: InputRecipe) -> dict[str, NDArray[Any]] | str:
    """Prepare the stored values of a digital ECG."""
    if not isinstance(recipe, LeadSignals):
        return f"'{path.name}' does not fit the recipe. It reads pages; render the recordings with ecglens render."
    return {"signal": make_signal_array(read_record(path), recipe)[None]}


def _prepare_all(
    jobs: Sequence[tuple[Entry, InputRecipe]], pool: Executor | None
) -> Iterator[dict[str, NDArray[Any]] | str]:
    return map(_prepare_job, jobs) if pool is None else pool.map(_prepare_job, jobs, chunksize=4)


def _start_worker() -> None:
    """Use one thread, and leave interrupts to the main process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)


def _prepare_job(job: tuple[Entry, InputRecipe]) -> dict[str, NDArray[Any]] | str:
    return prepare_page(*job)


def _extend(path: Path, content: bytes) -> None:
    with path.open("ab") as stream:
        stream.write(content)


def _hash(path: Path) -> str:
    """Compute the hash of a page, or of a record's header and samples."""
    samples = path.with_suffix(".dat")
    if path.suffix.lower() == _RECORD and samples.exists():
        return hashlib.sha256(f"{sha256_of(path)}{sha256_of(samples)}".encode()).hexdigest()
    return sha256_of(path)


def _entry_names(entries: Iterable[Entry]) -> list[str]:
    names = []
    hashes: dict[Path, str] = {}
    for entry in entries:
        if entry.path not in hashes:
            try:
                hashes[entry.path] = _hash(entry.path)
            except OSError as error:
                raise TrainingError(
                    f"Expected the page '{entry.path}', but it cannot be read: {error.strerror}; correct the table of "
                    "recordings and run the command again."
                ) from error
        names.append(hashes[entry.path] + ("" if entry.damage is None else ":{}:{:.6f}:{}".format(*entry.damage)))
    return names


def _trace_record(page: Page, layout: Layout, recipe: InputRecipe) -> Any:
    return trace_page(page, layout).record if needs_record(recipe) else None


@lru_cache(maxsize=1)
def _code_hash() -> str:
    """Compute the hash of the code that prepares inputs, so that entries of older versions are not reused."""
    digest = hashlib.sha256()
    package = Path(str(files("ecglens")))
    for part in _SOURCES:
        path = package / part
        for source in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(source.read_bytes())
    return digest.hexdigest()
