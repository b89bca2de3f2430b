"""Text of a literal into its value, checked: numbers in range, days that exist, shapes that close."""

import base64
import calendar
import json
import math
import re
from decimal import Decimal
from typing import Final

from segments.odata.syntax.ast import EnumLiteral, GeoLiteral, Literal
from segments.odata.syntax.lexer import NAME, Cursor, valid_name
from segments.odata.syntax.limits import MAX_DIGITS

NAN: Final = math.nan
"""The one NaN of all trees: two trees with NaN are equal because tuples compare by identity first."""
DURATION: Final = re.compile(
    r"-?P(?=[\dT])(?:\d{1,18}D)?"
    r"(?:T(?=\d)(?:\d{1,18}H)?(?:\d{1,18}M)?(?:\d{1,18}(?:\.\d{1,12})?S)?)?\Z",
    re.ASCII,
)
MONTHS: Final = (0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
BINARY: Final = re.compile(
    r"(?:[A-Za-z0-9_-]{4})*(?:[A-Za-z0-9_-]{2}[AEIMQUYcgkosw048]=?|[A-Za-z0-9_-][AQgw](?:==)?)?\Z"
)
MEMBER: Final = re.compile(rf"(?:{NAME}|[+-]?\d{{1,19}})\Z", re.ASCII)
POSITION: Final = r"(?:[+-]?\d{1,40}(?:\.\d{1,40})?(?:[eE][+-]?\d{1,4})?|NaN|-?INF)"
GEO_TOKEN: Final = re.compile(
    rf"(?P<word>[A-Za-z]+)|(?P<position>{POSITION}(?: {POSITION}){{1,3}})(?![\w.])|(?P<sign>[(),])"
)
SHAPES: Final = {
    s.lower(): s
    for s in ("Point", "LineString", "Polygon", "MultiPoint", "MultiLineString", "MultiPolygon", "GeometryCollection")
}
"""The seven shapes, spelt as they are printed."""


def plain(cursor: Cursor) -> Literal:
    """The literal at a token of kind string, guid, date, dateTimeOffset, timeOfDay or number; does not step on."""
    kind, text, at = cursor.kind, cursor.text, cursor.start
    if kind == "string":
        return Literal("string", text[1:-1].replace("''", "'"), at)
    if kind == "number":
        return number(cursor, text)
    if kind == "guid":
        return Literal("guid", text.lower(), at)
    if kind == "date":
        _check_day(cursor, text)
        return Literal("date", text, at)
    if kind == "timeOfDay":
        _check_time(cursor, text)
        return Literal("timeOfDay", text, at)
    day, time = text.upper().split("T")
    clock, zone = (time[:-1], "") if time.endswith("Z") else (time[:-6], time[-5:])
    _check_day(cursor, day)
    _check_time(cursor, clock)
    if zone:
        _check_time(cursor, zone)
    return Literal("dateTimeOffset", text.upper(), at)


def number(cursor: Cursor, text: str) -> Literal:
    """Whole numbers are int, those with a point Decimal, those with an exponent float."""
    if text.endswith("INF"):
        return Literal("double", -math.inf if text[0] == "-" else math.inf, cursor.start)
    mantissa = text.lower().partition("e")[0]
    if len(mantissa) > MAX_DIGITS and sum(map(str.isdigit, mantissa)) > MAX_DIGITS:
        cursor.fail(f"a number of more than {MAX_DIGITS} digits", hint="no column can hold it")
    if len(mantissa) < len(text):
        value = float(text) if len(text) < 400 else math.inf
        if math.isinf(value):
            cursor.fail("a number beyond the range of a double", hint="the largest is 1.797e308; infinity is INF")
        return Literal("double", value, cursor.start)
    if "." in text:
        return Literal("decimal", Decimal(text), cursor.start)
    return Literal("integer", int(text), cursor.start)


def typed(cursor: Cursor) -> Literal | EnumLiteral | GeoLiteral:
    """`duration'…'`, `binary'…'`, `geography'…'`, `geometry'…'` or an enumeration; does not step on."""
    prefix, at = cursor.text, cursor.start
    content = cursor.source.text[at + len(prefix) + 1 : cursor.end - 1].replace("''", "'")
    word = prefix.lower() if cursor.any_case else prefix
    if word == "duration":
        text = content.upper() if cursor.any_case else content
        if not DURATION.match(text):
            cursor.fail(
                "not a duration",
                expected="days to seconds such as 'P1DT12H30M5.5S'",
                hint="years and months have no fixed length",
            )
        return Literal("duration", text, at)
    if word == "binary":
        if not BINARY.match(content):
            cursor.fail("not base64url", expected="letters, digits, - and _")
        return Literal(
            "binary", base64.urlsafe_b64decode(content.rstrip("=") + "=" * (-len(content.rstrip("=")) % 4)), at
        )
    if word in {"geography", "geometry"}:
        srid, shape = _shape(cursor, content)
        return GeoLiteral("geography" if word == "geography" else "geometry", srid, shape, at)
    cursor.check_name(prefix)
    members = tuple(m.removeprefix("+") for m in content.split(","))
    for member in content.split(","):
        if not MEMBER.match(member) or not (member.lstrip("+-").isdigit() or valid_name(member)):
            cursor.fail(
                f"{member[:40]!r} is no member of an enumeration", expected="names or whole numbers, comma between"
            )
    return EnumLiteral(prefix, members, at)


def json_string(cursor: Cursor, text: str) -> str:
    """What a JSON string says."""
    try:
        value = str(json.loads(text, strict=False))
        value.encode("utf-8")
    except (ValueError, UnicodeEncodeError):
        cursor.fail("not a JSON string", hint='escapes are \\" \\\\ \\/ \\b \\f \\n \\r \\t and \\u with four digits')
    if "\x00" in value:
        cursor.fail("a NUL character is never part of a question")
    return value


def _check_day(cursor: Cursor, text: str) -> None:
    year, month, day = text.rsplit("-", 2)
    if len(year.lstrip("-")) > 4 and year.lstrip("-")[0] == "0":
        cursor.fail(f"{text} has a year with a leading zero")
    m, d = int(month), int(day)
    if not 1 <= m <= 12 or not 1 <= d <= (29 if m == 2 and calendar.isleap(abs(int(year))) else MONTHS[m]):
        cursor.fail(f"there is no day {text}", expected="year-month-day")


def _check_time(cursor: Cursor, text: str) -> None:
    hour, minute, *second = text.split(":")
    if int(hour) > 23 or int(minute) > 59 or (second and (int(second[0][:2]) > 60)):
        cursor.fail(f"there is no time {text}", expected="00:00 to 23:59:60")


class _Shapes:
    """The words, positions and signs of one shape; positions of the grammar's numbers are kept as written."""

    def __init__(self, cursor: Cursor, text: str) -> None:
        self.cursor, self.text, self.at, self.depth = cursor, text, 0, 0
        self.out: list[str] = []

    def token(self, kind: str, wanted: str = "") -> str:
        match = GEO_TOKEN.match(self.text, self.at)
        found = match[kind] if match else None
        if match is None or found is None or (wanted and found != wanted):
            self.cursor.fail(
                "not a shape",
                expected=f"{wanted or kind} behind {self.text[: self.at][-30:]!r}",
                hint="Point(4.3 52.1): numbers parted by one space, positions by commas",
            )
        self.at = match.end()
        return found

    def many(self, one: str, *, least: int = 1) -> None:
        self.out.append(self.token("sign", "("))
        if not least and self.text.startswith(")", self.at):
            self.out.append(self.token("sign", ")"))
            return
        count = 1
        self.one(one)
        while self.text.startswith(",", self.at):
            self.out.append(self.token("sign", ","))
            self.one(one)
            count += 1
        if count < least:
            self.cursor.fail("not a shape", expected=f"at least {least} positions")
        self.out.append(self.token("sign", ")"))

    def one(self, kind: str) -> None:
        if kind == "position":
            self.out.append(self.token("position"))
        elif kind == "shape":
            self.shape()
        elif kind == "point":
            self.out.append(self.token("sign", "("))
            self.out.append(self.token("position"))
            self.out.append(self.token("sign", ")"))
        elif kind == "line":
            self.many("position", least=2)
        elif kind == "ring":
            self.ring()
        else:
            self.many("ring")

    def ring(self) -> None:
        start = len(self.out) + 1
        self.many("position")
        if self.out[start] != self.out[-2]:
            self.cursor.fail("a ring is not closed", hint="its first and last position must be the same")

    def shape(self) -> None:
        word = SHAPES.get(self.token("word").lower())
        self.depth += 1
        if word is None or self.depth > 10:
            self.cursor.fail("not a shape", expected=", ".join(SHAPES.values()))
        self.out.append(word)
        if word == "Point":
            self.one("point")
        elif word in {"LineString", "Polygon"}:
            self.one("line" if word == "LineString" else "polygon")
        elif word == "GeometryCollection":
            self.many("shape")
        else:
            self.many({"MultiPoint": "point", "MultiLineString": "line", "MultiPolygon": "polygon"}[word], least=0)
        self.depth -= 1


def _shape(cursor: Cursor, content: str) -> tuple[int, str]:
    head, semicolon, rest = content.partition(";")
    if not semicolon or not re.fullmatch(r"SRID=\d{1,5}", head, re.IGNORECASE | re.ASCII):
        cursor.fail("a shape without its reference system", expected="SRID= and up to five digits, then a semicolon")
    reader = _Shapes(cursor, rest)
    reader.shape()
    if reader.at < len(rest):
        cursor.fail("not a shape", expected=f"the end behind {rest[: reader.at][-30:]!r}")
    return int(head[5:]), "".join(reader.out)
