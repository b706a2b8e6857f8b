"""Objects by their number, for their owner alone; the response does not even reveal that another user's exists."""

from collections.abc import Iterable
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from ecglens.web.accounts.models import User
from ecglens.web.readings.models import Batch, Picture, Reading

__all__ = ["get_own_batch", "get_own_picture", "get_own_reading", "select_own_readings"]

_MOST = 500
"""Readings that are selected at once."""


def get_own_reading(request: HttpRequest, pk: UUID) -> Reading:
    """Return a reading of the user.

    Raises:
        Http404: There is none, or it belongs to another user.
    """
    return get_object_or_404(Reading.objects.prefetch_related("answers"), pk=pk, owner_id=request.user.pk)


def get_own_batch(request: HttpRequest, pk: UUID) -> Batch:
    """Return a batch of the user.

    Raises:
        Http404: There is none, or it belongs to another user.
    """
    return get_object_or_404(Batch, pk=pk, owner_id=request.user.pk)


def get_own_picture(request: HttpRequest, pk: UUID, name: str) -> Picture:
    """Return a picture of a reading of the user.

    Raises:
        Http404: There is none, or it belongs to another user.
    """
    return get_object_or_404(Picture, reading_id=pk, name=name, reading__owner_id=request.user.pk)


def select_own_readings(user: User, texts: Iterable[str]) -> list[Reading]:
    """Return the readings of the user among numbers as they came from a form; others are left out."""
    pks = [pk for text in texts if (pk := _parse_uuid(text)) is not None][:_MOST]
    return list(Reading.objects.of(user).filter(pk__in=pks).order_by("created_at", "id"))


def _parse_uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
