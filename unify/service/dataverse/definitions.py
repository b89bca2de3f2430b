"""The model over HTTP: the service document, `$metadata`, and definitions of tables, columns, keys, relationships.

EntityDefinitions(LogicalName='account')/Attributes(LogicalName='name')/Microsoft.Dynamics.CRM.StringAttributeMetadata
└ all tables ───┘└ one ────────────────┘└ its columns ┘└ one ─────────┘└ as the kind it is ───────────────────────┘
"""

from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final

from unify.dataverse.model import Model
from unify.dataverse.query import parse_options
from unify.service.caller import Role
from unify.service.data.exchange import Inquiry, Reply
from unify.service.data.negotiate import ranges_of
from unify.service.dataverse import definitions_writing
from unify.service.dataverse.address import Step, Way, aliases_of, pairs_of, query_text, value_of
from unify.service.dataverse.allowed import READ, not_allowed
from unify.service.dataverse.answers import applied, json_reply, text_reply, value_text
from unify.service.dataverse.conditions import condition_of
from unify.service.dataverse.metadata import asked as asking
from unify.service.dataverse.metadata import things
from unify.service.dataverse.metadata.asked import Thing, asked_of
from unify.service.dataverse.metadata.csdl import csdl
from unify.service.dataverse.operations import operations
from unify.service.dataverse.places import no_segment
from unify.service.dataverse.preferences import Preferences, preferences_of
from unify.service.dataverse.session import Session
from unify.service.errors import ServiceError

SETS: Final = ("EntityDefinitions", "RelationshipDefinitions", "GlobalOptionSetDefinitions")
XML: Final = (b"content-type", b"application/xml")
NAMES: Final = ("LogicalName", "SchemaName", "Name", "MetadataId")
"""Properties by which one definition of a collection is named."""


def takes(way: Way) -> bool:
    """Whether an address is of the model."""
    return not way.steps or way.steps[0].name in SETS


def answer(session: Session, inquiry: Inquiry, way: Way) -> Reply:
    """What is asked of the model; changes of it are written."""
    if inquiry.method not in ("GET", "HEAD"):
        if not way.steps:
            raise not_allowed(inquiry.method, READ)
        return definitions_writing.write(session, inquiry, way)
    session.need(Role.ANALYST)
    with session.reading() as reading:
        model = session.model(reading)
    if way.tail == "$metadata" and not way.steps:
        return _metadata(session, inquiry, model)
    if not way.steps:
        return _document(session, inquiry, model)
    return _definitions(session, inquiry, way, model)


# ── documents ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _document(session: Session, inquiry: Inquiry, model: Model) -> Reply:
    _no_options(inquiry, ())
    sets = [table.set_name for table in model.tables.values() if not table.is_intersect]
    value: list[dict[str, Any]] = [{"name": n, "kind": "EntitySet", "url": n} for n in sorted([*sets, *SETS])]
    return json_reply(inquiry, 200, {"@odata.context": f"{session.mount.root}$metadata", "value": value})


def _metadata(session: Session, inquiry: Inquiry, model: Model) -> Reply:
    """CSDL as XML, which is the one form it has here."""
    options = _no_options(inquiry, ("annotations", "$format"))
    said = inquiry.header("accept")
    fitting = ("application/xml", "text/xml", "application/*", "*/*", "text/*", "application/json")
    if said and not any(one.type in fitting and one.q > 0 for one in ranges_of(said)):
        raise ServiceError(406, f"$metadata is not {said[:80]!r}", where="Accept", hint="send Accept: application/xml")
    if options.get("$format", "xml") not in ("xml", "application/xml"):
        raise ServiceError(406, "$metadata is XML", where="$format", hint="leave $format out")
    annotated = options.get("annotations", "false").lower() == "true"
    text = csdl(model, operations(session.instance), annotations=annotated).encode("utf-8", "replace")
    tag = f'W/"{blake2b(text, digest_size=8).hexdigest()}"'
    headers = [(b"etag", tag.encode())]
    if condition_of(inquiry).unchanged(tag):
        return Reply(304, headers=headers)
    return Reply(200, text, [XML, *headers])


def _no_options(inquiry: Inquiry, but: tuple[str, ...]) -> dict[str, str]:
    found = dict(pairs_of(inquiry.query))
    for name in found:
        if name not in but and name not in ("tag", "api-version"):
            raise ServiceError(400, f"The query parameter {name[:60]} is not supported.", where="url", key="0x80060888")
    return found


