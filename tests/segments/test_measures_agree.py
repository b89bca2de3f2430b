"""Measures against the same worked out row by row in Python, over random worlds; shuffled rows change no bit."""

import random
from datetime import date, datetime
from decimal import Decimal
from importlib.util import module_from_spec, spec_from_file_location
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segments.measures.run import make_measures
from segments.model import model_of
from unify.core.documents import project_of
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine

HERE = Path(__file__).parent
_spec = spec_from_file_location("oracle_measures", HERE.parent / "oracles" / "measures.py")
oracle = module_from_spec(_spec)
_spec.loader.exec_module(oracle)

moment = datetime.fromisoformat
CLOCK = moment("2024-06-15T12:00")
VALUES = st.sampled_from([None, "a", "A", "b", "c", "ä", ""])
LINKS = st.lists(st.tuples(VALUES, VALUES), max_size=5)
FACT = st.fixed_dictionaries({
    "ref": VALUES,
    "at": st.sampled_from([None, *(moment(f"2024-0{m}-28T23:30") for m in (4, 5, 6))]),
    "amount": st.one_of(st.none(), st.decimals(-1000, 1000, places=2)),
    "qty": st.one_of(st.none(), st.integers(-3, 3)),
    "weight": st.one_of(st.none(), st.floats(-1e6, 1e6), st.sampled_from([0.1, 0.2, 0.3, 1e300, -1e300])),
    "what": st.sampled_from([None, "x", "X", "y"]),
})  # fmt: skip
SCHEMA = pa.schema([
    ("Id", pa.string()), ("ref", pa.string()), ("at", pa.timestamp("us")), ("amount", pa.decimal128(9, 2)),
    ("qty", pa.int32()), ("weight", pa.float64()), ("what", pa.string()),
])  # fmt: skip
FUNCTIONS = [
    "rows",
    "count",
    "count_distinct",
    "sum",
    "avg",
    "median",
    "min",
    "max",
    "first",
    "last",
    "argmin",
    "argmax",
]
COLUMNS = ["amount", "qty", "weight", "what", "at"]
NUMBERS = ["amount", "qty", "weight"]
CONDITIONS = {
    None: lambda r: True,
    "amount gt 5": lambda r: r["amount"] is not None and r["amount"] > 5,
    "what eq 'x' or qty lt 0": lambda r: r["what"] == "x" or (r["qty"] is not None and r["qty"] < 0),
    "not (what eq null)": lambda r: r["what"] is not None,
}


@st.composite
def measures(draw):
    function = draw(st.sampled_from(FUNCTIONS))
    column = draw(st.sampled_from(NUMBERS if function in ("sum", "avg", "median") else COLUMNS))
    return {
        "function": function, "column": column, "by": draw(st.sampled_from(["amount", "at", "what", "qty"])),
        "where": draw(st.sampled_from(list(CONDITIONS))),
    }  # fmt: skip


@st.composite
def worlds(draw):
    """Facts, up to two tables between, profiles; ordinals of the profiles' members."""
    between = draw(st.integers(0, 2))
    tables = {
        "s.F": draw(st.lists(FACT, max_size=12)),
        **{f"s.E{n}": [{"own": a, "ref": b} for a, b in draw(LINKS)] for n in range(between)},
        "s.P": [{"own": a, "ref": b} for a, b in draw(LINKS)],
    }
    for name, rows in tables.items():
        for n, row in enumerate(rows):
            row["Id"] = f"{name}{n:02d}"
    ordinals = draw(st.lists(st.one_of(st.none(), st.integers(0, 3)), min_size=5, max_size=5))
    members = {r["Id"]: o for r, o in zip(tables["s.P"], ordinals, strict=False) if o is not None}
    return tables, members, draw(st.lists(measures(), min_size=1, max_size=5))


def said(measure, **more):
    """The measure as a project says it."""
    function, column = measure["function"], measure["column"]
    body = {"of": "s.F", **more}
    if measure["where"]:
        body["where"] = measure["where"]
    if function == "rows":
        return {"count": True, **body}
    if function in ("argmin", "argmax"):
        return {function: {"take": column, "by": measure["by"]}, **body}
    return {function: column, **body}


def expected(measure, rows):
    counted = [r for r in rows if CONDITIONS[measure["where"]](r)]
    column, by = measure["column"], measure["by"]
    return oracle.aggregate(measure["function"], counted, lambda r: r[column], by=lambda r: r[by])


