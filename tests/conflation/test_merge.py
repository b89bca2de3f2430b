"""Merge in SQL against the brute-force oracle, and the promises that stand whatever the rules are."""

import datetime as dt
import importlib.util
import math
import random
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unify.conflation.columns import unified_columns
from unify.conflation.merge import merge_steps
from unify.core.errors import SpecError
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.spec import Project


def oracle() -> ModuleType:
    path = Path(__file__).parents[1] / "oracles" / "merge.py"
    spec = importlib.util.spec_from_file_location("oracle_merge", path)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["oracle_merge"] = module
    spec.loader.exec_module(module)
    return module


naive = oracle()

TYPES = {
    "VARCHAR": pa.string(), "BIGINT": pa.int64(), "DOUBLE": pa.float64(), "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us"), "BOOLEAN": pa.bool_(), "DECIMAL(9,2)": pa.decimal128(9, 2),
}  # fmt: skip
SCHEMAS = {
    "crm.Contacts": {
        "ContactId": "VARCHAR", "Name": "VARCHAR", "Mobile": "VARCHAR", "Phone": "VARCHAR", "Street": "VARCHAR",
        "City": "VARCHAR", "Income": "BIGINT", "ChangedOn": "DATE", "Points": "BIGINT",
    },
    "loyalty.Members": {
        "No": "BIGINT", "name": "VARCHAR", "Phone": "VARCHAR", "City": "VARCHAR", "Street": "VARCHAR",
        "Income": "DOUBLE", "ChangedOn": "TIMESTAMP", "Points": "DOUBLE",
    },
    "web.Users": {"Id": "VARCHAR", "Name": "VARCHAR", "City": "VARCHAR", "ChangedOn": "DATE", "Points": "BIGINT"},
}  # fmt: skip
KEYS = {"crm.Contacts": "ContactId", "loyalty.Members": "No", "web.Users": "Id"}


def project(resolution: dict[str, Any] | None = None, **more: Any) -> Project:
    dedupe = more.pop("dedupe", {})
    sources: dict[str, Any] = {}
    for entity, key in KEYS.items():
        source, name = entity.split(".")
        sources.setdefault(source, {})[name] = {"key": key}
    plan = {"order": list(SCHEMAS), "dedupe": dedupe}
    return Project.model_validate({"sources": sources, "conflation": plan, "resolution": resolution or {}, **more})


def load(engine: DuckDBEngine, rows: list[Any], order: random.Random | None = None) -> None:
    """The tables merge reads, with their rows in the given order."""
    rows = list(rows)
    if order:
        order.shuffle(rows)
    for entity, columns in SCHEMAS.items():
        data = {c: pa.array([r.values[c] for r in rows if r.entity == entity], TYPES[t]) for c, t in columns.items()}
        engine.load(entity.replace(".", "_"), pa.table(data), keep=True)
    plain = {
        "rid": pa.array([r.rid for r in rows], pa.int32()),
        "entity": pa.array([r.entity for r in rows], pa.string()),
        "key": pa.array([r.key for r in rows], pa.string()),
    }
    number = pa.array([list(SCHEMAS).index(r.entity) for r in rows], pa.uint8())
    engine.load("records", pa.table({**plain, "entity_no": number}), keep=True)
    ids = pa.array([customer_id(r.ordinal) for r in rows], pa.string())
    members = {
        **plain,
        "winner": pa.array([r.winner for r in rows], pa.int32()),
        "is_winner": pa.array([r.winner == r.rid for r in rows], pa.bool_()),
        "ordinal": pa.array([r.ordinal for r in rows], pa.int32()),
        "CustomerId": ids,
    }
    engine.load("members", pa.table(members), keep=True)
    ordinals = sorted({r.ordinal for r in rows})
    known = {"CustomerId": [customer_id(o) for o in ordinals], "ordinal": pa.array(ordinals, pa.int32())}
    engine.load("customer_ids", pa.table(known), keep=True)
    previous = {"CustomerId": pa.array([], pa.string()), "PreviousCustomerId": pa.array([], pa.string())}
    engine.load("previous_ids", pa.table(previous))


def customer_id(ordinal: int) -> str:
    return f"{ordinal:032x}"


