"""Column types: their names, their SQL, and how a text becomes a value of one or is refused.

| type         | SQL          | a declared column reads                                                        |
|--------------|--------------|--------------------------------------------------------------------------------|
| string       | VARCHAR      | every text as it stands                                                        |
| integer      | BIGINT       | 12, +12, 0012, 12.0                                                            |
| double       | DOUBLE       | 1.5, .5, 1e-3; not nan, not infinity                                           |
| decimal(p,s) | DECIMAL(p,s) | 1.50 exactly: more than s decimals (zeros aside) or p digits are refused       |
| boolean      | BOOLEAN      | true/false, yes/no, y/n, t/f, 1/0, any case                                    |
| date         | DATE         | the spellings of dates.py, or the declared formats; a time other than 0:00 is refused |
| datetime     | TIMESTAMP    | the same with times; UTC                                                       |
| guid         | UUID         | 8-4-4-4-12 hex digits, also in braces or without dashes                        |

Blanks around a value are ignored by all but string.
"""

import re
from dataclasses import dataclass

from ingest.dates import Spelling, families, has_time, read_days, read_families, read_formats
from unify.core.errors import SpecError, did_you_mean
from unify.core.names import literal
from unify.spec import Column

_SQL = {
    "string": "VARCHAR", "integer": "BIGINT", "double": "DOUBLE", "boolean": "BOOLEAN", "date": "DATE",
    "datetime": "TIMESTAMP", "guid": "UUID",
}  # fmt: skip
_DECIMAL = re.compile(r"decimal\(\s*(\d{1,2})\s*(?:,\s*(\d{1,2})\s*)?\)\Z")
_OTHER_NAMES = {
    "text": "string", "varchar": "string", "str": "string", "int": "integer", "bigint": "integer", "long": "integer",
    "float": "double", "number": "double", "real": "double", "bool": "boolean", "timestamp": "datetime",
    "datetimeoffset": "datetime", "uuid": "guid", "numeric": "decimal(18,2)", "decimal": "decimal(18,2)",
    "record": "string", "list": "string", "binary": "string",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class ColumnType:
    """A column's type; precision and scale belong to decimal."""

    kind: str
    precision: int = 0
    scale: int = 0

    @property
    def name(self) -> str:
        """As a project spells it."""
        return f"decimal({self.precision},{self.scale})" if self.kind == "decimal" else self.kind

    @property
    def sql(self) -> str:
        """As SQL spells it."""
        return self.name.upper() if self.kind == "decimal" else _SQL[self.kind]


STRING = ColumnType("string")
INTEGER = ColumnType("integer")
DOUBLE = ColumnType("double")
BOOLEAN = ColumnType("boolean")
DATE = ColumnType("date")
DATETIME = ColumnType("datetime")
GUID = ColumnType("guid")


def parse_type(text: str, where: str) -> ColumnType:
    """The type a project names. Raises SpecError with the nearest known name.

    >>> parse_type("decimal(18, 2)", "").sql
    'DECIMAL(18,2)'
    """
    wanted = text.strip().lower()
    if wanted in _SQL:
        return ColumnType(wanted)
    if found := _DECIMAL.match(wanted):
        precision, scale = int(found[1]), int(found[2] or 0)
        if 1 <= precision <= 38 and scale <= precision:
            return ColumnType("decimal", precision, scale)
        hint = "at most 38 digits, and no more decimals than digits, e.g. decimal(18,2)"
        raise SpecError(f"{text!r} is not possible", where=where, hint=hint)
    known = [*_SQL, "decimal(18,2)"]
    hint = f"did you mean {_OTHER_NAMES[wanted]}?" if wanted in _OTHER_NAMES else did_you_mean(wanted, known)
    raise SpecError(f"unknown type {text!r}", where=where, hint=hint)


def declared_type(column: Column | None, where: str) -> ColumnType | None:
    """What a project says about a column; a format alone says date, or datetime if it has a time of day."""
    if column is None or (column.type is None and not column.format):
        return None
    if column.type is None:
        return DATETIME if has_time(column.format, where) else DATE
    found = parse_type(column.type, where)
    if column.format and found.kind not in ("date", "datetime"):
        hint = "formats belong to date and datetime; remove it, or change the type"
        raise SpecError(f"a {found.name} column has no format", where=where, hint=hint)
    return found


@dataclass(frozen=True, slots=True)
class Reading:
    """How the text of one column is read: its type, declared formats, default spelling of dates, decimal mark."""

    type: ColumnType
    formats: tuple[str, ...] = ()
    dates: Spelling | None = None
    decimal: str = "."
    where: str = ""

    def sql(self, text: str) -> str:
        """SQL over a VARCHAR expression: the typed value, or null when the text is none."""
        kind, value = self.type.kind, f"trim({text})"
        if kind == "string":
            return text
        if kind == "integer":
            shape = rf"[+-]?\d+({re.escape(self.decimal)}0*)?"
            digits = f"regexp_replace({value}, '[.,].*', '')"
            return f"CASE WHEN regexp_full_match({value}, {literal(shape)}) THEN TRY_CAST({digits} AS BIGINT) END"
        if kind == "double":
            mark = re.escape(self.decimal)
            shape = rf"[+-]?(\d+{mark}?\d*|{mark}\d+)([eE][+-]?\d+)?"
            number = f"TRY_CAST({self._point(value)} AS DOUBLE)"
            return f"CASE WHEN regexp_full_match({value}, {literal(shape)}) AND isfinite({number}) THEN {number} END"
        if kind == "decimal":
            return self._decimal(value)
        if kind == "boolean":
            return (
                f"CASE WHEN lower({value}) IN ('true', 'yes', 'y', 't', '1') THEN true "
                f"WHEN lower({value}) IN ('false', 'no', 'n', 'f', '0') THEN false END"
            )
        if kind == "guid":
            hexes = r"[0-9a-fA-F]"
            dashed = rf"{hexes}{{8}}-{hexes}{{4}}-{hexes}{{4}}-{hexes}{{4}}-{hexes}{{12}}"
            shape = rf"{dashed}|\{{{dashed}\}}|{hexes}{{32}}"
            bare = f"replace(replace({value}, '{{', ''), '}}', '')"
            return f"CASE WHEN regexp_full_match({value}, {literal(shape)}) THEN TRY_CAST({bare} AS UUID) END"
        return self._date(value)

    def _point(self, value: str) -> str:
        return value if self.decimal == "." else f"replace({value}, {literal(self.decimal)}, '.')"

    def _decimal(self, value: str) -> str:
        """Exact or nothing: DuckDB's own cast rounds what does not fit the scale."""
        whole, scale, mark = self.type.precision - self.type.scale, self.type.scale, re.escape(self.decimal)
        integer = rf"0*\d{{0,{whole}}}"
        fraction = rf"\d{{0,{scale}}}0*"
        shape = rf"[+-]?{integer}({mark}{fraction})?"
        has_digit = f"regexp_matches({value}, '[0-9]')"
        led = f"regexp_replace({self._point(value)}, '^([+-]?)\\.', '\\10.')"  # .5 is 0.5: nothing is left of .0 else
        cut = f"regexp_replace({led}, '(\\.[0-9]{{{scale}}})[0-9]*', '\\1')"
        return (
            f"CASE WHEN regexp_full_match({value}, {literal(shape)}) AND {has_digit} "
            f"THEN TRY_CAST({cut} AS {self.type.sql}) END"
        )

    def _date(self, value: str) -> str:
        if self.formats:
            instant = read_formats(value, self.formats, self.where)
            return instant if self.type.kind == "datetime" else f"CAST({instant} AS DATE)"
        chosen = families(self.dates, with_time=True)
        return read_families(value, chosen) if self.type.kind == "datetime" else read_days(value, chosen)

    @property
    def reason(self) -> str:
        """What is wrong with a text that is none."""
        article = "an" if self.type.kind[0] in "aeiou" else "a"
        return f"not {article} {self.type.name}"
