"""Keys of the links that show a case: random, and stored as a hash only."""

import hashlib
import secrets
from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext as _

from ecglens.web.cases.models import Case, Share
from ecglens.web.readings.flows import Refused

__all__ = ["LONGEST_DAYS", "create_share", "hash_key"]

LONGEST_DAYS = 90
_MAX_SHARES = 20
_KEY_BYTES = 32


def create_share(case: Case, days: int) -> tuple[Share, str]:
    """Create a link that shows a case, and return it with its key, which cannot be shown again.

    Args:
        case: The case.
        days: Days until the link expires, from 1 to ``LONGEST_DAYS``.

    Raises:
        Refused: The number of days is out of range, or there are too many links.
    """
    if not 1 <= days <= LONGEST_DAYS:
        text = _("Expected 1 to %(most)s days, got %(days)s; choose a number in between.")
        raise Refused(text % {"most": LONGEST_DAYS, "days": days}, lang="")
    Share.objects.filter(case=case, expires_at__lte=timezone.now()).delete()
    if case.shares.count() >= _MAX_SHARES:
        raise Refused(_("Expected at most %(most)s links; delete one first.") % {"most": _MAX_SHARES}, lang="")
    key = secrets.token_urlsafe(_KEY_BYTES)
    expires_at = timezone.now() + timedelta(days=days)
    return Share.objects.create(case=case, sha256=hash_key(key), expires_at=expires_at), key


def hash_key(key: str) -> str:
    """Return the hash under which a key is stored."""
    return hashlib.sha256(key.encode()).hexdigest()
