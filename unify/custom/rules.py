"""What a definition may be. Every rule of Dataverse is one function here; each refuses in Dataverse's words.

An API is checked when it is made, whether by a decorator or as a row; rows of its parameters and properties are checked
with the API that they are of.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from unify.core.errors import did_you_mean
from unify.custom.errors import MANAGED, NAME_TAKEN, NO_PREFIX, invalid
from unify.custom.nouns import NOT_IN_WORKFLOWS, TARGET, Binding, CustomApi, Field, FieldType
from unify.dataverse.errors import TOO_LONG, DataverseError

PREFIXED: Final = re.compile(r"[A-Za-z][A-Za-z0-9]{1,7}_[A-Za-z0-9_]+\Z")
"""A publisher's prefix has two to eight letters and digits and begins with a letter."""
PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
RESERVED: Final = "mscrm"
"""A prefix that no publisher may have."""
MOST_NAME: Final = 128
IMMUTABLE: Final[Mapping[str, frozenset[str]]] = {
    "customapi": frozenset(
        {
            "uniquename",
            "bindingtype",
            "boundentitylogicalname",
            "isfunction",
            "allowedcustomprocessingsteptype",
            "workflowsdkstepenabled",
        }
    ),
    "customapirequestparameter": frozenset({"uniquename", "type", "isoptional", "logicalentityname", "customapiid"}),
    "customapiresponseproperty": frozenset({"uniquename", "type", "logicalentityname", "customapiid"}),
    "catalog": frozenset({"parentcatalogid"}),
    "catalogassignment": frozenset({"object"}),
}
"""Table → columns that cannot be changed after the row is saved."""


def check_unique_name(name: str, component: str = "CustomAPI") -> None:
    """With a publisher's prefix, without special characters."""
    if len(name) > MOST_NAME:
        raise invalid(
            "A validation error occurred. The length of the 'uniquename' attribute of the"
            f" '{component.lower()}' entity exceeded the maximum allowed length of '{MOST_NAME}'.",
            where="uniquename",
            code=TOO_LONG,
        )
    if not PREFIXED.match(name) or name.lower().startswith(RESERVED):
        raise invalid(
            f"Export key attribute uniquename for component {component} must start with a valid customization prefix.",
            where="uniquename",
            code=NO_PREFIX,
            hint="letters, digits and `_`, behind a prefix of two to eight letters or digits: acme_Score",
        )


def check_field_name(name: str) -> None:
    """Of a parameter or property: no special characters."""
    if len(name) > MOST_NAME or not PLAIN.match(name):
        raise invalid(
            f"The property name '{name[:60]}' is invalid; property names must not contain any of the reserved"
            " characters ':', '.', '@'.",
            where="uniquename",
            hint="letters, digits and `_`, not beginning with a digit, 128 at most",
        )


def check_api(api: CustomApi, tables: Iterable[str] | None) -> None:
    """The API and all of its fields. `tables`: logical names of those there are; None: not known yet."""
    check_unique_name(api.name)
    check_binding(api, tables)
    if api.is_function and api.in_workflows:
        raise invalid(
            f"Custom API '{api.name}' is a function, and a function cannot be enabled for workflow.",
            where="workflowsdkstepenabled",
            hint="set isfunction to false, or workflowsdkstepenabled to false",
        )
    for fields in (api.parameters, api.properties):
        for field in fields:
            check_field(api, field, [f for f in fields if f is not field], response=fields is api.properties)


def check_binding(api: CustomApi, tables: Iterable[str] | None) -> None:
    """A bound API names a table that is there; a global one names none."""
    if api.binding is Binding.GLOBAL:
        if api.entity is not None:
            raise invalid(
                f"BoundEntityLogicalName must be empty when the BindingType of Custom API '{api.name}' is Global.",
                where="boundentitylogicalname",
            )
        return
    if not api.entity:
        raise invalid(
            f"BoundEntityLogicalName is required when the BindingType of Custom API '{api.name}' is"
            f" {'Entity' if api.binding is Binding.ENTITY else 'EntityCollection'}.",
            where="boundentitylogicalname",
        )
    _check_table(api.entity, tables, "boundentitylogicalname")


