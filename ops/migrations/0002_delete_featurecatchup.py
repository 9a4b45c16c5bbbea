"""What switching on has left owed is kept with what earned it."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("ops", "0001_initial")]

    operations = [migrations.DeleteModel("FeatureCatchUp")]
