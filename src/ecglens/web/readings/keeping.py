"""What becomes of a reading in the database: taken by a worker, kept with its answers, its details, or its failure."""

import uuid

from django.db import transaction
from django.db.models import F

from ecglens.records import Prediction
from ecglens.web.readings.models import Answer, Picture, Reading
from ecglens.web.readings.store import drop, keep
from ecglens.web.readings.work import Details, First

__all__ = ["fail", "fill", "keep_answers", "keep_details", "keep_files", "save_answers", "take"]


def take(pk: str, state: str) -> Reading | None:
    """Become the one who works on a reading; ``None`` where it does not wait for that any more."""
    lease = uuid.uuid4()
    taken = Reading.objects.filter(pk=pk, state=state).update(lease=lease, attempts=F("attempts") + 1)
    return Reading.objects.filter(pk=pk, lease=lease).first() if taken else None


def fail(reading: Reading, stage: str, why: str) -> None:
    """Say why nothing more comes: without an answer the reading has failed, with one it is done."""
    state = Reading.State.DONE if reading.state == Reading.State.ANSWERED else Reading.State.FAILED
    with transaction.atomic():
        changed = Reading.objects.filter(pk=reading.pk, lease=reading.lease, state=reading.state).update(
            state=state, stage=stage, trouble=why, upload=""
        )
        upload = reading.upload.name
        if changed and upload and not Reading.objects.filter(upload=upload).exists():
            drop(upload)


def keep_files(first: First) -> tuple[str, str]:
    """Store the page and the state of its reading as files, and return their names."""
    page = keep(*first.page) if first.page is not None else ""
    return page, keep(first.state, ".npz") if first.state is not None else ""


def fill(reading: Reading, first: First, kept: tuple[str, str]) -> None:
    """Put into a reading what is known at once."""
    answer = first.predictions[0]
    reading.page, reading.reading_state = kept
    reading.redacted = first.redacted
    reading.page_count = first.facts["page"]["count"]
    reading.facts = first.facts
    reading.label = answer.label or ""
    reading.probability = max(answer.probabilities.values()) if answer.probabilities else None
    reading.state = Reading.State.ANSWERED
    reading.attempts = 0


def save_answers(reading: Reading, predictions: tuple[Prediction, ...]) -> None:
    """Keep what each model says."""
    Answer.objects.bulk_create(
        Answer(
            reading=reading,
            place=place,
            model=found.model,
            version=found.model_version,
            label=found.label or "",
            prediction=found.to_dict(),
        )
        for place, found in enumerate(predictions)
    )


def keep_answers(mine: Reading, first: First) -> bool:
    """Keep the answers for a page of a batch, if it is still this worker's.

    Returns:
        Whether it was.
    """
    kept = keep_files(first)
    with transaction.atomic():
        reading = (
            Reading.objects.select_for_update()
            .filter(pk=mine.pk, lease=mine.lease, state=Reading.State.WAITING)
            .first()
        )
        if reading is None:
            drop(*kept)
            return False
        upload = reading.upload.name
        fill(reading, first, kept)
        reading.upload = ""
        reading.save()
        save_answers(reading, first.predictions)
        if not Reading.objects.filter(upload=upload).exists():
            drop(upload)
    return True


def keep_details(mine: Reading, found: Details) -> bool:
    """Keep what took longer, if the reading is still this worker's.

    Returns:
        Whether it was.
    """
    signals = keep(found.signals, ".json") if found.signals is not None else ""
    files = {
        name: keep(one.content, ".png" if one.kind == "image/png" else ".jpg") for name, one in found.pictures.items()
    }
    with transaction.atomic():
        kept = Reading.objects.filter(pk=mine.pk, lease=mine.lease, state=Reading.State.ANSWERED).update(
            state=Reading.State.DONE,
            facts=found.facts,
            explanations=found.explanations,
            signals=signals,
            stage="",
            trouble="",
        )
        if not kept:
            drop(signals, *files.values())
            return False
        Picture.objects.bulk_create(
            Picture(
                reading_id=mine.pk,
                name=name,
                file=file,
                width=found.pictures[name].width,
                height=found.pictures[name].height,
            )
            for name, file in files.items()
        )
    return True
