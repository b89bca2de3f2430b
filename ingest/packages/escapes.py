"""Characters that XML cannot hold, as spreadsheets write them: `_x0001_`, and `_x005F_` for the `_` of such a text."""

import re
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

_UNFIT: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
UNFIT_RE2: Final = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x{FFFE}\x{FFFF}]"
"""What no XML 1.0 document holds, not even as references; for Python and for Arrow."""
_LOOKS: Final = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
_ESCAPE: Final = re.compile(r"_x([0-9A-Fa-f]{4})_")
_LOOKS_RE2: Final = "_x[0-9A-Fa-f]{4}_"


def escaped(text: str) -> str:
    """A text that XML can hold, and that `unescaped` turns back.

    >>> escaped(chr(1) + "_x0041_")
    '_x0001__x005F_x0041_'
    """
    return _UNFIT.sub(lambda m: f"_x{ord(m[0]):04X}_", _LOOKS.sub("_x005F_", text))


def unescaped(text: str) -> str:
    """The text as it was. Surrogates are left as they stand: half of a pair is no text.

    >>> unescaped("_x0001__x005F_x0041_") == chr(1) + "_x0041_"
    True
    """
    return _ESCAPE.sub(_character, text) if "_x" in text else text


def _character(found: re.Match[str]) -> str:
    code = int(found[1], 16)
    return found[0] if 0xD800 <= code < 0xE000 else chr(code)


def needs_escape(column: pa.Array) -> pa.Array:
    """For each text whether `escaped` changes it; null stays null."""
    return pc.match_substring_regex(column, f"{_LOOKS_RE2}|{UNFIT_RE2}")


def escaped_column(column: pa.Array) -> pa.Array:
    """`escaped` over a column; only the values that need it are looked at one by one."""
    mask = pc.fill_null(needs_escape(column), False)
    if not pc.any(mask, min_count=0).as_py():
        return column
    changed = pa.array([escaped(value) for value in column.filter(mask).to_pylist()], pa.string())
    return pc.replace_with_mask(column, mask, changed)
