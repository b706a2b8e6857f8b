"""Readings, batches and tasks for staff."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest

from ecglens.web.accounts.audit import record
from ecglens.web.readings.models import Answer, Batch, Reading

__all__ = ["BatchAdmin", "ReadingAdmin"]


class _Audited:
    """What staff look at or delete is kept in the audit log; nothing is added or changed here."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Pages come from their owners."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Only their owners change them."""
        return False

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Keep who saw it."""
        found = super().get_object(request, object_id, from_field)  # type: ignore[misc]  # of the admin class that it is mixed into
        if found is not None:
            record(request, "see as staff", found)
        return found

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        """Keep who deleted it."""
        record(request, "delete as staff", obj)
        super().delete_model(request, obj)  # type: ignore[misc]  # as above

    def delete_queryset(self, request: HttpRequest, queryset: Any) -> None:
        """Keep who deleted each."""
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
    """Readings without their pages, which only their owners see."""

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
        "trouble",
        "attempts",
        "created_at",
    )
    inlines = (_Answers,)
    list_select_related = ("owner", "batch")


@admin.register(Batch)
class BatchAdmin(_Audited, admin.ModelAdmin):  # type: ignore[type-arg]  # generic in the stubs only
    """Batches."""

    list_display = ("id", "owner", "created_at", "listed", "trouble")
    list_filter = ("created_at",)
    search_fields = ("id", "owner__email")
    fields = ("owner", "name", "created_at", "listed", "passed_over", "trouble")
    list_select_related = ("owner",)
