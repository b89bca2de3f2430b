"""The CustomerId contract: random histories against dicts, and each promise of docs/customer-id.md once."""

import re
import sys
from collections.abc import Iterator
from hashlib import md5
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from unify.conflation.identity import IdentityReport, assign, identity_steps, resolve
from unify.core.errors import QueryError
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine

_spec = spec_from_file_location("oracle_clusters", Path(__file__).parents[1] / "oracles" / "clusters.py")
assert _spec
assert _spec.loader
oracle = sys.modules["oracle_clusters"] = module_from_spec(_spec)
_spec.loader.exec_module(oracle)

Cluster = list[tuple[str, str]]
CRM, WEB = "crm.Contacts", "web.Users"


@pytest.fixture
def history() -> Iterator["History"]:
    with DuckDBEngine(threads=1) as engine:
        yield History(engine)


class History:
    """Runs one after the other on one engine: schema `before` plays the attached last generation."""

    def __init__(self, engine: DuckDBEngine) -> None:
        self.engine = engine
        self.number = 0

    def run(self, clusters: list[Cluster], *, winners: dict[int, int] | None = None, **options: Any) -> IdentityReport:
        """The next run finds these clusters of records."""
        execute = self.engine.connection.execute
        previous = None
        if self.number:
            execute("ATTACH IF NOT EXISTS ':memory:' AS \"last one\"")
            for table in ("members", "customer_ids"):
                execute(f'CREATE OR REPLACE TABLE "last one".{table} AS FROM {table}')
            previous = "last one"
        self.number += 1
        records = sorted(record for cluster in clusters for record in cluster)
        rid = {record: i for i, record in enumerate(records)}
        entities = sorted({CRM, WEB, *(entity for entity, _ in records)})
        label = {rid[record]: min(rid[r] for r in cluster) for cluster in clusters for record in cluster}
        self._load("records", rid=(pa.int32(), range(len(records))), entity=(pa.string(), [e for e, _ in records]),
                   entity_no=(pa.uint8(), [entities.index(e) for e, _ in records]),
                   key=(pa.string(), [k for _, k in records]))  # fmt: skip
        self._load("clusters", rid=(pa.int32(), label), cluster=(pa.int32(), label.values()))
        won = winners or {}
        self._load("winners", rid=(pa.int32(), won), winner=(pa.int32(), won.values()))
        return assign(self.engine, self.number, previous, **options)

    def _load(self, name: str, **columns: tuple[Any, Any]) -> None:
        self.engine.load(name, pa.table({c: pa.array(list(values), kind) for c, (kind, values) in columns.items()}))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return [tuple(row.values()) for row in self.engine.fetch(Query(sql)).to_pylist()]

    @property
    def members(self) -> dict[tuple[str, str], str]:
        return {(e, k): i for e, k, i in self.rows("SELECT entity, key, CustomerId FROM members")}

    @property
    def changes(self) -> set[tuple[str, str, str | None]]:
        return set(self.rows("SELECT * FROM customer_changes"))

    @property
    def previous_ids(self) -> dict[str, str]:
        return dict(self.rows("SELECT * FROM previous_ids"))


def crm(*keys: str) -> Cluster:
    return [(CRM, key) for key in keys]