def made(tables, members, declared, zone="UTC"):
    """Tables of the measures, by name, as lists of rows."""
    names = list(tables)
    project = project_of({
        "timezone": zone,
        "sources": {"s": {n.partition(".")[2]: {"key": "Id"} for n in names} | {
            "F": {"key": "Id", "type": "activity", "timestamp": "at"}}},
        "conflation": {"order": ["s.P"], "dedupe": {"s.P": [{"name": "r", "when": [{"field": "own"}]}]}},
        "relationships": {f"r{n}": f"{a}.ref -> {b}.own" for n, (a, b) in enumerate(pairwise(names))},
        "measures": declared,
    })  # fmt: skip
    ids = [f"{n:032x}" for n in range(4)]
    with DuckDBEngine(threads=1) as engine:
        for name, rows in tables.items():
            schema = SCHEMA if name == "s.F" else pa.schema([(c, pa.string()) for c in ("Id", "own", "ref")])
            engine.load(name.replace(".", "_"), pa.Table.from_pylist(rows, schema), keep=True)
        engine.load("members", pa.table({
            "entity": pa.array(["s.P"] * len(members)), "key": pa.array(list(members), pa.string()),
            "ordinal": pa.array(list(members.values()), pa.int32()),
            "CustomerId": pa.array([ids[o] for o in members.values()], pa.string()),
        }), keep=True)  # fmt: skip
        cities = ["Bern", "Basel", None, "Bern"]
        customers = {"CustomerId": ids, "City": pa.array(cities), "ordinal": pa.array(range(4), pa.int32())}
        engine.load("Customer", pa.table(customers), keep=True)
        found = make_measures(engine, project, model_of(engine, project), clock=CLOCK)
        kept = {"Customer_Measure", *(r.table for r in found.reports)}
        return {t: engine.fetch(Query(f'FROM "{t}"')).to_pylist() for t in kept if _there(engine, t)}, found.reports


def _there(engine, table):
    try:
        engine.columns(table)
    except KeyError:
        return False
    return True


def same(found, wanted):
    if isinstance(wanted, float) and isinstance(found, float):
        return found == wanted or abs(found - wanted) <= 1e-12 * max(abs(found), abs(wanted))
    return found == wanted and (wanted is None) == (found is None)


@settings(max_examples=25, deadline=None)
@given(worlds())
def test_attributes_are_what_a_walk_by_hand_gives(world):
    tables, members, wanted = world
    hops = [("ref", name, "own") for name in list(tables)[1:]]
    declared = {f"M{n}": said(m) for n, m in enumerate(wanted)}
    found, reports = made(tables, members, declared)
    whose = [(r, oracle.customers_of(r, hops, tables, members)) for r in tables["s.F"]]
    for customer in found["Customer_Measure"]:
        rows = [r for r, ordinals in whose if customer["ordinal"] in ordinals]
        for n, measure in enumerate(wanted):
            value = expected(measure, rows)
            assert same(customer[f"M{n}"], value), (measure, rows)
    assert [c["ordinal"] for c in found["Customer_Measure"]] == [0, 1, 2, 3]
    for n, report in enumerate(reports):
        column = [c[f"M{n}"] for c in found["Customer_Measure"]]
        assert (report.rows, report.nulls) == (4, column.count(None))


@settings(max_examples=12, deadline=None)
@given(worlds())
def test_tables_of_their_own_have_one_row_per_group_that_rows_have(world):
    tables, members, wanted = world
    hops = [("ref", name, "own") for name in list(tables)[1:]]
    by = {"What": "what", "Month": {"value": "at", "bucket": "month"}}
    declared = {f"C{n}": said(m, by=by) for n, m in enumerate(wanted)}
    declared |= {f"B{n}": said(m, kind="business", by=by) for n, m in enumerate(wanted)}
    declared |= {f"S{n}": said(m, kind="business") for n, m in enumerate(wanted)}
    declared |= {f"T{n}": said(m, kind="business", by="Customer/City") for n, m in enumerate(wanted)}
    found, _ = made(tables, members, declared, zone="Asia/Tokyo")  # where 23:30 in UTC is the next day, the 29th
    facts = tables["s.F"]
    whose = {r["Id"]: oracle.customers_of(r, hops, tables, members) for r in facts}
    cities = ["Bern", "Basel", None, "Bern"]
    for n, measure in enumerate(wanted):
        counted = [r for r in facts if CONDITIONS[measure["where"]](r)]
        assert [same(row[f"S{n}"], expected(measure, facts)) for row in found[f"Measure_S{n}"]] == [True]
        compare(
            found[f"Measure_B{n}"], f"B{n}", measure, ("What", "Month"), [((r["what"], month(r)), r) for r in counted]
        )
        compare(found[f"Measure_C{n}"], f"C{n}", measure, ("ordinal", "What", "Month"),
                [((o, r["what"], month(r)), r) for r in counted for o in whose[r["Id"]]])  # fmt: skip
        compare(found[f"Measure_T{n}"], f"T{n}", measure, ("City",),
                [((cities[min(whose[r["Id"]])] if whose[r["Id"]] else None,), r) for r in counted])  # fmt: skip


