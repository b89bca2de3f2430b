"""All rules in order make `links`; overrides have the last word.

Dedupe: every rule on every row of its entity. Match: per pair of entities, rule n+1 only on records of the lower entity
that rule n left unmatched in that upper entity.

makes  rules     one row per rule, in order of strength; rule 0 stands for always-overrides
       links     a, b, rule, score: one row per pair and rule
       ignored   rule, value, records, pairs, reason
       never     a, b (scratch): pairs that must stay apart
       stars     rule, key_group, side, rid (scratch): who shares a value in star rules
       limit_<i> rid, value (scratch): the values of the i-th limit when it is a never_two
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from unify.conflation.normalize import Lists
from unify.conflation.pairs import RuleRunner
from unify.conflation.prepare import Prepared
from unify.conflation.rules import BoundRule
from unify.core.engine import Engine
from unify.core.errors import SpecError, did_you_mean
from unify.core.names import table_of
from unify.core.progress import Progress
from unify.core.reports import RuleReport
from unify.core.steps import Query, Step
from unify.spec import ConflationPlan, Criterion, Project, Rule

DEFAULT_RULE = "equal in every matched column"
RULES_SCHEMA = pa.schema(
    [("rule", pa.int16()), *((c, pa.string()) for c in ("kind", "name", "left_entity", "right_entity", "sentence"))]
)
ALWAYS = (0, "always", "always match", "", "", "the records are on an always-match list")


@dataclass(frozen=True)
class BoundPlan:
    """The plan with its rules bound to prepared columns, in order of strength."""

    prepared: dict[str, Prepared]
    rules: tuple[BoundRule, ...]
    limit_values: dict[int, dict[str, str]]
    """Position of a never_two limit to {entity: prepared column}."""


def bind(engine: Engine, project: Project, lists: Lists) -> BoundPlan:
    """Bind every active rule and limit of the plan; registers the values that must be prepared."""
    plan = _plan_of(project)
    prepared = {
        ordered.entity: Prepared(ordered.entity, number, engine.columns(table_of(ordered.entity)), lists)
        for number, ordered in enumerate(plan.order)
    }
    bound: list[BoundRule] = []
    for left, right, rule in _rules(plan):
        bound.append(BoundRule.bind(len(bound) + 1, rule, prepared[left], prepared[right]))
    limits: dict[int, dict[str, str]] = {}
    for i, limit in enumerate(plan.limits):
        if limit.never_two is not None:
            having = [p for p in prepared.values() if limit.never_two in p.types]
            if not having:
                known = {c for p in prepared.values() for c in p.types}
                raise SpecError(
                    f"no entity of the plan has a column {limit.never_two!r}",
                    where=f"limit '{limit}'",
                    hint=did_you_mean(limit.never_two, known),
                )
            limits[i] = {p.entity: p.value(limit.never_two, limit.normalize) for p in having}
    return BoundPlan(prepared, tuple(bound), limits)


def _plan_of(project: Project) -> ConflationPlan:
    if project.conflation is None:
        raise SpecError("the project has no conflation plan", hint="add `conflation:` with an order and rules")
    return project.conflation


def _rules(plan: ConflationPlan) -> Iterator[tuple[str, str, Rule]]:
    """(left, right, rule) in order of strength: dedupe by conflation order, then match pairs from the top down."""
    rank = {o.entity: i for i, o in enumerate(plan.order)}
    for entity in rank:
        spec = plan.dedupe.get(entity)
        rules = spec.rules if spec else ()
        if not rules and (spec is None or spec.default_rule):
            rules = _default_rule(plan, entity)
        yield from ((entity, entity, rule) for rule in rules if rule.active)
    for pair in sorted(plan.match, key=lambda p: (rank[p.left], rank[p.right])):
        yield from ((pair.left, pair.right, rule) for rule in pair.rules if rule.active)


def _default_rule(plan: ConflationPlan, entity: str) -> tuple[Rule, ...]:
    """Rows equal in all columns that the entity's match rules use are one (reference §3.4, when no rule is set)."""
    columns: dict[str, None] = {}
    for pair in plan.match:
        for rule in pair.rules:
            for criterion in rule.when:
                if pair.left == entity:
                    columns |= dict.fromkeys(criterion.left_columns)
                if pair.right == entity:
                    columns |= dict.fromkeys(criterion.right_columns)
    return (Rule(name=DEFAULT_RULE, when=tuple(Criterion(field=c) for c in columns)),) if columns else ()


