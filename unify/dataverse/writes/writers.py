"""Whom rows are written by: every caller of the service is a user of the organization."""

from datetime import datetime

from unify.dataverse.writes.nouns import Writer
from unify.records import Reading, Writing


def user_id(reading: Reading, caller: str) -> str:
    """The systemuserid of a caller of the service, whether its row is there yet or not: always the same."""
    raise NotImplementedError


def writer_of(writing: Writing, caller: str, *, now: datetime | None = None) -> Writer:
    """The writer that a caller is; its row of systemuser is made when it writes for the first time."""
    raise NotImplementedError


def organization_of(reading: Reading) -> tuple[str, str]:
    """organizationid and businessunitid."""
    raise NotImplementedError
