"""Columns get plain names, and facts that ecglens 0.1.0 stored get the keys that they have now."""

from typing import Any

from django.db import migrations, models

_CHUNK_ROWS = 200


def upgrade_facts(facts: dict[str, Any]) -> dict[str, Any]:
    """Rename what 0.1.0 called ``usual`` and ``stands``; facts of later versions stay as they are."""
    upgraded = dict(facts)
    if isinstance(facts.get("measurements"), dict):
        upgraded["measurements"] = {
            name: {lead: _upgrade_figure(each) for lead, each in value.items()}
            if name in ("st_j_mv", "st_j60_mv")
            else _upgrade_figure(value)
            for name, value in facts["measurements"].items()
        }
    if isinstance(facts.get("scale"), dict):
        upgraded["scale"] = {
            name: "default" if name in ("gain_source", "speed_source") and value == "usual" else value
            for name, value in facts["scale"].items()
        }
    return upgraded


def _upgrade_figure(figure: Any) -> Any:
    if not isinstance(figure, dict) or "usual" not in figure:
        return figure
    names = {"usual": "reference", "stands": "position"}
    return {names.get(name, name): value for name, value in figure.items()}


def _upgrade_readings(apps: Any, schema_editor: Any) -> None:
    readings = apps.get_model("readings", "Reading").objects.using(schema_editor.connection.alias)
    changed = []
    for reading in readings.only("pk", "facts").order_by("pk").iterator(chunk_size=_CHUNK_ROWS):
        facts = upgrade_facts(reading.facts or {})
        if facts != reading.facts:
            reading.facts = facts
            changed.append(reading)
        if len(changed) >= _CHUNK_ROWS:
            readings.bulk_update(changed, ["facts"])
            changed = []
    readings.bulk_update(changed, ["facts"])


class Migration(migrations.Migration):
    dependencies = [("readings", "0002_reading_state")]

    operations = [
        migrations.RemoveConstraint(model_name="reading", name="one_reading_a_place"),
        migrations.RenameField(model_name="reading", old_name="place", new_name="position"),
        migrations.AddConstraint(
            model_name="reading",
            constraint=models.UniqueConstraint(fields=("batch", "position"), name="one_reading_a_position"),
        ),
        migrations.RemoveConstraint(model_name="answer", name="one_answer_a_place"),
        migrations.RenameField(model_name="answer", old_name="place", new_name="position"),
        migrations.AlterModelOptions(name="answer", options={"ordering": ("position",)}),
        migrations.AddConstraint(
            model_name="answer",
            constraint=models.UniqueConstraint(fields=("reading", "position"), name="one_answer_a_position"),
        ),
        migrations.RenameField(model_name="reading", old_name="trouble", new_name="failure_reason"),
        migrations.RenameField(model_name="batch", old_name="trouble", new_name="failure_reason"),
        migrations.RenameField(model_name="batch", old_name="passed_over", new_name="skipped_files"),
        migrations.RenameField(model_name="workerlife", old_name="seen_at", new_name="last_active_at"),
        migrations.RunPython(_upgrade_readings, migrations.RunPython.noop),
    ]
