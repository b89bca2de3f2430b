"""A room of the service: one dialect, with the paths it answers and its own shape of a refusal."""

from typing import TYPE_CHECKING, ClassVar, Protocol

from unify.service.asgi import Headers, Receive, Scope, Send
from unify.service.caller import Caller

if TYPE_CHECKING:
    from unify.service.app import Service


class Room(Protocol):
    """What the application asks of one. Rooms are asked in the order of `Service.rooms`."""

    public: ClassVar[bool]
    """True: nobody has to say who they are."""

    def __init__(self, service: "Service") -> None: ...

    def takes(self, path: str) -> bool:
        """Whether a decoded path is this room's."""

    async def answer(self, scope: Scope, receive: Receive, send: Send, caller: Caller) -> None:
        """Answer. Errors raised before the answer has begun become `refusal`."""

    def refusal(self, scope: Scope, error: Exception, status: int) -> tuple[bytes, Headers]:
        """Body and headers of an error in this dialect. Status 500 says nothing about its inside."""
