"""The whole answer for one customer: a plan, what is seen, the nearest change, and all of it as a report."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pyroaring import BitMap

from segments.lowered import Block, Lowered
from segments.model import Model
from segments.predicates import tree as p
from segments.predicates.bind import bind, bind_predicate
from segments.why.formula import Truth, truth
from segments.why.plan import Known, Part, Plan, in_words
from segments.why.possible import Nearest, Possible
from segments.why.say import change
from segments.why.seen import OneCustomer, RowNode
from segments.why.sets import Sets
from segments.why.subjects import Subjects, name_of, subjects
from unify.core.engine import Engine
from unify.core.errors import QueryError
from unify.core.explanations import Explanation
from unify.core.segment_explanations import Change, Condition, SeenRows, SeenValue, SegmentExplanation, shown

ROWS = 3
"""Related rows that are shown for each aggregate."""


def why(
    engine: Engine,
    model: Model,
    lowered: Lowered,
    ordinal: int,
    *,
    clock: datetime,
    segments: Mapping[str, Known] | None = None,
    name: str = "",
    stored: BitMap | None = None,
    blocks: Mapping[str, BitMap] | None = None,
    merges: Callable[[str], Explanation] | None = None,
    rows: int = ROWS,
) -> SegmentExplanation:
    """Why a customer is in a segment, or why not, and the nearest change that would turn it round.

    ordinal    of the customer, in Customer of the generation that `engine` reads
    clock      the run's moment; one without an offset is UTC
    segments   what is known of the segments that the definition names, and those that these name
    name       of the segment, for the words
    stored     members as a run found them: a difference to the definition at `clock` is said
    blocks     members of blocks by key, where somebody has them; others are found as a run finds them
    merges     CustomerId → its explanation (conflation's), to say how values won and what joined the records
    rows       related rows to show for each aggregate

    QueryError when there is no such customer, when a segment is unknown, or as binding raises it.
    """
    if rows < 0:
        raise QueryError(f"{rows} rows cannot be shown", where="rows", hint="write 0 or more")
    known = segments or {}
    plan = Plan(known)
    root = plan.open(lowered)
    sets = Sets(engine, model, clock, plan, known, blocks or {})
    one = OneCustomer(engine, sets.with_tables(), ordinal, clock)
    customer = one.customer_id()
    if customer is None:
        raise QueryError(f"there is no customer with the ordinal {ordinal}", hint="ask by CustomerId or by a record")
    eyes = _Eyes(one, plan, known, sets, merges(customer) if merges else None, customer, rows)
    eyes.look()
    nearest = eyes.nearest(root)
    return _report(root, eyes, nearest, lowered, name or "segment", stored)


@dataclass
class _Eyes:
    """What was seen of the customer, by leaf."""

    one: OneCustomer
    plan: Plan
    known: Mapping[str, Known]
    sets: Sets
    merged: Explanation | None
    customer: str
    limit: int
    truths: dict[int, Truth] = field(default_factory=dict)
    seen: dict[int, Subjects] = field(default_factory=dict)
    values: dict[p.Expr, Any] = field(default_factory=dict)
    fixed: set[int] = field(default_factory=set)
    records: dict[str, str] = field(default_factory=dict)
    related: dict[RowNode, SeenRows] = field(default_factory=dict)

    def look(self) -> None:
        """Truth and values of every leaf, in a few SELECTs."""
        catalog, table = self.one.model.catalog, self.one.table
        asked: list[p.Expr] = []
        for number, leaf in enumerate(self.plan.leaves):
            if leaf.kind == "leaf":
                bound = bind_predicate(leaf.expr, catalog, table)
                self.seen[number] = found = subjects(bind(leaf.expr, catalog, table))
                asked += [leaf.expr, *found.fields, *found.rows, *found.worked]
                if bound.constant:
                    self.fixed.add(number)
        self.values = self.one.values(asked)
        for number, leaf in enumerate(self.plan.leaves):
            self.truths[number] = self._truth(leaf)
        self.records = self.one.records(self.customer)

    def _truth(self, leaf: Part) -> Truth:
        if leaf.segment:
            return self.one.ordinal in self.sets.of(leaf.segment)
        found = self.values[leaf.expr]
        return found if found is None else bool(found)

    def nearest(self, root: Part) -> Nearest | None:
        """The smallest set of leaves that turns the answer round and is possible."""
        leaves = {n: leaf.expr for n, leaf in enumerate(self.plan.leaves) if leaf.kind == "leaf"}
        self.possible = Possible(self.one.model, self.one.clock, leaves, self.truths, self.values)
        return self.possible.nearest(root.formula, frozenset(self.fixed))

    def seen_values(self, number: int) -> list[SeenValue]:
        """Attributes with their origin, and what was worked out of them."""
        found = self.seen[number]
        own = [self._field(f) for f in found.fields]
        return [*own, *(SeenValue(name=name_of(e), value=self.values[e]) for e in found.worked)]

    def _field(self, attribute: p.Field) -> SeenValue:
        record = "" if attribute.path else self.records.get(attribute.name, "")
        how, links = "", list[str]()
        if self.merged is not None and record:
            how = next((v.how for v in self.merged.values if v.column == attribute.name), "")
            links = [f"{h.a} — {h.b}: {h.rule} ({h.score:.0%})" for h in self.merged.links if record in (h.a, h.b)]
        value = self.values[attribute]
        return SeenValue(name=name_of(attribute), value=value, record=record, how=how, merged_by=links)

    def seen_rows(self, number: int) -> list[SeenRows]:
        """Related rows, those of one aggregate asked for once."""
        for node in self.seen[number].rows:
            if node not in self.related:
                self.related[node] = self.one.related(node, self.values[node], self.limit)
        return [self.related[node] for node in self.seen[number].rows]


def _report(
    root: Part, eyes: _Eyes, nearest: Nearest | None, lowered: Lowered, name: str, stored: BitMap | None
) -> SegmentExplanation:
    blocks = {key: block for beside in eyes.plan.blocks.values() for key, block in beside.items()}
    found = truth(root.formula, eyes.truths)
    member = found is True
    said = in_words(lowered.expr, blocks)
    notes = [] if found is not None else ["it is unknown, because a value is missing; what is unknown does not count"]
    ordinal = eyes.one.ordinal
    was = None if stored is None else ordinal in stored
    if was is not None and was != member:
        at = "in it" if was else "not in it"
        notes.append(f"the run had them {at}: it is frozen, or data, definition or clock are others by now")
    if nearest is not None and nearest.clash:
        notes.append("the conditions exclude each other, so that no values meet enough of them")
    clock = eyes.one.clock
    return SegmentExplanation(
        segment=name,
        CustomerId=eyes.customer,
        ordinal=ordinal,
        member=member,
        stored=was,
        clock=(clock.astimezone(UTC) if clock.tzinfo else clock.replace(tzinfo=UTC)).isoformat(),
        sentence=said,
        summary=f"customer {eyes.customer} is {'' if member else 'not '}in segment {name}: {said}",
        tree=_Drawn(eyes, blocks).condition(root),
        nearest=list(_changes(eyes, nearest, blocks)) if nearest else [],
        smallest=nearest.smallest if nearest else True,
        notes=notes,
    )


@dataclass
class _Drawn:
    """Parts to conditions; what occurs again is named, not explained again."""

    eyes: _Eyes
    blocks: Mapping[str, Block]
    told: set[int | str] = field(default_factory=set)

    def condition(self, part: Part) -> Condition:
        """One part with everything below it."""
        return Condition(
            kind=self._kind(part),  # type: ignore[arg-type]
            sentence=f'in segment "{part.segment}"' if part.kind == "segment" else in_words(part.expr, self.blocks),
            truth=truth(part.formula, self.eyes.truths),
            leaf=part.number,
            label=part.label,
            **self._inside(part),
        )

    def _kind(self, part: Part) -> str:
        return "constant" if part.number in self.eyes.fixed else part.kind

    def _inside(self, part: Part) -> dict[str, Any]:
        me: int | str | None = part.number if part.number is not None else part.segment or None
        if me is not None and me in self.told:
            return {"note": "as above"}
        if me is not None:
            self.told.add(me)
        if part.kind == "leaf" and part.number is not None:
            return {"values": self.eyes.seen_values(part.number), "rows": self.eyes.seen_rows(part.number)}
        if part.kind == "segment" and not part.parts:
            known = self.eyes.known[part.segment]
            return {"note": "a frozen list" if known.frozen else "as the run found it"}
        return {"parts": [self.condition(inner) for inner in part.parts]}


def _changes(eyes: _Eyes, nearest: Nearest, blocks: Mapping[str, Block]) -> Iterator[Change]:
    for number, becomes in sorted(nearest.turn.items()):
        leaf = eyes.plan.leaves[number]
        said = in_words(leaf.expr, blocks)
        turned = nearest.values.get(number)
        if leaf.kind == "leaf":
            some = eyes.possible.subjects[number]
            words = change(eyes.possible.leaves[number], eyes.possible.present, becomes=becomes)
            if len(some) > 1 and turned is not None:
                words += f", as with {name_of(turned.subject)} {shown(turned.value)}"
        else:
            words = f"they would have to be {said}" if becomes else f"they may not be {said}"
        yield Change(
            leaf=number,
            sentence=said,
            becomes=becomes,
            change=words,
            subject=name_of(turned.subject) if turned else "",
            value=turned.value if turned else None,
        )
