"""Merkle trees against the vectors of Certificate Transparency, and against RFC 9162 written out naively."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audit import merkle

# The leaves and roots with which implementations of RFC 6962 and 9162 are compared.
ENTRIES = [
    bytes.fromhex(entry)
    for entry in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
PATHS = {
    (0, 8): [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ],
    (5, 8): [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ],
}
LEAVES = [merkle.leaf_hash(entry) for entry in ENTRIES]
hashes = st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=70)


def slow_root(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162, section 2.1.1, for hashes of leaves: split at the largest power of two below their number."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + slow_root(leaves[:split]) + slow_root(leaves[split:])).digest()


def slow_path(index: int, leaves: list[bytes]) -> list[bytes]:
    """PATH of section 2.1.3.1."""
    if len(leaves) == 1:
        return []
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    if index < split:
        return [*slow_path(index, leaves[:split]), slow_root(leaves[split:])]
    return [*slow_path(index - split, leaves[split:]), slow_root(leaves[:split])]


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_that_are_published(size: int) -> None:
    assert merkle.root_of(LEAVES[:size]).hex() == ROOTS[size - 1]


@pytest.mark.parametrize(("index", "size"), PATHS)
def test_proofs_are_those_that_are_published(index: int, size: int) -> None:
    path = merkle.path_of(merkle.levels_of(LEAVES[:size]), index)
    assert [neighbour.hex() for neighbour in path] == PATHS[index, size]


@given(hashes)
def test_roots_and_proofs_are_those_of_the_rfc(leaves: list[bytes]) -> None:
    levels = merkle.levels_of(leaves)
    assert levels[-1][0] == slow_root(leaves)
    for index, leaf in enumerate(leaves):
        path = merkle.path_of(levels, index)
        assert path == slow_path(index, leaves)
        assert merkle.root_from(leaf, index, len(leaves), path) == levels[-1][0]


@given(hashes, st.data())
def test_a_proof_proves_nothing_else(leaves: list[bytes], data: st.DataObject) -> None:
    index = data.draw(st.integers(0, len(leaves) - 1))
    levels = merkle.levels_of(leaves)
    root, path = levels[-1][0], merkle.path_of(levels, index)
    other = data.draw(st.integers(-1, len(leaves) + 1).filter(lambda number: number != index))
    if not 0 <= other < len(leaves) or leaves[other] != leaves[index]:
        assert merkle.root_from(leaves[index], other, len(leaves), path) != root
    assert merkle.root_from(bytes(32), index, len(leaves), path) != root or leaves[index] == bytes(32)
    assert merkle.root_from(leaves[index], index, len(leaves), [*path, bytes(32)]) is None
    if path:
        assert merkle.root_from(leaves[index], index, len(leaves), path[:-1]) is None
