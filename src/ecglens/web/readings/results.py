"""Results of a reading in the database: the reading is claimed by a worker, and its results or its failure stored."""

import uuid
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from django.db import transaction
from django.db.models import F

from ecglens.outcomes import Outcome
from ecglens.records import Prediction
from ecglens.web.readings.models import Answer, Picture, Reading
from ecglens.web.readings.pipeline import Details, FirstResult
from ecglens.web.readings.store import delete_files, store_files

__all__ = [
    "claim_reading",
    "fill_reading",
    "save_answers",
    "save_details",
    "save_failure",
    "save_first_result",
    "store_page_files",
]


def claim_reading(pk: str, state: str) -> Reading | None:
    """Claim a reading for this worker; ``None`` if it is not in that state any more."""
    lease = uuid.uuid4()
    claimed = Reading.objects.filter(pk=pk, state=state).update(lease=lease, attempts=F("attempts") + 1)
    return Reading.objects.filter(pk=pk, lease=lease).first() if claimed else None


def save_failure(reading: Reading, stage: str, reason: str) -> None:
    """Store why no further results follow: a reading without a prediction has failed, one with a prediction is done."""
    state = Reading.State.DONE if reading.state == Reading.State.ANSWERED else Reading.State.FAILED
    size = F("stored_bytes") if state == Reading.State.DONE else 0
    outcome = {} if state == Reading.State.DONE else {"outcome": Outcome.NOT_READABLE.value}
    with transaction.atomic():
        changed = Reading.objects.filter(pk=reading.pk, lease=reading.lease, state=reading.state).update(
            state=state, stage=stage, failure_reason=reason, upload="", stored_bytes=size, **outcome
        )
        upload = reading.upload.name
        if changed and upload and not Reading.objects.filter(upload=upload).exists():
            delete_files(upload)


def store_page_files(first: FirstResult) -> tuple[str, str]:
    """Store the page and the state of its reading as files, and return their names."""
    page, state = store_files([first.page, None if first.state is None else (first.state, ".npz")])
    return page, state


def fill_reading(reading: Reading, first: FirstResult, files: tuple[str, str]) -> None:
    """Assign the first result to a reading, without saving it.

    Args:
        reading: The reading that is changed.
        first: The result.
        files: Result of :func:`store_page_files`.
    """
    prediction = first.predictions[0]
    reading.page, reading.reading_state = files
    reading.stored_bytes = len(first.page[0] if first.page else b"") + len(first.state or b"")
    reading.redacted = first.redacted
    reading.page_count = first.facts["page"]["count"]
    reading.facts = first.facts
    for name, value in _describe(prediction).items():
        setattr(reading, name, value)
    reading.state = Reading.State.ANSWERED
    reading.attempts = 0


def _describe(prediction: Prediction) -> dict[str, Any]:
    """Return the fields of a reading that repeat its first prediction."""
    return {
        "label": prediction.label or "",
        "probability": prediction.confidence,
        "outcome": prediction.outcome.value,
    }


def save_answers(reading: Reading, predictions: tuple[Prediction, ...]) -> None:
    """Store the prediction of each model."""
    Answer.objects.bulk_create(
        Answer(reading=reading, position=position, **_describe_answer(prediction))
        for position, prediction in enumerate(predictions)
    )


def _describe_answer(prediction: Prediction) -> dict[str, Any]:
    return {
        "model": prediction.model,
        "version": prediction.model_version,
        "label": prediction.label or "",
        "prediction": prediction.to_dict(),
    }


def _add_answers(reading: Reading, details: Details) -> None:
    """Store what the signals changed: the first prediction, and that of the signal model behind all others."""
    answers = Answer.objects.filter(reading=reading)
    requested = max(1, len(reading.options.get("models", ())))
    answers.filter(position__gte=requested).delete()  # that of signals which were corrected since
    answers.filter(position=0).update(**_describe_answer(details.prediction))
    if details.beside is not None:
        Answer.objects.create(reading=reading, position=answers.count(), **_describe_answer(details.beside))


def _count_bytes(files: Iterable[Any]) -> int:
    """Return the size of stored files; 0 for those that the storage does not have."""
    total = 0
    for file in files:
        if file:
            with suppress(OSError):
                total += file.size
    return total


def save_first_result(claimed: Reading, first: FirstResult) -> Reading | None:
    """Store the first result of a page of a batch.

    Returns:
        The reading as it is stored; ``None`` if another worker has claimed it since.
    """
    files = store_page_files(first)
    with transaction.atomic():
        reading = (
            Reading.objects.select_for_update()
            .filter(pk=claimed.pk, lease=claimed.lease, state=Reading.State.WAITING)
            .first()
        )
        if reading is None:
            delete_files(*files)
            return None
        upload = reading.upload.name
        fill_reading(reading, first, files)
        reading.upload = ""
        reading.save()
        save_answers(reading, first.predictions)
        if not Reading.objects.filter(upload=upload).exists():
            delete_files(upload)
    return reading


def save_details(claimed: Reading, details: Details) -> bool:
    """Store the results that took longer.

    Returns:
        Whether they were stored; not if another worker has claimed the reading since.
    """
    pictures = [
        (picture.content, ".png" if picture.media_type == "image/png" else ".jpg")
        for picture in details.pictures.values()
    ]
    signals, *names = store_files([None if details.signals is None else (details.signals, ".json"), *pictures])
    files = dict(zip(details.pictures, names, strict=True))
    size = len(details.signals or b"") + sum(len(picture.content) for picture in details.pictures.values())
    replaced = list(Picture.objects.filter(reading_id=claimed.pk))
    size -= _count_bytes([claimed.signals, *(picture.file for picture in replaced)])
    with transaction.atomic():
        changed = Reading.objects.filter(pk=claimed.pk, lease=claimed.lease, state=Reading.State.ANSWERED).update(
            stored_bytes=F("stored_bytes") + size,
            state=Reading.State.DONE,
            facts=details.facts,
            explanations=details.explanations,
            signals=signals,
            stage="",
            failure_reason="",
            **_describe(details.prediction),
        )
        if not changed:
            delete_files(signals, *files.values())
            return False
        _add_answers(claimed, details)
        for picture in replaced:
            picture.delete()
        delete_files(claimed.signals)
        Picture.objects.bulk_create(
            Picture(
                reading_id=claimed.pk,
                name=name,
                file=file,
                width=details.pictures[name].width,
                height=details.pictures[name].height,
            )
            for name, file in files.items()
        )
    return True
