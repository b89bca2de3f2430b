"""What the target refuses that can be told from staging alone: each rule is a field, a SELECT and a sentence.

A row that several rules refuse is refused by the first. `s` is the staging table, `p` that of the rows around.
"""

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from dataclasses import field as made
from typing import Any

from unify.core.names import quote
from unify.packages import history
from unify.packages.database import PackageDatabase, transaction
from unify.packages.history import Step
from unify.packages.nouns import EntityDefinition, ImportOptions
from unify.packages.plan import Plan, company_column, plan_of
from unify.packages.staging import table_of
from unify.records import Column, Kind


@dataclass(frozen=True, slots=True)
class Rule:
    """Rows of `s` for which `when` holds are refused. `message`: SQL too, so that it can name the value."""

    field: str
    when: str
    message: str
    params: Mapping[str, Any] = made(default_factory=dict)


def check(database: PackageDatabase, number: int, step: Step, options: ImportOptions) -> None:
    """Fill what others fill, then refuse; once, in one transaction."""
    plan = plan_of({key: value for key, value in step.body.items() if key not in ("written", "given")})
    assert plan.definition is not None
    staging = quote(table_of(number, step.place))
    with closing(database.connect()) as connection, transaction(connection):
        _fill(connection, number, staging, plan, options)
        for rule in _rules(number, staging, plan, plan.definition, step.body, options):
            _refuse(connection, number, step.place, staging, plan.definition, rule)
        sql = f"SELECT count(*) FROM {staging} WHERE Refused"
        refused = connection.execute(sql).fetchone()[0]
        history.note(connection, number, step.place, checked=1, refused=refused)


def _fill(connection: sqlite3.Connection, number: int, staging: str, plan: Plan, options: ImportOptions) -> None:
    definition = plan.definition
    assert definition is not None
    if plan.parent is not None:
        around = quote(table_of(number, plan.parent))
        for mine, theirs in (plan.link or {}).items():
            connection.execute(
                f"UPDATE {staging} AS s SET {quote(mine)} = p.{quote(theirs)} FROM {around} AS p"
                f" WHERE p.RowId = s.ParentRowId AND s.{quote(mine)} IS NULL"
            )
    company = company_column(definition)
    if company is not None and options.legal_entity:
        sql = f"UPDATE {staging} SET {quote(company)} = ? WHERE {quote(company)} IS NULL"
        connection.execute(sql, (options.legal_entity,))
    for column in definition.columns:
        if definition.key == (column.name,) and column.kind is Kind.GUID:
            connection.execute(
                f"UPDATE {staging} SET {quote(column.name)} = {NEW_GUID} WHERE {quote(column.name)} IS NULL"
            )


NEW_GUID = (
    "lower(hex(randomblob(4)) || '-' || hex(randomblob(2)) || '-4' || substr(hex(randomblob(2)), 2) || '-a' ||"
    " substr(hex(randomblob(2)), 2) || '-' || hex(randomblob(6)))"
)
"""A random one, version 4: SQLite makes it for each row."""


def _rules(
    number: int, staging: str, plan: Plan, definition: EntityDefinition, body: Mapping[str, Any], options: ImportOptions
) -> Iterator[Rule]:
    columns = {column.name: column for column in definition.columns}
    written: Sequence[str] = body["written"]
    if plan.parent is not None:
        yield from _of_parent(quote(table_of(number, plan.parent)), plan)
    company = company_column(definition)
    if company is not None and options.legal_entity:
        where = f"s.{quote(company)} <> $company COLLATE NOCASE"
        said = f"'the row is of company ' || s.{quote(company)} || ', and this import is for ' || $company"
        yield Rule(company, where, said, {"company": options.legal_entity})
    for name in definition.key:
        yield Rule(name, f"s.{quote(name)} IS NULL", "'a part of the key is missing'")
    yield _doubled(staging, definition)
    for name in written:
        yield from _of_column(columns[name], definition, validate=plan.validate)


def _of_parent(around: str, plan: Plan) -> Iterator[Rule]:
    there = f"SELECT 1 FROM {around} AS p WHERE p.RowId = s.ParentRowId"
    yield Rule("", f"NOT EXISTS ({there})", "'row ' || s.ParentRowId || ', which it stands in, did not reach staging'")
    yield Rule("", f"EXISTS ({there} AND p.Refused)", "'row ' || s.ParentRowId || ', which it stands in, was refused'")
    for mine, theirs in (plan.link or {}).items():
        differs = f"EXISTS ({there} AND p.{quote(theirs)} IS NOT s.{quote(mine)})"
        yield Rule(mine, differs, "'it names another row than the one it stands in'")


def _doubled(staging: str, definition: EntityDefinition) -> Rule:
    key = ", ".join(map(quote, definition.key))
    firsts = f"SELECT min(RowId) FROM {staging} WHERE NOT Refused GROUP BY {key}"
    # Which row had it first is not said: that would be a look at the whole table for each of them.
    return Rule(", ".join(definition.key), f"s.RowId NOT IN ({firsts})", "'a row before it in the file has this key'")


def _of_column(column: Column, definition: EntityDefinition, *, validate: bool) -> Iterator[Rule]:
    name = f"s.{quote(column.name)}"
    if column.required and column.name not in definition.key:
        yield Rule(column.name, f"{name} IS NULL", "'a value is needed'")
    if column.length is not None and column.kind in (Kind.TEXT, Kind.BINARY):
        said = f"'it holds ' || length({name}) || ' characters, and at most {column.length} are taken'"
        yield Rule(column.name, f"length({name}) > {column.length}", said)
    if validate and (allowed := definition.options.get(column.name)) is not None:
        known = "SELECT value FROM json_each($allowed)"
        where = f"{name} IS NOT NULL AND CAST({name} AS TEXT) NOT IN ({known})"
        yield Rule(column.name, where, f"quote({name}) || ' is none of its options'", {"allowed": json.dumps(allowed)})


def _refuse(
    connection: sqlite3.Connection, number: int, place: int, staging: str, definition: EntityDefinition, rule: Rule
) -> None:
    where = f"NOT s.Refused AND ({rule.when})"
    if connection.execute(f"SELECT 1 FROM {staging} AS s WHERE {where} LIMIT 1", rule.params).fetchone() is None:
        return
    connection.execute(
        "INSERT INTO row_errors (execution, place, step, row_id, field, message, record)"
        f" SELECT $number, $place, 'target', s.RowId, $field, substr({rule.message}, 1, 500), {record(definition)}"
        f" FROM {staging} AS s WHERE {where}",
        {**rule.params, "number": number, "place": place, "field": rule.field},
    )
    connection.execute(
        f"UPDATE {staging} SET Refused = 1 WHERE RowId IN (SELECT row_id FROM row_errors"
        " WHERE execution = $number AND place = $place AND step = 'target')",
        {"number": number, "place": place},
    )


def record(definition: EntityDefinition) -> str:
    """SQL of a row's key for people, over `s`."""
    return " || ', ' || ".join(f"coalesce(s.{quote(name)}, '')" for name in definition.key)
