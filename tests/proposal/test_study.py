"""What is learned of pairs: whole and drawn agree, labels count, order of rows does not."""

import numpy as np
import pytest

from unify.core.errors import SourceError
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.proposal import study as study_module
from unify.proposal.attributes import find_attributes
from unify.proposal.known import Known
from unify.proposal.search import informative
from unify.proposal.study import DIFFERENT, NOTHING, SAME, study

CRM, SHOP = "crm.Contacts", "shop.Buyers"


@pytest.fixture(scope="module")
def attributes(world, engine_of_world):
    return find_attributes(engine_of_world, world.project, list(world.frames)).attributes


@pytest.fixture(scope="module")
def learn(world, engine_of_world, attributes):
    def call(known=()):
        return study(engine_of_world, world.project, list(world.frames), attributes, known)

    return call


@pytest.fixture(scope="module")
def whole(learn):
    return learn()


@pytest.fixture(scope="module")
def records(engine_of_world, whole):
    """(entity, key) of every record, by rid."""
    assert whole.records > 0
    rows = engine_of_world.fetch(Query("SELECT entity, key FROM records ORDER BY rid")).to_pylist()
    return [(r["entity"], r["key"]) for r in rows]


def test_expected_matches_are_near_the_truth(world, whole, records):
    people = np.array([world.person[r] for r in records])
    true = sum(n * (n - 1) // 2 for n in np.unique(people, return_counts=True)[1])
    assert 0.8 * true < whole.matches < 1.1 * true
    right = people[whole.left] == people[whole.right]
    assert whole.certainty[right].mean() > 0.9
    assert whole.certainty[~right].mean() < 0.02


def test_mass_is_the_sum_of_certainties_by_pattern(whole):
    naive = np.zeros(len(whole.patterns.pairs))
    for place, certainty in zip(whole.place.tolist(), whole.certainty.tolist(), strict=True):
        naive[place] += certainty
    assert np.allclose(whole.mass, naive)
    assert np.array_equal(np.bincount(whole.place), whole.patterns.pairs)
    assert whole.scale == 1.0


def test_drawn_records_tell_what_all_tell(learn, whole, monkeypatch):
    monkeypatch.setattr(study_module, "SMALL", 100)
    monkeypatch.setattr(study_module, "SEEDS", whole.records // 2)
    drawn = learn()
    assert (drawn.records, drawn.seeds) == (whole.records, whole.records // 2)
    assert drawn.scale == pytest.approx(4 / 3, rel=0.01)
    assert drawn.matches == pytest.approx(whole.matches, rel=0.12)
    assert informative(drawn) == pytest.approx(informative(whole), abs=1.0)
    for one, other in zip(drawn.model.u, whole.model.u, strict=True):
        assert one == pytest.approx(other, abs=0.02)


def unsure(whole):
    """A pattern that several pairs have and of which nobody knows."""
    mean = whole.mass / whole.patterns.pairs
    several = np.flatnonzero(whole.patterns.pairs >= 4)
    return several[np.argmin(np.abs(mean[several] - 0.5))]


@pytest.mark.parametrize("same", [True, False])
def test_a_label_is_so_and_moves_the_pairs_that_look_like_it(learn, whole, records, same):
    pattern = unsure(whole)
    mine = np.flatnonzero(whole.place == pattern)
    first, others = mine[0], mine[1:]
    known = Known(records[whole.right[first]], records[whole.left[first]], same)  # sides do not matter
    found = learn([known])
    assert found.certainty[first] == float(same)
    assert found.said[first] == (SAME if same else DIFFERENT)
    assert (found.said != NOTHING).sum() == 1
    before, after = whole.certainty[others], found.certainty[others]
    assert (after > before).all() if same else (after < before).all()
    elsewhere = whole.place != pattern
    assert np.array_equal(found.certainty[elsewhere], whole.certainty[elsewhere])


def test_a_labelled_pair_that_shares_nothing_is_among_the_pairs(learn, whole, records):
    there = set(zip(whole.left.tolist(), whole.right.tolist(), strict=True))
    strange = next((0, b) for b in range(1, len(records)) if (0, b) not in there)
    found = learn([Known(records[strange[0]], records[strange[1]], same=True)])
    at = np.flatnonzero((found.left == strange[0]) & (found.right == strange[1]))
    assert len(at) == 1
    assert found.certainty[at[0]] == 1.0
    assert len(found.left) == len(whole.left) + 1


def test_a_labelled_pair_is_looked_at_though_nobody_drew_it(learn, records, monkeypatch):
    monkeypatch.setattr(study_module, "SMALL", 100)
    monkeypatch.setattr(study_module, "SEEDS", 200)
    found = learn([Known(records[0], records[-1], same=False), Known(records[1], records[-2], same=True)])
    assert (found.said == DIFFERENT).sum() == 1
    assert (found.said == SAME).sum() == 1


def test_a_record_that_is_not_there_is_named(learn, records):
    with pytest.raises(SourceError, match=r"labels, row 2: shop.Buyers has no record 'nobody'"):
        learn([Known(records[0], records[1], same=True), Known(records[0], (SHOP, "nobody"), same=True)])


def test_order_of_rows_changes_nothing(world, whole, attributes):
    from pathlib import Path

    from ingest.load import load

    with DuckDBEngine() as engine:
        for entity, frame in world.shuffled(5).items():
            load(engine, entity, world.project.entity(entity), frame, base=Path())
        again = study(engine, world.project, list(world.frames), attributes)
    assert np.array_equal(again.certainty, whole.certainty)
    assert np.array_equal(again.left, whole.left)
    assert np.array_equal(again.right, whole.right)
