"""What is kept of a page that was read: the page, the answers, the figures, the pictures."""

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ecglens.web.readings.names import NAME_CHARS
from ecglens.web.readings.percent import percent_text
from ecglens.web.readings.store import pages

__all__ = ["Answer", "Batch", "Picture", "Reading", "Readings", "WorkerLife"]


class Batch(models.Model):
    """Many pages that came together."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="batches")
    name = models.CharField(_("name"), max_length=NAME_CHARS)
    created_at = models.DateTimeField(_("uploaded"), default=timezone.now, db_index=True)
    archive = models.FileField(storage=pages, max_length=120, blank=True)
    """A ZIP that was not unpacked yet; gone afterwards."""
    options = models.JSONField(default=dict)
    """As :class:`ecglens.web.readings.work.Options` has them."""
    listed = models.BooleanField(default=False)
    """Whether each of its pages has a reading."""
    trouble = models.TextField(blank=True)
    """Why its archive could not be opened, in a sentence."""
    passed_over = models.IntegerField(default=0)
    """Files in the archive that were not taken for pages by their names."""

    class Meta:
        ordering = ("-created_at", "id")
        verbose_name = _("batch")
        verbose_name_plural = _("batches")

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Where it is shown."""
        return reverse("batch", args=[self.pk])

    def counts(self) -> dict[str, int]:
        """How many of its pages stand where."""
        found = dict(self.readings.values_list("state").annotate(models.Count("id")))
        return {
            "pages": sum(found.values()),
            **{str(state): found.get(state, 0) for state in Reading.State.values},
        }

    @property
    def finished(self) -> bool:
        """Whether nothing of it is left to be read."""
        open_ones = self.readings.filter(state__in=[Reading.State.WAITING, Reading.State.ANSWERED])
        return bool(self.trouble) or (self.listed and not open_ones.exists())


class Readings(models.QuerySet["Reading"]):
    """Questions to ask of readings."""

    def of(self, user: Any) -> "Readings":
        """Those of a user."""
        return self.filter(owner_id=user.pk)


class Reading(models.Model):
    """A page of a user, with what was read of it.

    A page is ``waiting`` until a model was asked, ``answered`` while its signals are measured and its answer is
    explained, and ``done`` then; or ``failed`` without an answer, with its reason. A page uploaded on its own is
    answered before it is kept, one of a batch afterwards.
    """

    class State(models.TextChoices):
        """Where a reading stands."""

        WAITING = "waiting", _("waiting")
        ANSWERED = "answered", _("measuring")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="readings")
    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="readings", null=True, blank=True)
    place = models.IntegerField(default=0)
    """Of the page in its batch."""
    entry = models.IntegerField(null=True)
    """Of its file in the batch's archive."""
    name = models.CharField(_("file"), max_length=NAME_CHARS)
    page_number = models.IntegerField(_("page"), default=1)
    page_count = models.IntegerField(default=1)
    created_at = models.DateTimeField(_("uploaded"), default=timezone.now, db_index=True)
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.WAITING, db_index=True)
    options = models.JSONField(default=dict)
    """As :class:`ecglens.web.readings.work.Options` has them."""

    upload = models.FileField(storage=pages, max_length=120, blank=True)
    """The file as it came, of a page of a batch that waits; gone as soon as it was looked at."""
    sha256 = models.CharField(max_length=64, blank=True, db_index=True)
    """Of the file as it came."""
    page = models.FileField(storage=pages, max_length=120, blank=True)
    """The page as it is kept."""
    redacted = models.BooleanField(default=False)
    reading_state = models.FileField(storage=pages, max_length=120, blank=True)
    """Layout, vector curves and model inputs of the page, as ``ecglens.formats.reading_state`` packs them."""
    signals = models.FileField(storage=pages, max_length=120, blank=True)
    """Signals in mV, as ``ecglens.formats.json`` writes them."""

    label = models.CharField(_("label"), max_length=60, blank=True, db_index=True)
    """Of the first model; empty where it cannot tell."""
    probability = models.FloatField(_("probability"), null=True)
    corrected = models.CharField(_("label by you"), max_length=60, blank=True)
    """What the user says instead; the model's answer stays beside it."""
    note = models.TextField(_("note"), blank=True, max_length=4000)
    facts = models.JSONField(default=dict)
    """What was found on the page, see ``ecglens.web.readings.facts``."""
    explanations = models.JSONField(default=list)
    """As ``Explanation.to_dict`` has them, without their heat, whose pictures are kept."""

    stage = models.CharField(max_length=20, blank=True)
    """Of the work that failed."""
    trouble = models.TextField(blank=True)
    """Why it failed, in a sentence."""
    attempts = models.IntegerField(default=0)
    lease = models.UUIDField(null=True)
    """Of who works on it now; whoever takes it over puts in another, and what the first then brings is dropped."""
    idempotency_key = models.CharField(max_length=120, null=True)
    """None, not an empty one, where there is no key, so that keys are unique."""
    request_sha256 = models.CharField(max_length=64, blank=True)
    """Of the request that the key came with."""

    objects = Readings.as_manager()

    class Meta:
        ordering = ("-created_at", "id")
        verbose_name = _("reading")
        verbose_name_plural = _("readings")
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["owner", "idempotency_key"], name="one_reading_a_key"),
            models.UniqueConstraint(fields=["batch", "place"], name="one_reading_a_place"),
        ]
        indexes: ClassVar = [models.Index(fields=["owner", "-created_at"], name="owner_newest")]

    def __str__(self) -> str:
        return self.name

    def get_absolute_url(self) -> str:
        """Where it is shown."""
        return reverse("reading", args=[self.pk])

    @property
    def percent(self) -> str:
        """The label's probability as it is shown."""
        return percent_text(self.probability)

    @property
    def finished(self) -> bool:
        """Whether nothing of it is left to be done."""
        return self.state in (self.State.DONE, self.State.FAILED)


class Answer(models.Model):
    """What one model says of a page."""

    reading = models.ForeignKey(Reading, on_delete=models.CASCADE, related_name="answers")
    place = models.IntegerField(default=0)
    """The first model's is 0."""
    model = models.CharField(_("model"), max_length=120)
    version = models.CharField(_("version"), max_length=60, blank=True)
    label = models.CharField(_("label"), max_length=60, blank=True)
    prediction = models.JSONField()
    """As ``Prediction.to_dict`` has it."""

    class Meta:
        ordering = ("place",)
        constraints: ClassVar = [models.UniqueConstraint(fields=["reading", "place"], name="one_answer_a_place")]

    def __str__(self) -> str:
        return f"{self.model} {self.version}"


class Picture(models.Model):
    """A picture that was made of a page."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    reading = models.ForeignKey(Reading, on_delete=models.CASCADE, related_name="pictures")
    name = models.CharField(max_length=80)
    """Such as ``gray``, ``lead:aVF`` or ``heat:0``."""
    file = models.FileField(storage=pages, max_length=120)
    width = models.IntegerField()
    height = models.IntegerField()

    class Meta:
        ordering = ("id",)
        constraints: ClassVar = [models.UniqueConstraint(fields=["reading", "name"], name="one_picture_a_name")]

    def __str__(self) -> str:
        return self.name


class WorkerLife(models.Model):
    """When a worker was last heard of; tasks of one that is silent are given to another."""

    worker_id = models.CharField(primary_key=True, max_length=64)
    seen_at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return self.worker_id
