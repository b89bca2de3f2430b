"""Groups by average linkage, against the definition; candidates, against all pairs."""

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unify.conflation.evidence import candidates as making
from unify.conflation.evidence.candidates import candidates, keys
from unify.conflation.evidence.levels import CUTS
from unify.conflation.evidence.linkage import CAP, LARGEST, Linked, group
from unify.conflation.evidence.run import links_of
from unify.conflation.evidence.values import compared


def naive(weight, at_least):
    """Average linkage by its definition: join the two groups with the highest average, while it reaches the threshold."""
    groups = [[i] for i in range(len(weight))]
    while len(groups) > 1:
        best, x, y = max(
            (np.mean([weight[i][j] for i in a for j in b]), x, y)
            for (x, a), (y, b) in itertools.combinations(enumerate(groups), 2)
        )
        if best < at_least:
            break
        groups[x] += groups.pop(y)
    return {frozenset(g) for g in groups}


def grouped(weight, at_least):
    records = len(weight)
    left, right = np.triu_indices(records, 1)
    return group(records, left, right, weight[left, right], at_least, lambda a, b: weight[a, b])


def partition(labels):
    return {frozenset(np.flatnonzero(labels == x).tolist()) for x in np.unique(labels)}


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), records=st.integers(2, 9), at_least=st.floats(-3, 3))
def test_groups_are_those_of_the_definition(seed, records, at_least):
    weight = np.random.default_rng(seed).normal(1, 6, (records, records))
    weight = np.clip(weight + weight.T, -CAP, CAP)
    found = grouped(weight, at_least)
    positive = {(i, j) for i, j in itertools.combinations(range(records), 2) if weight[i, j] > 0}
    expected = set()
    for component in _components(records, positive):
        members = sorted(component)
        expected |= {frozenset(members[i] for i in g) for g in naive(weight[np.ix_(members, members)], at_least)}
    if not any(abs(abs(weight[i, j]) - CAP) < 1e-9 for i, j in itertools.combinations(range(records), 2)):  # no ties
        assert partition(found.labels) == expected
    assert (found.labels[found.left] == found.labels[found.right]).all()


def _components(records, pairs):
    owner = list(range(records))
    for i, j in pairs:
        a, b = owner[i], owner[j]
        owner = [a if o == b else o for o in owner]
    return [{i for i in range(records) if owner[i] == o} for o in set(owner)]


def test_one_coincidence_between_two_families_joins_nobody():
    weight = np.full((6, 6), -6.0)
    weight[:3, :3] = weight[3:, 3:] = 8
    weight[2, 3] = weight[3, 2] = 5
    assert partition(grouped(weight, 0.0).labels) == {frozenset({0, 1, 2}), frozenset({3, 4, 5})}


def test_a_chain_as_long_as_you_like_falls_apart_without_all_its_pairs():
    records = LARGEST + 200
    left, right = np.arange(records - 1), np.arange(1, records)
    asked = []

    def weigh(a, b):
        asked.append(len(a))
        return np.where(b - a == 1, 3.0, -12.0)

    weight = np.where(left % 50 == 49, 1.0, 3.0)
    found = group(records, left, right, weight, 0.0, weigh)
    assert sum(asked) <= 50 * 49 // 2 * (records // 50 + 1)
    assert np.bincount(found.labels).max() <= 2


def test_links_hold_a_group_together_and_nothing_else():
    left, right = np.array([0, 0, 1, 2]), np.array([1, 2, 2, 3])
    linked = Linked(np.zeros(4, dtype=np.int64), left, right, np.array([5.0, -2.0, -1.0, -CAP]))
    a, b, w = links_of(linked, None, 0.0)
    assert sorted(zip(a.tolist(), b.tolist(), w.tolist(), strict=True)) == [(0, 1, 5.0), (1, 2, -1.0)]
    lower = np.array([False, True, True, True])
    a, b, _ = links_of(linked, lower, 0.0)
    assert sorted(zip(a.tolist(), b.tolist(), strict=True)) == [(0, 1), (0, 2)]


# ── candidates ───────────────────────────────────────────────────────────────────────────────────────────────────────


def columns(*texts):
    return [compared(f"c{i}", [pa.array(t, pa.string())], CUTS, True) for i, t in enumerate(texts)]


VALUES = st.one_of(st.none(), st.sampled_from(["abcdef", "abcdxy", "abc", "zzzz", "zzzz1"]))


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(VALUES, VALUES, VALUES), min_size=2, max_size=12), sides=st.booleans())
def test_candidates_share_a_key(rows, sides):
    values = columns(*zip(*rows, strict=True))
    lower = np.arange(len(rows)) % 2 == 1 if sides else None
    found = candidates(values, lower, 10**6)
    expected = set()
    for key, (i, j) in itertools.product(keys(values), itertools.combinations(range(len(rows)), 2)):
        one, other = (
            [rows[r][k] if whole or rows[r][k] is None else rows[r][k][:4] for k, whole in key.parts] for r in (i, j)
        )
        if one == other and None not in one and (lower is None or lower[i] != lower[j]):
            expected.add((i, j))
    assert list(zip(found.left.tolist(), found.right.tolist(), strict=True)) == sorted(expected)
    assert not found.left_out


def test_what_too_many_share_is_named(monkeypatch):
    monkeypatch.setattr(making, "GROUP", 3)
    found = candidates(columns(["aaaa", "aaaa", "aaaa", "aaaa", "bbbb", "bbbb"]), None, 100)
    assert list(zip(found.left.tolist(), found.right.tolist(), strict=True)) == [(4, 5)]
    [out] = found.left_out
    assert (out.value, out.records, out.pairs) == ("aaaa", 4, 6)
    assert "more than 3 records" in out.reason


def test_the_budget_keeps_the_smallest_groups_and_says_what_it_cost():
    texts = [f"{i // 2}" for i in range(20)] + ["x"] * 6
    found = candidates(columns(texts), None, 12)
    assert list(zip(found.left.tolist(), found.right.tolist(), strict=True)) == [(2 * i, 2 * i + 1) for i in range(10)]
    assert found.short == 15
    [out] = found.left_out
    assert (out.value, out.records, out.pairs) == ("same c0", 6, 15)


def test_several_columns_meet_crosswise():
    values = [compared("phone", [pa.array(["1", None, "3"]), pa.array([None, "1", "3"])], CUTS, True)]
    found = candidates(values, None, 100)
    assert list(zip(found.left.tolist(), found.right.tolist(), strict=True)) == [(0, 1)]


@pytest.mark.parametrize("records", [0, 1])
def test_nothing_to_compare(records):
    found = candidates(columns(["a"][:records]), None, 100)
    assert len(found.left) == 0
