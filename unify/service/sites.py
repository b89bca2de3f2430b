"""A browser may be told by any page it shows to send a request here, with the rights of whoever sits before it.

Where the service runs open on loopback those are all rights. A page cannot read the answer, but a POST would be done.
Browsers say in `Origin` which site a writing request comes from; other clients send no such header.
"""

from typing import Final

from unify.service.asgi import Scope, header
from unify.service.errors import ServiceError

READING: Final = frozenset(("GET", "HEAD", "OPTIONS"))


def refuse_other_sites(scope: Scope) -> None:
    """ServiceError 403 for a writing request that a page of another site made a browser send."""
    if scope["method"] in READING or (origin := header(scope, b"origin")) is None:
        return
    if origin.partition(b"://")[2] != header(scope, b"host"):
        raise ServiceError(
            403, "a page of another site may not write here", where="Origin", hint="send it from your own program"
        )
