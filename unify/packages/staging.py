"""Source → staging: rows of a file, typed, into a table of their own; rows that are not of their types fall out here.

staging_<execution>_<place>    RowId, ParentRowId, Refused, then the columns of the file as the record store has them
"""

import json
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from ingest.packages import PARENT_ROW_ID, ROW_ID, Package, PackageEntity, StagedBatch, StagingError
from unify.core.errors import SourceError, did_you_mean
from unify.core.names import quote
from unify.packages import history
from unify.packages.convert import convert, wanted
from unify.packages.database import PackageDatabase, transaction
from unify.packages.errors import ProjectError
from unify.packages.nouns import EntityDefinition, Status
from unify.packages.plan import Plan, company_column
from unify.records import Column
from unify.records.values import SQL_TYPE

BATCH_ROWS = 50_000


class CanceledError(Exception):
    """Somebody asked the execution to end."""


def table_of(number: int, place: int) -> str:
    """The staging table of a step."""
    return f"staging_{number}_{place}"


@dataclass
class _Step:
    """One staging table being filled."""

    place: int
    plan: Plan
    definition: EntityDefinition
    table: str
    columns: dict[str, Column] | None = None
    """Field of the file → column; None before the first batch."""
    rows: int = 0
    wrong: int = 0
    written: tuple[str, ...] = field(default_factory=tuple)


def stage(
    database: PackageDatabase,
    number: int,
    package: Package,
    entity: PackageEntity,
    plans: Sequence[tuple[int, Plan]],
    stopped: Callable[[], bool],
) -> None:
    """Stage one entity, whole; what an earlier process had staged of it is thrown away. CanceledError.

    A file that cannot be read to its end leaves nothing in staging, and the reason in its steps.
    """
    steps = {plan.element.casefold(): _step(number, place, plan) for place, plan in plans}
    with closing(database.connect()) as connection:
        connection.execute("PRAGMA synchronous = NORMAL")  # forced with the checks that come before any target
        with transaction(connection):
            for step in steps.values():
                _begin(connection, number, step)
        try:
            for batch in package.rows(entity, batch_rows=BATCH_ROWS):
                if stopped():
                    raise CanceledError
                step = steps[batch.part.casefold()] if batch.part.casefold() in steps else steps[""]
                with transaction(connection):
                    _take(connection, number, step, batch)
        except (SourceError, ProjectError) as error:
            with transaction(connection):
                for step in steps.values():
                    said = str(error).replace("\n  → ", "; ").replace(f"{database.instance}/", "")
                    _refuse(connection, number, step, said)
            return
        with transaction(connection):
            for step in steps.values():
                _end(connection, number, step)


def _step(number: int, place: int, plan: Plan) -> _Step:
    assert plan.definition is not None
    return _Step(place, plan, plan.definition, table_of(number, place))


def _begin(connection: sqlite3.Connection, number: int, step: _Step) -> None:
    connection.execute(f"DROP TABLE IF EXISTS {quote(step.table)}")
    params = {"number": number, "place": step.place}
    connection.execute("DELETE FROM row_errors WHERE execution = $number AND place = $place", params)
    history.note(connection, number, step.place, staging=Status.EXECUTING)


def _make(connection: sqlite3.Connection, step: _Step, names: Sequence[str]) -> None:
    """The staging table, once the fields of the file are known. Columns that others fill are in it too."""
    known = {column.name.casefold(): column for column in step.definition.columns}
    for name in names:
        if name.casefold() not in known:
            hint = did_you_mean(name, [column.name for column in step.definition.columns])
            raise ProjectError(f"{step.definition.name} has no column {name!r}", where=step.definition.name, hint=hint)
    step.columns = {name: known[name.casefold()] for name in names}
    filled = [*step.definition.key, *(step.plan.link or {})]
    if (company := company_column(step.definition)) is not None:
        filled.append(company)
    given = [column.name for column in step.columns.values()]
    step.written = tuple(dict.fromkeys([*given, *filled]))
    typed = [column for column in step.definition.columns if column.name in step.written]
    body = "".join(f", {quote(column.name)} {SQL_TYPE[column.kind]}" for column in typed)
    connection.execute(
        f"CREATE TABLE {quote(step.table)} (RowId INTEGER PRIMARY KEY, ParentRowId INTEGER,"
        f" Refused INTEGER NOT NULL DEFAULT 0{body})"
    )


