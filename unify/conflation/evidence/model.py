"""What each level of each comparison says, learned without labels.

    m    share of a customer's own pairs of records at a level, given that both have a value
    u    share of pairs of strangers at a level
    weight of a level = log(m / u); weights of comparisons add up, from the prior on

u comes from random pairs, less the matches among them. m comes from EM (expectation maximisation) over the agreement
patterns of the candidates; all other pairs are taken for strangers. Candidates were chosen for agreeing, so what
strangers among *them* do is never learned. A comparison learns only from pairs that the others alone take for a match:
else a family name and the e-mail made of it would vouch for each other, and every family be one customer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unify.conflation.evidence.levels import levels
from unify.conflation.evidence.overlaps import Overlap, overlaps
from unify.conflation.evidence.values import NONE, Compared, Flags, Floats, Ints, Levels

SEED = 20_240_229
"""Of the random pairs: the same data give the same model."""
RANDOM_PAIRS = 600_000
ROUNDS = 40
FIRST_MATCHES = 0.5
"""Matches per record before the first round."""
FIRST_GUESS = 0.1
"""Share of matches among all pairs before the first round, at most."""
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
class Model:
    """m and u per comparison and level, and the prior log odds that a pair of records is one customer."""

    m: tuple[Floats, ...]
    u: tuple[Floats, ...]
    prior: float
    overlaps: tuple[Overlap, ...] = ()

    def weight(self, comparison: int) -> Floats:
        """Log(m / u) per level; a higher level never weighs less than a lower one."""
        return level_weights(self.m[comparison], self.u[comparison])


def patterns(values: Sequence[Compared], left: Ints, right: Ints) -> tuple[Patterns, Ints]:
    """Agreement patterns of pairs, and the pattern of every pair."""
    radix = np.cumprod([1, *(v.levels + 1 for v in values)])
    if radix.dtype != np.int64 or float(np.prod([float(v.levels + 1) for v in values])) > 2**62:
        raise ValueError("too many comparisons and levels for one number")
    codes = np.zeros(len(left), dtype=np.int64)
    for start in range(0, len(left), CHUNK):
        some = slice(start, start + CHUNK)
        for k, v in enumerate(values):
            codes[some] += (levels(v, left[some], right[some])[0].astype(np.int64) + 1) * radix[k]
    distinct, place, pairs = np.unique(codes, return_inverse=True, return_counts=True)
    split = [distinct // radix[k] % (v.levels + 1) - 1 for k, v in enumerate(values)]
    return Patterns(np.stack(split, axis=1).astype(np.int8), pairs.astype(np.int64)), place


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


def shares(found: Patterns, comparison: int, count: int, weight: Floats) -> Floats:
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


@dataclass(frozen=True)
class Learned:
    """What EM found: m, u, the share of all pairs that are matches, and the probability of each pattern."""

    m: tuple[Floats, ...]
    u: tuple[Floats, ...]
    matches: float
    probability: Floats
    overlaps: tuple[Overlap, ...] = ()


def learn(
    found: Patterns,
    everybody: Sequence[Floats],
    pairs: int,
    matches: float,
    rounds: int = ROUNDS,
    among: Patterns | None = None,
) -> Learned:
    """EM over the agreement patterns of candidates, among `pairs` pairs in all, of which the others are no matches.

    everybody   share of each level among random pairs, per comparison: u and, as `matches` of them are, m
    matches     share of all pairs that are matches, before the first round
    among       patterns of random pairs, to find overlaps in; None: comparisons are taken as independent
    """
    weight = found.pairs.astype(np.float64)
    m = [first_m(len(e)) for e in everybody]
    p = np.zeros(len(weight))
    levels_of = [found.levels[:, k] for k in range(len(everybody))]
    twice: list[Overlap] = []
    if among is not None:  # as if there were few matches: too careful in the first round rather than too sure
        twice = overlaps((among.levels, among.pairs), (found.levels, np.zeros(len(weight))), m, matches)
    for round_ in range(rounds):
        u = [strangers(e, m[k], matches) for k, e in enumerate(everybody)]
        parts = []
        for k, level in enumerate(levels_of):
            parts.append(np.where(level == NONE, 0.0, level_weights(m[k], u[k])[level]))
        alone = list(parts)  # what goes with a comparison when it is left out: its weight, less its overlaps
        odds = np.log(matches / (1 - matches)) + np.sum(parts, axis=0)
        for overlap in twice:
            taken = overlap.taken(levels_of, parts)
            odds = odds - taken
            for k in (overlap.comparison, overlap.parent):
                alone[k] = alone[k] - taken
        p = probability(odds)
        matches = float(np.clip((p * weight).sum() / max(pairs, 1), 1e-12, 0.5))
        m = [shares(found, k, len(e), p * weight * (odds - alone[k] > 0)) for k, e in enumerate(everybody)]
        if among is not None and round_ < rounds // 2:  # then they stay, so that the rest may settle
            twice = overlaps((among.levels, among.pairs), (found.levels, p * weight), m, matches)
    u = [strangers(e, m[k], matches) for k, e in enumerate(everybody)]
    return Learned(tuple(m), tuple(u), matches, p, tuple(twice))


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


def fit(values: Sequence[Compared], left: Ints, right: Ints, lower: Flags | None) -> tuple[Model, Patterns, Learned]:
    """The model of these records, from their candidate pairs."""
    records, counts = len(values[0].codes), [v.levels for v in values]
    among, _ = patterns(values, *random_pairs(records, lower))
    found, _ = patterns(values, left, right)
    everybody = [shares(among, k, n, among.pairs.astype(np.float64)) for k, n in enumerate(counts)]
    pairs = all_pairs(records, lower)
    guess = min(FIRST_GUESS, FIRST_MATCHES * records / max(pairs, 1))
    learned = learn(found, everybody, pairs, guess, among=among)
    prior = float(np.log(learned.matches / (1 - learned.matches)))
    return Model(learned.m, learned.u, prior, learned.overlaps), found, learned
