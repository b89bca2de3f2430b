"""What no customer may have, checked over whole arrays, and enforced link by link where it is violated.

    never        two records on a never-match list
    at_most_one  two dedupe groups of one entity           ┐ "one value at most": a column of values per node,
    never_two    two different values of an attribute      │ where the value of a dedupe group is its smallest rid
    anchored     two dedupe groups of the primary entity   ┘
    max_records  more records than the plan allows         "a ceiling"

Nodes are what is being joined: records while dedupe groups form, dedupe groups afterwards. Every limit is monotone: two
clusters that may not be joined now may not be joined later either, because clusters only grow. The order of the links
therefore decides alone, and a pair that was refused once never has to be tried again (see docs/adr/0003).
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from heapq import merge

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Ints = npt.NDArray[np.int32]
Flags = npt.NDArray[np.bool_]

NONE = -1
"""A node without a value: it clashes with nothing."""
NEVER = -1
"""`Clash.limit` of a never-override: it comes before every limit of the plan."""


@dataclass(frozen=True)
class OneValue:
    """No cluster holds two values of this column. `values`: one per node, NONE where there is none."""

    sentence: str
    values: Ints


@dataclass(frozen=True)
class Ceiling:
    """No cluster holds more records than `most`."""

    sentence: str
    most: int


@dataclass(frozen=True)
class Limits:
    """All limits over one set of nodes, in the plan's order. `sizes`: records per node; `never`: node pairs, (k, 2)."""

    checks: tuple[OneValue | Ceiling, ...]
    sizes: Ints
    never: Ints


@dataclass(frozen=True, slots=True)
class Clash:
    """Why two clusters were not joined.

    limit   place in `Limits.checks`, or NEVER
    x, y    the two values; for a ceiling the two sizes; for NEVER the place in `Limits.never`, twice
    """

    limit: int
    x: int
    y: int


def components(nodes: int, a: Ints, b: Ints) -> Ints:
    """Connected components of a graph on nodes 0..nodes-1: the smallest node of its component, per node.

    >>> components(5, np.array([3, 1]), np.array([4, 4])).tolist()
    [0, 1, 2, 1, 1]
    """
    graph = coo_array((np.ones(len(a), dtype=np.int8), (a, b)), shape=(nodes, nodes))
    count, labels = connected_components(graph, directed=False)
    smallest = np.full(count, nodes, dtype=np.int32)
    np.minimum.at(smallest, labels, np.arange(nodes, dtype=np.int32))
    answer: Ints = smallest[labels]
    return answer


def violating(limits: Limits, labels: Ints) -> Flags:
    """Which components violate a limit: one flag per node number, set at the component's label."""
    nodes = len(labels)
    bad = np.zeros(nodes, dtype=np.bool_)
    for check in limits.checks:
        if isinstance(check, Ceiling):
            bad |= np.bincount(labels, weights=limits.sizes, minlength=nodes) > check.most
            continue
        having = check.values != NONE
        least, most = np.full(nodes, np.iinfo(np.int32).max, dtype=np.int32), np.full(nodes, NONE, dtype=np.int32)
        np.minimum.at(least, labels[having], check.values[having])
        np.maximum.at(most, labels[having], check.values[having])
        bad |= (most != NONE) & (least != most)
    if len(limits.never):
        left, right = labels[limits.never[:, 0]], labels[limits.never[:, 1]]
        bad[left[left == right]] = True
    return bad


