"""Whom rows are written by: every caller of the service is a user of the organization."""

from datetime import UTC, datetime
from uuid import UUID, uuid5

from unify.dataverse.writes.nouns import Writer
from unify.dataverse.writes.values import to_second
from unify.records import Reading, Writing


def organization_of(reading: Reading) -> tuple[str, str]:
    """organizationid and businessunitid."""
    found = [next(reading.rows(table)) for table in ("organization", "businessunit")]
    return str(found[0].values["organizationid"]), str(found[1].values["businessunitid"])


def user_id(reading: Reading, caller: str) -> str:
    """The systemuserid of a caller of the service, whether its row is there yet or not: always the same."""
    organization, _ = organization_of(reading)
    return str(uuid5(UUID(organization), f"user:{caller}"))


def writer_of(writing: Writing, caller: str, *, now: datetime | None = None) -> Writer:
    """The writer that a caller is; its row of systemuser is made when it writes for the first time."""
    at = now or datetime.now(UTC)
    _, unit = organization_of(writing)
    user = user_id(writing, caller)
    if writing.get("systemuser", [user]) is None:
        made = to_second(at)
        writing.insert("systemuser", [{
            "systemuserid": user, "fullname": caller[:200], "lastname": caller[:256], "domainname": caller[:1024],
            "businessunitid": unit, "isdisabled": False, "accessmode": 4, "createdon": made, "modifiedon": made,
        }])  # fmt: skip
        writing.insert("owner", [{"ownerid": user, "name": caller[:200], "owneridtype": "systemuser"}])
    return Writer(user, unit, at)
