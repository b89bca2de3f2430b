"""Rows that are there, changed."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from unify.dataverse.errors import BAD_INPUT, DUPLICATE, VERSION, DataverseError
from unify.dataverse.model import TableModel
from unify.dataverse.writes import activities, rules, watching
from unify.dataverse.writes.bodies import Parsed, check_seen, parse
from unify.dataverse.writes.keys import located, missing
from unify.dataverse.writes.nouns import ANY, NEW, Body, Expect, Key, Written
from unify.dataverse.writes.session import Session
from unify.dataverse.writes.values import payload_error
from unify.records import Row, Value


def find(session: Session, table: TableModel, key: Key, expect: Expect = ANY) -> Row:
    """The row of a key, at the version that is expected; DataverseError 404 and 412."""
    row_id = located(session.writing, session.model, table.name, key)
    row = None if row_id is None else session.writing.get(table.name, [row_id])
    if row is None:
        raise missing(table, key)
    check_expected(row, expect)
    return row


def check_expected(row: Row, expect: Expect) -> None:
    """DataverseError 412 when a row is not at the version that is expected, or should not be there."""
    if expect is NEW:
        message = "A record with matching key values already exists."
        raise DataverseError(message, code=DUPLICATE, status=HTTPStatus.PRECONDITION_FAILED)
    if isinstance(expect, int) and row.version != expect:
        message = "The version of the existing record doesn't match the RowVersion property provided."
        raise DataverseError(message, code=VERSION, status=HTTPStatus.PRECONDITION_FAILED)


def update(session: Session, name: str, key: Key, body: Body, expect: Expect = ANY) -> Written:
    """Set what the body names."""
    table = session.table(name, "Update")
    row = find(session, table, key, expect)
    parsed = _parse(session, table, body)
    return _set(session, table, row, parsed)


def set_values(session: Session, table: TableModel, row_id: str, values: dict[str, Value]) -> Written:
    """Set columns of one row, with what follows from them."""
    return _set(session, table, find(session, table, row_id), Parsed(values))


def update_rows(session: Session, table: TableModel, targets: Sequence[tuple[str, Body]]) -> list[Written]:
    """Set what bodies name, of rows by id, in this order: in one go."""
    ids = {row_id for row_id, _ in targets}
    rows = {str(r.values[table.id_attribute]): r for r in session.writing.many(table.name, table.id_attribute, ids)}
    now: dict[str, Mapping[str, Value]] = {row_id: row.values for row_id, row in rows.items()}
    changes: list[tuple[str, dict[str, Value]]] = []
    was: list[tuple[str, dict[str, Value], Row | None]] = []
    for row_id, body in targets:
        if row_id not in now:
            raise missing(table, row_id)
        values = _settled(session, table, now[row_id], _parse(session, table, body))
        was.append((row_id, values, Row(now[row_id], rows[row_id].version)))
        now[row_id] = {**now[row_id], **values}
        changes.append((row_id, values))
    told = watching.before(session, "Update", table, was)
    last = session.writing.update_many(table.name, [([row_id], values) for row_id, values in changes])
    activities.changed(session, table, changes)
    watching.after(told)
    first = last - len(changes) + 1
    return [Written(table.name, row_id, first + at, created=False) for at, (row_id, _) in enumerate(changes)]


def set_property(
    session: Session, name: str, key: Key, property_name: str, value: Any, expect: Expect = ANY
) -> Written:
    """Set one property; a lookup goes through its navigation property. DataverseError for a read-only one."""
    table = session.table(name, "Update")
    attribute = table.of_property(property_name)
    if attribute.is_lookup and value is not None:
        message = "CRM do not support direct update of Entity Reference properties, Use Navigation properties instead."
        raise DataverseError(message, code=BAD_INPUT, where=property_name, hint=f"PUT …/{attribute.name}/$ref")
    if not attribute.update:
        raise DataverseError(f"'{property_name}' of '{name}' cannot be changed.", code=BAD_INPUT, where=property_name)
    if not attribute.is_lookup:
        return update(session, name, key, {property_name: value}, expect)
    row = find(session, table, key, expect)
    values: dict[str, Value] = {attribute.name: None}
    if attribute.type_column is not None:
        values[attribute.type_column] = None
    if attribute.name == "ownerid":
        raise DataverseError("An owner is needed.", code=BAD_INPUT, where=attribute.name)
    return _set(session, table, row, Parsed(values))


def _parse(session: Session, table: TableModel, body: Any) -> Parsed:
    parsed = parse(session, table, body, creating=False)
    if parsed.nested:
        names = [navigation.name for navigation, _ in (*parsed.one, *parsed.many, *parsed.bound)]
        inner = f"rows cannot be made in '{names[0]}' with an update."
        raise payload_error(
            table, inner, where=names[0], hint="create it by itself, then link it with @odata.bind or $ref"
        )
    return parsed


def _set(session: Session, table: TableModel, row: Row, parsed: Parsed) -> Written:
    row_id = str(row.values[table.id_attribute])
    values = _settled(session, table, row.values, parsed)
    told = watching.before(session, "Update", table, [(row_id, values, row)])
    version = session.writing.update(table.name, [row_id], values)
    activities.changed(session, table, [(row_id, values)])
    watching.after(told)
    return Written(table.name, row_id, version, created=False)


def _settled(session: Session, table: TableModel, row: Mapping[str, Value], parsed: Parsed) -> dict[str, Value]:
    check_seen(table, parsed, row)
    values = parsed.values
    rules.status(table, values, row, str(row[table.id_attribute]))
    rules.owner(session, table, values, new=False)
    rules.names(table, values, row)
    rules.changed(session, table, values)
    return values
