"""Links between rows: lookups set through navigation properties, and pairs of a many-to-many relationship."""

from http import HTTPStatus
from typing import Any

from unify.dataverse.errors import BAD_INPUT, NO_RECORD, DataverseError
from unify.dataverse.model import ManyToMany, Navigation, TableModel
from unify.dataverse.model.kept import sides
from unify.dataverse.writes.bodies import put
from unify.dataverse.writes.ids import new_id
from unify.dataverse.writes.keys import Reference, missing, parse_reference
from unify.dataverse.writes.nouns import Key
from unify.dataverse.writes.session import Session
from unify.dataverse.writes.updating import find, set_values
from unify.dataverse.writes.values import guid
from unify.records import Value


def associate(session: Session, name: str, key: Key, navigation_name: str, target: Any) -> None:
    """Link a row to another one."""
    table, row_id, navigation = _from(session, name, key, navigation_name)
    reference = parse_reference(session.model, target)
    if not navigation.collection:
        values: dict[str, Value] = {}
        put(session, table, navigation, reference, values)
        set_values(session, table, row_id, values)
        return
    if reference.table != navigation.target:
        message = f"A record of '{reference.table}' does not belong in '{navigation.name}' of '{table.name}'."
        raise DataverseError(message, code=BAD_INPUT, where=navigation.name, hint=f"it takes: {navigation.target}")
    link(session, table, row_id, navigation, session.point(reference))


def disassociate(session: Session, name: str, key: Key, navigation_name: str, target: Any = None) -> None:
    """Take a link away. Of a collection the row must be named; one that is not linked is an error."""
    table, row_id, navigation = _from(session, name, key, navigation_name)
    if not navigation.collection:
        values: dict[str, Value] = {}
        put(session, table, navigation, None, values)
        set_values(session, table, row_id, values)
        return
    if target is None:
        message = f"Name the row that is taken out of '{navigation.name}'."
        raise DataverseError(message, code=BAD_INPUT, where=navigation.name, hint="…/$ref?$id=<address of the row>")
    bare = guid(target)
    reference = Reference(navigation.target, bare) if bare else parse_reference(session.model, target)
    if reference.table != navigation.target:
        raise missing(session.model.table(navigation.target), reference.key)
    unlink(session, table, row_id, navigation, session.point(reference))


def link(session: Session, table: TableModel, row_id: str, navigation: Navigation, other: str) -> None:
    """Put a row into a collection; one that is there already stays."""
    many = navigation.relationship
    if isinstance(many, ManyToMany):
        pair = _pair(table, navigation, many, row_id, other)
        if session.writing.get(many.intersect, pair) is None:
            first, second = sides(many)
            row = {f"{many.intersect}id": new_id(), first: pair[0], second: pair[1]}
            session.writing.insert(many.intersect, [row])
        return
    target = session.table(navigation.target, "Update")
    back = session.model.navigation(target.name, many.lookup)
    values: dict[str, Value] = {}
    put(session, target, back, Reference(table.name, row_id), values)
    set_values(session, target, other, values)


def unlink(session: Session, table: TableModel, row_id: str, navigation: Navigation, other: str) -> None:
    """Take a row out of a collection."""
    many = navigation.relationship
    if isinstance(many, ManyToMany):
        pair = _pair(table, navigation, many, row_id, other)
        if not session.writing.delete_many(many.intersect, [pair]):
            raise _not_linked(navigation, row_id, other)
        return
    target = session.table(navigation.target, "Update")
    row = find(session, target, other)
    if row.values[many.attribute] != row_id:
        raise _not_linked(navigation, row_id, other)
    values: dict[str, Value] = {}
    put(session, target, session.model.navigation(target.name, many.lookup), None, values)
    set_values(session, target, other, values)


def _from(session: Session, name: str, key: Key, navigation: str) -> tuple[TableModel, str, Navigation]:
    table = session.table(name, "Update")
    row = find(session, table, key)
    return table, str(row.values[table.id_attribute]), session.model.navigation(name, navigation)


def _pair(table: TableModel, navigation: Navigation, many: ManyToMany, row_id: str, other: str) -> list[Value]:
    # Of one table both sides have one name each; which of them this is, the navigation property says.
    forward = many.first == table.name and navigation.name == many.first_collection
    return [row_id, other] if forward else [other, row_id]


def _not_linked(navigation: Navigation, row_id: str, other: str) -> DataverseError:
    message = f"{other} is not in '{navigation.name}' of {row_id}."
    return DataverseError(message, code=NO_RECORD, status=HTTPStatus.NOT_FOUND, where=navigation.name)
