"""Trusted documents: the manifest, who may ask what else, and the check before deployment."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from graphql import parse, print_ast

from authz.caller import Caller
from authz.purpose import Purpose
from hub.app import Plans, read_plans
from hub.cli import main
from hub.config import Limits, TrustedDocuments, read_settings
from hub.documents import Document, Documents
from hub.errors import RequestRefused
from hub.manifest import digest, entered, read_manifest, written
from hub.trusted import Sent, Trusted
from sources.fault import FaultyConfiguration

QUERY = "query Tax($id: ID!) { recipient(id: $id) { tax { arrears } } }"
NORMALISED = print_ast(parse(QUERY))
BASIC, CHECK = "basic-livelihood.application", "duplicate-check"
MANIFEST = entered({}, [("file", parse(QUERY))], [BASIC])


@pytest.fixture(scope="module")
def plans() -> Plans:
    return read_plans(read_settings(Path("hub.toml"), {}), environment=False)


@pytest.fixture(scope="module")
def document(plans: Plans) -> Document:
    return Documents(plans.schema.graphql, Limits()).read(QUERY)


def caller(*roles: str) -> Caller:
    return Caller("someone", "someone", frozenset(roles), "office", "district", "issuer")


def trusted(**settings: Any) -> Trusted:
    found = TrustedDocuments.model_validate({"manifest": "documents.json", **settings})
    return Trusted(found, MANIFEST)


def refusal(action: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(RequestRefused) as found:
        action()
    (error,) = found.value.errors
    return found.value.codes[0], error.message


def test_a_document_is_known_by_its_normalised_text(document: Document, plans: Plans) -> None:
    assert document.sha256 == digest(NORMALISED)
    spaced = Documents(plans.schema.graphql, Limits()).read(QUERY.replace(" ", "  "))
    assert spaced.sha256 == document.sha256


def test_a_literal_makes_another_document_but_no_other_hash_in_the_log(plans: Plans) -> None:
    documents = Documents(plans.schema.graphql, Limits())
    one, other = (documents.read(f'{{ recipient(id: "{key}") {{ id }} }}') for key in ("1", "2"))
    assert one.sha256 != other.sha256
    assert one.hash == other.hash


class TestModes:
    def test_a_trusted_document_is_asked_for_its_purpose(
        self, document: Document, plans: Plans
    ) -> None:
        purpose = plans.register.purposes[BASIC]
        sent = Sent(QUERY, None)
        trusted(mode="require").check(document, sent, caller("caseworker"), purpose)

    def test_and_for_no_other(self, document: Document, plans: Plans) -> None:
        purpose = plans.register.purposes[CHECK]
        hub = trusted(mode="require")
        assert refusal(
            lambda: hub.check(document, Sent(QUERY, None), caller("caseworker"), purpose)
        ) == ("DOCUMENT_NOT_TRUSTED", f"the document is not bound to `{CHECK}`")

    def test_a_document_that_the_manifest_has_not_is_refused(self, plans: Plans) -> None:
        query = "query Tax($id: ID!) { recipient(id: $id) { tax { arrears } id } }"
        document = Documents(plans.schema.graphql, Limits()).read(query)
        purpose = plans.register.purposes[BASIC]
        hub = trusted(mode="require")
        assert refusal(
            lambda: hub.check(document, Sent(query, None), caller("caseworker"), purpose)
        ) == ("DOCUMENT_NOT_TRUSTED", "the document is not in the manifest of trusted documents")

    def test_what_is_logged_is_the_hash_without_literals(
        self, plans: Plans, caplog: pytest.LogCaptureFixture
    ) -> None:
        query = '{ recipient(id: "829020-1705151") { id } }'
        document = Documents(plans.schema.graphql, Limits()).read(query)
        purpose = plans.register.purposes[BASIC]
        with caplog.at_level(logging.INFO, "hub.trusted"):
            trusted(mode="log").check(document, Sent(query, None), caller("caseworker"), purpose)
        (record,) = caplog.records
        assert record.getMessage() == "document is not trusted"
        assert record.__dict__["document"] == document.hash
        assert document.sha256 not in str(record.__dict__)

    @pytest.mark.parametrize(
        ("given", "refuses"),
        [
            ({}, False),
            ({"mode": "require"}, False),
            ({"roles": {"policy": "require"}}, True),
        ],
    )
    def test_of_populations_anything_is_asked_unless_the_role_is_named(
        self, plans: Plans, given: Mapping[str, Any], refuses: bool
    ) -> None:
        purpose = plans.register.purposes["policy-statistics"]
        other = Documents(plans.schema.graphql, Limits()).read(QUERY.replace("Tax(", "Other("))
        hub = trusted(**given)

        def check() -> None:
            hub.check(other, Sent(None, None), caller("policy"), purpose)

        if refuses:
            assert refusal(check)[0] == "DOCUMENT_NOT_TRUSTED"
        else:
            check()

    @pytest.mark.parametrize(
        ("given", "roles", "refuses"),
        [
            ({"mode": "off"}, ["caseworker"], False),
            ({"mode": "log"}, ["caseworker"], False),
            ({"mode": "require"}, ["caseworker"], True),
            ({"mode": "require", "roles": {"caseworker": "log"}}, ["caseworker"], False),
            ({"mode": "log", "roles": {"caseworker": "require"}}, ["caseworker"], True),
            # What counts is the role that opens the purpose, not a looser one held beside it.
            (
                {"mode": "require", "roles": {"policy": "off"}},
                ["caseworker", "policy"],
                True,
            ),
            ({"mode": "off", "roles": {"policy": "require"}}, ["caseworker", "policy"], False),
            # Whom no role opens the purpose is refused for that; until then the default holds.
            ({"mode": "require", "roles": {"policy": "off"}}, ["policy"], True),
        ],
    )
    def test_the_mode_is_that_of_the_role_by_which_the_purpose_is_used(
        self,
        plans: Plans,
        document: Document,
        given: Mapping[str, Any],
        roles: list[str],
        refuses: bool,
    ) -> None:
        purpose = plans.register.purposes[CHECK]
        hub = trusted(**given)

        def check() -> None:
            hub.check(document, Sent(QUERY, None), caller(*roles), purpose)

        if refuses:
            assert refusal(check)[0] == "DOCUMENT_NOT_TRUSTED"
        else:
            check()

    def test_of_several_roles_that_open_the_purpose_the_strictest_counts(
        self, document: Document, plans: Plans
    ) -> None:
        before = plans.register.purposes[CHECK]
        options = {name: getattr(before, name) for name in Purpose.__dataclass_fields__}
        purpose = Purpose(**{**options, "roles": frozenset({"a", "b"})})
        hub = trusted(mode="off", roles={"a": "log", "b": "require"})
        assert refusal(lambda: hub.check(document, Sent(QUERY, None), caller("a", "b"), purpose))
        hub.check(document, Sent(QUERY, None), caller("a"), purpose)


class TestHashes:
    def test_a_hash_stands_for_its_document(self) -> None:
        assert trusted().text(Sent(None, digest(NORMALISED))) == NORMALISED

    def test_an_unknown_hash_is_answered_in_the_words_of_the_protocol(self) -> None:
        assert refusal(lambda: trusted().text(Sent(None, "0" * 64))) == (
            "PERSISTED_QUERY_NOT_FOUND",
            "PersistedQueryNotFound",
        )

    @pytest.mark.parametrize("sha256", [None, digest(QUERY), digest(NORMALISED)])
    def test_a_text_goes_with_its_hash_as_sent_or_normalised(
        self, document: Document, sha256: str | None
    ) -> None:
        trusted().check_hash(document, Sent(QUERY, sha256))

    def test_a_swapped_hash_is_refused_in_every_mode(
        self, document: Document, plans: Plans
    ) -> None:
        sent = Sent(QUERY, "0" * 64)
        purpose = plans.register.purposes[BASIC]
        for mode in ("off", "log", "require"):
            hub = trusted(mode=mode)
            assert refusal(
                lambda hub=hub: hub.check(document, sent, caller("caseworker"), purpose)
            ) == ("BAD_REQUEST", "`sha256Hash` is not the hash of `query`")


class TestManifest:
    def test_what_is_written_is_read(self, tmp_path: Path) -> None:
        file = tmp_path / "documents.json"
        file.write_text(written(MANIFEST), encoding="utf-8")
        assert read_manifest(file, [BASIC]) == (MANIFEST, [])
        assert json.loads(file.read_text())["documents"][digest(NORMALISED)] == {
            "name": "Tax",
            "purposes": [BASIC],
            "document": NORMALISED,
        }

    def test_a_document_entered_again_is_bound_to_both_purposes(self) -> None:
        again = entered(MANIFEST, [("file", parse(QUERY))], [CHECK])
        (entry,) = again.values()
        assert entry.purposes == (BASIC, CHECK)

    def test_a_document_without_a_name_is_called_after_its_file(self) -> None:
        (entry,) = entered({}, [("file", parse("{ purposes { code } }"))], [BASIC]).values()
        assert entry.name == "file"

    def test_every_fault_is_told(self, tmp_path: Path) -> None:
        file = tmp_path / "documents.json"
        table = json.loads(written(MANIFEST))["documents"]
        changed = {**table[digest(NORMALISED)], "document": "{ purposes { code } }"}
        wrong = {
            "0" * 64: changed,
            "1" * 64: {**changed, "document": "{"},
            "2" * 64: {"document": NORMALISED},
            digest(NORMALISED): {**table[digest(NORMALISED)], "purposes": ["duplicate-chek"]},
        }
        file.write_text(json.dumps({"documents": wrong}))
        manifest, faults = read_manifest(file, [BASIC, CHECK])
        assert manifest == {}
        again = "make it again with `hub documents add`"
        short = digest(NORMALISED)[:12]
        assert [str(fault) for fault in faults] == [
            "documents.json: documents.000000000000.document: its hash is another: the document"
            f" was changed; {again}",
            f"documents.json: documents.111111111111.document: is not GraphQL; {again}",
            "documents.json: documents.222222222222: is no object of `name`, `purposes` and"
            f" `document`; {again}",
            f"documents.json: documents.{short}.purposes: there is no purpose `duplicate-chek`;"
            f" did you mean `{CHECK}`?",
        ]

    @pytest.mark.parametrize(
        "text", ["", "[]", "{}", '{"documents": []}', '{"documents":{},"x":1}']
    )
    def test_a_file_of_another_shape_is_a_fault(self, tmp_path: Path, text: str) -> None:
        file = tmp_path / "documents.json"
        file.write_text(text)
        assert len(read_manifest(file, [])[1]) == 1

    def test_a_missing_file_is_a_fault_of_the_start(self, tmp_path: Path) -> None:
        (fault,) = read_manifest(tmp_path / "documents.json", [])[1]
        assert fault.message == "cannot be read (No such file or directory)"


class TestSettings:
    def test_roles_may_come_from_the_environment(self) -> None:
        environment = {
            "HUB_DOCUMENTS_ROLES": "caseworker=require, policy=log",
            "HUB_DOCUMENTS_MANIFEST": "documents.json",
        }
        found = read_settings(Path("hub.toml"), environment).documents
        assert found.roles == {"caseworker": "require", "policy": "log"}
        assert found.mode == "log"

    def test_to_require_documents_takes_a_manifest(self) -> None:
        with pytest.raises(FaultyConfiguration) as found:
            read_settings(Path("hub.toml"), {"HUB_DOCUMENTS_MODE": "require"})
        (fault,) = found.value.faults
        assert fault.message == "documents are required of a manifest"
        assert fault.remedy == "give `manifest`, or say another `mode`"


class TestCommands:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        (tmp_path / "tax.graphql").write_text(QUERY)
        return tmp_path

    def test_documents_are_added_and_then_found_in_order(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        manifest = str(folder / "documents.json")
        file = str(folder / "tax.graphql")
        assert main(["documents", "add", file, "--purpose", BASIC, "--manifest", manifest]) == 0
        assert capsys.readouterr().out == "1 documents in the manifest, 1 of them new\n"
        assert main(["documents", "check", str(folder), "--manifest", manifest]) == 0
        assert capsys.readouterr().out == f"tax.graphql Tax: allowed under `{BASIC}`\n"

    def test_a_document_that_the_schema_does_not_fit_is_not_added(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        file, manifest = folder / "wrong.graphql", folder / "documents.json"
        file.write_text("{ recipients { nam } }")
        options = ["--purpose", BASIC, "--manifest", str(manifest)]
        assert main(["documents", "add", str(file), *options]) == 1
        assert not manifest.exists()
        assert "Cannot query field 'nam' on type 'Recipient'" in capsys.readouterr().err

    def test_every_file_that_is_not_added_is_told_with_why(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (folder / "wrong.graphql").write_text("{ recipients { nam } }")
        (folder / "bytes.graphql").write_bytes(b"query { \xff }")
        files = [str(folder / name) for name in ("wrong.graphql", "bytes.graphql", "tax.graphql")]
        manifest = folder / "documents.json"
        options = ["--purpose", BASIC, "--manifest", str(manifest)]
        assert main(["documents", "add", *files, *options]) == 1
        assert not manifest.exists()
        told = capsys.readouterr().err
        assert f"{files[0]}: invalid\n  Cannot query field 'nam'" in told
        assert told.endswith(f"{files[1]}: invalid\n  it is no text in UTF-8: see its byte 9\n")
        assert files[2] not in told

    def test_a_file_that_cannot_be_read_is_a_finding_among_the_others(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (folder / "bytes.graphql").write_bytes(b"\xff")
        (folder / "gone.graphql").symlink_to(folder / "nowhere")
        (folder / "folder.graphql").mkdir()
        assert main(["documents", "check", str(folder), "--purpose", BASIC]) == 1
        assert capsys.readouterr().out == (
            "bytes.graphql: invalid\n  it is no text in UTF-8: see its byte 1\n"
            "gone.graphql: invalid\n  it cannot be read: No such file or directory\n"
            f"tax.graphql Tax: allowed under `{BASIC}`\n"
        )
        explained = ["explain", str(folder / "bytes.graphql"), "--purpose", BASIC]
        assert main(explained) == 2
        assert capsys.readouterr().err == "it is no text in UTF-8: see its byte 1\n"

    def test_an_act_that_is_not_for_the_purpose_is_told(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (folder / "tax.graphql").write_text("{ waiting { approvals { id } } }")
        assert main(["documents", "check", str(folder), "--purpose", BASIC]) == 1
        assert capsys.readouterr().out == (
            f"tax.graphql: denied under `{BASIC}`\n"
            f"  `waiting`: `waiting` is not for `{BASIC}`;"
            " declare a purpose of the relation `oversight`\n"
        )
        assert main(["documents", "check", str(folder), "--purpose", "oversight"]) == 0
        assert main(["explain", str(folder / "tax.graphql"), "--purpose", BASIC]) == 1

    def test_what_would_be_denied_is_told_with_rule_and_remedy(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["documents", "check", str(folder), "--purpose", CHECK]) == 1
        assert capsys.readouterr().out == (
            f"tax.graphql Tax: denied under `{CHECK}`\n"
            f"  `tax.arrears`: `{CHECK}` does not name it; leave `tax.arrears` out, or ask under"
            " a purpose that names it\n"
        )

    def test_findings_are_printed_for_machines(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (folder / "wrong.graphql").write_text("{ recipients { nam } }")
        (folder / "deep").mkdir()
        (folder / "deep" / "part.graphql").write_text(
            "query A { sources { name } } query B { recipient(id: 1) { id } }"
        )
        assert main(["documents", "check", str(folder), "--purpose", BASIC, "--json"]) == 1
        found = json.loads(capsys.readouterr().out)
        assert [(entry["file"], entry["operation"], entry["verdict"]) for entry in found] == [
            ("deep/part.graphql", "A", "allowed"),
            ("deep/part.graphql", "B", "allowed"),
            ("tax.graphql", "Tax", "allowed"),
            ("wrong.graphql", None, "invalid"),
        ]

    def test_a_document_missing_in_the_manifest_is_a_finding(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        manifest = folder / "documents.json"
        manifest.write_text(written(MANIFEST))
        options = ["--manifest", str(manifest)]
        assert main(["documents", "check", str(folder), *options, "--purpose", CHECK]) == 1
        assert f"tax.graphql: not trusted under `{CHECK}`" in capsys.readouterr().out
        (folder / "tax.graphql").write_text("{ purposes { code } }")
        assert main(["documents", "check", str(folder), *options]) == 1
        assert capsys.readouterr().out == (
            "tax.graphql: not trusted\n  the manifest has it not; add it with `hub documents add`\n"
        )

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            (["--purpose", "duplicate-chek"], "there is no purpose `duplicate-chek`"),
            ([], "name the purposes: by `--purpose`, or by `--manifest`"),
            (["--purpose", CHECK], "there is no `.graphql` file in"),
        ],
    )
    def test_wrong_use_is_told(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
    ) -> None:
        assert main(["documents", "check", str(tmp_path), *arguments]) == 2
        assert told in capsys.readouterr().err
