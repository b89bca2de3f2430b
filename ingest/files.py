"""Which files an entity has: paths, globs and folders become a list in a fixed order."""

import glob
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from unify.core.errors import DamagedFileError, SourceError, did_you_mean
from unify.spec import Entity

Format = Literal["csv", "parquet", "jsonl"]
Compression = Literal["", "gz", "zst"]

_FORMATS: dict[str, Format] = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".tab": "csv",
    ".parquet": "parquet", ".pq": "parquet",
    ".jsonl": "jsonl", ".ndjson": "jsonl",
}  # fmt: skip
_COMPRESSIONS: dict[str, Compression] = {".gz": "gz", ".zst": "zst"}
_IGNORED = (".", "_")
"""Spark and Hadoop leave `_SUCCESS` and `.crc` files in their folders; they are no data."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """One input file. `name` is how reports and corrupt tables call it: relative to the project where possible."""

    path: Path
    name: str
    format: Format
    compression: Compression
    size: int


def resolve_files(entity: Entity, base: Path, *, where: str = "files") -> list[DataFile]:
    """The files of an entity: entries in the order written, each glob or folder sorted by path.

    Raises SourceError when an entry matches nothing or a file's format cannot be told from its name.
    """
    if not entity.files:
        hint = "add `files:` to the project, or pass a table from Python"
        raise SourceError("the entity has no files and no data was given", where=where, hint=hint)
    found: dict[Path, None] = {}
    for entry in entity.files:
        found.update(dict.fromkeys(_expand(entry, base, entity.format)))
    return describe_files(list(found), entity, base)


def describe_files(paths: Sequence[Path], entity: Entity, base: Path) -> list[DataFile]:
    """The given files with format, compression and size. Raises SourceError, DamagedFileError for a file of 0 bytes."""
    files = [_describe(path, entity.format, base) for path in paths]
    formats = sorted({file.format for file in files})
    if len(formats) > 1:
        where, hint = files[0].name, "one entity is one format: declare another entity, or give the folder fewer files"
        raise SourceError(f"files of the entity are of different formats: {', '.join(formats)}", where=where, hint=hint)
    return files


def _expand(entry: str, base: Path, declared: Format | None) -> list[Path]:
    path = base / entry
    if path.is_dir():
        inside = sorted(p for p in path.rglob("*") if p.is_file() and not _is_ignored(p.relative_to(path)))
        files = [p for p in inside if declared or _format_of(p)[0]]
        if not files:
            known = ", ".join(sorted(_FORMATS))
            raise SourceError(
                "the folder holds no data file", where=str(path), hint=f"known endings: {known} (.gz, .zst)"
            )
        return files
    if path.is_file():
        return [path]
    matches = sorted(Path(p) for p in glob.glob(str(path), recursive=True) if Path(p).is_file())  # noqa: PTH207 - absolute patterns
    if matches:
        return matches
    if any(c in entry for c in "*?["):
        raise SourceError(
            "no file matches the pattern", where=str(path), hint="check the path; it is relative to the project"
        )
    siblings = (
        [p.name for p in path.parent.iterdir() if p.is_file() and not p.name.startswith(".")]
        if path.parent.is_dir()
        else []
    )
    raise SourceError("no such file", where=str(path), hint=did_you_mean(path.name, siblings))


def _is_ignored(path: Path) -> bool:
    return any(part.startswith(_IGNORED) for part in path.parts)


def _format_of(path: Path) -> tuple[Format | None, Compression]:
    compression = _COMPRESSIONS.get(path.suffix.lower(), "")
    inner = path.with_suffix("") if compression else path
    return _FORMATS.get(inner.suffix.lower()), compression


def _describe(path: Path, declared: Format | None, base: Path) -> DataFile:
    if not path.is_file():
        raise SourceError("no such file", where=str(path), hint="check the path; it is relative to the project")
    by_name, compression = _format_of(path)
    fmt = declared or by_name
    if fmt is None:
        hint = "declare `format: csv`, `parquet` or `jsonl`"
        raise SourceError("the format cannot be told from the file's name", where=str(path), hint=hint)
    if fmt == "parquet" and compression:
        hint = "decompress it; Parquet compresses inside its pages"
        raise SourceError("a Parquet file cannot be read through outer compression", where=str(path), hint=hint)
    size = path.stat().st_size
    if size == 0:
        raise DamagedFileError("the file is empty (0 bytes)", where=str(path), hint="export it again, or remove it")
    name = str(path.relative_to(base)) if path.is_relative_to(base) else str(path)
    return DataFile(path, name, fmt, compression, size)
