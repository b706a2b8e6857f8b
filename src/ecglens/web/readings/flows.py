"""Actions of users and programs on pages: upload, correct, delete; the site's pages and the API share them."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.core.files import File
from django.db import IntegrityError, transaction

from ecglens.corrections import Corrections
from ecglens.errors import EcgLensError
from ecglens.labels import LABELS
from ecglens.leads.search_time import end_searches_after
from ecglens.models.registry import AUTO, list_models
from ecglens.outcomes import Outcome
from ecglens.pages.read import count_pages
from ecglens.settings import load_settings
from ecglens.web.accounts.models import User
from ecglens.web.readings import tasks
from ecglens.web.readings.models import Batch, Reading
from ecglens.web.readings.names import clean_name
from ecglens.web.readings.pipeline import SEARCH_S, Options, predict_page
from ecglens.web.readings.quota import check_quota
from ecglens.web.readings.refusals import RefusedPage
from ecglens.web.readings.results import fill_reading, save_answers, store_page_files
from ecglens.web.readings.store import delete_files, store_file

__all__ = [
    "Refused",
    "Upload",
    "create_batch",
    "create_options",
    "describe_error",
    "list_labels",
    "read_file",
    "replace_refused",
    "update_reading",
]

_NOTE_CHARS = 4000
_LABEL_CHARS = 60
_MAX_MODELS = 4


class Refused(EcgLensError):
    """The request cannot be fulfilled, for a reason of one sentence.

    Args:
        text: The sentence.
        status: HTTP status of the response.
        lang: Language of the sentence; empty if it is the reader's.
    """

    def __init__(self, text: str, status: int = 422, *, lang: str = "en") -> None:
        super().__init__(text)
        self.status, self.lang = status, lang


@dataclass(frozen=True, slots=True)
class Upload:
    """A page that was uploaded.

    Attributes:
        reading: Its reading.
        is_new: Whether it is new; not if another request with the same key was first.
        refused: The page for its sender, where its leads were not found and it may not be stored.
    """

    reading: Reading
    is_new: bool
    refused: RefusedPage | None = None


def create_options(
    user: User, models: list[str] | None = None, *, printed: bool = False, explain: bool = True
) -> Options:
    """Return the options for a user's page.

    Raises:
        Refused: A model is not installed, or there are too many.
    """
    selected = tuple(dict.fromkeys(models or [load_settings().model]))
    installed = {AUTO, *(card.name for card in list_models())}
    unknown = [name for name in selected if name not in installed]
    if unknown:
        raise Refused(
            f"Expected models out of {', '.join(sorted(installed))}, got {unknown[0][:60]}; choose installed ones."
        )
    if len(selected) > _MAX_MODELS:
        raise Refused(f"Expected at most {_MAX_MODELS} models at once, got {len(selected)}; choose fewer.")
    return Options(selected, printed=printed, explain=explain, redact=load_settings().redact and user.redact)


def read_file(
    owner: User,
    content: bytes,
    name: str,
    *,
    options: Options,
    number: int = 1,
    corrections: Corrections | None = None,
    idempotency_key: str | None = None,
    request_sha256: str = "",
) -> Upload:
    """Read a page, and store it with its predictions; a task measures its signals and explains the prediction.

    Nothing is stored of a page that cannot be read.

    Args:
        owner: User who becomes the owner.
        content: The file.
        name: Name of the uploaded file.
        options: Result of :func:`create_options`.
        number: Number of the page in the file, from 1.
        corrections: Corrections of the page by hand.
        idempotency_key: Key of the request: the same key gives the same reading.
        request_sha256: Hash of the whole request; the same key with another hash is refused.

    Raises:
        Refused: The page cannot be read, or the key was used for another request.
    """
    if idempotency_key is not None and (existing := _find_existing(owner, idempotency_key, request_sha256)) is not None:
        return Upload(existing, False)
    _check_room(owner, len(content))
    try:
        with end_searches_after(SEARCH_S):
            first = predict_page(content, number, options, corrections)
    except EcgLensError as error:
        raise Refused(describe_error(name, error)) from error
    reading = Reading(
        owner=owner,
        name=clean_name(name),
        page_number=number,
        options=options.to_dict(),
        sha256=hashlib.sha256(content).hexdigest(),
        idempotency_key=idempotency_key,
        request_sha256=request_sha256,
    )
    try:
        files = store_page_files(first)
    except OSError as error:
        raise Refused(tasks.NO_ROOM, 507) from error
    try:
        with transaction.atomic():
            fill_reading(reading, first, files)
            reading.save(force_insert=True)
            save_answers(reading, first.predictions)
            tasks.enqueue_next(reading)
    except IntegrityError:
        delete_files(*files)
        existing = _find_existing(owner, idempotency_key, request_sha256) if idempotency_key else None
        if existing is None:
            raise
        return Upload(existing, False)
    except BaseException:
        delete_files(*files)
        raise
    return Upload(reading, True, first.refused)


def replace_refused(upload: Upload, pk: UUID | None) -> None:
    """Delete the reading of the same user's page that could not be read, when it was read with corrections.

    Args:
        upload: The page with corrections.
        pk: Number of the reading before, or ``None``.
    """
    if pk is None or upload.reading.outcome == Outcome.NOT_READABLE:
        return
    owned = Reading.objects.filter(owner_id=upload.reading.owner_id, pk=pk, page="", outcome=Outcome.NOT_READABLE)
    before = owned.exclude(pk=upload.reading.pk).first()
    if before is not None:
        before.delete()


def update_reading(reading: Reading, *, note: str | None = None, corrected: str | None = None) -> Reading:
    """Change the note of a reading, or the label that its owner assigns; ``None`` changes nothing.

    Raises:
        Refused: The note or the label is too long.
    """
    if note is not None:
        if len(note) > _NOTE_CHARS:
            raise Refused(f"Expected a note of at most {_NOTE_CHARS} characters, got {len(note)}; write a shorter one.")
        reading.note = note.replace("\x00", "")
    if corrected is not None:
        reading.corrected = _check_label(corrected)
    reading.save(update_fields=["note", "corrected"])
    return reading


def _check_label(label: str) -> str:
    """Return a label on one line.

    Raises:
        Refused: It is too long.
    """
    clean = " ".join("".join(letter if letter.isprintable() else " " for letter in label).split())
    if len(clean) > _LABEL_CHARS:
        raise Refused(f"Expected a label of at most {_LABEL_CHARS} characters, got {len(clean)}; write a shorter one.")
    return clean


def list_labels() -> tuple[str, ...]:
    """Return the labels of all installed models, the public data set's first."""
    labels = dict.fromkeys(LABELS)
    labels.update(dict.fromkeys(label for card in list_models() for label in card.labels))
    return tuple(labels)


