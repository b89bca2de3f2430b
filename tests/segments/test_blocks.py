"""Blocks against brute force, by hypothesis: ties, equal times, nulls, empty tables, many chains."""

from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise, product
from math import ceil

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segments.activities import COLUMNS
from segments.blocks.condition import Condition
from segments.blocks.edge import EdgeEvent
from segments.blocks.hierarchy import Relatives
from segments.blocks.listed import SHOWN_ITEMS, Listed, ListedInFile, listing
from segments.blocks.sequence import Sequence
from segments.blocks.top import Top
from segments.criteria.here import block_key
from segments.lowered import Scope
from segments.model import model_of
from segments.predicates import tree as p
from unify.core.steps import Query, Step
from unify.engines.duckdb import DuckDBEngine
from unify.spec import Project
from unify.spec.windows import Span

CLOCK = datetime(2025, 12, 1)  # noqa: DTZ001 - naive UTC, as the tree holds moments
PROJECT = Project.model_validate({"sources": {"crm": {"Contacts": {"files": "c.csv", "key": "ContactId"},
                                                      "Units": {"files": "u.csv", "key": "Key"}}},
                                  "conflation": {"order": ["crm.Contacts"]}})  # fmt: skip
DAY = timedelta(1)


@pytest.fixture(scope="module")
def engine():
    with DuckDBEngine(threads=1) as found:
        yield found


def scope(engine, customers=(), events=(), units=()):
    """Customers (id, value), events (customer, time, kind, id), units (key, parent); numbered by their place."""
    engine.load("Customer", pa.table({
        "CustomerId": pa.array([c for c, _ in customers], pa.string()),
        "Spend": pa.array([v for _, v in customers], pa.decimal128(10, 2)),
        "Score": pa.array([None if v is None else float(v) for _, v in customers], pa.float64()),
        "ordinal": pa.array(range(len(customers)), pa.int32()),
    }), keep=True)  # fmt: skip
    values = {
        "ordinal": [c for c, *_ in events], "ActivityTime": [t for _, t, *_ in events],
        "ActivityType": [k for _, _, k, _ in events], "ActivityId": [i for *_, i in events],
    }  # fmt: skip
    kinds = {"VARCHAR": pa.string(), "INTEGER": pa.int32(), "TIMESTAMP": pa.timestamp("us"), "BIGINT": pa.int64()}
    columns = {n: pa.array(values.get(n, [None] * len(events)), kinds[k]) for n, k in COLUMNS.items()}
    engine.load("UnifiedActivity", pa.table(columns), keep=True)
    engine.load("crm_Units", pa.table({"Key": pa.array([k for k, _ in units], pa.string()),
                                       "Parent": pa.array([q for _, q in units], pa.string())}), keep=True)  # fmt: skip
    return Scope(engine, model_of(engine, PROJECT), CLOCK)


# ── top ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

VALUES = st.none() | st.integers(0, 3).map(lambda n: Decimal(n) / 2)


@settings(max_examples=25, deadline=None)
@given(
    values=st.lists(VALUES, max_size=12), order=st.randoms(use_true_random=False), lowest=st.booleans(),
    ties=st.sampled_from(["by_id", "include", "drop"]), count=st.none() | st.integers(1, 6),
    percent=st.sampled_from([Decimal("0.01"), Decimal(5), Decimal("33.3"), Decimal(50), Decimal(100)]),
    column=st.sampled_from(["Spend", "Score"]),
)  # fmt: skip
def test_top(engine, values, order, lowest, ties, count, percent, column):
    ids = [f"{n:02d}" for n in range(len(values))]
    order.shuffle(ids)
    here = scope(engine, list(zip(ids, values, strict=True)))
    found = Top(p.Field(column), count, None if count else percent, lowest, ties).members(here)
    ranked = sorted(
        (v if lowest else -v, i, n) for n, (i, v) in enumerate(zip(ids, values, strict=True)) if v is not None
    )
    size = count or ceil(len(ranked) * Fraction(percent) / 100)
    if size >= len(ranked) or ties == "by_id" or not ranked:
        expected = {n for *_, n in ranked[:size]}
    else:
        last, beyond = ranked[size - 1][0], ranked[size][0]
        whole = {n for v, _, n in ranked if v <= last}
        kept = {n for v, _, n in ranked if v < last}
        expected = {n for *_, n in ranked[:size]} if last != beyond else whole if ties == "include" else kept
    assert set(found) == expected


