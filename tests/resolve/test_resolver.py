"""The resolver as people use it: on an instance, from many threads, while others write, from the command line."""

import json
import shutil
import threading
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from typer.testing import CliRunner

import unify
from unify.cli.app import app
from unify.core.errors import QueryError, StoreError
from unify.instance import Instance

PROJECT: dict[str, Any] = {
    "name": "shop",
    "sources": {
        "crm": {
            "Contacts": {
                "key": "Id",
                "columns": {
                    "Born": {"type": "date", "format": "%d.%m.%Y"}, "Since": "date", "Points": "integer",
                    "Spent": "decimal(8,2)", "Seen": "datetime", "Active": "boolean",
                },
                "where": [{"column": "Banned", "operator": "is_null"}],
            }
        },
        "web": {"SignUps": {"key": "No"}},
    },
    "lists": {
        "twins": {"kind": "never", "records": [["crm.Contacts", "C-9", "crm.Contacts", "C-1"]]},
        "known": {"kind": "always", "records": [["web.SignUps", "77", "crm.Contacts", "C-3"]]},
        "nobody": {"kind": "bypass", "values": ["noreply@x.example"]},
    },
    "conflation": {
        "order": ["crm.Contacts", {"entity": "web.SignUps", "include_all": False}],
        "dedupe": {
            "crm.Contacts": [
                {"name": "e-mail", "when": [{"field": "Mail", "normalize": ["lower", {"bypass": "nobody"}]}]},
                {"name": "name and birth", "when": [{"field": "Name", "precision": 80}, {"field": "Born"}]},
                {"name": "born and points", "when": [{"field": "Points", "compare": "number", "within": 2},
                                                      {"field": "Since"}]},
            ],
            "web.SignUps": {"default_rule": False},
        },
        "match": {
            "web.SignUps -> crm.Contacts": [
                {"name": "mail", "when": [{"field": "Mail", "normalize": ["lower", {"bypass": "nobody"}]}]},
                {"name": "name", "when": [{"field": "Name", "normalize": ["lower"]}]},
            ]
        },
        "limits": [{"never_two": "Born"}],
    },
}  # fmt: skip
CONTACTS = [
    {"Id": "C-1", "Mail": "Ada@x.example", "Name": "Ada Okafor", "Born": "17.05.1964", "Since": "2020-01-02",
     "Points": "10", "Spent": "1.50", "Seen": "2024-01-01T10:00:00", "Active": "yes", "Banned": None},
    {"Id": "C-2", "Mail": "bob@x.example", "Name": "Bob Quill", "Born": "01.02.1980", "Since": None, "Points": None,
     "Spent": None, "Seen": None, "Active": None, "Banned": None},
    {"Id": "C-3", "Mail": "noreply@x.example", "Name": "Cy Thorne", "Born": None, "Since": "2021-01-01", "Points": "50",
     "Spent": None, "Seen": None, "Active": None, "Banned": None},
]  # fmt: skip
SIGNUPS = [{"No": 5, "Mail": "bob@x.example", "Name": "Robert"}, {"No": 12, "Mail": None, "Name": "nobody known"}]


def frames() -> dict[str, pa.Table]:
    columns = list(CONTACTS[0])
    contacts = pa.table({c: pa.array([row[c] for row in CONTACTS], pa.string()) for c in columns})
    return {"crm.Contacts": contacts, "web.SignUps": pa.Table.from_pylist(SIGNUPS)}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    with unify.open(tmp_path_factory.mktemp("resolve") / "shop", create=True) as acme:
        acme.run(PROJECT, frames=frames())
        yield acme


def customer(acme: Instance, entity: str, key: str) -> str:
    sql = "SELECT CustomerId FROM members WHERE entity = $entity AND key = $key"
    found: str = acme.sql(sql, {"entity": entity, "key": key}).arrow().column(0)[0].as_py()
    return found


def test_a_record_joins_by_its_strongest_rule(shop: Instance) -> None:
    found = shop.resolve("crm.Contacts", {"Mail": "ADA@X.EXAMPLE", "Name": "Ada Okafur", "Born": "17.05.1964"})
    assert (found.verdict, found.customer) == ("joins", customer(shop, "crm.Contacts", "C-1"))
    [match] = found.matches
    assert (match.record, match.name, match.rules) == ("crm.Contacts:C-1", "e-mail", ["e-mail", "name and birth"])
    assert match.check is not None
    [condition] = match.check.conditions
    assert (condition.left, condition.left_compared) == ({"Mail": "ADA@X.EXAMPLE"}, ["ada@x.example"])
    assert (condition.right, condition.right_compared) == ({"Mail": "Ada@x.example"}, ["ada@x.example"])
    assert found.record["Born"] == date(1964, 5, 17)
    assert "belongs to customer" in str(found)


