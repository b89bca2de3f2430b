"""Normalisers that work word by word. Each different word of a batch is looked at once, whatever its count.

A batch of values is split into words by Arrow; the words become integers (dictionary encoding); Python decides once per
different word; Arrow puts the values together again. That is what makes word tables as fast as SQL.
"""

from collections.abc import Callable

import jellyfish
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from unify.conflation.normalize_text import WHITE_SPACE, fold, to_ascii
from unify.conflation.words import addresses, names, organizations
from unify.core.engine import Function

Word = Callable[[str], str]
"""One word, without white space, to what stands for it: a word, several parted by a blank, or nothing."""

REMEMBERED = 200_000
"""Words whose answer is kept, per function: about 20 MiB, and most of the words of a million names."""


class Words(dict[str, str]):
    """Words and what stands for them, worked out when first met.

    A dictionary, because a look-up in it is a third of a call: a batch of 2,048 names holds 2,000 different words.
    """

    def __init__(self, word: Word) -> None:
        super().__init__()
        self._word = word

    def __missing__(self, word: str) -> str:
        if len(self) >= REMEMBERED:
            self.clear()
        self[word] = answer = self._word(word) if word else ""
        return answer


def by_word(column: pa.Array | pa.ChunkedArray, words: Words) -> pa.Array:
    """Each value with its words replaced by what stands for them, joined by single blanks; nulls stay nulls."""
    values = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    lists = pc.ascii_split_whitespace(_plain_blanks(values))
    codes = lists.flatten().dictionary_encode()
    answers = pa.array(map(words.__getitem__, codes.dictionary.to_pylist()), pa.string())
    kept = np.asarray(pc.not_equal(answers, "")).astype(bool)[codes.indices.to_numpy(zero_copy_only=False)]
    # flatten() skips null lists, so offsets are counted anew from the lengths, nulls counting 0.
    lengths = pc.fill_null(pc.list_value_length(lists), 0).to_numpy(zero_copy_only=False)
    ends = np.concatenate(([0], np.cumsum(kept)))[np.concatenate(([0], np.cumsum(lengths)))]
    stand = answers.take(codes.indices)
    parts = pa.ListArray.from_arrays(pa.array(ends.astype(np.int32)), stand if kept.all() else stand.filter(kept))
    joined = pc.binary_join(parts, " ")
    return pc.if_else(values.is_valid(), joined, pa.scalar(None, pa.string())) if values.null_count else joined


def _plain_blanks(values: pa.Array) -> pa.Array:
    """Every kind of white space as a blank.

    Arrow 26's utf8_split_whitespace misses some at the end of a buffer: one batch with a trailing U+00A0 came out one
    way or the other from call to call.
    """
    if pc.all(pc.string_is_ascii(values), min_count=0).as_py():
        return values
    return pc.replace_substring_regex(values, f"[{WHITE_SPACE.regex}]", " ")


def _name(column: pa.Array) -> pa.Array:
    return by_word(column, NAME_WORDS)


def _address(column: pa.Array) -> pa.Array:
    joined = by_word(column, ADDRESS_WORDS)
    for pattern, replacement in addresses.PHRASES:
        joined = pc.replace_substring_regex(joined, pattern, replacement)
    return joined


def _organization(column: pa.Array) -> pa.Array:
    full = by_word(column, ORGANIZATION_WORDS)
    short = by_word(full, TELLING_WORDS)
    return pc.if_else(pc.equal(short, ""), full, short)


def _phonetic(column: pa.Array) -> pa.Array:
    codes = by_word(column, SOUNDS)
    return pc.if_else(pc.equal(codes, ""), pa.scalar(None, pa.string()), codes)


def _sound(raw: str) -> str:
    """Metaphone of the word in ASCII; a word without letters, such as a number, sounds like itself."""
    word = "".join(c for c in to_ascii(raw) if c.isalnum())
    return jellyfish.metaphone(word) if any(c.isalpha() for c in word) else word


NAME_WORDS = Words(lambda raw: names.canonical(fold(raw)))
ADDRESS_WORDS = Words(lambda raw: addresses.canonical(fold(raw)))
ORGANIZATION_WORDS = Words(lambda raw: organizations.canonical(fold(raw)))
TELLING_WORDS = Words(lambda word: "" if word in organizations.NOISE else word)
SOUNDS = Words(_sound)
NAME = Function("unify_name", ("VARCHAR",), "VARCHAR", _name)
ADDRESS = Function("unify_address", ("VARCHAR",), "VARCHAR", _address)
ORGANIZATION = Function("unify_organization", ("VARCHAR",), "VARCHAR", _organization)
PHONETIC = Function("unify_phonetic", ("VARCHAR",), "VARCHAR", _phonetic)
WORD_FUNCTIONS = (NAME, ADDRESS, ORGANIZATION)
