"""What becomes of customers: the records around the question are clustered by the run's own code, and keep their ids.

touched records ─ everybody linked with them, before or after ─▶ a few whole components
  ─ clustering (limits, never-lists) ─▶ clusters ─ who claims which ─▶ CustomerIds
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from unify.conflation.cluster import INSIDE, Cut, Decided, Facts, Links, decide
from unify.conflation.limits import Event, Flags, Ints, components, violating
from unify.core.names import table_of
from unify.resolve.linking import Asked, Linking, Pair
from unify.resolve.linking import Links as Linked
from unify.resolve.memory import NOBODY, Memory
from unify.resolve.pairing import RuleForms, sides_of


@dataclass(frozen=True)
class Outcome:
    """What a run with the record would make of it.

    customer   place among the customers of the one that it would join; None: a new one, or none at all
    member     whether it would be of a customer
    merged     customers (places) that would be retired into that one
    created    clusters without a customer of their own: their records, R's among them when it is new
    gone       customers (places) whose records would all be of no customer
    cuts       links of R that would yield, each as (other record, cut)
    mates      records of the cluster that it would be in, itself among them
    moved      other records that would change customers, merges aside: (record, customer after; None: a new one)
    lost       other records that were of a customer and would be of none
    """

    customer: int | None
    member: bool
    merged: tuple[int, ...]
    created: tuple[tuple[int, ...], ...]
    gone: tuple[int, ...]
    cuts: tuple[tuple[int, Cut], ...]
    mates: tuple[int, ...]
    moved: tuple[tuple[int, int | None], ...]
    lost: tuple[int, ...]


class Deciding:
    """One question: `Deciding(memory, asked, linking, forms).outcome()`."""

    def __init__(self, memory: Memory, asked: Asked, linking: Linking, forms: list[RuleForms]) -> None:
        self.memory, self.asked, self.linking, self.forms = memory, asked, linking, forms
        self.links: Linked = linking.links
        self._listed()
        self.rids = sorted(self._around(), key=asked.order)
        self.place = {rid: i for i, rid in enumerate(self.rids)}
        self.entity = np.array([asked.entity_no(rid) for rid in self.rids], dtype=np.int32)

    def _listed(self) -> None:
        """Entries of always and never lists that name R, though its record was not there before."""
        asked = self.asked
        self.never: set[Pair] = set()
        if asked.record.key is None:
            return
        for kind, table, key in self.memory.listed.get((table_of(asked.entity), str(asked.record.key)), ()):
            other = self.memory.find(table, key)
            if other is None or other == asked.rid:
                continue
            if kind == "never":
                self.never.add(asked.pair(asked.rid, other))
            else:
                self.links.added.setdefault(asked.pair(asked.rid, other), {})[0] = 1.0
                self.links.touched.add(other)

    def _around(self) -> set[int]:
        """Whole components, of the links before and after: those of every record that is touched."""
        more: dict[int, list[int]] = {}
        for a, b in self.links.added:
            more.setdefault(a, []).append(b)
            more.setdefault(b, []).append(a)
        found = set(self.links.touched) | set(more)
        reach = list(found)
        while reach:
            rid = reach.pop()
            others = list(more.get(rid, ()))
            if rid < self.memory.records:
                others += self.memory.links.others[self.memory.links.at(rid)].tolist()
            for other in others:
                if other not in found:
                    found.add(other)
                    reach.append(other)
        return found

    # ── clustering ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _links(self) -> Links:
        """The links after, among these records."""
        rows: list[tuple[int, int, int, float]] = []
        for rid in self.rids:
            if rid >= self.memory.records:
                continue
            for other, rule, score in self.memory.links.from_(rid):
                if rid < other and not ({(rule, rid), (rule, other)} & self.links.dropped):
                    rows.append((self.place[rid], self.place[other], rule, score))
        for (a, b), rules in self.links.added.items():
            rows += [(self.place[a], self.place[b], rule, score) for rule, score in rules.items()]
        rows = sorted(set(rows))
        ends_a, ends_b, by = (np.array([row[i] for row in rows], dtype=np.int32) for i in range(3))
        scores = np.array([row[3] for row in rows], dtype=np.float32)
        common = np.array([f.rule.number for f in self.forms if f.rule.kind == "common"], dtype=np.int32)
        return Links.of(ends_a, ends_b, by, scores, self.entity, common)

    def _facts(self) -> Facts:
        codes: dict[int, Ints] = {}
        texts: dict[int, list[str]] = {}
        for i, by_entity in self.memory.bound.limit_values.items():
            said = [self._limited(rid, by_entity) for rid in self.rids]
            known = sorted({text for text in said if text is not None})
            at = {text: code for code, text in enumerate(known)}
            codes[i] = np.array([-1 if text is None else at[text] for text in said], dtype=np.int32)
            texts[i] = known
        never = {
            self.asked.pair(rid, other)
            for rid in self.rids
            for other in self.memory.never.get(rid, ())
            if other in self.place
        } | {pair for pair in self.never if pair[0] in self.place and pair[1] in self.place}
        pairs = sorted((self.place[a], self.place[b]) for a, b in never)
        return Facts(self.memory.plan, self.entity, np.array(pairs, dtype=np.int32).reshape(-1, 2), codes, texts)

    def _limited(self, rid: int, by_entity: Mapping[str, str]) -> str | None:
        subject = self.asked.subject_of(rid)
        if subject.entity not in by_entity:
            return None
        value = subject.value(by_entity[subject.entity])
        return None if value is None else value.text

    def _key_groups(self, stars: str, bad: Flags) -> tuple[Event, ...]:
        """Key groups of star rules after, whose records are in violating components."""
        kinds = ("dedupe", "common") if stars == INSIDE else ("match", "common")
        found: set[Event] = set()
        for forms in self.forms:
            if not forms.rule.is_star or forms.rule.kind not in kinds:
                continue
            keys = set()
            for rid, is_bad in zip(self.rids, bad.tolist(), strict=True):
                if is_bad:
                    subject = self.asked.subject_of(rid)
                    for side in sides_of(forms, subject.entity):
                        keys |= forms.keys(subject, side)
            for key in keys:
                if self.linking.counts(forms, key, after=True):
                    found.update(self._events(forms, key))
        return tuple(sorted(found))

    def _events(self, forms: RuleForms, key: tuple[str, ...]) -> list[Event]:
        upper = self._members(forms, "right", key)
        lower = set() if forms.rule.one_table else self._members(forms, "left", key)
        members = sorted(self.place[rid] for rid in upper | lower)
        if forms.rule.kind == "match":
            return [Event(forms.rule.number, -1.0, tuple(members), len(upper))] if upper and lower else []
        return [Event(forms.rule.number, -1.0, tuple(members), 0)] if len(members) > 1 else []

    def _members(self, forms: RuleForms, side: str, key: tuple[str, ...]) -> set[int]:
        found: set[int] = set()
        for name in forms.entities[side]:
            held = self.memory.entities[name]
            found |= set((self.linking.members(forms, held, side, key, after=True) + held.first).tolist())
        if self.linking.r_has(forms, side, key, after=True):
            found.add(self.asked.rid)
        return found

    def _without_bridges(self, links: Links, clusters: Ints) -> Ints:
        """Weak bridges that the run cut stay cut, where no other way leads around them now."""
        cut = {
            (self.place[a], self.place[b])
            for a, b in self.memory.bridges
            if a in self.place and b in self.place and self.asked.rid not in (a, b)
        }
        if not cut:
            return clusters
        stays = np.array([pair not in cut for pair in zip(links.a.tolist(), links.b.tolist(), strict=True)])
        stays &= clusters[links.a] == clusters[links.b]
        return components(len(clusters), links.a[stays], links.b[stays])

    def _decide(self, links: Links) -> Decided:
        """The run's clustering; where nothing clashes it is the components, which are quick to find."""
        facts = self._facts()
        n = len(self.rids)
        together = _joined(n, links.a, links.b)
        groups = _joined(n, links.a[links.inside], links.b[links.inside])
        if violating(facts.limits(groups), together).any():
            return decide(facts, links, self._key_groups)
        return Decided(groups, together, [], violated=False)

    # ── ids ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    def outcome(self) -> Outcome:
        """What the run would decide."""
        links = self._links()
        decided = self._decide(links)
        clusters = self._without_bridges(links, decided.clusters).tolist()
        members: dict[int, list[int]] = {}
        for rid, cluster in zip(self.rids, clusters, strict=True):
            members.setdefault(cluster, []).append(rid)
        dropped = {rid for part in members.values() for rid in self._dropped(part)}
        claims = self._claims(members, dropped)
        mine = clusters[self.place[self.asked.rid]]
        survivor = {cluster: min(claimed) for cluster, claimed in claims.items()}
        before = {rid: int(self.memory.customers[rid]) for rid in self.rids if rid < self.memory.records}
        gone = set(before.values()) - {NOBODY} - {c for claimed in claims.values() for c in claimed}
        created = [part for cluster, part in members.items() if cluster not in claims and set(part) - dropped]
        of = {rid: survivor.get(cluster) for cluster, part in members.items() for rid in part if rid not in dropped}
        into = {c: survivor[cluster] for cluster, claimed in claims.items() for c in claimed}
        moved = [
            (rid, of[rid])
            for rid, was in before.items()
            if rid != self.asked.rid and rid not in dropped and (of[rid] is None or of[rid] != into.get(was))
        ]
        place = self.place[self.asked.rid]
        cuts = [(self.rids[cut.b if cut.a == place else cut.a], cut) for cut in decided.cuts if place in (cut.a, cut.b)]
        return Outcome(
            customer=survivor.get(mine),
            member=self.asked.rid not in dropped,
            merged=tuple(sorted(set(claims.get(mine, ())) - {survivor.get(mine, NOBODY)})),
            created=tuple(tuple(part) for part in created),
            gone=tuple(sorted(gone)),
            cuts=tuple(cuts),
            mates=tuple(members[mine]),
            moved=tuple(moved),
            lost=tuple(r for r, was in before.items() if r in dropped and was != NOBODY and r != self.asked.rid),
        )

    def _dropped(self, part: list[int]) -> set[int]:
        """Records of a cluster that matched nothing, where their entity keeps only those that matched."""
        numbers = {self.asked.entity_no(rid) for rid in part}
        if len(numbers) > 1:
            return set()
        [number] = numbers
        return set() if self.memory.plan.order[number].include_all else set(part)

    def _claims(self, members: Mapping[int, list[int]], dropped: set[int]) -> dict[int, list[int]]:
        """Cluster to the customers that claim it, as in identity_claims.sql.

        Each claims the cluster with most of its records, then that with its founding record, then that with the
        smallest record. Customers come oldest first, so the smallest survives.
        """
        parts: dict[int, dict[int, list[int]]] = {}
        for cluster, part in members.items():
            for rid in part:
                if rid < self.memory.records and rid not in dropped and self.memory.customers[rid] != NOBODY:
                    parts.setdefault(int(self.memory.customers[rid]), {}).setdefault(cluster, []).append(rid)
        claims: dict[int, list[int]] = {}
        for customer, shares in parts.items():
            order = self.asked.order
            best = min(
                (-len(rids), not self._founder(customer, rids), min(map(order, rids)), cluster)
                for cluster, rids in shares.items()
            )
            claims.setdefault(best[-1], []).append(customer)
        return claims

    def _founder(self, customer: int, rids: list[int]) -> bool:
        entity, key = (self.memory.founders[c][customer].as_py() for c in ("entity", "key"))
        return any(self.memory.record(rid) == f"{entity}:{key}" for rid in rids)


def _joined(nodes: int, a: Ints, b: Ints) -> Ints:
    """Connected components, as limits.components: of ten records in a tenth of its time."""
    label = list(range(nodes))

    def root(node: int) -> int:
        while label[node] != node:
            label[node] = node = label[label[node]]
        return node

    for x, y in zip(a.tolist(), b.tolist(), strict=True):
        one, other = root(x), root(y)
        label[max(one, other)] = min(one, other)
    return np.array([root(node) for node in range(nodes)], dtype=np.int32)
