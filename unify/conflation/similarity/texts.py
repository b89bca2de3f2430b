"""One join of texts: what is compared, how, and what it will cost. Made new whenever values are left out."""

from collections.abc import Iterator

import numpy as np
from rapidfuzz import distance, fuzz

from unify.conflation.compare_functions import distinct_words, sorted_words
from unify.conflation.similarity.bounds import Bounds, EditBounds, IndelBounds, WinklerBounds
from unify.conflation.similarity.pairs import Measure, Scored, distinct_scored, plausible
from unify.conflation.similarity.plan import SCAN_NS, SCORE_NS, Group, plan, spaced
from unify.conflation.similarity.report import Ignored
from unify.conflation.similarity.strings import Join
from unify.conflation.similarity.tokens import Shared, shared, words_of
from unify.conflation.similarity.values import F64, I64, encode
from unify.spec import Criterion

WEIGHED_PARTNERS = 64
"""Partners a value is tried against to see how many look like it, when some must be left out."""


def recipe(criterion: Criterion) -> tuple[Bounds, Measure, bool]:
    """Bounds, measure and whether whole blocks are cheap to score."""
    p = criterion.precision or 0
    match criterion.compare:
        case "levenshtein":
            return EditBounds(p, gap=0), Measure(distance.Levenshtein.distance, p, edit=True), True
        case "osa":
            return EditBounds(p, gap=1), Measure(distance.OSA.distance, p, edit=True), True
        case "damerau_levenshtein":
            return EditBounds(p, gap=1), Measure(distance.DamerauLevenshtein.distance, p, edit=True), False
        case "jaro_winkler":
            return WinklerBounds(p), Measure(distance.JaroWinkler.similarity, p), True
        case "token_sort":
            return IndelBounds(p), Measure(distance.Indel.normalized_similarity, p), True
        case "token_set":
            return IndelBounds(p, whole=False), Measure(fuzz.token_set_ratio, p, scale=100.0), True
    raise ValueError(f"{criterion.compare} is not a comparison of texts by degree")


