"""What a Dataverse environment is made of: tables, their columns, choices, keys, and how tables hang together.

    Model ─┬─ TableModel ─┬─ AttributeModel ── OptionModel
           │              └─ KeyModel
           ├─ OneToMany      a lookup on one table, and the collection it makes on the other
           └─ ManyToMany     two collections and the table between

A table's rows are those of the record table of its logical name: `AttributeModel.column` says in which column.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from http import HTTPStatus
from typing import Final
from uuid import UUID, uuid5

from unify.core.errors import did_you_mean
from unify.dataverse.errors import NO_PROPERTY, NO_SEGMENT, DataverseError
from unify.records.definitions import VERSION

_NAMESPACE: Final = UUID("3f2c1c5e-6f0b-5d1b-9a37-6d2f4d1e7a90")
LANGUAGE: Final = 1033
"""Of labels."""


def metadata_id(*names: str) -> str:
    """The guid of something that has a name: the same in every instance."""
    return str(uuid5(_NAMESPACE, "/".join(names)))


class Type(StrEnum):
    """Of an attribute: Dataverse's AttributeTypeCode, but a multi-select choice is named as what it is."""

    STRING = "String"
    MEMO = "Memo"
    INTEGER = "Integer"
    BIGINT = "BigInt"
    DECIMAL = "Decimal"
    DOUBLE = "Double"
    MONEY = "Money"
    BOOLEAN = "Boolean"
    DATETIME = "DateTime"
    GUID = "Uniqueidentifier"
    PICKLIST = "Picklist"
    MULTISELECT = "MultiSelectPicklist"
    """Held as text: values in ascending order with commas between, `1,2,7`."""
    STATE = "State"
    STATUS = "Status"
    LOOKUP = "Lookup"
    OWNER = "Owner"
    CUSTOMER = "Customer"
    ENTITY_NAME = "EntityName"
    """Text: the logical name of a table."""
    FILE = "File"
    """Held as the guid of a row of `fileattachment`, where the content lies; `<name>_name` is the file's name."""


LOOKUPS: Final = frozenset({Type.LOOKUP, Type.OWNER, Type.CUSTOMER})
CHOICES: Final = frozenset({Type.PICKLIST, Type.STATE, Type.STATUS})
"""Held as an integer that stands for a label."""


class Required(StrEnum):
    """Level of an attribute. Only SYSTEM is enforced by the Web API; the others are for forms."""

    NONE = "None"
    SYSTEM = "SystemRequired"
    APPLICATION = "ApplicationRequired"
    RECOMMENDED = "Recommended"


class Cascade(StrEnum):
    """What becomes of the rows that point at a row which is deleted."""

    REMOVE_LINK = "RemoveLink"
    CASCADE = "Cascade"
    RESTRICT = "Restrict"
    NONE = "NoCascade"


class Computed(StrEnum):
    """Attributes that are worked out, and by what."""

    NAME = "fullname"
    """firstname and lastname, with a blank between."""
    VERSION = "version"
    """The row's version: the record store keeps it in a column of its own."""
    NUMBER = "ticketnumber"
    """CAS-00001-A1B2C3, drawn when the row is made and nobody gave one."""


@dataclass(frozen=True, slots=True)
class OptionModel:
    """One choice. `state`: of a status, the state it belongs to. `default`: of a state, its first status."""

    value: int
    label: str
    state: int | None = None
    default: int | None = None


