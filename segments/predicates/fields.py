"""What a predicate may speak about: types, the attributes of a table, and the relations between tables.

    Catalog ── tables: {name: Table ── attributes: {name: Attribute(name, type, nullable)}}
            ── relations: {(from table, name): Relation}       a path is a tuple of relation names
            ── segments: {name: table of its members}

All of it is data that the caller hands over; nothing here opens a generation.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from decimal import Decimal, localcontext
from math import isfinite, isnan, nan
from typing import Any, cast
from uuid import UUID

from unify.core.errors import QueryError, SpecError, did_you_mean

Value = bool | int | float | Decimal | str | date | datetime | time | None
"""A value as Python holds it: duration is an int of microseconds, guid a lower-case str, datetime is naive and UTC."""

DIGITS = 38
"""Of a decimal at most: what DuckDB, Spark and Arrow can hold in 128 bits."""
BIGGEST = 2**63 - 1

_SQL = {
    "boolean": "BOOLEAN", "integer": "BIGINT", "double": "DOUBLE", "string": "VARCHAR", "date": "DATE",
    "datetime": "TIMESTAMP", "time": "TIME", "duration": "BIGINT", "guid": "UUID",
}  # fmt: skip
_DECIMAL = re.compile(r"decimal\((\d{1,2}),(\d{1,2})\)\Z", re.IGNORECASE)
KINDS = (*_SQL, "decimal")
NUMBERS = ("integer", "decimal", "double")


@dataclass(frozen=True, slots=True)
class Type:
    """A type: its kind, and for decimal the digits it has and how many of them stand behind the point."""

    kind: str
    precision: int = 0
    scale: int = 0

    @property
    def name(self) -> str:
        """As JSON and messages spell it: `decimal(18,2)`, else the kind."""
        return f"decimal({self.precision},{self.scale})" if self.kind == "decimal" else self.kind

    @property
    def sql(self) -> str:
        """As SQL spells it. A duration is a count of microseconds."""
        return self.name.upper() if self.kind == "decimal" else _SQL[self.kind]

    @property
    def is_number(self) -> bool:
        """Integer, decimal or double."""
        return self.kind in NUMBERS


BOOLEAN, INTEGER, DOUBLE, STRING = Type("boolean"), Type("integer"), Type("double"), Type("string")
DATE, DATETIME, TIME, DURATION, GUID = Type("date"), Type("datetime"), Type("time"), Type("duration"), Type("guid")


def decimal(precision: int, scale: int) -> Type:
    """A decimal type; QueryError when no 128 bits hold it."""
    if not (1 <= precision <= DIGITS and 0 <= scale <= precision):
        hint = f"at most {DIGITS} digits, all decimals included; to_double gives a shorter, inexact number"
        raise QueryError(f"decimal({precision},{scale}) is not possible", hint=hint)
    return Type("decimal", precision, scale)


def parse_type(text: str, where: str = "") -> Type:
    """A type from its name. SpecError with the nearest known one.

    >>> parse_type("decimal(18,2)").sql
    'DECIMAL(18,2)'
    """
    if found := _DECIMAL.match(text):
        try:
            return decimal(int(found[1]), int(found[2]))
        except QueryError as error:
            raise SpecError(error.message, where=where, hint=error.hint) from None
    if text in _SQL:
        return Type(text)
    raise SpecError(f"there is no type {text!r}", where=where, hint=did_you_mean(text, [*_SQL, "decimal(18,2)"]))


_INTEGERS = {"TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER"}
_OF_SQL = {
    "BOOLEAN": BOOLEAN, "FLOAT": DOUBLE, "DOUBLE": DOUBLE, "VARCHAR": STRING, "DATE": DATE, "TIME": TIME, "UUID": GUID,
    "TIMESTAMP": DATETIME, "TIMESTAMP_S": DATETIME, "TIMESTAMP_MS": DATETIME, "TIMESTAMP_NS": DATETIME,
    "TIMESTAMP WITH TIME ZONE": DATETIME, "UBIGINT": Type("decimal", 20, 0), "HUGEINT": Type("decimal", 38, 0),
}  # fmt: skip


def type_of_sql(sql_type: str) -> Type | None:
    """The type of a column of that SQL type; None for lists, structs and what else no predicate compares.

    HUGEINT (what DuckDB's sum of integers gives) reads as decimal(38,0).
    """
    if sql_type in _INTEGERS:
        return INTEGER
    if found := _DECIMAL.match(sql_type):
        return Type("decimal", int(found[1]), int(found[2]))
    return _OF_SQL.get(sql_type)


def type_of_value(value: Value) -> Type:
    """The narrowest type of a Python value; an int beyond 64 bits is a decimal. QueryError when there is none.

    >>> type_of_value(Decimal("1.50")).name
    'decimal(3,2)'
    """
    if isinstance(value, bool):
        return BOOLEAN
    if isinstance(value, int) and -BIGGEST - 1 <= value <= BIGGEST:
        return INTEGER
    if isinstance(value, (int, Decimal)):
        return _type_of_decimal(Decimal(value))
    if isinstance(value, UUID):
        return GUID
    for kind, kind_type in ((float, DOUBLE), (str, STRING), (datetime, DATETIME), (date, DATE), (time, TIME)):
        if isinstance(value, kind):
            return kind_type
    raise QueryError(f"{value!r} has no type here", hint=f"types: {', '.join(KINDS)}")


def _type_of_decimal(value: Decimal) -> Type:
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise QueryError(f"{value} is no decimal", hint="write it as a double")
    scale = max(-exponent, 0)
    return decimal(max(len(digits) + max(exponent, 0), scale, 1), scale)


def conform(kind: Type, value: Any) -> Value:
    """The value as its type holds it; QueryError when the type cannot.

    A datetime with an offset becomes UTC, one without is taken as UTC. −0.0 becomes 0.0.
    """
    if value is None:
        return None
    wanted = _CLASSES[kind.kind]
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind.kind != "boolean"):
        raise QueryError(f"{value!r} is no {kind.name}")
    if kind.kind == "date" and isinstance(value, datetime):
        raise QueryError(f"{value!r} is a datetime, not a date")
    return _CONFORM[kind.kind](kind, value) if kind.kind in _CONFORM else cast("Value", value)


def _integer(_: Type, value: int) -> int:
    if not -BIGGEST - 1 <= value <= BIGGEST:
        raise QueryError(f"{value} is beyond 64 bits", hint="write it as a decimal")
    return value


def _decimal(kind: Type, value: int | Decimal) -> Decimal:
    number = rescale(Decimal(value), kind)
    if number is None or number != value:
        raise QueryError(f"{value} is no {kind.name}")
    return number


def rescale(value: Decimal, kind: Type) -> Decimal | None:
    """The decimal with the type's count of decimals (further ones cut off); None when it has too many digits."""
    with localcontext() as context:
        context.prec = 2 * DIGITS + 2
        if not value.is_finite() or abs(value) >= Decimal(10) ** (kind.precision - kind.scale):
            return None
        return value.quantize(Decimal(1).scaleb(-kind.scale), rounding="ROUND_DOWN") + 0  # SQL has no minus zero


def _text(_: Type, value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise QueryError(f"{value!r} holds half a surrogate pair, which is no character") from None
    return value


def _double(_: Type, value: float) -> float:
    return nan if isnan(value) else float(value) + 0.0  # one NaN, so that equal trees are equal


def _datetime(_: Type, value: datetime) -> datetime:
    return value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value


def _time(_: Type, value: time) -> time:
    if value.tzinfo:
        raise QueryError(f"{value!r} has a time zone; a time of day has none", hint="apply local() to the datetime")
    return value


def _guid(_: Type, value: str | UUID) -> str:
    try:
        return str(UUID(str(value)))
    except ValueError:
        raise QueryError(f"{value!r} is no guid") from None


_CLASSES: dict[str, type | tuple[type, ...]] = {
    "boolean": bool, "integer": int, "decimal": (int, Decimal), "double": (int, float), "string": str, "date": date,
    "datetime": datetime, "time": time, "duration": int, "guid": (str, UUID),
}  # fmt: skip
_CONFORM: dict[str, Callable[[Type, Any], Value]] = {
    "integer": _integer, "duration": _integer, "decimal": _decimal, "double": _double, "string": _text,
    "datetime": _datetime, "time": _time, "guid": _guid,
}  # fmt: skip


def is_finite(value: Value) -> bool:
    """False for the doubles that JSON cannot write: NaN and the infinities."""
    return not isinstance(value, float) or isfinite(value)


# ── tables ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Attribute:
    """A column. `type` is None when no predicate can use it (a list, a struct); `sql_type` says what it is."""

    name: str
    type: Type | None
    sql_type: str
    nullable: bool = True


@dataclass(frozen=True, slots=True)
class Table:
    """A table or view. `id`: the integer column that numbers its rows (customers: `ordinal`); "" when it has none."""

    name: str
    attributes: Mapping[str, Attribute]
    id: str = ""

    @classmethod
    def of_columns(cls, name: str, columns: Mapping[str, str], *, id: str = "") -> "Table":  # noqa: A002 - its name
        """From column name to SQL type, as `Engine.columns` says them."""
        if id and (id not in columns or type_of_sql(columns[id]) != INTEGER):
            raise SpecError(f"{id!r} is no integer column of {name}", hint=did_you_mean(id, columns))
        return cls(name, {c: Attribute(c, type_of_sql(t), t) for c, t in columns.items()}, id)

    def attribute(self, name: str, where: str = "") -> tuple[Attribute, Type]:
        """The attribute of that name and its type. QueryError for an unknown one and for lists and structs."""
        found = self.attributes.get(name)
        if found is None:
            hint = did_you_mean(name, self.attributes)
            raise QueryError(f"{self.name} has no attribute {name!r}", where=where, hint=hint)
        if found.type is None:
            hint = "a predicate compares single values; relate a table with one row per value"
            raise QueryError(f"{self.name}.{name} is {found.sql_type}", where=where, hint=hint)
        return found, found.type


@dataclass(frozen=True, slots=True)
class Relation:
    """A step from one table to another: `from_table.from_column = to_table.to_column`.

    many     one row may lead to many; False promises at most one, so that its attributes can be read as own ones
    through  "" or an entity (`crm.Contacts`): `from_column` is a CustomerId, or the `ordinal`, which joins faster, and
             `to_column` the key of one of the entity's records. The step goes through `members`, so that what belongs
             to alternate and merged records is found at the customer they became part of.
    record_of  "" or an entity: the same step the other way, from the key of a record to the customer it is part of
    """

    name: str
    from_table: str
    from_column: str
    to_table: str
    to_column: str
    many: bool = True
    through: str = ""
    record_of: str = ""
    made_of: str = ""


@dataclass(frozen=True)
class Catalog:
    """The tables, relations and segments that predicates may name.

    customers  the table whose rows are customers: where MemberOf has a meaning
    segments   segment → table with one column, the customers' `id`
    members    the table that maps records to customers: `entity`, `key`, `CustomerId`
    origins    further relations, `made_of` a table: a path may take them, but no question names them
    """

    tables: Mapping[str, Table]
    relations: Mapping[tuple[str, str], Relation] = field(default_factory=dict)
    customers: str = "Customer"
    segments: Mapping[str, str] = field(default_factory=dict)
    members: str = "members"
    origins: Mapping[tuple[str, str], Relation] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        tables: Iterable[Table],
        relations: Iterable[Relation] = (),
        *,
        customers: str = "Customer",
        segments: Mapping[str, str] | None = None,
        members: str = "members",
    ) -> "Catalog":
        """A checked catalog. SpecError for unknown tables or columns, and for two relations of one name and table."""
        by_name = {t.name: t for t in tables}
        steps: dict[tuple[str, str], Relation] = {}
        for r in relations:
            for table, column in ((r.from_table, r.from_column), (r.to_table, r.to_column)):
                _check_column(by_name, table, column, f"relation {r.name}")
            if (r.from_table, r.name) in steps:
                raise SpecError(f"{r.from_table} has two relations called {r.name!r}")
            steps[(r.from_table, r.name)] = r
        return cls(by_name, steps, customers, segments or {}, members)

    def table(self, name: str, where: str = "") -> Table:
        """The table of that name; QueryError."""
        if name not in self.tables:
            raise QueryError(f"there is no table {name!r}", where=where, hint=did_you_mean(name, self.tables))
        return self.tables[name]

    def path(self, table: str, names: tuple[str, ...], where: str = "") -> tuple[Relation, ...]:
        """The relations of a path that starts at `table`; QueryError for the first step that does not exist."""
        steps: list[Relation] = []
        for name in names:
            step = self.relations.get((table, name)) or self.origins.get((table, name))
            if step is None:
                known = [n for t, n in self.relations if t == table]
                raise QueryError(f"{table} has no relation {name!r}", where=where, hint=did_you_mean(name, known))
            steps.append(step)
            table = steps[-1].to_table
        return tuple(steps)


def _check_column(tables: Mapping[str, Table], table: str, column: str, where: str) -> None:
    if table not in tables:
        raise SpecError(f"there is no table {table!r}", where=where, hint=did_you_mean(table, tables))
    if column not in tables[table].attributes:
        hint = did_you_mean(column, tables[table].attributes)
        raise SpecError(f"{table} has no column {column!r}", where=where, hint=hint)
