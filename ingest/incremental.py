"""Incremental folders: full data, then upserts and deletes by the hour, replayed into the entity's current rows.

    customers/                          what `files` names
    ├── FullData/                       every row as of some instant
    └── IncrementalData/
        └── 2024/05/17/09/              the hour 09:00-10:00 UTC; read once it is over
            ├── Upserts/                rows that are new or changed, with all columns
            └── Deletes/                rows that are gone: the key, and the updated column if there is one

Every row is dated by the `updated` column. Per key the latest wins, whatever folder it lies in: a full row that is
newer than an old upsert stands, so a FullData that was exported again needs no cleaning up of older hours. Equal times:
the later hour folder wins over the earlier, any hour over FullData; in one hour a delete wins over an upsert (deletion
feeds repeat the time of the row they delete). A row without a time counts as of the end of its hour, in FullData as of
before all others. Rows of one key that are still equal (FullData holds a key twice; one hour upserts a key twice at one
time) stay side by side: they are duplicates, and `Entity.duplicates` decides.

Everything is replayed from the folders at every run; there is no state, so "full refresh" is simply the next run. Row
filters come after the replay. Names that begin with `.` or `_` (`_SUCCESS`, `.DS_Store`) are no data; any other name
that does not belong is an error, because a folder that is spelled wrong would otherwise be lost in silence.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ingest.kinds import TIMES, kind_of
from unify.core.engine import Engine
from unify.core.errors import SourceError, SpecError, did_you_mean
from unify.core.names import quote
from unify.core.steps import Query, Step

FULL, INCREMENTS = "FullData", "IncrementalData"
UPSERTS, DELETES = "Upserts", "Deletes"
HOUR = timedelta(hours=1)
_LEVELS = (("year", r"\d{4}"), ("month", r"\d{2}"), ("day", r"\d{2}"), ("two-digit hour", r"\d{2}"))


@dataclass(frozen=True, slots=True)
class IncrementalFiles:
    """The files of an incremental folder, in a fixed order.

    full      data files of FullData
    upserts   (hour, file); the hour is the instant it began, UTC without zone
    deletes   the same
    waiting   hours that were not over yet and were left for a later run
    """

    full: tuple[Path, ...]
    upserts: tuple[tuple[datetime, Path], ...] = ()
    deletes: tuple[tuple[datetime, Path], ...] = ()
    waiting: tuple[datetime, ...] = ()

    @property
    def hours(self) -> dict[Path, datetime | None]:
        """The hour of every file; None for full data."""
        return {**dict.fromkeys(self.full), **{path: hour for hour, path in (*self.upserts, *self.deletes)}}


def resolve(folder: Path, now: datetime) -> IncrementalFiles:
    """Find the files of an incremental folder. `now` must carry a time zone.

    Raises SourceError when there is no FullData with a file in it, or a name that does not belong where it is.
    """
    if now.tzinfo is None:
        raise ValueError("now needs a time zone: hours of incremental folders are in UTC")
    now = now.astimezone(UTC).replace(tzinfo=None)
    if not folder.is_dir():
        raise SourceError("not a folder", where=str(folder), hint=f"incremental data needs a folder with {FULL}")
    parts = _folders(folder, (FULL, INCREMENTS))
    full = tuple(_files(parts[FULL])) if FULL in parts else ()
    if not full:
        what = "is empty" if FULL in parts else "is missing"
        hint = f"put an export of all rows into {folder / FULL}; upserts and deletes apply on top of it"
        raise SourceError(f"{FULL} {what}", where=str(folder), hint=hint)
    upserts: list[tuple[datetime, Path]] = []
    deletes: list[tuple[datetime, Path]] = []
    waiting: list[datetime] = []
    for hour, path in _hours(parts[INCREMENTS]) if INCREMENTS in parts else ():
        if now < hour + HOUR:
            waiting.append(hour)
            continue
        changes = _folders(path, (UPSERTS, DELETES))
        upserts += [(hour, file) for file in _files(changes[UPSERTS])] if UPSERTS in changes else []
        deletes += [(hour, file) for file in _files(changes[DELETES])] if DELETES in changes else []
    return IncrementalFiles(full, tuple(upserts), tuple(deletes), tuple(waiting))


def _listed(folder: Path) -> list[Path]:
    return sorted((p for p in folder.iterdir() if not p.name.startswith((".", "_"))), key=lambda p: p.name)


def _folders(folder: Path, known: tuple[str, ...]) -> dict[str, Path]:
    """The sub-folders of a folder that holds nothing else than `known` ones."""
    found = {}
    for path in _listed(folder):
        if path.name not in known or not path.is_dir():
            what = "a folder" if path.is_dir() else "a file"
            hint = f"{folder.name} holds only {' and '.join(known)}: {did_you_mean(path.name, known)}"
            raise SourceError(f"{what} that does not belong here", where=str(path), hint=hint)
        found[path.name] = path
    return found


def _files(folder: Path) -> Iterator[Path]:
    for path in _listed(folder):
        if path.is_dir():
            hint = f"put data files directly into {folder}"
            raise SourceError("a folder that does not belong here", where=str(path), hint=hint)
        yield path


def _hours(folder: Path) -> Iterator[tuple[datetime, Path]]:
    """Every hour folder below yyyy/mm/dd, in order."""

    def down(path: Path, numbers: tuple[int, ...]) -> Iterator[tuple[datetime, Path]]:
        if len(numbers) == len(_LEVELS):
            yield _hour(path, numbers), path
            return
        level, pattern = _LEVELS[len(numbers)]
        for below in _listed(path):
            if not below.is_dir() or not re.fullmatch(pattern, below.name, re.ASCII):
                raise _not_an_hour(below, f"{below.name!r} is not a {level}")
            yield from down(below, (*numbers, int(below.name)))

    yield from down(folder, ())


def _hour(path: Path, numbers: tuple[int, ...]) -> datetime:
    year, month, day, hour = numbers
    try:
        return datetime(year, month, day, hour)  # noqa: DTZ001 - UTC throughout, compared with TIMESTAMP columns
    except ValueError as error:
        raise _not_an_hour(path, str(error)) from None


def _not_an_hour(path: Path, message: str) -> SourceError:
    hint = f"{INCREMENTS} holds one folder per hour, yyyy/mm/dd/hh in UTC, e.g. 2024/05/17/09"
    return SourceError(message, where=str(path), hint=hint)


@dataclass(frozen=True, slots=True)
class ReplayCounts:
    """What became of every row that was read: `rows = kept + superseded + deleted`.

    rows                 full rows and upserts
    kept                 rows that stand; of these `from_upserts` came with an upsert
    superseded           rows for which a later one of the same key stands
    deleted              rows whose key was deleted last
    deletes              rows of delete files `= deletes_applied + deletes_superseded + deletes_unknown`
    deletes_applied      deletes that had the last word about a key, one per key
    deletes_superseded   deletes that a later row or a later delete of the key made irrelevant
    deletes_unknown      deletes of keys that no row ever had
    """

    rows: int
    kept: int
    from_upserts: int
    superseded: int
    deleted: int
    deletes: int
    deletes_applied: int
    deletes_superseded: int
    deletes_unknown: int


@dataclass(frozen=True, slots=True)
class Replay:
    """Steps that make the current rows, and the query that counts; run the steps first, in order."""

    steps: tuple[Step, ...]
    counts: Query

    def run(self, engine: Engine) -> ReplayCounts:
        """Run the steps and count."""
        for step in self.steps:
            engine.build(step)
        [row] = engine.fetch(self.counts).to_pylist()
        return ReplayCounts(**{name: int(value or 0) for name, value in row.items()})


def replay(engine: Engine, *, rows: str, deletes: str | None, makes: str, key: str, updated: str, hour: str) -> Replay:
    """Steps from typed rows to the current ones.

    rows      table of full rows and upserts; `hour` names its TIMESTAMP column with the folder's hour, null = FullData
    deletes   table of the delete files with `key`, `hour` and, if the files have it, `updated`; None = no such files
    makes     the table to make: the rows of `rows` that stand, with all its columns
    Rows with a null key take part in nothing and are left in: the key check quarantines them.
    Scratch tables are `<makes>_events` and `<makes>_last`. Raises SpecError when `updated` is no date or datetime, or
    the columns are not there.
    """
    have = engine.columns(rows)
    for name in (key, updated, hour):
        if name not in have:
            raise SpecError(f"no column {name!r}", where=rows, hint=did_you_mean(name, have))
    if kind_of(have[updated]) not in TIMES:
        hint = f"declare it: `columns: {{{updated}: datetime}}`, or name another column"
        raise SpecError(
            f"{updated!r} is {have[updated]}, not a date or datetime", where="incremental.updated", hint=hint
        )
    of_type = f"CAST({quote(key)} AS {have[key]})"
    events = [_event(rows, quote(key), _row_time(have[updated], updated, hour), hour, is_delete=False)]
    if deletes is not None:
        gone = engine.columns(deletes)
        if key not in gone:
            raise SpecError(f"delete files have no key column {key!r}", where=deletes, hint=did_you_mean(key, gone))
        events.append(_event(deletes, of_type, _row_time(gone.get(updated), updated, hour), hour, is_delete=True))
    event_table, last_table = f"{makes}_events", f"{makes}_last"
    every = Step(
        event_table,
        Query(" UNION ALL ".join(events)),
        "date every row and every delete of the incremental folders",
        reads=(rows,) if deletes is None else (rows, deletes),
    )
    last = Step(last_table, Query(_LAST.format(events=quote(event_table))), "the last word per key", (event_table,))
    stands = Step(
        makes,
        Query(
            f"SELECT r.* FROM {quote(rows)} r LEFT JOIN {quote(last_table)} l ON r.{quote(key)} = l.key "
            f"WHERE r.{quote(key)} IS NULL OR (NOT l.is_delete AND l.hour = {_hour_of(hour, 'r.')} "
            f"AND (r.{quote(hour)} IS NULL OR l.moment = {_row_time(have[updated], updated, hour, 'r.')}))"
        ),
        "rows that no later upsert or delete replaced",
        reads=(rows, last_table),
    )
    counts = _COUNTS.format(
        rows=quote(rows),
        made=quote(makes),
        last=quote(last_table),
        key=quote(key),
        hour=quote(hour),
        deletes=f"(SELECT count(*) FROM {quote(deletes)})" if deletes is not None else "0",
    )
    return Replay((every, last, stands), Query(counts))


_NEVER = "TIMESTAMP '-infinity'"
"""When a full row without a time was updated: before all others. Also the hour of FullData."""


def _hour_of(hour: str, alias: str = "") -> str:
    return f"coalesce(CAST({alias}{quote(hour)} AS TIMESTAMP), {_NEVER})"


def _row_time(sqltype: str | None, updated: str, hour: str, alias: str = "") -> str:
    """When a row was updated, as TIMESTAMP in UTC; a row without a time counts as of the end of its hour."""
    ended = f"coalesce(CAST({alias}{quote(hour)} AS TIMESTAMP) + INTERVAL 1 HOUR, {_NEVER})"
    if sqltype is None:
        return ended
    column = f"{alias}{quote(updated)}"
    zoned = f"({column} AT TIME ZONE 'UTC')" if sqltype.upper().endswith("TIME ZONE") else column
    return f"coalesce(CAST({zoned} AS TIMESTAMP), {ended})"


def _event(table: str, key: str, moment: str, hour: str, *, is_delete: bool) -> str:
    """`key` and `moment` are SQL expressions over the table's columns."""
    return (
        f"SELECT {key} AS key, {moment} AS moment, {_hour_of(hour)} AS hour, {is_delete} AS is_delete "
        f"FROM {quote(table)} WHERE {key} IS NOT NULL"
    )


