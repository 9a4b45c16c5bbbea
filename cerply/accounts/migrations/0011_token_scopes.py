import cerply.accounts.models.tokens
import django.contrib.postgres.fields
from django.contrib.postgres.operations import AddConstraintNotValid
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('accounts', '0010_second_factor'),
    ]

    operations = [
        migrations.AddField(
            model_name='apitoken',
            name='scopes',
            field=django.contrib.postgres.fields.ArrayField(base_field=models.CharField(choices=[('read', 'Read'), ('write', 'Write')], max_length=8), db_default=models.Value('{read,write}'), default=cerply.accounts.models.tokens.every_scope),
        ),
        AddConstraintNotValid(
            model_name='apitoken',
            constraint=models.CheckConstraint(condition=models.Q(('scopes__contained_by', ['read', 'write']), ('scopes__len__gt', 0)), name='api_tokens_scopes_are_known'),
        ),
    ]
