"""SELECTs that are run: as long as a question may take, and no longer."""

import sqlite3
import time
from typing import Any, Final

from unify.dataverse.errors import DataverseError
from unify.dataverse.query.fragments import Sql
from unify.dataverse.query.options import refused
from unify.dataverse.query.text import install

OPERATIONS: Final = 20_000
"""Of SQLite's machine between two looks at the clock: about a millisecond."""


class Running:
    """All SELECTs of one question, on the connection of its reading."""

    def __init__(self, connection: sqlite3.Connection, seconds: float) -> None:
        self.connection, self.seconds = connection, seconds
        self._end = time.monotonic() + seconds
        install(connection)

    def rows(self, statement: Sql) -> list[tuple[Any, ...]]:
        """All rows; DataverseError when the time is up."""
        self.connection.set_progress_handler(self._late, OPERATIONS)
        cursor = self.connection.cursor()
        cursor.row_factory = None
        try:
            return cursor.execute(statement.text, statement.params).fetchall()
        except sqlite3.OperationalError as error:
            raise self._told(error) from error
        finally:
            self.connection.set_progress_handler(None, 0)

    def number(self, statement: Sql) -> int:
        """The one value of one row."""
        return int(self.rows(statement)[0][0])

    def _late(self) -> int:
        return int(time.monotonic() > self._end)

    def _told(self, error: sqlite3.OperationalError) -> Exception:
        text = str(error)
        if text == "interrupted":
            return DataverseError(
                f"SQL timeout expired: the query was stopped after {self.seconds:g} seconds.",
                code="0x80044151",
                hint="ask for fewer rows with a filter, or leave out sorting and related tables",
            )
        if text.startswith(("parser stack overflow", "Expression tree is too large", "too many")):
            return refused("The query is nested too deep.", hint="split it")
        if text == "integer overflow":
            return refused("The sum does not fit into 64 bits.", hint="narrow it with a filter")
        return error
