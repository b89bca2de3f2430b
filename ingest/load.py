"""One entity: from files or a frame to its table and its corrupt table, every row accounted for.

files, frame ──read──▶ <T>#rows      every readable row, numbered, as it was written     (scratch)
                       <T>#unread    rows that no reader can read                        (scratch)
              types, declared and inferred, over all values
              ──▶ typed rows ──[replay of upserts and deletes]──▶ ──[filters]──▶ ──[duplicates: <T>#losers]──▶
                       <T>           accepted rows, typed, key unique and not null       (kept)
                       <T>_corrupt   the others, with file, line, column and reason      (kept)
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from ingest.columns import Field, check_names, plan_columns
from ingest.corrupt import corrupt_of_duplicates, corrupt_of_unread, corrupt_of_values
from ingest.csv_reader import csv_source
from ingest.files import DataFile, describe_files, resolve_files
from ingest.filters import filter_predicate
from ingest.frames import frame_source
from ingest.incremental import IncrementalFiles, ReplayCounts, replay, resolve
from ingest.jsonl_reader import jsonl_source
from ingest.keys import losers
from ingest.parquet_reader import parquet_source
from ingest.report import ColumnReport, FileReport, LoadReport
from ingest.rows import FILE, LINE, Source
from ingest.types import STRING
from ingest.written import Written, lay_over
from unify.core.engine import Engine
from unify.core.erased import NOBODY, Erased
from unify.core.errors import SourceError
from unify.core.names import corrupt_table_of, quote, table_of
from unify.core.plain import hardly_repeat
from unify.core.steps import Query, Step
from unify.spec import Entity

# Scratch tables have a # in their names, which no entity's table can have.
FilesOrFrame = object
"""None: the entity's own files. A list of paths: these files. A Source: that. Anything else: a frame, see frames.py."""


@dataclass(slots=True)
class _Staged:
    """A source whose rows lie in `rows` and whose unreadable ones in `unread`; `param` will name its files in SQL."""

    source: Source
    rows: str
    unread: str
    param: str = "files"
    fields: list[Field] = field(default_factory=list)
    left_out: int = 0
    """Rows of records that were erased."""

    @property
    def count(self) -> int:
        return self.source.rows + len(self.source.bad) - self.left_out

    @property
    def files(self) -> tuple[str, list[str]]:
        """The parameter that holds the file names by their place, and its value."""
        return self.param, [f.name for f in self.source.files] or ["<frame>"]

    @property
    def good(self) -> str:
        """SQL condition: no column refuses the row."""
        problems = " OR ".join(f.problem for f in self.fields if f.problem)
        return f"NOT ({problems})" if problems else "true"


def open_source(entity: Entity, files: Sequence[DataFile], *, sample_only: bool = False) -> Source:
    """The reader for the files' format."""
    if files[0].format == "csv":
        return csv_source(files, entity, sample_only=sample_only)
    if files[0].format == "parquet":
        return parquet_source(files, entity.columns, sample_only=sample_only)
    return jsonl_source(files, sample_only=sample_only)


def load(
    engine: Engine,
    name: str,
    entity: Entity,
    data: FilesOrFrame = None,
    *,
    base: Path,
    now: datetime | None = None,
    written: Sequence[Written] = (),
    erased: Erased = NOBODY,
) -> LoadReport:
    """Make `<Source>_<Entity>` and `<Source>_<Entity>_corrupt`.

    name   qualified, e.g. `crm.Contacts`
    data   see FilesOrFrame
    base   the folder that paths are relative to
    now    with time zone; decides which hours of incremental folders are over (default: the clock)
    written  rows that were written one by one, to be laid over those of the files
    erased   records that are left out wherever the files have them, as if they were not there
    Raises SourceError, DamagedFileError, SpecError; then neither table was made.
    """
    started = time.perf_counter()
    table = table_of(name)
    folders: IncrementalFiles | None = None
    if data is None and entity.incremental:
        folders = resolve(base / entity.files[0], now or datetime.now(UTC))
        source = open_source(entity, describe_files([*folders.full, *(p for _, p in folders.upserts)], entity, base))
    else:
        source = _source(name, entity, data, base)
    staged = _stage(engine, table, name, entity, source)
    if erased.of(name):
        _leave_out(engine, staged, name, entity, erased)
    reports = _Tables(engine, name, entity, staged)
    if folders is not None:
        reports.replay(folders, base)
    if written:
        reports.lay_over(written)
    return reports.finish(started)


