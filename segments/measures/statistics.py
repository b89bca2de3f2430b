"""What a run says about its measures."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from math import isfinite
from typing import Any

from segments.measures.aggregates import Aggregate, sql_of
from segments.measures.known import Made
from segments.predicates.fields import Type
from unify.core.engine import Engine
from unify.core.names import quote
from unify.core.reports import MeasureReport
from unify.core.steps import Query

NOWHERE: Mapping[str, str] = {}
TOLD = ("integer", "decimal", "double", "date", "datetime")
"""Kinds whose smallest and largest value are no secret of a customer's."""


def statistics(engine: Engine, made: Iterable[Made], at: Mapping[str, str] = NOWHERE) -> list[MeasureReport]:
    """One report per column, in order; every table is read once. `at`: tables that are kept under another name."""
    by_table: dict[str, list[tuple[Made, str, Type]]] = {}
    for one in made:
        for column, kind in one.columns.items():
            by_table.setdefault(one.table, []).append((one, column, kind))
    return [r for table, columns in by_table.items() for r in _of_table(engine, table, columns, at.get(table, table))]


def _of_table(engine: Engine, table: str, columns: list[tuple[Made, str, Type]], read: str) -> list[MeasureReport]:
    cells = ["count(*) AS rows"]
    for n, (_, column, kind) in enumerate(columns):
        name = quote(column)
        cells.append(f"count({name}) AS n{n}")
        if kind.kind in TOLD:
            cells.append(f"min({name}) AS low{n}, max({name}) AS high{n}")
        if kind.is_number:
            cells.append(f"{sql_of(Aggregate('avg', name, kind))} AS mean{n}")
    row = engine.fetch(Query(f"SELECT {', '.join(cells)} FROM {quote(read)}")).to_pylist()[0]
    return [
        MeasureReport(
            measure=one.name,
            column=column,
            kind=one.measure.kind,
            table=table,
            type=kind.name,
            rows=row["rows"],
            nulls=row["rows"] - row[f"n{n}"],
            min=plain(row.get(f"low{n}")),
            max=plain(row.get(f"high{n}")),
            mean=_finite(row.get(f"mean{n}")),
        )
        for n, (one, column, kind) in enumerate(columns)
    ]


def plain(value: Any) -> int | float | str | None:
    """A value as JSON can say it without loss: decimals, times and infinite doubles as text."""
    if isinstance(value, date | datetime | time):
        return value.isoformat()
    if isinstance(value, Decimal) or (isinstance(value, float) and not isfinite(value)):
        return str(value)
    return value if value is None or isinstance(value, int | float) else str(value)


def _finite(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None
