"""The audit log: one call for each thing that a person or a program viewed or changed."""

from functools import partial
from typing import Any

from allauth.account import signals as account
from allauth.mfa import signals as mfa
from django.contrib.auth.models import AbstractBaseUser
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models import Model
from django.http import HttpRequest

from ecglens.web.accounts.models import AuditEntry, User

__all__ = ["connect_signals", "record"]


def record(
    actor: HttpRequest | User | None, action: str, target: Model | None = None, *, detail: str = ""
) -> AuditEntry:
    """Add an entry.

    Args:
        actor: A request, whose user and token are recorded; a user; ``None`` for the site itself.
        action: A verb, such as ``see`` or ``delete``.
        target: The object of the action; if it has an ``owner_id``, that is recorded too.
        detail: More about the action, without any secret.
    """
    user = getattr(actor, "user", None) if isinstance(actor, HttpRequest) else actor
    token = getattr(actor, "token", None)
    owner = target.pk if isinstance(target, User) else getattr(target, "owner_id", None)
    return AuditEntry.objects.create(
        actor_id=user.pk if isinstance(user, AbstractBaseUser) else None,
        token_id=None if token is None else token.pk,
        action=action,
        kind="" if target is None else str(target._meta.model_name),
        object_id="" if target is None else str(target.pk),
        owner_id=owner,
        detail=detail[:200],
    )


def connect_signals() -> None:
    """Record logins, failed logins, logouts and changes of passwords, addresses and second factors."""
    user_logged_in.connect(_record_login, dispatch_uid="audit")
    user_logged_out.connect(_record_logout, dispatch_uid="audit")
    user_login_failed.connect(_record_failed_login, dispatch_uid="audit")
    for signal, action in _CHANGES.items():
        signal.connect(partial(_record_change, action), weak=False, dispatch_uid=f"audit {action}")


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


def _record_change(action: str, sender: Any, user: User, authenticator: Any = None, **_: Any) -> None:
    """Record the kind of a second factor, never a code or an address."""
    record(user, action, user, detail="" if authenticator is None else str(authenticator.type))


def _record_login(sender: Any, request: HttpRequest, user: User, **_: Any) -> None:
    record(user, "log in", user)


def _record_logout(sender: Any, request: HttpRequest, user: User | None, **_: Any) -> None:
    record(user, "log out", user)


def _record_failed_login(sender: Any, credentials: dict[str, Any], **_: Any) -> None:
    """Record an existing user only: what was typed as the address may be a password in the wrong field."""
    address = str(credentials.get("email") or credentials.get("username") or "")
    record(None, "fail to log in", User.objects.filter(email__iexact=address).first())
