"""The columns that insights look at: attributes of Customer and measures as SQL; what is left out, with its reason."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyroaring import BitMap

from segments.model import CUSTOMER_ID, MEASURES, ORDINAL, Model
from segments.predicates import tree as p
from segments.predicates.fields import Type
from unify.core.engine import Engine
from unify.core.errors import QueryError, did_you_mean
from unify.core.insight_reports import LeftOut
from unify.core.names import quote
from unify.core.steps import Query

SIDES = "~sides"
"""Scratch table: `ordinal`, and on which side of a comparison it is: 1 members, 0 others."""
TOGETHER = 8
"""Columns of one SELECT. A million doubles take 8 MB each."""
FEW = 20
"""Different values up to which an attribute is never taken for an id."""
Kind = Literal["number", "date", "value"]
_IDENTITY = (CUSTOMER_ID, ORDINAL, "PreviousCustomerId")


@dataclass(frozen=True, slots=True)
class Column:
    """An attribute that can be looked at. `path`: of a measure; `sql`: its value in a SELECT from `source`."""

    name: str
    type: Type
    path: tuple[str, ...]
    sql: str

    @property
    def kind(self) -> Kind:
        """Numbers and dates have an order and distances; everything else is values."""
        if self.type.is_number or self.type.kind == "duration":
            return "number"
        return "date" if self.type.kind in ("date", "datetime") else "value"

    @property
    def text(self) -> str:
        """SQL of the value as text."""
        return f"CAST({self.sql} AS VARCHAR)"

    @property
    def number(self) -> str:
        """SQL of the value as a double; dates stay dates, Arrow counts them."""
        return f"CAST({self.sql} AS DOUBLE)" if self.kind == "number" else self.sql

    @property
    def field(self) -> p.Field:
        """As a predicate names it."""
        return p.Field(self.name, self.path)


def columns_of(model: Model, wanted: Sequence[str] | None = None) -> tuple[list[Column], list[LeftOut]]:
    """Columns to look at: those wanted, or all attributes of Customer and all measures; and what is left out.

    Ids, keys of records and lists are left out; QueryError when one of them is wanted, or an unknown name is.
    """
    found, out = list[Column](), list[LeftOut]()
    for column in _all(model, out):
        if (reason := _identity(model, column.name)) and not column.path:
            out.append(LeftOut(attribute=column.name, reason=reason))
        else:
            found.append(column)
    if wanted is None:
        return found, out
    known, reasons = {c.name: c for c in found}, {x.attribute: x.reason for x in out}
    for name in wanted:
        if name in reasons:
            raise QueryError(f"{name} cannot be looked at: {reasons[name]}", hint=did_you_mean("", known))
        if name not in known:
            raise QueryError(f"Customer has no attribute {name!r}", hint=did_you_mean(name, known))
    return [known[name] for name in dict.fromkeys(wanted)], []


def _all(model: Model, out: list[LeftOut]) -> Iterator[Column]:
    tables = ((model.catalog.customers, "c", ()), (MEASURES, "m", (MEASURES,)))
    seen: set[str] = set()
    for table, alias, path in tables:
        if table not in model.catalog.tables:
            continue
        for attribute in model.catalog.tables[table].attributes.values():
            if path and (attribute.name in _IDENTITY or attribute.name in seen):
                continue
            seen.add(attribute.name)
            if attribute.type is None:
                out.append(LeftOut(attribute=attribute.name, reason=f"it is {attribute.sql_type}, not one value"))
                continue
            sql = f"{alias}.{quote(attribute.name)}"
            if attribute.sql_type == "TIMESTAMP WITH TIME ZONE":
                sql = f"({sql} AT TIME ZONE 'UTC')"
            yield Column(attribute.name, attribute.type, path, sql)


def _identity(model: Model, name: str) -> str:
    if name in _IDENTITY:
        return "it numbers customers"
    keys = {f"{table}_{key}" for table, key in model.keys.items() if table in model.entities}
    return "it holds keys of records" if name in keys or name.removesuffix("_Alternate") in keys else ""


def source(model: Model) -> str:
    """FROM: customers of either side, with their measures; `s.side` says which."""
    sql = f"{quote(model.catalog.customers)} AS c JOIN {quote(SIDES)} AS s ON s.ordinal = c.ordinal"
    if MEASURES in model.catalog.tables:
        sql += f" LEFT JOIN {quote(MEASURES)} AS m ON m.ordinal = c.ordinal"
    return sql


def everyone(engine: Engine, model: Model) -> BitMap:
    """Ordinals of all customers."""
    sql = f"SELECT ordinal FROM {quote(model.catalog.customers)}"
    return BitMap(engine.fetch(Query(sql)).column(0).to_numpy().astype(np.uint32))


def load_sides(engine: Engine, members: BitMap, others: BitMap) -> None:
    """Make the scratch table SIDES."""
    ids = np.concatenate([_ids(members), _ids(others)])
    side = np.concatenate([np.ones(len(members), dtype=np.int8), np.zeros(len(others), dtype=np.int8)])
    engine.load(SIDES, pa.table({"ordinal": ids, "side": side}))


def _ids(members: BitMap) -> NDArray[np.int32]:
    return np.asarray(members.to_array(), dtype=np.int32)


def without_ids(engine: Engine, model: Model, columns: Iterable[Column]) -> tuple[list[Column], list[LeftOut]]:
    """Columns that can tell groups apart, and those that cannot: no value, one value, or one of its own for most.

    The number of different values is an estimate (HyperLogLog, within 5 %), the same whatever the order of rows.
    """
    found, out = list[Column](), list[LeftOut]()
    for batch in batches(list(columns), 2 * TOGETHER):
        counts = ", ".join(
            f"count({c.sql}) AS n{i}, approx_count_distinct({c.sql}) AS d{i}" for i, c in enumerate(batch)
        )
        [row] = engine.fetch(Query(f"SELECT count(*) AS n, {counts} FROM {source(model)}")).to_pylist()
        for i, column in enumerate(batch):
            reason = _useless(column, row["n"], row[f"n{i}"], row[f"d{i}"])
            if reason:
                out.append(LeftOut(attribute=column.name, reason=reason))
            else:
                found.append(column)
    return found, out


def _useless(column: Column, rows: int, filled: int, different: int) -> str:
    if not filled:
        return "nobody has a value"
    if different == 1 and filled == rows:
        return "everybody has the same value"
    if column.kind == "value" and different > FEW and 2 * different > filled:
        return f"about {different:,} different values for {filled:,} customers: it is an id or a name"
    return ""


def batches(columns: list[Column], size: int = TOGETHER) -> Iterator[list[Column]]:
    """Lists of at most `size`."""
    for start in range(0, len(columns), size):
        yield columns[start : start + size]


def as_doubles(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """Numbers, and dates as days or microseconds since 1970; NaN for nulls."""
    kind = column.type
    if pa.types.is_date32(kind):
        column = pc.cast(column, pa.int32())
    elif pa.types.is_timestamp(kind):
        column = pc.cast(pc.cast(column, pa.timestamp("us")), pa.int64())
    values = pc.cast(column, pa.float64(), safe=False)
    found: NDArray[np.float64] = pc.fill_null(values, float("nan")).to_numpy()
    return found
