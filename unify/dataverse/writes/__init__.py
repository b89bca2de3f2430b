"""Rows of Dataverse tables, written in a transaction of the record store.

    with store.write() as writing:
        writes = Writes(writing, writer_of(writing, "crm-sync"))
        made = writes.create("contact", {"lastname": "Muster", "parentcustomerid_account@odata.bind": "/accounts(…)"})

Values are those of the wire, parsed from JSON; numbers that came with a point may be Decimal or float. What is refused
is a DataverseError, and the transaction is given up as a whole.
"""

from unify.dataverse.writes.facade import Writes
from unify.dataverse.writes.keys import located, parse_reference
from unify.dataverse.writes.nouns import ANY, NEW, Deleted, Expect, Key, Writer, Written
from unify.dataverse.writes.tracking import TrackedChanges, changes, since, token
from unify.dataverse.writes.writers import organization_of, user_id, writer_of

__all__ = [
    "ANY",
    "NEW",
    "Deleted",
    "Expect",
    "Key",
    "TrackedChanges",
    "Writer",
    "Writes",
    "Written",
    "changes",
    "located",
    "organization_of",
    "parse_reference",
    "since",
    "token",
    "user_id",
    "writer_of",
]
