"""Rows of SQLite into rows of the wire: values, annotations that were asked for, and what is expanded in them."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from unify.dataverse.errors import DataverseError
from unify.dataverse.query.levels import Collection, Field, Level, Single
from unify.dataverse.query.naming import Names, navigation_of
from unify.dataverse.query.nouns import ATTRIBUTE, FORMATTED, LOGICAL, NAVIGATION, Preferences, Row
from unify.dataverse.query.paging import Place, cookie, outer
from unify.dataverse.query.running import Running
from unify.dataverse.query.scope import Setting
from unify.dataverse.query.shown import formatted, wire

Held = Sequence[Any]
MOST_NESTED: Final = 200_000
"""Rows in rows of one answer: some 100 MB of JSON."""


@dataclass(frozen=True, slots=True)
class Told:
    """Which annotations of values were asked for."""

    formatted: bool
    logical: bool
    navigation: bool
    attribute: bool

    @classmethod
    def of(cls, preferences: Preferences) -> "Told":
        """By the Prefer header."""
        return cls(*(preferences.wants(term) for term in (FORMATTED, LOGICAL, NAVIGATION, ATTRIBUTE)))


class Shaping:
    """Makes the rows of one answer. `check`: what binds the token of a related collection to its question."""

    def __init__(
        self, setting: Setting, running: Running, preferences: Preferences, root: str, check: Callable[..., str]
    ) -> None:
        self.setting, self.running, self.root, self.check = setting, running, root, check
        self.told = Told.of(preferences)
        self.names = Names(setting)
        self._nested = 0
        self._writers: dict[int, Callable[[Held, Row], None]] = {}

    def rows(self, level: Level, found: Sequence[Held]) -> list[Row]:
        """One for each that was found."""
        if self.told.formatted:
            self.names.learn(pair for held in found for pair in _pointed(level, held))
        made = [self._row(level, held) for held in found]
        self._collect(level, [(held, row) for held, row in zip(found, made, strict=True)])
        return made

    def _row(self, level: Level, held: Held) -> Row:
        row: Row = {"@odata.etag": f'W/"{held[level.version_at]}"'}
        for field in level.fields:
            self.write(field, held, row)
        for single in level.singles:
            row[single.navigation.name] = self._single(single, held)
        return row

    def _single(self, single: Single, held: Held) -> Row | None:
        key = held[single.there_at]
        if not key:
            return None
        if single.level is None:
            return {"@odata.id": self.address(single.navigation.target, key)}
        return self._row(single.level, held)

    def address(self, table: str, key: str) -> str:
        """Of a row."""
        return f"{self.root}{self.setting.model.table(table).set_name}({key})"

    # ── values ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def write(self, field: Field, held: Held, row: Row, *, nulls: bool = True) -> None:
        """Put a column into a row, behind its annotations; without `nulls` a null is left out."""
        value = held[field.at]
        if value is None:
            if nulls:
                row[field.name] = None
            return
        writer = self._writers.get(id(field))
        if writer is None:
            writer = self._writers[id(field)] = self._writer(field)
        writer(held, row)

    def _writer(self, field: Field) -> Callable[[Held, Row], None]:
        ref, name, at = field.ref, field.name, field.at
        if ref.attribute.is_lookup:
            return lambda held, row: self._lookup(field, held, row)
        convert = wire(ref)
        show = formatted(ref.attribute) if self.told.formatted else None

        def write(held: Held, row: Row) -> None:
            value = convert(held[at])
            if show is not None and (text := show(value)) is not None:
                row[f"{name}@{FORMATTED}"] = text
            row[name] = value

        return write

    def _lookup(self, field: Field, held: Held, row: Row) -> None:
        key, target = held[field.at], target_of(field, held)
        told = self.told
        if told.formatted and target and (name := self.names.of(target, key)) is not None:
            row[f"{field.name}@{FORMATTED}"] = name
        if told.navigation and field.name.startswith("_"):
            navigation = navigation_of(self.setting, field.ref, target)
            if navigation is not None:
                row[f"{field.name}@{NAVIGATION}"] = navigation
        if told.logical and target:
            row[f"{field.name}@{LOGICAL}"] = target
        row[field.name] = key

    # ── collections ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _collect(self, level: Level, pairs: list[tuple[Held, Row]]) -> None:
        """The collections of a level, and those of the levels behind its lookups."""
        for collection in level.collections:
            self._fill(collection, level, pairs)
        for single in level.singles:
            if single.level is not None:
                inner = [(held, row[single.navigation.name]) for held, row in pairs if row[single.navigation.name]]
                self._collect(single.level, inner)

    def _fill(self, collection: Collection, level: Level, pairs: list[tuple[Held, Row]]) -> None:
        owners: dict[str, list[Held]] = {held[level.id_at]: [] for held, _ in pairs}
        limit = MOST_NESTED - self._nested + 1
        found = self.running.rows(collection.statement(json.dumps(list(owners)), limit))
        self._nested += len(found)
        if self._nested > MOST_NESTED:
            raise DataverseError(
                f"More than {MOST_NESTED:,} rows are expanded in this answer.",
                code="0x80060888",
                hint="ask for smaller pages with Prefer: odata.maxpagesize, or expand with $top",
            )
        for owner, _, *of_owner in found:
            owners[owner].append(of_owner)
        shown = [some[: collection.most] for some in owners.values()]
        made = iter(self.rows(collection.level, [held for some in shown for held in some]))
        by_owner = {owner: [next(made) for _ in some] for owner, some in zip(owners, shown, strict=True)}
        name = collection.navigation.name
        for held, row in pairs:
            owner = held[level.id_at]
            row[name] = by_owner[owner]
            link = self._link(collection, level, owner, owners[owner])
            if link is not None:
                row[f"{name}@odata.nextLink"] = link

    def _link(self, collection: Collection, level: Level, owner: str, held: list[Held]) -> str | None:
        """To the collection itself; in pages to its next page, if there is one."""
        name = collection.navigation.name
        address = f"{self.address(level.scope.table.name, owner)}/{name}"
        query = [collection.options] if collection.options else []
        if collection.paged:
            if len(held) <= collection.most:
                return None
            places = [collection.columns.add(key.value) for key in collection.keys]
            first, last = ([row[at] for at in places] for row in (held[0], held[collection.most - 1]))
            place = Place(2, tuple(last))
            check = self.check(level.scope.table.name, owner, name, collection.filter, collection.orderby, {})
            token = outer(cookie(collection.keys, first, last, place, check), 2)
            query.append(f"$skiptoken={quote(token, safe='')}")
        return f"{address}?{'&'.join(query)}" if query else address


def target_of(field: Field, held: Held) -> str | None:
    """The table that a lookup means in this row."""
    if field.kind_at is not None:
        return str(held[field.kind_at]) if held[field.kind_at] is not None else None
    return field.ref.attribute.targets[0] if field.ref.attribute.targets else None


def _pointed(level: Level, held: Held) -> Iterator[tuple[str, str]]:
    for field in level.fields:
        if field.ref.attribute.is_lookup and held[field.at] is not None and (target := target_of(field, held)):
            yield target, held[field.at]
    for single in level.singles:
        if single.level is not None and held[single.there_at]:
            yield from _pointed(single.level, held)


def context_of(level: Level) -> str:
    """`name,primarycontactid(fullname)`; empty: everything, and nothing expanded."""
    parts = list(level.context or ())
    for single in level.singles:
        name = single.navigation.name
        parts.append(f"{name}({context_of(single.level)})" if single.level is not None else f"{name}/$ref()")
    parts += [f"{one.navigation.name}({context_of(one.level)})" for one in level.collections]
    return ",".join(parts)
