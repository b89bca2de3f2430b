"""The SQL of a data profile: two passes over all columns, and one grouping per column."""

from dataclasses import dataclass
from typing import Any

from ingest.kinds import NUMBERS, TIMES, Kind
from unify.core.names import quote
from unify.core.steps import Query

BINS = 20
"""Bins of a histogram: enough to see a shape in a table cell."""

TOP = 10
"""Most frequent values that are kept."""


HASHES = 1_048_576
"""Hash buckets for columns with very many values: 16 MiB, and with 10 M values some ten values share one."""

FULLEST = 64
"""Buckets looked into: several times TOP, since a bucket may be full of many rare values."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A column to profile; `number` makes its names in the answers."""

    number: int
    name: str
    type: str
    kind: Kind

    @property
    def is_number(self) -> bool:
        """Whether it has moments."""
        return self.kind in NUMBERS

    @property
    def steps(self) -> bool:
        """Whether its values are whole steps of one, so that a small range gets a bin per value."""
        return self.kind in ("integer", "date")

    @property
    def value(self) -> str:
        """The column as it comes back to Python: instants in UTC, what Python has no type for as text."""
        column = quote(self.name)
        if self.kind == "datetime":
            zoned = self.type.upper().endswith("TIME ZONE")
            return f"CAST({f'({column} AT TIME ZONE $utc)' if zoned else column} AS TIMESTAMP)"
        return f"CAST({column} AS VARCHAR)" if self.kind in ("guid", "other") else column

    @property
    def measure(self) -> str:
        """The column as a DOUBLE on its axis: numbers, days or microseconds since 1970; null when not finite."""
        if self.kind in ("integer", "decimal"):
            return f"CAST({quote(self.name)} AS DOUBLE)"
        finite = f"CASE WHEN isfinite({self.value}) THEN {self.value} END"
        if self.kind == "date":
            return f"CAST({finite} - DATE '1970-01-01' AS DOUBLE)"
        return f"CAST(epoch_us({finite}) AS DOUBLE)" if self.kind == "datetime" else f"CAST({finite} AS DOUBLE)"


def _select(parts: list[str], table: str, params: dict[str, Any]) -> Query:
    sql = f"SELECT {', '.join(parts)} FROM {quote(table)}"
    return Query(sql, params | ({"utc": "UTC"} if "$utc" in sql else {}))


def first_pass(table: str, columns: list[Measured]) -> Query:
    """Rows, then per column: count, estimated distinct, min, max and, where it has an axis, its ends and the mean."""
    parts = ["count(*) AS rows"]
    for c in columns:
        i = c.number
        parts += [f"count({quote(c.name)}) AS count_{i}", f"approx_count_distinct({quote(c.name)}) AS distinct_{i}"]
        if c.kind != "other":
            parts += [f"min({c.value}) AS min_{i}", f"max({c.value}) AS max_{i}"]
        if c.kind in (*NUMBERS, *TIMES):
            parts += [f"min({c.measure}) AS low_{i}", f"max({c.measure}) AS high_{i}"]
        if c.is_number:
            parts += [f"count({c.measure}) AS finite_{i}", f"avg({c.measure}) AS mean_{i}"]
    return _select(parts, table, {})


def second_pass(
    table: str, columns: list[Measured], bounds: dict[int, list[float]], means: dict[int, float], shares: list[float]
) -> Query:
    """Quantiles, bins as a map from number to rows, and sums of the first to fourth power of the distance to the mean.

    Quantiles of numbers are interpolated, those of times are values that occur. `bounds` are those of the bins.
    """
    parts: list[str] = []
    params: dict[str, Any] = {}
    for c in columns:
        i, x = c.number, c.measure
        if c.is_number:
            parts.append(f"quantile_cont({x}, {_list(shares)}) AS quantiles_{i}")
            params[f"mean_{i}"] = means[i]
            away = f"({x} - $mean_{i})"
            square = f"{away} * {away}"
            parts += [
                f"sum({away}) AS power1_{i}",
                f"sum({square}) AS power2_{i}",
                f"sum({square} * {away}) AS power3_{i}",
                f"sum({square} * {square}) AS power4_{i}",
            ]
        else:
            parts.append(f"quantile_disc({c.value}, {_list(shares)}) AS quantiles_{i}")
        parts.append(f"histogram({_bin(x, i, bounds[i], params)}) AS bins_{i}")
    return _select(parts, table, params)


