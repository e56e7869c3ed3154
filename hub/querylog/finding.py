"""What `hub log verify` finds, and which tree is the one that was signed. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from hub.querylog.tree import WIDTH, Edge

Kind = Literal["altered", "cut", "reordered", "forked", "unsure"]


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """Something that is not as it was logged: where (a table, then a place), and what."""

    where: str
    place: int
    kind: Kind
    what: str

    def __str__(self) -> str:
        at = "" if self.place < 0 else f" {self.place}"
        return f"{self.kind}: {self.where}{at}: {self.what}"


@dataclass
class Trees:
    """The tree of the leaves as they stand, and that of the hashes in the lowest tiles.

    They are one tree until they differ. Whichever has the signed root is what was logged.
    """

    leaves: Edge
    tiles: Edge | None = None
    differing: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)
    full: dict[tuple[int, int], bytes] = field(default_factory=dict)
    full_by_tiles: dict[tuple[int, int], bytes] = field(default_factory=dict)

    def add(self, place: int, of_leaves: Sequence[bytes], of_tiles: Sequence[bytes]) -> None:
        """Take in hashes of leaves from a place on, and those that the tiles have for them."""
        if of_leaves != of_tiles and self.tiles is None:
            self.tiles = self.leaves.copy()
        for offset, pair in enumerate(zip(of_leaves, of_tiles, strict=True)):
            if pair[0] != pair[1]:
                self.differing[place + offset] = pair
        # The lowest tiles are compared above, one hash after another.
        for level, number, content in self.leaves.add(of_leaves):
            if level:
                self.full[level, number] = content
        if self.tiles is not None:
            for level, number, content in self.tiles.add(of_tiles):
                if level:
                    self.full_by_tiles[level, number] = content

    def has(self, root: bytes) -> bool:
        """Whether one of the trees, as it is now, has this root."""
        return root == self.leaves.root() or (self.tiles is not None and root == self.tiles.root())

    def findings(self, root: bytes, stored: Mapping[tuple[int, int], bytes]) -> list[Finding]:
        """What differs, once all leaves under the root that was signed last are taken in.

        `stored` has the tiles above the lowest.
        """
        found = self._differing(root)
        tree, full = self.leaves, self.full
        if self.tiles is not None and self.tiles.root() == root:
            tree, full = self.tiles, self.full | self.full_by_tiles
        edge = {(level, number): hashes for level, number, hashes in tree.partial() if level}
        wanted = full | edge
        for level, number in sorted(wanted.keys() | stored.keys()):
            want, have = wanted.get((level, number)), stored.get((level, number))
            where = f"tile {level}/{number}"
            if have is None:
                found.append(Finding(where, -1, "cut", "the tile is missing"))
            elif want is None:
                found.append(Finding(where, -1, "altered", "there is no such tile in the tree"))
            elif want != have:
                found.append(Finding(where, -1, "altered", _hashes(want, have)))
        return found

    def _differing(self, root: bytes) -> list[Finding]:
        """Of each place where leaf and tile differ, which of them was altered."""
        if self.leaves.root() == root:
            tiles: dict[int, list[int]] = {}
            for place in self.differing:
                tiles.setdefault(place // WIDTH, []).append(place % WIDTH)
            return [
                Finding(f"tile 0/{number}", -1, "altered", f"hashes {places} are not the leaves'")
                for number, places in tiles.items()
            ]
        if self.tiles is None or self.tiles.root() != root:
            what = "neither the leaf nor the tile fits what was signed"
            return [Finding("record", place, "unsure", what) for place in self.differing]
        logged = {of_tile: place for place, (_, of_tile) in self.differing.items()}
        found = []
        for place, (of_leaf, _) in self.differing.items():
            other = logged.get(of_leaf)
            if other is None:
                found.append(Finding("record", place, "altered", "its leaf is not what was logged"))
            else:
                what = f"here stands what was logged as record {other}"
                found.append(Finding("record", place, "reordered", what))
        return found


def _hashes(want: bytes, have: bytes) -> str:
    if len(want) != len(have):
        return f"it has {len(have)} bytes, not {len(want)}"
    places = [
        at // 32 for at in range(0, len(want), 32) if want[at : at + 32] != have[at : at + 32]
    ]
    return f"hashes {places} are not those of the tree"