@dataclass(frozen=True, slots=True)
class AttributeModel:
    """One column of a table.

    name         logical name, lower case; lookups go over the wire as `_<name>_value`, see `wire_name`
    create, update, read   whether a client's value is taken at create, at update, and given out
    length       most characters of a String or Memo
    precision    digits after the point of Decimal, Double (None there: as many as it has) and Money
    least, most  of numbers
    format       Text, Email, Phone, Url, TextArea; DateOnly, DateAndTime
    behavior     of a DateTime: UserLocal, TimeZoneIndependent, or DateOnly, which makes it an Edm.Date
    options      of choices; a boolean's stand for 0 and 1
    default      what a create without a value puts there, a choice's number or a boolean
    targets      of a lookup: logical names of tables
    type_column  of a lookup with several targets: the EntityName attribute that says which one a row means
    """

    name: str
    schema_name: str
    type: Type
    label: str = ""
    description: str = ""
    required: Required = Required.NONE
    create: bool = True
    update: bool = True
    read: bool = True
    length: int | None = None
    precision: int | None = None
    least: int | float | None = None
    most: int | float | None = None
    format: str = ""
    behavior: str = ""
    options: tuple[OptionModel, ...] = ()
    option_set: str = ""
    default: int | bool | None = None
    targets: tuple[str, ...] = ()
    type_column: str | None = None
    computed: Computed | None = None
    custom: bool = False
    primary: bool = False
    """The primary name attribute."""

    @property
    def is_lookup(self) -> bool:
        """It points at a row."""
        return self.type in LOOKUPS

    @property
    def managed(self) -> bool:
        """A boolean that goes over the wire as an object: `{"Value": true, "CanBeChanged": true, …}`."""
        return self.format == "ManagedProperty"

    @property
    def date_only(self) -> bool:
        """A DateTime that is a day: Edm.Date."""
        return self.type is Type.DATETIME and self.behavior == "DateOnly"

    @property
    def wire_name(self) -> str:
        """Its name in OData: `_ownerid_value` of lookup ownerid."""
        return f"_{self.name}_value" if self.is_lookup else self.name

    @property
    def column(self) -> str:
        """Its column in the record table."""
        return VERSION if self.computed is Computed.VERSION else self.name

    def label_of(self, value: int) -> str | None:
        """Of a choice."""
        return next((option.label for option in self.options if option.value == value), None)


@dataclass(frozen=True, slots=True)
class KeyModel:
    """An alternate key."""

    name: str
    schema_name: str
    label: str
    attributes: tuple[str, ...]
    custom: bool = True


@dataclass(frozen=True, slots=True)
class OneToMany:
    """Rows of `referencing` point with `attribute` at one row of `referenced`.

    lookup       the single-valued navigation property, on referencing: `parentcustomerid_account`
    collection   the collection-valued one, on referenced: `contact_customer_accounts`
    """

    schema_name: str
    referenced: str
    referenced_attribute: str
    referencing: str
    attribute: str
    lookup: str
    collection: str
    on_delete: Cascade = Cascade.REMOVE_LINK
    custom: bool = False


@dataclass(frozen=True, slots=True)
class ManyToMany:
    """Pairs of rows. They lie in the record table `intersect`, by `<table>id` of each side.

    first_collection    the navigation property on the first table, to rows of the second; second_collection the other
    """

    schema_name: str
    intersect: str
    first: str
    first_attribute: str
    first_collection: str
    second: str
    second_attribute: str
    second_collection: str
    custom: bool = False


@dataclass(frozen=True, slots=True)
class Navigation:
    """A navigation property, as seen from the table it stands on.

    attribute   of a single-valued one: the lookup on `table`; of a one-to-many collection: the lookup on `target`
    """

    name: str
    table: str
    target: str
    collection: bool
    relationship: OneToMany | ManyToMany
    attribute: str | None


