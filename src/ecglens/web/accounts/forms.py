"""Forms of the account's pages."""

from typing import Any, ClassVar

from allauth.account import app_settings
from allauth.account.adapter import get_adapter
from allauth.account.forms import SignupForm
from allauth.account.signals import user_signed_up
from allauth.account.utils import filter_users_by_email, passthrough_next_redirect_url
from django import forms
from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.hashers import make_password
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from ecglens.web.accounts.models import SCOPES

__all__ = ["DeleteForm", "SignUpForm", "TokenForm"]


class SignUpForm(SignupForm):  # type: ignore[misc]  # allauth ships no types
    """Address and password of a new account; the response is the same where the address has one already.

    With a mail server, allauth writes to the address in both cases. Without one, it would name the conflict or log the
    new user in, so the response here is the login page in both cases.
    """

    def validate_unique_email(self, value: str) -> str:
        """Remember whether the address has an account, in place of an error that says so."""
        if _confirms_addresses():
            return str(super().validate_unique_email(value))
        self.account_already_exists = bool(filter_users_by_email(value))
        return value

    def try_save(self, request: HttpRequest) -> tuple[Any, HttpResponse | None]:
        """Create the account if the address has none."""
        if _confirms_addresses():
            saved: tuple[Any, HttpResponse | None] = super().try_save(request)
            return saved
        if self.account_already_exists:
            make_password(self.cleaned_data["password1"])  # takes as long as creating the account
        else:
            self._create(request)
        get_adapter().unstash_verified_email(request)  # begins a session, as creating the account does
        messages.success(
            request,
            _("If there was no account with this address, there is one now. Log in with the address and the password."),
        )
        return None, HttpResponseRedirect(
            passthrough_next_redirect_url(request, reverse("account_login"), REDIRECT_FIELD_NAME)
        )

    def _create(self, request: HttpRequest) -> None:
        try:
            with transaction.atomic():
                user = self.save(request)
        except IntegrityError:  # another request created it in the meantime
            return
        user_signed_up.send(sender=type(user), request=request, user=user)


class TokenForm(forms.Form):
    """A token's name, its scopes and its lifetime."""

    name = forms.CharField(label=_("Name"), max_length=80, help_text=_("For example the program that will use it."))
    scopes = forms.MultipleChoiceField(
        label=_("Permissions"),
        choices=list(SCOPES.items()),
        widget=forms.CheckboxSelectMultiple,
        initial=["read", "write"],
    )
    days = forms.TypedChoiceField(
        label=_("Expires"),
        coerce=int,
        empty_value=None,
        required=False,
        choices=[("30", _("after 30 days")), ("90", _("after 90 days")), ("365", _("after a year")), ("", _("never"))],
        initial="90",
    )


class DeleteForm(forms.Form):
    """The user's own address, which has to be typed, so that no account is deleted by accident."""

    email = forms.EmailField(label=_("Your e-mail address"))
    error_css_class: ClassVar[str] = "is-invalid"

    def __init__(self, *args: Any, account_email: str, **options: Any) -> None:
        super().__init__(*args, **options)
        self._account_email = account_email

    def clean_email(self) -> str:
        """Check that the address is the account's."""
        email: str = self.cleaned_data["email"]
        if email.lower() != self._account_email.lower():
            raise forms.ValidationError(_("Expected the address of this account, got another; type your own."))
        return email


def _confirms_addresses() -> bool:
    return bool(app_settings.EMAIL_VERIFICATION == app_settings.EmailVerificationMethod.MANDATORY)
