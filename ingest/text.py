"""Text files as UTF-8: decompressed, decoded, byte order mark removed, in pieces."""

import codecs
from collections.abc import Iterable, Iterator
from itertools import chain

from ingest.damage import CHUNK, raw_chunks
from ingest.files import DataFile
from unify.core.errors import SourceError, SpecError

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""UTF-32 LE stands before UTF-16 LE because its mark begins with the other's."""


def text_chunks(file: DataFile, encoding: str | None, size: int = CHUNK) -> Iterator[bytes]:
    """The file's text as valid UTF-8, cut anywhere between characters.

    A byte order mark decides when no encoding is declared, and is never part of the text. Raises SpecError for an
    unknown encoding, SourceError with file and line for bytes that are no text in it, DamagedFileError.
    """
    chunks = raw_chunks(file, size)
    first = next(chunks, b"")
    mark, marked = next(((m, e) for m, e in _MARKS if first.startswith(m)), (b"", "utf-8"))
    name = _codec(encoding, file.name) if encoding else marked
    if mark and (not encoding or _same_family(name, marked)):
        first, name = first[len(mark) :], marked
    elif not encoding and b"\x00" in first[:64] and first[:64].count(b"\x00") * 3 > len(first[:64]):
        hint = "declare it: `csv: {encoding: utf-16-le}`"
        raise SourceError("the text looks like UTF-16 without a byte order mark", where=file.name, hint=hint)
    pieces = _chain(first, chunks)
    yield from _checked_utf8(pieces, file.name) if name == "utf-8" else _decoded(pieces, name, file.name)


def _codec(encoding: str, where: str) -> str:
    try:
        info = codecs.lookup(encoding)
        "".encode(encoding)  # refuses what codecs knows but is no text encoding, such as hex
    except LookupError:
        hint = "known are e.g. utf-8, utf-16, latin-1, cp1252"
        raise SpecError(f"unknown encoding {encoding!r}", where=where, hint=hint) from None
    return "utf-8" if info.name == "utf-8-sig" else info.name


def _same_family(name: str, marked: str) -> bool:
    return marked.startswith(name) or name == marked


def _chain(first: bytes, rest: Iterable[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


def _checked_utf8(chunks: Iterable[bytes], where: str) -> Iterator[bytes]:
    """Validate without copying: Python's decoder runs at memory speed on ASCII."""
    carry, line = b"", 1
    for piece in chunks:
        chunk = carry + piece if carry else piece
        cut = _whole_characters(chunk)
        carry, chunk = chunk[cut:], chunk[:cut] if cut < len(chunk) else chunk
        try:
            chunk.decode("utf-8")
        except UnicodeDecodeError as error:
            raise _undecodable(error, where, line + chunk.count(b"\n", 0, error.start)) from None
        line += chunk.count(b"\n")
        yield chunk
    if carry:
        cut_off = UnicodeDecodeError("utf-8", carry, 0, len(carry), "unexpected end of data")
        raise _undecodable(cut_off, where, line)


def _whole_characters(chunk: bytes) -> int:
    """Where to cut so that no character is split: before a sequence that the last three bytes began and did not end."""
    for back in range(1, min(4, len(chunk) + 1)):
        byte = chunk[-back]
        if byte & 0xC0 == 0x80:
            continue
        needed = 2 if byte >> 5 == 0b110 else 3 if byte >> 4 == 0b1110 else 4 if byte >> 3 == 0b11110 else 1
        return len(chunk) - back if needed > back else len(chunk)
    return len(chunk)


def _decoded(chunks: Iterable[bytes], name: str, where: str) -> Iterator[bytes]:
    decoder = codecs.getincrementaldecoder(name)()
    line, at_start = 1, True
    for piece in chain(chunks, (None,)):
        try:
            text = decoder.decode(piece) if piece is not None else decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            good = error.object[: error.start].decode(name, "ignore")
            raise _undecodable(error, where, line + good.count("\n")) from None
        if at_start and text:
            text, at_start = text.removeprefix("\ufeff"), False
        line += text.count("\n")
        if text:
            yield text.encode("utf-8")


def _undecodable(error: UnicodeDecodeError, where: str, line: int) -> SourceError:
    shown = error.object[error.start : error.start + 4].hex(" ")
    hint = "declare how it was written, e.g. `csv: {encoding: cp1252}`"
    return SourceError(f"bytes {shown} are no text in {error.encoding}", where=f"{where}, line {line}", hint=hint)
