"""Definitions made, changed and deleted: tables, columns, keys, relationships. Each in one transaction."""

from typing import Any

from unify.dataverse.model import (
    ManyToMany,
    Model,
    OneToMany,
    TableModel,
    add_attribute,
    add_key,
    change_attribute,
    change_table,
    create_relationship,
    create_table,
    delete_attribute,
    delete_key,
    delete_relationship,
    delete_table,
    metadata_id,
)
from unify.records import Writing
from unify.service.caller import Role
from unify.service.data.exchange import Inquiry, Reply
from unify.service.dataverse.address import Step, Way, aliases_of, value_of
from unify.service.dataverse.allowed import not_allowed
from unify.service.dataverse.bodies import floated, json_body
from unify.service.dataverse.metadata import relations
from unify.service.dataverse.places import no_segment
from unify.service.dataverse.session import Session
from unify.service.errors import ServiceError

ALL = "GET, HEAD, POST, OPTIONS"
ONE = "GET, HEAD, PUT, DELETE, OPTIONS"


def write(session: Session, inquiry: Inquiry, way: Way) -> Reply:
    """The answer to a POST, PUT, PATCH or DELETE on definitions."""
    session.need(Role.STEWARD)
    if way.tail:
        raise not_allowed(inquiry.method, "GET, HEAD, OPTIONS")
    aliases = aliases_of(inquiry.query)
    with session.transaction() as writing:
        model = session.model(writing)
        first, *rest = way.steps
        if rest and rest[-1].qualified:  # a cast says nothing new of what is written
            rest = rest[:-1]
        if first.name == "RelationshipDefinitions" and not rest:
            made = _relationship(session, writing, inquiry, first, model, aliases)
        elif first.name == "EntityDefinitions" and not rest:
            made = _table(session, writing, inquiry, first, model, aliases)
        elif first.name == "EntityDefinitions" and len(rest) == 1 and rest[0].name in ("Attributes", "Keys"):
            table = table_of(model, first, aliases)
            part = _attribute if rest[0].name == "Attributes" else _key
            made = part(session, writing, inquiry, table, rest[0], aliases)
            made = made and f"{_as_asked(first, table)}/{made}"
        else:
            raise ServiceError(
                501, "this definition is not written here", where="path", hint="docs/service-dataverse.md"
            )
    if not made:
        return Reply(204)
    address = f"{session.mount.root}{made}".encode()
    return Reply(204, headers=[(b"odata-entityid", address), (b"location", address)])


def _body(session: Session, inquiry: Inquiry) -> dict[str, Any]:
    found: dict[str, Any] = floated(json_body(inquiry, session.references))
    return found


# ── tables ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _table(
    session: Session, writing: Writing, inquiry: Inquiry, step: Step, model: Model, aliases: dict[str, str]
) -> str:
    if step.arguments is None:
        if inquiry.method != "POST":
            raise not_allowed(inquiry.method, ALL)
        return f"EntityDefinitions({create_table(writing, _body(session, inquiry)).id})"
    table = table_of(model, step, aliases)
    if inquiry.method in ("PUT", "PATCH"):
        change_table(writing, table.name, _body(session, inquiry))
    elif inquiry.method == "DELETE":
        delete_table(writing, table.name)
    else:
        raise not_allowed(inquiry.method, ONE)
    return ""


def table_of(model: Model, step: Step, aliases: dict[str, str]) -> TableModel:
    """The table that a step names. DataverseError 404."""
    name, value = _named(step, aliases)
    if name == "LogicalName":
        return model.table(value)
    found = next((t for t in model.tables.values() if (t.id if name == "MetadataId" else t.schema_name) == value), None)
    if found is None:
        raise _missing(step.name, value)
    return found


def _as_asked(step: Step, table: TableModel) -> str:
    """The table by the property that the client named it by: clients look for the first guid in the address."""
    by_name = step.arguments is not None and step.arguments[0].name == "LogicalName"
    return f"EntityDefinitions(LogicalName='{table.name}')" if by_name else f"EntityDefinitions({table.id})"


