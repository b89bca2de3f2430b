"""Clusters under limits, against a greedy that inserts every pair and checks every record."""

import sys
from collections.abc import Iterator, Sequence
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from random import Random
from typing import Any

import networkx as nx
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from unify.conflation.cluster import ClusterReport, cluster
from unify.conflation.limits import components
from unify.core.errors import SpecError
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.spec import ConflationPlan

_spec = spec_from_file_location("oracle_clusters", Path(__file__).parents[1] / "oracles" / "clusters.py")
assert _spec
assert _spec.loader
oracle = sys.modules["oracle_clusters"] = module_from_spec(_spec)
_spec.loader.exec_module(oracle)

ORDER = ("crm.Contacts", "loyalty.Members", "web.Users")
RULES = {
    0: ("always", None, None),
    1: ("dedupe", 0, 0),
    2: ("dedupe", 1, 1),
    3: ("dedupe", 2, 2),
    4: ("match", 0, 1),
    5: ("match", 0, 1),
    6: ("match", 0, 2),
    7: ("match", 1, 2),
}
"""rule → kind, upper entity, lower entity."""
KINDS = {rule: kind for rule, (kind, _, _) in RULES.items() if rule}
COMMON = (2, 4, 7)
"""Rules that are common rules in some worlds: stronger, and weaker, than others of any kind."""
PAIR = pa.schema([("a", pa.int32()), ("b", pa.int32())])


@pytest.fixture(scope="module")
def engine() -> Iterator[DuckDBEngine]:
    with DuckDBEngine(threads=1) as made:
        yield made


def rows(engine: DuckDBEngine, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(r.values()) for r in engine.fetch(Query(sql)).to_pylist()]


def star_links(world: Any, rule: int, members: tuple[int, ...]) -> set[tuple[int, int]]:
    """The links of a key group as the rules make them: to the smallest record (match: of the other side)."""
    _, upper, lower = RULES[rule]
    if world.kinds[rule] == "common":
        parts = [min(part) for part in world.parts(members)]
        inside = {(min(part), rid) for part in world.parts(members) for rid in part if rid != min(part)}
        return inside | {(parts[0], first) for first in parts[1:]}
    if world.kinds[rule] == "dedupe":
        return {(min(members), rid) for rid in members if rid != min(members)}
    uppers = [r for r in members if world.entity[r] == upper]
    lowers = [r for r in members if world.entity[r] == lower]
    return {(min(uppers), rid) for rid in lowers} | {(rid, min(lowers)) for rid in uppers}


def load(engine: DuckDBEngine, world: Any, shuffle: Random | None = None, *, strongest_only: bool = True) -> None:
    """The input tables of clustering, rows in a random order if asked."""
    links = list(world.links)
    for rule, members in world.groups:
        links += [(a, b, rule, 1.0) for a, b in star_links(world, rule, members)]
    if strongest_only:
        best: dict[tuple[int, int], tuple[int, float]] = {}
        for a, b, rule, score in links:
            best[a, b] = min(best.get((a, b), (rule, -score)), (rule, -score))
        links = [(a, b, rule, -weakness) for (a, b), (rule, weakness) in best.items()]
    stars = [
        (rule, group, rid, int(world.entity[rid] == RULES[rule][1]) if world.kinds[rule] == "match" else None)
        for group, (rule, members) in enumerate(world.groups)
        for rid in members
    ]
    records = [(rid, ORDER[e], e, f"K{rid}") for rid, e in enumerate(world.entity)]
    tables: dict[str, tuple[list[str], list[Any], list[tuple[Any, ...]]]] = {
        "records": (["rid", "entity", "entity_no", "key"], [pa.int32(), pa.string(), pa.uint8(), pa.string()], records),
        "rules": (["rule", "kind"], [pa.int16(), pa.string()], sorted({0: "always", **world.kinds}.items())),
        "links": (["a", "b", "rule", "score"], [pa.int32(), pa.int32(), pa.int16(), pa.float32()], links),
        "stars": (["rule", "key_group", "rid", "side"], [pa.int16(), pa.int64(), pa.int32(), pa.uint8()], stars),
        "never": (["a", "b"], [pa.int32(), pa.int32()], sorted(world.never)),
    }
    for i, values in enumerate(world.values):
        tables[f"limit_{i}"] = (["rid", "value"], [pa.int32(), pa.string()], sorted(values.items()))
    for name, (columns, types, content) in tables.items():
        mixed = shuffle.sample(content, len(content)) if shuffle else content
        arrays = [pa.array([r[i] for r in mixed], t) for i, t in enumerate(types)]
        engine.load(name, pa.Table.from_arrays(arrays, columns))


