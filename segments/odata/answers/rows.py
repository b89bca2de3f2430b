"""Levels as SELECTs: one for a page, one for a count, one for an expanded relation of a whole page."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from segments.odata.answers.entity_sets import EntitySet
from segments.odata.answers.formats import converted
from segments.odata.answers.ground import MOST_EXPANDED, Ground
from segments.odata.answers.level import Column, Expansion, Level
from segments.odata.answers.links import Links
from segments.odata.answers.pages import Position, SortKey, behind, sort_text
from segments.predicates import tree as p
from segments.predicates.compile import Compiler
from unify.core.engine import scalar
from unify.core.errors import QueryError
from unify.core.steps import Query


@dataclass(frozen=True)
class Narrowed:
    """What narrows a level besides its own condition: the key in the path, the row it was reached from."""

    predicates: tuple[p.Expr, ...] = ()
    links: Links | None = None


EVERYTHING = Narrowed()


class Compiled:
    """A level over its table: SQL of what is shown, hidden and sorted by; then `source`, `where` and `params`.

    `total`: the sort keys tell any two rows apart.
    """

    def __init__(
        self,
        ground: Ground,
        level: Level,
        hidden: Sequence[str] = (),
        narrowed: Narrowed = EVERYTHING,
        *,
        in_order: bool = True,
    ) -> None:
        self.level, table = level, level.set.table
        compiler = Compiler(ground.model.catalog, table, ground.clock)
        self._ground, self._compiler, self._narrowed = ground, compiler, narrowed
        self.shown = [self._shown(column) for column in level.columns]
        self.hidden = [self._hidden(table, name) for name in hidden]
        self.keys, self.total = self._keys() if in_order else ([], False)
        terms = [*narrowed.predicates, *([level.condition] if level.condition is not None else [])]
        self.where = [compiler.condition(term) for term in terms]
        self.params = compiler.params
        if narrowed.links:
            self.params.update(narrowed.links.params)
            column = compiler.column(narrowed.links.column)
            end = f"CAST({column} AS VARCHAR)" if narrowed.links.as_text else column
            self.where.append(f"{end} IN (SELECT value FROM ({narrowed.links.sql}))")

    @property
    def source(self) -> str:
        """The FROM item. Read it last: values that need a subquery become columns of it."""
        return self._compiler.source

    def column(self, name: str) -> str:
        """A column of the row, hidden ones too."""
        return self._compiler.column(name)

    def where_sql(self, *more: str) -> str:
        """` WHERE …`, or nothing."""
        terms = [*self.where, *(m for m in more if m)]
        return f" WHERE {' AND '.join(terms)}" if terms else ""

    def _shown(self, column: Column) -> str:
        sql = self._compiler.column(column.name) if column.expr is None else self._compiler.value(column.expr)
        return f"CAST({sql} AS VARCHAR)" if column.kind and column.kind.kind == "guid" else sql

    def _hidden(self, table: str, name: str) -> str:
        sql = self._compiler.column(name)
        return f"CAST({sql} AS VARCHAR)" if self._ground.sql_type(table, name) == "UUID" else sql

    def _keys(self) -> tuple[list[SortKey], bool]:
        set_ = self.level.set
        keys = [self._key(expr, descending) for expr, descending in self.level.order]
        if set_.key:
            return [*keys, self._key(p.Field(set_.key), False)], True
        own = [name for name, attribute in set_.attributes.items() if attribute.type]
        return [*keys, *(self._key(p.Field(name), False) for name in own)], False

    def _key(self, expr: p.Expr, descending: bool) -> SortKey:
        kind = self._ground.type_of(expr, self.level.set.table, "$orderby")
        return SortKey(self._compiler.value(expr), kind, descending)

    def sort_columns(self) -> list[str]:
        """The keys as columns that a next link can remember."""
        return [f"CAST({k.sql} AS VARCHAR)" if k.type.kind == "guid" else k.sql for k in self.keys]


@dataclass
class Page:
    """Rows of one answer.

    table    the shown columns, as they are
    rows     the same as values that JSON can hold; expansions are added to them
    hidden   the hidden columns, by name
    after    sort values of the last row; None when nothing tells rows apart
    more     whether rows stand behind
    """

    table: pa.Table
    rows: list[dict[str, Any]]
    hidden: dict[str, list[Any]] = field(default_factory=dict)
    after: tuple[str | None, ...] | None = None
    more: bool = False


def read_page(
    ground: Ground,
    level: Level,
    narrowed: Narrowed = EVERYTHING,
    *,
    hidden: Sequence[str] = (),
    limit: int,
    offset: int = 0,
    position: Position | None = None,
) -> Page:
    """At most `limit` rows in order, and whether there are more."""
    compiled = Compiled(ground, level, hidden, narrowed)
    further, bound = "", dict[str, Any]()
    if position is not None:
        offset = position.offset
        if position.after is not None:
            further, bound = behind(compiled.keys, position.after)
    sorts = compiled.sort_columns()
    columns = [*compiled.shown, *compiled.hidden, *sorts]
    first = len(compiled.shown) + len(compiled.hidden) + 1
    named = ", ".join(f"{sql} AS c{i}" for i, sql in enumerate(columns))
    order = ", ".join(key.order(first + i) for i, key in enumerate(compiled.keys))
    tail = f" ORDER BY {order} LIMIT {limit + 1}" + (f" OFFSET {offset}" if offset else "")
    sql = f"SELECT {named} FROM {compiled.source}{compiled.where_sql(further)}{tail}"
    found = ground.engine.fetch(Query(sql, compiled.params | bound))
    more = found.num_rows > limit
    found = found.slice(0, limit)
    page = _page(level, found, hidden)
    page.more = more
    if more and limit and compiled.total:
        page.after = tuple(sort_text(found.column(first - 1 + i)[limit - 1].as_py()) for i in range(len(sorts)))
    return page


def _page(level: Level, found: pa.Table, hidden: Sequence[str]) -> Page:
    names = [column.name for column in level.columns]
    shown = found.select(range(len(names))).rename_columns(names)
    after = len(names)
    return Page(
        table=shown,
        rows=rows_of(level, [found.column(i).to_pylist() for i in range(len(names))], found.num_rows),
        hidden={name: found.column(after + i).to_pylist() for i, name in enumerate(hidden)},
    )


def rows_of(level: Level, columns: Sequence[Sequence[Any]], count: int) -> list[dict[str, Any]]:
    """Columns as rows that JSON can hold."""
    names = [column.name for column in level.columns]
    cells = [converted(values, column.kind) for column, values in zip(level.columns, columns, strict=True)]
    return (
        [dict(zip(names, row, strict=True)) for row in zip(*cells, strict=True)]
        if names
        else [{} for _ in range(count)]
    )


def count_rows(ground: Ground, level: Level, narrowed: Narrowed = EVERYTHING) -> int:
    """How many rows there are, whatever $top and $skip say."""
    compiled = Compiled(ground, Level(level.set, (), level.condition), (), narrowed, in_order=False)
    sql = f"SELECT count(*) FROM {compiled.source}{compiled.where_sql()}"
    return int(scalar(ground.engine, Query(sql, compiled.params)))


def column_of(ground: Ground, set_: EntitySet, column: str, narrowed: Narrowed) -> list[Any]:
    """The value of one column of the one row that a path names; empty when it is not there."""
    compiled = Compiled(ground, Level(set_, ()), (column,), narrowed, in_order=False)
    sql = f"SELECT {compiled.hidden[0]} AS v FROM {compiled.source}{compiled.where_sql()} LIMIT 1"
    return list(ground.engine.fetch(Query(sql, compiled.params)).column(0).to_pylist())


# ── expansions ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Related:
    """Related rows of one start. `after` and `more` as of a page."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    after: tuple[str | None, ...] | None = None
    more: bool = False


