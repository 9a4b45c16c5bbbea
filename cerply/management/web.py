"""``python -m cerply.management.web``: granian's command line, whose workers end when its main process is killed."""

import granian.cli

from ops import orphans

if __name__ == "__main__":
    orphans.end_with_parent()
    granian.cli.entrypoint()  # type: ignore[no-untyped-call]
