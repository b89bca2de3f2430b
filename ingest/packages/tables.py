"""Rows into entity files: delimited, XML, xlsx. Each gives the bytes of the file, piece by piece."""

import io
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from typing import IO, Final
from xml.sax.saxutils import escape, quoteattr

import pyarrow as pa
import pyarrow.compute as pc

from ingest.packages.errors import PackageWriteError
from ingest.packages.escapes import UNFIT_RE2, escaped, escaped_column
from ingest.packages.formats import UNICODE
from ingest.packages.nouns import EntityMap, FileKind, PackageEntity, SourceFormat
from ingest.packages.text import declared
from ingest.packages.values import around, as_text, joined, replaced, slices

EPOCH: Final = (1980, 1, 1, 0, 0, 0)
"""The moment of every member: the same rows give the same bytes."""
_LINE: Final = "\r\n"
_COPY: Final = 1 << 20
_EXCEL_ROWS, _EXCEL_TEXT = 1_048_576, 32_767
_MAIN: Final = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE: Final = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE: Final = "http://schemas.openxmlformats.org/package/2006"
_TEXT: Final = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("\r", "&#13;"))
_QUOTED: Final = (*_TEXT, ('"', "&quot;"), ("\t", "&#9;"), ("\n", "&#10;"))


def write_rows(out: IO[bytes], entity: PackageEntity, form: SourceFormat, reader: pa.RecordBatchReader) -> int:
    """Write one entity's file; how many rows it has. `entity.maps` names every column of the reader, in its order.

    Raises PackageWriteError for what the format cannot hold.
    """
    if form.kind is FileKind.DELIMITED:
        return _delimited(out, entity, form, reader)
    if form.kind is FileKind.EXCEL:
        return _excel(out, entity, reader)
    return _xml(out, entity, form, reader)


def _texts(batch: pa.RecordBatch) -> list[pa.Array]:
    return [as_text(column, name) for column, name in zip(batch.columns, batch.schema.names, strict=True)]


def _refuse(entity: PackageEntity, name: str, what: str, hint: str) -> PackageWriteError:
    return PackageWriteError(f"the column {name!r} {what}", where=entity.name, hint=hint)


# ── delimited ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _delimited(out: IO[bytes], entity: PackageEntity, form: SourceFormat, reader: pa.RecordBatchReader) -> int:
    delimiter = form.delimiter or ","
    encoding = (
        declared(form.encoding, entity.name) if form.encoding else "utf-16-le" if form.name == UNICODE else "utf-8"
    )
    out.write("\ufeff".encode(encoding) if encoding.startswith("utf") else b"")
    header = delimiter.join(_header_cell(one.xml_field, delimiter, form.quote) for one in entity.maps) + _LINE
    out.write(_encoded(header, encoding, entity))
    count = 0
    for batch in slices(reader):
        cells = []
        for column, one in zip(_texts(batch), entity.maps, strict=True):
            _check_delimited(column, one, entity, form, delimiter)
            cells.append(_cells(column, delimiter, form.quote, always=one.use_text_qualifier))
        lines = joined([*[p for cell in cells for p in (delimiter, cell)][1:], _LINE])
        out.write(lines if encoding == "utf-8" else _encoded(lines.decode(), encoding, entity))
        count += batch.num_rows
    return count


def _encoded(text: str, encoding: str, entity: PackageEntity) -> bytes:
    try:
        return text.encode(encoding)
    except UnicodeEncodeError as error:
        shown = error.object[error.start : error.end][:20]
        message = f"{shown!r} has no form in {encoding}"
        raise PackageWriteError(message, where=entity.name, hint="write the entity in UTF-8") from None


def _header_cell(name: str, delimiter: str, quote: str) -> str:
    if not quote:
        if delimiter in name:
            raise PackageWriteError(f"the column {name!r} holds the delimiter", where=name, hint="use a text qualifier")
        return name
    return f"{quote}{name.replace(quote, quote * 2)}{quote}" if any(c in name for c in (delimiter, quote)) else name


def _check_delimited(
    column: pa.Array, one: EntityMap, entity: PackageEntity, form: SourceFormat, delimiter: str
) -> None:
    if pc.any(pc.match_substring(column, "\0"), min_count=0).as_py():
        raise _refuse(entity, one.entity_field, "holds a NUL character", "write the entity as XML")
    if not form.quote and pc.any(_needs_quotes(column, delimiter, ""), min_count=0).as_py():
        what = "holds an empty text, the delimiter or a line end, and the format has no text qualifier"
        raise _refuse(entity, one.entity_field, what, "write the entity in a format that has one")
    if len(entity.maps) == 1 and column.null_count:
        hint = "an empty line is no row; write the entity as XML"
        raise _refuse(entity, one.entity_field, "is the only one, and is null in a row", hint)


