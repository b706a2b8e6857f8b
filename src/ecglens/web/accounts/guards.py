"""Middleware that requires a second factor of staff, since they can see data of other users."""

from collections.abc import Callable

from allauth.mfa.utils import is_mfa_enabled
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from ecglens.web.http.problems import problem

__all__ = ["MISSING_SECOND_FACTOR", "require_second_factor_for_staff"]

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


def _is_exempt(path: str) -> bool:
    return path.startswith(
        (reverse("mfa_index"), reverse("account_reauthenticate"), reverse("account_logout"), "/static/", "/i18n/")
    )
