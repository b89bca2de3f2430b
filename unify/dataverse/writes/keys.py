"""Which row: by guid, by alternate key, by an address."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote

from unify.dataverse.errors import BAD_INPUT, NO_RECORD_OF_KEY, NOT_A_KEY, DataverseError, no_record
from unify.dataverse.model import Model, TableModel
from unify.dataverse.writes.nouns import Key
from unify.dataverse.writes.values import converted, guid
from unify.records import Reading

_ADDRESS: Final = re.compile(r"(?:^|/)([A-Za-z_]\w*)\((.*)\)$", re.ASCII | re.DOTALL)
_PART: Final = re.compile(r"\s*([A-Za-z_]\w*)\s*=\s*('(?:[^']|'')*'|[^',]+)\s*(,|$)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reference:
    """A row that an address names. `table` is a logical name."""

    table: str
    key: Key


def located(reading: Reading, model: Model, table: str, key: Key) -> str | None:
    """The id of a row; None: there is none. DataverseError for a guid that is none, or columns that are no key."""
    known = model.table(table)
    if isinstance(key, str) or set(key) == {known.id_attribute}:
        wanted = id_of(known, key if isinstance(key, str) else key[known.id_attribute])
        return wanted if reading.get(table, [wanted]) is not None else None
    values = key_values(known, key)
    if any(value is None for value in values.values()):
        return None
    found = reading.find(table, values, key=key_named(known, key))
    return None if found is None else str(found.values[known.id_attribute])


def id_of(table: TableModel, said: Any) -> str:
    """A primary id; DataverseError when it is no guid."""
    found = guid(said)
    if found is None:
        message = f"'{said!s:.100}' is no id of {table.name}: a guid has 32 hex digits with 4 dashes."
        raise DataverseError(message, code=BAD_INPUT, where=table.id_attribute)
    return found


def key_named(table: TableModel, key: Mapping[str, Any]) -> str:
    """The alternate key that consists of exactly these properties; DataverseError when none does."""
    for each in table.keys.values():
        if {table.attributes[name].wire_name for name in each.attributes} == set(key):
            return each.name
    known = "; ".join(", ".join(each.attributes) for each in table.keys.values())
    raise DataverseError(
        f"The specified key attributes are not a defined key for the {table.name} entity",
        code=NOT_A_KEY,
        where=", ".join(key)[:100],
        hint=f"its keys: {known}" if known else "it has no alternate keys",
    )


def key_values(table: TableModel, key: Mapping[str, Any]) -> dict[str, Any]:
    """Values of an alternate key by logical name, as they are held; DataverseError."""
    key_named(table, key)
    return {a.name: converted(table, a, value) for a, value in ((table.of_property(n), v) for n, v in key.items())}


def missing(table: TableModel, key: Key) -> DataverseError:
    """404 of a row that is asked for."""
    if isinstance(key, str) or set(key) == {table.id_attribute}:
        return no_record(table.name, guid(key if isinstance(key, str) else key[table.id_attribute]) or str(key))
    message = f"A record with the specified key values does not exist in {table.name} entity"
    return DataverseError(message, code=NO_RECORD_OF_KEY, status=HTTPStatus.NOT_FOUND, where=table.name)


def parse_reference(model: Model, text: Any) -> Reference:
    """`/contacts(guid)`, `contacts(accountnumber='A')`, an absolute address. DataverseError."""
    if isinstance(text, str):
        for match in _from_left(unquote(text.strip())):
            key = _key(match[2].strip())
            if key is not None:
                return Reference(model.of_set(match[1]).name, key)
    message = f"Resource not found for the segment '{text!s:.200}'."
    hint = "write the address of a row, for example /contacts(00000000-0000-0000-0000-000000000001)"
    raise DataverseError(message, code=BAD_INPUT, hint=hint)


def _from_left(text: str) -> Iterator["re.Match[str]"]:
    # A key's text may hold slashes and brackets, so the first place from which the rest reads as a row is the row.
    at = 0
    while (match := _ADDRESS.search(text, at)) is not None:
        yield match
        at = match.start(1) + 1


def _key(said: str) -> Key | None:
    bare = said[1:-1] if len(said) == 38 and said[0] == said[-1] == "'" else said
    if guid(bare) is not None:
        return str(guid(bare))
    found: dict[str, Any] = {}
    at = 0
    while at < len(said):
        match = _PART.match(said, at)
        if match is None or match[1] in found:
            return None
        found[match[1]] = _literal(match[2].strip())
        at = match.end()
        if match[3] and at == len(said):
            return None
    return found or None


def _literal(said: str) -> Any:
    if said.startswith("'"):
        return said[1:-1].replace("''", "'")
    if said in {"true", "false", "null"}:
        return {"true": True, "false": False, "null": None}[said]
    if re.fullmatch(r"-?\d{1,19}", said, re.ASCII):
        return int(said)
    if re.fullmatch(r"-?\d{1,19}\.\d{1,19}", said, re.ASCII):
        return Decimal(said)
    return said
