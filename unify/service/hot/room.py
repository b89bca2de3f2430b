"""Memberships: in which segments customers are, many customers and segments at once. A dialect of our own.

    GET  …/instances/{id}/memberships/{customer}[?segment=A&segment=B]
    POST …/instances/{id}/memberships/check   {"customers": ["…", "crm.Contacts:C-1"], "segments": ["A", "B"]}

A customer is a CustomerId, also a retired one, or a record. Without segments: all in force.
"""

import asyncio
import re
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Final
from urllib.parse import parse_qsl

import orjson

from unify.core.errors import NotFoundError, NotPublishedError, did_you_mean
from unify.service.access.tally import tally
from unify.service.access.visibility import Visibility
from unify.service.asgi import JSON, Headers, Receive, Scope, Send, body_of, header, respond
from unify.service.caller import Caller, Role
from unify.service.data.negotiate import matches
from unify.service.errors import ServiceError, bad_request
from unify.service.hosted import Hosted
from unify.service.hot.check import Checked, check
from unify.service.hot.snapshot import Snapshot
from unify.service.management.depends import hosted_for
from unify.service.management.errors import api_error

if TYPE_CHECKING:
    from unify.service.app import Service

PATH: Final = re.compile(r"(?:/v1|/api)?/instances/([^/]+)/memberships/(.+)\Z", re.DOTALL)
CHECK: Final = "check"
MOST: Final = 1_000_000
"""Customers times segments of one request: half a second, and 30 MB of answer when everybody is in everything."""
MANY: Final = 20_000
"""Beyond so many a thread answers: one after the other they would hold up everybody else."""
POLL_S: Final = 0.02


class MembershipRoom:
    """Errors are those of the management API."""

    public: ClassVar[bool] = False

    def __init__(self, service: "Service") -> None:
        self._service = service

    def takes(self, path: str) -> bool:
        """See Room."""
        return "/memberships/" in path and PATH.match(path) is not None

    async def answer(self, scope: Scope, receive: Receive, send: Send, caller: Caller) -> None:
        """See Room."""
        match = PATH.match(scope["path"])
        assert match is not None
        instance_id, rest = match.groups()
        scope["unify.route"] = "/instances/{instanceId}/memberships/…"
        checking = rest == CHECK and scope["method"] == "POST"
        if not checking and scope["method"] not in ("GET", "HEAD"):
            allowed = "GET, POST" if rest == CHECK else "GET"
            raise ServiceError(405, f"{scope['method'][:20]} is not answered here", headers={"Allow": allowed})
        hosted = hosted_for(self._service, caller, instance_id, Role.READER)
        if checking:
            body = await body_of(receive, self._service.settings.limits.body_bytes)
            customers, segments = _said(body, self._service.settings.limits.page_rows)
        else:
            customers, segments = [rest], _named(scope["query_string"])
        seen = hosted.policy(caller).segments
        _refuse_unseen(segments or (), seen)
        snapshot = await self._snapshot(hosted, segments or ())
        heads = snapshot.heads(time.time(), None if seen is None else Visibility(segments=seen))
        if not checking and matches((header(scope, b"if-none-match") or b"").decode("latin-1"), heads.etag):
            await respond(send, 304, b"", heads.unchanged.headers)
            return
        headers = [JSON, *heads.unchanged.headers]
        plain = hosted.policy(caller).everything
        checked = await _checked(snapshot, heads.state, customers, segments, seen, records=plain)
        tally(len(customers))
        await respond(send, 200, orjson.dumps(checked.many() if checking else checked.one()), headers)

    def refusal(self, scope: Scope, error: Exception, status: int) -> tuple[bytes, Headers]:
        """See Room."""
        return orjson.dumps(api_error(error, status, self._service.settings.root).wire()), [JSON]

    async def _snapshot(self, hosted: Hosted, segments: Sequence[str]) -> Snapshot:
        """The snapshot, as soon as it is there and has the segments. What the slow way raises of a segment that has no
        members in force; ServiceError 503 when it takes too long."""
        keeper = self._service.hot.keeper(hosted.id)
        until = time.monotonic() + self._service.settings.limits.seconds
        asked = False
        while time.monotonic() < until:
            snapshot, now = keeper.current(), time.time()
            if snapshot is not None and all(snapshot.members(name, now) is not None for name in segments):
                return snapshot
            if snapshot is None and keeper.nothing:
                where = hosted.id
                raise NotPublishedError(
                    "nothing has been published yet", where=where, hint="run a job of operation All"
                )
            if snapshot is not None and not asked:
                await hosted.ask(lambda acme: acme.segments().bitmaps(segments))
                asked = True  # they have members: the snapshot is about to follow
            await asyncio.sleep(POLL_S)
        hint = "ask again in a moment"
        raise ServiceError(503, "the snapshot of the members is being made", hint=hint, headers={"Retry-After": "2"})


async def _checked(
    snapshot: Snapshot,
    state: str,
    customers: Sequence[str],
    segments: Sequence[str] | None,
    seen: tuple[str, ...] | None,
    *,
    records: bool,
) -> Checked:
    names = list(dict.fromkeys(snapshot.in_force(time.time()) if segments is None else segments))
    if seen is not None and segments is None:
        names = [name for name in names if name in seen]
    size = len(customers) * len(names)
    if size > MOST:
        message = f"{len(customers):,} customers in {len(names):,} segments are more than {MOST:,} checks"
        raise bad_request(message, hint="ask in several requests")
    if size > MANY:
        return await asyncio.to_thread(check, snapshot, state, customers, names, seen, records=records)
    return check(snapshot, state, customers, names, seen, records=records)


def _refuse_unseen(segments: Sequence[str], seen: tuple[str, ...] | None) -> None:
    """In the words of a segment that is not there: that it is would be told otherwise."""
    for name in segments if seen is not None else ():
        if name not in (seen or ()):
            raise NotFoundError(f"there is no segment {name!r}", hint=did_you_mean(name, seen or ()))


def _named(query: bytes) -> list[str] | None:
    """The segments of a query; None when it names none."""
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, strict_parsing=bool(query), errors="strict")
    except (UnicodeDecodeError, ValueError):
        raise bad_request("the query cannot be read", where="query", hint="as in ?segment=A&segment=B") from None
    other = next((name for name, _ in pairs if name != "segment"), None)
    if other is not None:
        raise bad_request(f"there is no parameter {other[:40]!r}", where="query", hint="did you mean segment?")
    return [value for _, value in pairs] or None


def _said(body: bytes, most: int) -> tuple[list[str], list[str] | None]:
    """Customers and segments of a body; ServiceError 400 for one that says something else."""
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"the body is no JSON: {error.msg}", where="body") from None
    if not isinstance(said, dict):
        raise bad_request("the body is no object", where="body", hint='as in {"customers": ["…"], "segments": ["vip"]}')
    if other := said.keys() - {"customers", "segments"}:
        raise bad_request(f"there is no {min(other)[:40]!r}", where="body", hint="customers and segments")
    customers = _texts(said.get("customers"), "customers")
    if not 1 <= len(customers) <= most:
        raise bad_request(f"{len(customers):,} customers", where="body.customers", hint=f"1 to {most:,} at once")
    segments = said.get("segments")
    return customers, None if segments is None else _texts(segments, "segments")


def _texts(value: Any, name: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise bad_request(f"{name} is no list of texts", where=f"body.{name}")
    return value
