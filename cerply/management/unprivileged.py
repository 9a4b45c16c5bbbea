"""Being root without looking like it, for programs that refuse to run as root. Linux only."""

import ctypes
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

NOBODY = 65534
PR_SET_KEEPCAPS = 8
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
PR_SET_SECUREBITS = 28
SECBIT_NO_SETUID_FIXUP = 4
CAP_DAC_OVERRIDE = 1
LINUX_CAPABILITY_VERSION_3 = 0x20080522


@dataclass(frozen=True)
class Disguise:
    """What a child does between fork and exec, and whose its files have to be then."""

    put_on: Callable[[], None]
    owner: int


def become_nobody() -> None:
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


def become_nobody_in_a_namespace() -> None:
    """Enters a user namespace in which root is called 65534; its files stay root's. See user_namespaces(7)."""
    user, group = os.getuid(), os.getgid()
    os.unshare(os.CLONE_NEWUSER)
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{NOBODY} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{NOBODY} {group} 1")


def become_nobody_who_may_enter() -> None:
    """Keeps the one capability that opens folders which are closed to nobody. See capabilities(7)."""
    libc = ctypes.CDLL(None, use_errno=True)
    bit = 1 << CAP_DAC_OVERRIDE
    libc.prctl(PR_SET_KEEPCAPS, 1)
    # Else access(2), by which PostgreSQL's programs look for each other, would leave the capability out of account.
    libc.prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)
    become_nobody()
    header = (ctypes.c_uint32 * 2)(LINUX_CAPABILITY_VERSION_3, 0)
    # Effective, permitted and inheritable, of capabilities 0 to 31 and then of the rest.
    sets = (ctypes.c_uint32 * 6)(bit, bit, bit)
    none = ctypes.c_ulong(0)
    if libc.capset(header, sets) or libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_DAC_OVERRIDE, none, none):
        raise OSError(ctypes.get_errno(), "the capability cannot be kept")


# Where every folder on the way is open to all, the first does. Container runtimes tend to forbid the second.
DISGUISES = (
    Disguise(become_nobody, NOBODY),
    Disguise(become_nobody_in_a_namespace, 0),
    Disguise(become_nobody_who_may_enter, NOBODY),
)
