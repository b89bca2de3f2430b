"""Texts of a measure to predicate trees: columns, variables, null and value replacement, periods, buckets of time."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from segments.criteria.conditions import lower_criteria
from segments.criteria.here import Here
from segments.lowered import Block
from segments.model import Model
from segments.odata.binding.bind import filter_of_text, value_of_text
from segments.predicates import tree as p
from segments.predicates.bind import Bound, bind, bind_predicate
from segments.predicates.fields import Type, Value
from unify.core.errors import QueryError
from unify.spec import Dimension, Variable
from unify.spec.criteria import Criteria
from unify.spec.measure import PERIOD


@dataclass
class Ground:
    """The rows that expressions are about.

    table      the root's table in the model's catalog
    said       what people call it, where `table` is a scratch table's name
    variables  name → its tree; they may be used like columns
    """

    model: Model
    table: str
    said: str
    variables: dict[str, p.Expr] = field(default_factory=dict)

    def value(self, text: str, where: str) -> tuple[p.Expr, Type]:
        """An expression and its type: the name of a column, whatever letters it has, or OData text. QueryError."""
        with self._spoken():
            catalog = self.model.catalog
            if text in self.variables:
                expr = self.variables[text]
            elif text in catalog.table(self.table).attributes:
                expr = p.Field(text)
            else:
                expr = value_of_text(text, self.model, self.table, computed=self.variables, where=where)
            return expr, bind(expr, catalog, self.table, where=where).type

    def condition(self, criteria: Criteria, where: str) -> p.Expr:
        """A predicate: OData filter text, or criteria as for segments. QueryError."""
        with self._spoken():
            if isinstance(criteria, str):
                return filter_of_text(criteria, self.model, self.table, computed=self.variables, where=where)
            blocks: dict[str, Block] = {}
            here = Here(self.model, self.model.timezone, p.Call("now"), self.table, where, blocks, known=())
            found = lower_criteria(here, criteria)
            if blocks:
                kinds = sorted({key.removeprefix("#").partition("-")[0] for key in blocks})
                hint = "measure customers of that kind by a segment over the measure"
                raise QueryError(
                    f"{', '.join(kinds)} finds customers, and does not choose rows", where=where, hint=hint
                )
            bind_predicate(found, self.model.catalog, self.table, where=where)
            return found

    def checked(self, expr: p.Expr, where: str) -> Bound:
        """The tree, bound. QueryError."""
        with self._spoken():
            return bind(expr, self.model.catalog, self.table, where=where)

    def add(self, name: str, variable: Variable, where: str) -> None:
        """A variable; later expressions may name it. QueryError."""
        if name in self.model.catalog.table(self.table).attributes:
            raise QueryError(f"{self.said} has a column {name!r}", where=where, hint="call the variable otherwise")
        expr, kind = self.value(variable.value, where)
        if variable.nulls is not None:
            expr = p.Call("coalesce", (expr, p.Literal(kind, value_of(variable.nulls, kind, f"{where}.nulls"))))
        expr = replaced(expr, kind, variable.replace, where)
        if variable.whole:
            expr = whole(expr, kind, where)
        self.checked(expr, where)
        self.variables[name] = expr

    @contextmanager
    def _spoken(self) -> Iterator[None]:
        """What is raised inside calls the root what people call it."""
        try:
            yield
        except QueryError as error:
            error.message = error.message.replace(self.table, self.said)
            error.hint = error.hint.replace(self.table, self.said)
            error.args = (error.message, *error.args[1:])
            raise


def at_hand(expr: p.Expr, relation: str, names: Mapping[str, str], depth: int = 0) -> p.Expr:
    """The tree with attributes behind a relation of the outermost row as columns of that row itself, some of them
    called otherwise."""
    if isinstance(expr, p.Field) and expr.path == (relation,) and expr.up == depth:
        return p.Field(names.get(expr.name, expr.name), (), depth)
    inner = depth + isinstance(expr, p.Exists | p.Aggregate)
    return p.rebuild(expr, lambda part: at_hand(part, relation, names, inner))


def paths(expr: p.Expr) -> set[str]:
    """First relations of every path in a tree."""
    nodes = (n for n in p.walk(expr) if isinstance(n, p.Field | p.Exists | p.Aggregate))
    return {n.path[0] for n in nodes if n.path}


def replaced(expr: p.Expr, kind: Type, values: Mapping[str, Value], where: str) -> p.Expr:
    """The value, or what stands for it."""
    found = expr
    for old, new in reversed(list(values.items())):
        same = p.Compare("is", expr, p.Literal(kind, value_of(old, kind, f"{where}.replace")))
        instead = p.Literal(kind, None if new is None else value_of(new, kind, f"{where}.replace"))
        found = p.Call("iif", (same, instead, found))
    return found


def whole(expr: p.Expr, kind: Type, where: str) -> p.Expr:
    """Rounded to an integer, halves away from zero."""
    if not kind.is_number:
        raise QueryError(f"{kind.name} cannot be rounded", where=where, hint="`whole` is for numbers")
    return expr if kind.kind == "integer" else p.Call("to_integer", (p.Call("round", (expr,)),))


def bucketed(expr: p.Expr, kind: Type, dimension: Dimension, zone: str, where: str) -> p.Expr:
    """What rows are grouped by: the value, or the first day of its day, week, … on a clock in the zone."""
    if dimension.bucket == "none":
        return expr
    if kind.kind not in ("date", "datetime"):
        hint = "only dates and times fall into periods of the calendar"
        raise QueryError(f"{kind.name} has no {dimension.bucket}", where=where, hint=hint)
    local = expr if kind.kind == "date" else p.Call("local", (expr, p.literal(zone)))
    if dimension.bucket == "day":
        return local if kind.kind == "date" else p.Call("date_of", (local,))
    return p.Call(f"start_of_{dimension.bucket}", (local,))


def within(timestamp: str, kind: Type, period: str, zone: str, where: str) -> p.Expr:
    """A row's time is in the period that ends now. `last 30 days` of dates are thirty days, today the last one."""
    found = PERIOD.match(period)
    assert found is not None  # the noun has checked it
    count, unit = int(found[1]), found[2]
    step, n = ("add_days", count * {"day": 1, "week": 7}[unit]) if unit in ("day", "week") else (
        "add_months", count * {"month": 1, "year": 12}[unit])  # fmt: skip
    at = p.Field(timestamp)
    if kind.kind == "datetime":
        now = p.Call("now")
        return p.And((p.Compare("gt", at, p.Call(step, (now, p.literal(-n)))), p.Compare("le", at, now)))
    if kind.kind == "date":
        today = p.today(zone)
        return p.And((p.Compare("gt", at, p.Call(step, (today, p.literal(-n)))), p.Compare("le", at, today)))
    hint = "a period needs a timestamp that is a date or a time"
    raise QueryError(f"{timestamp} is {kind.name}", where=where, hint=hint)


def value_of(given: Value, kind: Type, where: str) -> Value:
    """A value of the project file as a type holds it: 0 as a decimal, `2024-01-31` as a date. QueryError."""
    try:
        match kind.kind:
            case "decimal":
                found: Value = Decimal(str(given))
            case "double":
                found = float(str(given)) if not isinstance(given, bool) else given
            case "integer" if isinstance(given, str):
                found = int(given)
            case "date" if isinstance(given, str):
                found = date.fromisoformat(given)
            case "datetime" if isinstance(given, str):
                found = datetime.fromisoformat(given)
            case "boolean" if isinstance(given, str):
                found = {"true": True, "false": False}[given]
            case _:
                found = given
        return p.Literal(kind, found).value
    except (ValueError, InvalidOperation, KeyError, QueryError) as error:
        detail = error.message if isinstance(error, QueryError) else f"{given!r} is no {kind.name}"
        raise QueryError(detail, where=where, hint=f"the values here are {kind.name}") from None
