"""The management API as one FastAPI application. What it cannot do, it raises: the room tells it (room.py)."""

from functools import cache
from typing import Final

from fastapi import APIRouter, FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette.types import ASGIApp

from unify.service.management.conflations import router as conflations
from unify.service.management.datasources import router as datasources
from unify.service.management.entities import router as entities
from unify.service.management.hierarchies import router as hierarchies
from unify.service.management.instances import of_all as all_instances
from unify.service.management.instances import of_one as one_instance
from unify.service.management.keyring import router as keyring
from unify.service.management.keys import of_all as all_access
from unify.service.management.keys import of_one as access
from unify.service.management.labels import router as labels
from unify.service.management.measures import router as measures
from unify.service.management.openapi import COMMON
from unify.service.management.privacy import router as privacy
from unify.service.management.profiles import router as profiles
from unify.service.management.projects import router as projects
from unify.service.management.relationships import router as relationships
from unify.service.management.roles import of_one as roles
from unify.service.management.schedules import router as schedules
from unify.service.management.searching import router as searching
from unify.service.management.segments import router as segments
from unify.service.management.uploads import router as uploads
from unify.service.management.webhooks import router as webhooks
from unify.service.management.workflows import router as workflows

PREFIX: Final = "/v1"
"""Of the client. Documents say `/api`, and some paths have none: the room answers those as this one."""
OF_INSTANCE: Final[tuple[APIRouter, ...]] = (
    one_instance,
    projects,
    datasources,
    labels,
    uploads,
    entities,
    profiles,
    relationships,
    conflations,
    searching,
    keyring,
    segments,
    measures,
    hierarchies,
    workflows,
    schedules,
    webhooks,
    roles,
    access,
    privacy,
)
"""Routers of what is asked of one instance."""
OF_SERVICE: Final[tuple[APIRouter, ...]] = (all_instances, all_access)
"""Routers of what is asked of the service."""


class _App(FastAPI):
    """Without the layers that answer errors: every one of them reaches the room, which has one shape for all."""

    def build_middleware_stack(self) -> ASGIApp:
        return AsyncExitStackMiddleware(self.router)


@cache
def management_app() -> FastAPI:
    """The application, one for a process. Which service answers stands in the scope of each request."""
    app = _App(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    for router in OF_SERVICE:
        app.include_router(router, prefix=PREFIX, responses=COMMON)
    for router in OF_INSTANCE:
        app.include_router(router, prefix=f"{PREFIX}/instances/{{instanceId}}", responses=COMMON)
    return app
