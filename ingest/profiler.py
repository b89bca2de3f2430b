"""profile(): an entity's table in, its EntityProfile out."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from ingest import profile_sql as sql
from ingest.kinds import kind_of
from ingest.profile import QUANTILES, AttributeProfile, Bin, EntityProfile, Moments, ValueCount
from ingest.profile_sql import BINS, Measured
from ingest.words import words
from unify.core.engine import Engine
from unify.core.errors import QueryError, did_you_mean
from unify.core.names import corrupt_table_of, quote, table_of
from unify.core.steps import Query

EXACT_DISTINCT = 2_000_000
"""Columns with more different values than this get an estimated count: grouping needs memory per value."""

KEY_WORDS = {"id", "key", "guid", "uuid", "pk", "no", "nr", "num", "number", "code", "nummer", "numero", "clave"}
"""Words in the names of primary keys, in the languages of the label suggestions."""

_EPOCH = datetime.fromisoformat("1970-01-01")


def profile(
    engine: Engine,
    entity: str,
    *,
    columns: Sequence[str] | None = None,
    now: datetime | None = None,
    exact_distinct: int = EXACT_DISTINCT,
) -> EntityProfile:
    """Profile the table of `entity` (`crm.Contacts`) and its corrupt table, if there is one.

    `columns` restricts it to some columns. Raises QueryError when there is no such table or column.
    """
    table = table_of(entity)
    try:
        have = engine.columns(table)
    except KeyError:
        hint = "ingest it first; `unify status` lists the entities of an instance"
        raise QueryError(f"no table {table}", where=entity, hint=hint) from None
    for name in columns or ():
        if name not in have:
            raise QueryError(f"no column {name!r}", where=entity, hint=did_you_mean(name, have))
    measured = [Measured(i, name, have[name], kind_of(have[name])) for i, name in enumerate(columns or have)]
    [first] = engine.fetch(sql.first_pass(table, measured)).to_pylist()
    ranges = {m.number: _range(first, m) for m in measured}
    second = _second(engine, table, measured, first, ranges)
    quarantined, errors = _errors(engine, entity)
    rows = first["rows"]
    drafts = []
    for m in measured:
        estimate = first[f"distinct_{m.number}"]
        exact = estimate <= exact_distinct
        found = engine.fetch((sql.values if exact else sql.frequent_values)(table, m)).to_pylist()
        distinct = (found[0]["total"] if found else 0) if exact else min(estimate, first[f"count_{m.number}"])
        drafts.append(_Draft(m, distinct, exact, tuple(ValueCount(v["value"], v["n"]) for v in found)))
    key = _suggest_key(engine, table, rows, first, drafts)
    attributes = tuple(
        AttributeProfile(
            name=d.column.name,
            type=d.column.type,
            kind=d.column.kind,
            count=first[f"count_{d.column.number}"],
            missing=rows - first[f"count_{d.column.number}"],
            errors=errors.get(d.column.name, 0),
            distinct=d.distinct,
            exact=d.exact,
            min=first.get(f"min_{d.column.number}"),
            max=first.get(f"max_{d.column.number}"),
            top=d.top,
            histogram=_histogram(second, d.column, ranges[d.column.number]),
            quantiles=_quantiles(second, d.column),
            moments=_moments(second, first, d.column),
            suggested_key=d.column.name == key,
        )
        for d in drafts
    )
    return EntityProfile(entity, rows, quarantined, now or datetime.now(UTC), attributes)


@dataclass(frozen=True, slots=True)
class _Draft:
    column: Measured
    distinct: int
    exact: bool
    top: tuple[ValueCount, ...]


def _range(first: dict[str, Any], m: Measured) -> list[float]:
    """Bounds of the histogram's bins, of whole width for whole numbers and days; empty without any value."""
    low, high = first.get(f"low_{m.number}"), first.get(f"high_{m.number}")
    if low is None or high is None:
        return []
    if low == high:
        return [low, high]
    if m.steps:
        width = math.ceil((high - low + 1) / BINS)
        return [low + i * width for i in range(math.ceil((high - low + 1) / width) + 1)]
    width = high / BINS - low / BINS
    return [*(low + i * width for i in range(BINS)), high]