_LAST = """
SELECT key, last.moment AS moment, last.hour AS hour, last.is_delete AS is_delete, rows, deletes
FROM (
    SELECT key,
           max({{'moment': moment, 'hour': hour, 'is_delete': is_delete}}) AS last,
           count(*) FILTER (NOT is_delete) AS rows,
           count(*) FILTER (is_delete) AS deletes
    FROM {events}
    GROUP BY key
)"""
"""One row per key. A struct is compared field by field, which is the order that the module's docstring promises."""

_COUNTS = """
WITH read AS (SELECT count(*) AS rows FROM {rows}),
     made AS (SELECT count(*) AS kept, count({hour}) AS from_upserts, count({key}) AS with_key FROM {made}),
     keys AS (
         SELECT coalesce(sum(rows) FILTER (is_delete), 0) AS deleted,
                coalesce(sum(rows) FILTER (NOT is_delete), 0) AS living,
                count(*) FILTER (is_delete AND rows > 0) AS applied,
                coalesce(sum(deletes) FILTER (rows > 0), 0) AS known
         FROM {last})
SELECT read.rows, made.kept, made.from_upserts,
       keys.living - made.with_key AS superseded,
       keys.deleted,
       {deletes} AS deletes,
       keys.applied AS deletes_applied,
       keys.known - keys.applied AS deletes_superseded,
       {deletes} - keys.known AS deletes_unknown
FROM read, made, keys"""
