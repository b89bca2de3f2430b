"""From a request to a hot answer: what the room of OData does for every question, for those that need little of it.

Requests with headers that ask for more than plain JSON, errors, and everything that no pattern fits are None here: the
room takes its own way, which asks `Hot.answer` once more and words refusals.
"""

import re
from collections.abc import Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from unify.core.errors import UnifyError
from unify.service.access.headers import is_near
from unify.service.access.tally import tally
from unify.service.asgi import Scope, Send
from unify.service.caller import Caller
from unify.service.data.mount import whole
from unify.service.hot.answer import LOOKED_AT, PLAIN, HotAnswer, Root
from unify.service.hot.heads import NEW, OLD
from unify.service.origin import HOST

if TYPE_CHECKING:
    from unify.service.app import Service

CUSTOMER: Final = b"/Customer"
BASE: Final = re.compile(rb"(?:/v1|/api)?/instances/([A-Za-z0-9_.-]+)/data\Z|/odata/([A-Za-z0-9_.-]+)\Z")
"""Service roots; ids of instances as they are, encoded ones are for the slow way."""
TOP: Final = re.compile(rb"(?:\A|&)(?:\$|%24)top=([0-9]{1,9})(?:&|\Z)")
ROWS: Final = 100
REMEMBERED: Final = 256
"""Roots: one for each spelling of an address that clients use."""
_Key = tuple[bytes, bytes, str | None, str]


@dataclass(frozen=True, slots=True)
class _Mounted:
    """A root. `near`: the host is one that an open service answers to; see unify.service.access.headers."""

    instance: str
    vendor: bool
    root: Root
    near: bool


_mounted: dict[_Key, _Mounted] = {}


@dataclass(slots=True)  # not frozen: making one costs a third
class Found:
    """A hot answer on its way. `old`: the client takes OData 4.0 only."""

    answer: HotAnswer
    old: bool
    near: bool


async def answered(service: "Service", scope: Scope, send: Send, caller: Caller) -> bool:
    """Answer from memory; whether that was possible. Nothing was sent when it was not."""
    if scope["method"] != "GET":
        return False
    one = found(service, scope, caller)
    if one is None:
        return False
    answer = one.answer
    tally(answer.rows)
    headers = [*answer.head.headers, *(OLD if one.old else NEW)]
    if answer.status != 304:
        headers.append((b"content-length", b"%d" % len(answer.body)))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})
    return True


def found(service: "Service", scope: Scope, caller: Caller, looked_at: Set[bytes] = LOOKED_AT) -> Found | None:
    """What memory has for a GET; None when that takes the ordinary way. `looked_at`: see LOOKED_AT."""
    raw: bytes = scope.get("raw_path") or b""
    at = raw.find(CUSTOMER)
    if at < 0:
        return None
    known, host, old = b"", b"", False
    for name, value in scope["headers"]:
        if name == b"host":
            if host:
                return None
            host = value
        elif name in looked_at:
            if name == b"if-none-match":
                known = value
            elif value not in PLAIN.get(name, ()):
                return None
            elif name not in (b"accept", b"content-type"):
                old = True  # of those that are left only 4.0 is plain
    settings = service.settings
    key = (raw[:at], host, settings.public_url, scope["scheme"])
    mounted = _mounted.get(key) or _mount(key)
    if mounted is None:
        return None
    relative, query = raw[at + 1 :], scope["query_string"]
    size = _rows(query, settings.limits.page_rows)
    try:
        if mounted.vendor and b"%" in relative:
            relative = whole(relative)
        answer = service.hot.found(caller, mounted.instance, relative, query, mounted.root, size, known)
    except UnifyError:
        return None
    return None if answer is None else Found(answer, old, mounted.near)


def _mount(key: _Key) -> _Mounted | None:
    """As unify.service.data.mount makes it, remembered; None for what it looks at more closely."""
    base, host, public_url, scheme = key
    match = BASE.match(base)
    if match is None:
        return None
    said = host.decode("latin-1")
    origin = public_url
    if origin is None:
        if not HOST.match(said):
            return None
        origin = f"{'https' if scheme == 'https' else 'http'}://{said}"
    if len(_mounted) >= REMEMBERED:
        _mounted.clear()
    root = Root(f"{origin.rstrip('/')}{base.decode()}/")
    near = is_near(said, public_url)
    made = _mounted[key] = _Mounted((match[1] or match[2]).decode(), match[1] is not None, root, near)
    return made


def _rows(query: bytes, most: int) -> int | None:
    """Rows a page, as `unify.service.data.query.page_size` says it: all that $top allows, else 100."""
    if b"top=" not in query:
        return None if b"skiptoken=" in query else min(ROWS, most)
    if b"skiptoken=" in query:
        return None
    top = TOP.search(query)
    return min(max(int(top[1]), 1), most) if top else min(ROWS, most)
