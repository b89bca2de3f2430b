"""`$batch`: many questions in one request, multipart or JSON, answered one after the other and sent as they are done.

Questions, and at the vendor's root rows to write; a change set is written whole or not at all (changes.py). A request
may name an earlier one: `$1/UnifiedActivity` begins where request 1 led; `dependsOn` waits for it and fails with it.
Without `Prefer: continue-on-error` the first refusal is the last answer.
"""

import re
import secrets
from base64 import urlsafe_b64decode
from collections import ChainMap
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from unify.core.errors import UnifyError
from unify.service.asgi import JSON, Headers
from unify.service.caller import Caller, Role
from unify.service.data.changes import changed, is_write
from unify.service.data.errors import refused
from unify.service.data.exchange import Inquiry, Reply
from unify.service.data.handling import handle
from unify.service.data.mount import Mount, whole
from unify.service.data.multipart import Part, boundary_of, part_of, parts_of, written, written_together
from unify.service.data.negotiate import VARY, preferences, version_of
from unify.service.errors import ServiceError, bad_request
from unify.service.management.depends import hosted_for

if TYPE_CHECKING:
    from unify.service.app import Service

REFERENCE: Final = re.compile(rb"(?:\$|%24)([^/?$]+)(?=/|\Z)")
MEMBERS: Final = frozenset(("id", "method", "url", "headers", "body", "dependsOn", "atomicityGroup", "if"))
SYSTEM: Final = (b"metadata", b"batch", b"entity", b"all", b"crossjoin", b"query")


@dataclass(frozen=True, slots=True)
class Item:
    """One request, or a change set.

    inquiry   None: a change set of `members`, ids and requests
    after     ids that it depends on
    problem   why it cannot even be asked
    """

    id: str
    inquiry: Inquiry | None
    after: tuple[str, ...] = ()
    problem: UnifyError | None = None
    members: tuple[tuple[str, Inquiry], ...] = ()


Answer = tuple[str, Reply] | list[tuple[str, Reply]]
"""To one request, with its id, or to the members of a change set that was written."""


@dataclass
class _Done:
    """What became of the requests so far: their paths, by id, and which failed."""

    paths: dict[str, bytes] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)


async def batch(service: "Service", mount: Mount, caller: Caller, inquiry: Inquiry) -> Reply:
    """The reply, whose parts are made while it is sent. ServiceError 400 and 415 for what is no batch."""
    if inquiry.in_batch:
        raise bad_request("a batch holds no batch", where="$batch", hint="send its requests in the outer one")
    hosted_for(service, caller, mount.instance, Role.READER)
    version = version_of(inquiry)
    prefer = preferences(inquiry).get("continue-on-error")
    goes_on = prefer is not None and prefer.lower() != "false"
    is_json = inquiry.media == "application/json"
    items = _json_items(inquiry) if is_json else _multipart_items(inquiry)
    most = service.settings.limits.batch_requests
    count = sum(len(item.members) or 1 for item in items)
    if count > most:
        message = f"{count:,} requests are more than the {most:,} that a batch may hold"
        raise bad_request(message, where="$batch", hint="send several batches", key="tooManyRequests")
    answers = _answers(service, mount, caller, items, goes_on=goes_on)
    headers: Headers = [(b"odata-version", version.encode()), VARY]
    if prefer is not None:
        name = b"odata.continue-on-error" if version == "4.0" else b"continue-on-error"
        headers.append((b"preference-applied", b"%s=%s" % (name, b"true" if goes_on else b"false")))
    if is_json:
        return Reply(200, headers=[JSON, *headers], parts=_json_text(answers))
    boundary = b"batchresponse_" + secrets.token_hex(12).encode()
    content = (b"content-type", b"multipart/mixed; boundary=" + boundary)
    return Reply(200, headers=[content, *headers], parts=_multipart_text(answers, boundary))


async def _answers(
    service: "Service", mount: Mount, caller: Caller, items: Iterable[Item], *, goes_on: bool
) -> AsyncIterator[Answer]:
    done = _Done()
    for item in items:
        try:
            answer = await _answer(service, mount, caller, item, done)
        except UnifyError as error:
            answer = item.id, refused(error, vendor=mount.vendor)
        failed = isinstance(answer, tuple) and answer[1].status >= 400
        if failed and item.id:
            done.failed.add(item.id)
        yield answer
        if failed and not goes_on:
            return


