"""Work that continues after the response; each task may be run again after a worker was lost.

Rows of the queue name these functions, so that a renamed task would be lost at an update.
"""

import hashlib
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from django.conf import settings
from django.db import DatabaseError, InterfaceError, transaction
from django.db.models import F
from django_tasks import task
from django_tasks.base import TASK_MIN_PRIORITY, TaskResultStatus
from django_tasks_db.models import DBTaskResult

from ecglens.batch.entries import Entry
from ecglens.batch.fetching import fetch_with_parts
from ecglens.batch.sources import PAGE_ENDINGS, RECORD_ENDINGS, list_entries
from ecglens.corrections import Corrections
from ecglens.errors import BatchError, EcgLensError
from ecglens.outcomes import Outcome
from ecglens.pages.read import count_pages
from ecglens.settings import load_settings
from ecglens.web.http.uploads import has_room
from ecglens.web.readings.deadline import extend_deadline
from ecglens.web.readings.models import Batch, Reading
from ecglens.web.readings.names import clean_path
from ecglens.web.readings.pipeline import Details, Options, measure_page, predict_page
from ecglens.web.readings.quota import check_quota
from ecglens.web.readings.results import claim_reading, save_details, save_failure, save_first_result
from ecglens.web.readings.store import delete_files, store_file

__all__ = [
    "BATCH_PRIORITY",
    "NO_ROOM",
    "WaitingPage",
    "add_pages",
    "enqueue_next",
    "list_unfinished",
    "look_closer",
    "read_waiting",
    "requeue_unfinished",
    "split_file",
    "unpack",
]

BATCH_PRIORITY = -10
"""Highest priority of pages in batches: below that of pages for which a user waits."""
_PAGES_PER_PRIORITY = 10
"""Pages of a batch that wait with the same priority."""

_MAX_ATTEMPTS = 3
_INTERRUPTED = (
    f"The work was interrupted {_MAX_ATTEMPTS} times; the page may need more memory or time than there is. Try a "
    "smaller scan."
)
_INTERRUPTED_UNPACKING = (
    f"Opening the archive was interrupted {_MAX_ATTEMPTS} times; it may need more memory or time than there is. Upload "
    "its pages in parts."
)
_INTERNAL_ERROR = "This could not be done because of an error in ecglens, which was logged."
NO_ROOM = "Expected room for the results, but the disk of this site is full; tell its operator."
_INDEX_BYTES = 16_000_000
"""Index of an archive with a hundred times as many files as a batch may have pages."""
_NO_PAGE = (
    "No leads were located on the page, so nothing was measured; and the page was not stored, since the print on it, "
    "which may include names, could not be redacted."
)
_LOG = logging.getLogger(__name__)

T = TypeVar("T")


@task()
def look_closer(pk: str) -> str:
    """Measure the signals of a page that has a prediction, and explain the prediction."""
    reading = claim_reading(pk, Reading.State.ANSWERED)
    if reading is None:
        return "skipped"
    if reading.attempts > _MAX_ATTEMPTS or not reading.page:
        save_failure(reading, "measuring", _INTERRUPTED if reading.page else _NO_PAGE)
        return "given up"

    def measure() -> Details:
        options = Options.from_dict(reading.options)
        changes = reading.corrections
        corrections = Corrections.from_dict(changes[-1]["content"]) if changes else None
        return measure_page(
            _content(reading.page), _content(reading.reading_state), reading.facts, options, corrections
        )

    details = _run_stage(reading, "measuring", measure)
    if details is None:
        return "failed"
    stored = _run_stage(reading, "measuring", lambda: save_details(reading, details))
    return "failed" if stored is None else "stored" if stored else "skipped"


@task()
def read_waiting(pk: str) -> str:
    """Read a page of a batch."""
    reading = claim_reading(pk, Reading.State.WAITING)
    if reading is None:
        return "skipped"
    if reading.attempts > _MAX_ATTEMPTS:
        save_failure(reading, "reading", _INTERRUPTED)
        return "given up"
    options = Options.from_dict(reading.options)
    first = _run_stage(reading, "reading", lambda: predict_page(_content(reading.upload), reading.page_number, options))
    if first is None:
        return "failed"

    def save() -> bool:
        with transaction.atomic():
            saved = save_first_result(reading, first)
            if saved is not None:
                enqueue_next(saved)
            return saved is not None

    stored = _run_stage(reading, "reading", save)
    return "failed" if stored is None else "stored" if stored else "skipped"


