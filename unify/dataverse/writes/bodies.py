"""A body of JSON, read: what it says of columns, of lookups, and which rows are nested in it.

Passed over, as Dataverse does: annotations, and values of columns that a client cannot set, so that rows can be sent
back as they were read. `_name_value` is such a column; but one that says something else than the row would be lost, and
is refused.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from unify.core.errors import did_you_mean
from unify.dataverse.errors import BAD_INPUT, DataverseError
from unify.dataverse.model import AttributeModel, Navigation, TableModel, Type
from unify.dataverse.writes.keys import Reference, parse_reference
from unify.dataverse.writes.nouns import Body
from unify.dataverse.writes.session import Session
from unify.dataverse.writes.values import converted, guid, payload_error
from unify.records import Value

BIND = "@odata.bind"


@dataclass(slots=True)
class Parsed:
    """A body. `values`: columns by logical name, lookups included; `seen`: `_name_value` by lookup, as they came."""

    values: dict[str, Value] = field(default_factory=dict)
    seen: dict[str, Any] = field(default_factory=dict)
    one: list[tuple[Navigation, Body]] = field(default_factory=list)
    many: list[tuple[Navigation, list[Body]]] = field(default_factory=list)
    bound: list[tuple[Navigation, list[Reference]]] = field(default_factory=list)

    @property
    def nested(self) -> bool:
        """Rows are made with this one, or linked to it."""
        return bool(self.one or self.many or self.bound)


def parse(session: Session, table: TableModel, body: Any, *, creating: bool) -> Parsed:
    """What a body says. DataverseError."""
    if not isinstance(body, dict):
        raise payload_error(table, "Microsoft.OData.ODataException: an object is expected.")
    found = Parsed()
    attributes = table.attributes
    for name, value in body.items():
        attribute = attributes.get(name)
        if attribute is not None and not attribute.is_lookup:
            if attribute.create if creating else attribute.update:
                found.values[name] = converted(table, attribute, value)
            elif name == table.id_attribute:
                found.seen[name] = value
        elif "@" in name:
            _annotation(session, table, name, value, found)
        elif (navigation := session.model.navigations(table.name).get(name)) is not None:
            _nested(session, table, navigation, value, found)
        elif (lookup := table.properties.get(name)) is not None and lookup.is_lookup:
            found.seen[lookup.name] = value
        else:
            raise _no_property(table, name)
    return found


def check_seen(table: TableModel, found: Parsed, row: Mapping[str, Value] | None) -> None:
    """`_name_value` and the id may be sent along as they are; else they are refused. `row` None: it is being made."""
    for name, value in found.seen.items():
        held = None if row is None else row[name]
        if name in found.values or value is None or (held is not None and guid(value) == held):
            continue
        attribute = table.attributes[name]
        if not attribute.is_lookup:
            message = f"The id of a {table.name} cannot be changed from {held!s} to {value!s:.100}."
            raise DataverseError(message, code=BAD_INPUT, where=name)
        if not attribute.create:
            continue
        message = "CRM do not support direct update of Entity Reference properties, Use Navigation properties instead."
        raise DataverseError(
            message, code=BAD_INPUT, where=attribute.wire_name, hint=f"write {_example(_bindable(attribute))}"
        )


def _bindable(attribute: AttributeModel) -> str:
    """The navigation property to write instead."""
    return f"{attribute.name}_{attribute.targets[0]}" if attribute.type is Type.CUSTOMER else attribute.name


def _example(navigation: str) -> str:
    return f'"{navigation}{BIND}": "/…(…)"'


def _annotation(session: Session, table: TableModel, name: str, value: Any, found: Parsed) -> None:
    if name == "@odata.type":
        said = str(value).lstrip("#").rpartition(".")[2]
        if said != table.name:
            raise payload_error(
                table, f"Microsoft.OData.ODataException: '{value!s:.100}' is not the type of this entity."
            )
        return
    if not name.endswith(BIND):
        return
    plain = name.removesuffix(BIND)
    navigation = session.model.navigations(table.name).get(plain)
    if navigation is None:
        known = [n for n, each in session.model.navigations(table.name).items() if not each.collection]
        inner = (
            f"Microsoft.OData.ODataException: An undeclared property '{plain[:100]}' which only has property "
            "annotations in the payload but no property value was found in the payload. In OData, only declared "
            "navigation properties and declared named streams can be represented as properties without values."
        )
        raise payload_error(table, inner, where=plain[:100], hint=did_you_mean(plain, known))
    if not navigation.collection:
        put(session, table, navigation, None if value is None else parse_reference(session.model, value), found.values)
        return
    if not isinstance(value, list):
        raise payload_error(table, f"Microsoft.OData.ODataException: '{plain}' is a collection.", where=plain)
    found.bound.append((navigation, [parse_reference(session.model, each) for each in value]))


def _nested(session: Session, table: TableModel, navigation: Navigation, value: Any, found: Parsed) -> None:
    if navigation.collection and isinstance(value, list):
        found.many.append((navigation, value))
    elif not navigation.collection and value is None:
        put(session, table, navigation, None, found.values)
    elif not navigation.collection and isinstance(value, dict):
        if set(value) == {"@odata.id"}:
            put(session, table, navigation, parse_reference(session.model, value["@odata.id"]), found.values)
        else:
            found.one.append((navigation, value))
    else:
        inner = f"Microsoft.OData.ODataException: '{navigation.name}' cannot hold the value '{value!s:.100}'."
        raise payload_error(table, inner, where=navigation.name)


def put(
    session: Session, table: TableModel, navigation: Navigation, reference: Reference | None, values: dict[str, Value]
) -> None:
    """Set the lookup of a single-valued navigation property among `values`. DataverseError."""
    attribute = table.attributes[navigation.attribute or ""]
    if not attribute.create:
        message = f"'{navigation.name}' is read-only."
        raise DataverseError(message, code=BAD_INPUT, where=navigation.name)
    if reference is None:
        if attribute.type is Type.OWNER:
            raise DataverseError("An owner is needed.", code=BAD_INPUT, where=attribute.name)
        values[attribute.name] = None
    else:
        allowed = (*attribute.targets, "owner") if attribute.type is Type.OWNER else (navigation.target,)
        if reference.table not in allowed:
            message = f"A record of '{reference.table}' cannot be referenced by '{navigation.name}' of '{table.name}'."
            raise DataverseError(message, code=BAD_INPUT, where=navigation.name, hint=f"it takes: {', '.join(allowed)}")
        values[attribute.name] = session.point(reference)
    if attribute.type_column is not None:
        values[attribute.type_column] = None if reference is None else reference.table


def _no_property(table: TableModel, name: str) -> DataverseError:
    inner = (
        f"Microsoft.Crm.CrmException: Invalid property '{name[:100]}' was found in entity "
        f"'Microsoft.Dynamics.CRM.{table.name}'."
    )
    hint = did_you_mean(name, [a.wire_name for a in table.attributes.values()])
    if (lookup := table.attributes.get(name)) is not None:
        hint = f"write {_example(_bindable(lookup))}"
    return payload_error(table, inner, where=name[:100], hint=hint)
