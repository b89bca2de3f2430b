"""The rows that a measure counts, and the customers they belong to.

    Customer ──path──▶ rows          measuring_reach_<n>   value of the path's last column → customer, each pair once
                                     measuring_rows_<n>    a view: the rows, and behind them the customer's ordinal

A row counts once for every customer it leads to, however many ways lead there, and records lead through `members`, so
that what hangs on alternate and merged records counts for the customer they became part of.
"""

from dataclasses import dataclass, replace

from segments.activities import UNIFIED
from segments.measures.names import SCRATCH
from segments.model import ORDINAL, Model, reverse_name
from segments.predicates.fields import INTEGER, Attribute, Relation, Table
from segments.relationships import CUSTOMER, RelationshipGraph, names_of
from unify.core.errors import QueryError, SpecError
from unify.core.names import quote, table_of
from unify.core.steps import Query, Step

OF_CUSTOMER = "~ordinal"
"""The column behind the rows of an entity that says whose they are."""


@dataclass(frozen=True)
class Rows:
    """Rows that expressions can be about.

    table     as it is called in `model` and in SQL
    said      as people call it
    ordinal   the column with the customer's ordinal; "" when rows have none
    key       columns that tell the rows apart
    time      the column that says when they happened; "" when there is none
    steps     what makes the table; nothing when it is there
    """

    model: Model
    table: str
    said: str
    ordinal: str
    key: tuple[str, ...]
    time: str
    steps: tuple[Step, ...] = ()


def plain_rows(model: Model, table: str) -> Rows:
    """Rows of a table as they are; those of Customer and of tables with a row per customer know their ordinal."""
    own = (table == CUSTOMER or (table, CUSTOMER) in model.catalog.relations) and table not in model.entities
    ordinal = ORDINAL if own and ORDINAL in model.catalog.table(table).attributes else ""
    return Rows(model, table, _said(model, table), ordinal, _key(model, table), _time(model, table))


def customers_rows(model: Model, table: str, path: tuple[str, ...], number: int, where: str) -> Rows:
    """Rows of a table with the customer of each, by a named path or the only one; QueryError when there is none.

    A row that leads to several customers stands there once for each.
    """
    plain = plain_rows(model, table)
    if plain.ordinal and not path:
        return plain
    return _reached(plain, _steps(model, table, path, where), number, oldest=False)


def rows_with_customer(model: Model, table: str, path: tuple[str, ...], number: int, where: str) -> Rows:
    """Every row of a table once, those that lead to no customer too; of several customers the oldest has it.

    Its customer is reached by the relation `Customer`. Without a way to a customer: the plain rows.
    """
    plain = plain_rows(model, table)
    own = model.catalog.relations.get((table, CUSTOMER))
    if table == CUSTOMER or (own is not None and not own.record_of):
        return plain
    try:
        steps = _steps(model, table, path, where)
    except QueryError:
        if path:
            raise
        return plain
    return _reached(plain, steps, number, oldest=True)


def _steps(model: Model, table: str, path: tuple[str, ...], where: str) -> tuple[Relation, ...]:
    """The relations from Customer to the rows."""
    if path:
        names = model.path(CUSTOMER, path, f"{where}.path")
        if (end := model.end(CUSTOMER, names)) != table:
            hint = f"add the relations that lead on to {_said(model, table)}"
            raise QueryError(f"the path ends at {_said(model, end)}", where=f"{where}.path", hint=hint)
        return model.catalog.path(CUSTOMER, names)
    if (CUSTOMER, table) in model.catalog.relations:
        return (model.catalog.relations[CUSTOMER, table],)
    if (CUSTOMER, table) in model.shortcuts:
        return model.catalog.path(CUSTOMER, model.shortcuts[CUSTOMER, table])
    if (way := _activity_way(model, table)) is not None:
        return model.catalog.path(CUSTOMER, way)
    try:
        RelationshipGraph(model.project).path_to_customer(model.entities.get(table, table))
    except SpecError as error:
        hint = "name the relations from Customer on as `path`" if "ways lead" in error.message else error.hint
        raise QueryError(error.message, where=where, hint=hint) from None
    raise QueryError(f"no way leads from Customer to {_said(model, table)}", where=where, hint="name one as `path`")


def _activity_way(model: Model, table: str) -> tuple[str, ...] | None:
    """The path that the activity over an entity names, seen from Customer."""
    for activity in model.project.activities.values():
        if activity.path and table_of(activity.entity) == table:
            way = RelationshipGraph(model.project).path_to_customer(activity.entity, activity.path)
            back = [reverse_name(model.project, name) for name in reversed(names_of(way))]
            return (table_of(way[-1].from_entity), *back)
    return None


