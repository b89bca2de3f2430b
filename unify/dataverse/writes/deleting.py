"""Rows that go, and what becomes of those that point at them."""

from collections.abc import Iterable, Sequence
from http import HTTPStatus

from unify.dataverse.errors import RESTRICTED, DataverseError
from unify.dataverse.model import Cascade, OneToMany, TableModel, Type
from unify.dataverse.model.kept import sides
from unify.dataverse.writes import activities, watching
from unify.dataverse.writes.keys import located
from unify.dataverse.writes.nouns import ANY, Expect, Key
from unify.dataverse.writes.session import Session
from unify.dataverse.writes.updating import find
from unify.records import Value


def delete(session: Session, name: str, key: Key, expect: Expect = ANY) -> None:
    """One row."""
    table = session.table(name, "Delete")
    row = find(session, table, key, expect)
    _delete(session, table, [str(row.values[table.id_attribute])], set())


def delete_multiple(session: Session, name: str, keys: Iterable[Key]) -> int:
    """Those that are there; how many there were."""
    table = session.table(name, "Delete")
    found = (located(session.writing, session.model, name, key) for key in keys)
    return _delete(session, table, list(dict.fromkeys(row_id for row_id in found if row_id is not None)), set())


def _delete(session: Session, table: TableModel, ids: Sequence[str], under_way: set[tuple[str, str]]) -> int:
    """Delete rows by id. `under_way`: those that are being deleted further up: circles end there."""
    ids = [row_id for row_id in ids if (table.name, row_id) not in under_way]
    if not ids:
        return 0
    under_way.update((table.name, row_id) for row_id in ids)
    told = watching.before(session, "Delete", table, [(row_id, {}, None) for row_id in ids])
    model = session.model
    for one in model.lookups_to(table.name):
        _follow(session, table, one, ids, under_way)
    for many in model.many_to_many:
        for side, column in zip((many.first, many.second), sides(many), strict=True):
            if side == table.name:
                first, second = sides(many)
                pairs = [[r.values[first], r.values[second]] for r in session.writing.many(many.intersect, column, ids)]
                session.writing.delete_many(many.intersect, pairs)
    if any(attribute.type is Type.FILE for attribute in table.attributes.values()):
        files = [[r.values["fileattachmentid"]] for r in session.writing.many("fileattachment", "objectid", ids)]
        session.writing.delete_many("fileattachment", files)
    if table.is_activity:
        session.writing.delete_many(activities.POINTER, [[row_id] for row_id in ids])
    gone = session.writing.delete_many(table.name, [[row_id] for row_id in ids])
    watching.after(told)
    return gone


def _follow(
    session: Session, table: TableModel, one: OneToMany, ids: Sequence[str], under_way: set[tuple[str, str]]
) -> None:
    if one.on_delete is Cascade.NONE:
        return
    target = session.model.table(one.referencing)
    attribute = target.attributes[one.attribute]
    kind = attribute.type_column
    rows = [
        row
        for row in session.writing.many(target.name, one.attribute, ids)
        if kind is None or row.values[kind] == table.name
    ]
    found = [str(row.values[target.id_attribute]) for row in rows]
    if not found or target.name == activities.POINTER:  # pointers follow their activities
        return
    if one.on_delete is Cascade.CASCADE:
        _delete(session, target, found, under_way)
    elif one.on_delete is Cascade.REMOVE_LINK:
        cleared: dict[str, Value] = {one.attribute: None} if kind is None else {one.attribute: None, kind: None}
        changes = [(row_id, cleared) for row_id in found]
        session.writing.update_many(target.name, [([row_id], values) for row_id, values in changes])
        activities.changed(session, target, changes)
    elif any((target.name, row_id) not in under_way for row_id in found):
        raise DataverseError(
            "The object you tried to delete is associated with another object and cannot be deleted.",
            code=RESTRICTED,
            status=HTTPStatus.METHOD_NOT_ALLOWED,
            where=one.schema_name,
            hint=f"{len(found):,} rows of {target.name} point at it",
        )
