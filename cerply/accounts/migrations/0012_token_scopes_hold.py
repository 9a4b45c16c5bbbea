from django.contrib.postgres.operations import ValidateConstraint
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0011_token_scopes'),
    ]

    operations = [
        ValidateConstraint(model_name='apitoken', name='api_tokens_scopes_are_known'),
    ]
