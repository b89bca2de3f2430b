"""Attributes, and which of them are one column by default: the road from source columns to unified columns.

    <Source>_<Entity> columns ─attributes_of─▶ Attribute ─default_columns─▶ Draft (name, attributes)

Equal names combine (ignoring case); so do equal labels that mean the same thing of a person (Person.*, Identity.*,
Location.*), unless that would put two columns of one entity together.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from unify.conflation.checks import Schemas
from unify.conflation.column_types import combining_label
from unify.core.errors import did_you_mean
from unify.core.names import table_of
from unify.core.problems import Problem
from unify.spec import Project


@dataclass(frozen=True, slots=True)
class Attribute:
    """A column of an entity that takes part.

    rank       the entity's place in the conflation order, 0 first
    position   the column's place in its table
    """

    entity: str
    column: str
    type: str
    rank: int
    position: int
    label: str | None = None
    is_key: bool = False

    @property
    def place(self) -> tuple[int, int]:
        """What the default order of output columns sorts by."""
        return self.rank, self.position

    @property
    def alone(self) -> str:
        """The output name when it is not combined: `crm_Contacts_City`."""
        return f"{table_of(self.entity)}_{self.column}"

    def __str__(self) -> str:
        return f"{self.entity}.{self.column}"


@dataclass(frozen=True, slots=True)
class Draft:
    """An output column in the making: its name and the attributes that feed it, most important first."""

    name: str
    attributes: tuple[Attribute, ...]


class Attributes:
    """All attributes of the entities in the conflation order, findable by entity and column (ignoring case)."""

    def __init__(self, project: Project, schemas: Schemas) -> None:
        self.project = project
        self.order = [o.entity for o in project.conflation.order] if project.conflation else []
        self.known: dict[str, dict[str, Attribute]] = {}
        for rank, entity in enumerate(self.order):
            self.known[entity] = {
                a.column.casefold(): a for a in _of_entity(project, entity, rank, schemas.get(entity, {}))
            }

    def __iter__(self) -> Iterator[Attribute]:
        for columns in self.known.values():
            yield from columns.values()

    def column(self, entity: str, column: str) -> Attribute | None:
        """One attribute, or None."""
        return self.known.get(entity, {}).get(column.casefold())

    def read(self, text: str, place: str, problems: list[Problem]) -> Attribute | None:
        """`source.Entity.Column` as an attribute; what is wrong with it goes to `problems`."""
        source, _, rest = text.partition(".")
        name, _, column = rest.partition(".")
        entity = f"{source}.{name}"
        if (problem := self.entity_problem(entity, place)) is not None:
            problems.append(problem)
            return None
        found = self.column(entity, column)
        if found is None:
            columns = [a.column for a in self.known[entity].values()]
            problems.append(Problem(place, f"{entity} has no column {column!r}", did_you_mean(column, columns)))
        return found

    def entity_problem(self, entity: str, place: str) -> Problem | None:
        """Why an entity cannot be named in conflict resolution; None if it can."""
        if entity in self.known:
            return None
        declared = self.project.entities
        if entity not in declared:
            return Problem(place, f"there is no entity {entity!r}", did_you_mean(entity, declared))
        return Problem(
            place, f"{entity} is not in the conflation order", "add it to conflation.order, or remove it here"
        )


def default_columns(
    attributes: Iterable[Attribute], separate: Iterable[str], problems: list[Problem]
) -> tuple[list[Draft], list[str]]:
    """Output columns that nobody described, and notes on what a user may want to know about them.

    separate   names of columns, or attributes as source.Entity.Column, that stay alone
    """
    free = sorted((a for a in attributes if not a.is_key), key=lambda a: a.place)
    wanted = {text.casefold(): text for text in separate}
    alone = [a for a in free if str(a).casefold() in wanted]
    drafts, notes = _combined([a for a in free if a not in alone])
    used = {str(a).casefold() for a in alone}
    kept: list[Draft] = []
    for draft in drafts:
        names = {draft.name.casefold(), *(a.column.casefold() for a in draft.attributes)} & wanted.keys()
        used |= names
        if names:
            alone += draft.attributes
        else:
            kept.append(draft)
    for folded in sorted(wanted.keys() - used):
        known = [d.name for d in drafts]
        problems.append(
            Problem(
                "customer.separate",
                f"{wanted[folded]!r} is not a column that is combined by default",
                did_you_mean(wanted[folded], known),
            )
        )
    return kept + [Draft(a.alone, (a,)) for a in alone], notes


def _combined(free: list[Attribute]) -> tuple[list[Draft], list[str]]:
    by_name: dict[str, list[Attribute]] = {}
    for attribute in free:
        by_name.setdefault(attribute.column.casefold(), []).append(attribute)
    notes = []
    groups: list[list[Attribute]] = []
    for group in by_name.values():
        labels = {label for a in group if (label := combining_label(a.label))}
        if len(labels) > 1:
            said = ", ".join(f"{a} is {a.label}" for a in group if a.label)
            notes.append(f"{group[0].column}: combined by name although the labels differ ({said})")
        joined = next((g for g in groups if _same_meaning(g, group)), None)
        if joined is None:
            groups.append(list(group))
        else:
            joined.extend(group)
    drafts = [Draft(g[0].column, tuple(sorted(g, key=lambda a: a.place))) for g in groups]
    return drafts, notes


def _same_meaning(upper: list[Attribute], lower: list[Attribute]) -> bool:
    """Whether two columns share a label of one meaning and no entity has a say in both."""
    labels = {combining_label(a.label) for a in upper} & {combining_label(a.label) for a in lower} - {None}
    return bool(labels) and not {a.entity for a in upper} & {a.entity for a in lower}


def _of_entity(project: Project, entity: str, rank: int, columns: Mapping[str, str]) -> Iterator[Attribute]:
    declared = project.entities.get(entity)
    labels = {column.casefold(): label for column, label in (declared.labels if declared else {}).items()}
    key = declared.key.casefold() if declared else ""
    for position, (column, kind) in enumerate(columns.items()):
        folded = column.casefold()
        yield Attribute(entity, column, kind, rank, position, labels.get(folded), folded == key)
