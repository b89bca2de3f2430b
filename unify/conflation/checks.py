"""The plan against the real columns: every documented limit as an error that names what offends and the next move.

The nine limits of a conflation plan (reference §3.10) are numbered in the comments below. All problems are
collected, so that a user mends a plan in one round.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass

from unify.core.errors import SpecError, did_you_mean
from unify.core.problems import Problem, family
from unify.spec import Compared, ConflationPlan, Criterion, Evidence, Joined, Project, Rule, SourceColumn, parts
from unify.spec.preference import Preference

Schemas = Mapping[str, Mapping[str, str]]
"""Entity to {column: SQL type}; an entity that is absent has not been ingested."""

RECENCY = ("date", "datetime", "integer", "number")
TEXTUAL = ("string", "guid")


def check_plan(project: Project, schemas: Schemas) -> None:
    """Raise one SpecError that lists every problem of the conflation plan; do nothing when there is none."""
    if project.conflation is None:
        return
    problems = dict.fromkeys(plan_problems(project, project.conflation, schemas))  # dedupe names both sides
    if problems:
        raise SpecError("\n".join(str(p) for p in problems), where="conflation plan")


def plan_problems(project: Project, plan: ConflationPlan, schemas: Schemas) -> Iterator[Problem]:
    """Every violated limit, in the order of the plan."""
    order = [o.entity for o in plan.order]
    yield from _order_problems(project, order, schemas)
    yield from _rules_exist(plan)
    for entity, spec in plan.dedupe.items():
        place = f"dedupe {entity}"
        if entity not in order:  # limit 7
            yield Problem(place, f"{entity} is not in the conflation order", "add it to conflation.order")
            continue
        yield from _rule_problems(project, place, spec.rules, schemas, _Pair(entity, entity))
        yield from _preference_problems(f"{place}: winner", entity, spec.winner, schemas)
        for column, preference in spec.prefer.items():
            yield from _column_problems(f"{place}: prefer", entity, column, schemas)
            yield from _preference_problems(f"{place}: prefer {column}", entity, preference, schemas)
    yield from _rule_problems(project, "rules", plan.rules, schemas, _Everybody(tuple(dict.fromkeys(order))))
    seen: set[tuple[str, str]] = set()
    for pair in plan.match:
        place = f"match {pair.left} -> {pair.right}"
        missing = [e for e in (pair.left, pair.right) if e not in order]
        for entity in missing:  # limit 7
            yield Problem(place, f"{entity} is not in the conflation order", did_you_mean(entity, order))
        if missing:
            continue
        if pair.left == pair.right:
            yield Problem(place, "an entity is not matched with itself", f"write its rules under dedupe: {pair.left}")
        elif order.index(pair.left) < order.index(pair.right):  # limit 8
            yield Problem(place, f"{pair.left} is not below {pair.right} in the conflation order",
                          f"write {pair.right} -> {pair.left}, or change conflation.order")  # fmt: skip
        if (pair.left, pair.right) in seen:
            yield Problem(place, "this pair stands twice", "put all its rules under one entry")
        seen.add((pair.left, pair.right))
        yield from _rule_problems(project, place, pair.rules, schemas, _Pair(pair.left, pair.right))
    for limit in plan.limits:
        if limit.at_most_one is not None and limit.at_most_one not in order:
            yield Problem(f"limit '{limit}'", f"{limit.at_most_one} is not in the conflation order",
                          did_you_mean(limit.at_most_one, order))  # fmt: skip
        if limit.never_two is not None and not any(limit.never_two in schemas.get(e, {}) for e in order):
            known = {c for e in order for c in schemas.get(e, {})}
            yield Problem(
                f"limit '{limit}'", f"no entity has a column {limit.never_two!r}", did_you_mean(limit.never_two, known)
            )
        yield from _list_problems(project, f"limit '{limit}'", limit.normalize)


def _order_problems(project: Project, order: list[str], schemas: Schemas) -> Iterator[Problem]:
    for entity in dict.fromkeys(e for e in order if order.count(e) > 1):
        yield Problem("order", f"{entity} stands twice")
    for entity in dict.fromkeys(order):
        if entity not in project.entities:  # limit 4
            yield Problem("order", f"{entity} is not declared under sources", did_you_mean(entity, project.entities))
            continue
        declared = project.entity(entity)
        if declared.type == "activity":
            yield Problem(
                "order",
                f"{entity} is an activity; only profiles are conflated",
                "take it out of the order, or set type: profile",
            )
        if entity not in schemas:  # limit 1
            yield Problem("order", f"{entity} has not been ingested", "run `unify ingest` first")
        elif declared.key not in schemas[entity]:  # limit 3
            yield Problem("order", f"{entity} has no primary key: there is no column {declared.key!r}",
                          did_you_mean(declared.key, schemas[entity]))  # fmt: skip


def _rules_exist(plan: ConflationPlan) -> Iterator[Problem]:
    rules = [r for s in plan.dedupe.values() for r in s.rules] + [r for p in plan.match for r in p.rules]
    if not any(r.active for r in (*rules, *plan.rules)):  # limit 5
        yield Problem(
            "rules",
            "at least one active rule with one condition must be defined",
            "add conflation.rules, conflation.match or conflation.dedupe",
        )


@dataclass(frozen=True)
class _Pair:
    """Whose records a rule compares: those of one entity with those of another, or with each other."""

    left: str
    right: str
    called = "this pair"

    def columns(self, compared: Compared, schemas: Schemas) -> Iterator[tuple[str, SourceColumn]]:
        """(entity, column) of everything that a comparison names."""
        for entity, columns in ((self.left, compared.left_columns), (self.right, compared.right_columns)):
            if entity in schemas:
                yield from ((entity, column) for column in columns)

    def problems(self, place: str, compared: Compared, schemas: Schemas) -> Iterator[Problem]:
        """What is wrong with the way in which the columns are named."""
        inside = self.left == self.right and isinstance(compared, Evidence)
        if inside and compared.left_columns != compared.right_columns:
            yield Problem(
                place,
                f"inside one entity the columns are the same on both sides, not {_name(compared)}",
                "write `fields` with all of them: any may equal any",
            )


@dataclass(frozen=True)
class _Everybody:
    """Common rules compare the records of all entities in the order."""

    order: tuple[str, ...]
    called = "the common rules"

    def columns(self, compared: Compared, schemas: Schemas) -> Iterator[tuple[str, SourceColumn]]:
        """(entity, column) of everything that a comparison names, or finds by its name."""
        for entity in self.order:
            if entity in schemas:
                yield from ((entity, column) for column in compared.of_entity(entity, schemas[entity]))

    def problems(self, place: str, compared: Compared, schemas: Schemas) -> Iterator[Problem]:
        """An entity that takes no part, and columns that nobody has."""
        for entity in compared.columns:
            if entity not in self.order:
                yield Problem(
                    f"{place}: columns", f"{entity} is not in the conflation order", did_you_mean(entity, self.order)
                )
        if any(entity not in schemas for entity in self.order):
            return  # which columns there are is not known yet
        others = [schemas[entity] for entity in self.order if entity not in compared.columns]
        missing = [c for c in compared.left_columns if not any(c in columns for columns in others)]
        if len(missing) == len(compared.left_columns) and any(compared.columns.values()):
            return  # `field` is but a name for what stands under `columns`
        for column in missing:
            known = {c for entity in self.order for c in schemas[entity]}
            hint = did_you_mean(column, known) or "say under `columns` what it is called in which entity"
            yield Problem(place, f"no entity has a column {column!r}", hint)


def _name(compared: Compared) -> str:
    """The columns, for people."""
    left, right = " or ".join(compared.left_columns), " or ".join(compared.right_columns)
    return left if left == right else f"{left} with {right}"


def _rule_problems(
    project: Project, place: str, rules: tuple[Rule, ...], schemas: Schemas, of: _Pair | _Everybody
) -> Iterator[Problem]:
    names: set[str] = set()
    for i, rule in enumerate(rules):
        here = f"{place}: rule {rule.name!r}"
        if rule.name in names:
            yield Problem(
                here,
                f"another rule of {of.called} has the same name",
                "names appear in links and reports: make them differ",
            )
        names.add(rule.name)
        for other in rules[:i]:
            same = (other.when, other.score, other.unless) == (rule.when, rule.score, rule.unless)
            if same and other.at_least == rule.at_least:  # limit 6
                yield Problem(here, f"is a copy of rule {other.name!r}", "remove one of them")
        for compared in rule.compared:
            yield from _compared_problems(project, here, compared, schemas, of)


def _compared_problems(
    project: Project, place: str, compared: Compared, schemas: Schemas, of: _Pair | _Everybody
) -> Iterator[Problem]:
    """Evidence is compared as text, so that any type may be compared with itself; a criterion asks for a type."""
    if isinstance(compared, (Criterion, Evidence)):
        yield from _list_problems(project, place, compared.normalize)
    yield from of.problems(place, compared, schemas)
    kinds = yield from _types_differ(place, of.columns(compared, schemas), schemas)
    if isinstance(compared, Criterion) and len(set(kinds.values())) == 1:
        yield from _type_problems(place, compared, kinds)


def _type_problems(place: str, criterion: Criterion, kinds: dict[str, str]) -> Iterator[Problem]:
    """A comparison that does not work on the type of the columns. `kinds`: column to family of types, all alike."""
    [kind] = set(kinds.values())
    if criterion.compare == "number" and kind not in ("integer", "number"):
        yield Problem(place, f"`number` compares numbers, {', '.join(kinds)} is {kind}", "declare the column's type")
    elif criterion.compare == "date" and kind not in ("date", "datetime"):
        yield Problem(place, f"`date` compares dates, {', '.join(kinds)} is {kind}", "declare the column as date")
    elif criterion.compare not in ("exact", "number", "date") and kind not in TEXTUAL and not criterion.normalize:
        yield Problem(place, f"{criterion.compare} compares text, {', '.join(kinds)} is {kind}",
                      "use exact, number or date, or declare the column as string")  # fmt: skip


def _types_differ(
    place: str, named: Iterable[tuple[str, SourceColumn]], schemas: Schemas
) -> Generator[Problem, None, dict[str, str]]:
    """Problems of columns that are not there or differ in type; returns each column's family of types."""
    kinds: dict[str, str] = {}
    for entity, column in named:
        unknown = [part for part in parts(column) if part not in schemas[entity]]
        for part in unknown:  # limit 2
            yield from _column_problems(place, entity, part, schemas)
        if not unknown:
            kinds[f"{entity}.{column}"] = "string" if isinstance(column, Joined) else family(schemas[entity][column])
    if len(set(kinds.values())) > 1:  # limit 9
        spoken = ", ".join(f"{c} is {k}" for c, k in kinds.items())
        yield Problem(
            place,
            f"matched attributes must have the same type: {spoken}",
            "declare the type under the entity's `columns`",
        )
    return kinds


