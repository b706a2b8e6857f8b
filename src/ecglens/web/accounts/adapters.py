"""The site's answers to questions of django-allauth."""

import logging
from smtplib import SMTPException
from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.models import EmailAddress
from django.contrib import messages
from django.http import HttpRequest
from django.utils.translation import gettext as _

from ecglens.settings import load_settings

__all__ = ["AccountAdapter"]

_LOG = logging.getLogger(__name__)


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth ships no types
    """Decides whether visitors may create an account, and which addresses may be removed."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Return what the settings say."""
        return load_settings().sign_up

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send a mail, or say that it could not be sent; whether the address has an account makes no difference."""
        try:
            super().send_mail(template_prefix, email, context)
        except (OSError, SMTPException) as error:
            _LOG.error("A mail could not be sent: %s", type(error).__name__)
            if self.request is not None:
                text = _("The mail could not be sent; try again later, or tell the operator of this site.")
                messages.error(self.request, text)
            return
        if self.request is not None and not load_settings().mail_url:
            text = _("This site sends no mail; its operator has it in a folder of the site.")
            messages.warning(self.request, text)

    def can_delete_email(self, email_address: EmailAddress) -> bool:
        """Return whether an address can be removed; that of the account cannot, as an unconfirmed one would follow."""
        is_of_account = email_address.email.lower() == email_address.user.email.lower()
        return not is_of_account and bool(super().can_delete_email(email_address))
