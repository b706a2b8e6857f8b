"""Responses that are files: stored ones, and ones that were made for the request."""

from django.http import FileResponse, Http404, HttpResponse

__all__ = ["respond_with_attachment", "respond_with_file"]

_MEDIA_TYPES = {"jpg": "image/jpeg", "png": "image/png"}


def respond_with_attachment(content: bytes, name: str, media_type: str) -> HttpResponse:
    """Return a response with a file that the browser saves under the given name."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(content, content_type=media_type, headers=headers)


def respond_with_file(file: object) -> FileResponse:
    """Return a response with a stored file, to be shown by the browser.

    Args:
        file: A field of a model; empty where nothing is stored.

    Raises:
        Http404: Nothing is stored, or the file was deleted.
    """
    name = getattr(file, "name", "") or ""
    if not name:
        raise Http404
    try:
        stream = file.open("rb")  # type: ignore[attr-defined]  # a FieldFile, which has no common type
    except FileNotFoundError as error:
        raise Http404 from error
    media_type = _MEDIA_TYPES.get(name.rpartition(".")[2], "application/octet-stream")
    response = FileResponse(stream, content_type=media_type)
    response["Content-Disposition"] = "inline"
    return response