def plan_of(world: Any) -> ConflationPlan:
    limits: list[dict[str, Any]] = [{"never_two": f"Attribute{i}"} for i in range(len(world.values))]
    limits += [{"at_most_one": ORDER[e]} for e in sorted(world.at_most_one)]
    limits += [{"max_records": world.max_records}] if world.max_records else []
    return ConflationPlan.model_validate(
        {"order": ORDER, "limits": limits, "clustering": "anchored" if world.anchored else "components"}
    )


def run(engine: DuckDBEngine, world: Any, shuffle: Random | None = None) -> tuple[Any, ...]:
    """(dedupe groups, clusters, cuts, report) as plain values."""
    load(engine, world, shuffle)
    report = cluster(engine, plan_of(world))
    group = dict(rows(engine, "SELECT rid, grp FROM dedupe_groups ORDER BY rid"))
    clusters = dict(rows(engine, "SELECT rid, cluster FROM clusters ORDER BY rid"))
    cuts = rows(engine, 'SELECT a, b, rule, score, "limit", detail FROM cuts ORDER BY ALL')
    return group, clusters, cuts, report


@st.composite
def worlds(draw: st.DrawFn) -> Any:
    """Random small worlds: records of three entities, links and key groups of every rule, overrides, limits."""
    sizes = draw(st.lists(st.integers(1, 5), min_size=3, max_size=3))
    entity = tuple(e for e, size in enumerate(sizes) for _ in range(size))
    records = {e: [rid for rid, place in enumerate(entity) if place == e] for e in range(3)}
    everybody = range(len(entity))
    kinds = KINDS | dict.fromkeys(draw(st.sets(st.sampled_from(COMMON))), "common")
    links: set[tuple[int, int, int, float]] = set()
    groups: list[tuple[int, tuple[int, ...]]] = []
    for rule, (_, upper, lower) in RULES.items():
        if rule == 0:
            continue
        uppers, lowers = (everybody, everybody) if kinds[rule] == "common" else (records[upper], records[lower])
        if draw(st.booleans()):  # a star rule
            for _ in range(draw(st.integers(0, 2))):
                some = st.sets(st.sampled_from(uppers), min_size=1)
                members = draw(some) | draw(st.sets(st.sampled_from(lowers), min_size=1))
                if len(members) > 1:
                    groups.append((rule, tuple(sorted(members))))
        else:
            ends = st.tuples(st.sampled_from(uppers), st.sampled_from(lowers))
            for a, b in draw(st.sets(ends, max_size=4)):
                if a != b:
                    links.add((min(a, b), max(a, b), rule, draw(st.sampled_from([0.75, 0.875, 1.0]))))
    pair = st.tuples(st.sampled_from(everybody), st.sampled_from(everybody))
    ordered = st.sets(pair.filter(lambda p: p[0] < p[1]), max_size=3)
    links |= {(a, b, 0, 1.0) for a, b in draw(ordered)}
    never = frozenset(draw(ordered))
    value = st.dictionaries(st.sampled_from(everybody), st.sampled_from("xyz"))
    world = oracle.World(
        entity=entity,
        links=tuple({(a, b, r): (a, b, r, s) for a, b, r, s in sorted(links)}.values()),
        groups=tuple(groups),
        kinds=kinds,
        never=never,
        at_most_one=frozenset(draw(st.sets(st.integers(0, 2), max_size=2))),
        values=tuple(draw(st.lists(value, max_size=2))),
        max_records=draw(st.sampled_from([None, None, 2, 3, 5])),
        anchored=draw(st.booleans()),
    )
    always = oracle.closure(len(entity), [(a, b) for a, b, rule, _ in world.links if rule == 0])
    assume(not any(always[a] == always[b] for a, b in never))
    return world


slow_is_fine = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@settings(slow_is_fine, max_examples=80)
@given(worlds(), st.randoms(use_true_random=False))
def test_like_the_greedy_over_all_pairs(engine: DuckDBEngine, world: Any, shuffle: Random) -> None:
    group, clusters, cuts, _ = run(engine, world, shuffle)
    expected_group, expected_clusters, refused = oracle.solve(world)
    assert group == expected_group
    assert clusters == expected_clusters
    linked = set(rows(engine, "SELECT a, b, rule FROM links"))
    assert {(a, b, rule) for a, b, rule, *_ in cuts} == linked & set(refused)


