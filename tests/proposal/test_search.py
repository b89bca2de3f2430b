"""Rules are what a naive count over all pairs says, and none that is better was missed."""

from itertools import combinations, product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from unify.conflation.evidence.model import Model, Patterns
from unify.conflation.evidence.values import NONE, Compared
from unify.proposal import search as search_module
from unify.proposal.attributes import Attribute
from unify.proposal.search import ADDS, CONDITIONS, RULES, Condition, Search, informative
from unify.proposal.study import NOTHING, Studied
from unify.spec import NormalizeStep

TEXT = (NormalizeStep(kind="lower"),)
CUTS = (0.5, 0.8)
"""Levels: 0 less alike, 1 from 50 %, 2 from 80 % on: alike, 3 equal."""


def studied_of(levels, certainty, *, records=1_000, dates=(), distinct=1_000):
    """Pairs at these levels (pairs × attributes), with a probability each; attributes in `dates` are no texts.

    distinct   values of every attribute among the records, evenly spread, those of two attributes independent
    """
    levels, certainty = np.asarray(levels, dtype=np.int8), np.asarray(certainty, dtype=np.float64)
    found, place, counts = np.unique(levels, axis=0, return_inverse=True, return_counts=True)
    n = levels.shape[1]
    empty = np.empty(0, dtype=object)
    codes = np.zeros((records, 1), dtype=np.int32)
    values = [Compared(f"f{k}", empty, codes, np.empty(0, np.int64), records, CUTS, True, True) for k in range(n)]
    u = tuple(np.array([0.9, 0.06, 0.03, 0.01]) for _ in range(n))
    m = tuple(np.array([0.05, 0.05, 0.1, 0.8]) for _ in range(n))
    attributes = tuple(Attribute(f"f{k}", None, {"a.A": (f"f{k}",)}, () if k in dates else TEXT) for k in range(n))
    pairs = np.arange(len(levels), dtype=np.int64)
    dice = np.random.default_rng(3)
    drawn = tuple((dice.permutation(records) % distinct).astype(np.int32) for _ in range(n))
    return Studied(
        attributes, values, Model(m, u, -5.0), pairs, pairs + 1, Patterns(found, counts.astype(np.int64)),
        place.reshape(-1).astype(np.int64), certainty, np.full(len(levels), NOTHING), np.zeros(records, np.int64), (records,),
        drawn, records, records, 1,
    )  # fmt: skip


def holds(condition, level):
    """Whether a condition holds for a pair, by the words of its docstring."""
    least = 3 if condition.equal else 2
    there = level[condition.attribute] != NONE
    if condition.differs:
        return not (there and level[condition.attribute] < least)
    return there and level[condition.attribute] >= least


def counted(conditions, levels, certainty, without=()):
    """Pairs that a conjunction links and no rule of `without` does, and how many of them are one customer."""
    mine = [
        c
        for level, c in zip(levels, certainty, strict=True)
        if all(holds(x, level) for x in conditions) and not any(all(holds(x, level) for x in w) for w in without)
    ]
    return len(mine), sum(mine)


@st.composite
def pairs(draw):
    seed, n, attributes = draw(st.integers(0, 10_000)), draw(st.integers(30, 150)), draw(st.integers(2, 4))
    dice = np.random.default_rng(seed)
    match = dice.random(n) < draw(st.floats(0.1, 0.9))
    same, other = [0.05, 0.05, 0.1, 0.2, 0.6], [0.1, 0.5, 0.15, 0.1, 0.15]
    levels = np.stack([np.where(match, dice.choice([-1, 0, 1, 2, 3], n, p=same), dice.choice([-1, 0, 1, 2, 3], n, p=other)) for _ in range(attributes)], axis=1)  # fmt: skip
    certainty = np.where(match, draw(st.sampled_from([0.99, 1.0])), draw(st.sampled_from([0.0, 0.02])))
    return levels, certainty


