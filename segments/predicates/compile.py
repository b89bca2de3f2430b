"""A bound tree to SQL: values bound, identifiers quoted, nothing that can fail while it runs.

A row in sight is a *scope*: an alias, and a FROM item. Values that need a subquery (an attribute at the end of a path,
an aggregate) become columns of a derived table around the scope's table, named once and used like any other column::

    FROM (SELECT t0.*, (SELECT count(*) FROM "Orders" AS t1 WHERE t1."Buyer" = t0."CustomerId") AS "~1"
          FROM "Customer" AS t0) AS t0
    WHERE t0."~1" > $v0

because TRY takes no subqueries inside. Constant parts are worked out in Python, so `now` is a bound value.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from segments.predicates import tree as p
from segments.predicates.bind import Bound, Coerce, bind, bind_predicate
from segments.predicates.fields import STRING, Catalog, Relation, Table, Type, Value
from segments.predicates.sums import sum_of_doubles
from segments.predicates.values import constant
from unify.core.errors import QueryError
from unify.core.names import quote
from unify.core.steps import Query

INLINE_VALUES = 16
"""Of a list. Longer ones become a hashed set: 1 000 values over a million rows take 0.03 s, not 2 s."""

SAFE_DIGITS = 27
"""Of the terms of a sum: a hundred thousand million of them fit into 38 digits. With a longer one the sum is null."""

_OPERATORS = {
    "eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">=",
    "is": "IS NOT DISTINCT FROM", "is_not": "IS DISTINCT FROM",
}  # fmt: skip


@dataclass(slots=True)
class _Scope:
    """One row in sight. `derived`: SQL of a subquery value → the name of its column.

    `read`: the same of values at the end of a path. They lie one layer below, where subqueries deeper down may use them
    as columns: looked up again from inside another subquery, DuckDB 2.0 loses rows whose path leads nowhere.
    """

    table: Table
    alias: str
    derived: dict[str, str] = field(default_factory=dict)
    read: dict[str, str] = field(default_factory=dict)

    def column(self, name: str) -> str:
        return f"{self.alias}.{quote(name)}"

    def derive(self, sql: str) -> str:
        return self._named(self.derived, sql)

    def at_end_of_path(self, sql: str) -> str:
        return self._named(self.read, sql)

    def _named(self, layer: dict[str, str], sql: str) -> str:
        if sql not in layer:
            taken = {*self.table.attributes, *self.derived.values(), *self.read.values()}
            n = len(self.derived) + len(self.read) + 1
            while f"~{n}" in taken:
                n += 1
            layer[sql] = f"~{n}"
        return self.column(layer[sql])

    @property
    def source(self) -> str:
        """The FROM item."""
        source = f"{quote(self.table.name)} AS {self.alias}"
        for layer in (self.read, self.derived):
            if layer:
                columns = ", ".join(f"{sql} AS {quote(name)}" for sql, name in layer.items())
                source = f"(SELECT {self.alias}.*, {columns} FROM {source}) AS {self.alias}"
        return source


class Compiler:
    """Makes SQL for any number of expressions over the rows of one table, for one SELECT.

    `value` first, for everything the SELECT says; then `source`, its FROM item, and `params`.
    """

    def __init__(self, catalog: Catalog, table: str, clock: datetime, *, prefix: str = "v") -> None:
        """`clock`: the run's moment; one without an offset is UTC. `prefix`: of bound values' names."""
        self.catalog, self.prefix = catalog, prefix
        self.clock = clock.astimezone(UTC).replace(tzinfo=None) if clock.tzinfo else clock
        self.params: dict[str, Any] = {}
        self.reads: set[str] = set()
        self._names: dict[tuple[str, str, bool], str] = {}
        self._aliases = 0
        self._inside = 0  # of how many functions: what TRY may stand around takes no subquery
        self._scopes = [self._scope(catalog.table(table))]

    @property
    def source(self) -> str:
        """What stands behind FROM."""
        return self._scopes[0].source

    def column(self, name: str) -> str:
        """An own column of the row, quoted."""
        return self._scopes[0].column(name)

    def value(self, expr: p.Expr | Bound, *, where: str = "") -> str:
        """SQL of a value; QueryError as bind raises it."""
        bound = expr if isinstance(expr, Bound) else bind(expr, self.catalog, self._scopes[0].table.name, where=where)
        return self._sql(bound)

    def condition(self, expr: p.Expr | Bound, *, where: str = "") -> str:
        """SQL of a predicate: true, false or null."""
        if isinstance(expr, Bound):
            return self._sql(expr)
        return self._sql(bind_predicate(expr, self.catalog, self._scopes[0].table.name, where=where))

    # ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _scope(self, table: Table) -> _Scope:
        self._aliases += 1
        self.reads.add(table.name)
        return _Scope(table, f"t{self._aliases - 1}")

    def _bind_value(self, value: Value, kind: Type) -> str:
        """`CAST($v3 AS DATE)`: Python's own type of a parameter must never decide."""
        # As text where a driver could round or refuse; equal values share a parameter.
        bound = str(value) if kind.kind in ("decimal", "guid") else value
        key = (kind.sql, repr(bound), False)
        if key not in self._names:
            self._names[key] = f"{self.prefix}{len(self._names)}"
            self.params[self._names[key]] = bound
        return f"CAST(${self._names[key]} AS {kind.sql})"

    def _bind_list(self, values: tuple[Value, ...], kind: Type) -> str:
        bound = [str(v) if kind.kind in ("decimal", "guid") else v for v in values]
        key = (kind.sql, repr(bound), True)
        if key not in self._names:
            self._names[key] = f"{self.prefix}{len(self._names)}"
            self.params[self._names[key]] = bound
        return f"CAST(${self._names[key]} AS {kind.sql}[])"

    def _sql(self, bound: Bound) -> str:
        if bound.constant:
            return self._constant(bound)
        match bound.expr:
            case p.Field():
                return self._field(bound, bound.expr)
            case p.Call():
                return self._call(bound)
            case Coerce():
                return self._coerce(bound)
            case p.Compare():
                return self._compare(bound, bound.expr)
            case p.In():
                return self._in(bound, bound.expr)
            case p.And():
                return self._join(bound, " AND ")
            case p.Or():
                return self._join(bound, " OR ")
            case p.Not():
                return f"(NOT {self._sql(bound.args[0])})"
            case p.Exists():
                return self._exists(bound, bound.expr)
            case p.Aggregate():
                return self._aggregate(bound, bound.expr)
            case p.MemberOf():
                return self._member(bound.expr)
        raise QueryError(f"{type(bound.expr).__name__} is no part of a predicate")

    def _constant(self, bound: Bound) -> str:
        value = constant(bound, self.clock)
        if value is None:
            return f"CAST(NULL AS {bound.type.sql})"
        if isinstance(value, bool):
            return "TRUE" if value else "FALSE"
        return self._bind_value(value, bound.type)

    def _join(self, bound: Bound, word: str) -> str:
        if len(bound.args) == 1:
            return self._sql(bound.args[0])
        return f"({word.join(self._sql(a) for a in bound.args)})"

    def _call(self, bound: Bound) -> str:
        function = bound.function
        assert function is not None
        self._inside += 1
        args = [self._sql(a) for a in bound.args]
        self._inside -= 1
        self.params.update(function.params)
        return function.sql.format(*args, type=bound.type.sql)

    def _coerce(self, bound: Bound) -> str:
        self._inside += 1
        inner, old, new = self._sql(bound.args[0]), bound.args[0].type, bound.type
        self._inside -= 1
        if new.kind == "double":
            # Through text, because DuckDB divides by a power of ten and is then off by a bit.
            return f"CAST({inner} AS DOUBLE)" if old.kind == "integer" else f"CAST(CAST({inner} AS VARCHAR) AS DOUBLE)"
        whole = 19 if old.kind == "integer" else old.precision - old.scale
        cast = f"CAST({inner} AS {new.sql})"
        return cast if new.precision - new.scale >= whole else f"TRY({cast})"

    def _compare(self, bound: Bound, expr: p.Compare) -> str:
        left, right = (self._sql(a) for a in bound.args)
        if bound.args[0].type.kind == "decimal":
            return _compare_decimals(expr.op, left, right, bound.args[0].type, bound.args[1].type)
        return f"({left} {_OPERATORS[expr.op]} {right})"

    def _in(self, bound: Bound, expr: p.In) -> str:
        if not expr.values:
            return "FALSE"
        item, kind = self._sql(bound.args[0]), bound.args[0].type
        if not bound.items:
            return f"({item} IS NULL AND CAST(NULL AS BOOLEAN))"
        if len(bound.items) <= INLINE_VALUES:
            return f"({item} IN ({', '.join(self._bind_value(v, kind) for v in bound.items)}))"
        values = self._bind_list(bound.items, kind)
        return f"list_contains({values}, {item})" if self._inside else f"({item} IN (SELECT unnest({values})))"

    # ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _field(self, bound: Bound, expr: p.Field) -> str:
        scope = self._scopes[-1 - expr.up]
        if not bound.steps:
            return _read(scope.column(expr.name), scope.table.attributes[expr.name].sql_type, bound.type)
        sources, links, end = self._walk(scope, bound.steps)
        value = _read(end.column(expr.name), end.table.attributes[expr.name].sql_type, bound.type)
        # min: where the promise of at most one row is broken, the smallest value, always the same one.
        sql = f"(SELECT min({value}) FROM {', '.join([*sources, end.source])} WHERE {' AND '.join(links)})"
        return scope.at_end_of_path(sql)

    def _walk(self, start: _Scope, steps: tuple[Relation, ...]) -> tuple[list[str], list[str], _Scope]:
        """The FROM items of a path but its last, the conditions that link them to `start`, and the last row's scope."""
        sources: list[str] = []
        links: list[str] = []
        here = start
        for step in steps:
            if here is not start:
                sources.append(here.source)
            there = self._scope(self.catalog.table(step.to_table))
            links.append(self._link(here.column(step.from_column), step, there.column(step.to_column), sources))
            if step.made_of:
                links.append(f"{here.column('SourceTableName')} = {self._bind_value(step.made_of, STRING)}")
            here = there
        return sources, links, here

    def _link(self, here: str, step: Relation, there: str, sources: list[str]) -> str:
        if not (step.through or step.record_of):
            return f"{here} = CAST({there} AS VARCHAR)" if step.made_of else f"{here} = {there}"
        self._aliases += 1
        self.reads.add(self.catalog.members)
        m = f"t{self._aliases - 1}"
        sources.append(f"{quote(self.catalog.members)} AS {m}")
        entity = self._bind_value(step.through or step.record_of, STRING)
        customers, record = (step.from_column, there) if step.through else (step.to_column, here)
        customer = f"{m}.{quote('ordinal' if customers == 'ordinal' else 'CustomerId')}"
        own = f"{customer} = {here}" if step.through else f"{there} = {customer}"
        return f'{own} AND {m}."entity" = {entity} AND {m}."key" = CAST({record} AS VARCHAR)'

    def _related(self, steps: tuple[Relation, ...], up: int, condition: Bound, value: Bound | None) -> tuple[str, str]:
        """`FROM … WHERE …`: the rows at a path's end for which a condition is true; and the SQL of a value there."""
        sources, links, end = self._walk(self._scopes[-1 - up], steps)
        inside, self._inside = self._inside, 0
        self._scopes.append(end)
        try:
            if not (condition.constant and constant(condition, self.clock)):
                links.append(self._sql(condition))
            taken = self._sql(value) if value else ""
        finally:
            self._scopes.pop()
            self._inside = inside
        return f"FROM {', '.join([*sources, end.source])} WHERE {' AND '.join(links)}", taken

    def _exists(self, bound: Bound, expr: p.Exists) -> str:
        related, _ = self._related(bound.steps, expr.up, bound.args[0], None)
        sql = f"EXISTS (SELECT 1 {related})"
        return self._scopes[-1].derive(sql) if self._inside else sql

    def _aggregate(self, bound: Bound, expr: p.Aggregate) -> str:
        if len(bound.args) == 1:
            related, _ = self._related(bound.steps, expr.up, bound.args[0], None)
            return self._scopes[-1].derive(f"(SELECT count(*) {related})")
        value, condition = bound.args
        related, taken = self._related(bound.steps, expr.up, condition, value)
        # The value gets a name first: an aggregate of outer columns alone would belong to the outer SELECT.
        sql = aggregate_sql(expr.function, value.type)
        return self._scopes[-1].derive(f"(SELECT {sql} FROM (SELECT {taken} AS v {related}) AS a)")

    def _member(self, expr: p.MemberOf) -> str:
        scope = self._scopes[-1 - expr.up]
        table = self.catalog.segments[expr.segment]
        self.reads.add(table)
        sql = f"{scope.column(scope.table.id)} IN (SELECT {quote(scope.table.id)} FROM {quote(table)})"
        return f"({self._scopes[-1].derive(f'({sql})')})" if self._inside else f"({sql})"


