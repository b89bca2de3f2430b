"""Those who are told of every write, in its transaction, before and after it: rules of tables, steps of others.

told = before(session, "Create", table, [(id, values, None), …])       may change values, may refuse
…the rows are written…
after(told)
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, TypeAlias

from unify.dataverse.model import TableModel
from unify.dataverse.writes.session import Session
from unify.records import Row, Value

Message = Literal["Create", "Update", "Delete"]


@dataclass
class Happening:
    """One row that is written.

    values   by column, as the record store has them: all that is set; of a Delete nothing
    before   the row as it was; None of a Create
    """

    session: Session
    message: Message
    table: TableModel
    id: str
    values: dict[str, Value] = field(default_factory=dict)
    before: Row | None = None


class Watcher(Protocol):
    """Who is told."""

    def wants(self, session: Session, message: Message, table: str) -> bool:
        """Whether a write of this kind is told of. Asked once for the rows of one write: it has to be fast."""

    def before(self, happening: Happening) -> None:
        """Right before the row is written. An error undoes the write."""

    def after(self, happening: Happening) -> None:
        """Right after all rows of the write are written."""


WATCHERS: Final[list[Watcher]] = []
"""Set when modules are imported, and never later: `unify.custom` puts its own in."""
Told: TypeAlias = tuple[Sequence[Watcher], Sequence[Happening]]


def before(
    session: Session, message: Message, table: TableModel, rows: Iterable[tuple[str, dict[str, Value], Row | None]]
) -> Told:
    """Tell whoever wants to know of rows about to be written: id, values, and the row as it was."""
    wanting = [one for one in WATCHERS if one.wants(session, message, table.name)]
    if not wanting:
        return (), ()
    happenings = [Happening(session, message, table, id_, values, was) for id_, values, was in rows]
    if message == "Delete":
        found = session.writing.many(table.name, table.id_attribute, [one.id for one in happenings])
        held = {str(row.values[table.id_attribute]): row for row in found}
        for one in happenings:
            one.before = held.get(one.id)
    for one in happenings:
        for watcher in wanting:
            watcher.before(one)
    return wanting, happenings


def after(told: Told) -> None:
    """The rows are written."""
    for one in told[1]:
        for watcher in told[0]:
            watcher.after(one)
