"""One CSV record at a time, for every dialect: slower than the splitter in csv_records.py, and never wrong."""

import re
from dataclasses import dataclass

MAX_OPEN = 1 << 26
"""A quoted value may run over 64 MiB; beyond that its quote counts as never closed."""
_LINE_END = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Dialect:
    """Delimiter, quote and escape; empty quote or escape means none.

    skip_space  blanks after a delimiter are no part of the value (files written with `, `)
    """

    delimiter: str = ","
    quote: str = '"'
    escape: str = ""
    skip_space: bool = False

    @property
    def is_plain(self) -> bool:
        """Whether the fast splitter and Arrow's parser understand it: one-byte delimiter, quotes doubled."""
        marks = self.delimiter + self.quote
        simple = len(self.delimiter) == 1 and marks.isascii() and self.escape in ("", self.quote)
        return simple and not self.skip_space and self.delimiter not in "\r\n"


class Exact:
    """Matches one record at a time, for every dialect. Possessive quantifiers: no input makes it backtrack."""

    def __init__(self, dialect: Dialect) -> None:
        d = re.escape(dialect.delimiter.encode())
        space = rb"\x20*+" if dialect.skip_space else b""
        escape = re.escape(dialect.escape.encode()) if dialect.escape and dialect.escape != dialect.quote else b""
        escaped = escape + rb"[\s\S]|" if escape else b""
        stop = rb"(?!" + d + rb")" + (rb"(?!" + escape + rb")" if escape else b"") + rb"[^\r\n]"
        plain = rb"(?:" + escaped + stop + rb")*+"
        if len(dialect.delimiter.encode()) == 1 and not escape:
            plain = rb"[^\r\n" + d + rb"]*+"
        quoted = b""
        if dialect.quote:
            q = re.escape(dialect.quote.encode())
            other = rb"(?!" + q + (rb"|" + escape if escape else b"") + rb")[\s\S]"
            inside = rb"(?:" + escaped + other + rb"|" + q + q + rb")*+"
            if not escape and len(dialect.quote.encode()) == 1:
                inside = rb"(?:[^" + q + rb"]++|" + q + q + rb")*+"
            quoted = space + q + rb"(?P<quoted>" + inside + rb")" + q + rb"|"
            plain = rb"(?!" + space + q + rb")" + plain
            self._open: re.Pattern[bytes] | None = re.compile(space + q + inside + rb"\Z")
        else:
            self._open = None
        self._field = re.compile(
            rb"(?:" + quoted + space + rb"(?P<plain>" + plain + rb"))(?P<stop>" + d + rb"|\r\n|\r|\n|\Z)"
        )
        one = rb"(?:" + quoted.replace(b"?P<quoted>", b"?:") + space + plain + rb")"
        self._record = re.compile(rb"(?:" + one + d + rb")*+" + one + rb"(?:\r\n|\r|\n)")
        self._escape = re.compile(escape + rb"([\s\S])") if escape else None
        self._mark = dialect.escape.encode()
        self._quote = dialect.quote.encode()
        self._delimiter = dialect.delimiter.encode()

    def record(self, text: bytes, start: int, *, final: bool) -> tuple[int, bool] | None:
        """Where the record ends, its line end included, and whether it is whole; None when more text is needed."""
        whole = self._record.match(text, start)
        if whole is not None and (final or whole.end() < len(text) or text[-1:] != b"\r"):
            return whole.end(), True
        position = start
        while True:
            found = self._field.match(text, position)
            if found is None:
                is_open = self._open is not None and self._open.match(text, position) is not None
                half_escape = self._escape is not None and text.endswith(self._mark)
                if (is_open or half_escape) and not final and len(text) - start <= MAX_OPEN:
                    return None
                return self._broken(text, start, final=final)
            stop, position = found["stop"], found.end()
            if stop == self._delimiter:
                continue
            if not final and (not stop or (position == len(text) and stop == b"\r")):
                return None
            return position, True

    def _broken(self, text: bytes, start: int, *, final: bool) -> tuple[int, bool] | None:
        """A broken record ends with its line; None when the end of the line is not there yet."""
        found = _LINE_END.search(text, start)
        end = found.end() if found else len(text)
        is_cut = found is None or (end == len(text) and text.endswith(b"\r"))
        return None if is_cut and not final else (end, False)

    def width(self, record: bytes) -> int:
        """Number of fields."""
        if (not self._quote or self._quote not in record) and self._escape is None:
            return record.count(self._delimiter) + 1
        return len(self.fields(record))

    def fields(self, record: bytes) -> list[str]:
        """The values of a whole record, unquoted and unescaped."""
        values, position = [], 0
        while True:
            found = self._field.match(record, position)
            if found is None:
                raise ValueError("not a whole record")
            raw = found["quoted"] if self._quote else None
            value = raw.replace(self._quote * 2, self._quote) if raw is not None else found["plain"]
            values.append((self._escape.sub(rb"\1", value) if self._escape else value).decode(errors="replace"))
            position = found.end()
            if found["stop"] != self._delimiter:
                return values


def content_of(record: bytes) -> bytes:
    """A record without its line end."""
    if record.endswith(b"\r\n"):
        return record[:-2]
    return record[:-1] if record[-1:] in (b"\r", b"\n") else record


def count_lines(record: bytes) -> int:
    """Line ends in a record."""
    return record.count(b"\n") + record.count(b"\r") - record.count(b"\r\n")
