"""Which segment needs which, in what order they are found, and who goes in circles."""

from collections.abc import Collection, Mapping

import networkx as nx

from segments.lowered import Lowered
from segments.predicates import tree as p
from unify.core.errors import QueryError

Needs = Mapping[str, Collection[str]]
"""Segment → the segments that it names."""


def needs_of(lowered: Lowered) -> frozenset[str]:
    """The segments that a segment names, in its conditions and in its blocks."""
    exprs = [lowered.expr, *(expr for _, expr in lowered.rules)]
    named = {name for expr in exprs for name in p.segments_named(expr)}
    named |= {name for block in lowered.blocks.values() for name in block.segments}
    return frozenset(named - set(lowered.blocks))


def in_order(needs: Needs) -> tuple[list[str], dict[str, tuple[str, ...]]]:
    """Segments after those that they need, equals by name; and those that cannot be ordered → a circle they are in.

    Names that are needed but not among the keys are left out: they are known already, or nobody knows them. A diamond
    (two ways to one segment) is no circle.

    >>> in_order({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []})
    (['d', 'b', 'c', 'a'], {})
    >>> in_order({"a": ["b"], "b": ["a"], "c": ["a"]})
    (['c'], {'a': ('a', 'b'), 'b': ('a', 'b')})
    """
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(needs)
    graph.add_edges_from((need, name) for name, all_ in needs.items() for need in all_ if need in needs)
    circles: dict[str, tuple[str, ...]] = {}
    for group in nx.strongly_connected_components(graph):
        if len(group) > 1 or any(graph.has_edge(name, name) for name in group):
            circle = _circle(graph.subgraph(group))
            circles |= dict.fromkeys(group, circle)
    graph.remove_nodes_from(circles)
    return list(nx.lexicographical_topological_sort(graph)), circles


def _circle(graph: "nx.DiGraph[str]") -> tuple[str, ...]:
    """One circle, read against the edges (who needs whom), from its smallest name on."""
    start = min(graph)
    found = [edge[0] for edge in nx.find_cycle(graph.reverse(), start)]
    first = found.index(min(found))
    return (*found[first:], *found[:first])


def circle_error(circle: tuple[str, ...], where: str = "") -> QueryError:
    """What to say of a circle."""
    way = " → ".join([*circle, circle[0]])
    return QueryError(f"segments need each other in a circle: {way}", where=where, hint="take one of them out")
