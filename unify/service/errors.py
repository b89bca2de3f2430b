"""Refusals of the service, and which HTTP status any error of the product is. Bodies are each dialect's own."""

from typing import Any, Final

from segments.odata.errors import ODataUnsupportedError
from unify.core.errors import (
    InstanceNotFoundError,
    LeaseHeldError,
    NotFoundError,
    NotPublishedError,
    OverloadError,
    QueryError,
    SourceError,
    SpecError,
    StoreError,
    UnifyError,
)

STATUS: Final[tuple[tuple[type[UnifyError], int], ...]] = (
    (ODataUnsupportedError, 501),
    (NotFoundError, 404),
    (InstanceNotFoundError, 404),
    (NotPublishedError, 404),
    (LeaseHeldError, 409),
    (QueryError, 400),
    (SpecError, 400),
    (SourceError, 400),
    (OverloadError, 400),
    (StoreError, 503),
)
"""The first that fits; a StoreError is the server's: a full disk. What is not published yet is not there: clients
try again after a 503, in vain."""


class ServiceError(UnifyError):
    """A refusal that HTTP has a number for.

    status        the number
    key           the vendor's word for it (`segmentNotFound`), "" when it has none
    headers       beside the body: `Retry-After`, `WWW-Authenticate`
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        where: str = "",
        hint: str = "",
        key: str = "",
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message, where=where, hint=hint)
        self.status, self.key, self.headers = status, key, headers or {}

    def as_dict(self) -> dict[str, Any]:
        """Also the status and the key."""
        return {**super().as_dict(), "status": self.status, "key": self.key}


def status_of(error: BaseException) -> int:
    """The HTTP status; 500 for what nobody raised on purpose."""
    if isinstance(error, ServiceError):
        return error.status
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def not_found(message: str, *, where: str = "", hint: str = "", key: str = "") -> ServiceError:
    """404."""
    return ServiceError(404, message, where=where, hint=hint, key=key)


def bad_request(message: str, *, where: str = "", hint: str = "", key: str = "") -> ServiceError:
    """400."""
    return ServiceError(400, message, where=where, hint=hint, key=key)
