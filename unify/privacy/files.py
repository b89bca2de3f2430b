"""Files that lie in an instance, uploaded or rejected: rewritten without the rows of somebody.

A file of another form than its ending says, or that cannot be read, stays as it is and is named in the report, where a
person has to look at it.
"""

import csv
import gzip
import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import zstandard

from unify.store.files import fsync

FOLDERS = ("incoming", "rejected")


Theirs = Callable[[str, str], bool]
"""(column, value) → whether it is somebody's; the column is "" where there is none."""


def without(instance: Path, names: Theirs) -> tuple[list[str], list[str]]:
    """Rewrite every file with a cell that is theirs; (rewritten, not readable), relative to the instance.

    A row goes when one of its cells, or a line that is no row when one of its words, is theirs.
    """
    changed, left = [], []
    for folder in FOLDERS:
        for path in sorted(p for p in (instance / folder).rglob("*") if p.is_file()):
            if path.suffix in (".sqlite", ".sqlite-wal", ".sqlite-shm") or path.name.endswith(("-wal", "-shm")):
                continue
            name = str(path.relative_to(instance))
            try:
                if _rewrite(path, names):
                    changed.append(name)
            except (OSError, ValueError, csv.Error, pa.ArrowException, zstandard.ZstdError):
                left.append(name)
    return changed, left


def _rewrite(path: Path, names: Theirs) -> bool:
    plain = path.name.removesuffix(".gz").removesuffix(".zst")
    if plain.endswith(".parquet"):
        return _parquet(path, names)
    packed = path.read_bytes()
    content = _unpacked(path, packed)
    text = content.decode("utf-8-sig") if content.startswith(b"\xef\xbb\xbf") else content.decode()
    lines = _jsonl(text, names) if plain.endswith((".jsonl", ".json", ".ndjson")) else _csv(text, names)
    clean = "".join(lines)
    if clean == text:
        return False
    mark = b"\xef\xbb\xbf" if content.startswith(b"\xef\xbb\xbf") else b""
    _replace(path, _packed(path, mark + clean.encode()))
    return True


def _csv(text: str, names: Theirs) -> Iterator[str]:
    """Records as they are written, each with the lines it reaches over."""
    delimiter = max(",;\t|", key=text.partition("\n")[0].count)
    held: list[str] = []

    def lines() -> Iterator[str]:
        for line in io.StringIO(text, newline=""):
            held.append(line)
            yield line

    header: list[str] = []
    for record in csv.reader(lines(), delimiter=delimiter, strict=False):
        header = header or record
        columns = [*header, *[""] * max(0, len(record) - len(header))]
        if not any(map(names, columns, record)):
            yield "".join(held)
        held.clear()


def _jsonl(text: str, names: Theirs) -> Iterator[str]:
    for line in io.StringIO(text, newline=""):
        record = None
        with suppress(ValueError):
            record = json.loads(line)
        cells = record.items() if isinstance(record, dict) else [("", w) for w in line.replace('"', " ").split()]
        if not any(names(column, str(cell)) for column, cell in cells):
            yield line


def _parquet(path: Path, names: Theirs) -> bool:
    table = pq.read_table(path)
    theirs = pa.array([False] * table.num_rows)
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_nested(column.type):
            continue
        values = (
            column.combine_chunks().dictionary_encode()
            if not pa.types.is_dictionary(column.type)
            else column.combine_chunks()
        )
        known = (
            values.dictionary.cast(pa.string()).to_pylist() if not pa.types.is_binary(values.dictionary.type) else []
        )
        hit = pa.array([i for i, v in enumerate(known) if v is not None and names(name, v)], values.indices.type)
        if len(hit):
            theirs = pc.or_(theirs, pc.fill_null(pc.is_in(values.indices, value_set=hit), False))
    if not pc.any(theirs).as_py():
        return False
    sink = io.BytesIO()
    pq.write_table(table.filter(pc.invert(theirs)), sink)
    _replace(path, sink.getvalue())
    return True


def _unpacked(path: Path, content: bytes) -> bytes:
    if path.suffix == ".gz":
        return gzip.decompress(content)
    if path.suffix == ".zst":
        with zstandard.ZstdDecompressor().stream_reader(content) as reader:
            return bytes(reader.read())
    return content


def _packed(path: Path, content: bytes) -> bytes:
    if path.suffix == ".gz":
        return gzip.compress(content, mtime=0)
    return zstandard.ZstdCompressor().compress(content) if path.suffix == ".zst" else content


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.erasing")
    with os.fdopen(
        os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, path.stat().st_mode & 0o777), "wb"
    ) as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    fsync(path.parent)
