"""What a pair of records weighs: the prior, and per comparison the weight of its level and of the value's rarity.

Weights are natural logarithms of odds here, and powers of two (bits) for people.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from unify.conflation.evidence.kinds import combined
from unify.conflation.evidence.levels import agreement, levels
from unify.conflation.evidence.model import Model
from unify.conflation.evidence.values import NONE, Codes, Compared, Flags, Floats, Ints, Levels

RARE = 5
"""A value on fewer records counts as if it were on so many: nobody knows how rare it is, and its records may be one
customer's."""
RARER = 20
"""No value counts as more than so many times rarer than the average agreement."""


@dataclass(frozen=True)
class Part:
    """One comparison of many pairs: level (NONE: a side has no value), the value agreed on, weight, rarity, overlap.

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

    def parts(self, left: Ints, right: Ints, known: Levels | None = None) -> list[Part]:
        """Every comparison of the pairs, apart; `known`: pairs × comparisons, their levels."""
        made = []
        for k, values in enumerate(self.values):
            if known is None:
                level, agreed = levels(values, left, right)
            else:
                level, agreed = known[:, k], agreement(values, left, right)
            there = level != NONE
            weight = np.zeros(len(left))
            weight[there] = self.model.weight(k)[level[there]]
            made.append(Part(level, agreed, weight, self._rarities(k, level, agreed), np.zeros(len(left))))
        levels_of, weights = [p.level for p in made], [p.weight + p.rarity for p in made]
        for overlap in self.model.overlaps:
            made[overlap.comparison].overlap[:] = -overlap.taken(levels_of, weights)
        return made

    def _rarities(self, comparison: int, level: Levels, agreed: Codes) -> Floats:
        """What the value agreed on adds. Of alike values a rare one adds and a common one takes nothing.

        Strangers whose values are alike hold common ones, so that is in the level's u already.
        """
        rarity = np.zeros(len(level))
        found = agreed != NONE
        rarity[found] = self.rarity[comparison][agreed[found]]
        alike = level < self.values[comparison].levels - 1
        rarity[alike] = np.maximum(rarity[alike], 0.0)
        return rarity

    def weigh(self, left: Ints, right: Ints, chunk: int = 2_000_000, known: Levels | None = None) -> Floats:
        """The log odds that each pair is one customer; `known`: pairs × comparisons, their levels."""
        total = np.empty(len(left))
        for start in range(0, len(left), chunk):
            some = slice(start, start + chunk)
            parts = self.parts(left[some], right[some], None if known is None else known[some])
            alone = self.model.prior + sum(p.weight + p.rarity + p.overlap for p in parts)
            same, different = self.kinds(np.asarray(alone), parts)
            total[some] = alone + same + different
        return total

    def kinds(self, alone: Floats, parts: Sequence[Part]) -> tuple[Floats, Floats]:
        """What kinds of pairs add to weights and take from them; `alone`: the weights without them."""
        return combined(alone, self.model.kinds, [p.weight + p.rarity for p in parts])

    def weigh_above(self, left: Ints, right: Ints, least: float, chunk: int = 1_000_000) -> Floats:
        """As `weigh`; minus infinity for pairs that do not reach `least`, most of which are never compared in full.

        What a pair can weigh at most is known from equality alone, and better with every comparison that is made:
        overlaps and kinds of different people only take away.
        """
        total = np.full(len(left), -np.inf)
        for start in range(0, len(left), chunk):
            places = start + self._within_reach(left[start : start + chunk], right[start : start + chunk], least)
            total[places] = self.weigh(left[places], right[places])
        total[total < least] = -np.inf
        return total

    def _within_reach(self, left: Ints, right: Ints, least: float) -> Ints:
        """Places of the pairs that may reach `least`: one class of pairs of one customer alone must come near it."""
        same = [kind for kind in self.model.kinds if kind.same]
        classes = [(0.0, np.ones(len(self.values))), *((kind.ratio, kind.shared) for kind in same)]
        least -= float(np.log(len(classes)))
        places = np.arange(len(left))
        most = np.full((len(classes), len(left)), self.model.prior) + np.array([[ratio] for ratio, _ in classes])
        unequal: list[Flags] = []
        best = np.zeros((len(self.values), len(left)))
        for k, values in enumerate(self.values):
            equal, there = _equality(values, left, right)
            rarest = self._rarest(k, left)
            best[k, there] = self.model.weight(k)[-2] + np.maximum(rarest[there], 0.0)
            best[k, equal] = self.model.weight(k)[-1] + rarest[equal]
            unequal.append(there & ~equal)
            for c, (_, shared) in enumerate(classes):
                most[c] += _of_class(best[k], float(shared[k]))
        for k in self._telling():
            reach = most.max(axis=0) >= least
            if not reach.all():
                places, most, best = places[reach], most[:, reach], best[:, reach]
                unequal = [u[reach] for u in unequal]
            asked = np.flatnonzero(unequal[k])
            level, agreed = levels(self.values[k], left[places[asked]], right[places[asked]])
            weight = self.model.weight(k)[level] + self._rarities(k, level, agreed)
            for c, (_, shared) in enumerate(classes):
                a = float(shared[k])
                most[c, asked] += _of_class(weight, a) - _of_class(best[k, asked], a)
        return np.asarray(places[most.max(axis=0) >= least], dtype=np.int64)

    def _rarest(self, comparison: int, rows: Ints) -> Floats:
        """The most that rarity can add to what each record's values agree with."""
        rarity, codes = self.rarity[comparison], self.values[comparison].codes[rows]
        return np.asarray(np.where(codes == NONE, -np.inf, rarity[codes]).max(axis=1), dtype=np.float64)

    def _telling(self) -> list[int]:
        """Comparisons in the order in which they tell strangers apart."""
        return sorted(range(len(self.values)), key=lambda k: (float(self.model.u[k] @ self.model.weight(k)), k))


def _equality(values: Compared, left: Ints, right: Ints) -> tuple[Flags, Flags]:
    """Whether any two values of a pair are equal, and whether both have one."""
    a, b = values.codes[left], values.codes[right]
    equal = np.zeros(len(left), dtype=np.bool_)
    for x in range(a.shape[1]):
        for y in range(b.shape[1]):
            equal |= (a[:, x] >= 0) & (a[:, x] == b[:, y])
    return equal, np.asarray((a >= 0).any(axis=1) & (b >= 0).any(axis=1), dtype=np.bool_)


def _of_class(weight: Floats, shared: float) -> Floats:
    """What a comparison weighs in a class of pairs that shares it so often."""
    if shared == 1.0:
        return weight
    return np.asarray(np.log(shared * np.exp(weight) + (1 - shared)), dtype=np.float64)


def _rarity(values: Compared, u: float) -> Floats:
    """Per value, what is added to the weight of equality: log(u of equality / the value's own frequency)."""
    if not values.terms or not values.filled:
        return np.zeros(len(values.counts))
    frequency = np.maximum(values.counts, RARE) / values.filled
    return np.asarray(np.log(u) - np.log(np.clip(frequency, u / RARER, 1.0)), dtype=np.float64)
