"""Conflict resolution by brute force: for every customer, order all candidates as the rules say and take the first.

Reads the same CustomerColumns as the product (they have tests of their own), and nothing else of it. A Row is one
record; `values` holds its entity's columns.
"""

import datetime as dt
import math
from dataclasses import dataclass, field
from typing import Any

from unify.conflation.picks import CustomerColumns, Pick, UnifiedColumn


@dataclass
class Row:
    rid: int
    entity: str
    key: str
    winner: int
    ordinal: int
    values: dict[str, Any] = field(default_factory=dict)


def nothing(value: Any) -> bool:
    return value is None or value == ""


def comparable(value: Any) -> float | None:
    """A recency as a number; None when it says nothing."""
    if value is None:
        return None
    if isinstance(value, dt.datetime):
        return (value - dt.datetime(1970, 1, 1)) / dt.timedelta(microseconds=1)  # noqa: DTZ001
    if isinstance(value, dt.date):
        return (value - dt.date(1970, 1, 1)) / dt.timedelta(microseconds=1)
    return None if math.isnan(value) else float(value)


def assemble(columns: CustomerColumns, winner: Row, group: list[Row]) -> tuple[dict[str, Any], dict[str, int]]:
    """The winner's row after `prefer`, and who gave each of its values."""
    values, givers = dict(winner.values), dict.fromkeys(winner.values, winner.rid)
    entity = next(e for e in columns.entities if e.entity == winner.entity)
    for preferred in entity.prefer if len(group) > 1 else ():
        name = preferred.attribute.column
        best: tuple[Any, Row] | None = None
        for row in group:
            if nothing(row.values[name]):
                continue
            if preferred.recency is None:
                place: Any = (1, sum(not nothing(v) for v in row.values.values()), row.rid)
            else:
                when = comparable(row.values[preferred.recency.column])
                sign = 1 if preferred.by.kind == "most recent" else -1
                place = (0, 0, row.rid) if when is None else (1, sign * when, row.rid)
            if best is None or place > best[0]:
                best = (place, row)
        values[name] = best[1].values[name] if best else None
        givers[name] = best[1].rid if best else winner.rid
    return values, givers


def merge(columns: CustomerColumns, rows: list[Row]) -> dict[int, dict[str, tuple[Any, int] | None]]:
    """Per ordinal and unified column: (value as the source holds it, rid that gave it), or None."""
    customers: dict[int, dict[str, tuple[Any, int] | None]] = {}
    for ordinal in {row.ordinal for row in rows}:
        mine = sorted((r for r in rows if r.ordinal == ordinal), key=lambda r: r.rid)
        winners = []
        for row in mine:
            if row.rid == row.winner:
                winners.append((row, *assemble(columns, row, [r for r in mine if r.winner == row.rid])))
        result = customers[ordinal] = {}
        for pick in columns.picks:
            result |= elect(columns, pick, winners)
    return customers


def has(column: UnifiedColumn, row: Row, values: dict[str, Any]) -> list[Any]:
    """The filled feeds of a column in a row, most important first."""
    return [f for f in column.feeds if f.entity == row.entity and not nothing(values[f.column])]


def elect(columns: CustomerColumns, pick: Pick, winners: list[Any]) -> dict[str, tuple[Any, int] | None]:
    standing = []
    for row, values, givers in winners:
        filled = [feeds[0] for column in pick.columns if (feeds := has(column, row, values))]
        if not filled:
            continue
        rank = min(feed.rank for feed in filled)
        score = 0.0
        if pick.by.kind == "most filled":
            score = -sum(bool(has(column, row, values)) for column in columns.columns)
        elif pick.by.by is not None:
            names = dict(pick.recency)[row.entity]
            whens = [w for name in names if (w := comparable(values[name])) is not None]
            score = math.inf if not whens else -whens[0] if pick.by.kind == "most recent" else whens[0]
        standing.append(((score, rank, row.rid), row, values, givers))
    if not standing:
        return dict.fromkeys((column.name for column in pick.columns), None)
    _, row, values, givers = min(standing, key=lambda s: s[0])
    result: dict[str, tuple[Any, int] | None] = {}
    for column in pick.columns:
        feeds = has(column, row, values)
        result[column.name] = (values[feeds[0].column], givers[feeds[0].column]) if feeds else None
    return result
