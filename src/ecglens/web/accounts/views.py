"""The account's own pages: tokens, redaction, all own data, the end of the account."""

from datetime import timedelta
from uuid import UUID

from allauth.account.decorators import reauthentication_required
from allauth.account.models import EmailAddress
from allauth.mfa.utils import is_mfa_enabled
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ecglens.web.accounts.audit import record
from ecglens.web.accounts.forms import DeleteForm, TokenForm
from ecglens.web.accounts.models import Token
from ecglens.web.accounts.own_data import own_data
from ecglens.web.accounts.who import user_of

__all__ = ["account", "delete", "download", "make_token", "revoke_token", "set_redaction"]


@login_required
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    """Everything about the own account in one place."""
    return _page(request, TokenForm())


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@reauthentication_required  # type: ignore[untyped-decorator]  # allauth ships no types
def make_token(request: HttpRequest) -> HttpResponse:
    """Make a token; this answer alone shows its key. Who was asked for the password in between finds the form again."""
    if request.method != "POST":
        return _page(request, TokenForm())
    form = TokenForm(request.POST)
    if not form.is_valid():
        return _page(request, form, status=400)
    days = form.cleaned_data["days"]
    ends = timezone.now() + timedelta(days=days) if days else None
    token, key = Token.make(user_of(request), form.cleaned_data["name"], form.cleaned_data["scopes"], expires_at=ends)
    record(request, "make", token)
    return _page(request, TokenForm(), made=token, key=key)


@login_required
@require_POST
def revoke_token(request: HttpRequest, pk: UUID) -> HttpResponse:
    """End a token at once."""
    token = get_object_or_404(Token, pk=pk, owner=user_of(request))
    token.revoke()
    record(request, "revoke", token)
    messages.success(request, _("The token “%(name)s” was revoked.") % {"name": token.name})
    return redirect("account")


@login_required
@require_POST
def set_redaction(request: HttpRequest) -> HttpResponse:
    """Whether what is printed around the traces is painted over before a page is kept."""
    user = user_of(request)
    user.redact = "redact" in request.POST
    user.save(update_fields=["redact"])
    record(request, "change", user, detail=f"redact {user.redact}")
    messages.success(request, _("Saved; it holds for pages from now on."))
    return redirect("account")


@login_required
@require_safe
@never_cache
@reauthentication_required  # type: ignore[untyped-decorator]  # allauth ships no types
def download(request: HttpRequest) -> FileResponse:
    """All own data as a ZIP."""
    user = user_of(request)
    record(request, "download", user)
    return FileResponse(own_data(user), as_attachment=True, filename="ecglens-data.zip")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@reauthentication_required  # type: ignore[untyped-decorator]  # allauth ships no types
def delete(request: HttpRequest) -> HttpResponse:
    """Delete the account with everything in it."""
    user = user_of(request)
    form = DeleteForm(request.POST or None, own=user.email)
    if request.method != "POST" or not form.is_valid():
        return render(request, "accounts/delete.html", {"form": form}, status=400 if form.errors else 200)
    record(user, "delete", user)
    logout(request)
    with transaction.atomic():
        user.delete()
    messages.success(request, _("The account was deleted with everything in it."))
    return redirect("start")


def _page(request: HttpRequest, form: TokenForm, *, status: int = 200, **more: object) -> HttpResponse:
    user = user_of(request)
    context = {
        "form": form,
        "tokens": Token.objects.filter(owner=user, revoked_at=None),
        "second_factor": is_mfa_enabled(user),
        "verified": EmailAddress.objects.filter(user=user, verified=True).exists(),
        **more,
    }
    return render(request, "accounts/account.html", context, status=status)
