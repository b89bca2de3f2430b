"""What the store tells: small frozen rows of the catalog."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

RunState = Literal["running", "published", "failed", "killed"]


def now() -> str:
    """The present as the catalog writes it: UTC, milliseconds.

    >>> len(now()), now()[-6:]
    (29, '+00:00')
    """
    return datetime.now(UTC).isoformat(timespec="milliseconds")


@dataclass(frozen=True, slots=True)
class Generation:
    """One immutable DuckDB file that readers may open.

    rows     table to row count
    summary  what the publisher wanted listed
    current  True: this is the published one
    """

    number: int
    path: Path
    run_id: str
    published: datetime
    bytes: int
    rows: dict[str, int]
    summary: dict[str, Any]
    current: bool


@dataclass(frozen=True, slots=True)
class Run:
    """One attempt to build and publish a generation, which then bears its number, or to refresh segments of one.

    generation   what it published, or whose segments it refreshed; None when it published nothing
    """

    number: int
    run_id: str
    state: RunState
    purpose: str
    project: str
    pid: int
    host: str
    started: datetime
    finished: datetime | None
    report: dict[str, Any] | None
    error: dict[str, Any] | None
    generation: int | None = None


@dataclass(frozen=True, slots=True)
class Definition:
    """One version of a declared thing, e.g. kind `segment`, name `vip`."""

    kind: str
    name: str
    version: int
    saved: datetime
    body: Any


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the lease. `heartbeat` is its last sign of life: minutes ago means stopped or hung, not gone."""

    pid: int
    host: str
    command: str
    purpose: str
    started: datetime
    heartbeat: datetime

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host} ({self.purpose}, since {self.started:%Y-%m-%d %H:%M:%S} UTC)"


@dataclass(frozen=True, slots=True)
class Sweep:
    """What cleaning `generations/` did. Names are file names.

    removed  gone
    in_use   a reader has it open; the next run tries again
    failed   could not be removed: name and reason
    """

    removed: tuple[str, ...] = ()
    in_use: tuple[str, ...] = ()
    failed: tuple[tuple[str, str], ...] = ()
