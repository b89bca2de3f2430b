"""Scored rules about one record: the group that the run's own code makes of it, by the model that the run wrote down.

    R ─ candidates that share a key ─ weighed ─ those for it ─ their candidates, and so on ─▶ a component
      ─ average linkage over all its pairs ─▶ groups, links

Candidates are those of evidence/candidates.py: records that share a telling value, two values, or beginnings of two or
three, unless more than GROUP share that key.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, cast

import numpy as np
import pyarrow as pa

from unify.conflation.evidence.candidates import BEGINNING, GROUP, Key, keys
from unify.conflation.evidence.linkage import CAP, group
from unify.conflation.evidence.model import probability
from unify.conflation.evidence.run import links_of
from unify.conflation.evidence.stored import BIT, Stored
from unify.conflation.evidence.values import Compared, Floats, compared
from unify.conflation.evidence.waterfall import between, inside, kinds_of, parts_of
from unify.conflation.evidence.weights import Scorer
from unify.conflation.rules import ScoredTerm
from unify.core.explanations import Waterfall
from unify.resolve.alike import holds
from unify.resolve.columns import Column, Ints
from unify.resolve.linking import Linking, Pair
from unify.resolve.memory import Held, Memory
from unify.resolve.pairing import RuleForms, Subject


@dataclass(frozen=True)
class _Size:
    """How many distinct texts or records there are: all that `keys` asks of a comparison."""

    n: int

    def __len__(self) -> int:
        return self.n


@dataclass(frozen=True)
class _Sizes:
    texts: _Size
    codes: _Size


class Evidence:
    """One scored rule with its model, ready to be asked."""

    def __init__(self, memory: Memory, forms: RuleForms, learned: Stored) -> None:
        self.memory, self.forms, self.learned = memory, forms, learned
        rule = forms.rule
        self.at_least = float(np.log(rule.rule.threshold / (1 - rule.rule.threshold)))
        entities = dict.fromkeys((*forms.entities["left"], *forms.entities["right"]))
        self.held = [memory.entities[e] for e in entities]
        self.keys = tuple(self._keys())

    def _keys(self) -> Iterator[Key]:
        """The keys that the run used."""
        records = sum(len(held.keys) for held in self.held)
        sizes = [_Sizes(_Size(self._distinct(term)), _Size(records)) for term in self.forms.rule.scored]
        left_out = self.memory.left_out.get(self.forms.rule.number, frozenset())
        names = [term.evidence.name for term in self.forms.rule.scored]
        for key in keys(cast("Sequence[Compared]", sizes)):
            spoken = " and ".join(names[k] + ("" if whole else " (beginning)") for k, whole in key.parts)
            if f"same {spoken}" not in left_out:
                yield key

    def _distinct(self, term: ScoredTerm) -> int:
        """Distinct texts of a comparison, over all of its columns."""
        columns = [held.columns[form] for held in self.held for form in self._forms(term, held.name)]
        if len(columns) == 1:
            return len(columns[0].texts)
        return len(pa.chunked_array([c.texts for c in columns], pa.string()).unique()) if columns else 0

    def _forms(self, term: ScoredTerm, entity: str) -> tuple[str, ...]:
        side = "left" if self.forms.takes("left", entity) else "right"
        return self.forms.of(term, side, entity)

    def __call__(self, linking: Linking) -> None:
        """Find the rule's links anew, where the record has a part in them."""
        changed = linking.changed(self.forms)
        if not changed:
            return
        rule = self.forms.rule
        seeds = set(changed)
        for rid in changed:
            if rid < self.memory.records:
                seeds |= {o for o, number, _ in self.memory.links.from_(rid) if number == rule.number}
        around = Around(self, linking, {rid for rid in seeds if linking.takes_part(rule, rid)})
        linking.replace(rule, seeds | set(around.rids), around.links())
        linking.around[rule.number] = around

    # ── candidates ───────────────────────────────────────────────────────────────────────────────────────────────────

    def candidates(self, linking: Linking, subject: Subject) -> set[int]:
        """The records that are worth comparing with one, after."""
        values = [
            sorted({v.text for form in self._forms(term, subject.entity) if (v := subject.value(form)) is not None})
            for term in self.forms.rule.scored
        ]
        own = self._own(linking)
        found: set[int] = set()
        for key in self.keys:
            for texts in product(*(values[k] for k, _ in key.parts)):
                with_r = bool(own) and all(
                    _has(own[k], t, whole) for (k, whole), t in zip(key.parts, texts, strict=True)
                )
                found |= self._sharing(linking, key, texts, with_r)
        return {rid for rid in found if rid != subject.rid and self._across(linking, subject.rid, rid)}

    def _own(self, linking: Linking) -> list[set[str]]:
        """What R says in each comparison; nothing when it takes no part."""
        asked = linking.asked
        if not any(held.name == asked.entity for held in self.held):
            return []
        if not linking.takes_part(self.forms.rule, asked.rid):
            return []
        return [
            {v.text for form in self._forms(term, asked.entity) if (v := asked.subject.value(form)) is not None}
            for term in self.forms.rule.scored
        ]

    def _across(self, linking: Linking, a: int, b: int) -> bool:
        """Between entities only pairs across them count."""
        return self.forms.rule.one_table or linking.asked.entity_no(a) != linking.asked.entity_no(b)

    def _sharing(self, linking: Linking, key: Key, texts: Sequence[str], with_r: bool) -> set[int]:
        """The records with a key; none when too many have it."""
        blocks = []
        total = int(with_r)
        for held in self.held:
            side = "left" if self.forms.takes("left", held.name) else "right"
            places = self._places(held, key, texts)
            places = linking.present(self.forms, held, side, places, after=True)
            total += len(places)
            if total > GROUP:
                return set()
            blocks.append((held.first, places))
        found = {rid for first, places in blocks for rid in (places + first).tolist()}
        return found | {linking.asked.rid} if with_r else found

    def _places(self, held: Held, key: Key, texts: Sequence[str]) -> Ints:
        found = []
        for forms in product(*(self._forms(self.forms.rule.scored[k], held.name) for k, _ in key.parts)):
            columns = [held.columns[form] for form in forms]
            ranges = [_range(c, t, whole) for c, t, (_, whole) in zip(columns, texts, key.parts, strict=True)]
            counts = [c.count_between(*r) for c, r in zip(columns, ranges, strict=True)]
            if not all(counts):
                continue
            rarest = counts.index(min(counts))
            places = columns[rarest].between(*ranges[rarest])
            for i, (column, (low, high)) in enumerate(zip(columns, ranges, strict=True)):
                if i != rarest and len(places):
                    codes = column.codes[places]
                    places = places[(codes >= low) & (codes < high)]
            found.append(places)
        if not found:
            return np.empty(0, dtype=np.int32)
        return found[0] if len(found) == 1 else np.unique(np.concatenate(found))

    # ── weights ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def scorer(self, subjects: Sequence[Subject]) -> Scorer:
        """Weighs pairs of these records, by their places here, as the run weighs."""
        values = []
        for term in self.forms.rule.scored:
            rows = [[subject.value(form) for form in self._forms(term, subject.entity)] for subject in subjects]
            width = max(map(len, rows), default=1)
            columns = [
                pa.array([row[i].text if i < len(row) and row[i] is not None else None for row in rows], pa.string())  # type: ignore[union-attr]
                for i in range(width)
            ]
            cuts = tuple(sorted(level / 100 for level in term.evidence.levels))
            values.append(compared(term.evidence.name, columns, cuts, term.evidence.term_frequency))
        return Scorer(self.learned.at_large(values), self.learned.model)

    def vetoed(self, left: Subject, right: Subject) -> bool:
        """Whether an exception holds between two records, the left one the lower of a match."""
        forms = self.forms
        if not forms.rule.one_table and left.entity == right.entity:
            return False
        for veto in forms.rule.vetoes:
            held = all(holds(t.criterion, *forms.both(t, left, right)) for t in veto)
            if held and forms.rule.one_table and any(t.left != t.right for t in veto):
                held = all(holds(t.criterion, *forms.both(t, right, left)) for t in veto)
            if held:
                return True
        return False


