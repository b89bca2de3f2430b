"""CSV files as batches of text."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc

from ingest.csv_dialect import column_names, detect, head
from ingest.csv_exact import Dialect, Exact, content_of, count_lines
from ingest.csv_records import Records, Splitter
from ingest.files import DataFile
from ingest.rows import FILE, LINE, Source, slot, staging_schema
from ingest.text import text_chunks
from unify.core.errors import SourceError, did_you_mean
from unify.spec import CsvOptions, Entity

_SAMPLE = 1 << 18
"""256 KiB: some thousand records, enough to tell the dialect."""
_BLOCK = 1 << 22


@dataclass(frozen=True, slots=True)
class CsvFile:
    """A CSV file whose head was read. `offset` is where the rows begin in the UTF-8 text, `line` on which line."""

    file: DataFile
    dialect: Dialect
    names: tuple[str, ...]
    offset: int
    line: int
    sample: bytes


def csv_source(files: Sequence[DataFile], entity: Entity, *, sample_only: bool = False) -> Source:
    """All CSV files of an entity as one source; every file must have the columns of the first, in any order.

    `sample_only` reads no further than the sample of the first file. Raises SourceError, SpecError, DamagedFileError.
    """
    warnings: list[str] = []
    opened = [_open(file, entity, warnings) for file in files]
    columns = opened[0].names
    orders = [order_of(columns, other.names, other.file.name, files[0].name, warnings) for other in opened]
    schema = staging_schema([pa.string()] * len(columns))
    source = Source(
        columns,
        (None,) * len(columns),
        schema,
        iter(()),
        tuple(files),
        quoted=(False,) * len(columns),
        decimal=entity.csv.decimal,
        warnings=warnings,
    )

    def batches() -> Iterator[pa.RecordBatch]:
        for number, (one, order) in enumerate(zip(opened, orders, strict=True)):
            pieces = iter((one.sample[one.offset :],)) if sample_only else _body(one, entity.csv)
            yield from _rows(one, pieces, number, order, entity.csv, source, complete=not sample_only)
            if sample_only:
                return

    source.batches = batches()
    return source


def order_of(columns: Sequence[str], names: Sequence[str], where: str, first: str, warnings: list[str]) -> list[int]:
    """For each of `columns` its place in `names`, ignoring case; raises SourceError when the sets differ."""
    places = {name.casefold(): i for i, name in enumerate(names)}
    wanted = {name.casefold(): name for name in columns}
    missing = [name for name in columns if name.casefold() not in places]
    added = [name for name in names if name.casefold() not in wanted]
    if missing or added:
        parts = [f"lacks {', '.join(map(repr, missing))}"] * bool(missing)
        parts += [f"also has {', '.join(map(repr, added))}"] * bool(added)
        hint = (
            f"files of one entity have the same columns; {did_you_mean(added[0], missing)}" if missing and added else ""
        )
        hint = hint or "files of one entity have the same columns: make it an entity of its own, or export it again"
        raise SourceError(f"compared with {first} it {' and '.join(parts)}", where=where, hint=hint)
    if spelt := [f"{names[places[n.casefold()]]!r}" for n in columns if names[places[n.casefold()]] != n]:
        warnings.append(f"{where}: {', '.join(spelt)} spelt in other case than in {first}")
    return [places[name.casefold()] for name in columns]


def _open(file: DataFile, entity: Entity, warnings: list[str]) -> CsvFile:
    options, text, final = entity.csv, b"", False
    chunks = text_chunks(file, options.encoding, _SAMPLE)
    while True:
        piece = next(chunks, None)
        final = piece is None
        text += piece or b""
        skipped = _skip_lines(text, options.skip)
        sample = text[skipped:] if skipped is not None else b""
        if sample.strip(b"\r\n"):
            dialect = detect(options, sample, entity.key, final=final)
            first = _first_record(dialect, sample, file.name, final=final)
            if first is not None:
                break
        if final:
            hint = "export it with a header line, or declare `csv: {header: false}`"
            raise SourceError("the file has no header", where=file.name, hint=hint)
    start, end = first
    fields = head(dialect, sample[start:end], 1, final=True)[0]
    if dialect.skip_space:
        warnings.append(f"{file.name}: written with blanks after the delimiter; they are no part of names and values")
    if options.header:
        body = text[: skipped + end] if skipped is not None else b""
        names = column_names(fields, file.name, warnings)
    else:
        body = text[:skipped]
        names = _names_without_header(entity, len(fields), file.name)
    return CsvFile(file, dialect, tuple(names), len(body), 1 + count_lines(body), text)


def _names_without_header(entity: Entity, width: int, where: str) -> list[str]:
    declared = list(entity.columns)
    if not declared:
        return [f"column{i}" for i in range(1, width + 1)]
    if len(declared) != width:
        hint = "without a header, `columns` names all of them in order"
        raise SourceError(f"the file has {width} columns, {len(declared)} are declared", where=where, hint=hint)
    return declared


def _skip_lines(text: bytes, lines: int) -> int | None:
    """Where the text begins after so many lines; None when it has not that many."""
    position = 0
    for _ in range(lines):
        found = text.find(b"\n", position)
        if found < 0:
            return None
        position = found + 1
    return position


def _first_record(dialect: Dialect, text: bytes, where: str, *, final: bool) -> tuple[int, int] | None:
    """Start and end of the first record that is not an empty line; None when more text is needed."""
    exact, position = Exact(dialect), 0
    while position < len(text):
        found = exact.record(text, position, final=final)
        if found is None:
            return None
        end, is_whole = found
        if content_of(text[position:end]):
            if not is_whole:
                hint = "look at the first line; declare `csv: {quote: …}` or `csv: {delimiter: …}` if they are unusual"
                raise SourceError("the header has bad quoting", where=where, hint=hint)
            return position, end
        position = end
    return None


def _body(one: CsvFile, options: CsvOptions) -> Iterator[bytes]:
    ahead = one.offset
    for piece in text_chunks(one.file, options.encoding):
        if ahead >= len(piece):
            ahead -= len(piece)
            continue
        yield piece[ahead:] if ahead else piece
        ahead = 0


def _rows(
    one: CsvFile,
    pieces: Iterator[bytes],
    number: int,
    order: list[int],
    options: CsvOptions,
    source: Source,
    *,
    complete: bool,
) -> Iterator[pa.RecordBatch]:
    splitter = Splitter(one.dialect, len(one.names), one.line)
    exact = Exact(one.dialect)
    for piece in pieces:
        for records in splitter.read(piece):
            yield from _batch(records, one, number, order, options, source, exact)
    if complete or not source.rows:
        yield from _batch(splitter.feed(b"", final=True), one, number, order, options, source, exact)


def _batch(
    records: Records,
    one: CsvFile,
    number: int,
    order: list[int],
    options: CsvOptions,
    source: Source,
    exact: Exact,
) -> Iterator[pa.RecordBatch]:
    source.bad.extend((number, bad) for bad in records.bad)
    if not records.lines.size:
        return
    if records.pieces is not None and (not one.dialect.is_plain or records.data.startswith(b"\xef\xbb\xbf")):
        table = _parse_exactly(records.pieces, exact, options)
    else:
        table = _parse(records, one.dialect, len(one.names), options)
    if table.num_rows != records.lines.size:
        message = f"{records.lines.size} records were found, but {table.num_rows} read, near line {records.lines[0]}"
        raise SourceError(message, where=one.file.name, hint="please report this file's first lines as a bug")
    numbers = pa.array(np.full(table.num_rows, number, np.int32))
    columns = [table.column(i) for i in order]
    names = [FILE, LINE, *(slot(i) for i in range(len(order)))]
    arrays = [pa.chunked_array([numbers]), pa.chunked_array([pa.array(records.lines)]), *columns]
    yield from pa.Table.from_arrays(arrays, names=names).cast(source.schema).to_batches()


def _parse(records: Records, dialect: Dialect, width: int, options: CsvOptions) -> pa.Table:
    names = [slot(i) for i in range(width)]
    block = max(_BLOCK, 2 * records.longest + 2)
    return pc.read_csv(
        pa.BufferReader(records.data),
        read_options=pc.ReadOptions(column_names=names, block_size=block),
        parse_options=pc.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char=dialect.quote or False,
            newlines_in_values=records.quoted_newlines,
        ),
        convert_options=pc.ConvertOptions(
            check_utf8=False,
            column_types=dict.fromkeys(names, pa.string()),
            null_values=list(options.null),
            strings_can_be_null=True,
        ),
    )


def _parse_exactly(pieces: list[bytes], exact: Exact, options: CsvOptions) -> pa.Table:
    nulls = set(options.null)
    rows = [exact.fields(content_of(piece)) for piece in pieces]
    columns = [[None if v in nulls else v for v in values] for values in zip(*rows, strict=True)]
    return pa.table([pa.array(c, pa.string()) for c in columns], names=[slot(i) for i in range(len(columns))])
