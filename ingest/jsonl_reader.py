"""JSON lines as batches of text: one object per line, numbers with the digits they were written with.

A line that is no object, or has a key twice, is quarantined ("bad JSON"); a column that holds lists or objects is an
error, because a table here has one plain value per cell. Keys that a line lacks are null.

Lines that look alike are taken apart many at a time (jsonl_layout.py), all others one by one, as here.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ingest.csv_dialect import column_names
from ingest.csv_records import BadRow
from ingest.files import DataFile
from ingest.jsonl_layout import Layout
from ingest.rows import Source, staging_schema
from ingest.text import text_chunks
from unify.core.errors import SourceError

_SAMPLE = 1 << 18
WINDOW = 1 << 20
"""Bytes after which the layout may change: what is not of the layout takes three times as long."""
_FIRST = 100
"""Lines of a file that its layout is told from."""


class _Number(str):
    """The digits of a JSON number; a class of its own to tell 7 from "7"."""

    __slots__ = ()


@dataclass
class _Part:
    """Rows of one file that were read together: their lines, and their values by key."""

    file: int
    lines: npt.NDArray[np.int64]
    columns: dict[str, pa.Array]


def jsonl_source(files: Sequence[DataFile], *, sample_only: bool = False) -> Source:
    """All JSON lines files of an entity as one source.

    The files are read into memory before the first batch: the columns are known only at their end. Raises SourceError,
    DamagedFileError.
    """
    source = Source((), (), pa.schema([]), iter(()), tuple(files))
    reader = _Reader(source)
    for number, file in enumerate(files):
        chunks = text_chunks(file, None, _SAMPLE) if sample_only else text_chunks(file, None)
        reader.read(number, chunks, sample_only=sample_only)
        if sample_only:
            break
    keys = list(reader.keys)
    names = column_names(keys, files[0].name, source.warnings)
    source.columns, source.natives = tuple(names), (None,) * len(names)
    source.quoted = tuple(key in reader.texts for key in keys)
    source.schema = staging_schema([pa.string()] * len(names))
    source.batches = (_batch(part, keys, source.schema) for part in reader.parts)
    return source


class _Reader:
    """Reads file after file: `parts` in the order of lines, more or less; `keys` in the order of their appearance.

    texts   keys of which a value is written as text
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.parts: list[_Part] = []
        self.keys: dict[str, None] = {}
        self.texts: set[str] = set()
        self.layout = Layout()
        self._decoder = json.JSONDecoder(
            object_pairs_hook=_unique, parse_float=_Number, parse_int=_Number, parse_constant=_no_constant
        )

    def read(self, number: int, chunks: Iterator[bytes], *, sample_only: bool) -> None:
        """Read one file; `sample_only`: the first piece with a row in it."""
        carry, line = b"", 1
        for piece in _with_end(chunks):
            start = 0
            while start < len(piece) or not start:
                end = start + max(WINDOW, len(carry))
                text = carry + piece[start:end]
                cut = text.rfind(b"\n") + 1 if piece else len(text)
                carry, text, start = text[cut:], text[:cut].removesuffix(b"\n"), end
                if cut:
                    self._window(number, line, text)
                    line += text.count(b"\n") + 1
            if sample_only and self.parts:
                return

    def _window(self, number: int, line: int, text: bytes) -> None:
        """The lines from `line` on: first those of the layout of the ones before, then the others."""
        if line == 1:
            self._see(filter(None, (self._decoded(raw)[0] for raw in text.split(b"\n", _FIRST)[:_FIRST])))
        taken = self.layout.take(text)
        self.texts |= taken.texts
        if len(taken.lines):
            self.parts.append(_Part(number, taken.lines + line, taken.columns))
        lines, objects = [], []
        for place, raw in taken.others:
            value, problem = self._decoded(raw)
            if value is not None:
                lines.append(line + place)
                objects.append(value)
            elif problem:
                self.source.bad.append((number, BadRow(line + place, "bad JSON", problem, raw.decode().rstrip("\r"))))
        if objects:
            columns = _columns(objects, lines, self.source.files[number], self.texts)
            self.parts.append(_Part(number, np.array(lines, np.int64), columns))
            self._see(objects)

    def _see(self, objects: Iterable[dict[str, object]]) -> None:
        for value in objects:
            if not value.keys() <= self.keys.keys():
                self.keys.update(dict.fromkeys(value))
                self.layout.see(value)

    def _decoded(self, raw: bytes) -> tuple[dict[str, object] | None, str]:
        """The object on a line, or what is wrong with it; neither for a line of blanks."""
        text = raw.decode().strip()
        if not text:
            return None, ""
        try:
            value = self._decoder.decode(text)
        except (ValueError, RecursionError) as error:
            return None, str(error)
        if not isinstance(value, dict):
            return None, "a line holds one object, {…}"
        if "\\ud" in text.lower() and not _encodable(value):
            return None, "half of a character that is written in two halves (\\ud800 to \\udfff)"
        return value, ""


def _encodable(value: dict[str, object]) -> bool:
    try:
        for text in (*value, *value.values()):
            if isinstance(text, str):
                text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _with_end(chunks: Iterator[bytes]) -> Iterator[bytes]:
    yield from chunks
    yield b""


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        double = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {double!r} stands twice")
    return found


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON value")


def _columns(
    objects: list[dict[str, object]], lines: list[int], file: DataFile, texts: set[str]
) -> dict[str, pa.Array]:
    columns = {}
    for key in dict.fromkeys(key for found in objects for key in found):
        values = [found.get(key) for found in objects]
        kinds = set(map(type, values))
        if kinds & {dict, list}:
            line = next(n for n, v in zip(lines, values, strict=True) if isinstance(v, (dict, list)))
            hint = "flatten the object, or leave the key out of the export"
            raise SourceError(f"column {key!r} holds a list or an object", where=f"{file.name}, line {line}", hint=hint)
        if str in kinds:
            texts.add(key)
        if bool in kinds:
            values = [("true" if v else "false") if isinstance(v, bool) else v for v in values]
        columns[key] = pa.array([None if v is None or v == "" else str(v) for v in values], pa.string())
    return columns


def _batch(part: _Part, keys: list[str], schema: pa.Schema) -> pa.RecordBatch:
    nothing = pa.nulls(len(part.lines), pa.string())
    head = [pa.array(np.full(len(part.lines), part.file, np.int32)), pa.array(part.lines)]
    arrays = [*head, *(part.columns.get(key, nothing) for key in keys)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
