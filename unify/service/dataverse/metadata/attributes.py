"""A column as AttributeMetadata, of the kind that its type is; choices as OptionSetMetadata."""

from collections.abc import Mapping
from typing import Any, Final

from unify.dataverse.model import AttributeModel, OptionModel, TableModel, Type, metadata_id
from unify.service.dataverse.metadata.labels import NO_LABEL, label, managed

KINDS: Final[Mapping[Type, tuple[str, str, str]]] = {
    Type.STRING: ("String", "String", "StringType"),
    Type.MEMO: ("Memo", "Memo", "MemoType"),
    Type.INTEGER: ("Integer", "Integer", "IntegerType"),
    Type.BIGINT: ("BigInt", "BigInt", "BigIntType"),
    Type.DECIMAL: ("Decimal", "Decimal", "DecimalType"),
    Type.DOUBLE: ("Double", "Double", "DoubleType"),
    Type.MONEY: ("Money", "Money", "MoneyType"),
    Type.BOOLEAN: ("Boolean", "Boolean", "BooleanType"),
    Type.DATETIME: ("DateTime", "DateTime", "DateTimeType"),
    Type.GUID: ("UniqueIdentifier", "Uniqueidentifier", "UniqueidentifierType"),
    Type.PICKLIST: ("Picklist", "Picklist", "PicklistType"),
    Type.MULTISELECT: ("MultiSelectPicklist", "Virtual", "MultiSelectPicklistType"),
    Type.STATE: ("State", "State", "StateType"),
    Type.STATUS: ("Status", "Status", "StatusType"),
    Type.LOOKUP: ("Lookup", "Lookup", "LookupType"),
    Type.OWNER: ("Lookup", "Owner", "OwnerType"),
    Type.CUSTOMER: ("Lookup", "Customer", "CustomerType"),
    Type.ENTITY_NAME: ("EntityName", "EntityName", "EntityNameType"),
    Type.FILE: ("File", "Virtual", "FileType"),
}
"""Of each type: the kind of metadata, AttributeType, AttributeTypeName."""
OFF: Final = (
    "CanBeSecuredForCreate", "CanBeSecuredForRead", "CanBeSecuredForUpdate", "IsDataSourceSecret", "IsFilterable",
    "IsLogical", "IsManaged", "IsRequiredForForm", "IsRetrievable", "IsSearchable", "IsSecured", "IsValidForForm",
    "IsValidForGrid",
)  # fmt: skip
NONE: Final = (
    "AttributeOf", "AutoNumberFormat", "DeprecatedVersion", "ExternalName", "HasChanged", "InheritsFrom",
    "LinkedAttributeId", "CreatedOn", "ModifiedOn",
)  # fmt: skip
WITH_OPTIONS: Final = frozenset((Type.PICKLIST, Type.MULTISELECT, Type.STATE, Type.STATUS, Type.BOOLEAN))
FILE_KB: Final = 131_072
"""Of a file, in 1,024 bytes: 128 MB."""


def kind_of(attribute: AttributeModel) -> str:
    """`StringAttributeMetadata`."""
    return f"{KINDS[attribute.type][0]}AttributeMetadata"


def attribute(table: TableModel, column: AttributeModel, place: int) -> dict[str, Any]:
    """The whole definition. `place`: of the column in its table, from 1."""
    _, code, name = KINDS[column.type]
    found: dict[str, Any] = dict.fromkeys(OFF, False) | dict.fromkeys(NONE)
    found |= {
        "MetadataId": metadata_id(table.name, column.name),
        "LogicalName": column.name,
        "SchemaName": column.schema_name,
        "EntityLogicalName": table.name,
        "AttributeType": code,
        "AttributeTypeName": {"Value": name},
        "ColumnNumber": place,
        "DisplayName": label(column.label, table.name, column.name, "label"),
        "Description": label(column.description, table.name, column.name, "text") if column.description else NO_LABEL,
        "IntroducedVersion": "1.0",
        "IsCustomAttribute": column.custom,
        "IsPrimaryId": column.name == table.id_attribute,
        "IsPrimaryName": column.name == table.name_attribute,
        "IsValidODataAttribute": column.read,
        "IsValidForCreate": column.create,
        "IsValidForRead": column.read,
        "IsValidForUpdate": column.update,
        "RequiredLevel": managed(str(column.required), "canmodifyrequirementlevelsettings", changeable=True),
        "IsAuditEnabled": managed(False, "canmodifyauditsettings"),
        "IsCustomizable": managed(True, "iscustomizable"),
        "IsGlobalFilterEnabled": managed(False, "canmodifyglobalfiltersettings"),
        "IsRenameable": managed(True, "isrenameable"),
        "IsSortableEnabled": managed(False, "canmodifyissortablesettings"),
        "IsValidForAdvancedFind": managed(column.read, "canmodifysearchsettings"),
        "CanModifyAdditionalSettings": managed(True, "canmodifyadditionalsettings"),
        "Settings": [],
        "SourceType": 0 if column.type not in (Type.GUID, Type.ENTITY_NAME) else None,
    }
    return found | _of_type(column)


