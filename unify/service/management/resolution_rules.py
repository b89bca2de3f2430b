"""The vendor's JSON of conflict resolution rules, and the way from it to ours and back."""

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from unify.core.errors import did_you_mean
from unify.core.names import table_of
from unify.service.management.documented import Documented
from unify.service.management.drafts import Schemas
from unify.service.management.telling import told
from unify.spec import Project
from unify.spec.preference import Preference
from unify.spec.resolution import Resolution
from unify.spec.wire import initial_lower

Policy = Annotated[Literal["importance", "mostFilled", "mostRecent", "leastRecent"], BeforeValidator(initial_lower)]
KINDS = {
    "importance": "importance",
    "mostFilled": "most filled",
    "mostRecent": "most recent",
    "leastRecent": "least recent",
}
POLICIES = {kind: policy for policy, kind in KINDS.items()}


class SourceAttribute(Documented):
    """An attribute of an entity that takes part."""

    entity_name: str
    attribute_name: str
    datasource_id: str | None = None


class GroupedAttribute(Documented):
    """A column of a group, and what feeds it; nothing said: every attribute of that name."""

    name: str = Field(min_length=1)
    source_attributes: tuple[SourceAttribute, ...] | None = None


class ConflictResolutionRule(Documented):
    """How one column of Customer, or a group of columns taken from one record, gets its value.

    name               the column; of a group, its name
    policy             importance: in the order of `sourceAttributes`, or else of `entityOrder`, or else of the plan
    byAttribute        of mostRecent and leastRecent: the date or number that says how recent a record is
    sourceAttributes   what feeds the column
    group              the columns of a group
    """

    name: str = Field(min_length=1)
    policy: Policy = "importance"
    by_attribute: str | None = Field(default=None, min_length=1)
    source_attributes: tuple[SourceAttribute, ...] | None = None
    group: tuple[GroupedAttribute, ...] | None = None
    entity_order: tuple[str, ...] | None = None


def rules_of(project: Project | None) -> list[ConflictResolutionRule]:
    """Those of a project, by name."""
    resolution = project.resolution if project is not None else {}
    return [_rule(name, resolution[name]) for name in sorted(resolution)]


def _rule(name: str, r: Resolution) -> ConflictResolutionRule:
    group = tuple(
        told(GroupedAttribute, name=column, source_attributes=tuple(map(_attribute, sources)) or None)
        for column, sources in r.group.items()
    )
    return told(
        ConflictResolutionRule,
        name=name,
        policy=POLICIES[r.by.kind],
        by_attribute=r.by.by,
        source_attributes=tuple(map(_attribute, r.sources)) or None,
        group=group or None,
        entity_order=tuple(map(table_of, r.order)) or None,
    )


def _attribute(path: str) -> SourceAttribute:
    source, entity, column = path.split(".", 2)
    return told(SourceAttribute, datasource_id=source, entity_name=entity, attribute_name=column)


def resolution_of(rule: ConflictResolutionRule, names: dict[str, str]) -> dict[str, Any]:
    """As a project file has it. `names`: name on the wire → entity."""
    preference = Preference.model_validate({"kind": KINDS[rule.policy], "by": rule.by_attribute})
    made: dict[str, Any] = {"by": str(preference)}
    if rule.source_attributes:
        made["from"] = [_path(a, names) for a in rule.source_attributes]
    if rule.group:
        made["group"] = {g.name: [_path(a, names) for a in g.source_attributes or ()] for g in rule.group}
    if rule.entity_order:
        made["order"] = [names.get(name, name) for name in rule.entity_order]
    return made


def _entity(attribute: SourceAttribute, names: dict[str, str]) -> str | None:
    said = attribute.entity_name
    return names.get(f"{attribute.datasource_id}.{said}" if attribute.datasource_id else said)


def _path(attribute: SourceAttribute, names: dict[str, str]) -> str:
    return f"{_entity(attribute, names)}.{attribute.attribute_name}"


def rule_problems(
    rules: list[ConflictResolutionRule], project: Project, names: dict[str, str], schemas: Schemas
) -> Iterator[tuple[str, str]]:
    """The documented limits: entities ingested (1), attributes there (2), keys (3), one policy on one attribute (4),
    entities of the plan (5)."""
    planned = [o.entity for o in project.conflation.order] if project.conflation else []
    if not rules:  # limit 4
        yield "", "at least one resolution policy must be defined"
    if not planned:
        yield "", "there is no conflation plan yet, whose entities these rules are about"
        return
    seen: set[str] = set()
    for i, rule in enumerate(rules):
        if rule.name in seen:
            yield f"{i}.name", f"{rule.name!r} stands twice"
        seen.add(rule.name)
        recent = rule.policy in ("mostRecent", "leastRecent")
        if recent != (rule.by_attribute is not None):
            word = "needs" if recent else "takes no"
            yield f"{i}.byAttribute", f"{rule.policy} {word} byAttribute"
        if rule.group and rule.source_attributes:
            yield f"{i}.sourceAttributes", "a group names its attributes column by column"
        attributes = [(f"{i}.sourceAttributes.{n}", a) for n, a in enumerate(rule.source_attributes or ())]
        for g, grouped in enumerate(rule.group or ()):
            attributes += [
                (f"{i}.group.{g}.sourceAttributes.{n}", a) for n, a in enumerate(grouped.source_attributes or ())
            ]
        for place, attribute in attributes:
            yield from _attribute_problems(place, attribute, names, schemas, planned)
        for n, name in enumerate(rule.entity_order or ()):
            if names.get(name) not in planned:
                yield f"{i}.entityOrder.{n}", f"{name[:200]!r} is not part of the conflation plan"
        columns = [g.name for g in rule.group] if rule.group else [rule.name]
        for column in columns:
            fed = rule.source_attributes or any(g.source_attributes for g in rule.group or () if g.name == column)
            if not fed and not any(column in schemas.get(e, {}) for e in planned):  # limit 4
                yield f"{i}", f"no entity of the plan has an attribute {column!r}: say its sourceAttributes"
        if rule.by_attribute is not None and not any(rule.by_attribute in schemas.get(e, {}) for e in planned):
            known = {c for e in planned for c in schemas.get(e, {})}
            yield f"{i}.byAttribute", f"no entity has {rule.by_attribute!r}; {did_you_mean(rule.by_attribute, known)}"


def _attribute_problems(
    place: str, attribute: SourceAttribute, names: dict[str, str], schemas: Schemas, planned: list[str]
) -> Iterator[tuple[str, str]]:
    entity = _entity(attribute, names)
    if entity is None:  # limit 1
        yield f"{place}.entityName", f"{attribute.entity_name[:200]!r} has not been ingested"
    elif entity not in planned:  # limit 5
        yield f"{place}.entityName", f"{entity} is not part of the conflation plan"
    elif attribute.attribute_name not in schemas[entity]:  # limit 2
        hint = did_you_mean(attribute.attribute_name, schemas[entity])
        yield f"{place}.attributeName", f"{entity} has no attribute {attribute.attribute_name[:200]!r}; {hint}"