def check_field(api: CustomApi, field: Field, others: Iterable[Field], *, response: bool) -> None:
    """One parameter or property beside `others` of the same kind."""
    check_field_name(field.name)
    kind = "response property" if response else "request parameter"
    if any(other.name.casefold() == field.name.casefold() for other in others):
        raise invalid(
            f"A {kind} with the name '{field.name}' already exists for Custom API '{api.name}'.",
            where="uniquename",
            code=NAME_TAKEN,
        )
    if not response and api.binding is Binding.ENTITY and field.name == TARGET:
        raise invalid(
            f"A request parameter named '{TARGET}' is created automatically for Custom API '{api.name}', which is"
            " bound to an entity.",
            where="uniquename",
            hint="leave it out; handlers get it",
        )
    check_field_entity(field, response=response)
    check_in_workflow(api, field, kind)


def check_field_entity(field: Field, *, response: bool) -> None:
    """A logical entity name goes with rows and references, of a response not with collections."""
    if field.entity is None:
        return
    allowed = {FieldType.ENTITY, FieldType.ENTITY_REFERENCE} | (set() if response else {FieldType.ENTITY_COLLECTION})
    if field.type not in allowed:
        raise invalid(
            f"LogicalEntityName cannot be specified for '{field.name}' when its Type is {field.type.word}.",
            where="logicalentityname",
        )


def check_in_workflow(api: CustomApi, field: Field, kind: str) -> None:
    """What workflows have no words for cannot be in an API that they call."""
    if not api.in_workflows:
        return
    unbound = field.type is FieldType.ENTITY_REFERENCE and api.binding is not Binding.ENTITY
    if field.type in NOT_IN_WORKFLOWS or unbound:
        why = " unless the Custom API is bound to an entity" if unbound else ""
        raise invalid(
            f"Custom API '{api.name}' is enabled for workflow, so its {kind} '{field.name}' cannot be of type"
            f" {field.type.word}{why}.",
            where="type",
        )


def check_tables(api: CustomApi, tables: Iterable[str]) -> None:
    """Every table that its fields name is there."""
    known = list(tables)
    for field in (*api.parameters, *api.properties):
        if field.entity is not None:
            _check_table(field.entity, known, "logicalentityname")


def _check_table(name: str, tables: Iterable[str] | None, where: str) -> None:
    if tables is None:
        return
    known = list(tables)
    if name not in known:
        raise invalid(
            f"The entity with a name = '{name[:100]}' was not found in the MetadataCache.",
            where=where,
            code="0x80041102",
            hint=did_you_mean(name, known),
        )


def check_unchanged(table: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
    """Columns that cannot be changed after save are as they were. Saying what is there already changes nothing."""
    for column in sorted(IMMUTABLE.get(table, ())):
        if column in after and after[column] != before.get(column):
            raise invalid(
                f"The attribute '{column}' of '{table}' cannot be changed after it is saved.",
                where=column,
                hint="delete it and make it again",
            )


def check_optional(api_name: str, field: Field) -> None:
    """Whoever adds a parameter to somebody else's API can only add an optional one."""
    if not field.optional:
        raise invalid(
            f"The request parameter '{field.name}' must be optional: Custom API '{api_name}' is managed and not"
            " customizable, so required parameters cannot be added to it.",
            where="isoptional",
            hint="set isoptional to true",
        )


def managed(table: str, row_id: str, operation: str) -> DataverseError:
    """Somebody changes or deletes a managed component that says it is not customizable."""
    return invalid(
        f"The evaluation of the current component(name={table}, id={row_id}) in the current operation ({operation})"
        " failed during managed property evaluation of condition: Managed Property Name: iscustomizableanddeletable;"
        f" Component Name: {table}; Attribute Name: iscustomizable;",
        where="iscustomizable",
        code=MANAGED,
    )
