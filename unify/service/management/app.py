"""The management API as one FastAPI application, under `/v1`, `/api` and the bare root."""

from typing import Final

from fastapi import APIRouter, FastAPI

PREFIXES: Final = ("/v1", "/api", "")
"""Documents and clients disagree on the prefix; only the first one stands in the OpenAPI document."""
OF_INSTANCE: Final[tuple[APIRouter, ...]] = ()
"""Routers of what is asked of one instance."""
OF_SERVICE: Final[tuple[APIRouter, ...]] = ()
"""Routers of what is asked of the service."""


def management_app() -> FastAPI:
    """The application. Which service answers stands in the scope of each request."""
    app = FastAPI(title="Unify", docs_url=None, redoc_url=None)
    for prefix in PREFIXES:
        shown = prefix == PREFIXES[0]
        for router in OF_SERVICE:
            app.include_router(router, prefix=prefix, include_in_schema=shown)
        for router in OF_INSTANCE:
            app.include_router(router, prefix=f"{prefix}/instances/{{instanceId}}", include_in_schema=shown)
    return app
