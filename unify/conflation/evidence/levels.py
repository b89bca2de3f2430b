"""How much alike two values are, in levels: the lowest, one per cut of similarity, and equality.

Similarity is 1 − edits / length of the longer value, where exchanged neighbours are one edit (osa). Where values are
words, a Jaro-Winkler similarity of 0.88 or more counts too, less a tenth: it forgives a different end; and texts of
several words are compared word by word. Each distinct pair of values is compared once.
"""

import numpy as np
import numpy.typing as npt
from rapidfuzz import process
from rapidfuzz.distance import OSA, JaroWinkler

from unify.conflation.evidence.values import NONE, Codes, Compared, Ints, Levels
from unify.conflation.evidence.words import by_words

CUTS = (0.45, 0.60, 0.70, 0.80, 0.90)
"""Where levels begin unless a rule says otherwise."""
FEW_TEXTS = 2
"""All values are compared with each other, once, where these many times the pairs asked for are more than that: 1,400
values for a million pairs, of which the table has 2 MB."""
CHUNK = 1_000_000
"""Distinct pairs of values that are Python strings at one time: about 150 MB."""
ROUNDING = 1e-6
"""Less than the first cut, so that float32 decides there alone."""
BEGINS_ALIKE = 0.88
LESS = 0.1


def similarity(a: list[str], b: list[str], *, wordy: bool, least: float = 0.0) -> npt.NDArray[np.float32]:
    """Similarity of texts pairwise, 0 to 1; several words word by word (words.py); `least`: below, 0 will do."""
    whole = _similarity(a, b, wordy=wordy, least=least)
    if not wordy or not (any(" " in text for text in a) and any(" " in text for text in b)):
        return whole
    words = by_words(a, b, lambda x, y: _similarity(x, y, wordy=True))
    return np.asarray(np.where(np.isnan(words), whole, words), dtype=np.float32)


def _similarity(a: list[str], b: list[str], *, wordy: bool, least: float = 0.0) -> npt.NDArray[np.float32]:
    alike = process.cpdist(a, b, scorer=OSA.normalized_similarity, score_cutoff=least, dtype=np.float32, workers=-1)
    if wordy:
        begins = process.cpdist(
            a, b, scorer=JaroWinkler.similarity, score_cutoff=BEGINS_ALIKE, dtype=np.float32, workers=-1
        )
        alike = np.maximum(alike, np.where(begins > 0, begins - np.float32(LESS), np.float32(0)))
    return np.asarray(alike, dtype=np.float32)


def levels(values: Compared, left: Ints, right: Ints) -> tuple[Levels, Codes]:
    """Level of every pair of records, and the code of the value that they agree on: the one both hold, or of two alike
    ones the more common (NONE at the lowest level, and where a side has no value).

    With several columns the best combination counts, and among equally good ones the rarest value.
    """
    best = np.full(len(left), NONE, dtype=np.int8)
    agreed = np.full(len(left), NONE, dtype=np.int32)
    width = values.codes.shape[1] if len(values.texts) else 0
    for x in range(width):
        for y in range(width):
            a, b = values.codes[left, x], values.codes[right, y]
            found = _levels(values, a, b)
            common = np.where(values.counts[a] >= values.counts[b], a, b)
            better = (found > best) | ((found == best) & (values.counts[common] < values.counts[agreed]))
            chosen = (found > 0) & better
            agreed[chosen] = common[chosen]
            np.maximum(best, found, out=best)
    return best, agreed


def agreement(values: Compared, left: Ints, right: Ints) -> Codes:
    """The code of the value that both records of a pair hold, the rarest of several; NONE unless they share one."""
    agreed = np.full(len(left), NONE, dtype=np.int32)
    width = values.codes.shape[1] if len(values.texts) else 0
    for x in range(width):
        for y in range(width):
            a, b = values.codes[left, x], values.codes[right, y]
            rarer = (a >= 0) & (a == b) & ((agreed == NONE) | (values.counts[a] < values.counts[agreed]))
            agreed[rarer] = a[rarer]
    return agreed


def _levels(values: Compared, a: Codes, b: Codes) -> Levels:
    found = np.full(len(a), NONE, dtype=np.int8)
    both = (a >= 0) & (b >= 0)
    found[both & (a == b)] = values.levels - 1
    rest = np.flatnonzero(both & (a != b))
    if len(rest):
        if FEW_TEXTS * len(rest) > len(values.texts) ** 2:
            found[rest] = _table(values)[a[rest], b[rest]]
            return found
        low, high = np.minimum(a[rest], b[rest]).astype(np.int64), np.maximum(a[rest], b[rest])
        distinct, place = np.unique(low * len(values.texts) + high, return_inverse=True)
        found[rest] = _of_values(values, distinct)[place]
    return found


def _table(values: Compared) -> npt.NDArray[np.int8]:
    """Levels of all pairs of values that differ: texts × texts, made once."""
    kept = values.__dict__.get("_table")
    if kept is None:
        size = len(values.texts)
        low, high = np.triu_indices(size, 1)
        kept = np.zeros((size, size), dtype=np.int8)
        kept[low, high] = kept[high, low] = _of_values(values, low * size + high)
        object.__setattr__(values, "_table", kept)
    return np.asarray(kept, dtype=np.int8)


def _of_values(values: Compared, distinct: Ints) -> Levels:
    """Levels of distinct pairs of unequal values, given as first code · texts + second code."""
    made = np.empty(len(distinct), dtype=np.int8)
    cuts = np.array(values.cuts, dtype=np.float32)
    least = max(0.0, values.cuts[0] - ROUNDING) if values.cuts else 0.0
    for start in range(0, len(distinct), CHUNK):
        some = distinct[start : start + CHUNK]
        a, b = values.texts[some // len(values.texts)], values.texts[some % len(values.texts)]
        alike = similarity(a.tolist(), b.tolist(), wordy=values.wordy, least=least)
        made[start : start + CHUNK] = np.digitize(alike, cuts)
    return made
