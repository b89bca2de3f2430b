"""Values as they go over the wire, and as people read them (FormattedValue): in US English, in UTC."""

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from unify.dataverse.model import CHOICES, AttributeModel, Type
from unify.dataverse.query.scope import Ref


def wire(ref: Ref) -> Callable[[Any], Any]:
    """A function: from what the record store holds (not null) to what JSON says."""
    if ref.kind == "boolean":
        return managed if ref.attribute is not None and ref.attribute.managed else bool
    if ref.kind == "moment":
        return trimmed
    if ref.kind == "number" and ref.scale:
        return lambda held: decimal(held, ref.scale)
    return lambda held: held


def managed(held: Any) -> dict[str, Any]:
    """A managed property: the one there is says whether a component may be customized."""
    return {"Value": bool(held), "CanBeChanged": True, "ManagedPropertyLogicalName": "iscustomizableanddeletable"}


def trimmed(held: str) -> str:
    """`2026-11-22T09:30:00Z`; with a fraction only where it has one."""
    return held[:19] + "Z" if held[20:26] == "000000" else held[:26].rstrip("0") + "Z"


def decimal(held: int | float, scale: int) -> float | Decimal:
    """A float where it says the same digits, else a Decimal."""
    exact = Decimal(held).scaleb(-scale)
    near = float(exact)
    return near if Decimal(repr(near)) == exact else exact


def formatted(attribute: AttributeModel) -> Callable[[Any], str | None] | None:
    """A function: from a value of the wire to what people read; None: this kind of column has no such text."""
    if attribute.managed:
        return None
    if attribute.type in CHOICES or attribute.type is Type.BOOLEAN:
        labels = {option.value: option.label for option in attribute.options}
        return lambda value: labels.get(int(value), _YES[value] if isinstance(value, bool) else None)
    if attribute.type is Type.MULTISELECT:
        labels = {option.value: option.label for option in attribute.options}
        return lambda value: "; ".join(labels.get(int(part), part) for part in str(value).split(","))
    if attribute.date_only:
        return lambda value: day(str(value))
    if attribute.type is Type.MONEY:
        return lambda value: money(value, attribute.precision)
    if attribute.type in {Type.DECIMAL, Type.DOUBLE}:
        return lambda value: f"{_decimal(value):,.{2 if attribute.precision is None else attribute.precision}f}"
    return _PLAIN.get(attribute.type)


_YES: Final = {True: "Yes", False: "No"}


def moment(text: str) -> str:
    """`4/7/2023 2:59 PM`."""
    at = datetime.fromisoformat(text)
    return f"{at.month}/{at.day}/{at.year} {at.hour % 12 or 12}:{at.minute:02} {'AM' if at.hour < 12 else 'PM'}"


def day(text: str) -> str:
    """`4/7/2023`."""
    year, month, number = text.split("-")
    return f"{int(month)}/{int(number)}/{int(year)}"


def money(value: Any, precision: int | None = 2) -> str:
    """`$20,000.00`, `($5.00)`. At least two digits after the point, more where the value has them."""
    number = _decimal(value)
    digits = max(2, min(precision or 2, -int(number.normalize().as_tuple().exponent) if number else 0))
    text = f"${abs(number):,.{digits}f}"
    return f"({text})" if number < 0 else text


def _decimal(value: Any) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(repr(value))


_PLAIN: Final[Mapping[Type, Callable[[Any], str | None]]] = {
    Type.INTEGER: lambda value: f"{value:,}", Type.BIGINT: lambda value: f"{value:,}",
    Type.DATETIME: lambda value: moment(str(value)),
}  # fmt: skip