def make_links(engine: Engine, plan: ConflationPlan, bound: BoundPlan, progress: Progress) -> list[RuleReport]:
    """Run every rule, then gather links, stars, ignored values and never-pairs; returns a report per rule."""
    rows = [ALWAYS, *((b.number, b.kind, b.rule.name, b.left.entity, b.right.entity, b.sentence) for b in bound.rules)]
    engine.load(
        "rules",
        pa.Table.from_pylist([dict(zip(RULES_SCHEMA.names, r, strict=True)) for r in rows], RULES_SCHEMA),
        keep=True,
    )
    reports: list[RuleReport] = []
    for rule in bound.rules:
        progress(rule.kind, rule.rule.name)
        earlier = [
            r.rule
            for r in reports
            if rule.kind == "match" and (r.left, r.right) == (rule.left.entity, rule.right.entity)
        ]
        matched = " UNION ALL ".join(f"SELECT b AS rid FROM links_{n}" for n in earlier)
        reports.append(RuleRunner(engine, plan, rule, matched).run())
    for step in _gather(bound, reports):
        engine.build(step)
    return reports


def _gather(bound: BoundPlan, reports: list[RuleReport]) -> list[Step]:
    """The tables of all rules together."""
    numbers = [r.rule for r in reports]
    always = "SELECT DISTINCT a, b, CAST(0 AS SMALLINT) AS rule, CAST(1 AS FLOAT) AS score FROM override_pairs WHERE kind = 'always'"
    made = [always, *(f"SELECT a, b, rule, score FROM links_{n}" for n in numbers)]
    stars = [
        f"SELECT CAST({r.rule} AS SMALLINT) AS rule, key_group, side, rid FROM star_{r.rule}"
        for r in reports
        if r.shape == "star"
    ]
    no_star = "SELECT CAST(0 AS SMALLINT) AS rule, CAST(0 AS BIGINT) AS key_group, CAST(0 AS UTINYINT) AS side, CAST(0 AS INTEGER) AS rid WHERE false"
    ignored = [f"SELECT rule, value, records, pairs, reason FROM ignored_{r.rule}" for r in reports if r.ignored]
    none_ignored = "SELECT CAST(0 AS SMALLINT) AS rule, '' AS value, 0::BIGINT AS records, 0::BIGINT AS pairs, '' AS reason WHERE false"
    union = "\nUNION ALL\n".join
    return [
        Step("links", Query(union(made)), "all links", keep=True, releases=tuple(f"links_{n}" for n in numbers)),
        Step(
            "stars",
            Query(union(stars) if stars else no_star),
            "who shares values",
            releases=tuple(f"star_{n}" for n in numbers),
        ),
        Step("ignored", Query(union(ignored) if ignored else none_ignored), "values that were no evidence", keep=True),
        Step("never", Query("SELECT DISTINCT a, b FROM override_pairs WHERE kind = 'never'"), "pairs that stay apart"),
        *(
            Step(
                f"limit_{i}",
                Query(
                    union(
                        f"SELECT rid, CAST({column} AS VARCHAR) AS value FROM {bound.prepared[entity].table} WHERE {column} IS NOT NULL"
                        for entity, column in columns.items()
                    )
                ),
                "values that no customer may have two of",
            )
            for i, columns in bound.limit_values.items()
        ),
    ]