def create_batch(owner: User, files: Sequence[File[bytes]], *, options: Options, name: str = "") -> Batch:
    """Store many pages, which tasks read one after the other.

    Args:
        owner: User who becomes the owner.
        files: A ZIP of pages, which a task opens, or pages.
        options: Result of :func:`create_options`.
        name: Name of the batch; the first file's by default.

    Raises:
        Refused: There are no files or too many pages.
    """
    if not files:
        raise Refused("Expected a ZIP or some pages, got nothing; choose files.", 400)
    _check_room(owner, sum(file.size or 0 for file in files))
    archives = [file for file in files if _is_zip(file)]
    batch = Batch(owner=owner, name=clean_name(name or files[0].name), options=options.to_dict())
    if not archives:
        return _add_pages(batch, files)
    if len(files) > 1:
        raise Refused("Expected one ZIP or some pages, got a ZIP among other files; upload it alone.", 400)
    batch.archive, batch.archive_bytes = store_file(archives[0], ".zip"), archives[0].size
    try:
        with transaction.atomic():
            batch.save(force_insert=True)
            tasks.unpack.enqueue(str(batch.pk))
    except BaseException:
        delete_files(batch.archive)
        raise
    return batch


def describe_error(name: str, error: EcgLensError) -> str:
    """Return the sentence of an error with the name of the uploaded file in front."""
    return f"{clean_name(name)}: {error.detail}"


def _check_room(owner: User, size: int) -> None:
    """Refuse more bytes than the owner's account may store.

    Raises:
        Refused: There are more.
    """
    try:
        check_quota(owner.pk, size)
    except EcgLensError as error:
        raise Refused(error.detail, 507) from error


def _is_zip(file: File[bytes]) -> bool:
    start: bytes = file.read(4)
    file.seek(0)
    return start in (b"PK\x03\x04", b"PK\x05\x06")


def _add_pages(batch: Batch, files: Sequence[File[bytes]]) -> Batch:
    pages: list[tasks.WaitingPage] = []
    limit = load_settings().max_batch_pages
    uploads = []
    try:
        for file in files:
            content: bytes = file.read()
            count = count_pages(content)
            if len(pages) + count > limit:
                raise Refused(f"Expected at most {limit} pages, got more; upload them in parts.", 413)
            uploads.append(store_file(content, ""))
            pages += tasks.split_file(str(file.name), uploads[-1], content=content, pages=count)
        with transaction.atomic():
            batch.listed = True
            batch.save(force_insert=True)
            tasks.add_pages(batch, pages)
    except BaseException:
        delete_files(*uploads)
        raise
    return batch


def _find_existing(owner: User, key: str, request_sha256: str) -> Reading | None:
    existing = Reading.objects.filter(owner=owner, idempotency_key=key).first()
    if existing is not None and existing.request_sha256 != request_sha256:
        raise Refused("Expected the same request with the same Idempotency-Key, got another one; use a new key.", 409)
    return existing
