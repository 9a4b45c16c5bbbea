from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently, ValidateConstraint
from django.db import migrations, models


class Migration(migrations.Migration):
    """Beside the traffic: what is erased is owed no PDF."""

    atomic = False

    dependencies = [
        ('certificates', '0009_erasing'),
    ]

    operations = [
        AddIndexConcurrently('certificate', models.Index(condition=models.Q(('erased_at', None), ('pdf', '')), fields=['issued_at', 'id'], name='certificates_awaiting_a_pdf')),
        RemoveIndexConcurrently('certificate', 'certificates_owed_a_pdf'),
        ValidateConstraint('certificate', 'certificates_erased_say_no_name'),
    ]
