"""One pass over rows: values, conditions and tiebreaks become columns once, aggregates read them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from segments.measures.aggregates import BY_TIME, PICKS, Aggregate, refuse_duration, rounded, sql_of, type_of
from segments.measures.rows import Rows
from segments.measures.trees import Ground, bucketed, value_of, whole
from segments.predicates import tree as p
from segments.predicates.compile import Compiler
from segments.predicates.fields import INTEGER, Type
from segments.predicates.simplify import simplify
from unify.core.errors import QueryError
from unify.core.names import quote
from unify.core.steps import Query
from unify.spec import Calculation, Measure

COUNTS = ("count", "count_distinct")


@dataclass(frozen=True)
class Result:
    """A column of aggregates: how it is called where they are made, and what it is afterwards.

    final    SQL of the finished value over the column `{0}`, after rounding and default; `params` are bound in it
    """

    column: str
    kind: Type
    final: str = "{0}"
    params: dict[str, Any] = field(default_factory=dict)

    def finished(self, alias: str) -> str:
        """SQL over a table with the column."""
        return self.final.format(f"{alias}.{quote(self.column)}")


def params_of(results: Iterable[Result]) -> dict[str, Any]:
    """The bound values of all of them."""
    return {name: value for result in results for name, value in result.params.items()}


class Pass:
    """Aggregates over the same rows."""

    def __init__(self, rows: Rows, clock: datetime) -> None:
        self.rows = rows
        self.compiler = Compiler(rows.model.catalog, rows.table, clock)
        self.cells: dict[str, str] = {}
        self.aggregates: dict[str, str] = {}

    def cell(self, sql: str) -> str:
        """The column of a value; equal values share one."""
        return self.cells.setdefault(sql, f"x{len(self.cells)}")

    def condition(self, expr: p.Expr) -> str:
        """The column that says whether a row counts; "" when all do."""
        catalog, table = self.rows.model.catalog, self.rows.table
        if simplify(expr, catalog, table) == p.TRUE:
            return ""
        return self.cell(self.compiler.condition(expr))

    def add(self, column: str, spec: Calculation, ground: Ground, condition: str, where: str) -> Result:
        """One aggregate as a column of the result. `condition`: what `condition` gave. QueryError."""
        function = spec.function
        aggregate, kind = self._aggregate(spec, ground, condition, where)
        self.aggregates[column] = sql_of(aggregate)
        final, params = "{0}", {}
        if function in COUNTS:
            final = f"coalesce({final}, 0)"
        if spec.whole:
            final, kind = rounded(final, kind, where)
        if spec.default is not None:
            name = f"default_{column}".replace("~", "_")
            default = value_of(spec.default, kind, f"{where}.default")
            params = {name: str(default) if kind.kind in ("decimal", "guid") else default}
            final = f"coalesce({final}, CAST(${name} AS {kind.sql}))"
        return Result(column, kind, final, params)

    def _aggregate(self, spec: Calculation, ground: Ground, condition: str, where: str) -> tuple[Aggregate, Type]:
        function = spec.function
        place = f"{where}.{function}"
        said = getattr(spec, function)
        if function in PICKS:
            expr, kind = ground.value(said.take, f"{place}.take")
            order, order_kind = ground.value(said.by, f"{place}.by")
            if order_kind.kind == "boolean":
                hint = "order by a number or a date"
                raise QueryError("true and false have no order", where=f"{place}.by", hint=hint)
            found = self._picked(function, expr, kind, order, condition)
        elif function in BY_TIME:
            expr, kind = ground.value(said, place)
            if not self.rows.time:
                hint = f"write `{'argmin' if function == 'first' else 'argmax'}: {{take: …, by: …}}`"
                raise QueryError(f"{self.rows.said} has no timestamp to be {function} by", where=place, hint=hint)
            found = self._picked(function, expr, kind, p.Field(self.rows.time), condition)
        elif said is True:
            found, kind = Aggregate(function, "", INTEGER, condition), INTEGER
        else:
            expr, kind = ground.value(said, place)
            found = Aggregate(function, self.cell(self.compiler.value(expr)), kind, condition)
        result = type_of(function, kind, place)
        refuse_duration(result, place)
        return found, result

    def _picked(self, function: str, expr: p.Expr, kind: Type, order: p.Expr, condition: str) -> Aggregate:
        """Between equals the time decides, then the key; a row without a time stands behind those with one."""
        ties: list[str] = []
        if self.rows.time and order != p.Field(self.rows.time):
            time = self.compiler.column(self.rows.time)
            unknown = f"{time} IS {'NOT ' if function == 'argmax' else ''}NULL"
            ties += [self.cell(unknown), self.cell(time)]
        ties += [self.cell(self.compiler.column(name)) for name in self.rows.key]
        value, by = self.cell(self.compiler.value(expr)), self.cell(self.compiler.value(order))
        return Aggregate(function, value, kind, condition, by, tuple(ties))

    def dimension(self, name: str, measure: Measure, ground: Ground, where: str) -> tuple[str, Type]:
        """The column that rows are grouped by, and its type. QueryError."""
        spec = measure.by[name]
        expr, kind = ground.value(spec.value, where)
        bound = ground.checked(bucketed(expr, kind, spec, ground.model.timezone, where), where)
        refuse_duration(bound.type, where)
        return self.cell(self.compiler.value(bound)), bound.type

    def per_customer(self) -> Query:
        """One row per customer that has rows: ordinal, and a column per aggregate."""
        ordinal = self.cell(self.compiler.column(self.rows.ordinal))
        columns = [f"{ordinal} AS ordinal", *self._columns()]
        return self._query(columns, f"WHERE {ordinal} IS NOT NULL GROUP BY {ordinal}")

    def grouped(self, dimensions: dict[str, str], condition: str) -> Query:
        """One row per combination of dimensions that rows have (name → column); without any, one row."""
        groups = [f"{cell} AS {quote(name)}" for name, cell in dimensions.items()]
        tail = f"WHERE {condition}" if condition else ""
        if dimensions:
            tail += f"\nGROUP BY {', '.join(dict.fromkeys(dimensions.values()))}"
        return self._query([*groups, *self._columns()], tail)

    def _columns(self) -> list[str]:
        return [f"{sql} AS {quote(name)}" for name, sql in self.aggregates.items()]

    def _query(self, columns: list[str], tail: str) -> Query:
        cells = ", ".join(f"{sql} AS {name}" for sql, name in self.cells.items()) or "1 AS one"
        sql = f"SELECT {', '.join(columns)}\nFROM (SELECT {cells} FROM {self.compiler.source}) AS r {tail}"
        return Query(sql, self.compiler.params)


def result_of_value(spec: Calculation, ground: Ground, where: str) -> tuple[p.Expr, Type]:
    """The tree of a `value`, rounded and with its default. QueryError."""
    assert spec.value is not None
    expr, kind = ground.value(spec.value, f"{where}.value")
    if spec.whole:
        expr = whole(expr, kind, where)
        kind = INTEGER
    if spec.default is not None:
        expr = p.Call("coalesce", (expr, p.Literal(kind, value_of(spec.default, kind, f"{where}.default"))))
    refuse_duration(kind, where)
    return expr, kind
