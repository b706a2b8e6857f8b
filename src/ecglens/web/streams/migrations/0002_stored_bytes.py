from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('streams', '0001_initial'),
    ]

    operations = [
        migrations.AddField(
            model_name='streamsession',
            name='stored_bytes',
            field=models.BigIntegerField(default=0),
        ),
    ]
