"""What the account's pages take."""

from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _

from ecglens.web.accounts.models import SCOPES

__all__ = ["DeleteForm", "TokenForm"]


class TokenForm(forms.Form):
    """A token's name, what it is for, and how long it holds."""

    name = forms.CharField(label=_("Name"), max_length=80, help_text=_("Such as the program that will use it."))
    scopes = forms.MultipleChoiceField(
        label=_("What it may do"),
        choices=list(SCOPES.items()),
        widget=forms.CheckboxSelectMultiple,
        initial=["read", "write"],
    )
    days = forms.TypedChoiceField(
        label=_("Ends"),
        coerce=int,
        empty_value=None,
        required=False,
        choices=[("30", _("after 30 days")), ("90", _("after 90 days")), ("365", _("after a year")), ("", _("never"))],
        initial="90",
    )


class DeleteForm(forms.Form):
    """The own address, typed, so that nobody deletes an account by a slip."""

    email = forms.EmailField(label=_("Your e-mail address"))
    error_css_class: ClassVar[str] = "is-invalid"

    def __init__(self, *args: Any, own: str, **more: Any) -> None:
        super().__init__(*args, **more)
        self._own = own

    def clean_email(self) -> str:
        """It must be the account's."""
        email: str = self.cleaned_data["email"]
        if email.lower() != self._own.lower():
            raise forms.ValidationError(_("Expected the address of this account, found another."))
        return email
