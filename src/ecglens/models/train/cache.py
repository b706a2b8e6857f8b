"""Pages decoded and prepared once, in memory-mapped files that any run with the same input shares.

A folder belongs to one input recipe and one state of the code that makes inputs. ``page.bin`` and ``signal.bin`` hold
one entry a page behind each other, ``index.txt`` names the entries by the content of their files. An entry is in the
index when it is whole on the disk, so that an interrupted filling is taken up where it stopped.
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
import numpy as np
from filelock import FileLock
from numpy.typing import NDArray

from ecglens.errors import EcgLensError, TrainingError
from ecglens.formats.files import read_record
from ecglens.leads.layout import find_layout
from ecglens.models.cards import sha256_of
from ecglens.models.inputs import InputRecipe, LeadSignals, needs_record, signal_array, stored_input, unsuitable
from ecglens.pages.read import read_page
from ecglens.records import Layout, NotFound, Page
from ecglens.render import damage_page
from ecglens.tracing.trace import trace_page

__all__ = ["Entry", "PageCache", "prepare_page"]

_MADE_BY = ("pages", "leads", "tracing", "render", "models/inputs", "layouts.py", "records.py")
_RECORD = ".hea"
_FEW = 8  # pages for which starting processes is not worth while


@dataclass(frozen=True, slots=True)
class Entry:
    """A page that a run needs.

    Attributes:
        path: The file.
        damage: Kind, strength and seed of the damage that it gets first, or ``None``.
    """

    path: Path
    damage: tuple[str, float, int] | None = None


class PageCache:
    """The prepared pages of one input recipe.

    Args:
        root: Folder that all caches share.
        recipe: From page to stored values.
    """

    def __init__(self, root: Path, recipe: InputRecipe) -> None:
        key = hashlib.sha256(f"{recipe.model_dump_json()}\n{_code_hash()}".encode()).hexdigest()[:16]
        self._recipe, self._folder = recipe, root / key
        self._kinds = {name: np.dtype(np.uint8 if name == "page" else np.float32) for name in recipe.shapes}

    def fill(
        self,
        entries: Sequence[Entry],
        *,
        workers: int = 1,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> tuple[NDArray[np.intp], dict[int, str]]:
        """Prepare what is missing.

        Args:
            entries: The pages that are needed.
            workers: Processes.
            progress: Called with the number of pages prepared and of those to prepare.

        Returns:
            For each entry its place in :meth:`open`'s arrays, -1 where it has none; and why, by the entry's number.

        Raises:
            TrainingError: A file cannot be read, or the disk is full.
        """
        names = _names(entries)
        self._folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self._folder / "lock"):
            places = self._index()
            self._cut(len(places))
            missing = {name: entry for name, entry in zip(names, entries, strict=True) if name not in places}
            failed = self._add(missing, places, workers, progress)
        reasons = {number: failed[name] for number, name in enumerate(names) if name in failed}
        return np.array([places.get(name, -1) for name in names], dtype=np.intp), reasons

    def open(self) -> tuple[NDArray[Any], ...]:
        """Every prepared page, memory-mapped: one ``(pages, rows, *shape)`` array for each input of the model."""
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
        whole, _, _ = text.rpartition("\n")  # a line that was being written when the run was killed has no end
        return {name: place for place, name in enumerate(whole.splitlines())}

    def _add(
        self,
        missing: dict[str, Entry],
        places: dict[str, int],
        workers: int,
        progress: Callable[[int, int], None],
    ) -> dict[str, str]:
        """Append entries to the files; returns the reasons of those that could not be prepared."""
        failed: dict[str, str] = {}
        jobs = [(entry, self._recipe) for entry in missing.values()]
        processes = (
            nullcontext()
            if min(workers, len(jobs) // _FEW) < 2
            else ProcessPoolExecutor(workers, get_context("spawn"), _begin_worker)
        )
        with processes as pool:
            for done, (name, made) in enumerate(zip(missing, _made(jobs, pool), strict=True), start=1):
                if isinstance(made, str):
                    failed[name] = made
                else:
                    self._append(name, made)
                    places[name] = len(places)
                progress(done, len(jobs))
        return failed

    def _cut(self, count: int) -> None:
        """Forget what lies behind the last whole entry."""
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

    def _append(self, name: str, made: dict[str, NDArray[Any]]) -> None:
        try:
            for kind, values in made.items():
                _extend(self._folder / f"{kind}.bin", np.ascontiguousarray(values, self._kinds[kind]).tobytes())
            _extend(self._folder / "index.txt", f"{name}\n".encode())
        except OSError as error:
            raise TrainingError(
                f"The prepared pages could not be written to '{self._folder}': {error.strerror}; make room, or name "
                "another folder with --cache."
            ) from error


def prepare_page(entry: Entry, recipe: InputRecipe) -> dict[str, NDArray[Any]] | str:
    """Stored values of one page as a model reads it.

    Args:
        entry: The page, or a WFDB record for a model of signals.
        recipe: From page to stored values.

    Returns:
        One ``(rows, *shape)`` array for each input of the model, or why there is none.
    """
    try:
        if entry.path.suffix.lower() == _RECORD:
            return _stored_record(entry.path, recipe)
        page = read_page(entry.path)
        layout = find_layout(page)
        if entry.damage is not None and isinstance(layout, Layout):
            kind, strength, seed = entry.damage
            page = damage_page(page, kind, strength, seed, dpi=25.4 * float(np.mean(layout.px_per_mm)))
            layout = find_layout(page)
        if isinstance(layout, NotFound):
            return f"The leads of '{entry.path.name}' were not found. {layout.reason}"
        reason = unsuitable(layout, recipe)
        if reason is not None:
            hint = " Set input.known_print=false to train on other prints." if "print" in reason else ""
            return f"'{entry.path.name}' does not fit the recipe. {reason}{hint}"
        return stored_input(page, layout, recipe, _record(page, layout, recipe))
    except EcgLensError as error:
        return f"'{entry.path.name}' cannot be used. {error}"


def _stored_record(path: Path, recipe: InputRecipe) -> dict[str, NDArray[Any]] | str:
    """Stored values of a recording that never was a page."""
    if not isinstance(recipe, LeadSignals):
        return f"'{path.name}' does not fit the recipe. It reads pages; draw the recordings with ecglens render."
    return {"signal": signal_array(read_record(path), recipe)[None]}


def _made(jobs: Sequence[tuple[Entry, InputRecipe]], pool: Executor | None) -> Iterator[dict[str, NDArray[Any]] | str]:
    return map(_make, jobs) if pool is None else pool.map(_make, jobs, chunksize=4)


def _begin_worker() -> None:
    """One thread; an interrupt is for the process that waits."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    cv2.setNumThreads(1)


