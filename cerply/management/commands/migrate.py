"""Django's `migrate`, on a database that is in use."""

import time
from typing import Any

from django.core.management.base import CommandParser
from django.core.management.commands import migrate
from django.db import OperationalError, connections

from cerply.management.schema import LOCK_TIMEOUT_MS, SchemaEditor, is_for_later

PAUSE = 3.0
TRIES = 40


class Command(migrate.Command):
    help = (
        f"{migrate.Command.help} Waits for a lock for {LOCK_TIMEOUT_MS} ms, as others wait behind it, and tries again. "
        "What was killed is begun anew where it was."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--tries", type=int, default=TRIES, help="How often to try for a lock, 3 seconds apart.")

    def handle(self, *args: Any, tries: int = TRIES, **options: Any) -> None:
        connection = connections[options["database"]]
        before = connection.SchemaEditorClass
        connection.SchemaEditorClass = SchemaEditor
        try:
            for attempt in range(1, tries + 1):
                try:
                    super().handle(*args, **options)
                except OperationalError as exc:
                    if attempt == tries or not is_for_later(exc):
                        raise
                    self.stderr.write(f"\nOthers use that table ({attempt} of {tries} tries): {exc}".rstrip())
                    time.sleep(PAUSE)
                else:
                    return
        finally:
            connection.SchemaEditorClass = before