@st.composite
def regroupings(draw: st.DrawFn) -> list[list[Cluster]]:
    """Some runs; each has some of ten records, grouped somehow."""
    records = [(entity, f"K{n}") for entity in (CRM, WEB) for n in range(5)]
    runs = []
    for _ in range(draw(st.integers(2, 6))):
        places = draw(st.lists(st.integers(-1, 4), min_size=10, max_size=10))
        groups: dict[int, Cluster] = {}
        for record, place in zip(records, places, strict=True):
            if place >= 0:
                groups.setdefault(place, []).append(record)
        runs.append(sorted(groups.values()))
    return runs


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(runs=regroupings())
def test_any_history_is_as_the_contract_says(runs: list[list[Cluster]]) -> None:
    ledger = oracle.Ledger()
    ever: dict[str, int] = {}
    with DuckDBEngine(threads=1) as engine:
        history = History(engine)
        for number, clusters in enumerate(runs, start=1):
            report = history.run(clusters)
            ledger.run(number, clusters)
            assert history.members == ledger.members
            assert history.changes == ledger.changes
            ids = history.rows("SELECT * FROM customer_ids")
            assert len(ids) == len(ledger.ids) == len({i for i, *_ in ids}) == len({o for _, o, *_ in ids})
            for customer_id, ordinal, entity, key, founded, retired, successor, split_from in ids:
                known = ledger.ids[customer_id]
                assert (ordinal, (entity, key), founded) == (known.ordinal, known.founder, known.founded_run)
                assert retired == known.retired_run
                assert tuple(split_from or ()) == known.split_from
                assert resolve(engine, customer_id) == ledger.resolve(customer_id)
                assert (successor or customer_id if retired is None or successor else None) == ledger.resolve(
                    customer_id
                )
                assert ever.setdefault(customer_id, ordinal) == ordinal
            assert sorted(ever.values()) == list(range(len(ever)))
            previous: dict[str, set[str]] = {}
            for customer_id, known in ledger.ids.items():
                now = ledger.resolve(customer_id)
                if known.retired_run is None:
                    previous.setdefault(customer_id, set()).update(known.split_from)
                elif now:
                    previous.setdefault(now, set()).add(customer_id)
            assert history.previous_ids == {i: ";".join(sorted(old)) for i, old in previous.items() if old}
            kinds = [change for change, *_ in ledger.changes]
            assert (report.created, report.merged, report.retired) == tuple(
                kinds.count(k) for k in ("created", "merged", "retired")
            )
            assert report.split == len({i for change, i, _ in ledger.changes if change == "split"})
            assert report.customers == len(clusters) == report.kept + report.created + report.split


def test_an_id_is_the_md5_of_its_founding_record(history: History) -> None:
    report = history.run([[(CRM, "C1"), (WEB, "1")], [(WEB, "2")]], winners={})
    assert history.members[CRM, "C1"] == history.members[WEB, "1"] == md5(b"crm.Contacts|C1").hexdigest()
    assert history.members[WEB, "2"] == md5(b"web.Users|2").hexdigest()
    assert all(re.fullmatch("[0-9a-f]{32}", i) for i in history.members.values())
    assert history.rows("SELECT ordinal, founded_run FROM customer_ids ORDER BY ordinal") == [(0, 1), (1, 1)]
    assert report == IdentityReport(customers=2, kept=0, created=2, merged=0, split=0, retired=0, dropped=())


def test_the_same_again_keeps_every_id_and_says_nothing(history: History) -> None:
    clusters = [crm("A", "B"), crm("C")]
    history.run(clusters)
    before = history.members
    report = history.run(clusters)
    assert history.members == before
    assert history.changes == set()
    assert (report.kept, report.customers) == (2, 2)


def test_a_new_smaller_record_does_not_change_the_id(history: History) -> None:
    history.run([crm("M", "N")])
    before = history.members[CRM, "M"]
    history.run([crm("A", "M", "N")])
    assert set(history.members.values()) == {before}


def test_merge_keeps_the_oldest_id_and_the_other_one_resolves(history: History) -> None:
    history.run([crm("Z")])
    old = history.members[CRM, "Z"]
    history.run([crm("A", "B", "C"), crm("Z")])
    young = history.members[CRM, "A"]
    history.run([crm("A", "B", "C", "Z")])
    assert set(history.members.values()) == {old}
    assert history.changes == {("merged", old, young)}
    assert resolve(history.engine, young) == old
    assert history.previous_ids == {old: young}


def test_split_keeps_the_id_with_most_records_then_with_the_founder(history: History) -> None:
    history.run([crm("A", "B", "C")])
    old = history.members[CRM, "A"]
    history.run([crm("A"), crm("B", "C")])
    assert history.members[CRM, "B"] == old
    part = history.members[CRM, "A"]
    assert part == md5(b"crm.Contacts#1|A").hexdigest(), "the unsalted id is taken for ever"
    assert history.changes == {("split", part, old)}
    assert history.previous_ids == {part: old}
    history.run([crm("A"), crm("B", "C")])
    assert history.previous_ids == {part: old}, "it stays known in later runs"

    history.run([crm("A"), crm("B"), crm("C")])
    assert history.members[CRM, "B"] == old, "a tie, founder elsewhere: the smallest record"


def test_a_tie_goes_to_the_founding_record(history: History) -> None:
    history.run([crm("M")])
    old = history.members[CRM, "M"]
    history.run([crm("A", "M")])
    history.run([crm("A"), crm("M")])
    assert history.members[CRM, "M"] == old


