r"""How dates are written, and the SQL that reads them.

Undeclared dates are recognised in these spellings, value by value, so that a column may mix them:

    iso         2024-05-17, 2024-05-17T09:30, 2024-05-17 09:30:00.123, …Z, …+02:00
    en-US       5/17/2024, 05/17/2024 9:30 PM, 5/17/2024, 21:30:00
    day-first   17/5/2024, 17.05.2024 09:30, 17-05-2024     only when `dates: day-first` says so

Two-digit years, month names, yyyymmdd and everything else need a declared format. An instant with an offset becomes
UTC; one without is taken as it stands.
"""

import re
from dataclasses import dataclass
from typing import Literal

from unify.core.errors import SpecError
from unify.core.names import literal

Spelling = Literal["iso", "en-US", "day-first"]

_CLOCK = r"\d{1,2}:\d{2}(:\d{2}(\.\d{1,9})?)?( ?[AaPp][Mm])?"
_ISO_CLOCK = r"[0-2]\d:\d{2}(:\d{2}([.,]\d{1,9})?)?"
_OFFSET = r" ?([Zz]|[+-](0\d|1[0-4])(:?[0-5]\d)?)"


@dataclass(frozen=True, slots=True)
class Family:
    """One way to write: the shape a value must have, and the SQL (over `{v}`) that makes a TIMESTAMP of it or null.

    lengths  of the shortest and longest text of the shape; None: any. All are ASCII, so bytes, which cost next to
             nothing to count; an expression takes 0.15 s per million values.
    """

    spelling: Spelling
    has_time: bool
    shape: str
    parse: str
    lengths: tuple[int, int | None]

    def matches(self, value: str) -> str:
        """SQL condition: the text has the shape."""
        least, most = self.lengths
        size = f">= {least}" if most is None else f"BETWEEN {least} AND {most}"
        return f"(strlen({value}) {size} AND regexp_full_match({value}, {literal(self.shape)}))"


def _strptime(formats: list[str]) -> str:
    """The first format that reads `{v}`."""
    return f"try_strptime({{v}}, [{', '.join(literal(f) for f in formats)}])"


def _timed(days: list[str]) -> str:
    """The same with a clock, after a blank or a comma and a blank."""
    clocks = ["%I:%M %p", "%I:%M%p", "%I:%M:%S %p", "%I:%M:%S%p", "%H:%M", "%H:%M:%S", "%H:%M:%S.%f"]
    return _strptime([f"{day} {clock}" for day in days for clock in clocks]).replace("{v}", "replace({v}, ',', '')")


_US_DAY, _FIRST_DAY = r"\d{1,2}/\d{1,2}/\d{4}", r"\d{1,2}(/\d{1,2}/|\.\d{1,2}\.|-\d{1,2}-)\d{4}"
_ISO_DAY = r"\d{4}-\d{2}-\d{2}"
_ISO_TEXT = "replace(upper({v}), ',', '.')"
_INSTANT = rf"(TRY_CAST(regexp_replace({_ISO_TEXT}, ' ([Z+-])', '\1') AS TIMESTAMPTZ) AT TIME ZONE 'UTC')"
"""Through TIMESTAMPTZ because a cast to TIMESTAMP drops the offset."""
_US, _FIRST = ["%m/%d/%Y"], ["%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y"]
FAMILIES: tuple[Family, ...] = (
    Family("iso", False, _ISO_DAY, "TRY_CAST({v} AS TIMESTAMP)", (10, 10)),
    Family("iso", True, _ISO_DAY + "[Tt ]" + _ISO_CLOCK, f"TRY_CAST({_ISO_TEXT} AS TIMESTAMP)", (16, 29)),
    Family("iso", True, _ISO_DAY + "[Tt ]" + _ISO_CLOCK + _OFFSET, _INSTANT, (17, 36)),
    Family("en-US", False, _US_DAY, _strptime(_US), (8, 10)),
    Family("en-US", True, _US_DAY + ",? " + _CLOCK, _timed(_US), (13, None)),
    Family("day-first", False, _FIRST_DAY, _strptime(_FIRST), (8, 10)),
    Family("day-first", True, _FIRST_DAY + ",? " + _CLOCK, _timed(_FIRST), (13, None)),
)


def families(dates: Spelling | None, *, with_time: bool) -> tuple[Family, ...]:
    """The spellings that may occur: ISO always; en-US unless another one is declared; day-first when declared."""
    spellings = {None: ("iso", "en-US"), "iso": ("iso",), "en-US": ("iso", "en-US"), "day-first": ("iso", "day-first")}
    return tuple(f for f in FAMILIES if f.spelling in spellings[dates] and (with_time or not f.has_time))


def read_families(value: str, chosen: tuple[Family, ...], *, sure: bool = False) -> str:
    """SQL: the TIMESTAMP that `value` (SQL) spells in one of the chosen families, else null.

    `sure`: every value is known to have one of the shapes, so that the last one need not be looked at.
    """
    reads = [f.parse.replace("{v}", value) for f in chosen]
    last = reads.pop() if sure else "NULL"
    cases = " ".join(f"WHEN {f.matches(value)} THEN {read}" for f, read in zip(chosen, reads, strict=False))
    return f"CASE {cases} ELSE {last} END" if cases else last