def _list_problems(project: Project, place: str, normalize: tuple[object, ...]) -> Iterator[Problem]:
    for step in normalize:
        kind, argument = getattr(step, "kind", None), getattr(step, "argument", None)
        if kind not in ("alias", "bypass"):
            continue
        if argument not in project.lists:
            yield Problem(place, f"there is no list {argument!r}", did_you_mean(str(argument), project.lists))
        elif project.lists[argument].kind != kind:
            yield Problem(place, f"list {argument!r} is of kind {project.lists[argument].kind}, not {kind}")


def _column_problems(place: str, entity: str, column: str, schemas: Schemas) -> Iterator[Problem]:
    if entity in schemas and column not in schemas[entity]:
        yield Problem(place, f"{entity} has no column {column!r}", did_you_mean(column, schemas[entity]))


def _preference_problems(place: str, entity: str, preference: Preference, schemas: Schemas) -> Iterator[Problem]:
    if preference.by is None or entity not in schemas:
        return
    if preference.by not in schemas[entity]:
        yield from _column_problems(place, entity, preference.by, schemas)
    elif (kind := family(schemas[entity][preference.by])) not in RECENCY:
        yield Problem(
            place, f"{entity}.{preference.by} is {kind}; recency needs a date or a number", "declare the column's type"
        )
