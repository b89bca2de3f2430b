"""Literals of OData as values of the tree: exact, or a clean error. Nothing is rounded in silence."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Final

from segments.odata.binding.errors import cut, fail
from segments.odata.syntax import ast
from segments.predicates import tree as p
from segments.predicates.fields import BIGGEST, BOOLEAN, DATE, DATETIME, DOUBLE, DURATION, GUID, TIME, Type
from unify.core.errors import QueryError

_MOMENT: Final = re.compile(r"(?P<day>[^T]+)T(?P<clock>[\d:.]+)(?P<zone>Z|[+-]\d\d:\d\d)\Z")
_DURATION: Final = re.compile(
    r"(?P<sign>-?)P(?:(?P<d>\d+)D)?(?:T(?:(?P<h>\d+)H)?(?:(?P<m>\d+)M)?(?:(?P<s>\d+)(?:\.(?P<f>\d+))?S)?)?\Z", re.ASCII
)
_GUID: Final = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\Z", re.IGNORECASE | re.ASCII)
SECOND: Final = 1_000_000
"""Microseconds, the finest time that data holds."""


def of_literal(node: ast.Literal) -> p.Literal:
    """The value of a literal; BindError when no value of the data could equal it.

    Whole numbers beyond 64 bits are decimals. Null is the null of any type. Binary has no values here.
    """
    if node.kind == "binary":
        fail(node.at, "no attribute is binary", "compare text or numbers")
    made = _TEXTS.get(node.kind)
    if made:
        return made(str(node.value), node.at)
    try:
        if node.kind == "double" and isinstance(node.value, float):
            return p.Literal(DOUBLE, node.value)
        assert not isinstance(node.value, bytes)
        return p.literal(node.value)
    except QueryError as error:
        fail(node.at, error.message, error.hint)


def wall_clock(node: ast.Literal) -> tuple[datetime, int]:
    """What a clock shows at the literal's own offset, and that offset in minutes."""
    found = _MOMENT.match(str(node.value))
    assert found  # the parser has checked it
    day, clock = _day(found["day"], node.at), _clock(found["clock"], node.at)
    return datetime.combine(day, clock), _minutes(found["zone"])


def duration_of_text(text: str, at: int) -> p.Literal | None:
    """`P30D`, a duration that is written as text; None when it is none."""
    return _duration(text.upper(), at) if _is_duration(text.upper()) else None


def guid_of_text(text: str) -> p.Literal | None:
    """A guid in quotes, as many clients send it; None when it is none."""
    return p.Literal(GUID, text.lower()) if _GUID.match(text) else None


def flags(node: ast.EnumLiteral | ast.Literal) -> int | None:
    """The flags of `Model.Colors'1,4'` or `'5'`; None when a member is a name, which only a model with enumerations
    could turn into a number."""
    members = node.members if isinstance(node, ast.EnumLiteral) else tuple(str(node.value).split(","))
    numbers = [int(m) if re.fullmatch(r"-?\d{1,19}", m.strip(), re.ASCII) else None for m in members]
    total = 0
    for number in numbers:
        if number is None or abs(number) > BIGGEST:
            return None
        total |= number
    return total


def _is_duration(text: str) -> bool:
    found = _DURATION.match(text)
    return bool(found and any(found[part] for part in "dhms") and not text.endswith("T"))


def _day(text: str, at: int) -> date:
    year, month, day = text.rsplit("-", 2)
    if not 1 <= int(year) <= 9999:
        fail(at, f"{cut(text)} is outside the years 1 to 9999", "no date in the data is; leave the comparison out")
    return date(int(year), int(month), int(day))


def _clock(text: str, at: int) -> time:
    hour, minute, *rest = text.split(":")
    second, _, fraction = (rest[0] if rest else "0").partition(".")
    if int(second) == 60:
        fail(at, f"{cut(text)} is a leap second, which no clock of the data shows", "write 23:59:59.999999")
    return time(int(hour), int(minute), int(second), _micros(fraction, text, at))


def _micros(fraction: str, text: str, at: int) -> int:
    if fraction[6:].strip("0"):
        fail(at, f"{cut(text)} is finer than a microsecond", f"data holds six digits: .{fraction[:6]}")
    return int(fraction[:6].ljust(6, "0"))


def _minutes(zone: str) -> int:
    if zone == "Z":
        return 0
    size = int(zone[1:3]) * 60 + int(zone[4:6])
    return -size if zone[0] == "-" else size


def _moment(text: str, at: int) -> p.Literal:
    local, minutes = wall_clock(ast.Literal("dateTimeOffset", text, at))
    try:
        return p.Literal(DATETIME, local.replace(tzinfo=timezone(timedelta(minutes=minutes))).astimezone(UTC))
    except OverflowError:
        fail(at, f"{cut(text)} is outside the years 1 to 9999 in UTC", "mindatetime() and maxdatetime() are the ends")


def _duration(text: str, at: int) -> p.Literal:
    found = _DURATION.match(text)
    assert found  # the parser, or _is_duration, has checked it
    days, hours, minutes, seconds = (int(found[part] or 0) for part in "dhms")
    count = (((days * 24 + hours) * 60 + minutes) * 60 + seconds) * SECOND + _micros(found["f"] or "", text, at)
    if count > BIGGEST:
        fail(at, f"{cut(text)} is longer than 292,271 years", "64 bits of microseconds hold no more")
    return p.Literal(DURATION, -count if found["sign"] else count)


_TEXTS: Final[dict[str, Callable[[str, int], p.Literal]]] = {
    "date": lambda text, at: p.Literal(DATE, _day(text, at)),
    "timeOfDay": lambda text, at: p.Literal(TIME, _clock(text, at)),
    "dateTimeOffset": _moment,
    "duration": _duration,
    "guid": lambda text, _: p.Literal(GUID, text),
}

EDM: Final[dict[str, Type]] = {
    "Edm.Boolean": BOOLEAN, "Edm.Date": DATE, "Edm.DateTimeOffset": DATETIME, "Edm.Duration": DURATION,
    "Edm.Guid": GUID, "Edm.TimeOfDay": TIME,
}  # fmt: skip
"""Types of OData that are one type of the tree each; numbers and text are cast by rules of their own."""
