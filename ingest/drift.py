"""Schema drift: the columns of an entity now against those of the last run (why: docs/adr/0005-schema-drift.md).

    last run   Id  Name  Mail   City
    now        Id  Name  EMail        Country      removed City, Mail · added EMail, Country · Mail renamed to EMail?

`drift: stop` makes every change an error, except those that the project file itself declares under `columns:`: a
declared column is expected, and a declared type is a decision. `drift: accept` makes all of them warnings.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache

from unify.core.engine import Engine
from unify.core.errors import SchemaDriftError
from unify.core.names import quote, table_of
from unify.core.steps import Query
from unify.spec import Entity

ALIKE = 0.6
"""How alike two names must be to speak of a rename: `Mail` and `EMail` 0.89, `Birthday` and `DateOfBirth` 0.53."""

SKETCH = 128
"""Hashes kept of a column's values; two lists of 128 are compared in microseconds."""

SAME_VALUES = 0.8
"""Share of distinct values that two columns have in common to be one column renamed: a day's new rows may differ."""

Dependents = Mapping[str, Sequence[str]] | Callable[[str], Sequence[str]]
"""Column name to the places of the project that use it (ingest.dependents.dependents_of)."""


@dataclass(frozen=True, slots=True)
class Added:
    """A column that the last run did not have."""

    name: str
    type: str

    def __str__(self) -> str:
        return f"added {self.name} ({self.type})"


@dataclass(frozen=True, slots=True)
class Removed:
    """A column that only the last run had."""

    name: str
    type: str

    def __str__(self) -> str:
        return f"removed {self.name} ({self.type})"


@dataclass(frozen=True, slots=True)
class Retyped:
    """A column whose type changed."""

    name: str
    before: str
    now: str

    def __str__(self) -> str:
        return f"retyped {self.name}: {self.before} → {self.now}"


@dataclass(frozen=True, slots=True)
class Renamed:
    """A guess: the removed column `before` and the added column `now` look like one column."""

    before: str
    now: str
    reason: str

    def __str__(self) -> str:
        return f"{self.before} → {self.now} ({self.reason})"


@dataclass(frozen=True, slots=True)
class Drift:
    """What changed. `renamed` only pairs up entries of `removed` and `added`; it is a hint and not a fifth change."""

    added: tuple[Added, ...] = ()
    removed: tuple[Removed, ...] = ()
    retyped: tuple[Retyped, ...] = ()
    renamed: tuple[Renamed, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.retyped)

    @property
    def changes(self) -> tuple[Removed | Retyped | Added, ...]:
        """All changes, the most harmful kind first."""
        return (*self.removed, *self.retyped, *self.added)


def drift(
    before: Iterable[Mapping[str, str]],
    now: Iterable[Mapping[str, str]],
    *,
    same_values: Callable[[str, str], bool] | None = None,
) -> Drift:
    """Compare columns given as `{name, type}` in file order; other keys are not looked at, order alone is no change.

    `same_values(removed, added)`, if given, tells whether two columns hold nearly the same values: the surest sign of a
    rename. Names are compared as written: `Email` for `EMail` is a removed and an added column, renamed for certain.
    """
    old = {column["name"]: column["type"] for column in before}
    new = {column["name"]: column["type"] for column in now}
    removed = tuple(Removed(name, sqltype) for name, sqltype in old.items() if name not in new)
    added = tuple(Added(name, sqltype) for name, sqltype in new.items() if name not in old)
    retyped = tuple(Retyped(n, t, new[n]) for n, t in old.items() if n in new and new[n] != t)
    guesses = sorted(
        (-score, list(old).index(r.name), list(new).index(a.name), reason)
        for r in removed
        for a in added
        if r.type == a.type
        for score, reason in [_likeness(r.name, a.name, list(old), list(new), same_values)]
        if score
    )
    renamed: dict[str, Renamed] = {}
    for _, i, j, reason in guesses:
        gone, come = list(old)[i], list(new)[j]
        if gone not in renamed and come not in {r.now for r in renamed.values()}:
            renamed[gone] = Renamed(gone, come, reason)
    return Drift(added, removed, retyped, tuple(renamed[r.name] for r in removed if r.name in renamed))


