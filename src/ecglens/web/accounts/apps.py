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
        """Connect the signals that the audit log records."""
        from ecglens.web.accounts import audit

        audit.connect_signals()
