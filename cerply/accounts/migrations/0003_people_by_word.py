"""The index of the search for people, built while the table is in use."""

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations

from cerply.accounts.searching import OrEmpty, Words


class Migration(migrations.Migration):
    atomic = False
    dependencies = [("accounts", "0002_owed_links")]

    operations = [
        AddIndexConcurrently("user", GinIndex(Words("name", "email", OrEmpty("external_id")), name="users_by_word")),
    ]
