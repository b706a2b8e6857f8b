"""Table of sessions."""

import uuid

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

__all__ = ["StreamSession"]

DEVICE_CHARS = 80


class StreamSession(models.Model):
    """A live ECG of a user, from its first packet to its end."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="stream_sessions")
    device = models.CharField(_("device"), max_length=DEVICE_CHARS)
    leads = models.JSONField(default=list)
    fs_hz = models.FloatField(default=0.0)
    created_at = models.DateTimeField(_("began"), default=timezone.now, db_index=True)
    ended_at = models.DateTimeField(_("ended"), null=True)
    stored_bytes = models.BigIntegerField(default=0)

    class Meta:
        ordering = ("-created_at", "id")
        verbose_name = _("stream")
        verbose_name_plural = _("streams")

    def __str__(self) -> str:
        return self.device

    def get_absolute_url(self) -> str:
        """Return the address of its page."""
        return reverse("stream", args=[self.pk])
