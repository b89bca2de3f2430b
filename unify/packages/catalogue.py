"""What can be imported and exported on an instance, by name."""

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

from unify.core.errors import StoreError, did_you_mean
from unify.core.names import table_of
from unify.core.steps import Query
from unify.opened import Opened
from unify.packages.database import PackageDatabase
from unify.packages.errors import NoSuchEntityError, ProjectError
from unify.packages.kept import definition_of, dumped
from unify.packages.nouns import NOW, EntityDefinition
from unify.records import Column, Kind, RecordStore, Table

PUBLISHED_KINDS: Final[Mapping[str, Kind]] = {
    "BOOLEAN": Kind.BOOLEAN, "DATE": Kind.DATE, "DOUBLE": Kind.DOUBLE, "FLOAT": Kind.DOUBLE, "BIGINT": Kind.INTEGER,
    "INTEGER": Kind.INTEGER, "SMALLINT": Kind.INTEGER, "TINYINT": Kind.INTEGER, "UINTEGER": Kind.INTEGER,
    "USMALLINT": Kind.INTEGER, "UTINYINT": Kind.INTEGER,
}  # fmt: skip
"""DuckDB's types whose text reads back as the same value; all others are exported as text."""
OWN: Final = ("RowId", "ParentRowId", "Refused")
"""Columns of every staging table."""
CHOICES: Final = ("Picklist", "State", "Status")
"""Types of Dataverse attributes whose values are those of a list."""
KEYS: Final = {"Customer": ("CustomerId",)}


class Catalogue:
    """Of one instance."""

    def __init__(self, database: PackageDatabase, opened: Opened) -> None:
        self._database, self._opened = database, opened
        self._records = RecordStore(opened.path)

    def define(self, entity: EntityDefinition) -> EntityDefinition:
        """See Packages.define."""
        entity = replace(entity, origin="defined")
        _check(entity)
        if entity.parts:
            self._check_parts(entity)
        else:
            self._make_table(entity)
        with self._database.write() as db:
            self._check_other_names(db, entity)
            keep(db, entity)
        return entity

    def forget(self, name: str) -> None:
        """See Packages.forget."""
        with self._database.write() as db:
            if not db.execute("DELETE FROM entities WHERE name = $name", {"name": name}).rowcount:
                known = [row["name"] for row in db.execute("SELECT name FROM entities")]
                raise NoSuchEntityError(
                    f"no entity {name[:200]!r} is defined", where="entity", hint=did_you_mean(name, known)
                )

    def all(self) -> list[EntityDefinition]:
        """See Packages.entities."""
        found = self._defined()
        taken = {entity.table for entity in found}
        found += [one for one in self._record_tables() if one.name not in taken]
        taken |= {entity.table for entity in found}
        found += [one for one in self._published() if one.table not in taken]
        return sorted(found, key=lambda entity: (entity.name.casefold(), entity.name))

    def find(self, name: str) -> EntityDefinition:
        """See Packages.entity."""
        if (found := self.known(name)) is not None:
            return found
        hint = did_you_mean(name, [entity.name for entity in self.all()])
        raise NoSuchEntityError(f"there is no entity {name[:200]!r}", where="entity", hint=hint)

    def known(self, name: str) -> EntityDefinition | None:
        """The same, or None."""
        sources: list[Callable[[], list[EntityDefinition]]] = [self._defined, self._record_tables, self._published]
        for source in sources:
            entities = source()
            for names in (_name, _target, _table):
                for entity in entities:
                    if names(entity) and names(entity).casefold() in (name.casefold(), table_of(name).casefold()):
                        return entity
        return None

    # ── where they come from ─────────────────────────────────────────────────────────────────────────────────────────

    def _defined(self) -> list[EntityDefinition]:
        rows = self._database.rows("SELECT body FROM entities ORDER BY name")
        return [definition_of(json.loads(row["body"])) for row in rows]

    def _record_tables(self) -> list[EntityDefinition]:
        with self._records.read() as reading:
            return [of_table(table) for _, table in sorted(reading.tables().items())]

    def _published(self) -> list[EntityDefinition]:
        try:
            tables = self._opened.tables()
        except StoreError:  # nothing has been published yet
            return []
        found: dict[str, dict[str, str]] = {name: {} for name in sorted(tables)}
        place = "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE NOT internal"
        answer = self._opened.engine().fetch(Query(f"{place} ORDER BY table_name, column_index"))
        for row in answer.to_pylist():
            if row["table_name"] in found:
                found[row["table_name"]][row["column_name"]] = row["data_type"]
        return [_of_published(name, columns) for name, columns in found.items() if columns]

    # ── making ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _make_table(self, entity: EntityDefinition) -> None:
        with self._records.write() as writing:
            before = writing.tables().get(entity.table)
            if before is None:
                writing.define(Table(entity.table, entity.columns, entity.key))
                return
            known = {column.name: column for column in before.columns}
            more = tuple(column for column in entity.columns if column.name not in known)
            for column in entity.columns:
                was = known.get(column.name, column)
                if (was.kind, was.scale) != (column.kind, column.scale):
                    raise ProjectError(
                        f"{entity.table}.{column.name} is {was.kind.value} and holds rows",
                        where=column.name,
                        hint="name another table, or leave the type as it is",
                    )
            if before.key != entity.key:
                raise ProjectError(
                    f"the key of {entity.table} is {', '.join(before.key)}, for good", where=entity.name,
                    hint="name another table for another key",
                )  # fmt: skip
            if more:
                writing.define(replace(before, columns=(*before.columns, *more)))

    def _check_parts(self, entity: EntityDefinition) -> None:
        elements = {part.element: self.find(part.entity) for part in entity.parts}
        for place, part in enumerate(entity.parts):
            if bool(part.parent) != (place > 0):
                raise ProjectError(
                    "the first part is the outermost, and every other one has a parent", where=part.element
                )
            if part.parent and part.parent not in [before.element for before in entity.parts[:place]]:
                hint = did_you_mean(part.parent, [before.element for before in entity.parts[:place]])
                raise ProjectError(f"there is no part {part.parent!r} before it", where=part.element, hint=hint)
            for mine, theirs in part.link.items():
                _column_of(elements[part.element], mine)
                _column_of(elements[part.parent], theirs)

    @staticmethod
    def _check_other_names(db: sqlite3.Connection, entity: EntityDefinition) -> None:
        for row in db.execute("SELECT body FROM entities WHERE name <> $name", {"name": entity.name}):
            other = definition_of(json.loads(row["body"]))
            if entity.target and other.target.casefold() == entity.target.casefold():
                raise ProjectError(f"{other.name} has the target {entity.target!r} already", where=entity.name)


