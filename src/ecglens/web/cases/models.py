"""Tables of cases: their readings with dates and tags, links that show them to others, and reviews by people."""

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ecglens.web.readings.models import Reading

__all__ = ["Case", "Membership", "Review", "Share"]

PSEUDONYM_CHARS = 80
NOTE_CHARS = 4000


class Case(models.Model):
    """Readings of one person under a pseudonym."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="cases")
    pseudonym = models.CharField(_("pseudonym"), max_length=PSEUDONYM_CHARS)
    note = models.TextField(_("note"), blank=True, max_length=NOTE_CHARS)
    created_at = models.DateTimeField(_("created"), default=timezone.now, db_index=True)

    class Meta:
        ordering = ("-created_at", "id")
        verbose_name = _("case")
        verbose_name_plural = _("cases")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["owner", "pseudonym"], name="one_case_a_pseudonym"),
        ]

    def __str__(self) -> str:
        return self.pseudonym

    def get_absolute_url(self) -> str:
        """Return the address of its page."""
        return reverse("case", args=[self.pk])


class Membership(models.Model):
    """A reading in a case; a reading is in one case at most."""

    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="memberships")
    reading = models.OneToOneField(Reading, on_delete=models.CASCADE, related_name="membership")
    recorded_on = models.DateField(_("recorded on"), null=True, blank=True)
    """Day on which the ECG was recorded, as its owner says."""
    tags = models.JSONField(_("tags"), default=list)

    class Meta:
        ordering = (models.F("recorded_on").asc(nulls_last=True), "reading__created_at", "id")

    def __str__(self) -> str:
        return f"{self.case_id} {self.reading_id}"


class Share(models.Model):
    """A link that shows a case to whoever has it, until it expires; only a hash of its key is stored."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    case = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="shares")
    sha256 = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField(_("created"), default=timezone.now)
    expires_at = models.DateTimeField(_("expires"), db_index=True)

    class Meta:
        ordering = ("-created_at",)

    def __str__(self) -> str:
        return str(self.pk)

    @property
    def is_valid(self) -> bool:
        """Whether the link has not expired."""
        return self.expires_at > timezone.now()


class Review(models.Model):
    """A person's statements about a reading, with those of ecglens at that time."""

    reading = models.ForeignKey(Reading, on_delete=models.CASCADE, related_name="reviews")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="reviews")
    label = models.CharField(_("label"), max_length=60, blank=True)
    statements = models.JSONField(_("statements"), default=list)
    """Names of criteria that hold, in the person's opinion."""
    text = models.TextField(_("comment"), blank=True, max_length=NOTE_CHARS)
    model_label = models.CharField(max_length=60, blank=True)
    model_outcome = models.CharField(max_length=20, blank=True)
    model_statements = models.JSONField(default=list)
    """Names of the criteria that were met."""
    reviewed_at = models.DateTimeField(_("reviewed"), default=timezone.now, db_index=True)

    class Meta:
        ordering = ("-reviewed_at", "id")
        verbose_name = _("review")
        verbose_name_plural = _("reviews")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["reading", "reviewer"], name="one_review_a_reviewer"),
        ]

    def __str__(self) -> str:
        return f"{self.reading_id} {self.label}"

    def to_dict(self) -> dict[str, Any]:
        """Return the review in plain types."""
        return {
            "reading": str(self.reading_id),
            "label": self.label or None,
            "statements": list(self.statements),
            "text": self.text,
            "model_label": self.model_label or None,
            "model_outcome": self.model_outcome or None,
            "model_statements": list(self.model_statements),
            "reviewed_at": self.reviewed_at,
        }
