"""Looking things up in a user's history."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import Q

from ecglens.web.accounts.models import User
from ecglens.web.readings.models import Reading, Readings

__all__ = ["UNSURE", "found"]

UNSURE = "cannot-tell"
"""In place of a label: readings without one."""


def found(user: User, wanted: Mapping[str, Any]) -> Readings:
    """Readings of a user, the newest first.

    Args:
        user: Whose.
        wanted: ``q`` in name or note, ``label`` (the owner's own before the model's) or ``UNSURE``, ``state``,
            ``start`` and ``end`` as dates, ``batch``; what is missing or empty does not matter.
    """
    readings = Reading.objects.of(user)
    if text := wanted.get("q"):
        readings = readings.filter(Q(name__icontains=text) | Q(note__icontains=text))
    if (label := wanted.get("label")) == UNSURE:
        readings = readings.filter(label="", corrected="", state__in=[Reading.State.ANSWERED, Reading.State.DONE])
    elif label:
        readings = readings.filter(Q(corrected=label) | Q(corrected="", label=label))
    if state := wanted.get("state"):
        readings = readings.filter(state=state)
    if start := wanted.get("start"):
        readings = readings.filter(created_at__gte=datetime.combine(start, time(), UTC))
    if (end := wanted.get("end")) and end < date.max:
        readings = readings.filter(created_at__lt=datetime.combine(end, time(), UTC) + timedelta(days=1))
    if batch := wanted.get("batch"):
        readings = readings.filter(batch_id=batch)
    return readings
