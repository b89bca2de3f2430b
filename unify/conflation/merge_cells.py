"""SQL of one cell: what a row of an entity says. Aliases: `m` members, `source` the entity's table, `p` its assembled
winners (merge_preferred_<n>)."""

from collections.abc import Iterable

from unify.conflation.attributes import Attribute
from unify.conflation.column_types import cast, is_text
from unify.conflation.picks import CustomerColumns, EntityColumns, Feed, UnifiedColumn
from unify.core.engine import Engine
from unify.core.names import quote, table_of
from unify.core.plain import hardly_repeat


class Cells:
    """What one entity's (assembled) winner row says, as SQL over aliases m, source and p."""

    def __init__(self, entity: EntityColumns) -> None:
        self.entity = entity
        self.preferred = {p.attribute.column: i for i, p in enumerate(entity.prefer)}

    def of(self, column: UnifiedColumn) -> list[Feed]:
        """The entity's attributes that feed a column, most important first."""
        return [feed for feed in column.feeds if feed.entity == self.entity.entity]

    def raw(self, column: str) -> str:
        """A source column's value."""
        i = self.preferred.get(column)
        own = column_of(column)
        return own if i is None else f"CASE WHEN p.winner IS NULL THEN {own} ELSE p.v{i} END"

    def holds(self, feed: Feed) -> str:
        """Whether an attribute holds a value."""
        return filled(self.raw(feed.column), feed.type)

    def has_value(self, column: UnifiedColumn) -> str:
        """Whether any of the attributes of a column holds a value."""
        feeds = self.of(column)
        return f"({' OR '.join(self.holds(feed) for feed in feeds)})" if feeds else "false"

    def giver(self, column: UnifiedColumn) -> str:
        """The rid of the row that holds the column's value."""
        feeds = [feed for feed in self.of(column) if feed.column in self.preferred]
        cases = " ".join(f"WHEN {self.holds(f)} THEN coalesce(p.s{self.preferred[f.column]}, m.rid)" for f in feeds)
        return f"CASE {cases} ELSE m.rid END" if cases else "m.rid"


def value_of(column: UnifiedColumn, entity: EntityColumns) -> str:
    """What a row says for a unified column, in that column's type; null when it says nothing."""
    values = []
    for feed in column.feeds:
        if feed.entity == entity.entity:
            own = column_of(feed.column)
            values.append(cast(f"nullif({own}, '')" if is_text(feed.type) else own, feed.type, column.type))
    return f"coalesce({', '.join(values)})" if values else f"CAST(NULL AS {column.type})"


def source_of(entity: EntityColumns) -> str:
    """An entity's table, under its alias."""
    return f"{quote(table_of(entity.entity))} AS source"


def key_is(entity: EntityColumns) -> str:
    """The join of a source row with its member."""
    return f"{cast(column_of(entity.key.column), entity.key.type, 'VARCHAR')} = m.key"


def column_of(name: str) -> str:
    """A source column."""
    return f"source.{quote(name)}"


def filled(value: str, kind: str) -> str:
    """Whether a value is there; an empty string is none. Never null, so that OR and NOT mean what they say."""
    return f"(nullif({value}, '') IS NOT NULL)" if is_text(kind) else f"({value} IS NOT NULL)"


def count(conditions: Iterable[str]) -> str:
    """How many of the conditions hold."""
    return " + ".join(f"CAST({condition} AS INTEGER)" for condition in conditions) or "0"


def recency_of(attribute: Attribute) -> str:
    """What a source column says about recency."""
    return not_nan(column_of(attribute.column), attribute.type)


def not_nan(value: str, kind: str) -> str:
    """NaN says nothing about recency; left alone it would be the most recent of all."""
    return f"nullif({value}, CAST('NaN' AS {kind}))" if kind in ("FLOAT", "DOUBLE") else value


def plain_columns(engine: Engine, columns: CustomerColumns) -> tuple[str, ...]:
    """Unified columns whose texts hardly repeat in the entity that feeds them first."""
    found: list[str] = []
    for entity in columns.entities:
        first = {c.feeds[0].column: c.name for c in columns.columns if c.feeds and c.feeds[0].entity == entity.entity}
        texts = [a.column for a in entity.columns if a.column in first and is_text(a.type)]
        found += [first[c] for c in hardly_repeat(engine, quote(table_of(entity.entity)), texts)]
    return tuple(found)
