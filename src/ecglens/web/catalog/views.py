"""Pages about the installed models."""

from django.http import HttpRequest, HttpResponse

__all__ = ["models"]


def models(request: HttpRequest) -> HttpResponse:
    """Every installed model."""
    return HttpResponse("to come")
