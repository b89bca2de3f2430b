"""`$metadata`: the model, its operations and the definitions themselves as CSDL XML of OData 4.0."""

from collections.abc import Iterable, Mapping
from typing import Any, Final
from xml.sax.saxutils import quoteattr

from unify.dataverse.model import Model, Navigation, OneToMany, TableModel
from unify.service.dataverse.metadata.csdl_definitions import COMPLEX, definition_types
from unify.service.dataverse.metadata.edm import edm_of
from unify.service.dataverse.operations import NAMESPACE, Binding, Operation, Parameter

EDMX: Final = "http://docs.oasis-open.org/odata/ns/edmx"
EDM: Final = "http://docs.oasis-open.org/odata/ns/edm"
BASE: Final = "crmbaseentity"
VOCABULARIES: Final = (
    '<edmx:Reference Uri="https://docs.oasis-open.org/odata/odata-vocabularies/v4.0/vocabularies/Org.OData.Core.V1.xml">'
    '<edmx:Include Namespace="Org.OData.Core.V1" Alias="Core"/></edmx:Reference>'
)
METADATA_SETS: Final = (
    ("EntityDefinitions", "EntityMetadata"),
    ("RelationshipDefinitions", "RelationshipMetadataBase"),
    ("GlobalOptionSetDefinitions", "OptionSetMetadataBase"),
)


def csdl(model: Model, operations: Iterable[Operation], *, annotations: bool = False) -> str:
    """The document. `annotations`: labels, and which values only the service sets."""
    tables = [model.tables[name] for name in sorted(model.tables) if not model.tables[name].is_intersect]
    shown = [one for one in operations if not one.private and _callable(one)]
    parts = [
        '<?xml version="1.0" encoding="utf-8"?>',
        f'<edmx:Edmx Version="4.0" xmlns:edmx="{EDMX}">{VOCABULARIES}<edmx:DataServices>',
        f'<Schema Namespace="{NAMESPACE}" Alias="mscrm" xmlns="{EDM}">',
        _tag("EntityType", {"Name": BASE, "Abstract": "true"}),
        *(_entity(model, one, annotations) for one in tables),
        *definition_types(),
        *(response for one in shown for response in _response(one)),
        *(_operation(one) for one in shown),
        _container(model, tables, shown),
        "</Schema></edmx:DataServices></edmx:Edmx>",
    ]
    return "".join(parts)


def _callable(operation: Operation) -> bool:
    """A function without an answer cannot be called, so nothing is told of it."""
    return not operation.function or bool(operation.returns)


def _tag(name: str, attributes: Mapping[str, str], inside: str = "") -> str:
    said = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items())
    return f"<{name}{said}>{inside}</{name}>" if inside else f"<{name}{said}/>"


# ── tables ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def base_of(model: Model, table: TableModel) -> TableModel | None:
    """The table that it is a kind of: activities have one."""
    pointer = model.tables.get("activitypointer")
    return pointer if pointer is not None and table.is_activity and table.name != pointer.name else None


def _entity(model: Model, table: TableModel, annotations: bool) -> str:
    base = base_of(model, table)
    inherited = set(base.properties) if base is not None else set()
    navigations = model.navigations(table.name)
    known = set(model.navigations(base.name)) if base is not None else set()
    inside = "" if base is not None else f"<Key>{_tag('PropertyRef', {'Name': table.id_attribute})}</Key>"
    for name, column in table.properties.items():
        if name in inherited or not column.read:
            continue
        said = {"Name": name, "Type": edm_of(column)}
        if name == table.id_attribute:
            said["Nullable"] = "false"
        if said["Type"] == "Edm.Decimal":
            said["Scale"] = "Variable"
        if column.length is not None:
            said["MaxLength"] = str(column.length)
        about = _about(column.label, computed=not column.create and not column.update) if annotations else ""
        inside += _tag("Property", said, about)
    inside += "".join(_navigation(model, one) for name, one in sorted(navigations.items()) if name not in known)
    head = {"Name": table.name, "BaseType": f"mscrm.{base.name if base is not None else BASE}"}
    about = _about(table.label) if annotations else ""
    return _tag("EntityType", head, inside + about)


