"""Forms of the account's pages."""

from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _

from ecglens.web.accounts.models import SCOPES

__all__ = ["DeleteForm", "TokenForm"]


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
