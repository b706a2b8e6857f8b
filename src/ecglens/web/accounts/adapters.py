"""The site's answers to questions of django-allauth."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest

from ecglens.settings import load_settings

__all__ = ["AccountAdapter"]


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Decides whether visitors may create an account."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Return what the settings say."""
        return load_settings().sign_up
