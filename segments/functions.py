"""The table of functions: one row for each way a function can be called, with SQL, Python and sentence side by side.

A row is chosen by key and argument types: the first whose `takes` accept them. An integer is accepted where a decimal
is wanted, any number where a double is. Any null gives null, unless `nulls` says that the function looks at nulls.

What can fail stands in TRY, always in the same TRY: DuckDB works out a part that occurs twice once and outside, so an
operation that failed under two different wrappings would fail the query.
Meaning: docs/predicates.md, whose table is made from this one.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from segments import casefold
from segments import function_values as values
from segments.fields import (
    BOOLEAN,
    DATE,
    DATETIME,
    DIGITS,
    DOUBLE,
    DURATION,
    GUID,
    INTEGER,
    STRING,
    TIME,
    Type,
    Value,
    decimal,
)
from unify.core.errors import QueryError, did_you_mean

Types = tuple[Type, ...]
Rule = Callable[[Types], tuple[Types, Type]]
"""Argument types to the types they are brought to, and the result's."""


@dataclass(frozen=True, slots=True)
class Function:
    """One row.

    takes     per argument a kind, or `any`, or `same` (all of them one common type)
    result    a type, or a Rule
    sql       {0}, {1}, … the arguments; {type} the result's SQL type. Each argument stands once, or nesting explodes
    python    (result type, values) → value
    sentence  {0}, {1}, … as in sql
    literals  positions of arguments that must be literals
    params    values that the SQL binds beside its arguments
    """

    key: str
    takes: tuple[str, ...]
    result: Type | Rule
    sql: str
    python: Callable[..., Value]
    sentence: str
    group: str
    literals: tuple[int, ...] = ()
    nulls: bool = False
    params: Mapping[str, Any] = field(default_factory=dict)


WIDE_INTEGER = Type("decimal", 19, 0)
"""The decimal that holds every integer."""


def as_decimal(kind: Type) -> Type:
    """The decimal type of an integer or decimal one."""
    return WIDE_INTEGER if kind.kind == "integer" else kind


def common_decimal(types: Types) -> Type:
    """The decimal type that holds all of them, as far as 38 digits go."""
    all_of = [as_decimal(t) for t in types]
    scale = max(t.scale for t in all_of)
    return decimal(min(DIGITS, max(t.precision - t.scale for t in all_of) + scale), scale)


def common_type(types: Types) -> Type | None:
    """The type that values of all these types can be brought to; None when there is none."""
    kinds = {t.kind for t in types}
    if len(kinds) == 1 and "decimal" not in kinds:
        return types[0]
    if not all(t.is_number for t in types):
        return None
    return DOUBLE if "double" in kinds else common_decimal(types)


def _sum(types: Types) -> tuple[Types, Type]:
    both = common_decimal(types)
    result = decimal(min(DIGITS, both.precision + 1), both.scale)
    return (result, result), result


def _product(types: Types) -> tuple[Types, Type]:
    a, b = (as_decimal(t) for t in types)
    scale = a.scale + b.scale
    result = decimal(max(min(DIGITS, a.precision + b.precision), scale), scale)
    if result.precision > 18:  # DuckDB multiplies two decimals of up to 18 digits in 64 bits, and then it overflows
        a = decimal(max(a.precision, 19), a.scale)
    return (a, b), result


def _alike(types: Types) -> tuple[Types, Type]:
    both = common_decimal(types)
    return (both,) * len(types), both


def _whole(types: Types) -> tuple[Types, Type]:
    return types, decimal(types[0].precision, 0)


def _chosen(types: Types) -> tuple[Types, Type]:
    both = types[-1]  # bound: the `same` arguments have one type already
    return types, both


def _guard(sql: str, kind: Type) -> str:
    """Null outside the years 1 to 9999, which is what Python, JSON and OData can write."""
    last = "9999-12-31" if kind == DATE else "9999-12-31 23:59:59.999999"
    low, high = f"{kind.sql} '0001-01-01'", f"{kind.sql} '{last}'"
    return f"list_filter([{sql}], lambda d: d BETWEEN {low} AND {high})[1]"


def _clamp(argument: str) -> str:
    return (
        f"list_transform([{argument}], lambda n: CASE WHEN n < 0 THEN 0 WHEN n > {values.MOST} THEN {values.MOST} "
        "ELSE n END)[1]"
    )


def _number(group: str, key: str, sentence: str, python: Callable[..., Value], rule: Rule, integer: str, exact: str, inexact: str, arity: int = 2) -> list[Function]:  # fmt: skip
    """A function of numbers: a row for integers, one for decimals, one for doubles."""
    return [
        Function(key, ("integer",) * arity, INTEGER, integer, python, sentence, group),
        Function(key, ("decimal",) * arity, rule, exact, python, sentence, group),
        Function(key, ("double",) * arity, DOUBLE, inexact, python, sentence, group),
    ]