@settings(max_examples=40, deadline=None)
@given(pairs(), st.sampled_from([0.9, 0.97]))
def test_rules_are_as_a_naive_count_over_all_pairs_has_them(case, floor):
    levels, certainty = case
    n = levels.shape[1]
    search = Search(studied_of(levels, certainty), floor, range(n))
    rules, total = search.rules(), certainty.sum()
    assert len(rules) <= RULES
    assert [round(r.precision, 4) for r in rules] == sorted((round(r.precision, 4) for r in rules), reverse=True)
    for i, rule in enumerate(rules):
        linked, right = counted(rule.conditions, levels, certainty)
        _, new = counted(rule.conditions, levels, certainty, [r.conditions for r in rules[:i]])
        assert np.allclose(
            [rule.precision, rule.finds, rule.adds, rule.pairs], [right / linked, right / total, new / total, linked]
        )
        assert rule.precision >= floor - 1e-9
        asked = [c for c in rule.conditions if not c.differs]
        assert any(c.equal for c in asked), "nothing equal: every pair of records would be looked at"
        assert len(asked) <= CONDITIONS
        assert len({c.attribute for c in rule.conditions}) == len(rule.conditions)
    # no conjunction is left that finds as much more, as surely: those of which no part would do already
    kinds = [[Condition(k, equal=True), Condition(k, equal=False)] for k in range(n)]
    every = [
        c
        for size in range(1, CONDITIONS + 1)
        for some in combinations(range(n), min(size, n))
        for c in product(*(kinds[k] for k in some))
    ]

    def sure(conditions):
        linked, right = counted(conditions, levels, certainty)
        return any(c.equal for c in conditions) and right > ADDS * total and right >= floor * linked

    least = [
        c
        for c in dict.fromkeys(every)
        if sure(c) and not any(sure(p) for r in range(1, len(c)) for p in combinations(c, r))
    ]
    if len(rules) < RULES:
        taken = [r.conditions for r in rules]
        for conditions in least:
            linked, right = counted(conditions, levels, certainty, taken)
            assert not (right > ADDS * total + 1e-9 and right > floor * linked + 1e-9), conditions
    if least:
        best = max(counted(c, levels, certainty)[1] for c in least)
        found = max(counted(r.conditions, levels, certainty)[1] for r in rules)
        assert found >= search_module.NEARLY * best - 1e-9


def test_an_exception_makes_precise_what_is_not():
    """Households share the first column; who has another value in the second is another person."""
    levels = [*[[3, 3]] * 60, *[[3, -1]] * 40, *[[3, 0]] * 50, *[[0, 0]] * 500]
    certainty = [1.0] * 100 + [0.0] * 550
    [rule] = Search(studied_of(levels, certainty), 0.99, [0, 1]).rules()
    assert rule.conditions[0] == Condition(0, equal=True)
    assert rule.conditions[1].differs
    assert rule.conditions[1].attribute == 1
    assert (rule.precision, rule.finds) == (1.0, 1.0), "records without a value do not differ"


def test_dates_and_numbers_are_never_alike():
    levels, certainty = [*[[2, 3]] * 50, *[[0, 3]] * 50], [1.0] * 50 + [0.0] * 50
    assert [c for r in Search(studied_of(levels, certainty), 0.9, [0, 1]).rules() for c in r.conditions if not c.equal]
    dates = studied_of(levels, certainty, dates=(0, 1))
    assert [r for r in Search(dates, 0.9, [0, 1]).rules() if any(not c.equal for c in r.conditions)] == []


def test_what_is_not_usable_is_not_asked_for():
    levels, certainty = [[3, 3]] * 50 + [[0, 0]] * 50, [1.0] * 50 + [0.0] * 50
    rules = Search(studied_of(levels, certainty), 0.9, [1]).rules()
    assert {c.attribute for r in rules for c in r.conditions} == {1}


def test_what_would_bring_too_many_together_needs_another_condition():
    """Of 20,000 records 1,000 share each value, 500 pairs a record; two such values 50 records, 25 pairs a record."""
    levels, certainty = [[3, 3]] * 50 + [[0, 0]] * 50, [1.0] * 50 + [0.0] * 50
    [rare] = Search(studied_of(levels, certainty, records=20_000, distinct=5_000), 0.9, [0, 1]).rules()
    [often] = Search(studied_of(levels, certainty, records=20_000, distinct=20), 0.9, [0, 1]).rules()
    assert len([c for c in rare.conditions if c.equal]) == 1
    assert [c.equal for c in often.conditions] == [True, True]


def test_without_matches_there_are_no_rules():
    assert Search(studied_of([[3, 3]] * 10, [0.0] * 10), 0.9, [0, 1]).rules() == []


def test_what_a_comparison_says_is_its_relative_entropy_in_bits():
    found = informative(studied_of([[3, 3]], [1.0]))
    m, u = (0.05, 0.05, 0.1, 0.8), (0.9, 0.06, 0.03, 0.01)
    said = sum(a * np.log2(a / b) for a, b in zip(m, u, strict=True))
    assert np.allclose(found, [said, said])
