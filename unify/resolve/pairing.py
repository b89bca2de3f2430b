"""Which records a rule finds for one record: candidates by exact values or by likeness, then conditions and exceptions.

A rule is asked from the side of one record, the subject; the others come as arrays of places in an entity. Conditions
are looked at once per distinct value among them.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt

from unify.conflation.rules import BoundRule, ScoredTerm, Term
from unify.resolve.alike import Value, holds, says
from unify.resolve.columns import NONE, Flags, Ints
from unify.resolve.memory import Held, columns_by_entity
from unify.spec import Criterion

Floats = npt.NDArray[np.float64]
Key = tuple[str, ...]
"""Texts of a rule's exact conditions."""


@dataclass(frozen=True)
class Subject:
    """A record as rules see it; `value` gives a prepared column of its own entity."""

    rid: int
    entity: str
    value: Callable[[str], Value | None]


class RuleForms:
    """The prepared columns of a rule's comparisons, per side and entity."""

    def __init__(self, rule: BoundRule) -> None:
        self.rule = rule
        terms: list[Term | ScoredTerm] = [
            *rule.exact,
            *rule.fuzzy,
            *(t for veto in rule.vetoes for t in veto),
            *rule.scored,
        ]
        self._forms = {(id(t), side): columns_by_entity(rule, side, t) for t in terms for side in ("left", "right")}
        some = terms[0]
        self.entities = {side: tuple(self._forms[id(some), side]) for side in ("left", "right")}

    def of(self, term: Term | ScoredTerm, side: str, entity: str) -> tuple[str, ...]:
        """The prepared columns of a term on one side, of one entity."""
        return self._forms[id(term), side][entity]

    def takes(self, side: str, entity: str) -> bool:
        """Whether records of an entity take part on a side."""
        return entity in self.entities[side]

    def keys(self, subject: Subject, side: str) -> set[Key]:
        """The keys of a record on one side: one per combination of columns in which all have a value."""
        columns = [
            {v.text for form in self.of(t, side, subject.entity) if (v := subject.value(form)) is not None}
            for t in self.rule.exact
        ]
        return set(product(*columns)) if columns else set()

    def places(self, held: Held, side: str, key: Key) -> Ints:
        """The records of an entity that have a key on one side, ascending."""
        found = []
        for forms in product(*(self.of(t, side, held.name) for t in self.rule.exact)):
            columns = [held.columns[form] for form in forms]
            codes = [column.find(text) for column, text in zip(columns, key, strict=True)]
            if NONE in codes:
                continue
            rarest = min(range(len(codes)), key=lambda i: columns[i].count(codes[i]))
            places = columns[rarest].places(codes[rarest])
            for i, (column, code) in enumerate(zip(columns, codes, strict=True)):
                if i != rarest:
                    places = places[column.codes[places] == code]
            found.append(places)
        if not found:
            return np.empty(0, dtype=np.int32)
        return found[0] if len(found) == 1 else np.unique(np.concatenate(found))

    # ── conditions ───────────────────────────────────────────────────────────────────────────────────────────────────

    def on(self, subject: Subject, side: str, held: Held, places: Ints) -> tuple[Ints, Floats]:
        """The places that pass all fuzzy conditions and no exception, and their scores. `side` is the subject's."""
        score = np.ones(len(places))
        kept = np.ones(len(places), dtype=np.bool_)
        for term in self.rule.fuzzy:
            passed, alike, _ = self._term(term, subject, side, held, places)
            kept &= passed
            score = np.minimum(score, alike)
        for veto in self.rule.vetoes:
            kept &= ~np.logical_and.reduce([self._holds(t, subject, side, held, places) for t in veto])
        return places[kept], score[kept]

    def _term(self, term: Term, subject: Subject, side: str, held: Held, places: Ints) -> tuple[Flags, Floats, Flags]:
        """Per place: whether any combination of columns passes, the best score, whether there is any value."""
        own = [v for form in self.of(term, side, subject.entity) if (v := subject.value(form)) is not None]
        passed, there = np.zeros(len(places), dtype=np.bool_), np.zeros(len(places), dtype=np.bool_)
        score = np.full(len(places), -1.0)
        for form in self.of(term, _other(side), held.name):
            codes = held.columns[form].codes[places]
            there |= codes != NONE
            said: dict[int, tuple[bool, float]] = {}
            for i, code in enumerate(codes.tolist()):
                if code not in said:
                    said[code] = self._says(term.criterion, own, side, held, form, int(places[i]))
                passes, alike = said[code]
                passed[i] |= passes
                score[i] = max(score[i], alike)
        return passed, score, there

    def _says(
        self, criterion: Criterion, own: Sequence[Value], side: str, held: Held, form: str, place: int
    ) -> tuple[bool, float]:
        value = held.value(place, form)
        if value is None:
            return False, -1.0
        said = [says(criterion, v, value) if side == "left" else says(criterion, value, v) for v in own]
        return any(p is True for p, _ in said), max((s for _, s in said if s is not None), default=-1.0)

    def _holds(self, term: Term, subject: Subject, side: str, held: Held, places: Ints) -> Flags:
        passed, _, there = self._term(term, subject, side, held, places)
        if not term.criterion.differs:
            return passed
        here = any(subject.value(form) is not None for form in self.of(term, side, subject.entity))
        return there & ~passed & here

    def pair(self, left: Subject, right: Subject) -> float | None:
        """The score of two records, None when the rule does not link them (whatever their group is worth)."""
        score = 1.0
        for term in self.rule.when:
            passed, alike = self.condition(term, left, right)
            if not passed:
                return None
            score = min(score, alike)
        for veto in self.rule.vetoes:
            if all(holds(t.criterion, *self.both(t, left, right)) for t in veto):
                return None
        return score

    def condition(self, term: Term, left: Subject, right: Subject) -> tuple[bool, float]:
        """Whether one condition holds of two records, and its score."""
        here, there = self.both(term, left, right)
        said = [says(term.criterion, a, b) for a in here for b in there if a is not None and b is not None]
        return any(p is True for p, _ in said), max((s for _, s in said if s is not None), default=-1.0)

    def both(self, term: Term, left: Subject, right: Subject) -> tuple[list[Value | None], list[Value | None]]:
        """The values of both records in one comparison."""
        return (
            [left.value(form) for form in self.of(term, "left", left.entity)],
            [right.value(form) for form in self.of(term, "right", right.entity)],
        )

    # ── candidates without a key ─────────────────────────────────────────────────────────────────────────────────────

    def alike(self, subject: Subject, side: str, held: Held, find: "Finder") -> Ints:
        """The records of an entity with a value that passes the condition which generates candidates."""
        term = self.rule.anchor()
        own = [v for form in self.of(term, side, subject.entity) if (v := subject.value(form)) is not None]
        found = []
        for form in self.of(term, _other(side), held.name):
            found += [find(held, form, term.criterion, value, side) for value in own]
        return np.unique(np.concatenate(found)) if found else np.empty(0, dtype=np.int32)


Finder = Callable[[Held, str, Criterion, Value, str], Ints]
"""(entity, prepared column, criterion, a value, its side) to the places whose value passes with it."""


def _other(side: str) -> str:
    return "right" if side == "left" else "left"


def sides_of(forms: RuleForms, entity: str) -> Iterator[str]:
    """The sides on which a record of an entity is to be asked: in one table both are the same unless columns differ."""
    if forms.rule.one_table:
        if forms.takes("left", entity):
            yield "left"
            if forms.rule.crosswise:
                yield "right"
        return
    for side in ("left", "right"):
        if forms.takes(side, entity):
            yield side


def texts_of(subject: Subject, forms: Sequence[str]) -> list[str | None]:
    """The texts of some prepared columns of a record."""
    return [None if (v := subject.value(form)) is None else v.text for form in forms]
