"""Opening a generation's file for reading: the one place that knows how."""

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from unify.core.errors import StoreError
from unify.core.names import literal, quote
from unify.store.trouble import trouble

if TYPE_CHECKING:
    import duckdb

DATABASE: Final = "generation"
"""The name the file is attached under."""

LOCKS: Final = ("enable_external_access", "lock_configuration")
"""Settings that would bar attaching the file itself, or setting each other: applied last, in this order."""


def connect(path: Path, config: Mapping[str, Any] | None = None) -> "duckdb.DuckDBPyConnection":
    """A DuckDB in memory with the file attached read-only and in use: bare table names are the generation's.

    Attached instead of opened, because DuckDB refuses to open one file twice in a process with two configurations;
    this way any number of readers, each with its own settings, look at one generation. For SQL of strangers pass
    `{"enable_external_access": False, "lock_configuration": True}`: no other file can be reached then.
    StoreError when the file cannot be opened.
    """
    import duckdb

    settings: dict[str, Any] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        # DuckDB would spill into the working directory, which may be read-only or the user's own.
        "temp_directory": str(Path(tempfile.gettempdir()) / f"unify-spill-{os.getpid()}"),
    }
    settings |= config or {}
    locks = {name: settings.pop(name) for name in LOCKS if name in settings}
    if not path.exists():  # DuckDB would say "database does not exist"
        raise StoreError(
            "the file of this generation is missing", where=str(path), hint="roll back to another, or run again"
        )
    with trouble(path, "open the generation"):
        connection = duckdb.connect(":memory:", config=settings)
        try:
            connection.execute(f"ATTACH {literal(str(path))} AS {quote(DATABASE)} (READ_ONLY)")
            use(connection)
            for name, value in locks.items():
                connection.execute(f"SET {name} = {bool(value)}")
        except BaseException:
            connection.close()
            raise
    return connection


def use(connection: "duckdb.DuckDBPyConnection") -> None:
    """Make bare table names the generation's. A cursor does not inherit it. About 0.1 ms."""
    connection.execute(f"USE {quote(DATABASE)}")


def count_rows(path: Path) -> dict[str, int]:
    """Table to row count, read from the file itself: proof that a reader can open it. StoreError when it cannot."""
    with trouble(path, "open the generation"), connect(path, {"threads": 1}) as connection:
        found = connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = $database AND schema_name = 'main'"
            " ORDER BY table_name",
            {"database": DATABASE},
        ).fetchall()
        tables = [str(name) for (name,) in found]
        if not tables:
            return {}
        each = [f"SELECT {number}, count(*) FROM {quote(table)}" for number, table in enumerate(tables)]
        counts = dict(connection.execute(" UNION ALL ".join(each)).fetchall())
        return {table: int(counts[number]) for number, table in enumerate(tables)}
