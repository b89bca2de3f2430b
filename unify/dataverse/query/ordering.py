"""The order of rows: what they are sorted by, and what comes after a row that was seen.

Nulls come first, last when descending, as in SQL Server. The key of the row ends every order, so no two rows are even.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from segments.odata.syntax.ast import Alias, Expression, Path
from segments.odata.syntax.ast_options import OrderItem
from unify.dataverse.query.filtering import Filtering
from unify.dataverse.query.fragments import Sql, both, bound, either, listed, sql
from unify.dataverse.query.naming import name_of
from unify.dataverse.query.options import refused
from unify.dataverse.query.scope import Ref, Setting
from unify.dataverse.query.text import fold

MOST_KEYS: Final = 25
"""Columns of an order: what comes after a row takes as many conditions as half their square."""


@dataclass(frozen=True, slots=True)
class Key:
    """One thing that rows are sorted by.

    value    an expression: what is kept of a row that was seen
    folded   text, sorted without regard to case
    name     of the column, for the paging cookie
    """

    value: Sql
    name: str
    folded: bool = False
    descending: bool = False

    @property
    def sort(self) -> Sql:
        """An expression: what rows are sorted by."""
        return sql("dv_fold({})", self.value) if self.folded else self.value

    @property
    def order(self) -> Sql:
        """As it stands in ORDER BY."""
        return sql("{} DESC", self.sort) if self.descending else self.sort


def key_of(setting: Setting, ref: Ref, *, descending: bool = False, by_label: bool = False) -> Key:
    """By a column: a lookup by the name of the row it points at, a choice by its number or its label."""
    name = ref.attribute.name
    if ref.attribute.is_lookup:
        return Key(name_of(setting, ref), name, folded=True, descending=descending)
    if by_label and ref.attribute.options:
        whens = [bound("WHEN ? THEN ?", option.value, option.label) for option in ref.attribute.options]
        return Key(sql("CASE {} {} END", ref.sql, listed(whens, " ")), name, folded=True, descending=descending)
    return Key(Sql(ref.sql), name, ref.kind == "text", descending)


def ordered(
    setting: Setting, filtering: Filtering, items: Sequence[OrderItem], aliases: Mapping[str, Expression]
) -> list[Key]:
    """$orderby, and the primary key; DataverseError."""
    keys = []
    for item in items:
        tree = item.key
        if isinstance(tree, Path) and len(tree.segments) == 1 and isinstance(tree.segments[0], Alias):
            given = aliases.get(tree.segments[0].name)
            if given is None:
                continue  # a missing alias is null, and null sorts nothing
            tree = given
        if not isinstance(tree, Path):
            raise refused(
                "$orderby takes columns.", hint="as in $orderby=name desc,primarycontactid/fullname; no expressions"
            )
        keys.append(key_of(setting, filtering.ref(tree.segments), descending=item.descending))
    return once([*keys, identity(filtering.tables.root.id)])


def once(keys: Sequence[Key]) -> list[Key]:
    """Without those that were there before: they part nothing. DataverseError past 25."""
    found: dict[Sql, Key] = {}
    for key in keys:
        found.setdefault(key.value, key)
    if len(found) > MOST_KEYS:
        raise refused(f"An order has at most {MOST_KEYS} columns.")
    return list(found.values())


def identity(ref: Ref) -> Key:
    """By a primary key."""
    return Key(Sql(ref.sql), ref.attribute.name)


def order_by(keys: Sequence[Key]) -> Sql:
    """ORDER BY …."""
    return sql("ORDER BY {}", listed([key.order for key in keys]))


def after(keys: Sequence[Key], values: Sequence[Any]) -> Sql:
    """That a row comes after the one that has these values."""
    ways: list[Sql] = []
    same: list[Sql] = []
    for key, value in zip(keys, values, strict=True):
        held = fold(value) if key.folded else value
        ways.append(both([*same, _beyond(key, held)]))
        same.append(sql("{} IS {}", key.sort, bound("?", held)))
    return either(ways)


def _beyond(key: Key, value: Any) -> Sql:
    if value is None:
        return Sql("0") if key.descending else sql("{} IS NOT NULL", key.sort)
    if key.descending:
        return sql("({} < {} OR {} IS NULL)", key.sort, bound("?", value), key.sort)
    return sql("{} > {}", key.sort, bound("?", value))
