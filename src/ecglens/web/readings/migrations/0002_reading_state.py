"""The packed state of a reading replaces the curves of its page, which are a part of it."""

from django.db import migrations, models

import ecglens.web.readings.store


class Migration(migrations.Migration):
    dependencies = [("readings", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="reading",
            name="reading_state",
            field=models.FileField(
                blank=True, default="", max_length=120, storage=ecglens.web.readings.store.pages, upload_to=""
            ),
            preserve_default=False,
        ),
        migrations.RemoveField(model_name="reading", name="curves"),
    ]
