"""Questions of many threads to one DuckDB: each thread has a cursor of its own, with its own prepared statements."""

import threading
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from unify.core.names import literal
from unify.core.steps import Query
from unify.engines.duckdb import GENERATION, DuckDBEngine


class Statements:
    """Asks a reading engine; safe for many threads. Functions defined on the engine are known to every cursor."""

    def __init__(self, engine: DuckDBEngine) -> None:
        self._engine = engine
        engine.connection.execute("SET threads = 1")  # a row needs no more, and waits for no other thread to wake up
        self._local = threading.local()

    def fetch(self, query: Query) -> pa.Table:
        """The answer of one SELECT."""
        return self._cursor().sql(query.sql, params=query.params or None).to_arrow_table()

    def ask(self, sql: str, texts: Sequence[str | None]) -> tuple[Any, ...] | None:
        """The first row of a SELECT over the texts `$1`, `$2`, …, None without one. Planned once per thread: 0.4 ms
        instead of 3 ms.

        EXECUTE takes no bound values, so the texts are written as literals.
        """
        known: dict[str, str] = self._statements()
        name = known.get(sql)
        cursor = self._cursor()
        if name is None:
            name = f"ask_{len(known)}"
            cursor.execute(f"PREPARE {name} AS {sql}")
            known[sql] = name
        said = ", ".join("NULL::VARCHAR" if text is None else literal(text) for text in texts)
        row = cursor.execute(f"EXECUTE {name}({said})" if texts else f"EXECUTE {name}").fetchone()
        return None if row is None else tuple(row)

    def _cursor(self) -> Any:
        if not hasattr(self._local, "cursor"):
            self._local.cursor = self._engine.connection.cursor()
            self._local.cursor.execute(f"USE {GENERATION}")
            self._local.statements = {}
        return self._local.cursor

    def _statements(self) -> dict[str, str]:
        self._cursor()
        statements: dict[str, str] = self._local.statements
        return statements
