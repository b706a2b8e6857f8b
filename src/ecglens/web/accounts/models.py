"""Who uses the site, the tokens of their programs, and who saw or changed what."""

import hashlib
import secrets
import uuid
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, UserManager
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

__all__ = ["SCOPES", "AuditEntry", "Token", "User"]

SCOPES = {
    "read": _("See readings, signals and batches"),
    "write": _("Upload, change and delete readings and batches"),
}
"""What a token can be for."""

TOKEN_PREFIX = "ecgl_"
_TOKEN_BYTES = 32
_SHOWN_CHARS = 9
_SEEN_EVERY = timedelta(minutes=1)


class _Users(UserManager["User"]):
    """Users are known by their address."""

    def create_user(  # type: ignore[override]  # Django's users have a name, which these have not
        self, email: str, password: str | None = None, **more: Any
    ) -> "User":
        """Make an account."""
        user = self.model(email=self.normalize_email(email).lower(), **more)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(  # type: ignore[override]  # as above
        self, email: str, password: str | None = None, **more: Any
    ) -> "User":
        """Make an account that may do everything."""
        return self.create_user(email, password, **{"is_staff": True, "is_superuser": True, **more})

    def get_by_natural_key(self, username: str | None) -> "User":
        """The account of an address, in whatever case it is written."""
        return self.get(email__iexact=username)


class User(AbstractUser):
    """A person with an account, known by an e-mail address."""

    username = None  # type: ignore[assignment]  # so Django leaves out a field, which its stubs do not know
    first_name = None  # type: ignore[assignment]  # likewise
    last_name = None  # type: ignore[assignment]  # likewise
    email = models.EmailField(_("e-mail address"), unique=True)
    redact = models.BooleanField(_("paint over what is printed around the traces"), default=True)

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[_Users] = _Users()

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")

    def __str__(self) -> str:
        return self.email

    def get_full_name(self) -> str:
        """The address; no other name is kept."""
        return self.email

    def get_short_name(self) -> str:
        """What stands before the @."""
        return self.email.split("@")[0]


class Token(models.Model):
    """A key of a user's program; only its hash is kept.

    The key has 256 random bits, so that a plain SHA-256 cannot be turned back and a slow hash would guard nothing.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(_("name"), max_length=80)
    scopes = models.JSONField(_("scopes"), default=list)
    start = models.CharField(_("starts with"), max_length=16)
    sha256 = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(_("made"), default=timezone.now)
    expires_at = models.DateTimeField(_("ends"), null=True, blank=True)
    used_at = models.DateTimeField(_("last used"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)

    class Meta:
        ordering = ("-created_at",)
        verbose_name = _("token")
        verbose_name_plural = _("tokens")

    def __str__(self) -> str:
        return f"{self.name} ({self.start}…)"

    @classmethod
    def make(
        cls, owner: User, name: str, scopes: list[str], *, expires_at: datetime | None = None
    ) -> tuple["Token", str]:
        """Make a token.

        Returns:
            The token, and its key, which is not kept and cannot be shown again.
        """
        key = TOKEN_PREFIX + secrets.token_urlsafe(_TOKEN_BYTES)
        token = cls.objects.create(
            owner=owner,
            name=name,
            scopes=[scope for scope in SCOPES if scope in scopes],
            start=key[:_SHOWN_CHARS],
            sha256=_hash(key),
            expires_at=expires_at,
        )
        return token, key

    @classmethod
    def of(cls, key: str) -> "Token | None":
        """The token of a key, where it is one that still holds."""
        if not key.startswith(TOKEN_PREFIX):
            return None
        token = cls.objects.select_related("owner").filter(sha256=_hash(key), revoked_at=None).first()
        if token is None or not token.holds or not token.owner.is_active:
            return None
        now = timezone.now()
        if token.used_at is None or now - token.used_at > _SEEN_EVERY:
            cls.objects.filter(pk=token.pk).update(used_at=now)
        return token

    @property
    def holds(self) -> bool:
        """Whether it was neither revoked nor has ended."""
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())

    def revoke(self) -> None:
        """End it now."""
        self.revoked_at = timezone.now()
        self.save(update_fields=["revoked_at"])


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


class AuditEntry(models.Model):
    """Who saw or changed what, and when. Entries are added, never changed.

    Users and things are kept as numbers and words without a link, so that an entry outlives them and holds no address
    of a deleted account.
    """

    id = models.BigAutoField(primary_key=True)
    at = models.DateTimeField(_("at"), default=timezone.now, db_index=True)
    actor_id = models.BigIntegerField(_("user"), null=True, db_index=True)
    token_id = models.UUIDField(_("token"), null=True)
    action = models.CharField(_("action"), max_length=40, db_index=True)
    kind = models.CharField(_("kind"), max_length=40, blank=True)
    object_id = models.CharField(_("thing"), max_length=64, blank=True, db_index=True)
    owner_id = models.BigIntegerField(_("its owner"), null=True, db_index=True)
    detail = models.CharField(_("detail"), max_length=200, blank=True)

    class Meta:
        ordering = ("-id",)
        verbose_name = _("audit entry")
        verbose_name_plural = _("audit log")

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.action} {self.kind} {self.object_id}"
