"""Heirs of customers and differences between runs, against following every customer by himself."""

import random
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyroaring import BitMap

from segments.membership.codec import from_bytes, to_bytes
from segments.membership.differences import difference
from segments.membership.identity import MERGED, RETIRED, SAME, SPLIT, WORDS, Changes, follow, way
from unify.core.errors import StoreError

sys.path.insert(0, str(Path(__file__).parents[1] / "oracles"))

import identities

KINDS = {"merged": MERGED, "split": SPLIT, "retired": RETIRED}


def changes_of(rows: list[tuple[str, int, int | None]]) -> Changes:
    return Changes.of([(who, heir or 0, KINDS[kind]) for kind, who, heir in rows])


def history(
    seed: int, customers: int, generations: int
) -> tuple[set[int], list[list[tuple[str, int, int | None]]], identities.World]:
    world = identities.World(random.Random(seed))
    world.found(customers)
    first = set(world.alive)
    return first, [world.generation() for _ in range(generations)], world


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 30), st.integers(0, 5))
def test_heirs_are_those_of_following_each(seed: int, customers: int, generations: int) -> None:
    first, steps, world = history(seed, customers, generations)
    heirs = follow(BitMap(first), [Changes.from_bytes(changes_of(step).to_bytes()) for step in steps])
    found: dict[int, set[int]] = {who: set() for who in first}
    for who, heir in zip(heirs.origin.tolist(), heirs.heir.tolist(), strict=True):
        assert heir not in found[who], "a pair stands there twice"
        found[who].add(heir)
    for who in heirs.kept:
        assert found[who] == set()
        found[who].add(who)
    assert found == {who: identities.heirs_of(who, steps) for who in first}
    assert set(heirs.all) == set().union(*found.values())
    assert set(heirs.all) <= world.alive
    for who, heir, kind in zip(heirs.origin.tolist(), heirs.heir.tolist(), heirs.kind.tolist(), strict=True):
        assert (kind == SAME) == (who == heir)


@settings(deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 30), st.integers(0, 5))
def test_difference_is_that_of_the_rules(seed: int, customers: int, generations: int) -> None:
    """The four definitions at the top of differences.py, literally, for every customer by himself."""
    first, steps, world = history(seed, customers, generations)
    dice = random.Random(seed + 1)
    a = {who for who in first if dice.random() < 0.5}
    b = {who for who in world.alive if dice.random() < 0.5}
    heirs = {who: identities.heirs_of(who, steps) for who in a}
    found = difference(BitMap(a), BitMap(b), follow(BitMap(a), [changes_of(s) for s in steps]))
    assert set(found.entered) == {d for d in b if not any(d in heirs[c] for c in a)}
    assert set(found.all_left) == {c for c in a if not heirs[c] & b}
    assert {reason: set(who) for reason, who in found.left.items()} == {
        "criteria": {c for c in a if not heirs[c] & b and c in heirs[c]},
        "merged": {c for c in a if not heirs[c] & b and c not in heirs[c] and heirs[c]},
        "gone": {c for c in a if not heirs[c]},
        "unknown": set(),
    }
    carried = set(zip(found.origins.tolist(), found.heirs.tolist(), strict=True))
    assert carried == {(c, d) for c in a for d in heirs[c] & b if c != d}
    # Nobody is counted twice, and everybody is accounted for.
    assert found.before == len(found.all_left) + len({c for c in a if heirs[c] & b})
    assert found.after == len(found.entered) + len({d for d in b if any(d in heirs[c] for c in a)})