def read_days(value: str, chosen: tuple[Family, ...]) -> str:
    """SQL: the DATE that `value` (SQL) spells in one of the chosen families, else null; with a time of day, only 0:00.

    Day and time are never read twice: nothing within a CASE is shared.
    """
    days = " ".join(
        f"WHEN {f.matches(value)} THEN CAST({f.parse.replace('{v}', value)} AS DATE)" for f in chosen if not f.has_time
    )
    instant = read_families(value, tuple(f for f in chosen if f.has_time))
    return f"CASE {days} WHEN ({instant}) = date_trunc('day', {instant}) THEN CAST({instant} AS DATE) END"


def names_of(chosen: tuple[Family, ...]) -> str:
    """The spellings, as a report shows them: `iso, en-US`."""
    return ", ".join(dict.fromkeys(f.spelling for f in chosen))


def read_formats(value: str, formats: tuple[str, ...], where: str) -> str:
    """SQL: the TIMESTAMP that `value` spells in the first of the declared formats that reads it, else null.

    A year of four digits (%Y) must have four: DuckDB would read 86 as the year 86.
    """
    parts = []
    for pattern in formats:
        strptime = to_strptime(pattern, where)
        parsed = f"try_strptime({value}, {literal(strptime)})"
        if "%z" in strptime:
            parsed = f"({parsed} AT TIME ZONE 'UTC')"
        if "%Y" in strptime:
            parsed = f"CASE WHEN year({parsed}) >= 1000 THEN {parsed} END"
        parts.append(parsed)
    return f"coalesce({', '.join(parts)})" if len(parts) > 1 else parts[0]


_JAVA: dict[str, str] = {
    "yyyy": "%Y", "uuuu": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%m", "dd": "%d", "d": "%d",
    "HH": "%H", "H": "%H", "hh": "%I", "h": "%I", "mm": "%M", "m": "%M", "ss": "%S", "s": "%S", "SSS": "%g",
    "SSSSSS": "%f", "a": "%p", "EEE": "%a", "EEEE": "%A", "Z": "%z", "X": "%z", "XX": "%z", "XXX": "%z", "xxx": "%z",
}  # fmt: skip
_JAVA_TOKEN = re.compile(r"'((?:[^']|'')*)'|([A-Za-z])\2*|[^A-Za-z']+")
_STRPTIME = frozenset("aAbBdfgHIjmMnpSyYzuUwW%-")
_TIME_OF_DAY = re.compile(r"%-?[HIMSpfgnz]")


def to_strptime(pattern: str, where: str) -> str:
    """A declared format as strptime; patterns without `%` are Java style. Raises SpecError for letters nobody knows.

    >>> to_strptime("dd.MM.yyyy HH:mm", ""), to_strptime("yyyy-MM-dd'T'HH:mm", ""), to_strptime("%d/%m/%y", "")
    ('%d.%m.%Y %H:%M', '%Y-%m-%dT%H:%M', '%d/%m/%y')
    """
    if "%" in pattern:
        unknown = [m[0] for m in re.finditer(r"%(-?.|$)", pattern) if not m[1] or m[1].lstrip("-")[:1] not in _STRPTIME]
        if unknown:
            hint = "known are e.g. %Y %m %d %H %I %p %M %S %f %z"
            raise SpecError(f"unknown {unknown[0]!r} in the format {pattern!r}", where=where, hint=hint)
        _needs_a_date(pattern, pattern, where)
        return pattern
    parts: list[str] = []
    position = 0
    for token in _JAVA_TOKEN.finditer(pattern):
        if token.start() != position:
            break
        position = token.end()
        text = token[0]
        if token[1] is not None:
            parts.append((token[1].replace("''", "'") or "'").replace("%", "%%"))
        elif token[2]:
            if text not in _JAVA:
                hint = "known are e.g. yyyy MM dd HH hh mm ss SSS a XXX; put other letters in 'quotes'"
                raise SpecError(f"unknown {text!r} in the format {pattern!r}", where=where, hint=hint)
            parts.append(_JAVA[text])
        else:
            parts.append(text)
    if position != len(pattern):
        raise SpecError(f"a quote is not closed in the format {pattern!r}", where=where, hint="write '' for a quote")
    _needs_a_date("".join(parts), pattern, where)
    return "".join(parts)


def _needs_a_date(strptime: str, pattern: str, where: str) -> None:
    kinds = set(re.findall(r"%-?(.)", strptime))
    complete = kinds & {"Y", "y"} and (kinds & {"j"} or (kinds & {"m", "b", "B"} and "d" in kinds))
    if not complete:
        hint = "a format names year, month and day, e.g. dd.MM.yyyy or %d.%m.%Y"
        raise SpecError(f"the format {pattern!r} is not a date", where=where, hint=hint)


def has_time(formats: tuple[str, ...], where: str) -> bool:
    """Whether any of the declared formats reads a time of day."""
    return any(_TIME_OF_DAY.search(to_strptime(f, where)) for f in formats)
