"""The comparisons of rules over values in Python: the same answers as the SQL of compare_sql.py, which a test proves.

A rule is asked about one record and a few others at a time. DuckDB needs a millisecond or more to plan such a question,
rapidfuzz a microsecond per pair.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from rapidfuzz import fuzz
from rapidfuzz.distance import OSA, DamerauLevenshtein, Indel, JaroWinkler, Levenshtein

from unify.conflation.compare_functions import distinct_words, sorted_words
from unify.conflation.compare_sql import BEYOND, LIMIT, SWAPPED
from unify.spec import Criterion

EDITS: dict[str, Callable[[str, str], int]] = {
    "levenshtein": Levenshtein.distance,
    "osa": OSA.distance,
    "damerau_levenshtein": DamerauLevenshtein.distance,
}
SIMILARITIES: dict[str, Callable[[str, str], float]] = {
    "jaro_winkler": JaroWinkler.similarity,
    "token_sort": lambda a, b: Indel.normalized_similarity(sorted_words(a), sorted_words(b)),
    "token_set": lambda a, b: fuzz.token_set_ratio(distinct_words(a), distinct_words(b)) / 100.0,
}


@dataclass(frozen=True, slots=True)
class Value:
    """A normalised value: its text and, where a rule compares it so, the number or the day that SQL reads in it.

    exact, rough   as DECIMAL(37, 10) and as DOUBLE
    """

    text: str
    exact: Decimal | None = None
    rough: float | None = None
    day: date | None = None


Said = tuple[bool | None, float | None]
"""Whether two values pass, and their score; None where a side cannot be read."""


def says(criterion: Criterion, a: Value, b: Value) -> Said:
    """What a criterion says of two values."""
    if criterion.is_exact:
        return a.text == b.text, float(a.text == b.text)
    if criterion.compare == "number":
        return _tolerant(criterion, _difference(a, b), None)
    if criterion.compare == "date":
        apart = None if a.day is None or b.day is None else float(abs((a.day - b.day).days))
        return _tolerant(criterion, apart, _exchanged(a.day, b.day) if criterion.swap else None)
    precision = criterion.precision or 100
    if a.text == b.text:
        return True, 1.0
    if criterion.compare in EDITS:
        longer = max(len(a.text), len(b.text))
        edits = EDITS[criterion.compare](a.text, b.text)
        return 100 * edits <= (100 - precision) * longer, (longer - edits) / longer
    score = round(SIMILARITIES[criterion.compare](a.text, b.text), 9)
    return score >= precision / 100.0, score


def best(criterion: Criterion, left: Sequence[Value | None], right: Sequence[Value | None]) -> Said:
    """Over all combinations of several columns: whether any passes, and the best score."""
    said = [says(criterion, a, b) for a in left for b in right if a is not None and b is not None]
    scores = [score for _, score in said if score is not None]
    return any(passed is True for passed, _ in said), max(scores, default=None)


def holds(criterion: Criterion, left: Sequence[Value | None], right: Sequence[Value | None]) -> bool:
    """Whether a criterion holds as an exception: `differs` needs a value on both sides and none that passes."""
    passed = best(criterion, left, right)[0] is True
    if not criterion.differs:
        return passed
    return any(v is not None for v in left) and any(v is not None for v in right) and not passed


def _difference(a: Value, b: Value) -> float | None:
    if a.exact is not None and b.exact is not None:
        return float(abs(a.exact - b.exact))
    if a.rough is not None and b.rough is not None:
        return abs(a.rough - b.rough)
    return None


def _exchanged(a: date | None, b: date | None) -> bool | None:
    """Whether a is b with day and month exchanged."""
    if a is None or b is None:
        return None
    return b.day <= 12 and a == date(b.year, b.day, b.month)


def _tolerant(criterion: Criterion, apart: float | None, second: bool | None) -> Said:
    """Whether a difference is within the tolerance, and its score, which follows the decision."""
    if apart is None:
        return second, SWAPPED if second else None
    within = float(criterion.within or 0.0)
    close = apart <= within
    gradual = 1 - apart / (2 * within) if within else 0.0
    passed: bool = close or bool(second)
    if apart == 0:
        return passed, 1.0
    if second:
        return passed, max(SWAPPED, gradual)
    if close:
        return passed, max(LIMIT, gradual)
    return passed, max(0.0, min(BEYOND, gradual))
