"""Tables and columns that users make, change and take away.

Only what users made can be taken away; what is shipped can be added to.
"""

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from unify.dataverse.errors import BAD_INPUT, EXISTS, DataverseError
from unify.dataverse.model import payloads
from unify.dataverse.model.kept import about_of, column_of, intersect_table, model_of, record_table
from unify.dataverse.model.nouns import (
    AttributeModel,
    KeyModel,
    ManyToMany,
    OneToMany,
    Required,
    TableModel,
    Type,
)
from unify.dataverse.model.payloads import custom_name, label, wrong
from unify.dataverse.model.shipped.making import audit, audit_relationships, identity, status
from unify.dataverse.model.shipped.making import table as table_model
from unify.records import Table, Writing
from unify.records.errors import KeyTakenError

_FIRST_CODE = 10_100
"""Object type codes of tables that users make: Dataverse's begin at 10,000, and shipped ones take some."""
_KEYS = frozenset({
    Type.STRING, Type.INTEGER, Type.BIGINT, Type.DECIMAL, Type.DATETIME, Type.LOOKUP, Type.PICKLIST, Type.STATE,
    Type.STATUS, Type.GUID,
})  # fmt: skip


def create_table(writing: Writing, said: Mapping[str, Any]) -> TableModel:
    """From EntityMetadata (POST EntityDefinitions, one of CreateEntities' Entities), with its Attributes."""
    schema_name = custom_name(said.get("SchemaName"), "table")
    name, model = schema_name.lower(), model_of(writing)
    if name in writing.tables():
        raise DataverseError(f"An entity with the specified name {name} already exists.", code=EXISTS, where=name)
    if said.get("IsActivity") is True:
        raise wrong("Activities of a kind of their own are not served.", where="IsActivity")
    own = [payloads.attribute(each) for each in said.get("Attributes") or ()]
    if [a.primary and a.type is Type.STRING for a in own].count(True) != 1:
        raise wrong("A table needs one text column with IsPrimaryName.", where="Attributes")
    owned = said.get("OwnershipType") != "OrganizationOwned"
    shown = label(said.get("DisplayName"), schema_name)
    set_name = str(said.get("EntitySetName") or _plural(name)).lower()
    if set_name in model.sets:
        raise DataverseError(f"An entity set '{set_name}' already exists.", code=EXISTS, where="EntitySetName")
    active = status(("Active", {1: "Active"}), ("Inactive", {2: "Inactive"}))
    columns = [identity(f"{schema_name}Id", shown), *_with_names(own), *active, *audit(owned=owned)]
    _once(columns)
    made = table_model(
        schema_name, shown, label(said.get("DisplayCollectionName"), f"{shown}s"), _code(writing), columns,
        set_name=set_name, collection=_plural(schema_name), description=label(said.get("Description")),
        ownership="UserOwned" if owned else "OrganizationOwned", custom=True,
        tracked=said.get("ChangeTrackingEnabled") is not False,
    )  # fmt: skip
    writing.define(record_table(made, audit_relationships(name, name, owned=owned)))
    return made


def change_table(writing: Writing, table: str, said: Mapping[str, Any]) -> TableModel:
    """PUT EntityDefinitions(…): labels, description, change tracking."""
    before = model_of(writing).table(table)
    tracked = said.get("ChangeTrackingEnabled")
    after = replace(
        before,
        label=label(said.get("DisplayName"), before.label),
        label_collection=label(said.get("DisplayCollectionName"), before.label_collection),
        description=label(said.get("Description"), before.description),
        tracked=tracked if isinstance(tracked, bool) else before.tracked,
    )
    _redefine(writing, after)
    return after


def delete_table(writing: Writing, table: str) -> None:
    """With its rows, and the lookups of other tables that point at it."""
    model = model_of(writing)
    before = model.table(table)
    _own(before.custom, table)
    for many in model.many_to_many:
        if table in {many.first, many.second}:
            writing.drop(many.intersect)
    for one in model.lookups_to(table):
        if one.referencing != table:
            _drop_lookup(writing, one)
    files = (row for row in writing.rows("fileattachment") if row.values["objecttypecode"] == table)
    writing.delete_many("fileattachment", [[row.values["fileattachmentid"]] for row in files])
    writing.drop(table)


