"""The population: the same everywhere, never real, coherent across agencies."""

import hashlib
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sources.simulator.agency import answer, sort_items
from sources.simulator.awards import PROGRAMMES
from sources.simulator.calendar import TODAY, ages, ymd
from sources.simulator.cli import main
from sources.simulator.draw import Ints, Mask
from sources.simulator.identifiers import id_text
from sources.simulator.people import CHILD, DECEASED, HEAD, SPOUSE, TYPES
from sources.simulator.places import DISTRICTS
from sources.simulator.population import Population, Recipe, generate, holds, read_manifest
from sources.simulator.resident import AGENCY as RESIDENT
from sources.simulator.taxes import DAILY_WAGE

DIGEST = "2dc4bdaf199f9c5c90468670ef05d2f524c53149cac8bd1c758ae5037d97029e"


def digest(directory: Path) -> str:
    total = hashlib.sha256()
    for column in sorted(directory.glob("*.npy")):
        total.update(column.name.encode() + column.read_bytes())
    return total.hexdigest()


def column(population: Population, name: str) -> Ints:
    return population.column(name)[:].astype(np.int64)


def counts(population: Population, table: str) -> Ints:
    return np.diff(column(population, f"{table}.end_row"), prepend=0)


def owners(population: Population, table: str) -> Ints:
    held = counts(population, table)
    return np.repeat(np.arange(len(held)), held)


def grown(population: Population) -> Mask:
    adult: Mask = ages(column(population, "person.birth")) >= 19
    return adult


def test_a_seed_gives_the_same_people_on_every_machine(village: Path) -> None:
    assert digest(village) == DIGEST


def test_the_size_of_the_blocks_changes_nothing(village: Path, tmp_path: Path) -> None:
    generate(Recipe(people=2_000, seed=7), tmp_path, lambda _: None, block=64)
    assert digest(tmp_path) == digest(village)


def test_another_seed_gives_other_people(village: Path, tmp_path: Path) -> None:
    generate(Recipe(people=2_000, seed=8), tmp_path, lambda _: None)
    assert digest(tmp_path) != digest(village)


