"""Row filters: `Entity.where` as one SQL expression with bound values.

| column                   | operators                             | value                                      |
|--------------------------|---------------------------------------|--------------------------------------------|
| string                   | all; order by code point, case counts | text; `any_of`: a list of texts            |
| guid                     | equals, not_equals, any_of            | text of a guid, any case                   |
| integer, decimal, double | equals, not_equals, the four of order | a number; decimals compare exactly         |
| boolean                  | equals, not_equals                    | true or false                              |
| date                     | equals, not_equals, the four of order | `2020-01-31`                               |
| datetime                 | equals, not_equals, the four of order | `2020-01-31`: its day is compared;         |
|                          |                                       | `2020-01-31T12:00`: the instant, UTC       |
| any                      | is_null, is_not_null                  | none                                       |

A null fails every comparison, `not_equals` too; only `is_null` holds for it. The expression itself is never null, so
`NOT (...)` counts exactly the rows that were filtered out. With incremental folders the filter comes after upserts and
deletes: a row that an upsert moved out of the filter must not survive as its older self.
"""

import math
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from ingest.kinds import NUMBERS, TIMES, Kind, kind_of
from unify.core.errors import SpecError, did_you_mean
from unify.core.names import quote
from unify.core.steps import Query
from unify.spec import Entity, RowFilter

_ORDER = {
    "greater_than": ">",
    "greater_than_or_equal": ">=",
    "less_than": "<",
    "less_than_or_equal": "<=",
}
_EQUALITY = {"equals": "=", "not_equals": "<>"}
_TEXT_FUNCTIONS = {"contains": "contains", "starts_with": "starts_with", "ends_with": "ends_with"}

_OPERATORS: dict[Kind, tuple[str, ...]] = {
    "text": (*_EQUALITY, *_ORDER, *_TEXT_FUNCTIONS, "any_of"),
    "guid": (*_EQUALITY, "any_of"),
    "boolean": tuple(_EQUALITY),
    "other": (),
    **dict.fromkeys((*NUMBERS, *TIMES), (*_EQUALITY, *_ORDER)),
}
"""What each kind of column understands beside is_null and is_not_null."""


def filter_predicate(entity: Entity, columns: Mapping[str, str], *, where: str = "where") -> Query | None:
    """The filters of an entity as one boolean expression, or None when it has none.

    `columns` maps column to SQL type. Parameters are named `filter_0`, `filter_1`, …, so that the expression can stand
    inside a larger query. Raises SpecError, naming every filter that is wrong: unknown column, operator that the
    column's type does not have, value of the wrong type. `where` is the place that the error names.
    """
    if not entity.where:
        return None
    parts: list[str] = []
    params: dict[str, Any] = {}
    problems: list[tuple[str, str]] = []
    for number, row_filter in enumerate(entity.where):
        try:
            part = _one(row_filter, columns, f"filter_{number}")
        except SpecError as error:
            problems.append((f"{row_filter.column} {row_filter.operator}: {error.message}", error.hint))
        else:
            parts.append(part.sql)
            params |= part.params
    if problems:
        hints = dict.fromkeys(hint for _, hint in problems if hint)
        raise SpecError("\n".join(text for text, _ in problems), where=where, hint="; ".join(hints))
    return Query(f"coalesce({' AND '.join(parts)}, false)", params)


def _one(row_filter: RowFilter, columns: Mapping[str, str], name: str) -> Query:
    if row_filter.column not in columns:
        raise SpecError(f"no column {row_filter.column!r}", hint=did_you_mean(row_filter.column, columns))
    column, operator = quote(row_filter.column), row_filter.operator
    if operator in ("is_null", "is_not_null"):
        return Query(f"{column} IS {'NOT ' if operator == 'is_not_null' else ''}NULL")
    sqltype = columns[row_filter.column]
    kind = kind_of(sqltype)
    if operator not in _OPERATORS[kind]:
        allowed = ", ".join((*_OPERATORS[kind], "is_null", "is_not_null"))
        raise SpecError(f"{operator} does not fit a column of type {sqltype}", hint=f"use one of {allowed}")
    if operator == "any_of":
        values = row_filter.value if isinstance(row_filter.value, tuple) else ()
        bound = [_VALUES[kind](value) for value in values]
        return Query(f"list_contains(${name}, {_side(column, kind, sqltype)})", {name: bound})
    value = _VALUES[kind](row_filter.value)
    if operator in _TEXT_FUNCTIONS:
        if value == "":
            raise SpecError("an empty text is in every text", hint="give a text, or use is_not_null")
        return Query(f"{_TEXT_FUNCTIONS[operator]}({column}, ${name})", {name: value})
    if kind == "datetime" and not isinstance(value, datetime):
        kind = "date"
    sign = _EQUALITY.get(operator) or _ORDER[operator]
    return Query(f"{_side(column, kind, sqltype)} {sign} {_bound(name, kind)}", {name: value})


def _side(column: str, kind: Kind, sqltype: str) -> str:
    """The column as it is compared: instants in UTC, days of instants as dates, guids as their canonical text."""
    if kind_of(sqltype) == "datetime":
        utc = f"({column} AT TIME ZONE 'UTC')" if sqltype.upper().endswith("TIME ZONE") else column
        return f"CAST({utc} AS {'DATE' if kind == 'date' else 'TIMESTAMP'})"
    return f"CAST({column} AS VARCHAR)" if kind == "guid" else column


def _bound(name: str, kind: Kind) -> str:
    return {"date": f"CAST(${name} AS DATE)", "datetime": f"CAST(${name} AS TIMESTAMP)"}.get(kind, f"${name}")


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise SpecError(f"{value!r} is not a text", hint=f"put it in quotes: '{value}'")
    return value


def _guid(value: object) -> str:
    try:
        return str(uuid.UUID(_text(value)))
    except ValueError:
        raise SpecError(f"{value!r} is not a guid", hint="write it as 01234567-89ab-cdef-0123-456789abcdef") from None


def _boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise SpecError(f"{value!r} is not true or false", hint="write true or false, without quotes")
    return value


def _number(value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise SpecError(f"{value!r} is not a number", hint="write a number, without quotes")
    return value


def _decimal(value: object) -> int | Decimal:
    number = _number(value)
    return Decimal(repr(number)) if isinstance(number, float) else number


def _date(value: object) -> date:
    moment = _datetime(value)
    if isinstance(moment, datetime):
        raise SpecError(f"{value!r} has a time, the column holds dates", hint=f"write {moment.date()}")
    return moment


def _datetime(value: object) -> date | datetime:
    """A date when no time is written, else the instant in UTC without its zone."""
    text = value.strip() if isinstance(value, str) else ""
    try:
        if len(text) <= len("2020-01-31"):
            return date.fromisoformat(text)
        moment = datetime.fromisoformat(text)
    except ValueError:
        hint = "write it as '2020-01-31' or '2020-01-31T12:00'"
        raise SpecError(f"{value!r} is not an ISO date", hint=hint) from None
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


_VALUES: dict[Kind, Callable[[object], Any]] = {
    "text": _text,
    "guid": _guid,
    "boolean": _boolean,
    "integer": _number,
    "decimal": _decimal,
    "double": _number,
    "date": _date,
    "datetime": _datetime,
}
