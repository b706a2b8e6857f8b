"""Readings, batches and tasks for staff."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from ecglens.web.accounts.audit import record
from ecglens.web.readings.models import Answer, Batch, Reading

__all__ = ["BatchAdmin", "ReadingAdmin"]


class _Audited:
    """Records in the audit log what staff view or delete; nothing is added or changed here."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return false, since pages come from their owners."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return false, since only their owners may change them."""
        return False

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Return the object, and record who viewed it."""
        obj = super().get_object(request, object_id, from_field)  # type: ignore[misc]  # of the admin class that it is mixed into
        if obj is not None:
            record(request, "see as staff", obj)
        return obj

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Delete the object, and record who did."""
        record(request, "delete as staff", obj)
        super().delete_model(request, obj)  # type: ignore[misc]  # as above

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """Delete the objects, and record who did."""
        for each in queryset:
            record(request, "delete as staff", each)
        super().delete_queryset(request, queryset)  # type: ignore[misc]  # as above


class _Answers(admin.TabularInline):  # type: ignore[type-arg]  # generic in the stubs only
    model = Answer
    fields = ("model", "version", "label")
    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Reading)
class ReadingAdmin(_Audited, admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """Readings without their pages, which only their owners can view."""

    list_display = ("id", "owner", "state", "label", "created_at", "batch", "attempts")
    list_filter = ("state", "label", "created_at")
    search_fields = ("id", "owner__email")
    fields = (
        "owner",
        "batch",
        "state",
        "label",
        "probability",
        "corrected",
        "stage",
        "failure_reason",
        "attempts",
        "created_at",
    )
    inlines = (_Answers,)
    list_select_related = ("owner", "batch")


@admin.register(Batch)
class BatchAdmin(_Audited, admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """Batches."""

    list_display = ("id", "owner", "created_at", "listed", "failure_reason")
    list_filter = ("created_at",)
    search_fields = ("id", "owner__email")
    fields = ("owner", "name", "created_at", "listed", "skipped_files", "failure_reason")
    list_select_related = ("owner",)
