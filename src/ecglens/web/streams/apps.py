"""The app of streams."""

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_delete
from django.utils.translation import gettext_lazy as _

__all__ = ["StreamsConfig"]


class StreamsConfig(AppConfig):
    """Sessions of live ECGs."""

    name = "ecglens.web.streams"
    label = "streams"
    verbose_name = _("Streams")

    def ready(self) -> None:
        """Delete the folder of a session with its row, whoever deletes it."""
        from ecglens.web.streams.models import StreamSession

        post_delete.connect(_delete_folder, sender=StreamSession, dispatch_uid="folder of a session")


def _delete_folder(sender: Any, instance: Any, **_: Any) -> None:
    from django.db import transaction

    from ecglens.web.streams.folders import delete_session

    transaction.on_commit(lambda: delete_session(instance.pk))
