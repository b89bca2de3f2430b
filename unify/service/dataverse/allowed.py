"""Which methods a resource takes."""

from typing import Final

from unify.service.errors import ServiceError

COLLECTION: Final = "GET, HEAD, POST, OPTIONS"
ROW: Final = "GET, HEAD, PATCH, DELETE, OPTIONS"
COLUMN: Final = "GET, HEAD, PUT, PATCH, DELETE, OPTIONS"
LINKS: Final = "GET, HEAD, POST, PUT, DELETE, OPTIONS"
READ: Final = "GET, HEAD, OPTIONS"
FUNCTION: Final = READ
ACTION: Final = "POST, OPTIONS"


def not_allowed(method: str, allowed: str) -> ServiceError:
    """405 with what is allowed."""
    message = f"The requested resource does not support http method '{method[:20]}'."
    return ServiceError(405, message, hint=f"use {allowed}", headers={"Allow": allowed})