def _cells(column: pa.Array, delimiter: str, quote: str, *, always: bool) -> pa.Array:
    """In quotes where a reader needs them, and where a text is empty: without them it would be null."""
    if not quote:
        return column
    quoted = around(quote, pc.replace_substring(column, quote, quote * 2), quote)
    return quoted if always else pc.if_else(_needs_quotes(column, delimiter, quote), quoted, column)


def _needs_quotes(column: pa.Array, delimiter: str, quote: str) -> pa.Array:
    needs = pc.equal(column, "")
    for mark in filter(None, (delimiter, quote, "\r", "\n", "\ufeff")):
        needs = pc.or_(needs, pc.match_substring(column, mark))
    return needs


# ── XML ──────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _xml(out: IO[bytes], entity: PackageEntity, form: SourceFormat, reader: pa.RecordBatchReader) -> int:
    row = element_name(entity.target or entity.name)
    out.write(f'<?xml version="1.0" encoding="utf-8"?>{_LINE}<Document>{_LINE}'.encode())
    count = 0
    for batch in slices(reader):
        parts: list[pa.Array | str] = [f"<{row}" if form.kind is FileKind.XML_ATTRIBUTE else f"<{row}>"]
        for column, one in zip(_texts(batch), entity.maps, strict=True):
            fit = _fit(column, one, entity)
            if form.kind is FileKind.XML_ATTRIBUTE:
                parts.append(around(f' {one.xml_field}="', replaced(fit, _QUOTED), '"'))
            else:
                parts.append(around(f"<{one.xml_field}>", replaced(fit, _TEXT), f"</{one.xml_field}>"))
        parts.append(f" />{_LINE}" if form.kind is FileKind.XML_ATTRIBUTE else f"</{row}>{_LINE}")
        out.write(_repeated(parts, batch.num_rows))
        count += batch.num_rows
    out.write(b"</Document>")
    return count


def _repeated(parts: "list[pa.Array | str]", rows: int) -> bytes:
    """As `joined`, where perhaps no part is a column."""
    if all(isinstance(part, str) for part in parts):
        return "".join(map(str, parts)).encode() * rows
    return joined(parts)


def _fit(column: pa.Array, one: EntityMap, entity: PackageEntity) -> pa.Array:
    """Texts that XML can hold: escaped where the reader is told so, refused where not."""
    if entity.table is not None:
        return escaped_column(column)
    if pc.any(pc.match_substring_regex(column, UNFIT_RE2), min_count=0).as_py():
        raise _refuse(entity, one.entity_field, "holds a character that XML cannot hold", "write the entity as CSV")
    return column


def element_name(name: str) -> str:
    """A name that XML takes for an element or attribute; what it does not take is `_x0020_`.

    >>> element_name("CUSTOMERGROUPID"), element_name("2nd name")
    ('CUSTOMERGROUPID', '_x0032_nd_x0020_name')
    """
    plain = escaped(name)
    parts = []
    for place, c in enumerate(plain):
        good = c == "_" or (c.isascii() and (c.isalpha() or (place > 0 and (c.isdigit() or c in ".-"))))
        parts.append(c if good else "".join(f"_x{unit:04X}_" for unit in _units(c)))
    return "".join(parts) or "_"


def _units(character: str) -> Iterator[int]:
    raw = character.encode("utf-16-be")
    return (int.from_bytes(raw[i : i + 2], "big") for i in range(0, len(raw), 2))


# ── xlsx ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _excel(out: IO[bytes], entity: PackageEntity, reader: pa.RecordBatchReader) -> int:
    name = sheet_name(entity)
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as book:
        for path, text in _book(name):
            add_member(book, path, io.BytesIO(text.encode()))
        with tempfile.TemporaryFile() as sheet:
            count = _sheet(sheet, entity, reader)
            add_member(book, "xl/worksheets/sheet1.xml", sheet)
    return count


def add_member(archive: zipfile.ZipFile, name: str, source: IO[bytes]) -> None:
    """Pack a file. Its size is known before, so only what needs them has the headers of large archives."""
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.create_system, entry.external_attr = 0, 0
    entry.file_size = source.seek(0, 2)
    source.seek(0)
    with archive.open(entry, "w") as member:
        while piece := source.read(_COPY):
            member.write(piece)


