"""The tree: against RFC 6962 as it is written there, and the numbers of tlog-tiles."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.querylog.tree import (
    WIDTH,
    Edge,
    ProofFails,
    check_consistency,
    check_inclusion,
    consistency,
    inclusion,
    root_at,
    split,
    tile_path,
)

# The leaves and roots of the tree that Certificate Transparency's own tests use.
LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
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


def of(leaf: bytes) -> bytes:
    return hashlib.sha256(b"\0" + leaf).digest()


def plainly(hashes: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, section 2.1, word for word."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    power = 1
    while power * 2 < len(hashes):
        power *= 2
    return hashlib.sha256(b"\x01" + plainly(hashes[:power]) + plainly(hashes[power:])).digest()


class Tiles:
    """A tree of so many leaves, with its tiles in memory."""

    def __init__(self, size: int) -> None:
        self.hashes = [of(number.to_bytes(4, "big")) for number in range(size)]
        self.edge = Edge()
        self.tiles: dict[tuple[int, int], list[bytes]] = {}
        for level, number, content in self.edge.add(self.hashes):
            self.tiles[level, number] = split(content)
        for level, number, content in self.edge.partial():
            self.tiles[level, number] = split(content)

    def read(self, level: int, number: int, width: int) -> list[bytes]:
        found = self.tiles[level, number]
        assert len(found) >= width
        return found


@pytest.fixture(scope="module")
def tiles() -> Tiles:
    return Tiles(2 * WIDTH * WIDTH + 3 * WIDTH + 7)


SIZES = (1, 2, 3, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 131_072, 131_847)


def test_the_roots_are_those_of_certificate_transparency() -> None:
    edge = Edge()
    for leaf, root in zip(LEAVES, ROOTS, strict=True):
        assert list(edge.add([of(leaf)])) == []
        assert edge.root().hex() == root


def test_the_empty_tree_has_the_hash_of_nothing() -> None:
    assert Edge().root() == hashlib.sha256(b"").digest()


@pytest.mark.parametrize("size", SIZES)
def test_a_root_is_that_of_the_rfc_however_the_leaves_are_tiled(tiles: Tiles, size: int) -> None:
    assert root_at(size, tiles.read) == plainly(tiles.hashes[:size])


@given(st.lists(st.integers(1, 700), max_size=6))
def test_it_does_not_matter_how_many_leaves_come_at_once(parts: list[int]) -> None:
    edge, hashes = Edge(), []
    for part in parts:
        added = [of(bytes([len(hashes) % 251, each % 256])) for each in range(part)]
        list(edge.add(added))
        hashes += added
    assert edge.root() == plainly(hashes)


def test_a_tree_of_70_000_has_the_tiles_that_the_specification_counts() -> None:
    made = Tiles(70_000).tiles
    widths = {level: sorted(len(made[of]) for of in made if of[0] == level) for level in range(3)}
    assert widths[0] == [112, *[256] * 273]
    assert widths[1] == [17, 256]
    assert widths[2] == [1]


@given(st.data())
def test_every_leaf_is_proved_and_no_other_in_its_place(tiles: Tiles, data: st.DataObject) -> None:
    size = data.draw(st.sampled_from(SIZES) | st.integers(1, len(tiles.hashes)))
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion(index, size, tiles.read)
    root = root_at(size, tiles.read)
    check_inclusion(index, size, tiles.hashes[index], proof, root)
    other = data.draw(st.integers(0, len(tiles.hashes) - 1).filter(lambda at: at != index))
    with pytest.raises(ProofFails):
        check_inclusion(index, size, tiles.hashes[other], proof, root)
    if other < size:
        with pytest.raises(ProofFails):
            check_inclusion(other, size, tiles.hashes[index], proof, root)
    if proof:
        with pytest.raises(ProofFails):
            check_inclusion(index, size, tiles.hashes[index], proof[:-1], root)
    with pytest.raises(ProofFails):
        check_inclusion(index, size, tiles.hashes[index], [*proof, root], root)


@given(st.data())
def test_a_tree_is_proved_to_begin_as_its_elder_and_as_no_other(
    tiles: Tiles, data: st.DataObject
) -> None:
    new = data.draw(st.sampled_from(SIZES) | st.integers(1, len(tiles.hashes)))
    old = data.draw(st.integers(1, new))
    proof = consistency(old, new, tiles.read)
    old_root, new_root = root_at(old, tiles.read), root_at(new, tiles.read)
    check_consistency(old, new, old_root, new_root, proof)
    forged = of(old_root)
    with pytest.raises(ProofFails):
        check_consistency(old, new, forged, new_root, proof)
    with pytest.raises(ProofFails):
        check_consistency(old, new, old_root, forged, proof)
    if proof:
        with pytest.raises(ProofFails):
            check_consistency(old, new, old_root, new_root, proof[1:])


@pytest.mark.parametrize(
    ("number", "width", "path"),
    [
        (0, 256, "tile/0/000"),
        (1234067, 256, "tile/0/x001/x234/067"),
        (273, 112, "tile/0/273.p/112"),
        (1000, 1, "tile/0/x001/000.p/1"),
    ],
)
def test_a_tile_has_the_path_that_the_specification_gives(
    number: int, width: int, path: str
) -> None:
    assert tile_path(0, number, width) == path
