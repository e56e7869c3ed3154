"""Whether a candidate answers what the agencies hold: nothing is measured before it does.

The hub answers in its own words; `of_hub` is the declared mapping of them to the peers'.
"""

from __future__ import annotations

import http.client
import json
import re
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any

from bench.candidates import STUB, Candidate
from bench.world import BLOCK, FIRST_PERSON, HERE, TOKENS

SOURCES = ("resident", "tax", "labour", "property")
PEOPLE = {"q1": 1, "q2": 50}


def of_hub(person: Mapping[str, Any]) -> dict[str, Any]:
    """A recipient as the hub answers it, in the peers' words."""
    resident = person["resident"]
    return {
        "id": person["id"],
        **{name: resident[name] for name in ("name", "birthDate", "district")},
        "household": {"size": resident["size"], "members": resident["members"]},
        **{name: person[name] for name in ("tax", "labour", "property")},
    }


def fault(candidate: Candidate, query: str) -> str | None:
    """What is wrong with a candidate's answer, or nothing."""
    # The last block of an office, so that no load asks for the same people first.
    office = TOKENS - 1
    people = range(office * BLOCK, office * BLOCK + PEOPLE[query])
    ids = [str(FIRST_PERSON + number) for number in people]
    headers = {}
    if candidate.world is not None:
        headers = {
            "Authorization": candidate.world.tokens.read_text().split("\n")[office],
            "Hub-Purpose": f"bench-{office % candidate.world.purposes}",
            "Hub-Case": ",".join(f"C{number}" for number in people),
        }
    text = candidate.question(query).read_text()
    variables = {"id": ids[0]} if query == "q1" else {"ids": ids}
    try:
        answered = exchange(candidate.url, {"query": text, "variables": variables}, headers)
        data = json.loads(answered)["data"]
        found = [data["recipient"]] if query == "q1" else data["recipients"]
        if candidate.world is not None:
            found = [of_hub(person) for person in found]
    except (OSError, ValueError, LookupError, TypeError, http.client.HTTPException) as error:
        return repr(error)
    return None if found == _held(query, ids) else f"its answer differs: {answered[:300]!r}"


def exchange(
    url: str, body: Mapping[str, Any] | None = None, headers: Mapping[str, str] | None = None
) -> bytes:
    """One exchange over HTTP with a server on this machine."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=30)
    said = {"Content-Type": "application/json", **(headers or {})}
    method, content = ("GET", None) if body is None else ("POST", json.dumps(body))
    connection.request(method, parts.path or "/", content, said)
    answered = connection.getresponse().read()
    connection.close()
    return answered


def _held(query: str, ids: Sequence[str]) -> list[Any]:
    """What the agencies hold of these people, as the peers' question selects it."""
    text = (HERE / "queries" / f"peers-{query}.graphql").read_text()
    tokens = re.findall(r"\w+|[{}]", text[text.index("{", text.index("{") + 1) :])
    selection, _ = _selection(tokens, 1)
    found = []
    for person in ids:
        records = [json.loads(exchange(f"{STUB}/{name}/persons/{person}")) for name in SOURCES]
        whole = records[0] | dict(zip(SOURCES[1:], records[1:], strict=True))
        found.append(_selected(whole, selection))
    return found


def _selection(tokens: Sequence[str], at: int) -> tuple[dict[str, Any], int]:
    """The fields from a place after `{` up to its `}`, and the place after that."""
    fields: dict[str, Any] = {}
    while tokens[at] != "}":
        name, at = tokens[at], at + 1
        fields[name] = None
        if tokens[at] == "{":
            fields[name], at = _selection(tokens, at + 1)
    return fields, at + 1


def _selected(value: Any, fields: Mapping[str, Any] | None) -> Any:
    if fields is None:
        return value
    if isinstance(value, list):
        return [_selected(each, fields) for each in value]
    return {name: _selected(value[name], below) for name, below in fields.items()}
