"""What every reader hands over: numbered rows in Arrow batches, and the rows that cannot be read."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa

from ingest.csv_records import BadRow
from ingest.files import DataFile
from ingest.types import ColumnType
from unify.core.steps import Query

FILE, LINE = "file_no", "line"
_HEAD = [pa.field(FILE, pa.int32()), pa.field(LINE, pa.int64())]


def slot(index: int) -> str:
    """The name of the index-th column in the staging table; a name of the user's could collide with FILE or LINE."""
    return f"c{index}"


@dataclass(slots=True)
class Source:
    """Rows on their way in. `batches` may be read once and fills `bad` and `rows`.

    columns   names, in the order of the first file
    natives   per column the type that the file or frame declares; None = text whose type is inferred
    quoted    per column: written as text where the format tells text from numbers (JSON), so never a number or boolean
    schema    of the batches: FILE, LINE, then c0, c1, …
    files     in order; FILE is the place in it
    query     where the rows lie in the engine already: SQL that gives them as `schema` says, instead of batches
    scratch   tables that it reads, for nobody else
    bad       (place of the file, row that cannot be read)
    """

    columns: tuple[str, ...]
    natives: tuple[ColumnType | None, ...]
    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    files: tuple[DataFile, ...] = ()
    quoted: tuple[bool, ...] = ()
    decimal: str = "."
    bad: list[tuple[int, BadRow]] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    rows: int = 0
    query: Query | None = None
    scratch: tuple[str, ...] = ()
    error: Exception | None = None

    def reader(self) -> pa.RecordBatchReader:
        """The batches as a reader. An exception keeps its type only in `error`: the C stream makes text of it."""
        return pa.RecordBatchReader.from_batches(self.schema, self._guarded())

    def _guarded(self) -> Iterator[pa.RecordBatch]:
        try:
            for batch in self.batches:
                self.rows += batch.num_rows
                yield batch
        except Exception as error:
            self.error = error
            raise


def staging_schema(types: "list[pa.DataType]") -> pa.Schema:
    """FILE, LINE and one slot per column."""
    return pa.schema([*_HEAD, *(pa.field(slot(i), t) for i, t in enumerate(types))])
