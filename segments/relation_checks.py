"""Relationships and activities against the real columns: every documented limit as an error that names what offends.

The six limits of a relationship (names, uniqueness, cardinality, types, entities, attributes) and the rules of entity
information for activities are numbered in the comments. All problems are collected.
"""

from collections.abc import Iterable, Iterator, Mapping

from segments.relationships import RelationshipGraph
from unify.core.errors import SpecError, did_you_mean
from unify.core.problems import Problem, family
from unify.spec import Project, Relationship
from unify.spec.relationship import RELATIONSHIP_NAME

Schemas = Mapping[str, Mapping[str, str]]
"""Entity to {column: SQL type}; an entity that is absent has not been ingested."""
TIMES = ("date", "datetime", "integer")


def check_relationships(
    existing: Iterable[str], new: Mapping[str, Relationship], schemas: Schemas, *, update: bool = False
) -> None:
    """Raise one SpecError with every limit that the new relationships break, beside those that exist.

    update    they take the place of existing ones: names need not be unique, and must be there
    Cardinality and type (limits 3 and 4) are words of the noun: another one makes no Relationship.
    """
    taken = set(existing)
    problems = [p for name, r in new.items() for p in (*_name(name, taken, update), *_ends(name, r, schemas))]
    if problems:
        raise SpecError("\n".join(str(p) for p in problems), where="relationships")


def check_relations(project: Project, schemas: Schemas) -> None:
    """Raise one SpecError with everything wrong with the project's relationships and activities."""
    if problems := list(relation_problems(project, schemas)):
        raise SpecError("\n".join(str(p) for p in problems))


def relation_problems(project: Project, schemas: Schemas) -> Iterator[Problem]:
    """Everything wrong with them, in the order of the project."""
    for name, relationship in project.relationships.items():
        yield from _ends(name, relationship, schemas)
    yield from _activities(project, schemas)


def relation_warnings(project: Project) -> list[str]:
    """What a user should know and nobody forbids."""
    return [f"relationships {' → '.join(cycle)} go round in a circle" for cycle in RelationshipGraph(project).cycles()]


def _name(name: str, taken: set[str], update: bool) -> Iterator[Problem]:
    if not RELATIONSHIP_NAME.match(name):  # limit 1
        yield Problem(name or "''", "a name has letters, digits and underscores only")
    if not update and name in taken:  # limit 2; names differ by case
        yield Problem(name, "another relationship has this name", "names must be unique")
    if update and name not in taken:
        yield Problem(name, "there is no such relationship", did_you_mean(name, taken))


def _ends(name: str, relationship: Relationship, schemas: Schemas) -> Iterator[Problem]:
    place = f"relationship {name}"
    ends = (
        (relationship.from_entity, relationship.from_attribute),
        (relationship.to_entity, relationship.to_attribute),
    )
    kinds: dict[str, str] = {}
    for entity, attribute in ends:
        if entity not in schemas:  # limit 5
            yield Problem(place, f"there is no entity {entity}", did_you_mean(entity, schemas))
        elif attribute not in schemas[entity]:  # limit 6
            yield Problem(place, f"{entity} has no column {attribute!r}", did_you_mean(attribute, schemas[entity]))
        else:
            kinds[f"{entity}.{attribute}"] = family(schemas[entity][attribute])
    if relationship.start == relationship.end:
        yield Problem(place, f"{relationship.start} refers to itself", "name two attributes")
    if len(set(kinds.values())) > 1:
        spoken = ", ".join(f"{c} is {k}" for c, k in kinds.items())
        yield Problem(place, f"its attributes must have the same type: {spoken}",
                      "declare the type under the entity's `columns`")  # fmt: skip


def _activities(project: Project, schemas: Schemas) -> Iterator[Problem]:
    graph = RelationshipGraph(project)
    seen: dict[str, str] = {}
    for name, activity in project.activities.items():
        place, entity = f"activity {name}", activity.entity
        if entity not in project.entities:  # rule 1
            yield Problem(place, f"there is no entity {entity}", did_you_mean(entity, project.entities))
            continue
        if (other := seen.setdefault(entity, name)) != name:
            yield Problem(place, f"{entity} is the activity {other} already", "an entity is one activity at most")
        declared = project.entity(entity)
        if declared.type != "activity" or declared.timestamp is None:  # rule 3
            yield Problem(place, f"{entity} is of type {declared.type}", "give it `type: activity` and its `timestamp`")
            continue
        columns = schemas.get(entity, {})
        if columns:
            yield from _time(place, entity, declared.timestamp, columns)
            for where, column in activity.columns.items():  # rule 2
                if column not in columns:
                    yield Problem(f"{place}: {where}", f"{entity} has no column {column!r}",
                                  did_you_mean(column, columns))  # fmt: skip
        if project.conflation is not None:
            try:
                graph.path_to_customer(entity, activity.path)  # rule 4
            except SpecError as error:
                yield Problem(place, error.message, error.hint)


def _time(place: str, entity: str, timestamp: str, columns: Mapping[str, str]) -> Iterator[Problem]:
    if timestamp not in columns:  # rule 5
        yield Problem(place, f"{entity} has no column {timestamp!r}", did_you_mean(timestamp, columns))
    elif (kind := family(columns[timestamp])) not in TIMES:
        yield Problem(place, f"{entity}.{timestamp} is {kind}; a timestamp is a date, a datetime or a whole number",
                      "declare its type under `columns`")  # fmt: skip
