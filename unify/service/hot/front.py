"""From a request to a hot answer: what the room of OData does for every question, for those that need little of it.

Requests with headers that ask for more than plain JSON, errors, and everything that no pattern fits are None here: the
room takes its own way, which asks `Hot.answer` once more and words refusals.
"""

import re
from typing import TYPE_CHECKING, Final

from unify.core.errors import UnifyError
from unify.service.asgi import Headers, Scope, Send
from unify.service.caller import Caller
from unify.service.data.limits import check_url
from unify.service.data.mount import HOST, whole
from unify.service.data.negotiate import NEWEST, VARY

if TYPE_CHECKING:
    from unify.service.app import Service

RAW: Final = re.compile(rb"((?:/v1|/api)?/instances/([A-Za-z0-9_.-]+)/data|/odata/([A-Za-z0-9_.-]+))/(Customer.*)\Z")
"""Addresses of customers; ids of instances as they are, encoded ones are for the slow way."""
TOP: Final = re.compile(rb"(?:\A|&)(?:\$|%24)top=([0-9]{1,9})(?:&|\Z)")
ROWS: Final = 100
NEW: Final[Headers] = [(b"odata-version", NEWEST.encode()), VARY]
OLD: Final[Headers] = [(b"odata-version", b"4.0"), VARY]


async def answered(service: "Service", scope: Scope, send: Send, caller: Caller) -> bool:
    """Answer from memory; whether that was possible. Nothing was sent when it was not."""
    match = RAW.match(scope["raw_path"]) if "raw_path" in scope else None
    if match is None or scope["method"] != "GET":
        return False
    base, vendor, clean, relative = match.groups()
    host, old = b"", False
    for name, value in scope["headers"]:
        if name == b"host":
            host = value
        elif name in (b"odata-maxversion", b"odata-version"):
            old = True  # 4.0, or `Hot.answer` gives nothing
    url = service.settings.public_url
    if url is None:
        said = host.decode("latin-1")
        if not HOST.match(said):
            return False
        url = f"{'https' if scope['scheme'] == 'https' else 'http'}://{said}"
    query: bytes = scope["query_string"]
    limits = service.settings.limits
    try:
        check_url(len(relative) + len(query), limits)
        found = service.hot.answer(
            scope,
            caller,
            (vendor or clean).decode(),
            relative if vendor is None else whole(relative),
            f"{url.rstrip('/')}{base.decode()}/",
            _rows(query, limits.page_rows),
        )
    except UnifyError:
        return False
    if found is None:
        return False
    headers = [*found.headers, *(OLD if old else NEW)]
    if found.status != 304:
        headers.append((b"content-length", b"%d" % len(found.body)))
    await send({"type": "http.response.start", "status": found.status, "headers": headers})
    await send({"type": "http.response.body", "body": found.body})
    return True


def _rows(query: bytes, most: int) -> int | None:
    """Rows a page, as `unify.service.data.query.page_size` says it: all that $top allows, else 100."""
    if b"top=" not in query:
        return None if b"skiptoken=" in query else min(ROWS, most)
    if b"skiptoken=" in query:
        return None
    top = TOP.search(query)
    return min(max(int(top[1]), 1), most) if top else min(ROWS, most)
