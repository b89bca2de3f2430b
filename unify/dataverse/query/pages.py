"""Pages of rows: $filter, $orderby, $top, $skip, $count and the tokens between pages, as one SELECT."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from unify.core.names import quote
from unify.dataverse.errors import no_record
from unify.dataverse.model import ManyToMany, Navigation
from unify.dataverse.query.filtering import Filtering
from unify.dataverse.query.fragments import ALWAYS, Sql, both, bound, sql
from unify.dataverse.query.levels import Columns, Level, Levels
from unify.dataverse.query.nouns import (
    EXCEEDED,
    METADATA_VERSION,
    MOST,
    TOTAL,
    Options,
    Page,
    Preferences,
    Single,
)
from unify.dataverse.query.options import refused
from unify.dataverse.query.ordering import Key, after, order_by, ordered
from unify.dataverse.query.paging import Place, checked, cookie, outer, read_token
from unify.dataverse.query.rows import Shaping, context_of
from unify.dataverse.query.running import Running
from unify.dataverse.query.scope import Ref, Scope, Setting, Tables, ends, means
from unify.records.definitions import place as table_place

OF_COLLECTION = {
    "$select", "$filter", "$orderby", "$expand", "$top", "$skip", "$count", "$skiptoken",
}  # fmt: skip
"""Options of rows that belong to a row."""


@dataclass(frozen=True, slots=True)
class Parent:
    """The row whose collection is asked for."""

    navigation: Navigation
    key: str


@dataclass(frozen=True, slots=True)
class Asked:
    """One question over rows of a table, held against the model and not yet run."""

    tables: Tables
    columns: Columns
    level: Level
    where: Sql
    keys: list[Key]
    key_places: list[int]


def asked(setting: Setting, table: str, options: Options, preferences: Preferences, parent: Parent | None) -> Asked:
    """Everything but the page; DataverseError."""
    root = setting.scope(table)
    tables, columns = Tables(setting, root), Columns()
    filtering = Filtering(setting, tables, options.aliases)
    level = Levels(setting, preferences).level(root, tables, columns, options.select, options.expand)
    where = both([owned(root, parent), _filter(filtering, options)])
    keys = ordered(setting, filtering, options.orderby, options.aliases)
    return Asked(tables, columns, level, where, keys, [columns.add(key.value) for key in keys])


def _filter(filtering: Filtering, options: Options) -> Sql:
    return ALWAYS if options.filter is None else filtering.predicate(options.filter)


def owned(root: Scope, parent: Parent | None) -> Sql:
    """That a row belongs to the collection."""
    if parent is None:
        return ALWAYS
    relationship = parent.navigation.relationship
    if isinstance(relationship, ManyToMany):
        near, far = map(quote, ends(relationship, parent.navigation))
        between = table_place(relationship.intersect)
        return bound(f"{root.id.sql} IN (SELECT m.{far} FROM {between} m WHERE m.{near} = ?)", parent.key)
    lookup = Ref(root.alias, root.table, root.table.attributes[relationship.attribute])
    meant = means(root, relationship)
    return both([bound(f"{lookup.sql} = ?", parent.key), *([meant] if meant is not None else [])])


def page(
    setting: Setting,
    running: Running,
    table: str,
    options: Options,
    preferences: Preferences,
    root: str,
    parent: Parent | None = None,
) -> Page:
    """One page; DataverseError."""
    question = asked(setting, table, options, preferences, parent)
    check = check_of(table, parent, options)
    place = Place(left=options.top)
    if options.skip_token is not None:
        place = read_token(options.skip_token, question.keys, check)
    size = preferences.size
    limit = size if place.left is None else min(size, place.left)
    found = running.rows(_statement(question, place, limit, options.skip))
    more = len(found) > limit and (place.left is None or place.left > limit)
    shown = found[:limit]
    shaping = Shaping(setting, running, preferences, root, token_check)
    rows = shaping.rows(question.level, shown)
    return Page(
        rows,
        context(setting, table, question.level),
        annotations(setting, running, question, options, preferences),
        _next(question, shown, place, limit, check) if more and shown else None,
    )


def _statement(question: Asked, place: Place, limit: int, skip: int) -> Sql:
    where = question.where
    if place.values is not None:
        where = both([where, after(question.keys, place.values)])
    offset = 0 if place.values is not None else skip + (place.page - 1) * limit
    return sql(
        "SELECT {} {} WHERE {} {} {}",
        question.columns.sql,
        question.tables.sql,
        where,
        order_by(question.keys),
        bound("LIMIT ? OFFSET ?", limit + 1, offset),
    )


def _next(question: Asked, shown: Sequence[Sequence[Any]], place: Place, limit: int, check: str) -> str:
    first, last = ([held[at] for at in question.key_places] for held in (shown[0], shown[-1]))
    left = None if place.left is None else place.left - limit
    following = Place(place.page + 1, tuple(last), left)
    return outer(cookie(question.keys, first, last, following, check), following.page)


def token_check(table: str, key: str | None, navigation: str | None, filter_: Any, orderby: Any, aliases: Any) -> str:
    """What binds a token to its question: trees compare without regard to how they were written."""
    return checked(table, key, navigation, repr(filter_), repr(orderby), repr(sorted(dict(aliases).items())))


def check_of(table: str, parent: Parent | None, options: Options) -> str:
    """Of a page of a table, or of a collection of a row of another."""
    if parent is not None:
        return token_check(
            parent.navigation.table,
            parent.key,
            parent.navigation.name,
            options.filter,
            options.orderby,
            options.aliases,
        )
    return token_check(table, None, None, options.filter, options.orderby, options.aliases)


def context(setting: Setting, table: str, level: Level) -> str:
    """What follows `$metadata#` in @odata.context."""
    inside = context_of(level)
    name = setting.model.table(table).set_name
    return f"{name}({inside})" if inside else name


# ── counts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def annotations(
    setting: Setting, running: Running, question: Asked, options: Options, preferences: Preferences
) -> dict[str, Any]:
    """What stands beside the rows: @odata.count, and what the Prefer header asks for of the whole."""
    told: dict[str, Any] = {}
    total, exceeded = -1, False
    if options.count:
        found = counted(running, question.tables, question.where)
        total, exceeded = min(found, MOST), found > MOST
        told["@odata.count"] = total
    for term, value in ((TOTAL, total), (EXCEEDED, exceeded), (METADATA_VERSION, str(setting.model.version))):
        if preferences.wants(term):
            told[f"@{term}"] = value
    return told


def counted(running: Running, tables: Tables, where: Sql) -> int:
    """Rows, up to one more than are told of."""
    return running.number(
        sql("SELECT count(*) FROM (SELECT 1 {} WHERE {} LIMIT {})", tables.sql, where, bound("?", MOST + 1))
    )


def count(setting: Setting, running: Running, table: str, options: Options, parent: Parent | None = None) -> int:
    """/$count, at most 5,000."""
    only(options, {"$filter"}, "$count")
    scope = setting.scope(table)
    tables = Tables(setting, scope)
    where = both([owned(scope, parent), _filter(Filtering(setting, tables, options.aliases), options)])
    return min(MOST, counted(running, tables, where))


def only(options: Options, allowed: set[str], what: str) -> None:
    """DataverseError for an option that this address does not take."""
    for name in sorted(options.given - allowed):
        raise refused(f"The query parameter {name} is not supported with {what}.")


# ── one row ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def single(
    setting: Setting,
    running: Running,
    table: str,
    key: str,
    options: Options,
    preferences: Preferences,
    root: str,
    check: Callable[..., str] = token_check,
) -> Single:
    """The row of a key; DataverseError 404."""
    only(options, {"$select", "$expand"}, "one row")
    question = asked(setting, table, options, preferences, None)
    where = bound(f"{question.tables.root.id.sql} = ?", key)
    found = running.rows(sql("SELECT {} {} WHERE {}", question.columns.sql, question.tables.sql, where))
    if not found:
        raise no_record(setting.model.table(table).name, key)
    rows = Shaping(setting, running, preferences, root, check).rows(question.level, found)
    return Single(rows[0], f"{context(setting, table, question.level)}/$entity")
