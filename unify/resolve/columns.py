"""One prepared column of one entity, in memory: the value of every record, and the records of every value.

    texts    distinct values, in order of code points            "ada" "bob" "eve"
    codes    per record (its place inside the entity), or NONE    2 0 NONE 0
    order    places by code, then place                           1 3 0          ┐ made when a value is looked up
    starts   where each code's places begin in `order`            0 2 2 3        ┘ for the first time

A value is found by bisection, about 10 µs among a million; what it costs is 8 bytes per record and the distinct texts
with 8 bytes each.
"""

from bisect import bisect_left
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int32]
Longs = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

NONE = -1
"""Code of a record without a value, and of a text that no record has."""
REMEMBERED = 256
"""Texts whose code is remembered per column: several rules look for the same one."""
LAST = "\U0010ffff"
"""Behind every text with the same beginning."""


class _Texts:
    """A sorted Arrow array as `bisect` reads it."""

    def __init__(self, texts: "pa.Array") -> None:
        self.texts = texts

    def __len__(self) -> int:
        return len(self.texts)

    def __getitem__(self, place: int) -> str:
        found: str = self.texts[place].as_py()
        return found


class Column:
    """The values of one prepared column."""

    def __init__(self, values: "pa.Array") -> None:
        """`values`: one text or null per record of the entity, in the order of rids."""
        coded = values.dictionary_encode()
        by_text = pc.sort_indices(coded.dictionary)
        rank = np.empty(len(by_text) + 1, dtype=np.int32)
        rank[np.asarray(by_text)] = np.arange(len(by_text), dtype=np.int32)
        rank[-1] = NONE
        self.texts = coded.dictionary.take(by_text)
        self.codes: Ints = rank[pc.fill_null(coded.indices, NONE).to_numpy(zero_copy_only=False)]
        self._sorted = _Texts(self.texts)
        self._found: dict[str, int] = {}

    def find(self, text: str | None) -> int:
        """The code of a text; NONE when no record has it."""
        if text is None:
            return NONE
        found = self._found.get(text)
        if found is None:
            place = bisect_left(self._sorted, text)
            found = place if place < len(self.texts) and self._sorted[place] == text else NONE
            if len(self._found) >= REMEMBERED:
                self._found.clear()
            self._found[text] = found
        return found

    def text(self, place: int) -> str | None:
        """The value of a record."""
        code = int(self.codes[place])
        return None if code == NONE else self._sorted[code]

    def spoken(self, codes: Ints) -> list[str]:
        """The texts of some codes."""
        return list(self.texts.take(pa.array(codes)).to_pylist())

    @cached_property
    def _by_code(self) -> tuple[Ints, Ints]:
        order = np.argsort(self.codes, kind="stable").astype(np.int32)
        order = order[int((self.codes == NONE).sum()) :]
        starts = np.searchsorted(self.codes[order], np.arange(len(self.texts) + 1)).astype(np.int32)
        return order, starts

    def build(self) -> None:
        """Make what look-ups need, before several threads ask at once."""
        _ = self._by_code

    def places(self, code: int) -> Ints:
        """The records that have the value, ascending."""
        if code == NONE:
            return np.empty(0, dtype=np.int32)
        order, starts = self._by_code
        return order[starts[code] : starts[code + 1]]

    def beginning(self, text: str, length: int) -> tuple[int, int]:
        """The codes, from and up to, of the texts whose first `length` characters are those of a text."""
        head = text[:length]
        if len(head) < length:  # a text that is shorter begins like itself alone
            code = self.find(head)
            return (code, code + 1) if code != NONE else (0, 0)
        return bisect_left(self._sorted, head), bisect_left(self._sorted, head + LAST)

    def between(self, low: int, high: int) -> Ints:
        """The records that have one of the values, from one code up to another."""
        order, starts = self._by_code
        return order[starts[low] : starts[high]]

    def count_between(self, low: int, high: int) -> int:
        """How many records have one of the values."""
        starts = self._by_code[1]
        return int(starts[high] - starts[low])

    def count(self, code: int) -> int:
        """How many records have the value."""
        if code == NONE:
            return 0
        starts = self._by_code[1]
        return int(starts[code + 1] - starts[code])

    @property
    def nbytes(self) -> int:
        """Memory in bytes."""
        made = self.__dict__.get("_by_code")
        return int(self.texts.nbytes + self.codes.nbytes + (sum(a.nbytes for a in made) if made else 0))
