"""Bridges against networkx, and what becomes of weak ones."""

from itertools import combinations
from random import Random
from typing import Any

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import unify
from unify.conflation.bridges.graph import Bridges, bridges
from unify.conflation.bridges.stage import _bridges as crowded_bridges
from unify.conflation.bridges.stage import _Kept as Kept
from unify.conflation.limits import components
from unify.core.errors import SpecError
from unify.spec import ConflationPlan

Pairs = list[tuple[int, int]]


def found_in(records: int, links: Pairs, groups: list[list[int]]) -> Bridges:
    sides = [np.array([pair[i] for pair in links], dtype=np.int32) for i in (0, 1)]
    hub = np.array([group[0] for group in groups for _ in group], dtype=np.int32)
    member = np.array([rid for group in groups for rid in group], dtype=np.int32)
    return bridges(records, *sides, hub, member)


def expanded(records: int, links: Pairs, groups: list[list[int]]) -> "nx.Graph[int]":
    """Every pair of every key group spelled out."""
    graph: nx.Graph[int] = nx.Graph()
    graph.add_nodes_from(range(records))
    graph.add_edges_from(links)
    for group in groups:
        graph.add_edges_from(combinations(group, 2))
    return graph


@st.composite
def graphs(draw: st.DrawFn) -> tuple[int, Pairs, list[list[int]]]:
    records = draw(st.integers(1, 14))
    rid = st.integers(0, records - 1)
    links = draw(st.sets(st.tuples(rid, rid).filter(lambda p: p[0] < p[1]), max_size=18))
    groups = draw(st.lists(st.sets(rid, min_size=3, max_size=5), max_size=3)) if records > 2 else []
    return records, sorted(links), [sorted(group) for group in groups]


@settings(max_examples=200, deadline=None)
@given(graphs())
def test_bridges_of_crowded_clusters_are_those_of_all_but_pairs(case: tuple[int, Pairs, list[list[int]]]) -> None:
    """The stage leaves clusters of two out; the walk over the others is the same."""
    records, links, groups = case
    columns = [np.array([pair[i] for pair in links], dtype=np.int32) for i in (0, 1)]
    hub = np.array([group[0] for group in groups for _ in group], dtype=np.int32)
    member = np.array([rid for group in groups for rid in group], dtype=np.int32)
    nothing = np.zeros(len(links), dtype=np.int32)
    clusters = components(records, np.concatenate((columns[0], hub)), np.concatenate((columns[1], member)))
    whole = bridges(records, *columns, hub, member)
    found = crowded_bridges(clusters, Kept(*columns, nothing, nothing.astype(np.float64), hub, member))
    places = np.flatnonzero(whole.last - whole.first > 2)
    assert found.link.tolist() == whole.link[places].tolist()
    for k, place in enumerate(places.tolist()):
        for start, end in (("start", "end"), ("first", "last")):
            here = found.walk[getattr(found, start)[k] : getattr(found, end)[k]]
            assert here.tolist() == whole.walk[getattr(whole, start)[place] : getattr(whole, end)[place]].tolist()


@settings(max_examples=400, deadline=None)
@given(graphs())
def test_bridges_and_their_sides_are_those_of_networkx(case: tuple[int, Pairs, list[list[int]]]) -> None:
    records, links, groups = case
    graph = expanded(records, links, groups)
    found = found_in(records, links, groups)
    assert {links[i] for i in found.link} == {(min(e), max(e)) for e in nx.bridges(graph)}
    for k, i in enumerate(found.link.tolist()):
        a, b = links[i]
        cut = graph.copy()
        cut.remove_edge(a, b)
        side = set(found.walk[found.start[k] : found.end[k]].tolist())
        whole = set(found.walk[found.first[k] : found.last[k]].tolist())
        assert side in (nx.node_connected_component(cut, a), nx.node_connected_component(cut, b))
        assert whole == nx.node_connected_component(graph, a)
        assert (found.inner[k], found.outer[k]) == (len(side), len(whole) - len(side))


@pytest.mark.parametrize("seed", range(4))
def test_bridges_of_large_graphs(seed: int) -> None:
    links = sorted((min(e), max(e)) for e in nx.gnm_random_graph(3_000, 600 * (seed + 1), seed=seed).edges)
    random = Random(seed)
    groups = [sorted(random.sample(range(3_000), random.randint(3, 6))) for _ in range(40)]
    expected = {(min(e), max(e)) for e in nx.bridges(expanded(3_000, links, groups))}
    assert {links[i] for i in found_in(3_000, links, groups).link} == expected


def test_a_long_chain_takes_no_recursion() -> None:
    found = found_in(50_000, [(i, i + 1) for i in range(49_999)], [])
    assert len(found.link) == 49_999
    assert min(found.inner + found.outer) == 50_000


# ── whole runs ──────────────────────────────────────────────────────────────────────────────────────────────────────

COLUMNS = ("Id", "First", "Last", "Mail", "Phone", "Born")
SAM = ("Sam", "Okoro", "sam@x.example", "555-01", "1980-01-01")
KIM = ("Kim", "Larsen", "kim@x.example", "555-02", "1951-07-30")
"""Two people, three records each; one record of Kim has Sam's mail."""


def frame(rows: list[tuple[str, ...]]) -> Any:
    import pyarrow as pa

    return pa.table({c: pa.array([row[i] for row in rows], pa.string()) for i, c in enumerate(COLUMNS)})


