"""Rows of entities that somebody writes."""

from typing import TYPE_CHECKING

from unify.service.caller import Caller
from unify.service.data.exchange import Inquiry, Reply
from unify.service.data.mount import Mount
from unify.service.errors import ServiceError

if TYPE_CHECKING:
    from unify.service.app import Service


async def write(service: "Service", mount: Mount, caller: Caller, inquiry: Inquiry) -> Reply:
    """Create or update a row."""
    raise ServiceError(501, "rows cannot be written yet")
