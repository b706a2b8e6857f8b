"""Files of a reading, served to its owner through the site and never by an address of their own."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from ecglens.web.accounts.audit import record
from ecglens.web.readings import exports
from ecglens.web.readings.file_responses import respond_with_attachment, respond_with_file
from ecglens.web.readings.ownership import get_own_picture, get_own_reading

__all__ = ["page", "picture", "sheet", "signals"]


@login_required
@require_safe
def page(request: HttpRequest, pk: UUID) -> FileResponse:
    """Serve the page as it is stored."""
    return respond_with_file(get_own_reading(request, pk).page)


@login_required
@require_safe
def picture(request: HttpRequest, pk: UUID, name: str) -> FileResponse:
    """Serve a picture of the page or of a result."""
    return respond_with_file(get_own_picture(request, pk, name).file)


@login_required
@require_safe
def signals(request: HttpRequest, pk: UUID, form: str) -> HttpResponse:
    """Send the signals in a format."""
    reading = get_own_reading(request, pk)
    export = exports.export_signals(reading, form)
    if export is None:
        raise Http404
    record(request, "export", reading, detail=form)
    return respond_with_attachment(*export)


@login_required
@require_safe
def sheet(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Send a PDF of the reading to print."""
    reading = get_own_reading(request, pk)
    record(request, "export", reading, detail="pdf")
    return respond_with_attachment(*exports.EXPORTERS["pdf"]([reading]))
