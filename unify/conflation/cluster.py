"""Links make clusters: connected components over everything, limits enforced where a component violates one.

makes  dedupe_groups  rid, grp (scratch): one row per record; grp is the smallest rid of its dedupe group
       clusters       rid, cluster (scratch): one row per record; cluster is the smallest rid of its cluster
       cuts           one row per linked pair that yielded: a, b, rule, score (of its strongest rule), limit, detail

Two rounds. The first makes dedupe groups from the links inside entities; the second joins dedupe groups, each as one
node, by all other links. Always-links take part in both, first, so a rule yields to them. So do links of common rules,
lest a strong one between entities yields to a weak one inside. Components come from scipy on integer arrays (1 M
records with 1.5 M links: 0.5 s); only components that violate something are taken apart and put together again link by
link, strongest first.

    records ─dedupe, common, always─▶ dedupe groups ─always, common, match─▶ clusters
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from itertools import pairwise
from typing import Any

import networkx as nx
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from unify.conflation.limits import (
    NEVER,
    NONE,
    Ceiling,
    Clash,
    Event,
    Flags,
    Ints,
    Joining,
    Limits,
    OneValue,
    components,
    enforce,
    violating,
)
from unify.core.engine import Engine
from unify.core.errors import SpecError, did_you_mean
from unify.core.names import quote
from unify.core.progress import Progress, silent
from unify.core.steps import Query, Step
from unify.spec import ConflationPlan

COMMON = "SELECT rule FROM rules WHERE kind = 'common'"
SHOWN = 5
"""Contradictions named in one error; the largest clusters in the report."""
CUTS = """
SELECT cut.a, cut.b, cut.rule, cut.score, cut."limit",
       coalesce(cut.detail, concat_ws(' and ', x.entity || ' ' || x.key, y.entity || ' ' || y.key)) AS detail
