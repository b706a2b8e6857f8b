"""A stored reading as its page shows it."""

from collections.abc import Callable

from django.urls import reverse
from PIL import Image, UnidentifiedImageError

from ecglens.web.readings.models import Reading
from ecglens.web.readings.presentation import Picture, ReadingView, present_reading

__all__ = ["find_page_size", "load_signals", "present_stored"]


def present_stored(
    reading: Reading, *, page: str | None = None, picture: Callable[[str], str] | None = None
) -> ReadingView:
    """Prepare a stored reading for the template.

    Args:
        reading: The reading.
        page: Address of its page; the owner's by default.
        picture: Function that returns the address of a picture by its name; the owner's by default.
    """
    rows = {row.name: row for row in reading.pictures.all()}
    pages = page or reverse("reading-page", args=[reading.pk])
    find_address = picture or (lambda name: reverse("reading-picture", args=[reading.pk, name]))

    def find_picture(name: str) -> Picture | None:
        if name == "page" and "view" not in rows:
            return _page_picture(reading, pages)
        row = rows.get("view" if name == "page" else name)
        return None if row is None else Picture("", find_address(row.name), row.width, row.height)

    return present_reading(
        reading.name,
        reading.facts,
        [answer.prediction for answer in reading.answers.all()],
        reading.explanations,
        find_picture,
        signals=load_signals(reading),
        is_pending=not reading.finished,
        stage=reading.stage,
        failure_reason=reading.failure_reason,
        redacted=reading.redacted,
    )


def load_signals(reading: Reading) -> bytes | None:
    """Return the stored signals; ``None`` where there are none, or the storage does not have them."""
    if not reading.signals:
        return None
    try:
        with reading.signals.open("rb") as stream:
            content: bytes = stream.read()
    except OSError:
        return None
    return content


def _page_picture(reading: Reading, address: str) -> Picture | None:
    if not reading.page:
        return None
    size = reading.facts["page"]
    return Picture("", address, size["width_px"], size["height_px"])


def find_page_size(reading: Reading) -> tuple[int, int]:
    """Return width and height of the stored page in px; zeros where none is stored."""
    if not reading.page:
        return 0, 0
    try:
        with reading.page.open("rb") as stream, Image.open(stream) as picture:
            return picture.size
    except (OSError, UnidentifiedImageError):
        return 0, 0
