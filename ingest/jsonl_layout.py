r"""JSON lines of one layout, read many at a time: one expression takes a line apart, a CSV parser makes columns of it.

Lines of one export look alike: the same keys in the same order, some missing here and there. The expression is made of
the keys seen so far and takes a line only if it is such an object of plain values, as exact JSON would; every other
line, with a key more, in another order, nested, broken, is for the exact reader. So both come to the same, and only
time depends on how alike lines are: 3.5 s per million lines of nine keys, against 9 s.

    {"id": 7, "name": "Zo\u00eb"}   ──▶   7 ␁ "Zo\u00eb"   ──▶   columns of texts as they are written   ──▶   unquoted
"""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

_BLANK = rb"[ \t]*+"
_TEXT = rb'"(?:[^"\\\x00-\x1f]++|\\["\\/bfnrt]|\\u(?![dD][89a-fA-F])[0-9a-fA-F]{4})*+"'
"""Without surrogates: whether two make a character is for the exact reader to say."""
_VALUE = rb"(" + _TEXT + rb"|-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?|true|false|null)"
_SPELLED = re.compile(r'[^"\\\x00-\x1f]+')
"""A key that is written as it is."""
MOST_KEYS = 500
"""Of a layout; what has more is read exactly."""
APART = "\x01"
"""Between two values: nowhere else in a line that was taken apart."""
_BLOCK = 1 << 22


@dataclass(frozen=True)
class Taken:
    """The lines of a piece of text that were taken apart, and the others.

    lines    numbers of the lines that were, counted from 0
    columns  key to values, null where a line lacks the key
    texts    keys of which a value is written as text
    others   (number, line) of the others, empty ones aside
    """

    lines: npt.NDArray[np.int64]
    columns: dict[str, pa.Array]
    texts: set[str]
    others: list[tuple[int, bytes]]


class Layout:
    """The keys of a file in the order in which lines have them, as far as it was seen: `see`, then `take`."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self._expression: re.Pattern[bytes] | None = None

    def see(self, keys: Iterable[str]) -> None:
        """Learn the keys of an object; one that is new stands behind the key that it follows."""
        place = -1
        for key in keys:
            if key in self.keys:
                place = self.keys.index(key)
            elif _SPELLED.fullmatch(key) and len(self.keys) < MOST_KEYS:
                place += 1
                self.keys.insert(place, key)
                self._expression = None

    def take(self, text: bytes) -> Taken:
        """The lines of a text that ends with the end of its last line. Lines end with LF; a CR before it is blank."""
        if self._expression is None:
            self._expression = _expression(self.keys)
        rows = self._expression.findall(text)
        others = [(i, row[-1]) for i, row in enumerate(rows) if not row[0] and row[-1]]
        whole = [i for i, row in enumerate(rows) if row[0]]
        if not whole:
            return Taken(np.empty(0, np.int64), {}, set(), others)
        kept = rows if len(whole) == len(rows) else [rows[i] for i in whole]
        return Taken(np.array(whole, np.int64), *_columns(kept, self.keys), others)


def _expression(keys: Sequence[str]) -> "re.Pattern[bytes]":
    """Groups: a brace if the line was taken apart; a value per key; the line if it was not."""
    parts = [
        rb'(?:"' + re.escape(key.encode()) + rb'"' + _BLANK + rb":" + _BLANK + _VALUE + _BLANK
        + rb"(?:," + _BLANK + rb'(?=")|(?=\})))?+'
        for key in keys
    ]  # fmt: skip
    line = _BLANK + rb"(\{)" + _BLANK + b"".join(parts) + rb"\}[ \t\r]*+$"
    return re.compile(rb"^(?:" + line + rb"|(.*)$)", re.MULTILINE)


def _columns(rows: Sequence[tuple[bytes, ...]], keys: Sequence[str]) -> tuple[dict[str, pa.Array], set[str]]:
    names = [f"c{i}" for i in range(len(keys))]
    table = csv.read_csv(
        pa.BufferReader(b"\n".join(map(APART.encode().join, rows))),
        read_options=csv.ReadOptions(column_names=["brace", *names, "line"], block_size=_BLOCK),
        parse_options=csv.ParseOptions(delimiter=APART, quote_char=False, ignore_empty_lines=False),
        convert_options=csv.ConvertOptions(
            check_utf8=False, include_columns=names, column_types=dict.fromkeys(names, pa.string())
        ),
    )
    columns, texts = {}, set()
    for key, name in zip(keys, names, strict=True):
        written = table.column(name).combine_chunks()
        if pc.any(pc.starts_with(written, '"')).as_py():
            texts.add(key)
        if pc.any(pc.greater(pc.binary_length(written), 0)).as_py():
            columns[key] = _values(written)
    return columns, texts


def _values(written: pa.Array) -> pa.Array:
    """What is written, without quotes and escapes; null for nothing, an empty text and null itself."""
    values = pc.utf8_trim(written, '"')
    nothing = pc.or_(pc.equal(values, ""), pc.equal(written, "null"))
    escaped = pc.match_substring(written, "\\")
    if pc.any(escaped).as_py():
        spelled = [json.loads(text) for text in written.filter(escaped).to_pylist()]
        values = pc.replace_with_mask(values, escaped, pa.array(spelled, pa.string()))
    return pc.if_else(nothing, pa.scalar(None, pa.string()), values)