def run(engine: DuckDBEngine, plan: Project, clusters: Any = ()) -> None:
    for step in merge_steps(plan, SCHEMAS, clusters):
        engine.build(step)


def rows_of(engine: DuckDBEngine, sql: str) -> list[dict[str, Any]]:
    return list(engine.fetch(Query(sql)).to_pylist())


texts = st.sampled_from([None, None, "", "a", "b", " ", "ä"])
CELLS = {
    "VARCHAR": texts,
    "BIGINT": st.sampled_from([None, 0, 1, -7]),
    "DOUBLE": st.sampled_from([None, 0.5, float("nan"), -1.0, float("inf")]),
    "DATE": st.sampled_from([None, dt.date(2020, 1, 1), dt.date(2021, 5, 5)]),
    "TIMESTAMP": st.sampled_from([None, dt.datetime(2020, 1, 1), dt.datetime(2021, 5, 5, 0, 0, 1)]),  # noqa: DTZ001
}


@st.composite
def populations(draw: st.DrawFn) -> list[Any]:
    """Up to 14 records in up to 4 customers, with dedupe groups inside them."""
    counts = [draw(st.integers(0, 6)) for _ in SCHEMAS]
    rows: list[Any] = []
    for entity, count in zip(SCHEMAS, counts, strict=True):
        for n in range(count):
            values = {c: draw(CELLS[t]) for c, t in SCHEMAS[entity].items()}
            key = str(n) if entity == "loyalty.Members" else f"{entity[0]}{n}"
            values[KEYS[entity]] = n if entity == "loyalty.Members" else key
            row = naive.Row(len(rows), entity, key, len(rows), draw(st.integers(0, 3)), values)
            mates = [r for r in rows if r.entity == entity and r.ordinal == row.ordinal]
            joins: bool = draw(st.booleans())
            if mates and joins:
                chosen: Any = draw(st.sampled_from(mates))
                group = [r for r in rows if r.winner == chosen.winner]
                winner = draw(st.sampled_from([*group, row])).rid
                for mate in (*group, row):
                    mate.winner = winner
            rows.append(row)
    return rows


preferences = st.sampled_from(
    ["importance", "most filled", "most recent by ChangedOn", "least recent by ChangedOn", "most recent by Points"]
)
orders = st.permutations(list(SCHEMAS))


@st.composite
def plans(draw: st.DrawFn) -> Project:
    """Every kind of rule that merge knows, in any mixture."""
    resolution: dict[str, Any] = {}
    if draw(st.booleans()):
        resolution["Name"] = {"by": draw(preferences), "order": draw(orders)}
    if draw(st.booleans()):
        feeds = ["crm.Contacts.Mobile", "loyalty.Members.Phone", "crm.Contacts.Phone"]
        resolution["Telephone"] = {"from": draw(st.permutations(feeds)), "by": draw(preferences)}
    if draw(st.booleans()):
        resolution["Address"] = {"group": ["Street", "City"], "by": draw(preferences)}
        if draw(st.booleans()):
            resolution["Address"]["order"] = draw(orders)
    elif draw(st.booleans()):
        group = {"Road": ["loyalty.Members.Street", "crm.Contacts.Street"], "City": [], "Tel": ["crm.Contacts.Phone", "crm.Contacts.Mobile"]}  # fmt: skip
        resolution.pop("Telephone", None)
        resolution["Contact"] = {"group": group, "by": draw(preferences)}
    inside = st.sampled_from(["most filled", "most recent by ChangedOn", "least recent by Points"])
    dedupe = {}
    if draw(st.booleans()):
        prefer = {c: draw(inside) for c in ("Name", "Mobile", "Phone", "City")}
        if draw(st.booleans()):
            prefer["ChangedOn"] = draw(inside)
        dedupe["crm.Contacts"] = {"prefer": prefer}
    if draw(st.booleans()):
        dedupe["loyalty.Members"] = {"prefer": {"Phone": draw(inside), "Street": draw(inside)}}
    default = draw(st.sampled_from(["importance", "most filled", "most recent by ChangedOn"]))
    return project(resolution, dedupe=dedupe, customer={"default": default})


def as_stored(value: Any, kind: str) -> Any:
    if kind == "DOUBLE" and value is not None:
        return "nan" if math.isnan(value) else float(value)
    if kind == "TIMESTAMP" and isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return dt.datetime(value.year, value.month, value.day)  # noqa: DTZ001
    return value


