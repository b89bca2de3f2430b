"""DuckDB as an Engine: scratch in memory (spilled when it must), what readers see in the generation file."""

import atexit
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from weakref import WeakSet

import duckdb
import pyarrow as pa

from unify.core.engine import Function
from unify.core.errors import QueryError
from unify.core.names import literal, quote
from unify.core.steps import Query, Step

DEFAULT_MEMORY_SHARE = 0.6
"""Of the machine's memory. DuckDB's own default is 0.8; Arrow batches and scipy need the rest."""


def default_memory_limit() -> str:
    """The memory DuckDB may use before it spills, in MiB, as DuckDB spells it."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return f"{int(total * DEFAULT_MEMORY_SHARE / 2**20)}MiB"


GENERATION = "generation"
"""Name of the attached generation of a reading engine."""

LATE_ROWS = 10_001
"""ORDER BY … LIMIT up to so many rows finds the rows first and reads their other columns after: a page of 100 of 1 M
customers with 40 columns takes half the time. DuckDB's own default is 50."""


def _short(sql: str) -> str:
    return sql if len(sql) <= 80 else f"{sql[:77]}..."


@contextmanager
def _interruptible() -> Iterator[None]:
    """Ctrl-C while DuckDB is at work stays a KeyboardInterrupt; DuckDB makes errors of its own of it.

    In its own code that is RuntimeError("Query interrupted"), in a function that it called InvalidInputException.
    """
    try:
        yield
    except duckdb.InterruptException as error:
        raise KeyboardInterrupt from error
    except duckdb.InvalidInputException as error:
        if "Python exception" in str(error) and "KeyboardInterrupt" in str(error):
            raise KeyboardInterrupt from error
        raise
    except RuntimeError as error:
        if str(error) == "Query interrupted":
            raise KeyboardInterrupt from error
        raise


