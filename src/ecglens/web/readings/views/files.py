"""Files of a reading, served to its owner through the site and never by an address of their own."""

from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from ecglens.web.accounts.audit import record
from ecglens.web.readings import exports
from ecglens.web.readings.views.owned import own_picture, own_reading

__all__ = ["attached", "page", "picture", "served", "sheet", "signals"]

_KINDS = {"jpg": "image/jpeg", "png": "image/png"}


@login_required
@require_safe
def page(request: HttpRequest, pk: UUID) -> FileResponse:
    """The page as it is kept."""
    return served(own_reading(request, pk).page)


@login_required
@require_safe
def picture(request: HttpRequest, pk: UUID, name: str) -> FileResponse:
    """A picture that was made of it."""
    return served(own_picture(request, pk, name).file)


@login_required
@require_safe
def signals(request: HttpRequest, pk: UUID, form: str) -> HttpResponse:
    """Its signals in a format."""
    reading = own_reading(request, pk)
    found = exports.signals(reading, form)
    if found is None:
        raise Http404
    record(request, "export", reading, detail=form)
    return attached(*found)


@login_required
@require_safe
def sheet(request: HttpRequest, pk: UUID) -> HttpResponse:
    """A sheet to print."""
    reading = own_reading(request, pk)
    record(request, "export", reading, detail="pdf")
    return attached(*exports.TABLES["pdf"]([reading]))


def attached(content: bytes, name: str, kind: str) -> HttpResponse:
    """A file that was made, to be saved."""
    return HttpResponse(content, content_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


def served(file: object) -> FileResponse:
    """A kept file; nothing is found where it is gone."""
    name = getattr(file, "name", "") or ""
    if not name:
        raise Http404
    try:
        opened = file.open("rb")  # type: ignore[attr-defined]  # a FieldFile, which has no common type
    except FileNotFoundError as error:
        raise Http404 from error
    kind = _KINDS.get(name.rpartition(".")[2], "application/octet-stream")
    answer = FileResponse(opened, content_type=kind)
    answer["Content-Disposition"] = "inline"
    return answer
