"""Many pages, from a source to a result's folder: listed, read, told."""

import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

from ecglens.batch.engine import Item, cluster, read_all
from ecglens.batch.entries import Entry, FetchError, is_remote
from ecglens.batch.job import Job, Options, make_job
from ecglens.batch.readers import Answer
from ecglens.batch.results import (
    FAILED,
    JOURNAL,
    RunInfo,
    has_run,
    keep_files,
    open_result,
    result_folder,
    take_back,
    write_info,
    write_tables,
)
from ecglens.batch.sources import absolute, list_entries, with_data
from ecglens.batch.store import Counts, Journal
from ecglens.batch.summary import SUMMARY, write_summary
from ecglens.errors import BatchError, EcgLensError
from ecglens.extras import is_installed, require

__all__ = ["Progress", "Result", "report", "run", "run_job"]

_RATE_SECONDS = 60.0
"""Over which the rate is told."""

Source = str | os.PathLike[str] | Iterable[Entry]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is.

    Attributes:
        state: ``"listing"``, ``"reading"``, ``"writing"`` or ``"finished"``.
        files: Files found so far while listing, all of them from then on.
        done: Files that were read or tried, in this run and before.
        pages: Pages that were read or tried.
        failures: Those without an answer.
        pages_per_s: Over the last minute of this run; ``None`` before the first page.
        seconds_left: Until all is read, at that rate.
    """

    state: str
    files: int
    done: int = 0
    pages: int = 0
    failures: int = 0
    pages_per_s: float | None = None
    seconds_left: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """The progress in plain types, rates rounded."""
        told = asdict(self)
        for name in ("pages_per_s", "seconds_left"):
            told[name] = None if told[name] is None else round(told[name], 2)
        return told


@dataclass(frozen=True, slots=True)
class Result:
    """What a run came to.

    Attributes:
        folder: Where the result is: ``out``, or a folder in it where ``out`` holds the result of another run.
        files: Of the source.
        pages: Rows of the result.
        failures: Rows without an answer.
        copies: Files that hold the same as another, which have no row of their own.
        passed_over: Files of the source that were not taken for pages.
    """

    folder: Path
    files: int
    pages: int
    failures: int
    copies: int = 0
    passed_over: int = 0

    @property
    def summary(self) -> Path:
        """The page to look at."""
        return self.folder / SUMMARY

    @property
    def failures_file(self) -> Path:
        """Every failure with its reason."""
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
    """Read many pages, each once, and tell what was found.

    What was answered is kept as it comes: a run that ended in whatever way goes on where it was when started again.

    Args:
        source: Folder, pattern, CSV of paths, ZIP, TAR, page, fsspec address, or entries.
        out: Folder for the result; that of another run is left alone, and this one's is made in it.
        options: What is asked of each page.
        workers: Processes that read on this machine; as many as it has cores where it is ``None``.
        scheduler: Address of a Dask scheduler whose workers read instead.
        listener: Told of the progress; an exception from it stops the run, which can be started again.
        pictures: Whether the summary shows small pictures of pages.

    Raises:
        BatchError: The source, the folder, the cluster or an option cannot be used.
        ModelError: There is no such model.
        MissingExtraError: What the source or the result needs is not installed.
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
    """:func:`run` for options that were resolved already."""
    for module in ("pyarrow", "distributed"):
        if not is_installed(module):
            require(module, extra="batch")  # names the extra to install; importing both takes seconds
    if workers is not None and workers < 1:
        raise BatchError(f"Expected at least 1 process to read with, found {workers}.")
    where = absolute(source) if isinstance(source, str | os.PathLike) else "entries"
    info = RunInfo(job.fingerprint(where), where, job, started=_now())
    folder = result_folder(Path(out), info)
    _check_outside(folder, where)
    passed_over: list[int] = [0]
    entries = _first_of_all(_listed(source, where, passed_over), where, passed_over)
    report_to = _Reporter(listener)
    folder.mkdir(parents=True, exist_ok=True)
    with Journal(folder / JOURNAL) as journal:
        is_complete = _is_complete(folder)
        before = journal.counts()
        if not is_complete:
            write_info(folder, info)
        _list(journal, report_to.listing(entries), folder)
        report_to.start(journal.counts())
        if is_complete and journal.counts() == before and not report_to.left:
            report_to.say("finished")
            return Result(folder, before.files, before.pages, before.failures, before.copies, passed_over[0])
        write_info(folder, info)
        if report_to.left:
            _read(journal, folder, job, report_to, workers=workers or _cores(), scheduler=scheduler)
        report_to.say("writing")
        write_tables(journal, folder, job)
        counts = journal.counts()
    write_info(folder, replace(info, finished=_now(), passed_over=passed_over[0]))
    write_summary(folder, pictures=pictures)
    report_to.say("finished")
    return Result(folder, counts.files, counts.pages, counts.failures, counts.copies, passed_over[0])


