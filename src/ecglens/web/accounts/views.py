"""The account's own pages: addresses, tokens, redaction, download of all data, deletion of the account."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from allauth.account.adapter import get_adapter
from allauth.account.decorators import reauthentication_required
from allauth.account.models import EmailAddress
from allauth.account.views import EmailView
from allauth.mfa.utils import is_mfa_enabled
from django.contrib import messages
from django.contrib.auth import logout
from django.contrib.auth.decorators import login_required
from django.db import IntegrityError, transaction
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ecglens.web.accounts.audit import record
from ecglens.web.accounts.current_user import get_user
from ecglens.web.accounts.data_export import export_user_data
from ecglens.web.accounts.forms import DeleteForm, TokenForm
from ecglens.web.accounts.models import Token
from ecglens.web.accounts.tokens import create_token

__all__ = ["account", "change_addresses", "delete", "download", "make_token", "revoke_token", "set_redaction"]


@login_required
@require_safe
def account(request: HttpRequest) -> HttpResponse:
    """Show everything about the user's own account."""
    return _render_account(request, TokenForm())


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@reauthentication_required  # type: ignore[untyped-decorator]  # allauth ships no types
def make_token(request: HttpRequest) -> HttpResponse:
    """Create a token; only this response shows its key. A GET shows the form, for users who had to log in again."""
    if request.method != "POST":
        return _render_account(request, TokenForm())
    form = TokenForm(request.POST)
    if not form.is_valid():
        return _render_account(request, form, status=400)
    fields = form.cleaned_data
    expires_at = timezone.now() + timedelta(days=fields["days"]) if fields["days"] else None
    token, key = create_token(get_user(request), fields["name"], fields["scopes"], expires_at=expires_at)
    record(request, "make", token)
    return _render_account(request, TokenForm(), new_token=token, key=key)


@login_required
@require_POST
def revoke_token(request: HttpRequest, pk: UUID) -> HttpResponse:
    """Revoke a token at once."""
    token = get_object_or_404(Token, pk=pk, owner=get_user(request))
    token.revoke()
    record(request, "revoke", token)
    messages.success(request, _("The token “%(name)s” was revoked.") % {"name": token.name})
    return redirect("account")


@login_required
@require_POST
def set_redaction(request: HttpRequest) -> HttpResponse:
    """Choose whether the print around the traces is redacted before a page is stored."""
    user = get_user(request)
    user.redact = "redact" in request.POST
    user.save(update_fields=["redact"])
    record(request, "change", user, detail=f"redact {user.redact}")
    messages.success(request, _("Saved; this applies to pages that you upload from now on."))
    return redirect("account")


@login_required
@require_safe
@never_cache
@reauthentication_required  # type: ignore[untyped-decorator]  # allauth ships no types
def download(request: HttpRequest) -> FileResponse:
    """Send all data of the user as a ZIP."""
    user = get_user(request)
    record(request, "download", user)
    return FileResponse(export_user_data(user), as_attachment=True, filename="ecglens-data.zip")


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
@reauthentication_required  # type: ignore[untyped-decorator]  # allauth ships no types
def delete(request: HttpRequest) -> HttpResponse:
    """Delete the account with everything in it."""
    user = get_user(request)
    form = DeleteForm(request.POST or None, account_email=user.email)
    if request.method != "POST" or not form.is_valid():
        return render(request, "accounts/delete.html", {"form": form}, status=400 if form.errors else 200)
    record(user, "delete", user)
    logout(request)
    with transaction.atomic():
        user.delete()
    messages.success(request, _("The account was deleted with everything in it."))
    return redirect("start")


class _AddressesView(EmailView):  # type: ignore[misc]  # allauth ships no types
    """The user's addresses, of which only a confirmed one becomes the account's.

    allauth lets an unconfirmed one become it while none is confirmed, and whether that works tells whether another
    account has it.
    """

    def _action_primary(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse | None:
        address = self._get_email_address(request)
        if address is not None and not address.verified and address.email != get_user(request).email:
            get_adapter().add_message(request, messages.ERROR, "account/messages/unverified_primary_email.txt")
            return None
        try:
            with transaction.atomic():
                response: HttpResponse | None = super()._action_primary(request, *args, **kwargs)
        except IntegrityError:  # the address is this user's, so that another account of the user's own has it
            messages.error(request, get_adapter().error_messages["email_taken"])
            return None
        return response


change_addresses = _AddressesView.as_view()


def _render_account(request: HttpRequest, form: TokenForm, *, status: int = 200, **context: object) -> HttpResponse:
    user = get_user(request)
    context |= {
        "form": form,
        "tokens": Token.objects.filter(owner=user, revoked_at=None),
        "second_factor": is_mfa_enabled(user),
        "verified": EmailAddress.objects.filter(user=user, verified=True).exists(),
    }
    return render(request, "accounts/account.html", context, status=status)
