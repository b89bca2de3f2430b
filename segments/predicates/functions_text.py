"""Rows of the function table: text, by code points."""

from segments.predicates import casefold
from segments.predicates import function_values as values
from segments.predicates.fields import BOOLEAN, DATE, GUID, INTEGER, STRING
from segments.predicates.function_rows import Function

_T = "text"


def _clamp(argument: str) -> str:
    return (
        f"list_transform([{argument}], lambda n: CASE WHEN n < 0 THEN 0 WHEN n > {values.MOST} THEN {values.MOST} "
        "ELSE n END)[1]"
    )


def text() -> list[Function]:
    """The rows."""
    two = ("string", "string")
    return [
        Function("contains", two, BOOLEAN, "contains({0}, {1})", lambda _, a, b: b in a, "{0} contains {1}", _T),
        Function(
            "starts_with",
            two,
            BOOLEAN,
            "starts_with({0}, {1})",
            lambda _, a, b: a.startswith(b),
            "{0} starts with {1}",
            _T,
        ),
        Function(
            "ends_with", two, BOOLEAN, "ends_with({0}, {1})", lambda _, a, b: a.endswith(b), "{0} ends with {1}", _T
        ),
        Function(
            "matches", two, BOOLEAN, "regexp_matches({0}, {1})", values.matches, "{0} matches {1}", _T, literals=(1,)
        ),
        Function(
            "index_of", two, INTEGER, "(instr({0}, {1}) - 1)", lambda _, a, b: a.find(b), "where {1} is in {0}", _T
        ),
        Function("length", ("string",), INTEGER, "length({0})", lambda _, a: len(a), "the length of {0}", _T),
        Function(
            "substring",
            ("string", "integer"),
            STRING,
            f"substring({{0}}, {_clamp('{1}')} + 1)",
            values.substring,
            "{0} from character {1}",
            _T,
        ),
        Function(
            "substring",
            ("string", "integer", "integer"),
            STRING,
            f"substring({{0}}, {_clamp('{1}')} + 1, {_clamp('{2}')})",
            values.substring,
            "{2} characters of {0} from character {1}",
            _T,
        ),
        Function("concat", two, STRING, "({0} || {1})", lambda _, a, b: a + b, "{0} followed by {1}", _T),
        Function("lower", ("string",), STRING, "lower({0})", values.lower, "{0} in lower case", _T),
        Function("upper", ("string",), STRING, "upper({0})", values.upper, "{0} in upper case", _T),
        Function(
            "fold",
            ("string",),
            STRING,
            casefold.SQL,
            lambda _, a: a.casefold(),
            "{0} whatever its case",
            _T,
            params=casefold.PARAMS,
        ),
        Function(
            "trim",
            ("string",),
            STRING,
            "trim({0}, $white_space)",
            lambda _, a: a.strip(values.WHITE_SPACE),
            "{0} without outer blanks",
            _T,
            params={"white_space": values.WHITE_SPACE},
        ),
        *(
            Function("to_text", (kind.kind,), STRING, "CAST({0} AS VARCHAR)", values.to_text, "{0} as text", _T)
            for kind in (INTEGER, BOOLEAN, DATE, GUID)
        ),
        Function(
            "bucket",
            two,
            INTEGER,
            f"(CAST('0x' || left(md5(length({{0}}) || ':' || {{0}} || {{1}}), 15) AS BIGINT) % {values.BUCKETS})",
            values.bucket,
            "the draw of {1} in the lottery {0}",
            _T,
            literals=(0,),
        ),
    ]
