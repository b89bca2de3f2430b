"""Where a column is read: tables of a statement, each under an alias of its own, and how they are joined."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count

from unify.core.names import quote
from unify.dataverse.errors import DataverseError
from unify.dataverse.model import AttributeModel, ManyToMany, Model, Navigation, OneToMany, TableModel, Type
from unify.dataverse.model.kept import column_of, sides
from unify.dataverse.model.nouns import Computed
from unify.dataverse.query.fragments import Sql, listed, sql
from unify.dataverse.query.nouns import Asker
from unify.records import Reading
from unify.records.definitions import place

MOST_JOINS = 15
"""Related tables of one question, as Dataverse has it."""
MOST_CONDITIONS = 500
"""Likewise, conditions."""


@dataclass(frozen=True, slots=True)
class Ref:
    """A column of one table of a statement."""

    alias: str
    table: TableModel
    attribute: AttributeModel

    @property
    def sql(self) -> str:
        """As it is written."""
        return f"{self.alias}.{quote(self.attribute.column)}"

    @property
    def scale(self) -> int:
        """Digits after the point of a decimal, which is held as a whole number."""
        return 0 if self.attribute.computed is Computed.VERSION else column_of(self.attribute).scale

    @property
    def kind(self) -> str:
        """text, number, double, boolean, moment, day, id or choices."""
        return "day" if self.attribute.date_only else KINDS[self.attribute.type]


KINDS = {
    Type.STRING: "text", Type.MEMO: "text", Type.ENTITY_NAME: "text", Type.MULTISELECT: "choices",
    Type.INTEGER: "number", Type.BIGINT: "number", Type.PICKLIST: "number", Type.STATE: "number",
    Type.STATUS: "number", Type.DECIMAL: "number", Type.MONEY: "number", Type.DOUBLE: "double",
    Type.BOOLEAN: "boolean", Type.DATETIME: "moment", Type.GUID: "id", Type.LOOKUP: "id", Type.OWNER: "id",
    Type.CUSTOMER: "id", Type.FILE: "id",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scope:
    """One table of a statement."""

    alias: str
    table: TableModel

    def attribute(self, name: str) -> Ref:
        """By logical name; DataverseError."""
        return self._shown(self.table.attribute(name))

    def wire(self, name: str) -> Ref:
        """By its name in OData, `_ownerid_value`; DataverseError."""
        return self._shown(self.table.of_property(name))

    @property
    def id(self) -> Ref:
        """The primary key."""
        return Ref(self.alias, self.table, self.table.attributes[self.table.id_attribute])

    def _shown(self, attribute: AttributeModel) -> Ref:
        if not attribute.read:
            raise self.table.no_property(attribute.wire_name)
        return Ref(self.alias, self.table, attribute)


@dataclass
class Setting:
    """What all parts of one question share: what is asked, who asks, and what was used so far."""

    reading: Reading
    model: Model
    asker: Asker
    _aliases: Iterator[int] = field(default_factory=count)
    _conditions: int = 0

    def scope(self, table: str) -> Scope:
        """A table, under an alias that nobody else has."""
        return Scope(f"t{next(self._aliases)}", table_of(self.model, table))

    def condition(self) -> None:
        """One more; DataverseError past 500."""
        self._conditions += 1
        if self._conditions > MOST_CONDITIONS:
            raise DataverseError(
                "Number of conditions in query exceeded maximum limit.",
                code="0x8004430C",
                hint=f"at most {MOST_CONDITIONS}; many values of one column go into one In(…)",
            )


def table_of(model: Model, name: str) -> TableModel:
    """A table, or the one between two tables of a many-to-many relationship; DataverseError."""
    many = next((one for one in model.many_to_many if one.intersect == name), None)
    if many is None or name in model.tables:
        return model.table(name)
    columns = (f"{name}id", *sides(many))
    attributes = {column: AttributeModel(column, column, Type.GUID) for column in columns}
    return TableModel(
        name, name, f"{name}collection", name, f"{name}id", None, 0, name, name, attributes, is_intersect=True
    )


class Tables:
    """The FROM of one SELECT. A way that is gone twice is one join."""

    def __init__(self, setting: Setting, root: Scope) -> None:
        self.setting, self.root = setting, root
        self._joins: list[Sql] = []
        self._ways: dict[tuple[str, str], Scope] = {}

    def follow(self, scope: Scope, navigation: Navigation) -> Scope:
        """The table behind a single-valued navigation; its columns are null where it is empty."""
        way = scope.alias, navigation.name
        if way not in self._ways:
            target = self.setting.scope(navigation.target)
            self.join("LEFT JOIN", target, pointing(scope, navigation, target))
            self._ways[way] = target
        return self._ways[way]

    def join(self, kind: str, target: Scope, condition: Sql) -> None:
        """`LEFT JOIN target ON condition`. DataverseError past 15."""
        if len(self._joins) >= MOST_JOINS:
            raise too_many_joins()
        self._joins.append(sql("{} {} {} ON {}", kind, place(target.table.name), target.alias, condition))

    @property
    def sql(self) -> Sql:
        """`FROM t_account t0 LEFT JOIN …`."""
        first = Sql(f"FROM {place(self.root.table.name)} {self.root.alias}")
        return listed([first, *self._joins], " ")


def too_many_joins() -> DataverseError:
    """More than 15."""
    return DataverseError(
        "Number of link entities in query exceeded maximum limit.",
        code="0x8004430D",
        hint=f"at most {MOST_JOINS} related tables in one question",
    )


def pointing(scope: Scope, navigation: Navigation, target: Scope) -> Sql:
    """That the row of `scope` points at the row of `target` by a single-valued navigation."""
    relationship = navigation.relationship
    assert isinstance(relationship, OneToMany)
    return both_ways(scope, target, relationship)


def both_ways(many: Scope, one: Scope, relationship: OneToMany) -> Sql:
    """That `many` points at `one`; of a lookup with several targets also that it means this table."""
    lookup = many.table.attributes[relationship.attribute]
    to = one.table.attributes[relationship.referenced_attribute]
    equal = Sql(f"{many.alias}.{quote(lookup.column)} = {one.alias}.{quote(to.column)}")
    return equal if (meant := means(many, relationship)) is None else sql("{} AND {}", equal, meant)


def means(many: Scope, relationship: OneToMany) -> Sql | None:
    """That a lookup with several targets means this one; None for a lookup with one, and for owners, who are all."""
    lookup = many.table.attributes[relationship.attribute]
    if lookup.type_column is None or relationship.referenced not in lookup.targets:
        return None
    column = many.table.attributes[lookup.type_column].column
    return Sql(f"{many.alias}.{quote(column)} = ?", (relationship.referenced,))


def collected(navigation: Navigation, target: Scope) -> tuple[Sql, Sql]:
    """Of a collection: the id that a row of `target` belongs to (an expression), and the condition that it has one.

    SELECT <first> FROM <sources> <target> WHERE <second>.
    """
    relationship = navigation.relationship
    if isinstance(relationship, OneToMany):
        column = target.table.attributes[relationship.attribute].column
        owner = Sql(f"{target.alias}.{quote(column)}")
        meant = means(target, relationship)
        there = sql("{} IS NOT NULL", owner)
        return owner, there if meant is None else sql("{} AND {}", there, meant)
    near, far = ends(relationship, navigation)
    between = f"{target.alias}m"
    owner = Sql(f"{between}.{quote(near)}")
    return owner, Sql(f"{between}.{quote(far)} = {target.id.sql}")


def sources(navigation: Navigation, target: Scope) -> Sql:
    """The tables that `collected` speaks of, put before the target: `t_between t1m CROSS JOIN` or nothing."""
    relationship = navigation.relationship
    if isinstance(relationship, ManyToMany):
        return Sql(f"{place(relationship.intersect)} {target.alias}m CROSS JOIN ")
    return Sql("")


def ends(relationship: ManyToMany, navigation: Navigation) -> tuple[str, str]:
    """Columns of the table between: that of the table the navigation stands on, and the other."""
    first, second = sides(relationship)
    forward = navigation.table == relationship.first and navigation.name == relationship.first_collection
    return (first, second) if forward else (second, first)
