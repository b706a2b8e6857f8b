"""Cases by their number, for their owner alone, and by the key of a link that shows them."""

from uuid import UUID

from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from django.utils import timezone

from ecglens.web.cases.models import Case, Membership, Share
from ecglens.web.cases.shares import hash_key

__all__ = ["get_own_case", "get_own_membership", "get_own_share", "get_shared_case"]


def get_own_case(request: HttpRequest, pk: UUID) -> Case:
    """Return a case of the user.

    Raises:
        Http404: There is none, or it belongs to another user.
    """
    return get_object_or_404(Case, pk=pk, owner_id=request.user.pk)


def get_own_membership(request: HttpRequest, pk: UUID) -> Membership:
    """Return the membership of a reading of the user.

    Raises:
        Http404: The reading is in no case, or belongs to another user.
    """
    rows = Membership.objects.select_related("case", "reading")
    return get_object_or_404(rows, reading_id=pk, case__owner_id=request.user.pk, reading__owner_id=request.user.pk)


def get_own_share(request: HttpRequest, pk: UUID) -> Share:
    """Return a link to a case of the user.

    Raises:
        Http404: There is none, or it belongs to another user.
    """
    return get_object_or_404(Share.objects.select_related("case"), pk=pk, case__owner_id=request.user.pk)


def get_shared_case(key: str) -> Case:
    """Return the case that a link shows.

    Raises:
        Http404: There is no such link, or it has expired; keys of 256 bits are not guessed.
    """
    share = Share.objects.select_related("case__owner").filter(sha256=hash_key(key)).first()
    if share is not None and share.expires_at > timezone.now() and share.case.owner.is_active:
        return share.case
    raise Http404
