"""File columns: a file in one request, or in parts that follow each other.

PATCH accounts(…)/acme_contract          x-ms-file-name: contract.pdf          204
PATCH …?x-ms-file-name=contract.pdf      x-ms-transfer-mode: chunked           200, Location, x-ms-chunk-size
PATCH {Location}                         Content-Range: bytes 0-4194303/9000000    206, and 204 for the last
GET   accounts(…)/acme_contract          JSON with base64        …/$value      the bytes; both with Range
DELETE accounts(…)/acme_contract
"""

import base64
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, unquote

from unify.dataverse.query import Questions
from unify.dataverse.writes import Writes
from unify.service.asgi import Headers
from unify.service.data.exchange import Inquiry, Reply
from unify.service.dataverse.address import pairs_of
from unify.service.dataverse.allowed import not_allowed
from unify.service.dataverse.answers import json_reply
from unify.service.dataverse.chunks import CHUNK, Chunks
from unify.service.dataverse.places import Column, no_segment
from unify.service.errors import ServiceError, bad_request

if TYPE_CHECKING:
    from unify.service.dataverse.session import Session

PART: Final = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})\Z")
RANGE: Final = re.compile(r"bytes=(\d{1,15})-(\d{0,15})\Z")
CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
LONGEST_NAME: Final = 255
ALLOWED: Final = "GET, HEAD, PATCH, PUT, DELETE, OPTIONS"


def read(session: "Session", questions: Questions, inquiry: Inquiry, tail: str, column: Column, id_: str) -> Reply:
    """The file, or the part of it that Range names; 204 where there is none."""
    if tail not in ("", "$value"):
        raise no_segment(tail)
    table, name = column.owner.table, column.attribute.name
    found = session.reader(questions.reading).file(table.name, id_, name)
    if found is None:
        return Reply(204)
    file_name, kind, content = found
    status, begin, end = _range(inquiry.header("range"), len(content))
    headers = _file_headers(file_name, len(content))
    if status == 206:
        headers.append((b"content-range", b"bytes %d-%d/%d" % (begin, end - 1, len(content))))
    if tail:
        media = kind if re.fullmatch(r"[\w.+-]{1,80}/[\w.+-]{1,80}", kind) else "application/octet-stream"
        return Reply(status, content[begin:end], [(b"content-type", media.encode()), *headers])
    context = f"{session.mount.root}$metadata#{table.set_name}({id_})/{name}"
    body = {"@odata.context": context, "value": base64.b64encode(content[begin:end]).decode()}
    return json_reply(inquiry, status, body, headers)


def _range(text: str | None, size: int) -> tuple[int, int, int]:
    """Status, begin and end. ServiceError 416 for a range that begins behind the end; others are passed over."""
    match = RANGE.match(text or "")
    if match is None:
        return 200, 0, size
    begin, end = int(match[1]), min(int(match[2]) + 1, size) if match[2] else size
    if begin >= size or end <= begin:
        headers = {"Content-Range": f"bytes */{size}"}
        raise ServiceError(416, f"the file has {size:,} bytes", where="Range", headers=headers)
    return 206, begin, end


def _file_headers(name: str, size: int) -> Headers:
    plain = re.sub(r'[^\x20-\x7e]|["\\]', "_", name)
    disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"
    return [
        (b"content-disposition", disposition.encode()),
        (b"x-ms-file-name", quote(name, safe=" !#$&'()+,;=@[]{}~").encode()),
        (b"x-ms-file-size", b"%d" % size),
    ]


def write(session: "Session", writes: Writes, inquiry: Inquiry, column: Column, id_: str) -> Reply:
    """Set, empty, or set bit by bit. 200 and 206 on the way, 204 at the end."""
    table, name = column.owner.table.name, column.attribute.name
    if inquiry.method == "DELETE":
        writes.clear_file(table, id_, name)
        return Reply(204)
    if inquiry.method not in ("PATCH", "PUT"):
        raise not_allowed(inquiry.method, ALLOWED)
    query = dict(pairs_of(inquiry.query))
    if "sessiontoken" in query:
        return _part(session, writes, inquiry, query["sessiontoken"], (table, id_, name))
    file_name = _name(inquiry, query)
    if (inquiry.header("x-ms-transfer-mode") or "").lower() == "chunked":
        token = Chunks(session.instance.path).begin(table, id_, name, file_name)
        address = f"{session.mount.root}{inquiry.path.decode('ascii', 'ignore')}?sessiontoken={token}"
        return Reply(200, headers=[(b"location", address.encode()), (b"x-ms-chunk-size", b"%d" % CHUNK)])
    writes.put_file(table, id_, name, file_name, inquiry.body, inquiry.media)
    return Reply(204)


def _name(inquiry: Inquiry, query: dict[str, str]) -> str:
    """Of the file: a header, or an option. ServiceError 400."""
    said = query.get("x-ms-file-name")
    if said is None:
        header = inquiry.header("x-ms-file-name") or ""
        said = unquote(header.encode("latin-1", "replace").decode("utf-8", "replace"))
    said = CONTROL.sub("", said).replace("\\", "/").rsplit("/", 1)[-1]
    if not said or len(said) > LONGEST_NAME:
        hint = f"send x-ms-file-name, at most {LONGEST_NAME} characters"
        raise bad_request("the file has no name, or too long a one", where="x-ms-file-name", hint=hint)
    return said


def _part(session: "Session", writes: Writes, inquiry: Inquiry, token: str, of: tuple[str, str, str]) -> Reply:
    match = PART.match(inquiry.header("content-range") or "")
    if match is None:
        hint = "as in Content-Range: bytes 0-4194303/9000000"
        raise bad_request("where the part belongs is not said", where="Content-Range", hint=hint)
    begin, end, size = int(match[1]), int(match[2]) + 1, int(match[3])
    if end - begin != len(inquiry.body) or end > size:
        message = f"the part has {len(inquiry.body):,} bytes, and Content-Range speaks of {max(end - begin, 0):,}"
        raise bad_request(message, where="Content-Range")
    chunks = Chunks(session.instance.path)
    whole = chunks.add(token, of, begin, size, inquiry.body)
    if whole is None:
        return Reply(206)
    writes.put_file(*of, whole.name, whole.content, "application/octet-stream")
    session.afters.append(lambda: chunks.forget(token))
    return Reply(204)