def _read(column: str, sql_type: str, kind: Type) -> str:
    """The column as its type; most are so already."""
    if sql_type == "TIMESTAMP WITH TIME ZONE":
        return f"({column} AT TIME ZONE 'UTC')"
    return column if sql_type == kind.sql else f"CAST({column} AS {kind.sql})"


def aggregate_sql(function: str, kind: Type, v: str = "v") -> str:
    """One aggregate of the column `v`; shuffled rows give the same bits."""
    if function == "count_distinct":
        return f"count(DISTINCT {v})"
    if function == "avg":
        return f"{sum_of_doubles(v)} / count({v})"
    if function in ("min", "max"):
        return f"{function}({v})"
    if kind.kind != "decimal":
        return f"TRY_CAST(sum({v}) AS BIGINT)" if kind.kind == "integer" else sum_of_doubles(v)
    total = f"CAST(sum(%s) AS DECIMAL(38,{kind.scale}))"
    if kind.precision <= SAFE_DIGITS:
        return total % v
    # A sum that overflows fails the query, and TRY does not reach into aggregates.
    few = kind.scale <= SAFE_DIGITS
    small = f"abs({v}) < CAST('1{'0' * (SAFE_DIGITS - kind.scale)}' AS {kind.sql})" if few else f"{v} = 0"
    return f"CASE WHEN bool_and({small}) THEN {total % f'CASE WHEN {small} THEN {v} END'} END"


