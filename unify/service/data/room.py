"""OData over HTTP."""

from typing import TYPE_CHECKING, ClassVar

import orjson

from unify.service.asgi import JSON, Headers, Receive, Scope, Send
from unify.service.caller import Caller

if TYPE_CHECKING:
    from unify.service.app import Service


class DataRoom:
    """`…/instances/{id}/data/…` and `/odata/{id}/…`."""

    public: ClassVar[bool] = False

    def __init__(self, service: "Service") -> None:
        self._service = service

    def takes(self, path: str) -> bool:
        """See Room."""
        return False

    async def answer(self, scope: Scope, receive: Receive, send: Send, caller: Caller) -> None:
        """See Room."""
        raise NotImplementedError

    def refusal(self, scope: Scope, error: Exception, status: int) -> tuple[bytes, Headers]:
        """In the shape of the dialect."""
        return orjson.dumps({"error": "invalid_request", "error_description": str(error)}), [JSON]