def add_attribute(writing: Writing, table: str, said: Mapping[str, Any]) -> AttributeModel:
    """From AttributeMetadata (POST …/Attributes). Lookups are made with their relationship."""
    before = _writable(writing, table)
    made = replace(payloads.attribute(said), primary=False)
    columns = [*before.attributes.values(), *_with_names([made])]
    _once(columns)
    _redefine(writing, replace(before, attributes={column.name: column for column in columns}))
    return made


def change_attribute(writing: Writing, table: str, name: str, said: Mapping[str, Any]) -> AttributeModel:
    """PUT …/Attributes(…): labels, lengths, bounds, required level, options, more digits. Not the type."""
    before = model_of(writing).table(table)
    old = before.attribute(name)
    new = replace(
        old,
        label=label(said.get("DisplayName"), old.label),
        description=label(said.get("Description"), old.description),
        required=payloads.required(said) if said.get("RequiredLevel") is not None else old.required,
    )
    if old.custom:
        new = _reshaped(writing, table, new, said)
    after = replace(before, attributes={**before.attributes, name: new})
    if new.precision != old.precision and new.type is not Type.DOUBLE:
        writing.rescale(table, name, column_of(new).scale)
    _redefine(writing, after)
    return new


def _reshaped(writing: Writing, table: str, old: AttributeModel, said: Mapping[str, Any]) -> AttributeModel:
    """What a user may change of a column of a user's, where it is said."""
    merged = {
        "SchemaName": old.schema_name, "MaxLength": old.length, "MaxSizeInKB": old.length, "Precision": old.precision,
        "MinValue": old.least, "MaxValue": old.most, "DateTimeBehavior": old.behavior or None, "Format": old.format,
    }  # fmt: skip
    merged |= {name: value for name, value in said.items() if value is not None}
    merged["@odata.type"] = f"Microsoft.Dynamics.CRM.{old.type.value}AttributeMetadata"
    keeps_options = old.options and not isinstance(said.get("OptionSet"), Mapping)
    if old.type is Type.LOOKUP:
        return old
    new = payloads.attribute({**merged, "OptionSet": {"Options": []}} if keeps_options else merged)
    if new.date_only != old.date_only or (old.precision or 0) > (new.precision or 0):
        message = f"The column '{old.name}' keeps its type, and cannot get fewer digits."
        raise DataverseError(message, code=BAD_INPUT, where=old.name)
    if old.length is not None and new.length is not None and new.length < old.length and old.type is not Type.FILE:
        longest = writing.longest(table, old.name)
        if longest > new.length:
            message = f"A row of '{table}' has {longest:,} characters in '{old.name}'."
            raise DataverseError(message, code=BAD_INPUT, where="MaxLength")
    said_default = {"DefaultValue", "DefaultFormValue"} & said.keys()
    return replace(
        new,
        label=old.label,
        description=old.description,
        required=old.required,
        options=old.options if keeps_options else new.options,
        option_set=old.option_set,
        default=new.default if said_default else old.default,
        primary=old.primary,
    )


def delete_attribute(writing: Writing, table: str, name: str) -> None:
    """A column that a user made, with what lies in it."""
    model = model_of(writing)
    attribute = model.table(table).attribute(name)
    _own(attribute.custom and not attribute.primary, name)
    for one in model.one_to_many:
        if (one.referencing, one.attribute) == (table, name):
            delete_relationship(writing, one.schema_name)
            return
    _remove(writing, table, name)


