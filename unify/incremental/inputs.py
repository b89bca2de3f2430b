"""What a stage is made from, as text: where the text is equal, the outcome is.

A file counts as the same when its size, its times and its inode are those of the last run and it was at rest then; else
its content is hashed, at 1 GB/s, so that a file that was only touched, or exported again as it was, is no change.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from functools import cache
from importlib.metadata import version
from pathlib import Path
from time import time_ns
from typing import Any

import pyarrow as pa

from ingest.files import describe_files, resolve_files
from ingest.frames import frame_table
from ingest.incremental import resolve
from ingest.record_tables import state_of, table_of_records
from unify.core.errors import UnifyError
from unify.records import RecordStore
from unify.spec import Entity

AT_REST_NS = 2_000_000_000
"""A file that changed less than that before it was looked at may change again under the same time: clocks of file
systems tick every few milliseconds, those of network drives every two seconds."""
ROOMS = ("unify", "ingest", "segments")
LIBRARIES = ("duckdb", "pyarrow", "numpy", "scipy", "rapidfuzz", "networkx", "pydantic")

Text = str


def digest(value: object) -> Text:
    """A hash of what JSON can say."""
    said = json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
    return hashlib.sha256(said.encode()).hexdigest()[:32]


@cache
def code() -> Text:
    """A hash of the product's own code and of the versions of what it stands on: a new release makes all anew.

    300 files, 15 ms, once per process.
    """
    root = Path(__file__).parents[2]
    found = hashlib.sha256(" ".join(version(name) for name in LIBRARIES).encode())
    for room in ROOMS:
        for path in sorted((root / room).rglob("*")):
            if path.suffix in (".py", ".sql") and "__pycache__" not in path.parts:
                found.update(path.relative_to(root).as_posix().encode())
                found.update(path.read_bytes())
    return found.hexdigest()[:32]


# ── sources ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def source_inputs(
    name: str,
    entity: Entity,
    data: object,
    base: Path,
    now: datetime,
    before: Mapping[str, Any] | None,
    records: RecordStore | None = None,
) -> dict[str, Any] | None:
    """What an entity is loaded from; None when only loading it can tell.

    before   what the last run said of the same entity: hashes of files that are as they were are taken from it
    now      with time zone; decides which hours of incremental folders are over
    """
    spec = {"name": name, "spec": entity.model_dump(mode="json"), "code": code()}
    if data is not None and not _are_paths(data):
        found = _frame_hash(data)
        return None if found is None else {**spec, "frame": found}
    if data is None and entity.records:
        return _of_records(spec, name, entity, records)
    try:
        hours: dict[Path, str] = {}
        waiting: list[str] = []
        if data is not None:
            files = describe_files([base / str(path) for path in data], entity, base)  # type: ignore[attr-defined]
        elif entity.incremental:
            folders = resolve(base / entity.files[0], now)
            hours = {path: str(hour) for path, hour in folders.hours.items()}
            deletes = {path for _, path in folders.deletes}
            hours |= {path: f"{hours[path]} deletes" for path in deletes}
            waiting = [str(hour) for hour in folders.waiting]
            files = describe_files(list(hours), entity, base)
        else:
            files = resolve_files(entity, base)
        known = {file["path"]: file for file in (before or {}).get("files", [])}
        seen = [_file(f.path, f.name, hours.get(f.path, ""), known.get(str(f.path.resolve()))) for f in files]
    except (UnifyError, OSError):
        return None  # loading it says what is wrong
    return {**spec, "files": seen, "waiting": waiting}


def _of_records(spec: dict[str, Any], name: str, entity: Entity, records: RecordStore | None) -> dict[str, Any] | None:
    if records is None:
        return None
    with records.read() as reading:
        try:
            state = asdict(state_of(reading, table_of_records(reading, entity, name).name))
        except UnifyError:
            return None  # loading it says what is wrong
    return {**spec, "clock": state.pop("clock"), "records": state}


def since(before: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> int:
    """The clock of the record store when a record table was taken in, by the declaration and definition of now; or 0.

    Rows that were written over it by themselves lie in the generation before among its own: then it is read anew.
    """
    if before is None or now is None or "records" not in before or "records" not in now:
        return 0
    if "written" in before or "written" in now:
        return 0
    same = all(before[said] == now[said] for said in ("name", "spec", "code"))
    same &= before["records"]["definition"] == now["records"]["definition"]
    return int(before["clock"]) if same and before["clock"] <= now["clock"] else 0


def same_source(before: Mapping[str, Any] | None, now: Mapping[str, Any] | None) -> bool:
    """Whether an entity would be loaded into the same tables."""
    return before is not None and now is not None and _content(before) == _content(now)


def _content(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Without what only tells whether files must be read: places and times."""
    files = [(f["name"], f["hour"], f["size"], f["sha256"]) for f in inputs.get("files", [])]
    return {k: v for k, v in inputs.items() if k not in {"files", "clock"}} | {"files": [list(f) for f in files]}


def _are_paths(data: object) -> bool:
    return isinstance(data, (list, tuple)) and bool(data) and all(isinstance(p, (str, Path)) for p in data)


def _file(path: Path, name: str, hour: str, before: Mapping[str, Any] | None) -> dict[str, Any]:
    at = path.stat()
    stamp = [at.st_size, at.st_mtime_ns, at.st_ctime_ns, at.st_ino, at.st_dev]
    rested = time_ns() - max(at.st_mtime_ns, at.st_ctime_ns) > AT_REST_NS
    if before is not None and before["stamp"] == stamp and before["rested"]:
        sha256 = before["sha256"]
    else:
        with path.open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    return {
        "path": str(path.resolve()), "name": name, "hour": hour, "size": at.st_size, "stamp": stamp, "rested": rested,
        "sha256": sha256,
    }  # fmt: skip


class _Sink:
    """A file that only hashes what is written to it."""

    closed = False

    def __init__(self) -> None:
        self.found = hashlib.sha256()

    def write(self, data: Any) -> int:
        """As files have it."""
        self.found.update(data)
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""

    def close(self) -> None:
        """Nothing to let go of."""


def _frame_hash(data: object) -> Text | None:
    """A hash of a frame's content; None for what can be read once only, or runs a query when it is read."""
    table = frame_table(data)
    if table is None:
        return None
    sink = _Sink()
    with pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), table.schema.remove_metadata()) as stream:
        stream.write_table(table.replace_schema_metadata(None).combine_chunks())
    return sink.found.hexdigest()
