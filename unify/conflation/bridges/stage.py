"""The stage between clustering and ids: links are weighed, weak bridges cut or queued.

reads  clusters, dedupe_groups, links, stars, cuts, rules, prepared_<n>
makes  doubtful_links   one row per link that is doubtful, the most pressing first
       clusters, dedupe_groups, cuts   anew, where a bridge was cut

Bridges are cut all at once: each splits its cluster whatever becomes of the others, so no order decides anything.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from unify.conflation.binding import BoundPlan
from unify.conflation.bridges.compared import Attribute, values_of
from unify.conflation.bridges.evidence import Doubles, Weighed, draw, weigh
from unify.conflation.bridges.graph import Bridges, Longs, bridges
from unify.conflation.limits import Flags, Ints, components
from unify.core.engine import Engine
from unify.core.progress import Progress, silent
from unify.core.steps import Query, Step
from unify.spec import ConflationPlan

NEAREST = 8
"""Records of a side that are compared, nearest first in the walk along the links, beside the link's own two."""
WEAK_BRIDGE = "weak bridge"
"""What `cuts` gives as the limit."""

KEPT = """
SELECT a, b, min(rule) AS rule, CAST(arg_min(score, (rule, -score)) AS DOUBLE) AS score
FROM links JOIN clusters AS x ON x.rid = a JOIN clusters AS y ON y.rid = b
WHERE x.cluster = y.cluster GROUP BY a, b ORDER BY a, b"""
SHARED = """
WITH shared AS (SELECT DISTINCT rule, key_group, cluster, side, rid FROM stars JOIN clusters USING (rid))
SELECT rule, rid, min(rid) OVER share AS hub, count(*) OVER share AS records FROM shared
WINDOW share AS (PARTITION BY rule, key_group, cluster)
QUALIFY count(*) OVER share > 1 AND (side IS NULL OR count(DISTINCT side) OVER share = 2)
ORDER BY rule, hub, rid"""
NOTHING = """
SELECT 0::INTEGER AS a, 0::INTEGER AS b, 0::SMALLINT AS rule, 0::FLOAT AS score, 0::DOUBLE AS doubt,
false AS bridge, 0::BIGINT AS records_a, 0::BIGINT AS records_b, 0::DOUBLE AS urgency, '' AS agrees,
'' AS contradicts, false AS cut WHERE false"""


@dataclass(frozen=True)
class Bridged:
    """What the stage did: links weighed, doubtful ones among them, bridges of clusters of three or more, and cuts."""

    weighed: int = 0
    doubtful: int = 0
    bridges: int = 0
    cut: int = 0


@dataclass(frozen=True)
class _Kept:
    """Links inside clusters, no pair twice, and who shares a key group of three or more."""

    a: Ints
    b: Ints
    rule: Ints
    score: Doubles
    hub: Ints
    member: Ints


def weigh_links(
    engine: Engine,
    plan: ConflationPlan,
    bound: BoundPlan,
    attributes: tuple[Attribute, ...],
    progress: Progress = silent,
) -> Bridged:
    """Make `doubtful_links`, and cut the bridges that the plan wants cut. `attributes` are those of compared.py."""
    clusters = engine.fetch(Query("SELECT cluster FROM clusters ORDER BY rid")).column(0).to_numpy()
    kept = _read(engine) if plan.bridges.review is not None and attributes else None
    if kept is None or not len(kept.a):
        why = "nothing is doubtful"
        engine.build(Step("doubtful_links", Query(NOTHING), why, keep=True, releases=_scratch(bound)))
        return Bridged()
    progress("bridges", "weigh the links of every customer")
    found = _bridges(clusters, kept)
    x, y, strangers = draw(len(clusters), clusters)
    pairs, sides = _sides(kept, found, x, y)
    engine.load("links_pairs", pairs)
    engine.load("links_sides", sides)
    values = values_of(bound, attributes)
    weighed = weigh(engine, attributes, values, clusters, kept.rule, kept.score, np.flatnonzero(strangers))
    return _settle(engine, plan, bound, attributes, clusters, kept, found, weighed)


def _scratch(bound: BoundPlan) -> tuple[str, ...]:
    """What nobody needs from here on, the prepared values among it."""
    made = ("links_pairs", "links_sides", "links_sample", "links_said", "links_doubtful")
    return (*made, *(p.table for p in bound.prepared.values()))