@task(priority=BATCH_PRIORITY + 1)
def unpack(pk: str) -> str:
    """Open the archive of a batch: each page in it becomes a reading that waits, or one that failed."""
    batch = Batch.objects.filter(pk=pk, listed=False, failure_reason="").first()
    if batch is None or not batch.archive:
        return "skipped"
    Batch.objects.filter(pk=pk).update(attempts=F("attempts") + 1)
    archive = batch.archive.name
    try:
        if batch.attempts >= _MAX_ATTEMPTS:
            raise BatchError(_INTERRUPTED_UNPACKING)
        with _local_copy(batch.archive) as path:
            skipped_files = _unpack_archive(batch, path)
    except EcgLensError as error:
        changes: dict[str, Any] = {"failure_reason": error.detail}
    except OSError as error:
        _LOG.error("Pages of batch %s could not be stored: %s", pk, error.strerror)
        changes = {"failure_reason": NO_ROOM}
    else:
        changes = {"skipped_files": skipped_files}
    with transaction.atomic():
        Batch.objects.filter(pk=pk).update(listed=True, archive="", archive_bytes=0, **changes)
        delete_files(archive)
    return "failed" if "failure_reason" in changes else "stored"


def enqueue_next(reading: Reading) -> None:
    """Enqueue the next step of a reading: the more earlier pages of its owner are unfinished, the later is its turn.

    The pages of one user, or of a large batch, thus do not hold up those of others.
    """
    is_batch = reading.batch_id is not None
    earlier = Reading.objects.filter(owner_id=reading.owner_id, created_at__lt=reading.created_at, state=reading.state)
    ahead = earlier.filter(batch__isnull=not is_batch).count()
    if is_batch:
        priority = max(BATCH_PRIORITY - ahead // _PAGES_PER_PRIORITY, TASK_MIN_PRIORITY)
    else:
        priority = max(-ahead, BATCH_PRIORITY + 1)
    step = look_closer if reading.state == Reading.State.ANSWERED else read_waiting
    step.using(priority=priority).enqueue(str(reading.pk))


def list_unfinished() -> Iterator[Reading]:
    """Iterate over the readings for which there is work left, oldest first, without their results."""
    unfinished = Reading.objects.filter(state__in=[Reading.State.WAITING, Reading.State.ANSWERED])
    columns = unfinished.order_by("created_at").only("owner_id", "batch_id", "state", "created_at")
    return columns.iterator(chunk_size=500)


def requeue_unfinished() -> int:
    """Enqueue tasks for readings and batches that are not finished and have none, and return how many.

    Tasks are lost where the database fails while the end of one is recorded. A task that is enqueued twice does nothing
    the second time.
    """
    rows = DBTaskResult.objects.filter(status__in=[TaskResultStatus.READY, TaskResultStatus.RUNNING])
    queued = {arguments["args"][0] for arguments in rows.values_list("args_kwargs", flat=True)}
    lost = 0
    for reading in list_unfinished():
        if str(reading.pk) not in queued:
            enqueue_next(reading)
            lost += 1
    for pk in Batch.objects.exclude(archive="").filter(listed=False).values_list("pk", flat=True):
        if str(pk) not in queued:
            unpack.enqueue(str(pk))
            lost += 1
    return lost


@dataclass(frozen=True, slots=True)
class WaitingPage:
    """A page of a batch that is to be read.

    Attributes:
        name: Name of its file.
        number: Number of the page there, from 1.
        upload: Name under which the file is stored.
        size: Share of the page in the bytes of the file.
        sha256: Hash of the file.
    """

    name: str
    number: int
    upload: str
    size: int
    sha256: str


def split_file(name: str, upload: str, *, content: bytes, pages: int) -> list[WaitingPage]:
    """Return the pages of a file.

    Args:
        name: Name of the file.
        upload: Name under which it is stored.
        content: The file.
        pages: Number of its pages.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    return [WaitingPage(name, page + 1, upload, len(content) // pages, sha256) for page in range(pages)]


def add_pages(batch: Batch, pages: Sequence[WaitingPage], *, start: int = 0, entry: int | None = None) -> None:
    """Create a waiting reading for each page of a batch.

    Args:
        batch: A batch that is stored.
        pages: Its next pages.
        start: Position of the first page in the batch.
        entry: Position of the file in the batch's archive.
    """
    waiting = Reading.objects.bulk_create(
        Reading(
            owner_id=batch.owner_id,
            batch=batch,
            position=start + offset,
            entry=entry,
            name=clean_path(page.name),
            page_number=page.number,
            options=batch.options,
            upload=page.upload,
            stored_bytes=page.size,
            sha256=page.sha256,
        )
        for offset, page in enumerate(pages)
    )
    for reading in waiting:
        enqueue_next(reading)


def _run_stage(reading: Reading, stage: str, work: Callable[[], T]) -> T | None:
    """Return the result of the work; ``None`` if it failed, with the reason stored."""
    try:
        return work()
    except EcgLensError as error:
        save_failure(reading, stage, error.detail)
    except (DatabaseError, InterfaceError):
        raise
    except OSError as error:
        _LOG.error("%s of reading %s could not be stored: %s", stage.capitalize(), reading.pk, error.strerror)
        save_failure(reading, stage, NO_ROOM)
    except Exception:
        _LOG.exception("%s of reading %s failed.", stage.capitalize(), reading.pk)
        save_failure(reading, stage, _INTERNAL_ERROR)
    return None


def _unpack_archive(batch: Batch, path: str) -> int:
    """Create readings for an archive's files, each file in a transaction; existing readings are kept.

    Returns:
        Number of files that were skipped because of their names.
    """
    limit = load_settings().max_batch_pages
    skipped: list[str] = []
    entries = list(islice(_list_files(path, skipped), limit + 1))
    if not entries:
        raise BatchError(
            "Expected a ZIP of pages, got one without files that have names of pages; put JPEG, PNG, TIFF or PDF files "
            "into it."
        )
    if len(entries) > limit:
        raise BatchError(f"Expected at most {limit} pages, got more; upload them in parts.")
    done = set(batch.readings.values_list("entry", flat=True))
    for number, entry in enumerate(sorted(entries, key=lambda each: each.name)):
        extend_deadline()
        if number not in done and not _add_entry(batch, number, entry, limit):
            raise BatchError(f"Expected at most {limit} pages, got more; those beyond are left out.")
    return len(skipped)


def _list_files(path: str, skipped: list[str]) -> Iterator[Entry]:
    """List the pages and digital ECGs of an archive, and add the names of other files to those that were skipped."""
    endings = (*PAGE_ENDINGS, *RECORD_ENDINGS)
    return list_entries(path, on_skip=skipped.append, max_index_bytes=_INDEX_BYTES, endings=endings)


def _add_entry(batch: Batch, number: int, entry: Entry, limit: int) -> bool:
    """Create readings for a file's pages; return false if the batch would have too many."""
    start = batch.readings.count()
    try:
        _check_size(entry)
        content, _ = fetch_with_parts(entry, max_bytes=settings.MAX_UPLOAD_BYTES)
        check_quota(batch.owner_id, len(content))
        if not has_room(len(content)):
            raise BatchError(NO_ROOM)
    except EcgLensError as error:
        Reading.objects.create(
            owner_id=batch.owner_id,
            batch=batch,
            position=start,
            entry=number,
            name=clean_path(entry.name),
            options=batch.options,
            state=Reading.State.FAILED,
            outcome=Outcome.NOT_READABLE.value,
            stage="reading",
            failure_reason=error.detail,
        )
        return True
    pages = count_pages(content)
    if start + pages > limit:
        return False
    upload = store_file(content, "")
    try:
        with transaction.atomic():
            waiting = split_file(entry.name, upload, content=content, pages=pages)
            add_pages(batch, waiting, start=start, entry=number)
    except BaseException:
        delete_files(upload)
        raise
    return True


def _check_size(entry: Entry) -> None:
    """Check the size that the archive states; the real one is limited where the file is read."""
    size = int(entry.place[2]) if entry.place[:1] == ("zip",) else 0
    if size > settings.MAX_UPLOAD_BYTES:
        raise BatchError(
            f"Expected a page of at most {settings.MAX_UPLOAD_BYTES / 1024**2:g} MB in the archive, got one of "
            f"{size / 1024**2:,.0f} MB; leave it out, or scan it smaller."
        )


@contextmanager
def _local_copy(archive: Any) -> Iterator[str]:
    """Copy the archive to a temporary file on this machine, whatever its storage."""
    with tempfile.TemporaryDirectory(prefix="ecglens-") as folder:
        path = Path(folder) / "archive.zip"
        with archive.open("rb") as source, path.open("wb") as copy:
            shutil.copyfileobj(source, copy)
        yield str(path)


def _content(file: Any) -> bytes:
    if not file:
        return b""
    with file.open("rb") as stream:
        content: bytes = stream.read()
    return content
