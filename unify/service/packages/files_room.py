"""`/dmf/{instance}/{file}`: files of data packages by signed URL, as Azure's block blobs are written and read.

    PUT  x-ms-blob-type: BlockBlob                     whole: 201, ETag, Content-MD5
    PUT  ?comp=block&blockid=…  PUT ?comp=blocklist    in blocks, joined by the list
    GET, HEAD                                          whole, or a Range (x-ms-range): 200, 206, 416

No credential but the signature: the URL says who may do what, and until when. Errors are Azure's XML.
"""

import asyncio
import base64
import binascii
import email.utils
import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, ClassVar, Final
from urllib.parse import parse_qsl
from uuid import uuid4
from xml.sax.saxutils import escape

from ingest.packages import PackageError, PackageLimits
from ingest.packages.xml import tree
from unify.core.errors import UnifyError
from unify.service.asgi import ClientGoneError, Headers, Receive, Scope, Send, body_of, header, respond
from unify.service.caller import Caller
from unify.service.errors import ServiceError
from unify.service.packages.files import File, Files, too_long
from unify.service.packages.signing import PREFIX, READ, WRITE, Links, Place

if TYPE_CHECKING:
    from unify.service.app import Service

PART: Final = 2**20
"""Bytes that are read or written at a time."""
LIST_BYTES: Final = 8 * 2**20
"""Of a list of blocks: 50,000 of them take 6 MB."""
RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")
CODES: Final = {400: "InvalidInput", 403: "AuthenticationFailed", 404: "BlobNotFound", 405: "UnsupportedHttpVerb",
                413: "RequestBodyTooLarge", 416: "InvalidRange", 500: "InternalError"}  # fmt: skip


class FilesRoom:
    """See the module."""

    public: ClassVar[bool] = True

    def __init__(self, service: "Service") -> None:
        self._service = service
        self._links = Links(service.database)
        self._files = Files(service.database, service.settings.root)

    def takes(self, path: str) -> bool:
        """See Room."""
        return path.startswith(PREFIX)

    async def answer(self, scope: Scope, receive: Receive, send: Send, caller: Caller) -> None:
        """See Room. Nobody is asked who they are: `caller` is nobody in particular."""
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
        scope["query_string"] = b""  # what proves an URL is written nowhere
        scope["unify.route"] = "/dmf/{instance}/{file}"
        method = scope["method"]
        if method not in ("GET", "HEAD", "PUT"):
            raise ServiceError(405, "files are read and written", headers={"Allow": "GET, HEAD, PUT"})
        permission = WRITE if method == "PUT" else READ
        place = await asyncio.to_thread(self._links.check, raw.decode("latin-1"), query, permission)
        scope["unify.instance"] = place.instance
        if method != "PUT":
            await self._give(scope, send, place)
            return
        comp = query.get("comp")
        if comp == "blocklist":
            await self._join(scope, receive, send, place)
        elif comp in (None, "block"):
            await self._take(scope, receive, send, place, query.get("blockid", "") if comp else None)
        else:
            raise ServiceError(400, f"comp={comp[:40]} is not supported", hint="block, or blocklist",
                               key="InvalidQueryParameterValue")  # fmt: skip

    def refusal(self, scope: Scope, error: Exception, status: int) -> tuple[bytes, Headers]:
        """See Room."""
        known = isinstance(error, UnifyError) and status != 500
        code = error.key if isinstance(error, ServiceError) and error.key else CODES.get(status, "InvalidInput")
        said = f"{error.message}. {error.hint}".strip(". ") if known and isinstance(error, UnifyError) else "it failed"
        request = uuid4().hex
        body = (
            f'<?xml version="1.0" encoding="utf-8"?><Error><Code>{code}</Code>'
            f"<Message>{escape(said)}\nRequestId:{request}</Message></Error>"
        )
        headers = [(b"content-type", b"application/xml"), (b"x-ms-error-code", code.encode()),
                   (b"x-ms-request-id", request.encode())]  # fmt: skip
        return (b"" if scope["method"] == "HEAD" else body.encode()), headers

    # ── in ───────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _take(self, scope: Scope, receive: Receive, send: Send, place: Place, block: str | None) -> None:
        """A whole file, or one block of it."""
        files, most = self._files, self._service.settings.limits.upload_bytes
        kind = _text(scope, b"x-ms-blob-type")
        if kind and kind != "BlockBlob":
            raise ServiceError(
                400, f"{kind[:40]} is not supported", hint="x-ms-blob-type: BlockBlob", key="UnsupportedHeader"
            )
        length = _text(scope, b"content-length")
        if length.isdigit() and int(length) > most:
            raise too_long(most)
        path = await asyncio.to_thread(files.path, place.instance, place.name)
        target = path if block is None else files.block_path(path, block)
        if block is None and _text(scope, b"if-none-match") == "*" and await asyncio.to_thread(path.exists):
            raise ServiceError(409, "the file is there already", key="BlobAlreadyExists")
        part = await asyncio.to_thread(files.part, target)
        try:
            async for piece in _parts(receive):
                if part.size + len(piece) > most:
                    raise too_long(most)
                await asyncio.to_thread(part.write, piece)
            digest = part.md5.digest()
            if (said := _text(scope, b"content-md5")) and _decoded(said) != digest:
                raise ServiceError(400, "the content is not that of its Content-MD5", key="Md5Mismatch")
            await asyncio.to_thread(part.settle, target)
        finally:
            await asyncio.to_thread(part.close)
        md5 = (b"content-md5", base64.b64encode(digest))
        if block is not None:
            await respond(send, 201, b"", [md5, *_common(scope)])
            return
        await self._typed(scope, place)
        about = await asyncio.to_thread(files.get, place.instance, place.name)
        await respond(send, 201, b"", [md5, *_of(about), *_common(scope)])

    async def _join(self, scope: Scope, receive: Receive, send: Send, place: Place) -> None:
        raw = await body_of(receive, LIST_BYTES)
        try:
            node = tree(raw, PackageLimits(), "blocklist")
        except PackageError as error:
            raise ServiceError(
                400, f"the list of blocks is no XML: {error.message}", key="InvalidXmlDocument"
            ) from None
        blocks = [child.value for child in node.children]
        path = await asyncio.to_thread(self._files.path, place.instance, place.name)
        if _text(scope, b"if-none-match") == "*" and await asyncio.to_thread(path.exists):
            raise ServiceError(409, "the file is there already", key="BlobAlreadyExists")
        await asyncio.to_thread(self._files.join, path, blocks, self._service.settings.limits.upload_bytes)
        await self._typed(scope, place)
        about = await asyncio.to_thread(self._files.get, place.instance, place.name)
        await respond(send, 201, b"", [*_of(about), *_common(scope)])

    async def _typed(self, scope: Scope, place: Place) -> None:
        kind = _text(scope, b"x-ms-blob-content-type") or _text(scope, b"content-type")
        if kind and re.fullmatch(r"[A-Za-z0-9!#$&^_.+-]+/[A-Za-z0-9!#$&^_.+-]+", kind):
            await asyncio.to_thread(self._files.typed, place.instance, place.name, kind)

    # ── out ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    async def _give(self, scope: Scope, send: Send, place: Place) -> None:
        about = await asyncio.to_thread(self._files.get, place.instance, place.name)
        headers = [
            *_of(about), *_common(scope), (b"accept-ranges", b"bytes"), (b"x-ms-blob-type", b"BlockBlob"),
            (b"content-type", about.type.encode()), (b"content-disposition", _attachment(place.name)),
        ]  # fmt: skip
        if _text(scope, b"if-none-match").strip('"') == about.tag:
            await respond(send, 304, b"", headers)
            return
        asked = _text(scope, b"x-ms-range") or _text(scope, b"range")
        first, last = _range(asked, about.size)
        status = 200
        if asked:
            status = 206
            headers.append((b"content-range", b"bytes %d-%d/%d" % (first, last, about.size)))
        headers.append((b"content-length", b"%d" % (last - first + 1)))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if scope["method"] != "HEAD":
            async for piece in _pieces(about, first, last):
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _range(asked: str, size: int) -> tuple[int, int]:
    """First and last byte of what is asked for; ServiceError 416."""
    if not asked:
        return 0, size - 1
    match = RANGE.fullmatch(asked.strip())
    wrong = ServiceError(
        416, "the range is not in the file", headers={"Content-Range": f"bytes */{size}"}, key="InvalidRange"
    )
    if match is None or match[1] == match[2] == "":
        raise wrong
    if not match[1]:
        return max(0, size - int(match[2])), size - 1
    first, last = int(match[1]), min(int(match[2] or size - 1), size - 1)
    if first > last:
        raise wrong
    return first, last


