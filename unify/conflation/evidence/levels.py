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
CHUNK = 1_000_000
"""Distinct pairs of values that are Python strings at one time: about 150 MB."""
BEGINS_ALIKE = 0.88
LESS = 0.1


def similarity(a: list[str], b: list[str], *, wordy: bool) -> npt.NDArray[np.float32]:
    """Similarity of texts pairwise, 0 to 1; texts of several words word by word (words.py)."""
    whole = _similarity(a, b, wordy=wordy)
    if not wordy:
        return whole
    words = by_words(a, b, lambda x, y: _similarity(x, y, wordy=True))
    return np.asarray(np.where(np.isnan(words), whole, words), dtype=np.float32)


def _similarity(a: list[str], b: list[str], *, wordy: bool) -> npt.NDArray[np.float32]:
    alike = process.cpdist(a, b, scorer=OSA.normalized_similarity, dtype=np.float32, workers=-1)
    if wordy:
        begins = process.cpdist(
            a, b, scorer=JaroWinkler.similarity, score_cutoff=BEGINS_ALIKE, dtype=np.float32, workers=-1
        )
        alike = np.maximum(alike, np.where(begins > 0, begins - np.float32(LESS), np.float32(0)))
    return np.asarray(alike, dtype=np.float32)


def levels(values: Compared, left: Ints, right: Ints) -> tuple[Levels, Codes]:
    """Level of every pair of records, and the code of the value both hold (NONE unless they are equal).

    With several columns the best combination counts, and among equal ones the rarest value.
    """
    best = np.full(len(left), NONE, dtype=np.int8)
    agreed = np.full(len(left), NONE, dtype=np.int32)
    width = values.codes.shape[1] if len(values.texts) else 0
    for x in range(width):
        for y in range(width):
            a, b = values.codes[left, x], values.codes[right, y]
            found = _levels(values, a, b)
            equal = found == values.levels - 1
            rarer = equal & ((agreed == NONE) | (values.counts[a] < values.counts[agreed]))
            agreed[rarer] = a[rarer]
            np.maximum(best, found, out=best)
    return best, agreed


def _levels(values: Compared, a: Codes, b: Codes) -> Levels:
    found = np.full(len(a), NONE, dtype=np.int8)
    both = (a >= 0) & (b >= 0)
    found[both & (a == b)] = values.levels - 1
    rest = np.flatnonzero(both & (a != b))
    if len(rest):
        low, high = np.minimum(a[rest], b[rest]).astype(np.int64), np.maximum(a[rest], b[rest])
        distinct, place = np.unique(low * len(values.texts) + high, return_inverse=True)
        found[rest] = _of_values(values, distinct)[place]
    return found


def _of_values(values: Compared, distinct: Ints) -> Levels:
    """Levels of distinct pairs of unequal values, given as first code · texts + second code."""
    made = np.empty(len(distinct), dtype=np.int8)
    cuts = np.array(values.cuts, dtype=np.float32)
    for start in range(0, len(distinct), CHUNK):
        some = distinct[start : start + CHUNK]
        a, b = values.texts[some // len(values.texts)], values.texts[some % len(values.texts)]
        made[start : start + CHUNK] = np.digitize(similarity(a.tolist(), b.tolist(), wordy=values.wordy), cuts)
    return made