def test_nan_is_no_place_in_a_top(engine):
    here = scope(engine, [("a", Decimal(1)), ("b", Decimal(2)), ("c", None)])
    engine.build(Step("Customer", Query('SELECT * REPLACE (CASE WHEN ordinal = 1 THEN \'nan\'::DOUBLE ELSE "Score" END '
                                        'AS "Score") FROM "Customer"'), "one is not a number", keep=True))  # fmt: skip
    assert set(Top(p.Field("Score"), 2, None).members(here)) == {0}


def test_top_among_the_members_of_another_block(engine):
    here = scope(engine, [("a", Decimal(3)), ("b", Decimal(2)), ("c", Decimal(1))])
    last_two = Top(p.Field("Spend"), 2, None, lowest=True)
    among = Condition(p.MemberOf("#last"), (("#last", last_two),))
    assert set(Top(p.Field("Spend"), 1, None, among=among).members(here)) == {1}
    nobody = Condition(p.FALSE)
    assert set(Top(p.Field("Spend"), 1, None, among=nobody).members(here)) == set()


# ── sequences and edges ──────────────────────────────────────────────────────────────────────────────────────────────

TIMES = st.none() | st.integers(0, 9).map(lambda n: CLOCK - n * DAY)
EVENTS = st.lists(st.tuples(st.integers(0, 2), TIMES, st.sampled_from("ABC")), max_size=14)


def numbered(events, order):
    ids = [f"{n:02d}" for n in range(len(events))]
    order.shuffle(ids)
    return [(*event, i) for event, i in zip(events, ids, strict=True)]


def kind(letter):
    return p.TRUE if letter == "*" else p.Compare("eq", p.Field("ActivityType"), p.literal(letter))


@settings(max_examples=40, deadline=None)
@given(
    events=EVENTS, order=st.randoms(use_true_random=False), steps=st.lists(st.sampled_from("ABC*"), min_size=2, max_size=4),
    gap=st.none() | st.integers(1, 4), span=st.none() | st.integers(1, 6), since=st.none() | st.integers(1, 9),
)  # fmt: skip
def test_sequences_are_exact(engine, events, order, steps, gap, span, since):
    here = scope(engine, [(str(n), None) for n in range(3)], numbered(events, order))
    start = None if since is None else CLOCK - since * DAY
    window = p.TRUE if start is None else p.Compare("ge", p.Field("ActivityTime"), p.literal(start))
    block = Sequence(tuple(kind(s) for s in steps), window, *(n and Span(n, "day") for n in (gap, span)))

    def fits(times):
        pairs = list(pairwise(times))
        return (
            all(a < b and (gap is None or b - a <= gap * DAY) for a, b in pairs)
            and (span is None or times[-1] - times[0] <= span * DAY)
            and (start is None or times[0] >= start)
        )

    expected = set()
    for customer in range(3):
        own = [(t, k) for c, t, k in events if c == customer and t is not None]
        picks = [sorted({t for t, k in own if s in ("*", k)}) for s in steps]
        if any(fits(times) for times in product(*picks)):
            expected.add(customer)
    assert set(block.members(here)) == expected


def test_a_gap_of_a_month_goes_by_the_calendar(engine):
    """From 31 January one month reaches 28 February, not 3 March."""
    events = [(0, datetime(2025, 1, 31), "A", "1"), (0, datetime(2025, 2, 28), "B", "2"),  # noqa: DTZ001
              (1, datetime(2025, 1, 31), "A", "3"), (1, datetime(2025, 3, 1), "B", "4")]  # noqa: DTZ001  # fmt: skip
    here = scope(engine, [("a", None), ("b", None)], events)
    assert set(Sequence((kind("A"), kind("B")), max_gap=Span(1, "month")).members(here)) == {0}


@settings(max_examples=25, deadline=None)
@given(events=EVENTS, order=st.randoms(use_true_random=False), wanted=st.sampled_from("ABC"), last=st.booleans(),
       among=st.sampled_from("A*"))  # fmt: skip
def test_first_and_last_events(engine, events, order, wanted, last, among):
    rows = numbered(events, order)
    here = scope(engine, [(str(n), None) for n in range(3)], rows)
    expected = set()
    for customer in range(3):
        own = [(t, i, k) for c, t, k, i in rows if c == customer and t is not None and among in ("*", k)]
        if own and (max(own) if last else min(own))[2] == wanted:
            expected.add(customer)
    assert set(EdgeEvent(kind(among), kind(wanted), last).members(here)) == expected


# ── lists and hierarchies ────────────────────────────────────────────────────────────────────────────────────────────


