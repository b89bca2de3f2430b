"""The thirteen types of parameters and properties: what each is in CSDL, in JSON and in Python.

    type             CSDL                    JSON                                       Python
    Boolean          Edm.Boolean             true                                       bool
    DateTime         Edm.DateTimeOffset      "2026-11-22T09:30:00Z"                     datetime, aware
    Decimal, Money   Edm.Decimal             12.50                                      Decimal
    Entity           the table               {"@odata.type": …, "lastname": …}          Entity
    EntityCollection Collection(…)           [{…}, …]                                   EntityCollection
    EntityReference  the table               {"@odata.id": "contacts(…)"}               EntityReference
    Float            Edm.Double              0.5                                        float
    Integer          Edm.Int32               7                                          int
    Picklist         Edm.Int32               7                                          int, or an IntEnum
    String           Edm.String              "…"                                        str
    StringArray      Collection(Edm.String)  ["…"]                                      list of str
    Guid             Edm.Guid                "6d81597f-…"                               UUID

Reading is strict: a value of another type is refused, never bent to fit.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from unify.core.errors import UnifyError
from unify.custom.errors import bad_input
from unify.custom.nouns import NAMESPACE, Entity, EntityCollection, EntityReference, Field, FieldType
from unify.dataverse.model import Model
from unify.dataverse.model.nouns import metadata_id

EMPTY_GUID: Final = "00000000-0000-0000-0000-000000000000"
EARLIEST: Final = datetime(1, 1, 1, tzinfo=UTC)
INT32: Final = 2**31
MOST_DECIMAL: Final = 100_000_000_000
"""Dataverse's Decimal goes from minus to plus this; Money 922,337,203,685,477 (64 bits with four digits)."""
MOST_MONEY: Final = 922_337_203_685_477
Located = Callable[[str], EntityReference]
"""What an `@odata.id` means: `contacts(guid)`, `accounts(accountnumber='A-1')`, or the whole address of either."""


@dataclass(frozen=True, slots=True)
class World:
    """What reading and writing of rows needs: the tables, and how references are looked up."""

    model: Model
    located: Located


class _UnfitError(Exception):
    """A value is not of its type."""


# ── from JSON ────────────────────────────────────────────────────────────────────────────────────────────────────────


def read(field: Field, value: Any, world: World) -> Any:
    """A value of a request as a handler sees it; DataverseError 400. None stays None."""
    if value is None:
        return None
    try:
        return _READ[field.type](field, value, world)
    except _UnfitError:
        raise _wrong(field, value) from None


def _wrong(field: Field, value: Any) -> UnifyError:
    shown = value if isinstance(value, str | int | float | bool) else type(value).__name__
    return bad_input(
        f"Cannot convert the literal '{shown!s:.60}' of parameter '{field.name}' to the expected type '{edm(field)}'.",
        where=field.name,
    )


def _boolean(_: Field, value: Any, __: World) -> bool:
    if not isinstance(value, bool):
        raise _UnfitError
    return value


def _integer(_: Field, value: Any, __: World) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not -INT32 <= value < INT32:
        raise _UnfitError
    return value


def _number(value: Any, most: int) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal) or not math.isfinite(value):
        raise _UnfitError
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if abs(number) > most:
        raise _UnfitError
    return number


def _decimal(_: Field, value: Any, __: World) -> Decimal:
    return _number(value, MOST_DECIMAL)


def _money(_: Field, value: Any, __: World) -> Decimal:
    return _number(value, MOST_MONEY)


def _float(_: Field, value: Any, __: World) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise _UnfitError
    try:
        number = float(value)
    except OverflowError:
        raise _UnfitError from None
    if not math.isfinite(number):
        raise _UnfitError
    return number


def _text(_: Field, value: Any, __: World) -> str:
    if not isinstance(value, str):
        raise _UnfitError
    return value


def _texts(_: Field, value: Any, __: World) -> list[str]:
    if not isinstance(value, list | tuple) or not all(isinstance(one, str) for one in value):
        raise _UnfitError
    return list(value)


def _guid(_: Field, value: Any, __: World) -> UUID:
    try:
        return UUID(_guid_text(value))
    except ValueError:
        raise _UnfitError from None


def _guid_text(value: Any) -> str:
    if not isinstance(value, str) or len(value) != 36:
        raise _UnfitError
    return value.lower()


