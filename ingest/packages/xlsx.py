"""Rows of a sheet: the first row that holds anything names the columns, each later one that does is a row.

What a cell becomes, as text: a text itself; a number as it is written, or in the shortest form that reads back the
same; true and false; a date as 2026-11-22, with a time as 2026-11-22T09:30:00, a time alone as 09:30:00; of a formula
the value that was last worked out. No cell is null, a cell with an empty text is that. An error value (#N/A), a formula
without a value, a value beyond the named columns make the row one in error.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import pyarrow as pa

from ingest.csv_dialect import column_names
from ingest.packages.errors import EntityFileError, HostilePackageError
from ingest.packages.escapes import unescaped
from ingest.packages.fields import Field, staged
from ingest.packages.nouns import StagedBatch, StagingError
from ingest.packages.workbook import Workbook
from ingest.packages.xml import local, turns
from unify.core.errors import SourceError

_DIGITS: Final = "0123456789"
_REFERENCE: Final = re.compile(r"([A-Z]{1,3})([0-9]{1,7})\Z")
_WIDEST: Final = 16_384
_ROW: Final = 1 << 26
"""Characters of one row, and of the rows of one batch, about. A cell of 20 bytes may stand for a text of megabytes."""
_WHOLE: Final = re.compile(r"-?(0|[1-9][0-9]*)\Z")
_NUMBER: Final = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,4})?\Z")
_LAST: Final = 2_958_466
"""The serial number after 9999-12-31."""


@dataclass(slots=True)
class _Line:
    """One row of the sheet: values by column, and the first thing that is wrong with it."""

    line: int
    values: dict[int, str] = field(default_factory=dict)
    size: int = 0
    problem: tuple[int, str, str] | None = None


class _CellError(Exception):
    """A cell has no value that can be read."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Sheet:
    """Events of a sheet: its rows that hold anything."""

    def __init__(self, book: Workbook, where: str) -> None:
        self._book, self._where = book, where
        self.size = 0
        self.done: list[_Line] = []
        self._line: _Line | None = None
        self._number = 0
        self._column = -1
        self._places: dict[str, int] = {}
        self._kind, self._style = "n", 0
        self._has_formula = self._has_value = self._taking = False
        self._skip = 0
        self._text: list[str] = []

    def start(self, name: str, attributes: Mapping[str, str], line: int) -> None:
        name = local(name)
        if name == "row":
            given = attributes.get("r", "")
            self._number = int(given) if given.isascii() and given.isdigit() and len(given) < 8 else self._number + 1
            self._line, self._column = _Line(self._number), -1
        elif self._line is None:
            return
        elif name == "c":
            self._cell(attributes)
        elif name == "f":
            self._has_formula = True
        elif name == "rPh":
            self._skip += 1
        elif name == "v" or (name == "t" and not self._skip):
            self._has_value = self._taking = True

    def end(self, name: str) -> None:
        name = local(name)
        if self._line is None:
            return
        if name in ("v", "t"):
            self._taking = False
        elif name == "rPh":
            self._skip -= 1
        elif name == "c":
            self._close_cell(self._line)
        elif name == "row":
            if self._line.values or self._line.problem:
                self.done.append(self._line)
            self._line = None

    def text(self, data: str) -> None:
        if self._taking:
            self._text.append(data)

    def _cell(self, attributes: Mapping[str, str]) -> None:
        self._has_formula = self._has_value = self._taking = False
        self._text.clear()
        self._kind = attributes.get("t", "n")
        style = attributes.get("s", "0")
        self._style = int(style) if style.isascii() and style.isdigit() and len(style) < 8 else 0
        reference, before = attributes.get("r", ""), self._column
        letters = reference.rstrip(_DIGITS)
        column = self._places.get(letters, -1) if 0 < len(reference) - len(letters) < 8 else -1
        if column < 0 and (found := _REFERENCE.match(reference)):
            column = self._places[letters] = column_number(found[1])
        self._column = before + 1 if column < 0 else column
        if reference and column <= before:
            self._fail(self._column, "a cell is not where a cell can be", reference[:20])
        if self._column >= _WIDEST:
            raise HostilePackageError(f"a row has more than {_WIDEST:,} columns", where=self._where)

    def _close_cell(self, line: _Line) -> None:
        text = "".join(self._text)
        if self._kind == "inlineStr":
            self._has_value = True
        if not self._has_value or (not text and self._kind in ("n", "b", "e", "s", "d")):
            if self._has_formula:
                self._fail(self._column, "a formula without a value", "")
            return
        try:
            value = self._value(text)
        except _CellError as error:
            self._fail(self._column, error.reason, text)
            return
        line.values[self._column] = value
        line.size += len(value)
        self.size += len(value)
        if line.size > _ROW or self.size > self._book.limits.member_bytes:
            message = "its cells repeat long texts until a row, or all of them, are larger than any sheet"
            raise HostilePackageError(message, where=self._where, hint="write the entity as CSV")

    def _value(self, text: str) -> str:
        """The text of a cell. Raises _CellError."""
        kind = self._kind
        if kind in ("inlineStr", "str"):
            return unescaped(text)
        text = text.strip()
        if kind == "s":
            if text.isascii() and text.isdigit() and len(text) < 10 and int(text) < len(self._book.strings):
                return self._book.strings[int(text)]
            raise _CellError("a text that is not in the workbook")
        if kind == "b":
            if text not in ("0", "1"):
                raise _CellError("neither true nor false")
            return "true" if text == "1" else "false"
        if kind == "d":
            return text
        if kind == "e":
            raise _CellError("an error value")
        if kind != "n" or not _NUMBER.match(text):
            raise _CellError("not a number")
        is_date = self._style in self._book.dates
        value = moment(float(text), is_1904=self._book.is_1904) if is_date else number(text)
        if not value:
            raise _CellError("not a date" if is_date else "not a number")
        return value

    def _fail(self, column: int, reason: str, value: str) -> None:
        if self._line is not None and self._line.problem is None:
            self._line.problem = (column, reason, value[:200])


