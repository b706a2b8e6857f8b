"""What allauth asks the site."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest

from ecglens.settings import load_settings

__all__ = ["AccountAdapter"]


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Whether anyone may make an account."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """As the settings say."""
        return load_settings().sign_up
