"""Users, tokens and the audit log for staff."""

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as Base
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ecglens.web.accounts.models import AuditEntry, Token, User

__all__ = ["AuditAdmin", "TokenAdmin", "UserAdmin"]


@admin.register(User)
class UserAdmin(Base):  # type: ignore[type-arg]  # generic in the stubs only
    """Accounts, ordered by their address."""

    ordering = ("email",)
    list_display = ("email", "is_active", "is_staff", "date_joined", "last_login")
    list_filter = ("is_staff", "is_active")
    search_fields = ("email",)
    fieldsets = (
        (None, {"fields": ("email", "password")}),
        (_("Permissions"), {"fields": ("is_active", "is_staff", "is_superuser", "groups", "user_permissions")}),
        (_("Pages"), {"fields": ("redact",)}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("email", "usable_password", "password1", "password2")}),)


class _ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(AuditEntry)
class AuditAdmin(_ReadOnly):
    """The audit log, which cannot be changed here."""

    list_display = ("at", "actor", "action", "kind", "object_id", "owner", "detail")
    list_filter = ("action", "kind", "at")
    search_fields = ("object_id", "actor_id", "owner_id")
    date_hierarchy = "at"

    @admin.display(description=_("user"))
    def actor(self, entry: AuditEntry) -> str:
        """Show the address while the account exists."""
        return _address(entry.actor_id)

    @admin.display(description=_("its owner"))
    def owner(self, entry: AuditEntry) -> str:
        """Show the address while the account exists."""
        return _address(entry.owner_id)


@admin.register(Token)
class TokenAdmin(_ReadOnly):
    """Tokens without their keys."""

    list_display = ("start", "owner", "name", "scopes", "created_at", "used_at", "expires_at", "revoked_at")
    search_fields = ("owner__email", "start")
    list_select_related = ("owner",)
    fields = ("owner", "name", "start", "scopes", "created_at", "used_at", "expires_at", "revoked_at")


def _address(pk: int | None) -> str:
    if pk is None:
        return "–"
    user = User.objects.filter(pk=pk).only("email").first()
    return _("%(number)s (deleted)") % {"number": pk} if user is None else user.email
