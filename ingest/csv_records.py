"""Where the records of a CSV text begin and end, and which of them are broken: decided before any parser reads them.

Two ways to one answer. The fast one finds quotes, delimiters and line ends with numpy and proves that every quote
stands where RFC 4180 allows it. A piece for which the proof fails (bad quoting, a NUL, an unusual dialect) goes to the
exact one, which matches record by record. What both call good is then parsed by Arrow; what is broken is quarantined:

    wrong number of columns      the record is whole, but has more or fewer fields than the header
    bad quoting                  text after a closing quote, or a quote that is never closed
    NUL character                never part of an export; a sign of damage

A record with bad quoting ends at its first line end, whatever its quotes say, and reading goes on with the next line:
one stray quote costs one row, not the rest of the file. A quote inside an unquoted value is an ordinary character, as
Python's csv module and Arrow have it. Lines end with LF, CR LF or CR; empty lines are no records.
"""

from dataclasses import dataclass, field

import numpy as np

from ingest.csv_exact import MAX_OPEN, Dialect, Exact, content_of, count_lines

_LF, _CR = 10, 13


@dataclass(slots=True)
class BadRow:
    """A record that cannot be read: its first line, a reason, what is wrong in particular, and its text."""

    line: int
    reason: str
    value: str
    raw: str


@dataclass(slots=True)
class Records:
    """The good records of one piece of text.

    data     their bytes, each record with its line end; nothing else but empty lines
    lines    the line of the file on which each begins (int64)
    longest  bytes of the longest one
    quoted_newlines  whether a value may hold a line end
    pieces   the records one by one, where the exact way was taken
    """

    data: bytes
    lines: np.ndarray
    longest: int
    quoted_newlines: bool
    bad: list[BadRow] = field(default_factory=list)
    pieces: list[bytes] | None = None


class Splitter:
    """Cuts pieces of UTF-8 text into records of `width` fields; keeps what is incomplete for the next piece."""

    def __init__(self, dialect: Dialect, width: int, line: int = 1) -> None:
        self.dialect, self.width, self.line = dialect, width, line
        self._carry = b""
        self._exact = Exact(dialect)

    def feed(self, piece: bytes, *, final: bool = False) -> Records:
        """The records that are complete with this piece; `final` says that nothing follows."""
        text = self._carry + piece if self._carry else piece
        if final and text and text[-1] not in (_LF, _CR):
            text += b"\n"
        records, used = (self.dialect.is_plain and self._fast(text, final)) or self._slow(text, final)
        self._carry = text[used:]
        return records

    def _fast(self, text: bytes, final: bool) -> tuple[Records, int] | None:
        """None when the proof fails, or when an open quote makes the remainder too long."""
        if b"\x00" in text or text.startswith(b"\xef\xbb\xbf"):
            return None
        codes = np.frombuffer(text, np.uint8)
        ends = _line_ends(codes, text, final)
        quote = self.dialect.quote.encode()
        has_quotes = bool(quote) and quote in text
        outside = None
        outer = ends
        if has_quotes:
            is_quote = codes == quote[0]
            outside = ~np.logical_xor.accumulate(is_quote)
            outer = ends[outside[ends]]
        used = int(outer[-1]) + 1 if outer.size else 0
        if (final and used < len(text)) or len(text) - used > MAX_OPEN:
            return None
        if has_quotes and not _well_quoted(codes[:used], np.flatnonzero(is_quote[:used]), quote[0], self.dialect):
            return None
        is_delimiter = codes[:used] == ord(self.dialect.delimiter)
        if outside is not None:
            is_delimiter &= outside[:used]
        starts = np.empty_like(outer)
        if outer.size:
            starts[0], starts[1:] = 0, outer[:-1] + 1
        before = np.searchsorted(np.flatnonzero(is_delimiter), outer)
        widths = np.diff(before, prepend=0) + 1
        lengths = outer - starts
        filled = (lengths > 1) | ((lengths == 1) & (codes[starts] != _CR))
        inner = outer.size != ends.size and used > 0
        lines = self.line + (np.searchsorted(ends, starts) if inner else np.arange(outer.size))
        self.line += int(np.searchsorted(ends, used)) if inner else outer.size
        wrong = np.flatnonzero(filled & (widths != self.width))
        bad = [self._ragged(text[starts[i] : outer[i]], int(lines[i]), int(widths[i])) for i in wrong]
        data = _without(text, used, starts[wrong], outer[wrong] + 1) if bad else text[:used]
        good = filled & (widths == self.width)
        longest = int(lengths.max(initial=0)) + 1
        return Records(data, lines[good].astype(np.int64), longest, inner, bad), used

    def _ragged(self, record: bytes, line: int, width: int) -> BadRow:
        value = f"{width} columns instead of {self.width}"
        return BadRow(line, "wrong number of columns", value, record.decode().rstrip("\r\n"))

    def _slow(self, text: bytes, final: bool) -> tuple[Records, int]:
        position, kept, lines, bad, longest = 0, [], [], [], 0
        while position < len(text):
            found = self._exact.record(text, position, final=final)
            if found is None:
                break
            end, is_whole = found
            record = text[position:end]
            content = record.rstrip(b"\r\n") if not is_whole else content_of(record)
            if not content:
                pass
            elif not is_whole:
                value = "text after a closing quote, or a quote that is never closed"
                bad.append(BadRow(self.line, "bad quoting", value, content.decode()))
            elif b"\x00" in content:
                bad.append(BadRow(self.line, "NUL character", "", content.decode()))
            elif (width := self._exact.width(content)) != self.width:
                bad.append(self._ragged(content, self.line, width))
            else:
                kept.append(record)
                lines.append(self.line)
                longest = max(longest, len(record))
            self.line += count_lines(record)
            position = end
        return Records(b"".join(kept), np.array(lines, np.int64), longest, True, bad, kept), position


def _line_ends(codes: np.ndarray, text: bytes, final: bool) -> np.ndarray:
    """Positions of the last byte of every line end; a CR at the very end may be half of a CR LF."""
    feeds = np.flatnonzero(codes == _LF)
    if b"\r" not in text:
        return feeds
    returns = np.flatnonzero(codes == _CR)
    following = np.append(codes[1:], 0 if final else _LF)[returns]
    lone = returns[following != _LF]
    return np.sort(np.concatenate((feeds, lone))) if lone.size else feeds


def _well_quoted(codes: np.ndarray, quotes: np.ndarray, quote: int, dialect: Dialect) -> bool:
    """Whether quotes alternate between opening (after a delimiter or line end) and closing (before one), or double."""
    if quotes.size % 2:
        return False
    allowed = np.zeros(256, bool)
    allowed[[_LF, _CR, ord(dialect.delimiter), quote]] = True
    opening, closing = quotes[0::2], quotes[1::2]
    before = opening[opening > 0] - 1
    after = closing[closing + 1 < codes.size] + 1
    return bool(allowed[codes[before]].all() and allowed[codes[after]].all())


def _without(text: bytes, used: int, starts: np.ndarray, ends: np.ndarray) -> bytes:
    pieces, position = [], 0
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        pieces.append(text[position:start])
        position = end
    return b"".join((*pieces, text[position:used]))
