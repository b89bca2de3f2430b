"""What of a request goes on record, and when: writes before they are acknowledged, reads after they were answered."""

import re
import time
from typing import Any, Final

from unify.service.access.audit import Audit, Entry
from unify.service.access.guard import Guard
from unify.service.asgi import Scope
from unify.service.caller import Caller
from unify.service.settings import Settings

READS: Final = frozenset(("GET", "HEAD", "OPTIONS"))
INSTANCE: Final = re.compile(r"/(?:instances|odata)/([A-Za-z0-9][A-Za-z0-9_.-]{0,127})(?:/|$)")
BEHIND: Final = re.compile(r".*?/(?:instances/[^/]+/data|odata/[^/]+|api/data/v[^/]+)/?")
ASKING: Final = ("/$query", "/memberships/check")
"""Ends of paths whose POST only asks."""
MOST_STRANGERS: Final = 10
"""Requests a second without a valid credential that go on record, per worker: whoever floods the service with them must
not fill its disk. Metrics count all of them."""


class Record:
    """Rooms may say more in the scope: `unify.route`, `unify.instance`, `unify.generation`."""

    def __init__(self, settings: Settings, guard: Guard) -> None:
        self._open = settings.open
        self.audit = Audit(guard.database, guard.secret)
        self._second, self._strangers = 0, 0

    def must_seal(self, scope: Scope, caller: Caller | None, status: int) -> bool:
        """Whether the entry is to be on disk before the answer begins: writes of somebody who was let in, unless they
        were refused and changed nothing."""
        return caller is not None and not 400 <= status < 500 and not _reads(scope)

    async def seal(self, scope: Scope, caller: Caller | None, status: int, seconds: float) -> None:
        """Now, for sure; StoreError."""
        await self.audit.sealed(_entry(scope, caller, status, seconds))

    async def note(self, scope: Scope, caller: Caller | None, status: int, seconds: float) -> None:
        """Soon. Of a service that is open to everybody only writes: nobody could be named."""
        if caller is None and not self._a_few_strangers():
            return
        if not (self._open and _reads(scope)):
            await self.audit.noted(_entry(scope, caller, status, seconds))

    def note_at_once(self, scope: Scope, caller: Caller, status: int, seconds: float) -> None:
        """The same of a read that was let in, without waiting: asked only while `audit` is not full."""
        if not self._open:
            self.audit.put(_entry(scope, caller, status, seconds))

    def _a_few_strangers(self) -> bool:
        second = int(time.monotonic())
        if second != self._second:
            self._second, self._strangers = second, 0
        self._strangers += 1
        return self._strangers <= MOST_STRANGERS


def _reads(scope: Scope) -> bool:
    return scope["method"] in READS or scope["path"].endswith(ASKING)


def _entry(scope: Scope, caller: Caller | None, status: int, seconds: float) -> Entry:
    path: str = scope["path"]
    found = INSTANCE.search(path)
    key: Any = scope.get("unify.key")
    behind = BEHIND.match(path)
    return Entry(
        at=time.time() - seconds,
        who=caller.principal if caller is not None else "",
        key=key.key if key is not None else "",
        method=scope["method"],
        route=str(scope.get("unify.route") or getattr(scope.get("route"), "path", "-")),
        instance=scope.get("unify.instance") or (found[1] if found else ""),
        status=status,
        rows=scope.get("unify.rows"),
        generation=scope.get("unify.generation"),
        ms=seconds * 1000,
        path=path[behind.end() :] if behind else "",
        query=scope["query_string"].decode("latin-1"),
    )
