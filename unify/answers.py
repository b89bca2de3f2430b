"""What a question returns: rows that turn into whatever a notebook wants."""

from html import escape
from typing import TYPE_CHECKING, Any

import pyarrow as pa

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import polars as pl

SHOWN = 20
"""Rows that a repr shows."""


class Answer:
    """The rows of a query: Arrow inside; pandas, polars, DuckDB or plain dicts on demand."""

    def __init__(self, table: pa.Table) -> None:
        """Columns of one name become `a`, `a_1`, ...: frames and dicts would lose all but one of them."""
        self._table = table.rename_columns(_different(table.column_names))

    def arrow(self) -> pa.Table:
        """As a pyarrow table."""
        return self._table

    def df(self) -> "pd.DataFrame":
        """As a pandas frame; needs pandas."""
        frame: pd.DataFrame = self._table.to_pandas()
        return frame

    def pl(self) -> "pl.DataFrame":
        """As a polars frame; needs polars."""
        import polars as pl

        frame = pl.from_arrow(self._table)
        return frame if isinstance(frame, pl.DataFrame) else frame.to_frame()

    def relation(self) -> "duckdb.DuckDBPyRelation":
        """As a DuckDB relation over these rows, independent of the instance."""
        import duckdb

        return duckdb.from_arrow(self._table)

    def rows(self) -> list[dict[str, Any]]:
        """As a list of dicts."""
        found: list[dict[str, Any]] = self._table.to_pylist()
        return found

    @property
    def columns(self) -> list[str]:
        """Column names in order."""
        return list(self._table.column_names)

    def __len__(self) -> int:
        return int(self._table.num_rows)

    def __repr__(self) -> str:
        from rich.console import Console
        from rich.table import Table

        table = Table(*self.columns)
        for row in self._table.slice(0, SHOWN).to_pylist():
            table.add_row(*("" if v is None else str(v) for v in row.values()))
        console = Console(width=120, force_terminal=False, no_color=True)
        with console.capture() as capture:
            console.print(table)
        return f"{capture.get().rstrip()}\n{_caption(len(self))}"

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(c)}</th>" for c in self.columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{'' if v is None else escape(str(v))}</td>" for v in row.values()) + "</tr>"
            for row in self._table.slice(0, SHOWN).to_pylist()
        )
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><p>{_caption(len(self))}</p>"


def _different(names: list[str]) -> list[str]:
    """
    >>> _different(["a", "b", "a"])
    ['a', 'b', 'a_1']
    """
    found: list[str] = []
    for name in names:
        free, n = name, 0
        while free in found or (n and free in names):
            n += 1
            free = f"{name}_{n}"
        found.append(free)
    return found


def _caption(rows: int) -> str:
    if rows == 1:
        return "1 row"
    return f"{rows:,} rows" if rows <= SHOWN else f"the first {SHOWN} of {rows:,} rows"
