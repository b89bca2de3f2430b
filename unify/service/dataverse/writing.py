"""POST, PATCH, PUT and DELETE of rows, values and links: each in one transaction, or in that of its change set."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from unify.dataverse.errors import DataverseError
from unify.dataverse.model import ManyToMany, OneToMany, Type
from unify.dataverse.query import Questions, parse_options
from unify.dataverse.writes import ANY, Expect, Writes, Written, located
from unify.records import Writing
from unify.service.caller import Role
from unify.service.data.exchange import Inquiry, Reply
from unify.service.dataverse import files, links
from unify.service.dataverse.address import Way, aliases_of, query_text
from unify.service.dataverse.allowed import COLLECTION, COLUMN, READ, ROW, not_allowed
from unify.service.dataverse.answers import applied, written_headers
from unify.service.dataverse.bodies import bad_payload, json_body
from unify.service.dataverse.calls import call_bound
from unify.service.dataverse.conditions import condition_of
from unify.service.dataverse.errors import BAD_URL
from unify.service.dataverse.places import (
    Bound,
    Collection,
    Column,
    Place,
    Resource,
    Single,
    followed,
    resource_of,
    row_id,
)
from unify.service.dataverse.preferences import preferences_of
from unify.service.dataverse.reading import row_reply
from unify.service.dataverse.session import Session

ALLOWED: Final[Mapping[type, str]] = {Collection: COLLECTION, Place: ROW, Single: ROW, Column: COLUMN}


def write(session: Session, inquiry: Inquiry, way: Way) -> Reply:
    """The answer to a write on what begins with the name of a set; a bound action is called."""
    session.need(Role.STEWARD)
    with session.transaction() as writing:
        questions = session.questions(writing)
        found = resource_of(questions, way, aliases_of(inquiry.query))
        if not isinstance(found, Bound):
            return _write(session, questions, writing, inquiry, way.tail, found)
    return call_bound(session, inquiry, found, way.tail)


def _write(
    session: Session, questions: Questions, writing: Writing, inquiry: Inquiry, tail: str, found: Resource
) -> Reply:
    writes = session.writes(writing)
    if tail == "$ref":
        return links.write(session, questions, writes, inquiry, found)
    if isinstance(found, Column):
        if tail not in ("", "$value"):
            raise not_allowed(inquiry.method, READ)
        return _value(session, questions, writes, inquiry, found)
    if tail:
        raise not_allowed(inquiry.method, READ)
    if isinstance(found, Single) and inquiry.method in ("PATCH", "DELETE"):
        found = followed(questions, found)
    if isinstance(found, Collection) and inquiry.method == "POST":
        return _create(session, writes, inquiry, found, questions)
    if isinstance(found, Place) and inquiry.method == "PATCH":
        return _patch(session, questions, writes, inquiry, found)
    if isinstance(found, Place) and inquiry.method == "DELETE":
        return _delete(questions, writes, inquiry, found)
    raise not_allowed(inquiry.method, ALLOWED[type(found)])


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _check_options(inquiry: Inquiry) -> None:
    """Of a write: what the row in the answer shows. DataverseError for any other."""
    others = parse_options(query_text(inquiry)).given - {"$select", "$expand"}
    if others:
        name = min(others)
        message = f"The query parameter {name} is not supported."
        raise DataverseError(
            message, code=BAD_URL, where=name, hint="a write takes $select, with return=representation"
        )


def _create(session: Session, writes: Writes, inquiry: Inquiry, found: Collection, questions: Questions) -> Reply:
    _check_options(inquiry)
    body = json_body(inquiry, session.references)
    if not inquiry.body.strip():
        raise bad_payload("Empty payload. Make sure to pass a valid payload in the request.")
    table = found.table.name
    relationship = found.navigation.relationship if found.navigation is not None else None
    if isinstance(relationship, OneToMany) and found.owner is not None:
        owner = row_id(questions, found.owner)
        body = {**body, f"{relationship.lookup}@odata.bind": f"/{found.owner.table.set_name}({owner})"}
    made = writes.create(table, body)
    if isinstance(relationship, ManyToMany) and found.owner is not None and found.navigation is not None:
        owner = row_id(questions, found.owner)
        target = f"/{found.table.set_name}({made.id})"
        writes.associate(found.owner.table.name, owner, found.navigation.name, target)
    return _written(session, writes, inquiry, made, created=True)


def _patch(session: Session, questions: Questions, writes: Writes, inquiry: Inquiry, found: Place) -> Reply:
    _check_options(inquiry)
    body = json_body(inquiry, session.references)
    if not inquiry.body.strip():
        raise bad_payload("Empty payload. Make sure to pass a valid payload in the request.")
    if found.owner is not None:
        found = replace(found, key=row_id(questions, found))
    expect = _expected(questions, inquiry, found)
    done = writes.upsert(found.table.name, found.key, body, expect=expect)
    return _written(session, writes, inquiry, done, created=done.created)


def _delete(questions: Questions, writes: Writes, inquiry: Inquiry, found: Place) -> Reply:
    _check_options(inquiry)
    if found.owner is not None:
        found = replace(found, key=row_id(questions, found))
    expect = _expected(questions, inquiry, found)
    writes.delete(found.table.name, found.key, expect=ANY if expect is None else expect)
    return Reply(204)


def _expected(questions: Questions, inquiry: Inquiry, found: Place) -> Expect:
    """What the headers say of the row now."""
    condition = condition_of(inquiry)
    if not condition.given:
        return None
    return condition.expect(version_of(questions, found))


def version_of(questions: Questions, place: Place) -> int | None:
    """Of a row now; None where there is none."""
    id_ = located(questions.reading, questions.model, place.table.name, place.key)
    row = None if id_ is None else questions.reading.get(place.table.name, [id_])
    return None if row is None else row.version


def _written(session: Session, writes: Writes, inquiry: Inquiry, done: Written, *, created: bool) -> Reply:
    """204 with the address of the row, or the row itself where it is preferred."""
    said = preferences_of(inquiry.headers)
    headers = written_headers(session.mount, writes.model, done, located=created)
    if said.representation is not True:
        return Reply(204, headers=[*headers, *applied(said, written=True)])
    questions = session.questions(writes.writing)
    reply, tag = row_reply(session, questions, inquiry, done.table, done.id, 201 if created else 200)
    reply.headers += headers
    if tag:
        reply.headers.append((b"etag", tag.encode()))
    return reply


# ── values ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _value(session: Session, questions: Questions, writes: Writes, inquiry: Inquiry, found: Column) -> Reply:
    table, name = found.owner.table, found.attribute.wire_name
    id_ = row_id(questions, found.owner)
    if found.attribute.type is Type.FILE:
        return files.write(session, writes, inquiry, found, id_)
    expect = _expected(questions, inquiry, replace(found.owner, key=id_, owner=None)) or ANY
    if inquiry.method == "DELETE":
        writes.clear_property(table.name, id_, name, expect=expect)
        return Reply(204)
    if inquiry.method not in ("PUT", "PATCH"):
        raise not_allowed(inquiry.method, COLUMN)
    writes.set_property(table.name, id_, name, _said(json_body(inquiry, session.references), name), expect=expect)
    return Reply(204)


def _said(body: Mapping[str, Any], name: str) -> Any:
    """`{"value": …}`; annotations beside it are passed over."""
    known = {key: value for key, value in body.items() if "@" not in key}
    if list(known) != ["value"]:
        raise bad_payload(f"a value of {name} is sent alone", hint='send {"value": …}')
    return known["value"]
