"""Being root without looking like it, for programs that refuse to run as root."""

import os
from pathlib import Path

LOOKS_LIKE = 65534


def become_unprivileged() -> None:
    """This process enters a user namespace in which root is called 65534; its files stay root's. Linux only.

    See user_namespaces(7). To be called between fork and exec.
    """
    user, group = os.getuid(), os.getgid()
    os.setgroups([])
    os.unshare(os.CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{LOOKS_LIKE} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{LOOKS_LIKE} {group} 1")