def _compare_decimals(op: str, left: str, right: str, a: Type, b: Type) -> str:
    """Exact whatever the scales: two decimals that no common type holds are compared by whole part, then by rest."""
    scale = max(a.scale, b.scale)
    whole = max(a.precision - a.scale, b.precision - b.scale)
    sign = _OPERATORS[op]
    if a == b:
        return f"({left} {sign} {right})"
    if whole + scale <= 38:
        common = f"DECIMAL({whole + scale},{scale})"
        return f"(CAST({left} AS {common}) {sign} CAST({right} AS {common}))"
    la, lb = f"CAST(trunc({left}) AS DECIMAL(38,0))", f"CAST(trunc({right}) AS DECIMAL(38,0))"
    ra, rb = (f"CAST({v} - trunc({v}) AS DECIMAL({scale + 1},{scale}))" for v in (left, right))
    if op in ("eq", "is"):
        return f"({la} {sign} {lb} AND {ra} {sign} {rb})"
    if op in ("ne", "is_not"):
        return f"({la} {sign} {lb} OR {ra} {sign} {rb})"
    return f"({la} {sign[0]} {lb} OR ({la} = {lb} AND {ra} {sign} {rb}))"


# ── whole SELECTs ────────────────────────────────────────────────────────────────────────────────────────────────────


