"""Following a table: what changed since a token, then what is gone."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final

from unify.dataverse.errors import BAD_INPUT, EXPIRED_TOKEN, DataverseError
from unify.dataverse.writes.nouns import Deleted
from unify.records import Reading, Row
from unify.records.errors import ForgottenError

VALID: Final = timedelta(days=7)
"""Dataverse's default."""


@dataclass(frozen=True, slots=True)
class TrackedChanges:
    """Rows that are new or changed, oldest first; then rows that are gone; and the token to ask with next time."""

    rows: list[Row]
    gone: list[Deleted]
    token: str


def token(reading: Reading, table: str, *, now: datetime | None = None) -> str:
    """From this moment on. Opaque; good for seven days."""
    return _token(table, reading.version, now or datetime.now(UTC))


def since(reading: Reading, table: str, said: str, *, now: datetime | None = None) -> int:
    """The version that a token is of. DataverseError for one that is none, of another table, or older than 7 days."""
    known, version, at = _read(said)
    if known != table:
        raise DataverseError(f"The delta token is of '{known}', not of '{table}'.", code=BAD_INPUT, where=table)
    if (now or datetime.now(UTC)) - at > VALID or version < reading.purged or version > reading.version:
        raise _expired()
    return version


def changes(reading: Reading, table: str, said: str, *, now: datetime | None = None) -> TrackedChanges:
    """What happened since a token. DataverseError as for `since`."""
    version = since(reading, table, said, now=now)
    if version == 0:
        return TrackedChanges(list(reading.changes(table, 0).rows), [], token(reading, table, now=now))
    try:
        found = reading.changes(table, version)
    except ForgottenError as error:
        raise _expired() from error
    gone = [Deleted(table, str(key[0]), at) for key, at in found.gone]
    return TrackedChanges(found.rows, gone, token(reading, table, now=now))


def _token(table: str, version: int, at: datetime) -> str:
    return urlsafe_b64encode(f"{table}!{version}!{int(at.timestamp())}".encode()).decode().rstrip("=")


def _read(said: str) -> tuple[str, int, datetime]:
    try:
        text = urlsafe_b64decode(said.encode("ascii") + b"=" * (-len(said) % 4)).decode("ascii")
        table, version, at = text.split("!")
        return table, int(version), datetime.fromtimestamp(int(at), UTC)
    except (ValueError, Error, OverflowError, OSError):
        raise DataverseError(f"'{said[:100]}' is no delta token.", code=BAD_INPUT, where="$deltatoken") from None


def _expired() -> DataverseError:
    return DataverseError(
        "Version stamp associated with the client has expired. Please perform a full sync.",
        code=EXPIRED_TOKEN,
        status=HTTPStatus.GONE,
        hint="read the table anew with Prefer: odata.track-changes",
    )
