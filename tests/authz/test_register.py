"""The purpose register: what is inherited, what is forbidden, and every fault of its files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from authz.obligations import Obligations, SecondApprover
from authz.purpose import Decision
from authz.register import Register, read_register
from authz.transform import Transform
from sources.declaration import Catalogue
from sources.fault import Fault
from sources.reading import read_catalogue

TAX = """\
[source]
agency = "Tax"
description = "Income"
adapter = "rest"

[item.pay]
description = "Pay"
type = "Won"
category = "income"

[item.illness]
description = "Illness"
type = "String"
category = "health"

[item.wages]
description = "Wages"
type = "list"

[item.wages.item.payer]
description = "Payer"
type = "String"
category = "employment"

[item.permit]
description = "Number of the permit"
type = "ID"
category = "income"
sensitivity = "identifier"

[case.item.state]
description = "State"
type = "String"
category = "case"
"""
BASIS = 'legal_basis = { act = "Basic Pension Act", article = "Article 11", mark = "K" }\n'
ROOT = 'title = "Decide"\n' + BASIS
CHILD = ROOT + 'parent = "root"\n'
ROLES = 'roles = ["caseworker"]\n'
SEEN = '[allow]\ncategories = ["existence", "income"]\n'


@pytest.fixture(scope="module")
def catalogue(tmp_path_factory: pytest.TempPathFactory) -> Catalogue:
    folder = tmp_path_factory.mktemp("catalogue")
    (folder / "tax.toml").write_text(TAX)
    (folder / "army.toml").write_text("# declared, and not enabled\n")
    found, faults = read_catalogue(folder, ["tax"], "tax", "tax")
    assert faults == []
    return found


Read = Callable[..., tuple[Register, list[Fault]]]


@pytest.fixture
def read(tmp_path: Path, catalogue: Catalogue) -> Read:
    """Reads a register of purposes by code, dots written as `__`."""

    def read(**purposes: str) -> tuple[Register, list[Fault]]:
        for code, text in purposes.items():
            (tmp_path / f"{code.replace('__', '.')}.toml").write_text(text, encoding="utf-8")
        return read_register(tmp_path, catalogue)

    return read


def register_of(found: tuple[Register, list[Fault]]) -> Register:
    register, faults = found
    assert faults == []
    return register


def faults_of(found: tuple[Register, list[Fault]]) -> list[str]:
    return [str(fault) for fault in found[1]]


def allowed(found: tuple[Register, list[Fault]], code: str) -> set[str]:
    return set(register_of(found).purposes[code].allowed_items)


def test_a_purpose_is_read_in_full(read: Read) -> None:
    text = (
        CHILD + ROLES + 'relation = "case"\nprogrammes = ["pension"]\njurisdiction = "district"\n'
    )
    purpose = register_of(read(root=ROOT, pension__application=text)).purposes[
        "pension.application"
    ]
    assert (purpose.code, purpose.title, purpose.parent) == (
        "pension.application",
        "Decide",
        "root",
    )
    assert purpose.legal_basis.text == "Basic Pension Act, Article 11"
    assert (set(purpose.roles), set(purpose.programmes)) == ({"caseworker"}, {"pension"})
    assert (purpose.relation, purpose.jurisdiction, purpose.case_needed) == (
        "case",
        "district",
        True,
    )


def test_what_is_left_out_reaches_nobody(read: Read) -> None:
    purpose = register_of(read(root=ROOT)).purposes["root"]
    assert (purpose.roles, purpose.relation, purpose.case_needed) == (frozenset(), "none", False)
    assert purpose.allowed_items == ()


def test_every_item_of_the_catalogue_has_a_decision(read: Read, catalogue: Catalogue) -> None:
    assert register_of(read(root=ROOT)).purposes["root"].decisions.keys() == catalogue.items.keys()


@pytest.mark.parametrize(
    ("selection", "items"),
    [
        ('items = ["tax.pay"]', {"tax.pay"}),
        ('categories = ["employment"]', {"tax.wages.payer"}),
        (
            'sources = ["tax"]',
            {
                "tax.exists",
                "tax.pay",
                "tax.illness",
                "tax.permit",
                "tax.wages.payer",
                "tax.case.exists",
                "tax.case.state",
            },
        ),
    ],
)
def test_items_are_allowed_by_name_category_or_source(
    read: Read, selection: str, items: set[str]
) -> None:
    assert allowed(read(root=ROOT + f"[allow]\n{selection}\n"), "root") == items


@pytest.mark.parametrize(
    ("named", "allowed"),
    [
        ('categories = ["existence", "income"]', False),
        ('categories = ["existence", "income"]\nitems = ["tax.permit"]', True),
        ('categories = ["existence", "income"]\nsources = ["tax"]', True),
    ],
)
def test_what_is_more_sensitive_than_its_category_is_not_allowed_through_it(
    read: Read, named: str, allowed: bool
) -> None:
    register = register_of(read(one=ROOT + ROLES + f"[allow]\n{named}\n"))
    decisions = register.purposes["one"].decisions
    assert (decisions["tax.pay"].allowed, decisions["tax.permit"].allowed) == (True, allowed)


def test_what_is_more_sensitive_than_its_category_is_prohibited_with_it(read: Read) -> None:
    named = '[allow]\nsources = ["tax"]\n[prohibit]\ncategories = ["income"]\n'
    register = register_of(read(one=ROOT + ROLES + named))
    assert not register.purposes["one"].decisions["tax.permit"].allowed


def test_what_is_more_sensitive_than_its_category_is_not_reduced_through_it(read: Read) -> None:
    named = '[allow]\ncategories = ["existence"]\n[[reduce]]\nto = { band = [0, 9] }\n'
    register = register_of(read(one=ROOT + ROLES + named + 'categories = ["income"]\n'))
    assert not register.purposes["one"].decisions["tax.permit"].allowed


def test_what_nobody_names_is_denied(read: Read) -> None:
    purpose = register_of(read(root=ROOT)).purposes["root"]
    assert purpose.decisions["tax.pay"] == Decision(
        "tax.pay",
        False,
        "`root` does not name it",
        "leave `tax.pay` out, or ask under a purpose that names it",
    )


def test_what_an_ancestor_allows_is_inherited(read: Read) -> None:
    found = read(
        root=ROOT + '[allow]\nitems = ["tax.pay"]\n',
        middle=CHILD,
        leaf=ROOT + 'parent = "middle"\n[allow]\nitems = ["tax.illness"]\n',
    )
    assert allowed(found, "leaf") == {"tax.pay", "tax.illness"}


def test_what_a_child_allows_its_parent_does_not_get(read: Read) -> None:
    found = read(root=ROOT, leaf=CHILD + '[allow]\nitems = ["tax.pay"]\n')
    assert allowed(found, "root") == set()


def test_an_allowance_says_which_purpose_of_the_line_gave_it(read: Read) -> None:
    found = read(root=ROOT + '[allow]\ncategories = ["income"]\n', leaf=CHILD)
    decision = register_of(found).purposes["leaf"].decisions["tax.pay"]
    assert decision == Decision("tax.pay", True, "`root` allows category `income`", "")


@pytest.mark.parametrize(
    ("prohibit", "reason"),
    [
        ('items = ["tax.pay"]', "item `tax.pay`"),
        ('categories = ["income"]', "category `income`"),
        ('sources = ["tax"]', "source `tax`"),
    ],
)
@pytest.mark.parametrize("where", ["root", "leaf"])
def test_a_prohibition_anywhere_on_the_line_wins(
    read: Read, where: str, prohibit: str, reason: str
) -> None:
    allow = '[allow]\ncategories = ["income"]\n'
    texts = {"root": ROOT + allow, "leaf": CHILD + allow}
    texts[where] += f"[prohibit]\n{prohibit}\n"
    decision = register_of(read(**texts)).purposes["leaf"].decisions["tax.pay"]
    assert decision == Decision(
        "tax.pay", False, f"`{where}` prohibits {reason}", "leave `tax.pay` out"
    )


def test_a_prohibition_of_a_sibling_is_its_own(read: Read) -> None:
    found = read(
        root=ROOT + '[allow]\nitems = ["tax.pay"]\n',
        one=CHILD,
        other=CHILD + '[prohibit]\nitems = ["tax.pay"]\n',
    )
    assert allowed(found, "one") == {"tax.pay"}


def test_roles_relation_and_programmes_are_not_inherited(read: Read) -> None:
    text = ROOT + ROLES + 'relation = "case"\nprogrammes = ["pension"]\n'
    purpose = register_of(read(root=text, leaf=CHILD)).purposes["leaf"]
    assert (purpose.relation, *purpose.roles, *purpose.programmes) == ("none",)


FAULTS: Mapping[str, tuple[dict[str, str], list[str]]] = {
    "an unknown item": (
        {"root": ROOT + '[allow]\nitems = ["tax.pya"]\n'},
        ["root.toml: allow.items (line 4): unknown name `tax.pya`; did you mean `tax.pay`?"],
    ),
    "a list, which is no item": (
        {"root": ROOT + '[prohibit]\nitems = ["tax.wages"]\n'},
        [
            "root.toml: prohibit.items (line 4): unknown name `tax.wages`; "
            "did you mean `tax.wages.payer`?"
        ],
    ),
    "an unknown category": (
        {"root": ROOT + '[prohibit]\ncategories = ["helth"]\n'},
        ["root.toml: prohibit.categories (line 4): unknown name `helth`; did you mean `health`?"],
    ),
    "a parent that is not there": (
        {"root": ROOT, "leaf": ROOT + 'parent = "rot"\n'},
        ["leaf.toml: parent (line 3): there is no purpose `rot`; did you mean `root`?"],
    ),
    "a purpose that is its own parent": (
        {"root": CHILD},
        ["root.toml: parent (line 3): the purpose is its own ancestor; break the circle"],
    ),
    "a circle": (
        {"root": ROOT + 'parent = "leaf"\n', "leaf": CHILD},
        [
            "leaf.toml: parent (line 3): the purpose is its own ancestor; break the circle",
            "root.toml: parent (line 3): the purpose is its own ancestor; break the circle",
        ],
    ),
    "an item both allowed and prohibited": (
        {"root": ROOT + '[allow]\nitems = ["tax.pay"]\n[prohibit]\ncategories = ["income"]\n'},
        [
            "root.toml: allow.items (line 4): `tax.pay` is allowed by name and prohibited by "
            "category `income`; take it out of one of the two"
        ],
    ),
    "items without their record": (
        {"root": ROOT + ROLES + '[allow]\nitems = ["tax.pay", "tax.case.state"]\n'},
        [
            "root.toml: allow (line 4): items of the source are allowed, but not "
            "`tax.case.exists`; allow the category `existence` too",
            "root.toml: allow (line 4): items of the source are allowed, but not "
            "`tax.exists`; allow the category `existence` too",
        ],
    ),
    "a case of no programme": (
        {"root": ROOT + ROLES + 'relation = "case"\n'},
        ["root.toml: programmes: no programme is covered; name at least one"],
    ),
    "a survey of no programme": (
        {"root": ROOT + ROLES + 'relation = "receipt"\n'},
        ["root.toml: programmes: no programme is covered; name at least one"],
    ),
    "an unknown key": (
        {"root": ROOT + 'role = ["caseworker"]\n'},
        ["root.toml: role (line 3): unknown key `role`; remove it or correct its spelling"],
    ),
    "an unknown key of a selection": (
        {"root": ROOT + '[allow]\nitem = ["tax.pay"]\n'},
        ["root.toml: allow.item (line 4): unknown key `item`; remove it or correct its spelling"],
    ),
    "a missing legal basis": (
        {"root": 'title = "Decide"\n'},
        ["root.toml: legal_basis: `legal_basis` is missing; add it"],
    ),
    "an unknown relation": (
        {"root": ROOT + 'relation = "friend"\n'},
        [
            "root.toml: relation (line 3): input should be 'case', 'assigned', 'receipt', "
            "'self', 'household', 'break-glass', 'oversight', 'audit', 'population' or 'none'; "
            "correct the value"
        ],
    ),
    "what is not TOML": (
        {"root": "title =\n"},
        [
            "root.toml: the file: is not TOML: Invalid value (at line 1, column 8); "
            "correct the line named"
        ],
    ),
}


@pytest.mark.parametrize(("purposes", "faults"), FAULTS.values(), ids=FAULTS.keys())
def test_a_fault_is_told_with_file_place_and_remedy(
    read: Read, purposes: dict[str, str], faults: list[str]
) -> None:
    assert faults_of(read(**purposes)) == faults


def test_a_folder_without_purposes_is_a_fault(tmp_path: Path, catalogue: Catalogue) -> None:
    (tmp_path / "purposes").mkdir()
    assert faults_of(read_register(tmp_path / "purposes", catalogue)) == [
        "purposes: the folder: no purpose; add a TOML file to it"
    ]


def test_a_file_that_is_not_utf_8_is_a_fault(tmp_path: Path, catalogue: Catalogue) -> None:
    (tmp_path / "root.toml").write_bytes('title = "복지"'.encode("euc-kr"))
    assert faults_of(read_register(tmp_path, catalogue)) == [
        "root.toml: the file: is not TOML: 'utf-8' codec can't decode byte 0xba in position 9: "
        "invalid start byte; correct the line named"
    ]


def test_every_fault_of_every_file_is_told_at_once(read: Read) -> None:
    found = read(
        leaf=ROOT + 'parent = "rot"\nrelaton = "case"\n[allow]\nitems = ["tax.pay", 5]\n',
        other=CHILD + '[allow]\nitems = ["tax.a"]\ncategories = ["b"]\n',
        root=ROOT + '[prohibit]\nitems = ["tax.c"]\n',
    )
    assert [(fault.file, fault.place) for fault in found[1]] == [
        ("leaf.toml", "allow.items.1 (line 6)"),
        ("leaf.toml", "relaton (line 4)"),
        ("other.toml", "allow.items (line 5)"),
        ("other.toml", "allow.categories (line 6)"),
        ("root.toml", "prohibit.items (line 4)"),
    ]


@pytest.mark.parametrize("kind", ["allow", "prohibit"])
def test_an_item_of_a_source_that_is_not_enabled_is_passed_over(read: Read, kind: str) -> None:
    assert faults_of(read(root=ROOT + f'[{kind}]\nitems = ["army.rank"]\n')) == []


@pytest.mark.parametrize(
    ("selection", "fault"),
    [
        ('items = ["amry.rank"]', "prohibit.items (line 4): unknown name `amry.rank`; "),
        (
            'sources = ["amry"]',
            "prohibit.sources (line 4): unknown name `amry`; did you mean `army`?",
        ),
    ],
)
def test_a_prohibition_of_what_no_source_declares_is_not_lost(
    read: Read, selection: str, fault: str
) -> None:
    (found,) = faults_of(read(root=ROOT + f"[prohibit]\n{selection}\n"))
    assert found.startswith(f"root.toml: {fault}")


REDUCE = '[[reduce]]\nitems = ["tax.pay"]\nto = { band = [0, 100, 1000] }\n'


def test_a_reduction_allows_with_a_transform_and_wins_over_allowing_whole(read: Read) -> None:
    leaf = CHILD + ROLES + SEEN
    decision = register_of(read(root=ROOT + REDUCE, leaf=leaf)).purposes["leaf"].decisions
    assert decision["tax.pay"].allowed
    assert decision["tax.pay"].rule == ("`root` allows item `tax.pay`, reduced: band 0, 100, 1000")
    assert decision["tax.pay"].transform == Transform(band=(0, 100, 1000))


def test_a_prohibition_wins_over_a_reduction(read: Read) -> None:
    found = read(root=ROOT + REDUCE, leaf=CHILD + '[prohibit]\nitems = ["tax.pay"]\n')
    assert allowed(found, "leaf") == set()


@pytest.mark.parametrize(
    ("to", "fault"),
    [
        ("{ mask = 2 }", "reduce (line 3): `tax.pay` is a Won, which `mask` cannot reduce; "),
        ("{ year = true }", "reduce (line 3): `tax.pay` is a Won, which `year` cannot reduce; "),
        ("{ band = [5, 1] }", "reduce.0.to (line 3): the steps of `band` do not rise; "),
        (
            "{ band = [1], mask = 1 }",
            "reduce.0.to (line 3): it says not just one way to reduce; ",
        ),
        ("{}", "reduce.0.to (line 3): it says not just one way to reduce; "),
    ],
)
def test_a_reduction_that_cannot_be_is_a_fault(read: Read, to: str, fault: str) -> None:
    text = ROOT + f'[[reduce]]\nitems = ["tax.pay"]\nto = {to}\n'
    (found,) = faults_of(read(root=text))
    assert found.startswith(f"root.toml: {fault}")


def test_a_validity_that_ends_before_it_begins_is_a_fault(read: Read) -> None:
    text = ROOT + "[valid]\nsince = 2026-02-01\nuntil = 2026-01-31\n"
    assert faults_of(read(root=text)) == [
        "root.toml: valid (line 3): it ends before it begins; correct `since` or `until`"
    ]


def test_the_version_changes_with_a_files_content(read: Read) -> None:
    before = register_of(read(root=ROOT)).version
    assert register_of(read(root=ROOT + "# a remark\n")).version != before


def test_the_version_changes_with_a_files_name(read: Read, tmp_path: Path) -> None:
    before = register_of(read(root=ROOT)).version
    (tmp_path / "root.toml").rename(tmp_path / "stem.toml")
    assert register_of(read()).version != before


def test_the_version_changes_with_one_more_file(read: Read) -> None:
    before = register_of(read(root=ROOT)).version
    assert register_of(read(other=ROOT)).version != before


def test_the_version_comes_back_with_an_old_register(read: Read) -> None:
    before = register_of(read(root=ROOT)).version
    register_of(read(root=ROOT + SEEN))
    assert register_of(read(root=ROOT)).version == before


def test_the_version_is_that_of_the_purposes_alone(read: Read, tmp_path: Path) -> None:
    before = register_of(read(root=ROOT)).version
    (tmp_path / "README.md").write_text("About the register")
    assert register_of(read()).version == before


OVERSIGHT = (
    'title = "Approve and review"\n'
    + BASIS
    + 'relation = "oversight"\nroles = ["supervisor", "officer"]\n'
)
GLASS = (
    ROOT
    + ROLES
    + 'relation = "break-glass"\n[limits]\nsubjects_per_operation = 1\n'
    + "[obligations]\nreason = 40\nnotice = true\nreview_days = 7\n"
    + SEEN
)


def test_obligations_are_read_in_full(read: Read) -> None:
    text = (
        ROOT
        + "[obligations]\nreason = 30\nnotice = true\nreview_days = 7\n"
        + 'second_approver = { roles = ["supervisor"], hours = 8 }\n'
    )
    purposes = register_of(read(root=text, oversight=OVERSIGHT)).purposes
    assert purposes["root"].obligations == Obligations(
        reason=30,
        second_approver=SecondApprover(roles=("supervisor",), hours=8),
        notice=True,
        review_days=7,
    )


def test_a_break_glass_is_told_all_obligations_it_lacks(read: Read) -> None:
    light = ROOT + ROLES + 'relation = "break-glass"\n[obligations]\nreason = 5\n'
    assert faults_of(read(root=light, oversight=OVERSIGHT)) == [
        "root.toml: obligations.reason (line 6): a break-glass needs a reason of 20 characters"
        " or more; give the fewest characters",
        "root.toml: obligations.notice (line 5): a break-glass is told to the recipient;"
        " write `notice = true`",
        "root.toml: obligations.review_days (line 5): a break-glass is reviewed; give the days",
        "root.toml: limits.subjects_per_operation: a break-glass reaches one recipient; write 1",
    ]


def test_what_nobody_may_review_is_a_fault(read: Read) -> None:
    (fault,) = faults_of(read(root=GLASS))
    assert "no purpose of the relation `oversight` lets anybody approve or review it" in fault


def test_a_second_approver_whom_no_role_lets_approve_is_a_fault(read: Read) -> None:
    text = ROOT + '[obligations]\nsecond_approver = { roles = ["clerk"] }\n'
    (fault,) = faults_of(read(root=text, oversight=OVERSIGHT))
    assert "its second approver has no role that may approve" in fault
    assert "name one of officer, supervisor" in fault


def test_the_relation_assigned_needs_programmes_and_a_case(read: Read) -> None:
    (fault,) = faults_of(read(root=ROOT + ROLES + 'relation = "assigned"\n'))
    assert "no programme is covered" in fault
    named = ROOT + ROLES + 'relation = "assigned"\nprogrammes = ["housing"]\n'
    assert register_of(read(root=named)).purposes["root"].case_needed


def test_roles_are_those_of_the_file_of_roles(tmp_path: Path, catalogue: Catalogue) -> None:
    folder = tmp_path / "purposes"
    folder.mkdir()
    (tmp_path / "roles.toml").write_text('caseworker = "Decides"\nauditor = "Reads the log"\n')
    (folder / "root.toml").write_text(ROOT + 'roles = ["caseworkers"]\n')
    (folder / "idle.toml").write_text(ROOT)
    assert faults_of(read_register(folder, catalogue)) == [
        "idle.toml: roles: it is for no role, and parent of no purpose: nobody can use it;"
        " name a role, or remove the file",
        "root.toml: roles (line 3): there is no role `caseworkers`; did you mean `caseworker`?",
        "roles.toml: auditor: no purpose is for `auditor`; name it in a purpose, or take it out",
        "roles.toml: caseworker: no purpose is for `caseworker`;"
        " name it in a purpose, or take it out",
    ]


@pytest.mark.parametrize(
    ("before", "after", "faulty"),
    [
        ("valid = { until = 2026-12-31 }\n", "valid = { since = 2027-01-01 }\n", False),
        ("valid = { until = 2027-01-01 }\n", "valid = { since = 2027-01-01 }\n", True),
        ("", "valid = { since = 2027-01-01 }\n", True),
        ("valid = { until = 2026-12-31 }\n", "", True),
    ],
)
def test_a_purpose_is_not_valid_beside_the_one_it_replaces(
    read: Read, before: str, after: str, *, faulty: bool
) -> None:
    found = read(old=ROOT + ROLES + before, new=ROOT + ROLES + 'replaces = "old"\n' + after)
    message = "it is valid beside `old`, which it replaces"
    assert [fault.message for fault in found[1]] == ([message] if faulty else [])


def test_a_purpose_replaces_another_that_there_is(read: Read) -> None:
    _, faults = read(new=ROOT + ROLES + 'replaces = "old"\n')
    assert [fault.message for fault in faults] == ["there is no other purpose `old`"]
