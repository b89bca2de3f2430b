"""Parquet files as batches of typed columns."""

from collections.abc import Container, Iterator, Sequence

import numpy as np
import pyarrow as pa

from ingest.arrow_types import as_staged, common_type, natives_of, staged
from ingest.csv_dialect import column_names
from ingest.csv_reader import order_of
from ingest.damage import open_parquet, parquet_batches
from ingest.files import DataFile
from ingest.rows import Source, staging_schema
from ingest.types import STRING, ColumnType
from unify.core.errors import SourceError


def parquet_source(files: Sequence[DataFile], declared: Container[str], *, sample_only: bool = False) -> Source:
    """All Parquet files of an entity as one source, each checked as damage.py says.

    Columns may differ in order between files, and in type where one holds the other exactly; in any way where the
    column is `declared`: it is read as text then. Raises SourceError,
    DamagedFileError.
    """
    warnings: list[str] = []
    schemas = [open_parquet(file.path).schema_arrow for file in files]
    names = [column_names(s.names, f.name, warnings) for s, f in zip(schemas, files, strict=True)]
    columns = names[0]
    orders = [order_of(columns, n, f.name, files[0].name, warnings) for n, f in zip(names, files, strict=True)]
    natives = [natives_of(s, f.name) for s, f in zip(schemas, files, strict=True)]
    kinds = _common(columns, [[n[i] for i in o] for n, o in zip(natives, orders, strict=True)], files, declared)
    source = Source(
        tuple(columns),
        tuple(kinds),
        staging_schema([staged(k) for k in kinds]),
        iter(()),
        tuple(files),
        quoted=(False,) * len(columns),
        warnings=warnings,
    )

    def batches() -> Iterator[pa.RecordBatch]:
        for number, (file, order) in enumerate(zip(files, orders, strict=True)):
            done = 0
            for batch in parquet_batches(file.path, 2000 if sample_only else 1 << 17):
                yield numbered([batch.column(i) for i in order], kinds, number, done, source.schema, file.name)
                done += batch.num_rows
                if sample_only:
                    return

    source.batches = batches()
    return source


def numbered(
    arrays: Sequence[pa.Array], kinds: Sequence[ColumnType], number: int, done: int, schema: pa.Schema, where: str
) -> pa.RecordBatch:
    """A batch in the staging schema: place of the file, row numbers from `done` + 1, values in their staged types."""
    rows = len(arrays[0]) if arrays else 0
    head = [pa.array(np.full(rows, number, np.int32)), pa.array(np.arange(done + 1, done + rows + 1, dtype=np.int64))]
    try:
        values = [as_staged(array, kind) for array, kind in zip(arrays, kinds, strict=True)]
        for value in values:
            if pa.types.is_string(value.type):
                value.validate(full=True)  # text that is no UTF-8, which some writers do not check
    except pa.ArrowInvalid as error:
        raise SourceError(f"a value does not fit its column: {error}", where=where, hint="declare the column") from None
    return pa.RecordBatch.from_arrays([*head, *values], schema=schema)


def _common(
    columns: Sequence[str], natives: Sequence[Sequence[ColumnType]], files: Sequence[DataFile], declared: Container[str]
) -> list[ColumnType]:
    found = []
    for i, name in enumerate(columns):
        kind = common_type([n[i] for n in natives]) or (STRING if name in declared else None)
        if kind is None:
            odd = next(k for k in range(len(natives)) if common_type([n[i] for n in natives[: k + 1]]) is None)
            message = f"column {name!r} is {natives[odd][i].name}, but {natives[0][i].name} in {files[0].name}"
            hint = (
                f"files of one entity have the same types: export them again, or declare `{name}: {natives[0][i].name}`"
            )
            raise SourceError(message, where=files[odd].name, hint=hint)
        found.append(kind)
    return found