def _take(connection: sqlite3.Connection, number: int, step: _Step, batch: StagedBatch) -> None:
    rows = batch.rows
    names = [name for name in rows.schema.names if name not in (ROW_ID, PARENT_ROW_ID)]
    if step.columns is None:
        _make(connection, step, names)
    assert step.columns is not None
    converted = [(step.columns[name], *convert(step.columns[name], rows.column(name))) for name in names]
    wrong = pa.repeat(pa.scalar(False), rows.num_rows)
    for _, _, mask in converted:
        wrong = pc.or_(wrong, mask)
    parents = rows.column(PARENT_ROW_ID) if PARENT_ROW_ID in rows.schema.names else pa.nulls(rows.num_rows, pa.int64())
    columns = [rows.column(ROW_ID), parents, *(values for _, values, _ in converted)]
    bad = pc.sum(wrong, min_count=0).as_py() or 0
    if bad:
        _note_unfit(connection, number, step, rows, converted, names)
        columns = [column.filter(pc.invert(wrong)) for column in columns]
    _note_unread(connection, number, step, batch.errors)
    places = ", ".join(["RowId", "ParentRowId", *(quote(column.name) for column, _, _ in converted)])
    marks = ", ".join("?" * len(columns))
    connection.executemany(
        f"INSERT INTO {quote(step.table)} ({places}) VALUES ({marks})",
        zip(*(column.to_pylist() for column in columns), strict=True),
    )
    step.rows += rows.num_rows - bad
    step.wrong += bad + len({error.row_id for error in batch.errors})
    history.note(
        connection, number, step.place, staged=step.rows, staging_errors=step.wrong, file_rows=step.rows + step.wrong
    )


ERROR = (
    "INSERT INTO row_errors (execution, place, step, row_id, line, field, message, record, said)"
    " VALUES ($number, $place, 'staging', $row, $line, $field, $message, $record, $said)"
)


def _note_unfit(
    connection: sqlite3.Connection,
    number: int,
    step: _Step,
    rows: pa.RecordBatch,
    converted: Sequence[tuple[Column, pa.Array, pa.Array]],
    names: Sequence[str],
) -> None:
    """Cells that are not of their types, each with its row as the file has it."""
    for (column, _, mask), name in zip(converted, names, strict=True):
        if not pc.any(mask, min_count=0).as_py():
            continue
        for said in rows.filter(mask).to_pylist():
            row, text = said.pop(ROW_ID), said[name]
            said.pop(PARENT_ROW_ID, None)
            connection.execute(
                ERROR,
                {"number": number, "place": step.place, "row": row, "line": None, "field": name,
                 "message": f"{text[:80]!r} is not {wanted(column)}", "record": _record(step, said),
                 "said": json.dumps(said, ensure_ascii=False)},
            )  # fmt: skip


def _record(step: _Step, said: Mapping[str, Any]) -> str:
    folded = {name.casefold(): value for name, value in said.items()}
    return ", ".join(str(folded.get(name.casefold()) or "") for name in step.definition.key)


def _note_unread(connection: sqlite3.Connection, number: int, step: _Step, errors: Sequence[StagingError]) -> None:
    connection.executemany(
        ERROR,
        [
            {"number": number, "place": step.place, "row": error.row_id, "line": error.line, "field": error.column,
             "message": error.reason, "record": "", "said": json.dumps(error.raw or error.value, ensure_ascii=False)}
            for error in errors
        ],
    )  # fmt: skip


def _end(connection: sqlite3.Connection, number: int, step: _Step) -> None:
    if step.columns is None:  # no row of that kind in the file
        _make(connection, step, [])
    status = Status.SUCCEEDED
    if step.wrong:
        status = Status.PARTIALLY_SUCCEEDED if step.rows else Status.FAILED
    history.note(connection, number, step.place, staging=status, file_rows=step.rows + step.wrong)
    body = json.dumps(
        {**step.plan.as_dict(), "written": step.written, "given": [c.name for c in (step.columns or {}).values()]},
        ensure_ascii=False, sort_keys=True,
    )  # fmt: skip
    history.note(connection, number, step.place, body=body)


def _refuse(connection: sqlite3.Connection, number: int, step: _Step, error: str) -> None:
    connection.execute(f"DROP TABLE IF EXISTS {quote(step.table)}")
    params = {"number": number, "place": step.place}
    connection.execute("DELETE FROM row_errors WHERE execution = $number AND place = $place", params)
    history.note(
        connection, number, step.place, staging=Status.FAILED, error=error, staged=0, staging_errors=0, file_rows=0
    )
