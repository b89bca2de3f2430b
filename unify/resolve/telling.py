"""The answer in words: which rules link the record to which others, what was missing where they do not."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from unify.conflation import compare
from unify.conflation.all_records import raw_value
from unify.conflation.rules import BoundRule, Term
from unify.core.explanations import ConditionCheck, RuleCheck
from unify.core.resolutions import Apart, Match, Near, ResolvedChange
from unify.resolve.alike import holds
from unify.resolve.columns import Ints
from unify.resolve.deciding import Outcome
from unify.resolve.linking import Asked, Linking
from unify.resolve.memory import NOBODY, Held, Memory
from unify.resolve.pairing import RuleForms, Subject, sides_of, texts_of

SHOWN = 10
"""Matches with their conditions; all are listed."""
NEAR = 3
"""Customers that came near."""
TRIED = 20
"""Records that share a value with the new one and may have come near, per value; the smallest first."""
LOOKED_AT, RULES_TRIED = 8, 2
"""Of them all, those that share most; rules that are tried on each."""
ALWAYS = "always match"


class Telling:
    """Tells of one question."""

    def __init__(
        self, memory: Memory, forms: Sequence[RuleForms], asked: Asked, linking: Linking, outcome: Outcome
    ) -> None:
        self.memory, self.asked, self.linking, self.outcome = memory, asked, linking, outcome
        self.forms = {f.rule.number: f for f in forms}

    # ── who ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def customer_of(self, rid: int) -> str | None:
        """The customer of a record of the generation, today."""
        return self.name(int(self.memory.customers[rid]))

    def name(self, customer: int | None) -> str | None:
        """The CustomerId of a customer by its place."""
        return None if customer is None or customer == NOBODY else str(self.memory.ids[customer].as_py())

    def linked(self) -> list[tuple[int, dict[int, float]]]:
        """Records that R is linked with, the strongest link first."""
        found = []
        for (a, b), rules in self.linking.links.added.items():
            if self.asked.rid in (a, b):
                found.append((b if a == self.asked.rid else a, rules))
        return sorted(found, key=lambda f: (min(f[1]), -f[1][min(f[1])], f[0]))

    # ── matches ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def matches(self, *, why: bool) -> list[Match]:
        """Records that the new one would be linked with and be one customer with."""
        mates = set(self.outcome.mates)
        linked = [(rid, rules) for rid, rules in self.linked() if rid in mates]
        found = []
        for place, (rid, rules) in enumerate(linked):
            first = min(rules)
            checked = why and place < SHOWN and first
            found.append(Match(
                record=self.memory.record(rid), customer=self.customer_of(rid), rule=first, name=self._rule(first),
                score=round(rules[first], 6), rules=[self._rule(n) for n in sorted(rules)],
                check=self.check(self.forms[first], rid) if checked else None,
            ))  # fmt: skip
        return found

    def _rule(self, number: int) -> str:
        return self.forms[number].rule.rule.name if number else ALWAYS

    def apart(self) -> list[Apart]:
        """Links that would yield."""
        found = []
        for rid, cut in self.outcome.cuts:
            detail = cut.detail or f"{self._spoken(self.asked.rid)} and {self.memory.record(rid)}"
            found.append(Apart(
                record=self.memory.record(rid), customer=self.customer_of(rid), rule=cut.rule,
                name=self._rule(cut.rule), score=round(float(cut.score), 6), limit=cut.limit, detail=detail,
            ))  # fmt: skip
        return found

    def _spoken(self, rid: int) -> str:
        if rid != self.asked.rid:
            return self.memory.record(rid)
        return "the new record" if self.asked.record.key is None else f"{self.asked.entity}:{self.asked.record.key}"

    def changes(self) -> list[ResolvedChange]:
        """What else would change."""
        outcome = self.outcome
        own = self.name(outcome.customer)
        found = [ResolvedChange(change="merged", customer=own, other=str(self.name(c))) for c in outcome.merged]
        found += [ResolvedChange(change="retired", customer=None, other=str(self.name(c))) for c in outcome.gone]
        for rid, now in outcome.moved:
            found.append(ResolvedChange(change="moved", customer=self.name(now), other=self.memory.record(rid)))
        for rid in outcome.lost:
            found.append(ResolvedChange(change="dropped", customer=None, other=self.memory.record(rid)))
        return found

    # ── one rule on one pair ─────────────────────────────────────────────────────────────────────────────────────────

    def check(self, forms: RuleForms, rid: int) -> RuleCheck:
        """A rule on the new record and another one, which takes part in it."""
        rule = forms.rule
        left, right = self._sides(forms, self.asked.subject_of(rid))
        if rule.scored:
            return self._evidence(forms, rid, left, right)
        conditions = [self._condition(forms, t, left, right) for t in rule.when]
        vetoes = []
        for veto in rule.vetoes:
            if all(holds(t.criterion, *forms.both(t, left, right)) for t in veto):
                vetoes += [self._condition(forms, t, left, right, as_veto=True) for t in veto]
        passed = all(c.passed for c in conditions) and not vetoes
        scores = [c.score for c in conditions if c.score is not None]
        return RuleCheck(
            rule=rule.number, name=rule.rule.name, kind=rule.kind, left=left.entity, right=right.entity,
            passed=passed, score=min(scores) if passed and scores else None, conditions=conditions, vetoes=vetoes,
        )  # fmt: skip

    def _evidence(self, forms: RuleForms, rid: int, left: Subject, right: Subject) -> RuleCheck:
        """A scored rule on the new record and another one."""
        rule = forms.rule
        around = self.linking.around.get(rule.number)
        evidence = around.tell(rid, self._row) if around is not None else None
        vetoes = [
            self._condition(forms, t, left, right, as_veto=True)
            for veto in rule.vetoes
            if all(holds(t.criterion, *forms.both(t, left, right)) for t in veto)
            for t in veto
        ]
        return RuleCheck(
            rule=rule.number, name=rule.rule.name, kind=rule.kind, left=left.entity, right=right.entity,
            passed=evidence is not None and evidence.joined, score=evidence.probability if evidence else None,
            conditions=[], vetoes=vetoes, evidence=evidence,
        )  # fmt: skip

    def _row(self, rid: int) -> Mapping[str, Any]:
        """The source's row of a record, as it is written."""
        if rid == self.asked.rid:
            return self.asked.record.given
        held, place = self.memory.held(rid)
        return held.row(place)

    def _sides(self, forms: RuleForms, other: Subject) -> tuple[Subject, Subject]:
        """(left, right): in one table the direction in which the rule holds."""
        mine = self.asked.subject
        if not forms.rule.one_table:
            return (mine, other) if forms.takes("left", mine.entity) else (other, mine)
        if forms.rule.crosswise and forms.pair(mine, other) is None:
            return other, mine
        return mine, other

    def _condition(
        self, forms: RuleForms, term: Term, left: Subject, right: Subject, *, as_veto: bool = False
    ) -> ConditionCheck:
        passed, score = forms.condition(term, left, right)
        if as_veto:
            passed = holds(term.criterion, *forms.both(term, left, right))
        sides = [(s, forms.of(term, side, s.entity)) for s, side in ((left, "left"), (right, "right"))]
        before = [self._before(forms, term, "left", left), self._before(forms, term, "right", right)]
        after = [texts_of(subject, names) for subject, names in sides]
        return ConditionCheck(
            sentence=compare.sentence(term.criterion), left=before[0], right=before[1], left_compared=after[0],
            right_compared=after[1], score=None if score < 0 else round(score, 9), passed=passed,
        )  # fmt: skip

    def _before(self, forms: RuleForms, term: Term, side: Literal["left", "right"], subject: Subject) -> dict[str, Any]:
        """Column to value as it was written."""
        columns = forms.rule.columns(term.criterion, side, subject.entity)
        return {str(column): raw_value(self._row(subject.rid), column) for column in columns}

    # ── what came near ───────────────────────────────────────────────────────────────────────────────────────────────

    def near(self) -> list[tuple[int, RuleForms]]:
        """The customers that it would not join and that came nearest: a record of each, and the rule that nearly did.

        Looked at are records that share an exact value with it, those first that share most of what some rule asks.
        """
        best: dict[str, tuple[tuple[Any, ...], int, RuleForms]] = {}
        for rid, numbers in self._sharing():
            for number in numbers:
                forms = self.forms[number]
                passed, score = self._nearness(forms, rid)
                if passed:
                    who = self.customer_of(rid) or self.memory.record(rid)
                    rank = (-passed, -score, number, rid)
                    if who not in best or rank < best[who][0]:
                        best[who] = (rank, rid, forms)
        return [(rid, forms) for _, rid, forms in sorted(best.values(), key=lambda b: b[0])[:NEAR]]

    def _sharing(self) -> list[tuple[int, list[int]]]:
        """Records outside the customer that share exact values with the new one, each with the rules to look at."""
        shared: dict[int, dict[int, float]] = {}
        rarity: dict[int, int] = {}
        found: dict[tuple[str, str, str], Ints] = {}
        mates = {*self.outcome.mates, self.asked.rid}
        for number, forms in self.forms.items():
            for held, form, text in self._exact_values(forms):
                at = held.name, form, text
                if at not in found:
                    found[at] = held.columns[form].places(held.columns[form].find(text))
                for place in found[at][:TRIED].tolist():
                    rid = place + held.first
                    if rid not in mates:
                        share = shared.setdefault(rid, {})
                        share[number] = share.get(number, 0.0) + 1 / len(forms.rule.when)
                        rarity[rid] = min(rarity.get(rid, len(found[at])), len(found[at]))
        for (
            rid,
            cut,
        ) in self.outcome.cuts:  # a cut link may be between others of its customer: by a rule that is not ours
            tried = [cut.rule] if cut.rule in self.forms else sorted(self.forms)
            if fits := [n for n in tried if self._concerns(self.forms[n], rid)]:
                shared.setdefault(rid, {})[fits[0]] = 2.0
        chosen = sorted(shared, key=lambda rid: (-max(shared[rid].values()), rarity.get(rid, 0), rid))[:LOOKED_AT]
        return [(rid, self._likeliest(shared[rid])) for rid in chosen]

    def _concerns(self, forms: RuleForms, rid: int) -> bool:
        """Whether a rule can be asked about the new record and that one."""
        mine, other = self.asked.entity, self.asked.subject_of(rid).entity
        return any(
            forms.takes(one, mine) and forms.takes(two, other) for one, two in (("left", "right"), ("right", "left"))
        )

    def _likeliest(self, shares: Mapping[int, float]) -> list[int]:
        numbers = [n for n in shares if not self.forms[n].rule.scored]
        return sorted(numbers, key=lambda n: (-shares[n], n))[:RULES_TRIED]

    def _exact_values(self, forms: RuleForms) -> Iterator[tuple[Held, str, str]]:
        """(entity, prepared column, text) to look up for every exact condition of a rule."""
        for side in sides_of(forms, self.asked.entity):
            there = "right" if side == "left" else "left"
            for term in forms.rule.exact:
                texts = {t for t in texts_of(self.asked.subject, forms.of(term, side, self.asked.entity)) if t}
                for entity in forms.entities[there]:
                    for form in forms.of(term, there, entity):
                        yield from ((self.memory.entities[entity], form, text) for text in sorted(texts))

    def nearest(self, near: Sequence[tuple[int, RuleForms]]) -> list[Near]:
        """What `near` found, with what was missing."""
        return [self._near(rid, forms) for rid, forms in near]

    def _nearness(self, forms: RuleForms, rid: int) -> tuple[float, float]:
        """Share of the conditions that hold, and the mean score of those that do not."""
        left, right = self._sides(forms, self.asked.subject_of(rid))
        said = [forms.condition(t, left, right) for t in forms.rule.when]
        failed = [max(score, 0.0) for passed, score in said if not passed]
        return (len(said) - len(failed)) / len(said), sum(failed) / len(failed) if failed else 1.0

    def _near(self, rid: int, forms: RuleForms) -> Near:
        check = self.check(forms, rid)
        return Near(
            customer=self.customer_of(rid), record=self.memory.record(rid), missing=self._missing(forms, rid, check),
            check=check,
        )  # fmt: skip

    def _missing(self, forms: RuleForms, rid: int, check: RuleCheck) -> list[str]:
        """Why the rule does not join the two."""
        rule = forms.rule
        said = [f"rule {rule.rule.name!r} asks that {c.sentence}" for c in check.conditions if not c.passed]
        said += [f"an exception of rule {rule.rule.name!r} holds: {c.sentence}" for c in check.vetoes]
        if said:
            return said
        left, right = self._sides(forms, self.asked.subject_of(rid))
        for key in forms.keys(left, "left") & forms.keys(right, "right"):
            if why := self.linking.why_not(forms, key):
                return [f"rule {rule.rule.name!r} would link them, but {why}"]
        for cut_rid, cut in self.outcome.cuts:
            if cut_rid == rid:
                detail = cut.detail or "the two records"
                return [f"the link by rule {self._rule(cut.rule)!r} yields to a limit: {cut.limit}: {detail}"]
        if rule.kind == "match":
            return [self._earlier(rule, left)]
        return [f"rule {rule.rule.name!r} links them, and yet they are kept apart by what else is in their customers"]

    def _earlier(self, rule: BoundRule, lower: Subject) -> str:
        return (
            f"rule {rule.rule.name!r} would link them, but an earlier rule had already matched "
            f"{self._spoken(lower.rid)}"
        )
