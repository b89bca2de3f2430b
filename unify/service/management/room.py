"""The management API as a room: it takes what no other room does."""

from typing import TYPE_CHECKING, ClassVar

import orjson

from unify.service.asgi import JSON, Headers, Receive, Scope, Send
from unify.service.caller import Caller
from unify.service.management.app import management_app

if TYPE_CHECKING:
    from unify.service.app import Service


class ManagementRoom:
    """Errors are the vendor's ApiErrorResult."""

    public: ClassVar[bool] = False

    def __init__(self, service: "Service") -> None:
        self._service, self._app = service, management_app()

    def takes(self, path: str) -> bool:
        """See Room."""
        return True

    async def answer(self, scope: Scope, receive: Receive, send: Send, caller: Caller) -> None:
        """See Room."""
        scope["unify.service"], scope["unify.caller"] = self._service, caller
        await self._app(scope, receive, send)

    def refusal(self, scope: Scope, error: Exception, status: int) -> tuple[bytes, Headers]:
        """See Room."""
        return orjson.dumps({"httpStatusCode": status, "message": str(error)}), [JSON]