class Joining:
    """Union-find that refuses to join what a limit forbids. Holds only `nodes`: those of violating components.

    Every cluster carries its state (one value per OneValue check, its size, the never-pairs it has an end of), kept at
    the root; joining moves the smaller set of never-pairs into the larger one. A link costs O(checks), amortised.
    """

    def __init__(self, limits: Limits, nodes: Ints) -> None:
        self.limits = limits
        self._checks = limits.checks
        place = {node: i for i, node in enumerate(nodes.tolist())}
        self._place, self._nodes = place, nodes.tolist()
        self._parent = list(range(len(place)))
        self._size: list[int] = limits.sizes[nodes].tolist()
        self._values = [c.values[nodes].tolist() if isinstance(c, OneValue) else [] for c in limits.checks]
        self._never: dict[int, set[int]] = {}
        for i, (a, b) in enumerate(limits.never.tolist()):
            for node in (a, b):
                if node in place:
                    self._never.setdefault(place[node], set()).add(i)

    def root(self, node: int) -> int:
        """The cluster of a node, as an internal number."""
        at, parent = self._place[node], self._parent
        while parent[at] != at:
            parent[at] = at = parent[parent[at]]
        return at

    def clash(self, x: int, y: int) -> Clash | None:
        """The first limit that joining two clusters (by root) would violate: never, then the plan's order."""
        smaller, larger = sorted((self._never.get(x, set()), self._never.get(y, set())), key=len)
        if both := smaller & larger:
            return Clash(NEVER, min(both), min(both))
        for i, check in enumerate(self._checks):
            if isinstance(check, Ceiling):
                if self._size[x] + self._size[y] > check.most:
                    return Clash(i, self._size[x], self._size[y])
                continue
            mine, other = self._values[i][x], self._values[i][y]
            if NONE not in (mine, other) and mine != other:
                return Clash(i, mine, other)
        return None

    def join(self, a: int, b: int) -> Clash | None:
        """Join the clusters of two nodes unless a limit forbids it; returns the clash, None when they are one now."""
        x, y = self.root(a), self.root(b)
        if x == y:
            return None
        if found := self.clash(x, y):
            return found
        if self._size[x] < self._size[y]:
            x, y = y, x
        self._parent[y] = x
        self._size[x] += self._size[y]
        for values in self._values:
            if values and values[x] == NONE:
                values[x] = values[y]
        if y in self._never:
            smaller, larger = sorted((self._never.pop(y), self._never.pop(x, set())), key=len)
            larger |= smaller
            self._never[x] = larger
        return None

    def value(self, check: int | None, node: int) -> int:
        """The value of a node's cluster in a OneValue check, or NONE."""
        return NONE if check is None else self._values[check][self.root(node)]

    def full(self, node: int) -> bool:
        """Whether the cluster of a node has as many records as a ceiling allows."""
        size = self._size[self.root(node)]
        return any(isinstance(check, Ceiling) and size >= check.most for check in self._checks)

    def telling(self, nodes: Iterable[int]) -> int | None:
        """The OneValue check with the most different values among the clusters of some nodes; None without checks."""
        roots = {self.root(node) for node in nodes}
        distinct = [(len({values[root] for root in roots}), -i) for i, values in enumerate(self._values) if values]
        return -max(distinct)[1] if distinct else None

    def labels(self) -> Ints:
        """The smallest node of its cluster, per node, in the order the nodes were given (ascending)."""
        first: dict[int, int] = {}
        return np.array([first.setdefault(self.root(node), node) for node in self._nodes], dtype=np.int32)


@dataclass(frozen=True, order=True, slots=True)
class Event:
    """A link, or a key group whose members are all linked; ordered by strength.

    members   (a, b) of a link; all rids of a key group, ascending
    uppers    how many of the members are upper records; 0 = all pairs are linked (dedupe), else only upper-lower pairs.
              Upper records have the smaller rids, so they come first.
    """

    rule: int
    weakness: float
    """Minus the score: the better link comes first."""
    members: tuple[int, ...]
    uppers: int


def enforce(joining: Joining, events: Iterable[Event], node: Ints) -> dict[tuple[int, int], Clash]:
    """Insert events by strength; returns the links that were refused, with the reason at their turn.

    `node` gives the node of a record. Pairs of key groups are not in the answer: most are no links of the table.
    """
    refused: dict[tuple[int, int], Clash] = {}
    for event in sorted(events):
        if len(event.members) > 2:
            _join_group(joining, node[list(event.members)].tolist(), event.uppers)
            continue
        a, b = event.members
        found = joining.join(int(node[a]), int(node[b]))
        if found is not None:
            refused.setdefault((a, b), found)
    return refused


def _join_group(joining: Joining, nodes: list[int], uppers: int) -> None:
    """Insert all pairs of a key group in order, leaving out those that are sure to be refused.

    Each member in turn asks those after it (an upper record: all lower ones). It need not ask

    - when an earlier asker is in its cluster: that one asked everybody it could ask;
    - whoever has another value than its own in the check that tells most members apart;
    - anybody, once its cluster is full.

    So 3000 members with 3000 different values cost 3000 steps, not 4.5 million.
    """
    check = joining.telling(nodes)
    places: dict[int, list[int]] = {}
    for place in range(uppers, len(nodes)):
        places.setdefault(joining.value(check, nodes[place]), []).append(place)

    def candidates(asker: int) -> Iterator[int]:
        after = max(asker + 1, uppers)
        while after < len(nodes) and joining.value(check, nodes[asker]) == NONE:
            yield after
            after += 1
        alike = (places.get(joining.value(check, nodes[asker]), []), places.get(NONE, []))
        yield from merge(*(each[bisect_left(each, after) :] for each in alike))

    asked: set[int] = set()
    for asker in range(uppers or len(nodes) - 1):
        if joining.root(nodes[asker]) in asked:
            continue
        for place in candidates(asker):
            if joining.full(nodes[asker]):
                break
            joining.join(nodes[asker], nodes[place])
        asked.add(joining.root(nodes[asker]))
        if not uppers and NONE in places:  # whoever has spoken need not be asked: it asked this one already
            places[NONE] = [place for place in places[NONE] if joining.root(nodes[place]) not in asked]
