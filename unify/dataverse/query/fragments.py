"""Pieces of SQL with the values that are bound in them, in order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Sql:
    """Text with `?`, and what stands for each."""

    text: str
    params: tuple[Any, ...] = ()


ALWAYS: Final = Sql("1")
NEVER: Final = Sql("0")


def sql(template: str, *parts: Sql | str) -> Sql:
    """The template with its `{}` replaced in order; a str is an identifier or a piece that was written here.

    >>> sql("{} = {}", "a", Sql("?", (1,)))
    Sql(text='a = ?', params=(1,))
    """
    pieces = template.split("{}")
    text: list[str] = [pieces[0]]
    params: list[Any] = []
    for part, piece in zip(parts, pieces[1:], strict=True):
        if isinstance(part, Sql):
            text.append(part.text)
            params.extend(part.params)
        else:
            text.append(part)
        text.append(piece)
    return Sql("".join(text), tuple(params))


def bound(template: str, *values: Any) -> Sql:
    """The template as it is, with its values."""
    return Sql(template, values)


def listed(parts: Sequence[Sql], separator: str = ", ") -> Sql:
    """All, with the separator between."""
    return Sql(separator.join(part.text for part in parts), tuple(p for part in parts for p in part.params))


def both(parts: Sequence[Sql]) -> Sql:
    """All hold; ALWAYS of none."""
    return _tree([part for part in parts if part != ALWAYS], " AND ") or ALWAYS


def either(parts: Sequence[Sql]) -> Sql:
    """One holds; NEVER of none."""
    return _tree([part for part in parts if part != NEVER], " OR ") or NEVER


def _tree(parts: Sequence[Sql], word: str) -> Sql | None:
    # As a balanced tree: SQLite reads at most 1,000 levels, and a chain of n terms is n levels.
    if len(parts) <= 1:
        return parts[0] if parts else None
    half = len(parts) // 2
    left, right = _tree(parts[:half], word), _tree(parts[half:], word)
    assert left is not None
    assert right is not None
    return sql("({}" + word + "{})", left, right)


def negated(part: Sql) -> Sql:
    """It does not hold: where it is unknown because of a null, it does not."""
    return sql("NOT coalesce({}, 0)", part)
