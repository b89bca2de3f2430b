"""The OpenAPI document of the management API, made of its routes, and checked by tests/service/test_openapi.py."""

from functools import cache
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

import unify
from unify.service.management.errors import ApiErrorResult
from unify.service.management.links import link
from unify.service.management.memberships import describe

TITLE: Final = "Unify: management API"
DESCRIPTION: Final = """\
Instances, data sources, the conflation plan, relationships, segments, measures, jobs and roles of customer data.

It speaks the dialect of Microsoft's published client (`customerinsights` 1.0.8): point its `base_url` here and it works
unmodified. Operations that the client lacks come from the documents of 2020 and 2018. `/api/…` and paths without a
prefix lead to the same operations as `/v1/…`.

Every refusal is an `ApiErrorResult`; `params.where` says the place, `params.hint` the next move.
"""
COMMON: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": ApiErrorResult, "description": text}
    for status, text in {
        400: "Something in the request is wrong: `ciResults` names every problem with its place.",
        401: "Nothing proves who asks.",
        403: "The caller's role does not reach for this.",
        404: "What the path names is not there, or not for this caller.",
        409: "It clashes with what is there: the name is taken, somebody else is writing, it is in use.",
        413: "The body is too long.",
        414: "The URL is too long.",
        415: "The body is not JSON.",
        429: "Too much at once; `Retry-After` says when to ask again.",
        431: "The headers are too long.",
        500: "The service failed.",
        503: "The instance cannot answer now: its disk is full, or a file is damaged.",
    }.items()
}
"""Every route may give these, whatever it does."""
SCHEMES: Final = {
    "key": {"type": "apiKey", "in": "header", "name": "Ocp-Apim-Subscription-Key"},
    "bearer": {"type": "http", "scheme": "bearer"},
}


@cache
def document(app: FastAPI, *, open_: bool) -> dict[str, Any]:
    """The document. `open_`: the service asks nobody who they are."""
    made = get_openapi(
        title=TITLE,
        version=unify.__version__,
        description=DESCRIPTION,
        routes=app.routes,
        separate_input_output_schemas=False,
    )
    some = made["paths"]["/v1/instances"]["get"]["responses"]
    describe(made, {str(status): some[str(status)] for status in COMMON})
    for path in made["paths"].values():
        for operation in path.values():
            operation["responses"].pop("422", None)  # FastAPI's own shape of 400, which is never sent
            content = operation.get("requestBody", {}).get("content", {})
            if "application/json" in content:
                content["application/json-patch+json"] = content["application/json"]
    link(made)
    schemas = made.get("components", {}).get("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    if not open_:
        made.setdefault("components", {})["securitySchemes"] = SCHEMES
        made["security"] = [{name: []} for name in SCHEMES]
    return made
