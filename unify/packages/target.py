"""Staging → target: rows into their record table, 50,000 at a time, each lot in one transaction with its progress.

The transaction is one of records.sqlite alone (staging is attached for reading), so a lot and the note of it are there
together or not at all; whoever comes after a kill goes on behind the last lot. Lots keep other writers waiting for
less than a second.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any, Final

from unify.core.names import quote
from unify.packages import history
from unify.packages.checks import record
from unify.packages.database import PackageDatabase
from unify.packages.history import Kept, Step
from unify.packages.nouns import NOW, EntityDefinition, ImportOptions, Status
from unify.packages.plan import plan_of
from unify.packages.staging import CanceledError, table_of
from unify.records import RecordStore, Table
from unify.records.definitions import VERSION, key_of_index, place
from unify.records.store import BUSY_S
from unify.records.values import moment

LOT: Final = 50_000


@dataclass(frozen=True, slots=True)
class _Lot:
    """What is needed to write rows of one step. `written`: columns that the file, or a rule, gives."""

    token: str
    place: int
    staging: str
    definition: EntityDefinition
    table: Table
    written: tuple[str, ...]
    overwrite: bool


def write(
    database: PackageDatabase, execution: Kept, step: Step, options: ImportOptions, stopped: Callable[[], bool]
) -> None:
    """Write all rows of a step that nothing refuses, from where an earlier process was. CanceledError."""
    definition = plan_of({k: v for k, v in step.body.items() if k not in ("written", "given")}).definition
    assert definition is not None
    with RecordStore(database.instance).read() as reading:
        table = reading.table(definition.table)
    lot = _Lot(
        execution.token, step.place, quote(table_of(execution.number, step.place)), definition, table,
        tuple(step.body["written"]), options.overwrite,
    )  # fmt: skip
    with closing(_connect(database)) as connection:
        while True:
            if stopped():
                raise CanceledError
            if not _one(connection, lot):
                break
        _settle(database, connection, execution.number, lot)


def sync(database: PackageDatabase, execution: Kept, step: Step) -> None:
    """Bring the counts of a step to what its progress says: a process may have ended between the two."""
    definition = plan_of({k: v for k, v in step.body.items() if k not in ("written", "given")}).definition
    assert definition is not None
    with RecordStore(database.instance).read() as reading:
        table = reading.table(definition.table)
    staging = quote(table_of(execution.number, step.place))
    lot = _Lot(execution.token, step.place, staging, definition, table, (), overwrite=False)
    with closing(_connect(database)) as connection:
        _settle(database, connection, execution.number, lot, over=False)


@contextmanager
def held_open(instance: Path) -> Iterator[None]:
    """See PackageDatabase.held_open; of records.sqlite, where it is there."""
    path = RecordStore(instance).path
    if not path.exists():
        yield
        return
    with closing(sqlite3.connect(path, timeout=BUSY_S, isolation_level=None)) as connection:
        connection.execute("PRAGMA user_version").fetchone()
        yield


def forget(instance: Path, tokens: list[str]) -> None:
    """Take the progress of executions away that have ended."""
    store = RecordStore(instance)
    if not store.path.exists() or not tokens:
        return
    with store.write() as writing:
        if _has_progress(writing.connection):
            for name in ("package_progress", "package_refused"):
                writing.connection.executemany(f"DELETE FROM {name} WHERE token = ?", [(token,) for token in tokens])


def _has_progress(connection: sqlite3.Connection) -> bool:
    sql = "SELECT 1 FROM sqlite_master WHERE name = 'package_progress'"
    return connection.execute(sql).fetchone() is not None


def _connect(database: PackageDatabase) -> sqlite3.Connection:
    """records.sqlite, with staging attached for reading."""
    path = RecordStore(database.instance).path
    connection = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, uri=False)
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA synchronous = FULL")
        if not _has_progress(connection):
            script = resources.files("unify.packages").joinpath("progress.sql").read_text(encoding="utf-8")
            connection.executescript(f"BEGIN IMMEDIATE; {script}; COMMIT;")
        connection.execute("ATTACH ? AS staging", (str(database.path),))
    except BaseException:
        connection.close()
        raise
    return connection


@contextmanager
def _alone(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction whose first statement takes the writers' lock of records.sqlite, and of nothing else."""
    connection.execute("BEGIN")
    try:
        connection.execute("UPDATE main.clock SET version = version")
        yield
    except BaseException:
        connection.rollback()
        raise
    connection.commit()


