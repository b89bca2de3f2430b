"""What a pair of records weighs: the prior, and per comparison the weight of its level and of the value's rarity.

Weights are natural logarithms of odds here, and powers of two (bits) for people.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unify.conflation.evidence.kinds import combined
from unify.conflation.evidence.levels import levels
from unify.conflation.evidence.model import Model
from unify.conflation.evidence.values import NONE, Codes, Compared, Floats, Ints, Levels

RARE = 5
"""A value on fewer records counts as if it were on so many: nobody knows how rare it is, and its records may be one
customer's."""
RARER = 20
"""No value counts as more than so many times rarer than the average agreement."""


@dataclass(frozen=True)
class Part:
    """One comparison of many pairs: level (NONE: a side has no value), the value both hold, weight, rarity, overlap.

    overlap   taken away because another comparison already says part of it: 0 or less
    """

    level: Levels
    agreed: Codes
    weight: Floats
    rarity: Floats
    overlap: Floats


class Scorer:
    """Weighs pairs of records: `Scorer(values, model).weigh(left, right)`."""

    def __init__(self, values: Sequence[Compared], model: Model) -> None:
        self.values, self.model = values, model
        self.rarity = [_rarity(v, float(model.u[k][-1])) for k, v in enumerate(values)]

    def parts(self, left: Ints, right: Ints) -> list[Part]:
        """Every comparison of the pairs, apart."""
        made = []
        for k, values in enumerate(self.values):
            level, agreed = levels(values, left, right)
            there, equal = level != NONE, agreed != NONE
            weight, rarity = np.zeros(len(left)), np.zeros(len(left))
            weight[there] = self.model.weight(k)[level[there]]
            rarity[equal] = self.rarity[k][agreed[equal]]
            made.append(Part(level, agreed, weight, rarity, np.zeros(len(left))))
        levels_of, weights = [p.level for p in made], [p.weight + p.rarity for p in made]
        for overlap in self.model.overlaps:
            made[overlap.comparison].overlap[:] = -overlap.taken(levels_of, weights)
        return made

    def weigh(self, left: Ints, right: Ints, chunk: int = 2_000_000) -> Floats:
        """The log odds that each pair is one customer."""
        total = np.empty(len(left))
        for start in range(0, len(left), chunk):
            some = slice(start, start + chunk)
            parts = self.parts(left[some], right[some])
            alone = self.model.prior + sum(p.weight + p.rarity + p.overlap for p in parts)
            same, different = self.kinds(np.asarray(alone), parts)
            total[some] = alone + same + different
        return total

    def kinds(self, alone: Floats, parts: Sequence[Part]) -> tuple[Floats, Floats]:
        """What kinds of pairs add to weights and take from them; `alone`: the weights without them."""
        return combined(alone, self.model.kinds, [p.weight + p.rarity for p in parts])


def _rarity(values: Compared, u: float) -> Floats:
    """Per value, what is added to the weight of equality: log(u of equality / the value's own frequency)."""
    if not values.terms or not values.filled:
        return np.zeros(len(values.counts))
    frequency = np.maximum(values.counts, RARE) / values.filled
    return np.asarray(np.log(u) - np.log(np.clip(frequency, u / RARER, 1.0)), dtype=np.float64)
