"""Multipart batches (OData 4.01, 11.7.7): text into inquiries, replies into text.

--boundary                                       --boundary
Content-Type: application/http                   Content-Type: application/http
Content-ID: 1                                    Content-ID: 1

GET Customer('…') HTTP/1.1                       HTTP/1.1 200 OK
Accept: application/json                         Content-Type: application/json

"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from http.client import responses
from typing import Final

from unify.service.data.exchange import Inquiry, Reply
from unify.service.errors import bad_request

BOUNDARY: Final = re.compile(r"""boundary=(?:"([^"\r\n]{1,70})"|([^\s;"]{1,70}))""", re.IGNORECASE)
REQUEST_LINE: Final = re.compile(rb"([A-Z]{1,20}) +(\S+) +HTTP/\d(?:\.\d)?\Z")
END: Final = re.compile(rb"\r?\n")
BLANK: Final = re.compile(rb"\r?\n\r?\n")


@dataclass(frozen=True, slots=True)
class Part:
    """One request of a batch.

    id        of Content-ID, "" when it has none
    inquiry   `path` is the whole address as it was written; None: a change set of `members`
    """

    id: str
    inquiry: Inquiry | None
    members: tuple["Part", ...] = ()


def boundary_of(content_type: str) -> bytes:
    """Of a multipart body; ServiceError 400."""
    match = BOUNDARY.search(content_type)
    if match is None:
        hint = "send Content-Type: multipart/mixed; boundary=…"
        raise bad_request("the batch has no boundary", where="Content-Type", hint=hint)
    return (match[1] or match[2]).encode("latin-1", "replace")


def parts_of(body: bytes, boundary: bytes) -> list[bytes]:
    """The texts between boundaries. ServiceError 400 for a body that does not begin or end as it must."""
    delimiter = re.compile(rb"(?:\A|\r?\n)--" + re.escape(boundary) + rb"(--)?[ \t]*(?=\r?\n|\Z)")
    found: list[bytes] = []
    begin = -1
    for match in delimiter.finditer(body):
        if begin >= 0:
            found.append(body[begin : match.start()].removeprefix(b"\r\n").removeprefix(b"\n"))
        if match[1]:
            return found
        begin = match.end()
    message = "the batch does not end with its boundary" if begin >= 0 else "the batch does not hold its boundary"
    raise bad_request(message, where="body", hint="every part begins with --boundary, the last ends with --boundary--")


def part_of(text: bytes, number: int, *, inside: bool = False) -> Part:
    """One part, `inside` a change set or not. ServiceError 400 that names it by its number, from 1."""
    headers, content = headed(text)
    kind = headers.get("content-type", "").lower()
    id_ = headers.get("content-id", "")
    if kind.startswith("multipart/mixed"):
        if inside:
            message = f"part {number} of a change set is a change set"
            raise bad_request(message, where="body", hint="put the one beside the other")
        texts = parts_of(content, boundary_of(headers["content-type"]))
        return Part(id_, None, tuple(part_of(one, nth, inside=True) for nth, one in enumerate(texts, start=1)))
    if not kind.startswith("application/http"):
        message = f"part {number} is {kind[:60] or 'of no type'}, not application/http"
        raise bad_request(message, where="body", hint="send Content-Type: application/http for each part")
    line, _, rest = content.lstrip(b"\r\n").partition(b"\n")
    match = REQUEST_LINE.match(line.strip())
    if match is None:
        hint = "a part begins with its request, as in GET Customer HTTP/1.1"
        raise bad_request(f"part {number} has no request line", where="body", hint=hint)
    inner, body = headed(rest)
    path, _, query = match[2].partition(b"?")
    inquiry = Inquiry(match[1].decode(), path, query, inner, body, in_batch=True)
    return Part(id_ or inner.get("content-id", ""), inquiry)


def headed(text: bytes) -> tuple[dict[str, str], bytes]:
    """Headers, names in lower case, and what follows the blank line."""
    if text.startswith((b"\r\n", b"\n")):
        return {}, END.sub(b"", text, count=1)
    match = BLANK.search(text)
    head, rest = (text[: match.start()], text[match.end() :]) if match else (text, b"")
    found: dict[str, str] = {}
    for line in END.split(head):
        name, colon, value = line.decode("latin-1").partition(":")
        if colon:
            found[name.strip().lower()] = value.strip()
    return found, rest


def written(reply: Reply, id_: str, boundary: bytes) -> bytes:
    """A reply as a part."""
    reason = responses.get(reply.status, "")
    head = [b"--" + boundary, b"Content-Type: application/http", b"Content-Transfer-Encoding: binary"]
    if id_:
        head.append(b"Content-ID: " + re.sub(r"[^\x21-\x7e]", "", id_).encode())
    lines = [*head, b"", b"HTTP/1.1 %d %s" % (reply.status, reason.encode())]
    lines += [b"%s: %s" % (name.title(), value) for name, value in reply.headers]
    return b"\r\n".join([*lines, b"Content-Length: %d" % len(reply.body), b"", reply.body, b""])


def written_together(replies: Iterable[tuple[str, Reply]], outer: bytes, boundary: bytes) -> bytes:
    """The replies to a change set as a part of `outer`, which holds parts of its own."""
    head = [b"--" + outer, b"Content-Type: multipart/mixed; boundary=" + boundary, b"", b""]
    inner = b"".join(written(reply, id_, boundary) for id_, reply in replies)
    return b"\r\n".join(head) + inner + b"--" + boundary + b"--\r\n"
