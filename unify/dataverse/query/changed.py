"""Following a table: $deltatoken and Prefer: odata.track-changes.

The first answer is every row, and a token; a token's answer is what was written since, oldest first, then what is gone.
Rows come in the order of their versions, so a row that is written between two pages comes again, in a later one. The
token stands in the last page and is of the moment of the first: what happened between two pages is told with it.
"""

from dataclasses import dataclass
from typing import Any, Final

from unify.dataverse.query.fragments import Sql, bound, sql
from unify.dataverse.query.levels import Columns, Level, Levels
from unify.dataverse.query.nouns import Options, Page, Preferences, Row
from unify.dataverse.query.options import refused
from unify.dataverse.query.ordering import Key
from unify.dataverse.query.pages import context, token_check
from unify.dataverse.query.paging import Place, cookie, is_of, outer, read_token
from unify.dataverse.query.rows import Shaping
from unify.dataverse.query.running import Running
from unify.dataverse.query.scope import Setting, Tables
from unify.dataverse.writes.tracking import since, token
from unify.records.definitions import VERSION, place

ALLOWED: Final = frozenset({"$select", "$deltatoken", "$skiptoken"})
MARKS: Final = tuple(Key(Sql("0"), name) for name in ("gone", "versionnumber", "deltatoken"))
"""What the tokens between pages hold: whether all rows were told, up to which version, and the token to come."""


@dataclass(frozen=True, slots=True)
class Following:
    """One page of changes that is asked for. `start`: the version since when; 0: everything."""

    setting: Setting
    running: Running
    table: str
    level: Level
    columns: Columns
    tables: Tables
    shaping: Shaping
    start: int
    size: int


def page(setting: Setting, running: Running, table: str, options: Options, preferences: Preferences, root: str) -> Page:
    """Rows and a token, or what happened since a token; DataverseError."""
    start = _start(setting, table, options)
    scope = setting.scope(table)
    tables, columns = Tables(setting, scope), Columns()
    level = Levels(setting, preferences).level(scope, tables, columns, options.select, ())
    shaping = Shaping(setting, running, preferences, root, token_check)
    size = preferences.size
    asked = Following(setting, running, table, level, columns, tables, shaping, start, size)
    check = token_check(table, "changes", options.delta_token, None, None, {})
    told, seen, coming, number = 0, start, token(setting.reading, table, now=setting.asker.now), 1
    if options.skip_token is not None:
        at = read_token(options.skip_token, MARKS, check)
        told, seen, coming = at.values or (0, start, coming)
        number = at.page
    named = context(setting, table, level)
    rows, told, seen, more = _rows(asked, told, seen)
    if more:
        return Page(rows, named, next=_next(number + 1, (told, seen, coming), check))
    return Page(rows, f"{named}/$delta" if start else named, delta=coming)


def goes_on(options: Options) -> bool:
    """A further page of these is asked for; its link is followed without the preference of the first."""
    return options.skip_token is not None and is_of(options.skip_token, MARKS)


def count(setting: Setting, running: Running, table: str, options: Options) -> int:
    """Rows that were written since a token, and those that are gone."""
    start = _start(setting, table, options)
    written = running.number(bound(f"SELECT count(*) FROM {place(table)} WHERE {VERSION} > ?", start))
    return written + running.number(sql("SELECT count(*) FROM ({})", _gone(setting, table, start, start)))


def _start(setting: Setting, table: str, options: Options) -> int:
    for name in sorted(options.given - ALLOWED):
        raise refused(
            f'The "{name.removeprefix("$")}" query parameter isn\'t supported when Change Tracking is enabled.',
            hint="filter on the client; $select alone narrows what is tracked",
        )
    if not setting.model.table(table).tracked:
        raise refused(f"Change tracking is not enabled for the entity '{table}'.", where=table)
    if options.delta_token is None:
        return 0
    return since(setting.reading, table, options.delta_token, now=setting.asker.now)


def _rows(asked: Following, told: int, seen: int) -> tuple[list[Row], int, int, bool]:
    """Up to a page: rows, then what is gone; how far that goes, and whether there is more."""
    rows: list[Row] = []
    if not told:
        found = _written(asked, seen)
        shown = found[: asked.size]
        rows = asked.shaping.rows(asked.level, shown)
        if len(found) > asked.size:
            return rows, 0, int(shown[-1][asked.level.version_at]), True
        told, seen = 1, asked.start
    if not asked.start:
        return rows, told, seen, False
    room = asked.size - len(rows)
    limited = sql("{} LIMIT {}", _gone(asked.setting, asked.table, asked.start, seen), bound("?", room + 1))
    gone = asked.running.rows(limited)
    told_now = gone[:room]
    rows += [_deleted(asked, key) for key, _ in told_now]
    return rows, 1, int(told_now[-1][1]) if told_now else seen, len(gone) > room


def _written(asked: Following, seen: int) -> list[tuple[Any, ...]]:
    alias = asked.tables.root.alias
    return asked.running.rows(
        sql(
            "SELECT {} {} WHERE {} {}",
            asked.columns.sql,
            asked.tables.sql,
            bound(f"{alias}.{VERSION} > ?", seen),
            bound(f"ORDER BY {alias}.{VERSION} LIMIT ?", asked.size + 1),
        )
    )


def _gone(setting: Setting, table: str, start: int, seen: int) -> Sql:
    """Ids of rows that are gone since `start`, and when, after `seen`; not of those that are there again."""
    id_ = setting.scope(table).table.id_attribute
    text = (
        "SELECT g.k, max(g.version) AS v FROM (SELECT json_extract(key, '$[0]') AS k, version FROM gone "
        f'WHERE name = ? AND version > ?) g WHERE g.k NOT IN (SELECT t."{id_}" FROM {place(table)} t '
        f"WHERE t.{VERSION} > ?) GROUP BY g.k HAVING v > ? ORDER BY v"
    )
    return bound(text, table, start, start, seen)


def _deleted(asked: Following, key: str) -> Row:
    name = asked.setting.model.table(asked.table).set_name
    return {
        "@odata.context": f"{asked.shaping.root}$metadata#{name}/$deletedEntity",
        "id": key,
        "reason": "deleted",
    }


def _next(number: int, values: tuple[int, int, str], check: str) -> str:
    at = Place(number, values)
    return outer(cookie(MARKS, values, values, at, check), number)
