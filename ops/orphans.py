"""The queue's processes end with their parent.

When its main process is killed, django-q2's others go on: unwatched, and beside those that replace them.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def end_with_parent() -> None:
    """From now on every process that is forked here (and by those) is killed as soon as its parent dies. Linux only."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None)
    parent = os.getpid()

    def in_parent() -> None:
        nonlocal parent
        parent = os.getpid()

    def in_child() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before we asked
            os.kill(os.getpid(), signal.SIGKILL)

    os.register_at_fork(before=in_parent, after_in_child=in_child)
