"""Tables handed over from Python, whatever library made them: Arrow's C stream is the one language.

pandas and polars frames, DuckDB relations, Arrow tables, batches and readers, and lists of dicts are taken; none of
these libraries is imported here. A reader gives its rows once: handing it over twice is an error, not an empty table.
"""

import weakref
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from ingest.arrow_types import natives_of, staged
from ingest.csv_dialect import column_names
from ingest.parquet_reader import numbered
from ingest.rows import Source, staging_schema
from unify.core.errors import SourceError

NAME = "<frame>"
"""Stands for the file in reports and corrupt tables."""
_read: "weakref.WeakSet[Any]" = weakref.WeakSet()


def frame_source(data: object) -> Source:
    """A frame as a source; raises SourceError for what is no table and for a reader that was read before."""
    reader = _reader(data)
    warnings: list[str] = []
    schema = _without_index(reader.schema)
    if len(schema) < len(reader.schema):
        warnings.append(f"{NAME}: the row labels were left out; `reset_index()` makes a column of them")
    columns = column_names(schema.names, NAME, warnings)
    kinds = natives_of(schema, NAME)
    source = Source(
        tuple(columns),
        tuple(kinds),
        staging_schema([staged(k) for k in kinds]),
        iter(()),
        quoted=(False,) * len(columns),
        warnings=warnings,
    )

    def batches() -> Iterator[pa.RecordBatch]:
        done = 0
        for batch in reader:
            arrays = [batch.column(i) for i in range(len(columns))]
            yield numbered(arrays, kinds, 0, done, source.schema, NAME)
            done += batch.num_rows

    source.batches = batches()
    return source


def _reader(data: object) -> pa.RecordBatchReader:
    if isinstance(data, (list, tuple)):
        return _table_of(data).to_reader()
    if isinstance(data, pa.RecordBatchReader):
        if data in _read:
            hint = "a reader gives its rows once; pass a table, or make a new reader"
            raise SourceError("the reader was already read", where=NAME, hint=hint)
        _read.add(data)
        return data
    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data]).to_reader()
    if type(data).__name__ == "LazyFrame" and hasattr(data, "collect"):
        data = data.collect()  # polars: a query that has not run yet
    if not hasattr(data, "__arrow_c_stream__"):
        hint = "pass an Arrow table or reader, a pandas or polars frame, a DuckDB relation or a list of dicts"
        raise SourceError(f"{type(data).__name__} is not a table", where=NAME, hint=hint)
    try:
        return pa.RecordBatchReader.from_stream(data)
    except (pa.ArrowException, TypeError) as error:
        hint = "make every column hold one kind of value"
        raise SourceError(f"the frame is no Arrow table: {error}", where=NAME, hint=hint) from None


def frame_table(data: object) -> pa.Table | None:
    """A frame as a table where reading it costs nothing and can be done again; None for readers, queries and others.

    Nothing is checked: what is no table is for `frame_source` to refuse.
    """
    try:
        if isinstance(data, (list, tuple)):
            return _table_of(data)
        if isinstance(data, pa.Table):
            return data
        if isinstance(data, pa.RecordBatch):
            return pa.Table.from_batches([data])
        if type(data).__name__ == "DataFrame" and hasattr(data, "__arrow_c_stream__"):
            return pa.RecordBatchReader.from_stream(data).read_all()
    except (SourceError, pa.ArrowException, TypeError):
        return None
    return None


def _table_of(rows: Sequence[object]) -> pa.Table:
    """A list of dicts; keys that are missing in a row are null, columns stand in order of first appearance."""
    if not rows or not all(isinstance(row, dict) for row in rows):
        what = "an empty list" if not rows else "a list of something else than dicts"
        hint = "pass a list of dicts; an empty table as `pa.table({...})` with its columns"
        raise SourceError(f"{what} is not a table", where=NAME, hint=hint)
    columns = dict.fromkeys(key for row in rows if isinstance(row, dict) for key in row)
    arrays = []
    for name in columns:
        values = [row.get(name) for row in rows if isinstance(row, dict)]
        try:
            arrays.append(pa.array(values))
        except (pa.ArrowException, OverflowError) as error:
            hint = "make it hold one kind of value"
            raise SourceError(f"column {name!r} mixes kinds of values: {error}", where=NAME, hint=hint) from None
    return pa.table(arrays, names=[str(name) for name in columns])


def _without_index(schema: pa.Schema) -> pa.Schema:
    """pandas hands a meaningful index over as a last, unnamed column; a row label is no attribute of an entity."""
    return pa.schema([f for f in schema if not f.name.startswith("__index_level_")])