def agrees_with_the_oracle(rows: list[Any], plan: Project, rng: random.Random) -> None:
    columns = unified_columns(plan, SCHEMAS)
    expected = naive.merge(columns, rows)
    with DuckDBEngine() as engine:
        load(engine, rows, rng)
        run(engine, plan)
        customers = {int(c["CustomerId"], 16): c for c in rows_of(engine, "SELECT * FROM Customer")}
        sources = {s["ordinal"]: s for s in rows_of(engine, "SELECT * FROM customer_sources")}
        lineage = rows_of(engine, "SELECT * FROM customer_lineage")
    assert customers.keys() == sources.keys() == expected.keys()
    said = set()
    for ordinal, values in expected.items():
        for column in columns.columns:
            value = values[column.name]
            got = as_stored(customers[ordinal][column.name], column.type)
            assert got == as_stored(value[0] if value else None, column.type), column
            assert sources[ordinal][column.name] == (value[1] if value else None), column
            if value:
                giver = next(r for r in rows if r.rid == value[1])
                said.add((customer_id(ordinal), column.name, giver.entity, giver.key))
    assert {(g["CustomerId"], g["column"], g["entity"], g["key"]) for g in lineage} == said
    assert len(lineage) == len(said)


QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(max_examples=50, deadline=None, suppress_health_check=QUIET)
@given(populations(), plans(), st.randoms(use_true_random=False))
def test_merge_is_the_oracles_merge(rows: list[Any], plan: Project, rng: random.Random) -> None:
    """Rows reach the tables in random order: the oracle's answer does not depend on it, so neither does ours."""
    agrees_with_the_oracle(rows, plan, rng)


@pytest.mark.soak
@settings(max_examples=2000, deadline=None, suppress_health_check=QUIET)
@given(populations(), plans(), st.randoms(use_true_random=False))
def test_merge_is_the_oracles_merge_for_long(rows: list[Any], plan: Project, rng: random.Random) -> None:
    agrees_with_the_oracle(rows, plan, rng)


def person(rid: int, entity: str, ordinal: int, winner: int | None = None, **values: Any) -> Any:
    key = rid if entity == "loyalty.Members" else f"{entity[0]}{rid}"
    cells = dict.fromkeys(SCHEMAS[entity]) | values | {KEYS[entity]: key}
    return naive.Row(rid, entity, str(key), rid if winner is None else winner, ordinal, cells)


def customer(rows: list[Any], plan: Project) -> dict[str, Any]:
    with DuckDBEngine() as engine:
        load(engine, rows)
        run(engine, plan)
        [found] = rows_of(engine, "SELECT * FROM Customer")
    return found


def test_an_alternate_never_fills() -> None:
    """The winner knows no name, its alternate does: the next entity's name is taken (reference section 3.4)."""
    rows = [
        person(0, "crm.Contacts", 0, winner=1, Name="Alternate"),
        person(1, "crm.Contacts", 0, City="Bonn"),
        person(2, "loyalty.Members", 0, name="Member"),
    ]
    assert customer(rows, project())["Name"] == "Member"


def test_prefer_assembles_the_winner() -> None:
    rows = [
        person(0, "crm.Contacts", 0, winner=1, Name="Newest", Phone="1", ChangedOn=dt.date(2022, 1, 1)),
        person(1, "crm.Contacts", 0, Name="Winner", Phone="2", ChangedOn=dt.date(2020, 1, 1)),
    ]
    plan = project(dedupe={"crm.Contacts": {"prefer": {"Name": "most recent by ChangedOn"}}})
    found = customer(rows, plan)
    assert (found["Name"], found["Phone"]) == ("Newest", "2")
    assert (found["crm_Contacts_ContactId"], found["crm_Contacts_ContactId_Alternate"]) == ("c1", "c0;c1")


def test_a_group_is_one_record_even_where_it_is_empty() -> None:
    rows = [
        person(0, "crm.Contacts", 0, City="Bonn", Street=""),
        person(1, "loyalty.Members", 0, City="Kiel", Street="Hafen 1"),
    ]
    assert customer(rows, project())["Street"] == "Hafen 1"
    found = customer(rows, project({"Address": {"group": ["Street", "City"]}}))
    assert (found["Street"], found["City"]) == (None, "Bonn")