def _named(step: Step, aliases: dict[str, str]) -> tuple[str, str]:
    """Which property a key is of, and its value."""
    arguments = step.arguments or ()
    if len(arguments) != 1 or (arguments[0].name or "MetadataId") not in ("MetadataId", "LogicalName", "SchemaName"):
        raise _missing(step.name, "()")
    name = arguments[0].name or "MetadataId"
    value = str(value_of(arguments[0].value, aliases))
    return name, value.lower() if name == "MetadataId" else value


def _missing(kind: str, value: str) -> ServiceError:
    message = f"Could not find {kind} with the key {value[:100]!r} in the MetadataCache."
    return ServiceError(404, message, where="path", hint=f"GET {kind} lists all", key="0x80041102")


# ── columns and keys ─────────────────────────────────────────────────────────────────────────────────────────────────


def _attribute(
    session: Session, writing: Writing, inquiry: Inquiry, table: TableModel, step: Step, aliases: dict[str, str]
) -> str:
    if step.arguments is None:
        if inquiry.method != "POST":
            raise not_allowed(inquiry.method, ALL)
        made = add_attribute(writing, table.name, _body(session, inquiry))
        return f"Attributes({metadata_id(table.name, made.name)})"
    name, value = _named(step, aliases)
    names: dict[str, Any] = {
        "MetadataId": lambda one: metadata_id(table.name, one.name),
        "LogicalName": lambda one: one.name,
        "SchemaName": lambda one: one.schema_name,
    }
    column = next((one for one in table.attributes.values() if names[name](one) == value), None)
    if column is None:
        raise _missing("Attributes", value)
    if inquiry.method in ("PUT", "PATCH"):
        change_attribute(writing, table.name, column.name, _body(session, inquiry))
    elif inquiry.method == "DELETE":
        delete_attribute(writing, table.name, column.name)
    else:
        raise not_allowed(inquiry.method, ONE)
    return ""


def _key(
    session: Session, writing: Writing, inquiry: Inquiry, table: TableModel, step: Step, aliases: dict[str, str]
) -> str:
    if step.arguments is None:
        if inquiry.method != "POST":
            raise not_allowed(inquiry.method, ALL)
        made = add_key(writing, table.name, _body(session, inquiry))
        return f"Keys({relations.key_id(table, made)})"
    name, value = _named(step, aliases)
    names: dict[str, Any] = {
        "MetadataId": lambda one: relations.key_id(table, one),
        "LogicalName": lambda one: one.name,
        "SchemaName": lambda one: one.schema_name,
    }
    key = next((one for one in table.keys.values() if names[name](one) == value), None)
    if key is None:
        raise _missing("Keys", value)
    if inquiry.method != "DELETE":
        raise not_allowed(inquiry.method, "GET, HEAD, DELETE, OPTIONS")
    delete_key(writing, table.name, key.name)
    return ""


# ── relationships ────────────────────────────────────────────────────────────────────────────────────────────────────


def _relationship(
    session: Session, writing: Writing, inquiry: Inquiry, step: Step, model: Model, aliases: dict[str, str]
) -> str:
    if step.arguments is None:
        if inquiry.method != "POST":
            raise not_allowed(inquiry.method, ALL)
        made = create_relationship(writing, _body(session, inquiry))
        return f"RelationshipDefinitions({relations.relationship_id(made)})"
    name, value = _named(step, aliases)
    if name == "LogicalName":
        raise no_segment("LogicalName")
    known: list[OneToMany | ManyToMany] = [*model.one_to_many, *model.many_to_many]
    ids = {relations.relationship_id(one) if name == "MetadataId" else one.schema_name: one for one in known}
    one = ids.get(value)
    if one is None:
        raise _missing("RelationshipDefinitions", value)
    if inquiry.method == "DELETE":
        delete_relationship(writing, one.schema_name)
        return ""
    kind = "one-to-many" if isinstance(one, OneToMany) else "many-to-many"
    raise ServiceError(501, f"a {kind} relationship is not changed here", hint="delete it, and make another")
