"""The app of accounts."""

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

__all__ = ["AccountsConfig"]


class AccountsConfig(AppConfig):
    """Accounts, tokens and the audit log."""

    name = "ecglens.web.accounts"
    label = "accounts"
    verbose_name = _("Accounts")

    def ready(self) -> None:
        """Listen to what the audit log keeps."""
        from ecglens.web.accounts import audit

        audit.listen()
