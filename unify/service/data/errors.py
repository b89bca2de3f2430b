"""Refusals as each dialect writes them.

    vendor   {"errorCode": …, "message": …, "target": where, "details": [the next move], "innerError": …}
    OData    {"error": {"code": …, "message": …, "target": where, "details": [the next move], "innererror": …}}

The vendor's client decodes 400, 404, 406, 500 and 503 and raises at anything else, so what it could meet is told by one
of these.
"""

import json
from typing import Any, Final

from segments.odata.errors import ODataSyntaxError
from unify.core.errors import UnifyError
from unify.service.asgi import JSON
from unify.service.data.exchange import Reply
from unify.service.errors import ServiceError, status_of

CODES: Final = {
    400: "badRequest", 401: "unauthorized", 403: "forbidden", 404: "notFound", 405: "methodNotAllowed",
    406: "notAcceptable", 409: "conflict", 412: "preconditionFailed", 413: "tooLarge", 414: "uriTooLong",
    415: "unsupportedMediaType", 424: "failedDependency", 429: "tooManyRequests", 500: "internalServerError",
    501: "notImplemented", 503: "serviceUnavailable",
}  # fmt: skip
OF_VENDOR: Final = {412: 400, 413: 400, 414: 400, 415: 400, 501: 400}


def refused(error: Exception, *, vendor: bool) -> Reply:
    """The answer to whoever asked what cannot be; status 500 says nothing about its inside."""
    status = status_of(error)
    if vendor:
        status = OF_VENDOR.get(status, status)
    extra = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in headers_of(error).items()]
    return Reply(status, body_of(error, status_of(error), vendor=vendor), [JSON, *extra])


def headers_of(error: Exception) -> dict[str, str]:
    """Beside the body."""
    return error.headers if isinstance(error, ServiceError) else {}


def body_of(error: Exception, status: int, *, vendor: bool) -> bytes:
    """The refusal as JSON."""
    if not isinstance(error, UnifyError) or status == 500:
        error = UnifyError("something went wrong here, and was written down", hint="ask again, or tell who runs this")
    code = code_of(error, status)
    inner = _inner(error)
    said: dict[str, Any] = {"errorCode" if vendor else "code": code, "message": error.message}
    if error.where:
        said["target"] = error.where
    if error.hint:
        said["details"] = [{"errorCode" if vendor else "code": "nextMove", "message": error.hint}]
    if inner:
        said["innerError" if vendor else "innererror"] = inner
    return json.dumps(said if vendor else {"error": said}).encode()


def code_of(error: UnifyError, status: int) -> str:
    """A word for programs."""
    if isinstance(error, ServiceError) and error.key:
        return error.key
    return "syntaxError" if isinstance(error, ODataSyntaxError) else CODES.get(status, "error")


def _inner(error: UnifyError) -> dict[str, Any]:
    """Where in the text, counted from 1."""
    position = getattr(error, "position", None)
    if not isinstance(position, int):
        return {}
    expected = getattr(error, "expected", "")
    return {"position": position + 1} | ({"expected": expected} if expected else {})