# ── definitions ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _definitions(session: Session, inquiry: Inquiry, way: Way, model: Model) -> Reply:
    found, cast = walked(model, way, aliases_of(inquiry.query))
    said = preferences_of(inquiry.headers)
    if not isinstance(found, list | Thing):
        return _value(session, inquiry, way, found)
    options = parse_options(query_text(inquiry))
    asked = asked_of(options)
    context = f"{session.mount.root}$metadata#{way.steps[0].name}"
    if isinstance(found, list):
        if way.tail == "$count":
            return text_reply(str(len(asking.chosen(found, asked))))
        if way.tail:
            raise no_segment(way.tail)
        rows = asking.rows(found, asked, typed=not cast)
        body: dict[str, Any] = {"@odata.context": context}
        if asked.count:
            body["@odata.count"] = len(rows)
        body["value"] = rows
        return json_reply(inquiry, 200, body, applied(Preferences(annotations=said.annotations), written=False))
    if way.tail:
        raise no_segment(way.tail)
    body = {"@odata.context": f"{context}/$entity", **asking.shown(found, asked, typed=not cast)}
    return json_reply(inquiry, 200, body)


def _value(session: Session, inquiry: Inquiry, way: Way, value: Any) -> Reply:
    if value is None:
        return Reply(204)
    if way.tail == "$value":
        return text_reply(value_text(value))
    return json_reply(
        inquiry, 200, {"@odata.context": f"{session.mount.root}$metadata#{way.steps[0].name}", "value": value}
    )


def walked(model: Model, way: Way, aliases: dict[str, str]) -> tuple[Any, bool]:
    """A list of definitions, one, or a value of one; and whether it was cast to a kind. DataverseError 404."""
    first, *rest = way.steps
    starts: dict[str, Callable[[], list[Thing]]] = {
        "EntityDefinitions": lambda: things.tables(model),
        "RelationshipDefinitions": lambda: things.relationships(model),
        "GlobalOptionSetDefinitions": list,
    }
    found: Any = (
        starts[first.name]() if not (first.name == SETS[0] and first.arguments) else _fast(model, first, aliases)
    )
    if isinstance(found, list) and first.arguments is not None:
        found = one_of(found, first, aliases)
    cast = False
    for step in rest:
        if step.qualified:
            found, cast = _cast(found, step), True
        elif isinstance(found, Thing):
            found, cast = _linked(found, step), False
        else:
            raise no_segment(step.name)
        if isinstance(found, list) and step.arguments is not None:
            found = one_of(found, step, aliases)
    return found, cast


def _fast(model: Model, step: Step, aliases: dict[str, str]) -> Any:
    """One table by its logical name, without making the definitions of all others."""
    name, value = _named(step, aliases)
    if name == "LogicalName" and value in model.tables:
        return things.table(model, model.tables[value])
    by_id = next((table for table in model.tables.values() if name == "MetadataId" and table.id == value), None)
    return things.tables(model) if by_id is None else things.table(model, by_id)


def one_of(found: list[Thing], step: Step, aliases: dict[str, str]) -> Thing:
    """One definition of a collection by its key. DataverseError 404."""
    name, value = _named(step, aliases)
    for thing in found:
        if str(thing.values.get(name, "")) == value:
            return thing
    raise no_definition(step.name, value)


def _named(step: Step, aliases: dict[str, str]) -> tuple[str, str]:
    arguments = step.arguments or ()
    name = (arguments[0].name or "MetadataId") if len(arguments) == 1 else ""
    if name not in NAMES:
        raise no_definition(step.name, name)
    value = str(value_of(arguments[0].value, aliases))
    return name, value.lower() if name == "MetadataId" else value


def no_definition(kind: str, name: str) -> Exception:
    """404."""
    message = f"Could not find {kind} with the key {name[:100]!r} in the MetadataCache."
    return ServiceError(404, message, where="path", hint=f"GET {kind} lists all", key="0x80041102")


def _cast(found: Any, step: Step) -> Any:
    if isinstance(found, list) and step.arguments is None:
        return [thing for thing in found if thing.kind == step.name]
    if isinstance(found, Thing) and found.kind == step.name:
        return found
    raise no_segment(f"Microsoft.Dynamics.CRM.{step.name}")


def _linked(found: Thing, step: Step) -> Any:
    if step.name in found.links:
        return found.links[step.name]()
    if step.name in found.values and step.arguments is None:
        return found.values[step.name]
    raise no_segment(step.name, [*found.links, *found.values])