async def _answer(service: "Service", mount: Mount, caller: Caller, item: Item, done: _Done) -> Answer:
    if item.problem is not None:
        raise item.problem
    for id_ in item.after:
        if id_ in done.failed:
            raise ServiceError(424, f"request {id_[:40]!r}, which this one depends on, failed", where="dependsOn")
        if id_ not in done.paths:
            hint = "name a request that stands before this one"
            raise bad_request(f"there is no request {id_[:40]!r} before this one", where="dependsOn", hint=hint)
    if item.inquiry is None or (mount.vendor and is_write(item.inquiry)):
        return await _changed(service, mount, caller, item, done)
    path = _located(mount, _resolved(item.inquiry.path, done.paths))
    if item.id:
        done.paths[item.id] = path
    path = whole(path) if mount.vendor else path
    return item.id, await handle(service, mount, caller, replace(item.inquiry, path=path))


async def _changed(service: "Service", mount: Mount, caller: Caller, item: Item, done: _Done) -> Answer:
    """Of a change set, or of a write that stands alone."""
    if not mount.vendor:
        hint = f"send GETs here, and writes to /v1/instances/{mount.instance}/data/$batch"
        raise ServiceError(405, "a change set writes, and rows are only read here", where="$batch", hint=hint)

    def locate(address: bytes, paths: dict[str, bytes]) -> bytes:
        return _located(mount, _resolved(address, ChainMap(paths, done.paths)))

    members = ((item.id, item.inquiry),) if item.inquiry is not None else item.members
    found = await changed(service, mount, caller, members, locate)
    done.paths |= found.paths
    return found.replies if found.kept and item.inquiry is None else found.replies[0]


def _resolved(path: bytes, paths: Mapping[str, bytes]) -> bytes:
    """The address with `$1` at its begin in the place of where request 1 led."""
    match = REFERENCE.match(path)
    if match is None or match[1].lower() in SYSTEM:
        return path
    id_ = match[1].decode("latin-1")
    if id_ not in paths:
        message = f"Content-ID reference ${id_[:40]} does not exist in the batch"
        raise bad_request(message, where="url", hint="refer to a request that stands before this one")
    return paths[id_] + path[match.end() :]


def _located(mount: Mount, address: bytes) -> bytes:
    """The path behind the service root of an address that is absolute, absolute on this host, or relative to the root.

    ServiceError 404 for one of another root: a batch asks one instance.
    """
    rest = address
    match = re.match(rb"https?://[^/]*", rest, re.IGNORECASE)
    if match is not None:
        rest = rest[match.end() :] or b"/"
    elif not rest.startswith(b"/"):
        return rest
    base = mount.base.encode("latin-1")
    if rest == base or rest.startswith(base + b"/"):
        return rest[len(base) + 1 :]
    raise ServiceError(
        404, "this address is of another service than the batch", where="url", hint=f"begin with {mount.root}"
    )


# ── multipart ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _multipart_items(inquiry: Inquiry) -> list[Item]:
    if inquiry.media != "multipart/mixed":
        message = f"a batch is multipart/mixed or application/json, not {inquiry.media[:60] or 'of no type'}"
        raise ServiceError(415, message, where="Content-Type", hint="send one of the two")
    texts = parts_of(inquiry.body, boundary_of(inquiry.headers["content-type"]))
    return [_multipart_item(part_of(text, number)) for number, text in enumerate(texts, start=1)]


def _multipart_item(part: Part) -> Item:
    members = tuple((one.id, one.inquiry) for one in part.members if one.inquiry is not None)
    return Item(part.id, part.inquiry, members=members)


async def _multipart_text(answers: AsyncIterator[Answer], boundary: bytes) -> AsyncIterator[bytes]:
    async for answer in answers:
        if isinstance(answer, list):
            yield written_together(answer, boundary, b"changesetresponse_" + secrets.token_hex(12).encode())
        else:
            yield written(answer[1], answer[0], boundary)
    yield b"--" + boundary + b"--\r\n"


