"""Data that ecglens 0.1.0 stored can be read after the migrations."""

import copy
import importlib

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from ecglens.measurements import Measurements
from ecglens.web.readings.facts import read_measurements

OLD_FIGURE = {"value": 112.0, "error": 6.0, "unit": "ms", "usual": [None, 110.0], "stands": "above"}
OLD_FACTS = {
    "measurements": {
        **Measurements().to_dict(),
        "qrs_ms": OLD_FIGURE,
        "pr_ms": None,
        "st_j_mv": {"V1": OLD_FIGURE, "V2": None},
        "st_j60_mv": {},
        "r_peaks_s": [0.5, 1.3],
        "edges_s": {"qrs_on": -0.04},
        "warnings": [],
    },
    "scale": {"gain_mm_mv": 10.0, "gain_source": "usual", "speed_mm_s": 25.0, "speed_source": "printed"},
}
upgrade_facts = importlib.import_module("ecglens.web.readings.migrations.0003_plain_names").upgrade_facts


def test_facts_of_the_first_version_get_the_keys_of_today():
    before = copy.deepcopy(OLD_FACTS)
    upgraded = upgrade_facts(OLD_FACTS)

    assert before == OLD_FACTS
    qrs = upgraded["measurements"]["qrs_ms"]
    assert (qrs["reference"], qrs["position"]) == ([None, 110.0], "above")
    assert "usual" not in qrs
    assert upgraded["measurements"]["st_j_mv"]["V1"] == qrs
    assert upgraded["measurements"]["pr_ms"] is upgraded["measurements"]["st_j_mv"]["V2"] is None
    assert upgraded["scale"]["gain_source"] == "default"
    assert upgraded["scale"]["speed_source"] == "printed"
    assert read_measurements(upgraded).qrs_ms.position == "above"


@pytest.mark.parametrize("facts", [{}, {"measurements": None, "scale": None}, upgrade_facts(OLD_FACTS)])
def test_other_facts_are_not_changed(facts):
    assert upgrade_facts(facts) == facts


@pytest.mark.django_db(transaction=True)
def test_rows_of_the_first_version_survive_the_migration(django_user_model):
    owner = django_user_model.objects.create_user("ada@example.org", "a long password")
    executor = MigrationExecutor(connection)
    executor.migrate([("readings", "0002_reading_state")])
    try:
        models = executor.loader.project_state([("readings", "0002_reading_state")]).apps
        batch = models.get_model("readings", "Batch").objects.create(
            owner_id=owner.pk, name="old.zip", trouble="It broke.", passed_over=3
        )
        reading = models.get_model("readings", "Reading").objects.create(
            owner_id=owner.pk, batch=batch, place=7, name="old.jpg", trouble="It failed.", facts=OLD_FACTS
        )
    finally:
        call_command("migrate", verbosity=0, interactive=False)
    from ecglens.web.readings.models import Batch, Reading

    migrated = Reading.objects.get(pk=reading.pk)
    assert (migrated.position, migrated.failure_reason) == (7, "It failed.")
    assert read_measurements(migrated.facts).qrs_ms.value == 112.0
    assert (Batch.objects.get().failure_reason, Batch.objects.get().skipped_files) == ("It broke.", 3)
