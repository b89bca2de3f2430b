"""Junk and shared values: who carries a value, what is judged, what a verdict does, and who has the last word."""

from datetime import date
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import unify
from unify.conflation.binding import bind
from unify.conflation.junk.fields import judged
from unify.conflation.junk.verdicts import judge_values
from unify.conflation.normalize import Lists
from unify.conflation.prepare import prepare
from unify.core.errors import SpecError
from unify.core.reports import RunReport
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.spec import Project, ValueList

_spec = spec_from_file_location("oracle_junk", Path(__file__).parents[1] / "oracles" / "junk.py")
assert _spec is not None
assert _spec.loader is not None
oracle = module_from_spec(_spec)
_spec.loader.exec_module(oracle)

SCHEMA = pa.schema(
    [("Id", pa.string()), ("Name", pa.string()), ("Born", pa.date32()), ("Mail", pa.string()), ("Phone", pa.string())]
)
LABELS = {"Name": "Person.FullName", "Born": "Person.BirthDate", "Mail": "Identity.Service.Email"}
MAIL = {"name": "mail", "when": [{"field": "Mail"}]}
MAIL_AND_NAME = {"name": "mail and name", "when": [{"field": "Mail"}, {"field": "Name", "precision": 80}]}
FIRST = ("Ada", "Bert", "Cleo", "Dora", "Emil", "Fritz", "Gina", "Hugo", "Ines", "Kurt", "Lola", "Moritz", "Nora")
LAST = ("Archer", "Bixby", "Crumb", "Dolby", "Eckhart", "Finch", "Gruber", "Hobbs", "Ibsen", "Kepler", "Lund", "Mott",
        "Nagel")  # fmt: skip
STRANGERS = [f"{first} {last}" for first, last in zip(FIRST, LAST, strict=True)]
"""No two of them are spelled alike."""


def project(*rules: dict[str, Any], junk: Any = "detect", labels: dict[str, str] = LABELS, **more: Any) -> Project:
    return Project.model_validate(
        {
            "sources": {"s": {"People": {"key": "Id", "columns": {"Born": "date"}, "labels": labels}}},
            "conflation": {"order": ["s.People"], "dedupe": {"s.People": list(rules or (MAIL,))}, "junk": junk},
            **more,
        }
    )


def row(
    name: str | None, mail: str | None = None, born: date | None = None, phone: str | None = None
) -> dict[str, Any]:
    return {"Name": name, "Mail": mail, "Born": born, "Phone": phone}


def table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist([{"Id": f"{i:04}", **r} for i, r in enumerate(rows)], SCHEMA)


def verdicts(plan: Project, rows: list[dict[str, Any]]) -> dict[str, tuple[str, int]]:
    """Value to verdict and people, without a run around it."""
    with DuckDBEngine(threads=1) as engine:
        engine.load("s_People", table(rows))
        listed = [{"list": n, "value": v, "alias": None} for n, spec in plan.lists.items() for v in spec.values]
        schema = pa.schema([(c, pa.string()) for c in ("list", "value", "alias")])
        engine.load("list_values", pa.Table.from_pylist(listed, schema))
        bound = bind(engine, plan, Lists())
        lies = judged(plan, bound)
        assert plan.conflation is not None
        prepare(engine, plan, plan.conflation, bound.prepared)
        judge_values(engine, plan, lies, list(bound.prepared.values()), Lists())
        found = engine.fetch(Query("SELECT value, verdict, people FROM value_verdicts")).to_pylist()
        return {r["value"]: (r["verdict"], r["people"]) for r in found}


def groups(tmp_path: Path, plan: Project, rows: list[dict[str, Any]]) -> tuple[list[set[str]], RunReport]:
    """Ids that are one customer, of customers with more than one record; and the report."""
    with unify.open(tmp_path / "i", create=True) as acme:
        report = acme.run(plan, frames={"s.People": table(rows)})
        found = acme.sql("SELECT list(key) AS keys FROM members GROUP BY CustomerId HAVING count(*) > 1")
        return sorted((set(r["keys"]) for r in found.arrow().to_pylist()), key=min), report


# ── counting people ──────────────────────────────────────────────────────────────────────────────────────────────────

WORDS = st.sampled_from([None, "Ada Archer", "Archer Ada", "ADA ARCHER", "Bert Bixby", "Cleo Crumb", "Gina Gruber"])
DATES = st.sampled_from([None, date(1970, 1, 2), date(1980, 3, 4), date(1990, 5, 6)])
MAILS = st.sampled_from([None, "a@x", "b@x", "c@x"])
ROWS = st.lists(st.builds(row, WORDS, MAILS, DATES), max_size=12)
MANY = settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))


@MANY
@given(ROWS)
def test_people_are_those_that_a_naive_count_finds(rows: list[dict[str, Any]]) -> None:
    found = verdicts(project(junk={"more_than": 1000}), rows)
    assert found == {v: ("shared", n) for v, n in oracle.people(rows, "Mail").items() if n > 1}


