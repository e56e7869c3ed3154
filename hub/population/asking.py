"""Agencies that deliver nothing in bulk, asked live about recipients and their households.

What they answer is laid down batch by batch as if they had delivered it, and is then reviewed like
any delivery. Of whom nobody asked them, what they would say is not known.
"""

from __future__ import annotations

import asyncio
import datetime
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from hub.gather import Ask
from hub.population.deliveries import KEY, Delivery
from hub.population.fact_columns import HOUSEHOLD, TOLD
from hub.population.facts import Facts
from hub.population.review_engine import sync
from hub.population.reviewed import Reviewed
from hub.population.wanted import Agencies, NotYet, Place, Progress
from schema.view import Answer
from schema.working_days import KOREA
from sources.adapter import BROKEN, Context, ContractBroken, OverBudget
from sources.bulk import PEOPLE, Bulk, Part
from sources.declaration import Item, Source
from sources.terms import within

ASKED = "asked"
"""The folder of what agencies answered, in the folder of the review."""
WHOM = "whom"
"""The folder of the keys of whom they are asked about, beside it."""
_BATCH = 10_000
"""People of one batch, about: asked about and logged together."""
_CALLS = 2
"""Calls to an agency at once, at most: its other places are for caseworkers."""
_TRIES = 3
"""How often an agency that fails is asked about a batch, each time after its breaker's pause."""
_TYPES = {"Won": "int64", "Int": "int64", "Float": "float64", "Boolean": "bool", "Date": "date32"}


@dataclass(frozen=True)
class Asked:
    """What is asked of one agency, and its answers, had already or to come, as a delivery."""

    items: tuple[Item, ...]
    answers: Delivery

    @property
    def people(self) -> Path:
        """The folder of whom it answered about, in files by batch."""
        return self.answers.files[PEOPLE].parent


def items_asked(place: Place, items: Sequence[Item]) -> dict[str, tuple[Item, ...]]:
    """The items that agencies which deliver nothing in bulk are asked for; none unless wanted.

    What the purpose allows under a condition only is not asked for: nothing here looks at those.
    """
    live = place.agencies.sources if place.agencies is not None else frozenset()
    names: dict[str, set[str]] = {}
    for item in items:
        free = item.subject == "person" and not place.purpose.conditions.get(item.name)
        if item.source in live and item.path and free:
            names.setdefault(item.source, set()).add(item.name)
    return {source: place.catalogue.in_order(frozenset(names[source])) for source in sorted(names)}


def asked_of(
    place: Place, items: Sequence[Item], folder: Path, day: datetime.date
) -> dict[str, Asked]:
    """What is asked of each agency, with its answers in the review's folder."""
    return {
        source: Asked(
            wanted, _as_delivered(place.catalogue.sources[source], wanted, folder / ASKED, day)
        )
        for source, wanted in items_asked(place, items).items()
    }


def _as_delivered(
    source: Source, items: Sequence[Item], folder: Path, day: datetime.date
) -> Delivery:
    """Its people are those asked about; `TOLD` says whether the answer can be relied on."""
    plain = [replace(item, wire=item.path[-1:], codes={}) for item in items]
    told = replace(plain[0], path=(TOLD,), wire=(TOLD,), type="Boolean", counts_when=())
    part = Part(files="{date}", key=KEY)
    bulk = Bulk(
        folder=folder.name,
        person=part,
        lists={item.path[0]: part for item in items if len(item.path) == 2},
        items=tuple(".".join(item.path) for item in (*plain, told)),
    )
    files = {name: folder / source.name / (name or "people") / "*.parquet" for name in bulk.parts}
    return Delivery(replace(source, items=(*plain, told)), bulk, day, files, csv=False)


def whom(facts: Facts, receipts: Any, reviewed: Reviewed) -> Any:
    """The keys of the recipients of the month and of everyone in their households."""
    paid = receipts.filter(
        receipts.programme.isin(reviewed.programmes)
        & (receipts.month == reviewed.month)
        & (receipts.state == "paid")
    )
    register = facts.register()
    homes = register.semi_join(paid, KEY).select(HOUSEHOLD).distinct()
    return register.semi_join(homes, HOUSEHOLD).select(KEY)