def test_no_recency_loses_and_ties_go_to_importance() -> None:
    rows = [
        person(0, "crm.Contacts", 0, Name="Unknown"),
        person(1, "loyalty.Members", 0, name="Second", ChangedOn=dt.datetime(2020, 1, 1)),  # noqa: DTZ001
        person(2, "web.Users", 0, Name="Third", ChangedOn=dt.date(2020, 1, 1)),
    ]
    assert customer(rows, project({"Name": "most recent by ChangedOn"}))["Name"] == "Second"
    assert customer(rows, project({"Name": "least recent by ChangedOn"}))["Name"] == "Second"
    assert customer(rows, project())["Name"] == "Unknown"


def test_customer_lies_in_the_order_of_ordinals_and_clusters_join_it() -> None:
    rows = [person(i, "web.Users", 999 - i, Name=f"n{i}") for i in range(1000)]
    with DuckDBEngine() as engine:
        load(engine, rows, random.Random(3))
        ids = pa.table({"CustomerId": [customer_id(5)], "id": ["h1"]})
        engine.load("households", ids)
        run(engine, project(), [("HouseholdId", "households")])
        found = rows_of(engine, "SELECT CustomerId, HouseholdId FROM Customer ORDER BY rowid")
    assert [int(row["CustomerId"], 16) for row in found] == list(range(1000))
    assert [row["HouseholdId"] for row in found if row["HouseholdId"]] == ["h1"]
    assert found[5]["HouseholdId"] == "h1"


def test_a_cluster_cannot_take_a_columns_name() -> None:
    with pytest.raises(SpecError, match="Customer has a column city already"):
        merge_steps(project(), SCHEMAS, [("city", "households")])


def test_every_customer_is_there_also_one_without_values() -> None:
    rows = [person(0, "crm.Contacts", 0), person(1, "web.Users", 1, Name="")]
    with DuckDBEngine() as engine:
        load(engine, rows)
        run(engine, project())
        assert [row["Name"] for row in rows_of(engine, "SELECT * FROM Customer")] == [None, None]
        assert rows_of(engine, "SELECT * FROM customer_lineage") == []


def test_scratch_goes_when_it_is_used_up() -> None:
    with DuckDBEngine() as engine:
        load(engine, [person(0, "crm.Contacts", 0)])
        run(engine, project(dedupe={"crm.Contacts": {"prefer": {"Name": "most filled"}}}))
        left = rows_of(engine, "SELECT table_name FROM duckdb_tables() WHERE temporary")
    assert [row["table_name"] for row in left] == ["previous_ids"]


@pytest.mark.parametrize("by", ["most filled", "most recent by ChangedOn", "least recent by ChangedOn"])
def test_ties_inside_a_group_go_to_the_larger_key(by: str) -> None:
    same = dt.date(2020, 1, 1)
    rows = [person(i, "crm.Contacts", 0, winner=0, Name=f"n{i}", ChangedOn=same) for i in range(3)]
    assert customer(rows, project(dedupe={"crm.Contacts": {"prefer": {"Name": by}}}))["Name"] == "n2"


@pytest.mark.parametrize("by", ["most recent by Points", "least recent by Points"])
def test_a_row_without_recency_loses_inside_a_group(by: str) -> None:
    points = [None, 5.0, float("nan")]
    rows = [person(i, "loyalty.Members", 0, winner=0, Phone=f"p{i}", Points=p) for i, p in enumerate(points)]
    assert customer(rows, project(dedupe={"loyalty.Members": {"prefer": {"Phone": by}}}))["Phone"] == "p1"


@pytest.mark.parametrize("by", ["most recent by Points", "least recent by Points", "most filled"])
def test_ties_between_records_go_to_the_order(by: str) -> None:
    rows = [person(i, e, 0, Name=None, City=f"c{i}", Points=1) for i, e in enumerate(["crm.Contacts", "web.Users"])]
    assert customer(rows, project({"City": {"by": by}}))["City"] == "c0"
    assert customer(rows, project({"City": {"by": by, "order": ["web.Users"]}}))["City"] == "c1"
