"""Files for the entities of a draft: written beside, forced to disk, then given their name, so that a run sees each
whole or not at all."""

# ruff: noqa: N803 - parameters are called what the wire calls them

import asyncio
import os
import re
import time
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Final

from fastapi import Path as PathParameter
from fastapi import Request

from ingest.files import _COMPRESSIONS, _FORMATS
from unify.service.asgi import ClientGoneError
from unify.service.errors import ServiceError, bad_request, not_found
from unify.service.hosted import Hosted
from unify.service.management.datasources import source_in
from unify.service.management.depends import Building, Reading, TheService
from unify.service.management.drafts import whole
from unify.service.management.fence import INCOMING, Fence
from unify.service.management.ok import OkResult
from unify.service.management.routes import area
from unify.service.management.telling import told
from unify.spec.wire import Wire
from unify.store.files import fsync

router = area("Data sources")
FILE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._()+=@-]{0,199}")
"""Names that are safe on every file system and are no path; those that begin with a sign, readers of folders skip."""
SUFFIXES: Final = tuple(_FORMATS)
ABANDONED_S: Final = 24 * 3600
"""An upload that has not been written to for so long has nobody behind it."""
PART: Final = 2**20
"""Bytes that are gathered before they are written."""
Name = Annotated[str, PathParameter(description="Of the entity, without its source.")]
FileName = Annotated[str, PathParameter(description=f"Ends in one of {', '.join(_FORMATS)}, or that and .gz or .zst.")]
FOLDER: Final = "/manage/datasources/{dataSourceId}/entities/{entityName}/files"


class UploadedFile(Wire):
    """A file of an entity. `path`: how `files` of the draft may name it."""

    name: str
    path: str
    size: int
    modified_utc: datetime


@router.get(FOLDER, operation_id="get_uploaded_files", summary="Files that were uploaded for an entity")
async def get_uploaded_files(hosted: Reading, dataSourceId: str, entityName: Name) -> list[UploadedFile]:
    """By name."""
    return await asyncio.to_thread(_files, hosted, dataSourceId, entityName)


@router.put(
    FOLDER + "/{fileName}",
    operation_id="upload_a_file",
    summary="Upload a file of an entity",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def upload_a_file(
    request: Request,
    hosted: Building,
    service: TheService,
    dataSourceId: str,
    entityName: Name,
    fileName: FileName,
) -> UploadedFile:
    """The body is the file, of whatever content type. One of the same name is replaced; the next run reads it.

    409 when the draft says that the entity's files lie elsewhere.
    """
    target = await asyncio.to_thread(_target, hosted, dataSourceId, entityName, fileName)
    most = service.settings.limits.upload_bytes
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > most:
        raise _too_long(most)
    await _write(request, target, most)
    return await asyncio.to_thread(_told, hosted, target)


@router.delete(FOLDER + "/{fileName}", operation_id="delete_an_uploaded_file", summary="Remove an uploaded file")
async def delete_an_uploaded_file(
    hosted: Building,
    dataSourceId: str,
    entityName: Name,
    fileName: FileName,
) -> OkResult:
    """What was read from it goes with the next run."""
    await asyncio.to_thread(_remove, hosted, dataSourceId, entityName, fileName)
    return OkResult()


def _folder(hosted: Hosted, source: str, entity: str) -> Path:
    """Where files of an entity of the draft go; ServiceError 404, 409 when its files lie elsewhere."""
    now = hosted.draft.now()
    entities = source_in(whole(now.document), source)
    if entity not in entities:
        raise not_found(f"there is no entity {entity[:200]!r} in {source}", where="entityName", key="entityNotFound")
    kept = Fence(hosted.store, now).kept(f"{source}/{entity}")
    if not any(Path(path) == Path(kept) for path in entities[entity]["files"]):
        raise ServiceError(
            409,
            f"{source}.{entity} does not read what is uploaded",
            where="entityName",
            hint=f"put `{INCOMING}/{source}/{entity}` among its `files` (PUT …/project)",
        )
    return hosted.store.path / INCOMING / source / entity


def _target(hosted: Hosted, source: str, entity: str, name: str) -> Path:
    plain = name.lower()
    for packed in _COMPRESSIONS:
        plain = plain.removesuffix(packed)
    if not FILE.fullmatch(name) or ".." in name or not plain.endswith(SUFFIXES):
        raise bad_request(
            f"{name[:200]!r} is no name of a file of data",
            where="fileName",
            hint=f"letters, digits and .-_ and one of the endings {', '.join(SUFFIXES)}, also with .gz or .zst",
        )
    return _folder(hosted, source, entity) / name


async def _write(request: Request, target: Path, most: int) -> None:
    """Stream the body into a hidden file and give it its name."""
    hidden = target.parent.parent / f".{uuid.uuid4().hex}.part"
    file = await asyncio.to_thread(_open, target, hidden)
    try:
        try:
            size = 0
            async for part in _parts(request):
                size += len(part)
                if size > most:
                    raise _too_long(most)
                await asyncio.to_thread(file.write, part)
            if size == 0:
                raise bad_request("the file is empty", where="body", hint="send its content as the body")
            await asyncio.to_thread(_settle, file, hidden, target)
        finally:
            file.close()
    except BaseException:
        hidden.unlink(missing_ok=True)
        raise


async def _parts(request: Request) -> AsyncIterator[bytes]:
    """The body in parts of about a mebibyte. ClientGoneError when it ends before its end."""
    gathered = bytearray()
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        gathered += message.get("body", b"")
        if len(gathered) >= PART or not message.get("more_body"):
            if gathered:
                yield bytes(gathered)
            gathered.clear()
        if not message.get("more_body"):
            return


def _open(target: Path, hidden: Path) -> BinaryIO:
    target.parent.mkdir(parents=True, exist_ok=True)
    for left in hidden.parent.glob(".*.part"):  # of a process that was killed
        if time.time() - left.stat().st_mtime > ABANDONED_S:
            left.unlink(missing_ok=True)
    inside = target.parents[2].resolve()
    if not target.parent.resolve().is_relative_to(inside):
        raise ServiceError(403, "a link leads out of the instance", where="entityName", key="fileOutsideInstance")
    return os.fdopen(os.open(hidden, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600), "wb")


def _settle(file: BinaryIO, hidden: Path, target: Path) -> None:
    file.flush()
    os.fsync(file.fileno())
    hidden.replace(target)
    fsync(target.parent)


def _files(hosted: Hosted, source: str, entity: str) -> list[UploadedFile]:
    folder = _folder(hosted, source, entity)
    names = sorted(p for p in folder.iterdir() if FILE.fullmatch(p.name)) if folder.is_dir() else []
    return [_told(hosted, path) for path in names]


def _remove(hosted: Hosted, source: str, entity: str, name: str) -> None:
    target = _target(hosted, source, entity, name)
    try:
        target.unlink()
    except FileNotFoundError:
        raise not_found(f"there is no file {name!r}", where="fileName") from None


def _told(hosted: Hosted, path: Path) -> UploadedFile:
    about: Any = path.stat()
    return told(
        UploadedFile,
        name=path.name,
        path=str(path.relative_to(hosted.store.path)),
        size=about.st_size,
        modified_utc=datetime.fromtimestamp(about.st_mtime, UTC),
    )


def _too_long(most: int) -> ServiceError:
    return ServiceError(413, f"the file is longer than {most} bytes", key="bodyTooLarge")