def month(row):
    return None if row["at"] is None else date(2024, row["at"].month, 1)


def compare(table, column, measure, dimensions, rows):
    groups = {}
    for key, row in rows:
        groups.setdefault(key, []).append(row)
    assert len(table) == len(groups)
    for found in table:
        assert same(found[column], expected(measure, groups[tuple(found[d] for d in dimensions)])), measure


@settings(max_examples=8, deadline=None)
@given(worlds(), st.randoms(use_true_random=False))
def test_shuffled_rows_change_no_bit(world, rng):
    tables, members, wanted = world
    declared = {f"M{n}": said(m) for n, m in enumerate(wanted)} | {
        f"C{n}": said(m, by="what") for n, m in enumerate(wanted)}  # fmt: skip
    one, _ = made(tables, members, declared)
    shuffled = {name: rng.sample(rows, len(rows)) for name, rows in tables.items()}
    two, _ = made(shuffled, dict(rng.sample(list(members.items()), len(members))), declared)
    assert one == two


@pytest.mark.soak
@settings(max_examples=1000, deadline=None)
@given(worlds())
def test_attributes_are_what_a_walk_by_hand_gives_at_length(world):
    test_attributes_are_what_a_walk_by_hand_gives.hypothesis.inner_test(world)


def test_a_value_that_leads_to_several_customers_counts_for_each_and_twice_for_none():
    """Two records of one customer and one of another share the mail that the order names."""
    tables = {
        "s.F": [fact("F1", "m", 10), fact("F2", "n", 5)],
        "s.P": [{"Id": f"P{n}", "own": "m", "ref": None} for n in range(3)],
    }
    found, _ = made(tables, {"P0": 1, "P1": 1, "P2": 2}, {
        "Spend": {"sum": "amount", "of": "s.F"},
        "All": {"sum": "amount", "of": "s.F", "kind": "business"},
        "ByCity": {"sum": "amount", "of": "s.F", "kind": "business", "by": "Customer/City"},
    })  # fmt: skip
    assert [r["Spend"] for r in found["Customer_Measure"]] == [None, Decimal(10), Decimal(10), None]
    assert found["Measure_All"] == [{"All": Decimal(15)}]
    assert found["Measure_ByCity"] == [{"City": "Basel", "ByCity": Decimal(10)}, {"City": None, "ByCity": Decimal(5)}]


def fact(key, ref, amount, at=None):
    return {"Id": key, "ref": ref, "at": at, "amount": Decimal(amount), "qty": 1, "weight": 0.5, "what": "x"}


def test_doubles_in_any_order_give_the_same_bits():
    """Aggregates of doubles in many orders, through the whole stage."""
    rng = random.Random(3)
    weights = [rng.uniform(-1, 1) * 10 ** rng.randint(-9, 9) for _ in range(300)]
    seen = set()
    for _ in range(5):
        rng.shuffle(weights)
        facts = [fact(f"F{n:03d}", "m", 1) | {"weight": w} for n, w in enumerate(weights)]
        tables = {"s.F": facts, "s.P": [{"Id": "P0", "own": "m", "ref": None}]}
        found, _ = made(tables, {"P0": 0}, {
            "S": {"sum": "weight", "of": "s.F"}, "A": {"avg": "weight", "of": "s.F"},
            "M": {"median": "weight", "of": "s.F"}})  # fmt: skip
        row = found["Customer_Measure"][0]
        seen.add((row["S"], row["A"], row["M"]))
    assert len(seen) == 1