@slow_is_fine
@given(worlds())
def test_no_customer_violates_a_limit(engine: DuckDBEngine, world: Any) -> None:
    group, clusters, cuts, report = run(engine, world)
    for label in set(clusters.values()):
        members = frozenset(rid for rid, c in clusters.items() if c == label)
        assert label == min(members)
        assert world.allowed(members, group)
        assert len({clusters[rid] for rid in members}) == 1
    for first in set(group.values()):
        assert len({clusters[rid] for rid, g in group.items() if g == first}) == 1, "a dedupe group is one node"
    assert sum(count for _, count in report.cuts) == len(cuts)
    assert sum(size * count for size, count in report.sizes) == len(world.entity) == report.records
    assert bool(cuts) == bool(report.violating)


@slow_is_fine
@given(worlds())
def test_what_was_cut_would_violate(engine: DuckDBEngine, world: Any) -> None:
    if any(rule == 0 for _, _, rule, _ in world.links):
        world = oracle.World(**{**vars(world), "links": tuple(x for x in world.links if x[2])})
    group, clusters, cuts, _ = run(engine, world)
    for a, b, _, _, limit, detail in cuts:
        union = frozenset(rid for rid, c in clusters.items() if c in (clusters[a], clusters[b]))
        assert clusters[a] != clusters[b]
        assert not world.allowed(union, group)
        assert limit
        assert detail


@slow_is_fine
@given(worlds(), st.randoms(use_true_random=False))
def test_row_order_decides_nothing(engine: DuckDBEngine, world: Any, shuffle: Random) -> None:
    assert run(engine, world) == run(engine, world, shuffle)


@slow_is_fine
@given(worlds())
def test_without_limits_nothing_is_cut(engine: DuckDBEngine, world: Any) -> None:
    free = oracle.World(entity=world.entity, links=world.links, groups=world.groups, kinds=world.kinds)
    _, clusters, cuts, report = run(engine, free)
    graph = nx.Graph((a, b) for a, b, _ in free.pairs())
    graph.add_nodes_from(range(len(world.entity)))
    assert not cuts
    assert {frozenset(c) for c in nx.connected_components(graph)} == {
        frozenset(rid for rid, c in clusters.items() if c == label) for label in set(clusters.values())
    }
    assert report.components == report.clusters == nx.number_connected_components(graph)
    assert report.violating == 0


@pytest.mark.parametrize("seed", range(5))
def test_components_are_those_of_networkx(seed: int) -> None:
    random = Random(seed)
    graph = nx.gnm_random_graph(2_000, random.choice([500, 1_000, 1_500, 3_000]), seed=seed)
    a, b = (np.array(side, dtype=np.int32) for side in zip(*graph.edges, strict=True))
    labels = components(2_000, a, b)
    for part in nx.connected_components(graph):
        assert set(labels[list(part)].tolist()) == {min(part)}


# ── single cases, readable ──────────────────────────────────────────────────────────────────────────────────────────


def world_of(entity: tuple[int, ...], links: list[tuple[int, int, int, float]], **limits: Any) -> Any:
    return oracle.World(entity=entity, links=tuple(links), kinds=KINDS, **limits)


def test_a_shared_lower_record_goes_to_the_earlier_rule_then_the_higher_score_then_the_smaller_key(
    engine: DuckDBEngine,
) -> None:
    primaries, lower = (0, 0), 2
    for links, winner in (
        ([(0, lower, 5, 1.0), (1, lower, 4, 0.75)], 1),
        ([(0, lower, 4, 0.75), (1, lower, 4, 0.875)], 1),
        ([(0, lower, 4, 0.75), (1, lower, 4, 0.75)], 0),
    ):
        _, clusters, cuts, _ = run(engine, world_of((*primaries, 1), links, anchored=True))
        assert clusters[lower] == winner
        assert [c[4:] for c in cuts] in (
            [("anchored: one crm.Contacts per customer", "crm.Contacts K0 and crm.Contacts K1")],
            [("anchored: one crm.Contacts per customer", "crm.Contacts K1 and crm.Contacts K0")],
        )


def test_a_dedupe_group_is_anchored_as_one(engine: DuckDBEngine) -> None:
    """Two primary records of one dedupe group share a lower one; a lower dedupe group does not bridge two primaries."""
    duplicates = [(0, 1, 1, 1.0), (0, 2, 4, 1.0), (1, 2, 4, 1.0)]
    assert run(engine, world_of((0, 0, 1), duplicates, anchored=True))[1] == {0: 0, 1: 0, 2: 0}
    bridge = [(2, 3, 2, 1.0), (0, 2, 5, 1.0), (1, 3, 4, 1.0)]
    group, clusters, cuts, _ = run(engine, world_of((0, 0, 1, 1), bridge, anchored=True))
    assert group == {0: 0, 1: 1, 2: 2, 3: 2}
    assert clusters == {0: 0, 1: 1, 2: 1, 3: 1}
    assert [c[:3] for c in cuts] == [(0, 2, 5)]


