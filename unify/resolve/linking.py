"""Which links would be others if a record were there: those of the record itself, and those that hang on it.

    R       the record; in place of the one with its key, if there is one
    before  the records and links of the generation
    after   the same with R

A rule of a match sees what earlier rules of its pair left: where R gives a lower record its first match, or takes it
away, the links of later rules change. And where R is one record too many in a key group, or one less, the whole group
links or does not. So rule by rule, in order:

    changed   records whose part in the rule changes: R, and lower records that were matched then and are not now
    again     changed, and the groups that they tip: their links of this rule are found anew, all others stand
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from unify.conflation.rules import BoundRule
from unify.resolve.columns import Flags, Ints
from unify.resolve.memory import Held, Memory
from unify.resolve.pairing import Floats, Key, RuleForms, Subject, sides_of
from unify.resolve.reading import Record
from unify.resolve.similar import Similar

Pair = tuple[int, int]


@dataclass
class Links:
    """What is different after.

    added     pair (smaller rid by order first) to {rule: score}
    dropped   (rule, record): the links of the generation by this rule that have the record as an end are gone
    touched   records whose customers may change
    """

    added: dict[Pair, dict[int, float]] = field(default_factory=dict)
    dropped: set[tuple[int, int]] = field(default_factory=set)
    touched: set[int] = field(default_factory=set)


class Asked:
    """One question: a record among those of the generation."""

    def __init__(self, memory: Memory, record: Record, rid: int | None, order: int) -> None:
        """rid: of the record that has the key already; order: see `order`."""
        self.memory, self.record = memory, record
        self.update = rid is not None
        self.rid = memory.records if rid is None else rid
        self._order = order
        self.entity = record.entity
        self.subject = Subject(self.rid, record.entity, record.values.__getitem__)

    def order(self, rid: int) -> int:
        """Where a record stands among all of them: rids doubled, and one, so that a new one fits between two."""
        return self._order if rid == self.rid else 2 * rid + 1

    def subject_of(self, rid: int) -> Subject:
        """A record as it is after."""
        return self.subject if rid == self.rid else self.before(rid)

    def before(self, rid: int) -> Subject:
        """A record as it is in the generation."""
        held, place = self.memory.held(rid)
        return Subject(rid, held.name, lambda v: held.value(place, v))

    def pair(self, a: int, b: int) -> Pair:
        """Two records, the smaller first."""
        return (a, b) if self.order(a) < self.order(b) else (b, a)

    def entity_no(self, rid: int) -> int:
        """The entity's place in the conflation order."""
        return self.memory.entities[self.entity].number if rid == self.rid else int(self.memory.entity_of[rid])


