"""Refusals as Dataverse writes them: `{"error": {"code": "0x80040217", "message": …}}`.

Clients match on the code and on parts of the message, so both are those of Dataverse where this product knows of one;
otherwise the code is empty, as it often is there. What to do next stands behind the message, in one text.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final
from uuid import uuid4

import orjson

from segments.odata.errors import ODataSyntaxError, ODataUnsupportedError
from unify.core.errors import UnifyError
from unify.dataverse.errors import DataverseError
from unify.records.errors import KeyTakenError, NoSuchRowError, VersionError
from unify.service.asgi import Headers
from unify.service.data.exchange import Reply
from unify.service.errors import ServiceError, status_of

CONTENT: Final = (b"content-type", b"application/json; odata.metadata=minimal")
UNEXPECTED: Final = "0x80040216"
BAD_URL: Final = "0x80060888"
NO_SEGMENT: Final = "0x8006088a"
DENIED: Final = "0x80040220"
REFUSED: Final = "0x80040265"
MISMATCH: Final = "0x80060882"
BAD_PAYLOAD: Final = "0x80048d19"
STATUS: Final[tuple[tuple[type[UnifyError], int], ...]] = ((VersionError, 412), (KeyTakenError, 412))
"""Of errors that mean something else here than elsewhere in the service."""
CODES: Final[tuple[tuple[type[UnifyError], str], ...]] = (
    (VersionError, MISMATCH),
    (KeyTakenError, "0x80060892"),
    (NoSuchRowError, "0x80040217"),
    (ODataUnsupportedError, BAD_URL),
    (ODataSyntaxError, BAD_URL),
)
OF_STATUS: Final = {403: DENIED, 404: NO_SEGMENT, 429: "0x80072326", 500: UNEXPECTED}
"""Of what says no code itself. 429 is that of too many requests at work at once."""
HELP: Final = "http://go.microsoft.com/fwlink/?LinkID=398563&error=Microsoft.Crm.CrmException%3a{0}&client=platform"
WENT_WRONG: Final = "something went wrong here, and was written down"


class RefusedError(DataverseError):
    """What an operation refuses: 400 with code 0x80040265, as a plug-in of Dataverse that gives up.

    sub_code  of its own, in the annotations; `status`: 0 failed, 1 canceled, 2 retry, 3 suspended
    trace     what it wrote on its way
    """

    def __init__(self, message: str, *, sub_code: int = 0, operation_status: int = 0, trace: str = "") -> None:
        super().__init__(message, code=REFUSED)
        self.sub_code, self.operation_status, self.trace = sub_code, operation_status, trace


def status_for(error: BaseException) -> int:
    """The HTTP status of an error in this room; 500 for what nobody raised on purpose."""
    if isinstance(error, DataverseError):
        return int(error.status)
    return next((status for kind, status in STATUS if isinstance(error, kind)), status_of(error))


def code_of(error: UnifyError, status: int) -> str:
    """`0x` and eight digits, or nothing."""
    if isinstance(error, DataverseError):
        return error.code
    if isinstance(error, ServiceError) and error.key.startswith("0x"):
        return error.key
    return next((code for kind, code in CODES if isinstance(error, kind)), OF_STATUS.get(status, ""))


def refused(error: Exception, wanted: Callable[[str], bool] | None = None) -> Reply:
    """The answer to whoever asked what cannot be; status 500 says nothing about its inside."""
    status = status_for(error)
    headers = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in _headers(error).items()]
    return Reply(status, body_of(error, status, wanted), [CONTENT, *headers, (b"req_id", str(uuid4()).encode())])


def body_of(error: Exception, status: int, wanted: Callable[[str], bool] | None = None) -> bytes:
    """The refusal as JSON. `wanted`: whether an annotation of a name was asked for."""
    if not isinstance(error, UnifyError) or status == 500:
        error = UnifyError(WENT_WRONG, hint="ask again, or tell who runs this")
    code, message = code_of(error, status), _message(error)
    said: dict[str, Any] = {"code": code, "message": message}
    for name, value in _annotations(error, code, message).items():
        if wanted is not None and wanted(name):
            said["@" + name] = value
    return orjson.dumps({"error": said})


def _message(error: UnifyError) -> str:
    """What, and the next move. Lone halves of a surrogate pair, which no JSON holds, are replaced."""
    hint = f" ({error.hint})" if error.hint and error.hint not in error.message else ""
    return (error.message + hint).encode("utf-8", "replace").decode()


def _annotations(error: UnifyError, code: str, message: str) -> Mapping[str, str]:
    return {
        "Microsoft.PowerApps.CDS.ErrorDetails.OperationStatus": str(getattr(error, "operation_status", 0)),
        "Microsoft.PowerApps.CDS.ErrorDetails.SubErrorCode": str(getattr(error, "sub_code", 0)),
        "Microsoft.PowerApps.CDS.HelpLink": HELP.format(code.removeprefix("0x") or UNEXPECTED[2:]),
        "Microsoft.PowerApps.CDS.TraceText": str(getattr(error, "trace", "")),
        "Microsoft.PowerApps.CDS.InnerError.Message": message,
    }


def _headers(error: Exception) -> Mapping[str, str]:
    return error.headers if isinstance(error, ServiceError) else {}


def refusal_headers() -> Headers:
    """Of a refusal before the room has looked at the request."""
    id_ = str(uuid4()).encode()
    return [CONTENT, (b"odata-version", b"4.0"), (b"x-ms-service-request-id", id_), (b"req_id", id_)]