def ask(
    place: Place,
    asked: Mapping[str, Asked],
    folder: Path,
    called: uuid.UUID,
    progress: Progress,
) -> None:
    """Have every agency's answers about everyone on disk, going on with what lacks.

    Raises NotYet where an agency may not or cannot be asked now, once the others have answered;
    and LogUnavailable.
    """
    agencies = place.agencies
    if agencies is None:
        return
    numbers = sorted(int(part.name.partition("=")[2]) for part in (folder / WHOM).glob("batch=*"))
    requested = sorted(item.name for one in asked.values() for item in one.items)
    context = _context(place, agencies, called)
    stopped: dict[str, str] = {}
    progress.stage(f"asking {', '.join(asked)}")
    for done, number in enumerate(numbers):
        progress.batch(done, len(numbers))
        people = folder / WHOM / f"batch={number}"
        left = {name: _left(people, one, number) for name, one in asked.items()}
        left = {name: keys for name, keys in left.items() if keys and name not in stopped}
        if left:
            facts = {"review": folder.name, "batch": number, "requested": requested}
            # Invariant: nobody is asked about before it is logged that they may be.
            place.log.asking(uuid.uuid5(called, f"asking {number}"), facts, people)
            stopped |= agencies.runner.run(_ask_all(agencies, asked, left, context, number))
    progress.batch(len(numbers), len(numbers))
    if stopped:
        raise NotYet("\n".join(f"{name}: {why}" for name, why in sorted(stopped.items())))


