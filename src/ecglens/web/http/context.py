"""Template variables that every page may need."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from ecglens.settings import load_settings

__all__ = ["site"]


def site(request: HttpRequest) -> dict[str, Any]:
    """Return the limits and the features that are enabled."""
    values = load_settings()
    return {
        "limit_mb": f"{settings.MAX_UPLOAD_BYTES / 1024**2:g}",
        "batch_limit_mb": f"{settings.MAX_BATCH_BYTES / 1024**2:g}",
        "open_sign_up": values.sign_up,
        "visitors": values.visitors,
        "sends_mail": bool(values.mail_url),
        "retention_days": values.retention_days,
    }
