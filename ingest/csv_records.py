"""Where the records of a CSV text begin and end, and which of them are broken: decided before any parser reads them.

Two ways to one answer. The fast one finds quotes, delimiters and line ends with numpy and proves that every quote
stands where RFC 4180 allows it. Where the proof fails at a quote, the record with that quote goes to the exact one,
which matches record by record, and the fast one goes on behind it; a piece with a NUL or in an unusual dialect goes
there whole. What both call good is then parsed by Arrow; what is broken is quarantined:

    wrong number of columns      the record is whole, but has more or fewer fields than the header
    bad quoting                  text after a closing quote, or a quote that is never closed
    NUL character                never part of an export; a sign of damage

A record with bad quoting ends at its first line end, whatever its quotes say, and reading goes on with the next line:
one stray quote costs one row, not the rest of the file. A quote inside an unquoted value is an ordinary character, as
Python's csv module and Arrow have it. Lines end with LF, CR LF or CR; empty lines are no records.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from ingest.csv_exact import MAX_OPEN, Dialect, Exact, content_of, count_lines

_LF, _CR = 10, 13
PROOFS = 64
"""Stray quotes of one window that the fast way goes around, each for a look at the rest of the window: 5 ms per MB."""
WINDOW = 1 << 20
"""Bytes that are looked at together: little is looked at again after a stray quote, and it stays in the cache."""


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

    def read(self, piece: bytes, *, final: bool = False) -> Iterator[Records]:
        """As `feed`, window by window; those that one call of the parser may read are together.

        A window is at least as long as what waits for its end, so a value of 64 MiB is looked at 7 times, not 64 times.
        """
        waiting: list[Records] = []
        start = 0
        while start < len(piece) or not start:
            end = start + max(WINDOW, len(self._carry))
            records = self.feed(piece[start:end], final=final and end >= len(piece))
            start = end
            if records.pieces is None:
                waiting.append(records)
                continue
            if waiting:
                yield _together(waiting)
                waiting = []
            yield records
        if waiting:
            yield _together(waiting)

    def feed(self, piece: bytes, *, final: bool = False) -> Records:
        """The records that are complete with this piece; `final` says that nothing follows."""
        text = self._carry + piece if self._carry else piece
        if final and text and text[-1] not in (_LF, _CR):
            text += b"\n"
        found: list[Records] = []
        for _ in range(PROOFS if self.dialect.is_plain else 0):
            fast = self._fast(text, final)
            if fast is None:
                break
            records, used, stray = fast
            found.append(records)
            text = text[used:]
            if stray is None:
                self._carry = text
                return _together(found)
            records, used = self._slow(text, final, until=stray - used)
            found.append(records)
            text = text[used:]
            if not used:
                break
        records, used = self._slow(text, final)
        self._carry = text[used:]
        return _together([*found, records])

    def _fast(self, text: bytes, final: bool) -> tuple[Records, int, int | None] | None:
        """The records before the first quote that may not stand where it does, how far they reach, and where it is.

        None for a NUL or a byte order mark, and when an open quote makes the remainder too long.
        """
        if b"\x00" in text or text.startswith(b"\xef\xbb\xbf"):
            return None
        codes = np.frombuffer(text, np.uint8)
        ends = _line_ends(codes, text, final)
        quote = self.dialect.quote.encode()
        has_quotes = bool(quote) and quote in text
        outside, stray = None, None
        outer = ends
        if has_quotes:
            is_quote = codes == quote[0]
            outside = ~np.logical_xor.accumulate(is_quote)
            outer = ends[outside[ends]]
            whole = int(outer[-1]) + 1 if outer.size else 0
            stray = _stray_quote(codes[:whole], np.flatnonzero(is_quote[:whole]), quote[0], self.dialect)
            if stray is not None:
                outer = outer[outer < stray]
        used = int(outer[-1]) + 1 if outer.size else 0
        if stray is None and ((final and used < len(text)) or len(text) - used > MAX_OPEN):
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
        ends = ends[: int(np.searchsorted(ends, used))]
        inner = outer.size != ends.size and used > 0
        lines = self.line + (np.searchsorted(ends, starts) if inner else np.arange(outer.size))
        self.line += ends.size if inner else outer.size
        wrong = np.flatnonzero(filled & (widths != self.width))
        bad = [self._ragged(text[starts[i] : outer[i]], int(lines[i]), int(widths[i])) for i in wrong]
        data = _without(text, used, starts[wrong], outer[wrong] + 1) if bad else text[:used]
        good = filled & (widths == self.width)
        longest = int(lengths.max(initial=0)) + 1
        return Records(data, lines[good].astype(np.int64), longest, inner, bad), used, stray

    def _ragged(self, record: bytes, line: int, width: int) -> BadRow:
        value = f"{width} columns instead of {self.width}"
        return BadRow(line, "wrong number of columns", value, record.decode(errors="replace").rstrip("\r\n"))

    def _slow(self, text: bytes, final: bool, until: int | None = None) -> tuple[Records, int]:
        """Record by record, to the end or up to the one that reaches beyond byte `until`; and how far that is."""
        position, kept, lines, bad, longest = 0, [], [], [], 0
        while position < len(text) and (until is None or position <= until):
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
                bad.append(BadRow(self.line, "bad quoting", value, content.decode(errors="replace")))
            elif b"\x00" in content:
                bad.append(BadRow(self.line, "NUL character", "", content.decode(errors="replace")))
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
    last = returns[-1] == codes.size - 1
    following = codes[(returns[:-1] if last else returns) + 1]
    if last:
        following = np.append(following, 0 if final else _LF)
    lone = returns[following != _LF]
    return np.sort(np.concatenate((feeds, lone))) if lone.size else feeds


def _stray_quote(codes: np.ndarray, quotes: np.ndarray, quote: int, dialect: Dialect) -> int | None:
    """The first quote that is neither opening (after a delimiter or line end), closing (before one) nor doubled."""
    allowed = np.zeros(256, bool)
    allowed[[_LF, _CR, ord(dialect.delimiter), quote]] = True
    opening, closing = quotes[0::2], quotes[1::2]
    wrong_before = (opening > 0) & ~allowed[codes[np.maximum(opening - 1, 0)]]
    wrong_after = (closing + 1 < codes.size) & ~allowed[codes[np.minimum(closing + 1, max(codes.size - 1, 0))]]
    stray = [
        int(places[wrong][0]) for places, wrong in ((opening, wrong_before), (closing, wrong_after)) if wrong.any()
    ]
    if quotes.size % 2:
        stray.append(int(quotes[-1]))
    return min(stray, default=None)


def _together(found: list[Records]) -> Records:
    """Records one after the other as one."""
    if len(found) == 1:
        return found[0]
    return Records(
        b"".join(f.data for f in found),
        np.concatenate([f.lines for f in found]),
        max(f.longest for f in found),
        any(f.quoted_newlines for f in found),
        [row for f in found for row in f.bad],
    )


def _without(text: bytes, used: int, starts: np.ndarray, ends: np.ndarray) -> bytes:
    pieces, position = [], 0
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        pieces.append(text[position:start])
        position = end
    return b"".join((*pieces, text[position:used]))
