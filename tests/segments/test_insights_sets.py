"""Overlap and drift: against Python sets."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroaring import BitMap

from segments.insights.drift import CAUSES, Identity, drift, heirs
from segments.insights.overlap import overlap, overlap_by
from segments.membership.identity import MERGED, RETIRED, SPLIT, Changes
from segments.model import Model
from segments.predicates.fields import Catalog, Table
from unify.core.errors import QueryError
from unify.engines.duckdb import DuckDBEngine

ordinals = st.sets(st.integers(0, 30))
EVERYBODY = 40


def bitmaps(sets):
    return {f"s{i}": BitMap(members) for i, members in enumerate(sets)}


@given(st.lists(ordinals, min_size=2, max_size=5))
def test_pairs_are_those_of_sets(sets):
    found = overlap(bitmaps(sets), EVERYBODY)
    for i, a in enumerate(sets):
        assert found.matrix[i] == [len(a & b) for b in sets]
    for pair in found.pairs:
        a, b = sets[int(pair.a[1:])], sets[int(pair.b[1:])]
        assert pair.both == len(a & b)
        assert pair.share_of_a == (len(a & b) / len(a) if a else None)
        assert pair.share_of_b == (len(a & b) / len(b) if b else None)
        assert pair.jaccard == (len(a & b) / len(a | b) if a | b else None)
        expected = len(a) * len(b) / EVERYBODY
        assert pair.lift == (pytest.approx(len(a & b) / expected) if expected else None)
    assert found.in_none == EVERYBODY - len(set().union(*sets))


@given(st.lists(ordinals, min_size=2, max_size=5), st.integers(1, 40))
def test_exclusive_intersections_are_disjoint_and_whole(sets, most):
    found = overlap(bitmaps(sets), EVERYBODY, exclusive=most)
    expected = {}
    for customer in set().union(*sets):
        inside = tuple(f"s{i}" for i, members in enumerate(sets) if customer in members)
        expected[inside] = expected.get(inside, 0) + 1
    listed = {tuple(x.segments): x.customers for x in found.exclusive}
    assert listed.items() <= expected.items()
    assert len(listed) == min(most, len(expected))
    assert found.left_out == len(expected) - len(listed)
    assert found.left_out_customers == sum(expected.values()) - sum(listed.values())
    sizes = [x.customers for x in found.exclusive]
    assert sizes == sorted(expected.values(), reverse=True)[:most]


def test_more_than_64_segments():
    """A customer's segments no longer fit into one machine word."""
    sets = [{i, i + 1, 7} for i in range(150)]
    found = overlap(bitmaps(sets), 1000, exclusive=1000)
    assert [x.customers for x in found.exclusive if len(x.segments) == 150] == [1]
    assert sum(x.customers for x in found.exclusive) == 151


def test_what_cannot_overlap():
    with pytest.raises(QueryError, match="two or more"):
        overlap({"a": BitMap([1])}, 10)
    with pytest.raises(QueryError, match="not there"):
        overlap({"a": BitMap([1]), "b": BitMap([2])}, BitMap([1]))
    with pytest.raises(QueryError, match="cannot be listed"):
        overlap({"a": BitMap([1]), "b": BitMap([2])}, 5, exclusive=-1)


def test_by_value_against_sql():
    rng = random.Random(3)
    model = Model(
        Catalog.of([Table.of_columns("Customer", {"ordinal": "INTEGER", "City": "VARCHAR"}, id="ordinal")]), None
    )
    with DuckDBEngine(threads=1) as engine:
        towns = {i: rng.choice(["Bern", "Ulm", "Köln", "Rom", None]) for i in range(200)}
        engine.connection.execute("CREATE TABLE Customer (ordinal INTEGER, City VARCHAR)")
        engine.connection.executemany("INSERT INTO Customer VALUES (?, ?)", list(towns.items()))
        sets = {
            name: {i for i in towns if rng.random() < share} for name, share in (("a", 0.5), ("b", 0.4), ("c", 0.1))
        }
        found = overlap_by(engine, model, {n: BitMap(s) for n, s in sets.items()}, "City", most=3)
        for row in [*found.rows, found.rest]:
            listed = {r.value for r in found.rows}
            here = {i for i, t in towns.items() if (t == row.value if row is not found.rest else t not in listed)}
            times = {i: sum(i in s for s in sets.values()) for i in here}
            assert row.several == sum(n > 1 for n in times.values())
            assert row.none == sum(n == 0 for n in times.values())
            assert row.only == {name: sum(i in s and times[i] == 1 for i in here) for name, s in sets.items()}
        assert found.rest_values == 2
        with pytest.raises(QueryError, match="no attribute 'Town'"):
            overlap_by(engine, model, {n: BitMap(s) for n, s in sets.items()}, "Town")


