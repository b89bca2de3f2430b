"""Rows above and under a row: by the lookup with which a table points at itself, `parentaccountid` of account."""

from enum import Enum

from unify.core.names import quote
from unify.dataverse.model import OneToMany, TableModel
from unify.dataverse.query.fragments import Sql, bound
from unify.dataverse.query.options import refused
from unify.dataverse.query.scope import Ref, Setting
from unify.records.definitions import place


class Side(Enum):
    """Where from the row."""

    ABOVE = "above"
    UNDER = "under"


def related_in_hierarchy(setting: Setting, ref: Ref, key: str, side: Side, *, itself: bool) -> Sql:
    """The column names a row above (under) the row `key` of the table it points at, or that row; rings end."""
    table = _pointed_at(setting, ref)
    lookup = _lookup(setting, table)
    id_, up = quote(table.attributes[table.id_attribute].column), quote(table.attributes[lookup.attribute].column)
    place_ = place(table.name)
    if side is Side.UNDER:
        step = f"SELECT x.{id_} FROM h JOIN {place_} x ON x.{up} = h.id"
    else:
        step = f"SELECT x.{up} FROM h JOIN {place_} x ON x.{id_} = h.id WHERE x.{up} IS NOT NULL"
    text = f"{ref.sql} IN (WITH RECURSIVE h(id) AS (SELECT ? UNION {step}) SELECT id FROM h"
    return bound(f"{text})", key) if itself else bound(f"{text} WHERE id <> ?)", key, key)


def _pointed_at(setting: Setting, ref: Ref) -> TableModel:
    """The table whose ids the column holds: its own for the primary key."""
    if ref.attribute.name == ref.table.id_attribute:
        return ref.table
    known = [t for t in ref.attribute.targets if _lookups(setting, setting.model.table(t))]
    if len(known) != 1:
        raise refused(
            f"The attribute '{ref.attribute.name}' of '{ref.table.name}' is in no hierarchy.",
            where=ref.attribute.name,
            hint="a hierarchy is a table with a lookup to itself, such as parentaccountid of account",
        )
    return setting.model.table(known[0])


def _lookups(setting: Setting, table: TableModel) -> list[OneToMany]:
    own = (one for one in setting.model.lookups_to(table.name) if one.referencing == table.name)
    return [one for one in own if one.custom or one.attribute.startswith("parent")]  # createdby makes no hierarchy


def _lookup(setting: Setting, table: TableModel) -> OneToMany:
    found = sorted(_lookups(setting, table), key=lambda one: (not one.attribute.startswith("parent"), one.attribute))
    if not found:
        raise refused(
            f"The table '{table.name}' has no hierarchy.", where=table.name, hint="it has no lookup to itself"
        )
    return found[0]


def children(setting: Setting, table: TableModel, ids: str) -> Sql:
    """SELECT: an id of the JSON list `ids`, and how many rows point at it in the hierarchy; 0 are left out."""
    up = quote(table.attributes[_lookup(setting, table).attribute].column)
    among = f"FROM {place(table.name)} c WHERE c.{up} IN (SELECT value FROM json_each(?))"
    return bound(f"SELECT c.{up}, count(*) {among} GROUP BY 1", ids)
