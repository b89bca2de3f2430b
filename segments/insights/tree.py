"""A decision tree over coded attributes: which groups differ most in a number, or in the shares of values.

Grown greedily: always the split, of all leaves, that explains the most variance (of values: lowers Gini's impurity the
most), until there are as many leaves as wanted or every split would make too small a group. Values are split in the
order of their means, which contains the best of all splits in two sets (Fisher 1958, Breiman 1984); missing values are
one more value, and for numbers they go to the side that explains more.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from segments.insights.coded import Coded

Rows = NDArray[np.int64]
Doubles = NDArray[np.float64]
LEAST_GAIN = 1e-9
"""Of the variance there is: rounding alone must not split."""


@dataclass(frozen=True)
class Group:
    """A leaf: per attribute (its place) the codes that are in it; attributes that are not named are not asked about."""

    allowed: dict[int, frozenset[int]]
    rows: Rows


@dataclass(frozen=True)
class _Split:
    gain: float
    column: int
    left: frozenset[int]


def grow(columns: Sequence[Coded], target: Doubles, rows: Rows, *, leaves: int, smallest: int) -> list[Group]:
    """The leaves of the tree in the order of the splits, left before right.

    target     rows × 1 for a number, rows × values with 0 and 1 for values
    rows       those that the tree may look at
    smallest   rows that a group has at least
    """
    groups = [Group({}, rows)]
    total = float(((target[rows] - target[rows].mean(axis=0)) ** 2).sum()) if len(rows) else 0.0
    splits = [_best(columns, target, groups[0], smallest)]
    while len(groups) < leaves:
        gains = [-1.0 if split is None else split.gain for split in splits]
        at = gains.index(max(gains))
        split = splits[at]
        if split is None or split.gain <= LEAST_GAIN * total:
            break
        left, right = _apart(columns, groups[at], split)
        groups[at : at + 1] = [left, right]
        splits[at : at + 1] = [_best(columns, target, left, smallest), _best(columns, target, right, smallest)]
    return groups


def _apart(columns: Sequence[Coded], group: Group, split: _Split) -> tuple[Group, Group]:
    column = columns[split.column]
    here = group.allowed.get(split.column, frozenset(range(column.bins)))
    goes_left = np.isin(column.codes[group.rows], sorted(split.left))
    left = {**group.allowed, split.column: here & split.left}
    right = {**group.allowed, split.column: here - split.left}
    return Group(left, group.rows[goes_left]), Group(right, group.rows[~goes_left])


def _best(columns: Sequence[Coded], target: Doubles, group: Group, smallest: int) -> _Split | None:
    """The split that gains most; of equal ones the first attribute's."""
    best: _Split | None = None
    if len(group.rows) < 2 * smallest:
        return None
    values = target[group.rows]
    for place, column in enumerate(columns):
        codes = column.codes[group.rows]
        counts = np.bincount(codes, minlength=column.bins).astype(np.float64)
        sums = np.array([np.bincount(codes, weights=v, minlength=column.bins) for v in values.T], dtype=np.float64).T
        here = sorted(group.allowed.get(place, frozenset(range(column.bins))))
        for order in _orders(column, counts, sums, here):
            found = _cut(order, counts, sums, smallest)
            if found is not None and (best is None or found[0] > best.gain):
                best = _Split(found[0], place, frozenset(found[1]))
    return best


def _orders(column: Coded, counts: Doubles, sums: Doubles, here: Sequence[int]) -> list[list[int]]:
    """Orders of codes, each to be cut in two: of numbers their own, with missing values first or last."""
    if column.ordered:
        missing = column.bins - 1
        rest = [x for x in here if x != missing]
        return [[missing, *rest], [*rest, missing]] if missing in here else [rest]
    full = [x for x in here if counts[x] > 0]
    empty = [x for x in here if counts[x] == 0]  # nobody to learn from: they go to the right
    means = sums[full] / counts[full, None]
    return [[full[i] for i in np.lexsort((np.array(full), means[:, k]))] + empty for k in range(sums.shape[1])]


def _cut(order: Sequence[int], counts: Doubles, sums: Doubles, smallest: int) -> tuple[float, list[int]] | None:
    """The best place to cut an order, and its left side; None when one side would be too small everywhere."""
    if len(order) < 2:
        return None
    n, s = np.cumsum(counts[list(order)]), np.cumsum(sums[list(order)], axis=0)
    left, right = n[:-1], n[-1] - n[:-1]
    possible = (left >= smallest) & (right >= smallest)
    if not possible.any():
        return None
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = (s[:-1] ** 2).sum(axis=1) / left + ((s[-1] - s[:-1]) ** 2).sum(axis=1) / right
    gain = np.where(possible, gain - float((s[-1] ** 2).sum()) / n[-1], -np.inf)
    at = int(gain.argmax())
    return float(gain[at]), list(order[: at + 1])
