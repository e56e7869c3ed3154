"""Whatever is asked of what a purpose is shown, its purpose grants; dressing it up changes nothing.

A field that is shown needs several items at times (a place that two agencies know, an area such as
income, every agency's record), and one of them may be denied while others are not. So what holds
is this: of every field asked, something is granted; whatever is denied, no field needs it alone.
"""

from __future__ import annotations

import datetime
import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from graphql import (
    ArgumentNode,
    FieldNode,
    GraphQLSchema,
    InlineFragmentNode,
    NameNode,
    OperationDefinitionNode,
    SelectionSetNode,
    StringValueNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_named_type,
    is_leaf_type,
    parse,
    print_ast,
    print_schema,
    specified_rules,
    validate,
    visit,
)
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis_graphql import nodes, queries

from authz.caller import Caller
from authz.decide import Asked, Verdict, decide
from authz.purpose import Purpose
from hub.app import Plans, read_plans
from hub.config import Limits, read_settings
from hub.documents import Documents
from hub.errors import RequestRefused
from hub.plan import Plan, make_plan
from hub.visible import visible
from schema.needs import PROGRAMME
from schema.rules.book import the_book
from sources.declaration import exists_name
from tests.access.generated import unselected

PLANS: Plans = read_plans(read_settings(Path("hub.toml"), {}), environment=False)
WHOLE = PLANS.schema.graphql
PURPOSES = {code: purpose for code, purpose in PLANS.register.purposes.items() if purpose.roles}
SHOWN = {code: visible(PLANS.schema, purpose) for code, purpose in PURPOSES.items()}
ROOMY = Limits(tokens=1_000_000, depth=1_000, aliases=100_000, fields=1_000_000)
SCALARS = {
    **dict.fromkeys(("Date", "DateTime"), st.just(nodes.String("2026-01-31"))),
    "JSON": st.just(nodes.String("x")),
    "Month": st.just(nodes.String("2026-01")),
    "Won": st.just(nodes.Int(1)),
}
GENERATED = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
each_purpose = pytest.mark.parametrize("code", PURPOSES)


def operations(schema: GraphQLSchema) -> st.SearchStrategy[str]:
    found = queries(unselected(print_schema(schema)), custom_scalars=SCALARS)
    return found.map(lambda made: print_ast(visit(parse(str(made)), OfAProgramme())))


class OfAProgramme(Visitor):
    """Has tests be of a programme that there is: one that there is not needs nothing."""

    def enter_argument(self, node: ArgumentNode, *_: Any) -> ArgumentNode | None:
        if node.name.value != PROGRAMME:
            return None
        return ArgumentNode(name=node.name, value=StringValueNode(value="livelihood"))


def planned(text: str) -> Plan:
    """The plan of an operation, valid by the whole schema; no members of members."""
    document = Documents(WHOLE, ROOMY).read(text)
    try:
        return make_plan(PLANS.schema, document, document.operation(None))
    except RequestRefused as refusal:
        assume(refusal.codes != ["TOO_DEEP"])
        raise


def decided(purpose: Purpose, plan: Plan) -> Verdict:
    return granting(purpose, plan.asked)


def granting(purpose: Purpose, asked: Asked) -> Verdict:
    caller = Caller("someone", "someone", purpose.roles, "office", "district", "issuer")
    today = datetime.datetime.now(datetime.UTC).date()
    return decide(caller, purpose, asked, today)


def needed(text: str) -> Iterator[frozenset[str]]:
    """What each field of an operation needs, of those that need anything."""
    info = TypeInfo(WHOLE)
    found: list[tuple[str, str]] = []

    class Fields(Visitor):
        def enter_field(self, node: FieldNode, *_: Any) -> None:
            parent = info.get_parent_type()
            assert parent is not None
            found.append((parent.name, node.name.value))

    visit(parse(text), TypeInfoVisitor(info, Fields()))
    for field in found:
        need = PLANS.schema.needs.get(field)
        if need is not None and (need.items or need.alone):
            yield frozenset(item.name for item in (*need.items, *need.alone))