FROM cut_links AS cut
LEFT JOIN records AS x ON x.rid = cut.x
LEFT JOIN records AS y ON y.rid = cut.y
ORDER BY cut.a, cut.b
"""
CUT_LINKS = pa.schema(
    [
        ("a", pa.int32()), ("b", pa.int32()), ("rule", pa.int16()), ("score", pa.float32()),
        ("limit", pa.string()), ("detail", pa.string()), ("x", pa.int32()), ("y", pa.int32()),
    ]
)  # fmt: skip
"""Scratch `cut_links`: as `cuts`, with rids where `detail` is still to be spelled out."""


@dataclass(frozen=True)
class ClusterReport:
    """What clustering did.

    components     connected components over all links, before any limit
    violating      of them, those that violated a limit or a never-override
    dedupe_groups  dedupe groups of two records or more
    clusters       clusters after cutting, singletons included
    cuts           (sentence of the limit or `never`, links that yielded to it), most first
    sizes          (records in the cluster, clusters of that size), ascending
    largest        (cluster, records) of the largest clusters
    """

    records: int
    components: int
    violating: int
    dedupe_groups: int
    clusters: int
    cuts: tuple[tuple[str, int], ...]
    sizes: tuple[tuple[int, int], ...]
    largest: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Links:
    """The links as columns, one row per pair (its strongest rule), by a and b."""

    a: Ints
    b: Ints
    rule: Ints
    score: npt.NDArray[np.float32]
    inside: Flags
    """Both records of one entity: makes dedupe groups."""
    common: Flags
    """Found by a common rule, be it the strongest or not. The second round needs those inside an entity, too: a key
    group that the first took apart may hang together by them alone."""

    @classmethod
    def of(cls, a: Ints, b: Ints, rule: Ints, score: npt.NDArray[np.float32], entity: Ints, rules: Ints) -> "Links":
        """From one row per pair and rule. `entity`: of every record; `rules`: the common ones."""
        order = np.lexsort((-score, rule, b, a))
        a, b, rule, score = a[order], b[order], rule[order], score[order]
        repeated = np.zeros(len(a), dtype=np.bool_)
        repeated[1:] = (a[1:] == a[:-1]) & (b[1:] == b[:-1])
        pair = np.cumsum(~repeated) - 1
        common = np.zeros(len(pair), dtype=np.bool_)
        common[pair[np.isin(rule, rules)]] = True
        return cls(a, b, rule, score, entity[a] == entity[b], common[pair]).where(~repeated)

    def where(self, chosen: Flags) -> "Links":
        """Those of the links."""
        return Links(*(getattr(self, column.name)[chosen] for column in fields(self)))


@dataclass(frozen=True)
class _Round:
    """What one round decided.

    labels    the smallest node of its cluster, per node
    joining   the violating components as they were put together again; None when nothing violated a limit
    refused   pairs of records that were refused, and why
    groups    key groups of star rules inside violating components
    """

    node: Ints
    labels: Ints
    joining: Joining | None = None
    refused: dict[tuple[int, int], Clash] = field(default_factory=dict)
    groups: tuple[Event, ...] = ()


@dataclass(frozen=True)
class Cut:
    """A link that yielded. `detail` says what clashed, or the rids `x` and `y` do."""

    a: int
    b: int
    rule: int
    score: float
    limit: str
    detail: str | None
    x: int | None = None
    y: int | None = None


def cluster(engine: Engine, plan: ConflationPlan, progress: Progress = silent) -> ClusterReport:
    """Make `dedupe_groups`, `clusters` and `cuts` from `records`, `rules`, `links`, `stars`, `never`, `limit_<i>`.

    Raises SpecError when always- and never-overrides contradict each other, directly or through a chain of always.
    """
    progress("cluster", "join records by their links")
    entity = _columns(engine, "SELECT entity_no FROM records ORDER BY rid")[0]
    links = _read_links(engine, entity)
    never = np.stack(_columns(engine, "SELECT DISTINCT a, b FROM never ORDER BY a, b"), axis=1)
    _refuse_contradictions(engine, links, never)
    facts = _read_facts(engine, plan, entity, never)
    itself = np.arange(len(entity), dtype=np.int32)
    found = decide(facts, links, lambda stars, bad: _key_groups(engine, stars, bad))
    group, clusters, cuts = found.group, found.clusters, found.cuts
    progress("cluster", f"{len(cuts)} links yielded to a limit")
    for name, column, labels in (("dedupe_groups", "grp", group), ("clusters", "cluster", clusters)):
        engine.load(name, pa.table({"rid": itself, column: labels}))
    _write_cuts(engine, cuts)
    if not found.violated:
        return _report(group, clusters, clusters, 0, cuts)
    before = components(len(entity), links.a, links.b)
    return _report(group, clusters, before, int(violating(facts.limits(group), before).sum()), cuts)


@dataclass(frozen=True)
class Decided:
    """What clustering decided: dedupe group and cluster per record (their smallest rid), and the links that yielded.

    violated   some component violated a limit or a never-override before it was taken apart
    """

    group: Ints
    clusters: Ints
    cuts: list[Cut]
    violated: bool


KeyGroups = Callable[[str, Flags], tuple[Event, ...]]
"""Key groups of star rules, INSIDE or OUTSIDE, of records with their flag set."""
INSIDE = "side IS NULL"
"""Rows of `stars` that the first round is about: those of dedupe and common rules."""
OUTSIDE = f"side IS NOT NULL OR rule IN ({COMMON})"
"""Those that the second round is about: of match and common rules."""


def decide(facts: "Facts", links: Links, key_groups: KeyGroups) -> Decided:
    """Both rounds over arrays, without an engine: `resolve` asks about a few records by the same code."""
    itself = np.arange(len(facts.entity), dtype=np.int32)
    inside = links.where(links.inside)
    tentative = components(len(itself), inside.a, inside.b)
    first_round = links.where(links.inside | links.common | (links.rule == 0))
    dedupe = _round(key_groups, first_round, facts.limits(tentative), itself, INSIDE)
    group = _dedupe_groups(dedupe, inside, facts.entity)

    first, node = np.unique(group, return_inverse=True)
    limits = facts.limits(group)
    outside = links.where(~links.inside | links.common)
    match = _round(key_groups, outside, _contract(limits, node, len(first)), node.astype(np.int32), OUTSIDE)
    clusters: Ints = first[match.labels[node]].astype(np.int32)
    cuts = [*_cuts(facts, dedupe, inside), *_cuts(facts, match, links.where(~links.inside))]
    return Decided(group, clusters, cuts, dedupe.joining is not None or match.joining is not None)


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _columns(engine: Engine, sql: str) -> list[Ints]:
    """The columns of a SELECT as integer arrays."""
    table = engine.fetch(Query(sql))
    return [column.to_numpy().astype(np.int32, copy=False) for column in table.columns]


def _read_links(engine: Engine, entity: Ints) -> Links:
    """All linked pairs, each with its strongest rule, by a and b."""
    table = engine.fetch(Query("SELECT a, b, rule, score FROM links"))
    a, b, rule = (table.column(c).to_numpy().astype(np.int32, copy=False) for c in ("a", "b", "rule"))
    score = table.column("score").to_numpy()
    [common] = _columns(engine, COMMON)
    return Links.of(a, b, rule, score, entity, common)


def _read_facts(engine: Engine, plan: ConflationPlan, entity: Ints, never: Ints) -> "Facts":
    """The values of never_two limits as codes per record; their texts are kept for the report."""
    codes: dict[int, Ints] = {}
    texts: dict[int, pa.Array] = {}
    for i, limit in enumerate(plan.limits):
        if limit.never_two is None:
            continue
        table = engine.fetch(Query(f"SELECT rid, value FROM {quote(f'limit_{i}')} WHERE value IS NOT NULL"))
        coded = table.column("value").combine_chunks().dictionary_encode()
        texts[i] = coded.dictionary
        codes[i] = np.full(len(entity), NONE, dtype=np.int32)
        codes[i][table.column("rid").to_numpy()] = coded.indices.to_numpy()
    return Facts(plan, entity, never, codes, texts)


class Facts:
    """What limits are made of: the entity of every record, the values of never_two attributes, the never-pairs."""

    def __init__(
        self,
        plan: ConflationPlan,
        entity: Ints,
        never: Ints,
        codes: Mapping[int, Ints],
        texts: Mapping[int, Sequence[Any]],
    ) -> None:
        """`codes`: place of a never_two limit to the code of every record's value, NONE without one; `texts` of it."""
        self.plan, self.entity, self.never = plan, entity, never
        self.texts, self._codes = texts, codes

    def limits(self, group: Ints) -> Limits:
        """The plan's limits over records; `group` is the dedupe group of every record."""
        checks: list[OneValue | Ceiling] = []
        for i, limit in enumerate(self.plan.limits):
            if limit.max_records is not None:
                checks.append(Ceiling(str(limit), limit.max_records))
            elif limit.never_two is not None:
                checks.append(OneValue(str(limit), self._codes[i]))
            else:
                checks.append(OneValue(str(limit), self._groups_of(str(limit.at_most_one), group)))
        if self.plan.clustering == "anchored":
            primary = self.plan.order[0].entity
            checks.append(OneValue(f"anchored: one {primary} per customer", self._groups_of(primary, group)))
        return Limits(tuple(checks), np.ones(len(group), dtype=np.int32), self.never)

    def _groups_of(self, entity: str, group: Ints) -> Ints:
        """The dedupe group of the entity's records, NONE for all others."""
        names = [ordered.entity for ordered in self.plan.order]
        if entity not in names:
            raise SpecError(
                f"{entity} does not take part in conflation",
                where="limit at_most_one",
                hint=did_you_mean(entity, names),
            )
        return np.where(self.entity == names.index(entity), group, np.int32(NONE)).astype(np.int32)


