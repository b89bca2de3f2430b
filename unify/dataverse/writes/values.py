"""Values as they come over the wire, turned into what a column holds: as strict as Dataverse, in its words.

Taken liberally, because the vendor's own client sends it: a date and time without an offset is UTC, and a day stands
for its midnight. As in Dataverse: fractions of a second are cut off, decimals and money are rounded to the column's
precision, and an empty text is null.
"""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final
from uuid import UUID

from unify.dataverse.errors import BAD_CHOICE, BAD_INPUT, OUT_OF_RANGE, TOO_LONG, DataverseError
from unify.dataverse.model import AttributeModel, TableModel, Type
from unify.records import Value

EDM: Final[Mapping[Type, str]] = {
    Type.STRING: "Edm.String", Type.MEMO: "Edm.String", Type.ENTITY_NAME: "Edm.String", Type.MULTISELECT: "Edm.String",
    Type.INTEGER: "Edm.Int32", Type.PICKLIST: "Edm.Int32", Type.STATE: "Edm.Int32", Type.STATUS: "Edm.Int32",
    Type.BIGINT: "Edm.Int64", Type.DECIMAL: "Edm.Decimal", Type.MONEY: "Edm.Decimal", Type.DOUBLE: "Edm.Double",
    Type.BOOLEAN: "Edm.Boolean", Type.DATETIME: "Edm.DateTimeOffset", Type.GUID: "Edm.Guid", Type.LOOKUP: "Edm.Guid",
    Type.OWNER: "Edm.Guid", Type.CUSTOMER: "Edm.Guid", Type.FILE: "Edm.Guid",
}  # fmt: skip
EARLIEST: Final = datetime(1753, 1, 1, tzinfo=UTC)
"""Dataverse's."""
_INT64: Final = 2**63
_HELP: Final = "https://go.microsoft.com/fwlink/?linkid=2195293"
_DAY: Final = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_MOMENT: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d)?)(?:\.\d{1,12})?([Zz]|[+-]\d\d:?\d\d)?", re.ASCII
)


def edm(attribute: AttributeModel) -> str:
    """Its type in OData."""
    return "Edm.Date" if attribute.date_only else EDM[attribute.type]


def converted(table: TableModel, attribute: AttributeModel, value: Any) -> Value:
    """A value of JSON as the attribute's column holds it; DataverseError."""
    if value is None:
        return None
    return _CONVERT[attribute.type](table, attribute, value)


def payload_error(table: TableModel, inner: str, *, where: str = "", hint: str = "") -> DataverseError:
    """What Dataverse says of a body that is not of the table."""
    message = (
        f"Error identified in Payload provided by the user for Entity :'{table.set_name}', For more information on "
        f"this error please follow this help link {_HELP}  ---->  InnerException : {inner}"
    )
    return DataverseError(message, code=BAD_INPUT, where=where or table.name, hint=hint)


def _wrong(table: TableModel, attribute: AttributeModel, value: Any) -> DataverseError:
    said = {True: "true", False: "false"}.get(value, value) if isinstance(value, bool) else value
    inner = f"Microsoft.OData.ODataException: Cannot convert the literal '{said!s:.100}' to the expected type"
    return payload_error(table, f"{inner} '{edm(attribute)}'.", where=attribute.name)


def _text(table: TableModel, attribute: AttributeModel, value: Any) -> Value:
    if not isinstance(value, str):
        raise _wrong(table, attribute, value)
    if attribute.length is not None and len(value) > attribute.length:
        raise DataverseError(
            f"A validation error occurred. The length of the '{attribute.name}' attribute of the '{table.name}' entity "
            f"exceeded the maximum allowed length of '{attribute.length}'.",
            code=TOO_LONG,
            where=attribute.name,
        )
    if "\0" in value or (not value.isascii() and _half(value)):
        raise _wrong(table, attribute, value.encode("ascii", "backslashreplace").decode())
    return value or None


