"""How much alike two texts of several words are: word by word, in whatever order, and no better than their worst pair.

Kenneth Beraun · Beraun, Kenneth     every word has its like
Anna Smith · John Smith              Anna and John have not: half of the letters agree, and they are two people
J Smith · John Smith                 a letter that a word begins with is INITIAL alike
Ada Maria Okafor · Ada Okafor        words that one side has besides make at most MORE_WORDS of it
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

Similarities = npt.NDArray[np.float32]

MOST = 6
"""Words of a text that are told apart; longer texts are compared as a whole."""
INITIAL = 0.75
MORE_WORDS = 0.95
CHUNK = 100_000
"""Pairs of texts at one time: 100,000 × 36 similarities are 14 MB."""


def by_words(a: Sequence[str], b: Sequence[str], alike: Callable[[list[str], list[str]], Similarities]) -> Similarities:
    """Similarity of texts pairwise, 0 to 1; NaN where they are not compared by words. `alike` compares two words."""
    found = np.full(len(a), np.nan, dtype=np.float32)
    for start in range(0, len(a), CHUNK):
        left = [text.split() for text in a[start : start + CHUNK]]
        right = [text.split() for text in b[start : start + CHUNK]]
        kept = [i for i, (x, y) in enumerate(zip(left, right, strict=True)) if _several(x) and _several(y)]
        if kept:
            places = np.array(kept) + start
            found[places] = _aligned([left[i] for i in kept], [right[i] for i in kept], alike)
    return found


def _several(words: Sequence[str]) -> bool:
    return 1 < len(words) <= MOST


def _aligned(
    left: list[list[str]], right: list[list[str]], alike: Callable[[list[str], list[str]], Similarities]
) -> Similarities:
    """The likeness of the worst of the best pairs of words, each word in one pair: the surest pairs first."""
    table = _table(left, right, alike)
    rows, size = np.arange(len(left)), table.shape[1]
    few = np.array([min(len(x), len(y)) for x, y in zip(left, right, strict=True)])
    worst = np.ones(len(left), dtype=np.float32)
    for taken in range(int(few.max())):
        flat = table.reshape(len(left), -1)
        best = flat.argmax(axis=1)
        there = few > taken
        worst[there] = np.minimum(worst[there], flat[rows, best][there])
        table[rows, best // size, :] = -1
        table[rows, :, best % size] = -1
    more = np.array([len(x) != len(y) for x, y in zip(left, right, strict=True)])
    return np.asarray(np.where(more, np.minimum(worst, np.float32(MORE_WORDS)), worst), dtype=np.float32)


def _table(
    left: list[list[str]], right: list[list[str]], alike: Callable[[list[str], list[str]], Similarities]
) -> Similarities:
    """Pairs × words × words: how much alike each word of one is to each of the other; -1 where there is no word."""
    vocabulary = {word: i for i, word in enumerate(dict.fromkeys(w for words in (*left, *right) for w in words))}
    size = max(max(map(len, left)), max(map(len, right)))
    one, two = (_coded(side, vocabulary, size) for side in (left, right))
    there = (one[:, :, None] >= 0) & (two[:, None, :] >= 0)
    first, second = (
        np.broadcast_to(one[:, :, None], there.shape)[there],
        np.broadcast_to(two[:, None, :], there.shape)[there],
    )
    distinct, place = np.unique(
        np.minimum(first, second) * len(vocabulary) + np.maximum(first, second), return_inverse=True
    )
    words = list(vocabulary)
    x, y = ([words[i] for i in (distinct // len(words)).tolist()], [words[i] for i in (distinct % len(words)).tolist()])
    likeness = np.asarray(alike(x, y), dtype=np.float32)
    initials = [i for i, (s, t) in enumerate(zip(x, y, strict=True)) if s != t and _initial(s, t)]
    likeness[initials] = INITIAL
    table = np.full(there.shape, -1, dtype=np.float32)
    table[there] = likeness[place]
    return table


def _coded(texts: list[list[str]], vocabulary: dict[str, int], size: int) -> npt.NDArray[np.int64]:
    codes = np.full((len(texts), size), -1, dtype=np.int64)
    for place in range(size):
        having = [i for i, words in enumerate(texts) if len(words) > place]
        codes[having, place] = [vocabulary[texts[i][place]] for i in having]
    return codes


def _initial(one: str, other: str) -> bool:
    return (len(one) == 1 and one.isalpha() and other.startswith(one)) or (
        len(other) == 1 and other.isalpha() and one.startswith(other)
    )
