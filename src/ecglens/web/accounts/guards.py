"""Guards of accounts: a second factor for staff, who can see data of other users, and a limit on changes."""

from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec

from allauth.mfa.utils import is_mfa_enabled
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from ecglens.web.http.messages import render_message
from ecglens.web.http.problems import problem
from ecglens.web.http.throttle import count_request, seconds_to_next_minute

__all__ = ["MISSING_SECOND_FACTOR", "limit_changes", "require_second_factor_for_staff"]

_CHANGES_A_MINUTE = 120
"""Far more than a person makes by hand, and few enough that a script in a browser cannot fill the database."""
_Parts = ParamSpec("_Parts")

MISSING_SECOND_FACTOR = "Expected staff with a second factor, got an account without one; set one up on the site first."
"""The sentence for programs; the site's pages have one in the reader's language."""


def require_second_factor_for_staff(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Redirect staff without a second factor to the page on which they set one up, from every other page."""

    def respond(request: HttpRequest) -> HttpResponse:
        user = request.user
        if not (user.is_authenticated and user.is_staff) or _is_exempt(request.path) or is_mfa_enabled(user):
            return get_response(request)
        if request.path.startswith("/api/"):
            return problem(403, MISSING_SECOND_FACTOR)
        messages.info(request, _("Staff need a second factor; set one up to continue."))
        return redirect(reverse("mfa_index"))

    return respond


def limit_changes(
    view: Callable[Concatenate[HttpRequest, _Parts], HttpResponse],
) -> Callable[Concatenate[HttpRequest, _Parts], HttpResponse]:
    """Limit how often an account may change something in a minute, over all views with this limit."""

    @wraps(view)
    def respond(request: HttpRequest, /, *args: _Parts.args, **kwargs: _Parts.kwargs) -> HttpResponse:
        is_change = request.method == "POST" and request.user.is_authenticated
        if is_change and not count_request(f"change:{request.user.pk}", _CHANGES_A_MINUTE):
            text = _("Expected at most %(most)s changes in a minute, got more; wait a little.")
            response = render_message(request, text % {"most": _CHANGES_A_MINUTE}, status=429)
            response.headers["Retry-After"] = str(seconds_to_next_minute())
            return response
        return view(request, *args, **kwargs)

    return respond


def _is_exempt(path: str) -> bool:
    return path.startswith(
        (reverse("mfa_index"), reverse("account_reauthenticate"), reverse("account_logout"), "/static/", "/i18n/")
    )
