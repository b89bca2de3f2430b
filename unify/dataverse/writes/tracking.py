"""Following a table: what changed since a token, then what is gone."""

from dataclasses import dataclass
from datetime import datetime

from unify.dataverse.writes.nouns import Deleted
from unify.records import Reading, Row


@dataclass(frozen=True, slots=True)
class TrackedChanges:
    """Rows that are new or changed, oldest first; then rows that are gone; and the token to ask with next time."""

    rows: list[Row]
    gone: list[Deleted]
    token: str


def token(reading: Reading, table: str, *, now: datetime | None = None) -> str:
    """From this moment on. Opaque; good for seven days."""
    raise NotImplementedError


def changes(reading: Reading, table: str, since: str, *, now: datetime | None = None) -> TrackedChanges:
    """What happened since a token. DataverseError for one that is none, of another table, or older than seven days."""
    raise NotImplementedError
