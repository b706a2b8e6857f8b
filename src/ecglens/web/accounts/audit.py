"""The audit log: one call for each thing that a person or a program saw or changed."""

from functools import partial
from typing import Any

from allauth.account import signals as account
from allauth.mfa import signals as mfa
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models import Model
from django.http import HttpRequest

from ecglens.web.accounts.models import AuditEntry, User

__all__ = ["listen", "record"]


def record(who: HttpRequest | User | None, action: str, thing: Model | None = None, *, detail: str = "") -> AuditEntry:
    """Add an entry.

    Args:
        who: A request, whose user and token count; a user; ``None`` for the site itself.
        action: A verb, such as ``see`` or ``delete``.
        thing: What it was done to; its ``owner_id`` is kept too, where it has one.
        detail: More, without anything secret.
    """
    user = getattr(who, "user", None) if isinstance(who, HttpRequest) else who
    token = getattr(who, "token", None)
    owner = thing.pk if isinstance(thing, User) else getattr(thing, "owner_id", None)
    return AuditEntry.objects.create(
        actor_id=user.pk if isinstance(user, AbstractBaseUser) else None,
        token_id=None if token is None else token.pk,
        action=action,
        kind="" if thing is None else str(thing._meta.model_name),
        object_id="" if thing is None else str(thing.pk),
        owner_id=owner,
        detail=detail[:200],
    )


def listen() -> None:
    """Keep logins, failed ones too, and logouts."""
    user_logged_in.connect(_logged_in, dispatch_uid="audit")
    user_logged_out.connect(_logged_out, dispatch_uid="audit")
    user_login_failed.connect(_login_failed, dispatch_uid="audit")
    for signal, action in _CHANGES.items():
        signal.connect(partial(_changed, action), weak=False, dispatch_uid=f"audit {action}")


_CHANGES = {
    account.password_changed: "change the password",
    account.password_set: "set a password",
    account.password_reset: "reset the password",
    account.email_added: "add an address",
    account.email_changed: "change the address",
    account.email_removed: "remove an address",
    mfa.authenticator_added: "add a second factor",
    mfa.authenticator_removed: "remove a second factor",
    mfa.authenticator_reset: "make new recovery codes",
    mfa.authenticator_used: "use a second factor",
    mfa.authentication_failed: "fail at the second factor",
}


def _changed(action: str, sender: Any, user: User, authenticator: Any = None, **_: Any) -> None:
    """Which kind of factor is kept, never a code or an address."""
    record(user, action, user, detail="" if authenticator is None else str(authenticator.type))


def _logged_in(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    record(user, "log in", user)


def _logged_out(sender: Any, request: HttpRequest, user: User | None, **_: Any) -> None:
    record(user, "log out", user)


def _login_failed(sender: Any, credentials: dict[str, Any], **_: Any) -> None:
    """The address that was typed may be a password in the wrong field, so only a known user is kept."""
    known = User.objects.filter(
        email__iexact=str(credentials.get("email") or credentials.get("username") or "")
    ).first()
    record(None, "fail to log in", known)
