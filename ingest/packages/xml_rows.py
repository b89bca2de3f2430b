"""XML entity files: the children of the root are rows; in a composite entity rows stand in rows.

Two forms, `<Row A="1"/>` and `<Row><A>1</A></Row>`; a file may mix them. A value that is not there, or has xsi:nil,
is null; one that is there and empty is the empty text. The file is read twice: first for its parts, their columns and
whether it is sound to its end, then for its rows.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa

from ingest.packages.errors import DamagedPackageError, HostilePackageError
from ingest.packages.escapes import unescaped
from ingest.packages.fields import Field, staged
from ingest.packages.nouns import FileKind, PackageLimits, Part, StagedBatch, StagingError
from ingest.packages.xml import XSI, local, parse, turns

_NIL: Final = f"{XSI} nil"
_NAME: Final = 1024
_TURNS: Final = 32
"""Pieces of 1 MiB after which rows are handed on, however few they are: long values are not held in thousands."""
_PARTS, _COLUMNS = 64, 16_384
"""A composite document has a handful of parts; a table of Excel's width has as many columns as this."""
Path = tuple[str, ...]


@dataclass(slots=True)
class _Shape:
    """What the first reading learns of the elements at one path."""

    path: Path
    count: int = 0
    columns: dict[str, None] = field(default_factory=dict)
    has_children: bool = False
    has_attributes: bool = False


class _Surveyor:
    """Events of the first reading: which paths are rows, which are values."""

    def __init__(self, where: str) -> None:
        self.shapes: dict[Path, _Shape] = {}
        self._path: list[str] = []
        self._where = where

    def start(self, name: str, attributes: Mapping[str, str], line: int) -> None:
        self._path.append(local(name))
        if len(self._path) == 1:
            return
        path = tuple(self._path[1:])
        shape = self.shapes.get(path)
        if shape is None:
            if len(self.shapes) >= _PARTS + _COLUMNS:
                raise HostilePackageError(f"it has more than {_COLUMNS:,} kinds of elements", where=self._where)
            shape = self.shapes[path] = _Shape(path)
            if len(path) > 1:
                self.shapes[path[:-1]].has_children = True
        shape.count += 1
        for attribute in attributes:
            if not _is_markup(attribute):
                shape.has_attributes = True
                if len(attribute) > _NAME:
                    message = f"the name of an attribute has {len(attribute):,} characters"
                    raise HostilePackageError(message, where=self._where)
                shape.columns[local(attribute)] = None
                if len(shape.columns) > _COLUMNS:
                    raise HostilePackageError(f"a row has more than {_COLUMNS:,} columns", where=self._where)

    def end(self, name: str) -> None:
        self._path.pop()

    def text(self, data: str) -> None:
        """Looked at in the second reading."""


def _is_markup(attribute: str) -> bool:
    """xsi:nil, xsi:type, xml:space: no columns."""
    return attribute.startswith((f"{XSI} ", "http://www.w3.org/XML/1998/namespace "))


def survey(pieces: Iterable[bytes], kind: FileKind, limits: PackageLimits, where: str) -> dict[Path, Part]:
    """The parts of a file by their paths below the root, outermost first.

    Raises HostilePackageError, DamagedPackageError: the file is not well-formed to its end.
    """
    surveyor = _Surveyor(where)
    parse(pieces, surveyor, limits, where)
    shapes = surveyor.shapes
    rows = {p: s for p, s in shapes.items() if _is_row(s, kind)}
    if len(rows) > _PARTS:
        raise HostilePackageError(f"it has more than {_PARTS} kinds of rows", where=where)
    names = _names(list(rows))
    parts = {}
    for path, shape in rows.items():
        children = (p[-1] for p in shapes if len(p) == len(path) + 1 and p[:-1] == path and p not in rows)
        columns = tuple(dict.fromkeys((*shape.columns, *children)))
        parts[path] = Part(names[path], names.get(path[:-1], ""), columns, shape.count)
    return parts


def _is_row(shape: _Shape, kind: FileKind) -> bool:
    if len(shape.path) == 1:
        return True
    return shape.has_children or (shape.has_attributes and kind is FileKind.XML_ATTRIBUTE)


def _names(paths: list[Path]) -> dict[Path, str]:
    """Names of the parts: of the element, or its whole path where two parts have elements of one name."""
    last = [path[-1] for path in paths]
    return {path: path[-1] if last.count(path[-1]) == 1 else "/".join(path) for path in paths}


