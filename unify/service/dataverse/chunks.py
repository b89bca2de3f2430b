"""Files that come in parts: each waits in a file beside the instance, so that any worker can take the next part.

<instance>/incoming/.files/<token>.json    what it will be
<instance>/incoming/.files/<token>.part    what came so far
"""

import fcntl
import json
import os
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from unify.service.errors import ServiceError, bad_request, not_found

FOLDER: Final = Path("incoming", ".files")
CHUNK: Final = 4 * 2**20
"""Bytes of a part that a client is told to send."""
LARGEST: Final = 128 * 2**20
"""Bytes of a file: it is one value of a row."""
TOKEN: Final = re.compile(r"[0-9a-f]{32}")
ABANDONED_S: Final = 24 * 3600
"""Nobody is behind an upload that has not been written to for so long."""


@dataclass(frozen=True, slots=True)
class Whole:
    """A file that has come to its end."""

    name: str
    content: bytes


class Chunks:
    """Uploads of one instance. Blocking."""

    def __init__(self, instance: Path) -> None:
        self._folder = instance / FOLDER

    def begin(self, table: str, row: str, column: str, name: str) -> str:
        """A token for a new upload; what was abandoned is cleared."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for path in self._folder.iterdir():
            if time.time() - path.stat().st_mtime > ABANDONED_S:
                path.unlink(missing_ok=True)
        token = secrets.token_hex(16)
        self._part(token).touch()
        self._about(token).write_text(json.dumps({"of": [table, row, column], "name": name}), encoding="utf-8")
        return token

    def add(self, token: str, of: tuple[str, str, str], begin: int, size: int, content: bytes) -> Whole | None:
        """One part; the file when that was the last. ServiceError 404, 400, 409, 413.

        A part that is sent again, since its answer was lost, replaces itself.
        """
        if size > LARGEST:
            raise ServiceError(413, f"a file has at most {LARGEST:,} bytes, and this would have {size:,}")
        about = self._said(token)
        if about["of"] != list(of):
            raise bad_request("this upload is of another column", where="sessiontoken")
        with self._part(token).open("r+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            there = os.fstat(file.fileno()).st_size
            if begin > there:
                hint = f"the next part begins at {there}"
                raise ServiceError(409, f"{there:,} bytes came so far", where="Content-Range", hint=hint)
            file.seek(begin)
            file.write(content)
            file.truncate()
            if begin + len(content) < size:
                return None
            file.seek(0)
            return Whole(str(about["name"]), file.read())

    def forget(self, token: str) -> None:
        """It is a value of its row now."""
        self._part(token).unlink(missing_ok=True)
        self._about(token).unlink(missing_ok=True)

    def _said(self, token: str) -> dict[str, object]:
        path = self._about(token if TOKEN.fullmatch(token) else "none")
        try:
            found: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            hint = "begin again with x-ms-transfer-mode: chunked"
            raise not_found("there is no such upload, or it is over", where="sessiontoken", hint=hint) from None
        return found

    def _part(self, token: str) -> Path:
        return self._folder / f"{token}.part"

    def _about(self, token: str) -> Path:
        return self._folder / f"{token}.json"
