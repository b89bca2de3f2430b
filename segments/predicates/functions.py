"""The table of functions: one row for each way a function can be called, with SQL, Python and sentence side by side.

A row is chosen by key and argument types: the first whose `takes` accept them. An integer is accepted where a decimal
is wanted, any number where a double is. Any null gives null, unless `nulls` says that the function looks at nulls.

What can fail stands in TRY, always in the same TRY: DuckDB works out a part that occurs twice once and outside, so an
operation that failed under two different wrappings would fail the query.
Meaning: docs/predicates.md, whose table is made from this one.
"""

from functools import cache, lru_cache

from segments.predicates.fields import BOOLEAN, INTEGER, Type
from segments.predicates.function_rows import Function, Types, as_decimal, common_type
from segments.predicates.functions_dates import dates
from segments.predicates.functions_numbers import arithmetic
from segments.predicates.functions_text import text
from unify.core.errors import QueryError, did_you_mean


def _chosen(types: Types) -> tuple[Types, Type]:
    both = types[-1]  # bound: the `same` arguments have one type already
    return types, both


def _logic() -> list[Function]:
    group = "logic"
    return [
        Function(
            "is_null", ("any",), BOOLEAN, "({0} IS NULL)", lambda _, a: a is None, "{0} is missing", group, nulls=True
        ),
        Function(
            "is_true",
            ("boolean",),
            BOOLEAN,
            "coalesce({0}, FALSE)",
            lambda _, a: bool(a),
            "surely {0}",
            group,
            nulls=True,
        ),
        Function(
            "coalesce",
            ("same", "same"),
            _chosen,
            "coalesce({0}, {1})",
            lambda _, a, b: b if a is None else a,
            "{0}, or {1} where that is missing",
            group,
            nulls=True,
        ),
        Function(
            "iif",
            ("boolean", "same", "same"),
            _chosen,
            "CASE WHEN {0} THEN {1} ELSE {2} END",
            lambda _, a, b, c: b if a else c,
            "{1} if {0}, else {2}",
            group,
            nulls=True,
        ),
    ]


@cache
def table() -> dict[str, tuple[Function, ...]]:
    """Every function: key to its rows, in order of preference."""
    rows: dict[str, list[Function]] = {}
    for row in [*arithmetic(), *text(), *dates(), *_logic()]:
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
    if found := _resolved(key, types):
        return found
    known = " or ".join(f"{key}({', '.join(row.takes)})" for row in table()[key])
    given = ", ".join(t.name if t else "null" for t in types)
    raise QueryError(f"{key}({given}) is not possible", where=where, hint=f"known: {known}")


@lru_cache(4096)
def _resolved(key: str, types: tuple[Type | None, ...]) -> tuple[Function, Types, Type] | None:
    for row in table()[key]:
        if len(row.takes) == len(types) and (found := _fit(row, types)):
            return row, *found
    return None


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
