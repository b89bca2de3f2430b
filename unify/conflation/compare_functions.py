"""rapidfuzz as SQL functions: Arrow columns in, one Arrow column out, each pair of a batch scored in C++.

The edit distances come as whole numbers, so that the test against a precision is exact; the similarities as 0 to 1.
"""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pyarrow as pa
from rapidfuzz import fuzz, process
from rapidfuzz.distance import OSA as OSA_DISTANCE
from rapidfuzz.distance import DamerauLevenshtein, Indel, JaroWinkler, Levenshtein

from unify.core.engine import Function

Column: TypeAlias = "pa.Array | pa.ChunkedArray"


def sorted_words(text: str) -> str:
    """What token sort compares: words between blanks as Unicode has them, so a no-break space parts words too.

    rapidfuzz's own token functions take a no-break space for a blank or not by the width of the text's characters.

    >>> sorted_words("lee \u00a0anna lee")
    'anna lee lee'
    """
    return " ".join(sorted(text.split()))


def distinct_words(text: str) -> str:
    """What token set compares.

    >>> distinct_words("lee  anna lee")
    'anna lee'
    """
    return " ".join(sorted(set(text.split())))


def _pairwise(
    scorer: Callable[..., float],
    dtype: type[np.generic],
    scale: float = 1.0,
    prepare: Callable[[str], str] | None = None,
) -> Callable[[Column, Column], pa.Array]:
    """A function over two columns; null where either side is. `prepare`: what becomes of each text first.

    One worker: DuckDB calls from several threads already and rapidfuzz releases the GIL, so threads of its own would
    only be started and joined again for every 2,048 pairs.
    """

    def call(left: Column, right: Column) -> pa.Array:
        a, b = left.to_pylist(), right.to_pylist()
        missing = None
        if left.null_count or right.null_count:
            missing = np.array([x is None or y is None for x, y in zip(a, b, strict=True)])
            a, b = ["" if x is None else x for x in a], ["" if y is None else y for y in b]
        if prepare is not None:
            a, b = [prepare(x) for x in a], [prepare(y) for y in b]
        scores = process.cpdist(a, b, scorer=scorer, dtype=dtype, workers=1)
        return pa.array(scores / scale if scale != 1.0 else scores, mask=missing)

    return call


def _sorted_words(column: Column) -> pa.Array:
    return pa.array([None if v is None else sorted_words(v) for v in column.to_pylist()], pa.string())


def _of_two(name: str, returns: str, call: Callable[[Column, Column], pa.Array]) -> Function:
    return Function(name, ("VARCHAR", "VARCHAR"), returns, call)


LEVENSHTEIN = _of_two("unify_levenshtein", "INTEGER", _pairwise(Levenshtein.distance, np.int32))
OSA = _of_two("unify_osa", "INTEGER", _pairwise(OSA_DISTANCE.distance, np.int32))
DAMERAU_LEVENSHTEIN = _of_two("unify_damerau_levenshtein", "INTEGER", _pairwise(DamerauLevenshtein.distance, np.int32))
JARO_WINKLER = _of_two("unify_jaro_winkler", "DOUBLE", _pairwise(JaroWinkler.similarity, np.float64))
TOKEN_SORT = _of_two(
    "unify_token_sort", "DOUBLE", _pairwise(Indel.normalized_similarity, np.float64, prepare=sorted_words)
)
TOKEN_SET = _of_two("unify_token_set", "DOUBLE", _pairwise(fuzz.token_set_ratio, np.float64, 100.0, distinct_words))
SORTED_WORDS = Function("unify_sorted_words", ("VARCHAR",), "VARCHAR", _sorted_words)