async def _pieces(about: File, first: int, last: int) -> AsyncIterator[bytes]:
    file = await asyncio.to_thread(about.path.open, "rb")
    try:
        await asyncio.to_thread(file.seek, first)
        left = last - first + 1
        while left > 0:
            piece = await asyncio.to_thread(file.read, min(PART, left))
            if not piece:
                return
            left -= len(piece)
            yield piece
    finally:
        await asyncio.to_thread(file.close)


async def _parts(receive: Receive) -> AsyncIterator[bytes]:
    """The body in parts of about a mebibyte; ClientGoneError when it ends before its end."""
    gathered = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        gathered += message.get("body", b"")
        if gathered and (len(gathered) >= PART or not message.get("more_body")):
            yield bytes(gathered)
            gathered.clear()
        if not message.get("more_body"):
            return


def _of(about: File) -> Headers:
    modified = email.utils.format_datetime(about.modified, usegmt=True)
    return [(b"etag", f'"{about.tag}"'.encode()), (b"last-modified", modified.encode())]


def _common(scope: Scope) -> Headers:
    version = header(scope, b"x-ms-version")
    known = version is not None and re.fullmatch(rb"\d{4}-\d\d-\d\d", version) is not None
    said = version if known and version is not None else b"2020-04-08"
    return [
        (b"x-ms-version", said), (b"x-ms-request-id", uuid4().hex.encode()),
        (b"x-ms-request-server-encrypted", b"false"),
    ]  # fmt: skip


def _attachment(name: str) -> bytes:
    plain = "".join(sign if sign.isascii() and sign not in '"\\' else "_" for sign in name)
    return f'attachment; filename="{plain}"'.encode()


def _text(scope: Scope, name: bytes) -> str:
    return (header(scope, name) or b"").decode("latin-1")


def _decoded(said: str) -> bytes:
    try:
        return base64.b64decode(said, validate=True)
    except (binascii.Error, ValueError):
        return b""