@dataclass(frozen=True)
class TableModel:
    """One table. `name` is the logical name, `set_name` the entity set's."""

    name: str
    schema_name: str
    set_name: str
    collection_schema_name: str
    id_attribute: str
    name_attribute: str | None
    type_code: int
    label: str
    label_collection: str
    attributes: Mapping[str, AttributeModel]
    keys: Mapping[str, KeyModel] = field(default_factory=dict)
    description: str = ""
    ownership: str = "UserOwned"
    """UserOwned, OrganizationOwned, BusinessOwned or None."""
    is_activity: bool = False
    is_intersect: bool = False
    tracked: bool = True
    """Its changes can be followed by token."""
    custom: bool = False
    writable: bool = True
    """Clients create, change and delete rows of it."""

    @property
    def id(self) -> str:
        """MetadataId."""
        return metadata_id(self.name)

    def attribute(self, name: str) -> AttributeModel:
        """By logical name; DataverseError in the words of Dataverse."""
        found = self.attributes.get(name)
        if found is None:
            raise self.no_property(name)
        return found

    @cached_property
    def properties(self) -> Mapping[str, AttributeModel]:
        """By the name it has in OData."""
        return {attribute.wire_name: attribute for attribute in self.attributes.values()}

    def of_property(self, name: str) -> AttributeModel:
        """By its name in OData, `_ownerid_value`; DataverseError."""
        found = self.properties.get(name)
        if found is None:
            raise self.no_property(name)
        return found

    def no_property(self, name: str) -> DataverseError:
        """There is no such property."""
        return DataverseError(
            f"Could not find a property named '{name[:100]}' on type 'Microsoft.Dynamics.CRM.{self.name}'.",
            code=NO_PROPERTY,
            where=self.name,
            hint=did_you_mean(name, list(self.properties)),
        )


@dataclass(frozen=True)
class Model:
    """All of an instance at one moment. `version` is that of the latest definition: it grows with every change."""

    version: int
    tables: Mapping[str, TableModel]
    one_to_many: tuple[OneToMany, ...]
    many_to_many: tuple[ManyToMany, ...]
    stamp: str = ""
    """Of the definitions: equal stamps, equal models."""

    def table(self, name: str) -> TableModel:
        """By logical name; DataverseError 404."""
        found = self.tables.get(name)
        if found is None:
            raise DataverseError(
                f"The entity with a name = '{name[:100]}' was not found in the MetadataCache.",
                code="0x80041102",
                status=HTTPStatus.NOT_FOUND,
                where=name[:100],
                hint=did_you_mean(name, list(self.tables)),
            )
        return found

    @cached_property
    def sets(self) -> Mapping[str, TableModel]:
        """By name of the entity set. `activities` is spelt as the OpenAPI document does, besides `activitypointers`."""
        found = {table.set_name: table for table in self.tables.values() if not table.is_intersect}
        if "activitypointer" in self.tables:
            found.setdefault("activities", self.tables["activitypointer"])
        return found

    def of_set(self, name: str) -> TableModel:
        """By name of the entity set; DataverseError 404."""
        found = self.sets.get(name)
        if found is None:
            raise DataverseError(
                f"Resource not found for the segment '{name[:100]}'.",
                code=NO_SEGMENT,
                status=HTTPStatus.NOT_FOUND,
                where=name[:100],
                hint=did_you_mean(name, list(self.sets)),
            )
        return found

    @cached_property
    def _navigations(self) -> Mapping[str, Mapping[str, Navigation]]:
        found: dict[str, dict[str, Navigation]] = {name: {} for name in self.tables}
        for each in self._each():
            found[each.table][each.name] = each
        return found

    def _each(self) -> Iterator[Navigation]:
        for one in self.one_to_many:
            yield Navigation(one.lookup, one.referencing, one.referenced, False, one, one.attribute)
            yield Navigation(one.collection, one.referenced, one.referencing, True, one, one.attribute)
        for many in self.many_to_many:
            yield Navigation(many.first_collection, many.first, many.second, True, many, None)
            if many.second_collection != many.first_collection or many.first != many.second:
                yield Navigation(many.second_collection, many.second, many.first, True, many, None)

    def navigations(self, table: str) -> Mapping[str, Navigation]:
        """Of a table, by name."""
        return self._navigations[table]

    def navigation(self, table: str, name: str) -> Navigation:
        """One; DataverseError."""
        found = self._navigations[table].get(name)
        if found is None:
            raise self.table(table).no_property(name)
        return found

    def lookups_to(self, table: str) -> list[OneToMany]:
        """Relationships whose lookups can point at rows of a table."""
        return [one for one in self.one_to_many if one.referenced == table]