def add_key(writing: Writing, table: str, said: Mapping[str, Any]) -> KeyModel:
    """From EntityKeyMetadata (POST …/Keys)."""
    before = _writable(writing, table)
    made = payloads.key(said)
    if made.name in before.keys:
        raise DataverseError(f"A key named '{made.name}' already exists.", code=EXISTS, where=made.name)
    for name in made.attributes:
        attribute = before.attribute(name)
        if attribute.type not in _KEYS or attribute.column != name or attribute.type_column is not None:
            raise wrong(f"'{name}' is {attribute.type.value}, and cannot be part of a key.", where="KeyAttributes")
    try:
        _redefine(writing, replace(before, keys={**before.keys, made.name: made}))
    except KeyTakenError as error:
        message = f"Rows of '{table}' have the same values in {', '.join(made.attributes)}."
        raise DataverseError(message, code=EXISTS, status=HTTPStatus.PRECONDITION_FAILED, where=made.name) from error
    return made


def delete_key(writing: Writing, table: str, name: str) -> None:
    """By logical name."""
    before = model_of(writing).table(table)
    if name not in before.keys:
        message = f"There is no key '{name[:100]}' of '{table}'."
        raise DataverseError(message, code=BAD_INPUT, status=HTTPStatus.NOT_FOUND, where=table)
    _own(before.keys[name].custom, name)
    _redefine(writing, replace(before, keys={n: key for n, key in before.keys.items() if n != name}))


def create_relationship(writing: Writing, said: Mapping[str, Any]) -> OneToMany | ManyToMany:
    """From One- or ManyToManyRelationshipMetadata (POST RelationshipDefinitions); a one-to-many brings its Lookup."""
    model = model_of(writing)
    name = payloads.schema(said)
    taken = {one.schema_name.lower() for one in model.one_to_many}
    taken |= {many.schema_name.lower() for many in model.many_to_many}
    if name.lower() in taken:
        raise DataverseError(f"A relationship named '{name}' already exists.", code=EXISTS, where=name)
    ids = {table.name: table.id_attribute for table in model.tables.values()}
    if "Entity1LogicalName" in said:
        many = payloads.many_to_many(said, ids)
        if many.intersect in writing.tables():
            message = f"An entity with the specified name {many.intersect} already exists."
            raise DataverseError(message, code=EXISTS, where="IntersectEntityName")
        _free(writing, many.first, many.first_collection)
        _free(writing, many.second, many.second_collection)
        writing.define(intersect_table(many))
        return many
    return _one_to_many(writing, said, name, ids)


def _one_to_many(writing: Writing, said: Mapping[str, Any], name: str, ids: Mapping[str, str]) -> OneToMany:
    referenced = payloads.table_name(said, "ReferencedEntity", ids)
    referencing = payloads.table_name(said, "ReferencingEntity", ids)
    given = said.get("Lookup")
    if not isinstance(given, Mapping):
        raise wrong("A one-to-many relationship brings its Lookup.", where="Lookup")
    schema_name = custom_name(given.get("SchemaName"), "column")
    shown = label(given.get("DisplayName"), schema_name)
    lookup = AttributeModel(
        schema_name.lower(), schema_name, Type.LOOKUP, shown, label(given.get("Description")),
        required=payloads.required(given), targets=(referenced,), custom=True,
    )  # fmt: skip
    before = _writable(writing, referencing)
    _once([*before.attributes.values(), lookup])
    if lookup.required is Required.SYSTEM:
        raise wrong("A user's column is not SystemRequired.", where="RequiredLevel")
    one = OneToMany(
        name, referenced, ids[referenced], referencing, lookup.name,
        str(said.get("ReferencingEntityNavigationPropertyName") or schema_name),
        str(said.get("ReferencedEntityNavigationPropertyName") or name), payloads.cascade(said), custom=True,
    )  # fmt: skip
    _free(writing, referencing, one.lookup)
    _free(writing, referenced, one.collection)
    _redefine(writing, replace(before, attributes={**before.attributes, lookup.name: lookup}), added=one)
    return one


def delete_relationship(writing: Writing, schema_name: str) -> None:
    """With the lookup column, or the pairs."""
    model = model_of(writing)
    for many in model.many_to_many:
        if many.schema_name == schema_name:
            _own(many.custom, schema_name)
            writing.drop(many.intersect)
            return
    for one in model.one_to_many:
        if one.schema_name == schema_name:
            _own(one.custom, schema_name)
            _drop_lookup(writing, one)
            return
    message = f"There is no relationship '{schema_name[:100]}'."
    raise DataverseError(message, code=BAD_INPUT, status=HTTPStatus.NOT_FOUND, where="SchemaName")