# ── JSON ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _json_items(inquiry: Inquiry) -> list[Item]:
    try:
        document = orjson.loads(inquiry.body)
    except orjson.JSONDecodeError as error:
        raise bad_request(f"the batch is no JSON: {error.msg}", where=f"body, character {error.pos + 1}") from None
    requests = document.get("requests") if isinstance(document, dict) else None
    if not isinstance(requests, list):
        hint = 'send {"requests":[{"id":"1","method":"GET","url":"Customer"}]}'
        raise bad_request("the batch has no requests", where="body", hint=hint)
    items = [_json_item(one, number) for number, one in enumerate(requests)]
    ids = [item.id for item in items]
    twice = next((id_ for id_ in ids if ids.count(id_) > 1), None) if len(set(ids)) < len(ids) else None
    if twice is not None:
        raise bad_request(f"two requests have the id {twice[:40]!r}", where="requests", hint="give each its own")
    return items


def _json_item(one: Any, number: int) -> Item:
    """One request. ServiceError 400 for what is none; what OData has and this service has not is its own answer."""
    where = f"requests[{number}]"
    if not isinstance(one, dict):
        raise bad_request(
            "a request is an object", where=where, hint='as in {"id":"1","method":"GET","url":"Customer"}'
        )
    if unknown := [name for name in one if name not in MEMBERS and not name.startswith("@")]:
        raise bad_request(
            f"a request has no {unknown[0][:40]!r}", where=where, hint=f"it has {', '.join(sorted(MEMBERS))}"
        )
    id_, method, url, after = one.get("id"), one.get("method"), one.get("url"), one.get("dependsOn", [])
    headers = one.get("headers") or {}
    if (
        not (isinstance(id_, str) and id_ and isinstance(method, str) and isinstance(url, str))
        or not isinstance(headers, dict)
        or not isinstance(after, list)
    ):
        hint = "id, method and url are text, headers an object, dependsOn a list of ids"
        raise bad_request("this is no request", where=where, hint=hint)
    problem = None
    if "if" in one:
        problem = ServiceError(
            501, "conditions between requests are not answered", where=f"{where}.if", hint="use dependsOn"
        )
    elif one.get("atomicityGroup") is not None:
        message = "atomicity groups are not answered"
        hint = "send a change set in a multipart batch"
        problem = ServiceError(501, message, where=f"{where}.atomicityGroup", hint=hint)
    said = {str(name).lower(): str(value) for name, value in headers.items()}
    path, _, query = url.encode().partition(b"?")
    inquiry = Inquiry(method.upper(), path, query, said, _json_body(one.get("body"), said, where), in_batch=True)
    return Item(id_, inquiry, tuple(map(str, after)), problem)


def _json_body(body: Any, headers: dict[str, str], where: str) -> bytes:
    """A body as bytes: JSON as it is, text as text, anything else base64url."""
    if body is None:
        return b""
    kind = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind == "application/json":
        return orjson.dumps(body)
    if not isinstance(body, str):
        raise bad_request(f"a body of {kind[:60]} is text", where=f"{where}.body", hint="write a string")
    if kind.startswith("text/") or kind == "application/x-www-form-urlencoded":
        return body.encode()
    try:
        return urlsafe_b64decode(body + "=" * (-len(body) % 4))
    except ValueError:
        raise bad_request(f"a body of {kind[:60]} is base64url", where=f"{where}.body") from None


async def _json_text(answers: AsyncIterator[Answer]) -> AsyncIterator[bytes]:
    first = True
    yield b'{"responses":['
    async for answer in answers:
        for id_, reply in answer if isinstance(answer, list) else [answer]:
            yield (b"" if first else b",") + _json_response(id_, reply)
            first = False
    yield b"]}"


def _json_response(id_: str, reply: Reply) -> bytes:
    said: dict[str, Any] = {"id": id_, "status": reply.status}
    said["headers"] = {name.decode("latin-1"): value.decode("latin-1") for name, value in reply.headers}
    text = orjson.dumps(said)
    if not reply.body:
        return text
    is_json = reply.header(b"content-type").startswith(b"application/json")
    body = reply.body if is_json else orjson.dumps(reply.body.decode("utf-8", "replace"))
    return text[:-1] + b',"body":' + body + b"}"