def _second(
    engine: Engine, table: str, measured: list[Measured], first: dict[str, Any], ranges: dict[int, list[float]]
) -> dict[str, Any]:
    """Quantiles, central moments and bins of all ordered columns in one pass."""
    ordered = [m for m in measured if ranges[m.number]]
    if not ordered:
        return {}
    means = {m.number: first[f"mean_{m.number}"] for m in ordered if m.is_number}
    [row] = engine.fetch(sql.second_pass(table, ordered, ranges, means, list(QUANTILES.values()))).to_pylist()
    return dict(row)


def _errors(engine: Engine, entity: str) -> tuple[int, dict[str, int]]:
    corrupt = corrupt_table_of(entity)
    try:
        have = engine.columns(corrupt)
    except KeyError:
        return 0, {}
    total = engine.fetch(Query(f"SELECT count(*) FROM {quote(corrupt)}")).column(0)[0].as_py()
    rows = engine.fetch(sql.errors(corrupt, with_details="details" in have)).to_pylist()
    return total, {row["column"]: row["rows"] for row in rows}


def _quantiles(second: dict[str, Any], m: Measured) -> dict[str, Any]:
    values = second.get(f"quantiles_{m.number}")
    return dict(zip(QUANTILES, values, strict=True)) if values else {}


def _histogram(second: dict[str, Any], m: Measured, bounds: list[float]) -> tuple[Bin, ...]:
    if not bounds:
        return ()
    counts = dict(second[f"bins_{m.number}"] or {})
    edges = [_edge(m, bound) for bound in bounds]
    return tuple(Bin(edges[i], edges[i + 1], int(counts.get(i, 0))) for i in range(len(edges) - 1))


def _edge(m: Measured, bound: float) -> float | date | datetime:
    """A bin's bound in the words of the column."""
    if m.kind == "date":
        return (_EPOCH + timedelta(days=bound)).date()
    return _EPOCH + timedelta(microseconds=bound) if m.kind == "datetime" else bound


def _moments(second: dict[str, Any], first: dict[str, Any], m: Measured) -> Moments | None:
    """From sums of powers of the distance to the mean, which do not cancel as sums of powers of the values do."""
    n = first.get(f"finite_{m.number}")
    if not m.is_number or not n:
        return None
    if first[f"low_{m.number}"] == first[f"high_{m.number}"]:
        flat = 0.0 if n > 1 else None
        return Moments(first[f"low_{m.number}"], flat, flat, None, None)
    p1, p2, p3, p4 = (second[f"power{p}_{m.number}"] for p in (1, 2, 3, 4))
    d = p1 / n  # what rounding left of the mean: 1e-4 for 20,000 values near 1e12
    m2 = max(p2 - n * d * d, 0.0)
    m3 = p3 - 3 * d * p2 + 2 * n * d * d * d
    m4 = p4 - 4 * d * p3 + 6 * d * d * p2 - 3 * n * d * d * d * d
    variance = m2 / (n - 1)
    skewness = kurtosis = None
    if n > 2 and 0 < m2 < math.inf:
        skewness = _finite(n * math.sqrt(n - 1) / (n - 2) * (m3 / m2) / math.sqrt(m2))
    if n > 3 and 0 < m2 < math.inf:
        kurtosis = _finite((n - 1) / ((n - 2) * (n - 3)) * ((n + 1) * n * (m4 / m2) / m2 - 3 * (n - 1)))
    mean = first[f"mean_{m.number}"] + d
    return Moments(_finite(mean), _finite(math.sqrt(variance)), _finite(variance), skewness, kurtosis)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _suggest_key(engine: Engine, table: str, rows: int, first: dict[str, Any], drafts: list[_Draft]) -> str | None:
    """The column that is unique, never missing, of a type that keys have, and looks like a key.

    It looks like one by its name, by being a guid, or by coming first; in this order, then in the order of the file.
    """
    candidates = []
    for d in drafts:
        m = d.column
        if m.kind not in ("text", "integer", "guid") or rows < 2 or first[f"count_{m.number}"] < rows:
            continue
        named = bool(KEY_WORDS.intersection(words(m.name)))
        if named or m.kind == "guid" or m.number == 0:
            candidates.append((not named, m.kind != "guid", m.number, d))
    for *_, d in sorted(candidates, key=lambda c: c[:3]):
        distinct = d.distinct
        if not d.exact:
            distinct = engine.fetch(sql.count_distinct(table, d.column)).column(0)[0].as_py()
        if distinct == rows:
            return d.column.name
    return None
