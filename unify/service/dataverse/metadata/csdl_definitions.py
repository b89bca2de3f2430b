"""CSDL of what is not a table: definitions, and the complex types of built-in operations."""

from collections.abc import Iterator, Mapping
from typing import Any, Final
from xml.sax.saxutils import quoteattr

from unify.dataverse.model import AttributeModel, KeyModel, ManyToMany, OneToMany, OptionModel, TableModel, Type
from unify.service.dataverse.metadata import attributes, entities, relations

LABEL: Final = "mscrm.Label"
COMPLEX: Final[Mapping[str, Mapping[str, str]]] = {
    "LocalizedLabel": {
        "Label": "Edm.String", "LanguageCode": "Edm.Int32", "IsManaged": "Edm.Boolean", "MetadataId": "Edm.Guid",
        "HasChanged": "Edm.Boolean",
    },
    "Label": {"LocalizedLabels": "Collection(mscrm.LocalizedLabel)", "UserLocalizedLabel": "mscrm.LocalizedLabel"},
    "BooleanManagedProperty": {
        "Value": "Edm.Boolean", "CanBeChanged": "Edm.Boolean", "ManagedPropertyLogicalName": "Edm.String",
    },
    "AttributeRequiredLevelManagedProperty": {
        "Value": "Edm.String", "CanBeChanged": "Edm.Boolean", "ManagedPropertyLogicalName": "Edm.String",
    },
    "ValueName": {"Value": "Edm.String"},
    "OptionMetadata": {
        "Value": "Edm.Int32", "Label": LABEL, "Description": LABEL, "Color": "Edm.String",
        "ExternalValue": "Edm.String",
        "ParentValues": "Collection(Edm.Int32)", "Tag": "Edm.String", "IsHidden": "Edm.Boolean",
        "IsManaged": "Edm.Boolean", "MetadataId": "Edm.Guid", "HasChanged": "Edm.Boolean",
    },
    "EntityRecordCountCollection": {
        "Count": "Edm.Int32", "IsReadOnly": "Edm.Boolean", "Keys": "Collection(Edm.String)",
        "Values": "Collection(Edm.Int64)",
    },
    "EndpointCollection": {
        "Count": "Edm.Int32", "IsReadOnly": "Edm.Boolean", "Keys": "Collection(Edm.String)",
        "Values": "Collection(Edm.String)",
    },
    "OrganizationDetail": {
        "OrganizationId": "Edm.Guid", "FriendlyName": "Edm.String", "OrganizationVersion": "Edm.String",
        "EnvironmentId": "Edm.String", "DatacenterId": "Edm.Guid", "Geo": "Edm.String", "TenantId": "Edm.String",
        "UrlName": "Edm.String", "UniqueName": "Edm.String", "EndpointType": "Edm.Int32", "State": "Edm.String",
        "Endpoints": "mscrm.EndpointCollection",
    },
    "UpsertResponse": {"RecordCreated": "Edm.Boolean", "Target": "mscrm.crmbaseentity"},
    "QueryExpression": {"EntityName": "Edm.String", "Criteria": "mscrm.FilterExpression"},
    "FilterExpression": {
        "FilterOperator": "Edm.String", "Conditions": "Collection(mscrm.ConditionExpression)",
        "Filters": "Collection(mscrm.FilterExpression)",
    },
    "ConditionExpression": {
        "AttributeName": "Edm.String", "Operator": "Edm.String", "Values": "Collection(mscrm.Object)",
    },
    "Object": {"Type": "Edm.String", "Value": "Edm.String"},
    "EntityQueryExpression": {},
    "ComplexEntityMetadata": {},
    "activityparty": {},
}  # fmt: skip
ENUMS: Final = {"EndpointAccessType": ("Default", "Internet", "Intranet")}
OPEN: Final = frozenset(
    ("QueryExpression", "EntityQueryExpression", "ComplexEntityMetadata", "activityparty", "Object")
)
"""Types of which more may be said than is named."""


def definition_types() -> Iterator[str]:
    """All of them as CSDL."""
    for name, members in ENUMS.items():
        inside = "".join(f'<Member Name="{one}" Value="{place}"/>' for place, one in enumerate(members))
        yield f'<EnumType Name="{name}">{inside}</EnumType>'
    for name, properties in COMPLEX.items():
        inside = "".join(_property(each, kind) for each, kind in properties.items())
        is_open = ' OpenType="true"' if name in OPEN else ""
        yield f"<ComplexType Name={quoteattr(name)}{is_open}>{inside}</ComplexType>"
    yield from _entity_types()


def _property(name: str, kind: str) -> str:
    return f"<Property Name={quoteattr(name)} Type={quoteattr(kind)}/>"


