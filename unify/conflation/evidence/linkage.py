"""Groups of records that are one customer on average, not through a chain of pairs.

Components over pairs of positive weight are taken apart by average linkage (UPGMA): records join, the surest first, as
long as the average weight of all pairs between two groups reaches the threshold. One wrong pair then joins nobody,
when the other pairs of the two groups speak against it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

from unify.conflation.evidence.values import Flags, Floats, Ints

CAP = 12.0
"""No pair weighs more, for or against, when averages are taken: e^12 is odds of 160,000 to 1."""
LARGEST = 400
"""Records of one component that are compared with each other, all with all: 80,000 pairs."""
STEP = 2.0
"""Components above LARGEST are looked at without their weaker pairs, so much at a time."""
TOGETHER = 1_000_000
"""Pairs inside components that are weighed at one time."""


@dataclass(frozen=True)
class Inside:
    """All pairs inside some components, component after component: places of records, and the component's records."""

    components: list[Ints]
    left: Ints
    right: Ints


@dataclass(frozen=True)
class Linked:
    """Groups that came out: a label per record, and the pairs inside groups with their weights."""

    labels: Ints
    left: Ints
    right: Ints
    weight: Floats


def components(records: int, left: Ints, right: Ints) -> Ints:
    """The component of every record."""
    graph = coo_matrix((np.ones(len(left), dtype=np.int8), (left, right)), shape=(records, records))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)


def small_components(records: int, left: Ints, right: Ints, weight: Floats) -> Ints:
    """Components over positive pairs; those above LARGEST fall apart at ever higher weights, until none is left."""
    kept = weight > 0
    left, right, weight = left[kept], right[kept], weight[kept]
    bound = 0.0
    while True:
        labels = components(records, left, right)
        large = np.bincount(labels, minlength=records)[labels] > LARGEST
        if not large.any():
            return labels
        bound += STEP
        stays = ~large[left] | (weight > bound)
        left, right, weight = left[stays], right[stays], weight[stays]


def inside(labels: Ints) -> Iterator[Inside]:
    """All pairs inside each component of two or more, in portions of about TOGETHER."""
    order = np.argsort(labels, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(labels[order]) != 0])
    several = [c for c in np.split(order, starts[1:]) if len(c) > 1]
    portion: list[Ints] = []
    pairs = 0
    for component in several:
        portion.append(component)
        pairs += len(component) * (len(component) - 1) // 2
        if pairs > TOGETHER:
            yield _all_pairs(portion)
            portion, pairs = [], 0
    if portion:
        yield _all_pairs(portion)


def _all_pairs(several: list[Ints]) -> Inside:
    corner = {n: np.triu_indices(n, 1) for n in {len(c) for c in several}}
    left = np.concatenate([c[corner[len(c)][0]] for c in several])
    right = np.concatenate([c[corner[len(c)][1]] for c in several])
    return Inside(several, left, right)


def average(weight: Floats, records: int) -> Floats:
    """The joins of one component, as scipy gives them (records - 1 rows); distance is CAP - average weight."""
    return np.asarray(linkage(CAP - np.clip(weight, -CAP, CAP), "average"), dtype=np.float64)


def cut(several: list[Ints], weight: Floats, at_least: float) -> list[Ints]:
    """Per component, the group of each of its records (1, 2, ...): those that average linkage joins at `at_least`."""
    found, start = [], 0
    for component in several:
        n = len(component)
        own = weight[start : start + n * (n - 1) // 2]
        start += n * (n - 1) // 2
        if n == 2:
            found.append(np.array([1, 1] if min(own[0], CAP) >= at_least else [1, 2]))
        else:
            found.append(fcluster(average(own, n), CAP - at_least, "distance").astype(np.int64))
    return found


def group(
    records: int, left: Ints, right: Ints, weight: Floats, at_least: float, weigh: Callable[[Ints, Ints], Floats]
) -> Linked:
    """Take components apart. `weigh` gives the weight of any pair of records; `at_least` is the log odds of a group."""
    labels = small_components(records, left, right, weight)
    final = np.arange(records, dtype=np.int64)
    kept: list[tuple[Ints, Ints, Floats]] = []
    for portion in inside(labels):
        weights = weigh(portion.left, portion.right)
        groups = cut(portion.components, weights, at_least)
        for component, numbers in zip(portion.components, groups, strict=True):
            smallest = np.full(int(numbers.max()) + 1, records, dtype=np.int64)
            np.minimum.at(smallest, numbers, component)
            final[component] = smallest[numbers]
        one: Flags = final[portion.left] == final[portion.right]
        kept.append((portion.left[one], portion.right[one], weights[one]))
    empty = np.empty(0, dtype=np.int64)
    a, b, w = (np.concatenate(x) for x in zip(*kept, strict=True)) if kept else (empty, empty, np.empty(0))
    return Linked(final, a, b, w)
