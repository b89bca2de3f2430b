"""What a row of the function table is, and the types that several rows share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from segments.predicates.fields import DIGITS, DOUBLE, Type, Value, decimal

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


@lru_cache(4096)
def common_type(types: Types) -> Type | None:
    """The type that values of all these types can be brought to; None when there is none."""
    kinds = {t.kind for t in types}
    if len(kinds) == 1 and "decimal" not in kinds:
        return types[0]
    if not all(t.is_number for t in types):
        return None
    return DOUBLE if "double" in kinds else common_decimal(types)