def _contract(limits: Limits, node: npt.NDArray[np.intp], nodes: int) -> Limits:
    """Limits over dedupe groups, from limits over records: a group that holds together has one value at most."""

    def lifted(check: OneValue | Ceiling) -> OneValue | Ceiling:
        if isinstance(check, Ceiling):
            return check
        values = np.full(nodes, NONE, dtype=np.int32)
        np.maximum.at(values, node, check.values)
        return OneValue(check.sentence, values)

    sizes = np.bincount(node, minlength=nodes).astype(np.int32)
    return Limits(tuple(lifted(c) for c in limits.checks), sizes, node[limits.never].astype(np.int32))


def _refuse_contradictions(engine: Engine, links: Links, never: Ints) -> None:
    """SpecError when a never-pair is joined by always-links alone; names the records of the shortest chain."""
    always = links.where(links.rule == 0)
    if not len(always.a) or not len(never):
        return
    nodes = 1 + max(int(always.a.max()), int(always.b.max()), int(never.max()))
    label = components(nodes, always.a, always.b)  # a search from every pair would be quadratic in one large component
    wrong = never[label[never[:, 0]] == label[never[:, 1]]].tolist()
    if not wrong:
        return
    graph = nx.Graph(zip(always.a.tolist(), always.b.tolist(), strict=True))
    chains = [nx.shortest_path(graph, a, b) for a, b in wrong[:SHOWN]]
    rids = sorted({rid for chain in chains for rid in chain})
    rows = engine.fetch(
        Query("SELECT rid, entity || ' ' || key AS name FROM records WHERE list_contains($rids, rid)", {"rids": rids})
    )
    name = dict(zip(rows.column("rid").to_pylist(), rows.column("name").to_pylist(), strict=True))
    lines = [
        f"{name[c[0]]} and {name[c[-1]]} are on a never-match list and on an always-match list"
        + (f", through {', '.join(name[rid] for rid in c[1:-1])}" if len(c) > 2 else "")
        for c in chains
    ]
    if len(wrong) > SHOWN:
        lines.append(f"and {len(wrong) - SHOWN} more pairs")
    raise SpecError("; ".join(lines), where="overrides", hint="remove one of the two entries")


