"""Search in a user's history."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import Q

from ecglens.web.accounts.models import User
from ecglens.web.readings.flows import list_labels
from ecglens.web.readings.models import Reading, Readings

__all__ = ["NO_LABEL", "find_duplicate", "list_other_labels", "search_readings"]

NO_LABEL = "cannot-tell"
"""Value in place of a label that selects readings without one."""
_MOST_LABELS = 50


def search_readings(user: User, query: Mapping[str, Any]) -> Readings:
    """Return readings of a user, the newest first.

    Args:
        user: Owner of the readings.
        query: ``q`` in name or note, ``label`` (the user's own before the model's) or ``NO_LABEL``, ``outcome``,
            ``state``, ``start`` and ``end`` as dates, ``batch``; missing and empty values are ignored.
    """
    readings = Reading.objects.of(user)
    if text := query.get("q"):
        readings = readings.filter(Q(name__icontains=text) | Q(note__icontains=text))
    if (label := query.get("label")) == NO_LABEL:
        readings = readings.filter(label="", corrected="", state__in=[Reading.State.ANSWERED, Reading.State.DONE])
    elif label:
        readings = readings.filter(Q(corrected=label) | Q(corrected="", label=label))
    if outcome := query.get("outcome"):
        readings = readings.filter(outcome=outcome)
    if state := query.get("state"):
        readings = readings.filter(state=state)
    if start := query.get("start"):
        readings = readings.filter(created_at__gte=datetime.combine(start, time(), UTC))
    if (end := query.get("end")) and end < date.max:
        readings = readings.filter(created_at__lt=datetime.combine(end, time(), UTC) + timedelta(days=1))
    if batch := query.get("batch"):
        readings = readings.filter(batch_id=batch)
    return readings


def list_other_labels(user: User) -> list[str]:
    """List labels that a user assigned and that no model has, in their order; so many of them as a list can show."""
    own = Reading.objects.of(user).exclude(corrected="").exclude(corrected__in=list_labels())
    return list(own.order_by("corrected").values_list("corrected", flat=True).distinct()[:_MOST_LABELS])


def find_duplicate(reading: Reading) -> Reading | None:
    """Return the latest earlier reading of the same page of the same file by the same owner, or ``None``."""
    if not reading.sha256:
        return None
    same = Reading.objects.filter(owner_id=reading.owner_id, sha256=reading.sha256, page_number=reading.page_number)
    earlier = same.filter(created_at__lt=reading.created_at).exclude(pk=reading.pk)
    return earlier.only("name", "created_at").order_by("-created_at").first()