def rows_where(expr: p.Expr, catalog: Catalog, table: str, *, clock: datetime, where: str = "") -> Query:
    """The ids of the rows for which a predicate is true: one column `id`, ascending."""
    compiler = Compiler(catalog, table, clock)
    condition = compiler.condition(expr, where=where)
    key = compiler.column(_id(catalog, table))
    return Query(f"SELECT {key} AS id FROM {compiler.source} WHERE {condition} ORDER BY id", compiler.params)


def count_where(expr: p.Expr, catalog: Catalog, table: str, *, clock: datetime, where: str = "") -> Query:
    """The number of those rows: one column `n`."""
    compiler = Compiler(catalog, table, clock)
    condition = compiler.condition(expr, where=where)
    return Query(f"SELECT count(*) AS n FROM {compiler.source} WHERE {condition}", compiler.params)


def truth_of(exprs: list[p.Expr], catalog: Catalog, table: str, *, clock: datetime) -> Query:
    """Of every row its `id` and the truth of each predicate: columns `p0`, `p1`, … of BOOLEAN, null included."""
    compiler = Compiler(catalog, table, clock)
    columns = [f"{compiler.condition(e)} AS p{i}" for i, e in enumerate(exprs)]
    key = compiler.column(_id(catalog, table))
    return Query(f"SELECT {', '.join([f'{key} AS id', *columns])} FROM {compiler.source}", compiler.params)


def _id(catalog: Catalog, table: str) -> str:
    found = catalog.table(table)
    if not found.id:
        raise QueryError(f"{table} has no column that numbers its rows", hint="name it as Table.id")
    return found.id