def _make(job: tuple[Entry, InputRecipe]) -> dict[str, NDArray[Any]] | str:
    return prepare_page(*job)


def _extend(path: Path, content: bytes) -> None:
    with path.open("ab") as stream:
        stream.write(content)


def _hash(path: Path) -> str:
    """Of a page, or of a record's header and samples."""
    samples = path.with_suffix(".dat")
    if path.suffix.lower() == _RECORD and samples.exists():
        return hashlib.sha256(f"{sha256_of(path)}{sha256_of(samples)}".encode()).hexdigest()
    return sha256_of(path)


def _names(entries: Iterable[Entry]) -> list[str]:
    names = []
    hashes: dict[Path, str] = {}
    for entry in entries:
        if entry.path not in hashes:
            try:
                hashes[entry.path] = _hash(entry.path)
            except OSError as error:
                raise TrainingError(
                    f"Expected the page '{entry.path}', but it cannot be read: {error.strerror}; mend the table of "
                    "recordings and run the command again."
                ) from error
        names.append(hashes[entry.path] + ("" if entry.damage is None else ":{}:{:.6f}:{}".format(*entry.damage)))
    return names


def _record(page: Page, layout: Layout, recipe: InputRecipe) -> Any:
    return trace_page(page, layout).record if needs_record(recipe) else None


@lru_cache(maxsize=1)
def _code_hash() -> str:
    """Of the code that makes inputs: what an older one has prepared is not taken for today's."""
    digest = hashlib.sha256()
    package = Path(str(files("ecglens")))
    for part in _MADE_BY:
        path = package / part
        for source in sorted(path.rglob("*.py")) if path.is_dir() else [path]:
            digest.update(source.read_bytes())
    return digest.hexdigest()
