"""Results of a reading that follow its predictions: explanations, measurements, signals, pictures."""

from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja import Router
from ninja.params.functions import Query

from ecglens.web.accounts.audit import record
from ecglens.web.api.access import record_view
from ecglens.web.api.schemas import Explanation, Measurements, Statement
from ecglens.web.api.serializers import serialize_explanations
from ecglens.web.http.problems import ProblemError
from ecglens.web.readings import exports
from ecglens.web.readings.facts import find_statements
from ecglens.web.readings.file_responses import respond_with_attachment, respond_with_file
from ecglens.web.readings.models import Reading
from ecglens.web.readings.ownership import get_own_picture, get_own_reading

__all__ = ["router"]

router = Router(tags=["Details of a reading"])

Form = Literal["json", "csv", "wfdb", "dicom", "fhir", "edf", "aecg"]
Sex = Literal["female", "male"]

_RETRY_AFTER_S = 2
_FORMAT = Query(
    "json", description="Format of the file; wfdb is a ZIP of several files, edf and aecg hold only leads without gaps."
)
_AGE = Query(None, ge=0, le=130, description="Age in years, on which limits depend.")
_SEX = Query(None, description="Sex, on which limits depend.")
_BYTES = {"schema": {"type": "string", "format": "binary"}}
_PICTURE = {"responses": {200: {"content": {"image/png": _BYTES, "image/jpeg": _BYTES}}}}
_SIGNALS = {
    "responses": {
        200: {
            "content": {
                "application/json": {"schema": {"type": "object"}},
                "text/csv": _BYTES,
                "application/zip": _BYTES,
                "application/dicom": _BYTES,
                "application/xml": _BYTES,
                "application/octet-stream": _BYTES,
            }
        }
    }
}


@router.get("/{uuid:pk}/explanations", response=list[Explanation], summary="Get the explanations")
def list_explanations(request: HttpRequest, pk: UUID) -> list[dict[str, Any]]:
    """Get the explanations of the first model's prediction. 409 while they are computed; 404 if there are none."""
    reading = _get_finished(request, pk, "explanations")
    if not reading.explanations:
        raise ProblemError(404, f"This reading has no explanations. {reading.failure_reason}".strip())
    record_view(request, reading, "explanations")
    return serialize_explanations(reading)


@router.get("/{uuid:pk}/measurements", response=Measurements, summary="Get the measurements")
def show_measurements(request: HttpRequest, pk: UUID) -> Any:
    """Get the rate, intervals, axis and ST levels. 409 while they are measured; 404 if there are none."""
    reading = _get_finished(request, pk, "measurements")
    measurements = reading.facts.get("measurements")
    if measurements is None:
        raise ProblemError(404, f"This reading has no measurements. {reading.failure_reason}".strip())
    record_view(request, reading, "measurements")
    return measurements


@router.get("/{uuid:pk}/statements", response=list[Statement], summary="Get the statements by published criteria")
def list_statements(
    request: HttpRequest,
    pk: UUID,
    age: float | None = _AGE,
    sex: Sex | None = _SEX,
) -> list[dict[str, Any]]:
    """Evaluate published criteria on the measurements, for orientation. 409 while these are measured; 404 without."""
    reading = _get_finished(request, pk, "statements")
    statements = find_statements(reading.facts, age=age, sex=sex)
    if not statements:
        raise ProblemError(404, f"This reading has no measurements. {reading.failure_reason}".strip())
    record_view(request, reading, "statements")
    return [statement.to_dict() for statement in statements]


@router.get("/{uuid:pk}/signals", summary="Get the signals", openapi_extra=_SIGNALS)
def show_signals(
    request: HttpRequest,
    pk: UUID,
    format: Form = _FORMAT,
) -> HttpResponse:
    """Get the signals in mV as a file. 409 while they are digitized; 404 if there are none."""
    reading = _get_finished(request, pk, "signals")
    export = exports.export_signals(reading, format)
    if export is None:
        raise ProblemError(404, f"This reading has no signals in this format. {reading.failure_reason}".strip())
    record(request, "export", reading, detail=format)
    return respond_with_attachment(*export)


@router.get("/{uuid:pk}/page", summary="Get the page", openapi_extra=_PICTURE)
def show_page(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """Get the page as it is stored, as an image. 404 if it was not stored."""
    reading = get_own_reading(request, pk)
    response = respond_with_file(reading.page)
    record_view(request, reading, "page")
    return response


@router.get("/{uuid:pk}/pictures/{name}", summary="Get a picture", openapi_extra=_PICTURE)
def show_picture(request: HttpRequest, pk: UUID, name: str) -> HttpResponseBase:
    """Get a picture of the page or of a result, such as ``gray``, ``lead:aVF``, ``traced`` or ``heat:0``."""
    picture = get_own_picture(request, pk, name.replace("\x00", ""))
    response = respond_with_file(picture.file)
    record_view(request, picture.reading, f"picture {picture.name}")
    return response


def _get_finished(request: HttpRequest, pk: UUID, result: str) -> Reading:
    reading = get_own_reading(request, pk)
    if not reading.finished:
        text = f"The {result} are not available yet; request them again in {_RETRY_AFTER_S} seconds."
        raise ProblemError(409, text, {"Retry-After": str(_RETRY_AFTER_S)})
    return reading
