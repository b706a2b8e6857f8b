"""Access to the API: authentication, scopes, rate limits and the audit log."""

from datetime import timedelta
from typing import Any

from allauth.mfa.utils import is_mfa_enabled
from django.conf import settings
from django.db.models import Model
from django.http import HttpRequest
from django.utils import timezone
from ninja.security import APIKeyCookie, HttpBearer
from ninja.throttling import BaseThrottle
from ninja.utils import check_csrf

from ecglens.web.accounts.audit import record
from ecglens.web.accounts.guards import MISSING_SECOND_FACTOR
from ecglens.web.accounts.models import AuditEntry, Token, User
from ecglens.web.accounts.tokens import find_token
from ecglens.web.http.problems import ProblemError
from ecglens.web.http.throttle import count_request, hash_address, seconds_to_next_minute

__all__ = ["BearerToken", "SessionCookie", "UserThrottle", "get_user", "may_read", "record_view"]

USER_REQUESTS_A_MINUTE = 600
REFUSED_REQUESTS_A_MINUTE = 60
"""Limit for requests of one address with invalid tokens."""

_VIEW_INTERVAL = timedelta(minutes=1)
_SCOPES = {"GET": ("read",), "HEAD": ("read",), "PATCH": ("read", "write")}
"""Scopes that a token needs for a method; a change is answered with the whole reading."""
_INVALID = {"WWW-Authenticate": 'Bearer realm="ecglens", error="invalid_token"'}


class BearerToken(HttpBearer):
    """Authentication by the token of a user's program, which is allowed what its scopes say."""

    def authenticate(self, request: HttpRequest, token: str) -> Token:
        """Authenticate a valid token that has the scope for the request, as its owner."""
        row = find_token(token)
        if row is None:
            if not count_request(f"api:refused:{hash_address(request)}", REFUSED_REQUESTS_A_MINUTE):
                raise ProblemError(429, "Too many requests.", {"Retry-After": str(seconds_to_next_minute())})
            raise ProblemError(
                401, "Expected a valid token, got one that is unknown, expired or revoked; create another.", _INVALID
            )
        _check_second_factor(row.owner)
        scopes = _SCOPES.get(str(request.method), ("write",))
        if not set(scopes).issubset(row.scopes):
            challenge = f'Bearer realm="ecglens", error="insufficient_scope", scope="{" ".join(scopes)}"'
            text = f"Expected a token with the scope {' and '.join(scopes)}, got one without it; create another token."
            raise ProblemError(403, text, {"WWW-Authenticate": challenge})
        request.user = row.owner
        request.token = row  # type: ignore[attr-defined]  # requests have no such field; audit reads it
        return row


class SessionCookie(APIKeyCookie):
    """Authentication by a login in the browser; requests that change something need the CSRF token too."""

    param_name = settings.SESSION_COOKIE_NAME

    def __call__(self, request: HttpRequest) -> User | None:
        """Authenticate a user who is logged in."""
        return self.authenticate(request, None)

    def authenticate(self, request: HttpRequest, key: str | None) -> User | None:
        """Authenticate a user who is logged in, after checking the CSRF token."""
        user = request.user
        if not isinstance(user, User):
            return None
        _check_second_factor(user)
        if check_csrf(request) is not None:
            raise ProblemError(
                403, "Expected the header X-CSRFToken of a page of this site, got none that is valid; reload the page."
            )
        return user


class UserThrottle(BaseThrottle):
    """Limit for requests of a user in a minute, by all tokens and logins together."""

    def allow_request(self, request: HttpRequest) -> bool:
        """Return whether the request is within the limit."""
        return count_request(f"api:user:{request.user.pk}", USER_REQUESTS_A_MINUTE)

    def wait(self) -> float:
        """Return the seconds until the next minute."""
        return seconds_to_next_minute()


def get_user(request: HttpRequest) -> User:
    """Return the user who sent the request, authenticated by token or login.

    Raises:
        ProblemError: There is none.
    """
    if not isinstance(request.user, User):
        raise ProblemError(401, "Expected a token or a login, got neither; create a token on the site or log in.")
    return request.user


def may_read(request: HttpRequest) -> bool:
    """Return whether the request comes from a login, or from a token that may read."""
    token = getattr(request, "token", None)
    return token is None or "read" in token.scopes


def record_view(request: HttpRequest, target: Model, detail: str = "") -> None:
    """Record in the audit log that an object was viewed; once a minute if a program polls."""
    previous = AuditEntry.objects.filter(
        object_id=str(target.pk),
        actor_id=request.user.pk,
        token_id=getattr(getattr(request, "token", None), "pk", None),
        action="see",
        detail=detail,
        at__gt=timezone.now() - _VIEW_INTERVAL,
    )
    if not previous.exists():
        record(request, "see", target, detail=detail)


def _check_second_factor(user: Any) -> None:
    if user.is_staff and not is_mfa_enabled(user):
        raise ProblemError(403, MISSING_SECOND_FACTOR)