def keep(db: sqlite3.Connection, entity: EntityDefinition) -> None:
    """Write a definition, in a transaction of the caller's."""
    sql = "INSERT OR REPLACE INTO entities (name, body) VALUES ($name, $body)"
    db.execute(sql, {"name": entity.name, "body": dumped(entity)})


def of_table(table: Table, name: str | None = None) -> EntityDefinition:
    """A record table as an entity: under its own name, and under the label that its owner gave it."""
    model = (table.about.get("dataverse") or {}).get("table")
    if model is not None:
        return _of_dataverse(table, name or table.name, model)
    return EntityDefinition(name or table.name, table.name, table.columns, table.key, origin="record")


def _of_dataverse(table: Table, name: str, model: Mapping[str, Any]) -> EntityDefinition:
    """A Dataverse table: lengths, choices and defaults of its attributes; its entity set's name is the other name."""
    attributes: dict[str, Mapping[str, Any]] = {one["name"]: one for one in model["attributes"]}
    columns, options, defaults = [], {}, {}
    for column in table.columns:
        said = attributes.get(column.name, {})
        columns.append(replace(column, length=said.get("length", column.length)))
        if said.get("type") in CHOICES:
            options[column.name] = tuple(str(one["value"]) for one in said.get("options", ()))
        if said.get("default") is not None:
            defaults[column.name] = int(said["default"]) if isinstance(said["default"], bool) else said["default"]
    state = attributes.get("statecode")
    if state is not None and state.get("options"):
        first = state["options"][0]
        defaults |= {"statecode": first["value"]}
        if first.get("default") is not None and "statuscode" in attributes:
            defaults["statuscode"] = first["default"]
    times = tuple(name for name in ("createdon", "modifiedon") if name in table.names)
    defaults |= dict.fromkeys(times, NOW)
    return EntityDefinition(
        name, table.name, tuple(columns), table.key, target=model["set_name"], options=options, defaults=defaults,
        touched=("modifiedon",) if "modifiedon" in times else (), origin="record",
        allow_import=bool(model.get("writable", True)),
    )  # fmt: skip


def of_columns(name: str, columns: Sequence[str], key: Sequence[str]) -> EntityDefinition:
    """An entity of a file that nobody has defined: all of text. ProjectError for a key that is not in the file."""
    folded = {column.casefold(): column for column in columns}
    for column in key:
        if column.casefold() not in folded:
            hint = did_you_mean(column, columns)
            raise ProjectError(f"the file of {name} has no column {column!r}", where=f"key of {name}", hint=hint)
    names = tuple(folded[column.casefold()] for column in key)
    table = "".join(sign if sign.isalnum() and sign.isascii() else "_" for sign in name.lower())
    typed = tuple(Column(column, Kind.TEXT, required=column in names) for column in columns)
    return EntityDefinition(name, table, typed, names)


def _of_published(name: str, types: Mapping[str, str]) -> EntityDefinition:
    columns = tuple(Column(column, PUBLISHED_KINDS.get(kind, Kind.TEXT)) for column, kind in types.items())
    key = KEYS.get(name, ())
    return EntityDefinition(
        name, name, columns, key, allow_import=False, change_tracking=False, origin="published"
    )  # fmt: skip


def _check(entity: EntityDefinition) -> None:
    if not entity.name.strip() or len(entity.name) > 200 or any(ord(sign) < 32 for sign in entity.name):
        raise ProjectError("the name of an entity is a line of 1 to 200 characters", where="name")
    if entity.parts:
        if entity.columns or entity.key:
            raise ProjectError("a composite entity has no columns of its own", where=entity.name)
        return
    if not entity.table or not entity.columns or not entity.key:
        raise ProjectError(
            "an entity needs a table, columns and a key", where=entity.name,
            hint="the key: columns that tell its rows apart",
        )  # fmt: skip
    for column in entity.columns:
        if column.name.casefold() in {own.casefold() for own in OWN}:
            raise ProjectError(f"{column.name} is a column of staging", where=entity.name, hint="name it otherwise")
    for name in (*entity.key, *entity.options, *entity.read_only):
        _column_of(entity, name)


def _column_of(entity: EntityDefinition, name: str) -> Column:
    names = [column.name for column in entity.columns]
    if name not in names:
        raise ProjectError(f"{entity.name} has no column {name!r}", where=entity.name, hint=did_you_mean(name, names))
    return next(column for column in entity.columns if column.name == name)


def _name(entity: EntityDefinition) -> str:
    return entity.name


def _target(entity: EntityDefinition) -> str:
    return entity.target


def _table(entity: EntityDefinition) -> str:
    return entity.table


def as_dict(entity: EntityDefinition) -> dict[str, Any]:
    """As `--json` prints it."""
    return asdict(entity)
