"""A bar for commands that take long."""

from django.core.management.base import BaseCommand

WIDTH = 30


class CommandWithBar(BaseCommand):
    def show_progress(self, done: int, total: int) -> None:
        """A bar on a terminal; nothing in a log."""
        if self.stderr.isatty():
            filled = WIDTH * done // total
            self.stderr.write(f"\r[{'#' * filled}{' ' * (WIDTH - filled)}] {done}/{total}", ending="")
            if done == total:
                self.stderr.write("")