def _moment(_: Field, value: Any, __: World) -> datetime:
    if not isinstance(value, str):
        raise _UnfitError
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        raise _UnfitError from None
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _reference(field: Field, value: Any, world: World) -> EntityReference:
    if not isinstance(value, Mapping):
        raise _UnfitError
    address = value.get("@odata.id", value.get("@id"))
    found = world.located(address) if isinstance(address, str) else _by_id(field, value, world)
    if field.entity is not None and found.table != field.entity:
        raise _UnfitError
    return found


def _by_id(field: Field, value: Mapping[str, Any], world: World) -> EntityReference:
    """`{"@odata.type": "Microsoft.Dynamics.CRM.contact", "contactid": "…"}`."""
    name = _table_of(field, value)
    if name is None:
        raise _UnfitError
    table = world.model.table(name)
    try:
        return EntityReference(table.name, str(UUID(_guid_text(value.get(table.id_attribute)))))
    except ValueError:
        raise _UnfitError from None


def _table_of(field: Field, value: Mapping[str, Any]) -> str | None:
    said = value.get("@odata.type")
    if not isinstance(said, str):
        return field.entity
    return said.removeprefix("#").removeprefix(f"{NAMESPACE}.")


def _entity(field: Field, value: Any, world: World) -> Entity:
    if not isinstance(value, Mapping):
        raise _UnfitError
    name = _table_of(field, value)
    if name is None or (field.entity is not None and name != field.entity):
        raise _UnfitError
    table = world.model.table(name)
    values: dict[str, Any] = {}
    for key, given in value.items():
        if "@odata." in key and not key.endswith("@odata.bind"):
            continue
        if not key.endswith("@odata.bind") and key not in world.model.navigations(name):
            table.of_property(key)
        values[key] = given
    own = values.get(table.id_attribute)
    return Entity(name, values, None if own is None else _guid_text(own))


def _collection(field: Field, value: Any, world: World) -> EntityCollection:
    if not isinstance(value, list | tuple):
        raise _UnfitError
    rows = tuple(_entity(field, one, world) for one in value)
    tables = {row.table for row in rows}
    return EntityCollection(rows, field.entity or (tables.pop() if len(tables) == 1 else None))


_READ: Final[Mapping[FieldType, Callable[[Field, Any, World], Any]]] = {
    FieldType.BOOLEAN: _boolean, FieldType.DATETIME: _moment, FieldType.DECIMAL: _decimal, FieldType.ENTITY: _entity,
    FieldType.ENTITY_COLLECTION: _collection, FieldType.ENTITY_REFERENCE: _reference, FieldType.FLOAT: _float,
    FieldType.INTEGER: _integer, FieldType.MONEY: _money, FieldType.PICKLIST: _integer, FieldType.STRING: _text,
    FieldType.STRING_ARRAY: _texts, FieldType.GUID: _guid,
}  # fmt: skip


# ── Python ───────────────────────────────────────────────────────────────────────────────────────────────────────────

_PYTHON: Final[Mapping[FieldType, tuple[type, ...]]] = {
    FieldType.BOOLEAN: (bool,), FieldType.DATETIME: (datetime,), FieldType.DECIMAL: (Decimal, int),
    FieldType.ENTITY: (Entity,), FieldType.ENTITY_COLLECTION: (EntityCollection,),
    FieldType.ENTITY_REFERENCE: (EntityReference,), FieldType.FLOAT: (float, int), FieldType.INTEGER: (int,),
    FieldType.MONEY: (Decimal, int), FieldType.PICKLIST: (int,), FieldType.STRING: (str,),
    FieldType.STRING_ARRAY: (list, tuple), FieldType.GUID: (UUID,),
}  # fmt: skip


def fits(field: Field, given: Any) -> bool:
    """Whether a value that Python code gave is of the field's type. None is: it is what a handler leaves open."""
    if given is None:
        return True
    if not isinstance(given, _PYTHON[field.type]) or (isinstance(given, bool) and field.type is not FieldType.BOOLEAN):
        return False
    value: Any = given
    if field.type in (FieldType.INTEGER, FieldType.PICKLIST):
        return bool(-INT32 <= value < INT32)
    if field.type is FieldType.DATETIME:
        return bool(value.tzinfo is not None)
    if field.type in (FieldType.FLOAT, FieldType.DECIMAL, FieldType.MONEY):
        return math.isfinite(value)
    if field.type is FieldType.STRING_ARRAY:
        return all(isinstance(one, str) for one in value)
    if field.type in (FieldType.ENTITY, FieldType.ENTITY_REFERENCE):
        return bool(field.entity in (None, value.table))
    return True