def _same_decimal(types: Types) -> tuple[Types, Type]:
    return types, types[0]


_A, _T, _D = "arithmetic", "text", "dates"


def _arithmetic() -> list[Function]:
    wide = "TRY_CAST(CAST({0} AS HUGEINT) %s {1} AS BIGINT)"
    tried = "TRY(CAST({0} %s {1} AS {type}))"
    return [
        *_number(_A, "add", "{0} plus {1}", values.add, _sum, wide % "+", tried % "+", "({0} + {1})"),
        *_number(_A, "sub", "{0} minus {1}", values.subtract, _sum, wide % "-", tried % "-", "({0} - {1})"),
        *_number(_A, "mul", "{0} times {1}", values.multiply, _product, wide % "*", tried % "*", "({0} * {1})"),
        Function("div", ("integer", "integer"), INTEGER, "TRY(CAST(CAST({0} AS HUGEINT) // {1} AS BIGINT))",
                 values.divide, "{0} divided by {1}, cut to a whole number", _A),
        Function("div", ("double", "double"), DOUBLE, "({0} / {1})", values.divide, "{0} divided by {1}", _A),
        Function("div_by", ("double", "double"), DOUBLE, "({0} / {1})", values.divide_double, "{0} divided by {1}", _A),
        *_number(_A, "mod", "what is left of {0} divided by {1}", values.modulo, _alike,
                 "TRY(CAST(CAST({0} AS HUGEINT) % {1} AS BIGINT))", "TRY({0} % {1})", "({0} % {1})"),
        *_number(_A, "negate", "minus {0}", values.negate, _same_decimal, "TRY(-{0})", "(-{0})", "(-{0})", 1),
        *_number(_A, "abs", "the size of {0}", values.absolute, _same_decimal, "TRY(abs({0}))", "abs({0})", "abs({0})", 1),
        *_number(_A, "round", "{0} rounded", values.round_half_away, _whole, "{0}", "TRY(CAST(round({0}) AS {type}))", "round({0})", 1),
        *_number(_A, "floor", "{0} rounded down", values.floor, _whole, "{0}", "TRY(CAST(floor({0}) AS {type}))", "floor({0})", 1),
        *_number(_A, "ceiling", "{0} rounded up", values.ceiling, _whole, "{0}", "TRY(CAST(ceil({0}) AS {type}))", "ceil({0})", 1),
        Function("to_integer", ("decimal",), INTEGER, "TRY_CAST(trunc({0}) AS BIGINT)", values.to_integer, "{0} as a whole number", _A),
        Function("to_integer", ("double",), INTEGER, "TRY_CAST(trunc({0}) AS BIGINT)", values.to_integer, "{0} as a whole number", _A),
        Function("to_double", ("double",), DOUBLE, "{0}", lambda _, a: a, "{0} as a double", _A),
        Function("has", ("integer", "integer"), BOOLEAN, "(({0} & {1}) = {1})", lambda _, a, b: a & b == b,
                 "{0} has the flags {1}", _A, literals=(1,)),
    ]  # fmt: skip


def _text() -> list[Function]:
    two = ("string", "string")
    return [
        Function("contains", two, BOOLEAN, "contains({0}, {1})", lambda _, a, b: b in a, "{0} contains {1}", _T),
        Function("starts_with", two, BOOLEAN, "starts_with({0}, {1})", lambda _, a, b: a.startswith(b), "{0} starts with {1}", _T),
        Function("ends_with", two, BOOLEAN, "ends_with({0}, {1})", lambda _, a, b: a.endswith(b), "{0} ends with {1}", _T),
        Function("matches", two, BOOLEAN, "regexp_matches({0}, {1})", values.matches, "{0} matches {1}", _T, literals=(1,)),
        Function("index_of", two, INTEGER, "(instr({0}, {1}) - 1)", lambda _, a, b: a.find(b), "where {1} is in {0}", _T),
        Function("length", ("string",), INTEGER, "length({0})", lambda _, a: len(a), "the length of {0}", _T),
        Function("substring", ("string", "integer"), STRING, f"substring({{0}}, {_clamp('{1}')} + 1)", values.substring,
                 "{0} from character {1}", _T),
        Function("substring", ("string", "integer", "integer"), STRING,
                 f"substring({{0}}, {_clamp('{1}')} + 1, {_clamp('{2}')})", values.substring,
                 "{2} characters of {0} from character {1}", _T),
        Function("concat", two, STRING, "({0} || {1})", lambda _, a, b: a + b, "{0} followed by {1}", _T),
        Function("lower", ("string",), STRING, "lower({0})", values.lower, "{0} in lower case", _T),
        Function("upper", ("string",), STRING, "upper({0})", values.upper, "{0} in upper case", _T),
        Function("fold", ("string",), STRING, casefold.SQL, lambda _, a: a.casefold(), "{0} whatever its case", _T,
                 params=casefold.PARAMS),
        Function("trim", ("string",), STRING, "trim({0}, $white_space)", lambda _, a: a.strip(values.WHITE_SPACE),
                 "{0} without outer blanks", _T, params={"white_space": values.WHITE_SPACE}),
        *(Function("to_text", (kind.kind,), STRING, "CAST({0} AS VARCHAR)", values.to_text, "{0} as text", _T)
          for kind in (INTEGER, BOOLEAN, DATE, GUID)),
        Function("bucket", two, INTEGER,
                 f"(CAST('0x' || left(md5(length({{0}}) || ':' || {{0}} || {{1}}), 15) AS BIGINT) % {values.BUCKETS})",
                 values.bucket, "the draw of {1} in the lottery {0}", _T, literals=(0,)),
    ]  # fmt: skip


