"""Users, API tokens and the audit log."""

import uuid
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

__all__ = ["SCOPES", "AuditEntry", "Token", "User"]

SCOPES = {
    "read": _("View readings, signals and batches"),
    "write": _("Upload, change and delete readings and batches"),
}
"""The scopes of a token, with their descriptions."""


class _Users(UserManager["User"]):
    """Users are identified by their e-mail address."""

    def create_user(  # type: ignore[override]  # Django's users have a name, which these have not
        self, email: str, password: str | None = None, **fields: Any
    ) -> "User":
        """Create an account."""
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(  # type: ignore[override]  # as above
        self, email: str, password: str | None = None, **fields: Any
    ) -> "User":
        """Create an account that may do everything."""
        return self.create_user(email, password, **{"is_staff": True, "is_superuser": True, **fields})

    def get_by_natural_key(self, username: str | None) -> "User":
        """Return the account of an address, whatever the case of its letters."""
        return self.get(email__iexact=username)


class User(AbstractUser):
    """A person with an account, identified by an e-mail address."""

    username = None  # type: ignore[assignment]  # so Django leaves out a field, which its stubs do not know
    first_name = None  # type: ignore[assignment]  # likewise
    last_name = None  # type: ignore[assignment]  # likewise
    email = models.EmailField(_("e-mail address"), unique=True)
    redact = models.BooleanField(_("redact the print around the traces"), default=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[_Users] = _Users()

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")

    def __str__(self) -> str:
        return self.email

    def get_full_name(self) -> str:
        """Return the address; no other name is stored."""
        return self.email

    def get_short_name(self) -> str:
        """Return the part of the address before the @."""
        return self.email.split("@")[0]


class Token(models.Model):
    """An API token of a user's program; see :mod:`ecglens.web.accounts.tokens`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(_("name"), max_length=80)
    scopes = models.JSONField(_("scopes"), default=list)
    start = models.CharField(_("starts with"), max_length=16)
    sha256 = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    used_at = models.DateTimeField(_("last used"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)
        verbose_name = _("token")
        verbose_name_plural = _("tokens")

    def __str__(self) -> str:
        return f"{self.name} ({self.start}…)"

    @property
    def is_valid(self) -> bool:
        """Whether the token has neither been revoked nor expired."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())

    def revoke(self) -> None:
        """Revoke the token now."""
        self.revoked_at = timezone.now()
        self.save(update_fields=["revoked_at"])


class AuditEntry(models.Model):
    """A record of who viewed or changed what, and when. Entries are added, never changed.

    Users and objects are stored as numbers and words without a link, so that an entry outlives them and contains no
    address of a deleted account.
    """

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(_("time"), default=timezone.now, db_index=True)
    actor_id = models.BigIntegerField(_("user"), null=True, db_index=True)
    token_id = models.UUIDField(_("token"), null=True)
    action = models.CharField(_("action"), max_length=40, db_index=True)
    kind = models.CharField(_("kind"), max_length=40, blank=True)
    object_id = models.CharField(_("object"), max_length=64, blank=True, db_index=True)
    owner_id = models.BigIntegerField(_("its owner"), null=True, db_index=True)
    detail = models.CharField(_("detail"), max_length=200, blank=True)

    class Meta:
        ordering = ("-id",)
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit log")

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.action} {self.kind} {self.object_id}"
