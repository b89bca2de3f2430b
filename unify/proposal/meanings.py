"""What a column without a telling name means, from its values: those of a column of another entity, or words of names.

    web.Accounts.name       "Emily Martinez": both words stand in first and last names elsewhere   → Person.FullName
    pos.Customers.POSTAL    half of the values are postal codes elsewhere                          → Location.PostalCode
    loyalty.Members.Address the streets of crm.Contacts                                       → Location.AddressStreet

A column takes the meaning of columns that its own entity does not have yet.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from unify.core.engine import Engine
from unify.core.names import quote, table_of
from unify.core.steps import Query

SAMPLE = 400
"""Distinct values of a column that are looked for elsewhere."""
FEW = 20
"""Distinct values that a column needs to mean something by them: yes and no stand everywhere."""
WORDS_FROM = 20_000
"""Rows of a column of names that words are taken from."""
TEXTS, DIGITS = 0.05, 0.5
"""Share of the values that must stand elsewhere: of texts few are there by chance, of numbers many."""
NAMED = 0.6
"""Share of the words that must be words of names."""
FULL, FIRST, LAST = "Person.FullName", "Person.FirstName", "Person.LastName"
VAGUE = {"Location.Address": "Location.AddressStreet"}
"""Labels that also stand on columns which hold less than the whole: what else they may mean."""


@dataclass(frozen=True)
class Meant:
    """A column and its meaning: a semantic label, or `name:` and a name."""

    entity: str
    name: str
    meaning: str

    @property
    def labelled(self) -> bool:
        """Whether the meaning is a label."""
        return not self.meaning.startswith("name:")


def by_values(engine: Engine, columns: Sequence[Meant]) -> list[Meant]:
    """The columns, with the meaning of those that values tell; the others as they are."""
    found = list(columns)
    words = _WordsOf(engine)
    for i, column in enumerate(found):
        if (meaning := _meaning(engine, column, found, words)) is not None:
            found[i] = replace(column, meaning=meaning)
    return found


class _WordsOf(dict[tuple[str, str], set[str]]):
    """The words of columns (entity, name), read when they are first asked for."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine

    def __missing__(self, column: tuple[str, str]) -> set[str]:
        self[column] = found = set(_words(_some(self._engine, *column)))
        return found


def _meaning(engine: Engine, column: Meant, columns: Sequence[Meant], words: _WordsOf) -> str | None:
    """The meaning that the values of a column have elsewhere; None: its own."""
    own = {c.meaning for c in columns if c.entity == column.entity}
    wanted = {c.meaning for c in columns if c.entity != column.entity} - own
    if column.labelled:
        wanted &= {VAGUE.get(column.meaning)}
    elif any(c.meaning == column.meaning and c.entity != column.entity for c in columns):
        return None  # its name tells: another entity has it too
    values = _values(engine, column) if wanted else []
    if len(values) < FEW:
        return None
    if not column.labelled and (label := _name(column, columns, values, words)) is not None:
        return label
    shares = {meaning: _elsewhere(engine, values, column, columns, meaning) for meaning in sorted(wanted)}
    best = max(shares, key=lambda meaning: shares[meaning])
    least = TEXTS if _has_letters(values) else DIGITS
    return best if shares[best] >= least else None


def _values(engine: Engine, column: Meant) -> list[str]:
    sql = (
        f"SELECT DISTINCT {_folded(column.name)} AS v FROM {quote(table_of(column.entity))} "
        f"WHERE {quote(column.name)} IS NOT NULL ORDER BY hash(v), v LIMIT {SAMPLE}"
    )
    return [v for v in engine.fetch(Query(sql)).column(0).to_pylist() if v]


def _folded(name: str) -> str:
    return f"lower(trim(CAST({quote(name)} AS VARCHAR)))"


def _has_letters(values: Iterable[str]) -> bool:
    some = list(values)
    return 2 * sum(any(map(str.isalpha, v)) for v in some) > len(some)


def _elsewhere(engine: Engine, values: list[str], column: Meant, columns: Sequence[Meant], meaning: str) -> float:
    """Share of the values that stand in columns of other entities with this meaning."""
    others = [c for c in columns if c.meaning == meaning and c.entity != column.entity]
    union = " UNION ALL ".join(f"SELECT {_folded(c.name)} AS v FROM {quote(table_of(c.entity))}" for c in others)
    sql = f"SELECT count(DISTINCT v) FROM ({union}) WHERE v IN (SELECT unnest($values::VARCHAR[]))"
    return int(engine.fetch(Query(sql, {"values": values})).column(0)[0].as_py()) / len(values)


def _name(column: Meant, columns: Sequence[Meant], values: list[str], words_of: _WordsOf) -> str | None:
    """The label of a name, where most words are words of names elsewhere and its entity has no such name."""
    own = {c.meaning for c in columns if c.entity == column.entity}
    if own & {FULL, FIRST, LAST}:
        return None
    known = {w for c in columns if c.meaning in (FULL, FIRST, LAST) for w in words_of[c.entity, c.name]}
    words = list(_words(values))
    if not words or sum(w in known for w in words) < NAMED * len(words):
        return None
    return FULL if len(words) > 1.5 * len(values) else None


def _some(engine: Engine, entity: str, name: str) -> list[str]:
    table = quote(table_of(entity))
    sql = f"SELECT {_folded(name)} AS v FROM {table} WHERE v IS NOT NULL ORDER BY hash(v), v LIMIT {WORDS_FROM}"
    return list(engine.fetch(Query(sql)).column(0).to_pylist())


def _words(values: Iterable[str]) -> Iterator[str]:
    for value in values:
        for word in value.split():
            if kept := "".join(filter(str.isalpha, word)):
                yield kept
