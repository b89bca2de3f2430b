"""Birth dates that one system writes so and another so: texts here, dates there. Read as dates, where every one can be.

    crm.Contacts.DateOfBirth     8/1/1974, 1974-08-01      → {type: date, format: [yyyy-MM-dd, M/d/yyyy]}
    loyalty.Members.Birthday     01.08.1974                → {type: date, format: [dd.MM.yyyy]}

A column with a value that none of the formats reads stays text: a row must not be quarantined by a proposal.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ingest.dates import read_formats
from ingest.kinds import kind_of
from unify.core.engine import Engine, scalar
from unify.core.names import quote, table_of
from unify.core.steps import Query, Step
from unify.proposal.attributes import Attribute, Found
from unify.spec import Column, parts

BIRTH = "Person.BirthDate"
FORMATS = ("yyyy-MM-dd", "M/d/yyyy", "d/M/yyyy", "dd.MM.yyyy", "d.M.yyyy", "yyyy/MM/dd", "dd-MM-yyyy", "yyyyMMdd")
"""Tried in this order."""
EITHER = ("M/d/yyyy", "d/M/yyyy")
"""A column has one of the two: that which reads more; the month comes first where both read all, as ingest has it."""
SEEN = 0.001
"""Share of the values that a format must read to be named."""


def read_dates(engine: Engine, attributes: Sequence[Attribute]) -> dict[str, dict[str, Column]]:
    """Declarations (entity → column → type) that make texts dates; the engine's tables are changed accordingly."""
    found: dict[str, dict[str, Column]] = {}
    for entity, column in _asked(engine, attributes):
        formats = _formats(engine, entity, column)
        if formats:
            found.setdefault(entity, {})[column] = Column(type="date", format=formats)
    for entity, columns in found.items():
        read = ", ".join(f"CAST({_read(c, made.format)} AS DATE) AS {quote(c)}" for c, made in columns.items())
        table = table_of(entity)
        sql = f"SELECT * REPLACE ({read}) FROM {quote(table)}"
        engine.build(Step(f"{table}_dated", Query(sql), "read birth dates", keep=True))
        engine.build(Step(table, Query(f"FROM {quote(f'{table}_dated')}"), "read birth dates", keep=True))
    return found


def without_texts(engine: Engine, found: Found) -> Found:
    """Without the columns that stayed text where others of their attribute are dates: text and date never agree, and
    an exception for dates that differ would part what belongs together."""
    several = len({e for a in found.attributes for e in a.columns}) > 1
    kept: list[Attribute] = []
    for attribute in found.attributes:
        kinds = {e: kind_of(engine.columns(table_of(e))[parts(names[0])[0]]) for e, names in attribute.columns.items()}
        if "date" not in kinds.values() or set(kinds.values()) == {"date"}:
            kept.append(attribute)
            continue
        texts = {e: names for e, names in attribute.columns.items() if kinds[e] != "date"}
        why = "not every value can be read as a date, as it can elsewhere: declare its type and formats"
        found.left_out |= {f"{e}.{name}": why for e, names in texts.items() for name in names}
        rest = {e: names for e, names in attribute.columns.items() if e not in texts}
        others = (*attribute.others, *(e for e in texts if attribute.name in engine.columns(table_of(e))))
        if len(rest) > 1 or not several:
            kept.append(replace(attribute, columns=rest, others=others))
        else:
            found.left_out |= {f"{e}.{name}": "no other entity has it" for e, names in rest.items() for name in names}
    return replace(found, attributes=kept)


def _asked(engine: Engine, attributes: Sequence[Attribute]) -> Iterator[tuple[str, str]]:
    """Text columns of birth dates, and of attributes that are dates elsewhere."""
    for attribute in attributes:
        own = [(e, part) for e, names in attribute.columns.items() for name in names for part in parts(name)]
        kinds = {at: kind_of(engine.columns(table_of(at[0]))[at[1]]) for at in own}
        if attribute.label == BIRTH or "date" in kinds.values():
            yield from (at for at, kind in kinds.items() if kind == "text")


def _formats(engine: Engine, entity: str, column: str) -> tuple[str, ...]:
    """The formats that read every value between them; none when some value stays unread."""
    values = f"{quote(table_of(entity))} WHERE {quote(column)} IS NOT NULL AND trim({quote(column)}) <> ''"
    total = int(scalar(engine, Query(f"SELECT count(*) FROM {values}")))

    def unread(chosen: tuple[str, ...]) -> int:
        if not chosen:
            return total
        return int(scalar(engine, Query(f"SELECT count(*) FROM {values} AND {_read(column, chosen)} IS NULL")))

    month_first, day_first = (unread((one,)) for one in EITHER)
    barred = EITHER[0] if day_first < month_first else EITHER[1]
    chosen: tuple[str, ...] = ()
    for one in FORMATS:
        if one != barred and unread(chosen) - unread((*chosen, one)) > SEEN * total:
            chosen = (*chosen, one)
    return chosen if chosen and not unread(chosen) else ()


def _read(column: str, formats: tuple[str, ...]) -> str:
    return read_formats(f"trim({quote(column)})", formats, "suggest")
