"""Primary names of the rows that lookups point at: to sort by, and to be shown."""

import json
from collections.abc import Iterable
from typing import Final

from unify.core.names import quote
from unify.dataverse.model import OneToMany, TableModel
from unify.dataverse.query.fragments import Sql, listed, sql
from unify.dataverse.query.scope import Ref, Setting
from unify.records.definitions import place

NOTHING: Final = Sql("NULL")


def name_of(setting: Setting, ref: Ref) -> Sql:
    """An expression: the primary name of the row that a lookup points at."""
    attribute = ref.attribute
    if attribute.type_column is None:
        return _name(setting.model.table(attribute.targets[0]), ref.sql) if attribute.targets else NOTHING
    kind = f"{ref.alias}.{quote(ref.table.attributes[attribute.type_column].column)}"
    cases = [sql("WHEN ? THEN {}", _name(setting.model.table(target), ref.sql)) for target in attribute.targets]
    whens = [Sql(case.text, (target, *case.params)) for case, target in zip(cases, attribute.targets, strict=True)]
    return sql("CASE {} {} END", kind, listed(whens, " "))


def _name(table: TableModel, key: str) -> Sql:
    if table.name_attribute is None:
        return NOTHING
    name = quote(table.attributes[table.name_attribute].column)
    id_ = quote(table.attributes[table.id_attribute].column)
    return Sql(f"(SELECT n.{name} FROM {place(table.name)} n WHERE n.{id_} = {key})")


class Names:
    """Names of rows by table and id: wanted while rows are read, known afterwards, one SELECT a table."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._known: dict[tuple[str, str], str | None] = {}

    def learn(self, pairs: Iterable[tuple[str, str]]) -> None:
        """Look up the names of rows, given as table and id; those that are known are not asked for again."""
        wanted: dict[str, set[str]] = {}
        for table, key in pairs:
            if (table, key) not in self._known and table in self._setting.model.tables:
                wanted.setdefault(table, set()).add(key)
        for name, keys in wanted.items():
            of = self._setting.model.table(name)
            if of.name_attribute is None:
                continue
            column = quote(of.attributes[of.name_attribute].column)
            id_ = quote(of.attributes[of.id_attribute].column)
            text = f"SELECT {id_}, {column} FROM {place(name)} WHERE {id_} IN (SELECT value FROM json_each(?))"
            found = self._setting.reading.connection.execute(text, (json.dumps(sorted(keys)),))
            self._known.update({(name, row[0]): row[1] for row in found})

    def of(self, table: str, key: str) -> str | None:
        """None: there is no such row, or it has no name."""
        return self._known.get((table, key))


def navigation_of(setting: Setting, ref: Ref, target: str | None) -> str | None:
    """The single-valued navigation property by which a lookup reaches a table; `ownerid` reaches users and teams."""
    found = {one.referenced: one.lookup for one in setting.model.one_to_many if _is(one, ref)}
    others = [lookup for referenced, lookup in found.items() if referenced not in ref.attribute.targets]
    return found.get(str(target), others[0] if others else None)


def _is(one: OneToMany, ref: Ref) -> bool:
    return one.referencing == ref.table.name and one.attribute == ref.attribute.name