def sheet_name(entity: PackageEntity) -> str:
    """Of the only sheet: the entity's name as Microsoft writes it, at most 31 characters."""
    plain = "".join(c if c.isalnum() else "_" for c in entity.sheet.strip("'").removesuffix("$") or entity.name)
    return plain[:31] or "Sheet1"


def _book(name: str) -> Iterator[tuple[str, str]]:
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    types = f'<Types xmlns="{_PACKAGE}/content-types">'
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    yield (
        "[Content_Types].xml",
        (
            f"{head}{types}"
            '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
            f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kind}.worksheet+xml"/></Types>'
        ),
    )
    relations = f'{head}<Relationships xmlns="{_PACKAGE}/relationships"><Relationship Id="rId1" Type="{_OFFICE}'
    yield "_rels/.rels", f'{relations}/officeDocument" Target="xl/workbook.xml"/></Relationships>'
    yield (
        "xl/workbook.xml",
        (
            f'{head}<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>'
            f'<sheet name={quoteattr(name)} sheetId="1" r:id="rId1"/></sheets></workbook>'
        ),
    )
    yield "xl/_rels/workbook.xml.rels", f'{relations}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>'


def _sheet(out: IO[bytes], entity: PackageEntity, reader: pa.RecordBatchReader) -> int:
    letters = [column_letters(place) for place in range(len(entity.maps))]
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    out.write(f'{head}<worksheet xmlns="{_MAIN}"><sheetData><row r="1">'.encode())
    for letter, one in zip(letters, entity.maps, strict=True):
        name = escape(escaped(one.xml_field), {"\r": "&#13;"})
        cell = f'<c r="{letter}1" t="inlineStr"><is><t xml:space="preserve">{name}</t></is></c>'
        out.write(cell.encode())
    out.write(b"</row>")
    count = 0
    for batch in slices(reader):
        if count + batch.num_rows >= _EXCEL_ROWS:
            message = f"it has more than {_EXCEL_ROWS - 1:,} rows, which no sheet holds"
            raise PackageWriteError(message, where=entity.name, hint="write the entity as CSV")
        out.write(_sheet_rows(batch, letters, entity, count + 2))
        count += batch.num_rows
    out.write(b"</sheetData></worksheet>")
    return count


def _sheet_rows(batch: pa.RecordBatch, letters: Sequence[str], entity: PackageEntity, first: int) -> bytes:
    numbers = pa.array(range(first, first + batch.num_rows), pa.int32()).cast(pa.string())
    parts: list[pa.Array | str] = ['<row r="', numbers, '">']
    empty = pa.repeat(pa.scalar(True), batch.num_rows)
    for source, column, letter, one in zip(batch.columns, _texts(batch), letters, entity.maps, strict=True):
        empty = pc.and_(empty, pc.is_null(column))
        parts.append(_excel_cells(source.type, column, letter, numbers, one, entity))
    if pc.any(empty, min_count=0).as_py():
        hint = "a row without a cell is no row; write the entity as CSV"
        raise PackageWriteError("all values of a row are null", where=entity.name, hint=hint)
    return joined([*parts, "</row>"])


def _excel_cells(
    kind: pa.DataType, column: pa.Array, letter: str, numbers: pa.Array, one: EntityMap, entity: PackageEntity
) -> pa.Array:
    if pa.types.is_floating(kind) or (pa.types.is_integer(kind) and kind.bit_width <= 32):
        return pc.binary_join_element_wise(f'<c r="{letter}', numbers, '"><v>', column, "</v></c>", "")
    if pa.types.is_boolean(kind):
        bits = pc.if_else(pc.equal(column, "true"), "1", "0")
        return pc.binary_join_element_wise(f'<c r="{letter}', numbers, '" t="b"><v>', bits, "</v></c>", "")
    text = escaped_column(column)
    if pc.any(pc.greater(pc.utf8_length(text), _EXCEL_TEXT), min_count=0).as_py():
        what = f"holds a text of more than {_EXCEL_TEXT:,} characters, which no cell holds"
        raise _refuse(entity, one.entity_field, what, "write the entity as CSV")
    before, after = '" t="inlineStr"><is><t xml:space="preserve">', "</t></is></c>"
    return pc.binary_join_element_wise(f'<c r="{letter}', numbers, before, replaced(text, _TEXT), after, "")


def column_letters(place: int) -> str:
    """Of the column at a place from 0.

    >>> column_letters(0), column_letters(26)
    ('A', 'AA')
    """
    letters = ""
    place += 1
    while place:
        place, rest = divmod(place - 1, 26)
        letters = chr(65 + rest) + letters
    return letters