def _leave_out(engine: Engine, staged: _Staged, name: str, entity: Entity, erased: Erased) -> None:
    """Erased records go before anything is made of them: typed, filtered, compared or quarantined."""
    [key] = [f for f in staged.fields if f.name == entity.key]
    left = 0
    for table, stays in (
        (staged.rows, erased.stays(name, key.value)),
        (staged.unread, erased.stays_unread(name, "raw")),
    ):
        query = Query(f"SELECT * FROM {quote(table)} WHERE {stays.sql}", stays.params)
        left += engine.build(Step(table, query, "leave out who was erased", (table,)))
    staged.left_out = staged.count - left


def _source(name: str, entity: Entity, data: FilesOrFrame, base: Path) -> Source:
    if data is None:
        return open_source(entity, resolve_files(entity, base))
    if isinstance(data, Source):
        return data
    if isinstance(data, (list, tuple)) and data and all(isinstance(p, (str, Path)) for p in data):
        return open_source(entity, describe_files([base / p for p in data], entity, base))
    try:
        return frame_source(data)
    except SourceError as error:  # of several frames, say which
        error.where = f"{name}: {error.where}"
        raise


def _stage(
    engine: Engine, table: str, name: str, entity: Entity, source: Source, given: dict[str, Any] | None = None
) -> _Staged:
    """Read everything into scratch tables and decide the columns' types."""
    where = f"{name}: {source.files[0].name}" if source.files else name
    check_names(entity, source.columns, where)
    staged = _Staged(source, f"{table}#rows", f"{table}#unread")
    try:
        if source.query is not None:
            why = "rows of the run before, and what changed since"
            engine.build(Step(staged.rows, source.query, why, source.scratch, releases=source.scratch))
        else:
            engine.load(staged.rows, source.reader())
    except Exception:
        if source.error is not None:
            raise source.error from None
        raise
    numbers = [number for number, _ in source.bad]
    bad = [row for _, row in source.bad]
    unread = {
        FILE: pa.array(numbers, pa.int32()),
        LINE: pa.array([b.line for b in bad], pa.int64()),
        "reason": pa.array([b.reason for b in bad], pa.string()),
        "value": pa.array([b.value for b in bad], pa.string()),
        "raw": pa.array([b.raw for b in bad], pa.string()),
    }
    engine.load(staged.unread, pa.table(unread))
    staged.fields, warnings = plan_columns(engine, staged.rows, entity, source, name, given)
    source.warnings += warnings
    return staged


def _free(name: str, columns: Sequence[str]) -> str:
    """A column name that no column has, ignoring case."""
    taken = {c.casefold() for c in columns}
    while name.casefold() in taken:
        name = f"#{name}"
    return name


