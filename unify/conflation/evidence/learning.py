"""EM: m of every level, the share of matches, what comparisons say twice, and the kinds of pairs, without labels.

    1  every comparison may be the one in which a kind differs: so many kinds at first, less those that are alike
    2  kinds of one customer that m can tell by itself become part of it; what is left settles

In the first rounds m is held near "mostly equal": else a class of pairs that share much, households or namesakes, could
be taken for the customers.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import csr_matrix

from unify.conflation.evidence.kinds import APART, NEVER, RARELY, Kind, Traits, blocks, verdict
from unify.conflation.evidence.overlaps import Overlap, overlaps
from unify.conflation.evidence.patterns import Patterns, Sampled, first_m, level_weights, shares, strangers
from unify.conflation.evidence.values import NONE, Flags, Floats, Levels

ROUNDS = 40
KIND_ROUNDS = 30
"""Rounds in which kinds are looked for, before the others."""
TREE_EVERY, TREE_ROUNDS = 3, 20
"""Overlaps are measured in every so many rounds, and stay after so many, so that the rest may settle."""
WEEDED = (8, 14, 20, 26)
"""Rounds after which kinds that are alike or rare are dropped."""
ALIKE = 0.25
"""Two kinds are one when no comparison is shared in one more often by this."""
FEW = 0.005
"""Kinds with fewer pairs than this share of a customer's own pairs are dropped."""
FIRST_CHANGED = 0.05
"""Of what belongs together, how often it is taken to have changed, all at once, before that is learned."""
HOLD = 0.9
"""What is left, from round to round, of the hold on m: at first as many made-up matches as there are others."""


@dataclass(frozen=True)
class Learned:
    """What EM found: m, u, the share of all pairs that are matches, and the probability of each pattern."""

    m: tuple[Floats, ...]
    u: tuple[Floats, ...]
    matches: float
    probability: Floats
    overlaps: tuple[Overlap, ...] = ()
    kinds: tuple[Kind, ...] = ()


class _Table:
    """Patterns as a sparse matrix of levels, so that a sum over comparisons is one product."""

    def __init__(self, levels: Levels, counts: Sequence[int]) -> None:
        self.levels = [levels[:, k] for k in range(len(counts))]
        rows, columns = np.nonzero(levels != NONE)
        cells = np.cumsum([0, *counts])[:-1][columns] + levels[rows, columns]
        shape = (len(levels), int(sum(counts)))
        self.cells = csr_matrix((np.ones(len(rows)), (rows, cells)), shape=shape)
        self.back = self.cells.T.tocsr()

    def total(self, weights: Sequence[Floats]) -> Floats:
        """Per pattern, the sum of what its levels weigh."""
        return np.asarray(self.cells @ np.concatenate(list(weights)), dtype=np.float64)

    def taken(self, twice: Sequence[Overlap], weights: Sequence[Floats]) -> Floats:
        """Per pattern, what overlaps take."""
        if not twice:
            return np.zeros(self.cells.shape[0])
        each = [np.where(level == NONE, 0.0, w[level]) for level, w in zip(self.levels, weights, strict=True)]
        return np.asarray(sum(o.taken(self.levels, each) for o in twice), dtype=np.float64)


@dataclass
class _State:
    """What a round goes on from. `seeds`: per kind, the comparisons in which it always differs."""

    m: list[Floats]
    matches: float
    kinds: list[Kind]
    seeds: list[tuple[int, ...]]
    twice: list[Overlap]