def test_who_is_gone_is_retired_and_never_comes_back_under_the_old_id(history: History) -> None:
    history.run([crm("A"), crm("B")])
    gone = history.members[CRM, "A"]
    report = history.run([crm("B")])
    assert history.changes == {("retired", gone, None)}
    assert report.retired == 1
    assert resolve(history.engine, gone) is None
    history.run([crm("A"), crm("B")])
    again = history.members[CRM, "A"]
    assert again != gone
    assert history.changes == {("created", again, None)}
    assert resolve(history.engine, gone) is None


def test_chains_resolve_to_the_end(history: History) -> None:
    history.run([crm("A"), crm("B"), crm("C")])
    first, second, third = (history.members[CRM, key] for key in "ABC")
    history.run([crm("A"), crm("B", "C")])
    assert resolve(history.engine, third) == second
    history.run([crm("A", "B", "C")])
    assert resolve(history.engine, third) == resolve(history.engine, second) == first
    history.run([crm("D")])
    assert resolve(history.engine, third) is None


def test_an_id_nobody_ever_had(history: History) -> None:
    history.run([crm("A")])
    with pytest.raises(QueryError, match="no customer ever had the id 'x'"):
        resolve(history.engine, "x")


def test_records_that_matched_nothing_are_dropped_and_counted_when_asked(history: History) -> None:
    both: Cluster = [(CRM, "A"), (WEB, "1")]
    alone: Cluster = [(WEB, "2"), (WEB, "3")]
    history.run([both, alone, crm("B")])
    out = history.members[WEB, "2"]
    report = history.run([both, alone, crm("B")], matched_only=[WEB])
    assert set(history.members) == {(CRM, "A"), (CRM, "B"), (WEB, "1")}
    assert report.dropped == ((WEB, 2),)
    assert history.changes == {("retired", out, None)}
    assert history.rows("SELECT entity, count(*) FROM dropped GROUP BY entity") == [(WEB, 2)]


def test_members_know_their_winner(history: History) -> None:
    history.run([crm("A", "B"), crm("C")], winners={0: 1, 1: 1})
    assert history.rows("SELECT rid, winner, is_winner FROM members") == [(0, 1, False), (1, 1, True), (2, 2, True)]


def test_the_grain_of_the_tables(history: History) -> None:
    history.run([crm("A", "B"), crm("C")])
    history.run([crm("A"), crm("B", "C")])
    for table, grain in (
        ("members", "rid"),
        ("members", "(entity, key)"),
        ("customer_ids", "CustomerId"),
        ("customer_ids", "ordinal"),
        ("customer_changes", "(change, CustomerId, other)"),
        ("previous_ids", "CustomerId"),
    ):
        assert history.rows(f"SELECT count(*) = count(DISTINCT {grain}) FROM {table}") == [(True,)], (table, grain)
    types = {t: history.engine.columns(t) for t in ("members", "customer_ids", "customer_changes")}
    assert types == {
        "members": {
            "rid": "INTEGER", "entity": "VARCHAR", "key": "VARCHAR", "winner": "INTEGER", "is_winner": "BOOLEAN",
            "ordinal": "INTEGER", "CustomerId": "VARCHAR",
        },
        "customer_ids": {
            "CustomerId": "VARCHAR", "ordinal": "INTEGER", "founded_by_entity": "VARCHAR",
            "founded_by_key": "VARCHAR", "founded_run": "BIGINT", "retired_run": "BIGINT", "successor": "VARCHAR",
            "split_from": "VARCHAR[]",
        },
        "customer_changes": {"change": "VARCHAR", "CustomerId": "VARCHAR", "other": "VARCHAR"},
    }  # fmt: skip


def test_nothing_but_what_is_promised_stays_behind(history: History) -> None:
    history.run([crm("A")])
    left = {
        name for (name,) in history.rows("SELECT table_name FROM duckdb_tables() WHERE database_name <> 'last one'")
    }
    assert left == {
        "records", "clusters", "winners", "dropped", "members", "customer_ids", "customer_changes", "previous_ids",
    }  # fmt: skip
    made = {step.makes for step in identity_steps(1, None)}
    assert made > {"members", "customer_ids", "customer_changes"}
