"""Every activity is also a row of activitypointer, with what all kinds of activity share."""

from collections.abc import Mapping, Sequence

from unify.dataverse.model import TableModel
from unify.dataverse.writes.session import Session
from unify.records import Value

POINTER = "activitypointer"


def made(session: Session, table: TableModel, rows: Sequence[Mapping[str, Value]]) -> None:
    """Activities were made."""
    if table.is_activity:
        pointer = session.model.table(POINTER)
        session.writing.insert(POINTER, [_shared(pointer, row) for row in rows])


def changed(session: Session, table: TableModel, rows: Sequence[tuple[str, Mapping[str, Value]]]) -> None:
    """Activities were changed: ids and what was set."""
    if table.is_activity:
        pointer = session.model.table(POINTER)
        session.writing.update_many(POINTER, [([row_id], _shared(pointer, values)) for row_id, values in rows])


def _shared(pointer: TableModel, values: Mapping[str, Value]) -> dict[str, Value]:
    found = {name: value for name, value in values.items() if name in pointer.attributes}
    if "statecode" in found:
        states = {option.value: option.default for option in pointer.attributes["statecode"].options}
        state = found["statecode"]
        found["statuscode"] = states.get(state) if isinstance(state, int) else None
    return found
