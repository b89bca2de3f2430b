"""The smallest set of leaves that turns an answer round: against trying every set."""

from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from segments.why import formula as f
from segments.why.formula import smallest_flips, truth

LEAVES = 6


def formulas(numbers):
    leaf = numbers.map(f.Leaf) | st.sampled_from([True, False, None]).map(f.Constant)
    return st.recursive(
        leaf,
        lambda part: (
            st.lists(part, max_size=4).map(tuple).flatmap(lambda x: st.sampled_from([f.All(x), f.Any(x)]))
            | part.map(f.Opposite)
            | part.map(f.Surely)
        ),
        max_leaves=10,
    )


truths = st.tuples(*[st.sampled_from([True, False, None])] * LEAVES).map(lambda values: dict(enumerate(values)))
fixed_leaves = st.frozensets(st.integers(0, LEAVES - 1), max_size=2)


def once_each(formula):
    """The same with every leaf numbered anew, so that none occurs twice."""
    count = iter(range(LEAVES))

    def numbered(part):
        match part:
            case f.Leaf():
                return f.Leaf(next(count, None))
            case f.All(parts=parts):
                return f.All(tuple(map(numbered, parts)))
            case f.Any(parts=parts):
                return f.Any(tuple(map(numbered, parts)))
            case f.Opposite(part=inner):
                return f.Opposite(numbered(inner))
            case f.Surely(part=inner):
                return f.Surely(numbered(inner))
        return part

    made = numbered(formula)
    return made if None not in f.numbers(made) else None


def kleene(formula, leaves):
    """Truth once more, as 1, ½ and 0: and is the least, or the largest, not what is left to 1."""
    number = {True: 1.0, None: 0.5, False: 0.0}

    def at(part):
        match part:
            case f.Leaf(number=n):
                return number[leaves[n]]
            case f.Constant(value=value):
                return number[value]
            case f.All(parts=parts):
                return min(map(at, parts), default=1.0)
            case f.Any(parts=parts):
                return max(map(at, parts), default=0.0)
            case f.Opposite(part=inner):
                return 1 - at(inner)
            case f.Surely(part=inner):
                return float(at(inner) == 1.0)

    return {1.0: True, 0.5: None, 0.0: False}[at(formula)]


def fewest(formula, leaves, fixed):
    """How many leaves must turn, and every set of so many that does; None when none does."""
    wanted = kleene(formula, leaves) is not True
    free = sorted(set(f.numbers(formula)) - fixed)
    for size in range(len(free) + 1):
        found = []
        for chosen in combinations(free, size):
            for values in product([True, False], repeat=size):
                turn = dict(zip(chosen, values, strict=True))
                new = all(v is not leaves[n] for n, v in turn.items())
                if new and (kleene(formula, {**leaves, **turn}) is True) == wanted:
                    found.append(turn)
        if found:
            return size, found
    return None


@given(formulas(st.integers(0, LEAVES - 1)), truths)
def test_truth_is_kleenes(formula, leaves):
    assert truth(formula, leaves) is kleene(formula, leaves)


@given(formulas(st.integers(0, LEAVES - 1)), truths, fixed_leaves)
def test_no_smaller_set_does_where_leaves_occur_several_times(formula, leaves, fixed):
    found = smallest_flips(formula, leaves, fixed=fixed)
    expected = fewest(formula, leaves, fixed)
    if expected is None:
        assert found is None
    else:
        assert found is not None
        assert found.smallest
        assert len(found.turn) == expected[0]
        assert found.turn in expected[1]


@given(formulas(st.just(0)).map(once_each).filter(lambda x: x is not None), truths, fixed_leaves)
def test_no_smaller_set_does_where_every_leaf_occurs_once(formula, leaves, fixed):
    found = smallest_flips(formula, leaves, fixed=fixed)
    expected = fewest(formula, leaves, fixed)
    assert (found is None) == (expected is None)
    if found is not None:
        assert found.turn in expected[1]


def test_a_thousand_leaves_that_all_must_turn():
    wide = f.All(tuple(f.Leaf(n) for n in range(1000)))
    found = smallest_flips(wide, dict.fromkeys(range(1000), None))
    assert found.turn == dict.fromkeys(range(1000), True)


def test_of_equally_small_sets_the_first_leaf_in_the_definition_turns():
    either = f.Any((f.Leaf(0), f.Leaf(1)))
    assert smallest_flips(either, {0: False, 1: None}).turn == {0: True}
    assert smallest_flips(either, {0: False, 1: False}, fixed=frozenset([0])).turn == {1: True}


def test_what_no_leaf_can_turn():
    always = f.Any((f.Leaf(0), f.Opposite(f.Leaf(0))))
    assert smallest_flips(always, {0: True}) is None
    assert smallest_flips(f.All(()), {}) is None


def test_too_many_leaves_in_several_places_are_said_not_to_be_exact():
    twice = f.All(tuple(f.Any((f.Leaf(n), f.Leaf((n + 1) % 20))) for n in range(20)))
    found = smallest_flips(twice, dict.fromkeys(range(20), True))
    assert not found.smallest
    assert truth(twice, {**dict.fromkeys(range(20), True), **found.turn}) is not True


@pytest.mark.parametrize(("now", "turn"), [(None, {0: True}), (False, {0: True}), (True, {0: False})])
def test_unknown_counts_as_not_in(now, turn):
    assert smallest_flips(f.Leaf(0), {0: now}).turn == turn
