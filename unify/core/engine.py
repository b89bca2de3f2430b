"""The seam between what we want and who computes it: five verbs."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from unify.core.steps import Query, Step


@dataclass(frozen=True, slots=True)
class Function:
    """A vectorised scalar function an engine makes callable from SQL.

    takes, returns   SQL type names (VARCHAR, DOUBLE, ...)
    call             Arrow arrays of one length in, one Arrow array of that length out; nulls reach it as nulls
    """

    name: str
    takes: tuple[str, ...]
    returns: str
    call: Callable[..., pa.Array]


class Engine(Protocol):
    """Whoever runs Steps. DuckDB is the default; nothing above this line knows its name."""

    def build(self, step: Step) -> int:
        """Make the step's table (replacing one of that name), drop what it releases, return its row count."""

    def fetch(self, query: Query) -> pa.Table:
        """Run one SELECT and bring the answer to Python. For small answers and id columns, never for whole entities."""

    def columns(self, table: str) -> dict[str, str]:
        """Column name to SQL type, in order; KeyError if there is no such table."""

    def load(self, table: str, data: "pa.Table | pa.RecordBatchReader", *, keep: bool = False) -> int:
        """Make a table from Arrow data; returns its row count."""

    def define(self, functions: Sequence[Function]) -> None:
        """Make functions callable from SQL; defining the same one twice is harmless."""


def scalar(engine: Engine, query: Query) -> Any:
    """The single value of a one-row, one-column query."""
    return engine.fetch(query).column(0)[0].as_py()
