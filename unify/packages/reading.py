"""Rows of an entity for an export, as text in Arrow: of a record table at one moment, or of what was published."""

import base64
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any, Final

import pyarrow as pa

from unify.core.names import quote
from unify.core.steps import Query
from unify.opened import Opened
from unify.packages.nouns import EntityDefinition
from unify.packages.plan import company_column
from unify.records import Column, Kind, Reading
from unify.records.definitions import VERSION, place

ROWS: Final = 20_000


def of_records(
    reading: Reading,
    definition: EntityDefinition,
    columns: Sequence[Column],
    *,
    since: int | None,
    company: str,
    most: int | None,
) -> pa.RecordBatchReader:
    """By key; `since`: only what was written after that version."""
    names = ", ".join(_told(column) for column in columns)
    where, params = _where(definition, company)
    if since is not None:
        where.append(f"{VERSION} > ?")
        params.append(since)
    order = ", ".join(map(quote, definition.key))
    sql = f"SELECT {names} FROM {place(definition.table)}{_and(where)} ORDER BY {order}{_limit(most)}"
    schema = pa.schema([(column.name, pa.string()) for column in columns])

    def batches() -> Iterator[pa.RecordBatch]:
        cursor = reading.connection.execute(sql, params)
        while rows := cursor.fetchmany(ROWS):
            arrays = [
                pa.array(_texts(column, values), pa.string())
                for column, values in zip(columns, zip(*rows, strict=True), strict=True)
            ]
            yield pa.RecordBatch.from_arrays(arrays, schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def of_published(
    opened: Opened,
    definition: EntityDefinition,
    columns: Sequence[Column],
    *,
    company: str,
    most: int | None,
) -> pa.RecordBatchReader:
    """By key where there is one, else by all columns."""
    names = ", ".join(f"CAST({quote(column.name)} AS VARCHAR) AS {quote(column.name)}" for column in columns)
    named = company_column(definition)
    mine = f" WHERE lower({quote(named)}) = lower($company)" if named is not None and company else ""
    order = ", ".join(map(quote, definition.key)) or "ALL"
    sql = f"SELECT {names} FROM {quote(definition.table)}{mine} ORDER BY {order}{_limit(most)}"
    schema = pa.schema([(column.name, pa.string()) for column in columns])

    def batches() -> Iterator[pa.RecordBatch]:
        for batch in opened.engine().batches(Query(sql, {"company": company} if mine else {}), ROWS):
            yield pa.RecordBatch.from_arrays([column.cast(pa.string()) for column in batch.columns], schema=schema)

    return pa.RecordBatchReader.from_batches(schema, batches())


def _where(definition: EntityDefinition, company: str) -> tuple[list[str], list[Any]]:
    named = company_column(definition)
    return ([f"{quote(named)} = ? COLLATE NOCASE"], [company]) if named is not None and company else ([], [])


def _and(where: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(where)}" if where else ""


def _limit(most: int | None) -> str:
    return f" LIMIT {int(most)}" if most is not None else ""


def _told(column: Column) -> str:
    name = quote(column.name)
    if column.kind is Kind.BOOLEAN:
        return f"CASE {name} WHEN 1 THEN 'true' WHEN 0 THEN 'false' END"
    return f"CAST({name} AS TEXT)" if column.kind is Kind.INTEGER else name


def _texts(column: Column, values: Sequence[Any]) -> Sequence[str | None]:
    """Held values as text that reads back as the same value."""
    if column.kind is Kind.DECIMAL:
        return [None if value is None else format(Decimal(value).scaleb(-column.scale), "f") for value in values]
    if column.kind is Kind.DOUBLE:
        return [None if value is None else repr(value) for value in values]
    if column.kind is Kind.BINARY:
        return [None if value is None else base64.b64encode(value).decode() for value in values]
    return values
