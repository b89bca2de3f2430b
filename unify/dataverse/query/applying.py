"""$apply, as far as Dataverse has it: filter, groupby, aggregate; over columns of the table and behind its lookups."""

from collections.abc import Iterator
from typing import Final

from segments.odata.syntax.ast import Count, Name, Path
from segments.odata.syntax.ast_options import Aggregate, AggregateItem, Filter, GroupBy, Property, Transformation
from unify.dataverse.query.fetch_lowering import Joined
from unify.dataverse.query.fetch_nouns import Attribute, Fetch, Order, Source
from unify.dataverse.query.filtering import Filtering
from unify.dataverse.query.fragments import ALWAYS, Sql, both
from unify.dataverse.query.nouns import Options
from unify.dataverse.query.options import refused
from unify.dataverse.query.ordering import Key
from unify.dataverse.query.scope import Ref, Scope, Setting, Tables

METHODS: Final = {
    "sum": "sum", "average": "avg", "min": "min", "max": "max", "countdistinct": "countcolumn",
}  # fmt: skip


class Applied:
    """What `Lowering` is for FetchXML: tables, conditions, and the columns of each table."""

    def __init__(self, setting: Setting, table: str, options: Options) -> None:
        self.setting = setting
        self.root = setting.scope(table)
        self._tables = Tables(setting, self.root)
        self._filtering = Filtering(setting, self._tables, options.aliases)
        self._attributes: dict[str, tuple[Scope, list[Attribute]]] = {}
        self._groups: dict[tuple[str, ...], str] = {}
        self.where: Sql = ALWAYS
        self._read(options.apply)
        self._orders = tuple(self._order(item.key, descending=item.descending) for item in options.orderby)

    @property
    def tables(self) -> Sql:
        """FROM …."""
        return self._tables.sql

    @property
    def joined(self) -> list[Joined]:
        """Each table with the columns of it that are told; the order stands at the first."""
        made = []
        for i, (scope, attributes) in enumerate(self._attributes.values()):
            orders = self._orders if i == 0 else ()
            made.append(Joined(Source(scope.table.name, attributes=tuple(attributes), orders=orders), scope))
        return made

    def scope(self, alias: str, at: Scope) -> Scope:
        """Tables have no aliases here."""
        return at

    def orders(self, *, by_number: bool) -> Iterator[Key]:
        """Groups are ordered by their columns."""
        return iter(())

    def _read(self, steps: tuple[Transformation, ...]) -> None:
        filters = []
        *before, last = steps
        for step in before:
            if not isinstance(step, Filter):
                raise refused(
                    "$apply takes filter(…) first, and then one groupby(…) or aggregate(…).",
                    hint="as in filter(statecode eq 0)/groupby((statuscode),aggregate($count as n))",
                )
            filters.append(self._filtering.predicate(step.predicate))
        self.where = both(filters)
        if isinstance(last, Aggregate):
            self._aggregates(last)
        elif isinstance(last, GroupBy):
            self._groupby(last)
        else:
            raise refused("$apply ends with groupby(…) or aggregate(…).")

    def _groupby(self, step: GroupBy) -> None:
        for element in step.elements:
            if not isinstance(element, Property):
                raise refused("rollup is not supported in groupby.")
            ref = self._filtering.ref(tuple(Name(name) for name in element.names))
            if ref.kind in {"moment", "day"}:
                raise refused(
                    "Groupby with datetime values is not supported.", hint="FetchXML groups dates, with dategrouping"
                )
            name = f"{ref.table.name}_{ref.attribute.name}" if len(element.names) > 1 else ref.attribute.wire_name
            self._groups[element.names] = name
            self._add(ref, Attribute(ref.attribute.name, name, grouped=True))
        match step.then:
            case ():
                return
            case (Aggregate() as aggregate,):
                self._aggregates(aggregate)
            case _:
                raise refused("groupby takes aggregate(…) alone as its second part.")

    def _aggregates(self, step: Aggregate) -> None:
        for item in step.items:
            ref, attribute = self._aggregate(item)
            self._add(ref, attribute)

    def _aggregate(self, item: AggregateItem) -> tuple[Ref, Attribute]:
        if item.steps or not item.alias:
            raise refused(
                "aggregate(…) needs an alias for each value.", hint="as in aggregate(revenue with sum as total)"
            )
        tree = item.expression
        if isinstance(tree, Path) and len(tree.segments) == 1 and isinstance(tree.segments[0], Count):
            id_ = self.root.id
            return id_, Attribute(id_.attribute.name, item.alias, "count")
        if not isinstance(tree, Path) or item.method not in METHODS:
            raise refused(
                f"The aggregate '{item.method or 'of this expression'}' is not supported.",
                hint=f"a column with {', '.join(METHODS)}, or $count",
            )
        ref = self._filtering.ref(tree.segments)
        method = METHODS[item.method]
        return ref, Attribute(ref.attribute.name, item.alias, method, distinct=method == "countcolumn")

    def _add(self, ref: Ref, attribute: Attribute) -> None:
        scope = Scope(ref.alias, ref.table)
        self._attributes.setdefault(ref.alias, (scope, []))[1].append(attribute)

    def _order(self, tree: object, *, descending: bool) -> Order:
        names = tuple(s.text for s in tree.segments if isinstance(s, Name)) if isinstance(tree, Path) else ()
        if names not in self._groups:
            raise refused(
                "The query node SingleValueOpenPropertyAccess is not supported.",
                hint="$orderby with $apply takes columns of groupby; FetchXML orders by aggregates",
            )
        return Order(alias=self._groups[names], descending=descending)


def read_apply(setting: Setting, table: str, options: Options) -> tuple[Applied, Fetch]:
    """What `$apply` asks, held against the table; DataverseError."""
    found = Applied(setting, table, options)
    source = Source(table, attributes=tuple(a for _, some in found._attributes.values() for a in some))  # noqa: SLF001
    return found, Fetch(source, aggregate=True, top=options.top, total=options.count, by_number=True)