def _entity_types() -> Iterator[str]:
    """Definitions: types of properties are read off one object of each kind."""
    table = TableModel("x", "X", "xs", "Xs", "xid", "name", 1, "x", "xs", {})
    one = OneToMany("x_y", "x", "xid", "y", "xid", "xid", "x_y")
    both = ManyToMany("x_z", "x_z", "x", "xid", "x_z", "z", "zid", "x_z")
    yield _type("EntityMetadata", entities.entity(table), "", links={
        "Attributes": "AttributeMetadata", "Keys": "EntityKeyMetadata",
        "OneToManyRelationships": "OneToManyRelationshipMetadata",
        "ManyToOneRelationships": "OneToManyRelationshipMetadata",
        "ManyToManyRelationships": "ManyToManyRelationshipMetadata",
    })  # fmt: skip
    columns = {kind: _column(kind) for kind in Type}
    made = {kind: attributes.attribute(table, column, 1) for kind, column in columns.items()}
    common = made[Type.GUID]
    yield _type("AttributeMetadata", common, "")
    seen: set[str] = set()
    for kind, column in columns.items():
        name = attributes.kind_of(column)
        if name in seen:
            continue
        seen.add(name)
        more = {key: value for key, value in made[kind].items() if key not in common}
        single = {"OptionSet": "OptionSetMetadataBase"} if kind in attributes.WITH_OPTIONS else {}
        yield _type(name, more, "AttributeMetadata", single=single)
    yield _type("EntityKeyMetadata", relations.key(table, KeyModel("k", "K", "k", ("name",))), "")
    first, second = relations.relationship(one), relations.relationship(both)
    shared = {name: value for name, value in first.items() if name in second}
    yield _type("RelationshipMetadataBase", shared, "")
    for name, values in ((relations.kind_of(one), first), (relations.kind_of(both), second)):
        yield _type(name, {k: v for k, v in values.items() if k not in shared}, "RelationshipMetadataBase")
    choices = attributes.option_set(table, columns[Type.PICKLIST]) or {}
    yes_no = attributes.option_set(table, columns[Type.BOOLEAN]) or {}
    shared = {name: value for name, value in choices.items() if name in yes_no}
    yield _type("OptionSetMetadataBase", shared, "")
    yield _type("OptionSetMetadata", {k: v for k, v in choices.items() if k not in shared}, "OptionSetMetadataBase")
    yield _type(
        "BooleanOptionSetMetadata", {k: v for k, v in yes_no.items() if k not in shared}, "OptionSetMetadataBase"
    )


def _column(kind: Type) -> AttributeModel:
    options = (OptionModel(0, "No"), OptionModel(1, "Yes"))
    return AttributeModel("name", "Name", kind, length=1, precision=1, least=0, most=1, options=options, default=1)


def _type(
    name: str,
    values: Mapping[str, Any],
    base: str,
    *,
    links: Mapping[str, str] | None = None,
    single: Mapping[str, str] | None = None,
) -> str:
    inside = "" if base else '<Key><PropertyRef Name="MetadataId"/></Key>'
    for key, value in values.items():
        kind = _kind(key, value)
        nullable = ' Nullable="false"' if key == "MetadataId" else ""
        inside += f"<Property Name={quoteattr(key)} Type={quoteattr(kind)}{nullable}/>"
    for key, target in (links or {}).items():
        inside += f'<NavigationProperty Name="{key}" Type="Collection(mscrm.{target})" ContainsTarget="true"/>'
    for key, target in (single or {}).items():
        inside += f'<NavigationProperty Name="{key}" Type="mscrm.{target}" Nullable="true"/>'
    head = f' BaseType="mscrm.{base}"' if base else ""
    return f"<EntityType Name={quoteattr(name)}{head}>{inside}</EntityType>"


def _kind(name: str, value: Any) -> str:
    if name == "MetadataId":
        return "Edm.Guid"
    if isinstance(value, bool):
        return "Edm.Boolean"
    if isinstance(value, int):
        return "Edm.Int64" if abs(value) > 2**31 else "Edm.Int32"
    if isinstance(value, list):
        options = bool(value) and isinstance(value[0], dict) and "Label" in value[0]
        return "Collection(mscrm.OptionMetadata)" if options else "Collection(Edm.String)"
    return _kind_of_object(value) if isinstance(value, dict) else "Edm.String"


def _kind_of_object(value: Mapping[str, Any]) -> str:
    if "LocalizedLabels" in value:
        return LABEL
    if "ManagedPropertyLogicalName" in value:
        of_bool = isinstance(value["Value"], bool)
        return "mscrm.BooleanManagedProperty" if of_bool else "mscrm.AttributeRequiredLevelManagedProperty"
    if set(value) == {"Value"}:
        return "mscrm.ValueName"
    return "mscrm.OptionMetadata" if "Label" in value and "Color" in value else "mscrm.Object"
