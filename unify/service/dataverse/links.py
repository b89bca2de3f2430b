"""`…/navigation/$ref`: links between rows, made and taken away.

POST, PUT  accounts(…)/contact_customer_accounts/$ref    {"@odata.id": "contacts(…)"}
DELETE     accounts(…)/contact_customer_accounts/$ref?$id=contacts(…)      accounts(…)/contact_customer_accounts(…)/$ref
DELETE     accounts(…)/primarycontactid/$ref
"""

from typing import TYPE_CHECKING

from unify.dataverse.query import Questions
from unify.dataverse.writes import Writes
from unify.service.data.exchange import Inquiry, Reply
from unify.service.dataverse.address import pairs_of
from unify.service.dataverse.allowed import LINKS, not_allowed
from unify.service.dataverse.bodies import bad_payload, json_body, referred
from unify.service.dataverse.places import Collection, Place, Resource, Single, no_segment, row_id

if TYPE_CHECKING:
    from unify.service.dataverse.session import Session


def write(session: "Session", questions: Questions, writes: Writes, inquiry: Inquiry, found: Resource) -> Reply:
    """Make or take away a link: 204."""
    if not isinstance(found, Collection | Place | Single) or found.owner is None or found.navigation is None:
        raise no_segment("$ref")
    owner, table, name = row_id(questions, found.owner), found.owner.table.name, found.navigation.name
    if inquiry.method == "DELETE":
        target = _which(session, inquiry) if isinstance(found, Collection) else None
        if isinstance(found, Place):
            target = row_id(questions, found)
        if isinstance(found, Collection) and target is None:
            raise bad_payload("which link is taken away is not said", hint="write $ref?$id=contacts(…)")
        writes.disassociate(table, owner, name, target)
    elif inquiry.method in ("POST", "PUT") and not isinstance(found, Place):
        writes.associate(table, owner, name, _target(session, inquiry))
    else:
        raise not_allowed(inquiry.method, LINKS)
    return Reply(204)


def _target(session: "Session", inquiry: Inquiry) -> str:
    said = json_body(inquiry, session.references).get("@odata.id")
    if not isinstance(said, str):
        raise bad_payload("the body names no row", hint='send {"@odata.id": "contacts(…)"}')
    return said


def _which(session: "Session", inquiry: Inquiry) -> str | None:
    said = next((value for name, value in pairs_of(inquiry.query) if name == "$id"), None)
    return None if said is None else referred(said, session.references)