def _drop_lookup(writing: Writing, one: OneToMany) -> None:
    table = model_of(writing).table(one.referencing)
    for key in table.keys.values():
        if one.attribute in key.attributes:
            delete_key(writing, table.name, key.name)
    _remove(writing, table.name, one.attribute, without=one.schema_name)


def _remove(writing: Writing, table: str, name: str, *, without: str = "") -> None:
    """Take a column away, with its companion that holds a file's name, and the relationship `without`."""
    model = model_of(writing)
    before = model.table(table)
    for key in before.keys.values():
        if name in key.attributes:
            raise wrong(
                f"The column '{name}' is part of the key '{key.name}'.", where=name, hint="delete the key first"
            )
    gone = {name, f"{name}_name"} if before.attributes[name].type is Type.FILE else {name}
    if before.attributes[name].type is Type.FILE:
        held = [row.values[name] for row in writing.rows(table) if row.values[name] is not None]
        writing.delete_many("fileattachment", [[each] for each in held])
    after = replace(before, attributes={n: a for n, a in before.attributes.items() if n not in gone})
    lookups = [o for o in model.one_to_many if o.referencing == table and o.schema_name != without]
    made = record_table(after, lookups, revision=_revision(writing.table(table)))
    for column in sorted(gone):
        writing.remove_column(table, column, made.about)


def _redefine(writing: Writing, table: TableModel, *, added: OneToMany | None = None) -> None:
    lookups = [one for one in model_of(writing).one_to_many if one.referencing == table.name]
    before = writing.table(table.name)
    made = record_table(table, [*lookups, *([added] if added else [])], revision=_revision(before))
    further = [column for column in before.columns if column.name not in made.names]
    writing.define(replace(made, columns=(*made.columns, *further)))


def _revision(table: Table) -> int:
    about = about_of(table)
    return 0 if about is None else int(about["revision"])


def _writable(writing: Writing, table: str) -> TableModel:
    found = model_of(writing).table(table)
    if not found.writable:
        raise wrong(f"'{table}' cannot be customized.", where=table)
    return found


def _own(custom: bool, name: str) -> None:
    if not custom:
        message = f"'{name}' is part of the system and cannot be deleted."
        raise DataverseError(message, code=BAD_INPUT, status=HTTPStatus.METHOD_NOT_ALLOWED, where=name)


def _with_names(attributes: list[AttributeModel]) -> list[AttributeModel]:
    """Columns, and beside each of files the one that holds the file's name."""
    found: list[AttributeModel] = []
    for attribute in attributes:
        found.append(attribute)
        if attribute.type is Type.FILE:
            name = f"{attribute.schema_name}_Name"
            found.append(
                AttributeModel(name.lower(), name, Type.STRING, attribute.label, length=255, custom=True,
                               create=False, update=False)
            )  # fmt: skip
    return found


def _once(columns: list[AttributeModel]) -> None:
    seen: set[str] = set()
    for column in columns:
        if column.name in seen:
            message = f"An attribute with the specified name {column.name} already exists."
            raise DataverseError(message, code=EXISTS, where=column.name)
        seen.add(column.name)


def _free(writing: Writing, table: str, navigation: str) -> None:
    model = model_of(writing)
    if navigation in model.navigations(table) or navigation in model.table(table).properties:
        message = f"'{table}' has a property '{navigation}' already."
        raise DataverseError(message, code=EXISTS, where=navigation)


def _plural(name: str) -> str:
    if name[-1:].lower() == "y" and name[-2:-1].lower() not in set("aeiou"):
        return f"{name[:-1]}ies"
    return f"{name}es" if name.lower().endswith(("s", "x", "z", "ch", "sh")) else f"{name}s"


def _code(writing: Writing) -> int:
    used = [table.type_code for table in model_of(writing).tables.values()]
    return max([_FIRST_CODE - 1, *used]) + 1
