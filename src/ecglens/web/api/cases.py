"""Cases: readings of one person under a pseudonym."""

from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Status

from ecglens.web.accounts.audit import record
from ecglens.web.api.access import get_user, record_view
from ecglens.web.api.schemas import Case, CaseChange, CaseReading, Cases, NewCase, Pagination
from ecglens.web.api.serializers import operation_path, paginate, serialize_case, serialize_membership
from ecglens.web.cases import flows
from ecglens.web.cases.models import Case as StoredCase
from ecglens.web.cases.models import Membership
from ecglens.web.cases.ownership import get_own_case, get_own_membership
from ecglens.web.readings.ownership import get_own_reading

__all__ = ["router"]

router = Router(tags=["Cases"])


@router.post("", response={201: Case}, summary="Create a case")
def create_case(request: HttpRequest, response: HttpResponse, new: NewCase) -> Status[Any]:
    """Create a case under a pseudonym that no other case of yours has."""
    case = flows.create_case(get_user(request), new.pseudonym, new.note)
    record(request, "create", case)
    response["Location"] = operation_path("show_case", case.pk)
    return Status(201, serialize_case(case))


@router.get("", response=Cases, summary="List cases")
def list_cases(request: HttpRequest, pagination: Query[Pagination]) -> dict[str, Any]:
    """List your cases, the newest first."""
    cases = StoredCase.objects.filter(owner=get_user(request))
    cases = cases.annotate(count_readings=Count("memberships")).order_by("-created_at", "id")
    return paginate(cases, pagination, serialize_case_row)


@router.get("/{uuid:pk}", response=Case, summary="Get a case")
def show_case(request: HttpRequest, pk: UUID) -> dict[str, Any]:
    """Get a case with its readings, by the day of the recording."""
    case = get_own_case(request, pk)
    record_view(request, case)
    return serialize_case(case)


@router.patch("/{uuid:pk}", response=Case, summary="Change a case")
def change_case(request: HttpRequest, change: CaseChange, pk: UUID) -> dict[str, Any]:
    """Change the pseudonym or the note of a case."""
    case = flows.change_case(get_own_case(request, pk), pseudonym=change.pseudonym, note=change.note)
    record(request, "change", case)
    return serialize_case(case)


@router.delete("/{uuid:pk}", response={204: None}, summary="Delete a case")
def delete_case(request: HttpRequest, pk: UUID) -> Status[None]:
    """Delete a case; its readings are not deleted."""
    case = get_own_case(request, pk)
    record(request, "delete", case)
    case.delete()
    return Status(204, None)


@router.post("/{uuid:pk}/readings", response={201: CaseReading}, summary="Add a reading to a case")
def add_case_reading(request: HttpRequest, member: CaseReading, pk: UUID) -> Status[Any]:
    """Add a reading to a case, with the day of the recording and tags; one that is in another case moves."""
    case, reading = get_own_case(request, pk), get_own_reading(request, member.reading)
    with transaction.atomic():  # of a request that is refused, nothing is done
        flows.add_readings(case, [reading])
        membership = Membership.objects.select_related("case", "reading").get(reading=reading)
        flows.update_membership(membership, recorded_on=member.recorded_on, tags=member.tags)
    record(request, "change", case)
    return Status(201, serialize_membership(membership))


@router.delete("/readings/{uuid:pk}", response={204: None}, summary="Take a reading out of its case")
def remove_case_reading(request: HttpRequest, pk: UUID) -> Status[None]:
    """Take a reading out of its case; it is not deleted."""
    membership = get_own_membership(request, pk)
    record(request, "change", membership.case)
    membership.delete()
    return Status(204, None)


def serialize_case_row(case: Any) -> dict[str, Any]:
    """Return a case as an item of a list."""
    return {
        "id": case.pk,
        "pseudonym": case.pseudonym,
        "note": case.note,
        "created_at": case.created_at,
        "count": case.count_readings,
    }