def _dates() -> list[Function]:
    rows = [
        Function("local", ("datetime", "string"), DATETIME,
                 _guard("(({0}) AT TIME ZONE 'UTC' AT TIME ZONE {1})", DATETIME), values.local,
                 "{0} on a clock in {1}", _D, literals=(1,)),
        Function("utc", ("datetime", "string"), DATETIME,
                 _guard("(({0}) AT TIME ZONE {1} AT TIME ZONE 'UTC')", DATETIME), values.utc,
                 "{0} on a clock in {1}, in UTC", _D, literals=(1,)),
        Function("date_of", ("datetime",), DATE, "CAST({0} AS DATE)", lambda _, a: a.date(), "the day of {0}", _D),
        Function("time_of", ("datetime",), TIME, "CAST({0} AS TIME)", lambda _, a: a.time(), "the time of day of {0}", _D),
        Function("at_midnight", ("date",), DATETIME, "CAST({0} AS TIMESTAMP)", values.at_midnight, "the begin of {0}", _D),
        Function("sub", ("datetime", "datetime"), DURATION, "(epoch_us({0}) - epoch_us({1}))", values.between,
                 "the time from {1} to {0}", _D),
        Function("sub", ("date", "date"), DURATION, "(CAST({0} - {1} AS BIGINT) * 86400000000)", values.between,
                 "the time from {1} to {0}", _D),
        Function("total_seconds", ("duration",), decimal(25, 6),
                 "CAST(CAST({0} AS DECIMAL(19,0)) * CAST(0.000001 AS DECIMAL(6,6)) AS {type})", values.total_seconds,
                 "{0} in seconds", _D),
        Function("now", (), DATETIME, "", lambda _: None, "now", _D),
    ]  # fmt: skip
    long = "TRY_CAST(CAST({0} AS HUGEINT) %s {1} AS BIGINT)"
    for key, sign, word in (("add", "+", "after"), ("sub", "-", "before")):
        moved = values.add_duration if key == "add" else values.subtract_duration
        plain = values.add if key == "add" else values.subtract
        at = f"TRY({{0}} {sign} to_microseconds({{1}}))"
        day = f"CAST(TRY(CAST({{0}} AS TIMESTAMP) {sign} to_microseconds({{1}})) AS DATE)"
        rows += [
            Function(key, ("datetime", "duration"), DATETIME, _guard(at, DATETIME), moved, f"{{1}} {word} {{0}}", _D),
            Function(key, ("date", "duration"), DATE, _guard(day, DATE), moved, f"{{1}} {word} {{0}}", _D),
            Function(key, ("duration", "duration"), DURATION, long % sign, plain, f"{{1}} {word} {{0}}", _D),
        ]
    rows += [
        Function("mul", ("duration", "integer"), DURATION, long % "*", values.multiply, "{0} times {1}", _D),
        Function("negate", ("duration",), DURATION, "TRY(-{0})", values.negate, "minus {0}", _D),
    ]
    for kind in (DATE, DATETIME):
        whole = (
            "TRY({0} + TRY_CAST({1} AS INTEGER))" if kind == DATE else "TRY({0} + to_days(TRY_CAST({1} AS INTEGER)))"
        )
        months = "CAST(TRY({0} + to_months(TRY_CAST({1} AS INTEGER))) AS {type})"
        rows += [
            Function("add_days", (kind.kind, "integer"), kind, _guard(whole, kind), values.add_days, "{1} days after {0}", _D),
            Function("add_months", (kind.kind, "integer"), kind, _guard(months, kind), values.add_months, "{1} months after {0}", _D),
            *(Function(f"start_of_{unit}", (kind.kind,), DATE, f"CAST(date_trunc('{unit}', {{0}}) AS DATE)",
                       values.start_of(unit), f"the first day of the {unit} of {{0}}", _D)
              for unit in ("week", "month", "quarter", "year")),
            *(Function(part, (kind.kind,), INTEGER, f"{part}({{0}})", python, f"the {part} of {{0}}", _D)
              for part, python in (("year", lambda _, a: a.year), ("month", lambda _, a: a.month), ("day", lambda _, a: a.day))),
            Function("quarter", (kind.kind,), INTEGER, "quarter({0})", lambda _, a: (a.month + 2) // 3, "the quarter of {0}", _D),
            Function("week", (kind.kind,), INTEGER, "weekofyear({0})", lambda _, a: a.isocalendar().week, "the ISO week of {0}", _D),
            Function("day_of_week", (kind.kind,), INTEGER, "isodow({0})", lambda _, a: a.isoweekday(),
                     "the day of the week of {0}, Monday being 1", _D),
            Function("day_of_year", (kind.kind,), INTEGER, "dayofyear({0})", lambda _, a: a.timetuple().tm_yday,
                     "the day of the year of {0}", _D),
        ]  # fmt: skip
    for kind in (DATETIME, TIME):
        rows += [
            *(Function(part, (kind.kind,), INTEGER, f"{part}({{0}})", python, f"the {part} of {{0}}", _D)
              for part, python in (("hour", lambda _, a: a.hour), ("minute", lambda _, a: a.minute), ("second", lambda _, a: a.second))),
            Function("fraction", (kind.kind,), decimal(7, 6),
                     "CAST(CAST(microsecond({0}) % 1000000 AS DECIMAL(7,0)) * CAST(0.000001 AS DECIMAL(6,6)) AS {type})",
                     values.fraction, "the fraction of the second of {0}", _D),
        ]  # fmt: skip
    return rows


def _logic() -> list[Function]:
    group = "logic"
    return [
        Function("is_null", ("any",), BOOLEAN, "({0} IS NULL)", lambda _, a: a is None, "{0} is missing", group, nulls=True),
        Function("is_true", ("boolean",), BOOLEAN, "coalesce({0}, FALSE)", lambda _, a: bool(a), "surely {0}", group, nulls=True),
        Function("coalesce", ("same", "same"), _chosen, "coalesce({0}, {1})", lambda _, a, b: b if a is None else a,
                 "{0}, or {1} where that is missing", group, nulls=True),
        Function("iif", ("boolean", "same", "same"), _chosen, "CASE WHEN {0} THEN {1} ELSE {2} END",
                 lambda _, a, b, c: b if a else c, "{1} if {0}, else {2}", group, nulls=True),
    ]  # fmt: skip


@cache
def table() -> dict[str, tuple[Function, ...]]:
    """Every function: key to its rows, in order of preference."""
    rows: dict[str, list[Function]] = {}
    for row in [*_arithmetic(), *_text(), *_dates(), *_logic()]:
        rows.setdefault(row.key, []).append(row)
    return {key: tuple(found) for key, found in rows.items()}


def _accepts(pattern: str, kind: Type) -> bool:
    if pattern in ("any", "same"):
        return True
    return kind.kind == pattern or (
        kind.is_number and (pattern == "double" or (pattern == "decimal" and kind.kind == "integer"))
    )


def resolve(key: str, types: tuple[Type | None, ...], where: str) -> tuple[Function, Types, Type]:
    """The row for these argument types, the types its arguments are brought to, and the result's type.

    A type of None is that of a null, which every argument accepts. QueryError for an unknown function and for types
    that no row takes.
    """
    if key not in table():
        raise QueryError(f"there is no function {key!r}", where=where, hint=did_you_mean(key, table()))
    for row in table()[key]:
        if len(row.takes) == len(types) and (found := _fit(row, types)):
            return row, *found
    known = " or ".join(f"{key}({', '.join(row.takes)})" for row in table()[key])
    given = ", ".join(t.name if t else "null" for t in types)
    raise QueryError(f"{key}({given}) is not possible", where=where, hint=f"known: {known}")


def _fit(row: Function, types: tuple[Type | None, ...]) -> tuple[Types, Type] | None:
    pairs = list(zip(row.takes, types, strict=True))
    if not all(t is None or _accepts(pattern, t) for pattern, t in pairs):
        return None
    same = tuple(t for pattern, t in pairs if pattern == "same" and t)
    both = common_type(same) if same else BOOLEAN
    if both is None:
        return None
    wanted = tuple(_brought_to(pattern, t, both) for pattern, t in pairs)
    return (wanted, row.result) if isinstance(row.result, Type) else row.result(wanted)


def _brought_to(pattern: str, kind: Type | None, both: Type) -> Type:
    if pattern == "same":
        return both
    if pattern == "decimal":
        return as_decimal(kind or INTEGER)
    return (kind or BOOLEAN) if pattern == "any" else Type(pattern)
