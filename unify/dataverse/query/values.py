"""Values as they are sent, into values as the record store holds them: literals of OData, and plain text."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from uuid import UUID

from segments.odata.syntax.ast import EnumLiteral, Literal
from unify.dataverse.errors import DataverseError
from unify.dataverse.model import Type
from unify.dataverse.query.options import refused
from unify.dataverse.query.scope import Ref
from unify.records.values import moment

EDM: Final[Mapping[Type, str]] = {
    Type.STRING: "Edm.String", Type.MEMO: "Edm.String", Type.ENTITY_NAME: "Edm.String", Type.MULTISELECT: "Edm.String",
    Type.INTEGER: "Edm.Int32", Type.BIGINT: "Edm.Int64", Type.PICKLIST: "Edm.Int32", Type.STATE: "Edm.Int32",
    Type.STATUS: "Edm.Int32", Type.DECIMAL: "Edm.Decimal", Type.MONEY: "Edm.Decimal", Type.DOUBLE: "Edm.Double",
    Type.BOOLEAN: "Edm.Boolean", Type.DATETIME: "Edm.DateTimeOffset", Type.GUID: "Edm.Guid", Type.LOOKUP: "Edm.Guid",
    Type.OWNER: "Edm.Guid", Type.CUSTOMER: "Edm.Guid", Type.FILE: "Edm.Guid",
}  # fmt: skip
_LITERAL: Final = {
    "boolean": "Edm.Boolean", "integer": "Edm.Int32", "decimal": "Edm.Decimal", "double": "Edm.Double",
    "string": "Edm.String", "guid": "Edm.Guid", "date": "Edm.Date", "dateTimeOffset": "Edm.DateTimeOffset",
    "timeOfDay": "Edm.TimeOfDay", "duration": "Edm.Duration", "binary": "Edm.Binary",
}  # fmt: skip
OPERATORS: Final = {
    "eq": "Equal", "ne": "NotEqual", "gt": "GreaterThan", "ge": "GreaterThanOrEqual", "lt": "LessThan",
    "le": "LessThanOrEqual",
}  # fmt: skip
_GUID: Final = re.compile(r"\{?[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\}?\Z")
_NUMBER: Final = re.compile(r"[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,3})?\Z", re.ASCII)


def edm(ref: Ref) -> str:
    """The type of a property, as $metadata names it."""
    return "Edm.Date" if ref.attribute.date_only else EDM[ref.attribute.type]


def literal(ref: Ref, found: Literal | EnumLiteral, operator: str) -> Any:
    """A literal of OData that is compared with a column. A guid may stand in quotes; else types must agree.

    DataverseError in the words of Dataverse. Numbers stay as they are; see `compare`.
    """
    if isinstance(found, EnumLiteral):
        if ref.attribute.options and len(found.members) == 1 and found.members[0].lstrip("-").isdigit():
            return int(found.members[0])
        raise incompatible(edm(ref), found.type, operator)
    value: Any = found.value
    match ref.kind, found.kind:
        case ("text", "string") | ("number" | "double", "integer" | "decimal" | "double") | ("boolean", "boolean"):
            return value
        case "id", "guid" | "string" if _GUID.match(str(value)):
            return guid(str(value))
        case "moment", "dateTimeOffset" | "date":
            return _moment(ref, str(value))
        case "day", "dateTimeOffset" | "date":
            return _day(ref, str(value))
        case "choices", "string" | "integer":
            return _choices(ref, str(value))
    raise incompatible(edm(ref), _LITERAL.get(found.kind, "Edm.Untyped"), operator)


def incompatible(left: str, right: str, operator: str) -> DataverseError:
    """The two sides of a comparison are of types that do not compare."""
    return refused(
        "A binary operator with incompatible types was detected. Found operand types "
        f"'{left}' and '{right}' for operator kind '{OPERATORS.get(operator, operator)}'."
    )


def given(ref: Ref, value: Any) -> Any:
    """A value that came as text (FetchXML, SQL, `PropertyValues=["5"]`) or as a number; DataverseError."""
    text = _plain(value)
    return FROM_TEXT[ref.kind](ref, text) if ref.kind != "text" else text


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def whole(name: str, value: Any) -> int:
    """The number of days, months and so on that a condition takes; DataverseError unless it is 1 or more."""
    text = _plain(value).strip()
    if not text.isdecimal() or not text.isascii() or len(text) > 9 or int(text) < 1:
        raise refused(
            f"The value passed for {name} is not in the expected range: '{text[:40]}'. It is to be 1 or more."
        )
    return int(text)


def guid(text: str) -> str:
    """As it is held. The text was checked."""
    return str(UUID(text.strip("{}")))


def _wrong(ref: Ref, text: str) -> DataverseError:
    return refused(
        f"The value '{text[:100]}' of attribute '{ref.attribute.name}' is not of the type {edm(ref)}.",
        where=ref.attribute.name,
    )


def _number(ref: Ref, text: str) -> Decimal:
    if not _NUMBER.match(text.strip()):
        raise _wrong(ref, text)
    try:
        return Decimal(text.strip())
    except InvalidOperation:
        raise _wrong(ref, text) from None


def _boolean(ref: Ref, text: str) -> bool:
    known = {"true": True, "1": True, "false": False, "0": False}
    if text.strip().lower() not in known:
        raise _wrong(ref, text)
    return known[text.strip().lower()]


def when(text: str) -> datetime:
    """A date, a time without offset (UTC) or a moment; ValueError."""
    at = datetime.fromisoformat(text.strip().upper().replace(" ", "T", 1))
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def moment_of(ref: Ref, value: Any) -> datetime:
    """Likewise; DataverseError."""
    try:
        return when(_plain(value))
    except (ValueError, OverflowError):
        raise _wrong(ref, _plain(value)) from None


def _moment(ref: Ref, text: str) -> str:
    return moment(moment_of(ref, text))


def _day(ref: Ref, text: str) -> str:
    # The day as it is written: an offset does not move it.
    try:
        return date.fromisoformat(text.strip()[:10]).isoformat() if moment_of(ref, text) else ""
    except ValueError:
        raise _wrong(ref, text) from None


def _id(ref: Ref, text: str) -> str:
    if not _GUID.match(text.strip()):
        raise _wrong(ref, text)
    return guid(text.strip())


def _choices(ref: Ref, text: str) -> str:
    """`3,1` of a multi-select choice, as it is held."""
    parts = [part.strip() for part in text.strip("[]").split(",")]
    if not all(part.lstrip("-").isdecimal() and part.isascii() for part in parts):
        raise _wrong(ref, text)
    return ",".join(map(str, sorted({int(part) for part in parts})))


FROM_TEXT: Final[Mapping[str, Callable[[Ref, str], Any]]] = {
    "number": _number, "double": lambda ref, text: float(_number(ref, text)), "boolean": _boolean, "moment": _moment,
    "day": _day, "id": _id, "choices": _choices,
}  # fmt: skip
