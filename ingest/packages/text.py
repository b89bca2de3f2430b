"""Text of an entity file as UTF-8, in pieces; a row that is no text is left for the reader to find.

One row in another encoding must not cost the rows around it. So what cannot be decoded is not refused here: it goes on
as bytes that are no UTF-8, and `invalid_rows` finds the rows that hold such bytes once rows are known.
"""

import codecs
from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

import numpy as np
import pyarrow as pa

from ingest.packages.errors import EntityFileError

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""UTF-32 LE stands before UTF-16 LE because its mark begins with the other's."""
_CUT: Final = b"\xff"
"""Stands for half a character at the very end: never part of UTF-8."""


def utf8(pieces: Iterable[bytes], encoding: str | None, where: str) -> Iterator[bytes]:
    """The text without its byte order mark. Raises EntityFileError for an encoding that is not known.

    A mark decides; then what is declared; then zeros in every other byte, which UTF-16 of most languages has.
    """
    rest = iter(pieces)
    first = next(rest, b"")
    mark, name = next(((m, e) for m, e in _MARKS if first.startswith(m)), (b"", ""))
    if not mark:
        name = declared(encoding, where) if encoding else _guessed(first)
    whole = chain((first[len(mark) :],), rest)
    if name == "utf-8":
        yield from (piece for piece in whole if piece)
    elif name in ("utf-16-le", "utf-16-be"):
        yield from _utf16(whole, name)
    else:
        yield from _decoded(whole, name)


def declared(encoding: str, where: str) -> str:
    """The codec of an encoding that somebody names, without a mark. Raises EntityFileError."""
    try:
        name = codecs.lookup(encoding).name
        "".encode(encoding)  # refuses what codecs knows but is no text encoding, such as hex
    except LookupError:
        hint = "known are e.g. utf-8, utf-16, latin-1, cp1252"
        raise EntityFileError(f"unknown encoding {encoding!r}", where=where, hint=hint) from None
    return {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(name, name)


def _guessed(first: bytes) -> str:
    head = np.frombuffer(first[:64], np.uint8)
    if head.size >= 4:
        even, odd = (head[0::2] == 0).mean(), (head[1::2] == 0).mean()
        if odd > 0.6 > even:
            return "utf-16-le"
        if even > 0.6 > odd:
            return "utf-16-be"
    return "utf-8"


def _utf16(pieces: Iterable[bytes], name: str) -> Iterator[bytes]:
    """Half a surrogate pair becomes three bytes that are no UTF-8, a lone last byte one."""
    carry = b""
    high = 1 if name == "utf-16-le" else 0
    for piece in pieces:
        text = carry + piece
        cut = len(text) & ~1
        if cut and 0xD8 <= text[cut - 2 + high] < 0xDC:
            cut -= 2
        carry = text[cut:]
        if cut:
            yield text[:cut].decode(name, "surrogatepass").encode("utf-8", "surrogatepass")
    if len(carry) > 1:
        yield carry[:2].decode(name, "surrogatepass").encode("utf-8", "surrogatepass")
    if len(carry) % 2:
        yield _CUT


def _decoded(pieces: Iterable[bytes], name: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(name)("surrogateescape")
    for piece in chain(pieces, (None,)):
        try:
            text = decoder.decode(b"" if piece is None else piece, piece is None)
        except UnicodeDecodeError:  # codecs that do not ask their error handler, e.g. utf-32 cut off
            yield _CUT
            return
        if text:
            yield text.encode("utf-8", "surrogatepass")


def is_text(column: "pa.ChunkedArray | pa.Array") -> bool:
    """Whether all values of a column are UTF-8."""
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def invalid_rows(columns: "Iterable[pa.ChunkedArray]", rows: int) -> np.ndarray:
    """For each row the number of the first column whose value is no UTF-8; -1 where all are. Shape (rows,), int32."""
    bad = np.full(rows, -1, np.int32)
    for number, column in enumerate(columns):
        if is_text(column):
            continue
        values = chain.from_iterable(chunk.view(pa.binary()) for chunk in column.chunks)
        for row, value in enumerate(values):
            if value.is_valid and bad[row] < 0 and not _decodes(value.as_py()):
                bad[row] = number
    return bad


def _decodes(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
