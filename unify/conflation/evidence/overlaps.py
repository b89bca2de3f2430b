"""Comparisons that say the same thing twice: a full name beside its parts, a town beside its postal code.

Where strangers agree on both of two comparisons more often than chance would have it, their weights may not simply be
added. The lift of every pair of levels is measured among random pairs, and among pairs that are equal in one of the
two, each counted as far as it is of strangers; less the lift that matches have themselves. Of all pairs of comparisons
a tree is kept, the strongest overlaps first (Chow-Liu): each comparison overlaps with one other at most, its parent, so
nothing is taken away twice.

Where both speak for one customer, the overlap is taken from the sum: at most all that the weaker of the two adds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from unify.conflation.evidence.patterns import Patterns, Sampled
from unify.conflation.evidence.values import NONE, Floats, Levels

DOUBT = 20.0
"""Pairs of records added to what was seen and to what chance would give: a lift must be seen, not guessed."""
DOUBTFUL = 0.02
"""Of the pairs that are taken for no strangers, so many are in doubt."""
SURE = 3.0
"""Standard deviations that what was seen must be above what was expected."""
NOTICEABLE = 0.1
"""The least log lift that an overlap is kept for: 0.14 bits."""


@dataclass(frozen=True)
class Overlap:
    """What to take from the weight of `comparison` beside that of `parent`: log lift per (level, level of parent)."""

    comparison: int
    parent: int
    lift: Floats

    def taken(self, levels: Sequence[Levels], weights: Sequence[Floats]) -> Floats:
        """What to take from each pair, 0 or more, from the levels and weights of all comparisons."""
        one, other = levels[self.comparison], levels[self.parent]
        weaker = np.minimum(weights[self.comparison], weights[self.parent])
        lift = np.where((one == NONE) | (other == NONE), 0.0, self.lift[one, other])
        return np.asarray(np.minimum(lift, np.maximum(weaker, 0.0)), dtype=np.float64)


def joint(levels: Levels, weight: Floats, one: int, other: int, shape: tuple[int, int]) -> Floats:
    """Pairs of records at each pair of levels of two comparisons, given that both have values."""
    a, b = levels[:, one], levels[:, other]
    there = (a != NONE) & (b != NONE)
    flat = a[there].astype(np.int64) * shape[1] + b[there]
    seen = np.bincount(flat, weights=weight[there], minlength=shape[0] * shape[1])
    return np.asarray(seen.reshape(shape), dtype=np.float64)


def log_lift(seen: Floats, chance: Floats, besides: Floats | float = 0.0) -> Floats:
    """How much more often levels are seen than chance has it, where that is sure; `besides`: pairs not counted."""
    doubt = DOUBT + besides * DOUBTFUL
    lifted, expected = seen + doubt, chance + doubt
    sure = lifted - expected > SURE * np.sqrt(expected)
    return np.asarray(np.where(sure, np.log(lifted / expected), 0.0), dtype=np.float64)


def _by_chance(seen: Floats) -> Floats:
    """What would be seen if the two had nothing to do with each other."""
    total = max(float(seen.sum()), 1.0)
    return np.asarray(seen.sum(axis=1, keepdims=True) * seen.sum(axis=0, keepdims=True) / total, dtype=np.float64)


def overlaps(
    among: Patterns | Sampled, apart: Floats, matched: tuple[Levels, Floats], levels: Sequence[int]
) -> list[Overlap]:
    """The overlaps of comparisons.

    among     random pairs, and pairs equal in one comparison; `apart`: probability of each pattern to be of strangers
    matched   levels (patterns × comparisons) and pairs per pattern of matches
    levels    how many each comparison has
    """
    found: list[tuple[float, int, int, Floats]] = []
    weight = among.pairs.astype(np.float64)
    for one, other in combinations(range(len(levels)), 2):
        shape = (levels[one], levels[other])
        seen = joint(among.levels, weight * apart, one, other, shape)
        chance = _by_chance(seen)
        lift = log_lift(seen, chance, joint(among.levels, weight * (1 - apart), one, other, shape))
        if isinstance(among, Sampled):
            total = max(float(seen.sum()), 1.0)
            row = _of_equal(among, apart, one, other, shape, seen.sum(axis=0) / total)[-1]
            column = _of_equal(among, apart, other, one, shape[::-1], seen.sum(axis=1) / total)[-1]
            lift[-1, :-1], lift[:-1, -1] = np.maximum(lift[-1, :-1], row[:-1]), np.maximum(lift[:-1, -1], column[:-1])
            lift[-1, -1] = max(lift[-1, -1], row[-1], column[-1])
        own = joint(*matched, one, other, shape)
        lift = lift - log_lift(own, _by_chance(own))
        lift = np.where(lift > NOTICEABLE, lift, 0.0)
        lift[0, :] = lift[:, 0] = 0.0  # the lowest level is no agreement
        information = float((chance * np.exp(lift) * lift).sum() / max(float(seen.sum()), 1.0))
        if information > 0:
            found.append((information, one, other, lift))
    return _tree(sorted(found, key=lambda f: (-f[0], f[1], f[2])), len(levels))


def _of_equal(among: Sampled, apart: Floats, one: int, other: int, shape: tuple[int, int], share: Floats) -> Floats:
    """Lifts from the pairs drawn because `one` is equal; `share`: of strangers at each level of the other."""
    drawn = among.equal[one].astype(np.float64)
    seen = joint(among.levels, drawn * apart, one, other, shape)
    besides = joint(among.levels, drawn * (1 - apart), one, other, shape)
    return log_lift(seen, seen.sum(axis=1, keepdims=True) * share, besides)


def _tree(found: Sequence[tuple[float, int, int, Floats]], comparisons: int) -> list[Overlap]:
    """A maximum spanning forest, each comparison below the one it hangs on; the earliest of a tree has no parent."""
    owner = list(range(comparisons))
    edges: dict[tuple[int, int], Floats] = {}
    for _, one, other, lift in found:
        if owner[one] != owner[other]:
            gone, stays = owner[other], owner[one]
            owner = [stays if o == gone else o for o in owner]
            edges[one, other], edges[other, one] = lift, lift.T
    made: list[Overlap] = []
    placed: set[int] = set()
    for root in range(comparisons):
        reach = [] if root in placed else [root]
        placed.add(root)
        while reach:
            parent = reach.pop(0)
            below = [k for k in range(comparisons) if (k, parent) in edges and k not in placed]
            made += [Overlap(k, parent, edges[k, parent]) for k in below]
            placed.update(below)
            reach += below
    return sorted(made, key=lambda o: o.comparison)
