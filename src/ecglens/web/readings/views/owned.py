"""Things by their number, for their owner alone; of others' things nothing is said, not even that they are there."""

from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from ecglens.web.readings.models import Batch, Picture, Reading

__all__ = ["own_batch", "own_picture", "own_reading"]


def own_reading(request: HttpRequest, pk: UUID) -> Reading:
    """A reading of the user's."""
    return get_object_or_404(Reading.objects.prefetch_related("answers"), pk=pk, owner_id=request.user.pk)


def own_batch(request: HttpRequest, pk: UUID) -> Batch:
    """A batch of the user's."""
    return get_object_or_404(Batch, pk=pk, owner_id=request.user.pk)


def own_picture(request: HttpRequest, pk: UUID, name: str) -> Picture:
    """A picture of a reading of the user's."""
    return get_object_or_404(Picture, reading_id=pk, name=name, reading__owner_id=request.user.pk)
