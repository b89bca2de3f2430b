"""A Fetch into SQL: its joins, its conditions, its order.

Conditions of a link stand in its join, as in Dataverse: of an outer one they choose what is
joined, not which rows stay. Whoever wants the latter writes them at the entity, with entityname.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from unify.core.errors import did_you_mean
from unify.dataverse.errors import DataverseError
from unify.dataverse.query.compare import columns, comparable, not_null
from unify.dataverse.query.fetch_nouns import Condition, Filter, Link, Order, Source
from unify.dataverse.query.fetch_reading import wrong
from unify.dataverse.query.fragments import Sql, both, either, listed, sql
from unify.dataverse.query.operators import SQL_UNEQUAL, condition
from unify.dataverse.query.ordering import Key, key_of
from unify.dataverse.query.scope import MOST_JOINS, Ref, Scope, Setting, too_many_joins
from unify.dataverse.query.values import edm, incompatible
from unify.records.definitions import place


@dataclass(frozen=True, slots=True)
class Joined:
    """A table of the query that gives columns."""

    source: Source
    scope: Scope


class Lowering:
    """One query over one SELECT."""

    def __init__(self, setting: Setting, source: Source) -> None:
        self.setting, self.source = setting, source
        self.root = setting.scope(source.table)
        self.joined = [Joined(source, self.root)]
        self._by_alias: dict[str, Scope] = {}
        self._joins: list[Sql] = []
        self._wheres: list[Sql] = []
        for link in source.links:
            self._join(self.root, link)
        self._wheres += [self.filter(self.root, each) for each in source.filters]

    @property
    def tables(self) -> Sql:
        """FROM …."""
        return listed([Sql(f"FROM {place(self.root.table.name)} {self.root.alias}"), *self._joins], " ")

    @property
    def where(self) -> Sql:
        """What must hold of a row."""
        return both(self._wheres)

    def scope(self, alias: str, at: Scope) -> Scope:
        """The table that an alias names, or the name of a linked table; `at` for none."""
        if not alias:
            return at
        found = self._by_alias.get(alias)
        if found is None:
            named = [j.scope for j in self.joined[1:] if j.source.table == alias]
            if len(named) == 1:
                return named[0]
            if self.root.table.name == alias:
                return self.root
            raise wrong(f"The entity or alias '{alias[:60]}' is not linked.", hint=did_you_mean(alias, self._by_alias))
        return found

    # ── joins ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _join(self, parent: Scope, link: Link) -> None:
        if link.kind in {"exists", "in"}:
            self._wheres.append(self._among(parent, link, filtered=True))
            return
        if len(self._joins) >= MOST_JOINS:
            raise too_many_joins()
        scope = self._scope_of(link)
        self.joined.append(Joined(link.source, scope))
        conditions = [self._on(parent, link, scope), *(self.filter(scope, each) for each in link.source.filters)]
        kind = "JOIN" if link.kind == "inner" else "LEFT JOIN"
        if link.kind == "matchfirstrowusingcrossapply":
            conditions.append(self._first(link, scope))
        self._joins.append(sql("{} {} {} ON {}", kind, place(scope.table.name), scope.alias, both(conditions)))
        for inner in link.source.links:
            self._join(scope, inner)

    def _scope_of(self, link: Link) -> Scope:
        scope = self.setting.scope(link.source.table)
        if link.source.alias in self._by_alias:
            raise wrong(f"The alias '{link.source.alias}' stands twice.")
        self._by_alias[link.source.alias] = scope
        return scope

    def _on(self, parent: Scope, link: Link, scope: Scope) -> Sql:
        left, right = attribute(scope, link.start), attribute(parent, link.to)
        if not comparable(left, right):
            raise incompatible(edm(left), edm(right), "eq")
        return columns(left, "eq", right)

    def _first(self, link: Link, scope: Scope) -> Sql:
        """The row of the smallest key among those that the link's filters let pass, for each value of `from`."""
        inner = self.setting.scope(link.source.table)
        start = attribute(inner, link.start)
        where = both([self.filter(inner, each) for each in link.source.filters])
        text = "{} IN (SELECT min({}) FROM {} {} WHERE {} GROUP BY {})"
        return sql(text, scope.id.sql, inner.id.sql, place(inner.table.name), inner.alias, where, start.sql)

    def _among(self, parent: Scope, link: Link, *, filtered: bool) -> Sql:
        """That a row of the linked table, which its filters let pass, points here: worked out once for all rows."""
        inner = Lowering(self.setting, link.source)
        start, to = attribute(inner.root, link.start), attribute(parent, link.to)
        if not comparable(start, to):
            raise incompatible(edm(start), edm(to), "eq")
        folded = start.kind == "text"
        value = f"dv_fold({start.sql})" if folded else start.sql
        mine = f"dv_fold({to.sql})" if folded else to.sql
        where = both([Sql(f"{start.sql} IS NOT NULL"), *([inner.where] if filtered else [])])
        return sql("{} IN (SELECT {} {} WHERE {})", mine, value, inner.tables, where)

    # ── filters ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def filter(self, at: Scope, found: Filter) -> Sql:
        """What it lets pass."""
        parts = [self._item(at, item) for item in found.items]
        return both(parts) if found.every or not parts else either(parts)

    def _item(self, at: Scope, item: Condition | Filter | Link) -> Sql:
        if isinstance(item, Filter):
            return self.filter(at, item)
        if isinstance(item, Link):
            return self._quantified(at, item)
        ref = attribute(self.scope(item.entity, at), item.attribute)
        if item.other:
            return self._compared(at, ref, item)
        return condition(self.setting, item.operator, ref, item.values)

    def _quantified(self, at: Scope, link: Link) -> Sql:
        """`all`: rows point here, and none of them passes the filters; `not all` is `any`. So Dataverse has them."""
        passing = self._among(at, link, filtered=True)
        if link.kind in {"any", "not all"}:
            return passing
        none = sql("NOT coalesce({}, 0)", passing)
        return none if link.kind == "not any" else both([self._among(at, link, filtered=False), none])

    def _compared(self, at: Scope, ref: Ref, item: Condition) -> Sql:
        alias, _, name = item.other.rpartition(".")
        other = attribute(self.scope(alias, at), name)
        if not comparable(ref, other):
            raise incompatible(edm(ref), edm(other), item.operator.fetch)
        self.setting.condition()
        if item.operator is SQL_UNEQUAL:
            return both([not_null(ref), not_null(other), columns(ref, "ne", other)])
        return columns(ref, "ne" if item.operator.fetch == "neq" else item.operator.fetch, other)

    # ── order ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def orders(self, *, by_number: bool) -> Iterator[Key]:
        """Of the entity first, then of the links; each by the label of a choice unless by its number."""
        for joined in self.joined:
            for order in joined.source.orders:
                if order.attribute:
                    scope = self.scope(order.entity, joined.scope)
                    ref = attribute(scope, order.attribute)
                    yield key_of(self.setting, ref, descending=order.descending, by_label=not by_number)
                else:
                    yield self._by_alias_of(order, by_number=by_number)

    def _by_alias_of(self, order: Order, *, by_number: bool) -> Key:
        for joined in self.joined:
            for each in joined.source.attributes:
                if each.alias == order.alias:
                    ref = attribute(joined.scope, each.name)
                    return key_of(self.setting, ref, descending=order.descending, by_label=not by_number)
        raise wrong(f"There is no attribute with the alias '{order.alias[:60]}'.")


def attribute(scope: Scope, name: str) -> Ref:
    """A column by its logical name; DataverseError in FetchXML's words."""
    found = scope.table.attributes.get(name)
    if found is None or not found.read:
        raise DataverseError(
            f"'{scope.table.name}' entity doesn't contain attribute with Name = '{name[:100]}' and NameMapping = "
            "'Logical'.",
            code="0x80041103",
            where=scope.table.name,
            hint=did_you_mean(name[:100], [a.name for a in scope.table.attributes.values() if a.read]),
        )
    return Ref(scope.alias, scope.table, found)
