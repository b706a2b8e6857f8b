"""Responses in two parts: what is available at once, and what takes longer, in the same response.

Nothing is stored between the parts, and the browser shows the first while the second is made. The site's own server
sends the first part as soon as it is there; behind any other WSGI server both come together.
"""

from collections.abc import Callable
from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.utils import translation

from ecglens.web.http.throttle import hash_address

__all__ = ["IN_PARTS", "LATER", "Later", "respond_in_parts"]

IN_PARTS = "ecglens.in_parts"
"""Variable of a request whose server sends a second part."""
LATER = "ecglens.later"
"""Variable in which a view leaves the second part."""


@dataclass(frozen=True, slots=True)
class Later:
    """The second part of a response.

    Attributes:
        work: Makes it; called in any thread, once or never.
        decline: Makes what is sent in its place where too many others wait.
        language: Language of both.
        caller: Whose request it is: those of each person take turns.
    """

    work: Callable[[], str]
    decline: Callable[[], str]
    language: str
    caller: str

    def run(self) -> bytes:
        """Return the second part."""
        with translation.override(self.language):
            return self.work().encode()

    def refuse(self) -> bytes:
        """Return what is sent in place of the second part."""
        with translation.override(self.language):
            return self.decline().encode()


def respond_in_parts(
    request: HttpRequest, first: str, *, work: Callable[[], str], decline: Callable[[], str]
) -> HttpResponse:
    """Return a response that begins with a part that is available at once.

    Args:
        request: The request.
        first: The first part.
        work: Makes the second part.
        decline: Makes what is sent in its place where too many others wait.
    """
    later = Later(work, decline, translation.get_language() or "en", hash_address(request))
    if request.method == "HEAD":
        return HttpResponse(first)
    if IN_PARTS not in request.META:
        return HttpResponse(first.encode() + later.run())
    request.META[LATER] = later
    response = HttpResponse(first)
    response["X-Accel-Buffering"] = "no"
    return response