def test_a_limit_keeps_it_apart_and_says_so(shop: Instance) -> None:
    found = shop.resolve("crm.Contacts", {"Mail": "ada@x.example", "Born": "18.05.1964"})
    assert (found.verdict, found.customer, found.matches) == ("new", None, [])
    [apart] = found.apart
    assert (apart.record, apart.limit, apart.detail) == (
        "crm.Contacts:C-1", "never two Born", "1964-05-17 and 1964-05-18",
    )  # fmt: skip
    assert found.nearest[0].customer == customer(shop, "crm.Contacts", "C-1")
    assert "never two Born" in " ".join(found.nearest[0].missing)


def test_a_bridge_between_two_customers_merges_them(shop: Instance) -> None:
    ada, cy = customer(shop, "crm.Contacts", "C-1"), customer(shop, "crm.Contacts", "C-3")
    found = shop.resolve("crm.Contacts", {"Mail": "ada@x.example", "Since": "2021-01-01", "Points": 51})
    assert (found.verdict, found.customer, found.retired) == ("merges", ada, [cy])
    assert [m.record for m in found.matches] == ["crm.Contacts:C-1", "crm.Contacts:C-3"]
    assert f"into which {cy} would be retired" in found.summary


def test_lists_name_records_that_are_not_there_yet(shop: Instance) -> None:
    apart = shop.resolve("crm.Contacts", {"Id": "C-9", "Mail": "ada@x.example"})
    assert (apart.verdict, apart.apart[0].limit) == ("new", "never")
    same = shop.resolve("web.SignUps", {"No": 77})
    assert (same.verdict, same.matches[0].name) == ("joins", "always match")
    assert same.customer == customer(shop, "crm.Contacts", "C-3")


def test_a_record_with_a_known_key_replaces_that_one(shop: Instance) -> None:
    bob = customer(shop, "crm.Contacts", "C-2")
    found = shop.resolve("crm.Contacts", {"Id": "C-2", "Mail": "ada@x.example"})
    assert (found.replaces, found.was, found.verdict) == (True, bob, "merges")
    assert found.retired == [bob]
    changes = [(c.change, c.other) for c in found.changes]
    assert changes == [("merged", bob), ("dropped", "web.SignUps:5")]  # what joined by its e-mail matches nothing now
    as_it_is = shop.resolve("web.SignUps", SIGNUPS[0])
    assert (as_it_is.was, as_it_is.customer, as_it_is.changes) == (bob, bob, [])


def test_what_matches_nothing_is_of_no_customer_where_the_plan_says_so(shop: Instance) -> None:
    found = shop.resolve("web.SignUps", {"No": 99, "Name": "unheard of"})
    assert (found.verdict, found.customer) == ("none", None)
    assert found.because == ["it matches nothing, and web.SignUps does not include such records"]


def test_a_bypassed_value_is_no_evidence_and_the_row_filter_holds(shop: Instance) -> None:
    assert shop.resolve("crm.Contacts", {"Mail": "noreply@x.example"}).verdict == "new"
    found = shop.resolve("crm.Contacts", {"Mail": "ada@x.example", "Banned": "yes"})
    assert (found.verdict, found.because) == ("none", ["the row filter of crm.Contacts leaves it out"])


@pytest.mark.parametrize(
    ("record", "column", "value"),
    [
        ({"Born": "17.05.1964"}, "Born", date(1964, 5, 17)),
        ({"Born": date(1964, 5, 17)}, "Born", date(1964, 5, 17)),
        ({"Since": "5/17/2020"}, "Since", date(2020, 5, 17)),
        ({"Points": "0012"}, "Points", 12),
        ({"Points": 12.0}, "Points", 12),
        ({"Spent": "3.10"}, "Spent", Decimal("3.10")),
        ({"Seen": "2024-01-01T10:00:00+02:00"}, "Seen", datetime(2024, 1, 1, 8)),  # noqa: DTZ001 - as ingest keeps it
        ({"Active": "n"}, "Active", False),
        ({"Points": ""}, "Points", None),
    ],
)
def test_values_are_read_as_ingest_reads_them(shop: Instance, record: dict[str, Any], column: str, value: Any) -> None:
    assert shop.resolve("crm.Contacts", record, why=False).record[column] == value


