"""Rows that are changed when they are there and made when they are not; targets that say themselves which they are."""

from collections.abc import Mapping, Sequence
from typing import Any

from unify.dataverse.errors import BAD_INPUT, DataverseError
from unify.dataverse.model import TableModel
from unify.dataverse.writes.creating import create, create_multiple
from unify.dataverse.writes.keys import id_of, key_values, located, missing, parse_reference
from unify.dataverse.writes.nouns import NEW, Body, Expect, Key, Written
from unify.dataverse.writes.session import Session
from unify.dataverse.writes.updating import check_expected, update, update_rows
from unify.dataverse.writes.values import converted, payload_error


def upsert(session: Session, name: str, key: Key, body: Body, expect: Expect = None) -> Written:
    """PATCH. With an alternate key, what the body says of its columns must be what the key says."""
    table = session.table(name, "Upsert")
    if not isinstance(body, dict):
        raise payload_error(table, "Microsoft.OData.ODataException: an object is expected.")
    row_id = located(session.writing, session.model, name, key)
    if row_id is None:
        if expect is not None and expect is not NEW:
            raise missing(table, key)
        return create(session, name, {**body, **_from_key(session, table, key, body)})
    row = session.writing.get(name, [row_id])
    if row is not None:
        check_expected(row, expect)
    _from_key(session, table, key, body)
    return update(session, name, row_id, body)


def update_multiple(session: Session, name: str, targets: Sequence[Body]) -> list[Written]:
    """Each target says its row."""
    table = session.table(name, "UpdateMultiple")
    found = []
    for target in targets:
        key, body = _said(session, table, target)
        if key is None:
            raise payload_error(table, f"a target says no '{table.id_attribute}', no '@odata.id' and no alternate key.")
        row_id = id_of(table, key) if isinstance(key, str) else located(session.writing, session.model, name, key)
        if row_id is None:
            raise missing(table, key)
        found.append((row_id, body))
    return update_rows(session, table, found)


def upsert_multiple(session: Session, name: str, targets: Sequence[Body]) -> list[Written]:
    """Each target says its row, or is a new one. Runs of new rows, and of known ones, are each written in one go."""
    table = session.table(name, "UpsertMultiple")
    written: list[Written] = []
    new: list[Body] = []
    known: list[tuple[str, Body]] = []

    def flush() -> None:
        written.extend(create_multiple(session, name, new) if new else update_rows(session, table, known))
        new.clear()
        known.clear()

    fresh: set[str] = set()
    for target in targets:
        key, body = _said(session, table, target)
        if key is not None and _mark(table, key) in fresh:
            flush()  # a row that this request makes is found once it is made
            fresh.clear()
        row_id = None if key is None else located(session.writing, session.model, name, key)
        if (row_id is None and known) or (row_id is not None and new):
            flush()
            fresh.clear()
        if row_id is not None:
            known.append((row_id, body))
        elif key is None:
            new.append(body)
        else:
            new.append({**body, **_from_key(session, table, key, body)})
            fresh.add(_mark(table, key))
    flush()
    return written


def _mark(table: TableModel, key: Key) -> str:
    if isinstance(key, str):
        return id_of(table, key)
    return repr(sorted((name, str(value).casefold()) for name, value in key_values(table, key).items()))


def _said(session: Session, table: TableModel, target: Any) -> tuple[Key | None, dict[str, Any]]:
    """Which row a target of UpdateMultiple or UpsertMultiple is, and what it says besides."""
    if not isinstance(target, dict):
        raise payload_error(table, "Microsoft.OData.ODataException: an object is expected.")
    body = dict(target)
    if "@odata.id" in body:
        reference = parse_reference(session.model, body.pop("@odata.id"))
        if reference.table != table.name:
            message = f"A target of '{reference.table}' is not one of '{table.name}'."
            raise DataverseError(message, code=BAD_INPUT, where="@odata.id")
        return reference.key, body
    if body.get(table.id_attribute) is not None:
        return id_of(table, body[table.id_attribute]), body
    for key in table.keys.values():
        names = [table.attributes[name].wire_name for name in key.attributes]
        if all(body.get(name) is not None for name in names):
            return {name: body[name] for name in names}, body
    return None, body


def _from_key(session: Session, table: TableModel, key: Key, body: Mapping[str, Any]) -> dict[str, Any]:
    """What a key says of a row that is made with it, as a body; DataverseError when the body says something else."""
    if isinstance(key, str) or set(key) == {table.id_attribute}:
        said = {table.id_attribute: id_of(table, key if isinstance(key, str) else key[table.id_attribute])}
    else:
        said = dict(key)
    for name, value in said.items():
        attribute = table.of_property(name)
        given = body.get(name)
        if given is not None and converted(table, attribute, given) != converted(table, attribute, value):
            message = f"The address says {value!s:.100} of '{name}', and the body {given!s:.100}."
            raise DataverseError(message, code=BAD_INPUT, where=name)
    return dict(_in_body(session, table, name, value) for name, value in said.items())


def _in_body(session: Session, table: TableModel, name: str, value: Any) -> tuple[str, Any]:
    attribute = table.of_property(name)
    if not attribute.is_lookup:
        return name, value
    one = next(o for o in session.model.one_to_many if (o.referencing, o.attribute) == (table.name, attribute.name))
    return f"{one.lookup}@odata.bind", f"/{session.model.table(one.referenced).set_name}({value})"