def test_when_the_hub_is_cut_the_others_of_its_key_group_stay_together(engine: DuckDBEngine) -> None:
    world = world_of((0, 0, 0), [], groups=((1, (0, 1, 2)),), values=({0: "1980", 1: "1999", 2: "1999"},))
    group, _, cuts, _ = run(engine, world)
    assert group == {0: 0, 1: 1, 2: 1}
    assert [(a, b, limit, detail) for a, b, _, _, limit, detail in cuts] == [
        (0, 1, "never two Attribute0", "1980 and 1999"),
        (0, 2, "never two Attribute0", "1980 and 1999"),
    ]


def common_world(entity: tuple[int, ...], links: Sequence[tuple[int, int, int, float]] = (), **limits: Any) -> Any:
    """A world in which rule 4 is a common rule."""
    return oracle.World(entity=entity, links=tuple(links), kinds=KINDS | {4: "common"}, **limits)


def test_a_key_group_over_entities_is_a_dedupe_group_inside_each(engine: DuckDBEngine) -> None:
    world = common_world((0, 0, 1, 1, 2), groups=((4, (0, 1, 2, 3, 4)),))
    group, clusters, cuts, report = run(engine, world)
    assert group == {0: 0, 1: 0, 2: 2, 3: 2, 4: 4}
    assert set(clusters.values()) == {0}
    assert not cuts
    assert report.dedupe_groups == 2


def test_a_key_group_over_entities_comes_apart_where_a_limit_says(engine: DuckDBEngine) -> None:
    """Contacts 0 and 1 were born in different years; of the members 2 and 3 the second goes with contact 1."""
    values = ({0: "1980", 1: "1999", 2: "1980", 3: "1999"},)
    world = common_world((0, 0, 1, 1), groups=((4, (0, 1, 2, 3)),), values=values)
    group, clusters, cuts, _ = run(engine, world)
    assert group == {0: 0, 1: 1, 2: 2, 3: 3}
    assert clusters == {0: 0, 1: 1, 2: 0, 3: 1}
    assert [c[:2] for c in cuts] == [(0, 1), (2, 3)], "the link between entities holds: 0 with 2"


def test_a_weak_common_link_inside_an_entity_yields_to_a_strong_one_between_entities(engine: DuckDBEngine) -> None:
    """A couple: by name and e-mail 0 goes with 3, 1 with 2; by e-mail alone everybody belongs together."""
    kinds = KINDS | {4: "common", 5: "common"}
    world = oracle.World(
        entity=(0, 0, 1, 1), links=((0, 3, 4, 1.0), (1, 2, 4, 1.0)), groups=((5, (0, 1, 2, 3)),), kinds=kinds,
        values=({0: "1971", 1: "1973"},),
    )  # fmt: skip
    group, clusters, cuts, _ = run(engine, world)
    assert group == {0: 0, 1: 1, 2: 2, 3: 3}, "members 2 and 3 have no birth date, and are two people"
    assert clusters == {0: 0, 1: 1, 2: 1, 3: 0}
    assert {(a, b) for a, b, *_ in cuts} == {(0, 1), (0, 2), (2, 3)}


def test_a_common_link_inside_an_entity_counts_as_one_record_of_it(engine: DuckDBEngine) -> None:
    links = [(1, 2, 4, 1.0), (0, 1, 4, 1.0), (0, 3, 4, 0.75)]
    _, clusters, cuts, _ = run(engine, common_world((0, 1, 1, 1), links, at_most_one=frozenset({1})))
    assert clusters == {0: 0, 1: 0, 2: 0, 3: 3}
    assert [c[:2] for c in cuts] == [(0, 3)]


def test_never_holds_through_other_records_and_names_them(engine: DuckDBEngine) -> None:
    world = world_of((0, 1, 1), [(0, 1, 4, 1.0), (0, 2, 5, 1.0)], never=frozenset({(1, 2)}))
    _, clusters, cuts, _ = run(engine, world)
    assert clusters == {0: 0, 1: 0, 2: 2}
    assert cuts == [(0, 2, 5, 1.0, "never", "loyalty.Members K1 and loyalty.Members K2")]


