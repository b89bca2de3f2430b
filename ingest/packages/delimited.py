"""Delimited entity files: the records are found by ingest's splitter, good ones read by Arrow, broken ones kept.

An unquoted empty value is null; an empty value in quotes is the empty text. Empty lines are no rows.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.csv as pc

from ingest.csv_dialect import column_names, head
from ingest.csv_exact import Dialect, Exact, content_of, count_lines
from ingest.csv_records import Records, Splitter
from ingest.packages.errors import EntityFileError
from ingest.packages.fields import Field, staged
from ingest.packages.formats import DELIMITERS
from ingest.packages.nouns import PackageEntity, SourceFormat, StagedBatch, StagingError
from ingest.packages.text import invalid_rows, utf8
from unify.core.errors import SourceError

_SAMPLE: Final = 1 << 18
"""256 KiB: where the header must end."""
_BLOCK: Final = 1 << 22
_MARK: Final = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class Delimited:
    """A delimited file whose header was read; the rows begin at byte `offset` of the UTF-8 text, on line `line`.

    warnings  what was done to names of columns
    """

    dialect: Dialect
    columns: tuple[str, ...]
    offset: int
    line: int
    warnings: tuple[str, ...] = ()


def examine(pieces: Iterable[bytes], entity: PackageEntity, form: SourceFormat, where: str) -> Delimited:
    """Delimiter and columns of a file. Raises EntityFileError when it has no header row that can be read."""
    text, final, rest = b"", False, utf8(pieces, form.encoding, where)
    while True:
        piece = next(rest, None)
        text, final = text + (piece or b""), piece is None
        found = _header(text, entity, form, final=final)
        if found is not None:
            break
        if final or len(text) > _SAMPLE + (1 << 24):
            raise EntityFileError("the file has no header row", where=where, hint="its first line names the columns")
    dialect, start, end, is_whole = found
    if not is_whole:
        hint = "its first line names the columns; a quote in it is not closed"
        raise EntityFileError("the header row has bad quoting", where=where, hint=hint)
    raw = text[start:end]
    try:
        raw.decode()
    except UnicodeDecodeError:
        hint = "write the file in UTF-8 or UTF-16, or name its encoding in a source format of your own"
        raise EntityFileError("the header row is no text in UTF-8", where=where, hint=hint) from None
    warnings: list[str] = []
    try:
        names = column_names(head(dialect, raw, 1, final=True)[0], where, warnings)
    except SourceError as error:
        raise EntityFileError(error.message, where=where, hint=error.hint) from None
    return Delimited(dialect, tuple(names), end, 1 + count_lines(text[:end]), tuple(warnings))


def _header(
    text: bytes, entity: PackageEntity, form: SourceFormat, *, final: bool
) -> tuple[Dialect, int, int, bool] | None:
    """The dialect under which the header fits best, and where the header stands; None: more text is needed."""
    position = 0
    while position < len(text) and text[position] in b"\r\n":
        position += 1
    if position == len(text):
        return None
    dialects = [Dialect(d, form.quote) for d in ((form.delimiter,) if form.delimiter else DELIMITERS)]
    spans = []
    for dialect in dialects:
        found = Exact(dialect).record(text, position, final=True)
        if found is None or (found[0] == len(text) and not final):
            return None
        spans.append((dialect, position, *found))
    return max(spans, key=lambda span: _fitness(text[span[1] : span[2]], span[0], span[3], entity))


def _fitness(raw: bytes, dialect: Dialect, is_whole: bool, entity: PackageEntity) -> tuple[bool, int, int]:
    """Larger is better: quoting is sound, columns that the map names, columns at all. The first of equals is taken."""
    found = head(dialect, raw, 1, final=True) if is_whole else []
    names = {name.strip().casefold() for name in (found[0] if found else [])}
    return is_whole, sum(one.xml_field.casefold() in names for one in entity.maps), len(names)


def rows(
    pieces: Iterable[bytes], file: Delimited, fields: Sequence[Field], form: SourceFormat, where: str
) -> Iterator[StagedBatch]:
    """The rows of a file, in order."""
    splitter = Splitter(file.dialect, len(file.columns), file.line)
    number = 1
    for piece in _body(utf8(pieces, form.encoding, where), file.offset):
        for records in splitter.read(piece):
            batch, number = _batch(records, file, fields, number, where)
            yield batch
    batch, _ = _batch(splitter.feed(b"", final=True), file, fields, number, where)
    yield batch


def _body(pieces: Iterable[bytes], offset: int) -> Iterator[bytes]:
    for piece in pieces:
        if offset >= len(piece):
            offset -= len(piece)
            continue
        yield piece[offset:]
        offset = 0


def _batch(
    records: Records, file: Delimited, fields: Sequence[Field], number: int, where: str
) -> tuple[StagedBatch, int]:
    """The rows of some records, numbered from `number` on together with the broken ones; and the next number."""
    lines = records.lines
    broken = sorted(records.bad, key=lambda row: row.line)
    broken_lines = np.array([row.line for row in broken], np.int64)
    ids = number + np.arange(lines.size) + np.searchsorted(broken_lines, lines)
    broken_ids = number + np.arange(broken_lines.size) + np.searchsorted(lines, broken_lines)
    errors = [
        StagingError(int(i), row.line, "", row.reason, row.value, row.raw)
        for i, row in zip(broken_ids, broken, strict=True)
    ]
    table = _parsed(records, file, where)
    columns = [table.column(i) for i in range(len(file.columns))]
    bad = invalid_rows(columns, lines.size)
    if (bad >= 0).any():
        errors += _not_text(records, file, bad, ids)
        good = pa.array(bad < 0)
        columns, ids = [column.filter(good) for column in columns], ids[bad < 0]
    arrays = [column.combine_chunks() for column in columns]
    rows = staged(fields, pa.array(ids, pa.int64()), arrays)
    errors.sort(key=lambda error: error.row_id)
    return StagedBatch("", rows, tuple(errors)), number + lines.size + len(broken)


def _not_text(records: Records, file: Delimited, bad: np.ndarray, ids: np.ndarray) -> list[StagingError]:
    """Errors for the rows with bytes that are no text, each with the row as it can be shown."""
    exact, position, found = Exact(file.dialect), 0, []
    for row in range(records.lines.size):
        end = position
        while end == position or not content_of(records.data[position:end]):  # an empty line is no row
            position, step = end, exact.record(records.data, end, final=True)
            end = step[0] if step else len(records.data)
        if bad[row] >= 0:
            raw = content_of(records.data[position:end]).decode(errors="replace")
            column, reason = file.columns[bad[row]], "no text in the encoding of the file"
            found.append(StagingError(int(ids[row]), int(records.lines[row]), column, reason, "", raw))
        position = end
    return found


def _parsed(records: Records, file: Delimited, where: str) -> pa.Table:
    width = len(file.columns)
    names = [f"c{i}" for i in range(width)]
    if not records.lines.size:
        return pa.table({name: pa.array([], pa.string()) for name in names})
    data, skip = records.data, 0
    if data.startswith(_MARK):  # Arrow would take a mark at the start of its input for one of the file
        data, skip = b"-\n" + data, 1
    table = pc.read_csv(
        pa.BufferReader(data),
        read_options=pc.ReadOptions(
            column_names=names, block_size=max(_BLOCK, 2 * records.longest + 2), skip_rows=skip, use_threads=True
        ),
        parse_options=pc.ParseOptions(
            delimiter=file.dialect.delimiter,
            quote_char=file.dialect.quote or False,
            newlines_in_values=records.quoted_newlines,
        ),
        convert_options=pc.ConvertOptions(
            check_utf8=False,
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    if table.num_rows != records.lines.size:
        message = f"{records.lines.size} records were found, but {table.num_rows} read, near line {records.lines[0]}"
        raise EntityFileError(message, where=where, hint="please report this file's first lines as a bug")
    return table
