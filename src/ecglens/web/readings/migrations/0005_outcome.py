"""Outcomes of readings, which earlier versions told apart by their first prediction alone."""

from typing import Any

from django.db import migrations, models

_BY_KIND = {"uncertain": "not_sure", "unfamiliar": "outside", "no_layout": "not_readable"}
_ROWS = 500


def fill_outcomes(apps: Any, schema_editor: Any) -> None:
    """Derive the outcome of each reading from its first prediction."""
    reading_model, answer_model = apps.get_model("readings", "Reading"), apps.get_model("readings", "Answer")
    reading_model.objects.filter(state="failed").update(outcome="not_readable")
    reading_model.objects.filter(state__in=("answered", "done")).exclude(label="").update(outcome="answered")
    answers = answer_model.objects.filter(position=0, label="", reading__outcome="").exclude(reading__state="failed")
    for answer in answers.select_related("reading").only("prediction", "reading").iterator(chunk_size=_ROWS):
        abstention = answer.prediction.get("abstention") or {}
        outcome = _BY_KIND.get(abstention.get("kind", ""), "not_sure")
        reading_model.objects.filter(pk=answer.reading_id).update(outcome=outcome)


class Migration(migrations.Migration):
    dependencies = [("readings", "0004_limits")]

    operations = [
        migrations.AddField(
            model_name="reading",
            name="outcome",
            field=models.CharField(blank=True, db_index=True, default="", max_length=20, verbose_name="result"),
            preserve_default=False,
        ),
        migrations.RunPython(fill_outcomes, migrations.RunPython.noop),
    ]
