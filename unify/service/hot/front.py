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
from unify.service.data.mount import whole
from unify.service.data.negotiate import NEWEST, VARY
from unify.service.hot.answer import LOOKED_AT, PLAIN, Root
from unify.service.origin import HOST

if TYPE_CHECKING:
    from unify.service.app import Service

CUSTOMER: Final = b"/Customer"
BASE: Final = re.compile(rb"(?:/v1|/api)?/instances/([A-Za-z0-9_.-]+)/data\Z|/odata/([A-Za-z0-9_.-]+)\Z")
"""Service roots; ids of instances as they are, encoded ones are for the slow way."""
TOP: Final = re.compile(rb"(?:\A|&)(?:\$|%24)top=([0-9]{1,9})(?:&|\Z)")
ROWS: Final = 100
NEW: Final[Headers] = [(b"odata-version", NEWEST.encode()), VARY]
OLD: Final[Headers] = [(b"odata-version", b"4.0"), VARY]
REMEMBERED: Final = 256
"""Roots: one for each spelling of an address that clients use."""
_Key = tuple[bytes, bytes, str | None, str]
_Mounted = tuple[str, bool, Root]
"""Id of the instance, whether it is the vendor's dialect, and the root."""
_mounted: dict[_Key, _Mounted] = {}


async def answered(service: "Service", scope: Scope, send: Send, caller: Caller) -> bool:
    """Answer from memory; whether that was possible. Nothing was sent when it was not."""
    raw: bytes = scope.get("raw_path") or b""
    at = raw.find(CUSTOMER)
    if at < 0 or scope["method"] != "GET":
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
            elif name not in (b"accept", b"content-type"):
                common = OLD  # of those that are left only 4.0 is plain
    settings = service.settings
    key = (raw[:at], host, settings.public_url, scope["scheme"])
    mounted = _mounted.get(key) or _mount(key)
    if mounted is None:
        return False
    instance_id, vendor, root = mounted
    relative, query = raw[at + 1 :], scope["query_string"]
    size = _rows(query, settings.limits.page_rows)
    try:
        if vendor and b"%" in relative:
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


def _mount(key: _Key) -> _Mounted | None:
    """As unify.service.data.mount makes it, remembered; None for what it looks at more closely."""
    base, host, origin, scheme = key
    match = BASE.match(base)
    if match is None:
        return None
    if origin is None:
        said = host.decode("latin-1")
        if not HOST.match(said):
            return None
        origin = f"{'https' if scheme == 'https' else 'http'}://{said}"
    if len(_mounted) >= REMEMBERED:
        _mounted.clear()
    root = Root(f"{origin.rstrip('/')}{base.decode()}/")
    made = _mounted[key] = ((match[1] or match[2]).decode(), match[1] is not None, root)
    return made


def _rows(query: bytes, most: int) -> int | None:
    """Rows a page, as `unify.service.data.query.page_size` says it: all that $top allows, else 100."""
    if b"top=" not in query:
        return None if b"skiptoken=" in query else min(ROWS, most)
    if b"skiptoken=" in query:
        return None
    top = TOP.search(query)
    return min(max(int(top[1]), 1), most) if top else min(ROWS, most)
