"""From a request to a hot answer: what the room of OData does for every question, for those that need little of it.

Requests with headers that ask for more than plain JSON, errors, and everything that no pattern fits are None here: the
room takes its own way, which asks `Hot.answer` once more and words refusals.
"""

import re
from typing import TYPE_CHECKING, Final

from unify.core.errors import UnifyError
from unify.service.access.tally import tally
from unify.service.asgi import Headers, Scope, Send
from unify.service.caller import Caller
from unify.service.data.mount import HOST, whole
from unify.service.data.negotiate import NEWEST, VARY
from unify.service.hot.answer import LOOKED_AT, PLAIN, Root

if TYPE_CHECKING:
    from unify.service.app import Service

RAW: Final = re.compile(rb"((?:/v1|/api)?/instances/([A-Za-z0-9_.-]+)/data|/odata/([A-Za-z0-9_.-]+))/(Customer.*)\Z")
"""Addresses of customers; ids of instances as they are, encoded ones are for the slow way."""
TOP: Final = re.compile(rb"(?:\A|&)(?:\$|%24)top=([0-9]{1,9})(?:&|\Z)")
ROWS: Final = 100
NEW: Final[Headers] = [(b"odata-version", NEWEST.encode()), VARY]
OLD: Final[Headers] = [(b"odata-version", b"4.0"), VARY]
REMEMBERED: Final = 256
"""Roots: one for each spelling of an address that clients use."""
_Key = tuple[bytes, bytes, str | None, str]
_roots: dict[_Key, Root] = {}


async def answered(service: "Service", scope: Scope, send: Send, caller: Caller) -> bool:
    """Answer from memory; whether that was possible. Nothing was sent when it was not."""
    match = RAW.match(scope.get("raw_path") or b"")
    if match is None or scope["method"] != "GET":
        return False
    known, host, common = b"", b"", NEW
    for name, value in scope["headers"]:
        if name == b"host":
            host = value
        elif name in LOOKED_AT:
            if name == b"if-none-match":
                known = value
            elif value not in PLAIN.get(name, ()):
                return False
            elif name != b"accept":
                common = OLD  # of those that are left only 4.0 is plain
    base, vendor, clean, relative = match.groups()
    settings = service.settings
    key = (base, host, settings.public_url, scope["scheme"])
    root = _roots.get(key) or _root(key)
    if root is None:
        return False
    query: bytes = scope["query_string"]
    instance_id = (vendor or clean).decode()
    size = _rows(query, settings.limits.page_rows)
    try:
        if vendor is not None and b"%" in relative:
            relative = whole(relative)
        found = service.hot.found(caller, instance_id, relative, query, root, size, known)
    except UnifyError:
        return False
    if found is None:
        return False
    tally(found.rows)
    headers = found.headers + common
    if found.status != 304:
        headers.append((b"content-length", b"%d" % len(found.body)))
    await send({"type": "http.response.start", "status": found.status, "headers": headers})
    await send({"type": "http.response.body", "body": found.body})
    return True


def _root(key: _Key) -> Root | None:
    """As unify.service.data.mount makes it, remembered; None for what it looks at more closely."""
    base, host, origin, scheme = key
    if origin is None:
        said = host.decode("latin-1")
        if not HOST.match(said):
            return None
        origin = f"{'https' if scheme == 'https' else 'http'}://{said}"
    if len(_roots) >= REMEMBERED:
        _roots.clear()
    made = _roots[key] = Root(f"{origin.rstrip('/')}{base.decode()}/")
    return made


def _rows(query: bytes, most: int) -> int | None:
    """Rows a page, as `unify.service.data.query.page_size` says it: all that $top allows, else 100."""
    if b"top=" not in query:
        return None if b"skiptoken=" in query else min(ROWS, most)
    if b"skiptoken=" in query:
        return None
    top = TOP.search(query)
    return min(max(int(top[1]), 1), most) if top else min(ROWS, most)
