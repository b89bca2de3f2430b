"""The documented limits of a conflation plan (nine of them) that the JSON itself can break, each by its number.

Limits about columns, types, keys and the order of entities are those of every plan: unify/conflation/checks.py.
"""

from collections.abc import Iterator

from unify.core.errors import did_you_mean
from unify.service.management.conflation_shapes import OURS, ConflationPlanInfo, MatchCriterion, MatchRule
from unify.service.management.drafts import Schemas
from unify.spec import Project

Problems = Iterator[tuple[str, str]]


def json_problems(plan: ConflationPlanInfo, names: dict[str, str]) -> Problems:
    """Limits 4, 5, 6, 7. `names`: name on the wire → entity."""
    order = [names.get(name, name) for name in plan.conflation_order or ()]
    infos = [
        names.get(f"{i.datasource_id}.{i.entity_name}" if i.datasource_id else i.entity_name, i.entity_name)
        for i in plan.entity_conflation_information or ()
    ]
    if not order:
        yield "conflationOrder", "names no entity"
    for entity in order:
        if entity not in infos:  # limit 4
            yield "entityConflationInformation", f"{entity} of the conflation order has none"
    for i, entity in enumerate(infos):
        if entity not in order:  # limit 4, the other way round
            yield f"entityConflationInformation.{i}", f"{entity} is not in the conflation order"
        if infos.index(entity) != i:
            yield f"entityConflationInformation.{i}", f"{entity} stands twice"
    rules = list(_rules(plan))
    for key in sorted(set(plan.settings or {}) - set(OURS)):
        yield f"settings.{key}", f"unknown key; {did_you_mean(key, OURS)}"
    common = (plan.settings or {}).get("rules")
    if not common and not any(rule.criteria or rule.evidence for _, rule in rules):  # limit 5
        yield "rules", "at least one rule with one criterion must be defined"
    for where, rule in rules:
        yield from _rule_problems(where, rule)


def _rules(plan: ConflationPlanInfo) -> Iterator[tuple[str, MatchRule]]:
    yield from ((f"rules.{i}", rule) for i, rule in enumerate(plan.rules or ()))
    for i, info in enumerate(plan.entity_conflation_information or ()):
        for n, rule in enumerate(info.deduplication.rules or () if info.deduplication else ()):
            yield f"entityConflationInformation.{i}.deduplication.rules.{n}", rule


def _rule_problems(where: str, rule: MatchRule) -> Problems:
    sided = where.startswith("rules.")
    if sided and not (rule.source_entity_name and rule.target_entity_name):
        yield where, "names the lower and the upper entity: sourceEntityName and targetEntityName"
    if not sided and (rule.source_entity_name or rule.target_entity_name):
        yield where, "a deduplication rule stands with its entity and names none"
    if not rule.criteria and not rule.evidence:  # limit 5
        yield where, "at least one criterion must be defined"
    criteria = [(f"{where}.criteria.{i}", c) for i, c in enumerate(rule.criteria or ())]
    for i, exception in enumerate(rule.exceptions or ()):
        criteria += [(f"{where}.exceptions.{i}.{n}", c) for n, c in enumerate(exception)]
    for place, criterion in criteria:
        yield from _criterion_problems(place, criterion)


def _criterion_problems(where: str, criterion: MatchCriterion) -> Problems:
    if criterion.kind == "copy":  # limit 6
        yield where, "copy criteria may not be included in a plan"
    if not criterion.source_attributes and not criterion.target_attributes:
        yield where, "names no attribute: sourceAttributes, and targetAttributes where they differ"


def keyless(project: Project | None, schemas: Schemas, entity: str) -> bool:
    """Limit 3: whether an entity that was ingested has no primary key among its columns."""
    declared = project.entities.get(entity) if project is not None else None
    return entity in schemas and (declared is None or declared.key not in schemas[entity])


def other_keys(plan: ConflationPlanInfo, names: dict[str, str], project: Project | None) -> Problems:
    """Primary keys that are said, and are others than the declared ones: this is not where they are changed."""
    for i, info in enumerate(plan.entity_conflation_information or ()):
        said = f"{info.datasource_id}.{info.entity_name}" if info.datasource_id else info.entity_name
        declared = project.entities.get(names.get(said, "")) if project is not None else None
        if declared is not None and info.primary_key not in (None, declared.key):
            what = f"the primary key of {info.entity_name} is {declared.key}; entityInfo of the data source changes it"
            yield f"entityConflationInformation.{i}.primaryKey", what