class Around:
    """The records that hang together by pairs that weigh for one customer, from some records on."""

    def __init__(self, evidence: Evidence, linking: Linking, seeds: set[int]) -> None:
        self.evidence, self.linking = evidence, linking
        found: set[int] = set(seeds)
        reach = set(seeds)
        pairs: dict[Pair, float] = {}
        while reach:
            asked = [(rid, evidence.candidates(linking, linking.asked.subject_of(rid))) for rid in sorted(reach)]
            fresh = {linking.asked.pair(a, b) for a, others in asked for b in others} - pairs.keys()
            pairs |= self._weigh(sorted(fresh))
            positive = {rid for pair in fresh if pairs[pair] > 0 for rid in pair}
            reach = positive - found
            found |= positive
        self.rids = sorted(found, key=linking.asked.order)
        self.pairs = {pair: weight for pair, weight in pairs.items() if weight > 0}
        self.labels = np.arange(len(self.rids), dtype=np.int64)
        """Per record its group, once `links` has found them."""

    def _weigh(self, pairs: Sequence[Pair]) -> dict[Pair, float]:
        """Weights of pairs of records; -CAP where an exception holds."""
        if not pairs:
            return {}
        rids = sorted({rid for pair in pairs for rid in pair}, key=self.linking.asked.order)
        place = {rid: i for i, rid in enumerate(rids)}
        left, right = (np.array([place[pair[i]] for pair in pairs], dtype=np.int64) for i in (0, 1))
        return dict(zip(pairs, self._weights(rids, left, right).tolist(), strict=True))

    def _weights(self, rids: Sequence[int], left: "np.typing.NDArray[Any]", right: "np.typing.NDArray[Any]") -> Floats:
        subjects = [self.linking.asked.subject_of(rid) for rid in rids]
        weight = self.evidence.scorer(subjects).weigh(left, right)
        if self.evidence.forms.rule.vetoes:
            one_table = self.evidence.forms.rule.one_table
            for i in np.flatnonzero(weight > -CAP).tolist():
                upper, lower = subjects[left[i]], subjects[right[i]]
                sides = (upper, lower) if one_table else (lower, upper)
                if self.evidence.vetoed(*sides):
                    weight[i] = -CAP
        return weight

    def links(self) -> dict[Pair, float]:
        """The links that stand for the groups, with their probability."""
        if len(self.rids) < 2 or not self.pairs:
            return {}
        rids = self.rids
        place = {rid: i for i, rid in enumerate(rids)}
        ends = [(place[a], place[b], weight) for (a, b), weight in sorted(self.pairs.items())]
        left, right = (np.array([end[i] for end in ends], dtype=np.int64) for i in (0, 1))
        weights = np.array([end[2] for end in ends])
        lower = self._lower()
        linked = group(len(rids), left, right, weights, self.evidence.at_least, lambda a, b: self._weights(rids, a, b))
        self.labels = linked.labels
        a, b, weight = links_of(linked, lower, self.evidence.at_least)
        return {
            (rids[int(x)], rids[int(y)]): float(p)
            for x, y, p in zip(a, b, probability(weight).astype(np.float32), strict=True)
        }

    def tell(self, rid: int, raw: Callable[[int], Mapping[str, Any]]) -> Waterfall | None:
        """The evidence for R and another record, as explain tells it; None for a record that is not around."""
        asked, evidence = self.linking.asked, self.evidence
        rule, learned = evidence.forms.rule, evidence.learned
        if rid not in self.rids or asked.rid not in self.rids:
            return None
        place = {one: i for i, one in enumerate(self.rids)}
        pair = (asked.rid, rid)
        if not rule.one_table and asked.entity != rule.left.entity:
            pair = (rid, asked.rid)
        groups = [np.flatnonzero(self.labels == self.labels[place[one]]) for one in pair]
        scorer = evidence.scorer([asked.subject_of(one) for one in self.rids])
        left, right = (np.array([place[one]], dtype=np.int64) for one in pair)
        total = float(scorer.weigh(left, right)[0])
        joined = bool(self.labels[left[0]] == self.labels[right[0]])
        ends = int(left[0]), int(right[0])
        average = inside(self._all, groups[0], *ends) if joined else between(self._all, *groups)
        sides = [(raw(one), asked.subject_of(one).entity) for one in pair]
        return Waterfall(
            prior=learned.model.prior / BIT,
            parts=parts_of(scorer, learned, rule, (left, right), sides),
            total=total / BIT,
            probability=float(probability(np.array([total]))[0]),
            threshold=rule.rule.threshold,
            vetoed=evidence.vetoed(*(asked.subject_of(one) for one in pair)),
            records=len(set(groups[0].tolist()) | set(groups[1].tolist())),
            average=average / BIT,
            average_probability=float(probability(np.array([average]))[0]),
            joined=joined,
            kinds=kinds_of(scorer, left, right),
        )

    def _all(self, left: "np.typing.NDArray[Any]", right: "np.typing.NDArray[Any]") -> Floats:
        return self._weights(self.rids, left, right)

    def _lower(self) -> "np.typing.NDArray[np.bool_] | None":
        forms = self.evidence.forms
        if forms.rule.one_table:
            return None
        entity = forms.rule.left.entity
        return np.array([self.linking.asked.subject_of(rid).entity == entity for rid in self.rids], dtype=np.bool_)


def _range(column: Column, text: str, whole: bool) -> tuple[int, int]:
    if not whole:
        return column.beginning(text, BEGINNING)
    code = column.find(text)
    return (code, code + 1) if code >= 0 else (0, 0)


def _has(own: set[str], text: str, whole: bool) -> bool:
    return text in own if whole else any(t[:BEGINNING] == text[:BEGINNING] for t in own)
