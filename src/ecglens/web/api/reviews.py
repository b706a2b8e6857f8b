"""Reviews: what a person says about a reading."""

from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Status

from ecglens.web.accounts.audit import record
from ecglens.web.api.access import get_user, record_view
from ecglens.web.api.schemas import NewReview, Pagination, Readings, Review
from ecglens.web.api.serializers import paginate, serialize_row
from ecglens.web.cases import flows
from ecglens.web.cases.models import Review as StoredReview
from ecglens.web.readings.ownership import get_own_reading

__all__ = ["router"]

router = Router(tags=["Reviews"])
_DEFERRED = ("facts", "explanations", "options")


@router.get("/waiting", response=Readings, summary="List readings to review")
def list_waiting_reviews(request: HttpRequest, pagination: Query[Pagination]) -> dict[str, Any]:
    """List your readings that have results and no review of yours, the oldest first."""
    return paginate(flows.list_to_review(get_user(request)).defer(*_DEFERRED), pagination, serialize_row)


@router.get("/{uuid:pk}", response=Review, summary="Get a review")
def show_review(request: HttpRequest, pk: UUID) -> dict[str, Any]:
    """Get your review of a reading, with what ecglens said at that time."""
    reading = get_own_reading(request, pk)
    review = get_object_or_404(StoredReview, reading=reading, reviewer=get_user(request))
    record_view(request, reading, "review")
    return review.to_dict()


@router.post("/{uuid:pk}", response=Review, summary="Review a reading")
def create_review(request: HttpRequest, new: NewReview, pk: UUID) -> dict[str, Any]:
    """Store what you say about a reading, in place of your review before; the label becomes its ``corrected``."""
    reading = get_own_reading(request, pk)
    review = flows.review_reading(reading, get_user(request), label=new.label, statements=new.statements, text=new.text)
    record(request, "review", reading)
    return review.to_dict()


@router.delete("/{uuid:pk}", response={204: None}, summary="Delete a review")
def delete_review(request: HttpRequest, pk: UUID) -> Status[None]:
    """Delete your review of a reading."""
    reading = get_own_reading(request, pk)
    review = get_object_or_404(StoredReview, reading=reading, reviewer=get_user(request))
    record(request, "change", reading, detail="review deleted")
    review.delete()
    return Status(204, None)