def _likeness(
    gone: str, come: str, old: list[str], new: list[str], same_values: Callable[[str, str], bool] | None
) -> tuple[float, str]:
    """How sure a rename is (0 = no sign of one), and why. Strength: case, values, name, place."""
    if gone.casefold() == come.casefold():
        return 4, "only case differs"
    if same_values and same_values(gone, come):
        return 3, "same type and nearly the same values"
    ratio = SequenceMatcher(None, _bare(gone), _bare(come), autojunk=False).ratio()
    if ratio >= ALIKE:
        return 1 + ratio, "same type, similar name"
    i, j = old.index(gone), new.index(come)
    if old[i - 1 : i] == new[j - 1 : j] and old[i + 1 : i + 2] == new[j + 1 : j + 2]:
        return 1, "same type, same place"
    return 0, ""


def _bare(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())


def check(name: str, entity: Entity, found: Drift, dependents: Dependents = {}) -> list[str]:  # noqa: B006 - only read
    """Warnings about accepted changes, one sentence each.

    Raises SchemaDriftError when the entity says `drift: stop` and something changed that its `columns` do not declare.
    The error names every change and, for what was removed or retyped, the places of the project that depend on it.
    """
    lines = [(change, _sentence(change, found, dependents)) for change in found.changes]
    stopping = [text for change, text in lines if not _declared(change, entity)]
    if entity.drift == "accept" or not stopping:
        return [f"{name}: {text}" for _, text in lines]
    raise SchemaDriftError(
        "columns in the source data have changed since the last run:\n" + "\n".join(f"  - {text}" for text in stopping),
        where=name,
        hint=_next_move(found, dependents),
    )


def _declared(change: Removed | Retyped | Added, entity: Entity) -> bool:
    if entity.records and isinstance(change, Added):
        return True  # somebody defined it; in a file it may be a slip
    column = entity.columns.get(change.name)
    return column is not None and (
        isinstance(change, Added) or (isinstance(change, Retyped) and column.type is not None)
    )


def _sentence(change: Removed | Retyped | Added, found: Drift, dependents: Dependents) -> str:
    text = str(change)
    if isinstance(change, Added):
        return text
    for guess in found.renamed:
        if guess.before == change.name:
            text += f", renamed to {guess.now}? {guess.reason}"
    used = _used(change.name, dependents)
    return f"{text}; used by {', '.join(used)}" if used else text


def _used(column: str, dependents: Dependents) -> Sequence[str]:
    return dependents(column) if callable(dependents) else dependents.get(column, ())


def _next_move(found: Drift, dependents: Dependents) -> str:
    moves = []
    if any(_used(r.name, dependents) for r in found.removed):
        moves.append("restore the removed columns in the export, or take them out of the places that use them")
    if found.added:
        moves.append("declare new columns under `columns:` if they are wanted")
    if found.retyped:
        moves.append("declare the type of a retyped column under `columns:`")
    return "; ".join([*moves, "set `drift: accept` on the entity to take the columns as they are now"])


def same_values(before: Engine, now: Engine, entity: str) -> Callable[[str, str], bool]:
    """A `same_values` for drift(): compares columns of the entity's table as it was and as it is, by a sketch.

    Of each column the SKETCH smallest hashes of distinct values are fetched; what both have among the smallest of the
    union estimates the share of values that are the same (standard error 3.5 % at a share of 0.8).
    """

    @cache
    def sketch(is_now: bool, column: str) -> list[int]:
        table, name = quote(table_of(entity)), quote(column)
        sql = f"SELECT DISTINCT hash(CAST({name} AS VARCHAR)) AS h FROM {table} WHERE {name} IS NOT NULL"
        found = (now if is_now else before).fetch(Query(f"{sql} ORDER BY h LIMIT {SKETCH}"))
        return [int(value) for value in found.column(0).to_pylist()]

    def alike(gone: str, come: str) -> bool:
        old, new = sketch(False, gone), sketch(True, come)
        smallest = sorted({*old, *new})[:SKETCH]
        both = set(old) & set(new)
        return bool(smallest) and sum(h in both for h in smallest) >= SAME_VALUES * len(smallest)

    return alike
