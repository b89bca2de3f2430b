"""GET: rows, one row, a value, a count, references."""

from dataclasses import replace
from typing import Any

from unify.dataverse.model import Type
from unify.dataverse.query import Options, Preferences, Questions, parse_options
from unify.service.caller import Role
from unify.service.data.exchange import Inquiry, Reply
from unify.service.dataverse import conditions, files
from unify.service.dataverse.address import Way, aliases_of, query_text
from unify.service.dataverse.answers import (
    applied,
    entity_id,
    etag_of,
    json_reply,
    page_reply,
    text_reply,
    value_text,
)
from unify.service.dataverse.calls import call_bound
from unify.service.dataverse.errors import CONTENT
from unify.service.dataverse.places import Bound, Collection, Column, Place, Single, followed, resource_of, row_id
from unify.service.dataverse.preferences import preferences_of
from unify.service.dataverse.session import Session, asked_for
from unify.service.errors import ServiceError


def read(session: Session, inquiry: Inquiry, way: Way) -> Reply:
    """The answer to a GET of what begins with the name of a set; a bound function is called."""
    session.need(Role.STEWARD)
    with session.reading() as reading:
        questions = session.questions(reading)
        found = resource_of(questions, way, aliases_of(inquiry.query))
        if isinstance(found, Bound):
            resource: Bound | None = found
        else:
            resource = None
            reply = _answer(session, questions, inquiry, way.tail, found)
    if resource is not None:
        return call_bound(session, inquiry, resource, way.tail)
    return reply


def _answer(
    session: Session, questions: Questions, inquiry: Inquiry, tail: str, found: Collection | Place | Single | Column
) -> Reply:
    if isinstance(found, Column):
        return _column(session, questions, inquiry, tail, found)
    options = parse_options(query_text(inquiry))
    if isinstance(found, Collection):
        return _collection(session, questions, inquiry, tail, found, options)
    if tail == "$ref":
        return _reference(session, questions, inquiry, found)
    if tail:
        raise _no_tail(tail, "a row")
    if isinstance(found, Single):
        owner = row_id(questions, found.owner)
        if questions.step(found.owner.table.name, owner, found.navigation.name) is None:
            return Reply(204)
        found = followed(questions, found)
    return _row(session, questions, inquiry, found, options)


def _no_tail(tail: str, of: str) -> ServiceError:
    return ServiceError(404, f"{of} has no {tail}", where="path", key="0x8006088a")


# ── many rows ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _collection(
    session: Session, questions: Questions, inquiry: Inquiry, tail: str, found: Collection, options: Options
) -> Reply:
    said = preferences_of(inquiry.headers)
    preferences = asked_for(said)
    table = found.table.name
    if found.owner is not None and found.navigation is not None:
        owner = (found.owner.table.name, row_id(questions, found.owner), found.navigation.name)
        if tail == "$count":
            return text_reply(str(questions.related_count(*owner, options)))
        if tail == "$ref":
            page = questions.references(*owner, options, preferences)
        elif tail:
            raise _no_tail(tail, "a collection")
        else:
            page = questions.related(*owner, options, preferences)
    elif tail == "$count":
        return text_reply(str(questions.count(table, options)))
    elif tail:
        raise _no_tail(tail, "a collection")
    else:
        page = questions.query(table, options, preferences)
    return page_reply(session.mount, inquiry, page, options.text, said)


# ── one row ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _row(session: Session, questions: Questions, inquiry: Inquiry, place: Place, options: Options) -> Reply:
    said = preferences_of(inquiry.headers)
    single = questions.one(place.table.name, row_id(questions, place), options, asked_for(said))
    tag = etag_of(single.row)
    condition = conditions.condition_of(inquiry)
    condition.check_read(tag)
    if not options.expand and said.annotations is None and condition.unchanged(tag):
        return Reply(304, headers=[CONTENT, (b"etag", tag.encode())])
    body = {"@odata.context": f"{session.mount.root}$metadata#{single.context}", **single.row}
    headers = [(b"etag", tag.encode())] if tag else []
    reply = json_reply(inquiry, 200, body, [*headers, *applied(said, written=False)])
    reply.rows = 1
    return reply


def _reference(session: Session, questions: Questions, inquiry: Inquiry, found: Place | Single) -> Reply:
    if isinstance(found, Single):
        owner = row_id(questions, found.owner)
        step = questions.step(found.owner.table.name, owner, found.navigation.name)
        if step is None:
            return Reply(204)
        table, id_ = step
    else:
        table, id_ = found.table.name, row_id(questions, found)
    said: dict[str, Any] = {
        "@odata.context": f"{session.mount.root}$metadata#$ref",
        "@odata.id": entity_id(session.mount, questions.model, table, id_),
    }
    return json_reply(inquiry, 200, said)


def row_reply(
    session: Session, questions: Questions, inquiry: Inquiry, table: str, id_: str, status: int
) -> tuple[Reply, str]:
    """The row that was written as an answer, and its ETag; `$select` and annotations are honoured, `$expand` is not."""
    options = replace(parse_options(query_text(inquiry)), expand=())
    said = preferences_of(inquiry.headers)
    single = questions.one(table, id_, options, Preferences(annotations=said.annotations or ""))
    body = {"@odata.context": f"{session.mount.root}$metadata#{single.context}", **single.row}
    return json_reply(inquiry, status, body, applied(said, written=True)), etag_of(single.row)


# ── one value ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _column(session: Session, questions: Questions, inquiry: Inquiry, tail: str, found: Column) -> Reply:
    table = found.owner.table
    id_ = row_id(questions, found.owner)
    if found.attribute.type is Type.FILE:
        return files.read(session, questions, inquiry, tail, found, id_)
    value = questions.value(table.name, id_, found.attribute.wire_name)
    if tail not in ("", "$value"):
        raise _no_tail(tail, "a column")
    if value is None:
        return Reply(204)
    if tail:
        return text_reply(value_text(value))
    context = f"{session.mount.root}$metadata#{table.set_name}({id_})/{found.attribute.wire_name}"
    return json_reply(inquiry, 200, {"@odata.context": context, "value": value})
