"""Staff see other people's data, so that a password alone does not let them in."""

from collections.abc import Callable

from allauth.mfa.utils import is_mfa_enabled
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _

from ecglens.web.api.problems import problem

__all__ = ["second_factor_for_staff"]


def second_factor_for_staff(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Send staff without a second factor to where they set one up, whatever they ask for."""

    def answer(request: HttpRequest) -> HttpResponse:
        user = request.user
        if not (user.is_authenticated and user.is_staff) or _free(request.path) or is_mfa_enabled(user):
            return get_response(request)
        if request.path.startswith("/api/"):
            text = "Expected staff with a second factor, found none; set one up on the site first."
            return problem(403, text)
        messages.info(request, _("Staff need a second factor; set one up to go on."))
        return redirect(reverse("mfa_index"))

    return answer


def _free(path: str) -> bool:
    return path.startswith(
        (reverse("mfa_index"), reverse("account_reauthenticate"), reverse("account_logout"), "/static/", "/i18n/")
    )
