"""JSON lines as batches of text: one object per line, numbers with the digits they were written with.

A line that is no object, or has a key twice, is quarantined ("bad JSON"); a column that holds lists or objects is an
error, because a table here has one plain value per cell. Keys that a line lacks are null.
"""

import json
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from ingest.csv_dialect import column_names
from ingest.csv_records import BadRow
from ingest.files import DataFile
from ingest.rows import Source, staging_schema
from ingest.text import text_chunks
from unify.core.errors import SourceError

_SAMPLE = 1 << 18


class _Number(str):
    """The digits of a JSON number; a class of its own to tell 7 from "7"."""

    __slots__ = ()


def jsonl_source(files: Sequence[DataFile], *, sample_only: bool = False) -> Source:
    """All JSON lines files of an entity as one source.

    The files are read into memory before the first batch: the columns are known only at their end. Raises SourceError,
    DamagedFileError.
    """
    source = Source((), (), pa.schema([]), iter(()), tuple(files))
    parts: list[tuple[int, list[int], dict[str, pa.Array]]] = []
    texts: set[str] = set()
    for number, file in enumerate(files):
        chunks = text_chunks(file, None, _SAMPLE) if sample_only else text_chunks(file, None)
        for lines, objects in _objects(chunks, number, source):
            parts.append((number, lines, _columns(objects, lines, file, texts)))
            if sample_only:
                break
        if sample_only:
            break
    keys = list(dict.fromkeys(key for _, _, columns in parts for key in columns))
    names = column_names(keys, files[0].name, source.warnings)
    source.columns, source.natives = tuple(names), (None,) * len(names)
    source.quoted = tuple(key in texts for key in keys)
    source.schema = staging_schema([pa.string()] * len(names))
    source.batches = (_batch(number, lines, columns, keys, source.schema) for number, lines, columns in parts)
    return source


def _objects(
    chunks: Iterator[bytes], number: int, source: Source
) -> Iterator[tuple[list[int], list[dict[str, object]]]]:
    """Per chunk the lines' numbers and their objects; what is no object goes to the bad rows."""
    decoder = json.JSONDecoder(
        object_pairs_hook=_unique, parse_float=_Number, parse_int=_Number, parse_constant=_no_constant
    )
    carry, line = b"", 0
    for piece in _with_end(chunks):
        text = carry + piece if piece else carry
        cut = text.rfind(b"\n") + 1 if piece else len(text)
        carry, lines, objects = text[cut:], [], []
        for raw in text[:cut].decode().split("\n")[: None if not piece else -1]:
            line += 1
            if not raw.strip():
                continue
            try:
                value = decoder.decode(raw.strip())
            except (ValueError, RecursionError) as error:
                source.bad.append((number, BadRow(line, "bad JSON", str(error), raw.rstrip("\r"))))
                continue
            if isinstance(value, dict):
                lines.append(line)
                objects.append(value)
            else:
                what = "a line holds one object, {…}"
                source.bad.append((number, BadRow(line, "bad JSON", what, raw.rstrip("\r"))))
        if lines:
            yield lines, objects


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


def _batch(
    number: int, lines: list[int], columns: dict[str, pa.Array], keys: list[str], schema: pa.Schema
) -> pa.RecordBatch:
    nothing = pa.nulls(len(lines), pa.string())
    head = [pa.array(np.full(len(lines), number, np.int32)), pa.array(lines, pa.int64())]
    arrays = [*head, *(columns.get(key, nothing) for key in keys)]
    return pa.RecordBatch.from_arrays(arrays, schema=schema)
