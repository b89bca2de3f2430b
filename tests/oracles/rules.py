"""A naive evaluator of rules over dict rows: every pair, every condition, nothing clever. The oracle of tests of links."""

from datetime import date
from itertools import combinations, product
from typing import Any

from rapidfuzz.distance import JaroWinkler, Levenshtein

from unify.spec import Criterion, Rule

Row = dict[str, Any]
RATIOS = {"levenshtein": Levenshtein.normalized_similarity, "jaro_winkler": JaroWinkler.normalized_similarity}


def value(row: Row, column: str, criterion: Criterion) -> Any:
    """The value a condition sees; None when there is none. Knows `lower` and no normaliser."""
    found = row.get(column)
    for step in criterion.normalize:
        assert step.kind == "lower"
        found = None if found is None else str(found).lower()
    return None if found == "" else found


def values_pass(a: Any, b: Any, c: Criterion) -> float | None:
    """The score when the two values pass, else None."""
    if a is None or b is None:
        return None
    if c.compare == "exact":
        return 1.0 if a == b else None
    if c.compare == "prefix":
        return 1.0 if a[: int(c.within or 0)] == b[: int(c.within or 0)] else None
    if c.compare in ("number", "date"):
        gap = abs((a - b).days) if isinstance(a, date) else abs(a - b)
        return 1.0 if gap <= (c.within or 0) else None
    score = RATIOS[c.compare](a, b)
    return score if score * 100 >= (c.precision or 100) - 1e-9 else None


def criterion_score(left: Row, right: Row, c: Criterion) -> float | None:
    """The best passing score over the combinations of columns."""
    scores = [
        s
        for a, b in product(c.left_columns, c.right_columns)
        if (s := values_pass(value(left, a, c), value(right, b, c), c)) is not None
    ]
    return max(scores, default=None)


def veto_holds(left: Row, right: Row, c: Criterion) -> bool:
    passed = criterion_score(left, right, c) is not None
    if not c.differs:
        return passed
    here = any(value(left, a, c) is not None for a in c.left_columns)
    there = any(value(right, b, c) is not None for b in c.right_columns)
    return here and there and not passed


def rule_score(left: Row, right: Row, rule: Rule) -> float | None:
    """The rule's score for an ordered pair (left before the arrow), None when it does not link."""
    scores = [criterion_score(left, right, c) for c in rule.when]
    if any(s is None for s in scores):
        return None
    if any(all(veto_holds(left, right, c) for c in veto.all) for veto in rule.unless):
        return None
    return min(s for s in scores if s is not None)


def dedupe_pairs(rows: list[Row], rule: Rule) -> dict[tuple[int, int], float]:
    """Linked pairs of positions i < j with the better score of both directions."""
    found = {}
    for i, j in combinations(range(len(rows)), 2):
        scores = [s for s in (rule_score(rows[i], rows[j], rule), rule_score(rows[j], rows[i], rule)) if s is not None]
        if scores:
            found[i, j] = max(scores)
    return found


def match_pairs(lower: list[Row], upper: list[Row], rules: list[Rule]) -> dict[int, set[tuple[int, int]]]:
    """Rule position to linked (lower, upper) positions; rule n+1 only for lower rows that rule n left unmatched."""
    found: dict[int, set[tuple[int, int]]] = {}
    matched: set[int] = set()
    for n, rule in enumerate(rules):
        pairs = {
            (i, j)
            for i, left in enumerate(lower)
            if i not in matched
            for j, right in enumerate(upper)
            if rule_score(left, right, rule) is not None
        }
        matched |= {i for i, _ in pairs}
        found[n] = pairs
    return found
