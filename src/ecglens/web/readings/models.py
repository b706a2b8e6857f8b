"""Tables of a reading: the page, the predictions, the facts, the pictures; batches, and workers."""

import uuid
from datetime import timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ecglens.labels import format_probability
from ecglens.web.readings.names import NAME_CHARS
from ecglens.web.readings.numbers import localize
from ecglens.web.readings.store import pages

__all__ = ["Answer", "Batch", "Picture", "Reading", "Readings", "WorkerLife", "WorkerLives"]

SILENT = timedelta(seconds=15)
"""Time without a sign of life after which a worker is treated as dead; workers give one every 3 s."""


class Batch(models.Model):
    """Many pages that were uploaded together."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="batches")
    name = models.CharField(_("name"), max_length=NAME_CHARS)
    created_at = models.DateTimeField(_("uploaded"), default=timezone.now, db_index=True)
    archive = models.FileField(storage=pages, max_length=120, blank=True)
    """A ZIP that is not unpacked yet; deleted afterwards."""
    options = models.JSONField(default=dict)
    """:meth:`ecglens.web.readings.pipeline.Options.to_dict`."""
    listed = models.BooleanField(default=False)
    """Whether each of its pages has a reading."""
    failure_reason = models.TextField(blank=True)
    """Reason why its archive could not be opened, in a sentence."""
    archive_bytes = models.BigIntegerField(default=0)
    attempts = models.IntegerField(default=0)
    """Number of times that a worker began to open its archive."""
    skipped_files = models.IntegerField(default=0)
    """Files in the archive whose names are not those of pages."""

    class Meta:
        ordering = ("-created_at", "id")
        verbose_name = _("batch")
        verbose_name_plural = _("batches")

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return the address of its page."""
        return reverse("batch", args=[self.pk])

    def counts(self) -> dict[str, int]:
        """Count its pages by state."""
        counts = dict(self.readings.values_list("state").annotate(models.Count("id")))
        return {
            "pages": sum(counts.values()),
            **{str(state): counts.get(state, 0) for state in Reading.State.values},
        }

    @property
    def finished(self) -> bool:
        """Whether all its pages have been read and measured."""
        unfinished = self.readings.filter(state__in=[Reading.State.WAITING, Reading.State.ANSWERED])
        return bool(self.failure_reason) or (self.listed and not unfinished.exists())


class Readings(models.QuerySet["Reading"]):
    """Queries of readings."""

    def of(self, user: Any) -> "Readings":
        """Select the readings of a user."""
        return self.filter(owner_id=user.pk)


