"""The columns of Customer as nouns: what feeds each and who decides. Made by columns.py, read by merge.py.

CustomerColumns
├── picks     columns that take their values from one record: a column alone, or a group
│    ├── columns: UnifiedColumn ─ feeds: Feed (attribute, rank)
│    └── by, recency: who wins
├── entities  <Source>_<Entity>_<Key>, ..._Alternate; what `prefer` takes from other rows
└── layout    every column of Customer, in order
"""

from dataclasses import dataclass

from unify.conflation.attributes import Attribute
from unify.spec import Preference


@dataclass(frozen=True, slots=True)
class Feed:
    """An attribute that feeds a unified column; `rank` is its place in the order of importance, 0 first."""

    entity: str
    column: str
    type: str
    rank: int

    def __str__(self) -> str:
        return f"{self.entity}.{self.column}"


@dataclass(frozen=True, slots=True)
class UnifiedColumn:
    """A column of Customer that conflict resolution fills. Several feeds of one entity are tried in their order."""

    name: str
    type: str
    feeds: tuple[Feed, ...]


@dataclass(frozen=True, slots=True)
class Pick:
    """Columns whose values come from one record of the customer.

    name      the column, or the group
    by        who wins
    recency   for most and least recent: entity to its columns that say how recent a record is, first filled one counts
    """

    name: str
    columns: tuple[UnifiedColumn, ...]
    by: Preference
    is_group: bool = False
    recency: tuple[tuple[str, tuple[str, ...]], ...] = ()
    recency_type: str = ""

    @property
    def sentence(self) -> str:
        """How the value is chosen, for explain.

        >>> feeds = (Feed("crm.Contacts", "EMail", "VARCHAR", 0), Feed("web.Users", "Mail", "VARCHAR", 1))
        >>> Pick("Email", (UnifiedColumn("Email", "VARCHAR", feeds),), Preference()).sentence
        'Email: importance, of crm.Contacts.EMail, web.Users.Mail'
        """
        what = f"{self.name} ({', '.join(c.name for c in self.columns)}) as a unit" if self.is_group else self.name
        feeds = dict.fromkeys(str(f) for c in self.columns for f in c.feeds)
        return f"{what}: {self.by}, of {', '.join(feeds)}"


@dataclass(frozen=True, slots=True)
class Preferred:
    """A column that takes its value from any row of the dedupe group; `recency` is None for most filled."""

    attribute: Attribute
    by: Preference
    recency: Attribute | None = None


@dataclass(frozen=True, slots=True)
class EntityColumns:
    """An entity as merge reads it: its key, its two key columns in Customer, all its columns, what `prefer` says."""

    entity: str
    key: Attribute
    name: str
    alternate: str
    columns: tuple[Attribute, ...]
    prefer: tuple[Preferred, ...] = ()


@dataclass(frozen=True, slots=True)
class CustomerColumns:
    """What merge makes. `layout` names every column of Customer but the cluster ids, in order; `notes` are warnings."""

    picks: tuple[Pick, ...]
    entities: tuple[EntityColumns, ...]
    layout: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[UnifiedColumn, ...]:
        """The unified columns, in the order of the layout."""
        found = {column.name: column for pick in self.picks for column in pick.columns}
        return tuple(found[name] for name in self.layout if name in found)
