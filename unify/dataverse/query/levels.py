"""$select and $expand: which columns of which tables a SELECT reads, and which further SELECTs follow.

Level ─┬─ Field        a column, and what it is called in the answer
       ├─ Single       the row behind a lookup: further columns of the same SELECT
       └─ Collection   rows that belong to it: a SELECT of its own for all rows of the page
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from segments.odata.syntax.ast import Expression
from segments.odata.syntax.ast_options import (
    Expand,
    ExpandItem,
    Filter,
    Option,
    OrderBy,
    OrderItem,
    Select,
    SelectItem,
    Top,
)  # fmt: skip
from segments.odata.syntax.printer_options import print_options
from unify.dataverse.model import Navigation, OneToMany
from unify.dataverse.query.filtering import Filtering
from unify.dataverse.query.fragments import ALWAYS, Sql, both, bound, listed, sql
from unify.dataverse.query.nouns import MOST, Preferences
from unify.dataverse.query.options import refused
from unify.dataverse.query.ordering import Key, ordered
from unify.dataverse.query.scope import (
    MOST_JOINS,
    Ref,
    Scope,
    Setting,
    Tables,
    collected,
    means,
    sources,
    too_many_joins,
)

Kind = TypeVar("Kind")


class Columns:
    """What one SELECT reads; an expression that is wanted twice is read once."""

    def __init__(self) -> None:
        self.all: list[Sql] = []

    def add(self, expression: Sql | str) -> int:
        """Its place in a row."""
        wanted = expression if isinstance(expression, Sql) else Sql(expression)
        if wanted not in self.all:
            self.all.append(wanted)
        return self.all.index(wanted)

    @property
    def sql(self) -> Sql:
        """With commas between."""
        return listed(self.all)


@dataclass(frozen=True, slots=True)
class Field:
    """A column in the answer. `kind_at`: where it stands which table a lookup means, if there are several."""

    name: str
    ref: Ref
    at: int
    kind_at: int | None = None


@dataclass
class Level:
    """One table of an answer. `context`: what is selected and expanded, for @odata.context; None: everything."""

    scope: Scope
    id_at: int
    version_at: int
    fields: list[Field]
    context: list[str] | None
    singles: list["Single"] = field(default_factory=list)
    collections: list["Collection"] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Single:
    """A row behind a lookup. `level` None: its address alone; `there_at`: whether it is there and wanted."""

    navigation: Navigation
    level: Level | None
    there_at: int


@dataclass(frozen=True, slots=True)
class Collection:
    """Rows that belong to the rows of a level.

    paged     a page of them is asked for, and where the next begins stands in the link
    options   of the link to them, percent-encoded
    """

    setting: Setting
    navigation: Navigation
    level: Level
    tables: Tables
    columns: Columns
    where: Sql
    keys: list[Key]
    most: int
    paged: bool
    options: str
    filter: Expression | None
    orderby: tuple[OrderItem, ...]

    def statement(self, ids: str, limit: int) -> Sql:
        """SELECT owner, place among its rows from 1, columns; `ids`: a JSON list of owners."""
        owner, there = collected(self.navigation, self.level.scope)
        mine = sql("{} IN (SELECT value FROM json_each({}))", owner, Sql("?", (ids,)))
        rank = sql("row_number() OVER (PARTITION BY {} ORDER BY {})", owner, listed([key.order for key in self.keys]))
        inner = sql(
            "SELECT {} AS o, {} AS n, {} FROM {}{} WHERE {}",
            owner,
            rank,
            self.columns.sql,
            sources(self.navigation, self.level.scope),
            Sql(self.tables.sql.text.removeprefix("FROM "), self.tables.sql.params),
            both([there, mine, self.where]),
        )
        return sql("SELECT * FROM ({}) {}", inner, bound("WHERE n <= ? ORDER BY o, n LIMIT ?", self.most + 1, limit))


OF_SINGLE: Final = (
    "Only $select and $filter clause can be provided while doing $expand on many-to-one relationship or nested "
    "one-to-many relationship."
)


class Levels:
    """Builds the levels of one answer; at most 15 tables are expanded in all."""

    def __init__(self, setting: Setting, preferences: Preferences) -> None:
        self.setting, self.preferences = setting, preferences
        self._expanded = 0

    def level(
        self,
        scope: Scope,
        tables: Tables,
        columns: Columns,
        select: Sequence[SelectItem] | None,
        expand: Sequence[ExpandItem],
        *,
        nested: bool = False,
    ) -> Level:
        """That of one table. `nested`: somewhere an $expand stands in another, so collections come in pages."""
        refs = self._selected(scope, select)
        everything = select is None or any(item.names == ("*",) for item in select)
        context = None if everything else [ref.attribute.wire_name for ref in refs]
        made = Level(
            scope,
            columns.add(scope.id.sql),
            columns.add(f'{scope.alias}."_version"'),
            [field_of(ref, columns) for ref in _with_key(scope, refs)],
            context,
        )
        nested = nested or any(isinstance(option, Expand) for item in expand for option in item.options)
        seen: set[str] = set()
        for item in expand:
            self._expand(made, tables, columns, item, nested=nested)
            if item.names[0] in seen:
                raise refused(f"The navigation property '{item.names[0]}' is expanded twice.")
            seen.add(item.names[0])
        return made

    def _selected(self, scope: Scope, select: Sequence[SelectItem] | None) -> list[Ref]:
        every = [Ref(scope.alias, scope.table, a) for a in scope.table.attributes.values() if a.read]
        if select is None:
            return every
        found: dict[str, Ref] = {}
        for item in select:
            if len(item.names) != 1 or item.parameters or item.options:
                raise refused(f"$select takes names of columns: '{'/'.join(item.names)[:80]}'.", hint="see $expand")
            name = item.names[0]
            refs = every if name == "*" else [self._ref(scope, name)]
            found.update({ref.attribute.name: ref for ref in refs})
        return list(found.values())

    def _ref(self, scope: Scope, name: str) -> Ref:
        """A column; the name of a single-valued navigation stands for its lookup."""
        navigation = self.setting.model.navigations(scope.table.name).get(name)
        if name not in scope.table.properties and navigation is not None and not navigation.collection:
            return scope.attribute(str(navigation.attribute))
        return scope.wire(name)

    # ── $expand ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _expand(self, level: Level, tables: Tables, columns: Columns, item: ExpandItem, *, nested: bool) -> None:
        self._expanded += 1
        if self._expanded > MOST_JOINS:
            raise too_many_joins()
        if len(item.names) != 1 or item.names[0] in {"*", "$value"} or item.tail == "$count":
            raise refused(f"$expand takes one navigation property: '{'/'.join(item.names)[:80]}' is none.")
        navigation = self.setting.model.navigation(level.scope.table.name, item.names[0])
        _check_options(item)
        if item.tail == "$ref":
            self._reference(level, columns, navigation, item)
        elif navigation.collection:
            level.collections.append(self._collection(navigation, item, nested=nested))
        else:
            level.singles.append(self._single(level, tables, columns, navigation, item, nested=nested))

    def _reference(self, level: Level, columns: Columns, navigation: Navigation, item: ExpandItem) -> None:
        if navigation.collection:
            raise refused("Expand with $ref is only supported on lookup type navigation property.")
        if item.options:
            raise refused("No option can be provided while doing $expand with $ref.")
        ref = level.scope.attribute(str(navigation.attribute))
        if all(known.ref != ref for known in level.fields):
            level.fields.append(field_of(ref, columns))
        level.singles.append(Single(navigation, None, columns.add(_lookup(level.scope, navigation))))

    def _single(
        self, level: Level, tables: Tables, columns: Columns, navigation: Navigation, item: ExpandItem, *, nested: bool
    ) -> Single:
        if any(isinstance(option, OrderBy | Top) for option in item.options):
            raise refused(OF_SINGLE)
        target = tables.follow(level.scope, navigation)
        there = Sql(f"{target.id.sql} IS NOT NULL")
        if (wanted := _part(item.options, Filter)) is not None:
            filtering = Filtering(self.setting, tables, None, root=target)
            there = both([there, sql("coalesce({}, 0)", filtering.predicate(wanted.predicate))])
        select, expand = _part(item.options, Select), _part(item.options, Expand)
        inner = self.level(
            target,
            tables,
            columns,
            select.items if select is not None else None,
            expand.items if expand else (),
            nested=nested,
        )
        return Single(navigation, inner, columns.add(there))

    def _collection(self, navigation: Navigation, item: ExpandItem, *, nested: bool) -> Collection:
        if nested and any(isinstance(option, OrderBy | Top) for option in item.options):
            raise refused(OF_SINGLE)
        target = self.setting.scope(navigation.target)
        tables, columns = Tables(self.setting, target), Columns()
        filtering = Filtering(self.setting, tables, None)
        wanted, order, top = _part(item.options, Filter), _part(item.options, OrderBy), _part(item.options, Top)
        select, expand = _part(item.options, Select), _part(item.options, Expand)
        inner = self.level(
            target,
            tables,
            columns,
            select.items if select is not None else None,
            expand.items if expand else (),
            nested=nested,
        )
        keys = ordered(self.setting, filtering, order.items if order else (), {})
        for key in keys:
            columns.add(key.value)
        most = min(MOST, top.count if top else MOST)
        if nested and self.preferences.page_size is not None:
            most = min(most, self.preferences.size)
        return Collection(
            self.setting,
            navigation,
            inner,
            tables,
            columns,
            filtering.predicate(wanted.predicate) if wanted else ALWAYS,
            keys,
            most,
            nested and self.preferences.page_size is not None,
            print_options(item.options),
            wanted.predicate if wanted else None,
            order.items if order else (),
        )


def field_of(ref: Ref, columns: Columns, name: str = "") -> Field:
    """A column, with what tells which table it points at."""
    kind = ref.attribute.type_column
    at = columns.add(ref.sql)
    kind_at = None if kind is None else columns.add(Ref(ref.alias, ref.table, ref.table.attributes[kind]).sql)
    return Field(name or ref.attribute.wire_name, ref, at, kind_at)


def _with_key(scope: Scope, refs: list[Ref]) -> list[Ref]:
    return refs if any(ref.attribute.name == scope.table.id_attribute for ref in refs) else [*refs, scope.id]


def _lookup(scope: Scope, navigation: Navigation) -> Sql:
    """The id that a single-valued navigation points at; null where it means another table."""
    ref = scope.attribute(str(navigation.attribute))
    assert isinstance(navigation.relationship, OneToMany)
    meant = means(scope, navigation.relationship)
    return Sql(ref.sql) if meant is None else sql("CASE WHEN {} THEN {} END", meant, ref.sql)


TAKEN: Final = (Select, Filter, OrderBy, Top, Expand)


def _check_options(item: ExpandItem) -> None:
    for option in item.options:
        if not isinstance(option, TAKEN):
            name = getattr(option, "name", type(option).__name__.removesuffix("Option").lower())
            raise refused(
                f"The query option '${name}' is not supported inside $expand.",
                hint="$select, $filter, $orderby, $top and $expand are",
            )


def _part(options: Sequence[Option], kind: type[Kind]) -> Kind | None:
    return next((option for option in options if isinstance(option, kind)), None)