def divide(place: Place, people: Any, folder: Path, batches: int | None) -> None:
    """Have on disk, once, whom agencies are asked about, in batches: so many, or as are due."""
    if not (folder / WHOM).exists():
        count = place.engine.backend.to_pyarrow(people.count()).as_py()
        batches = batches or max(1, -(-count // _BATCH))
        batch = place.engine.place_of(people[KEY], batches)
        place.engine.write_parts([people.mutate(batch=batch)], folder / WHOM)


def told_by(asked: Mapping[str, Asked]) -> dict[str, dict[str, int]]:
    """Of each agency, about how many people it answered, and of how many that is relied on."""
    from pyarrow import compute, dataset  # noqa: PLC0415 - heavy, and needed only where asked

    found = {}
    for name, one in asked.items():
        told = dataset.dataset(one.people).to_table([TOLD]).column(TOLD)
        found[name] = {"people": len(told), "told": compute.sum(told).as_py() or 0}
    return found


def _left(people: Path, asked: Asked, number: int) -> list[str]:
    """Whom of a batch an agency has not answered about yet."""
    answered = asked.people.glob(f"{number:05}-*.parquet")
    done = {key for file in answered for key in _keys(file)}
    wanted = (key for file in sorted(people.glob("*.parquet")) for key in _keys(file))
    return [key for key in wanted if key not in done]


def _keys(file: Path) -> list[str]:
    from pyarrow import parquet  # noqa: PLC0415 - as above

    keys: list[str] = parquet.ParquetFile(file).read([KEY]).column(KEY).to_pylist()
    return keys


def _context(place: Place, agencies: Agencies, called: uuid.UUID) -> Context:
    purpose = place.purpose
    return Context(
        purpose=purpose.code,
        legal_basis=purpose.legal_basis.text,
        case="",
        operation=str(called),
        user=agencies.user,
        anew=True,
    )


async def _ask_all(
    agencies: Agencies,
    asked: Mapping[str, Asked],
    left: Mapping[str, Sequence[str]],
    context: Context,
    number: int,
) -> dict[str, str]:
    """Ask agencies about a batch, each at its own pace; why some could not tell all."""
    why = await asyncio.gather(
        *(_ask(agencies, asked[name], left[name], context, number) for name in left)
    )
    return {name: one for name, one in zip(left, why, strict=True) if one is not None}


async def _ask(
    agencies: Agencies, asked: Asked, keys: Sequence[str], context: Context, number: int
) -> str | None:
    """Ask one agency, and lay down what it told, however it ends; why it could not tell all."""
    source, told = asked.answers.source, dict[str, Answer]()
    why = None
    try:
        for tried in range(_TRIES):
            hours = source.terms.reviews
            if not within(hours, datetime.datetime.now(KOREA).time()):
                return f"it may be asked from {hours[0]:%H:%M} to {hours[1]:%H:%M}" if hours else ""
            if tried:
                await asyncio.sleep(source.terms.breaker.pause)
            why = await _ask_once(agencies, asked, keys, context, told)
            if why in (None, OverBudget.code):
                break
        return why and f"it could not tell all ({why})"
    finally:
        if told:
            _lay_down(asked, told, number)


async def _ask_once(
    agencies: Agencies,
    asked: Asked,
    keys: Sequence[str],
    context: Context,
    told: dict[str, Answer],
) -> str | None:
    """Ask about those who are not told of yet; the code of what went wrong."""
    source = asked.answers.source
    for some in _portions(source, [key for key in keys if key not in told]):
        asking = Ask(source.name, "person", some, asked.items)
        gathered = await agencies.gatherer.round("review", [asking], context)
        code = None
        for key in some:
            answer = gathered.answers[source.name, key]
            # What broke the contract would again: it is not known, and nobody waits for it.
            if answer.failure is None or answer.failure.code == ContractBroken.code:
                told[key] = answer
            else:
                code = answer.failure.code
        if code is not None:
            return code
    return None


def _portions(source: Source, keys: Sequence[str]) -> Iterator[tuple[str, ...]]:
    budget = source.terms.budget
    bounds = [most for most in (budget.all, budget.caller, budget.purpose) if most is not None]
    size = min(source.batch * min(_CALLS, source.terms.pool.connections), *bounds, _BATCH)
    for start in range(0, len(keys), size):
        yield tuple(keys[start : start + size])


def _lay_down(asked: Asked, told: Mapping[str, Answer], number: int) -> None:
    """Write answers to disk, the people last: only who is among those is told of."""
    before = len(list(asked.people.glob(f"{number:05}-*.parquet")))
    name = f"{number:05}-{before:03}.parquet"
    sound = {key: answer.values for key, answer in told.items() if _is_sound(answer)}
    for listed in asked.answers.bulk.lists:
        rows = [(key, row) for key, values in sound.items() for row in values.get(listed) or ()]
        _write(asked.answers, listed, rows, name)
    people = [(key, {TOLD: key in sound, **sound.get(key, {})}) for key in told]
    _write(asked.answers, PEOPLE, people, name)


def _is_sound(answer: Answer) -> bool:
    """Whether the agency answered, and nothing in the record is against its declaration."""
    if answer.failure is not None or BROKEN in answer.values.values():
        return False
    lists = (value for value in answer.values.values() if isinstance(value, Sequence))
    rows = (row for value in lists for row in value if isinstance(row, Mapping))
    return not any(value is BROKEN for row in rows for value in row.values())


def _write(
    answers: Delivery, part: str, rows: Sequence[tuple[str, Mapping[str, Any]]], name: str
) -> None:
    import pyarrow as pa  # noqa: PLC0415 - as above
    from pyarrow import parquet  # noqa: PLC0415 - the same

    columns = {KEY: pa.array([key for key, _ in rows], pa.string())}
    for item in answers.items(part):
        kind = pa.type_for_alias(_TYPES.get(item.type, "string"))
        columns[item.path[-1]] = pa.array([row.get(item.path[-1]) for _, row in rows], kind)
    path = answers.files[part].with_name(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".part")
    parquet.write_table(pa.table(columns), unfinished)
    sync(unfinished)
    unfinished.rename(path)
