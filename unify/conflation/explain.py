"""Why are two records one customer, why not, and where does each value come from: another reader of the same plan.

The links, cuts and lineage are those that the run wrote down; the conditions are evaluated again, on the records in
question, by the very SQL that the run used (rules.py, compare.py, normalize.py).
"""

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import networkx as nx

from unify.conflation.binding import bind
from unify.conflation.columns import unified_columns
from unify.conflation.identity import resolve
from unify.conflation.normalize import Lists
from unify.conflation.pair_check import PairChecker, raw_rows
from unify.conflation.picks import Pick, UnifiedColumn
from unify.core.engine import Engine
from unify.core.errors import QueryError, did_you_mean
from unify.core.explanations import Explanation, Hop, RecordInfo, RuleCheck, ValueOrigin
from unify.core.names import table_of
from unify.core.steps import Query
from unify.spec import Project

CUSTOMER_ID = re.compile(r"[0-9a-f]{32}\Z")
RECORD_SQL = """
SELECT r.rid, r.entity, r.key, m.CustomerId, coalesce(m.is_winner, true) AS is_winner
FROM records AS r LEFT JOIN members AS m USING (rid)"""
REACH = 4
"""Customers away from each other that a chain of cut links is followed."""


class Explainer:
    """Explains one generation: `Explainer(engine, project, lists)`, then `customer(...)` or `pair(...)`."""

    def __init__(self, engine: Engine, project: Project, lists: Lists) -> None:
        self.engine, self.project, self.lists = engine, project, lists
        self.rules = {row["rule"]: row for row in engine.fetch(Query("SELECT * FROM rules ORDER BY rule")).to_pylist()}

    # ── finding records ──────────────────────────────────────────────────────────────────────────────────────────────

    def find(self, name: str) -> dict[str, Any]:
        """The record called `source.Entity:key`, or by its key alone when only one entity has it.

        Raises QueryError when there is none, or more than one.
        """
        entity, colon, key = name.partition(":")
        entities = [
            row["entity"] for row in self.engine.fetch(Query("SELECT DISTINCT entity FROM records")).to_pylist()
        ]
        spelled = {e: e for e in entities} | {table_of(e): e for e in entities}
        if colon and entity in spelled:
            found = self._records("r.entity = $entity AND r.key = $key", entity=spelled[entity], key=key)
        else:
            found = self._records("r.key = $key", key=name)
        if len(found) > 1:
            choices = ", ".join(f"{r['entity']}:{r['key']}" for r in found)
            raise QueryError(f"{name!r} is a key of several entities", hint=f"say which: {choices}")
        if not found:
            hint = did_you_mean(entity, spelled) if colon and entity not in spelled else self._where_else(name, key)
            raise QueryError(f"there is no record {name!r}", hint=hint)
        return found[0]

    def _where_else(self, name: str, key: str) -> str:
        """A record that is not there may have been quarantined."""
        for entity in self.project.entities:
            table = f'"{table_of(entity)}_corrupt"'
            params = {"key": f"%{key or name}%"}
            rows = self.engine.fetch(
                Query(f"SELECT reason FROM {table} WHERE raw LIKE $key LIMIT 1", params)
            ).to_pylist()
            if rows:
                return f"{table_of(entity)}_corrupt has a quarantined row with it: {rows[0]['reason']}"
        return "write source.Entity:key, e.g. crm.Contacts:C-1; only entities of the conflation order have records"

    def _records(self, where: str, **params: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.engine.fetch(
            Query(f"{RECORD_SQL} WHERE {where} ORDER BY r.rid", params)
        ).to_pylist()
        return found

    def _infos(self, rids: Sequence[int]) -> dict[int, RecordInfo]:
        rows = self._records(f"r.rid IN ({', '.join(map(str, rids))})")
        raw = raw_rows(self.engine, self.project, rows)
        return {
            r["rid"]: RecordInfo(
                rid=r["rid"], record=f"{r['entity']}:{r['key']}", CustomerId=r["CustomerId"],
                is_winner=r["is_winner"], row=raw.get(r["rid"], {}),
            )
            for r in rows
        }  # fmt: skip

    # ── two records ──────────────────────────────────────────────────────────────────────────────────────────────────

    def pair(self, one: str, other: str) -> Explanation:
        """Why two records are one customer, or why they are not. QueryError for a record that is not there."""
        a, b = self.find(one), self.find(other)
        if a["rid"] == b["rid"]:
            raise QueryError(f"{one!r} and {other!r} are the same record", hint="name two records")
        if a["CustomerId"] is not None and a["CustomerId"] == b["CustomerId"]:
            return self._same(a, b)
        return self._different(a, b)

    def _same(self, a: dict[str, Any], b: dict[str, Any]) -> Explanation:
        rids = [r["rid"] for r in self._records("m.CustomerId = $id", id=a["CustomerId"])]
        infos = self._infos(rids)
        graph = self._graph(rids)
        path = nx.shortest_path(graph, a["rid"], b["rid"], weight="weight")
        checker = self._checker(rids)
        direct = next((c for c in checker.rules_on(a["rid"], b["rid"]) if c.passed), None)
        if direct is not None:
            hops = [_hop(infos[a["rid"]], infos[b["rid"]], direct)]
        else:
            hops = [self._explained(graph, infos, checker, x, y) for x, y in pairwise(path)]
        steps = "one link" if len(hops) == 1 else f"{len(hops)} links"
        return Explanation(
            kind="same",
            summary=f"{_both(infos[a['rid']], infos[b['rid']])} are one customer, {a['CustomerId']}: {steps}",
            records=[infos[r] for r in dict.fromkeys((a["rid"], *path, b["rid"]))],
            path=hops,
        )

    def _graph(self, rids: Sequence[int]) -> "nx.Graph[Any]":
        """The links among these records; the path with the fewest, then strongest links is the one to show."""
        graph: nx.Graph[Any] = nx.Graph()
        graph.add_nodes_from(rids)
        among = ", ".join(map(str, rids))
        links = self.engine.fetch(
            Query(
                f"SELECT a, b, min(rule) AS rule, arg_min(score, rule) AS score FROM links ANTI JOIN cuts USING (a, b) "
                f"WHERE a IN ({among}) AND b IN ({among}) GROUP BY a, b ORDER BY a, b"
            )
        ).to_pylist()
        for link in links:
            graph.add_edge(link["a"], link["b"], **link, weight=1 + link["rule"] / 10_000)
        return graph

    def _explained(
        self, graph: "nx.Graph[Any]", infos: dict[int, RecordInfo], checker: PairChecker, x: int, y: int
    ) -> Hop:
        edge = graph.edges[x, y]
        if edge["rule"] == 0:
            return Hop(a=infos[x].record, b=infos[y].record, rule="they are on an always-match list", score=1.0)
        check = checker.rule_on(edge["rule"], x, y)
        hop = _hop(infos[x], infos[y], check)
        return hop.model_copy(update={"score": edge["score"]})

    def _different(self, a: dict[str, Any], b: dict[str, Any]) -> Explanation:
        infos = self._infos([a["rid"], b["rid"]])
        checker = self._checker([a["rid"], b["rid"]])
        checks = checker.rules_on(a["rid"], b["rid"])
        nearest = max(checks, key=_nearness, default=None)
        one, other = infos[a["rid"]], infos[b["rid"]]
        return Explanation(
            kind="different",
            summary=f"{_both(one, other)} are different customers: {one.CustomerId or 'none'} and "
            f"{other.CustomerId or 'none'}",
            records=[one, other],
            nearest=nearest,
            reasons=[*self._reasons(a, b, checks), *_lies(checker, a["rid"], b["rid"])],
        )

    def _reasons(self, a: dict[str, Any], b: dict[str, Any], checks: list[RuleCheck]) -> list[str]:
        """What kept two records apart, heaviest first."""
        reasons = [
            f"record {r['entity']}:{r['key']} matched nothing, and its entity does not include such records"
            for r in (a, b)
            if r["CustomerId"] is None
        ]
        reasons += self._cuts(a, b)
        for check in checks:
            if check.passed:
                reasons += self._passed_without_link(check, a["rid"], b["rid"])
        if not checks:
            reasons.append(f"the plan has no rule between {a['entity']} and {b['entity']}")
        elif not reasons:
            reasons.append(
                f"none of the {len(checks)} rules between {a['entity']} and {b['entity']} links them, "
                "and no chain of links joins them"
            )
        return reasons

    def _cuts(self, a: dict[str, Any], b: dict[str, Any]) -> list[str]:
        """Cut links on a way from one customer to the other."""
        if a["CustomerId"] is None or b["CustomerId"] is None:
            return []
        cuts = self.engine.fetch(
            Query(
                'SELECT c.a, c.b, c.rule, c."limit", c.detail, x.CustomerId AS one, y.CustomerId AS other '
                "FROM cuts AS c JOIN members AS x ON x.rid = c.a JOIN members AS y ON y.rid = c.b "
                "WHERE x.CustomerId <> y.CustomerId ORDER BY c.rule, c.a, c.b"
            )
        ).to_pylist()
        graph: nx.Graph[Any] = nx.Graph()
        for cut in cuts:
            if not graph.has_edge(cut["one"], cut["other"]):
                graph.add_edge(cut["one"], cut["other"], cut=cut)
        if a["CustomerId"] not in graph or b["CustomerId"] not in graph:
            return []
        try:
            way = nx.shortest_path(graph, a["CustomerId"], b["CustomerId"])
        except nx.NetworkXNoPath:
            return []
        if len(way) > REACH:
            return []
        said = []
        for x, y in pairwise(way):
            cut = graph.edges[x, y]["cut"]
            infos = self._infos([cut["a"], cut["b"]])
            rule = self.rules[cut["rule"]]["name"]
            said.append(
                f"the link {infos[cut['a']].record} — {infos[cut['b']].record} (rule {rule!r}) was cut: "
                f"{cut['limit']}: {cut['detail']}"
            )
        return said

    def _passed_without_link(self, check: RuleCheck, a: int, b: int) -> list[str]:
        """A rule that holds and yet made no link: an earlier rule was content, or its value is no evidence."""
        ignored = self.engine.fetch(
            Query(
                "SELECT value, records, reason FROM ignored WHERE rule = $rule ORDER BY pairs DESC",
                {"rule": check.rule},
            )
        ).to_pylist()
        keys = {v for c in check.conditions for v in (*c.left_compared, *c.right_compared) if v is not None}
        for value in ignored:
            if set(value["value"].split(" | ")) <= keys:
                records = f"{value['records']:,} records"
                why = f"{value['value']!r} is no evidence: {value['reason']} ({records})"
                return [f"rule {check.name!r} would link them, but {why}"]
        if check.kind == "match":
            lower = max(a, b)
            earlier = self.engine.fetch(
                Query(
                    "SELECT min(l.rule) AS rule FROM links AS l JOIN rules AS r USING (rule) WHERE l.b = $lower "
                    "AND l.rule < $rule AND r.left_entity = $left AND r.right_entity = $right",
                    {"lower": lower, "rule": check.rule, "left": check.left, "right": check.right},
                )
            ).to_pylist()[0]["rule"]
            if earlier is not None:
                before = (
                    f"the earlier rule {self.rules[earlier]['name']!r} had already matched the record of {check.left}"
                )
                return [f"rule {check.name!r} would link them, but {before}"]
        return []

    def _checker(self, rids: Sequence[int]) -> PairChecker:
        return PairChecker(self.engine, self.project, bind(self.engine, self.project, self.lists), rids)

    # ── one customer ─────────────────────────────────────────────────────────────────────────────────────────────────

    def customer(self, name: str) -> Explanation:
        """A customer by id (retired ids resolve) or by one of its records: records, links, and every value's origin."""
        customer_id = self.customer_id(name)
        members = self._records("m.CustomerId = $id", id=customer_id)
        infos = self._infos([r["rid"] for r in members])
        graph = self._graph([r["rid"] for r in members])
        links = [
            Hop(a=infos[e["a"]].record, b=infos[e["b"]].record, rule=self.rules[e["rule"]]["name"], score=e["score"])
            for _, _, e in sorted(
                graph.edges(data=True), key=lambda edge: (edge[2]["rule"], edge[2]["a"], edge[2]["b"])
            )
        ]
        records = "one record" if len(members) == 1 else f"{len(members)} records"
        was = "" if name == customer_id or not CUSTOMER_ID.match(name) else f" (asked for as {name}, which it replaced)"
        return Explanation(
            kind="customer",
            summary=f"customer {customer_id}{was}: {records}",
            records=list(infos.values()),
            links=links,
            values=self._values(customer_id, infos),
        )

    def customer_id(self, name: str) -> str:
        """The active id of a customer (retired ids resolve) or of one of its records. QueryError when there is none."""
        if CUSTOMER_ID.match(name):
            found = resolve(self.engine, name)
            if found is None:
                raise QueryError(f"customer {name} is gone: all of its records were deleted")
            return found
        record = self.find(name)
        if record["CustomerId"] is None:
            raise QueryError(
                f"{name!r} is no customer: it matched nothing, and its entity does not include such records"
            )
        return str(record["CustomerId"])

    def _values(self, customer_id: str, infos: dict[int, RecordInfo]) -> list[ValueOrigin]:
        schemas = {e: self.engine.columns(table_of(e)) for e in self.project.entities}
        plan = unified_columns(self.project, schemas)
        how = {c.name: (_how(pick, c), c) for pick in plan.picks for c in pick.columns}
        [customer] = self.engine.fetch(Query("FROM Customer WHERE CustomerId = $id", {"id": customer_id})).to_pylist()
        lineage = self.engine.fetch(
            Query('SELECT "column", entity, key FROM customer_lineage WHERE CustomerId = $id', {"id": customer_id})
        ).to_pylist()
        origins = {row["column"]: f"{row['entity']}:{row['key']}" for row in lineage}
        values = []
        for name, (sentence, column) in how.items():
            if name not in origins:
                continue
            said = {
                info.record: info.row[feed.column]
                for info in infos.values()
                for feed in column.feeds
                if feed.entity == info.record.partition(":")[0] and info.row.get(feed.column) not in (None, "")
            }
            values.append(
                ValueOrigin(
                    column=name, value=customer[name], record=origins[name], how=sentence,
                    others={r: v for r, v in said.items() if r != origins[name] and v != customer[name]},
                )
            )  # fmt: skip
        return values


def _lies(checker: PairChecker, a: int, b: int) -> list[str]:
    """Values that both records carry and that say little or nothing."""
    mine = {(c.columns, c.value) for c in checker.carried if c.rid == a}
    return list(dict.fromkeys(c.sentence for c in checker.carried if c.rid == b and (c.columns, c.value) in mine))


def _both(a: RecordInfo, b: RecordInfo) -> str:
    return f"{a.record} and {b.record}"


def _how(pick: Pick, column: UnifiedColumn) -> str:
    """How a value was chosen, e.g. `most recent by ModifiedOn, of crm.Contacts.City, together with Street`."""
    rest = [c.name for c in pick.columns if c is not column]
    unit = f", together with {', '.join(rest)}" if rest else ""
    return f"{pick.by}, of {', '.join(str(f) for f in column.feeds)}{unit}"


def _hop(a: RecordInfo, b: RecordInfo, check: RuleCheck) -> Hop:
    return Hop(a=a.record, b=b.record, rule=check.name, score=check.score or 0.0, check=check)


def _nearness(check: RuleCheck) -> tuple[bool, float, float, int]:
    """How near a rule came: passed conditions first, then the scores of the failed ones; earlier rules win ties."""
    if check.evidence is not None:
        return check.passed, check.evidence.probability, check.evidence.average_probability, -check.rule
    passed = sum(c.passed for c in check.conditions) / max(len(check.conditions), 1)
    scores = [c.score or 0.0 for c in check.conditions if not c.passed]
    return check.passed, passed, sum(scores) / len(scores) if scores else 1.0, -check.rule
