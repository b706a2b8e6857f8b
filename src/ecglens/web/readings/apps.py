"""The app of readings."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_delete
from django.utils.translation import gettext_lazy as _

__all__ = ["ReadingsConfig"]


class ReadingsConfig(AppConfig):
    """Pages, what was read of them, and batches."""

    name = "ecglens.web.readings"
    label = "readings"
    verbose_name = _("Readings")

    def ready(self) -> None:
        """What is deleted from the database is deleted from the storage, whoever deletes it."""
        from ecglens.web.readings.models import Batch, Picture, Reading

        for model in (Reading, Picture, Batch):
            post_delete.connect(_drop_files, sender=model, dispatch_uid=f"files of {model.__name__}")


def _drop_files(sender: Any, instance: Any, **_: Any) -> None:
    from ecglens.web.readings.store import drop

    names = [field.name for field in sender._meta.fields if field.get_internal_type() == "FileField"]
    kept = [getattr(instance, name).name for name in names if name != "upload"]
    upload = getattr(getattr(instance, "upload", None), "name", "")
    if upload and not sender.objects.filter(upload=upload).exists():
        kept.append(upload)
    drop(*kept)