def column_number(letters: str) -> int:
    """From 0.

    >>> column_number("A"), column_number("AA")
    (0, 26)
    """
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1


def number(text: str) -> str:
    """A number as text: whole ones as they are written, others in the shortest form that reads back the same.

    >>> number("0.10000000000000001"), number("12345678901234567890"), number("1E+2"), number("1e999")
    ('0.1', '12345678901234567890', '100', '')
    """
    if _WHOLE.match(text):
        return text
    value = float(text)
    if value in (float("inf"), float("-inf")):
        return ""
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def moment(serial: float, *, is_1904: bool = False) -> str:
    """The date, date with time or time of a serial number; "" where there is none.

    >>> moment(45983.0), moment(45983.5), moment(0.25), moment(-1.0)
    ('2025-11-22', '2025-11-22T12:00:00', '06:00:00', '')
    """
    if is_1904:
        serial += 1462
    if not 0 <= serial < _LAST:
        return ""
    days = int(serial)
    span = timedelta(milliseconds=round((serial - days) * 86_400_000))
    if days == 0 and not is_1904:
        time = datetime(1900, 1, 1) + span  # noqa: DTZ001 - a wall clock
        return time.strftime("%H:%M:%S") if time.day == 1 else ""
    epoch = datetime(1899, 12, 31 if days < 60 else 30)  # noqa: DTZ001 - there was no 29 February 1900, but Excel has it
    at = epoch + timedelta(days=days) + span
    if at.microsecond:
        return at.isoformat(timespec="milliseconds")
    return at.date().isoformat() if at.time() == at.min.time() else at.isoformat(timespec="seconds")


def header(book: Workbook, sheet: str, where: str) -> tuple[tuple[str, ...], list[str]]:
    """The columns of a sheet, and what was done to their names.

    Raises EntityFileError: no header row, or a name twice.
    """
    found = next(_lines(book, sheet, where), None)
    if found is None:
        hint = "the first row that holds anything names the columns"
        raise EntityFileError("the sheet has no header row", where=where, hint=hint)
    if found.problem:
        raise EntityFileError(f"the header row has {found.problem[1]}", where=where, hint="write names as text")
    names = [found.values.get(place, "") for place in range(max(found.values) + 1)]
    warnings: list[str] = []
    try:
        return tuple(column_names(names, where, warnings)), warnings
    except SourceError as error:
        raise EntityFileError(error.message, where=where, hint=error.hint) from None


def _lines(book: Workbook, sheet: str, where: str) -> Iterator[_Line]:
    events = _Sheet(book, where)
    for _ in turns(book.chunks(book.sheet(sheet)), events, book.limits, where):
        yield from events.done
        events.done.clear()


def rows(
    book: Workbook, sheet: str, columns: Sequence[str], fields: Sequence[Field], where: str, *, batch_rows: int
) -> Iterator[StagedBatch]:
    """The rows of a sheet below its header, in order."""
    lines = _lines(book, sheet, where)
    next(lines, None)
    waiting: list[_Line] = []
    number, size = 1, 0
    for line in lines:
        waiting.append(line)
        size += line.size
        if len(waiting) >= batch_rows or size > _ROW:
            yield _batch(waiting, number, columns, fields)
            number, size = number + len(waiting), 0
            waiting.clear()
    yield _batch(waiting, number, columns, fields)


def _batch(lines: list[_Line], number: int, columns: Sequence[str], fields: Sequence[Field]) -> StagedBatch:
    good: list[_Line] = []
    numbers: list[int] = []
    errors: list[StagingError] = []
    for row_id, line in enumerate(lines, number):
        error = _problem(line, row_id, columns)
        if error is None:
            good.append(line)
            numbers.append(row_id)
        else:
            errors.append(error)
    arrays = [pa.array([line.values.get(place) for line in good], pa.string()) for place in range(len(columns))]
    return StagedBatch("", staged(fields, pa.array(numbers, pa.int64()), arrays), tuple(errors))


def _problem(line: _Line, row_id: int, columns: Sequence[str]) -> StagingError | None:
    raw = "\t".join(line.values.get(place, "") for place in range(len(columns)))
    if line.problem is not None:
        place, reason, value = line.problem
        column = columns[place] if 0 <= place < len(columns) else ""
        return StagingError(row_id, line.line, column, reason, value, raw)
    if (widest := max(line.values)) >= len(columns):
        value = f"{widest + 1} columns instead of {len(columns)}"
        return StagingError(row_id, line.line, "", "wrong number of columns", value, raw)
    return None
