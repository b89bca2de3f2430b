"""Comparisons that say the same thing twice: a full name beside its parts, a town beside its postal code.

Where strangers agree on both of two comparisons more often than chance would have it, their weights may not simply be
added. The lift of every pair of levels is measured among random pairs, less what matches add, and less the lift that
matches have themselves. Of all pairs of comparisons a tree is kept, the strongest overlaps first (Chow-Liu): each
comparison overlaps with one other at most, its parent, so nothing is taken away twice.

Where both speak for one customer, the overlap is taken from the sum: at most all that the weaker of the two adds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from unify.conflation.evidence.values import NONE, Floats, Ints, Levels

DOUBT = 20.0
"""Pairs of records added to what was seen and to what chance would give: a lift must be seen, not guessed."""
DOUBTFUL = 0.2
"""Of the pairs that are there for another reason, so many again are in doubt."""
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


def log_lift(seen: Floats, besides: Floats | float = 0.0) -> Floats:
    """How much more often two levels are seen together than chance has it; `besides`: pairs seen for another reason."""
    total = max(float(seen.sum()), 1.0)
    chance = seen.sum(axis=1, keepdims=True) * seen.sum(axis=0, keepdims=True) / total
    doubt = DOUBT + besides * DOUBTFUL
    lifted, expected = np.maximum(seen - besides, 0.0) + doubt, chance + doubt
    sure = lifted - expected > SURE * np.sqrt(expected + besides)
    return np.asarray(np.where(sure, np.log(lifted / expected), 0.0), dtype=np.float64)


def overlaps(
    among: tuple[Levels, Ints], matched: tuple[Levels, Floats], m: Sequence[Floats], matches: float
) -> list[Overlap]:
    """The overlaps of comparisons.

    among     levels (patterns × comparisons) of random pairs, and pairs per pattern
    matched   the same of matches
    m         share of matches at each level; `matches`: share of matches among all pairs
    """
    found: list[tuple[float, int, int, Floats]] = []
    for one, other in combinations(range(len(m)), 2):
        shape = (len(m[one]), len(m[other]))
        seen = joint(among[0], among[1].astype(np.float64), one, other, shape)
        lift = log_lift(seen, seen.sum() * matches * np.outer(m[one], m[other]))
        lift = lift - log_lift(joint(*matched, one, other, shape))
        lift = np.where(lift > NOTICEABLE, lift, 0.0)
        lift[0, :] = lift[:, 0] = 0.0  # the lowest level is no agreement
        information = float((seen * lift).sum() / max(float(seen.sum()), 1.0))
        if information > 0:
            found.append((information, one, other, lift))
    return _tree(sorted(found, key=lambda f: (-f[0], f[1], f[2])), len(m))


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
