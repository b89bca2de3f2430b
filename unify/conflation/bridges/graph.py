"""Bridges of a graph of records: links whose removal splits a cluster, and what is on either side of each.

A key group of three records or more is one node, because all of its pairs are linked; so none of its star links is a
bridge. Over such nodes the links are a multigraph: two links between the same two groups are a way around each other.

One walk, depth first, numbers the nodes so that whatever hangs on a link of its tree is an interval. Such a link is a
bridge when no other link leaves the interval (Tarjan 1974). Sparse tables answer that for all intervals at once: no
Python per node. 1 M records with 0.7 M links take 1.5 s.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import depth_first_order

from unify.conflation.limits import Flags, Ints, components

Longs = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Bridges:
    """The bridges among links, and the walk that shows their sides.

    link         places in the arrays of links, ascending
    walk         records in the order of the walk; a cluster is an interval, and so is one side of a bridge
    start, end   that side, as an interval of `walk`, per bridge
    first, last  its whole cluster, as an interval of `walk`
    """

    link: Longs
    walk: Ints
    start: Longs
    end: Longs
    first: Longs
    last: Longs

    @property
    def inner(self) -> Longs:
        """Records on the side that is an interval."""
        return self.end - self.start

    @property
    def outer(self) -> Longs:
        """Records on the other side."""
        return (self.last - self.first) - self.inner


def bridges(records: int, a: Ints, b: Ints, hub: Ints, member: Ints) -> Bridges:
    """The bridges among the links a-b (no pair twice) of a graph on records 0..records-1.

    `hub` and `member` say which records share a key group of three or more: each member with one that stands for it.
    """
    node_of = np.unique(components(records, hub, member), return_inverse=True)[1].astype(np.int32)
    nodes = int(node_of.max()) + 1 if records else 0
    if not nodes or not len(a):
        none = np.empty(0, dtype=np.int64)
        return Bridges(none, np.arange(records, dtype=np.int32), none, none, none, none)
    x, y = node_of[a], node_of[b]
    links = np.flatnonzero(x != y)
    x, y = x[links], y[links]
    place, parent, end, first, last = _walk(nodes, x, y)
    child = np.where(parent[y] == x, y, np.where(parent[x] == y, x, -1))  # the link's lower end, if it is of the tree
    pairs = np.minimum(x, y).astype(np.int64) * nodes + np.maximum(x, y)
    _, which, times = np.unique(pairs, return_inverse=True, return_counts=True)
    single = times[which] == 1
    lonely = _nothing_leaves(nodes, place, end, x[child < 0], y[child < 0])
    found = (child >= 0) & single
    found[found] = lonely[child[found]]
    below = child[found]

    walk = np.lexsort((np.arange(records), place[node_of])).astype(np.int32)
    before = np.concatenate(([0], np.cumsum(np.bincount(place[node_of], minlength=nodes))))
    return Bridges(
        links[found], walk, before[place[below]], before[end[below]], before[first[below]], before[last[below]]
    )


def _walk(nodes: int, x: Ints, y: Ints) -> tuple[Longs, Longs, Longs, Longs, Longs]:
    """One depth-first walk over all components: per node its place, its parent (-1: none), and where what hangs on it
    ends; where its component begins and ends."""
    label = components(nodes, x, y)
    roots = np.flatnonzero(label == np.arange(nodes))
    helpers = nodes + np.arange(len(roots))  # a path along all components: one node for all would be asked for each
    rows = np.concatenate((x, helpers, helpers[:-1])).astype(np.int64)
    columns = np.concatenate((y, roots, helpers[1:])).astype(np.int64)
    size = nodes + len(roots)
    graph = coo_array((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(size, size)).tocsr()
    order, before = depth_first_order(graph, nodes, directed=False, return_predecessors=True)
    place = np.empty(nodes, dtype=np.int64)
    place[order[order < nodes]] = np.arange(nodes)
    parent = before[:nodes].astype(np.int64)
    parent[parent >= nodes] = -1
    end = _ends(nodes, place, parent)
    root_at = label.astype(np.int64)
    return place, parent, end, place[root_at], end[root_at]


def _ends(nodes: int, place: Longs, parent: Longs) -> Longs:
    """Where what hangs on each node ends: at its next sibling, else where that of its parent does."""
    order = np.argsort(place)
    above = parent[order]  # by place
    above = np.where(above < 0, -1, place[above])
    siblings = np.lexsort((np.arange(nodes), above))
    end = np.full(nodes, -1, dtype=np.int64)
    same = above[siblings[1:]] == above[siblings[:-1]]
    end[siblings[:-1][same]] = siblings[1:][same]
    end[(end < 0) & (above < 0)] = nodes
    jump = np.where(end < 0, above, np.arange(nodes))  # whom to ask: twice as far in every round
    while (open_ := end[jump] < 0).any():
        jump[open_] = jump[jump[open_]]
    by_node = np.empty(nodes, dtype=np.int64)
    by_node[order] = end[jump]
    return by_node


def _nothing_leaves(nodes: int, place: Longs, end: Longs, x: Ints, y: Ints) -> Flags:
    """Per node: no link of x-y leads from what hangs on it to anywhere else."""
    low, high = np.arange(nodes), np.arange(nodes)
    here, there = place[x], place[y]
    np.minimum.at(low, here, there)
    np.minimum.at(low, there, here)
    np.maximum.at(high, here, there)
    np.maximum.at(high, there, here)
    least, most = _over(np.minimum, low, place, end), _over(np.maximum, high, place, end)
    answer: Flags = (least >= place) & (most < end)
    return answer


def _over(what: np.ufunc, values: Longs, start: Longs, end: Longs) -> Longs:
    """The minimum or maximum of values[start:end], for many intervals, none empty."""
    level = np.frexp((end - start).astype(np.float64))[1] - 1  # the largest power of two that fits
    answer = np.empty(len(start), dtype=np.int64)
    table, size = values, 1
    for power in range(int(level.max()) + 1 if len(level) else 0):
        if power:
            table, size = what(table[:-size], table[size:]), size * 2
        chosen = level == power
        answer[chosen] = what(table[start[chosen]], table[end[chosen] - size])
    return answer