class _Learner:
    """EM on the patterns of candidates: `found`, among `pairs` pairs in all, of which the others are no matches."""

    def __init__(
        self, found: Patterns, everybody: Sequence[Floats], pairs: int, among: Patterns | Sampled | None
    ) -> None:
        self.found, self.everybody, self.pairs, self.among = found, everybody, max(pairs, 1), among
        self.counts = [len(e) for e in everybody]
        self.ends = np.cumsum(self.counts)[:-1]
        self.weight = found.pairs.astype(np.float64)
        self.table = _Table(found.levels, self.counts)
        self.drawn = _Table(among.levels, self.counts) if among is not None else None

    def u(self, state: _State) -> list[Floats]:
        return [strangers(e, state.m[k], state.matches) for k, e in enumerate(self.everybody)]

    def odds(self, table: _Table, state: _State) -> Floats:
        """Classes × patterns: log odds, over pairs like a customer's own, of those, of strangers and of every kind."""
        w = [level_weights(m, u) for m, u in zip(state.m, self.u(state), strict=True)]
        prior = float(np.log(state.matches / (1 - state.matches)))
        total = prior + table.total(w) - table.taken(state.twice, w)
        kinds = [kind.ratio + table.total(_by_level(kind, w)) for kind in state.kinds]
        return np.stack([np.zeros(len(total)), -total, *kinds])

    def measure(self, state: _State, own: Floats) -> None:
        """Overlaps anew; `own`: pairs per pattern that are like a customer's own."""
        if self.among is not None and self.drawn is not None:
            apart = _probability(self.odds(self.drawn, state))[1]
            state.twice = overlaps(self.among, apart, (self.found.levels, own), self.counts)

    def round(self, state: _State, hold: float) -> Floats:
        """One round; the probability of every class (classes × patterns). `hold`: made-up matches per match."""
        chance = _probability(self.odds(self.table, state))
        mass = chance * self.weight
        own = max(float(mass[0].sum()), 1e-9)
        counted = np.split(np.asarray(self.table.back @ mass.T), self.ends)
        w = [level_weights(m, u) for m, u in zip(state.m, self.u(state), strict=True)]
        state.kinds = [
            Kind(kind.same, float(np.log((mass[2 + i].sum() + 1e-9) / own)), self._shared(kind, w, counted, i, seed))
            for i, (kind, seed) in enumerate(zip(state.kinds, state.seeds, strict=True))
        ]
        sure = np.log(np.maximum(chance[0], 1e-300)) - np.log(np.maximum(1 - chance[0], 1e-300))
        state.m = [
            _held(self._counted(k, mass[0] * (sure > w[k][np.maximum(level, 0)] * (level != NONE))), hold)
            for k, level in enumerate(self.table.levels)
        ]
        state.matches = float(np.clip(own / self.pairs, 1e-12, 0.5))
        return chance

    def _counted(self, comparison: int, mass: Floats) -> Floats:
        level = self.table.levels[comparison]
        there = level != NONE
        counted = np.bincount(level[there], weights=mass[there], minlength=self.counts[comparison])
        return counted.astype(np.float64)

    def _shared(
        self, kind: Kind, w: Sequence[Floats], counted: Sequence[Floats], number: int, seed: tuple[int, ...]
    ) -> Floats:
        """How often each comparison is shared in a kind: where it is alike, sharing is the more likely reason."""
        found = np.empty(len(w))
        for k, (weights, count) in enumerate(zip(w, counted, strict=True)):
            a, mass = float(kind.shared[k]), count[:, 2 + number]
            reason = a / (a + (1 - a) * np.exp(-weights))
            found[k] = (float((mass * reason).sum()) + 0.5) / (float(mass.sum()) + 1.0)
        found[list(seed)] = 0.0
        return np.clip(found, NEVER, 1 - NEVER)


def learn(
    found: Patterns,
    everybody: Sequence[Floats],
    pairs: int,
    matches: float,
    rounds: int = ROUNDS,
    among: Patterns | Sampled | None = None,
    traits: Traits | None = None,
) -> Learned:
    """EM over the agreement patterns of candidates, among `pairs` pairs in all, of which the others are no matches.

    everybody   share of each level among random pairs, per comparison: u and, as `matches` of them are, m
    matches     share of all pairs that are matches, before the first round
    among       patterns of random pairs, to find overlaps in; None: comparisons are taken as independent
    traits      of the comparisons, to tell kinds of pairs; None: there are matches and strangers only
    """
    learner = _Learner(found, everybody, pairs, among)
    several = range(len(everybody)) if traits is not None and len(everybody) > 1 else range(0)
    kinds = [Kind(False, -float(np.log(len(everybody))), _half(len(everybody), k)) for k in several]
    state = _State([first_m(n) for n in learner.counts], matches, kinds, [(k,) for k in several], [])
    learner.measure(state, np.zeros(len(found.pairs)))
    if traits is not None and kinds:
        for number in range(KIND_ROUNDS):
            chance = learner.round(state, HOLD**number)
            if number < TREE_ROUNDS and number % TREE_EVERY == 0:
                learner.measure(state, chance[0] * learner.weight)
            if number + 1 in WEEDED:
                _weed(state)
        _settle(learner, state, traits)
    for number in range(rounds):
        chance = learner.round(state, 0.0 if kinds else HOLD**number)
        if number < TREE_ROUNDS and number % TREE_EVERY == 0:
            learner.measure(state, chance[0] * learner.weight)
    chance = _probability(learner.odds(learner.table, state))
    one = chance[0] + sum(
        (chance[2 + i] for i, kind in enumerate(state.kinds) if kind.same), np.zeros(len(found.pairs))
    )
    return Learned(tuple(state.m), tuple(learner.u(state)), state.matches, one, tuple(state.twice), tuple(state.kinds))