def test_merges_and_splits_by_name() -> None:
    """What a reader of the rules would try: 1 and 2 merge into 1; 3 splits off 4; 5 is gone; 6 joins 7, who is out."""
    steps = [Changes.of([(2, 1, MERGED), (3, 4, SPLIT), (5, 0, RETIRED), (6, 7, MERGED)])]

    def between(a: set[int], b: set[int]) -> tuple[set[int], dict[str, set[int]], list[tuple[int, int, str]]]:
        found = difference(BitMap(a), BitMap(b), follow(BitMap(a), steps))
        pairs = zip(found.origins.tolist(), found.heirs.tolist(), (WORDS[k] for k in found.kinds), strict=True)
        return set(found.entered), {r: set(who) for r, who in found.left.items() if who}, list(pairs)

    assert between({2}, {1}) == (set(), {}, [(2, 1, "merged")]), "a member merged into a non-member who is in now"
    assert between({1}, {1}) == (set(), {}, []), "a non-member merged into a member"
    assert between({1, 2}, {1}) == (set(), {}, [(2, 1, "merged")]), "two members merged"
    assert between({1, 2}, set()) == (set(), {"criteria": {1}, "merged": {2}}, [])
    assert between({3}, {3, 4}) == (set(), {}, [(3, 4, "split")]), "both parts are in: nobody entered"
    assert between({3}, {4}) == (set(), {}, [(3, 4, "split")]), "the new part alone is in: nobody left"
    assert between({3}, {3}) == (set(), {}, [])
    assert between(set(), {4}) == ({4}, {}, []), "a part of a non-member entered"
    assert between({5}, set()) == (set(), {"gone": {5}}, [])
    assert between({6}, set()) == (set(), {"merged": {6}}, [])


def test_a_merge_after_a_split_after_a_merge() -> None:
    steps = [Changes.of([(1, 2, MERGED)]), Changes.of([(2, 9, SPLIT)]), Changes.of([(9, 4, MERGED)]), Changes.of([])]
    heirs = follow(BitMap([1, 4]), steps)
    assert set(heirs.kept) == {4}
    assert list(zip(heirs.origin.tolist(), heirs.heir.tolist(), (WORDS[k] for k in heirs.kind), strict=True)) == [
        (1, 2, "merged"), (1, 4, "merged"),
    ]  # fmt: skip


def test_many_customers_take_no_loop() -> None:
    """A million members through ten generations with 20,000 changes each: well under a second."""
    import time

    n = 1_000_000
    steps = []
    for g in range(10):
        who = np.arange(g * 20_000, (g + 1) * 20_000, dtype=np.uint32)
        steps.append(Changes(who, who + np.uint32(500_000), np.full(len(who), MERGED, dtype=np.uint8)))
    members = BitMap(range(n))
    started = time.perf_counter()
    heirs = follow(members, steps)
    seconds = time.perf_counter() - started
    assert len(heirs.all) == n - 200_000
    assert seconds < 2, f"{seconds:.2f} s"


@pytest.mark.parametrize(
    ("start", "end", "common", "steps"),
    [(1, 3, 1, [2, 3]), (3, 3, 3, []), (3, 4, 2, [4]), (4, 6, 4, [6]), (3, 6, 2, [4, 6]), (7, 6, None, [])],
)
def test_the_way_from_one_generation_to_another(start: int, end: int, common: int | None, steps: list[int]) -> None:
    """3 was rolled back to 2; 4 is built on 2, 6 on 4 (5 was a refresh); 7 was built by an older unify."""
    parents = {1: None, 2: 1, 3: 2, 4: 2, 6: 4}
    assert way(parents, start, end) == (common, steps)


@settings(deadline=None)
@given(st.sets(st.integers(0, 200_000)))
def test_equal_members_are_equal_bytes(members: set[int]) -> None:
    one = BitMap(members)
    other = BitMap(range(200_001))
    for ordinal in set(range(0, 200_001, 1777)) | {0}:
        other.discard(ordinal)
    built = (BitMap(range(200_001)) - (BitMap(range(200_001)) - one)) | (one & other)
    assert to_bytes(one) == to_bytes(built)
    assert set(from_bytes(to_bytes(one))) == members


def test_bytes_that_are_no_members() -> None:
    with pytest.raises(StoreError, match="no members of a segment"):
        from_bytes(b"junk", "x.roaring")
