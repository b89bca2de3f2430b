"""What each level of each comparison says, learned without labels.

    m    share of a customer's own pairs of records at a level, given that both have a value
    u    share of pairs of strangers at a level
    weight of a level = log(m / u); weights of comparisons add up, from the prior on

u comes from random pairs, less the matches among them. m comes from EM (expectation maximisation) over the agreement
patterns of the candidates; all other pairs are taken for strangers. Beside matches and strangers there may be kinds of
pairs that share some comparisons and not others (kinds.py): candidates were chosen for agreeing, so households and
namesakes are many among them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unify.conflation.evidence.kinds import Kind, traits
from unify.conflation.evidence.learning import ROUNDS, Learned, learn
from unify.conflation.evidence.overlaps import Overlap
from unify.conflation.evidence.patterns import (
    CHUNK,
    Patterns,
    all_pairs,
    first_m,
    level_weights,
    patterns,
    probability,
    random_pairs,
    sampled,
    shares,
    strangers,
)
from unify.conflation.evidence.values import Compared, Flags, Floats, Ints

__all__ = [
    "CHUNK",
    "FIRST_GUESS",
    "FIRST_MATCHES",
    "ROUNDS",
    "Learned",
    "Model",
    "Patterns",
    "all_pairs",
    "first_m",
    "fit",
    "learn",
    "level_weights",
    "patterns",
    "probability",
    "random_pairs",
    "shares",
    "strangers",
]

FIRST_MATCHES = 0.5
"""Matches per record before the first round."""
FIRST_GUESS = 0.1
"""Share of matches among all pairs before the first round, at most."""


STUDIED = 1_000_000
"""Candidates that EM learns from, about; of more, every so many-th."""


@dataclass(frozen=True)
class Model:
    """m and u per comparison and level, and the prior log odds that a pair of records is one customer."""

    m: tuple[Floats, ...]
    u: tuple[Floats, ...]
    prior: float
    overlaps: tuple[Overlap, ...] = ()
    kinds: tuple[Kind, ...] = ()

    def weight(self, comparison: int) -> Floats:
        """Log(m / u) per level; a higher level never weighs less than a lower one."""
        return level_weights(self.m[comparison], self.u[comparison])


@dataclass(frozen=True)
class Drawn:
    """The records at hand are a part of all: `records` in all, of which `seeds` (flags) were drawn by lot.

    The others were added because they share something with a seed, so only pairs with a seed are as among all.
    """

    seeds: Flags
    records: int


def fit(
    values: Sequence[Compared],
    left: Ints,
    right: Ints,
    lower: Flags | None,
    drawn: Drawn | None = None,
    found: Patterns | None = None,
) -> tuple[Model, Patterns, Learned]:
    """The model of these records, from their candidate pairs; with `drawn`, from those with a seed in them.

    found   the candidates' patterns where they are known
    """
    counts = [v.levels for v in values]
    if drawn is None:
        records = len(values[0].codes)
        pairs = all_pairs(records, lower)
        among = sampled(values, *random_pairs(records, lower), lower)
    else:
        records, chosen = drawn.records, np.flatnonzero(drawn.seeds)
        pairs = all_pairs(records, None) - all_pairs(records - len(chosen), None)
        one, other = random_pairs(len(chosen), None)
        among = sampled(values, chosen[one], chosen[other], lower, drawn.seeds)
    found = _studied(values, left, right) if found is None else found
    everybody = [shares(among, k, n, among.pairs.astype(np.float64)) for k, n in enumerate(counts)]
    guess = min(FIRST_GUESS, FIRST_MATCHES * records / max(all_pairs(records, lower), 1))
    learned = learn(found, everybody, pairs, guess, among=among, traits=traits(values))
    prior = float(np.log(learned.matches / (1 - learned.matches)))
    return Model(learned.m, learned.u, prior, learned.overlaps, learned.kinds), found, learned


def _studied(values: Sequence[Compared], left: Ints, right: Ints) -> Patterns:
    """Patterns of the candidates; when there are many, of every so many-th, counted for the others too."""
    step = step_of(len(left))
    found, _ = patterns(values, left[::step], right[::step])
    return Patterns(found.levels, found.pairs * step)


def step_of(candidates: int) -> int:
    """EM learns from every so many-th of these candidates."""
    return max(1, -(-candidates // STUDIED))
