"""One person's tokens in use from two places: seen, told, and refused where that is configured.

What is seen is remembered in this process alone. Nothing is logged but the person's pseudonym.
"""

from __future__ import annotations

import ipaddress
import logging
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from prometheus_client import Counter

from authz.caller import Caller
from hub.config import IdentityRules
from hub.tokens import TokenRefused

MOST_PEOPLE = 100_000
"""People remembered at most; beyond, whoever was not seen for longest is forgotten."""
_PREFIX = 64
"""An IPv6 client has a network of this length to itself, and changes its address within."""

_TWO_PLACES = Counter("hub_two_places", "Times a person's tokens were in use from two places")
_log = logging.getLogger("hub.places")


@dataclass(slots=True)
class _Seen:
    place: str
    at: float
    told: float | None = None


class Places:
    """Where each person was last, for the minutes that the rules name."""

    def __init__(
        self,
        rules: IdentityRules,
        pseudonym: Callable[[str], str],
        most_people: int = MOST_PEOPLE,
    ) -> None:
        self._refuse = rules.two_places == "refuse"
        self._seconds = rules.two_places_minutes * 60
        self._pseudonym = pseudonym
        self._most_people = most_people
        self._seen: OrderedDict[tuple[str, str], _Seen] = OrderedDict()

    def note(self, caller: Caller, address: str | None) -> None:
        """Note that the caller, or whoever acts for them, is at a client address.

        Where two places are refused, the first holds until it was quiet for the minutes named.
        Raises TokenRefused.
        """
        if address is None:
            return
        who, now, place = (
            caller.actors[0] if caller.actors else caller,
            time.monotonic(),
            _place(address),
        )
        key = (who.issuer, who.person)
        seen = self._seen.get(key)
        if seen is None:
            self._seen[key] = _Seen(place, now)
            if len(self._seen) > self._most_people:
                self._seen.popitem(last=False)
            return
        self._seen.move_to_end(key)
        elsewhere = seen.place != place and now - seen.at < self._seconds
        if elsewhere:
            self._tell(seen, who.person, now)
        if elsewhere and self._refuse:
            raise TokenRefused("its person's tokens are in use from another place")
        seen.place, seen.at = place, now

    def _tell(self, seen: _Seen, person: str, now: float) -> None:
        """Tell of a person once in the minutes named, however often the places alternate."""
        if seen.told is None or now - seen.told >= self._seconds:
            seen.told = now
            _TWO_PLACES.inc()
            facts = {"person": self._pseudonym(person), "refused": self._refuse}
            _log.warning("a person's tokens are in use from two places", extra=facts)


@lru_cache(maxsize=4_096)
def _place(address: str) -> str:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if found.version == 4:
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found.packed, _PREFIX), strict=False))