@dataclass(slots=True)
class _Row:
    """A row that is being read."""

    path: Path
    number: int
    parent: int | None
    line: int
    values: dict[str, str | None] = field(default_factory=dict)
    problem: tuple[str, str, str] | None = None

    def set(self, name: str, value: str | None) -> None:
        """One value; a second one of its name is a problem."""
        if name in self.values:
            self.problem = self.problem or (name, "a value stands twice", "")
        self.values[name] = value


class _Reader:
    """Events of the second reading: rows, in the order in which they end."""

    def __init__(self, parts: Mapping[Path, Part], *, escapes: bool, where: str) -> None:
        self._parts, self._escapes, self._where = parts, escapes, where
        self._path: list[str] = []
        self._rows: list[_Row] = []
        self._value: list[str] | None = None
        self._nil = False
        self._number = 0
        self.done: list[_Row] = []

    def start(self, name: str, attributes: Mapping[str, str], line: int) -> None:
        self._path.append(local(name))
        path = tuple(self._path[1:])
        if not path:
            return
        if path in self._parts:
            self._number += 1
            row = _Row(path, self._number, self._rows[-1].number if self._rows else None, line)
            for attribute, value in attributes.items():
                if not _is_markup(attribute):
                    row.set(local(attribute), unescaped(value) if self._escapes else value)
            self._rows.append(row)
            return
        self._value, self._nil = [], attributes.get(_NIL, "").strip() in ("true", "1")
        if strange := [local(a) for a in attributes if not _is_markup(a)]:
            row = self._rows[-1]
            row.problem = row.problem or (path[-1], "a value has an attribute", strange[0])

    def end(self, name: str) -> None:
        path = tuple(self._path[1:])
        self._path.pop()
        if not path:
            return
        if path in self._parts:
            self.done.append(self._rows.pop())
        elif self._value is not None:
            text = "".join(self._value)
            value = None if self._nil else unescaped(text) if self._escapes else text
            self._rows[-1].set(path[-1], value)
            self._value = None

    def text(self, data: str) -> None:
        if self._value is not None:
            self._value.append(data)
        elif not data.isspace():
            if not self._rows:
                message = f"text stands between the rows: {data.strip()[:80]!r}"
                raise DamagedPackageError(message, where=self._where)
            row = self._rows[-1]
            row.problem = row.problem or ("", "text outside of a value", data.strip()[:80])


def rows(
    pieces: Iterable[bytes],
    parts: Mapping[Path, Part],
    fields: Mapping[Path, Sequence[Field]],
    limits: PackageLimits,
    where: str,
    *,
    escapes: bool,
    batch_rows: int,
) -> Iterator[StagedBatch]:
    """The rows of a file; those of a part in the order in which they end, parts outermost first in each turn."""
    reader = _Reader(parts, escapes=escapes, where=where)
    composite = len(parts) > 1
    for turn, _ in enumerate(turns(pieces, reader, limits, where), 1):
        if len(reader.done) >= batch_rows or (turn % _TURNS == 0 and reader.done):
            yield from _batches(reader.done, parts, fields, composite=composite)
            reader.done.clear()
    yield from _batches(reader.done, parts, fields, composite=composite)


def _batches(
    done: list[_Row], parts: Mapping[Path, Part], fields: Mapping[Path, Sequence[Field]], *, composite: bool
) -> Iterator[StagedBatch]:
    by_path: dict[Path, list[_Row]] = {path: [] for path in parts}
    for row in done:
        by_path[row.path].append(row)
    for path, part in parts.items():
        if not by_path[path]:
            continue
        found = sorted(by_path[path], key=lambda row: row.number)
        good = [row for row in found if row.problem is None]
        columns = [pa.array([row.values.get(name) for row in good], pa.string()) for name in part.columns]
        parents = pa.array([row.parent for row in good], pa.int64()) if composite else None
        numbers = pa.array([row.number for row in good], pa.int64())
        errors = tuple(
            StagingError(row.number, row.line, *row.problem, _raw(row)) for row in found if row.problem is not None
        )
        yield StagedBatch(part.name if composite else "", staged(fields[path], numbers, columns, parents), errors)


def _raw(row: _Row) -> str:
    """A row as it can be shown: its values, in the attribute form."""
    from xml.sax.saxutils import quoteattr

    pairs = (f" {name}={quoteattr(value)}" for name, value in row.values.items() if value is not None)
    return f"<{row.path[-1]}{''.join(pairs)} />"
