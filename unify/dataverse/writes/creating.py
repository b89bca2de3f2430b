"""New rows."""

from collections.abc import Sequence

from unify.dataverse.model import Computed, ManyToMany, Navigation, TableModel
from unify.dataverse.writes import activities, rules, watching
from unify.dataverse.writes.bodies import Parsed, check_seen, parse, put
from unify.dataverse.writes.ids import case_numbers, new_id
from unify.dataverse.writes.keys import Reference
from unify.dataverse.writes.linking import link
from unify.dataverse.writes.nouns import Body, Written
from unify.dataverse.writes.session import Session
from unify.dataverse.writes.values import payload_error
from unify.records import Value

DEEPEST = 16
"""Rows nested in rows."""


def create(session: Session, name: str, body: Body, *, depth: int = 0) -> Written:
    """One row, with those nested in it."""
    table = session.table(name, "Create")
    if depth > DEEPEST:
        raise payload_error(table, f"rows are nested deeper than {DEEPEST}.")
    parsed = parse(session, table, body, creating=True)
    for navigation, nested in parsed.one:
        made = create(session, _target(session, navigation), nested, depth=depth + 1)
        put(session, table, navigation, Reference(made.table, made.id), parsed.values)
    [written] = _insert(session, table, [parsed])
    for navigation, bodies in parsed.many:
        for nested in bodies:
            _create_at(session, table, written.id, navigation, nested, depth + 1)
    for navigation, references in parsed.bound:
        for reference in references:
            link(session, table, written.id, navigation, session.point(reference))
    return written


def create_multiple(session: Session, name: str, bodies: Sequence[Body]) -> list[Written]:
    """Many rows in one go; where rows are nested, one after another."""
    table = session.table(name, "Create")
    parsed = [parse(session, table, body, creating=True) for body in bodies]
    if any(each.nested for each in parsed):
        session.pointed.clear()
        return [create(session, name, body) for body in bodies]
    return _insert(session, table, parsed)


def _insert(session: Session, table: TableModel, parsed: Sequence[Parsed]) -> list[Written]:
    rows: list[dict[str, Value]] = []
    for each in parsed:
        check_seen(table, each, None)
        values = each.values
        row_id = values.get(table.id_attribute) or new_id()
        values[table.id_attribute] = row_id
        rules.defaults(table, values)
        rules.status(table, values, None, str(row_id))
        rules.owner(session, table, values, new=True)
        rules.names(table, values, None)
        rules.made(session, table, values)
        if table.is_activity:
            values["activitytypecode"] = table.name
        rows.append(values)
    _number(session, table, rows)
    told = watching.before(session, "Create", table, [(str(row[table.id_attribute]), row, None) for row in rows])
    last = session.writing.insert(table.name, rows)
    first = last - len(rows) + 1
    written = [
        Written(table.name, str(row[table.id_attribute]), first + at, created=True) for at, row in enumerate(rows)
    ]
    activities.made(session, table, rows)
    watching.after(told)
    return written


def _number(session: Session, table: TableModel, rows: Sequence[dict[str, Value]]) -> None:
    for name, attribute in table.attributes.items():
        if attribute.computed is Computed.NUMBER:
            for row, number in zip(rows, case_numbers(session.writing, len(rows)), strict=True):
                row[name] = number


def _target(session: Session, navigation: Navigation) -> str:
    return session.model.table(navigation.target).name


def _create_at(
    session: Session, table: TableModel, row_id: str, navigation: Navigation, body: Body, depth: int
) -> None:
    """A row of a collection: made with its lookup set, or made and linked."""
    target = session.model.table(navigation.target)
    if isinstance(navigation.relationship, ManyToMany):
        made = create(session, target.name, body, depth=depth)
        link(session, table, row_id, navigation, made.id)
        return
    if not isinstance(body, dict):
        raise payload_error(target, "Microsoft.OData.ODataException: an object is expected.")
    bind = f"{navigation.relationship.lookup}@odata.bind"
    if bind in body or navigation.relationship.lookup in body:
        raise payload_error(target, f"'{bind}' is set by the row that this one is nested in.", where=bind)
    create(session, target.name, {**body, bind: f"/{table.set_name}({row_id})"}, depth=depth)