# ── one round ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _round(key_groups: KeyGroups, links: Links, limits: Limits, node: Ints, stars: str) -> _Round:
    """Components over nodes; the violating ones are taken apart and put together again by strength.

    `stars`: which rows of that table this round is about.
    """
    a, b = node[links.a], node[links.b]
    labels = components(len(limits.sizes), a, b)
    bad = violating(limits, labels)[labels]
    if not bad.any():
        return _Round(node, labels)
    nodes = np.flatnonzero(bad).astype(np.int32)
    groups = key_groups(stars, bad[node])
    grouped = np.array(sorted({g.rule for g in groups}), dtype=np.int32)
    single = links.where(bad[a] & ~np.isin(links.rule, grouped))
    columns = (single.rule.tolist(), (-single.score).tolist(), single.a.tolist(), single.b.tolist())
    events = [Event(rule, weakness, (x, y), 0) for rule, weakness, x, y in zip(*columns, strict=True)]
    joining = Joining(limits, nodes)
    refused = enforce(joining, [*events, *groups], node)
    labels[nodes] = joining.labels()
    return _Round(node, labels, joining, refused, groups)


def _key_groups(engine: Engine, stars: str, bad: Flags) -> tuple[Event, ...]:
    """The key groups of star rules whose records are in violating components.

    Their star links stand for all pairs; when the link to the hub yields, the others still belong together.
    """
    sql = f"SELECT rule, key_group, rid, coalesce(side, 0) AS side, side IS NULL AS whole FROM stars WHERE {stars}"
    table = engine.fetch(Query(sql))
    rid = table.column("rid").to_numpy()
    chosen = bad[rid]
    rule, group = (table.column(c).to_numpy()[chosen] for c in ("rule", "key_group"))
    side_of, rid = table.column("side").to_numpy()[chosen], rid[chosen]
    whole = table.column("whole").to_numpy(zero_copy_only=False)[chosen]
    order = np.lexsort((rid, group, rule))
    rule, group, side_of, rid, whole = (column[order] for column in (rule, group, side_of, rid, whole))
    begins = np.ones(len(rid), dtype=np.bool_)
    begins[1:] = (rule[1:] != rule[:-1]) | (group[1:] != group[:-1])
    starts = np.flatnonzero(begins).tolist()
    bounds = pairwise([*starts, len(rid)])
    found = ((i, Event(int(rule[i]), -1.0, tuple(rid[i:j].tolist()), int(side_of[i:j].sum()))) for i, j in bounds)
    return tuple(event for i, event in found if 0 < (1 if whole[i] else event.uppers) < len(event.members))


