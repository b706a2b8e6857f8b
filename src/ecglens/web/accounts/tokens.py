"""API tokens: created for a user's program, and looked up by their key, of which only the hash is stored.

A key has 256 random bits, so that a plain SHA-256 cannot be reversed and a slow hash would protect nothing.
"""

import hashlib
import secrets
from contextlib import suppress
from datetime import datetime, timedelta

from django.db import OperationalError
from django.utils import timezone

from ecglens.web.accounts.models import SCOPES, Token, User

__all__ = ["create_token", "find_token"]

_PREFIX = "ecgl_"
_TOKEN_BYTES = 32
_START_CHARS = 9
_USED_AT_PRECISION = timedelta(minutes=1)


def create_token(owner: User, name: str, scopes: list[str], *, expires_at: datetime | None = None) -> tuple[Token, str]:
    """Create a token.

    Args:
        owner: The user in whose name the token acts.
        name: A name to tell the token from others.
        scopes: What it allows, of :data:`ecglens.web.accounts.models.SCOPES`.
        expires_at: When it expires; never by default.

    Returns:
        The token, and its key, which is not stored and cannot be shown again.
    """
    key = _PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)
    token = Token.objects.create(
        owner=owner,
        name=name,
        scopes=[scope for scope in SCOPES if scope in scopes],
        start=key[:_START_CHARS],
        sha256=_hash(key),
        expires_at=expires_at,
    )
    return token, key


def find_token(key: str) -> Token | None:
    """Return the valid token that a key belongs to; ``None`` for unknown, expired and revoked ones."""
    if not key.startswith(_PREFIX):
        return None
    token = Token.objects.select_related("owner").filter(sha256=_hash(key), revoked_at=None).first()
    if token is None or not token.is_valid or not token.owner.is_active:
        return None
    now = timezone.now()
    if token.used_at is None or now - token.used_at > _USED_AT_PRECISION:
        with suppress(OperationalError):  # a full disk is no reason to refuse a token; what needs room says so
            Token.objects.filter(pk=token.pk).update(used_at=now)
    return token


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