def _reached(plain: Rows, steps: tuple[Relation, ...], number: int, *, oldest: bool) -> Rows:
    reach, view = f"{SCRATCH}reach_{number}", f"{SCRATCH}rows_{number}"
    model, last = plain.model, steps[-1]
    sql, params = _reach_sql(steps, model.catalog.members)
    if oldest:
        sql = f"SELECT value, min(ordinal) AS ordinal FROM ({sql}) AS r GROUP BY value"
    made = Step(reach, Query(sql, params), f"which customers rows of {plain.said} lead to",
                tuple(dict.fromkeys(s.to_table for s in steps[:-1])))  # fmt: skip
    own = f"a.{quote(last.to_column)}"
    own = f"CAST({own} AS VARCHAR)" if last.through else own
    column = _free(OF_CUSTOMER, model.catalog.table(plain.table))
    join = "LEFT JOIN" if oldest else "JOIN"
    whose = f"{join} {reach} AS r ON r.value = {own}"
    rows = f"SELECT a.*, r.ordinal AS {quote(column)} FROM {quote(plain.table)} AS a {whose}"
    seen = Step(view, Query(rows), f"rows of {plain.said} with their customers", (plain.table, reach), view=True)
    return replace(
        plain, model=_with_rows(model, plain.table, view, column), table=view, ordinal=column, steps=(made, seen)
    )


def _free(name: str, table: Table) -> str:
    while name in table.attributes:
        name = f"~{name}"
    return name


def _with_rows(model: Model, table: str, view: str, ordinal: str) -> Model:
    """The model with the view, which has what the table has, and leads to Customer."""
    old = model.catalog.table(table)
    attributes = {**old.attributes, ordinal: Attribute(ordinal, INTEGER, "INTEGER")}
    relations = dict(model.catalog.relations)
    relations |= {(view, n): replace(r, from_table=view) for (start, n), r in relations.items() if start == table}
    own = relations.get((view, CUSTOMER))
    if own is None or own.record_of:  # whose a row is, the path says, also where it is a record of somebody else
        relations[view, CUSTOMER] = Relation(CUSTOMER, view, ordinal, CUSTOMER, ORDINAL, many=False)
    tables = {**model.catalog.tables, view: Table(view, attributes)}
    entities = {**model.entities, **({view: model.entities[table]} if table in model.entities else {})}
    return replace(model, entities=entities, catalog=replace(model.catalog, tables=tables, relations=relations))


def _reach_sql(steps: tuple[Relation, ...], members: str) -> tuple[str, dict[str, str]]:
    """Columns ordinal and value: what the column that the last step compares with holds, for every customer."""
    params: dict[str, str] = {}
    sql = f"SELECT ordinal, {quote(steps[0].from_column)} AS value FROM {quote(CUSTOMER)}"
    for number, step in enumerate(steps):
        last = number == len(steps) - 1
        if step.through:
            params[f"entity_{number}"] = step.through
            sql = (
                f"SELECT DISTINCT p.ordinal, m.key AS value FROM ({sql}) AS p\n"
                f"JOIN {quote(members)} AS m ON m.{quote(step.from_column)} = p.value AND m.entity = $entity_{number}"
            )
        if step.record_of:
            params[f"entity_{number}"] = step.record_of
            sql = (
                f"SELECT DISTINCT p.ordinal, m.{quote(step.to_column)} AS value FROM ({sql}) AS p\n"
                f"JOIN {quote(members)} AS m ON m.key = CAST(p.value AS VARCHAR) AND m.entity = $entity_{number}"
            )
        if last:
            return f"SELECT DISTINCT ordinal, value FROM ({sql}) AS reached WHERE value IS NOT NULL", params
        there = f"x.{quote(step.to_column)}"
        there = f"CAST({there} AS VARCHAR)" if step.through else there
        onward = f"x.{quote(steps[number + 1].from_column)}"
        sql = (
            f"SELECT DISTINCT p.ordinal, {onward} AS value FROM ({sql}) AS p\n"
            f"JOIN {quote(step.to_table)} AS x ON {there} = p.value WHERE {onward} IS NOT NULL"
        )
    raise AssertionError("a path has steps")


def _said(model: Model, table: str) -> str:
    return model.entities.get(table, table)


def _key(model: Model, table: str) -> tuple[str, ...]:
    """The primary key, or all single values: then rows that are equal in all of them are equal in everything."""
    if table in model.keys:
        return (model.keys[table],)
    return tuple(a.name for a in model.catalog.table(table).attributes.values() if a.type is not None)


def _time(model: Model, table: str) -> str:
    if table == UNIFIED:
        return "ActivityTime"
    entity = model.entities.get(table)
    return (model.project.entity(entity).timestamp or "") if entity else ""