def _bridges(clusters: Ints, kept: _Kept) -> Bridges:
    """The bridges of clusters of three records or more: a customer of two has one link, and nobody asks about it.

    A third of a million records are in such clusters, and the walk over those takes a third of the time.
    """
    crowded = np.bincount(clusters, minlength=len(clusters))[clusters] > 2
    rids = np.flatnonzero(crowded).astype(np.int32)
    new = (np.cumsum(crowded) - 1).astype(np.int32)
    links = np.flatnonzero(crowded[kept.a])
    found = bridges(len(rids), new[kept.a[links]], new[kept.b[links]], new[kept.hub], new[kept.member])
    return replace(found, link=links[found.link], walk=rids[found.walk])


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _read(engine: Engine) -> _Kept:
    links, shared = engine.fetch(Query(KEPT)), engine.fetch(Query(SHARED))
    a, b, rule = (links.column(c).to_numpy().astype(np.int32) for c in ("a", "b", "rule"))
    by, rid, hub, records = (shared.column(c).to_numpy().astype(np.int32) for c in ("rule", "rid", "hub", "records"))
    group = records > 2
    pair = (records == 2) & (rid != hub)  # of a key group whose other members are in other clusters
    span = len(a) and int(max(b.max(), rid.max(initial=0))) + 1
    alone = pair & ~np.isin(hub.astype(np.int64) * span + rid, a.astype(np.int64) * span + b)
    _, first = np.unique(np.stack((hub[alone], rid[alone])), axis=1, return_index=True)
    score = np.concatenate((links.column("score").to_numpy(), np.ones(len(first))))
    more = (hub[alone][first], rid[alone][first], by[alone][first])
    a, b, rule = (np.concatenate(pairs) for pairs in zip((a, b, rule), more, strict=True))
    return _Kept(a, b, rule, score, hub[group], rid[group])


def _inner_is_a(kept: _Kept, found: Bridges) -> Flags:
    """Per bridge: whether the side that is an interval of the walk is that of record a."""
    a = kept.a[found.link]
    at = np.empty(int(found.walk.max(initial=-1)) + 1, dtype=np.int64)
    at[found.walk] = np.arange(len(found.walk))
    inner: Flags = (at[a] >= found.start) & (at[a] < found.end)
    return inner


def _sides(kept: _Kept, found: Bridges, x: Ints, y: Ints) -> tuple[pa.Table, pa.Table]:
    """What stands on both sides of each link, then of the pairs drawn by chance.

    id, a, b: where it is the link's own two records; id, side, rid: where a bridge has more, with those nearest to it.
    """
    count = len(kept.a)
    inner_is_a = _inner_is_a(kept, found)
    ids: list[Longs] = []
    sides: list[Longs] = []
    rids: list[Ints] = []
    for step in range(NEAREST):
        inside, before, after = found.start + step, found.start - 1 - step, found.end + step
        for place, there, is_a in (
            (inside, inside < found.end, inner_is_a),
            (before, before >= found.first, ~inner_is_a),
            (after, after < found.last, ~inner_is_a),
        ):
            rid = found.walk[np.where(there, place, 0)]
            more = there & (rid != kept.a[found.link]) & (rid != kept.b[found.link])
            ids.append(found.link[more])
            sides.append(np.where(is_a[more], 0, 1))
            rids.append(rid[more])
    several = np.zeros(count, dtype=np.bool_)
    several[np.concatenate(ids)] = True
    own, pair = np.flatnonzero(several), np.flatnonzero(~several)
    pairs = {
        "id": np.concatenate((pair, np.arange(count, count + len(x)))).astype(np.int32),
        "a": np.concatenate((kept.a[pair], x)).astype(np.int32),
        "b": np.concatenate((kept.b[pair], y)).astype(np.int32),
    }
    more_of = {
        "id": np.concatenate((own, own, *ids)).astype(np.int32),
        "side": np.concatenate((np.zeros(len(own)), np.ones(len(own)), *sides)).astype(np.uint8),
        "rid": np.concatenate((kept.a[own], kept.b[own], *rids)).astype(np.int32),
    }
    return pa.table(pairs), pa.table(more_of)


# ── deciding and writing ────────────────────────────────────────────────────────────────────────────────────────────


