"""Merkle trees as RFC 9162 has them (section 2.1): leaves and nodes are hashed apart, and no leaf is doubled."""

from collections.abc import Sequence
from hashlib import sha256

LEAF, NODE = b"\x00", b"\x01"


def leaf_hash(entry: bytes) -> bytes:
    return sha256(LEAF + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(NODE + left + right).digest()


def levels_of(leaves: Sequence[bytes]) -> list[Sequence[bytes]]:
    """From the hashes of leaves, of which there is at least one, to the root. Who has no neighbour goes up as it is."""
    levels = [leaves]
    while len(level := levels[-1]) > 1:
        above = [node_hash(level[at], level[at + 1]) for at in range(0, len(level) - 1, 2)]
        levels.append([*above, level[-1]] if len(level) % 2 else above)
    return levels


def root_of(leaves: Sequence[bytes]) -> bytes:
    return levels_of(leaves)[-1][0]


def path_of(levels: Sequence[Sequence[bytes]], index: int) -> list[bytes]:
    """The inclusion proof of a leaf (section 2.1.3.1): its neighbours, from the bottom up."""
    path = []
    for level in levels:
        if (neighbour := index ^ 1) < len(level):
            path.append(level[neighbour])
        index >>= 1
    return path


def root_from(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that an inclusion proof leads to (section 2.1.3.2); None where it cannot be one."""
    if not 0 <= index < size:
        return None
    hashed, last, rest = leaf, size - 1, list(path)
    while last:
        if index % 2 or index < last:
            if not rest:
                return None
            neighbour = rest.pop(0)
            hashed = node_hash(neighbour, hashed) if index % 2 else node_hash(hashed, neighbour)
        index, last = index >> 1, last >> 1
    return None if rest else hashed
