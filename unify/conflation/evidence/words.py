"""How much alike two texts of several words are: word by word, in whatever order, and no better than their worst pair.

Kenneth Beraun · Beraun, Kenneth     every word has its like
Anna Smith · John Smith              Anna and John have not: half of the letters agree, and they are two people
J Smith · John Smith                 a letter that a word begins with is INITIAL alike
Ada Maria Okafor · Ada Okafor        words that one side has besides make at most MORE_WORDS of it
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Similarities = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int64]
Alike = Callable[[list[str], list[str]], Similarities]
"""Similarity of words pairwise."""

MOST = 6
"""Words of a text that are told apart; longer texts are compared as a whole."""
INITIAL = 0.75
MORE_WORDS = 0.95
CHUNK = 200_000
"""Pairs of texts at one time: 200,000 × 36 similarities are 28 MB."""


@dataclass(frozen=True)
class _Texts:
    """Distinct texts as codes of their words: texts × words, -1 where there is none, and how many words they have."""

    words: list[str]
    codes: Codes
    count: Codes


def by_words(a: Sequence[str], b: Sequence[str], alike: Alike) -> Similarities:
    """Similarity of texts pairwise, 0 to 1; NaN where they are not compared by words."""
    place = {text: i for i, text in enumerate(dict.fromkeys((*a, *b)))}
    texts = _texts(list(place))
    left, right = (np.array([place[text] for text in side], dtype=np.int64) for side in (a, b))
    several = (texts.count > 1) & (texts.count <= MOST)
    asked = np.flatnonzero(several[left] & several[right])
    found = np.full(len(left), np.nan, dtype=np.float32)
    for start in range(0, len(asked), CHUNK):
        some = asked[start : start + CHUNK]
        found[some] = _aligned(texts, left[some], right[some], alike)
    return found


def _texts(texts: list[str]) -> _Texts:
    split = [text.split() for text in texts]
    vocabulary = {word: i for i, word in enumerate(dict.fromkeys(w for words in split for w in words))}
    count = np.array([len(words) for words in split], dtype=np.int64)
    codes = np.full((len(texts), MOST), -1, dtype=np.int64)
    for i, words in enumerate(split):
        if 1 < len(words) <= MOST:
            codes[i, : len(words)] = [vocabulary[word] for word in words]
    return _Texts(list(vocabulary), codes, count)


def _aligned(texts: _Texts, left: Codes, right: Codes, alike: Alike) -> Similarities:
    """The likeness of the worst of the best pairs of words, each word in one pair: the surest pairs first."""
    few = np.minimum(texts.count[left], texts.count[right])
    size = int(max(texts.count[left].max(), texts.count[right].max()))
    table = _table(texts, left, right, size, alike)
    rows = np.arange(len(left))
    worst = np.ones(len(left), dtype=np.float32)
    for taken in range(int(few.max())):
        flat = table.reshape(len(left), -1)
        best = flat.argmax(axis=1)
        there = few > taken
        worst[there] = np.minimum(worst[there], flat[rows, best][there])
        table[rows, best // size, :] = -1
        table[rows, :, best % size] = -1
    more = texts.count[left] != texts.count[right]
    return np.asarray(np.where(more, np.minimum(worst, np.float32(MORE_WORDS)), worst), dtype=np.float32)


def _table(texts: _Texts, left: Codes, right: Codes, size: int, alike: Alike) -> Similarities:
    """Pairs × words × words: how much alike each word of one is to each of the other; -1 where there is no word."""
    one, two = texts.codes[left, :size, None], texts.codes[right, None, :size]
    there = (one >= 0) & (two >= 0)
    low, high = np.minimum(one, two)[there], np.maximum(one, two)[there]
    distinct, place = np.unique(low * len(texts.words) + high, return_inverse=True)
    x = [texts.words[i] for i in (distinct // len(texts.words)).tolist()]
    y = [texts.words[i] for i in (distinct % len(texts.words)).tolist()]
    likeness = np.asarray(alike(x, y), dtype=np.float32)
    short = np.array([len(word) == 1 for word in texts.words])
    letters = np.flatnonzero(short[distinct // len(texts.words)] != short[distinct % len(texts.words)])
    likeness[[i for i in letters.tolist() if _initial(x[i], y[i])]] = INITIAL
    table = np.full(there.shape, -1, dtype=np.float32)
    table[there] = likeness[place]
    return table


def _initial(one: str, other: str) -> bool:
    letter, word = sorted((one, other), key=len)
    return len(letter) == 1 and letter.isalpha() and word.startswith(letter)
