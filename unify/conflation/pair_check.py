"""Rules on single pairs of records: which conditions hold, with values before and after normalising."""

from collections.abc import Sequence
from typing import Any

from unify.conflation import compare
from unify.conflation.all_records import raw_value
from unify.conflation.binding import BoundPlan
from unify.conflation.evidence.waterfall import group_of, waterfall
from unify.conflation.junk.effects import all_shared, drop_junk, forms_of
from unify.conflation.junk.fields import judged
from unify.conflation.junk.recall import recall
from unify.conflation.prepare import make_values, rows_by_key
from unify.conflation.rules import BoundRule, Term
from unify.core.engine import Engine
from unify.core.explanations import ConditionCheck, RuleCheck
from unify.core.names import quote, table_of
from unify.core.steps import Query
from unify.spec import Project


def raw_rows(engine: Engine, project: Project, records: Sequence[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """The source row of every record (dicts with rid, entity, key), by rid."""
    found: dict[int, dict[str, Any]] = {}
    for entity in dict.fromkeys(r["entity"] for r in records):
        rids = {r["key"]: r["rid"] for r in records if r["entity"] == entity}
        key = quote(project.entity(entity).key)
        rows = engine.fetch(
            Query(
                f'SELECT *, CAST({key} AS VARCHAR) AS "#key" FROM {quote(table_of(entity))} '
                f"WHERE CAST({key} AS VARCHAR) IN (SELECT unnest($keys::VARCHAR[]))",
                {"keys": list(rids)},
            )
        ).to_pylist()
        for row in rows:
            found[rids[row.pop("#key")]] = row
    return found


class PairChecker:
    """Evaluates the bound rules on pairs of a few records, by the SQL the run used."""

    def __init__(self, engine: Engine, project: Project, bound: BoundPlan, rids: Sequence[int]) -> None:
        self.engine, self.bound = engine, bound
        rids = self._with_groups(rids)
        among = ", ".join(map(str, rids))
        records = engine.fetch(Query(f"SELECT rid, entity, key FROM records WHERE rid IN ({among})")).to_pylist()
        self.entity = {r["rid"]: r["entity"] for r in records}
        self.raw = raw_rows(engine, project, records)
        self.lies = judged(project, bound)
        for entity, prepared in bound.prepared.items():
            by_key = rows_by_key(entity, prepared.number, project.entity(entity).key)
            prepared.rows = f"{by_key} AND record_rows.rid IN ({among})"
        make_values(engine, bound.prepared.values())
        self.carried = recall(engine, self.lies)
        """Values of these records that are junk or shared."""
        for prepared in bound.prepared.values():
            drop_junk(engine, prepared, forms_of(self.lies, prepared))

    def _with_groups(self, rids: Sequence[int]) -> list[int]:
        """The records, and those that a scored rule joined with one of them: its average is over all of them."""
        groups = [group_of(self.engine, rule.number, rids) for rule in self.bound.rules if rule.scored]
        return sorted(set(rids).union(*groups))

    def rules_on(self, a: int, b: int) -> list[RuleCheck]:
        """Every rule between the two records' entities, on this pair."""
        return [self._check(rule, *self._sides(rule, a, b)) for rule in self.bound.rules if self._applies(rule, a, b)]

    def rule_on(self, number: int, a: int, b: int) -> RuleCheck:
        """One rule on this pair."""
        rule = next(r for r in self.bound.rules if r.number == number)
        return self._check(rule, *self._sides(rule, a, b))

    def _applies(self, rule: BoundRule, a: int, b: int) -> bool:
        if rule.kind == "common":
            return True
        return {rule.left.entity, rule.right.entity} == {self.entity[a], self.entity[b]}

    def _sides(self, rule: BoundRule, a: int, b: int) -> tuple[int, int]:
        if rule.kind == "match":
            return (a, b) if self.entity[a] == rule.left.entity else (b, a)
        if rule.crosswise and not self._check(rule, a, b).passed:
            return b, a
        return a, b

    def _check(self, rule: BoundRule, left: int, right: int) -> RuleCheck:
        conditions = [self._condition(t, rule, left, right) for t in rule.when]
        vetoes = []
        for veto in rule.vetoes:
            checks = [self._condition(t, rule, left, right, as_veto=True) for t in veto]
            vetoes += checks if all(c.passed for c in checks) else []
        passed = all(c.passed for c in conditions) and not vetoes and not self._only_shared(rule, left, right)
        if rule.scored:
            return self._scored(rule, left, right, vetoes)
        scores = [c.score for c in conditions if c.score is not None]
        return RuleCheck(
            rule=rule.number,
            name=rule.rule.name,
            kind=rule.kind,
            left=rule.left.entity,
            right=rule.right.entity,
            passed=passed,
            score=min(scores) if passed and scores else None,
            conditions=conditions,
            vetoes=vetoes,
        )

    def _scored(self, rule: BoundRule, left: int, right: int, vetoes: list[ConditionCheck]) -> RuleCheck:
        """A scored rule passes when the run joined the two records by it, directly or as a whole customer."""
        evidence = waterfall(self.engine, rule, (left, right), self.raw, self.entity)
        return RuleCheck(
            rule=rule.number,
            name=rule.rule.name,
            kind=rule.kind,
            left=rule.left.entity,
            right=rule.right.entity,
            passed=evidence is not None and evidence.joined,
            score=evidence.probability if evidence is not None else None,
            conditions=[],
            vetoes=vetoes,
            evidence=evidence,
        )

    def _only_shared(self, rule: BoundRule, left: int, right: int) -> bool:
        """Whether a rule of contacts has nothing but shared values to go by on this pair."""
        contact = self.lies.contact(rule)
        if not contact:
            return False
        here, there = rule.side("left"), rule.side("right")
        on = " AND ".join(f"l.{k} = r.{k}" for k in rule.keys)
        own = all_shared(contact, [f"l.{k}" for k in rule.keys])
        rows = self.engine.fetch(
            Query(
                f"SELECT bool_and({own}) AS shared FROM ({here}) AS l JOIN ({there}) AS r ON {on} "
                "WHERE l.rid = $left AND r.rid = $right",
                {"left": left, "right": right},
            )
        ).to_pylist()
        return bool(rows[0]["shared"])

    def _condition(
        self, term: Term, rule: BoundRule, left: int, right: int, *, as_veto: bool = False
    ) -> ConditionCheck:
        sides = [f"CAST({side}.{c} AS VARCHAR)" for side, cs in (("l", term.left), ("r", term.right)) for c in cs]
        test = term.holds() if as_veto else term.passes()
        rows = self.engine.fetch(
            Query(
                f"SELECT {test} AS passed, CAST({term.score()} AS DOUBLE) AS score, [{', '.join(sides)}] AS compared "
                f"FROM {rule.left.table} AS l, {rule.right.table} AS r WHERE l.rid = $left AND r.rid = $right",
                {"left": left, "right": right},
            )
        ).to_pylist()
        # after an ingest alone a record's row may be gone from its source until the next conflate
        gone: dict[str, Any] = {"passed": False, "score": None, "compared": [None] * len(sides)}
        row = rows[0] if rows else gone
        here = rule.columns(term.criterion, "left", self.entity[left])
        there = rule.columns(term.criterion, "right", self.entity[right])
        return ConditionCheck(
            sentence=compare.sentence(term.criterion),
            left={str(c): raw_value(self.raw.get(left, {}), c) for c in here},
            right={str(c): raw_value(self.raw.get(right, {}), c) for c in there},
            left_compared=row["compared"][: len(here)],
            right_compared=row["compared"][len(term.left) :][: len(there)],
            score=row["score"],
            passed=bool(row["passed"]),
        )