# ── drift ────────────────────────────────────────────────────────────────────────────────────────────────────────────

merges = st.dictionaries(st.integers(0, 15), st.integers(16, 30), max_size=4)
splits = st.dictionaries(st.integers(31, 36), st.integers(0, 30), max_size=3)


@given(ordinals, ordinals, ordinals, ordinals, merges, splits)
def test_every_customer_has_one_cause_and_sums_match(before, timed, renewed, after, merged, split):
    found = drift(
        BitMap(before), BitMap(after), old_rule_old_data_new_clock=BitMap(timed),
        old_rule_new_data_new_clock=lambda: BitMap(renewed), identity=Identity(merged, split),
    )  # fmt: skip
    report = found.report
    assert report.before + report.entered - report.left == report.after
    assert sum(c.entered for c in report.causes) == report.entered == len(after - before)
    assert sum(c.left for c in report.causes) == report.left == len(before - after)
    assert set().union(*found.entered.values()) == after - before
    assert set().union(*found.left.values()) == before - after
    carried = {merged.get(o, o) for o in timed} | {new for new, old in split.items() if old in timed}
    states = [before, timed, carried, renewed, after]
    for customer in before ^ after:
        steps = [i for i in range(4) if (customer in states[i]) != (customer in states[i + 1])]
        [cause] = [c for c in CAUSES if customer in found.entered[c] or customer in found.left[c]]
        assert cause == CAUSES[steps[-1]]


def test_each_cause_alone():
    one = BitMap([1, 2, 3])
    clock = drift(one, BitMap([1]), old_rule_old_data_new_clock=BitMap([1]), old_rule_new_data_new_clock=BitMap([1]))
    data = drift(one, BitMap([1, 4]))
    rule = drift(one, BitMap([1]), old_rule_new_data_new_clock=one)
    identity = drift(one, BitMap([1, 2, 9]), identity=Identity({3: 9}, {}))
    assert [(c.cause, c.entered, c.left) for c in clock.report.causes if c.entered or c.left] == [("clock moved", 0, 2)]
    assert [(c.cause, c.entered, c.left) for c in data.report.causes if c.entered or c.left] == [("data changed", 1, 2)]
    assert [(c.cause, c.entered, c.left) for c in rule.report.causes if c.entered or c.left] == [("rule changed", 0, 2)]
    assert [(c.cause, c.entered, c.left) for c in identity.report.causes if c.entered or c.left] == [
        ("identity changed", 1, 1)
    ]


def test_nothing_is_evaluated_when_nothing_moved():
    def never():
        raise AssertionError

    same = drift(BitMap([1]), BitMap([1]), old_rule_old_data_new_clock=never, old_rule_new_data_new_clock=never)
    assert same.report.stayed == 1


def test_a_chain_of_merges_ends_somewhere():
    assert Identity({1: 2, 2: 3}, {})(BitMap([1])) == BitMap([3])
    with pytest.raises(QueryError, match="merged into itself"):
        Identity({1: 2, 2: 1}, {})(BitMap([1]))


def test_heirs_by_the_change_feed():
    """3 was merged into 1, 4 lost its records, 9 was split from 2, then 9 was merged into 5."""
    steps = [Changes.of([(3, 1, MERGED), (4, 0, RETIRED), (2, 9, SPLIT)]), Changes.of([(9, 5, MERGED)])]
    assert heirs(steps)(BitMap([2, 3, 4, 7])) == BitMap([1, 2, 4, 5, 7])
    found = drift(BitMap([3, 4]), BitMap([1]), identity=heirs(steps))
    assert [(c.cause, c.entered, c.left) for c in found.report.causes if c.entered or c.left] == [
        ("identity changed", 1, 1),
        ("data changed", 0, 1),
    ]
