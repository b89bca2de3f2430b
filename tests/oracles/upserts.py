"""What a run makes of one more record: the run itself, as far as customers, on tables in memory.

A world is rows per entity. `publish` runs it and writes a generation; `upserted` runs it again with a record added, or in
place of the one with its key, going on from that generation, and says which customer every record is.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.util import module_from_spec, spec_from_file_location
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from rapidfuzz.distance import JaroWinkler, Levenshtein

from unify.conflation.binding import bind, plan_of
from unify.conflation.bridges.compared import compared
from unify.conflation.bridges.stage import weigh_links
from unify.conflation.cluster import cluster
from unify.conflation.identity import assign
from unify.conflation.junk.effects import drop_junk, forms_of
from unify.conflation.junk.fields import judged
from unify.conflation.junk.verdicts import judge_values
from unify.conflation.links import make_links
from unify.conflation.normalize_lists import lists_of
from unify.conflation.overrides import resolve_overrides
from unify.conflation.prepare import prepare
from unify.conflation.winners import winner_steps
from unify.core.names import table_of
from unify.core.progress import silent
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.spec import Criterion, Project, Rule

_spec = spec_from_file_location("oracle_clusters", Path(__file__).with_name("clusters.py"))
assert _spec is not None
assert _spec.loader is not None
clusters = module_from_spec(_spec)
sys.modules["oracle_clusters"] = clusters  # its dataclasses look their module up
_spec.loader.exec_module(clusters)

OVERRIDES = pa.schema([(c, pa.string()) for c in ("kind", "list", "entity1", "key1", "entity2", "key2")])
VALUES = pa.schema([(c, pa.string()) for c in ("list", "value", "alias")])
Row = dict[str, Any]


@dataclass
class World:
    """Rows per entity, the plan, and entries of always and never lists."""

    project: Project
    schema: pa.Schema
    rows: Mapping[str, Sequence[Row]]
    overrides: Sequence[tuple[str, str, str, str, str, str]] = ()
    listed: Sequence[tuple[str, str, str | None]] = ()
    started: datetime = field(default_factory=lambda: datetime(2026, 1, 1, tzinfo=UTC))

    def run(self, engine: DuckDBEngine, rows: Mapping[str, Sequence[Row]], number: int, previous: str | None) -> None:
        """Every stage up to customers."""
        for name in self.project.entities:
            engine.load(table_of(name), pa.Table.from_pylist(list(rows[name]), self.schema), keep=True)
        entries = [dict(zip(OVERRIDES.names, o, strict=True)) for o in self.overrides]
        engine.load("overrides", pa.Table.from_pylist(entries, OVERRIDES), keep=True)
        values = [dict(zip(VALUES.names, v, strict=True)) for v in self.listed]
        engine.load("list_values", pa.Table.from_pylist(values, VALUES), keep=True)
        plan, lists = plan_of(self.project), lists_of(engine, self.project)
        bound = bind(engine, self.project, lists)
        attributes = compared(bound, plan)
        lies = judged(self.project, bound)
        prepare(engine, self.project, plan, bound.prepared)
        resolve_overrides(engine, self.project, plan)
        judge_values(engine, self.project, lies, list(bound.prepared.values()), lists)
        for one in bound.prepared.values():
            drop_junk(engine, one, forms_of(lies, one))
        make_links(engine, plan, bound, silent, lies)
        cluster(engine, plan)
        weigh_links(engine, plan, bound, attributes)
        for step in winner_steps(engine, self.project, plan):
            engine.build(step)
        matched_only = [o.entity for o in plan.order if not o.include_all]
        assign(engine, number, previous, matched_only)

    def publish(self, path: Path) -> None:
        """The generation, in a file."""
        with DuckDBEngine(path, threads=1) as engine:
            self.run(engine, self.rows, 1, None)
            kinds = {"string": "string", "date32[day]": "date", "int64": "integer"}
            columns = ", ".join(f'{{"name": "{f.name}", "type": "{kinds[str(f.type)]}"}}' for f in self.schema)
            made = [{"entity": name, "columns": f"[{columns}]"} for name in self.project.entities]
            engine.load("entities", pa.Table.from_pylist(made), keep=True)

    def after(self, entity: str, record: Row) -> dict[str, list[Row]]:
        """The rows with the record, in place of the one with its key."""
        rows = {name: list(own) for name, own in self.rows.items()}
        rows[entity] = [r for r in rows[entity] if r["Id"] != record["Id"]] + [record]
        return rows

    def members(self) -> dict[tuple[str, str], str]:
        """Record to CustomerId, naively, before anything is added."""
        ledger = clusters.Ledger()
        ledger.run(1, Naive(self.project, self.rows, self.overrides).customers())
        found: dict[tuple[str, str], str] = ledger.members
        return found

    def told(self, entity: str, record: Row) -> tuple[dict[tuple[str, str], str], list[dict[str, Any]]]:
        """What `upserted` says, naively."""
        ledger = clusters.Ledger()
        ledger.run(1, Naive(self.project, self.rows, self.overrides).customers())
        ledger.run(2, Naive(self.project, self.after(entity, record), self.overrides).customers())
        changes = [
            {"change": kind, "CustomerId": one, "other": other} for kind, one, other in sorted(ledger.changes, key=str)
        ]
        return ledger.members, changes

    def upserted(self, path: Path, entity: str, record: Row) -> tuple[dict[tuple[str, str], str], list[dict[str, Any]]]:
        """(record to CustomerId, the change feed) of a run with the record."""
        with DuckDBEngine(threads=1) as engine:
            engine.attach(path, "previous")
            self.run(engine, self.after(entity, record), 2, "previous")
            members = engine.fetch(Query("SELECT entity, key, CustomerId FROM members")).to_pylist()
            changes = engine.fetch(Query("FROM customer_changes ORDER BY ALL")).to_pylist()
        return {(m["entity"], m["key"]): m["CustomerId"] for m in members}, changes


# ── the same again, naively ─────────────────────────────────────────────────────────────────────────────────────────
#
# Every pair of records under every rule, in plain Python: a hundred times as fast as a run on so few rows, so that
# resolving can be held against many more records. A test holds this against runs as well.


def normal(row: Row, column: str, criterion: Criterion) -> Any:
    """The value that a condition compares; knows `lower` and no other normaliser."""
    found = row[column]
    if found is None or not str(found).strip():
        return None
    for step in criterion.normalize:
        assert step.kind == "lower"
        found = str(found).lower()
    return found[: int(criterion.within or 0)] if criterion.compare == "prefix" else found


def alike(a: Any, b: Any, criterion: Criterion) -> tuple[bool, float]:
    """Whether two values pass, and their score."""
    if criterion.compare in ("number", "date"):
        apart = abs((a - b).days) if criterion.compare == "date" else abs(a - b)
        within = criterion.within or 0
        gradual = 1 - apart / (2 * within) if within else float(apart == 0)
        return apart <= within, gradual if apart <= within else max(0.0, min(0.499, gradual))
    if criterion.compare in ("exact", "prefix"):
        return a == b, float(a == b)
    ratio = {"levenshtein": Levenshtein.normalized_similarity, "jaro_winkler": JaroWinkler.similarity}
    score = round(ratio[criterion.compare](a, b), 9)
    return score * 100 >= (criterion.precision or 100) - 1e-7, score


def said(left: Row, right: Row, criterion: Criterion) -> tuple[bool, float, bool]:
    """Over all combinations of columns: whether one passes, the best score, whether both sides have a value."""
    here = [v for c in criterion.left_columns if (v := normal(left, c, criterion)) is not None]
    there = [v for c in criterion.right_columns if (v := normal(right, c, criterion)) is not None]
    found = [alike(a, b, criterion) for a in here for b in there]
    return any(p for p, _ in found), max((s for _, s in found), default=0.0), bool(here and there)


@dataclass
class Naive:
    """Customers of some rows under a plan, as lists of records, by their first; records of no customer are not there."""

    project: Project
    rows: Mapping[str, Sequence[Row]]
    overrides: Sequence[tuple[str, str, str, str, str, str]] = ()

    def __post_init__(self) -> None:
        self.plan = plan_of(self.project)
        self.order = [o.entity for o in self.plan.order]
        self.records = [(e, r) for e in self.order for r in sorted(self.rows[e], key=lambda r: str(r["Id"]))]
        self.names = [(e, str(r["Id"])) for e, r in self.records]
        self.entity = tuple(self.order.index(e) for e, _ in self.records)
        self.links: list[tuple[int, int, int, float]] = []
        self.groups: list[tuple[int, tuple[int, ...]]] = []
        self.kinds: dict[int, str] = {}

    def customers(self) -> list[list[tuple[str, str]]]:
        """Every customer."""
        self._rules()
        never = []
        for kind, _, e1, k1, e2, k2 in self.overrides:
            if (e1, k1) in self.names and (e2, k2) in self.names:
                a, b = sorted((self.names.index((e1, k1)), self.names.index((e2, k2))))
                if kind == "never":
                    never.append((a, b))
                else:
                    self.links.append((a, b, 0, 1.0))
        limits = self.plan.limits
        most = [limit.max_records for limit in limits if limit.max_records]
        world = clusters.World(
            entity=self.entity, links=tuple(self.links), groups=tuple(self.groups), kinds=self.kinds,
            never=frozenset(never), max_records=min(most, default=None),
            at_most_one=frozenset(self.order.index(x.at_most_one) for x in limits if x.at_most_one),
            values=tuple(self._limited(x) for x in limits if x.never_two),
            anchored=self.plan.clustering == "anchored",
        )  # fmt: skip
        _, label, _ = clusters.solve(world)
        parts: dict[int, list[int]] = {}
        for rid, one in sorted(label.items()):
            parts.setdefault(one, []).append(rid)
        kept = []
        for part in parts.values():
            kinds = {self.entity[rid] for rid in part}
            if len(kinds) > 1 or self.plan.order[min(kinds)].include_all:
                kept.append([self.names[rid] for rid in part])
        return sorted(kept, key=lambda part: self.names.index(part[0]))

    def _limited(self, limit: Any) -> dict[int, str]:
        criterion = Criterion(field=limit.never_two, normalize=limit.normalize)
        values = {rid: normal(row, limit.never_two, criterion) for rid, (_, row) in enumerate(self.records)}
        return {rid: str(value) for rid, value in values.items() if value is not None}

    def _rules(self) -> None:
        number = 0
        for entity in self.order:
            for rule in self.plan.dedupe[entity].rules if entity in self.plan.dedupe else ():
                number += 1
                own = [rid for rid, (e, _) in enumerate(self.records) if e == entity]
                self._rule(number, rule, "dedupe", own, own)
        everybody = list(range(len(self.records)))
        for rule in self.plan.rules:
            number += 1
            self._rule(number, rule, "common", everybody, everybody)
        rank = {e: i for i, e in enumerate(self.order)}
        for pair in sorted(self.plan.match, key=lambda p: (rank[p.left], rank[p.right])):
            lower, upper = (
                [rid for rid, (e, _) in enumerate(self.records) if e == side] for side in (pair.left, pair.right)
            )
            for rule in pair.rules:
                number += 1
                matched = self._rule(number, rule, "match", lower, upper)
                lower = [rid for rid in lower if rid not in matched]

    def _keys(self, rid: int, rule: Rule, side: str) -> set[tuple[Any, ...]]:
        row = self.records[rid][1]
        values = [
            {v for column in getattr(c, f"{side}_columns") if (v := normal(row, column, c)) is not None}
            for c in rule.when
            if c.is_exact
        ]
        return set(product(*values))

    def _rule(self, number: int, rule: Rule, kind: str, left: list[int], right: list[int]) -> set[int]:
        """Add the links of one rule; returns the lower records that it matched."""
        self.kinds[number] = kind
        fuzzy = [c for c in rule.when if not c.is_exact]
        crosswise = any(
            c.left_columns != c.right_columns for c in (*rule.when, *(c for veto in rule.unless for c in veto.all))
        )
        having: dict[str, dict[tuple[Any, ...], set[int]]] = {"left": {}, "right": {}}
        for side, rids in (("left", left), ("right", right)):
            for rid in rids:
                for key in self._keys(rid, rule, side):
                    having[side].setdefault(key, set()).add(rid)

        def active(key: tuple[Any, ...]) -> bool:
            sides = ("left", "right") if kind == "match" or crosswise else ("left",)
            sizes = [
                sum(self.entity[rid] == e for rid in having[side].get(key, ()))
                for side in sides
                for e in set(self.entity)
            ]
            return bool(fuzzy) or max(sizes, default=0) <= self.plan.max_shared

        star = not fuzzy and not rule.unless and (kind == "match" or not crosswise)
        matched: set[int] = set()
        found: dict[tuple[int, int], float] = {}
        for a in left:
            for b in right:
                if a == b or (kind != "match" and not crosswise and a > b):
                    continue
                shared = self._keys(a, rule, "left") & self._keys(b, rule, "right")
                if any(c.is_exact for c in rule.when) and not any(active(key) for key in shared):
                    continue
                score = self._score(rule, fuzzy, self.records[a][1], self.records[b][1])
                if score is None:
                    continue
                matched.add(a)
                pair = (min(a, b), max(a, b))
                found[pair] = max(found.get(pair, 0.0), score)
        if star:
            for key in {key for side in having.values() for key in side}:
                if active(key):
                    members = having["left"].get(key, set()) | having["right"].get(key, set())
                    both = kind != "match" or (having["left"].get(key) and having["right"].get(key))
                    if len(members) > 1 and both:
                        self.groups.append((number, tuple(sorted(members))))
        else:
            self.links += [(a, b, number, float(np.float32(score))) for (a, b), score in found.items()]
        return matched

    def _score(self, rule: Rule, fuzzy: list[Criterion], left: Row, right: Row) -> float | None:
        score = 1.0
        for criterion in fuzzy:
            passed, one, _ = said(left, right, criterion)
            if not passed:
                return None
            score = min(score, one)
        for veto in rule.unless:
            if all(self._holds(left, right, c) for c in veto.all):
                return None
        return score

    def _holds(self, left: Row, right: Row, criterion: Criterion) -> bool:
        passed, _, both = said(left, right, criterion)
        return both and not passed if criterion.differs else passed
