"""Corrections of stored readings by hand: what a form sends becomes corrections, which are listed and undone."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from ecglens.corrections import Corrections, HandTrace
from ecglens.documents import parse_json
from ecglens.errors import EcgLensError, EcgReadError
from ecglens.layouts import lead_of_row
from ecglens.records import Box
from ecglens.web.readings import tasks
from ecglens.web.readings.flows import Refused
from ecglens.web.readings.models import Reading

__all__ = [
    "MAX_CHANGES",
    "change_leads",
    "check_corrections",
    "find_corrections",
    "list_corrections",
    "list_rows",
    "name_as_read",
    "parse_drawing",
    "store_corrections",
    "undo_corrections",
]

MAX_CHANGES = 20
"""Changes of a reading that are stored; each is whole."""
_MAX_BYTES = 200_000
_NOT_NOW = (
    "Expected a reading that is measured and whose page is stored, got another one; wait until it is, or upload it."
)


def find_corrections(reading: Reading) -> Corrections:
    """Return the corrections of a reading that are in force."""
    return Corrections.from_dict(reading.corrections[-1]["content"]) if reading.corrections else Corrections()


def list_corrections(reading: Reading) -> list[tuple[datetime, tuple[str, ...]]]:
    """List the changes of a reading with their times, the latest first, each with all that is corrected then."""
    return [
        (datetime.fromisoformat(each["at"]), Corrections.from_dict(each["content"]).describe())
        for each in reversed(reading.corrections)
    ]


def list_rows(reading: Reading) -> list[tuple[str, str]]:
    """List the rows of a reading's record: the name as it was read, and the name now."""
    names = find_corrections(reading).names
    return [(name_as_read(row, names), row) for row in (reading.facts or {}).get("quality", {})]


def name_as_read(row: str, names: Mapping[str, str]) -> str:
    """Return the name that a row had before it was corrected.

    >>> name_as_read("V2-rhythm", {"II-rhythm": "V2"}), name_as_read("V1", {"II-rhythm": "V2"})
    ('II-rhythm', 'V1')
    """
    return next((old for old, new in names.items() if _rename(old, new) == row), row)


def change_leads(
    reading: Reading,
    *,
    names: Mapping[str, str],
    speed_mm_s: float | None,
    gain_mm_mv: float | None,
    px_per_mm: float | None,
    traces: Iterable[HandTrace],
    boxes: Mapping[str, Box],
) -> Corrections:
    """Return the corrections of a reading after its leads were corrected.

    Args:
        reading: The reading.
        names: New lead by the name of each row as it was read; all that are corrected.
        speed_mm_s: Paper speed, or ``None`` where it is not corrected.
        gain_mm_mv: Gain, likewise.
        px_per_mm: Pixels of the view in a millimeter along the paper; ``None`` leaves what is in force.
        traces: New parts of traces by the names of rows as they were read, which come after those in force.
        boxes: New boxes of leads by the names of rows as they were read, in place of those in force.

    Raises:
        EcgReadError: A value is out of range.
    """
    before = find_corrections(reading)
    as_read = [replace(each, lead=name_as_read(each.lead, before.names)) for each in before.traces]
    renames = {old: new for old, new in names.items() if lead_of_row(old) != new}
    renamed = tuple(
        replace(each, lead=_rename(each.lead, renames[each.lead]) if each.lead in renames else each.lead)
        for each in (*as_read, *traces)
    )
    boxes_as_read = {name_as_read(row, before.names): box for row, box in before.boxes.items()} | dict(boxes)
    renamed_boxes = {_rename(row, renames[row]) if row in renames else row: box for row, box in boxes_as_read.items()}
    scale = before.px_per_mm if px_per_mm is None else (px_per_mm * _find_ratio(reading), px_per_mm)
    is_of_view = bool(renamed or renamed_boxes or scale)
    return replace(
        before,
        names=renames,
        speed_mm_s=speed_mm_s,
        gain_mm_mv=gain_mm_mv,
        px_per_mm=scale,
        traces=renamed,
        boxes=renamed_boxes,
        view_px=_find_view(reading) if is_of_view else None,
    )


def parse_drawing(traces: str, boxes: str) -> Corrections:
    """Return corrections with the parts of traces and the boxes that a form sends as JSON.

    Raises:
        EcgReadError: The texts describe something else.
    """
    try:
        content = {name: parse_json(text) for name, text in (("traces", traces), ("boxes", boxes)) if text}
    except ValueError as error:
        detail = "expected the traces as a list and the boxes as an object, got something else."
        raise EcgReadError(code="invalid_argument", source="corrections", detail=detail) from error
    return Corrections.from_dict({**content, "view_px": [1, 1]})


def store_corrections(reading: Reading, corrections: Corrections) -> None:
    """Store corrections, and let a worker measure the reading again.

    Raises:
        Refused: The reading cannot be measured again now, there are too many changes, or they are too long.
    """
    content = corrections.to_dict()
    if len(json.dumps(content)) > _MAX_BYTES:
        raise Refused(f"Expected corrections of at most {_MAX_BYTES:,} characters, got more; draw shorter parts.")
    if len(reading.corrections) >= MAX_CHANGES:
        raise Refused(f"Expected at most {MAX_CHANGES} changes, got one more; undo some of them.")
    _measure_again(reading, [*reading.corrections, {"at": timezone.now().isoformat(), "content": content}])


def undo_corrections(reading: Reading) -> None:
    """Take back the last change, and let a worker measure the reading again.

    Raises:
        Refused: There is no change, or the reading cannot be measured again now.
    """
    if not reading.corrections:
        raise Refused("Expected a reading with changes, got one without; there is nothing to undo.")
    _measure_again(reading, reading.corrections[:-1])


def check_corrections(content: object) -> Corrections:
    """Return corrections from plain types.

    Raises:
        Refused: They are no corrections.
    """
    try:
        return replace(Corrections.from_dict(content), page=1, sha256=None)
    except EcgLensError as error:
        raise Refused(error.detail) from error


def _measure_again(reading: Reading, corrections: Sequence[Mapping[str, Any]]) -> None:
    waiting = Reading.objects.filter(pk=reading.pk, state=Reading.State.DONE).exclude(page="")
    with transaction.atomic():
        changed = waiting.update(state=Reading.State.ANSWERED, corrections=list(corrections), attempts=0, lease=None)
        if not changed:
            raise Refused(_NOT_NOW, 409)
        reading.refresh_from_db()
        tasks.enqueue_next(reading)


def _rename(row: str, lead: str) -> str:
    """Return a row's name with another lead, and with its ending."""
    return lead + row[len(lead_of_row(row)) :]


def _find_view(reading: Reading) -> tuple[int, int] | None:
    view = (reading.facts or {}).get("view")
    return None if view is None else (int(view["width_px"]), int(view["height_px"]))


def _find_ratio(reading: Reading) -> float:
    """Return the vertical over the horizontal scale of the page."""
    scale = ((reading.facts or {}).get("layout") or {}).get("px_per_mm") or {}
    along, down = scale.get("horizontal"), scale.get("vertical")
    return float(down / along) if along and down else 1.0