class Reading(models.Model):
    """A page of a user, with its results.

    A page is ``waiting`` until the models have run, ``answered`` while its signals are measured and its prediction is
    explained, and then ``done``; or ``failed`` without a prediction, with the reason. A page uploaded on its own is
    predicted before it is stored, one of a batch afterwards.
    """

    class State(models.TextChoices):
        """Progress of a reading."""

        WAITING = "waiting", _("waiting")
        ANSWERED = "answered", _("measuring")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="readings")
    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="readings", null=True, blank=True)
    position = models.IntegerField(default=0)
    """Position of the page in its batch."""
    entry = models.IntegerField(null=True)
    """Position of its file in the batch's archive."""
    name = models.CharField(_("file"), max_length=NAME_CHARS)
    page_number = models.IntegerField(_("page"), default=1)
    page_count = models.IntegerField(default=1)
    created_at = models.DateTimeField(_("uploaded"), default=timezone.now, db_index=True)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.WAITING, db_index=True)
    options = models.JSONField(default=dict)
    """:meth:`ecglens.web.readings.pipeline.Options.to_dict`."""

    upload = models.FileField(storage=pages, max_length=120, blank=True)
    """The uploaded file of a page of a batch that waits; deleted as soon as the models have run."""
    sha256 = models.CharField(max_length=64, blank=True, db_index=True)
    """Hash of the uploaded file."""
    page = models.FileField(storage=pages, max_length=120, blank=True)
    """The page as it is stored, redacted or not."""
    redacted = models.BooleanField(default=False)
    reading_state = models.FileField(storage=pages, max_length=120, blank=True)
    """Layout, vector curves and model inputs of the page, as ``ecglens.formats.reading_state`` packs them."""
    signals = models.FileField(storage=pages, max_length=120, blank=True)
    """Signals in mV, as ``ecglens.formats.json`` writes them."""
    stored_bytes = models.BigIntegerField(default=0)
    """Size of all its files and of its pictures, for the quota of its owner."""

    label = models.CharField(_("label"), max_length=60, blank=True, db_index=True)
    """Label of the first model; empty if it gives none."""
    probability = models.FloatField(_("probability"), null=True)
    outcome = models.CharField(_("result"), max_length=20, blank=True, db_index=True)
    """A value of :class:`ecglens.outcomes.Outcome`; empty while the page waits."""
    corrected = models.CharField(_("label by you"), max_length=60, blank=True)
    """Label that the user assigned; the model's is stored beside it."""
    note = models.TextField(_("note"), blank=True, max_length=4000)
    corrections = models.JSONField(default=list)
    """Changes by hand in their order: ``at``, and ``content`` of ``ecglens.corrections``; the last is in force."""
    facts = models.JSONField(default=dict)
    """Facts about the page, see ``ecglens.web.readings.facts``."""
    explanations = models.JSONField(default=list)
    """``Explanation.to_dict`` of each, without its heat map, which is a picture."""

    stage = models.CharField(max_length=20, blank=True)
    """Stage of the work that failed: ``reading`` or ``measuring``."""
    failure_reason = models.TextField(blank=True)
    """Reason of the failure, in a sentence."""
    attempts = models.IntegerField(default=0)
    lease = models.UUIDField(null=True)
    """Claim of the worker that has the reading; another worker replaces it, and the first one's results are dropped."""
    idempotency_key = models.CharField(max_length=120, null=True)
    """``None``, not empty, where there is no key, so that keys are unique."""
    request_sha256 = models.CharField(max_length=64, blank=True)
    """Hash of the request that the key came with."""

    objects = Readings.as_manager()

    class Meta:
        ordering = ("-created_at", "id")
        verbose_name = _("reading")
        verbose_name_plural = _("readings")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["owner", "idempotency_key"], name="one_reading_a_key"),
            models.UniqueConstraint(fields=["batch", "position"], name="one_reading_a_position"),
        ]
        indexes: ClassVar = [models.Index(fields=["owner", "-created_at"], name="owner_newest")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Return the address of its page."""
        return reverse("reading", args=[self.pk])

    @property
    def percent(self) -> str:
        """The label's probability, formatted."""
        return localize(format_probability(self.probability))

    @property
    def finished(self) -> bool:
        """Whether no further results follow."""
        return self.state in (self.State.DONE, self.State.FAILED)


class Answer(models.Model):
    """Prediction of one model for a page."""

    reading = models.ForeignKey(Reading, on_delete=models.CASCADE, related_name="answers")
    position = models.IntegerField(default=0)
    """Position among the requested models; the first one's is 0."""
    model = models.CharField(_("model"), max_length=120)
    version = models.CharField(_("version"), max_length=60, blank=True)
    label = models.CharField(_("label"), max_length=60, blank=True)
    prediction = models.JSONField()
    """``Prediction.to_dict``."""

    class Meta:
        ordering = ("position",)
        constraints: ClassVar = [models.UniqueConstraint(fields=["reading", "position"], name="one_answer_a_position")]

    def __str__(self) -> str:
        return f"{self.model} {self.version}"


class Picture(models.Model):
    """Picture of a page or of a result."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reading = models.ForeignKey(Reading, on_delete=models.CASCADE, related_name="pictures")
    name = models.CharField(max_length=80)
    """Name such as ``gray``, ``lead:aVF`` or ``heat:0``."""
    file = models.FileField(storage=pages, max_length=120)
    width = models.IntegerField()
    height = models.IntegerField()

    class Meta:
        ordering = ("id",)
        constraints: ClassVar = [models.UniqueConstraint(fields=["reading", "name"], name="one_picture_a_name")]

    def __str__(self) -> str:
        return self.name


class WorkerLives(models.QuerySet["WorkerLife"]):
    """Queries of workers."""

    def living(self) -> "WorkerLives":
        """Select the workers that have reported lately, by the database's clock."""
        return self.filter(last_active_at__gt=Now() - SILENT)


class WorkerLife(models.Model):
    """Last sign of life of a worker; tasks of one that is silent are given to another."""

    worker_id = models.CharField(primary_key=True, max_length=64)
    last_active_at = models.DateTimeField(default=timezone.now, db_index=True)

    objects = WorkerLives.as_manager()

    def __str__(self) -> str:
        return self.worker_id
