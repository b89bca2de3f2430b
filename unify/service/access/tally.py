"""Rows of customers that an answer holds, counted where they are known: for budgets of keys and the audit log."""

from contextvars import ContextVar

_rows: ContextVar[list[int] | None] = ContextVar("rows of this answer", default=None)


def begin() -> list[int]:
    """Count from zero for the request at hand, and in all tasks that it starts; the one cell holds the number."""
    cell = [0]
    _rows.set(cell)
    return cell


def tally(rows: int) -> None:
    """So many rows more go out. On the event loop: threads of the pool know nothing of the request."""
    cell = _rows.get()
    if cell is not None:
        cell[0] += rows
