"""Work that goes on after the answer; each task may be run again after a worker was lost."""

import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from django.conf import settings
from django.db import transaction
from django_tasks import task

from ecglens.batch.entries import Entry, fetch
from ecglens.batch.sources import list_entries
from ecglens.errors import BatchError, EcgLensError
from ecglens.pages.read import count_pages
from ecglens.settings import load_settings
from ecglens.web.readings.keeping import fail, keep_answers, keep_details, take
from ecglens.web.readings.models import Batch, Reading
from ecglens.web.readings.names import plain_name
from ecglens.web.readings.store import drop, keep
from ecglens.web.readings.work import Details, Options, first_look
from ecglens.web.readings.work import look_closer as worked_out

__all__ = ["BATCH_PRIORITY", "add_pages", "look_closer", "read_waiting", "unpack"]

BATCH_PRIORITY = -10
"""Behind pages that somebody waits for."""

_MOST_ATTEMPTS = 3
_LOST = (
    f"The work was broken off {_MOST_ATTEMPTS} times; the page may need more memory than there is. Try a smaller scan."
)
_OURS = "This could not be done because of an error in ecglens, which was logged."
_NO_PAGE = (
    "No leads were found on the page, so nothing was measured; and the page was not kept, as nothing tells what on it "
    "may be a name."
)
_LOG = logging.getLogger(__name__)

T = TypeVar("T")


@task()
def look_closer(pk: str) -> str:
    """Measure the signals of a page that was answered, and explain its answer."""
    reading = take(pk, Reading.State.ANSWERED)
    if reading is None:
        return "not to be done"
    if reading.attempts > _MOST_ATTEMPTS or not reading.page:
        fail(reading, "measuring", _LOST if reading.page else _NO_PAGE)
        return "given up"

    def measured() -> Details:
        options = Options.from_dict(reading.options)
        return worked_out(_content(reading.page), _content(reading.reading_state), reading.facts, options)

    found = _tried(reading, "measuring", measured)
    if found is None:
        return "failed"
    return "kept" if keep_details(reading, found) else "not to be done"


@task(priority=BATCH_PRIORITY)
def read_waiting(pk: str) -> str:
    """Read a page of a batch."""
    reading = take(pk, Reading.State.WAITING)
    if reading is None:
        return "not to be done"
    if reading.attempts > _MOST_ATTEMPTS:
        fail(reading, "reading", _LOST)
        return "given up"
    options = Options.from_dict(reading.options)
    first = _tried(reading, "reading", lambda: first_look(_content(reading.upload), reading.page_number, options))
    if first is None:
        return "failed"
    with transaction.atomic():
        if not keep_answers(reading, first):
            return "not to be done"
        look_closer.using(priority=BATCH_PRIORITY).enqueue(pk)
    return "kept"


@task(priority=BATCH_PRIORITY + 1)
def unpack(pk: str) -> str:
    """Open the archive of a batch: each page in it becomes a reading that waits, or one that failed."""
    batch = Batch.objects.filter(pk=pk, listed=False, trouble="").first()
    if batch is None or not batch.archive:
        return "not to be done"
    archive = batch.archive.name
    try:
        with _local_copy(batch.archive) as path:
            passed_over = _unpacked(batch, path)
    except EcgLensError as error:
        told: dict[str, Any] = {"trouble": str(error).removeprefix("bytes: ")}
    else:
        told = {"passed_over": passed_over}
    with transaction.atomic():
        Batch.objects.filter(pk=pk).update(listed=True, archive="", **told)
        drop(archive)
    return "failed" if "trouble" in told else "kept"


