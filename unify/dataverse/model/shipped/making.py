"""Short ways to declare what is shipped. Each gives a column; the logical name is the schema name in lower case."""

from collections.abc import Iterable
from typing import Any, Final

from unify.dataverse.model.nouns import (
    AttributeModel,
    Cascade,
    Computed,
    KeyModel,
    OneToMany,
    OptionModel,
    Required,
    TableModel,
    Type,
)

INT32: Final = 2**31
MONEY_MOST: Final = 922_337_203_685_477
"""Dataverse's own bound: 64 bits with four digits after the point."""


def _column(schema_name: str, kind: Type, label: str, **more: Any) -> AttributeModel:
    return AttributeModel(schema_name.lower(), schema_name, kind, label, **more)


def text(schema_name: str, label: str, length: int, *, form: str = "Text", **more: Any) -> AttributeModel:
    """One line."""
    return _column(schema_name, Type.STRING, label, length=length, format=form, **more)


def memo(schema_name: str, label: str, length: int = 2000) -> AttributeModel:
    """Many lines."""
    return _column(schema_name, Type.MEMO, label, length=length, format="TextArea")


def whole(schema_name: str, label: str, least: int = -INT32, most: int = INT32 - 1, **more: Any) -> AttributeModel:
    """A whole number."""
    return _column(schema_name, Type.INTEGER, label, least=least, most=most, **more)


def decimal(schema_name: str, label: str, precision: int = 2) -> AttributeModel:
    """An exact number."""
    return _column(schema_name, Type.DECIMAL, label, precision=precision, least=-100_000_000_000, most=100_000_000_000)


def double(schema_name: str, label: str, least: float, most: float, precision: int = 5) -> AttributeModel:
    """A floating point number."""
    return _column(schema_name, Type.DOUBLE, label, precision=precision, least=least, most=most)


def money(schema_name: str, label: str, least: int = -MONEY_MOST) -> AttributeModel:
    """An amount."""
    return _column(schema_name, Type.MONEY, label, precision=2, least=least, most=MONEY_MOST)


def flag(schema_name: str, label: str, default: bool = False, no: str = "No", yes: str = "Yes") -> AttributeModel:
    """Yes or no."""
    options = (OptionModel(0, no), OptionModel(1, yes))
    return _column(schema_name, Type.BOOLEAN, label, options=options, default=default)


def day(schema_name: str, label: str) -> AttributeModel:
    """A date."""
    return _column(schema_name, Type.DATETIME, label, format="DateOnly", behavior="DateOnly")


def moment(schema_name: str, label: str, **more: Any) -> AttributeModel:
    """A date with a time."""
    return _column(schema_name, Type.DATETIME, label, format="DateAndTime", behavior="UserLocal", **more)


def choice(schema_name: str, label: str, options: Iterable[str], first: int = 1, **more: Any) -> AttributeModel:
    """One of labels, numbered from `first`."""
    numbered = tuple(OptionModel(value, name) for value, name in enumerate(options, first))
    return _column(schema_name, Type.PICKLIST, label, options=numbered, **more)


def lookup(schema_name: str, label: str, *targets: str, kind: Type = Type.LOOKUP, **more: Any) -> AttributeModel:
    """A row of another table. With several targets `type_column` says which."""
    return _column(schema_name, kind, label, targets=targets, **more)


def type_of(schema_name: str, label: str = "") -> AttributeModel:
    """The column that says which table a lookup means; writes set it."""
    return _column(schema_name, Type.ENTITY_NAME, label, length=64, create=False, update=False, read=False)


def identity(schema_name: str, label: str) -> AttributeModel:
    """The primary id."""
    return _column(schema_name, Type.GUID, label, required=Required.SYSTEM, update=False)


def guid(schema_name: str, label: str) -> AttributeModel:
    """A guid that is no lookup."""
    return _column(schema_name, Type.GUID, label)


def full_name() -> AttributeModel:
    """Of a person."""
    return text("FullName", "Full Name", 160, computed=Computed.NAME, create=False, update=False, primary=True)


def status(*states: tuple[str, dict[int, str]], label: str = "Status") -> tuple[AttributeModel, AttributeModel]:
    """statecode and statuscode. States are numbered from 0; the first status of a state is its default."""
    state_options = tuple(
        OptionModel(value, name, default=next(iter(codes))) for value, (name, codes) in enumerate(states)
    )
    codes = tuple(OptionModel(code, name, state) for state, (_, of) in enumerate(states) for code, name in of.items())
    return (
        _column("StateCode", Type.STATE, label, options=state_options, default=0, required=Required.SYSTEM),
        _column("StatusCode", Type.STATUS, "Status Reason", options=tuple(sorted(codes, key=lambda o: o.value))),
    )


