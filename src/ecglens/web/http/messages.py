"""A page with one sentence, for everything that did not work."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

__all__ = ["render_message"]


def render_message(request: HttpRequest, text: str, *, status: int, title: str = "") -> HttpResponse:
    """Render a page with one sentence that says what was wrong.

    Args:
        request: The request that is answered.
        text: The sentence.
        status: HTTP status of the response.
        title: Heading of the page; a general one by default.
    """
    return render(request, "site/message.html", {"text": text, "title": title or _("This did not work")}, status=status)
