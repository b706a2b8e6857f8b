"""Corrections of readings by hand."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("readings", "0005_outcome")]

    operations = [
        migrations.AddField(
            model_name="reading",
            name="corrections",
            field=models.JSONField(default=list),
        ),
    ]
