"""Refusals in a status that the vendor's client can read.

Of every operation the client (customerinsights 1.0.8) decodes a few statuses; any other is an exception there that says
nothing of the reason. It has no 400 for creating a segment, say, but a 404 with an ApiErrorResult. So:

    a request that is wrong (400, 409)   as it is where the client decodes 400, else as 404 where it decodes that
    something that is not there (404)    as it is where the client decodes 404, else as 400 where it decodes that

and where it decodes neither, as it is. Body, key and words stay the same; statuses about the caller (401, 403, 429),
the form of the request (413, 415) and the service (500, 503) are never changed.
"""

from typing import Any, Final

from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError
from starlette.requests import Request
from starlette.responses import Response

from unify.core.errors import UnifyError
from unify.core.mistakes import in_words
from unify.service.errors import ServiceError, status_of
from unify.service.management.errors import RefusedInputError, status_word
from unify.service.management.routes import Handler, WireRoute

DECODED: Final[dict[str, frozenset[int]]] = {
    name: frozenset(statuses)
    for name, statuses in {
        "create_a_segment": (404,),
        "update_a_segment": (404,),
        "delete_segment": (400,),
        "activate_segment": (404,),
        "deactivate_segment": (404,),
        "get_all_segments": (404,),
        "get_a_list_of_measures_metadata": (404,),
        "get_metadata_for_a_measure": (404,),
        "create_a_measure": (400, 404),
        "update_a_measure": (400, 404),
        "delete_a_measure": (404,),
        "submit_a_workflow_job": (404,),
        "get_list_of_recent_workflow_jobs": (404,),
        "get_a_workflow_job_information": (404,),
        "cancel_a_workflow_job": (404,),
        "get_list_of_workflow_task_information_history": (404,),
        "get_workflow_status": (404,),
        "create_a_batch_of_workflow_refresh_schedules": (404,),
        "get_all_hierarchies": (404,),
        "get_a_hierarchy": (404,),
        "create_a_hierarchy": (404,),
        "update_a_hierarchy": (404,),
        "delete_a_hierarchy": (404,),
    }.items()
}
"""Operation → which of 400 and 404 the client has a model for; an operation that is not here: neither."""


class DecodedRoute(WireRoute):
    """An operation of the vendor's client."""

    def get_route_handler(self) -> Handler:
        """See APIRoute."""
        answer = super().get_route_handler()
        decoded = DECODED.get(self.operation_id or "", frozenset())

        async def handle(request: Request) -> Response:
            try:
                return await answer(request)
            except RequestValidationError as error:
                problems = [(".".join(map(str, e["loc"])), in_words(e, lambda _: [])) for e in error.errors()]
                raise decodable(RefusedInputError(problems), decoded) from None
            except UnifyError as error:
                raise decodable(error, decoded) from error.__cause__

        return handle


def vendor_area(tag: str, **options: Any) -> APIRouter:
    """A router of one area whose refusals the vendor's client can read."""
    return APIRouter(route_class=DecodedRoute, tags=[tag], **options)


def decodable(error: UnifyError, decoded: frozenset[int]) -> UnifyError:
    """The error, in a status that is decoded if there is one."""
    status = status_of(error)
    choices = {400: (400, 404), 409: (400, 404), 404: (404, 400)}.get(status, ())
    wanted = next((choice for choice in choices if choice in decoded), status)
    if wanted == status:
        return error
    if not isinstance(error, ServiceError):
        error = ServiceError(status, error.message, where=error.where, hint=error.hint)
    error.key = error.key or status_word(status)
    error.status = wanted
    return error
