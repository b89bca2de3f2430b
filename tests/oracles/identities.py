"""Customers that merge, split and go, told in plain dicts: what the heirs of everybody are, by following each alone."""

import random
from dataclasses import dataclass, field

SAME, MERGED, SPLIT, RETIRED = "same", "merged", "split", "retired"


@dataclass
class World:
    """Customers of one generation, and what was done to them since: rows of (kind, who, heir)."""

    dice: random.Random
    alive: set[int] = field(default_factory=set)
    next_ordinal: int = 0

    def found(self, many: int) -> None:
        """New customers."""
        for _ in range(many):
            self.alive.add(self.next_ordinal)
            self.next_ordinal += 1

    def generation(self) -> list[tuple[str, int, int | None]]:
        """One run: some are merged into survivors, some go, any may leave a part behind that is somebody new."""
        changes: list[tuple[str, int, int | None]] = []
        survivors = sorted(who for who in self.alive if self.dice.random() < 0.8)
        for who in sorted(self.alive - set(survivors)):
            if survivors and self.dice.random() < 0.7:
                changes.append((MERGED, who, self.dice.choice(survivors)))
            else:
                changes.append((RETIRED, who, None))
        for who in sorted(self.alive):
            for _ in range(self.dice.choice((0, 0, 0, 0, 1, 2))):
                changes.append((SPLIT, who, self.next_ordinal))
                survivors.append(self.next_ordinal)
                self.next_ordinal += 1
        self.alive = set(survivors)
        self.found(self.dice.randrange(3))
        self.dice.shuffle(changes)
        return changes


def heirs_of(who: int, history: list[list[tuple[str, int, int | None]]]) -> set[int]:
    """Whoever holds what a customer held, followed one by one through the generations."""
    now = {who}
    for changes in history:
        after: set[int] = set()
        for one in now:
            fates = [(kind, heir) for kind, w, heir in changes if w == one]
            if not any(kind in (MERGED, RETIRED) for kind, _ in fates):
                after.add(one)
            after |= {heir for kind, heir in fates if kind != RETIRED and heir is not None}
        now = after
    return now
