"""A table as it is kept: its record table, and its model as JSON in `Table.about` of that."""

from collections.abc import Iterable, Mapping
from dataclasses import MISSING, fields
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, TypeVar

from unify.dataverse.model.nouns import (
    CHOICES,
    AttributeModel,
    Cascade,
    Computed,
    KeyModel,
    ManyToMany,
    Model,
    OneToMany,
    OptionModel,
    Required,
    TableModel,
    Type,
)
from unify.records import Column, Kind, Reading, Table
from unify.records.stamped import Stamped

ABOUT: Final = "dataverse"
T = TypeVar("T")

KINDS: Final[Mapping[Type, Kind]] = {
    Type.STRING: Kind.TEXT, Type.MEMO: Kind.TEXT, Type.ENTITY_NAME: Kind.TEXT, Type.MULTISELECT: Kind.TEXT,
    Type.INTEGER: Kind.INTEGER, Type.BIGINT: Kind.INTEGER, Type.PICKLIST: Kind.INTEGER, Type.STATE: Kind.INTEGER,
    Type.STATUS: Kind.INTEGER, Type.DECIMAL: Kind.DECIMAL, Type.MONEY: Kind.DECIMAL, Type.DOUBLE: Kind.DOUBLE,
    Type.BOOLEAN: Kind.BOOLEAN, Type.DATETIME: Kind.DATETIME, Type.GUID: Kind.GUID, Type.LOOKUP: Kind.GUID,
    Type.OWNER: Kind.GUID, Type.CUSTOMER: Kind.GUID, Type.FILE: Kind.GUID,
}  # fmt: skip


def record_table(table: TableModel, lookups: Iterable[OneToMany], *, revision: int = 0) -> Table:
    """The record table of a table, and of the lookups it has; `revision`: of the shipped tables, 0 is a user's."""
    columns = tuple(column_of(a) for a in table.attributes.values() if a.computed is not Computed.VERSION)
    keys = {key.name: key.attributes for key in table.keys.values()}
    labels = {
        a.name: {str(o.value): o.label for o in a.options} for a in table.attributes.values() if a.type in CHOICES
    }
    texts = (Type.STRING, Type.MEMO)
    about = {
        "labels": labels,
        "secret": [a.name for a in table.attributes.values() if not a.read and a.type in texts],
        ABOUT: {"revision": revision, "table": _plain(table), "lookups": [_plain(one) for one in lookups]},
    }
    return Table(table.name, columns, (table.id_attribute,), keys, about)


def intersect_table(many: ManyToMany, *, revision: int = 0) -> Table:
    """The record table of a many-to-many relationship."""
    first, second = sides(many)
    return Table(
        many.intersect,
        (Column(f"{many.intersect}id", Kind.GUID), Column(first, Kind.GUID), Column(second, Kind.GUID)),
        (first, second),
        about={ABOUT: {"revision": revision, "many_to_many": _plain(many)}},
    )


def sides(many: ManyToMany) -> tuple[str, str]:
    """Its columns in the table between: named like the ids, but where both are of one table."""
    if many.first == many.second:
        return f"{many.first_attribute}one", f"{many.second_attribute}two"
    return many.first_attribute, many.second_attribute


def column_of(attribute: AttributeModel) -> Column:
    """Of a record table. Lengths are told by writes in Dataverse's words, so the column has none."""
    kind = Kind.DATE if attribute.date_only else KINDS[attribute.type]
    return Column(attribute.name, kind, attribute.precision or 0 if kind is Kind.DECIMAL else 0)


def model_of(reading: Reading) -> Model:
    """All tables, as they are at that moment. Cheap: a process works it out once for every state."""
    return _MODELS.of(reading.stamp, lambda: _read(reading))


_MODELS: Final[Stamped[Model]] = Stamped()


def _read(reading: Reading) -> Model:
    tables: dict[str, TableModel] = {}
    lookups: list[OneToMany] = []
    many: list[ManyToMany] = []
    for name, table in reading.tables().items():
        about = table.about.get(ABOUT)
        if about is None:
            continue
        if "table" in about:
            tables[name] = table_from(about["table"])
            lookups += [lookup_from(each) for each in about["lookups"]]
        else:
            many.append(ManyToMany(**about["many_to_many"]))
    lookups.sort(key=lambda one: one.schema_name)
    many.sort(key=lambda both: both.schema_name)
    return Model(reading.defined, tables, tuple(lookups), tuple(many), reading.stamp)


def about_of(table: Table) -> Mapping[str, Any] | None:
    """What this module keeps with a record table; None: it is somebody else's."""
    found: Mapping[str, Any] | None = table.about.get(ABOUT)
    return found


def _plain(noun: Any) -> Any:
    """A noun as JSON: its fields that are not as they are by default."""
    if isinstance(noun, StrEnum):
        return noun.value
    if isinstance(noun, Decimal):
        return float(noun)
    if isinstance(noun, tuple | list):
        return [_plain(each) for each in noun]
    if isinstance(noun, Mapping):
        return [_plain(each) for each in noun.values()]  # by name: it stands in the value
    if not hasattr(noun, "__dataclass_fields__"):
        return noun
    found = ((f, getattr(noun, f.name)) for f in fields(noun))
    return {f.name: _plain(value) for f, value in found if f.default is MISSING or value != f.default}


def attribute_from(said: Mapping[str, Any]) -> AttributeModel:
    """What `_plain` made."""
    enums: dict[str, Any] = {"type": Type, "required": Required, "computed": Computed}
    values: dict[str, Any] = {name: enums[name](value) if name in enums else value for name, value in said.items()}
    if "options" in values:
        values["options"] = tuple(OptionModel(**option) for option in values["options"])
    if "targets" in values:
        values["targets"] = tuple(values["targets"])
    return AttributeModel(**values)


def table_from(said: Mapping[str, Any]) -> TableModel:
    """What `_plain` made."""
    attributes = {each["name"]: attribute_from(each) for each in said["attributes"]}
    keys = {each["name"]: KeyModel(**{**each, "attributes": tuple(each["attributes"])}) for each in said["keys"]}
    return TableModel(**{**said, "attributes": attributes, "keys": keys})


def lookup_from(said: Mapping[str, Any]) -> OneToMany:
    """What `_plain` made."""
    values = dict(said)
    if "on_delete" in values:
        values["on_delete"] = Cascade(values["on_delete"])
    return OneToMany(**values)
