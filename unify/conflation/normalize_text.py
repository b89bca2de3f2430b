"""Normalisers that work on characters, for the values that SQL alone cannot do: those with non-ASCII characters."""

import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import pyarrow as pa
from anyascii import anyascii

from unify.core.engine import Function


@dataclass(frozen=True, slots=True)
class WhiteSpace:
    """Characters nobody sees, in the spellings that SQL needs."""

    characters: str

    @property
    def regex(self) -> str:
        """They all, inside the brackets of a regular expression (RE2)."""
        return "".join(rf"\x{{{ord(c):X}}}" for c in self.characters)

    @property
    def plain_regex(self) -> str:
        """The ASCII ones, inside the brackets of a regular expression."""
        return "".join(rf"\x{{{ord(c):X}}}" for c in self.characters if c.isascii())


# Unicode's White_Space property (25 characters), and the four that have no width at all but part words in exports:
# zero width space, word joiner, byte order mark, Mongolian vowel separator. ZWJ and ZWNJ carry meaning and stay.
WHITE_SPACE = WhiteSpace(
    "\t\n\x0b\x0c\r \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f"
    "\u205f\u3000\u200b\u2060\ufeff\u180e"
)


class _Lazy(dict[int, str]):
    """A table for str.translate that works a character out when it is first met: at most one entry per character."""

    def __init__(self, replacement: Callable[[str], str]) -> None:
        super().__init__()
        self._replacement = replacement

    def __missing__(self, code: int) -> str:
        self[code] = replaced = self._replacement(chr(code))
        return replaced


def _digits(character: str) -> str:
    """The digits of a character that denotes a whole number.

    Fractions stay: ½ is no plain digit. Letters stay, ideographs among them: 三 is a number and also half of a surname.
    """
    if unicodedata.category(character) not in ("Nd", "Nl", "No"):
        return character
    number = unicodedata.numeric(character, None)
    return str(int(number)) if number is not None and number == int(number) else character


def fold(text: str) -> str:
    """Text whose case and composition do not count: canonical caseless matching (Unicode 3.13, D145), composed.

    >>> fold("Straße") == fold("STRASSE"), fold("É") == fold("e\u0301")
    (True, True)
    """
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())


_NUMBERS, _ASCII = _Lazy(_digits), _Lazy(anyascii)


def to_ascii(text: str) -> str:
    """Letters of any script as lower-case ASCII.

    >>> to_ascii("Ⓐ Łódź Αθήνα")
    'a lodz athina'
    """
    return text.translate(_ASCII).lower()


def _per_value(change: Callable[[str], str]) -> Callable[..., pa.Array]:
    def call(column: pa.Array | pa.ChunkedArray) -> pa.Array:
        values: Iterable[str | None] = column.to_pylist()
        return pa.array([None if v is None else change(v) for v in values], pa.string())

    return call


NUMERALS = Function("unify_numerals", ("VARCHAR",), "VARCHAR", _per_value(lambda text: text.translate(_NUMBERS)))
FOLD = Function("unify_fold", ("VARCHAR",), "VARCHAR", _per_value(fold))
TO_ASCII = Function("unify_ascii", ("VARCHAR",), "VARCHAR", _per_value(to_ascii))
TEXT_FUNCTIONS = (NUMERALS, FOLD, TO_ASCII)
