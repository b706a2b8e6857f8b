"""Who may do what through the API, how often, and what is kept of it."""

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
from ecglens.web.accounts.models import AuditEntry, Token, User
from ecglens.web.api.problems import ProblemError
from ecglens.web.project.throttle import address_hash, next_minute_s, within

__all__ = ["BearerToken", "EachUser", "SessionCookie", "saw", "user_of"]

USER_REQUESTS_A_MINUTE = 600
REFUSED_REQUESTS_A_MINUTE = 60
"""Of one address with tokens that do not hold."""

_SEEN_AGAIN = timedelta(minutes=1)
_READING_METHODS = ("GET", "HEAD")
_INVALID = {"WWW-Authenticate": 'Bearer realm="ecglens", error="invalid_token"'}


class BearerToken(HttpBearer):
    """A token of a user's program, which lets it do what its scopes say."""

    def authenticate(self, request: HttpRequest, token: str) -> Token:
        """Let a token in that holds and has the scope, as its owner."""
        found = Token.of(token)
        if found is None:
            if not within(f"api:refused:{address_hash(request)}", REFUSED_REQUESTS_A_MINUTE):
                raise ProblemError(429, "Too many requests.", {"Retry-After": str(next_minute_s())})
            raise ProblemError(
                401, "Expected a token that holds, found one that is unknown, ended or revoked.", _INVALID
            )
        _check_second_factor(found.owner)
        needed = "read" if request.method in _READING_METHODS else "write"
        if needed not in found.scopes:
            challenge = f'Bearer realm="ecglens", error="insufficient_scope", scope="{needed}"'
            text = f"Expected a token with the scope {needed}, found one without it; make another token."
            raise ProblemError(403, text, {"WWW-Authenticate": challenge})
        request.user = found.owner
        request.token = found  # type: ignore[attr-defined]  # requests have no such field; audit reads it
        return found


class SessionCookie(APIKeyCookie):
    """The login of a person in the browser; what changes something needs the mark against forged requests too."""

    param_name = settings.SESSION_COOKIE_NAME

    def __call__(self, request: HttpRequest) -> User | None:
        """Let a person in who is logged in."""
        return self.authenticate(request, None)

    def authenticate(self, request: HttpRequest, key: str | None) -> User | None:
        """Let a person in who is logged in and whose page sends its mark."""
        user = request.user
        if not isinstance(user, User):
            return None
        _check_second_factor(user)
        if check_csrf(request) is not None:
            raise ProblemError(403, "Expected the header X-CSRFToken of a page of this site, found none that fits.")
        return user


class EachUser(BaseThrottle):
    """So many requests a minute for a user, by all tokens and logins together."""

    def allow_request(self, request: HttpRequest) -> bool:
        """Whether the user has not had enough this minute."""
        return within(f"api:user:{request.user.pk}", USER_REQUESTS_A_MINUTE)

    def wait(self) -> float:
        """Seconds until the next minute."""
        return next_minute_s()


def user_of(request: HttpRequest) -> User:
    """Who asks, known by token or login."""
    if not isinstance(request.user, User):
        raise ProblemError(401, "Expected a token or a login, found neither.")
    return request.user


def saw(request: HttpRequest, thing: Model, detail: str = "") -> None:
    """Keep in the audit log that somebody saw something, once a minute where a program asks again and again."""
    before = AuditEntry.objects.filter(
        object_id=str(thing.pk),
        actor_id=request.user.pk,
        token_id=getattr(getattr(request, "token", None), "pk", None),
        action="see",
        detail=detail,
        at__gt=timezone.now() - _SEEN_AGAIN,
    )
    if not before.exists():
        record(request, "see", thing, detail=detail)


def _check_second_factor(user: Any) -> None:
    if user.is_staff and not is_mfa_enabled(user):
        raise ProblemError(403, "Expected staff with a second factor, found none; set one up on the site first.")
