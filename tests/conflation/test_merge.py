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
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unify.conflation.columns import unified_columns
from unify.conflation.merge import merge_steps
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
    return engine.fetch(Query(sql)).to_pylist()


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
            if mates and draw(st.booleans()):
                group = [r for r in rows if r.winner == draw(st.sampled_from(mates)).winner]
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
        group = {"Road": ["loyalty.Members.Street", "crm.Contacts.Street"], "City": [], "Tel": ["crm.Contacts.Phone", "crm.Contacts.Mobile"]}  # fmt: skip  # noqa: E501
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


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(populations(), plans(), st.randoms(use_true_random=False))
def test_merge_is_the_oracles_merge(rows: list[Any], plan: Project, rng: random.Random) -> None:
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
