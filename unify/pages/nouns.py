"""What pages need of things that live in higher rooms: the status, runs and generations of an instance."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol


class RunLike(Protocol):
    """A run of the catalog (unify.store.Run)."""

    @property
    def number(self) -> int: ...
    @property
    def state(self) -> str: ...
    @property
    def purpose(self) -> str: ...
    @property
    def started(self) -> datetime: ...
    @property
    def finished(self) -> datetime | None: ...
    @property
    def report(self) -> Mapping[str, Any] | None: ...
    @property
    def error(self) -> Mapping[str, Any] | None: ...


class GenerationLike(Protocol):
    """A kept generation (unify.store.Generation)."""

    @property
    def number(self) -> int: ...
    @property
    def published(self) -> datetime: ...
    @property
    def bytes(self) -> int: ...
    @property
    def rows(self) -> Mapping[str, int]: ...
    @property
    def summary(self) -> Mapping[str, Any]: ...
    @property
    def current(self) -> bool: ...


class HolderLike(Protocol):
    """Who holds the lease (unify.store.Holder)."""

    @property
    def heartbeat(self) -> datetime: ...


class StatusLike(Protocol):
    """What is published, who writes, how the last run ended (unify.instance.Status)."""

    @property
    def path(self) -> Path: ...
    @property
    def published(self) -> GenerationLike | None: ...
    @property
    def writer(self) -> HolderLike | None: ...
    @property
    def last_run(self) -> RunLike | None: ...
