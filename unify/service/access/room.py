"""Routes of the gate itself: the token endpoint."""

from typing import TYPE_CHECKING, ClassVar

import orjson

from unify.service.asgi import JSON, Headers, Receive, Scope, Send
from unify.service.caller import Caller

if TYPE_CHECKING:
    from unify.service.app import Service


class AccessRoom:
    """`/oauth2/token` and its spellings."""

    public: ClassVar[bool] = True

    def __init__(self, service: "Service") -> None:
        self._service = service

    def takes(self, path: str) -> bool:
        """See Room."""
        return False

    async def answer(self, scope: Scope, receive: Receive, send: Send, caller: Caller) -> None:
        """See Room."""
        raise NotImplementedError

    def refusal(self, scope: Scope, error: Exception, status: int) -> tuple[bytes, Headers]:
        """As OAuth 2.0 says it (RFC 6749, 5.2)."""
        return orjson.dumps({"error": "invalid_request", "error_description": str(error)}), [JSON]
