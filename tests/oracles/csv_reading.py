"""CSV by Python's csv module, one record at a time: slow, plain, written by others."""

import csv
import io
import re

csv.field_size_limit(1 << 30)
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n|\Z)")


def read(text, width, **dialect):
    """(rows, bad): rows are (line, values), bad are (line, reason). `text` has no header."""
    lines = [m[0] for m in _LINE.finditer(text) if m[0]]
    rows, bad, i = [], [], 0
    while i < len(lines):
        if not lines[i].strip("\r\n"):
            i += 1
            continue
        values, used = _record(lines, i, dialect)
        if values is None:
            bad.append((i + 1, "bad quoting"))
        elif "\x00" in "".join(lines[i : i + used]):
            bad.append((i + 1, "NUL character"))
        elif len(values) != width:
            bad.append((i + 1, "wrong number of columns"))
        else:
            rows.append((i + 1, values))
        i += used
    return rows, bad


def _record(lines, i, dialect):
    """The values of the record that begins on line i and how many lines it has; None and 1 when it is broken."""
    text = ""
    for used, line in enumerate(lines[i:], 1):
        text += line
        try:
            [values] = csv.reader(io.StringIO(text, newline=""), strict=True, **dialect)
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                continue
            return None, 1
        return values, used
    return None, 1
