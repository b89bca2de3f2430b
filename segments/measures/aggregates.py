"""Aggregates: the SQL of each over columns of rows, and the type of what comes out.

Rows are a subquery whose columns are the values, conditions and tiebreaks; a value is null where the condition is not
true, so that measures with conditions of their own share one pass over the rows.
"""

from dataclasses import dataclass
from decimal import Decimal

from segments.predicates.compile import SAFE_DIGITS
from segments.predicates.fields import DOUBLE, INTEGER, Type, decimal
from segments.predicates.sums import sum_of_doubles
from unify.core.errors import QueryError
from unify.core.names import quote

NUMBERS_ONLY = ("sum", "avg", "median")
BY_TIME = ("first", "last")
PICKS = ("argmin", "argmax")
IN_DAYS = "make it a number: `totalseconds(…) div 86400` gives days"


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One aggregate over columns of rows, already SQL.

    value      what is aggregated; "" counts rows
    kind       the type of the value
    condition  "" or a boolean: only rows for which it is true
    order      what first, last, argmin and argmax go by
    ties       further columns that decide between equals: each unique together with what stands before it
    """

    function: str
    value: str
    kind: Type
    condition: str = ""
    order: str = ""
    ties: tuple[str, ...] = ()


def type_of(function: str, kind: Type, where: str) -> Type:
    """The type of an aggregate of values of a type. QueryError for one that does not exist."""
    if function in ("count", "count_distinct"):
        return INTEGER
    if function in NUMBERS_ONLY and not kind.is_number:
        hint = IN_DAYS if kind.kind == "duration" else "take an expression that gives a number"
        raise QueryError(f"{function} of {kind.name} is not possible", where=where, hint=hint)
    if function in ("avg", "median"):
        return DOUBLE
    found = decimal(38, kind.scale) if function == "sum" and kind.kind == "decimal" else kind
    refuse_duration(found, where)
    return found


def refuse_duration(kind: Type, where: str) -> None:
    """QueryError for a duration: no column of a table can hold one in a way that every reader knows."""
    if kind.kind == "duration":
        raise QueryError("a measure cannot be a duration", where=where, hint=IN_DAYS)


def sql_of(a: Aggregate) -> str:
    """The aggregate. Whole in itself: nothing in it can fail, whatever the rows hold."""
    if a.function == "count":
        counted = f"({a.condition})" if a.condition else ""
        if a.value:
            counted = " AND ".join(filter(None, [counted, f"{a.value} IS NOT NULL"]))
        return f"count(*) FILTER (WHERE {counted})" if counted else "count(*)"
    if a.order:
        return _picked(a)
    value = f"CASE WHEN {a.condition} THEN {a.value} END" if a.condition else a.value
    match a.function:
        case "count_distinct":
            return f"count(DISTINCT {value})"
        case "min" | "max":
            return f"{a.function}({value})"
        case "median":
            return f"quantile_cont(CAST({value} AS DOUBLE), CAST(0.5 AS DOUBLE))"
        case "sum":
            return _sum(value, a.kind)
    total = (
        f"CAST(CAST({_exact(value, a.kind)} AS VARCHAR) AS DOUBLE)" if a.kind.kind != "double" else _sum(value, DOUBLE)
    )
    return f"{total} / count({value})"


def _sum(value: str, kind: Type) -> str:
    if kind.kind == "double":
        return sum_of_doubles(value)
    return f"TRY_CAST(sum({value}) AS BIGINT)" if kind.kind == "integer" else _exact(value, kind)


def _exact(value: str, kind: Type) -> str:
    """The exact sum of integers or decimals; null when a term is so long that the sum could be beyond 38 digits.

    A sum that overflows fails the query, and TRY does not reach into aggregates.
    """
    if kind.kind == "integer":
        return f"sum({value})"
    total = f"CAST(sum(%s) AS DECIMAL(38,{kind.scale}))"
    if kind.precision <= SAFE_DIGITS:
        return total % value
    limit = Decimal(10) ** (SAFE_DIGITS - kind.scale) if kind.scale <= SAFE_DIGITS else Decimal(0)
    small = f"abs({value}) < CAST('{limit}' AS {kind.sql})" if limit else f"{value} = 0"
    return f"CASE WHEN coalesce(bool_and({small}), TRUE) THEN {total % f'CASE WHEN {small} THEN {value} END'} END"


def _picked(a: Aggregate) -> str:
    """The value in the row that is first or last in an order that leaves no two rows equal; its value may be null.

    first and argmin take the smallest key among equals, last and argmax the largest.
    """
    keys = ", ".join((a.order, *a.ties))
    condition = " AND ".join(filter(None, [f"({a.condition})" if a.condition else "", f"{a.order} IS NOT NULL"]))
    which = "arg_min" if a.function in ("first", "argmin") else "arg_max"
    # In a struct, because arg_min and arg_max pass over rows whose value is null.
    return f"({which}(struct_pack(v := {a.value}), row({keys})) FILTER (WHERE {condition})).v"


def nothing(function: str) -> str:
    """What an aggregate is for a customer without rows: SQL."""
    return "0" if function in ("count", "count_distinct") else ""


def rounded(sql: str, kind: Type, where: str) -> tuple[str, Type]:
    """A number as a whole one, halves away from zero; null beyond 64 bits. QueryError for what is no number."""
    if kind.kind == "integer":
        return sql, kind
    if not kind.is_number:
        raise QueryError(f"{kind.name} cannot be rounded", where=where, hint="`whole` is for numbers")
    return f"TRY_CAST(round({sql}) AS BIGINT)", INTEGER


def column(name: str, alias: str) -> str:
    """A column of a table in sight."""
    return f"{alias}.{quote(name)}"
