"""What routes of the management API ask for: the service, who asks, the instance, and the role that it takes.

    @router.get("/manage/segments")
    async def get_all_segments(hosted: Reading) -> list[SegmentMetadata]: ...

Paths of a router that is included by `app.py` under `/instances/{instanceId}` begin behind it. The four kinds of a
hosted instance say the least role that a route takes; a caller without any role there gets the 404 of an instance that
is not there.
"""

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from fastapi import Depends, Path, Request

from unify.service.access.definitions import without_hidden
from unify.service.caller import Caller, Role
from unify.service.errors import ServiceError, not_found
from unify.service.hosted import Hosted

if TYPE_CHECKING:
    from unify.service.app import Service

T = TypeVar("T")


def service_of(request: Request) -> Any:
    """The service that a request came to."""
    return request.scope["unify.service"]


def caller_of(request: Request) -> Caller:
    """Who asks."""
    caller: Caller = request.scope["unify.caller"]
    return caller


class _Hosted:
    def __init__(self, role: Role) -> None:
        self.role = role

    async def __call__(self, request: Request, instance_id: Annotated[str, Path(alias="instanceId")]) -> Hosted:
        service: Service = service_of(request)
        return hosted_for(service, caller_of(request), instance_id, self.role)


def hosted_for(service: "Service", caller: Caller, instance_id: str, role: Role) -> Hosted:
    """The instance; ServiceError 404 when it is not there or the caller has no role in it, 403 for too low a role."""
    if caller.role(instance_id) is None:
        raise not_found(f"there is no instance {instance_id[:128]!r}", hint="GET /instances lists yours")
    hosted = service.roof.get(instance_id)
    if not caller.may(instance_id, role):
        word = role.name.lower()
        raise ServiceError(403, f"this takes the role {word}", hint=f"an admin of {instance_id} can assign it")
    return hosted


async def open_to(hosted: Hosted, caller: Caller, said: T) -> T:
    """An answer that holds definitions, as it is; ServiceError 403 when it names a column hidden from the caller."""
    if hosted.policy(caller).everything:
        return said
    return await asyncio.to_thread(lambda: without_hidden(hosted.visibility(caller), said))


Asking = Annotated[Hosted, Depends(_Hosted(Role.READER))]
Reading = Annotated[Hosted, Depends(_Hosted(Role.ANALYST))]
Building = Annotated[Hosted, Depends(_Hosted(Role.STEWARD))]
Ruling = Annotated[Hosted, Depends(_Hosted(Role.ADMIN))]
TheCaller = Annotated[Caller, Depends(caller_of)]
TheService = Annotated[Any, Depends(service_of)]
"""A unify.service.app.Service; `Any` here, since FastAPI looks at annotations when the module is read."""
