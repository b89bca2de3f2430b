"""What the functions of functions.py give for values, in Python: for constants, for one customer, and as an oracle.

Each takes the result's type, then the values, none of them null; None means null. Numbers, texts and dates behave as
docs/predicates.md says, not as Python happens to.
"""

from calendar import monthrange
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_UP, Decimal, localcontext
from functools import lru_cache
from hashlib import md5
from math import copysign, fmod, inf, isfinite, isnan, nan
from typing import Any
from zoneinfo import ZoneInfo

from segments.predicates.fields import BIGGEST, DIGITS, Type, rescale

Number = int | Decimal | float
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - UTC throughout
MICROSECOND = timedelta(microseconds=1)
BUCKETS = 1_000_000
WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
"""What trim removes: Unicode's White_Space, so that no version of a library decides."""


def _fit(kind: Type, value: int | Decimal) -> Number | None:
    """The exact result, or None when its type cannot hold it."""
    if isinstance(value, Decimal):
        return rescale(value, kind)
    return value if -BIGGEST - 1 <= value <= BIGGEST else None


def _exact(kind: Type, a: Any, b: Any, of: Callable[[Any, Any], Any]) -> Number | None:
    with localcontext() as context:
        context.prec = 2 * DIGITS + 2
        return _fit(kind, of(a, b))


def add(kind: Type, a: Any, b: Any) -> Number | None:
    """a + b."""
    return a + b if kind.kind == "double" else _exact(kind, a, b, lambda x, y: x + y)


def subtract(kind: Type, a: Any, b: Any) -> Number | None:
    """a − b."""
    return a - b if kind.kind == "double" else _exact(kind, a, b, lambda x, y: x - y)


def multiply(kind: Type, a: Any, b: Any) -> Number | None:
    """a × b."""
    return a * b if kind.kind == "double" else _exact(kind, a, b, lambda x, y: x * y)


def _truncated(a: int, b: int) -> int:
    quotient = abs(a) // abs(b)
    return quotient if (a < 0) == (b < 0) else -quotient


def divide(kind: Type, a: Any, b: Any) -> Number | None:
    """a / b: integers towards zero, everything else as doubles."""
    if kind.kind == "double":
        return divide_double(kind, a, b)
    return None if b == 0 else _fit(kind, _truncated(a, b))


def divide_double(_: Type, a: float, b: float) -> float:
    """a / b as IEEE 754 has it."""
    if b != 0:
        return a / b
    return nan if a == 0 or isnan(a) else copysign(inf, a) * copysign(1.0, b)


def modulo(kind: Type, a: Any, b: Any) -> Number | None:
    """What is left of a; it has the sign of a."""
    if kind.kind == "double":
        return fmod(a, b) if b != 0 and isfinite(a) and not isnan(b) else nan
    return (
        None
        if b == 0
        else _exact(kind, a, b, lambda x, y: x % y if isinstance(x, Decimal) else x - y * _truncated(x, y))
    )


def negate(kind: Type, a: Any) -> Number | None:
    """−a; of a double 0 − a, so that zero has no sign."""
    return (
        0.0 - a
        if kind.kind == "double"
        else _exact(kind, a, 0, lambda x, _: x.copy_negate() if isinstance(x, Decimal) else -x)
    )


def absolute(kind: Type, a: Any) -> Number | None:
    """|a|."""
    return abs(a) if kind.kind == "double" else negate(kind, a) if a < 0 else a


def _rounding(mode: str) -> Callable[[Type, Any], Number | None]:
    def to_whole(kind: Type, a: Any) -> Number | None:
        if isinstance(a, int) or (isinstance(a, float) and not isfinite(a)):
            return a
        with localcontext() as context:
            context.prec = 400  # a double has at most 309 digits before its point
            whole = Decimal(a).quantize(Decimal(1), rounding=mode)
        return float(whole) if isinstance(a, float) else rescale(whole, kind)

    return to_whole


round_half_away = _rounding(ROUND_HALF_UP)
floor = _rounding(ROUND_FLOOR)
ceiling = _rounding(ROUND_CEILING)


def to_integer(kind: Type, a: Any) -> Number | None:
    """Decimals cut off; None beyond 64 bits."""
    if isinstance(a, float) and not isfinite(a):
        return None
    return _fit(kind, int(Decimal(a).to_integral_value(ROUND_DOWN)))


def to_text(_: Type, a: Any) -> str:
    """As JSON and ISO 8601 write it."""
    return str(a).lower() if isinstance(a, bool) else a.isoformat() if isinstance(a, date) else str(a)


# ── text ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

MOST = 1_000_000_000
"""Characters: more than any text has, small enough that no sum of two overflows."""


