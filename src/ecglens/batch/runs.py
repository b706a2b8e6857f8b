"""Run a batch: list the pages of a source, read them, and write the tables and the summary of the result."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

from ecglens.arguments import describe_value
from ecglens.batch.engine import Item, cluster, read_all
from ecglens.batch.entries import Entry, FetchError, is_remote
from ecglens.batch.job import Job, Options, make_job
from ecglens.batch.readers import FileResult
from ecglens.batch.results import (
    FAILED,
    JOURNAL,
    RunInfo,
    choose_folder,
    has_run,
    open_result,
    remove_empty_result,
    store_files,
    write_info,
    write_tables,
)
from ecglens.batch.sources import PAGE_ENDINGS, RECORD_ENDINGS, add_data, list_entries, make_absolute
from ecglens.batch.store import Counts, Journal
from ecglens.batch.summary import SUMMARY, write_summary
from ecglens.errors import BatchError, EcgLensError
from ecglens.extras import is_installed, require

__all__ = ["Progress", "Result", "report", "run", "run_job"]

_MOST_NAMED = 3
"""Skipped files of which a result has the names."""

_RATE_SECONDS = 60.0
"""Length of the time over which the rate is measured, in s."""

Source = str | os.PathLike[str] | Iterable[Entry]


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a run.

    Attributes:
        state: ``"listing"``, ``"reading"``, ``"writing"`` or ``"finished"``.
        files: Number of files; while listing, of those listed so far.
        done: Number of files that were processed, in this run and in earlier ones.
        pages: Number of pages that were processed.
        failures: Number of pages that failed.
        pages_per_s: Rate over the last minute of this run; ``None`` before the first page.
        seconds_left: Remaining time at that rate, in s.
    """

    state: str
    files: int
    done: int = 0
    pages: int = 0
    failures: int = 0
    pages_per_s: float | None = None
    seconds_left: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the progress in plain types, with rounded rates."""
        values = asdict(self)
        for name in ("pages_per_s", "seconds_left"):
            values[name] = None if values[name] is None else round(values[name], 2)
        return values


@dataclass(frozen=True, slots=True)
class Result:
    """Outcome of a run.

    Attributes:
        folder: Folder of the result: ``out``, or a folder in it if ``out`` holds the result of another run.
        files: Number of files of the source.
        pages: Number of rows of the result.
        failures: Number of rows of failed pages.
        copies: Number of files with the same bytes as another; they have no row of their own.
        skipped_files: Number of files of the source that were skipped because of their names.
        skipped_names: Names of the first of these.
    """

    folder: Path
    files: int
    pages: int
    failures: int
    copies: int = 0
    skipped_files: int = 0
    skipped_names: tuple[str, ...] = ()

    @property
    def summary(self) -> Path:
        """Path of the summary, an HTML page."""
        return self.folder / SUMMARY

    @property
    def failures_file(self) -> Path:
        """Path of the CSV file that lists every failure with its reason."""
        return self.folder / FAILED


Listener = Callable[[Progress], None]


def run(
    source: Source,
    out: str | os.PathLike[str],
    *,
    options: Options | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    listener: Listener | None = None,
    pictures: bool = True,
) -> Result:
    """Read many pages, each once, into a table, and write a summary.

    Results are stored as they arrive. A run that was stopped in any way resumes when it is started again.

    Args:
        source: Folder, pattern, CSV of paths, ZIP, TAR, page, fsspec address, or entries.
        out: Folder for the result. If it holds the result of another run, this one gets a folder in it.
        options: What to read from each page.
        workers: Number of processes that read on this machine; one for each core if ``None``.
        scheduler: Address of a Dask scheduler whose workers read instead.
        listener: Called with the progress. An exception that it raises stops the run, which can be started again.
        pictures: Show small pictures of pages in the summary.

    Raises:
        BatchError: The source, the folder, the cluster or an option cannot be used.
        ModelError: The model does not exist.
        MissingExtraError: A package that the source or the result needs is not installed.
    """
    return run_job(
        source,
        out,
        make_job(options or Options()),
        workers=workers,
        scheduler=scheduler,
        listener=listener,
        pictures=pictures,
    )


def run_job(
    source: Source,
    out: str | os.PathLike[str],
    job: Job,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    listener: Listener | None = None,
    pictures: bool = True,
) -> Result:
    """Read many pages like :func:`run`, with options that were resolved already."""
    for module in ("pyarrow", "distributed", "jinja2"):
        if not is_installed(module):
            require(module, extra="batch")  # names the extra to install; importing all of them takes seconds
    if workers is not None and (not isinstance(workers, int) or workers < 1):
        raise BatchError(f"Expected at least 1 process to read with, got {describe_value(workers)}.")
    location = make_absolute(source) if isinstance(source, str | os.PathLike) else "entries"
    info = RunInfo(job.fingerprint(location), location, job, started=_now())
    folder = choose_folder(Path(out), info)
    _check_outside(folder, location)
    skipped = _Skipped()
    entries = _check_not_empty(_list_source(source, location, skipped), location, skipped)
    reporter = _Reporter(listener)
    folder.mkdir(parents=True, exist_ok=True)
    with Journal(folder / JOURNAL) as journal:
        is_complete = _is_complete(folder)
        before = journal.count()
        if not is_complete:
            write_info(folder, info)
        _add_entries(journal, reporter.listing(entries), folder)
        reporter.start(journal.count())
        if is_complete and journal.count() == before and not reporter.left:
            reporter.report("finished")
            return _make_result(folder, before, skipped)
        write_info(folder, info)
        if reporter.left:
            _read(journal, folder, job, reporter, workers=workers or _cores(), scheduler=scheduler)
        reporter.report("writing")
        write_tables(journal, folder, job)
        counts = journal.count()
    write_info(folder, replace(info, finished=_now(), skipped_files=skipped.count, skipped_names=skipped.names))
    write_summary(folder, pictures=pictures)
    reporter.report("finished")
    return _make_result(folder, counts, skipped)


def report(folder: str | os.PathLike[str], *, pictures: bool = True) -> Path:
    """Write the summary of a result again, and the tables too if the run was stopped.

    Args:
        folder: Folder of the result.
        pictures: Show small pictures of pages in the summary.

    Returns:
        Path of the summary.

    Raises:
        BatchError: There is no result, or another process writes to it.
    """
    folder = Path(folder)
    info = open_result(folder)
    if info.finished is None:
        with Journal(folder / JOURNAL) as journal:
            write_tables(journal, folder, info.job)
    return write_summary(folder, pictures=pictures)


def _is_complete(folder: Path) -> bool:
    """Return whether an earlier run has written everything, so that only new files remain to be read."""
    if not (folder / SUMMARY).is_file() or not has_run(folder):
        return False
    return open_result(folder).finished is not None


def _add_entries(journal: Journal, entries: Iterator[Entry], folder: Path) -> None:
    """Add the files to read. If the source of a new result cannot be listed, remove the result."""
    is_new = not journal.count().files
    try:
        journal.add(entries)
    except EcgLensError:
        if is_new:
            journal.close()
            remove_empty_result(folder)
        raise
    journal.forget_failures()


def _read(
    journal: Journal, folder: Path, job: Job, reporter: "_Reporter", *, workers: int, scheduler: str | None
) -> None:
    pending = add_data(journal.pending(), max_bytes=job.max_file_bytes)
    items = (Item(number, entry, data) for number, entry, data in pending)

    def store(results: Sequence[tuple[int, FileResult]]) -> None:
        for _, result in results:
            store_files(folder, result.files)
        journal.store(results)
        reporter.add(results)

    with cluster(workers=workers, scheduler=scheduler) as client:
        reporter.report("reading")
        read_all(items, files=reporter.left, job=job, client=client, store=store)


class _Reporter:
    """Counts the processed files and pages, and calls the listener."""

    def __init__(self, listener: Listener | None) -> None:
        self._listener = listener
        self._counts = Counts()
        self._history: deque[tuple[float, int, int]] = deque()

    @property
    def left(self) -> int:
        """Number of files that were not processed yet."""
        return self._counts.files - self._counts.done

    def listing(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Yield the entries unchanged and report their number now and then."""
        for number, entry in enumerate(entries):
            if number % 10_000 == 0:
                self._notify(Progress("listing", number))
            yield entry

    def start(self, counts: Counts) -> None:
        """Start with the counts of earlier runs."""
        self._counts = counts
        self._history.append((time.monotonic(), counts.done, counts.pages))

    def add(self, results: Sequence[tuple[int, FileResult]]) -> None:
        """Add the results of a chunk to the counts, and report the progress."""
        failures = [row.failure for _, result in results for row in result.rows]
        failures += [result.failure for _, result in results if result.sha256 is None]
        before = self._counts
        self._counts = Counts(
            before.files,
            before.done + len(results),
            before.pages + len(failures),
            before.failures + sum(failure is not None for failure in failures),
        )
        self._history.append((time.monotonic(), self._counts.done, self._counts.pages))
        while self._history[-1][0] - self._history[0][0] > _RATE_SECONDS and len(self._history) > 2:
            self._history.popleft()
        self.report("reading")

    def report(self, state: str) -> None:
        """Call the listener with the current progress."""
        (start, files, pages), (now, files_now, pages_now) = self._history[0], self._history[-1]
        seconds = now - start
        rate = (pages_now - pages) / seconds if seconds > 0 else None
        left = self.left * seconds / (files_now - files) if files_now > files else None
        counts = self._counts
        self._notify(Progress(state, counts.files, counts.done, counts.pages, counts.failures, rate, left))

    def _notify(self, progress: Progress) -> None:
        if self._listener is not None:
            self._listener(progress)