@each_purpose
@GENERATED
@given(data=st.data())
def test_of_every_field_that_a_purpose_is_shown_something_is_granted(
    code: str, data: st.DataObject
) -> None:
    text = data.draw(operations(SHOWN[code]))
    plan = planned(text)
    verdict = decided(PURPOSES[code], plan)
    denied = {decision.item for decision in verdict.denied if decision.use is None}
    requested = verdict.requested
    if not all(items & requested for items in needed(text)):
        # A means test asks for what its own programme needs; the field is shown for any of them.
        others = (text.replace('"livelihood"', f'"{key}"') for key in the_book().by_key)
        each = (decided(PURPOSES[code], planned(other)).requested for other in others)
        requested = requested.union(*each)
    for items in needed(text):
        assert items & requested
        if len(items) == 1:
            assert not items & denied
    assert verdict.requested or not plan.roots


@each_purpose
@GENERATED
@given(data=st.data())
def test_what_is_granted_whole_is_shown_whole(code: str, data: st.DataObject) -> None:
    text = data.draw(operations(WHOLE))
    purpose, plan = PURPOSES[code], planned(text)
    relations = [PLANS.schema.needs["Query", node.name.value].relations for node in plan.acts]
    may_act = all(purpose.relation in each for each in relations)
    if may_act and not decided(purpose, plan).denied:
        assert validate(SHOWN[code], parse(text), specified_rules) == []


@each_purpose
def test_a_value_is_shown_exactly_where_its_item_is_granted(code: str) -> None:
    purpose, shown = PURPOSES[code], SHOWN[code]
    for (name, field), need in PLANS.schema.needs.items():
        kind: Any = WHOLE.type_map[name]
        if (
            len(need.items) != 1
            or need.derivation
            or not is_leaf_type(get_named_type(kind.fields[field].type))
        ):
            continue
        (item,) = need.items
        names = (item.name, exists_name(item))
        of_case = item.subject == "case"
        asked = Asked(own=() if of_case else names, others=(), case=names if of_case else ())
        there: Any = shown.type_map.get(name)
        granted = not granting(purpose, asked).denied
        assert granted == (there is not None and field in there.fields), f"{name}.{field}"


class _Aliased(Visitor):
    """Gives every field an alias of its own and puts it in a fragment."""

    def __init__(self) -> None:
        super().__init__()
        self._numbers = itertools.count()

    def leave_field(self, node: FieldNode, *_: Any) -> InlineFragmentNode:
        options = {key: getattr(node, key) for key in node.keys if key != "alias"}
        alias = NameNode(value=f"alias{next(self._numbers)}")
        field = FieldNode(**options, alias=alias)
        return InlineFragmentNode(selection_set=SelectionSetNode(selections=(field,)))


INTROSPECTION = parse('{ __schema { queryType { name } } t: __type(name: "Tax") { name } }')


def introspecting(text: str) -> str:
    (operation,) = parse(text).definitions
    (asking,) = INTROSPECTION.definitions
    assert isinstance(operation, OperationDefinitionNode)
    assert isinstance(asking, OperationDefinitionNode)
    inner = print_ast(operation.selection_set).strip()[1:]
    return "{" + print_ast(asking.selection_set).strip()[1:-1] + inner


@GENERATED
@given(text=operations(WHOLE))
def test_aliases_fragments_and_introspection_change_nothing_of_what_is_asked(text: str) -> None:
    plain = planned(text)
    aliased = planned(print_ast(visit(parse(text), _Aliased())))
    assert aliased.asked == plain.asked
    assert [root.cost for root in aliased.roots] == [root.cost for root in plain.roots]
    curious = planned(introspecting(text))
    assert curious.asked == plain.asked
    assert (plain.introspects, curious.introspects) == (False, True)
