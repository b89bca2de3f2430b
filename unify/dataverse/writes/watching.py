"""Those who are told of every write, in its transaction, before and after it: rules of tables, steps of others.

A write asks `watchers(…)` once for a message and table, and tells each of every row, first `before` then `after`:

    for one in watchers(self, "Create", table.name):
        one.before(happening)          may change `happening.values`, may refuse
    …the row is written…
    for one in watchers(self, "Create", table.name):
        one.after(happening)
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, Protocol

from unify.dataverse.model import TableModel
from unify.records import Row, Value

if TYPE_CHECKING:
    from unify.dataverse.writes.facade import Writes

Message = Literal["Create", "Update", "Delete"]


@dataclass
class Happening:
    """One row that is written.

    values   by column, as the record store has them: all that is set; of a Delete nothing
    before   the row as it was; None of a Create
    """

    writes: "Writes"
    message: Message
    table: TableModel
    id: str
    values: dict[str, Value] = field(default_factory=dict)
    before: Row | None = None


class Watcher(Protocol):
    """Who is told."""

    def wants(self, writes: "Writes", message: Message, table: str) -> bool:
        """Whether a write of this kind is told of. Asked for every write: it has to be fast."""

    def before(self, happening: Happening) -> None:
        """Right before the row is written. An error undoes the transaction."""

    def after(self, happening: Happening) -> None:
        """Right after it."""


WATCHERS: Final[list[Watcher]] = []
"""Set when modules are imported, and never later: `unify.custom` puts its own in."""


def watchers(writes: "Writes", message: Message, table: str) -> tuple[Watcher, ...]:
    """Who wants to be told of a write of this kind."""
    return tuple(one for one in WATCHERS if one.wants(writes, message, table))