@MANY
@given(ROWS, st.data())
def test_records_of_somebody_who_is_there_change_nothing(rows: list[dict[str, Any]], data: st.DataObject) -> None:
    if rows:
        again = data.draw(st.lists(st.sampled_from(rows), max_size=30))
        assert verdicts(project(junk={"more_than": 2}), rows + again) == verdicts(project(junk={"more_than": 2}), rows)


@MANY
@given(ROWS, st.randoms())
def test_the_order_of_rows_changes_nothing(rows: list[dict[str, Any]], chance: Any) -> None:
    shuffled = chance.sample(rows, len(rows))
    assert verdicts(project(junk={"more_than": 2}), shuffled) == verdicts(project(junk={"more_than": 2}), rows)


@pytest.mark.parametrize(
    ("names", "people"),
    [
        (["Ada Archer"] * 30, None),
        (["Jon Smith", "John Smith", "John Smyth", "Smith, John", "J. Smith"], None),
        (["Bob Archer", "Robert Archer"], None),
        (["Ada Archer", "Ada Maria Archer", "Archer"], None),
        (["Jane Smith", "John Smith"], 2),
        (["Ada Archer", "Bert Archer", "Cleo Archer", "Ada Archer"], 3),
    ],
)
def test_names_spelled_alike_are_one_person(names: list[str], people: int | None) -> None:
    found = verdicts(project(), [row(name, "a@x") for name in names])
    assert found == ({} if people is None else {"a@x": ("shared", people)})


def test_who_married_or_moved_is_one_person_by_birth_date() -> None:
    assert (
        verdicts(project(), [row("Ada Archer", "a@x", date(1970, 1, 2)), row("Ada Bixby", "a@x", date(1970, 1, 2))])
        == {}
    )
    assert (
        verdicts(project(), [row("Ada Archer", "a@x", date(1970, 1, 2)), row("Ada Archer", "a@x", date(1970, 2, 1))])
        == {}
    )


def test_junk_is_more_than_ten_times_what_is_usual() -> None:
    rows = [row(name, "noreply@x") for name in STRANGERS[:10]] + [row(name, f"{name}@x") for name in STRANGERS]
    assert verdicts(project(), rows) == {"noreply@x": ("shared", 10)}
    rows.append(row(STRANGERS[10], "noreply@x"))
    assert verdicts(project(), rows) == {"noreply@x": ("junk", 11)}
    assert verdicts(project(junk="off"), rows) == {}


def default_birth_dates() -> list[dict[str, Any]]:
    """Everybody's own date, and 1900-01-01 for twelve of them who share an e-mail address besides."""
    own = [row(name, f"{name}@x", date(1960 + i, 1 + i % 12, 1 + i)) for i, name in enumerate(STRANGERS)]
    own += [row(f"{name}son", None, date(1980 + i, 1 + i % 12, 1 + i)) for i, name in enumerate(STRANGERS)]
    return own + [row(name, "noreply@x", date(1900, 1, 1)) for name in STRANGERS[:12]]


def test_a_default_birth_date_is_junk_and_tells_nobody_apart() -> None:
    assert verdicts(project(), default_birth_dates()) == {"1900-01-01": ("junk", 12), "noreply@x": ("junk", 12)}


def test_a_column_without_a_label_is_judged_by_its_looks() -> None:
    """Phones belong to one person each, bar one; a size belongs to everybody."""
    labels = {"Name": "Person.FullName"}
    by_phone = {"name": "phone", "when": [{"field": "Phone"}]}
    rows = [row(name, phone=f"55{i}") for i, name in enumerate(STRANGERS)] + [row("Olga Opitz", phone="550")]
    assert verdicts(project(by_phone, labels=labels), rows) == {"550": ("shared", 2)}
    sizes = [row(name, phone="ML"[i % 2]) for i, name in enumerate(STRANGERS)]
    assert verdicts(project(by_phone, labels=labels), sizes) == {}
    named = project(by_phone, labels=labels, junk={"contacts": ["Phone"]})
    assert verdicts(named, sizes) == {"M": ("shared", 7), "L": ("shared", 6)}


def test_without_names_or_birth_dates_nothing_is_known_of_people() -> None:
    assert verdicts(project(labels={"Mail": "Identity.Service.Email"}), [row(n, "a@x") for n in STRANGERS]) == {}


# ── what a verdict does ──────────────────────────────────────────────────────────────────────────────────────────────


def test_shared_values_link_only_with_something_beside(tmp_path: Path) -> None:
    rows = [row("Jane Smith", "smith@x"), row("John Smith", "smith@x"), row("Jane Smyth", "smith@x"), row("Ada Archer", "a@x"),
            row("Archer Ada", "a@x")]  # fmt: skip
    assert groups(tmp_path / "off", project(MAIL, junk="off"), rows)[0] == [{"0000", "0001", "0002"}, {"0003", "0004"}]
    found, report = groups(tmp_path / "one", project(MAIL), rows)
    assert found == [{"0003", "0004"}]
    assert [(v.value, v.records) for v in report.ignored] == [("smith@x", 3)]
    by_name = {"name": "mail and name", "when": [{"field": "Mail"}, {"field": "Name", "precision": 90}]}
    assert groups(tmp_path / "two", project(MAIL, by_name), rows)[0] == [{"0000", "0002"}, {"0003", "0004"}]


