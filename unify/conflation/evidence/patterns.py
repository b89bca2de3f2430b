"""Agreement patterns: the levels of all comparisons of a pair, and how many pairs have each.

random pairs    strangers, nearly all of them: what agreement is worth, and what two comparisons say twice
equal pairs     pairs that share a value of one comparison: rare among random pairs, so they are drawn on their own
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from unify.conflation.evidence.levels import levels
from unify.conflation.evidence.values import NONE, Compared, Flags, Floats, Ints, Levels

SEED = 20_240_229
"""Of the random pairs: the same data give the same model."""
RANDOM_PAIRS = 600_000
EQUAL_PAIRS = 20_000
"""Pairs per comparison that share a value of it: a share of 1 % among them is known to ±0.07 %."""
ALIKE_FIRST = 0.7
"""m of equality before the first round; the level below has 0.15, and so on downwards."""
SMOOTH = 0.5
"""Added to every count, so that no level is impossible."""
CHUNK = 2_000_000
"""Pairs of records compared at one time."""


@dataclass(frozen=True)
class Patterns:
    """Distinct agreement patterns: levels (patterns × comparisons), how many pairs have each."""

    levels: Levels
    pairs: Ints


@dataclass(frozen=True)
class Sampled:
    """Random pairs, and pairs that are equal in one comparison, over one set of patterns.

    pairs    of the random pairs, per pattern
    equal    comparisons × patterns: of the pairs drawn because they are equal in that comparison
    """

    levels: Levels
    pairs: Ints
    equal: Ints


def patterns(values: Sequence[Compared], left: Ints, right: Ints) -> tuple[Patterns, Ints]:
    """Agreement patterns of pairs, and the pattern of every pair."""
    return patterns_of(values, all_levels(values, left, right))


def all_levels(values: Sequence[Compared], left: Ints, right: Ints) -> Levels:
    """The level of every comparison of every pair: pairs × comparisons."""
    found = np.empty((len(left), len(values)), dtype=np.int8)
    for start in range(0, len(left), CHUNK):
        some = slice(start, start + CHUNK)
        for k, v in enumerate(values):
            found[some, k] = levels(v, left[some], right[some])[0]
    return found


def patterns_of(values: Sequence[Compared], found: Levels) -> tuple[Patterns, Ints]:
    """Agreement patterns of pairs whose levels are known, and the pattern of every pair."""
    radix = np.cumprod([1, *(v.levels + 1 for v in values)])
    if radix.dtype != np.int64 or float(np.prod([float(v.levels + 1) for v in values])) > 2**62:
        raise ValueError("too many comparisons and levels for one number")
    codes = np.zeros(len(found), dtype=np.int64)
    for k in range(len(values)):
        codes += (found[:, k].astype(np.int64) + 1) * radix[k]
    distinct, place, pairs = np.unique(codes, return_inverse=True, return_counts=True)
    split = [distinct // radix[k] % (v.levels + 1) - 1 for k, v in enumerate(values)]
    return Patterns(np.stack(split, axis=1).astype(np.int8), pairs.astype(np.int64)), place


def sampled(
    values: Sequence[Compared], left: Ints, right: Ints, lower: Flags | None, seeds: Flags | None = None
) -> Sampled:
    """Patterns of the random pairs given, and of pairs drawn because they share a value; with `seeds`, of one."""
    drawn = [(left, right)]
    for k, v in enumerate(values):
        a, b = equal_pairs(v, lower, k)
        kept = seeds[a] | seeds[b] if seeds is not None else np.ones(len(a), dtype=np.bool_)
        drawn.append((a[kept], b[kept]))
    found, place = patterns(values, *(np.concatenate(side) for side in zip(*drawn, strict=True)))
    ends = np.cumsum([0, *(len(a) for a, _ in drawn)])
    counts = [np.bincount(place[a:b], minlength=len(found.pairs)) for a, b in pairwise(ends)]
    return Sampled(found.levels, counts[0].astype(np.int64), np.stack(counts[1:]).astype(np.int64))


def random_pairs(records: int, lower: Flags | None) -> tuple[Ints, Ints]:
    """Random pairs of records, or all of them when they are few; with `lower`, pairs across the two entities."""
    sides = (
        (np.arange(records), np.arange(records)) if lower is None else (np.flatnonzero(lower), np.flatnonzero(~lower))
    )
    if len(sides[0]) * len(sides[1]) <= 2 * RANDOM_PAIRS:
        left, right = (side.ravel() for side in np.meshgrid(*sides, indexing="ij"))
        kept = left < right if lower is None else np.ones(len(left), dtype=np.bool_)
    else:
        draw = np.random.default_rng(SEED)
        left, right = (side[draw.integers(0, len(side), RANDOM_PAIRS)] for side in sides)
        kept = left != right
    return left[kept], right[kept]


def equal_pairs(values: Compared, lower: Flags | None, number: int) -> tuple[Ints, Ints]:
    """Pairs that share a value of the first column, each pair as likely as any other; fewer than asked where few are.

    `number` of the comparison: each draws its own.
    """
    code = values.codes[:, 0]
    rows = np.flatnonzero(code >= 0)
    sides = [rows, rows] if lower is None else [rows[lower[rows]], rows[~lower[rows]]]
    ordered = [side[np.argsort(code[side], kind="stable")] for side in sides]
    sizes = [np.bincount(code[side], minlength=len(values.texts)) for side in sides]
    starts = [np.cumsum(size) - size for size in sizes]
    ends = np.cumsum(sizes[0] * (sizes[1] - (lower is None)))
    if not len(ends) or not ends[-1]:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    draw = np.random.default_rng([SEED, number])
    count = int(min(EQUAL_PAIRS, ends[-1]))
    text = np.searchsorted(ends, (draw.random(count) * ends[-1]).astype(np.int64), side="right")
    one, other = (ordered[i][starts[i][text] + (draw.random(count) * sizes[i][text]).astype(np.int64)] for i in (0, 1))
    drawn = np.unique((np.minimum(one, other) * len(code) + np.maximum(one, other))[one != other])
    return drawn // len(code), drawn % len(code)


def shares(found: Patterns | Sampled, comparison: int, count: int, weight: Floats) -> Floats:
    """The share of each level among pairs in which both have a value, smoothed."""
    level = found.levels[:, comparison]
    there = level != NONE
    counted = np.bincount(level[there], weights=weight[there], minlength=count)
    return np.asarray((counted + SMOOTH) / (counted.sum() + SMOOTH * count), dtype=np.float64)


def first_m(count: int) -> Floats:
    """m before the first round: mostly equal, then ever rarer."""
    falling = 0.15 * 0.4 ** np.arange(count - 1)[::-1]
    guess = np.r_[np.maximum(falling, 0.02), ALIKE_FIRST]
    return np.asarray(guess / guess.sum(), dtype=np.float64)


def probability(weight: Floats) -> Floats:
    """The probability that log odds stand for."""
    return np.asarray(1 / (1 + np.exp(-np.clip(weight, -700, 700))), dtype=np.float64)


def level_weights(m: Floats, u: Floats) -> Floats:
    """Log(m / u) per level, never falling: neighbours that would fall count as one level (pool adjacent violators)."""
    pools: list[tuple[float, float, int]] = []
    for own, strange in zip(m.tolist(), u.tolist(), strict=True):
        pools.append((own, strange, 1))
        while len(pools) > 1 and pools[-2][0] * pools[-1][1] > pools[-1][0] * pools[-2][1]:
            (a, b, n), (c, d, k) = pools.pop(), pools.pop()
            pools.append((a + c, b + d, n + k))
    return np.repeat([np.log(own / strange) for own, strange, _ in pools], [n for *_, n in pools])


def strangers(everybody: Floats, m: Floats, share: float) -> Floats:
    """u from random pairs, of which `share` are no strangers; a tenth of what was seen always stays."""
    left = np.maximum(everybody - share * m, everybody / 10)
    return np.asarray(left / left.sum(), dtype=np.float64)


def all_pairs(records: int, lower: Flags | None) -> int:
    """How many pairs there are, candidates or not."""
    if lower is None:
        return records * (records - 1) // 2
    return int(lower.sum()) * int((~lower).sum())
