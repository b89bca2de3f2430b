"""Somebody in record tables: their rows, what hangs on them, and their values in rows of others.

Nothing is remembered of rows that go, their keys included, so tokens of change from before are good no more: who
follows a table reads it anew.
"""

from collections.abc import Mapping
from typing import Any, Final

from ingest.record_tables import joined_key
from unify.dataverse.errors import DataverseError
from unify.dataverse.model import model_of
from unify.dataverse.writes import Writes, writer_of
from unify.privacy.person import Person
from unify.records import Kind, Reading, RecordStore, Row, Table, Value, Writing
from unify.spec import Project

WRITER: Final = "erasure"
"""Whom Dataverse tables name as the writer."""


def theirs(store: RecordStore, project: Project, who: Person) -> dict[str, list[dict[str, Any]]]:
    """Rows of record tables as they are now: entity to whole rows, those written since the last run included."""
    found: dict[str, list[dict[str, Any]]] = {}
    with store.read() as reading:
        for entity, table, keys in _entities(reading.tables(), project, who):
            rows = [dict(row.values) for row in _rows(reading, table, keys)]
            if rows:
                found[entity] = [{n: v for n, v in row.items() if not isinstance(v, bytes)} for row in rows]
    return found


def erase_records(store: RecordStore, project: Project, who: Person) -> int:
    """Take their rows out, and their values out of every other row; how many rows went. What is not there is not made.

    Rows of Dataverse tables go with what their relationships say: activities and cases go too, links are taken away.
    """
    if not store.path.exists():
        return 0
    with store.write() as writing:
        start, went = writing.version, 0
        for _, table, keys in _entities(writing.tables(), project, who):
            _delete(writing, table, _rows(writing, table, keys))
        _clear(writing, who.values)
        for name in writing.tables():
            gone = [key for key, _ in writing.gone(name, start)]
            if gone:
                writing.forget(name, gone)
            went += len(gone)
    store.compact()
    return went


def _entities(tables: Mapping[str, Table], project: Project, who: Person) -> list[tuple[str, Table, frozenset[str]]]:
    named = [(name, entity.records) for name, entity in project.entities.items() if entity.records in tables]
    return [(name, tables[table], frozenset(who.rows[name])) for name, table in named if table and name in who.rows]


def _rows(reading: Reading, table: Table, keys: frozenset[str]) -> list[Row]:
    """Rows by their keys as an entity has them."""
    column = table.column(table.key[0])
    if len(table.key) == 1 and column.kind in {Kind.TEXT, Kind.GUID}:
        return list(reading.many(table.name, column.name, sorted(keys)))
    return [row for row in reading.rows(table.name) if joined_key(table, row.values) in keys]


def _delete(writing: Writing, table: Table, rows: list[Row]) -> None:
    if not rows:
        return
    known = model_of(writing).tables.get(table.name)
    if known is not None and known.writable:
        try:
            ids = [str(row.values[known.id_attribute]) for row in rows]
            Writes(writing, writer_of(writing, WRITER)).delete_multiple(table.name, ids)
        except DataverseError:
            pass  # a relationship forbids it; the right to be forgotten does not ask it
        else:
            return
    writing.delete_many(table.name, [[row.values[c] for c in table.key] for row in rows])


def _clear(writing: Writing, values: frozenset[str]) -> None:
    """Their values in texts of other rows become null; a row that cannot do without goes."""
    for table in list(writing.tables().values()):
        texts = [c for c in table.columns if c.kind is Kind.TEXT]
        if not texts or not values:
            continue
        found = {row.version: row for c in texts for row in writing.many(table.name, c.name, sorted(values))}
        for row in found.values():
            hit = {c.name for c in texts if row.values[c.name] in values}
            key = [row.values[c] for c in table.key]
            if any(c.name in hit and (c.required or c.name in table.key) for c in texts):
                writing.delete_many(table.name, [key])
            else:
                cleared: dict[str, Value] = dict.fromkeys(sorted(hit))
                writing.update(table.name, key, cleared)
