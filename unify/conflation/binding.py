"""The plan bound to prepared columns, rules in order of strength: dedupe, common, then match from the top down."""

from collections.abc import Iterator
from dataclasses import dataclass

from unify.conflation.all_records import AllRecords
from unify.conflation.normalize import Lists
from unify.conflation.prepare import Prepared, hides_rowid, rows_by_key
from unify.conflation.rules import BoundRule, Side
from unify.core.engine import Engine
from unify.core.errors import SpecError, did_you_mean
from unify.core.names import table_of
from unify.spec import ConflationPlan, Criterion, Evidence, Project, Rule

DEFAULT_RULE = "equal in every matched column"


@dataclass(frozen=True)
class BoundPlan:
    """The plan with its rules bound to prepared columns, in order of strength."""

    prepared: dict[str, Prepared]
    rules: tuple[BoundRule, ...]
    limit_values: dict[int, dict[str, str]]
    """Position of a never_two limit to {entity: prepared column}."""


def bind(engine: Engine, project: Project, lists: Lists) -> BoundPlan:
    """Bind every active rule and limit of the plan; registers the values that must be prepared."""
    plan = plan_of(project)
    prepared = {
        ordered.entity: Prepared(ordered.entity, number, engine.columns(table_of(ordered.entity)), lists)
        for number, ordered in enumerate(plan.order)
    }
    for entity, one in prepared.items():
        if hides_rowid(one.types):
            one.rows = rows_by_key(entity, one.number, project.entity(entity).key)
    bound: list[BoundRule] = []
    for left, right, rule in _rules(plan, prepared):
        bound.append(BoundRule.bind(len(bound) + 1, rule, left, right))
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


def plan_of(project: Project) -> ConflationPlan:
    """The project's plan; SpecError when it has none."""
    if project.conflation is None:
        raise SpecError("the project has no conflation plan", hint="add `conflation:` with an order and rules")
    return project.conflation


def _rules(plan: ConflationPlan, prepared: dict[str, Prepared]) -> Iterator[tuple[Side, Side, Rule]]:
    """(left, right, rule) in order of strength: dedupe by conflation order, common rules, then match from the top down.

    A default rule is for plans that say nothing of records of one entity; common rules do.
    """
    rank = {o.entity: i for i, o in enumerate(plan.order)}
    for entity in rank:
        spec = plan.dedupe.get(entity)
        rules = spec.rules if spec else ()
        if not rules and (spec is None or spec.default_rule) and not plan.has_common_rules:
            rules = _default_rule(plan, entity)
        yield from ((prepared[entity], prepared[entity], rule) for rule in rules if rule.active)
    everybody = AllRecords(tuple(prepared.values()))
    yield from ((everybody, everybody, rule) for rule in plan.rules if rule.active)
    for pair in sorted(plan.match, key=lambda p: (rank[p.left], rank[p.right])):
        yield from ((prepared[pair.left], prepared[pair.right], rule) for rule in pair.rules if rule.active)


def _default_rule(plan: ConflationPlan, entity: str) -> tuple[Rule, ...]:
    """Rows equal in all columns that the entity's match rules use are one (reference §3.4, when no rule is set)."""
    columns: dict[str, None] = {}
    for pair in plan.match:
        for rule in pair.rules:
            compared: tuple[Criterion | Evidence, ...] = (*rule.when, *rule.score)
            for criterion in compared:
                if pair.left == entity:
                    columns |= dict.fromkeys(criterion.left_columns)
                if pair.right == entity:
                    columns |= dict.fromkeys(criterion.right_columns)
    return (Rule(name=DEFAULT_RULE, when=tuple(Criterion(field=c) for c in columns)),) if columns else ()
