"""Which row: by guid, by alternate key, by an address."""

from dataclasses import dataclass

from unify.dataverse.model import Model
from unify.dataverse.writes.nouns import Key
from unify.records import Reading


@dataclass(frozen=True, slots=True)
class Reference:
    """A row that an address names. `table` is a logical name."""

    table: str
    key: Key


def located(reading: Reading, model: Model, table: str, key: Key) -> str | None:
    """The id of a row; None: there is none. DataverseError for a guid that is none, or columns that are no key."""
    raise NotImplementedError


def parse_reference(model: Model, text: str) -> Reference:
    """`/contacts(guid)`, `contacts(accountnumber='A')`, an absolute address. DataverseError."""
    raise NotImplementedError
