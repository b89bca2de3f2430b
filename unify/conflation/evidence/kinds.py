"""Kinds of pairs besides those of one customer and of strangers: people of one household, customers who moved.

A kind shares each comparison with a probability of its own. What is shared is as alike as in pairs of one customer
(level by m); what is not shared is as alike as strangers have it (level by u). A household shares its address nearly
always, its last name and telephone often, first name and birth date hardly ever; a customer who moved shares all but
the address. Kinds are found by EM beside m; each is then of one customer (`same`) or of different ones:

    different   two things differ that do not depend on each other, a date among them; or so many pairs are of this kind
                that a customer's own pairs would contradict each other all the time
    same        everything else; what a level of m can say by itself (one comparison differs) is no kind

Of a pair with weight W (log odds of one customer, over strangers) and the weights w of its comparisons

    log odds of a kind, over pairs like a customer's own:   ratio + sum of log(shared + (1 - shared) · e^-w)
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse.csgraph import connected_components

from unify.conflation.evidence.values import Compared, Flags, Floats

NEVER = 0.001
"""The least probability that something is shared, and 1 - NEVER the most."""
RARELY = 0.5
"""Shared less often than this, a comparison is one in which a kind differs."""
APART = 1.5
"""Different people differ in so many independent things at least, counted by how often they do."""
TOO_MANY = 0.25
"""So many pairs of a kind per pair like a customer's own cannot be mistakes."""
SAYS = 0.5
"""m of equality from which a date tells people apart; one that differs between records of a customer does not."""
DEPENDS = 0.5
"""Two comparisons depend on each other when they lack values together that often, or when equality of one brings the
other's along with this share of its weight."""
FEW_MISSING = 20
"""Records that lack a value, from which it says something that another is missing too."""
DATES = re.compile(r"\d{4}[-/.]?\d{2}[-/.]?\d{2}( .*|t.*)?|\d{1,2}[-/.]\d{1,2}[-/.]\d{4}")


@dataclass(frozen=True)
class Kind:
    """One kind of pairs.

    same     of one customer
    ratio    log of how many such pairs there are per pair like a customer's own
    shared   per comparison, the probability that both have it from the same place
    """

    same: bool
    ratio: float
    shared: Floats

    def against(self, weights: Sequence[Floats]) -> Floats:
        """Log odds of this kind over pairs like a customer's own, from the weights of all comparisons."""
        parts = (log_shared(float(a), w) for a, w in zip(self.shared, weights, strict=True))
        return np.asarray(self.ratio + sum(parts), dtype=np.float64)


@dataclass(frozen=True)
class Traits:
    """What decides whether a kind is of one customer.

    dates        per comparison, whether most values are dates
    dependent    comparisons × comparisons: whether the two are missing together
    """

    dates: Flags
    dependent: Flags


def log_shared(shared: float, weight: Floats) -> Floats:
    """Log of how likely a comparison's level is in a kind, over how likely in a customer's own pairs."""
    return np.asarray(np.log(shared + (1 - shared) * np.exp(-weight)), dtype=np.float64)


def traits(values: Sequence[Compared]) -> Traits:
    """Traits of comparisons, from their values."""
    missing = [(v.codes < 0).all(axis=1) for v in values]
    dependent = np.eye(len(values), dtype=np.bool_)
    for i, one in enumerate(missing):
        for j, other in enumerate(missing[:i]):
            most = max(int(one.sum()), int(other.sum()))
            if most >= FEW_MISSING and int((one & other).sum()) > DEPENDS * most:
                dependent[i, j] = dependent[j, i] = True
    return Traits(np.array([_dates(v) for v in values], dtype=np.bool_), dependent)


def _dates(values: Compared) -> bool:
    """Whether most of a thousand values, evenly spread, are dates."""
    sample = values.texts[:: max(1, len(values.texts) // 1000)]
    return 2 * sum(DATES.fullmatch(text) is not None for text in sample) > len(sample)


def combined(total: Floats, kinds: Sequence[Kind], weights: Sequence[Floats]) -> tuple[Floats, Floats]:
    """What kinds of one customer add to the weight of a pair (0 or more), and what others take away (0 or less).

    total   weight of each pair without kinds
    """
    one, rest = np.zeros(len(total)), -total
    for kind in kinds:
        odds = kind.against(weights)
        if kind.same:
            one = np.logaddexp(one, odds)
        else:
            rest = np.logaddexp(rest, odds)
    return np.asarray(one, dtype=np.float64), np.asarray(-total - rest, dtype=np.float64)


def verdict(shared: Floats, ratio: float, m: Sequence[Floats], depends: Flags, dates: Flags) -> bool | None:
    """Whether pairs of a kind are of one customer; None: nobody can tell. `depends`: comparisons × comparisons."""
    telling = dates & np.array([own[-1] > SAYS for own in m], dtype=np.bool_)
    apart = differs_in(shared, depends)
    if telling.any():
        return not (bool((telling & (shared < RARELY)).any()) and apart >= APART)
    if float(np.exp(ratio)) > TOO_MANY:
        return False
    return True if apart < APART else None


def differs_in(shared: Floats, depends: Flags) -> float:
    """In how many things a kind differs; things that depend on each other are one."""
    together = blocks(depends)
    alone = set(range(len(shared))) - {k for block in together for k in block}
    return float(sum(1 - shared[list(block)].max() for block in [*together, *((k,) for k in sorted(alone))]))


def blocks(depends: Flags) -> list[tuple[int, ...]]:
    """Comparisons that depend on each other, directly or not: groups of two and more, in order."""
    count, label = connected_components(depends, directed=False)
    groups = [tuple(np.flatnonzero(label == one).tolist()) for one in range(count)]
    return [group for group in groups if len(group) > 1]