def _settle(
    engine: Engine, plan: ConflationPlan, bound: BoundPlan, attributes: tuple[Attribute, ...],
    clusters: Ints, kept: _Kept, found: Bridges, weighed: Weighed,
) -> Bridged:  # fmt: skip
    """Queue what is doubtful, cut what the plan says."""
    count = len(kept.a)
    side_a, side_b, bridge = np.ones(count, np.int64), np.ones(count, np.int64), np.zeros(count, np.bool_)
    inner_is_a = _inner_is_a(kept, found)
    side_a[found.link] = np.where(inner_is_a, found.inner, found.outer)
    side_b[found.link] = np.where(inner_is_a, found.outer, found.inner)
    bridge[found.link] = found.last - found.first > 2
    doubt = weighed.doubt
    doubtful = (doubt >= (plan.bridges.review or 0)) & (kept.rule != 0)
    cut = doubtful & bridge & (doubt >= (plan.bridges.cut if plan.bridges.cut is not None else np.inf))
    rows = np.flatnonzero(doubtful)
    engine.load(
        "links_doubtful",
        pa.table(
            {
                "id": rows.astype(np.int32), "a": kept.a[rows], "b": kept.b[rows],
                "rule": kept.rule[rows].astype(np.int16), "score": kept.score[rows].astype(np.float32),
                "doubt": doubt[rows], "bridge": bridge[rows], "records_a": side_a[rows], "records_b": side_b[rows],
                "urgency": doubt[rows] * side_a[rows] * side_b[rows], "cut": cut[rows],
            }
        ),
    )  # fmt: skip
    engine.build(_doubtful_links(attributes, values_of(bound, attributes), _scratch(bound)))
    if cut.any():
        _cut(engine, clusters, kept, cut)
    return Bridged(count, len(rows), int(bridge.sum()), int(cut.sum()))


def _doubtful_links(attributes: Sequence[Attribute], values: str, releases: tuple[str, ...]) -> Step:
    """The kept table: with the names of what agrees, and the values of what contradicts, one of each side."""
    agrees = ", ".join(f"CASE WHEN s{k} THEN $name_{k} END" for k in range(len(attributes)))
    differs = ", ".join(
        f"CASE WHEN s{k} = false THEN $name_{k} || ' ' || "
        f"min({_one('l', k, a)}) FILTER (side = 0) || ' and ' || min({_one('l', k, a)}) FILTER (side = 1) END"
        for k, a in enumerate(attributes)
    )
    said = ", ".join(f"s{k}" for k in range(len(attributes)))
    sql = (
        f"{values}, sides AS (FROM links_sides UNION ALL SELECT id, 0, a FROM links_pairs "
        "UNION ALL SELECT id, 1, b FROM links_pairs)\n"
        f"SELECT a, b, rule, score, doubt, bridge, records_a, records_b, urgency, "
        f"concat_ws(', ', {agrees}) AS agrees, concat_ws('; ', {differs}) AS contradicts, cut\n"
        "FROM links_doubtful JOIN links_said USING (id) JOIN sides USING (id) "
        "JOIN links_values AS l ON l.rid = sides.rid\n"
        f"GROUP BY id, a, b, rule, score, doubt, bridge, records_a, records_b, urgency, cut, {said}\n"
        "ORDER BY urgency DESC, a, b"
    )
    params = {f"name_{k}": a.name for k, a in enumerate(attributes)}
    reads = ("links_doubtful", "links_said", "links_sides", "links_pairs")
    return Step("doubtful_links", Query(sql, params), "the links to look at", reads, keep=True, releases=releases)


def _one(alias: str, k: int, attribute: Attribute) -> str:
    """SQL: the record's first value of an attribute, as text."""
    cells = ", ".join(f"CAST({alias}.c{k}_{j} AS VARCHAR)" for j in range(attribute.width))
    return cells if attribute.width == 1 else f"coalesce({cells})"


def _cut(engine: Engine, clusters: Ints, kept: _Kept, cut: Flags) -> None:
    """Clusters and dedupe groups without the bridges that are cut; the cuts are listed with the others."""
    records = len(clusters)
    a, b = np.concatenate((kept.a[~cut], kept.hub)), np.concatenate((kept.b[~cut], kept.member))
    now = components(records, a, b)
    group = engine.fetch(Query("SELECT grp FROM dedupe_groups ORDER BY rid")).column(0).to_numpy()
    parts = np.unique(group.astype(np.int64) * records + now, return_index=True, return_inverse=True)
    _, first, part = parts  # records come by rid, so the first of a part is its smallest
    itself = np.arange(records, dtype=np.int32)
    engine.load("clusters", pa.table({"rid": itself, "cluster": now}))
    engine.load("dedupe_groups", pa.table({"rid": itself, "grp": first[part].astype(np.int32)}))
    listed = (
        "FROM cuts UNION ALL SELECT a, b, rule, score, $limit, "
        "concat_ws(': ', 'one link holds ' || records_a || ' and ' || records_b || ' records together', "
        "nullif(contradicts, '')) FROM doubtful_links WHERE cut ORDER BY a, b"
    )
    engine.build(
        Step("cuts", Query(listed, {"limit": WEAK_BRIDGE}), "list the bridges that were cut", ("cuts",), keep=True)
    )
