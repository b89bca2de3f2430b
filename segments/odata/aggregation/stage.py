"""A set on its way through $apply, and the SELECTs it is made of.

    Stage   rows of a table of the model, or of a SELECT made before; with conditions, computed values and an order that
            nobody has carried out yet
    Making  the SELECTs so far, each a name in one WITH

Expressions are trees over a stage's columns and name no table, so they stay true when the stage becomes a SELECT.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from segments.model import Model
from segments.odata.binding.expressions import Binder
from segments.odata.syntax import ast
from segments.odata.syntax.ast_search import SearchTerm
from segments.predicates import tree as p
from segments.predicates.bind import Bound, bind
from segments.predicates.compile import Compiler
from segments.predicates.fields import INTEGER, Attribute, Table, Type
from unify.core.errors import QueryError
from unify.core.names import quote

PART, PLACE = "~part", "~place"
"""Of concat: which sequence a row comes from, and its place there. Names that no question can spell."""

MAX_PARTS = 200
"""SELECTs and groupings of one $apply: what anybody writes has ten, and DuckDB plans two hundred in a second."""

Sort = tuple[p.Expr, bool]
"""A sort key, and whether it descends."""


@dataclass(frozen=True)
class Stage:
    """A set.

    source    the table or SELECT it reads
    columns   what it shows: name, `Relation/Name` for grouped paths → type; computed values are in it as well
    rows      it is made of rows of the model's table, so that relations and measures are at hand
    where     conditions that all hold
    pick      the SELECT of keys (column `k`) that rows have been narrowed to, "" for none; of rows alone
    computed  values with a name
    order     what it is sorted by; `ties` are columns that then tell any two rows apart (or the rows are equal)
    group     of the groupby that is going on: name → value, which no transformation mixes
    base      the set when that groupby began; `dropped` says that rows, and so groups, may have gone since
    """

    source: str
    columns: Mapping[str, Type]
    ties: tuple[str, ...]
    rows: bool = False
    where: tuple[p.Expr, ...] = ()
    pick: str = ""
    computed: Mapping[str, p.Expr] = field(default_factory=dict)
    order: tuple[Sort, ...] = ()
    group: Mapping[str, p.Expr] = field(default_factory=dict)
    base: "Stage | None" = None
    dropped: bool = False

    def expr(self, name: str) -> p.Expr:
        """A column as a tree."""
        return self.computed.get(name) or p.Field(name)

    @property
    def hidden(self) -> tuple[str, ...]:
        """Columns that order rows and are not shown."""
        return tuple(n for n in self.ties if n in (PART, PLACE))


class Making:
    """The SELECTs of one $apply, and what all of them need."""

    def __init__(
        self,
        model: Model,
        *,
        clock: datetime,
        aliases: Mapping[str, ast.Expression],
        timezone: str | None,
        search: Callable[[SearchTerm], p.Expr] | None,
    ) -> None:
        self.model, self.clock, self.aliases, self.timezone, self.search = model, clock, aliases, timezone, search
        self.selects: dict[str, str] = {}
        self.params: dict[str, Any] = {}
        self._compilers = self._spent = 0

    def spend(self) -> None:
        """Count one SELECT or grouping. QueryError when they are too many: rollups inside rollups multiply."""
        self._spent += 1
        if self._spent > MAX_PARTS:
            hint = "ask for fewer groupings at once, or in several questions"
            raise QueryError(f"this $apply comes to more than {MAX_PARTS} SELECTs", hint=hint)

    def binder(self, stage: Stage) -> Binder:
        """Binds expressions over a stage's rows."""
        return Binder(self.model, stage.source, aliases=self.aliases, timezone=self.timezone, computed=stage.computed)

    def bound(self, stage: Stage, expr: p.Expr) -> Bound:
        """A tree over a stage's rows, with its type."""
        return bind(expr, self.model.catalog, stage.source)

    def selecting(self, stage: Stage) -> "Selecting":
        """A SELECT from a stage."""
        self.spend()
        self._compilers += 1
        compiler = Compiler(self.model.catalog, stage.source, self.clock, prefix=f"p{self._compilers}_")
        return Selecting(self, stage, compiler)

    def add(self, sql: str) -> str:
        """A SELECT under a name of its own."""
        name = f"~s{len(self.selects) + 1}"
        self.selects[name] = sql
        return name

    def stage(self, sql: str, columns: Mapping[str, Type], ties: Iterable[str], like: Stage) -> Stage:
        """A SELECT as a stage; what `like` says of groups stays true."""
        check_case(columns)
        name, ties = self.add(sql), tuple(ties)
        every = {**columns, **{n: INTEGER for n in ties if n in (PART, PLACE)}}
        table = Table(name, {n: Attribute(n, kind, kind.sql) for n, kind in every.items()})
        catalog = self.model.catalog
        self.model = replace(self.model, catalog=replace(catalog, tables={**catalog.tables, name: table}))
        group = {n: p.Field(n) for n in like.group}
        return Stage(name, dict(columns), ties, group=group, base=like.base, dropped=like.dropped)

    def with_sql(self, sql: str) -> str:
        """The last SELECT behind all of those it needs."""
        if not self.selects:
            return sql
        parts = ", ".join(f"{quote(n)} AS ({s})" for n, s in self.selects.items())
        return f"WITH {parts} {sql}"


def check_case(names: Iterable[str]) -> None:
    """QueryError for two names that differ by case alone, which SQL takes for one."""
    seen: dict[str, str] = {}
    for name in names:
        other = seen.setdefault(name.lower(), name)
        if other != name:
            raise QueryError(f"{other} and {name} differ by case alone", hint="give one of them another name")


class Selecting:
    """One SELECT from a stage: first every value, then `rest`."""

    def __init__(self, making: Making, stage: Stage, compiler: Compiler) -> None:
        self.making, self.stage, self.compiler = making, stage, compiler

    def value(self, expr: p.Expr | Bound) -> str:
        """SQL of a value."""
        return self.compiler.value(expr)

    def sorted_by(self, order: Iterable[Sort]) -> str:
        """`a DESC NULLS LAST, b NULLS FIRST`, the ties behind: null is the smallest value, as OData has it."""
        sorts = [(self.making.bound(self.stage, expr), down) for expr, down in order]
        # DuckDB refuses to sort by what is the same for every row.
        keys = [
            f"{self.value(b)} {'DESC NULLS LAST' if down else 'ASC NULLS FIRST'}" for b, down in sorts if not b.constant
        ]
        keys += [f"{self.value(self.stage.expr(n))} ASC NULLS FIRST" for n in self.stage.ties]
        return ", ".join(keys)

    def partition(self) -> str:
        """`PARTITION BY …` of the groups that are going on."""
        keys = ", ".join(self.value(e) for e in self.stage.group.values())
        return f"PARTITION BY {keys} " if keys else ""

    def rest(self) -> str:
        """FROM and WHERE."""
        conditions = [self.compiler.condition(c) for c in self.stage.where]
        if self.stage.pick:
            key = self.compiler.column(self.stage.ties[0])
            conditions.append(f"{key} IN (SELECT k FROM {quote(self.stage.pick)})")
        where = f" WHERE {' AND '.join(conditions)}" if conditions else ""
        self.making.params.update(self.compiler.params)
        return f"FROM {self.compiler.source}{where}"
