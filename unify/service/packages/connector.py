"""The recurring half: `…/api/connector/enqueue|dequeue|ack/{activityId}`.

POST enqueue/{activity}?entity=Customer%20groups&company=USMF    a package or a file → the message's id, as JSON
GET  dequeue/{activity}                                          where the next file is; 204 when there is none
POST ack/{activity}                                              the body that dequeue answered with
"""

import asyncio
import re
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote
from uuid import uuid4

from unify.core.errors import did_you_mean
from unify.packages import ImportOptions, NoSuchExecutionError, Operation, ProjectEntity
from unify.packages.wrapped import is_package, wrap
from unify.service.asgi import ClientGoneError, Receive, Scope, header
from unify.service.errors import ServiceError, bad_request
from unify.service.packages.actions import Asking
from unify.service.packages.asked import Parameter, parameters_of
from unify.service.packages.files import BLOBS, Part, too_long
from unify.service.packages.recurring import Activity, Recurring
from unify.service.packages.signing import READ

PATH: Final = re.compile(r".*/api/connector/(enqueue|dequeue|ack)/([^/]+)/?\Z", re.IGNORECASE)
METHODS: Final = {"enqueue": "POST", "dequeue": "GET", "ack": "POST"}
ACK: Final = {
    "CorrelationId": Parameter(str), "PopReceipt": Parameter(str), "DownloadLocation": Parameter(str, ""),
    "IsDownLoadFileExist": Parameter(bool, True), "FileDownLoadErrorMessage": Parameter(str, ""),
    "LastDequeueDateTime": Parameter(str, ""),
}  # fmt: skip
"""What dequeue answers with, as it comes back."""


def asked(path: str, method: str) -> tuple[str, str]:
    """Verb and activity of a path; ServiceError 404, 405."""
    match = PATH.match(path)
    if match is None:
        raise ServiceError(404, "there is nothing under this path", where="path",
                           hint="enqueue, dequeue or ack, and the id of a recurring job")  # fmt: skip
    verb = match[1].lower()
    if method != METHODS[verb]:
        raise ServiceError(405, f"{verb} is a {METHODS[verb]}", headers={"Allow": METHODS[verb]})
    return verb, unquote(match[2])


async def enqueue(asking: Asking, scope: Scope, receive: Receive, activity_id: str) -> str:
    """Take a file in and have it imported; the id of its message. ServiceError."""
    query = {name.casefold(): value for name, value in parse_qsl(scope["query_string"].decode("latin-1"))}
    if unknown := sorted(set(query) - {"entity", "company"}):
        raise bad_request(f"there is no parameter {unknown[0][:80]!r}", where=unknown[0][:80], hint="entity, company")
    activity = await asyncio.to_thread(_activity, asking, activity_id, Operation.IMPORT)
    external = (header(scope, b"x-ms-dyn-externalidentifier") or b"").decode("latin-1")
    folder = asking.service.settings.root / asking.instance / BLOBS
    path = folder / f".{uuid4().hex}.incoming"
    try:
        await _write(asking, receive, path)
        return await asyncio.to_thread(_submit, asking, activity, path, query, external)
    finally:
        await asyncio.to_thread(path.unlink, missing_ok=True)


async def _write(asking: Asking, receive: Receive, path: Path) -> None:
    most = asking.service.settings.limits.upload_bytes
    part: Part = await asyncio.to_thread(asking.files.part, path)
    try:
        async for piece in _parts(receive):
            if part.size + len(piece) > most:
                raise too_long(most)
            await asyncio.to_thread(part.write, piece)
        if not part.size:
            raise bad_request("the file is empty", where="body", hint="send a package or a file as the body")
        await asyncio.to_thread(part.settle, path)
    finally:
        await asyncio.to_thread(part.close)


async def _parts(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGoneError
        if message.get("body"):
            yield message["body"]
        if not message.get("more_body"):
            return


def _activity(asking: Asking, activity_id: str, operation: Operation) -> Activity:
    activity = Recurring(asking.service.database).get(asking.instance, activity_id)
    if activity.operation is not operation:
        does = "imports: enqueue" if activity.operation is Operation.IMPORT else "exports: dequeue and ack"
        raise bad_request(f"the recurring job {does}", where="activityId")
    return activity


def _submit(asking: Asking, activity: Activity, path: Path, query: dict[str, str], external: str) -> str:
    wrapped = path.with_suffix(".wrapped")
    try:
        try:
            whole = is_package(path)
        except (zipfile.BadZipFile, OSError):
            whole = True  # the import tells what is wrong with it
        if not whole:
            wrap(path, _entity(asking, activity, query.get("entity", "")), activity.project, wrapped)
        options = ImportOptions(legal_entity=query.get("company") or activity.company)
        submitted = asking.packages.submit_import(
            path if whole else wrapped, project=activity.project, options=options, link=True
        )
    finally:
        wrapped.unlink(missing_ok=True)
    message = Recurring(asking.service.database).enqueued(activity, submitted.id, external)
    asking.submitted(submitted)
    return message


def _entity(asking: Asking, activity: Activity, name: str) -> ProjectEntity:
    """How the project takes files of an entity; one that it does not name is taken as CSV."""
    if not name:
        raise bad_request("a plain file needs its entity", where="entity", hint="?entity=Name")
    found = asking.packages.project(activity.project).entities
    for entity in found:
        if entity.entity.casefold() == name.casefold():
            return entity
    if found:
        hint = did_you_mean(name, [entity.entity for entity in found])
        raise bad_request(f"the data project has no entity {name[:80]!r}", where="entity", hint=hint)
    return ProjectEntity(name)


def dequeue(asking: Asking, activity_id: str) -> dict[str, Any] | None:
    """The next message that waits; None when there is none."""
    activity = _activity(asking, activity_id, Operation.EXPORT)
    recurring = Recurring(asking.service.database)
    while (message := recurring.dequeue(activity)) is not None:
        try:
            package = asking.packages.execution(message.execution).package
        except NoSuchExecutionError:
            package = None
        if package is not None:
            name = f"{package.parent.name}-{package.name}"
            asking.files.publish(asking.instance, name, package)
            return {
                "CorrelationId": message.id, "PopReceipt": message.receipt, "DownloadLocation": asking.url(name, READ),
                "IsDownLoadFileExist": True, "FileDownLoadErrorMessage": "",
                "LastDequeueDateTime": message.dequeued or "",
            }  # fmt: skip
        recurring.drop(message)
    return None


def ack(asking: Asking, activity_id: str, body: bytes) -> None:
    """A message was received."""
    activity = _activity(asking, activity_id, Operation.EXPORT)
    said = parameters_of(body, ACK)
    Recurring(asking.service.database).ack(activity, said["CorrelationId"], said["PopReceipt"])