def test_a_complete_population_is_kept(village: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (village / "manifest.json").stat().st_mtime_ns
    assert main(["generate", "--people", "2000", "--seed", "7", "--into", str(village)]) == 0
    assert (village / "manifest.json").stat().st_mtime_ns == before
    assert "holds this population already" in capsys.readouterr().err


def test_a_half_made_population_is_made_anew(tmp_path: Path) -> None:
    recipe = Recipe(people=500, seed=1)
    generate(recipe, tmp_path, lambda _: None)
    whole = digest(tmp_path)
    (tmp_path / "manifest.json").unlink()
    (tmp_path / "person.birth.npy").write_bytes(b"half")
    assert not holds(tmp_path, recipe)
    assert main(["generate", "--people", "500", "--seed", "1", "--into", str(tmp_path)]) == 0
    assert digest(tmp_path) == whole


@pytest.mark.parametrize("people", ["499", "14000001"])
def test_a_size_out_of_range_is_refused(
    people: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["generate", "--people", people, "--into", str(tmp_path)]) == 2
    assert capsys.readouterr().err == (
        f"simulator: `--people {people}` is out of range, give 500 to 14000000\n"
    )


@pytest.mark.parametrize("people", [500, 501, 777])
def test_every_size_is_met_exactly_and_holds_the_sample(people: int, tmp_path: Path) -> None:
    manifest = generate(Recipe(people, seed=3), tmp_path, lambda _: None)
    population = Population(tmp_path)
    assert len(column(population, "person.id")) == people
    assert int(column(population, "home.size").sum()) == people
    assert manifest["households"] == len(column(population, "home.size"))
    check_sample(population, manifest["sample"])


def check_sample(population: Population, sample: dict[str, Any]) -> None:
    wanted = sort_items(RESIDENT, ["district", "members.id", "registrationStatus", "birthDate"])
    officials = [one["recipient"] for one in sample["personas"].values()]
    records = answer(RESIDENT, population, [sample["recipient"], *officials], wanted)
    assert len(records) == 1 + len(officials)
    recipient, *others = records
    assert recipient["district"] == sample["district"]
    assert 35 <= 2026 - date.fromisoformat(recipient["birthDate"]).year <= 60
    assert len(recipient["members"]) >= 3
    own = {member["id"] for member in recipient["members"]}
    applicants = set(id_text(population.take("person.id", column(population, "case.applicant"))))
    for record, persona in zip(others, sample["personas"].values(), strict=True):
        assert record["id"] not in own
        assert record["id"] not in applicants
        assert record["district"] == persona["district"]
        assert record["registrationStatus"] == "resident"
    assert sample["personas"]["caseworker"]["district"] == sample["district"]
    assert sample["personas"]["caseworker2"]["district"] != sample["district"]
    case = population.case_references(np.arange(len(column(population, "case.opened")))).index(
        sample["case"]
    )
    assert id_text(
        population.take("person.id", population.take("case.applicant", np.array([case])))
    ) == [sample["recipient"]]
    assert column(population, "case.closed")[case] == -1
    assert PROGRAMMES[column(population, "case.programme")[case]] == sample["programme"]


def test_identifiers_are_unique_and_never_a_date(town: Population) -> None:
    numbers = column(town, "person.id")
    assert len(np.unique(numbers)) == len(numbers)
    texts = id_text(numbers)
    assert all(len(text) == 14 and 81 <= int(text[2:4]) <= 92 for text in texts)
    with pytest.raises(ValueError, match="month must be in"):
        date.fromisoformat(f"19{texts[0][:2]}-{texts[0][2:4]}-{texts[0][4:6]}")


def test_identifiers_tell_sex_and_century_as_real_ones_do(town: Population) -> None:
    texts = id_text(column(town, "person.id"))
    sex = column(town, "person.sex").tolist()
    young = (ymd(column(town, "person.birth")) >= 20_000_101).tolist()
    foreign = (column(town, "person.nationality") > 0).tolist()
    for text, one, late, other in zip(texts[:3000], sex, young, foreign, strict=False):
        assert int(text[7]) == one + 2 * late + 4 * other


def test_there_are_229_districts_in_17_provinces(town: Population) -> None:
    assert len(set(DISTRICTS.codes)) == 229
    assert len(set(DISTRICTS.provinces)) == 17
    lived_in = {DISTRICTS.provinces[code] for code in column(town, "home.district").tolist()}
    assert len(lived_in) == 17


def test_households_are_plausible(town: Population) -> None:
    size, kind = column(town, "home.size"), column(town, "home.type")
    assert 2.1 < size.mean() < 2.3
    assert set(kind.tolist()) == set(range(len(TYPES)))
    assert ((kind == TYPES.index("single")) == (size == 1)).all()
    start, role = column(town, "home.start"), column(town, "person.role")
    assert (role[start] == HEAD).all()
    alone = (size[column(town, "person.household")] == 1) & (
        ages(column(town, "person.birth")) >= 65
    )
    assert 0.03 < alone.mean() < 0.08


def test_children_are_younger_than_both_parents_and_bear_the_fathers_name(town: Population) -> None:
    home, role = column(town, "person.household"), column(town, "person.role")
    birth, sex = column(town, "person.birth"), column(town, "person.sex")
    surname = column(town, "person.surname")
    head = column(town, "home.start")[home]
    child = role == CHILD
    assert (birth[child] - birth[head][child] > 18 * 365).all()
    led_by_man = child & (sex[head] == 1)
    assert (surname[led_by_man] == surname[head][led_by_man]).all()
    husband = (role == SPOUSE) & (sex == 1)
    father = np.full(len(home), -1)
    father[home[husband]] = surname[husband]
    with_husband = child & (father[home] >= 0)
    assert (surname[with_husband] == father[home][with_husband]).all()


def test_surnames_have_their_shares(town: Population) -> None:
    share = np.bincount(column(town, "person.surname")) / len(column(town, "person.id"))
    assert abs(share[0] - 0.215) < 0.02
    assert abs(share[1] - 0.147) < 0.02
    assert abs(share[2] - 0.084) < 0.015


def test_children_and_the_dead_earn_nothing_now(town: Population) -> None:
    idle = ~grown(town) | (column(town, "person.status") == DECEASED)
    for name in ("tax.known", "tax.earned", "labour.insured"):
        assert not column(town, name)[idle].any()
    present = owners(town, "job")[column(town, "job.end") == -1]
    assert not idle[present].any()


def test_wage_statements_add_up_to_earned_income(town: Population) -> None:
    wage = column(town, "withholding.kind") <= DAILY_WAGE
    paid = np.zeros(len(column(town, "tax.earned")), dtype=np.int64)
    np.add.at(paid, owners(town, "withholding")[wage], column(town, "withholding.paid")[wage])
    assert (paid == column(town, "tax.earned")).all()


def test_tax_and_labour_mostly_agree_on_wages_but_not_always(town: Population) -> None:
    present = column(town, "job.end") == -1
    monthly = np.zeros(len(column(town, "tax.earned")), dtype=np.int64)
    np.add.at(monthly, owners(town, "job")[present], column(town, "job.pay")[present])
    earned = column(town, "tax.earned")
    both = (monthly > 0) & (earned > 0)
    near = np.abs(earned[both] - monthly[both] * 12) * 10 <= monthly[both] * 12
    assert 0.80 < near.mean() < 0.95
    assert ((monthly > 0) & (earned == 0)).any()
    assert ((monthly == 0) & (earned > 0)).any()


def test_each_agency_knows_its_share_of_people(town: Population) -> None:
    adult = grown(town)
    assert 0.70 < column(town, "tax.known")[adult].mean() < 0.82
    assert not column(town, "labour.known")[~adult].any()
    assert 0.08 < (counts(town, "receipt") > 0).mean() < 0.10
    assert (column(town, "tax.business") == -1).any()


def test_benefits_go_to_those_they_are_for(town: Population) -> None:
    age = ages(column(town, "person.birth"))
    receiver, programme = owners(town, "receipt"), column(town, "receipt.programme")
    pension = programme == PROGRAMMES.index("basic-pension")
    assert (age[receiver[pension]] >= 65).all()
    disability = programme == PROGRAMMES.index("disability-pension")
    assert (column(town, "person.disabled")[receiver[disability]] == 2).all()
    assert (column(town, "person.status")[receiver] == 0).all()
    applicant, of = column(town, "case.applicant"), column(town, "case.programme")
    assert (age[applicant[of == PROGRAMMES.index("basic-pension")]] >= 65).all()
    assert set(programme.tolist()) == set(range(len(PROGRAMMES)))


def test_about_six_in_a_hundred_households_have_a_case_and_half_are_open(town: Population) -> None:
    households = len(np.unique(column(town, "case.household")))
    assert 0.05 < households / len(column(town, "home.size")) < 0.07
    assert 0.42 < (column(town, "case.closed") == -1).mean() < 0.58
    numbers = np.arange(len(column(town, "case.opened")))
    assert len(set(town.case_references(numbers))) == len(numbers)


def test_incomes_and_assets_are_skewed(town: Population) -> None:
    for name in ("tax.earned", "tax.business", "tax.interest", "land.price", "building.price"):
        values = column(town, name)
        values = values[values > 0]
        assert values.mean() > np.median(values), name


def test_no_event_lies_in_the_future_or_before_birth(town: Population) -> None:
    birth = column(town, "person.birth")
    for name in ("job.start", "business.opened", "land.acquired", "vehicle.acquired"):
        values = column(town, name)
        assert (values <= TODAY).all(), name
        assert (values > birth[owners(town, name.partition(".")[0])]).all(), name
    ended = column(town, "job.end") != -1
    assert (column(town, "job.end")[ended] > column(town, "job.start")[ended]).all()
    assert (column(town, "person.move_in") >= birth).all()


def test_the_manifest_says_what_the_population_is(village: Path) -> None:
    manifest = read_manifest(village)
    assert manifest is not None
    assert {name: manifest[name] for name in ("people", "seed", "version", "reference_date")} == {
        "people": 2000,
        "seed": 7,
        "version": 3,
        "reference_date": "2026-10-31",
    }
