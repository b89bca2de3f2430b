"""One inquiry handled: by its method, and by what its path ends in.

GET, HEAD, PUT (vendor)      a question              POST …/$query    a question in a body
POST $batch                  many of them            OPTIONS          what may be done
POST, PATCH (vendor)         rows of an entity       anything else    405
"""

from typing import TYPE_CHECKING, Final

from unify.service.caller import Caller, Role
from unify.service.data.exchange import Inquiry, Reply
from unify.service.data.mount import Mount
from unify.service.data.negotiate import NEWEST
from unify.service.data.query import query, query_of_body
from unify.service.errors import ServiceError, bad_request
from unify.service.management.depends import hosted_for

if TYPE_CHECKING:
    from unify.service.app import Service

QUERY: Final = (b"/$query", b"/%24query")
BATCH: Final = (b"$batch", b"%24batch")
EMPTY: Final = (b"", b"{}", b"null", b'""')
"""Bodies of a PUT that say nothing; the vendor's documents name none."""


async def handle(service: "Service", mount: Mount, caller: Caller, inquiry: Inquiry) -> Reply:
    """The reply; UnifyError for what is refused."""
    method = inquiry.method
    if method in ("GET", "HEAD"):
        _refuse_batch(inquiry)
        return await query(service, mount, caller, inquiry)
    if method == "OPTIONS":
        return _options(service, mount, caller, inquiry)
    if method == "POST" and inquiry.path in BATCH:
        from unify.service.data.batch import batch

        return await batch(service, mount, caller, inquiry)
    if method == "POST" and inquiry.path.endswith(QUERY):
        return await query(service, mount, caller, query_of_body(inquiry))
    if mount.vendor and method == "PUT":
        if inquiry.body.strip() not in EMPTY:
            raise bad_request("a query has no body", where="body", hint="write the options behind the ?")
        return await query(service, mount, caller, inquiry.asking(inquiry.path, inquiry.query))
    if mount.vendor and method in ("POST", "PATCH"):
        from unify.service.data.writes import write

        return await write(service, mount, caller, inquiry)
    hosted_for(service, caller, mount.instance, Role.READER)
    allowed = allowed_of(mount, inquiry)
    message = f"{method[:20]} is not possible here: rows are read, and come from sources"
    raise ServiceError(405, message, hint=f"use {allowed}", headers={"Allow": allowed})


def _refuse_batch(inquiry: Inquiry) -> None:
    if inquiry.path in BATCH:
        raise ServiceError(405, "a batch is sent with POST", where="path", hint="use POST", headers={"Allow": "POST"})


def allowed_of(mount: Mount, inquiry: Inquiry) -> str:
    """Methods of a resource."""
    if inquiry.path in BATCH:
        return "POST, OPTIONS"
    if inquiry.path.endswith(QUERY):
        return "POST, OPTIONS"
    return "GET, HEAD, PUT, POST, PATCH, OPTIONS" if mount.vendor else "GET, HEAD, OPTIONS"


def _options(service: "Service", mount: Mount, caller: Caller, inquiry: Inquiry) -> Reply:
    hosted_for(service, caller, mount.instance, Role.READER)
    allow = allowed_of(mount, inquiry).encode()
    return Reply(204, headers=[(b"allow", allow), (b"odata-version", NEWEST.encode())])