def _of_type(column: AttributeModel) -> dict[str, Any]:
    """What only columns of that type have."""
    bounds = {"MinValue": column.least, "MaxValue": column.most}
    exact = {**bounds, "Precision": column.precision, "ImeMode": "Auto"}
    of: dict[Type, dict[str, Any]] = {
        Type.STRING: _text(column) | {"YomiOf": None, "DatabaseLength": 2 * (column.length or 0)},
        Type.MEMO: _text(column),
        Type.INTEGER: {**bounds, "Format": column.format or "None", "SourceTypeMask": 0},
        Type.BIGINT: {"MinValue": -(2**63), "MaxValue": 2**63 - 1},
        Type.DECIMAL: exact,
        Type.DOUBLE: exact,
        Type.MONEY: {**exact, "PrecisionSource": 0, "IsBaseCurrency": False, "CalculationOf": None},
        Type.BOOLEAN: {"DefaultValue": bool(column.default)},
        Type.DATETIME: _moment(column),
        Type.PICKLIST: {"DefaultFormValue": _default(column), "ChildPicklistLogicalNames": []},
        Type.MULTISELECT: {"DefaultFormValue": -1},
        Type.STATE: {"DefaultFormValue": column.default},
        Type.STATUS: {"DefaultFormValue": _default(column)},
        Type.GUID: {},
        Type.ENTITY_NAME: {"IsEntityReferenceStored": True},
        Type.FILE: {"MaxSizeInKB": FILE_KB},
    }  # fmt: skip
    return of.get(column.type) or ({"Targets": list(column.targets), "Format": "None"} if column.is_lookup else {})


def _default(column: AttributeModel) -> Any:
    """-1 is none."""
    return -1 if column.default is None else column.default


def _text(column: AttributeModel) -> dict[str, Any]:
    form = column.format or "Text"
    return {
        "MaxLength": column.length,
        "Format": form,
        "FormatName": {"Value": form},
        "ImeMode": "Auto",
        "IsLocalizable": False,
    }


def _moment(column: AttributeModel) -> dict[str, Any]:
    behavior = column.behavior or ("DateOnly" if column.date_only else "UserLocal")
    return {
        "Format": column.format or "DateAndTime",
        "DateTimeBehavior": {"Value": behavior},
        "CanChangeDateTimeBehavior": managed(False, "canchangedatetimebehavior"),
        "ImeMode": "Inactive",
        "MinSupportedValue": "1753-01-01T00:00:00Z",
        "MaxSupportedValue": "9999-12-30T23:59:59Z",
    }


# ── choices ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def option_set(table: TableModel, column: AttributeModel) -> dict[str, Any] | None:
    """The choices of a column; None where it has none."""
    if column.type not in WITH_OPTIONS:
        return None
    name = column.option_set or f"{table.name}_{column.name}"
    found: dict[str, Any] = {
        "MetadataId": metadata_id(table.name, column.name, "options"),
        "Name": name,
        "OptionSetType": {Type.STATE: "State", Type.STATUS: "Status", Type.BOOLEAN: "Boolean"}.get(
            column.type, "Picklist"
        ),
        "IsGlobal": False,
        "IsCustomOptionSet": column.custom,
        "IsManaged": False,
        "IsCustomizable": managed(True, "iscustomizable"),
        "DisplayName": label(column.label, table.name, column.name, "options"),
        "Description": NO_LABEL,
        "ExternalTypeName": None,
        "IntroducedVersion": "1.0",
        "HasChanged": None,
    }
    options = [_option(table, column, one) for one in column.options]
    if column.type is Type.BOOLEAN:
        by_value = {one["Value"]: one for one in options}
        return found | {"FalseOption": by_value.get(0), "TrueOption": by_value.get(1)}
    return found | {"Options": options, "ParentOptionSetName": None}


def _option(table: TableModel, column: AttributeModel, option: OptionModel) -> dict[str, Any]:
    made: dict[str, Any] = {
        "Value": option.value,
        "Label": label(option.label, table.name, column.name, str(option.value)),
        "Description": NO_LABEL,
        "Color": None,
        "ExternalValue": None,
        "ParentValues": [],
        "Tag": None,
        "IsHidden": False,
        "IsManaged": False,
        "MetadataId": None,
        "HasChanged": None,
    }
    if column.type is Type.STATUS:
        made |= {
            "@odata.type": "#Microsoft.Dynamics.CRM.StatusOptionMetadata",
            "State": option.state,
            "TransitionData": None,
        }
    if column.type is Type.STATE:
        kind = "#Microsoft.Dynamics.CRM.StateOptionMetadata"
        made |= {"@odata.type": kind, "DefaultStatus": option.default, "InvariantName": option.label}
    return made