def _half(value: str) -> bool:
    """It holds half of a surrogate pair, which is no character."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return True
    return False


def _ranged(table: TableModel, attribute: AttributeModel, value: Any) -> Any:
    least, most = attribute.least, attribute.most
    if (least is not None and value < least) or (most is not None and value > most):
        raise DataverseError(
            f"A validation error occurred. The value {value} of '{attribute.name}' on record of type '{table.name}' is "
            f"outside the valid range from {least} to {most}.",
            code=OUT_OF_RANGE,
            where=attribute.name,
        )
    return value


def _whole(table: TableModel, attribute: AttributeModel, value: Any) -> Value:
    bound = _INT64 if attribute.type is Type.BIGINT else 2**31
    if not isinstance(value, int) or isinstance(value, bool) or not -bound <= value < bound:
        raise _wrong(table, attribute, value)
    whole: int = _ranged(table, attribute, value)
    return whole


def _number(table: TableModel, attribute: AttributeModel, value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        raise _wrong(table, attribute, value)
    number = Decimal(repr(value)) if isinstance(value, float) else Decimal(value)
    if not number.is_finite() or abs(number.adjusted()) > 400:
        raise _wrong(table, attribute, value)
    _ranged(table, attribute, number)
    return number


def _decimal(table: TableModel, attribute: AttributeModel, value: Any) -> Value:
    number = _number(table, attribute, value)
    scale = attribute.precision or 0
    if number.adjusted() + scale > 17:
        raise _wrong(table, attribute, value)
    return number.quantize(Decimal(1).scaleb(-scale), ROUND_HALF_UP)


def _double(table: TableModel, attribute: AttributeModel, value: Any) -> Value:
    number = float(_number(table, attribute, value))
    return number if attribute.precision is None else round(number, attribute.precision)


def _boolean(table: TableModel, attribute: AttributeModel, value: Any) -> Value:
    if attribute.managed and isinstance(value, Mapping):
        value = value.get("Value")
    if not isinstance(value, bool):
        raise _wrong(table, attribute, value)
    return value


def _choice(table: TableModel, attribute: AttributeModel, value: Any) -> Value:
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong(table, attribute, value)
    if attribute.label_of(value) is None and attribute.type is not Type.STATUS:
        raise _no_choice(table, attribute, value)
    return value


def _no_choice(table: TableModel, attribute: AttributeModel, value: Any) -> DataverseError:
    known = ",".join(str(option.value) for option in attribute.options)
    return DataverseError(
        f"A validation error occurred. The value '{value!s:.100}' of '{attribute.name}' on record of type "
        f"'{table.name}' is outside the valid range. Accepted Values: {known}",
        code=BAD_CHOICE,
        where=attribute.name,
    )


def _choices(table: TableModel, attribute: AttributeModel, value: Any) -> Value:
    if not isinstance(value, str):
        raise _wrong(table, attribute, value)
    found: set[int] = set()
    for part in value.split(",") if value.strip() else ():
        said = part.strip()
        if not re.fullmatch(r"-?\d{1,10}", said, re.ASCII):
            raise _wrong(table, attribute, value)
        if attribute.label_of(int(said)) is None:
            raise _no_choice(table, attribute, said)
        found.add(int(said))
    return ",".join(map(str, sorted(found))) or None


def _date_time(table: TableModel, attribute: AttributeModel, value: Any) -> Value:
    if isinstance(value, str):
        try:
            return _day(value) if attribute.date_only else _moment(table, attribute, value)
        except (ValueError, OverflowError):
            pass
    raise _wrong(table, attribute, value)


def _day(value: str) -> date:
    if _DAY.fullmatch(value):
        return date.fromisoformat(value)
    said = _MOMENT.fullmatch(value)
    if said is None or not said[2].startswith("00:00") or (said[2] + ":00")[6:8] != "00":
        raise ValueError(value)
    return date.fromisoformat(said[1])


def _moment(table: TableModel, attribute: AttributeModel, value: str) -> datetime:
    if _DAY.fullmatch(value):
        found = datetime.fromisoformat(value).replace(tzinfo=UTC)
    else:
        said = _MOMENT.fullmatch(value)
        if said is None:
            raise ValueError(value)
        zone = "+00:00" if said[3] in {None, "Z", "z"} else said[3]
        found = datetime.fromisoformat(f"{said[1]}T{said[2]}{zone}").astimezone(UTC)
    if found < EARLIEST:
        raise DataverseError(
            f"DateTime is less than minumum value supported by CrmDateTime. Actual value: {found:%m/%d/%Y %H:%M:%S}, "
            "Minimum value supported: 01/01/1753 00:00:00",
            code=OUT_OF_RANGE,
            where=attribute.name,
        )
    return found


def _guid(table: TableModel, attribute: AttributeModel, value: Any) -> Value:
    found = guid(value)
    if found is None:
        raise _wrong(table, attribute, value)
    return found


def guid(value: Any) -> str | None:
    """A guid as it is held, 36 signs in lower case; braces around it are let pass. None: it is none."""
    if not isinstance(value, str) or not 32 <= len(value) <= 38:
        return None
    bare = value.removeprefix("{").removesuffix("}")
    if len(bare) != 36:
        return None
    try:
        return str(UUID(bare))
    except ValueError:
        return None


def to_second(at: datetime) -> datetime:
    """Moments are kept to the second."""
    return at - timedelta(microseconds=at.microsecond)


_CONVERT: Final[Mapping[Type, Callable[[TableModel, AttributeModel, Any], Value]]] = {
    Type.STRING: _text, Type.MEMO: _text, Type.ENTITY_NAME: _text, Type.INTEGER: _whole, Type.BIGINT: _whole,
    Type.DECIMAL: _decimal, Type.MONEY: _decimal, Type.DOUBLE: _double, Type.BOOLEAN: _boolean,
    Type.DATETIME: _date_time, Type.GUID: _guid, Type.PICKLIST: _choice, Type.STATE: _choice, Type.STATUS: _choice,
    Type.MULTISELECT: _choices, Type.LOOKUP: _guid, Type.OWNER: _guid, Type.CUSTOMER: _guid, Type.FILE: _guid,
}  # fmt: skip
