"""Normalisers on one value: what the SQL of conflation/normalize.py makes of it, without asking DuckDB.

A function that SQL calls in Python costs DuckDB 0.8 ms per query, and a record has a dozen of them. What is Python
there is the same code here; what is SQL there (lower, symbols, whitespace, phone, prefix) is written again, and a test
holds both against each other.
"""

import re
import unicodedata
from collections.abc import Callable, Sequence
from functools import cache

import pyarrow as pa

from unify.conflation.compare_functions import sorted_words
from unify.conflation.normalize import SYMBOLS
from unify.conflation.normalize_phone import EXTENSION, KEYPAD, SCIENTIFIC, VANITY, region_rules
from unify.conflation.normalize_text import NUMERALS, TO_ASCII, WHITE_SPACE, fold
from unify.conflation.normalize_words import (
    ADDRESS_WORDS,
    NAME_WORDS,
    ORGANIZATION_WORDS,
    SOUNDS,
    TELLING_WORDS,
    Words,
)
from unify.conflation.words import addresses
from unify.core.engine import Function
from unify.spec import Criterion, NormalizeStep

Change = Callable[[str], str | None]

_SYMBOLS = str.maketrans("", "", SYMBOLS)
_BLANKS = str.maketrans("", "", WHITE_SPACE.characters)
_PLAIN_BLANKS = str.maketrans("", "", "".join(c for c in WHITE_SPACE.characters if c.isascii()))
_TO_BLANKS = str.maketrans(dict.fromkeys(WHITE_SPACE.characters, " "))
_KEYPAD = str.maketrans(*KEYPAD)
_WORDS = re.compile(r"[^ \t\n\v\f\r]+")
"""As Arrow splits ASCII white space."""
_PHRASES = [(re.compile(pattern), replacement) for pattern, replacement in addresses.PHRASES]


def calling(function: Function) -> Change:
    """A function of SQL on one value."""

    def call(text: str) -> str | None:
        found: str | None = function.call(pa.array([text], pa.string()))[0].as_py()
        return found

    return call


def _re2(pattern: str) -> "re.Pattern[str]":
    r"""A pattern of RE2 as Python reads it: `$` is the very end, `\s` knows five characters."""
    python = re.sub(r"\$(?=$|\))", r"\\Z", pattern).replace(r"\s", r"[\t\n\f\r ]")
    return re.compile(python, re.ASCII)


_EXTENDED, _SHORTENED, _VANITIES = _re2(EXTENSION), _re2(SCIENTIFIC), _re2(VANITY)
_LETTER, _NO_DIGIT, _PLUS = re.compile("[A-Za-z]"), re.compile("[^0-9]+"), re.compile("[^0-9+＋]+|([0-9])[+＋]+")


@cache
def _rules(region: str) -> tuple[tuple["re.Pattern[str]", str], ...]:
    return tuple((_re2(pattern), replacement) for pattern, replacement in region_rules(region.upper()))


def phone(text: str, region: str | None) -> str:
    """The digits of a phone number, as phone_sql has them."""
    if _LETTER.search(text):
        bare = _EXTENDED.sub(r"\1", text, count=1)
        if _SHORTENED.search(text):
            text = ""
        elif _VANITIES.search(bare):
            text = bare.lower().translate(_KEYPAD)
        else:
            text = bare
    text = text.replace("(0)", "")
    if region is None:
        return _NO_DIGIT.sub("", text).lstrip("0")
    text = _PLUS.sub(r"\1", text)
    for pattern, replacement in _rules(region):
        text = pattern.sub(replacement, text, count=1)
    return text


def by_word(text: str, words: Words) -> str:
    """A value with its words replaced by what stands for them, as normalize_words.by_word has it."""
    parts = _WORDS.findall(text if text.isascii() else text.translate(_TO_BLANKS))
    return " ".join(answer for part in parts if (answer := words[part]))


def address(text: str) -> str:
    """Common parts of an address abbreviated, as normalize_words has them."""
    found = by_word(text, ADDRESS_WORDS)
    for pattern, replacement in _PHRASES:
        found = pattern.sub(replacement, found)
    return found


def organization(text: str) -> str:
    """The telling words of an organization; all of them when none tells."""
    full = by_word(text, ORGANIZATION_WORDS)
    return by_word(full, TELLING_WORDS) or full


def _step(step: NormalizeStep, *, plain: bool) -> Change:
    """One normaliser; `plain`: of a value that is ASCII."""
    numerals = calling(NUMERALS)
    match step.kind:
        case "numerals":
            return str if plain else numerals
        case "symbols":
            return lambda text: text.translate(_SYMBOLS)
        case "lower":
            return str.lower if plain else fold
        case "phone":
            region = step.argument
            return lambda text: phone(text if plain else numerals(text) or "", region)
        case "name":
            return lambda text: by_word(text, NAME_WORDS)
        case "address":
            return address
        case "organization":
            return organization
        case "ascii":
            return str.lower if plain else calling(TO_ASCII)
        case "whitespace":
            return lambda text: text.translate(_PLAIN_BLANKS if plain else _BLANKS)
    raise ValueError(f"{step.kind} is looked up in a list")


def chain(steps: Sequence[NormalizeStep], lists: Function | None, criterion: Criterion | None) -> Change:
    """What becomes of a text: all normalisers, the lists that they name, nothing left? none; then its join key."""
    kept = [s for s in steps if s.kind not in ("alias", "bypass")]
    ways = {plain: [_step(s, plain=plain) for s in kept] for plain in (True, False)}
    look_up = None if lists is None else calling(lists)
    key = join_key(criterion) if criterion is not None and criterion.is_exact else None

    def change(text: str) -> str | None:
        value: str | None = text
        for step in ways[text.isascii()]:
            value = step(value) if value is not None else None
        if value is not None and look_up is not None:
            value = look_up(value)
        if value is None or not value.translate(_BLANKS):
            return None
        return value if key is None else key(value)

    return change


def join_key(criterion: Criterion) -> Change | None:
    """What must be equal for an exact criterion to pass; None: the value itself."""
    if criterion.compare == "prefix":
        length = int(criterion.within or 1)
        return lambda text: text[:length]
    if criterion.compare == "phonetic":
        return lambda text: by_word(text, SOUNDS) or None
    return sorted_words if criterion.compare == "token_sort" else None


def joined(texts: Sequence[str | None]) -> str:
    """Several columns read as one text: those that hold more than white space, with one blank between."""
    return " ".join(_trimmed(text) for text in texts if text is not None and text.translate(_BLANKS))


def _trimmed(text: str) -> str:
    """As SQL trims: blanks of the category Zs at both ends."""
    start, end = 0, len(text)
    while start < end and unicodedata.category(text[start]) == "Zs":
        start += 1
    while end > start and unicodedata.category(text[end - 1]) == "Zs":
        end -= 1
    return text[start:end]
