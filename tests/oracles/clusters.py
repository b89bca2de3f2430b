"""Clusters and CustomerIds the slow way: every pair is inserted, every limit checked over all records of the cluster.

Written from docs/adr/0003 and docs/customer-id.md: sets and dicts, no union-find, no SQL.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import md5
from itertools import combinations


@dataclass(frozen=True)
class World:
    """A small input of clustering. Records are their rids; `entity[rid]` is the place of the entity in the order."""

    entity: tuple[int, ...]
    links: tuple[tuple[int, int, int, float], ...]
    """a, b, rule, score; no star links."""
    groups: tuple[tuple[int, tuple[int, ...]], ...] = ()
    """rule, members of a key group of a star rule."""
    kinds: dict[int, str] = field(default_factory=dict)
    """rule → dedupe, common or match; 0 is always."""
    never: frozenset[tuple[int, int]] = frozenset()
    at_most_one: frozenset[int] = frozenset()
    """Entities, by place."""
    values: tuple[dict[int, str], ...] = ()
    """One never_two attribute each: rid → value."""
    max_records: int | None = None
    anchored: bool = False

    def pairs(self) -> list[tuple[int, int, int]]:
        """All linked pairs as (a, b, rule), strongest first, key groups expanded to all their pairs."""
        ordered = [(rule, -score, (a, b), a, b) for a, b, rule, score in self.links]
        for rule, group in self.groups:
            members = tuple(sorted(group))
            for a, b in combinations(members, 2):
                if self.kinds[rule] != "match" or self.entity[a] != self.entity[b]:
                    ordered.append((rule, -1.0, members, a, b))
        return [(a, b, rule) for rule, _, _, a, b in sorted(ordered)]

    def parts(self, group: tuple[int, ...]) -> list[tuple[int, ...]]:
        """The records of a key group, entity by entity."""
        present = sorted({self.entity[rid] for rid in group})
        return [tuple(rid for rid in group if self.entity[rid] == e) for e in present]

    def inside(self, a: int, b: int, rule: int) -> bool:
        """Whether this link makes a dedupe group."""
        return self.entity[a] == self.entity[b] and self.kinds.get(rule, "always") != "match"

    def allowed(self, cluster: frozenset[int], group: dict[int, int]) -> bool:
        """Whether one customer may hold these records; `group` is the dedupe group of every record."""
        if any(a in cluster and b in cluster for a, b in self.never):
            return False
        if self.max_records is not None and len(cluster) > self.max_records:
            return False
        if any(len({v[rid] for rid in cluster if rid in v}) > 1 for v in self.values):
            return False
        single = self.at_most_one | ({0} if self.anchored else frozenset())
        return all(len({group[rid] for rid in cluster if self.entity[rid] == e}) <= 1 for e in single)


def closure(count: int, pairs: Iterable[tuple[int, int]]) -> dict[int, int]:
    """The smallest rid connected to each rid."""
    label = {rid: rid for rid in range(count)}
    pairs = list(pairs)
    changed = True
    while changed:
        changed = False
        for a, b in pairs:
            low = min(label[a], label[b])
            if label[a] != low or label[b] != low:
                label[a] = label[b] = low
                changed = True
    return label


def greedy(
    world: World, start: list[frozenset[int]], pairs: list[tuple[int, int, int]], group: dict[int, int]
) -> tuple[dict[int, int], list[tuple[int, int, int]]]:
    """Insert pairs one by one; returns (rid → smallest rid of its cluster, refused pairs)."""
    clusters = {rid: part for part in start for rid in part}
    refused = []
    for a, b, rule in pairs:
        if clusters[a] == clusters[b]:
            continue
        union = clusters[a] | clusters[b]
        if world.allowed(union, group):
            clusters |= dict.fromkeys(union, union)
        else:
            refused.append((a, b, rule))
    return {rid: min(cluster) for rid, cluster in clusters.items()}, refused


def solve(world: World) -> tuple[dict[int, int], dict[int, int], list[tuple[int, int, int]]]:
    """(dedupe group per record, cluster per record, refused pairs of both rounds)."""
    count = len(world.entity)
    pairs = world.pairs()
    inside = [p for p in pairs if world.inside(*p)]
    common = [p for p in pairs if world.kinds.get(p[2]) == "common"]
    outside = [p for p in pairs if not world.inside(*p) or p in common]
    tentative = closure(count, [(a, b) for a, b, _ in inside])
    first = [p for p in pairs if p[2] == 0 or world.inside(*p) or p in common]
    together, refused = greedy(world, [frozenset({rid}) for rid in range(count)], first, tentative)
    group = closure(count, [(a, b) for a, b, _ in inside if together[a] == together[b]])
    parts: dict[int, set[int]] = {}
    for rid, label in group.items():
        parts.setdefault(label, set()).add(rid)
    clusters, more = greedy(world, [frozenset(p) for p in parts.values()], outside, group)
    return group, clusters, [p for p in refused if world.inside(*p)] + [p for p in more if not world.inside(*p)]


# ── CustomerIds ─────────────────────────────────────────────────────────────────────────────────────────────────────

Record = tuple[str, str]
"""(entity, key)."""


@dataclass
class Id:
    """What is known of an id."""

    ordinal: int
    founder: Record
    founded_run: int
    retired_run: int | None = None
    successor: str | None = None
    split_from: tuple[str, ...] = ()


@dataclass
class Ledger:
    """The contract of docs/customer-id.md over dicts: feed it the clusters of one run after the other."""

    ids: dict[str, Id] = field(default_factory=dict)
    members: dict[Record, str] = field(default_factory=dict)
    changes: set[tuple[str, str, str | None]] = field(default_factory=set)

    def run(self, number: int, clusters: list[list[Record]]) -> None:
        """Clusters are lists of records by rid; clusters come in order of their first record's rid."""
        rid = {record: i for i, record in enumerate(sorted(r for c in clusters for r in c))}
        active = [i for i, known in self.ids.items() if known.retired_run is None]
        claims: dict[int, list[str]] = {}
        shares: dict[int, list[str]] = {}
        for old in active:
            parts = []
            for place, cluster in enumerate(clusters):
                mine = [r for r in cluster if self.members.get(r) == old]
                if mine:
                    shares.setdefault(place, []).append(old)
                    founding = self.ids[old].founder in mine
                    parts.append((-len(mine), not founding, min(rid[r] for r in mine), place))
            if parts:
                claims.setdefault(min(parts)[-1], []).append(old)
        self.changes = set()
        self.members = {}
        gone = set(active)
        ordinal = max((known.ordinal for known in self.ids.values()), default=-1)
        merged: dict[str, str] = {}
        for place, cluster in enumerate(clusters):
            if place in claims:
                [mine, *others] = sorted(claims[place], key=lambda i: (self.ids[i].founded_run, self.ids[i].ordinal))
                gone -= {mine, *others}
                for other in others:
                    merged[other] = mine
                    self.changes.add(("merged", mine, other))
            else:
                mine = self._new(cluster[0])
                ordinal += 1
                split_from = tuple(sorted(shares.get(place, [])))
                self.ids[mine] = Id(ordinal, cluster[0], number, split_from=split_from)
                self.changes |= {("split", mine, old) for old in split_from} or {("created", mine, None)}
            self.members |= dict.fromkeys(cluster, mine)
        for old in gone:
            self.ids[old].retired_run = number
            self.changes.add(("retired", old, None))
        for old, heir in merged.items():
            self.ids[old].retired_run = number
            self.ids[old].successor = heir

    def _new(self, founder: Record) -> str:
        entity, key = founder
        salt = 0
        while True:
            text = f"{entity}#{salt}|{key}" if salt else f"{entity}|{key}"
            found = md5(text.encode()).hexdigest()
            if found not in self.ids:
                return found
            salt += 1

    def resolve(self, customer_id: str) -> str | None:
        """Follow the chain of successors to the end."""
        known = self.ids[customer_id]
        while known.retired_run is not None:
            if known.successor is None:
                return None
            customer_id = known.successor
            known = self.ids[customer_id]
        return customer_id