def _half(comparisons: int, seed: int) -> Floats:
    """What a kind shares before the first round."""
    return np.where(np.arange(comparisons) == seed, NEVER, 0.5)


def _by_level(kind: Kind, weights: Sequence[Floats]) -> list[Floats]:
    return [np.log(a + (1 - a) * np.exp(-w)) for a, w in zip(kind.shared, weights, strict=True)]


def _probability(odds: Floats) -> Floats:
    """The probability of every class (first axis) from log odds."""
    likely = np.exp(odds - odds.max(axis=0))
    return np.asarray(likely / likely.sum(axis=0), dtype=np.float64)


def _held(counted: Floats, hold: float) -> Floats:
    """Shares of levels, with `hold` made-up matches per match seen."""
    total, count = float(counted.sum()), len(counted)
    made_up = hold * total * first_m(count)
    return np.asarray((counted + made_up + 0.5) / (total * (1 + hold) + 0.5 * count), dtype=np.float64)


def _weed(state: _State) -> None:
    """Drop kinds that are rare or like another with more pairs."""
    order = sorted(range(len(state.kinds)), key=lambda i: (-state.kinds[i].ratio, i))
    kept: list[int] = []
    for i in order:
        alike = (np.abs(state.kinds[i].shared - state.kinds[j].shared).max() < ALIKE for j in kept)
        if state.kinds[i].ratio >= np.log(FEW) and not any(alike):
            kept.append(i)
    state.kinds = [state.kinds[i] for i in sorted(kept)]
    state.seeds = [state.seeds[i] for i in sorted(kept)]


def _settle(learner: _Learner, state: _State, traits: Traits) -> None:
    """Decide which kinds are of one customer; those that m can tell by itself become part of it."""
    chance = _probability(learner.odds(learner.table, state))
    depends = _dependent(traits, state, learner)
    own = chance[0].copy()
    kept: list[int] = []
    for i, kind in enumerate(state.kinds):
        one = verdict(kind.shared, kind.ratio, state.m, depends, traits.dates)
        if one and float((1 - kind.shared).sum()) < APART:
            own += chance[2 + i]
        elif one is not None:
            kept.append(i)
            state.kinds[i] = replace(kind, same=one)
    before = state.matches
    ones = np.ones(len(learner.weight))
    state.m = [shares(learner.found, k, n, own * learner.weight * ones) for k, n in enumerate(learner.counts)]
    state.matches = float(np.clip((own * learner.weight).sum() / learner.pairs, 1e-12, 0.5))
    fewer = float(np.log(before / state.matches))
    state.kinds = [replace(state.kinds[i], ratio=state.kinds[i].ratio + fewer) for i in kept]
    state.seeds = [state.seeds[i] for i in kept]
    for block in blocks(traits.dependent):
        if traits.dates.any() and not any(k.same and (k.shared[list(block)] < RARELY).all() for k in state.kinds):
            shared = np.where(np.isin(np.arange(len(learner.counts)), block), NEVER, 1 - FIRST_CHANGED)
            state.kinds.append(Kind(True, float(np.log(FIRST_CHANGED)), shared))
            state.seeds.append(block)


def _dependent(traits: Traits, state: _State, learner: _Learner) -> Flags:
    """Comparisons × comparisons: missing together, or one that brings the other's equality along."""
    found = traits.dependent.copy()
    w = [level_weights(m, u) for m, u in zip(state.m, learner.u(state), strict=True)]
    for o in state.twice:
        weaker = min(float(w[o.comparison][-1]), float(w[o.parent][-1]))
        if float(o.lift[-1, -1]) > RARELY * weaker > 0:
            found[o.comparison, o.parent] = found[o.parent, o.comparison] = True
    return found
