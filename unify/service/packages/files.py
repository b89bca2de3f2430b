"""Files of data packages in their instances: taken in whole or in blocks, given out, taken away after seven days."""

import base64
import binascii
import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import BinaryIO, Final

from unify.packages.database import FOLDER
from unify.packages.housekeeping import BLOBS as UPLOADS
from unify.service.database import ServiceDatabase
from unify.service.errors import ServiceError, bad_request
from unify.service.jobs.nouns import stamp
from unify.store.files import fsync

BLOBS: Final = f"{FOLDER}/{UPLOADS}"
KEPT: Final = timedelta(days=7)
NAME: Final = re.compile(r"[^\x00-\x1f\x7f/\\?#%*:|\"<>]{1,200}")
"""A name that is one part of a path, whatever reads it."""
TYPES: Final = {".zip": "application/zip", ".csv": "text/csv", ".xml": "application/xml"}
MOST_BLOCKS: Final = 50_000
"""Of one file, as Azure has it."""


@dataclass(frozen=True, slots=True)
class File:
    """A file that is there. `tag`: without quotes; another one for another content."""

    path: Path
    size: int
    tag: str
    modified: datetime
    type: str


class Files:
    """Of all instances under a root. Blocking."""

    def __init__(self, database: ServiceDatabase, root: Path) -> None:
        self._database, self._root = database, root

    def reserve(self, instance: str, name: str, now: datetime | None = None) -> str:
        """A place for a file that is to be uploaded; its blob id, the same for the same name. ServiceError 400."""
        if not NAME.fullmatch(name) or name.strip(" .") != name:
            raise bad_request(
                f"{name[:200]!r} is no name of a file", where="uniqueFileName",
                hint="at most 200 characters, without / \\ ? # % * : | \" < >",
            )  # fmt: skip
        blob = str(uuid.uuid4())
        return self._keep(instance, name, blob, f"{BLOBS}/{blob}", now)

    def publish(self, instance: str, name: str, path: Path, now: datetime | None = None) -> str:
        """A file of the instance that may be fetched under that name; its blob id."""
        place = str(path.resolve().relative_to((self._root / instance).resolve()))
        with self._database.write() as db:
            params = {"instance": instance, "name": name}
            db.execute("DELETE FROM package_files WHERE instance = $instance AND name = $name", params)
        return self._keep(instance, name, str(uuid.uuid4()), place, now)

    def _keep(self, instance: str, name: str, blob: str, place: str, now: datetime | None) -> str:
        with self._database.write() as db:
            row = db.execute(
                "INSERT INTO package_files (instance, name, blob_id, place, made)"
                " VALUES ($instance, $name, $blob, $place, $now)"
                " ON CONFLICT (instance, name) DO UPDATE SET made = $now RETURNING blob_id",
                {"instance": instance, "name": name, "blob": blob, "place": place, "now": stamp(now)},
            ).fetchall()[0]
        return str(row["blob_id"])

    def path(self, instance: str, name: str) -> Path:
        """Where a file is, or is to be; ServiceError 404 for one that nobody spoke of, or that has expired."""
        rows = self._database.rows(
            "SELECT place FROM package_files WHERE instance = $instance AND name = $name",
            {"instance": instance, "name": name},
        )
        if not rows or not (self._root / instance).is_dir():
            raise _missing()
        return self._root / instance / str(rows[0]["place"])

    def get(self, instance: str, name: str) -> File:
        """One that is there; ServiceError 404."""
        path = self.path(instance, name)
        try:
            about = path.stat()
        except FileNotFoundError:
            raise _missing() from None
        tag = f"0x{about.st_mtime_ns:X}{about.st_size:X}"
        sql = "SELECT type FROM package_files WHERE instance = $instance AND name = $name"
        rows = self._database.rows(sql, {"instance": instance, "name": name})
        kind = (rows[0]["type"] if rows else None) or TYPES.get(Path(name).suffix.lower(), "application/octet-stream")
        return File(path, about.st_size, tag, datetime.fromtimestamp(about.st_mtime, UTC), kind)

    def typed(self, instance: str, name: str, kind: str) -> None:
        """Note the content type that it was uploaded with."""
        with self._database.write() as db:
            sql = "UPDATE package_files SET type = $kind WHERE instance = $instance AND name = $name"
            db.execute(sql, {"kind": kind[:100], "instance": instance, "name": name})

    # ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def part(self, path: Path) -> "Part":
        """A file that is being written, under a hidden name."""
        path.parent.mkdir(parents=True, exist_ok=True)
        return Part(path.parent / f".{uuid.uuid4().hex}.part")

    def block_path(self, path: Path, block: str) -> Path:
        """Where a block of a file waits; ServiceError 400 for an id that is no base64 of at most 64 bytes."""
        try:
            raw = base64.b64decode(block, validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        if not raw or len(raw) > 64:
            raise ServiceError(
                400, "a block id is base64 of 1 to 64 bytes", where="blockid", key="InvalidQueryParameterValue"
            )
        return path.parent / f".{path.name}.blocks" / hashlib.sha256(raw).hexdigest()

    def join(self, path: Path, blocks: Sequence[str], most: int) -> None:
        """Make a file of its blocks; ServiceError 400 for one that is not there, 413 when it gets too long."""
        if len(blocks) > MOST_BLOCKS:
            raise ServiceError(400, f"a file has at most {MOST_BLOCKS:,} blocks", key="BlockCountExceedsLimit")
        places = [self.block_path(path, block) for block in blocks]
        if sum(place.stat().st_size if place.exists() else 0 for place in places) > most:
            raise too_long(most)
        part = self.part(path)
        try:
            for place in places:
                try:
                    with place.open("rb") as block:
                        shutil.copyfileobj(block, part.file, 2**20)
                except FileNotFoundError:
                    raise ServiceError(
                        400, "the list names a block that was not sent", where="blocklist", key="InvalidBlockList"
                    ) from None
            part.settle(path)
        finally:
            part.close()
        shutil.rmtree(path.parent / f".{path.name}.blocks", ignore_errors=True)

    # ── taking away ──────────────────────────────────────────────────────────────────────────────────────────────────

    def sweep(self, now: datetime) -> int:
        """Take away what is older than seven days, and blocks and parts that nobody finished; how many rows."""
        before = {"before": stamp(now - KEPT)}
        rows = self._database.rows("SELECT * FROM package_files WHERE made < $before", before)
        with self._database.write() as db:
            db.execute("DELETE FROM package_files WHERE made < $before", before)
        for row in rows:
            path = self._root / row["instance"] / row["place"]
            if row["place"].startswith(BLOBS):
                path.unlink(missing_ok=True)
        for left in self._root.glob(f"*/{BLOBS}/.*"):
            with_age = now - datetime.fromtimestamp(left.stat().st_mtime, UTC)
            if with_age > KEPT:
                shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink(missing_ok=True)
        return len(rows)


class Part:
    """A file on its way: `write`, then `settle`; `close` in any case."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.file: BinaryIO = os.fdopen(
            os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb"
        )
        self.size, self.md5 = 0, hashlib.md5(usedforsecurity=False)

    def write(self, data: bytes) -> None:
        """Add some."""
        self.file.write(data)
        self.md5.update(data)
        self.size += len(data)

    def settle(self, path: Path) -> None:
        """Force it to the disk and give it its name."""
        self.file.flush()
        os.fsync(self.file.fileno())
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path.replace(path)
        fsync(path.parent)

    def close(self) -> None:
        """Let go; what did not get its name is gone."""
        self.file.close()
        self._path.unlink(missing_ok=True)


def too_long(most: int) -> ServiceError:
    """413."""
    return ServiceError(413, f"the file is longer than {most} bytes", key="RequestBodyTooLarge")


def _missing() -> ServiceError:
    return ServiceError(404, "the file is not there", hint="files are kept for seven days", key="BlobNotFound")
