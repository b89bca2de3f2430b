"""Rows as JSON objects: packed values put between the names of their columns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring
from operator import itemgetter
from typing import Any, Final

from unify.service.hot.rows import BETWEEN

REMEMBERED: Final = 256
"""Selections, and texts of many rows of them: some kB each."""
AT_ONCE: Final = 100
"""Rows that one formatting fills: a page as a rule."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What is shown of a row. `one` and `many`: JSON with a gap for each value; `pick`: which values, None: all.

    suffix  of the context: `(City,Tier)`
    """

    one: bytes
    pick: Callable[[Sequence[bytes]], Any] | None
    suffix: bytes

    def row(self, values: bytes) -> bytes:
        """One row as JSON."""
        parts = values.split(BETWEEN)
        return self.one % (tuple(parts) if self.pick is None else self.pick(parts))

    def rows(self, values: Sequence[bytes]) -> bytes:
        """Rows as JSON, with commas between."""
        if self.pick is not None or len(values) > AT_ONCE:
            return b",".join(map(self.row, values))
        return b",".join((self.one,) * len(values)) % tuple(BETWEEN.join(values).split(BETWEEN)) if values else b""


class Texts:
    """The shapes of rows with these columns."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._columns = columns
        self._places = {name: n for n, name in enumerate(columns)}
        self.whole = Shape(_gaps(columns), None, b"")
        self._shapes: dict[tuple[str, ...], Shape] = {}

    def shape(self, select: tuple[str, ...] | None) -> Shape | None:
        """What a $select shows; None when it names something else than columns."""
        if select is None:
            return self.whole
        found = self._shapes.get(select)
        if found is None:
            if not all(name in self._places for name in select):
                return None
            if len(self._shapes) >= REMEMBERED:
                self._shapes.clear()
            found = self._shapes[select] = self._made(tuple(dict.fromkeys(select)))
        return found

    def _made(self, names: tuple[str, ...]) -> Shape:
        places = [self._places[name] for name in names]
        pick = itemgetter(*places) if len(places) > 1 else itemgetter(slice(places[0], places[0] + 1))
        if len(places) == 1:
            only = pick
            return Shape(_gaps(names), lambda values: tuple(only(values)), f"({','.join(names)})".encode())
        return Shape(_gaps(names), pick, f"({','.join(names)})".encode())


def _gaps(names: Sequence[str]) -> bytes:
    return ("{" + ",".join(f"{encode_basestring(name).replace('%', '%%')}:%b" for name in names) + "}").encode()