def _dedupe_groups(dedupe: _Round, inside: Links, entity: Ints) -> Ints:
    """The dedupe groups: components over links inside entities that were not refused.

    Links between entities took part in the round but make no dedupe group; hence components once more.
    """
    labels = dedupe.labels
    kept = labels[inside.a] == labels[inside.b]
    a, b = [inside.a[kept]], [inside.b[kept]]
    hubs: dict[tuple[Event, int, int], int] = {}
    for event in dedupe.groups:
        hub = [hubs.setdefault((event, int(labels[rid]), int(entity[rid])), rid) for rid in event.members]
        a, b = [*a, np.array(hub, dtype=np.int32)], [*b, np.array(event.members, dtype=np.int32)]
    return components(len(labels), np.concatenate(a), np.concatenate(b))


# ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _cuts(facts: Facts, done: _Round, links: Links) -> Iterator[Cut]:
    """The links whose records ended in different clusters, each with what it would have violated."""
    if done.joining is None:
        return
    node = done.node
    yielded = links.where(done.labels[node[links.a]] != done.labels[node[links.b]])
    columns = (yielded.a.tolist(), yielded.b.tolist(), yielded.rule.tolist(), yielded.score.tolist())
    for a, b, rule, score in zip(*columns, strict=True):
        clash = done.refused.get((a, b))
        if clash is None:  # a pair of a key group
            clash = done.joining.clash(done.joining.root(int(node[a])), done.joining.root(int(node[b])))
        if clash is None:
            raise AssertionError(f"link {a}-{b} was cut without a reason")
        yield Cut(a, b, rule, score, *_reason(facts, done.joining.limits, clash))


def _reason(facts: Facts, limits: Limits, clash: Clash) -> tuple[str, str | None, int | None, int | None]:
    """(sentence of the limit, what clashes in words, or the two rids that clash)."""
    if clash.limit == NEVER:
        x, y = facts.never[clash.x].tolist()
        return "never", None, x, y
    check = limits.checks[clash.limit]
    if isinstance(check, Ceiling):
        return check.sentence, f"{clash.x} and {clash.y} records", None, None
    if clash.limit in facts.texts:
        texts = facts.texts[clash.limit]
        return check.sentence, f"{texts[clash.x]} and {texts[clash.y]}", None, None
    return check.sentence, None, clash.x, clash.y


def _write_cuts(engine: Engine, cuts: list[Cut]) -> None:
    columns = {f.name: [getattr(cut, f.name) for cut in cuts] for f in fields(Cut)}
    engine.load("cut_links", pa.table(columns, CUT_LINKS))
    reads = ("cut_links", "records")
    engine.build(Step("cuts", Query(CUTS), "list the links that yielded", reads, keep=True, releases=("cut_links",)))


def _report(group: Ints, clusters: Ints, before: Ints, broken: int, cuts: list[Cut]) -> ClusterReport:
    found, sizes = np.unique(clusters, return_counts=True)
    largest = np.lexsort((found, -sizes))[:SHOWN]
    by_size = zip(*np.unique(sizes, return_counts=True), strict=True)
    return ClusterReport(
        records=len(clusters),
        components=len(np.unique(before)),
        violating=broken,
        dedupe_groups=int((np.unique(group, return_counts=True)[1] > 1).sum()),
        clusters=len(found),
        cuts=tuple(Counter(cut.limit for cut in sorted(cuts, key=lambda c: c.limit)).most_common()),
        sizes=tuple((int(size), int(count)) for size, count in by_size),
        largest=tuple((int(found[i]), int(sizes[i])) for i in largest),
    )
