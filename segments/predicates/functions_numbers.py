"""Rows of the function table: arithmetic. Integers and decimals are exact or null, doubles are IEEE 754."""

from collections.abc import Callable

from segments.predicates import function_values as values
from segments.predicates.fields import BOOLEAN, DIGITS, DOUBLE, INTEGER, Type, Value, decimal
from segments.predicates.function_rows import Function, Rule, Types, as_decimal, common_decimal

_A = "arithmetic"


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


def _number(
    group: str,
    key: str,
    sentence: str,
    python: Callable[..., Value],
    rule: Rule,
    integer: str,
    exact: str,
    inexact: str,
    arity: int = 2,
) -> list[Function]:
    """A function of numbers: a row for integers, one for decimals, one for doubles."""
    return [
        Function(key, ("integer",) * arity, INTEGER, integer, python, sentence, group),
        Function(key, ("decimal",) * arity, rule, exact, python, sentence, group),
        Function(key, ("double",) * arity, DOUBLE, inexact, python, sentence, group),
    ]


def _same_decimal(types: Types) -> tuple[Types, Type]:
    return types, types[0]


def arithmetic() -> list[Function]:
    """The rows."""
    wide = "TRY_CAST(CAST({0} AS HUGEINT) %s {1} AS BIGINT)"
    tried = "TRY(CAST({0} %s {1} AS {type}))"
    return [
        *_number(_A, "add", "{0} plus {1}", values.add, _sum, wide % "+", tried % "+", "({0} + {1})"),
        *_number(_A, "sub", "{0} minus {1}", values.subtract, _sum, wide % "-", tried % "-", "({0} - {1})"),
        *_number(_A, "mul", "{0} times {1}", values.multiply, _product, wide % "*", tried % "*", "({0} * {1})"),
        Function(
            "div",
            ("integer", "integer"),
            INTEGER,
            "TRY(CAST(CAST({0} AS HUGEINT) // {1} AS BIGINT))",
            values.divide,
            "{0} divided by {1}, cut to a whole number",
            _A,
        ),
        Function("div", ("double", "double"), DOUBLE, "({0} / {1})", values.divide, "{0} divided by {1}", _A),
        Function("div_by", ("double", "double"), DOUBLE, "({0} / {1})", values.divide_double, "{0} divided by {1}", _A),
        *_number(
            _A,
            "mod",
            "what is left of {0} divided by {1}",
            values.modulo,
            _alike,
            "TRY(CAST(CAST({0} AS HUGEINT) % {1} AS BIGINT))",
            "TRY({0} % {1})",
            "({0} % {1})",
        ),
        # Not -x for a double: DuckDB 2.0 moves the sign to the other side of a comparison, and NaN has none.
        *_number(
            _A,
            "negate",
            "minus {0}",
            values.negate,
            _same_decimal,
            "TRY(-{0})",
            "(-{0})",
            "(CAST(0 AS DOUBLE) - {0})",
            1,
        ),
        *_number(
            _A, "abs", "the size of {0}", values.absolute, _same_decimal, "TRY(abs({0}))", "abs({0})", "abs({0})", 1
        ),
        *_number(
            _A,
            "round",
            "{0} rounded",
            values.round_half_away,
            _whole,
            "{0}",
            "TRY(CAST(round({0}) AS {type}))",
            "round({0})",
            1,
        ),
        *_number(
            _A,
            "floor",
            "{0} rounded down",
            values.floor,
            _whole,
            "{0}",
            "TRY(CAST(floor({0}) AS {type}))",
            "floor({0})",
            1,
        ),
        *_number(
            _A,
            "ceiling",
            "{0} rounded up",
            values.ceiling,
            _whole,
            "{0}",
            "TRY(CAST(ceil({0}) AS {type}))",
            "ceil({0})",
            1,
        ),
        Function(
            "to_integer",
            ("decimal",),
            INTEGER,
            "TRY_CAST(trunc({0}) AS BIGINT)",
            values.to_integer,
            "{0} as a whole number",
            _A,
        ),
        Function(
            "to_integer",
            ("double",),
            INTEGER,
            "TRY_CAST(trunc({0}) AS BIGINT)",
            values.to_integer,
            "{0} as a whole number",
            _A,
        ),
        Function("to_double", ("double",), DOUBLE, "{0}", lambda _, a: a, "{0} as a double", _A),
        Function(
            "has",
            ("integer", "integer"),
            BOOLEAN,
            "(({0} & {1}) = {1})",
            lambda _, a, b: a & b == b,
            "{0} has the flags {1}",
            _A,
            literals=(1,),
        ),
    ]
