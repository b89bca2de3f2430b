"""`$filter` and `$orderby` over definitions: a few hundred objects in memory, so no SQL.

Text is compared as it is written; a name that an object has not is null there.
"""

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from segments.odata.syntax.ast import (
    And,
    Binary,
    Call,
    EnumLiteral,
    Expression,
    GeoLiteral,
    Literal,
    Name,
    Or,
    Path,
    Unary,
    ValueList,
)  # fmt: skip
from unify.service.errors import ServiceError

ORDERS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "gt": operator.gt, "ge": operator.ge, "lt": operator.lt, "le": operator.le,
}  # fmt: skip
FUNCTIONS: Final[Mapping[str, Callable[..., Any]]] = {
    "contains": lambda text, part: part in text,
    "startswith": lambda text, part: text.startswith(part),
    "endswith": lambda text, part: text.endswith(part),
    "tolower": lambda text: text.lower(),
    "toupper": lambda text: text.upper(),
    "length": len,
    "trim": lambda text: text.strip(),
}


def evaluate(expression: Expression, values: Mapping[str, Any]) -> Any:
    """What an expression gives on one object. ServiceError 501 for what is not answered here."""
    match expression:
        case Literal(_, value):
            return value
        case EnumLiteral(_, members):
            return ",".join(members)
        case Path(segments) if all(isinstance(one, Name) for one in segments):
            return walked(values, [one.text for one in segments if isinstance(one, Name)])
        case And(terms):
            return all(evaluate(term, values) is True for term in terms)
        case Or(terms):
            return any(evaluate(term, values) is True for term in terms)
        case Unary("not", operand):
            return evaluate(operand, values) is not True
        case Unary("-", operand):
            found = evaluate(operand, values)
            return -found if isinstance(found, int | float) else None
        case Binary(verb, left, right):
            return _compared(verb, evaluate(left, values), right, values)
        case Call(name, arguments) if name in FUNCTIONS:
            given = [evaluate(one, values) for one in arguments]
            return FUNCTIONS[name](*given) if all(isinstance(one, str) for one in given) else None
    raise _unanswered(type(expression).__name__)


def _compared(verb: str, left: Any, right: Expression | ValueList, values: Mapping[str, Any]) -> bool:
    if verb == "in":
        items = right.items if isinstance(right, ValueList) else ()
        return any(left == evaluate(one, values) for one in items if not isinstance(one, GeoLiteral))
    if isinstance(right, ValueList):
        raise _unanswered(verb)
    other = evaluate(right, values)
    if verb in ("eq", "ne"):
        return (left == other) is (verb == "eq")
    if verb not in ORDERS:
        raise _unanswered(verb)
    try:
        return ORDERS[verb](left, other)
    except TypeError:
        return False


def walked(values: Any, names: list[str]) -> Any:
    """`RequiredLevel/Value`."""
    for name in names:
        values = values.get(name) if isinstance(values, Mapping) else None
    return values


def _unanswered(what: str) -> ServiceError:
    return ServiceError(501, f"{what} is not answered on definitions", where="$filter", hint="eq, ne, gt, in, contains")