def audit(*, owned: bool = True) -> list[AttributeModel]:
    """When and by whom a row was written, and whose it is."""
    set_by_us: dict[str, Any] = {"create": False, "update": False}
    found = [
        moment("CreatedOn", "Created On", **set_by_us),
        lookup("CreatedBy", "Created By", "systemuser", **set_by_us),
        moment("ModifiedOn", "Modified On", **set_by_us),
        lookup("ModifiedBy", "Modified By", "systemuser", **set_by_us),
        _column(
            "OverriddenCreatedOn",
            Type.DATETIME,
            "Record Created On",
            format="DateOnly",
            behavior="UserLocal",
            update=False,
        ),
        whole("ImportSequenceNumber", "Import Sequence Number", update=False),
        _column("VersionNumber", Type.BIGINT, "Version Number", computed=Computed.VERSION, **set_by_us),
    ]
    if owned:
        found += [
            lookup("OwnerId", "Owner", "systemuser", "team", kind=Type.OWNER, type_column="owneridtype",
                   required=Required.SYSTEM),
            type_of("OwnerIdType"),
            lookup("OwningUser", "Owning User", "systemuser", **set_by_us),
            lookup("OwningTeam", "Owning Team", "team", **set_by_us),
            lookup("OwningBusinessUnit", "Owning Business Unit", "businessunit", **set_by_us),
        ]  # fmt: skip
    return found


def audit_relationships(table: str, plural: str, *, owned: bool = True) -> list[OneToMany]:
    """Those of the columns of `audit`, by the names they have in Dataverse."""
    found = [
        _many(f"lk_{table}base_createdby", "systemuser", table, "createdby"),
        _many(f"lk_{table}base_modifiedby", "systemuser", table, "modifiedby"),
    ]
    if owned:
        found += [
            _many(f"owner_{plural}", "owner", table, "ownerid", Cascade.RESTRICT),
            _many(f"user_{plural}", "systemuser", table, "owninguser"),
            _many(f"team_{plural}", "team", table, "owningteam"),
            _many(f"business_unit_{plural}", "businessunit", table, "owningbusinessunit", Cascade.RESTRICT),
        ]
    return found


def _many(name: str, referenced: str, referencing: str, attribute: str, cascade: Cascade = Cascade.NONE) -> OneToMany:
    return OneToMany(name, referenced, f"{referenced}id", referencing, attribute, attribute, name, cascade)


def points(
    name: str,
    referenced: str,
    referencing: str,
    attribute: str,
    *,
    via: str = "",
    on_delete: Cascade = Cascade.REMOVE_LINK,
) -> OneToMany:
    """Rows of `referencing` point at one of `referenced`; `via`: the navigation property, else the column's name."""
    return OneToMany(name, referenced, f"{referenced}id", referencing, attribute, via or attribute, name, on_delete)


def table(
    schema_name: str, label: str, plural: str, code: int, columns: Iterable[AttributeModel], *,
    set_name: str = "", collection: str = "", keys: Iterable[KeyModel] = (), **more: Any,
) -> TableModel:  # fmt: skip
    """A table. Columns are in the order given; the id is the one of type Uniqueidentifier that comes first."""
    attributes = {column.name: column for column in columns}
    name = schema_name.lower()
    return TableModel(
        name, schema_name, set_name or f"{name}s", collection or f"{schema_name}s",
        id_attribute=next(c.name for c in attributes.values() if c.type is Type.GUID),
        name_attribute=next((c.name for c in attributes.values() if c.primary), None),
        type_code=code, label=label, label_collection=plural, attributes=attributes,
        keys={key.name: key for key in keys}, **more,
    )  # fmt: skip


def address() -> list[AttributeModel]:
    """Address 1."""
    lines = [
        ("AddressTypeCode", None), ("Name", 200), ("Line1", 250), ("Line2", 250), ("Line3", 250), ("City", 80),
        ("StateOrProvince", 50), ("PostalCode", 20), ("Country", 80), ("County", 50), ("Telephone1", 50), ("Fax", 50),
    ]  # fmt: skip
    labels = {"Line1": "Street 1", "Line2": "Street 2", "Line3": "Street 3", "StateOrProvince": "State/Province",
              "PostalCode": "ZIP/Postal Code", "Country": "Country/Region", "Telephone1": "Phone"}  # fmt: skip
    found = [text(f"Address1_{n}", f"Address 1: {labels.get(n, n)}", size) for n, size in lines if size is not None]
    kinds = ("Bill To", "Ship To", "Primary", "Other")
    return [
        choice("Address1_AddressTypeCode", "Address 1: Address Type", kinds),
        *found,
        double("Address1_Latitude", "Address 1: Latitude", -90, 90),
        double("Address1_Longitude", "Address 1: Longitude", -180, 180),
    ]
