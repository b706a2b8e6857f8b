"""The site's answers to questions of django-allauth."""

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from django.http import HttpRequest

from ecglens.settings import load_settings

__all__ = ["AccountAdapter"]


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Decides whether visitors may create an account, and which addresses may be removed."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Return what the settings say."""
        return load_settings().sign_up

    def can_delete_email(self, email_address: EmailAddress) -> bool:
        """Return whether an address can be removed; that of the account cannot, as an unconfirmed one would follow."""
        is_of_account = email_address.email.lower() == email_address.user.email.lower()
        return not is_of_account and bool(super().can_delete_email(email_address))
