"""The app of readings."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_delete
from django.utils.translation import gettext_lazy as _

__all__ = ["ReadingsConfig"]


class ReadingsConfig(AppConfig):
    """Pages with their results, and batches."""

    name = "ecglens.web.readings"
    label = "readings"
    verbose_name = _("Readings")

    def ready(self) -> None:
        """Delete from the storage what is deleted from the database, whoever deletes it."""
        from ecglens.web.readings.models import Batch, Picture, Reading

        for model in (Reading, Picture, Batch):
            post_delete.connect(_delete_files_of, sender=model, dispatch_uid=f"files of {model.__name__}")


def _delete_files_of(sender: Any, instance: Any, **_: Any) -> None:
    from ecglens.web.readings.store import delete_files

    fields = [field.name for field in sender._meta.fields if field.get_internal_type() == "FileField"]
    names = [getattr(instance, field).name for field in fields if field != "upload"]
    upload = getattr(getattr(instance, "upload", None), "name", "")
    if upload and not sender.objects.filter(upload=upload).exists():
        names.append(upload)
    delete_files(*names)
