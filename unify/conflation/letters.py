"""Which letters stand in a text an odd number of times: 64 bits beside a value, by which most pairs are told apart.

    anna    -        every letter twice
    anne    a e      one edit from anna, and two bits
    annabel b e l    three bits from anna, so two edits at least; with the lengths, three

A rule that joins on a birth date compares two million pairs of names per million records, of which one in five thousand
passes. Comparing two texts takes 0.1 to 2 µs, two columns of bits 0.01 µs. The bound is exact: no pair is lost.
"""

import numpy as np
import pyarrow as pa

from unify.core.engine import Function

_BLANKS = b" \t\n\v\f\r\x1c\x1d\x1e\x1f"
"""White space as Python and rapidfuzz split by it: words may be joined by other blanks than they were."""
_BITS = np.left_shift(np.uint64(1), np.arange(256, dtype=np.uint64) % 64)
_BITS[list(_BLANKS)] = 0


def letters_of(column: str) -> str:
    """The column of letters beside a prepared column; a qualified name stays qualified.

    >>> letters_of("l.v3")
    'l.v3_letters'
    """
    return f"{column}_letters"


def parities_apart(a: str, b: str) -> str:
    """SQL: how many letters stand an odd number of times in one of two columns only; null where one is not ASCII."""
    return f"CAST(bit_count(xor({letters_of(a)}, {letters_of(b)})) AS INTEGER)"


def letters(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    """Per text a bit for every character (by its code modulo 64) that occurs an odd number of times, blanks aside.

    Null for null and for what is not ASCII, where bytes are no characters.

    >>> letters(pa.array(["abba", "ab a", "é", None]))[1].as_py() == 1 << (ord("b") % 64)
    True
    """
    values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    ends = np.frombuffer(values.buffers()[1], np.int32)[values.offset : values.offset + len(values) + 1]
    data = np.frombuffer(values.buffers()[2] or b"", np.uint8)[ends[0] : ends[-1]]
    ends = ends - ends[0]
    so_far = np.concatenate((np.zeros(1, np.uint64), np.bitwise_xor.accumulate(_BITS[data])))
    nothing = values.is_null().to_numpy(zero_copy_only=False)
    if len(data) and int(data.max()) > 127:
        foreign = np.concatenate(([0], np.cumsum(data > 127)))
        nothing = nothing | (foreign[ends[1:]] > foreign[ends[:-1]])
    return pa.array((so_far[ends[1:]] ^ so_far[ends[:-1]]).view(np.int64), mask=nothing)


LETTERS = Function("unify_letters", ("VARCHAR",), "BIGINT", letters)