def add_pages(batch: Batch, pages: Sequence[tuple[str, int, str]], *, start: int = 0, entry: int | None = None) -> None:
    """Make a waiting reading of each page of a batch.

    Args:
        batch: That is kept.
        pages: Of each its file's name, its number there, and where the file is kept.
        start: Place of the first in the batch.
        entry: Of the file in the batch's archive.
    """
    waiting = Reading.objects.bulk_create(
        Reading(
            owner_id=batch.owner_id,
            batch=batch,
            place=start + place,
            entry=entry,
            name=plain_name(name),
            page_number=number,
            options=batch.options,
            upload=upload,
        )
        for place, (name, number, upload) in enumerate(pages)
    )
    for reading in waiting:
        read_waiting.enqueue(str(reading.pk))


def _tried(reading: Reading, stage: str, work: Callable[[], T]) -> T | None:
    """What comes of the work; ``None`` where it failed, which is kept with its reason."""
    try:
        return work()
    except EcgLensError as error:
        fail(reading, stage, str(error).removeprefix("bytes: "))
    except Exception:
        _LOG.exception("%s of reading %s failed.", stage.capitalize(), reading.pk)
        fail(reading, stage, _OURS)
    return None


def _unpacked(batch: Batch, path: str) -> int:
    """Make readings of an archive's files, each file in a transaction; those that were made before stay.

    Returns:
        How many files were passed over by their names.
    """
    most = load_settings().max_batch_pages
    passed_over: list[str] = []
    try:
        entries = list(islice(list_entries(path, passed_over=passed_over.append), most + 1))
    except EcgLensError as error:
        raise BatchError(str(error).replace(f" at {path}", "")) from error
    if not entries:
        raise BatchError(
            "Expected a ZIP with pages in it, found none by their names; put JPEG, PNG, TIFF or PDF files into it."
        )
    if len(entries) > most:
        raise BatchError(f"Expected at most {most} pages, found more; upload them in parts.")
    done = set(batch.readings.values_list("entry", flat=True))
    for number, entry in enumerate(sorted(entries, key=lambda each: each.name)):
        if number not in done and not _take_entry(batch, number, entry, most):
            raise BatchError(f"Expected at most {most} pages, found more; those beyond are left out.")
    return len(passed_over)


def _take_entry(batch: Batch, number: int, entry: Entry, most: int) -> bool:
    """Make readings of a file's pages; false where the batch would have too many."""
    start = batch.readings.count()
    try:
        _check_size(entry)
        content = fetch(entry, max_bytes=settings.MAX_UPLOAD_BYTES)
    except EcgLensError as error:
        Reading.objects.create(
            owner_id=batch.owner_id,
            batch=batch,
            place=start,
            entry=number,
            name=plain_name(entry.name),
            options=batch.options,
            state=Reading.State.FAILED,
            stage="reading",
            trouble=str(error),
        )
        return True
    pages = count_pages(content)
    if start + pages > most:
        return False
    upload = keep(content, "")
    try:
        with transaction.atomic():
            add_pages(batch, [(entry.name, page + 1, upload) for page in range(pages)], start=start, entry=number)
    except BaseException:
        drop(upload)
        raise
    return True


def _check_size(entry: Entry) -> None:
    """By what the archive says; what it really holds is limited where it is read."""
    size = int(entry.place[2]) if entry.place[:1] == ("zip",) else 0
    if size > settings.MAX_UPLOAD_BYTES:
        raise BatchError(
            f"Expected a page of at most {settings.MAX_UPLOAD_BYTES / 1024**2:g} MB in the archive, found one of "
            f"{size / 1024**2:,.0f} MB; leave it out, or scan it smaller."
        )


@contextmanager
def _local_copy(archive: Any) -> Iterator[str]:
    """The archive on this machine, wherever it is kept."""
    with tempfile.TemporaryDirectory(prefix="ecglens-") as folder:
        path = Path(folder) / "archive.zip"
        with archive.open("rb") as source, path.open("wb") as copy:
            shutil.copyfileobj(source, copy)
        yield str(path)


def _content(file: Any) -> bytes:
    if not file:
        return b""
    with file.open("rb") as opened:
        content: bytes = opened.read()
    return content