class _Tables:
    """The way from staged rows to the two tables of an entity."""

    def __init__(self, engine: Engine, name: str, entity: Entity, staged: _Staged) -> None:
        self.engine, self.name, self.entity, self.staged = engine, name, entity, staged
        self.table = table_of(name)
        self.columns = [f.name for f in staged.fields]
        self.file, self.line = _free("#file", self.columns), _free("#line", self.columns)
        self.typed = f"({self._typed(staged)})"
        self.scratch = [staged.rows, staged.unread]
        self.corrupt = [self._unread(staged), self._values(staged)]
        self.rows_in, self.warnings = staged.count, list(staged.source.warnings)
        self.replayed: ReplayCounts | None = None
        self.files = list(staged.source.files)
        self.deletes_taken = 0
        self.added = self.changed = 0

    def _typed(self, staged: _Staged, extra: str = "") -> str:
        values = ", ".join(f"{f.value} AS {quote(f.name)}" for f in staged.fields)
        head = f"{FILE} AS {quote(self.file)}, {LINE} AS {quote(self.line)}"
        return f"SELECT {head}, {values}{extra} FROM {quote(staged.rows)} WHERE {staged.good}"

    def _unread(self, staged: _Staged) -> Query | None:
        return corrupt_of_unread(staged.unread, staged.files) if staged.source.bad else None

    def _values(self, staged: _Staged) -> Query | None:
        return corrupt_of_values(staged.rows, staged.fields, staged.files)

    def replay(self, folders: IncrementalFiles, base: Path) -> None:
        """Apply the upserts and deletes of incremental folders: from here on the rows are the current ones."""
        if self.entity.incremental is None:
            raise ValueError("the entity is not incremental")
        hours, hour = folders.hours, _free("#hour", self.columns)
        self._with_hours(self.staged, f"{self.table}#typed", hour, hours)
        deletes_table = None
        if folders.deletes:
            deletes_table = self._stage_deletes(folders, base, hour)
        done = replay(
            self.engine,
            rows=f"{self.table}#typed",
            deletes=deletes_table,
            makes=f"{self.table}#current",
            key=self.entity.key,
            updated=self.entity.incremental.updated,
            hour=hour,
        )
        self.replayed = done.run(self.engine)
        self.typed = quote(f"{self.table}#current")
        self.scratch += [*(step.makes for step in done.steps), f"{self.table}#typed"]
        if folders.waiting:
            hint = ", ".join(f"{h:%Y-%m-%d %H}:00" for h in folders.waiting)
            self.warnings.append(f"{self.name}: hours that are not over were left for a later run: {hint}")

    def lay_over(self, written: Sequence[Written]) -> None:
        """Change rows as somebody wrote, and add rows of their own: they count as rows that came in."""
        laid = lay_over(
            self.engine,
            self.typed,
            written,
            self.staged.fields,
            table=self.table,
            name=self.name,
            key=self.entity.key,
            file=self.file,
            line=self.line,
        )
        self.typed = quote(laid.table)
        self.scratch += laid.scratch
        self.rows_in += laid.added
        self.added, self.changed = laid.added, laid.changed
        self.warnings += laid.warnings

    def _with_hours(self, staged: _Staged, makes: str, hour: str, hours: dict[Path, datetime | None]) -> None:
        times = [hours[f.path] for f in staged.source.files]
        extra = f", CAST(list_extract($hours, {FILE} + 1) AS TIMESTAMP) AS {quote(hour)}"
        query = Query(self._typed(staged, extra), {"hours": times})
        self.engine.build(Step(makes, query, "typed rows with the hour of their folder", (staged.rows,)))

    def _stage_deletes(self, folders: IncrementalFiles, base: Path, hour: str) -> str:
        files = describe_files([path for _, path in folders.deletes], self.entity, base)
        source = open_source(self.entity, files)
        slim = self.entity.model_copy(
            update={
                "columns": {n: c for n, c in self.entity.columns.items() if n in source.columns},
                "labels": {},
                "pii": {},
                "timestamp": None,
                "type": "unspecified",
                "incremental": None,
            }
        )
        types = {f.name: f.type for f in self.staged.fields if f.name in source.columns}
        table = f"{self.table}#deletes"
        staged = _stage(self.engine, table, f"{self.name} (deletes)", slim, source, types)
        staged.param = "delete_files"
        self._with_hours(staged, table, hour, folders.hours)
        self.corrupt += [self._unread(staged), self._values(staged)]
        self.rows_in += staged.count
        self.files += source.files
        self.warnings += source.warnings
        self.deletes_taken = self.engine.fetch(Query(f"SELECT count(*) FROM {quote(table)}")).column(0)[0].as_py()
        self.scratch += [staged.rows, staged.unread, table]
        return table

    def finish(self, started: float) -> LoadReport:
        """Filter, settle duplicates, make both tables, count."""
        types = {f.name: f.type.sql for f in self.staged.fields}
        found = filter_predicate(self.entity, types, where=f"{self.name}.where")
        keep = found or Query("true")
        passing = f"(SELECT * FROM {self.typed} WHERE {keep.sql})"
        key = quote(self.entity.key)
        counts = self.engine.fetch(
            Query(
                f"SELECT count(*), count_if({keep.sql}), count(DISTINCT {key}) FILTER ({keep.sql}) FROM {self.typed}",
                keep.params,
            )
        )
        rows, passed, distinct = (int(counts.column(i)[0].as_py() or 0) for i in range(3))
        yielding = f"{self.table}#losers"
        stays = "true"
        if distinct < passed:
            sql = losers(passing, self.entity.key, self.columns, self.entity.duplicates, file=self.file, line=self.line)
            why = "rows that share a key with another row"
            self.engine.build(Step(yielding, Query(sql, keep.params), why, (self.staged.rows,)))
            self.corrupt.append(
                corrupt_of_duplicates(
                    self.staged.rows, yielding, self.staged.fields, self.entity.key, self.staged.files
                )
            )
            self.scratch.append(yielding)
            stays = (
                f"NOT EXISTS (SELECT 1 FROM {quote(yielding)} l WHERE l.{FILE} = t.{quote(self.file)} "
                f"AND l.{LINE} = t.{quote(self.line)})"
            )
        names = ", ".join(f"t.{quote(n)}" for n in self.columns)
        texts = [n for n in self.columns if types[n] == STRING.sql]
        kept = self.engine.build(
            Step(
                self.table,
                Query(f"SELECT {names} FROM {passing} t WHERE {stays}", keep.params),
                "accepted rows",
                (self.staged.rows,),
                keep=True,
                plain=hardly_repeat(self.engine, self.typed, texts),
            )
        )
        reasons = self._quarantine()
        return self._report(kept, rows - passed, reasons, passed - kept, time.perf_counter() - started)

    def _quarantine(self) -> dict[str, int]:
        parts = [q for q in self.corrupt if q is not None] or [corrupt_of_unread(self.staged.unread, self.staged.files)]
        params = {k: v for q in parts for k, v in q.params.items()}
        corrupt = corrupt_table_of(self.name)
        sql = " UNION ALL ".join(f"({q.sql})" for q in parts)
        self.engine.build(
            Step(
                corrupt,
                Query(sql, params),
                "quarantined rows",
                tuple(self.scratch),
                keep=True,
                releases=tuple(self.scratch),
            )
        )
        counted = self.engine.fetch(
            Query(f"SELECT reason, count(*) AS n FROM {quote(corrupt)} GROUP BY reason ORDER BY n DESC, reason")
        )
        return {row["reason"]: row["n"] for row in counted.to_pylist()}

    def _report(self, kept: int, filtered: int, reasons: dict[str, int], duplicates: int, seconds: float) -> LoadReport:
        labels = self.entity.labels
        if self.rows_in and not kept and not filtered:
            self.warnings.append(f"{self.name}: no row was kept")
        done = self.replayed
        return LoadReport(
            entity=self.name,
            table=self.table,
            rows_in=self.rows_in,
            rows_kept=kept,
            rows_quarantined=sum(reasons.values()),
            rows_filtered=filtered,
            duplicates=duplicates,
            seconds=seconds,
            columns=tuple(
                ColumnReport(f.name, f.type.name, f.declared, f.format, labels.get(f.name, ""))
                for f in self.staged.fields
            ),
            files=tuple(FileReport(f.name, f.size) for f in self.files),
            reasons=reasons,
            warnings=tuple(dict.fromkeys(self.warnings)),
            rows_replaced=done.superseded + done.deleted if done else 0,
            rows_of_deletes=self.deletes_taken,
            rows_added=self.added,
            rows_changed=self.changed,
        )
