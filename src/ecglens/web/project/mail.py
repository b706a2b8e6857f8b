"""Settings for sending mail."""

from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from ecglens.errors import SettingsError

__all__ = ["configure_mail"]


def configure_mail(address: str, folder: Path) -> dict[str, Any]:
    """Return Django's settings of mail.

    Args:
        address: Such as ``smtp://user:password@host:587/?tls=1`` or ``smtps://…``; empty to write into ``folder``.
        folder: Folder for mail that is not sent; it is private, since its links give access to accounts.

    Raises:
        SettingsError: The address names no mail server.

    >>> configure_mail("smtps://me:secret@mail.example", Path())["EMAIL_USE_SSL"]
    True
    """
    if not address:
        return {
            "EMAIL_BACKEND": "django.core.mail.backends.filebased.EmailBackend",
            "EMAIL_FILE_PATH": str(folder),
        }
    parts = urlsplit(address)
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
        raise SettingsError(
            "Expected an ECGLENS_MAIL_URL such as smtp://user:password@host:587/?tls=1, got another form; correct it."
        )
    secure = parts.scheme == "smtps"
    return {
        "EMAIL_BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "EMAIL_HOST": parts.hostname,
        "EMAIL_PORT": parts.port or (465 if secure else 587),
        "EMAIL_HOST_USER": unquote(parts.username or ""),
        "EMAIL_HOST_PASSWORD": unquote(parts.password or ""),
        "EMAIL_USE_SSL": secure,
        "EMAIL_USE_TLS": not secure and parse_qs(parts.query).get("tls", ["0"])[0] not in ("", "0"),
        "EMAIL_TIMEOUT": 15,
    }