def people(strangers: int = 60) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = [(f"S{i}", *SAM) for i in range(3)] + [(f"K{i}", *KIM) for i in range(3)]
    rows[3] = ("K0", "Kim", "Larsen", "sam.o@x.example", "555-02", "1951-07-30")
    rows[2] = ("S2", "Sam", "Okoro", "sam.o@x.example", "555-01", "1980-01-01")
    for i in range(strangers):
        first, last = f"F{i % 9}a", f"L{i % 13}b"
        rows += [
            (f"X{i}-{j}", first, last, f"m{i}@y.example", f"666-{i}", f"19{40 + i % 50}-03-{1 + i % 28:02}")
            for j in (0, 1)
        ]
    return rows


def project(**bridges: Any) -> dict[str, Any]:
    rules = [
        {"name": "mail", "when": [{"field": "Mail", "normalize": ["lower"]}]},
        {"name": "phone and birth date", "when": ["Phone", "Born"]},
        {"name": "all of the name and birth date", "when": ["First", "Last", "Born"]},
    ]
    for rule in rules[1:]:
        rule["when"] = [{"field": str(c)} for c in rule["when"]]
    return {
        "name": "people",
        "sources": {"crm": {"People": {"key": "Id", "columns": {"Born": "date"}}}},
        "conflation": {
            "order": ["crm.People"],
            "dedupe": {"crm.People": rules},
            **({"bridges": bridges} if bridges else {}),
        },
    }


def customers(acme: Any) -> set[frozenset[str]]:
    rows = acme.sql("SELECT list(key) AS keys FROM members WHERE key[1] IN ('S', 'K') GROUP BY CustomerId").rows()
    return {frozenset(row["keys"]) for row in rows}


SAMS, KIMS = frozenset({"S0", "S1", "S2"}), frozenset({"K0", "K1", "K2"})


def test_by_default_a_weak_bridge_is_queued_and_not_cut(tmp_path: Any) -> None:
    with unify.open(tmp_path / "i", create=True) as acme:
        report = acme.run(project(), frames={"crm.People": frame(people())})
        assert customers(acme) == {SAMS | KIMS}
        [item] = acme.review().items
        assert {item.a, item.b} == {"crm.People:S2", "crm.People:K0"}
        assert (item.kind, item.records_a, item.records_b) == ("bridge", 3, 3)
        assert item.urgency == pytest.approx(item.doubt * 9)
        assert item.doubt > 0.9
        assert item.agrees == "Mail"
        for said in ("Born 1951-07-30 and 1980-01-01", "First Kim and Sam"):
            assert said in item.contradicts
        assert report.clusters is not None
        assert report.clusters.doubtful == 1
        assert not report.clusters.cuts


def test_a_weak_bridge_is_cut_where_the_plan_says_so_and_explained(tmp_path: Any) -> None:
    with unify.open(tmp_path / "i", create=True) as acme:
        report = acme.run(project(cut=0.9), frames={"crm.People": frame(people())})
        assert customers(acme) == {SAMS, KIMS}
        assert report.clusters is not None
        assert report.clusters.cuts == {"weak bridge": 1}
        [cut] = acme.sql('SELECT "limit", detail FROM cuts').rows()
        assert cut["limit"] == "weak bridge"
        assert cut["detail"].startswith("one link holds 3 and 3 records together: ")
        assert "Born 1951-07-30 and 1980-01-01" in cut["detail"]
        why = acme.explain("S0", "K2").reasons
        assert any("weak bridge: one link holds 3 and 3 records together" in reason for reason in why)
        groups = acme.sql("SELECT count(DISTINCT Deduplication_GroupId) AS n FROM Deduplication_crm_People").rows()
        assert groups == [{"n": 62}], "each side is a dedupe group of its own"
        [item] = acme.review().items
        assert item.kind == "cut"
        assert item.customer != item.other
        acme.decide(item.id, "same")
        acme.conflate()
        assert customers(acme) == {SAMS | KIMS}, "an always-match is never cut"
        assert acme.review().total == 0


def test_row_order_decides_nothing(tmp_path: Any) -> None:
    said = []
    for seed in (None, 1, 2):
        rows = people()
        if seed is not None:
            Random(seed).shuffle(rows)
        with unify.open(tmp_path / f"i{seed}", create=True) as acme:
            acme.run(project(cut=0.9, review=0.01), frames={"crm.People": frame(rows)})
            said.append(acme.sql("FROM doubtful_links").rows())
    assert said[0]
    assert said[0] == said[1] == said[2]


def test_a_key_group_has_no_bridges_and_null_weighs_nothing(tmp_path: Any) -> None:
    with unify.open(tmp_path / "i", create=True) as acme:
        acme.run(project(review=0.000001), frames={"crm.People": frame(people())})
        kinds = acme.sql("SELECT bridge, count(*) AS n FROM doubtful_links GROUP BY bridge ORDER BY bridge").rows()
        assert kinds[-1] == {"bridge": True, "n": 1}, "star links inside a group of three are no bridges"
        assert kinds[0]["n"] > 60
        acme.run(project(review=None), frames={"crm.People": frame(people())})
        assert acme.review().total == 0
        assert len(acme.sql("FROM doubtful_links")) == 0


@pytest.mark.parametrize(
    "bridges", [{"cut": 0.3}, {"cut": 0.9, "review": None}, {"cut": 2}, {"review": 0}, {"queue": 1}]
)
def test_thresholds_that_make_no_sense_are_refused(bridges: dict[str, Any], tmp_path: Any) -> None:
    with unify.open(tmp_path / "i", create=True) as acme, pytest.raises(SpecError, match="bridges"):
        acme.run(project(**bridges), frames={"crm.People": frame(people(1))})


def test_nothing_is_cut_unless_said() -> None:
    plan = ConflationPlan.model_validate({"order": ["crm.People"]})
    assert (plan.bridges.cut, plan.bridges.review) == (None, 0.5)