def test_a_joined_cluster_keeps_the_never_pairs_of_both(engine: DuckDBEngine) -> None:
    links = [(0, 1, 4, 1.0), (0, 2, 5, 1.0), (1, 3, 7, 1.0)]
    _, clusters, cuts, _ = run(engine, world_of((0, 1, 1, 2), links, never=frozenset({(1, 2), (0, 3)})))
    assert clusters == {0: 0, 1: 0, 2: 2, 3: 3}
    assert [c[:2] for c in cuts] == [(0, 2), (1, 3)]


def test_a_rule_yields_to_always_and_always_to_a_limit(engine: DuckDBEngine) -> None:
    values = ({0: "x", 1: "y"},)
    _, clusters, _, _ = run(engine, world_of((0, 0, 1), [(0, 2, 4, 1.0), (1, 2, 0, 1.0)], values=values))
    assert clusters == {0: 0, 1: 1, 2: 1}
    _, clusters, cuts, report = run(engine, world_of((0, 1), [(0, 1, 0, 1.0)], values=values))
    assert clusters == {0: 0, 1: 1}
    assert cuts == [(0, 1, 0, 1.0, "never two Attribute0", "x and y")]
    assert report.cuts == (("never two Attribute0", 1),)


def test_at_most_one_counts_dedupe_groups_not_records(engine: DuckDBEngine) -> None:
    links = [(1, 2, 2, 1.0), (0, 1, 4, 1.0), (0, 3, 5, 1.0)]
    _, clusters, cuts, report = run(engine, world_of((0, 1, 1, 1), links, at_most_one=frozenset({1})))
    assert clusters == {0: 0, 1: 0, 2: 0, 3: 3}
    assert cuts == [(0, 3, 5, 1.0, "at most one loyalty.Members", "loyalty.Members K1 and loyalty.Members K3")]
    assert report == ClusterReport(
        records=4,
        components=1,
        violating=1,
        dedupe_groups=1,
        clusters=2,
        cuts=(("at most one loyalty.Members", 1),),
        sizes=((1, 1), (3, 1)),
        largest=((0, 3), (3, 1)),
    )


def test_contradictory_overrides_are_named(engine: DuckDBEngine) -> None:
    load(engine, world_of((0, 1), [(0, 1, 0, 1.0)], never=frozenset({(0, 1)})))
    with pytest.raises(SpecError, match=r"crm.Contacts K0 and loyalty.Members K1 are on a never-match list"):
        cluster(engine, ConflationPlan.model_validate({"order": ORDER}))
    load(engine, world_of((0, 1, 2), [(0, 1, 0, 1.0), (1, 2, 0, 1.0)], never=frozenset({(0, 2)})))
    with pytest.raises(SpecError, match=r"crm.Contacts K0 and web.Users K2 .*through loyalty.Members K1"):
        cluster(engine, ConflationPlan.model_validate({"order": ORDER}))


def test_a_limit_on_an_entity_nobody_knows(engine: DuckDBEngine) -> None:
    load(engine, world_of((0, 1), []))
    plan = ConflationPlan.model_validate({"order": ORDER, "limits": [{"at_most_one": "loyalty.Member"}]})
    with pytest.raises(SpecError, match=r"did you mean loyalty.Members"):
        cluster(engine, plan)


def test_a_pair_found_by_two_rules_counts_with_the_stronger(engine: DuckDBEngine) -> None:
    world = world_of((0, 1, 1), [(0, 1, 4, 0.75), (0, 1, 5, 1.0), (0, 2, 4, 0.875)], at_most_one=frozenset({1}))
    load(engine, world, strongest_only=False)
    cluster(engine, plan_of(world))
    assert rows(engine, "SELECT a, b, rule, score FROM cuts") == [(0, 1, 4, 0.75)]


def test_no_records_at_all(engine: DuckDBEngine) -> None:
    *_, report = run(engine, world_of((), []))
    assert (report.records, report.clusters, report.sizes) == (0, 0, ())


def test_a_violating_component_of_100_000_links_takes_seconds(engine: DuckDBEngine) -> None:
    """One chain of 100 000 records, every tenth with another value: near-linear, not a matter of minutes."""
    count = 100_000
    links = [(rid, rid + 1, 1, 1.0) for rid in range(count - 1)]
    world = world_of((0,) * count, links, values=({rid: f"v{rid}" for rid in range(0, count, 10)},))
    _, clusters, cuts, report = run(engine, world)
    assert report.violating == 1
    assert len(cuts) == len(set(clusters.values())) - 1 == count // 10 - 1
