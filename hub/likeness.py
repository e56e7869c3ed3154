"""What a recipient has in common with whoever looks: found while relating, logged as a flag. Pure.

Names and addresses stay here: no rule rests on them, and no record or answer has them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

PLACES = ("identity.name", "identity.address")
"""Where the view has what is compared."""
_TWO_SYLLABLES = frozenset(
    ("남궁", "황보", "제갈", "선우", "독고", "사공", "서문", "동방", "망절", "소봉", "어금", "장곡")
)
"""Korean surnames of two syllables, as registered (2015 census, Statistics Korea; K)."""


@dataclass(frozen=True, slots=True)
class Likeness:
    """What of a person is compared; None where the register does not tell."""

    surname: str | None
    address: str | None


def likeness(name: str | None, address: str | None) -> Likeness:
    """What of a registered name, surname first, and an address is compared."""
    return Likeness(_surname(name or ""), " ".join((address or "").split()).casefold() or None)


def _surname(name: str) -> str | None:
    words = name.split()
    if not words:
        return None
    first = words[0]
    if not "가" <= first[0] <= "힣" or len(words) > 1:
        return first.casefold()
    return first[:2] if first[:2] in _TWO_SYLLABLES and len(first) > 2 else first[0]


def flags(
    asked: Iterable[str],
    known: Mapping[str, Likeness],
    own: Collection[str],
    colleagues: Collection[str],
    opened: Collection[str],
) -> dict[str, list[str]]:
    """The flags of everyone asked about who has any.

    `own` are the ids as residents of everyone who looks, `opened` those opened by a break-glass.
    """
    lookers = [known[key] for key in own if key in known]
    found: dict[str, list[str]] = {}
    for key in asked:
        of = known.get(key, Likeness(None, None))
        holds = {
            "sameSurname": any(of.surname and of.surname == each.surname for each in lookers),
            "sameAddress": any(of.address and of.address == each.address for each in lookers),
            "sameOffice": key in colleagues,
            "breakGlass": key in opened,
        }
        if any(holds.values()):
            found[key] = [flag for flag, held in holds.items() if held]
    return found