def listed(engine):
    here = scope(engine, [("0" * 32, None), ("1" * 32, None)])
    engine.load("customer_ids", pa.table({
        "CustomerId": ["0" * 32, "1" * 32, "a" * 32, "b" * 32], "ordinal": pa.array([0, 1, 7, 8], pa.int32()),
        "retired_run": pa.array([None, None, 2, 3], pa.int64()), "successor": pa.array([None, None, "1" * 32, None]),
    }), keep=True)  # fmt: skip
    engine.load("members", pa.table({"entity": ["crm.Contacts"] * 2, "key": ["C-1", "x:y"], "CustomerId": ["0" * 32] * 2,
                                     "ordinal": pa.array([0, 0], pa.int32())}), keep=True)  # fmt: skip
    items = ["crm.Contacts:C-1", "crm.Contacts:x:y", "A" * 32, "b" * 32, "crm.Contacts:C-9", "nobody", ""]
    engine.load(
        "listed_customers", pa.table({"segment": ["vip"] * 7 + ["other"], "item": [*items, "1" * 32]}), keep=True
    )
    return here, items


def test_retired_ids_resolve_and_unknown_entries_are_told(engine):
    here, items = listed(engine)
    for block in (Listed((*items, "nobody")), ListedInFile("vip")):
        assert set(block.members(here)) == {0, 1}
        assert block.unknown(here) == ("", "b" * 32, "crm.Contacts:C-9", "nobody")
    assert set(ListedInFile("other").members(here)) == {1}
    assert ListedInFile("nothing").unknown(here) == ()


def test_long_lists_of_unknown_entries_are_cut():
    assert listing(("a", "b")) == "a, b"
    assert listing(tuple(f"{n:02d}" for n in range(SHOWN_ITEMS + 3))).endswith("19 and 3 more")


@settings(max_examples=25, deadline=None)
@given(
    parents=st.lists(st.none() | st.integers(0, 6), min_size=1, max_size=7), root=st.integers(0, 7), above=st.booleans()
)
def test_hierarchies_with_circles(engine, parents, root, above):
    """Customers are called as the units are; reachable units, the root aside, by following pairs until nothing is new."""
    units = [(f"u{n}", None if q is None else f"u{q}") for n, q in enumerate(parents)]
    here = scope(engine, [(f"u{n}", None) for n in range(7)], units=units)
    pairs = {(k, q) if above else (q, k) for k, q in units if q is not None}
    found, new = set(), {f"u{root}"}
    while new:
        new = {b for a, b in pairs if a in new} - found
        found |= new
    block = Relatives("crm_Units", "Key", "Parent", f"u{root}", above, p.Field("CustomerId"))
    assert {f"u{n}" for n in block.members(here)} == {u for u in found if int(u[1:]) < 7} - {f"u{root}"}


# ── conditions and keys ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_condition_collapses_what_is_unknown(engine):
    here = scope(engine, [("a", Decimal(1)), ("b", None)])
    small = p.Compare("lt", p.Field("Spend"), p.literal(2))
    assert set(Condition(small).members(here)) == {0}
    assert set(Condition(p.Not(small)).members(here)) == set()
    assert set(Condition(p.Not(p.Call("is_true", (small,)))).members(here)) == {1}


def test_equal_blocks_have_one_key_and_others_another():
    a, b = (Top(p.Field("Spend"), 3, None, ties=ties) for ties in ("by_id", "drop"))
    assert block_key(a, "top") == block_key(Top(p.Field("Spend"), 3, None), "top")
    assert block_key(a, "top") != block_key(b, "top")
    assert len({a, b, Top(p.Field("Spend"), 3, None)}) == 2


def test_blocks_say_what_they_are():
    gold = Condition(p.And((p.MemberOf("gold"), p.MemberOf("#best"))), (("#best", Top(p.Field("Spend"), 3, None)),))
    top = Top(p.Field("Spend"), None, Decimal(5), lowest=True, ties="include", among=gold)
    assert top.segments == {"gold"}
    assert "among the lowest 5 % by Spend" in top.sentence
    assert "among the top 3 by Spend" in top.sentence
    sequence = Sequence((kind("A"), kind("B")), kind("C"), Span(1, "day"), Span(2, "week"))
    assert "at most 1 day from one to the next, at most 2 weeks in all" in sequence.sentence
    assert EdgeEvent(kind("A"), p.MemberOf("vip"), last=True).segments == {"vip"}
    assert Listed(("a", "b")).sentence == "one of 2 listed customers"
    assert "is above" in Relatives("crm_Units", "Key", "Parent", "u1", True, p.Field("CustomerId")).sentence