def substring(_: Type, text: str, start: int, length: int = MOST) -> str:
    """From `start` (0 is the first character; below 0 counts as 0), at most `length` characters."""
    first = min(max(start, 0), MOST)
    return text[first : first + min(max(length, 0), MOST)]


def lower(_: Type, text: str) -> str:
    """Unicode's simple lower case, one character for one."""
    return "".join("i" if c == "\u0130" else c.lower() for c in text)


def upper(_: Type, text: str) -> str:
    """Unicode's simple upper case, one character for one; ß becomes ẞ."""
    return "".join(_upper(c) for c in text)


@lru_cache(4096)
def _upper(c: str) -> str:
    if c == "ß":
        return "ẞ"
    return next((u for u in (c.upper(), c.title()) if len(u) == 1), c)


def matches(_: Type, text: str, pattern: str) -> bool:
    """An RE2 pattern is found somewhere."""
    import pyarrow as pa
    import pyarrow.compute as pc

    return bool(pc.match_substring_regex(pa.array([text]), pattern)[0].as_py())


def bucket(_: Type, seed: str, text: str) -> int:
    """A number from 0 to 999 999, decided by the two texts alone."""
    return int(md5(f"{len(seed)}:{seed}{text}".encode(), usedforsecurity=False).hexdigest()[:15], 16) % BUCKETS


# ── dates ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def microseconds(moment: datetime) -> int:
    """Since 1970, UTC."""
    return (moment - EPOCH) // MICROSECOND


def to_moment(count: int) -> datetime | None:
    """The reverse; None outside the years 1 to 9999."""
    try:
        return EPOCH + timedelta(microseconds=count)
    except OverflowError:
        return None


def add_duration(_: Type, a: Any, b: int, sign: int = 1) -> Any:
    """A moment later; a date through its midnight."""
    if isinstance(a, datetime):
        return to_moment(microseconds(a) + sign * b)
    moved = to_moment(microseconds(at_midnight(_, a)) + sign * b)
    return moved and moved.date()


def subtract_duration(_: Type, a: Any, b: int) -> Any:
    """A moment earlier."""
    return add_duration(_, a, b, -1)


def between(_: Type, a: Any, b: Any) -> int:
    """Microseconds from b to a; dates at their midnights."""
    return int((a - b) // MICROSECOND)


def at_midnight(_: Type, a: date) -> datetime:
    """Where the day begins."""
    return datetime.combine(a, time())


def add_days(_: Type, a: Any, n: int) -> Any:
    """None outside the years 1 to 9999."""
    return add_duration(_, a, 0) if n == 0 else add_duration(_, a, n * 86_400_000_000)


def add_months(_: Type, a: Any, n: int) -> Any:
    """The same day n months later, or the last of that month."""
    year, month = divmod(a.year * 12 + a.month - 1 + n, 12)
    if not 1 <= year <= 9999:
        return None
    return a.replace(year=year, month=month + 1, day=min(a.day, monthrange(year, month + 1)[1]))


def _day(a: Any) -> date:
    return a.date() if isinstance(a, datetime) else a


def start_of(unit: str) -> Callable[[Type, Any], date]:
    """The first day of the week (Monday), month, quarter or year."""

    def start(_: Type, a: Any) -> date:
        day = _day(a)
        if unit == "week":
            return day - timedelta(days=day.weekday())
        month = {"month": day.month, "quarter": (day.month - 1) // 3 * 3 + 1, "year": 1}[unit]
        return day.replace(month=month, day=1)

    return start


def fraction(_: Type, a: Any) -> Decimal:
    """Of the second, to the microsecond."""
    return Decimal(a.microsecond).scaleb(-6).quantize(Decimal("0.000001"))


def total_seconds(_: Type, a: int) -> Decimal:
    """Of a duration, exactly."""
    with localcontext() as context:
        context.prec = DIGITS
        return Decimal(a).scaleb(-6).quantize(Decimal("0.000001"))


@lru_cache(256)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def local(_: Type, a: datetime, zone: str) -> datetime | None:
    """What the clock shows there when it is `a` in UTC."""
    try:
        return a.replace(tzinfo=UTC).astimezone(_zone(zone)).replace(tzinfo=None, fold=0)
    except OverflowError:
        return None


def utc(_: Type, a: datetime, zone: str) -> datetime | None:
    """When the clock there shows `a`: the later moment when it does so twice; when never, as if it had not jumped."""
    first, second = (a.replace(tzinfo=_zone(zone), fold=fold) for fold in (0, 1))
    try:
        skipped = first.utcoffset() < second.utcoffset()  # type: ignore[operator]
        return (first if skipped else second).astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        return None