def _one(connection: sqlite3.Connection, lot: _Lot) -> bool:
    """One lot; False when there is nothing left. A lot with rows that a key of the table refuses goes row by row."""
    try:
        with _alone(connection):
            return _write_lot(connection, lot, _all_at_once)
    except sqlite3.IntegrityError:
        with _alone(connection):
            return _write_lot(connection, lot, _row_by_row)


Way = Callable[[sqlite3.Connection, _Lot, int, int], None]


def _write_lot(connection: sqlite3.Connection, lot: _Lot, way: Way) -> bool:
    upto = _progress(connection, lot)["upto"]
    source = f"staging.{lot.staging}"
    last = connection.execute(
        f"SELECT max(RowId) FROM (SELECT RowId FROM {source} WHERE RowId > ? ORDER BY RowId LIMIT {LOT})", (upto,)
    ).fetchone()[0]
    if last is None:
        return False
    _sort_out(connection, lot, source, upto, last)
    base = connection.execute("SELECT version FROM main.clock").fetchone()[0] - upto
    way(connection, lot, base, upto)
    counts = connection.execute(
        "SELECT count(*) FILTER (WHERE what = 'new') AS created, count(*) FILTER (WHERE what = 'other') AS updated,"
        " count(*) FILTER (WHERE what = 'same') AS unchanged FROM temp.lot"
    ).fetchone()
    connection.execute("UPDATE main.clock SET version = version + ?", (last - upto,))
    connection.execute(
        "INSERT INTO main.package_progress VALUES ($token, $place, $last, $created, $updated, $unchanged)"
        " ON CONFLICT DO UPDATE SET upto = $last, created = created + $created, updated = updated + $updated,"
        " unchanged = unchanged + $unchanged",
        {"token": lot.token, "place": lot.place, "last": last, **dict(counts)},
    )
    return True


def _progress(connection: sqlite3.Connection, lot: _Lot) -> Mapping[str, int]:
    row = connection.execute(
        "SELECT upto, created, updated, unchanged FROM main.package_progress WHERE token = ? AND place = ?",
        (lot.token, lot.place),
    ).fetchone()
    return dict(row) if row is not None else {"upto": 0, "created": 0, "updated": 0, "unchanged": 0}


def _sort_out(connection: sqlite3.Connection, lot: _Lot, source: str, upto: int, last: int) -> None:
    """temp.lot: what becomes of each row. new, other (it differs from the one there), same, refused."""
    key = lot.definition.key
    match = " AND ".join(f"t.{quote(name)} = s.{quote(name)}" for name in key)
    rest = [name for name in lot.written if name not in key]
    differs = " OR ".join(f"t.{quote(name)} IS NOT s.{quote(name)}" for name in rest) or "FALSE"
    fixed = [name for name in rest if name in lot.definition.read_only]
    changes = " OR ".join(f"(s.{quote(n)} IS NOT NULL AND t.{quote(n)} IS NOT s.{quote(n)})" for n in fixed) or "FALSE"
    lacking = [c.name for c in lot.definition.columns if c.required and c.name not in lot.written]
    connection.execute("DROP TABLE IF EXISTS temp.lot")
    connection.execute(
        "CREATE TEMP TABLE lot AS SELECT s.RowId AS row, CASE"
        f" WHEN {changes} THEN 'fixed'"
        f" WHEN t.{quote(key[0])} IS NULL THEN {'$lacking' if lacking else chr(39) + 'new' + chr(39)}"
        " WHEN NOT $overwrite THEN 'there'"
        f" WHEN {differs} THEN 'other' ELSE 'same' END AS what"
        f" FROM {source} AS s LEFT JOIN main.{place(lot.table.name)} AS t ON {match}"
        " WHERE s.RowId > $upto AND s.RowId <= $last AND NOT s.Refused ORDER BY s.RowId",
        {"overwrite": lot.overwrite, "upto": upto, "last": last} | ({"lacking": "lacking"} if lacking else {}),
    )
    connection.execute("CREATE UNIQUE INDEX temp.lot_rows ON lot (row)")
    reasons = {
        "fixed": (", ".join(fixed), "it would change a value that only the system writes"),
        "lacking": (", ".join(lacking), "a value is needed, and the file has no such column"),
        "there": (", ".join(key), "there is a row with this key, and overwrite is off"),
    }
    for what, (field, message) in reasons.items():
        connection.execute(
            "INSERT INTO main.package_refused SELECT ?, ?, row, ?, ? FROM temp.lot WHERE what = ?",
            (lot.token, lot.place, field, message, what),
        )


