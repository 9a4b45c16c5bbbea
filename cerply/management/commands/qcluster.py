"""The job worker: django-q's, which starts only where the web server would."""

from typing import Any

from django_q.management.commands import qcluster

from certificates.checks import refuse_another_host
from ops import surviving


class Command(qcluster.Command):  # type: ignore[misc]
    def handle(self, *args: Any, **options: Any) -> None:
        refuse_another_host()
        surviving.install()
        super().handle(*args, **options)
