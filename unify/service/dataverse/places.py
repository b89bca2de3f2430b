"""What an address leads to, held against the tables and rows there are.

Collection   accounts · accounts(…)/contact_customer_accounts · activitypointers/Microsoft.Dynamics.CRM.task
Place        accounts(…) · accounts(…)/primarycontactid
Column       accounts(…)/name
Bound        accounts(…)/Microsoft.Dynamics.CRM.Merge
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from unify.dataverse.errors import NO_RECORD, NO_SEGMENT, DataverseError
from unify.dataverse.model import AttributeModel, Model, Navigation, TableModel
from unify.dataverse.query import Questions
from unify.dataverse.writes import Key, located
from unify.service.dataverse.address import Step, Way, key_of
from unify.service.dataverse.operations import NAMESPACE

NO_KEY: Final = "0x80060891"


@dataclass(frozen=True, slots=True)
class Place:
    """A row, which may not be there yet. `owner`, `navigation`: what it was reached by, the last step of the way."""

    table: TableModel
    key: Key
    owner: "Place | None" = None
    navigation: Navigation | None = None


@dataclass(frozen=True, slots=True)
class Collection:
    """Rows: all of a table, or those that a row leads to."""

    table: TableModel
    owner: Place | None = None
    navigation: Navigation | None = None


@dataclass(frozen=True, slots=True)
class Single:
    """What a row's lookup points at, not yet looked up."""

    owner: Place
    navigation: Navigation


@dataclass(frozen=True, slots=True)
class Column:
    """One value of a row."""

    owner: Place
    attribute: AttributeModel


@dataclass(frozen=True, slots=True)
class Bound:
    """Something qualified that is no table: an operation, and what it is bound to."""

    owner: Place | Collection
    step: Step


Resource = Place | Collection | Single | Column | Bound


def resource_of(questions: Questions, way: Way, aliases: Mapping[str, str]) -> Resource:
    """What the address of a row leads to; its first step is the name of a set. DataverseError.

    Rows on the way are looked up; the last one is not, since it may be about to be made.
    """
    model = questions.model
    first, *rest = way.steps
    table = model.of_set(first.name)
    found: Resource = Collection(table)
    if first.arguments is not None:
        found = Place(table, key_of(first, table, aliases))
    for step in rest:
        found = _after(questions, found, step, aliases)
    return found


def _after(questions: Questions, found: Resource, step: Step, aliases: Mapping[str, str]) -> Resource:
    if isinstance(found, Single):
        found = followed(questions, found)
    if step.qualified:
        return _qualified(questions, found, step)
    if not isinstance(found, Place):
        raise no_segment(step.name)
    navigation = questions.model.navigations(found.table.name).get(step.name)
    if navigation is None:
        if step.arguments is not None:
            raise no_segment(step.name)
        return Column(found, _attribute(questions.model, found.table, step.name))
    target = questions.model.table(navigation.target)
    if not navigation.collection:
        if step.arguments is not None:
            raise no_segment(step.name)
        return Single(found, navigation)
    if step.arguments is None:
        return Collection(target, found, navigation)
    return Place(target, key_of(step, target, aliases), found, navigation)


def _attribute(model: Model, table: TableModel, name: str) -> AttributeModel:
    attribute = table.properties.get(name)
    if attribute is None or not (attribute.read or attribute.update):
        raise no_segment(name, [*table.properties, *model.navigations(table.name)])
    return attribute


def _qualified(questions: Questions, found: Resource, step: Step) -> Resource:
    """A cast to a table, or an operation."""
    if not isinstance(found, Place | Collection):
        raise no_segment(f"{NAMESPACE}.{step.name}")
    table = questions.model.tables.get(step.name)
    if table is None or (step.arguments is not None and not isinstance(found, Collection)):
        return Bound(found, step)
    if table.name == found.table.name and step.arguments is None:
        return found
    if found.table.name != "activitypointer" or not table.is_activity or found.owner is not None:
        raise no_segment(f"{NAMESPACE}.{step.name}")
    if isinstance(found, Place):
        return Place(table, found.key)
    if step.arguments is not None:
        return Place(table, key_of(step, table, {}))
    return Collection(table)


def no_segment(name: str, known: "list[str] | None" = None) -> DataverseError:
    """404 in the words of Dataverse."""
    from unify.core.errors import did_you_mean

    hint = did_you_mean(name, known) if known else ""
    message = f"Resource not found for the segment '{name[:100]}'."
    return DataverseError(message, code=NO_SEGMENT, status=HTTPStatus.NOT_FOUND, where="path", hint=hint)


def followed(questions: Questions, single: Single) -> Place:
    """The row that a lookup points at; DataverseError 404 where it points at none."""
    owner = row_id(questions, single.owner)
    found = questions.step(single.owner.table.name, owner, single.navigation.name)
    if found is None:
        raise no_segment(single.navigation.name)
    return Place(questions.model.table(found[0]), found[1], single.owner, single.navigation)


def row_id(questions: Questions, place: Place) -> str:
    """The guid of a row that has to be there, and be reached by the way it was named. DataverseError 404."""
    found = located(questions.reading, questions.model, place.table.name, place.key)
    if found is None:
        raise missing(place.table, place.key)
    if place.owner is not None and place.navigation is not None and place.navigation.collection:
        owner = row_id(questions, place.owner)
        if questions.step(place.owner.table.name, owner, place.navigation.name, found) is None:
            raise missing(place.table, place.key)
    return found


def missing(table: TableModel, key: Key) -> DataverseError:
    """There is no such row: 404."""
    if isinstance(key, str):
        message, code = f"{table.name} With Id = {key} Does Not Exist", NO_RECORD
    else:
        message, code = f"A record with the specified key values does not exist in {table.name} entity", NO_KEY
    return DataverseError(message, code=code, status=HTTPStatus.NOT_FOUND, where=table.name)


def key_text(key: Key) -> Any:
    """Of a row that is not there yet, for messages."""
    return key if isinstance(key, str) else ",".join(key)
