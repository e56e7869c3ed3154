"""The Merkle tree over the leaves (RFC 6962), kept as tiles (C2SP tlog-tiles). Pure.

A tile is 256 hashes of one level beside each other; a full tile's root is one hash of a tile in the
level above. `Read` gives the hashes of a tile, at least as many as asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

WIDTH = 256
_HEIGHT = 8
_HASH = 32

Read = Callable[[int, int, int], Sequence[bytes]]
"""Level, number and width of a tile -> its hashes."""


class ProofFails(Exception):
    """A proof does not hold; the message says what it was to prove."""


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node (RFC 6962, section 2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of(hashes: Sequence[bytes]) -> bytes:
    """The root of the tree whose leaves (or whole subtrees of one size) have these hashes."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    row = list(hashes)
    while len(row) > 1:
        # An odd one at the end goes up as it is: the subtrees to the left are the largest whole.
        odd = [row[-1]] if len(row) % 2 else []
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row) - 1, 2)] + odd
    return row[0]


def split(hashes: bytes) -> list[bytes]:
    """The hashes of a tile as it is stored."""
    return [hashes[at : at + _HASH] for at in range(0, len(hashes), _HASH)]


@dataclass
class Edge:
    """The right edge of a growing tree: at each level the tile that is not full yet.

    Full tiles are given out by `add`, to be kept. `peaks` are the roots of the largest whole
    subtrees that the tree is made of, from the left.
    """

    tiles: list[list[bytes]] = field(default_factory=list)
    size: int = 0
    peaks: list[bytes] = field(default_factory=list)

    @classmethod
    def at(cls, size: int, read: Read) -> Edge:
        """The edge of a tree of this size."""
        tiles, peaks, level, count = list[list[bytes]](), list[bytes](), 0, size
        while count:
            width = count % WIDTH
            tile = list(read(level, count // WIDTH, width)[:width]) if width else []
            tiles.append(tile)
            peaks[:0] = _peaks(tile)
            count //= WIDTH
            level += 1
        return cls(tiles, size, peaks)

    def copy(self) -> Edge:
        """The same edge, that grows by itself."""
        return Edge([list(tile) for tile in self.tiles], self.size, list(self.peaks))

    def add(self, hashes: Sequence[bytes]) -> Iterator[tuple[int, int, bytes]]:
        """Take in hashes of leaves; give level, number and content of each tile now full."""
        sha256, peaks, tiles = hashlib.sha256, self.peaks, self.tiles
        if hashes and not tiles:
            tiles.append([])
        for one in hashes:
            self.size += 1
            tiles[0].append(one)
            # Two subtrees of one height become one: as often as the size can be halved.
            node, left, height = one, self.size, 0
            while not left & 1:
                node = sha256(b"\x01" + peaks.pop() + node).digest()
                left >>= 1
                height += 1
                if height % _HEIGHT == 0:
                    level = height // _HEIGHT
                    yield level - 1, left - 1, b"".join(tiles[level - 1])
                    tiles[level - 1] = []
                    if level == len(tiles):
                        tiles.append([])
                    tiles[level].append(node)
            peaks.append(node)

    def partial(self) -> Iterator[tuple[int, int, bytes]]:
        """Level, number and content of the tiles that are not full."""
        for level, tile in enumerate(self.tiles):
            if tile:
                yield level, self.size // WIDTH ** (level + 1), b"".join(tile)

    def root(self) -> bytes:
        """The root of the tree."""
        if not self.peaks:
            return root_of([])
        found = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            found = node_hash(peak, found)
        return found


def _peaks(tile: Sequence[bytes]) -> list[bytes]:
    """The roots of the largest whole subtrees over the hashes of a tile, from the left."""
    found, at = [], 0
    for power in (1 << bit for bit in reversed(range(_HEIGHT))):
        if len(tile) & power:
            found.append(root_of(tile[at : at + power]))
            at += power
    return found


def root_at(size: int, read: Read) -> bytes:
    """The root of the tree of this size."""
    return Edge.at(size, read).root()


def inclusion(index: int, size: int, read: Read) -> list[bytes]:
    """The proof that a leaf is in the tree of a size (RFC 6962, section 2.1.1)."""
    if not 0 <= index < size:
        raise ValueError("the leaf is not in the tree")
    return _path(index, 0, size, read)


def _path(index: int, start: int, end: int, read: Read) -> list[bytes]:
    if end - start == 1:
        return []
    middle = start + _split(end - start)
    if index < middle:
        return [*_path(index, start, middle, read), range_root(middle, end, read)]
    return [*_path(index, middle, end, read), range_root(start, middle, read)]


def consistency(old: int, new: int, read: Read) -> list[bytes]:
    """The proof that a tree of a size began as that of another (RFC 6962, section 2.1.2)."""
    if not 0 < old <= new:
        raise ValueError("the older tree is empty, or larger than the newer")
    return [] if old == new else _consistent(old, 0, new, read, whole=True)


def _consistent(old: int, start: int, end: int, read: Read, *, whole: bool) -> list[bytes]:
    if old == end:
        return [] if whole else [range_root(start, end, read)]
    middle = start + _split(end - start)
    if old <= middle:
        return [*_consistent(old, start, middle, read, whole=whole), range_root(middle, end, read)]
    below = _consistent(old, middle, end, read, whole=False)
    return [*below, range_root(start, middle, read)]


def _split(count: int) -> int:
    """The largest power of two smaller than a count."""
    return 1 << (count - 1).bit_length() - 1


def range_root(start: int, end: int, read: Read) -> bytes:
    """The root of the leaves from one to before another, as they stand in the tree.

    `start` is a multiple of the power of two that is no less than their count.
    """
    count, level, unit = end - start, 0, 1
    while unit * WIDTH <= count and start % (unit * WIDTH) == 0:
        level, unit = level + 1, unit * WIDTH
    rows: list[bytes] = []
    at = start
    while end - at >= unit:
        number, first = divmod(at // unit, WIDTH)
        width = min((end - at) // unit + first, WIDTH)
        rows += read(level, number, width)[first:width]
        at += (width - first) * unit
    if at < end:
        rows.append(range_root(at, end, read))
    return root_of(rows)


def check_inclusion(
    index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes
) -> None:
    """Check that the leaf of a hash is in a tree (RFC 9162, section 2.1.3.2). Raises ProofFails."""
    fails = ProofFails(f"the leaf is not at place {index} of the tree of {size}")
    if not 0 <= index < size:
        raise fails
    node, last, found = index, size - 1, leaf
    for each in proof:
        if last == 0:
            raise fails
        if node % 2 or node == last:
            found = node_hash(each, found)
            while node % 2 == 0 and node:
                node, last = node >> 1, last >> 1
        else:
            found = node_hash(found, each)
        node, last = node >> 1, last >> 1
    if last or found != root:
        raise fails


def check_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> None:
    """Check that one tree began as another (RFC 9162, section 2.1.4.2). Raises ProofFails."""
    fails = ProofFails(f"the tree of {new} did not begin as the tree of {old}")
    if old == new:
        if proof or old_root != new_root:
            raise fails
        return
    if not 0 < old < new or not proof:
        raise fails
    path = [old_root, *proof] if old & (old - 1) == 0 else list(proof)
    node, last = old - 1, new - 1
    while node % 2:
        node, last = node >> 1, last >> 1
    first = second = path[0]
    for each in path[1:]:
        if last == 0:
            raise fails
        if node % 2 or node == last:
            first, second = node_hash(each, first), node_hash(each, second)
            while node % 2 == 0 and node:
                node, last = node >> 1, last >> 1
        else:
            second = node_hash(second, each)
        node, last = node >> 1, last >> 1
    if last or first != old_root or second != new_root:
        raise fails


def tile_path(level: int | str, number: int, width: int) -> str:
    """The path of a tile, or for the level `entries` of a bundle, below the log's address."""
    parts = [f"{number % 1000:03}"]
    while number >= 1000:
        number //= 1000
        parts.append(f"x{number % 1000:03}")
    end = "" if width == WIDTH else f".p/{width}"
    return f"tile/{level}/{'/'.join(reversed(parts))}{end}"
