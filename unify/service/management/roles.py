"""Operations 51–55: who holds which role in an instance, in the vendor's words (`unify.service.access.words`)."""

import asyncio
from typing import Any, Literal

from fastapi import Response

from unify.service.access.changes import Changes
from unify.service.access.register import Principal
from unify.service.access.words import SAYS, VENDOR, role_of
from unify.service.caller import Caller, Role
from unify.service.errors import bad_request
from unify.service.hosted import Hosted
from unify.service.management.depends import Asking, Ruling, TheCaller, TheService
from unify.service.management.routes import area
from unify.service.management.telling import told
from unify.spec.wire import Wire

of_one = area("Roles")


class RoleDefinition(Wire):
    """A role and what it may do; each may do all that those before it may."""

    role_name: str
    description: str


class RoleAssignment(Wire):
    """What a principal holds in an instance. Written: one or several of Viewer, MarketingContributor, Contributor,
    Admin, Owner, or reader, analyst, steward, admin; the highest counts. Told: that one."""

    principal_id: str | None = None
    principal_type: Literal["user", "group", "app"] | None = None
    roles: tuple[str, ...] | None = None
    instance_id: str | None = None


@of_one.get("/rbac/roles", operation_id="get_all_role_definitions", summary="Roles that there are")
async def get_all_role_definitions(hosted: Asking) -> list[RoleDefinition]:
    """From the least to the highest."""
    return [told(RoleDefinition, role_name=VENDOR[role], description=SAYS[role]) for role in Role]


@of_one.get("/rbac/myrole", operation_id="get_current_user_role", summary="The caller's own role")
async def get_current_user_role(hosted: Asking, caller: TheCaller) -> RoleAssignment:
    """What the caller may do here, whether it was said of this instance or of all."""
    return _told(caller, hosted)


@of_one.get("/rbac/assignments", operation_id="get_all_role_assignments", summary="Who holds which role")
async def get_all_role_assignments(hosted: Ruling, service: TheService) -> list[RoleAssignment]:
    """By principal; those who hold a role in every instance too."""
    return await asyncio.to_thread(_all, service, hosted)


@of_one.put(
    "/rbac/principals/{principalId:path}/assignment",
    operation_id="update_a_role_assignment",
    summary="Give a role, in the place of the one held",
)
async def update_a_role_assignment(
    principalId: str,  # noqa: N803
    body: RoleAssignment,
    hosted: Ruling,
    service: TheService,
) -> list[RoleAssignment]:
    """All assignments as they are then. 409 when nobody would be admin any more."""
    if body.principal_id not in (None, principalId):
        raise bad_request("is another than that of the path", where="principalId", hint="leave it out")
    if body.instance_id not in (None, hosted.id):
        raise bad_request("is another than that of the path", where="instanceId", hint="leave it out")
    if not body.roles:
        raise bad_request("is missing", where="roles", hint="name a role, or DELETE the assignment")
    role = max(role_of(word) for word in body.roles)
    await asyncio.to_thread(Changes(service.guard).assign, principalId, hosted.id, role, kind=body.principal_type)
    return await asyncio.to_thread(_all, service, hosted)


@of_one.delete(
    "/rbac/principals/{principalId:path}/assignment",
    operation_id="deletes_a_role_assignment",
    summary="Take a role away",
    response_class=Response,
    response_model=None,
)
async def deletes_a_role_assignment(
    principalId: str,  # noqa: N803
    hosted: Ruling,
    service: TheService,
) -> Response:
    """No body. 404 when none is held in this instance, 409 when nobody would be admin any more."""
    await asyncio.to_thread(Changes(service.guard).unassign, principalId, hosted.id)
    return Response()


def _all(service: Any, hosted: Hosted) -> list[RoleAssignment]:
    principals: list[Principal] = sorted(service.guard.registry.look().principals.values(), key=lambda p: p.principal)
    return [_told(p.caller, hosted) for p in principals if p.caller.role(hosted.id) is not None]


def _told(caller: Caller, hosted: Hosted) -> RoleAssignment:
    held = caller.role(hosted.id)
    return told(
        RoleAssignment,
        principal_id=caller.principal,
        principal_type=caller.kind,
        roles=(VENDOR[held],) if held is not None else (),
        instance_id=hosted.id,
    )
