"""Scores against brute force over all pairs."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import score

labelled = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 2)), max_size=25)


def brute(rows, keep=lambda _a, _b: True):
    pairs = [(a, b) for a, b in combinations(rows, 2) if keep(a, b)]
    found = sum(a[0] == b[0] for a, b in pairs)
    true = sum(a[1] == b[1] for a, b in pairs)
    both = sum(a[0] == b[0] and a[1] == b[1] for a, b in pairs)
    return both, found, true


def columns(rows):
    return [[row[i] for row in rows] for i in range(3)]


@given(labelled)
def test_pairwise_is_what_all_pairs_say(rows):
    clusters, people, _ = columns(rows)
    found = score.pairwise(clusters, people)
    assert (found.both, found.found, found.true) == brute(rows)


@given(labelled)
def test_pairs_across_sources_are_what_all_such_pairs_say(rows):
    found = score.pairwise_across(*columns(rows))
    assert (found.both, found.found, found.true) == brute(rows, lambda a, b: a[2] != b[2])


@given(labelled.filter(bool))
def test_b_cubed_is_the_mean_over_records(rows):
    shares = []
    for row in rows:
        cluster = {i for i, other in enumerate(rows) if other[0] == row[0]}
        person = {i for i, other in enumerate(rows) if other[1] == row[1]}
        shares.append((len(cluster & person) / len(cluster), len(cluster & person) / len(person)))
    found = score.b_cubed(*columns(rows)[:2])
    assert found.precision == pytest.approx(sum(p for p, _ in shares) / len(rows))
    assert found.recall == pytest.approx(sum(r for _, r in shares) / len(rows))


def test_labels_may_be_text():
    found = score.pairwise(["x", "x", "y", "y"], ["a", "a", "a", "b"])
    assert (found.precision, found.recall) == (1 / 2, 1 / 3)
    assert found.f1 == pytest.approx(0.4)


def test_perfect_and_empty():
    assert score.pairwise([1, 1, 2], ["a", "a", "b"]).f1 == 1
    assert score.pairwise([1, 2, 3], ["a", "b", "c"]).f1 == 1
    assert score.pairwise([], []).f1 == 1
    assert score.b_cubed([], []).f1 == 1


def test_nothing_found_of_something():
    found = score.pairwise([1, 2], ["a", "a"])
    assert (found.precision, found.recall, found.f1) == (1, 0, 0)


def test_different_lengths_are_refused():
    with pytest.raises(ValueError, match="2 cluster labels for 1 people"):
        score.pairwise([1, 2], [1])