def report(folder: str | os.PathLike[str], *, pictures: bool = True) -> Path:
    """Write the tables and the summary of a result again, of a run that did not come to its end too.

    Args:
        folder: Of the result.
        pictures: Whether the summary shows small pictures of pages.

    Returns:
        The summary.

    Raises:
        BatchError: There is no result, or a run works on it.
    """
    folder = Path(folder)
    info = open_result(folder)
    if info.finished is None:
        with Journal(folder / JOURNAL) as journal:
            write_tables(journal, folder, info.job)
    return write_summary(folder, pictures=pictures)


def _is_complete(folder: Path) -> bool:
    """Return whether an earlier run has written everything, so that only new files are left to do."""
    if not (folder / SUMMARY).is_file() or not has_run(folder):
        return False
    return open_result(folder).finished is not None


def _list(journal: Journal, entries: Iterator[Entry], folder: Path) -> None:
    """Add what there is to read; a new result whose source cannot be listed is taken back."""
    is_new = not journal.counts().files
    try:
        journal.add(entries)
    except EcgLensError:
        if is_new:
            journal.close()
            take_back(folder)
        raise
    journal.forget_failures()


def _read(
    journal: Journal, folder: Path, job: Job, report_to: "_Reporter", *, workers: int, scheduler: str | None
) -> None:
    pending = with_data(journal.pending(), max_bytes=job.max_file_bytes)
    items = (Item(number, entry, data) for number, entry, data in pending)

    def take(answers: Sequence[tuple[int, Answer]]) -> None:
        for _, answer in answers:
            keep_files(folder, answer.files)
        journal.take(answers)
        report_to.took(answers)

    with cluster(workers=workers, scheduler=scheduler) as client:
        report_to.say("reading")
        read_all(items, files=report_to.left, job=job, client=client, take=take)


class _Reporter:
    """Counts what is done and tells the listener."""

    def __init__(self, listener: Listener | None) -> None:
        self._listener = listener
        self._counts = Counts()
        self._seen: deque[tuple[float, int, int]] = deque()

    @property
    def left(self) -> int:
        """Files that were neither read nor tried."""
        return self._counts.files - self._counts.done

    def listing(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Pass entries through and tell how many there are."""
        for number, entry in enumerate(entries):
            if number % 10_000 == 0:
                self._tell(Progress("listing", number))
            yield entry

    def start(self, counts: Counts) -> None:
        """Begin with what was done before."""
        self._counts = counts
        self._seen.append((time.monotonic(), counts.done, counts.pages))

    def took(self, answers: Sequence[tuple[int, Answer]]) -> None:
        """Count a chunk and tell."""
        rows = [row.failure for _, answer in answers for row in answer.rows]
        rows += [answer.failure for _, answer in answers if answer.sha256 is None]
        before = self._counts
        self._counts = Counts(
            before.files,
            before.done + len(answers),
            before.pages + len(rows),
            before.failures + sum(failure is not None for failure in rows),
        )
        self._seen.append((time.monotonic(), self._counts.done, self._counts.pages))
        while self._seen[-1][0] - self._seen[0][0] > _RATE_SECONDS and len(self._seen) > 2:
            self._seen.popleft()
        self.say("reading")

    def say(self, state: str) -> None:
        """Tell the listener where the run stands."""
        (began, files, pages), (now, files_now, pages_now) = self._seen[0], self._seen[-1]
        seconds = now - began
        rate = (pages_now - pages) / seconds if seconds > 0 else None
        left = self.left * seconds / (files_now - files) if files_now > files else None
        counts = self._counts
        self._tell(Progress(state, counts.files, counts.done, counts.pages, counts.failures, rate, left))

    def _tell(self, progress: Progress) -> None:
        if self._listener is not None:
            self._listener(progress)


def _listed(source: Source, where: str, passed_over: list[int]) -> Iterator[Entry]:
    def pass_over(name: str) -> None:
        passed_over[0] += 1

    if not isinstance(source, str | os.PathLike):
        yield from source
        return
    try:
        yield from list_entries(where, passed_over=pass_over)
    except FetchError as error:
        raise BatchError(f"{where}: {error}") from error


def _first_of_all(entries: Iterator[Entry], where: str, passed_over: list[int]) -> Iterator[Entry]:
    """The same entries, of which there is one at least: an empty source leaves no folder behind."""
    first = next(entries, None)
    if first is None:
        others = f" beside {passed_over[0]} other files" if passed_over[0] else ""
        raise BatchError(f"Expected pages in {where}, found none{others}.")
    return chain([first], entries)


def _check_outside(folder: Path, where: str) -> None:
    """Refuse to write where the next listing would find it."""
    if not is_remote(where) and os.path.isdir(where) and folder.resolve().is_relative_to(Path(where).resolve()):
        raise BatchError(f"Expected a folder outside of {where} for the result, but {folder} lies in it; name another.")


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