def test_junk_is_no_value_in_any_rule_and_households_use_what_is_shared(tmp_path: Path) -> None:
    rows = [row(name, "noreply@x") for name in STRANGERS] + [row(name, f"{name}@x") for name in STRANGERS]
    rows += [row("Jane Smith", "smith@x"), row("John Smith", "smith@x")]
    household = {"Household": {"rules": [MAIL]}}
    plan = project(MAIL, MAIL_AND_NAME, clusters=household)
    with unify.open(tmp_path / "i", create=True) as acme:
        report = acme.run(plan, frames={"s.People": table(rows)})
        assert report.junk is not None
        assert (report.junk.junk, report.junk.shared) == (1, 1)
        assert (report.clusters.customers if report.clusters else 0) == len(rows)
        shared = (
            acme.sql("SELECT count(*) AS n FROM Customer GROUP BY Household HAVING count(*) > 1").arrow().to_pylist()
        )
        assert shared == [{"n": 2}]
        said = str(acme.explain("0000", "0001"))
        assert "'noreply@x' in s.People.Mail is carried by 13 different people, where 1 is usual: no evidence" in said
        said = str(acme.explain("0026", "0027"))
        assert (
            "'smith@x' in s.People.Mail is carried by 2 different people, all called smith: no proof of identity"
            in said
        )


def test_a_junk_birth_date_neither_links_nor_vetoes_nor_breaks_a_limit(tmp_path: Path) -> None:
    born = {"name": "born", "when": [{"field": "Born"}]}
    vetoed = {"name": "name", "when": [{"field": "Name"}], "unless": [{"field": "Born", "differs": True}]}
    plan = project(born, vetoed)
    assert plan.conflation is not None
    rows = default_birth_dates()
    found, _ = groups(tmp_path / "on", plan, rows)
    pairs = [{f"{i:04}", f"{i + 26:04}"} for i in range(12)]
    assert found == pairs
    off, _ = groups(tmp_path / "off", project(born, vetoed, junk="off"), rows)
    assert off == [{f"{i + 26:04}" for i in range(12)}]


# ── the last word ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_lists_overrule_what_was_found() -> None:
    rows = [row(name, "noreply@x") for name in STRANGERS] + [row(name, f"{name}@x") for name in STRANGERS]
    rows += [row("Jane Smith", "smith@x"), row("John Smith", "smith@x"), row("Olga Opitz", "olga@x")]
    lists = {
        "ours": {"kind": "genuine", "values": ["noreply@x"]},
        "bad": {"kind": "junk", "values": ["smith@x", "olga@x", "noreply@x", "nobody@x"]},
    }
    found = verdicts(project(lists=lists), rows)
    assert found == {"noreply@x": ("genuine", 13), "smith@x": ("junk", 2), "olga@x": ("junk", 1)}


def test_lists_of_verdicts_without_detection_are_told_of(tmp_path: Path) -> None:
    plan = project(junk="off", lists={"ours": {"kind": "genuine", "values": ["a@x"]}})
    _, report = groups(tmp_path, plan, [row("Ada Archer", "a@x")])
    assert any("ours has no effect" in warning for warning in report.warnings)


@pytest.mark.parametrize("option", ["names", "births", "contacts"])
def test_unknown_columns_are_refused(option: str) -> None:
    with pytest.raises(SpecError, match="no entity of the plan has a column 'Mial'"):
        verdicts(project(junk={option: ["Mial"]}), [row("Ada Archer", "a@x")])


def test_a_contact_that_no_rule_compares_is_refused() -> None:
    with pytest.raises(SpecError, match="no rule compares it exactly"):
        verdicts(project(junk={"contacts": ["Phone"]}), [row("Ada Archer", "a@x")])


def test_a_list_of_verdicts_takes_values() -> None:
    with pytest.raises(ValueError, match="takes `values` or `files`"):
        ValueList.model_validate({"kind": "genuine", "pairs": [["a", "b"]]})


# ── the sample ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_sample_ends_the_same_with_detection(tmp_path: Path, sample_instance: Any) -> None:
    """The sample's traps (twins, father and son, households, marriages, moves) end as they do without detection."""
    raw = yaml.safe_load((Path(__file__).parents[2] / "sample_data" / "project.yaml").read_text(encoding="utf-8"))
    raw["conflation"]["junk"] = "detect"
    with unify.open(tmp_path / "i", create=True) as acme:
        acme.run(Project.model_validate(raw), base=Path(__file__).parents[2] / "sample_data")
        found = acme.sql("SELECT entity, key, CustomerId FROM members ORDER BY ALL").arrow().to_pylist()
    expected = sample_instance.sql("SELECT entity, key, CustomerId FROM members ORDER BY ALL").fetchall()
    assert [tuple(r.values()) for r in found] == expected
