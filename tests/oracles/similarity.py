"""All pairs that pass: every value against every other, rapidfuzz one pair at a time, exact arithmetic, no filter."""

from datetime import date
from fractions import Fraction
from itertools import combinations, product

from rapidfuzz import fuzz
from rapidfuzz.distance import OSA, DamerauLevenshtein, JaroWinkler, Levenshtein

from unify.spec import Criterion

EDITS = {"levenshtein": Levenshtein, "osa": OSA, "damerau_levenshtein": DamerauLevenshtein}


def single_spaced(text: str) -> str:
    """rapidfuzz takes U+0085 and U+00A0 for blanks in wide texts only; for us every Unicode blank parts words."""
    return " ".join(text.split())


def passing_score(criterion: Criterion, a: str, b: str) -> float | None:
    """The score of two texts if they pass, else None."""
    p = criterion.precision
    if criterion.compare in EDITS:
        longer = max(len(a), len(b))
        d = EDITS[criterion.compare].distance(a, b)
        return (longer - d) / longer if Fraction(longer - d, longer) >= Fraction(p, 100) else None
    score = {
        "jaro_winkler": JaroWinkler.similarity,
        "token_sort": lambda x, y: fuzz.token_sort_ratio(single_spaced(x), single_spaced(y)) / 100,
        "token_set": lambda x, y: fuzz.token_set_ratio(single_spaced(x), single_spaced(y)) / 100,
    }[criterion.compare](a, b)
    score = round(score, 9)
    return score if score >= p / 100 else None


def all_pairs(criterion, left, right=None):
    """{(a, b): score} as similar_values promises it."""
    left = {v for v in left if v}
    pairs = combinations(sorted(left), 2) if right is None else product(left, {v for v in right if v})
    scored = {(a, b): passing_score(criterion, a, b) for a, b in pairs}
    return {pair: score for pair, score in scored.items() if score is not None}


def near_numbers(within, left, right):
    """Pairs of decimal texts at most `within` apart, in exact arithmetic."""
    return {(a, b) for a, b in product(left, right) if abs(Fraction(a) - Fraction(b)) <= Fraction(repr(within))}


def near_dates(within, swap, left, right):
    """Pairs of ISO dates at most `within` days apart, or, with swap, equal once day and month are exchanged."""

    def exchanged(d: date) -> date | None:
        return d.replace(month=d.day, day=d.month) if d.day <= 12 else None

    out = set()
    for a, b in product(left, right):
        x, y = date.fromisoformat(a), date.fromisoformat(b)
        if abs((x - y).days) <= within or (swap and exchanged(y) == x):
            out.add((a, b))
    return out
