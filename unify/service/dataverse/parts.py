"""Batches as text: requests out of multipart bodies, answers into them.

    --batch_1                                              one request
    Content-Type: application/http

    GET /api/data/v9.2/accounts?$filter=name eq 'A' HTTP/1.1

    --batch_1                                              a change set: all or none
    Content-Type: multipart/mixed; boundary="changeset_2"

    --changeset_2 …

Clients write addresses with spaces in them, end lines with LF or CRLF, and put an empty line before the first boundary.
"""

import re
from dataclasses import dataclass
from http.client import responses
from typing import Final

from unify.service.data.exchange import Inquiry, Reply
from unify.service.data.multipart import boundary_of, headed, parts_of
from unify.service.errors import ServiceError, bad_request

REQUEST_LINE: Final = re.compile(rb"([A-Za-z]{1,20})[ \t]+(.+?)(?:[ \t]+HTTP/\d(?:\.\d)?)?[ \t\r]*\Z", re.DOTALL)
MOST: Final = 1000
"""Requests of a batch, those in change sets too."""
LONGEST_URL: Final = 65_536
"""Of a request in a batch."""
SPELT: Final = {
    b"odata-version": b"OData-Version", b"odata-entityid": b"OData-EntityId", b"etag": b"ETag", b"req_id": b"REQ_ID",
    b"location": b"Location", b"content-type": b"Content-Type",
}  # fmt: skip
"""Clients look for these in text, with case."""


@dataclass(frozen=True, slots=True)
class Item:
    """One request of a batch, or a change set.

    id        of Content-ID, "" when it has none
    inquiry   `path` is the whole address as it was written; None: `members` are the requests of a change set
    """

    id: str
    inquiry: Inquiry | None
    members: tuple["Item", ...] = ()


def items_of(inquiry: Inquiry) -> list[Item]:
    """The requests of a batch. ServiceError 400 and 415 for what is none."""
    if inquiry.media != "multipart/mixed":
        message = f"a batch is multipart/mixed, not {inquiry.media[:60] or 'of no type'}"
        raise ServiceError(415, message, where="Content-Type", hint="send Content-Type: multipart/mixed; boundary=…")
    texts = parts_of(inquiry.body, boundary_of(inquiry.headers["content-type"]))
    if len(texts) > MOST:
        raise _too_many(len(texts))
    items = [_item(text, number) for number, text in enumerate(texts, start=1)]
    count = sum(len(item.members) or 1 for item in items)
    if count > MOST:
        raise _too_many(count)
    return items


def _too_many(count: int) -> ServiceError:
    message = f"The maximum number of requests in a batch is {MOST}, and this has {count:,}."
    return bad_request(message, where="$batch", hint="send several batches")


def _item(text: bytes, number: int) -> Item:
    headers, content = headed(text)
    if not headers.get("content-type", "").lower().startswith("multipart/mixed"):
        return _request(headers, content, f"part {number}")
    members = parts_of(content, boundary_of(headers["content-type"]))
    found = [_request(*headed(one), f"request {place} of part {number}") for place, one in enumerate(members, start=1)]
    ids = [item.id for item in found if item.id]
    if len(set(ids)) < len(ids):
        twice = next(id_ for id_ in ids if ids.count(id_) > 1)
        raise bad_request(f"two requests of part {number} have the Content-ID {twice[:40]!r}", where="body")
    return Item(headers.get("content-id", ""), None, tuple(found))


def _request(headers: dict[str, str], content: bytes, name: str) -> Item:
    kind = headers.get("content-type", "").lower()
    if not kind.startswith("application/http"):
        message = f"{name} is {kind[:60] or 'of no type'}, not application/http"
        if kind.startswith("multipart/mixed"):
            message = f"{name} is a change set inside a change set"
        raise bad_request(message, where="body", hint="send Content-Type: application/http for each request")
    line, _, rest = content.lstrip(b"\r\n").partition(b"\n")
    match = REQUEST_LINE.match(line)
    if match is None:
        hint = "it begins with its request, as in GET /api/data/v9.2/accounts HTTP/1.1"
        raise bad_request(f"{name} has no request line", where="body", hint=hint)
    if len(match[2]) > LONGEST_URL:
        raise ServiceError(414, f"the URL of {name} is longer than {LONGEST_URL:,} bytes", where="body")
    inner, body = headed(rest)
    path, _, query = match[2].partition(b"?")
    inquiry = Inquiry(match[1].decode().upper(), path, query, inner, body, in_batch=True)
    return Item(headers.get("content-id", "") or inner.get("content-id", ""), inquiry)


def written(reply: Reply, id_: str, boundary: bytes) -> bytes:
    """An answer as a part."""
    reason = responses.get(reply.status, "Unknown")
    head = [b"--" + boundary, b"Content-Type: application/http", b"Content-Transfer-Encoding: binary"]
    if id_:
        head.append(b"Content-ID: " + re.sub(r"[^\x21-\x7e]", "", id_).encode())
    lines = [*head, b"", b"HTTP/1.1 %d %s" % (reply.status, reason.encode())]
    lines += [SPELT.get(name, name) + b": " + value for name, value in reply.headers]
    return b"\r\n".join([*lines, b"", reply.body, b""])


def written_set(members: list[tuple[str, Reply]], boundary: bytes, inner: bytes) -> bytes:
    """The answers to a change set as a part: its head is one line, since clients take the first line away."""
    head = b"--" + boundary + b"\r\nContent-Type: multipart/mixed; boundary=" + inner + b"\r\n\r\n"
    return head + b"".join(written(reply, id_, inner) for id_, reply in members) + b"--" + inner + b"--\r\n"