class DuckDBEngine:
    """One connection. `path` is the file that kept steps write to; None keeps everything in memory."""

    def __init__(
        self, path: Path | None = None, *, memory_limit: str | None = None, threads: int | None = None
    ) -> None:
        config: dict[str, Any] = {
            "memory_limit": memory_limit or default_memory_limit(),
            "preserve_insertion_order": False,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        if threads:
            config["threads"] = threads
        # DuckDB would spill into the working directory, which may be read-only or the user's own.
        spill = (
            Path(tempfile.gettempdir()) / f"unify-spill-{os.getpid()}" if path is None else path.with_suffix(".spill")
        )
        config["temp_directory"] = str(spill)
        self.connection = duckdb.connect(str(path) if path else ":memory:", config=config)
        # In a notebook and under `python -c` DuckDB draws a progress bar on stdout, in the middle of our JSON.
        self.connection.execute("SET enable_progress_bar = false")
        self._defined: set[str] = set()
        _open.add(self)

    @classmethod
    def reading(
        cls, path: Path, *, sealed: bool = True, memory_limit: str | None = None, threads: int | None = None
    ) -> Self:
        """An engine on a published generation. The file is attached read-only to a database in memory, so engines with
        any settings share it. `sealed`: files other than it are out of reach, and settings are locked."""
        engine = cls(memory_limit=memory_limit, threads=threads)
        engine.attach(path, GENERATION)
        engine.connection.execute(f"USE {GENERATION}")
        engine.connection.execute(f"SET late_materialization_max_rows = {LATE_ROWS}")
        if sealed:
            engine.connection.execute("SET enable_external_access = false")
            engine.connection.execute("SET lock_configuration = true")
        return engine

    @_interruptible()
    def question(self, sql: str, params: dict[str, Any]) -> pa.Table:
        """The answer to a user's SQL: one SELECT (or DESCRIBE, SHOW, EXPLAIN), nothing else. QueryError otherwise."""
        try:
            statements = self.connection.extract_statements(sql)
            if len(statements) != 1:
                raise QueryError(f"one statement is wanted, these are {len(statements)}", where=_short(sql))
            if statements[0].type not in (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN):
                kind = str(statements[0].type).rpartition(".")[2]
                raise QueryError(f"{kind} is not a question", where=_short(sql), hint="write a SELECT")
            return self.connection.sql(sql, params=params or None).to_arrow_table()
        except duckdb.Error as error:
            raise QueryError(str(error).strip(), where=_short(sql), hint="docs/tables.md lists the tables") from None

    @_interruptible()
    def row_counts(self) -> dict[str, int | None]:
        """Kept tables and views, sorted by name, with row counts; None for a view.

        Counted, not estimated: DuckDB's estimate counts rows that were deleted. 30 tables of a million rows: 10 ms.
        """
        tables = self.tables()
        counts = " UNION ALL ".join(f"SELECT {n}, count(*) FROM {quote(table)}" for n, table in enumerate(tables))
        found = dict(self.connection.execute(counts).fetchall()) if tables else {}
        views = self.connection.execute(
            "SELECT view_name FROM duckdb_views() WHERE database_name = current_database() AND NOT internal"
        ).fetchall()
        rows: dict[str, int | None] = {table: int(found[n]) for n, table in enumerate(tables)}
        return dict(sorted((rows | {view: None for (view,) in views}).items()))

    @_interruptible()
    def build(self, step: Step) -> int:
        """Make the step's table or view, drop what it releases, return its row count (0 for a view)."""
        kind = ("" if step.keep else "TEMP ") + ("VIEW" if step.view else "TABLE")
        if step.keep and step.plain and not step.view:
            [(database,)] = self.connection.execute("SELECT current_database()").fetchall()
            # by its whole name: a scratch table of the same would come first
            made = (self.fill(f"{quote(database)}.main.{quote(step.makes)}", step.query, step.plain),)
        else:
            sql = f"CREATE OR REPLACE {kind} {quote(step.makes)} AS {step.query.sql}"
            made = self.connection.execute(sql, step.query.params or None).fetchone()
        for table in step.releases:
            self._release(table)
        return int(made[0]) if made and not step.view else 0

    def _release(self, name: str) -> None:
        try:
            self.connection.execute(f"DROP TABLE IF EXISTS temp.{quote(name)}")
        except duckdb.CatalogException:  # scratch may be a view over what is kept
            self.connection.execute(f"DROP VIEW IF EXISTS temp.{quote(name)}")

    @_interruptible()
    def change(self, query: Query) -> None:
        """Change tables in place: one INSERT, UPDATE, DELETE, CREATE or DROP."""
        self.connection.execute(query.sql, query.params or None)

    @_interruptible()
    def fill(self, table: str, query: Query, plain: Sequence[str]) -> int:
        """Make or replace a kept table, given by its whole SQL name, whose `plain` columns are stored as they are
        (Step.plain); returns its row count."""
        described = self.connection.execute(f"DESCRIBE {query.sql}", query.params or None).fetchall()
        columns = ", ".join(
            f"{quote(name)} {kind}" + (" USING COMPRESSION uncompressed" if name in plain else "")
            for name, kind, *_ in described
        )
        self.connection.execute(f"CREATE OR REPLACE TABLE {table} ({columns})")
        made = self.connection.execute(f"INSERT INTO {table} {query.sql}", query.params or None).fetchone()
        return int(made[0]) if made else 0

    @_interruptible()
    def fetch(self, query: Query) -> pa.Table:
        """The answer of one SELECT."""
        return self.connection.sql(query.sql, params=query.params or None).to_arrow_table()

    def batches(self, query: Query, rows: int) -> Iterator[pa.RecordBatch]:
        """The answer of one SELECT, so many rows at a time, as they are found: nothing is held but the batch."""
        with _interruptible():
            reader = self.connection.sql(query.sql, params=query.params or None).to_arrow_reader(rows)
        while True:
            with _interruptible():
                batch = next(reader, None)
            if batch is None:
                return
            yield batch

    @_interruptible()
    def columns(self, table: str) -> dict[str, str]:
        """Column name to SQL type; KeyError if there is no such table."""
        rows = self.connection.execute(
            "SELECT column_name, data_type FROM duckdb_columns() "
            "WHERE table_name = $table AND database_name IN (current_database(), 'temp') AND schema_name = 'main' "
            "ORDER BY column_index",
            {"table": table},
        ).fetchall()
        if not rows:
            raise KeyError(table)
        return dict(rows)

    @_interruptible()
    def load(self, table: str, data: "pa.Table | pa.RecordBatchReader", *, keep: bool = False) -> int:
        """Make a table from Arrow data."""
        name = f"arrow_{table}"
        self.connection.register(name, data)
        try:
            return self.build(Step(table, Query(f"SELECT * FROM {quote(name)}"), "load Arrow data", keep=keep))
        finally:
            self.connection.unregister(name)

    @_interruptible()
    def define(self, functions: Sequence[Function]) -> None:
        """Register vectorised functions; nulls are passed on to them."""
        for f in functions:
            if f.name not in self._defined:
                self.connection.create_function(
                    f.name, f.call, list(f.takes), f.returns, type="arrow", null_handling="special"
                )
                self._defined.add(f.name)

    def interrupt(self) -> None:
        """Stop what another thread runs on this connection; that thread sees a KeyboardInterrupt."""
        with suppress(duckdb.Error):  # closed meanwhile
            self.connection.interrupt()

    @_interruptible()
    def attach(self, path: Path, name: str) -> None:
        """Make another database file readable under `name`."""
        self.connection.execute(f"ATTACH {literal(str(path))} AS {quote(name)} (READ_ONLY)")

    @_interruptible()
    def detach(self, name: str) -> None:
        """Let go of an attached database."""
        self.connection.execute(f"DETACH {quote(name)}")

    @property
    def database(self) -> str:
        """The name of the database that kept tables are in; a scratch table of the same name hides a kept one."""
        return str(self.connection.execute("SELECT current_database()").fetchall()[0][0])

    @_interruptible()
    def tables(self, database: str | None = None, schema: str = "main") -> list[str]:
        """Names of the kept tables, sorted; of an attached database when it is named."""
        rows = self.connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = coalesce($name, current_database()) "
            "AND schema_name = $schema AND NOT internal ORDER BY table_name",
            {"name": database, "schema": schema},
        ).fetchall()
        return [name for (name,) in rows]

    @_interruptible()
    def copy_views(self, database: str) -> None:
        """Make the views of an attached database here too, over the tables here."""
        rows = self.connection.execute(
            "SELECT view_name, sql FROM duckdb_views() WHERE database_name = $name AND NOT internal ORDER BY view_name",
            {"name": database},
        ).fetchall()
        for name, sql in rows:
            body = sql[sql.index(" AS ") + len(" AS ") :]
            self.connection.execute(f"CREATE OR REPLACE VIEW {quote(name)} AS {body}")

    @_interruptible()
    def close(self) -> None:
        """Close; a file-backed engine checkpoints, so that no .wal stays behind. Closing twice is harmless."""
        _open.discard(self)
        self.connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


_open: WeakSet[DuckDBEngine] = WeakSet()


@atexit.register
def _close_all() -> None:
    # A connection that lives at exit and has a Python function whose globals lead back to it, as in a notebook, is a
    # cycle the collector cannot see, and DuckDB 2 prints sixty lines of "nanobind: leaked" about it.
    for engine in list(_open):
        engine.close()
