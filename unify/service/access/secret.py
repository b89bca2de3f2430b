"""The secret of a service: one random file under its root, from which a key for each purpose is derived."""

import hashlib
import hmac
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from unify.core.errors import StoreError

NAME: Final = "secret"
BYTES: Final = 32


class Secret:
    """`<root>/.service/secret`, made by whoever comes first. Without it no key is known and no mask is the same again:
    back it up with the database, and keep both from readers."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / NAME
        self._bytes = self._read() or self._make()

    def of(self, purpose: str) -> bytes:
        """32 bytes for one purpose; nothing of another one follows from them."""
        return hmac.digest(self._bytes, purpose.encode(), hashlib.sha256)

    def _read(self) -> bytes | None:
        try:
            found = self._path.read_bytes()
        except FileNotFoundError:
            return None
        if len(found) != BYTES:
            raise StoreError("the secret of the service is damaged", where=str(self._path), hint="restore a backup")
        return found

    def _make(self) -> bytes:
        """Written aside and linked, so that of several processes one wins and nobody reads half of it."""
        aside = self._path.with_name(f"{NAME}.{secrets.token_hex(8)}")
        try:
            with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(secrets.token_bytes(BYTES))
                file.flush()
                os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(aside, self._path)
        finally:
            aside.unlink(missing_ok=True)
        found = self._read()
        assert found is not None
        return found