class _Skipped:
    """The number of files that were skipped because of their names, and the first of the names."""

    def __init__(self) -> None:
        self.count = 0
        self.names: tuple[str, ...] = ()

    def add(self, name: str) -> None:
        """Count a file."""
        self.count += 1
        self.names = tuple(sorted((*self.names, name))[:_MOST_NAMED])


def _make_result(folder: Path, counts: Counts, skipped: _Skipped) -> Result:
    numbers = (counts.files, counts.pages, counts.failures, counts.copies, skipped.count)
    return Result(folder, *numbers, skipped.names)


def _list_source(source: Source, location: str, skipped: _Skipped) -> Iterator[Entry]:
    if not isinstance(source, str | os.PathLike):
        yield from source
        return
    try:
        yield from list_entries(location, on_skip=skipped.add, endings=(*PAGE_ENDINGS, *RECORD_ENDINGS))
    except FetchError as error:
        raise BatchError(f"{location}: {error}") from error


def _check_not_empty(entries: Iterator[Entry], location: str, skipped: _Skipped) -> Iterator[Entry]:
    """Return the same entries, or raise an error if there are none, so that an empty source leaves no folder behind."""
    first = next(entries, None)
    if first is None:
        others = f" beside {skipped.count} other files, such as {skipped.names[0]}" if skipped.count else ""
        raise BatchError(f"Expected pages in {location}, got none{others}.")
    return chain([first], entries)


def _check_outside(folder: Path, location: str) -> None:
    """Refuse to write into the source, where the next listing would include the result."""
    is_folder = not is_remote(location) and os.path.isdir(location)
    if is_folder and folder.resolve().is_relative_to(Path(location).resolve()):
        raise BatchError(f"Expected a folder for the result outside of {location}, got {folder}; name another.")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
