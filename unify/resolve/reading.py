"""A record as it was handed over becomes what rules compare: by the parsing of ingest and the normalisers of the run.

    {"EMail": " Ada@X.com", "DateOfBirth": "5/17/1964"}
      ─ columns known? ─ types, as ingest reads them ─ row filter ─▶ typed values
      ─ normalisers ─ junk is no value ─▶ Record

Nothing is asked of DuckDB but how to read a value that is neither text, an ISO date nor a whole number.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from uuid import UUID

from ingest.filters import filter_predicate
from ingest.types import Reading, parse_type
from unify.conflation.junk.effects import forms_of
from unify.conflation.normalize import look_up
from unify.core.engine import Engine
from unify.core.errors import QueryError, SpecError, did_you_mean
from unify.core.names import quote
from unify.core.steps import Query
from unify.engines.statements import Statements
from unify.resolve.alike import Value
from unify.resolve.memory import READ, Held, Memory, text_of
from unify.resolve.normalising import Change, chain, joined
from unify.spec import Column, Joined, parts

ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
ISO_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{3}([0-9]{3})?)?\Z")
SMALL = re.compile(r"-?[0-9]{1,18}\Z")
"""Whole numbers that surely fit 64 bits."""


@dataclass(frozen=True)
class Record:
    """A record that was handed over.

    given    typed values by column, null where none was given
    values   prepared column to its value
    junk     what its values are that are no evidence, or no proof by themselves: sentences
    kept     whether the row filter of its entity keeps it
    """

    entity: str
    key: Any
    given: dict[str, Any]
    values: dict[str, Value | None]
    junk: tuple[str, ...] = ()
    kept: bool = True


@dataclass(frozen=True)
class _Typed:
    """A value in its column's type, and that as text, which normalisers and comparisons see; `more`: what is read in
    it as number or date, by comparison."""

    value: Any
    text: str
    plain: str
    more: Mapping[str, tuple[Any, ...]]


class Reader:
    """Reads records of one entity."""

    def __init__(self, engine: Engine, memory: Memory, held: Held, declared: Mapping[str, str]) -> None:
        """`declared`: column to its type as ingest names it (the table `entities`)."""
        self.memory, self.held = memory, held
        self.entity = memory.project.entity(held.name)
        self.where = f"record of {held.name}"
        self.types = held.prepared.types
        self.readings = {c: self._reading(c, declared.get(c, "")) for c in self.types}
        self.forms = forms_of(memory.lies, held.prepared)
        self.fields = {f.number: f for f in memory.lies.fields}
        self.filter = filter_predicate(self.entity, self.types, where=f"{held.name}.where")
        self.changes = {v: self._change(engine, v) for v in held.prepared.values.values()}
        self._sql: dict[tuple[str, bool], str] = {}

    def _reading(self, column: str, declared: str) -> Reading | None:
        """How a column's text is read; None for a type that no text can be."""
        try:
            kind = parse_type(declared, self.where)
        except SpecError:
            return None
        formats = self.entity.columns.get(column, Column()).format
        return Reading(kind, formats, self.entity.dates, self.entity.csv.decimal, f"{self.held.name}.columns.{column}")

    def _change(self, engine: Engine, v: str) -> Change:
        _, steps, criterion = self.held.prepared.recipes[v]
        return chain(steps, look_up(engine, steps, self.held.prepared.lists), criterion)

    def read(self, asked: Statements, record: Mapping[str, Any]) -> Record:
        """One record. QueryError for an unknown column, a value that does not fit, an empty key."""
        typed: dict[str, _Typed] = {}
        for column, value in record.items():
            if column not in self.types:
                hint = did_you_mean(str(column), self.types)
                raise QueryError(f"there is no column {column!r}", where=self.where, hint=hint)
            text = self._text(column, value)
            if text is not None:
                typed[column] = self._typed(asked, column, text, native=not isinstance(value, str))
        given = {c: typed[c].value if c in typed else None for c in self.types}
        key = given[self.entity.key]
        if self.entity.key in record and (key is None or (isinstance(key, str) and not key.strip())):
            hint = f"leave {self.entity.key} out when the record has none yet"
            raise QueryError("the primary key is empty", where=self.where, hint=hint)
        values = {v: self._value(asked, v, typed) for v in self.changes}
        junk = self._drop_junk(values)
        return Record(self.held.name, key, given, values, junk, self._kept(asked, given))

    # ── types ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _text(self, column: str, value: Any) -> str | None:
        """A value as ingest meets it in a file; dates and numbers of Python are spelled exactly."""
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return None
        if isinstance(value, str):
            if "\x00" in value:
                raise QueryError("a text with a NUL character", where=f"{self.where}, {column}", hint="remove it")
            return None if value in self.entity.csv.null else value
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, Decimal):
            return f"{value:f}"
        if isinstance(value, (date, datetime, time)):
            return value.isoformat()
        if isinstance(value, (int, float, UUID)):
            return str(value)
        if hasattr(value, "item"):  # a numpy scalar
            return self._text(column, value.item())
        raise QueryError(
            f"a {type(value).__name__} is nothing that a column holds",
            where=f"{self.where}, {column}",
            hint="hand over text, a number, a date, true or false, or nothing",
        )

    def _typed(self, asked: Statements, column: str, text: str, *, native: bool) -> _Typed:
        """A text in its column's type. `native`: it was no text, so it is read in no declared format."""
        kind, reading = self.types[column], self.readings[column]
        if kind == "VARCHAR":
            return _Typed(text, text, text, {})
        quick = self._quick(kind, reading, text, native=native)
        if quick is not None:
            return quick
        if reading is not None:
            if (column, native) not in self._sql:
                self._sql[column, native] = self._reading_sql(kind, reading, native=native)
            value, plain, canonical, *more = asked.ask(self._sql[column, native], [text]) or (None, "", "")
            if value is not None:
                at = iter(more)
                read = {how: tuple(next(at) for _ in sqls) for how, sqls in READ.items()}
                return _Typed(value, canonical, plain, read)
        raise QueryError(
            f"{text!r} is {reading.reason if reading else f'no value of type {kind}'}",
            where=f"{self.where}, {column}",
            hint=self._spelled(column),
        )

    def _quick(self, kind: str, reading: Reading | None, text: str, *, native: bool) -> _Typed | None:
        """Without SQL: an ISO date or moment, a whole number."""
        if kind == "DATE" and ISO_DAY.match(text) and reading and (native or not reading.formats):
            try:
                day = date.fromisoformat(text)
            except ValueError:
                return None
            return _Typed(day, text, text, {"date": (day,)})
        if kind == "TIMESTAMP" and ISO_MOMENT.match(text) and reading and (native or not reading.formats):
            try:
                moment = datetime.fromisoformat(text)
            except ValueError:
                return None
            plain = moment.isoformat(sep=" ")
            plain = plain.rstrip("0") if moment.microsecond else plain
            return _Typed(moment, plain, plain, {"date": (moment.date(),)})
        if kind == "BIGINT" and SMALL.match(text):
            whole = int(text)
            return _Typed(whole, str(whole), str(whole), {"number": (Decimal(whole), float(whole))})
        return None

    def _reading_sql(self, kind: str, reading: Reading, *, native: bool) -> str:
        """SELECT of the typed value, of it as text (plain, and so that equal values are equal), and of what is read
        in it."""
        read = Reading(reading.type, dates=self.entity.dates) if native else reading
        value = f"TRY_CAST({read.sql('CAST($1 AS VARCHAR)')} AS {kind})"
        more = "".join(f", {_tried(sql, kind)}" for sqls in READ.values() for sql in sqls)
        return f"SELECT v, CAST(v AS VARCHAR), {text_of('v', kind)}{more} FROM (SELECT {value} AS v)"

    def _spelled(self, column: str) -> str:
        formats = self.entity.columns.get(column, Column()).format
        return f"the column is {self.types[column]}" + (f", written {' or '.join(formats)}" if formats else "")

    # ── values ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _value(self, asked: Statements, v: str, typed: Mapping[str, _Typed]) -> Value | None:
        """One prepared value: as in Prepared.expression."""
        column, steps, _ = self.held.prepared.recipes[v]
        if not isinstance(column, Joined):
            found = typed.get(column)
            if found is None:
                return None
            if not steps and self.types[column] != "VARCHAR":
                text = found.text if self.held.kinds[v] != "VARCHAR" else found.plain
                return self.held.of(text, v, list(found.more.get(self.held.read.get(v, ""), (None, None))))
            text = found.plain
        else:
            text = joined([typed[c].plain if c in typed else None for c in parts(column)])
        normal = self.changes[v](text)
        if normal is None:
            return None
        how = READ.get(self.held.read.get(v, ""))
        if not how:
            return Value(normal)
        sql = "SELECT " + ", ".join(each.format(v="CAST($1 AS VARCHAR)") for each in how)
        return self.held.of(normal, v, list(asked.ask(sql, [normal]) or ()))

    def _drop_junk(self, values: dict[str, Value | None]) -> tuple[str, ...]:
        """Values that are junk are none, in whatever form; returns what is to be said of values."""
        said: dict[str, None] = {}
        gone: set[str] = set()
        for column, forms in self.forms.items():
            for form, number in sorted(forms):
                value = values[form]
                verdict = None if value is None else self.memory.verdicts.get((number, value.text))
                if value is None or verdict is None:
                    continue
                means = "no evidence" if verdict[0] == "junk" else "no proof of identity by itself"
                said[f"{value.text!r} in {self.fields[number].columns} is {verdict[1]}: {means}"] = None
                if verdict[0] == "junk":
                    origins = self.held.prepared.origins
                    gone |= {v for v, origin in origins.items() if origin == column or column in parts(origin)}
        values.update(dict.fromkeys(gone))
        return tuple(said)

    def _kept(self, asked: Statements, given: Mapping[str, Any]) -> bool:
        """Whether the row filter keeps it, as ingest decides."""
        if self.filter is None:
            return True
        columns = list(dict.fromkeys(f.column for f in self.entity.where))
        source = ", ".join(f"CAST($c{i} AS {self.types[c]}) AS {quote(c)}" for i, c in enumerate(columns))
        params = {f"c{i}": given[c] for i, c in enumerate(columns)} | self.filter.params
        kept = asked.fetch(Query(f"SELECT {self.filter.sql} AS kept FROM (SELECT {source})", params))
        return bool(kept.column(0)[0].as_py())


def _tried(sql: str, kind: str) -> str:
    """What is read in a typed value; null where its type cannot be cast so."""
    target = "DATE" if "AS DATE" in sql else ""
    fits = (
        kind.startswith(("DATE", "TIMESTAMP")) if target else not kind.startswith(("DATE", "TIMESTAMP", "UUID", "BOOL"))
    )
    return sql.format(v="v") if fits else "NULL"