def _list(shares: list[float]) -> str:
    """Quantiles take constants only; these are ours."""
    return f"[{', '.join(map(repr, shares))}]"


def _bin(x: str, i: int, bounds: list[float], params: dict[str, Any]) -> str:
    """The number of the bin that `x` falls into: guessed by the width, put right by the bounds themselves."""
    last = len(bounds) - 2
    if not last:
        return f"CASE WHEN {x} IS NOT NULL THEN 0 END"
    params[f"bounds_{i}"] = bounds
    params[f"width_{i}"] = bounds[1] - bounds[0]
    params[f"low_{i}"] = bounds[0]
    edges = f"CAST($bounds_{i} AS DOUBLE[])"
    guess = f"greatest(0, least({last}, CAST(floor({x} / $width_{i} - $low_{i} / $width_{i}) AS INTEGER)))"
    return (
        f"CASE WHEN {x} IS NULL THEN NULL WHEN {x} < {edges}[{guess} + 1] THEN {guess} - 1 "
        f"WHEN {guess} < {last} AND {x} >= {edges}[{guess} + 2] THEN {guess} + 1 ELSE {guess} END"
    )


def values(table: str, c: Measured) -> Query:
    """The TOP most frequent values, ties by value, and the number of all distinct values."""
    found = _select([f"{c.value} AS value", "count(*) AS n"], table, {})
    sql = (
        f"SELECT value, n, count(*) OVER () AS total FROM ({found.sql} WHERE {quote(c.name)} IS NOT NULL GROUP BY 1) "
        f"ORDER BY n DESC, value LIMIT {TOP}"
    )
    return Query(sql, found.params)


def frequent_values(table: str, c: Measured) -> Query:
    """The most frequent values of a column that has too many to group them all, with exact counts.

    Rows are first counted in HASHES hash buckets; only values in the FULLEST ones are grouped. A value more frequent
    than the fullest bucket left out is never missed; the same rows give the same answer in any order.
    """
    bucket = f"hash({quote(c.name)}) % {HASHES}"
    present = f"FROM {quote(table)} WHERE {quote(c.name)} IS NOT NULL"
    buckets = f"SELECT {bucket} AS bucket, count(*) AS n {present} GROUP BY 1"
    fullest = f"SELECT bucket FROM ({buckets}) ORDER BY n DESC, bucket LIMIT {FULLEST}"
    found = _select([f"{c.value} AS value", "count(*) AS n"], table, {})
    counted = f"{found.sql} WHERE {quote(c.name)} IS NOT NULL AND {bucket} IN ({fullest}) GROUP BY 1"
    return Query(f"SELECT value, n FROM ({counted}) ORDER BY n DESC, value LIMIT {TOP}", found.params)


def count_distinct(table: str, c: Measured) -> Query:
    """The exact number of distinct values."""
    return Query(f"SELECT count(DISTINCT {quote(c.name)}) FROM {quote(table)}")


def errors(corrupt: str, *, with_details: bool) -> Query:
    """Quarantined rows per column: those that name it as first offending one or anywhere in their details."""
    named = 'CASE WHEN "column" IS NULL THEN [] ELSE ["column"] END'
    if with_details:
        detailed = """from_json(CAST(details AS VARCHAR), '[{"column":"VARCHAR"}]')"""
        named = f'list_concat({named}, coalesce(list_transform({detailed}, lambda d: d."column"), []))'
    listed = f'SELECT unnest(list_distinct({named})) AS "column" FROM {quote(corrupt)}'
    return Query(f'SELECT "column", count(*) AS rows FROM ({listed}) GROUP BY 1 ORDER BY 1')
