"""Learning m, u and the prior: known distributions are found again."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz.distance import OSA, JaroWinkler

from unify.conflation.evidence import model as model_module
from unify.conflation.evidence.kinds import Kind
from unify.conflation.evidence.levels import CUTS, levels
from unify.conflation.evidence.model import (
    Model,
    Patterns,
    first_m,
    fit,
    learn,
    level_weights,
    patterns,
    probability,
    random_pairs,
    shares,
)
from unify.conflation.evidence.overlaps import Overlap, overlaps
from unify.conflation.evidence.stored import level_sentence
from unify.conflation.evidence.values import NONE, compared
from unify.conflation.evidence.weights import RARE, RARER, Scorer


def drawn(draw, m, u, share, pairs):
    """Agreement patterns of pairs of which `share` are matches, comparisons independent within each class."""
    match = draw.random(pairs) < share
    levels_ = np.stack(
        [
            np.where(match, draw.choice(len(a), pairs, p=a), draw.choice(len(a), pairs, p=b))
            for a, b in zip(m, u, strict=True)
        ],
        axis=1,
    )
    found, count = np.unique(levels_, axis=0, return_counts=True)
    return Patterns(found.astype(np.int8), count.astype(np.int64))


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10_000), share=st.floats(0.01, 0.2))
def test_em_finds_the_distribution_the_patterns_were_drawn_from(seed, share):
    draw = np.random.default_rng(seed)
    m = [draw.dirichlet([1, 2, 12]) for _ in range(5)]
    u = [draw.dirichlet([30, 2, 1]) for _ in range(5)]
    found = drawn(draw, m, u, share, 60_000)
    everybody = [shares(found, k, 3, found.pairs.astype(float)) for k in range(5)]
    learned = learn(found, everybody, 60_000, 0.1, rounds=100)
    assert learned.matches == pytest.approx(share, abs=0.02)
    for k in range(5):
        assert learned.m[k] == pytest.approx(m[k], abs=0.03)
        assert learned.u[k] == pytest.approx(u[k], abs=0.03)


def column(values, *, cuts=CUTS, terms=True):
    return compared("it", [pa.array(values, pa.string())], cuts, terms)


WORDS = st.text("abcdeé", min_size=1, max_size=8)


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), WORDS), min_size=2, max_size=8))
def test_levels_are_those_of_each_pair_alone(texts):
    values = column(texts)
    left, right = (x.ravel() for x in np.meshgrid(np.arange(len(texts)), np.arange(len(texts)), indexing="ij"))
    found, agreed = levels(values, left, right)
    for i, j, level, code in zip(left, right, found, agreed, strict=True):
        a, b = texts[i], texts[j]
        if a is None or b is None:
            assert level == NONE
        elif a == b:
            assert level == len(CUTS) + 1
            assert values.texts[code] == a
        else:
            begins = JaroWinkler.similarity(a, b)
            alike = max(OSA.normalized_similarity(a, b), begins - 0.1 if begins >= 0.88 else 0)
            near = abs(begins - 0.88) < 1e-6 or any(abs(c - alike) < 1e-6 for c in CUTS)  # float32 decides there
            assert near or level == sum(alike >= c for c in CUTS)


def test_numbers_do_not_count_equal_beginnings():
    assert levels(column(["123456", "12345678"]), np.array([0]), np.array([1]))[0].tolist() == [3]
    assert levels(column(["abcdef", "abcdefgh"]), np.array([0]), np.array([1]))[0].tolist() == [4]


def test_the_best_of_several_columns_counts_and_the_rarest_equal_value():
    one, two = ["anna", "bea", "anna", None], ["carl", "anna", "carl", "carl"]
    values = compared("names", [pa.array(one), pa.array(two)], CUTS, True)
    found, agreed = levels(values, np.array([0, 0, 1]), np.array([1, 2, 3]))
    assert found.tolist() == [6, 6, 0]
    assert [values.texts[c] for c in agreed[:2]] == ["anna", "anna"]  # on 3 records each; equal ones: the first
    assert values.counts.tolist() == [3, 1, 3]


def test_a_pattern_for_every_pair():
    values = [column(["a", "a", None]), column(["x", "y", "y"])]
    found, place = patterns(values, np.array([0, 0, 1]), np.array([1, 2, 2]))
    assert found.levels[place].tolist() == [[6, 0], [NONE, 0], [NONE, 6]]
    assert found.pairs.sum() == 3


def test_few_records_are_all_compared_and_many_are_drawn_alike_every_time():
    left, right = random_pairs(5, None)
    assert sorted(zip(left.tolist(), right.tolist(), strict=True)) == [
        (i, j) for i in range(5) for j in range(i + 1, 5)
    ]
    lower = np.array([False, False, True])
    assert {*zip(*(x.tolist() for x in random_pairs(3, lower)), strict=True)} == {(2, 0), (2, 1)}
    once, again = random_pairs(5000, None), random_pairs(5000, None)
    assert all((a == b).all() for a, b in zip(once, again, strict=True))
    assert (once[0] != once[1]).all()


def people(customers, draw):
    """Two records per customer; the second has lost or changed something."""
    first = [f"{chr(97 + draw.integers(26))}{chr(97 + draw.integers(26))}na{i % 17}" for i in range(customers)]
    town = [f"town{draw.integers(8)}" for _ in range(customers)]
    mail = [f"m{i}@example.org" for i in range(customers)]
    again = [f if draw.random() < 0.9 else f + "x" for f in first]
    lost = [m if draw.random() < 0.8 else None for m in mail]
    return [column(first + again), column(town + town), column(mail + lost)]


def test_strangers_are_random_pairs_less_the_matches():
    draw = np.random.default_rng(3)
    values = people(200, draw)
    pairs = np.array([(i, j) for i in range(400) for j in range(i + 1, 400)])
    model, _, learned = fit(values, pairs[:, 0], pairs[:, 1], None)
    assert learned.matches * len(pairs) == pytest.approx(200, rel=0.1)
    assert probability(np.array([model.prior]))[0] == pytest.approx(200 / len(pairs), rel=0.1)
    towns = values[1].codes[:, 0]
    strangers = pairs[(pairs[:, 1] - pairs[:, 0]) != 200]
    seen = (towns[strangers[:, 0]] == towns[strangers[:, 1]]).mean()
    assert model.u[1][-1] == pytest.approx(seen, rel=0.05)
    assert model.m[1][-1] > 0.98


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0.01, 1), st.floats(0.01, 1)), min_size=1, max_size=7))
def test_a_higher_level_never_weighs_less(levels_):
    m, u = (np.array(x) for x in zip(*levels_, strict=True))
    weight = level_weights(m, u)
    assert (np.diff(weight) >= 0).all()
    for each in np.unique(weight):  # levels taken as one weigh what they say together
        assert each == pytest.approx(np.log(m[weight == each].sum() / u[weight == each].sum()), abs=1e-9)
    if (np.diff(m / u) >= 0).all():
        assert weight == pytest.approx(np.log(m / u))


def test_a_level_that_hardly_occurs_decides_nothing():
    """A few pairs at the lowest level, and one of a match by chance: it does not lift the levels above it."""
    model = Model((np.array([0.002, 0.002, 0.996]),), (np.array([0.008, 0.982, 0.01]),), 0.0)
    assert model.weight(0)[1] < -5


def test_of_alike_values_a_rare_one_adds_what_it_would_alone_and_a_common_one_takes_nothing():
    """Kowalczyk is rare and Kowalczik is it, misspelled; Smith is common, and so is nearly Smith."""
    values = [column(["smith"] * 80 + ["smyth"] * 5 + ["kowalczyk"] * 12 + ["kowalczik"] + ["quill"] * 2)]
    level_of_alike = int(levels(values[0], np.array([80]), np.array([0]))[0][0])
    assert 0 < level_of_alike < values[0].levels - 1
    u = np.r_[np.full(values[0].levels - 1, 0.4 / (values[0].levels - 1)), 0.6]
    model = Model((first_m(values[0].levels),), (u,), -5.0)
    scorer = Scorer(values, model)
    both_smith, nearly_smith, both_kowalczyk, nearly_kowalczyk, strangers = scorer.parts(
        np.array([0, 0, 86, 86, 0]), np.array([1, 80, 87, 97, 86])
    )[0].rarity
    assert both_smith < 0 == nearly_smith
    assert nearly_kowalczyk == both_kowalczyk > 0
    assert strangers == 0


def test_a_rare_value_weighs_more_within_bounds():
    texts = ["common"] * 80 + ["seldom"] * 12 + [f"only{i}" for i in range(8)]
    values = column(texts)
    u = 0.4
    model = Model((np.array([0.05] * 6 + [0.7]),), (np.array([0.1] * 6 + [u]),), 0.0)
    scorer = Scorer([values], model)
    common, seldom, alone = scorer.parts(np.array([0, 80, 92]), np.array([1, 81, 92]))[0].rarity
    assert common == pytest.approx(np.log(u / 0.8))
    assert seldom == pytest.approx(np.log(u / 0.12))
    assert alone == pytest.approx(np.log(u / max(RARE / 100, u / RARER)))
    plain = Scorer([column(texts, terms=False)], model)
    assert (plain.parts(np.array([0, 80]), np.array([1, 81]))[0].rarity == 0).all()
    assert scorer.weigh(np.array([0]), np.array([1]))[0] == pytest.approx(np.log(0.7 / u) + common)


def test_levels_in_words():
    assert [level_sentence((), n) for n in (-1, 0, 1)] == ["no value", "not equal", "equal"]
    assert [level_sentence((0.9,), n) for n in (0, 1, 2)] == ["less than 90 % alike", "at least 90 % alike", "equal"]


def test_overlaps_are_seen_where_they_are_and_nowhere_else():
    """Three comparisons of strangers: the second repeats the first three times in four, the third is on its own."""
    draw = np.random.default_rng(8)
    one = (draw.random(200_000) < 0.05).astype(np.int8)
    other = np.where(draw.random(200_000) < 0.75, one, (draw.random(200_000) < 0.05).astype(np.int8))
    alone = (draw.random(200_000) < 0.05).astype(np.int8)
    levels_ = np.stack([one, other, alone], axis=1).astype(np.int8)
    none = (levels_[:1], np.zeros(1))
    among = Patterns(levels_, np.ones(200_000, dtype=np.int64))
    [found] = overlaps(among, np.ones(200_000), none, [2, 2, 2])
    assert (found.comparison, found.parent) == (1, 0)
    seen = ((one == 1) & (other == 1)).mean() / ((one == 1).mean() * (other == 1).mean())
    assert found.lift[1, 1] == pytest.approx(np.log(seen), rel=0.05)
    assert found.lift[0].tolist() == [0, 0]
    taken = found.taken(
        [np.array([1, 1, NONE]), np.array([1, 1, 1])], [np.array([1.0, 9.0, 0.0]), np.array([9.0, 9.0, 9.0])]
    )
    assert taken == pytest.approx([1.0, found.lift[1, 1], 0.0])  # at most what the weaker adds


def test_what_matches_have_in_common_is_no_overlap():
    levels_ = np.array([[0, 0], [1, 1], [0, 1], [1, 0]], dtype=np.int8)
    pairs = np.array([100_000, 1_000, 500, 500])  # a thousand matches, no stranger agrees on both
    apart = np.array([1, 0.001, 1, 1])
    assert overlaps(Patterns(levels_, pairs), apart, (levels_, np.zeros(4)), [2, 2]) == []
    assert overlaps(Patterns(levels_, pairs), np.ones(4), (levels_, np.zeros(4)), [2, 2]) != []


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 10**6), least=st.floats(-8, 8))
def test_pairs_out_of_reach_are_those_below(seed, least):
    """Against all pairs weighed in full, with kinds, overlaps, several columns, missing values and rare ones."""
    draw = np.random.default_rng(seed)
    names = ["ann", "anna", "bob", "bobby", "zoe", None]
    one, two, more = ([names[i] for i in draw.integers(0, 6, 30)] for _ in range(3))
    values = [column(one), compared("two", [pa.array(two), pa.array(more)], CUTS, True), column(more, terms=False)]
    m, u = ([np.sort(draw.dirichlet(np.ones(7)))[:: (1 if own else -1)] for _ in values] for own in (True, False))
    kinds = tuple(Kind(bool(i), float(draw.normal()), draw.uniform(0.01, 0.99, 3)) for i in range(2))
    lift = np.triu(draw.uniform(0, 2, (7, 7)))
    model = Model(tuple(m), tuple(u), float(draw.normal(-3, 2)), (Overlap(2, 0, lift),), kinds)
    scorer = Scorer(values, model)
    left, right = np.triu_indices(30, 1)
    full = scorer.weigh(left, right)
    found = scorer.weigh_above(left, right, least, chunk=100)
    assert found == pytest.approx(np.where(full >= least, full, -np.inf))


def test_few_values_are_compared_once_and_for_all():
    draw = np.random.default_rng(2)
    texts = ["".join(draw.choice(list("abcd"), 4)) for _ in range(40)]
    values = column(texts)
    left, right = draw.integers(0, 40, 5000), draw.integers(0, 40, 5000)
    at_once, _ = levels(values, left, right)
    one_by_one = [levels(column(texts), left[i : i + 1], right[i : i + 1])[0][0] for i in range(300)]
    assert at_once[:300].tolist() == one_by_one


def test_of_many_candidates_some_are_studied(monkeypatch):
    monkeypatch.setattr(model_module, "STUDIED", 20_000)
    values = people(200, np.random.default_rng(3))
    pairs = np.array([(i, j) for i in range(400) for j in range(i + 1, 400)])
    found, seen, learned = fit(values, pairs[:, 0], pairs[:, 1], None)
    assert seen.pairs.sum() == pytest.approx(len(pairs), abs=4)
    assert learned.matches * len(pairs) == pytest.approx(200, rel=0.25)
    assert found.m[1][-1] > 0.95