class TextJoin:
    """The distinct texts of both sides (right None: of one), planned."""

    def __init__(self, criterion: Criterion, left: list[str], right: list[str] | None) -> None:
        self.left_texts, self.right_texts = left, right
        self.bounds, measure, simd = recipe(criterion)
        self._join = Join(self.bounds, measure)
        key = {"token_sort": sorted_words, "token_set": distinct_words}.get(criterion.compare)
        sides = [side if key is None else [key(text) for text in side] for side in (left, right) if side is not None]
        values = encode(*sides)
        self.left, self.right = values[0], values[1] if len(values) > 1 else None
        self.groups = plan(self.bounds, self.left, self.right, simd)
        self.shared = self._shared(criterion.precision or 0) if criterion.compare == "token_set" else []

    def _shared(self, percent: int) -> list[Shared]:
        """Look-ups of the left side's rare words on the right, and the other way round unless they are one table."""
        if self.right is None:
            (words,) = words_of(self.left)
            return [shared(percent, self.left, self.left, words, words)]
        ours, theirs = words_of(self.left, self.right)
        return [
            shared(percent, self.left, self.right, ours, theirs),
            shared(percent, self.right, self.left, theirs, ours),
        ]

    @property
    def candidates(self) -> int:
        """Estimated pairs to compare; pairs that are only filtered count a small part each."""
        return sum(group.cost for group in self.groups) + sum(s.candidates for s in self.shared)

    @property
    def method(self) -> str:
        """The methods in use, most specific first."""
        used = {group.method for group in self.groups} | ({"words"} if self.shared else set())
        return "+".join(m for m in ("words", "segments", "scan", "blocks") if m in used) or "none"

    @property
    def compared(self) -> int:
        """Pairs scored so far."""
        return self._join.counts.scored

    @property
    def filtered(self) -> int:
        """Pairs looked at by signature so far."""
        return self._join.counts.filtered

    def run(self) -> Iterator[Scored]:
        """Pairs that pass, as places in `left_texts` and `right_texts`; with one table, the smaller place first."""
        found = self._join.run(self.groups)
        if self.shared:
            found = iter([distinct_scored([*map(self._ordered, found), *self._by_words()])])
        return map(self._as_given, found)

    def _by_words(self) -> Iterator[Scored]:
        for turn in self.shared:
            for scored, pairs in turn.run(self._join.measure):
                self._join.counts.scored += scored
                flip = turn.probe is not self.left
                yield self._ordered(Scored(pairs.b, pairs.a, pairs.score) if flip else pairs)

    def _ordered(self, pairs: Scored) -> Scored:
        if self.right is not None:
            return pairs
        return Scored(np.minimum(pairs.a, pairs.b), np.maximum(pairs.a, pairs.b), pairs.score)

    def _as_given(self, pairs: Scored) -> Scored:
        right = self.left if self.right is None else self.right
        return self._ordered(Scored(self.left.rows[pairs.a], right.rows[pairs.b], pairs.score))

    # ── too much ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _costs(self) -> tuple[I64, I64]:
        """Estimated cost of each row, left and right (one table: all in left); a pair's halves go to both."""
        left = np.zeros(len(self.left))
        right = left if self.right is None else np.zeros(len(self.right))
        for group in self.groups:
            longer, shorter = (left, right) if group.turn.longer_is_left else (right, left)
            longer[group.rows] += group.cost / 2 * _weights(self.bounds, group)
            n = group.partners.stop - group.partners.start
            shorter[group.partners] += group.cost / 2 / n
        for turn in self.shared:
            probe, held = (left, right) if turn.probe is self.left else (right, left)
            np.add.at(probe, turn.rows, turn.count / 2)
            np.add.at(held, turn.posting, turn.looked_up() / 2)
        return left.astype(np.int64), right.astype(np.int64)

    def costly(self, max_pairs: int, least: float = 0.0) -> list[Ignored]:
        """The most expensive values, until the estimate fits `max_pairs`: one or more, and the share `least` of all."""
        left, right = self._costs()
        cost = left if self.right is None else np.concatenate([left, right])
        place = np.concatenate([self.left.rows, np.zeros(0, np.int64) if self.right is None else self.right.rows])
        side = np.arange(len(cost)) >= len(left)
        order = np.lexsort((place, side, -cost))
        # Leaving out a row saves both halves of its pairs.
        saved = np.cumsum(2 * cost[order])
        excess = self.candidates - max_pairs
        n = min(max(int(np.searchsorted(saved, excess)) + 1, int(least * len(order))), len(order))
        return [self._ignored(int(i), int(cost[i]), len(left)) for i in order[:n]]

    def _ignored(self, row: int, cost: int, n_left: int) -> Ignored:
        if row < n_left:
            return Ignored(self.left_texts[self.left.rows[row]], "left", 2 * cost)
        assert self.right is not None
        assert self.right_texts is not None
        return Ignored(self.right_texts[self.right.rows[row - n_left]], "right", 2 * cost)

    def worst(self) -> str:
        """The values that cause most of the cost, in words."""
        most = self.costly(self.candidates)[0]
        by_words = max((s for s in self.shared), key=lambda s: s.candidates, default=None)
        group = max(self.groups, key=lambda g: g.cost, default=None)
        if group is None or (by_words is not None and by_words.candidates > group.cost):
            return f"values that share a word with {most.value!r}"
        n = group.rows.stop - group.rows.start
        return f"the {n:,} values of {group.length} characters; the most expensive one is {most.value!r}"


def _weights(bounds: Bounds, group: Group) -> F64:
    """Each row's share of its group's cost: how many of a few partners look like it. Sums to 1."""
    n = group.rows.stop - group.rows.start
    partners = spaced(group.partners, WEIGHED_PARTNERS)
    weight = np.full(n, len(partners) * SCAN_NS / SCORE_NS)
    for partner in partners.tolist():
        rows = np.arange(group.rows.start, group.rows.stop)
        a, _ = plausible(bounds, group.turn.longer, group.turn.shorter, rows, np.full(n, partner))
        weight[a - group.rows.start] += 1
    share: F64 = weight / weight.sum()
    return share