@pytest.mark.parametrize(
    ("entity", "record", "said"),
    [
        ("crm.Contact", {}, "did you mean crm.Contacts?"),
        ("crm.Contacts", {"EMail": "x"}, "did you mean Mail?"),
        ("crm.Contacts", {"Born": "1964-05-17"}, "'1964-05-17' is not a date"),
        ("crm.Contacts", {"Born": "31.02.1964"}, "written %d.%m.%Y"),
        ("crm.Contacts", {"Points": "many"}, "'many' is not an integer"),
        ("crm.Contacts", {"Spent": "1.234"}, "is not a decimal(8,2)"),
        ("crm.Contacts", {"Mail": ["x"]}, "a list is nothing that a column holds"),
        ("crm.Contacts", {"Id": " "}, "the primary key is empty"),
        ("web.SignUps", {"No": None}, "the primary key is empty"),
        ("crm.Contacts", {"Name": "a\x00"}, "NUL character"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(shop: Instance, entity: str, record: dict[str, Any], said: str) -> None:
    with pytest.raises(QueryError) as error:
        shop.resolve(entity, record)
    assert said in str(error.value)


def test_many_at_once_each_by_itself(shop: Instance) -> None:
    records = [{"Mail": "ada@x.example"}, {"Mail": "new@x.example"}, {"Mail": "new@x.example"}]
    expected = ["joins", "new", "new"]
    assert [r.verdict for r in shop.resolve_all("crm.Contacts", records)] == expected
    assert [r.verdict for r in shop.resolve_all("crm.Contacts", pa.Table.from_pylist(records))] == expected
    with pytest.raises(QueryError, match="no sequence of records"):
        shop.resolve_all("crm.Contacts", {"Mail": "x"})


def test_threads_get_the_answers_of_one(shop: Instance) -> None:
    questions = [
        ("crm.Contacts", {"Mail": m, "Since": "5/17/2020", "Active": "no"}) for m in ("ada@x.example", "b", "c")
    ]
    with shop.resolver() as resolver:
        alone = [resolver.resolve(*q).as_dict() for q in questions]
        found: list[Any] = []

        def ask() -> None:
            found.extend((i, resolver.resolve(*q).as_dict()) for _ in range(5) for i, q in enumerate(questions))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == 60
    assert all(answer == alone[i] for i, answer in found)


def test_it_answers_about_its_generation_while_another_is_published(shop: Instance, tmp_path: Path) -> None:
    shutil.copytree(shop.path, tmp_path / "shop")
    with unify.open(tmp_path / "shop") as acme, acme.resolver() as resolver:
        record = {"Mail": "new@x.example"}
        with acme.store.lease("test", None):  # somebody writes
            assert acme.resolve("crm.Contacts", record).verdict == "new"
        more = [*CONTACTS, {**CONTACTS[1], "Id": "C-7", "Mail": "new@x.example", "Name": "New One", "Born": None}]
        table = pa.table({c: pa.array([row[c] for row in more], pa.string()) for c in CONTACTS[0]})
        with unify.open(tmp_path / "shop") as writer:
            writer.run(PROJECT, frames={**frames(), "crm.Contacts": table})
        assert resolver.resolve("crm.Contacts", record).verdict == "new"
        moved = acme.resolve("crm.Contacts", record)
        assert (moved.verdict, moved.generation) == ("joins", resolver.generation + 1)


def test_after_an_ingest_alone_it_says_that_customers_are_older(shop: Instance, tmp_path: Path) -> None:
    shutil.copytree(shop.path, tmp_path / "shop")
    with unify.open(tmp_path / "shop") as acme:
        fewer = frames() | {"web.SignUps": pa.Table.from_pylist(SIGNUPS[:1])}
        acme.ingest(PROJECT, frames=fewer)
        found = acme.resolve("crm.Contacts", {"Mail": "ada@x.example"})
    assert found.customer == customer(shop, "crm.Contacts", "C-1")
    assert any("conflate" in note for note in found.notes)


def test_without_customers_there_is_nothing_to_resolve(tmp_path: Path) -> None:
    with unify.open(tmp_path / "i", create=True) as acme:
        with pytest.raises(StoreError):
            acme.resolve("crm.Contacts", {})
        acme.ingest(PROJECT, frames=frames())
        with pytest.raises(QueryError, match="no customers yet"):
            acme.resolve("crm.Contacts", {})


# ── from the command line ───────────────────────────────────────────────────────────────────────────────────────────


def ask(shop: Instance, *arguments: str, said: str | None = None) -> Any:
    return CliRunner().invoke(
        app, ["resolve", "-i", str(shop.path), "-e", "crm.Contacts", *arguments], input=said, catch_exceptions=True
    )


def test_the_command_takes_json_files_and_lines(shop: Instance, tmp_path: Path) -> None:
    ada = customer(shop, "crm.Contacts", "C-1")
    one = ask(shop, '{"Mail": "ada@x.example", "Spent": 1.5}', "--json")
    assert json.loads(one.stdout)["customer"] == ada
    (tmp_path / "r.json").write_text('[{"Mail": "ada@x.example"}, {"Mail": "z"}]', encoding="utf-8")
    several = json.loads(ask(shop, f"@{tmp_path / 'r.json'}", "--json").stdout)
    assert [r["verdict"] for r in several] == ["joins", "new"]
    lines = ask(shop, "-", "--brief", said='{"Mail": "ada@x.example"}\n{"Mail": "z"}\n')
    assert lines.stdout.splitlines() == [
        f"the record of crm.Contacts belongs to customer {ada}",
        "the record of crm.Contacts would be a new customer",
    ]
    drawn = ask(shop, '{"Mail": "ada@x.example"}')
    assert "✓ Mail is equal, after: lower, bypass(nobody)" in drawn.stdout


@pytest.mark.parametrize(
    ("said", "why"),
    [("", "there is no record"), ("{", "no JSON"), ("7", "is no record"), ('{"Mail": 1, "Mail": 2}', "stands twice"),
     ("@nowhere.json", "nowhere.json")],
)  # fmt: skip
def test_the_command_says_what_is_wrong_with_a_record(shop: Instance, said: str, why: str) -> None:
    result = ask(shop, said)
    assert result.exit_code != 0
    assert why in str(result.exception)
