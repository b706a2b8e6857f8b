"""Parts of a reading that come after its answer: explanations, measurements, signals, pictures."""

from typing import Any, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from ninja import Router
from ninja.params.functions import Query

from ecglens.web.accounts.audit import record
from ecglens.web.api.access import saw
from ecglens.web.api.problems import ProblemError
from ecglens.web.api.schemas import Explanation, Measurements
from ecglens.web.api.told import explanations_told
from ecglens.web.readings import exports
from ecglens.web.readings.models import Reading
from ecglens.web.readings.views.files import attached, served
from ecglens.web.readings.views.owned import own_picture, own_reading

__all__ = ["router"]

router = Router(tags=["Parts of a reading"])

Form = Literal["json", "csv", "wfdb", "dicom", "fhir"]

_AGAIN_S = 2
_FORMAT = Query("json", description="wfdb comes as a ZIP of several files.")
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
            }
        }
    }
}


@router.get("/{uuid:pk}/explanations", response=list[Explanation], summary="Get the explanations")
def list_explanations(request: HttpRequest, pk: UUID) -> list[dict[str, Any]]:
    """Why the first model answers as it does. 409 while they are made; 404 where there are none."""
    reading = _finished(own_reading(request, pk), "explanations")
    if not reading.explanations:
        raise ProblemError(404, f"This reading has no explanations. {reading.trouble}".strip())
    saw(request, reading, "explanations")
    return explanations_told(reading)


@router.get("/{uuid:pk}/measurements", response=Measurements, summary="Get the measurements")
def show_measurements(request: HttpRequest, pk: UUID) -> Any:
    """Rate, intervals, axis and ST levels. 409 while they are measured; 404 where there are none."""
    reading = _finished(own_reading(request, pk), "measurements")
    measured = reading.facts.get("measurements")
    if measured is None:
        raise ProblemError(404, f"This reading has no measurements. {reading.trouble}".strip())
    saw(request, reading, "measurements")
    return measured


@router.get("/{uuid:pk}/signals", summary="Get the signals", openapi_extra=_SIGNALS)
def show_signals(
    request: HttpRequest,
    pk: UUID,
    format: Form = _FORMAT,
) -> HttpResponse:
    """The signals in mV as a file. 409 while they are digitized; 404 where there are none."""
    reading = _finished(own_reading(request, pk), "signals")
    made = exports.signals(reading, format)
    if made is None:
        raise ProblemError(404, f"This reading has no signals in this format. {reading.trouble}".strip())
    record(request, "export", reading, detail=format)
    return attached(*made)


@router.get("/{uuid:pk}/page", summary="Get the page", openapi_extra=_PICTURE)
def show_page(request: HttpRequest, pk: UUID) -> HttpResponseBase:
    """The page as it is kept, as a picture. 404 where it was not kept."""
    reading = own_reading(request, pk)
    answer = served(reading.page)
    saw(request, reading, "page")
    return answer


@router.get("/{uuid:pk}/pictures/{name}", summary="Get a picture", openapi_extra=_PICTURE)
def show_picture(request: HttpRequest, pk: UUID, name: str) -> HttpResponseBase:
    """A picture that was made of the page, such as ``gray``, ``lead:aVF``, ``traced`` or ``heat:0``."""
    picture = own_picture(request, pk, name.replace("\x00", ""))
    answer = served(picture.file)
    saw(request, picture.reading, f"picture {picture.name}")
    return answer


def _finished(reading: Reading, what: str) -> Reading:
    if not reading.finished:
        text = f"The {what} are not there yet; ask again in {_AGAIN_S} seconds."
        raise ProblemError(409, text, {"Retry-After": str(_AGAIN_S)})
    return reading
