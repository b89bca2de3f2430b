"""`/healthz`, `/readyz`, `/version`, `/metrics`: for whoever keeps the service running; nothing about customers."""

import asyncio
from typing import TYPE_CHECKING, ClassVar, Final

import orjson

from unify.service.asgi import JSON, Headers, Receive, Scope, Send, respond, respond_json
from unify.service.caller import Caller
from unify.service.errors import ServiceError
from unify.service.operations.health import readiness

if TYPE_CHECKING:
    from unify.service.app import Service

TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")
PATHS: Final = ("/healthz", "/readyz", "/version", "/metrics")


class OperationsRoom:
    """Open to everybody who reaches the port, so nothing here names an instance but `/metrics`, which takes a role."""

    public: ClassVar[bool] = True

    def __init__(self, service: "Service") -> None:
        self._service = service

    def takes(self, path: str) -> bool:
        """See Room."""
        return path in PATHS

    async def answer(self, scope: Scope, receive: Receive, send: Send, caller: Caller) -> None:
        """See Room."""
        path = scope["unify.route"] = scope["path"]
        if scope["method"] not in ("GET", "HEAD"):
            raise ServiceError(405, f"{path} is read with GET", headers={"Allow": "GET, HEAD"})
        if path == "/healthz":
            await respond(send, 200, b"ok\n", [TEXT])
        elif path == "/readyz":
            found = await asyncio.to_thread(readiness, self._service)
            await respond_json(send, 200 if found.ready else 503, found.as_dict())
        elif path == "/version":
            await respond_json(send, 200, {"version": _version(), "apis": ["v1", "odata/4.0", "odata/4.01"]})
        else:
            await self._metrics(scope, send)

    async def _metrics(self, scope: Scope, send: Send) -> None:
        """Names instances and how much is asked of them: any caller with a role will do, nobody without."""
        await self._service.gate.caller(scope)
        text, kind = await asyncio.to_thread(self._service.meter.text, self._service)
        await respond(send, 200, text, [(b"content-type", kind.encode())])

    def refusal(self, scope: Scope, error: Exception, status: int) -> tuple[bytes, Headers]:
        """See Room."""
        message = "something went wrong in the service" if status == 500 else str(error)
        return orjson.dumps({"message": message}), [JSON]


def _version() -> str:
    from unify import __version__

    return __version__