def _insert(lot: _Lot) -> str:
    defaults = list(lot.definition.defaults)
    more = [name for name in defaults if name not in lot.written]
    names = ", ".join(map(quote, (*lot.written, *more)))
    given = [
        f"coalesce(s.{quote(name)}, $d{defaults.index(name)})" if name in defaults else f"s.{quote(name)}"
        for name in lot.written
    ]
    values = ", ".join([*given, *(f"$d{defaults.index(name)}" for name in more)])
    return (
        f"INSERT INTO main.{place(lot.table.name)} ({names}, {VERSION}) SELECT {values}, $base + s.RowId"
        f" FROM temp.lot AS l JOIN staging.{lot.staging} AS s ON s.RowId = l.row WHERE l.what = 'new'"
    )


def _update(lot: _Lot) -> str:
    rest = [name for name in lot.written if name not in lot.definition.key]
    sets = "".join(f"{quote(name)} = s.{quote(name)}, " for name in rest)
    sets += "".join(f"{quote(name)} = $now, " for name in lot.definition.touched if name not in lot.written)
    match = " AND ".join(f"t.{quote(name)} = s.{quote(name)}" for name in lot.definition.key)
    return (
        f"UPDATE main.{place(lot.table.name)} AS t SET {sets}{VERSION} = $base + s.RowId"
        f" FROM temp.lot AS l JOIN staging.{lot.staging} AS s ON s.RowId = l.row WHERE l.what = 'other' AND {match}"
    )


def _all_at_once(connection: sqlite3.Connection, lot: _Lot, base: int, _: int) -> None:
    params = {"base": base, **_values(lot)}
    connection.execute(_insert(lot) + " ORDER BY s.RowId", params)
    connection.execute(_update(lot), params)


def _values(lot: _Lot) -> dict[str, Any]:
    """Of defaults, and the moment."""
    now = moment(datetime.now(UTC).replace(microsecond=0))
    defaults = lot.definition.defaults.values()
    return {"now": now} | {f"d{place}": now if value == NOW else value for place, value in enumerate(defaults)}


def _row_by_row(connection: sqlite3.Connection, lot: _Lot, base: int, _: int) -> None:
    """The same, where another row may have the alternate key of one of them: that one is refused."""
    ways = {"new": _insert(lot) + " AND l.row = $row", "other": _update(lot) + " AND l.row = $row"}
    params = {"base": base, **_values(lot)}
    rows = connection.execute("SELECT row, what FROM temp.lot WHERE what IN ('new', 'other') ORDER BY row").fetchall()
    for row, what in rows:
        try:
            connection.execute(ways[what], {**params, "row": row})
        except sqlite3.IntegrityError as error:
            field = key_of_index(lot.table, str(error))
            message = f"another row has this {field}"
            sql = "INSERT INTO main.package_refused VALUES (?, ?, ?, ?, ?)"
            connection.execute(sql, (lot.token, lot.place, row, field, message))
            connection.execute("UPDATE temp.lot SET what = 'taken' WHERE row = ?", (row,))


def _settle(
    database: PackageDatabase, connection: sqlite3.Connection, number: int, lot: _Lot, *, over: bool = True
) -> None:
    """Tell packages.sqlite what records.sqlite holds. `over`: all rows are through."""
    done = _progress(connection, lot)
    sql = "SELECT row_id, field, message FROM main.package_refused WHERE token = ? AND place = ?"
    refused = [tuple(row) for row in connection.execute(sql, (lot.token, lot.place))]
    with database.write() as db:
        at = {"number": number, "place": lot.place}
        db.execute(f"UPDATE {lot.staging} SET Refused = 1 WHERE RowId IN (SELECT value FROM json_each(?))",
                   ("[" + ",".join(str(row) for row, _, _ in refused) + "]",))  # fmt: skip
        known = {
            row[0] for row in db.execute(
                "SELECT row_id FROM row_errors WHERE execution = $number AND place = $place AND step = 'target'", at
            )
        }  # fmt: skip
        db.executemany(
            "INSERT INTO row_errors (execution, place, step, row_id, field, message, record)"
            f" SELECT $number, $place, 'target', s.RowId, $field, $message, {record(lot.definition)}"
            f" FROM {lot.staging} AS s WHERE s.RowId = $row",
            [
                {**at, "row": row, "field": field, "message": message}
                for row, field, message in refused if row not in known
            ],
        )  # fmt: skip
        count = db.execute(f"SELECT count(*) FROM {lot.staging} WHERE Refused").fetchone()[0]
        counts: dict[str, Any] = {name: done[name] for name in ("created", "updated", "unchanged")}
        if over:
            counts["target"] = _status(sum(counts.values()), count)
        history.note(db, number, lot.place, refused=count, **counts)


def _status(written: int, refused: int) -> Status:
    if not refused:
        return Status.SUCCEEDED
    return Status.PARTIALLY_SUCCEEDED if written else Status.FAILED
