"""Where a criterion stands while it is lowered: on whose row, at which place of the document, on which clock."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from segments.activities import UNIFIED
from segments.lowered import Block
from segments.model import Model, origin_name
from segments.predicates import tree as p
from segments.predicates.fields import Attribute, Type
from unify.core.errors import QueryError, did_you_mean
from unify.core.names import table_of


@dataclass(frozen=True)
class Here:
    """One place in one segment.

    zone    of days and times of day
    now     the run clock as an expression; a literal where the segment is looked at as of another moment
    table   whose row the criterion speaks of
    place   for messages: `segments.vip.where.all[1]`
    blocks  where blocks are put; shared by the whole segment
    known   segments that may be named; None: whoever evaluates will see
    up      how many rows stand between this one and the customer; blocks and other segments need none
    origin  on an activity: the table whose row it was made of, when that is known; its columns may be named too
    """

    model: Model
    zone: str
    now: p.Expr
    table: str
    place: str
    blocks: dict[str, Block]
    known: Collection[str] | None = None
    up: int = 0
    origin: str = ""

    def at(self, part: str) -> "Here":
        """The same, further inside the document."""
        glue = "" if not self.place or part.startswith("[") else "."
        return replace(self, place=f"{self.place}{glue}{part}")

    def rows(self, table: str) -> "Here":
        """On a row of a related table."""
        return replace(self, table=table, up=self.up + 1, origin="")

    def made_of(self, table: str) -> "Here":
        """On an activity that was made of a row of that table."""
        return replace(self, origin=table)

    @property
    def is_customer(self) -> bool:
        """Whether the row is the customer that the segment asks about."""
        return self.up == 0 and self.table == self.model.catalog.customers

    def error(self, message: str, hint: str = "") -> QueryError:
        """An error at this place."""
        return QueryError(message, where=self.place, hint=hint)

    def block(self, block: Block, kind: str) -> p.Expr:
        """Membership in the set that a block finds; equal blocks are one."""
        if not self.is_customer:
            hint = f"take it out of the condition on rows of {self.table}"
            raise self.error(f"{kind} speaks of customers, and this is a row of {self.table}", hint)
        key = block_key(block, kind)
        self.blocks[key] = block
        return p.MemberOf(key)

    # ── names ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def relations(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The path of relations that names stand for; `web.Orders` is read as `web_Orders`."""
        if self._of_origin(names[:1], self.model.relations(self.table), self.model.relations(self.origin)):
            steps = (origin_name(self.origin),)
            return steps + replace(self, table=self.origin, origin="").relations(names)
        table, found = self.table, []
        for name in names:
            spoken = table_of(name) if (table_of(name) in self.model.relations(table)) else name
            found.append(spoken)
            table = self.model.end(table, self.model.path(table, (spoken,), self.place))
        return self.model.path(self.table, tuple(found), self.place)

    def attribute(self, names: tuple[str, ...]) -> tuple[tuple[str, ...], Attribute, Type]:
        """The path, the attribute at its end, and its type."""
        tables = self.model.catalog.tables
        if len(names) == 1 and self.origin:
            own, origin = tables[self.table].attributes, tables[self.origin].attributes
            if self._of_origin(names, own, origin):
                return (origin_name(self.origin),), *self.model.catalog.table(self.origin).attribute(*names, self.place)
            if names[0] not in own:
                hint = did_you_mean(names[0], [*own, *origin])
                raise self.error(f"neither {self.table} nor {self.origin} has an attribute {names[0]!r}", hint)
        path = self.relations(names[:-1])
        end = self.model.end(self.table, path)
        further, attribute, kind = self.model.attribute(end, names[-1], self.place)
        return (*path, *further), attribute, kind

    def columns_of_origin(self) -> dict[str, p.Expr]:
        """What OData text on an activity may name besides its own columns: those of the row it was made of."""
        if not self.origin:
            return {}
        tables = self.model.catalog.tables
        own, origin = tables[self.table].attributes, tables[self.origin].attributes
        return {name: p.Field(name, (origin_name(self.origin),)) for name in origin if name not in own}

    def _of_origin(self, names: tuple[str, ...], own: Collection[str], origin: Collection[str]) -> bool:
        """Whether a name is the origin's and not the activity's."""
        return bool(self.origin and names) and names[0] not in own and names[0] in origin

    def is_many(self, path: tuple[str, ...]) -> bool:
        """Whether a path leads to several rows, or through `members`, which a field cannot follow."""
        steps = self.model.catalog.path(self.table, path)
        return any(step.many or step.through for step in steps)

    def segment(self, name: str) -> str:
        """A segment that may be named."""
        if self.known is not None and name not in self.known:
            raise self.error(f"there is no segment {name!r}", did_you_mean(name, self.known))
        return name

    def time_of(self, table: str, named: str | None) -> tuple[str, Type]:
        """The column that says when a row happened, and its type, date or datetime."""
        column = named or self._timestamp(table)
        _, attribute, kind = self.model.attribute(table, column, self.place)
        if kind.kind not in ("date", "datetime"):
            hint = "name a date or datetime with `time`, or ask for the activity with `did`"
            raise self.error(f"{table}.{attribute.name} is {kind.name}, no time", hint)
        return attribute.name, kind

    def _timestamp(self, table: str) -> str:
        if table == UNIFIED:
            return "ActivityTime"
        entity = self.model.entities.get(table)
        found = self.model.project.entity(entity).timestamp if entity else None
        if not found:
            dates = [a.name for a in self.model.catalog.table(table).attributes.values()
                     if a.type and a.type.kind in ("date", "datetime")]  # fmt: skip
            hint = f"say which column is: `time: …`, e.g. {', '.join(sorted(dates)[:5])}" if dates else "it has no date"
            raise self.error(f"no column of {table} is declared as its time", hint)
        return found


def block_key(block: Block, kind: str) -> str:
    """`#top-3f2a…`: of what the block says, so the same in every process."""
    from hashlib import sha256

    return f"#{kind}-{sha256(repr(block).encode()).hexdigest()[:16]}"