def _about(text: str, *, computed: bool = False) -> str:
    made = _tag("Annotation", {"Term": "Org.OData.Core.V1.Description", "String": text}) if text else ""
    return made + (_tag("Annotation", {"Term": "Org.OData.Core.V1.Computed", "Bool": "true"}) if computed else "")


def _navigation(model: Model, one: Navigation) -> str:
    said = {"Name": one.name, "Type": f"mscrm.{one.target}"}
    inside = ""
    if one.collection:
        said["Type"] = f"Collection(mscrm.{one.target})"
    else:
        column = model.table(one.table).attribute(one.attribute or "")
        target = model.table(one.target).id_attribute
        constraint = {"Property": column.wire_name, "ReferencedProperty": target}
        said["Nullable"] = "true"
        inside = _tag("ReferentialConstraint", constraint)
    partner = _partner(one)
    if partner:
        said["Partner"] = partner
    return _tag("NavigationProperty", said, inside)


def _partner(one: Navigation) -> str:
    if isinstance(one.relationship, OneToMany):
        return one.relationship.lookup if one.collection else one.relationship.collection
    both = one.relationship
    return both.second_collection if one.name == both.first_collection else both.first_collection


# ── operations ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _response(operation: Operation) -> list[str]:
    if not isinstance(operation.returns, tuple):
        return []
    inside = "".join(_tag("Property", _typed(one)) for one in operation.returns)
    return [_tag("ComplexType", {"Name": f"{operation.name}Response"}, inside)]


def _typed(one: Parameter) -> dict[str, str]:
    said = {"Name": one.name, "Type": one.type}
    if one.type == "Edm.Decimal":
        said["Scale"] = "Variable"
    if not one.optional and one.type.startswith(("Edm.Guid", "Edm.Boolean")):
        said["Nullable"] = "false"
    return said


def _operation(operation: Operation) -> str:
    kind, said = ("Function" if operation.function else "Action"), {"Name": operation.name}
    inside = ""
    if operation.binding is not Binding.GLOBAL:
        said["IsBound"] = "true"
        bound = f"mscrm.{operation.table or BASE}"
        of = f"Collection({bound})" if operation.binding is Binding.COLLECTION else bound
        inside += _tag(
            "Parameter", {"Name": "entityset" if "Coll" in of else "entity", "Type": of, "Nullable": "false"}
        )
    for one in operation.parameters:
        given = _typed(one)
        about = _tag("Annotation", {"Term": "Org.OData.Core.V1.OptionalParameter"}) if one.optional else ""
        inside += _tag("Parameter", given, about)
    returned = f"mscrm.{operation.name}Response" if isinstance(operation.returns, tuple) else operation.returns
    if returned:
        inside += _tag("ReturnType", {"Type": returned, "Nullable": "false"})
    return _tag(kind, said, inside)


# ── the container ────────────────────────────────────────────────────────────────────────────────────────────────────


def _container(model: Model, tables: list[TableModel], operations: list[Operation]) -> str:
    sets = "".join(_set(model, one) for one in tables)
    sets += "".join(_tag("EntitySet", {"Name": name, "EntityType": f"mscrm.{kind}"}) for name, kind in METADATA_SETS)
    imports = ""
    for one in operations:
        if one.binding is Binding.GLOBAL:
            kind = "Function" if one.function else "Action"
            imports += _tag(f"{kind}Import", {"Name": one.name, kind: f"{NAMESPACE}.{one.name}"})
    return _tag("EntityContainer", {"Name": "System"}, sets + imports)


def _set(model: Model, table: TableModel) -> str:
    bound: dict[str, Any] = {name: one.target for name, one in sorted(model.navigations(table.name).items())}
    inside = "".join(
        _tag("NavigationPropertyBinding", {"Path": path, "Target": model.table(target).set_name})
        for path, target in bound.items()
        if not model.table(target).is_intersect
    )
    return _tag("EntitySet", {"Name": table.set_name, "EntityType": f"{NAMESPACE}.{table.name}"}, inside)


__all__ = ["COMPLEX", "base_of", "csdl"]
