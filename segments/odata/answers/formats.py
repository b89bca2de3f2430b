"""Values as OData writes them, in JSON and in CSV.

    string, boolean     as they are                     integer (64 bits)   a number
    decimal             a number, every digit           double              a number; "NaN", "INF", "-INF" as text
    datetime            2024-01-31T12:00:00.5Z          date, time          2024-01-31, 12:00:00
    guid                lower case                      duration            P1DT2H3.5S
    binary              base64url                       list, struct        array, object

Null is written, never left out. Documented in docs/odata.md; `IEEE754Compatible=true` makes text of integers and
decimals for clients whose numbers are doubles.
"""

import csv
import io
import math
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any
from uuid import UUID

from segments.odata.errors import ODataUnsupportedError
from segments.predicates.fields import Type
from unify.core.errors import QueryError

JSON = "application/json"
CSV = "text/csv"
TEXT = "text/plain"


@dataclass(frozen=True, slots=True)
class Format:
    """What `$format` asks for. `metadata`: minimal, or none, which leaves `@odata.context` out."""

    media: str = JSON
    metadata: str = "minimal"
    ieee754: bool = False

    @property
    def content_type(self) -> str:
        """The header of an HTTP answer."""
        if self.media == CSV:
            return "text/csv; charset=utf-8"
        extra = ";IEEE754Compatible=true" if self.ieee754 else ""
        return f"{JSON};odata.metadata={self.metadata}{extra}"


def format_of(text: str | None) -> Format:
    """`$format` read: `json`, `csv`, or a media type with its parameters. ODataUnsupportedError for another one."""
    if text is None:
        return Format()
    media, *parameters = (part.strip() for part in text.lower().split(";"))
    media = {"json": JSON, "csv": CSV}.get(media, media)
    if media not in (JSON, CSV):
        hint = "json, csv, or application/json with odata.metadata=minimal or none"
        raise ODataUnsupportedError(f"there is no answer in the format {text[:40]!r}", where="$format", hint=hint)
    found = {}
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        found[name.removeprefix("odata.").strip()] = value.strip()
    metadata, ieee754 = found.pop("metadata", "minimal"), found.pop("ieee754compatible", "false")
    streaming, charset = found.pop("streaming", "false"), found.pop("charset", "utf-8")
    if found or streaming not in ("true", "false") or charset not in ("utf-8", "utf8"):
        raise ODataUnsupportedError(f"there is no format {text[:60]!r}", where="$format", hint="json or csv")
    if metadata not in ("minimal", "none") or ieee754 not in ("true", "false"):
        hint = "odata.metadata is minimal or none, IEEE754Compatible true or false"
        raise ODataUnsupportedError(f"there is no format {text[:60]!r}", where="$format", hint=hint)
    return Format(media, metadata, ieee754 == "true")


# ── values ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def converted(values: Sequence[Any], kind: Type | None) -> list[Any]:
    """Values of a column as JSON can hold them; decimals stay Decimal, so that no digit is lost before the text."""
    if kind is not None and kind.kind in ("string", "boolean", "integer"):
        return list(values)
    convert = _CONVERT.get(kind.kind, plain) if kind is not None else plain
    return [None if v is None else convert(v) for v in values]


def plain(value: Any) -> Any:
    """A value of any type that a column may have."""
    if value is None or isinstance(value, bool | int | str | Decimal):
        return value
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    for known, convert in _OF_PYTHON:
        if isinstance(value, known):
            return convert(value)
    return str(value)


def _datetime(value: datetime) -> str:
    at = value.astimezone(UTC) if value.tzinfo else value
    text = at.strftime("%H:%M:%S") if not at.microsecond else at.strftime("%H:%M:%S.%f").rstrip("0")
    return f"{at.date().isoformat()}T{text}Z"


def _time(value: time) -> str:
    return value.isoformat() if not value.microsecond else value.isoformat().rstrip("0")


def _double(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "INF" if value > 0 else "-INF"


def duration_text(microseconds: int) -> str:
    """
    >>> duration_text(93_784_500_000), duration_text(-1_000_000), duration_text(0)
    ('P1DT2H3M4.5S', '-PT1S', 'PT0S')
    """
    sign, rest = ("-", -microseconds) if microseconds < 0 else ("", microseconds)
    seconds, fraction = divmod(rest, 1_000_000)
    days, seconds = divmod(seconds, 86_400)
    hours, seconds = divmod(seconds, 3_600)
    minutes, seconds = divmod(seconds, 60)
    last = f"{seconds}.{fraction:06}".rstrip("0") if fraction else str(seconds)
    clock = f"{hours}H" * bool(hours) + f"{minutes}M" * bool(minutes) + f"{last}S" * bool(seconds or fraction)
    date_ = f"{days}D" * bool(days)
    return f"{sign}P{date_}T{clock}" if clock else f"{sign}P{date_}" if date_ else "PT0S"


def _timedelta(value: timedelta) -> str:
    return duration_text(value // timedelta(microseconds=1))


def _guid(value: Any) -> str:
    return str(UUID(bytes=value)) if isinstance(value, bytes) else str(value)


_CONVERT: dict[str, Callable[[Any], Any]] = {
    "datetime": _datetime, "date": date.isoformat, "time": _time, "double": _double, "duration": duration_text,
    "guid": _guid, "decimal": Decimal,
}  # fmt: skip
_OF_PYTHON: tuple[tuple[type, Callable[[Any], Any]], ...] = (
    (float, _double), (datetime, _datetime), (date, date.isoformat), (time, _time), (timedelta, _timedelta),
    (bytes, lambda v: urlsafe_b64encode(v).decode().rstrip("=")),
)  # fmt: skip


# ── text ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def json_text(value: Any, *, ieee754: bool = False) -> str:
    """A converted value as JSON, decimals with every digit they have."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, int | Decimal):
        text = f"{value:f}" if isinstance(value, Decimal) else str(value)
        return f'"{text}"' if ieee754 else text
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, dict):
        return "{" + ",".join(f"{encode_basestring(k)}:{json_text(v, ieee754=ieee754)}" for k, v in value.items()) + "}"
    return "[" + ",".join(json_text(v, ieee754=ieee754) for v in value) + "]"


def csv_text(names: Sequence[str], rows: Iterable[Sequence[Any]], *, header: bool = True) -> str:
    """Rows as CSV: null is empty, true and false in lower case, lists and structs as JSON; lines end with CRLF."""
    out = io.StringIO()
    writer = csv.writer(out)
    if header:
        writer.writerow(names)
    writer.writerows([_cell(v) for v in row] for row in rows)
    return out.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, bool | Decimal | dict | list):
        return json_text(value)
    return value


def refuse_csv(reason: str) -> QueryError:
    """The error for an answer that no CSV can hold."""
    return QueryError(f"CSV cannot hold {reason}", where="$format", hint="ask for JSON, or for the related set alone")
