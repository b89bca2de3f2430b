"""What somebody may see of a generation, as views: of each table the columns that are left, masks, and their rows.

    generation (under a name that no question says) ──views──▶ Customer, UnifiedActivity, crm_Contacts, members, …

A table that is not named here is not there: corrupt rows, lists, links, lineage of cells, the stages of runs.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from segments.activities import UNIFIED
from segments.model import MEASURES, ORDINAL, own_table
from segments.relationships import CUSTOMER
from unify.conflation.columns import key_names
from unify.core.names import literal, quote, table_of
from unify.service.access.classes import Place, Schema, Told
from unify.service.access.masks import mask, token
from unify.service.access.visibility import Visibility, activity_sources, joined

WITHHELD: Final = "withheld"
"""The name of the attached generation. Not `generation`, which other code goes to by name."""
ALLOWED: Final = "allowed_customers"
"""Scratch table of ordinals, where rows are restricted."""
EMPTY: Final = ("rules", "list_values", "links", "cuts", "overrides")
"""Tables that finding a customer looks at, and of which nothing is shown."""
PLAIN: Final = Told("sensitive")
"""Of a column that tells nothing and that a rule masks all the same: not even which values are alike is shown."""


@dataclass(frozen=True)
class Views:
    """Views for one visibility on one generation.

    key   hex of a key of the service: what tokens are made with
    """

    schema: Schema
    visibility: Visibility
    key: str

    def sql(self, tables: Mapping[str, Mapping[str, str]]) -> Iterator[tuple[str, str]]:
        """(name, SELECT). `tables`: all tables and views of the generation → columns."""
        for name in self.shown:
            yield name, f"SELECT {self._columns(name)} FROM {_whole(name)} AS t{self._rows(name)}"
        for name, select in self._helpers.items():
            if name in tables:
                yield name, select(tables[name])
        corrupt = [f"{table_of(entity)}_corrupt" for entity in self.schema.project.entities]
        for name in (*EMPTY, *corrupt):
            if name in tables:
                yield name, f"SELECT * FROM {_whole(name)} WHERE false"

    @cached_property
    def shown(self) -> list[str]:
        """Tables that questions may be about, sorted."""
        project = self.schema.project
        totals = {own_table(name) for name, m in project.measures.items() if m.kind == "business"}
        restricted = self.visibility.segments is not None
        return sorted(
            table
            for table, columns in self.schema.columns.items()
            if not (restricted and table in totals)  # of everybody, so of those who are not shown too
            and any((table, column) not in self.visibility.hidden for column in columns)
        )

    # ── columns ──────────────────────────────────────────────────────────────────────────────────────────────────────

    @cached_property
    def _joined(self) -> frozenset[Place]:
        return frozenset().union(*joined(self.schema.project))

    def _columns(self, table: str) -> str:
        return ", ".join(
            f"{self._cell(table, column, kind)} AS {quote(column)}"
            for column, kind in self.schema.columns[table].items()
            if (table, column) not in self.visibility.hidden
        )

    def _cell(self, table: str, column: str, kind: str) -> str:
        value, place = f"t.{quote(column)}", (table, column)
        if place not in self.visibility.masked:
            return value
        if place in self._joined:
            return self._token(value)
        if table == UNIFIED:
            return self._moment(column, kind)
        return mask(value, kind, self.schema.told.get(place, PLAIN), self.key)

    def _token(self, value: str) -> str:
        return f"CASE WHEN {value} IS NOT NULL THEN {token(value, self.key)} END"

    def _moment(self, column: str, kind: str) -> str:
        """A cell of the timeline: withheld of the rows whose source column is, a key as the key itself is masked."""
        withheld = self.visibility.masked | self.visibility.hidden
        value, of = f"t.{quote(column)}", []
        for activity, made in activity_sources(self.schema.project):
            table = table_of(activity.entity)
            if any((table, source) in withheld for source in made[column] if column in made):
                of.append(literal(table))
        if column == "ActivityId":
            shown = f"left(sha256({literal(self.key)} || {value}), 32)"
        elif column == "SourceActivityId":
            shown = self._token(value)
        else:
            shown = f"CAST(NULL AS {kind})"
        if not of:  # a rule names the column itself
            return shown
        return f'CASE WHEN t."SourceTableName" IN ({", ".join(of)}) THEN {shown} ELSE {value} END'

    # ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _rows(self, table: str) -> str:
        """` WHERE …`: rows that can be tied to a customer who is shown; of everything else none."""
        if self.visibility.segments is None:
            return ""
        if table in self._records:
            entity, key = self._records[table]
            rows = f"SELECT key FROM {_whole('members')} WHERE entity = {literal(entity)} AND {_allowed(ORDINAL)}"
            return f" WHERE CAST(t.{quote(key)} AS VARCHAR) IN ({rows})"
        if table in self._happened:
            rows = (
                f'SELECT "SourceActivityId" FROM {_whole(UNIFIED)} '
                f'WHERE "SourceTableName" = {literal(table)} AND {_allowed(ORDINAL)}'
            )
            return f" WHERE CAST(t.{quote(self._happened[table])} AS VARCHAR) IN ({rows})"
        if table in (CUSTOMER, UNIFIED, MEASURES) or table in self._measured:
            return f" WHERE {_allowed('t.' + quote(ORDINAL))}"
        return " WHERE false"

    @cached_property
    def _records(self) -> dict[str, tuple[str, str]]:
        """Table of a conflated entity → entity, key."""
        project = self.schema.project
        return {table_of(entity): (entity, project.entity(entity).key) for entity in key_names(project)}

    @cached_property
    def _happened(self) -> dict[str, str]:
        """Table of an activity entity that is on the timeline → key."""
        if UNIFIED not in self.schema.columns:
            return {}
        project = self.schema.project
        entities = [a.entity for a in project.activities.values() if a.timeline]
        return {table_of(entity): project.entity(entity).key for entity in entities}

    @cached_property
    def _measured(self) -> set[str]:
        return {own_table(name) for name, m in self.schema.project.measures.items() if m.kind == "customer"}

    # ── what leads from one table to another ─────────────────────────────────────────────────────────────────────────

    @cached_property
    def _helpers(self) -> dict[str, Callable[[Mapping[str, str]], str]]:
        return {
            "project": lambda _: f"FROM {_whole('project')}",
            "members": lambda columns: self._keyed("members", columns, f" WHERE {self._of_allowed}"),
            "records": lambda columns: self._keyed(
                "records", columns, f" WHERE t.rid IN (SELECT rid FROM {_whole('members')} WHERE {self._of_allowed})"
            ),
            "customer_ids": self._ids,
            "customer_lineage": self._lineage,
        }

    @property
    def _of_allowed(self) -> str:
        return "true" if self.visibility.segments is None else _allowed(ORDINAL)

    def _key(self, entity: str = "t.entity", key: str = "t.key") -> str:
        """The key of a record, masked where the key of its entity is."""
        of = [literal(e) for t, (e, column) in self._records.items() if (t, column) in self.visibility.masked]
        return f"CASE WHEN {entity} IN ({', '.join(of)}) THEN {token(key, self.key)} ELSE {key} END" if of else key

    def _keyed(self, name: str, columns: Mapping[str, str], rows: str) -> str:
        cells = [f"{self._key()} AS key" if c == "key" else f"t.{quote(c)}" for c in columns]
        return f"SELECT {', '.join(cells)} FROM {_whole(name)} AS t{rows}"

    def _ids(self, columns: Mapping[str, str]) -> str:
        """Ids of customers who are shown, and those that became one of them."""
        ids = _whole("customer_ids")
        cells = [self._key("t.founded_by_entity", "t.founded_by_key") if c == "founded_by_key" else f"t.{quote(c)}"
                 for c in columns]  # fmt: skip
        listed = ", ".join(f"{cell} AS {quote(c)}" for cell, c in zip(cells, columns, strict=True))
        rows = f'{_allowed("t.ordinal")} OR t.successor IN (SELECT "CustomerId" FROM {ids} WHERE {_allowed(ORDINAL)})'
        return f"SELECT {listed} FROM {ids} AS t" + ("" if self.visibility.segments is None else f" WHERE {rows}")

    def _lineage(self, columns: Mapping[str, str]) -> str:
        gone = [literal(column) for table, column in sorted(self.visibility.hidden) if table == CUSTOMER]
        rows = [f't."column" NOT IN ({", ".join(gone)})'] if gone else []
        if self.visibility.segments is not None:
            rows.append(f't."CustomerId" IN (SELECT "CustomerId" FROM {_whole(CUSTOMER)} WHERE {_allowed(ORDINAL)})')
        return self._keyed("customer_lineage", columns, f" WHERE {' AND '.join(rows)}" if rows else "")


def _whole(table: str) -> str:
    return f"{WITHHELD}.main.{quote(table)}"


def _allowed(ordinal: str) -> str:
    return f"{ordinal} IN (SELECT ordinal FROM temp.main.{ALLOWED})"
