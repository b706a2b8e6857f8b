"""Work that continues after the response; each task may be run again after a worker was lost.

Rows of the queue name these functions, so that a renamed task would be lost at an update.
"""

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
from ecglens.web.readings.models import Batch, Reading
from ecglens.web.readings.names import clean_name
from ecglens.web.readings.pipeline import Details, Options, measure_page, predict_page
from ecglens.web.readings.results import claim_reading, save_details, save_failure, save_first_result
from ecglens.web.readings.store import delete_files, store_file

__all__ = ["BATCH_PRIORITY", "add_pages", "look_closer", "read_waiting", "unpack"]

BATCH_PRIORITY = -10
"""Priority below that of pages for which a user waits."""

_MAX_ATTEMPTS = 3
_INTERRUPTED = (
    f"The work was interrupted {_MAX_ATTEMPTS} times; the page may need more memory than there is. Try a smaller scan."
)
_INTERNAL_ERROR = "This could not be done because of an error in ecglens, which was logged."
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
        return measure_page(_content(reading.page), _content(reading.reading_state), reading.facts, options)

    details = _run_stage(reading, "measuring", measure)
    if details is None:
        return "failed"
    return "stored" if save_details(reading, details) else "skipped"


@task(priority=BATCH_PRIORITY)
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
    with transaction.atomic():
        if not save_first_result(reading, first):
            return "skipped"
        look_closer.using(priority=BATCH_PRIORITY).enqueue(pk)
    return "stored"


@task(priority=BATCH_PRIORITY + 1)
def unpack(pk: str) -> str:
    """Open the archive of a batch: each page in it becomes a reading that waits, or one that failed."""
    batch = Batch.objects.filter(pk=pk, listed=False, failure_reason="").first()
    if batch is None or not batch.archive:
        return "skipped"
    archive = batch.archive.name
    try:
        with _local_copy(batch.archive) as path:
            skipped_files = _unpack_archive(batch, path)
    except EcgLensError as error:
        changes: dict[str, Any] = {"failure_reason": error.detail}
    else:
        changes = {"skipped_files": skipped_files}
    with transaction.atomic():
        Batch.objects.filter(pk=pk).update(listed=True, archive="", **changes)
        delete_files(archive)
    return "failed" if "failure_reason" in changes else "stored"


def add_pages(batch: Batch, pages: Sequence[tuple[str, int, str]], *, start: int = 0, entry: int | None = None) -> None:
    """Create a waiting reading for each page of a batch.

    Args:
        batch: A batch that is stored.
        pages: For each page, its file's name, its number there, and the name under which the file is stored.
        start: Position of the first page in the batch.
        entry: Position of the file in the batch's archive.
    """
    waiting = Reading.objects.bulk_create(
        Reading(
            owner_id=batch.owner_id,
            batch=batch,
            position=start + offset,
            entry=entry,
            name=clean_name(name),
            page_number=number,
            options=batch.options,
            upload=upload,
        )
        for offset, (name, number, upload) in enumerate(pages)
    )
    for reading in waiting:
        read_waiting.enqueue(str(reading.pk))


def _run_stage(reading: Reading, stage: str, work: Callable[[], T]) -> T | None:
    """Return the result of the work; ``None`` if it failed, with the reason stored."""
    try:
        return work()
    except EcgLensError as error:
        save_failure(reading, stage, error.detail)
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
    entries = list(islice(list_entries(path, on_skip=skipped.append), limit + 1))
    if not entries:
        raise BatchError(
            "Expected a ZIP of pages, got one without files that have names of pages; put JPEG, PNG, TIFF or PDF files "
            "into it."
        )
    if len(entries) > limit:
        raise BatchError(f"Expected at most {limit} pages, got more; upload them in parts.")
    done = set(batch.readings.values_list("entry", flat=True))
    for number, entry in enumerate(sorted(entries, key=lambda each: each.name)):
        if number not in done and not _add_entry(batch, number, entry, limit):
            raise BatchError(f"Expected at most {limit} pages, got more; those beyond are left out.")
    return len(skipped)


def _add_entry(batch: Batch, number: int, entry: Entry, limit: int) -> bool:
    """Create readings for a file's pages; return false if the batch would have too many."""
    start = batch.readings.count()
    try:
        _check_size(entry)
        content = fetch(entry, max_bytes=settings.MAX_UPLOAD_BYTES)
    except EcgLensError as error:
        Reading.objects.create(
            owner_id=batch.owner_id,
            batch=batch,
            position=start,
            entry=number,
            name=clean_name(entry.name),
            options=batch.options,
            state=Reading.State.FAILED,
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
            add_pages(batch, [(entry.name, page + 1, upload) for page in range(pages)], start=start, entry=number)
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
