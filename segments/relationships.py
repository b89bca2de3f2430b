"""How entities and customers hang together: the graph of relationships, and the paths through it.

    web.Orders ──UserId──▶ web.SignUps ──(system)──▶ Customer

Nodes are entities and Customer. Every relationship can be walked both ways; a hop is *to one* when a row meets at most
one row there. System relationships are made by conflation: Customer to each entity of the plan, by
`<Source>_<Entity>_<Key>`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import Any

import networkx as nx

from unify.core.errors import SpecError, did_you_mean
from unify.core.names import table_of
from unify.spec import Project

CUSTOMER = "Customer"
MOST_PATHS = 100
"""Paths that are listed at most: a graph of n diamonds in a row has 2^n."""
MOST_CYCLES = 20


@dataclass(frozen=True, slots=True)
class Hop:
    """One relationship, walked in one direction.

    to_one    a row of `from_entity` meets at most one row of `to_entity`
    system    made by conflation, not declared
    """

    relationship: str
    from_entity: str
    from_attribute: str
    to_entity: str
    to_attribute: str
    to_one: bool
    system: bool = False

    @property
    def ends(self) -> tuple[str, str]:
        """Both attributes, `source.Entity.Column`."""
        return f"{self.from_entity}.{self.from_attribute}", f"{self.to_entity}.{self.to_attribute}"

    def __str__(self) -> str:
        return f"{self.from_entity}.{self.from_attribute} → {self.to_entity}.{self.to_attribute}"


Path = tuple[Hop, ...]


def names_of(path: Path) -> list[str]:
    """The declared relationships of a path, in order: what a user writes to name it."""
    return [hop.relationship for hop in path if not hop.system]


def spoken(path: Path) -> str:
    """A path as one line: `web.Orders —orders→ web.SignUps —Customer_web_SignUps→ Customer`."""
    return path[0].from_entity + "".join(f" —{hop.relationship}→ {hop.to_entity}" for hop in path)


def system_name(entity: str) -> str:
    """The name of the relationship between Customer and an entity of the plan.

    >>> system_name("crm.Contacts")
    'Customer_crm_Contacts'
    """
    return f"{CUSTOMER}_{table_of(entity)}"


class RelationshipGraph:
    """The relationships of a project. Entities that are not declared have no place in it."""

    def __init__(self, project: Project) -> None:
        self.project = project
        plan = project.conflation
        self.profiles = [o.entity for o in plan.order if o.entity in project.entities] if plan else []
        self.hops = [*_declared(project), *_system(project, self.profiles)]

    def listed(self) -> list[Hop]:
        """Every relationship once: as it was declared; the system's from Customer, in the plan's order."""
        ahead = {name: (r.start, r.end) for name, r in self.project.relationships.items()}
        return [
            hop
            for hop in self.hops
            if (hop.from_entity == CUSTOMER if hop.system else ahead[hop.relationship] == hop.ends)
        ]

    def paths(self, start: str, end: str = CUSTOMER, *, to_one: bool = False, limit: int = MOST_PATHS) -> list[Path]:
        """Ways from one entity to another that pass no entity twice; short ones first, then by name.

        to_one    only hops that meet at most one row each, and none beyond the first entity of the plan: such a path
                  gives every row at most one customer, its own
        limit     of the ways found; any `limit` of them when there are more
        Raises SpecError for an entity that is not there.
        """
        nodes = [*self.project.entities, CUSTOMER]
        for node in (start, end):
            if node not in nodes:
                raise SpecError(f"there is no entity {node!r}", hint=did_you_mean(node, nodes))
        graph = self._graph(to_one=to_one)
        useful = nx.ancestors(graph, end) | {end}
        if start not in useful or start == end:
            return []
        ways: Iterator[list[Any]] = nx.all_simple_edge_paths(graph.subgraph(useful), start, end)
        found: list[Path] = [tuple(graph.edges[edge]["hop"] for edge in way) for way in islice(ways, limit)]
        return sorted(found, key=lambda p: (len(p), [h.relationship for h in p]))

    def path_to_customer(self, start: str, named: Sequence[str] = ()) -> Path:
        """The way by which a row of an entity finds its customer: the only one, or the one that was named.

        Raises SpecError when there is none, when there are several and none was named, and when the named
        relationships do not lead from the entity to one of the plan by hops to one row each.
        """
        if named:
            return self._walk(start, named)
        found = self.paths(start, to_one=True)
        if not found:
            profile = self.profiles[0] if self.profiles else "crm.Contacts"
            raise SpecError(
                f"no relationship leads from {start} to an entity of the conflation plan",
                hint=f"add one: `relationships: {{name: {start}.<column> -> {profile}.<key>}}`",
            )
        if len(found) > 1:
            ways = "; ".join(f"[{', '.join(names_of(p))}]" for p in found)
            raise SpecError(f"{len(found)} ways lead from {start} to a customer: {ways}", hint="name one as its `path`")
        return found[0]

    def cycles(self) -> list[list[str]]:
        """Relationships that lead from an entity, always to one row, back to it; each cycle as their names in order.

        They do no harm, since no path passes an entity twice, and a hierarchy is one: they are for the user to know.
        """
        graph: nx.DiGraph[Any] = nx.DiGraph()
        for name, r in sorted(self.project.relationships.items()):
            many, one = (r.from_entity, r.to_entity) if r.cardinality != "OneToMany" else (r.to_entity, r.from_entity)
            if not graph.has_edge(many, one):
                graph.add_edge(many, one, name=name)
        found = []
        for nodes in islice(nx.simple_cycles(graph), MOST_CYCLES):
            first = nodes.index(min(nodes))
            ring = [*nodes[first:], *nodes[:first], nodes[first]]
            found.append([graph.edges[a, b]["name"] for a, b in pairwise(ring)])
        return sorted(found)

    def _graph(self, *, to_one: bool) -> "nx.MultiDiGraph[Any]":
        graph: nx.MultiDiGraph[Any] = nx.MultiDiGraph()
        graph.add_nodes_from([*self.project.entities, CUSTOMER])
        for hop in sorted(self.hops, key=lambda h: (h.relationship, h.from_entity, h.from_attribute)):
            home = hop.system or hop.from_entity not in self.profiles
            if not to_one or (hop.to_one and home):
                graph.add_edge(hop.from_entity, hop.to_entity, hop=hop)
        return graph

    def _walk(self, start: str, named: Sequence[str]) -> Path:
        path: list[Hop] = []
        here = start
        for name in named:
            hops = [h for h in self.hops if h.relationship == name and not h.system]
            if not hops:
                raise SpecError(
                    f"there is no relationship {name!r}", hint=did_you_mean(name, self.project.relationships)
                )
            onward = [h for h in hops if h.from_entity == here]
            if not onward:
                raise SpecError(f"relationship {name!r} does not touch {here}: it joins {hops[0]}")
            if not onward[0].to_one:
                raise SpecError(f"relationship {name!r} leads from a row of {here} to many rows, so to many customers")
            path.append(onward[0])
            here = onward[0].to_entity
        last = next((h for h in self.hops if h.system and h.from_entity == here), None)
        if last is None:
            raise SpecError(
                f"[{', '.join(named)}] ends at {here}, which is not in the conflation plan",
                hint=f"go on to one of {', '.join(self.profiles)}" if self.profiles else "add a conflation plan",
            )
        return (*path, last)


def _declared(project: Project) -> Iterator[Hop]:
    """Both directions of what the user declared; the one that keeps the user's direction first."""
    for name, r in project.relationships.items():
        if r.from_entity not in project.entities or r.to_entity not in project.entities:
            continue  # told by relation_checks
        one = Hop(name, r.from_entity, r.from_attribute, r.to_entity, r.to_attribute, r.cardinality != "OneToMany")
        yield one
        if r.start != r.end:
            yield Hop(name, one.to_entity, one.to_attribute, one.from_entity, one.from_attribute,
                      r.cardinality != "ManyToOne")  # fmt: skip


def _system(project: Project, profiles: Sequence[str]) -> Iterator[Hop]:
    """Customer to each source, and back: a customer has many records of an entity, a record one customer."""
    for entity in profiles:
        key = project.entity(entity).key
        column = f"{table_of(entity)}_{key}"
        yield Hop(system_name(entity), entity, key, CUSTOMER, column, to_one=True, system=True)
        yield Hop(system_name(entity), CUSTOMER, column, entity, key, to_one=False, system=True)
