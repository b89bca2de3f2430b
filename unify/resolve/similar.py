"""Values that are alike, found among all distinct values of a column for one value: no pair that passes is missed.

Texts are filtered by the bounds and signatures of the similarity join (docs/similarity-join.md), one value against
slices of equal length, about 3 ns each; numbers and days by a scan of the column.
"""

import threading

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from unify.conflation.compare_functions import distinct_words, sorted_words
from unify.conflation.similarity.bounds import IMPOSSIBLE
from unify.conflation.similarity.texts import recipe
from unify.conflation.similarity.values import encode, frequent
from unify.resolve.alike import Value, says
from unify.resolve.columns import Column, Ints, Longs
from unify.resolve.memory import Held
from unify.spec import Criterion

SPREAD = 1e-6
"""Numbers are looked up within this much more than the tolerance, relatively; the exact test decides."""


class Similar:
    """Finds values; keeps what it made of a column for the next question. Safe for many threads."""

    def __init__(self) -> None:
        self._texts: dict[tuple[str, str, str], _Texts] = {}
        self._points: dict[tuple[str, str], npt.NDArray[np.float64]] = {}
        self._lock = threading.Lock()

    def __call__(self, held: Held, form: str, criterion: Criterion, value: Value, side: str) -> Ints:
        """The places whose value passes `criterion` with `value`, which stands on `side`; ascending."""
        if criterion.compare in ("number", "date"):
            return self._near(held, form, criterion, value, side)
        column = held.columns[form]
        texts = self.texts(held, form, criterion)
        codes = texts.find(value.text)
        others = column.spoken(codes) if len(codes) else []
        passing = []
        for code, text in zip(codes.tolist(), others, strict=True):
            pair = (value, Value(text)) if side == "left" else (Value(text), value)
            if says(criterion, *pair)[0]:
                passing.append(code)
        found = [column.places(code) for code in passing]
        return np.sort(np.concatenate(found)) if found else np.empty(0, dtype=np.int32)

    def texts(self, held: Held, form: str, criterion: Criterion) -> "_Texts":
        """The distinct values of a column, ready to be looked through."""
        at = held.name, form, f"{criterion.compare} {criterion.precision}"
        with self._lock:
            if at not in self._texts:
                self._texts[at] = _Texts(held.columns[form], criterion)
            return self._texts[at]

    def _near(self, held: Held, form: str, criterion: Criterion, value: Value, side: str) -> Ints:
        """Numbers and days within the tolerance, or with day and month exchanged."""
        points = self.points(held, form)
        own = _point(value)
        if own is None:
            return np.empty(0, dtype=np.int32)
        within = float(criterion.within or 0.0)
        slack = SPREAD * (abs(own) + within + 1.0)
        with np.errstate(invalid="ignore"):
            near = np.abs(points - own) <= within + slack
        if criterion.swap and value.day is not None and value.day.day <= 12:
            near |= points == float(value.day.replace(month=value.day.day, day=value.day.month).toordinal())
        found = []
        for place in np.flatnonzero(near).tolist():
            other = held.value(place, form)
            if other is not None and says(criterion, *((value, other) if side == "left" else (other, value)))[0]:
                found.append(place)
        return np.array(found, dtype=np.int32)

    def points(self, held: Held, form: str) -> npt.NDArray[np.float64]:
        """A column of numbers or dates as floats, NaN where there is none."""
        at = held.name, form
        with self._lock:
            if at not in self._points:
                last = held.extra[held.more(form)[-1]]
                if held.read[form] == "date":
                    days = last.cast(pa.int32()).cast(pa.float64()).to_numpy(zero_copy_only=False)
                    self._points[at] = days + 719_163.0  # 1970-01-01, as date.toordinal() counts
                else:
                    self._points[at] = last.to_numpy(zero_copy_only=False).astype(np.float64)
            return self._points[at]


def _point(value: Value) -> float | None:
    if value.day is not None:
        return float(value.day.toordinal())
    return value.rough


class _Texts:
    """The distinct texts of a column under one comparison, by length, with their signatures."""

    def __init__(self, column: Column, criterion: Criterion) -> None:
        self.bounds, _, _ = recipe(criterion)
        self.key = {"token_sort": sorted_words, "token_set": distinct_words}.get(criterion.compare)
        texts = column.texts.to_pylist()
        compared = texts if self.key is None else [self.key(text) for text in texts]
        self.own = frequent(compared)
        [self.values] = encode(compared, own=self.own)
        self.words = _words(compared) if criterion.compare == "token_set" else None

    def find(self, text: str) -> Ints:
        """Codes of the texts that no filter rules out."""
        asked = text if self.key is None else self.key(text)
        [one] = encode([asked], own=self.own)
        length = np.full(1, len(asked))
        found: list[Longs | Ints] = []
        for other in self.values.distinct_lengths.tolist():
            lost, gained = (int(x[0]) for x in self.bounds.allowance(length, np.full(1, other)))
            if lost == IMPOSSIBLE:
                continue
            rows = self.values.slice_of(other, other)
            near = _within(one.letters[0], self.values.letters[rows], lost, gained)
            broken = self.bounds.bigrams(np.full(1, lost), np.full(1, gained))
            places = np.flatnonzero(near)
            if broken is not None and len(places):
                most, more = (int(x[0]) for x in broken)
                places = places[_within(one.bigrams[0], self.values.bigrams[rows][places], most, more)]
            found.append(self.values.rows[rows][places])
        if self.words is not None:
            found += [self.words[word] for word in asked.split() if word in self.words]
        if not found:
            return np.empty(0, dtype=np.int32)
        return np.unique(np.concatenate(found)).astype(np.int32)


def _within(one: np.uint64, others: npt.NDArray[np.uint64], lost: int, gained: int) -> npt.NDArray[np.bool_]:
    """Which signatures lack at most so many features of one, and have at most so many more."""
    fits: npt.NDArray[np.bool_] = (np.bitwise_count(one & ~others) <= lost) & (
        np.bitwise_count(others & ~one) <= gained
    )
    return fits


def _words(texts: list[str]) -> dict[str, Ints]:
    """Word to the codes of the texts that have it: a pair that passes by whole words has one in common."""
    found: dict[str, list[int]] = {}
    for code, text in enumerate(texts):
        for word in text.split():
            found.setdefault(word, []).append(code)
    return {word: np.array(codes, dtype=np.int32) for word, codes in found.items()}
