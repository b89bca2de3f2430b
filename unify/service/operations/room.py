"""`/healthz`, `/readyz`, `/version`, `/metrics`."""

from typing import TYPE_CHECKING, ClassVar, Final

import orjson

from unify.service.asgi import JSON, Headers, Receive, Scope, Send, respond
from unify.service.caller import Caller

if TYPE_CHECKING:
    from unify.service.app import Service

TEXT: Final = (b"content-type", b"text/plain; charset=utf-8")


class OperationsRoom:
    """For whoever keeps the service running; nothing about customers."""

    public: ClassVar[bool] = True

    def __init__(self, service: "Service") -> None:
        self._service = service

    def takes(self, path: str) -> bool:
        """See Room."""
        return path == "/healthz"

    async def answer(self, scope: Scope, receive: Receive, send: Send, caller: Caller) -> None:
        """The process answers."""
        await respond(send, 200, b"ok\n", [TEXT])

    def refusal(self, scope: Scope, error: Exception, status: int) -> tuple[bytes, Headers]:
        """See Room."""
        return orjson.dumps({"message": str(error)}), [JSON]