class Linking:
    """Finds the links of one question: `Linking(memory, forms, similar, asked).run()`."""

    def __init__(self, memory: Memory, forms: list[RuleForms], similar: Similar, asked: Asked) -> None:
        self.memory, self.forms, self.similar, self.asked = memory, forms, similar, asked
        self.links = Links(touched={asked.rid})
        self.now: dict[tuple[str, str], dict[int, int]] = {}
        """Per pair of a match, lower records whose first rule is not that of the generation, and which it is;
        UNDECIDED while no rule so far matched them."""

        self.around: dict[int, Any] = {}
        """Scored rules to the component that the question is about (evidence.Around)."""

    def run(self, scored: Callable[["Linking", RuleForms], None]) -> Links:
        """All rules in order; `scored` does those that add up evidence."""
        self._start()
        for forms in self.forms:
            if forms.rule.scored:
                scored(self, forms)
            else:
                self._rule(forms)
        return self.links

    def _start(self) -> None:
        """R is matched anew as a lower record."""
        for pair in self.memory.first:
            self.now[pair] = {self.asked.rid: UNDECIDED} if pair[0] == self.asked.entity else {}

    # ── who takes part ───────────────────────────────────────────────────────────────────────────────────────────────

    def open(self, rule: BoundRule, rid: int, *, after: bool) -> bool:
        """Whether a lower record takes part in a rule of a match: no earlier rule of the pair matched it."""
        pair = (rule.left.entity, rule.right.entity)
        if after and rid in self.now[pair]:
            return self.now[pair][rid] >= rule.number
        if rid == self.memory.records:
            return False  # it was not there before
        lower = self.memory.entities[pair[0]]
        return int(self.memory.first[pair][rid - lower.first]) >= rule.number

    def _open_places(self, rule: BoundRule, places: Ints, *, after: bool) -> Ints:
        """The places of lower records that take part."""
        pair = (rule.left.entity, rule.right.entity)
        kept: Flags = self.memory.first[pair][places] >= rule.number
        if after and self.now[pair]:
            first = self.memory.entities[pair[0]].first
            for rid, at in self.now[pair].items():
                kept[places == rid - first] = at >= rule.number
        return places[kept]

    def changed(self, forms: RuleForms) -> set[int]:
        """Records whose part in a rule is not what it was."""
        asked, rule = self.asked, forms.rule
        found = {asked.rid} if forms.takes("left", asked.entity) or forms.takes("right", asked.entity) else set()
        if rule.kind == "match":
            for rid in self.now[rule.left.entity, rule.right.entity]:
                if self.open(rule, rid, after=False) != self.open(rule, rid, after=True):
                    found.add(rid)
        return found

    # ── one rule ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _rule(self, forms: RuleForms) -> None:
        rule = forms.rule
        changed = self.changed(forms)
        if not changed:
            return
        again = set(changed)
        if not rule.fuzzy:
            for rid in changed:
                again |= self._tipped(forms, rid)
        found: dict[Pair, float] = {}
        for rid in again:
            if self.takes_part(rule, rid):
                for other, score in self.partners(forms, self.asked.subject_of(rid)):
                    pair = self.asked.pair(rid, other)
                    found[pair] = max(found.get(pair, score), score)
        self.replace(rule, again, found)

    def takes_part(self, rule: BoundRule, rid: int) -> bool:
        """Whether a record takes part in a rule of its entity after."""
        if rule.kind != "match" or self.asked.subject_of(rid).entity != rule.left.entity:
            return True
        return self.open(rule, rid, after=True)

    def replace(self, rule: BoundRule, again: Iterable[int], found: dict[Pair, float]) -> None:
        """Links of a rule that have an end in `again` are those found and no others; who is matched by it follows."""
        memory, links = self.memory, self.links
        ends = set(again)
        for rid in again:
            links.touched.add(rid)
            links.dropped.add((rule.number, rid))
            if rid < memory.records:
                ends.update(o for o, number, _ in memory.links.from_(rid) if number == rule.number)
        for pair, score in found.items():
            links.added.setdefault(pair, {})[rule.number] = score
            ends.update(pair)
        links.touched |= ends
        if rule.kind == "match":
            self._settle(rule, ends)

    def _settle(self, rule: BoundRule, ends: set[int]) -> None:
        """Remember lower records whose first rule is now another one."""
        pair = (rule.left.entity, rule.right.entity)
        lower = self.memory.entities[pair[0]]
        mine = {rid for rid in ends if self.asked.subject_of(rid).entity == pair[0]}
        by_now = {p[1] for p, rules in self.links.added.items() if rule.number in rules}
        for rid in mine:
            matched = rid in by_now or self._still(rule.number, rid)
            if rid in self.now[pair]:
                if matched and self.now[pair][rid] == UNDECIDED:
                    self.now[pair][rid] = rule.number
                continue
            first = int(self.memory.first[pair][rid - lower.first])
            if matched and first > rule.number:
                self.now[pair][rid] = rule.number
            elif not matched and first == rule.number:
                self.now[pair][rid] = UNDECIDED

    def _still(self, rule: int, rid: int) -> bool:
        """Whether a record keeps a link of the generation by this rule."""
        if rid >= self.memory.records or (rule, rid) in self.links.dropped:
            return False
        return any(n == rule and (rule, o) not in self.links.dropped for o, n, _ in self.memory.links.from_(rid))

    # ── partners ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def partners(self, forms: RuleForms, subject: Subject) -> list[tuple[int, float]]:
        """The records that a rule links with one, after, each with the better score of both directions."""
        best: dict[int, float] = {}
        for side in sides_of(forms, subject.entity):
            for rid, score in self._on_side(forms, subject, side):
                best[rid] = max(best.get(rid, score), score)
        return list(best.items())

    def _on_side(self, forms: RuleForms, subject: Subject, side: str) -> Iterable[tuple[int, float]]:
        rule, there = forms.rule, "right" if side == "left" else "left"
        blocks: list[tuple[Held, Ints]] = []
        with_r = False
        if rule.exact:
            for key in forms.keys(subject, side):
                if self.counts(forms, key, after=True):
                    for entity in forms.entities[there]:
                        held = self.memory.entities[entity]
                        blocks.append((held, self.members(forms, held, there, key, after=True)))
                    with_r |= self.r_has(forms, there, key, after=True)
        else:
            for entity in forms.entities[there]:
                held = self.memory.entities[entity]
                places = forms.alike(subject, side, held, self.similar)
                blocks.append((held, self.present(forms, held, there, places, after=True)))
            with_r = forms.takes(there, self.asked.entity) and self.takes_part(rule, self.asked.rid)
        for held, places in blocks:
            others = places[places != subject.rid - held.first] if subject.entity == held.name else places
            kept, scores = self._on(forms, subject, side, held, others)
            yield from zip((kept + held.first).tolist(), scores.tolist(), strict=True)
        if with_r and subject.rid != self.asked.rid:
            left, right = (subject, self.asked.subject) if side == "left" else (self.asked.subject, subject)
            score = forms.pair(left, right)
            if score is not None and self._used(forms, subject, self.asked.subject, side):
                yield self.asked.rid, score

    def _on(self, forms: RuleForms, subject: Subject, side: str, held: Held, places: Ints) -> tuple[Ints, Floats]:
        kept, scores = forms.on(subject, side, held, places)
        left_out = self.memory.left_out.get(forms.rule.number)
        if not forms.rule.exact and left_out and len(kept):
            used = [self._used(forms, subject, self.asked.before(int(p) + held.first), side) for p in kept]
            chosen = np.array(used, dtype=np.bool_)
            return kept[chosen], scores[chosen]
        return kept, scores

    def _used(self, forms: RuleForms, subject: Subject, other: Subject, side: str) -> bool:
        """Whether some pair of alike values was not left out by the run for the pairs that it makes."""
        left_out = self.memory.left_out.get(forms.rule.number)
        if forms.rule.exact or not left_out:
            return True
        term, there = forms.rule.anchor(), "right" if side == "left" else "left"
        mine = [v.text for f in forms.of(term, side, subject.entity) if (v := subject.value(f))]
        others = [v.text for f in forms.of(term, there, other.entity) if (v := other.value(f))]
        pairs = {(a, b) if side == "left" else (b, a) for a in mine for b in others}
        return any(not left_out & {a, b, f"{a} | {b}", f"{b} | {a}"} for a, b in pairs)

    # ── key groups ───────────────────────────────────────────────────────────────────────────────────────────────────

    def members(self, forms: RuleForms, held: Held, side: str, key: Key, *, after: bool) -> Ints:
        """The places of an entity's records that have a key on one side; R is not among them after."""
        return self.present(forms, held, side, forms.places(held, side, key), after=after)

    def present(self, forms: RuleForms, held: Held, side: str, places: Ints, *, after: bool) -> Ints:
        """The places of records that take part in a rule on a side; R is not among them after."""
        asked = self.asked
        if after and asked.update and asked.entity == held.name:
            places = places[places != asked.rid - held.first]
        if forms.rule.kind == "match" and side == "left":
            return self._open_places(forms.rule, places, after=after)
        return places

    def r_has(self, forms: RuleForms, side: str, key: Key, *, after: bool) -> bool:
        """Whether R has the key after; before, it is among the members if it was there."""
        asked = self.asked
        if not after or not forms.takes(side, asked.entity) or key not in forms.keys(asked.subject, side):
            return False
        return forms.rule.kind != "match" or side == "right" or self.open(forms.rule, asked.rid, after=True)

    def size(self, forms: RuleForms, side: str, key: Key, *, after: bool) -> list[int]:
        """Records with the key on one side, per entity."""
        sizes = []
        for entity in forms.entities[side]:
            held = self.memory.entities[entity]
            n = len(self.members(forms, held, side, key, after=after))
            sizes.append(n + (entity == self.asked.entity and self.r_has(forms, side, key, after=after)))
        return sizes

    def counts(self, forms: RuleForms, key: Key, *, after: bool) -> bool:
        """Whether a key is evidence: not left out by the run, not all of it shared, not on too many records."""
        return not self.why_not(forms, key, after=after)

    def why_not(self, forms: RuleForms, key: Key, *, after: bool = True) -> str:
        """Why a key is no evidence in a rule; empty when it is."""
        rule, spoken = forms.rule, " | ".join(key)
        if spoken in self.memory.left_out.get(rule.number, ()):
            return f"{spoken!r} was left out by the run: with it the rule would compare too many pairs"
        contact = self.memory.lies.contact(rule)
        if contact and all(self._shared(n, text) for n, text in zip(contact, key, strict=True)):
            return f"several people share {spoken!r}: no proof that they are one"
        if rule.fuzzy:
            return ""
        sides = ("left",) if rule.one_table and not rule.crosswise else ("left", "right")
        most = max(n for side in sides for n in self.size(forms, side, key, after=after))
        if most > self.memory.plan.max_shared:
            return f"{spoken!r} is on {most:,} records of one entity, more than {self.memory.plan.max_shared:,}"
        return ""

    def _shared(self, field_: int, text: str) -> bool:
        return self.memory.verdicts.get((field_, text), ("", ""))[0] == "shared"

    def _tipped(self, forms: RuleForms, rid: int) -> set[int]:
        """The members of groups that link now and did not, or the other way round, because of one record.

        When it leaves a group of a star rule, the others stay together, though the table may hold them by it alone.
        """
        found: set[int] = set()
        asked, rule = self.asked, forms.rule
        was = asked.before(rid) if rid < self.memory.records else None
        now = asked.subject_of(rid)
        sides = [side for side in ("left", "right") if forms.takes(side, now.entity)]
        before = {k for side in sides for k in forms.keys(was, side)} if was is not None else set()
        after = {k for side in sides for k in forms.keys(now, side)}
        for key in before | after:
            counted = self.counts(forms, key, after=False)
            leaves = counted and key in before and rule.is_star
            if leaves or counted != self.counts(forms, key, after=True):
                for side in ("left", "right"):
                    for entity in forms.entities[side]:
                        held = self.memory.entities[entity]
                        for here in (False, True):
                            places = self.members(forms, held, side, key, after=here)
                            found |= set((places + held.first).tolist())
        return found


UNDECIDED = 32_766
"""In place of a first rule: no rule so far."""