def default(field: Field) -> Any:
    """What Dataverse answers where no code has set the property: the default of the type."""
    return _DEFAULTS[field.type]


_DEFAULTS: Final[Mapping[FieldType, Any]] = {
    FieldType.BOOLEAN: False, FieldType.DATETIME: EARLIEST, FieldType.DECIMAL: Decimal(0), FieldType.ENTITY: None,
    FieldType.ENTITY_COLLECTION: EntityCollection(), FieldType.ENTITY_REFERENCE: None, FieldType.FLOAT: 0.0,
    FieldType.INTEGER: 0, FieldType.MONEY: Decimal(0), FieldType.PICKLIST: 0, FieldType.STRING: None,
    FieldType.STRING_ARRAY: (), FieldType.GUID: UUID(EMPTY_GUID),
}  # fmt: skip


# ── to JSON ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def written(field: Field, value: Any, model: Model) -> Any:
    """A value as the answer has it. Decimals stay Decimal: whoever makes the text writes their digits."""
    if value is None:
        return None
    if field.type is FieldType.DATETIME:
        return zulu(value)
    if field.type is FieldType.FLOAT:
        return float(value)
    if field.type in (FieldType.DECIMAL, FieldType.MONEY):
        return Decimal(value)
    if field.type in (FieldType.INTEGER, FieldType.PICKLIST):
        return int(value)
    if field.type is FieldType.STRING_ARRAY:
        return list(value)
    if field.type is FieldType.GUID:
        return str(value)
    if field.type is FieldType.ENTITY_REFERENCE:
        return reference(value, model)
    if field.type is FieldType.ENTITY:
        return row(value, model)
    if field.type is FieldType.ENTITY_COLLECTION:
        return [row(one, model) for one in value.rows]
    return value


def reference(value: EntityReference, model: Model) -> dict[str, Any]:
    """A row by its id, with the type that says which table."""
    table = model.table(value.table)
    return {"@odata.type": f"#{NAMESPACE}.{table.name}", table.id_attribute: value.id}


def row(value: Entity, model: Model) -> dict[str, Any]:
    """A row with its values by property name: a lookup as `_name_value`."""
    table = model.table(value.table)
    found: dict[str, Any] = {"@odata.type": f"#{NAMESPACE}.{table.name}"}
    for name, held in value.values.items():
        attribute = table.attributes.get(name)
        found[attribute.wire_name if attribute is not None else name] = simple(held)
    if value.id is not None:
        found[table.id_attribute] = value.id
    return found


def simple(value: Any) -> Any:
    """A value of a column, without a field that says its type."""
    if isinstance(value, datetime):
        return zulu(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, UUID):
        return str(value)
    return value.id if isinstance(value, EntityReference) else value


def zulu(at: datetime) -> str:
    """As Dataverse writes a moment: UTC, fractions of a second only where there are any.

    >>> zulu(datetime(2026, 11, 22, 9, 30, tzinfo=UTC))
    '2026-11-22T09:30:00Z'
    """
    at = at.astimezone(UTC)
    text = f"{at.year:04}" + at.strftime("-%m-%dT%H:%M:%S")
    return text + (f".{at.microsecond:06}".rstrip("0") if at.microsecond else "") + "Z"


def edm(field: Field) -> str:
    """The type as CSDL has it: `Edm.Int32`, `mscrm.contact`."""
    if field.type is FieldType.ENTITY_COLLECTION:
        return f"Collection(mscrm.{field.entity or 'crmbaseentity'})"
    if field.type in (FieldType.ENTITY, FieldType.ENTITY_REFERENCE):
        return f"mscrm.{field.entity or 'crmbaseentity'}"
    return _EDM[field.type]


_EDM: Final[Mapping[FieldType, str]] = {
    FieldType.BOOLEAN: "Edm.Boolean", FieldType.DATETIME: "Edm.DateTimeOffset", FieldType.DECIMAL: "Edm.Decimal",
    FieldType.FLOAT: "Edm.Double", FieldType.INTEGER: "Edm.Int32", FieldType.MONEY: "Edm.Decimal",
    FieldType.PICKLIST: "Edm.Int32", FieldType.STRING: "Edm.String", FieldType.STRING_ARRAY: "Collection(Edm.String)",
    FieldType.GUID: "Edm.Guid",
}  # fmt: skip


def id_of(*names: str) -> str:
    """The guid of something that the product or Python code declares: the same in every instance."""
    return metadata_id("custom", *names)
