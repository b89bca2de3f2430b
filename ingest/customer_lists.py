"""Lists of customers that segments name as files, into one table.

makes  listed_customers   segment, item: a CustomerId or a record (`crm.Contacts:C-1`), as it was written
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from ingest.csv_reader import csv_source
from ingest.files import resolve_files
from ingest.rows import FILE, LINE, slot
from unify.core.engine import Engine
from unify.core.errors import SourceError
from unify.spec import Entity, Project

LISTED = pa.schema([("segment", pa.string()), ("item", pa.string())])


def load_customer_lists(engine: Engine, project: Project, base: Path) -> None:
    """Make `listed_customers`, an empty one when no segment has a list in a file. SourceError as `listed` raises it."""
    tables = [LISTED.empty_table()]
    for name, segment in project.segments.items():
        if segment.members is not None and segment.members.file is not None:
            items = listed(segment.members.file, base, where=f"segments.{name}.members.file")
            names = pa.array([name] * len(items), pa.string())
            tables.append(pa.table([names, pa.array(items, pa.string())], schema=LISTED))
    engine.load("listed_customers", pa.concat_tables(tables), keep=True)


def listed(file: str, base: Path, *, where: str) -> list[str]:
    """The first column of a CSV file with a header, without its surrounding blanks.

    Raises SourceError for a file that is not there or cannot be read, and for a row without an entry: a customer that
    is left out in silence would be written to, or not, against somebody's wish.
    """
    entity = Entity(files=(file,), key="customer", format="csv")
    files = resolve_files(entity, base, where=where)
    source = csv_source(files, entity)
    items: list[str] = []
    for batch in source.batches:
        column = pc.fill_null(pc.utf8_trim_whitespace(batch.column(slot(0))), "")
        if (empty := pc.index(column, "").as_py()) >= 0:
            number, line = batch.column(FILE)[empty].as_py(), batch.column(LINE)[empty].as_py()
            place = f"{where}: {files[number].name}, line {line}"
            raise SourceError("the first column is empty", where=place, hint="fill it in, or remove the row")
        items += column.to_pylist()
    if source.bad:
        number, bad = source.bad[0]
        raise SourceError(
            f"{len(source.bad)} rows cannot be read; the first: {bad.reason}",
            where=f"{where}: {files[number].name}, line {bad.line}",
            hint="mend the file: customers are never left out in silence",
        )
    return items
