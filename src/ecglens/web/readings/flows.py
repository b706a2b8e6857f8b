"""What people and programs do with pages: upload, correct, delete. Pages and the API call the same functions."""

import hashlib
from collections.abc import Sequence

from django.core.files import File
from django.db import IntegrityError, transaction

from ecglens.errors import EcgLensError
from ecglens.labels import LABELS
from ecglens.models.registry import list_models
from ecglens.pages.read import count_pages
from ecglens.settings import load_settings
from ecglens.web.accounts.models import User
from ecglens.web.readings import tasks
from ecglens.web.readings.keeping import fill, keep_files, save_answers
from ecglens.web.readings.models import Batch, Reading
from ecglens.web.readings.names import plain_name
from ecglens.web.readings.store import drop, keep
from ecglens.web.readings.work import Options, first_look

__all__ = [
    "Refused",
    "add_files",
    "change",
    "known_labels",
    "options_for",
    "read_file",
]

_NOTE_CHARS = 4000
_MOST_MODELS = 4


class Refused(EcgLensError):
    """What was asked cannot be done, in one sentence.

    Args:
        text: The sentence.
        status: Of the answer.
        lang: Language of the sentence; empty where it is the reader's.
    """

    def __init__(self, text: str, status: int = 422, *, lang: str = "en") -> None:
        super().__init__(text)
        self.status, self.lang = status, lang


def options_for(user: User, models: list[str] | None = None, *, printed: bool = False, explain: bool = True) -> Options:
    """What is asked of a user's page.

    Raises:
        Refused: There is no such model, or there are too many.
    """
    chosen = tuple(dict.fromkeys(models or [load_settings().model]))
    installed = {card.name for card in list_models()}
    unknown = [name for name in chosen if name not in installed]
    if unknown:
        raise Refused(
            f"Expected models out of {', '.join(sorted(installed))}, found {unknown[0][:60]}; choose installed ones."
        )
    if len(chosen) > _MOST_MODELS:
        raise Refused(f"Expected at most {_MOST_MODELS} models side by side, found {len(chosen)}; choose fewer.")
    return Options(chosen, printed=printed, explain=explain, redact=load_settings().redact and user.redact)


def read_file(
    owner: User,
    content: bytes,
    name: str,
    *,
    options: Options,
    number: int = 1,
    idempotency_key: str | None = None,
    request_sha256: str = "",
) -> Reading:
    """Read a page, and keep it with its answers; its signals are measured and its answer is explained by a task.

    Nothing is kept of a page that cannot be read.

    Args:
        owner: Whose it becomes.
        content: The file.
        name: As it was uploaded.
        options: From :func:`options_for`.
        number: Which page of the file, from 1.
        idempotency_key: Of the request: the same key gives the same reading.
        request_sha256: Of everything that the request asked; the same key with another one is refused.

    Raises:
        Refused: The page cannot be read, or the key was used for another request.
    """
    if idempotency_key is not None and (there := _answered(owner, idempotency_key, request_sha256)) is not None:
        return there
    try:
        first = first_look(content, number, options)
    except EcgLensError as error:
        raise Refused(_said(name, error)) from error
    reading = Reading(
        owner=owner,
        name=plain_name(name),
        page_number=number,
        options=options.to_dict(),
        sha256=hashlib.sha256(content).hexdigest(),
        idempotency_key=idempotency_key,
        request_sha256=request_sha256,
    )
    kept = keep_files(first)
    try:
        with transaction.atomic():
            fill(reading, first, kept)
            reading.save(force_insert=True)
            save_answers(reading, first.predictions)
            tasks.look_closer.enqueue(str(reading.pk))
    except IntegrityError:
        drop(*kept)
        there = _answered(owner, idempotency_key, request_sha256) if idempotency_key else None
        if there is None:
            raise
        return there
    except BaseException:
        drop(*kept)
        raise
    return reading


def change(reading: Reading, *, note: str | None = None, corrected: str | None = None) -> Reading:
    """Put a note to a reading, or the label that its owner gives it; what is ``None`` stays.

    Raises:
        Refused: The note is too long or the label is none that is known.
    """
    if note is not None:
        if len(note) > _NOTE_CHARS:
            raise Refused(
                f"Expected a note of at most {_NOTE_CHARS} characters, found {len(note)}; write a shorter one."
            )
        reading.note = note.replace("\x00", "")
    if corrected is not None:
        labels = known_labels()
        if corrected and corrected not in labels:
            raise Refused(f"Expected a label out of {', '.join(labels)}, found {corrected[:60]}; choose one of them.")
        reading.corrected = corrected
    reading.save(update_fields=["note", "corrected"])
    return reading


def known_labels() -> tuple[str, ...]:
    """Of all installed models, the public set's first."""
    found = dict.fromkeys(LABELS)
    found.update(dict.fromkeys(label for card in list_models() for label in card.labels))
    return tuple(found)


def add_files(owner: User, files: Sequence[File[bytes]], *, options: Options, name: str = "") -> Batch:
    """Take many pages, to be read one after the other by tasks.

    Args:
        owner: Whose they become.
        files: A ZIP of pages, which a task opens, or pages.
        options: From :func:`options_for`.
        name: Of the batch; the first file's where it is empty.

    Raises:
        Refused: There are none or too many.
    """
    if not files:
        raise Refused("Expected a ZIP or some pages, found nothing; choose files.", 400)
    archives = [file for file in files if _is_zip(file)]
    batch = Batch(owner=owner, name=plain_name(name or files[0].name), options=options.to_dict())
    if not archives:
        return _add_pages(batch, files)
    if len(files) > 1:
        raise Refused("Expected one ZIP or some pages, found a ZIP among other files; upload it alone.", 400)
    batch.archive = keep(archives[0], ".zip")
    try:
        with transaction.atomic():
            batch.save(force_insert=True)
            tasks.unpack.enqueue(str(batch.pk))
    except BaseException:
        drop(batch.archive)
        raise
    return batch


def _is_zip(file: File[bytes]) -> bool:
    start: bytes = file.read(4)
    file.seek(0)
    return start in (b"PK\x03\x04", b"PK\x05\x06")


def _add_pages(batch: Batch, files: Sequence[File[bytes]]) -> Batch:
    pages: list[tuple[str, int, str]] = []
    most = load_settings().max_batch_pages
    uploads = []
    try:
        for file in files:
            content: bytes = file.read()
            count = count_pages(content)
            if len(pages) + count > most:
                raise Refused(f"Expected at most {most} pages, found more; upload them in parts.", 413)
            uploads.append(keep(content, ""))
            pages += [(str(file.name), page + 1, uploads[-1]) for page in range(count)]
        with transaction.atomic():
            batch.listed = True
            batch.save(force_insert=True)
            tasks.add_pages(batch, pages)
    except BaseException:
        drop(*uploads)
        raise
    return batch


def _answered(owner: User, key: str, request_sha256: str) -> Reading | None:
    there = Reading.objects.filter(owner=owner, idempotency_key=key).first()
    if there is not None and there.request_sha256 != request_sha256:
        raise Refused("Expected the same request with the same Idempotency-Key, found another one; use a new key.", 409)
    return there


def _said(name: str, error: EcgLensError) -> str:
    return f"{plain_name(name)}: {str(error).removeprefix('bytes: ')}"