def read_related(
    ground: Ground, expansion: Expansion, links: Links, hidden: Sequence[str], limit: int
) -> tuple[dict[Any, Related], list[dict[str, Any]], dict[str, list[Any]]]:
    """Related rows by start, all of them in one list too, with their hidden columns. One SELECT.

    QueryError when there are more than MOST_EXPANDED.
    """
    level = expansion.level
    compiled = Compiled(ground, level, hidden)
    link = links.condition(compiled.column(links.column), "l.value")
    sorts = compiled.sort_columns()
    shown = [*compiled.shown, *compiled.hidden, *sorts]
    named = ", ".join(f"{sql} AS c{i}" for i, sql in enumerate(shown))
    order = ", ".join(key.window_order() for key in compiled.keys)
    inner = (
        f"SELECT l.link AS link, {named}, row_number() OVER (PARTITION BY l.link ORDER BY {order}) AS rn "
        f"FROM {compiled.source}, ({links.sql}) AS l{compiled.where_sql(link)} "
        f"QUALIFY rn > {level.skip} AND rn <= {level.skip + limit + 1}"
    )
    sql = f"{inner} ORDER BY link, rn LIMIT {MOST_EXPANDED + 1}"
    found = ground.engine.fetch(Query(sql, compiled.params | links.params))
    if found.num_rows > MOST_EXPANDED:
        hint = f"write $expand={expansion.name}($top=…), or ask for smaller pages"
        raise QueryError(f"{expansion.name} leads to more than {MOST_EXPANDED:,} rows", where="$expand", hint=hint)
    return _by_start(level, found, hidden, limit, compiled)


def _by_start(
    level: Level, found: pa.Table, hidden: Sequence[str], limit: int, compiled: Compiled
) -> tuple[dict[Any, Related], list[dict[str, Any]], dict[str, list[Any]]]:
    width = len(level.columns)
    rows = rows_of(level, [found.column(1 + i).to_pylist() for i in range(width)], found.num_rows)
    secret = [found.column(1 + width + i).to_pylist() for i in range(len(hidden))]
    begin = 1 + width + len(hidden)
    ranks = found.column("rn").to_pylist()
    starts: dict[Any, Related] = {}
    kept: list[int] = []
    for i, start in enumerate(found.column(0).to_pylist()):
        related = starts.setdefault(start, Related())
        if ranks[i] > level.skip + limit:
            related.more = True
            if compiled.total and related.rows:
                last = kept[-1]
                values = (found.column(begin + k)[last].as_py() for k in range(len(compiled.keys)))
                related.after = tuple(sort_text(v) for v in values)
            continue
        related.rows.append(rows[i])
        kept.append(i)
    return starts, [rows[i] for i in kept], {n: [s[i] for i in kept] for n, s in zip(hidden, secret, strict=True)}


def count_related(ground: Ground, level: Level, links: Links) -> dict[Any, int]:
    """How many related rows each start has; starts without any are left out."""
    compiled = Compiled(ground, Level(level.set, (), level.condition), in_order=False)
    link = links.condition(compiled.column(links.column), "l.value")
    sql = (
        f"SELECT l.link AS link, count(*) AS n FROM {compiled.source}, ({links.sql}) AS l{compiled.where_sql(link)} "
        "GROUP BY l.link"
    )
    found = ground.engine.fetch(Query(sql, compiled.params | links.params))
    return dict(zip(found.column(0).to_pylist(), found.column(1).to_pylist(), strict=True))
