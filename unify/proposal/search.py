"""Rules that find much and are rarely wrong, looked for among conjunctions of conditions.

A condition is a level of a comparison: equal, or alike; an exception is a comparison that differs. How many pairs a
conjunction links, and how many of them are expected to be one customer, is counted over the agreement patterns of the
pairs that were studied. Rules are taken one by one, the one that adds most to those taken before first.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from unify.conflation.evidence.values import NONE, Flags, Floats, Levels
from unify.proposal.study import Studied

ALIKE = 0.8
"""Similarity from which two values are alike."""
CONDITIONS = 4
"""Of one rule, at most."""
RULES = 10
"""At most."""
ADDS = 0.002
"""Share of all matches that a rule must add to those before it."""
NEARLY = 0.95
"""Of rules that add nearly as much as the best one, the one that strangers are least likely to pass is taken."""
JOINED = 50
"""Pairs a record that a rule may look at: what is equal is joined, the other conditions are tried on the pairs."""
WIDENED = 400
"""Conjunctions that are tried with one more condition, those that find most first."""


@dataclass(frozen=True)
class Condition:
    """`attribute` (by number) is equal, or alike; as an exception (`differs`) it has two values that are not so."""

    attribute: int
    equal: bool
    differs: bool = False


@dataclass(frozen=True)
class Found:
    """A rule, and what it is estimated at, of all matches and of the pairs that were studied.

    precision   share of its pairs that are one customer
    finds       share of all matches that are among its pairs
    adds        share of all matches that are among its pairs and no earlier rule's
    pairs       that it links, among all records
    """

    conditions: tuple[Condition, ...]
    precision: float
    finds: float
    adds: float
    pairs: float


class Search:
    """Looks for rules over the patterns of `studied`."""

    def __init__(self, studied: Studied, floor: float, usable: Sequence[int]) -> None:
        """`floor`: the precision that every rule must have; `usable`: numbers of attributes that may be asked for."""
        self.studied, self.floor, self.usable = studied, floor, usable
        self.pairs = studied.patterns.pairs.astype(np.float64)
        self.mass = studied.mass
        self.total = max(float(self.mass.sum()), 1e-9)
        self.joined: dict[tuple[int, ...], float] = {}
        self.holds = {c: self._holds(c) for k in usable for c in self._conditions(k)}

    def rules(self) -> list[Found]:
        """The rules, the surest first."""
        tried = self._tried()
        chosen: list[tuple[Condition, ...]] = []
        covered = np.zeros(len(self.pairs), dtype=np.bool_)
        while tried and len(chosen) < RULES:
            gains = {}
            for conditions, where in tried.items():
                new = where & ~covered
                gain = float(self.mass[new].sum())
                if gain > ADDS * self.total and gain >= self.floor * float(self.pairs[new].sum()):
                    gains[conditions] = gain
            if not gains:
                break
            enough = NEARLY * max(gains.values())
            best = max((c for c, gain in gains.items() if gain >= enough), key=self._strength)
            chosen.append(best)
            covered |= tried.pop(best)
        return self._estimated(chosen)

    def _strength(self, conditions: tuple[Condition, ...]) -> tuple[float, int, list[tuple[int, bool]]]:
        """How unlikely strangers pass, in bits, exceptions aside; then the fewer conditions the better."""
        asked = [c for c in conditions if not c.differs]
        bits = -sum(float(np.log2(self.studied.model.u[c.attribute][self._least(c) :].sum())) for c in asked)
        return bits, -len(conditions), [(-c.attribute, c.equal) for c in conditions]

    def _conditions(self, k: int) -> Iterator[Condition]:
        yield Condition(k, equal=True)
        if self._fuzzy(k):
            yield Condition(k, equal=False)

    def _fuzzy(self, k: int) -> bool:
        """Texts may be alike; of dates and numbers nobody knows what is near."""
        return bool(self.studied.attributes[k].normalize)

    def _level(self, k: int) -> Levels:
        return self.studied.patterns.levels[:, k]

    def _holds(self, condition: Condition) -> Flags:
        level, least = self._level(condition.attribute), self._least(condition)
        if condition.differs:
            return np.asarray((level != NONE) & (level < least), dtype=np.bool_)
        return np.asarray(level >= least, dtype=np.bool_)

    def _least(self, condition: Condition) -> int:
        """The lowest level at which two values are equal, or alike."""
        values = self.studied.values[condition.attribute]
        return values.levels - 1 if condition.equal else 1 + int(np.searchsorted(values.cuts, ALIKE - 1e-9))

    def _tried(self) -> dict[tuple[Condition, ...], Flags]:
        """Conjunctions that are precise enough, with the patterns they hold for."""
        kept: dict[tuple[Condition, ...], Flags] = {}
        level: dict[tuple[Condition, ...], Flags] = {(c,): h for c, h in self.holds.items()}
        for size in range(1, CONDITIONS + 1):
            wide = []
            for conditions, where in level.items():
                found, linked = float(self.mass[where].sum()), float(self.pairs[where].sum())
                if found <= ADDS * self.total:
                    continue
                if self._joins(conditions) and found >= self.floor * linked:
                    kept[conditions] = where
                else:
                    wide.append((found, conditions, where))
                    if self._joins(conditions) and (excepted := self._excepted(conditions, where)) is not None:
                        kept[excepted[0]] = excepted[1]
            if size == CONDITIONS:
                break
            wide.sort(key=lambda w: (-w[0], [(c.attribute, not c.equal) for c in w[1]]))
            level = {}
            for _, conditions, where in wide[:WIDENED]:
                for condition, holds in self.holds.items():
                    if condition.attribute > conditions[-1].attribute:
                        level[*conditions, condition] = where & holds
        return kept

    def _excepted(self, conditions: tuple[Condition, ...], where: Flags) -> tuple[tuple[Condition, ...], Flags] | None:
        """The conjunction with the one exception that makes it precise enough and loses least; None: none does."""
        best: tuple[float, Condition, Flags] | None = None
        asked = {c.attribute for c in conditions}
        for k in self.usable:
            if k in asked:
                continue
            for equal in (True, False) if self._fuzzy(k) else (True,):
                exception = Condition(k, equal, differs=True)
                stays = where & ~self._holds(exception)
                found, linked = float(self.mass[stays].sum()), float(self.pairs[stays].sum())
                if found > ADDS * self.total and found >= self.floor * linked and (best is None or found > best[0]):
                    best = found, exception, stays
        return ((*conditions, best[1]), best[2]) if best else None

    def _joins(self, conditions: Sequence[Condition]) -> bool:
        """Whether what is equal brings few enough records together: at most JOINED pairs a record."""
        equal = tuple(c.attribute for c in conditions if c.equal and not c.differs)
        if equal not in self.joined:
            self.joined[equal] = self._pairs_joined(equal) if equal else np.inf
        return self.joined[equal] <= JOINED * self.studied.records

    def _pairs_joined(self, equal: tuple[int, ...]) -> float:
        """Pairs of all records that agree in these attributes, from how many of the records drawn do."""
        columns = [self.studied.drawn[k] for k in equal]
        there = np.logical_and.reduce([c >= 0 for c in columns])
        _, sizes = np.unique(np.stack([c[there] for c in columns], axis=1), axis=0, return_counts=True)
        return float((sizes * (sizes - 1) // 2).sum()) * (self.studied.records / self.studied.seeds) ** 2

    def where(self, conditions: Sequence[Condition]) -> Flags:
        """The patterns for which a conjunction holds."""
        every = [~self._holds(c) if c.differs else self._holds(c) for c in conditions]
        return np.asarray(np.logical_and.reduce(every), dtype=np.bool_)

    def _estimated(self, chosen: list[tuple[Condition, ...]]) -> list[Found]:
        holding = {c: self.where(c) for c in chosen}
        sure = {c: float(self.mass[w].sum()) / max(float(self.pairs[w].sum()), 1e-9) for c, w in holding.items()}
        order = sorted(chosen, key=lambda c: (-round(sure[c], 4), chosen.index(c)))
        covered = np.zeros(len(self.pairs), dtype=np.bool_)
        found = []
        for conditions in order:
            where = holding[conditions]
            new = float(self.mass[where & ~covered].sum())
            covered |= where
            found.append(
                Found(conditions, sure[conditions], float(self.mass[where].sum()) / self.total, new / self.total,
                      float(self.pairs[where].sum()) * self.studied.scale)
            )  # fmt: skip
        return found


def informative(studied: Studied) -> Floats:
    """Per attribute, bits that its comparison is expected to say about two records of one customer."""
    said = []
    for m, u in zip(studied.model.m, studied.model.u, strict=True):
        said.append(float((m * np.log2(m / u)).sum()))
    return np.array(said)
