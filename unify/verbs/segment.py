"""One segment, opened: its members, its history, and the quick question whether somebody is in it.

    vip = acme.segment("vip")
    "crm.Contacts:C-1" in vip          a microsecond or two, once the ids are read
    vip.members(["City"])  vip.count()  vip.bitmap
    vip.history()  vip.diff(12, 17)  vip.at(12)

It answers from one generation and one run, whatever is published meanwhile; `acme.segment("vip")` again gives the
newest.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pyroaring import BitMap

from segments.membership.codec import from_bytes
from segments.membership.customers import GONE
from segments.membership.declared import Declared
from segments.membership.differences import difference
from segments.membership.identity import SAME, WORDS, Heirs, way
from segments.membership.preview import members_query
from segments.membership.tables import loaded
from unify.answers import Answer
from unify.core.errors import NotFoundError, QueryError
from unify.engines.duckdb import DuckDBEngine
from unify.store import Membership
from unify.verbs.segment_answers import SegmentDifference, SegmentInfo, rows_answer
from unify.verbs.segment_reading import Reading, names_of
from unify.verbs.segment_stage import Before

if TYPE_CHECKING:
    from unify.core.insight_reports import Differences
    from unify.core.segment_explanations import SegmentExplanation
    from unify.engines.export import Exported
    from unify.verbs.insights import DriftedSegment, SimilarCustomers


class SegmentHandle:
    """A segment on one generation, as the latest run before it was opened left it."""

    def __init__(self, reading: Reading, name: str, info: Callable[[str], SegmentInfo]) -> None:
        self.name = name
        self._reading, self._info = reading, info

    # ── now ──────────────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def declared(self) -> Declared:
        """Its definition, and where that comes from."""
        return self._reading.declared[self.name]

    @property
    def info(self) -> SegmentInfo:
        """State, size and moment."""
        return self._info(self.name)

    @property
    def generation(self) -> int:
        """The generation that answers."""
        return self._reading.generation.number

    @property
    def run(self) -> int | None:
        """The run whose members these are; None when there are none yet."""
        row = self._reading.rows.get(self.name)
        return row.run if row is not None else None

    @property
    def as_of(self) -> int | None:
        """The run that found them: an earlier one for a static segment, and for one that fails since."""
        row = self._reading.rows.get(self.name)
        return row.as_of if row is not None else None

    @cached_property
    def _bitmap(self) -> BitMap:
        return self._reading.bitmap(self.name)

    @cached_property
    def _find(self) -> Callable[[str], int | None]:
        return self._reading.opened.customers.ordinal

    @property
    def bitmap(self) -> BitMap:
        """Ordinals of the members: a copy that is yours. QueryError when it is inactive or was never found."""
        return self._bitmap.copy()

    def count(self) -> int:
        """How many members."""
        return len(self._bitmap)

    def __len__(self) -> int:
        return self.count()

    def __contains__(self, customer: object) -> bool:
        """Whether a CustomerId or record is of a member; False also for one that nobody has (see `is_member`)."""
        members = self._bitmap
        if not isinstance(customer, str):
            return False
        ordinal = self._find(customer)
        return ordinal is not None and ordinal != GONE and ordinal in members

    def is_member(self, customer: str) -> bool:
        """The same; NotFoundError for somebody who is no customer.

        customer   a CustomerId, retired ones resolve; or a record, `crm.Contacts:C-1`, alternates too
        """
        return self.ordinal_of(customer) in self._bitmap

    def ordinal_of(self, customer: str) -> int:
        """The customer's number in bitmaps; NotFoundError when there is no such customer."""
        ordinal = self._find(customer)
        if ordinal is None:
            raise self._reading.opened.nobody(customer)
        if ordinal == GONE:
            raise NotFoundError(f"customer {customer} is gone: all of its records were deleted")
        return ordinal

    def members(self, attributes: Sequence[str] = (), *, limit: int | None = None) -> Answer:
        """The members by CustomerId, with attributes of Customer; `limit`: the first so many.

        QueryError for an unknown attribute.
        """
        opened = self._reading.opened
        with loaded(opened.engine, self._bitmap) as table:
            return Answer(opened.engine.fetch(members_query(opened.model, table, attributes, limit)))

    def export(self, path: Path | str, **options: Any) -> "Exported":
        """Write the members to a CSV, Parquet, JSON or JSON lines file, with attributes and related rows.

        Options: attributes, projected (default: what the definition says), format, neutralise, overwrite; see
        segments/membership/export.py.
        """
        from segments.membership.export import export_members, projected_by

        opened = self._reading.opened
        options = {"projected": projected_by(self.declared.segment, opened.model)} | options
        with DuckDBEngine.reading(opened.generation.path, sealed=False) as engine:  # a sealed one writes no files
            return export_members(engine, opened.model, self._bitmap, path, **options)

    def explain(self, customer: str, *, rows: int = 3) -> "SegmentExplanation":
        """Why a customer is in it, or why not, leaf by leaf, and the nearest change."""
        from unify.verbs.segment_why import explain

        return explain(self._reading, self.name, self.ordinal_of(customer), self._bitmap, rows=rows)

    # ── before ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def history(self) -> Answer:
        """Every run that looked at it, oldest first: run, generation, at, state, members, as_of, version, kept."""
        rows = self._reading.store.membership_history(self.name)
        return rows_answer(
            {
                "run": [r.run for r in rows],
                "generation": [r.generation for r in rows],
                "at": [r.facts.get("at") for r in rows],
                "state": [r.state for r in rows],
                "members": [r.members for r in rows],
                "as_of": [r.as_of for r in rows],
                "version": [r.facts.get("version") for r in rows],
                "definition": [r.facts.get("definition") for r in rows],
                "kept": [r.file is not None for r in rows],
            },
            {n: pa.int64() for n in ("run", "generation", "members", "as_of", "version")} | {"kept": pa.bool_()},
        )

    def at(self, run: int) -> "SegmentMoment":
        """The members that were in force at a run. QueryError when there were none, or when they are not kept."""
        store = self._reading.store
        found = store.run(run)
        if found.generation is None:
            raise QueryError(f"run {run} {found.state}: it has no members", hint="`unify runs` lists all runs")
        row = store.memberships(found.generation, until=run).get(self.name)
        if row is None:
            known = [r.run for r in store.membership_history(self.name)]
            said = f"runs that looked at it: {', '.join(map(str, known[-12:]))}" if known else "no run has looked at it"
            raise QueryError(f"segment {self.name} had no members at run {run}", hint=said)
        if row.file is None:
            if (error := row.facts.get("error")) is not None:
                raise QueryError(f"segment {self.name} could not be found at run {run}: {error['message']}",
                                 where=error.get("where", ""), hint=error.get("hint", ""))  # fmt: skip
            said = "none were ever found" if row.members is None else f"there were {row.members:,}"
            hint = "`keep_members` in the project says for how many runs they are kept"
            raise QueryError(f"the members of {self.name} at run {run} are not kept: {said}", hint=hint)
        return SegmentMoment(self._reading, row, run, from_bytes(store.members_file(row.file), row.file))

    def diff(self, run_a: int | None = None, run_b: int | None = None) -> SegmentDifference:
        """Who entered and who left from run `run_a` to run `run_b`, merges and splits of customers carried over.

        run_b   default: the run in force; run_a: default the last one before that which looked at it
        """
        earlier, later = self.moments(run_a, run_b)
        return between(self._reading, self.name, earlier, later)

    def drift(self, run_a: int | None = None, run_b: int | None = None) -> "DriftedSegment":
        """Who entered and left, split into data, rule, identity and clock; runs as `diff` takes them."""
        from unify.verbs.insights import drift

        return drift(self._reading, self, run_a, run_b)

    def differ(self, other: str | None = None, *, attributes: Sequence[str] | None = None) -> "Differences":
        """What tells its members from everybody else, or from the members of another segment."""
        from unify.verbs.insights import differ

        return differ(self._reading, self.name, other, attributes)

    def similar(self, **options: Any) -> "SimilarCustomers":
        """Customers like its members. Options: attributes, share, lowest, include_members, audience (a segment)."""
        from unify.verbs.insights import similar

        return similar(self._reading, self.name, **options)

    def moments(self, run_a: int | None = None, run_b: int | None = None) -> "tuple[SegmentMoment, SegmentMoment]":
        """The members at two runs, with the defaults of `diff`."""
        later = self.at(run_b if run_b is not None else self._latest())
        earlier = self.at(run_a if run_a is not None else self._before(later))
        if earlier.run > later.run:
            hint = f"write {later.run} first, then {earlier.run}"
            raise QueryError(f"run {earlier.run} comes after run {later.run}", hint=hint)
        return earlier, later

    def _latest(self) -> int:
        if self.run is None:
            raise QueryError(f"segment {self.name} has not been found on generation {self.generation} yet")
        return self.run

    def _before(self, later: "SegmentMoment") -> int:
        known = [r.run for r in self._reading.store.membership_history(self.name) if r.run < later.row.run]
        if not known:
            raise QueryError(f"run {later.run} is the first that looked at {self.name}", hint="there is nothing before")
        return known[-1]

    def __repr__(self) -> str:
        row = self._reading.rows.get(self.name)
        if row is None or row.members is None:
            return f"<Segment {self.name}: no members yet>"
        return f"<Segment {self.name}: {row.members:,} members, run {row.run}, generation {row.generation}>"


@dataclass(frozen=True)
class SegmentMoment:
    """The members of a segment that were in force at a run. `row`: what that run, or the one before, said of it."""

    _reading: Reading
    row: Membership
    run: int
    _bitmap: BitMap

    @property
    def generation(self) -> int:
        """The generation whose customers these are."""
        return self.row.generation

    @property
    def as_of(self) -> int | None:
        """The run that found them."""
        return self.row.as_of

    @property
    def definition(self) -> dict[str, Any] | None:
        """What the segment said then."""
        body: dict[str, Any] | None = self._reading.store.segment_text(str(self.row.facts.get("definition")))
        return body

    @property
    def bitmap(self) -> BitMap:
        """Their ordinals: a copy that is yours."""
        return self._bitmap.copy()

    def count(self) -> int:
        """How many they were."""
        return len(self._bitmap)

    def __len__(self) -> int:
        return self.count()

    def members(self) -> Answer:
        """Their CustomerIds, also of customers that were merged or are gone since, sorted."""
        return rows_answer({"CustomerId": sorted(_names(self._reading, self._bitmap, self.generation).values())})

    def __repr__(self) -> str:
        return f"<Segment {self.row.segment} at run {self.run}: {self.count():,} members>"


def between(reading: Reading, name: str, earlier: SegmentMoment, later: SegmentMoment) -> SegmentDifference:
    """What changed between two moments."""
    before, after = earlier.bitmap, later.bitmap
    heirs, unknown = _heirs(reading, before, earlier.generation, later.generation)
    found = difference(before, after, heirs, unknown)
    then = _names(reading, found.all_left | BitMap(found.origins), earlier.generation)
    now = _names(reading, found.entered | BitMap(found.heirs), later.generation)
    left = sorted((then.get(o, ""), reason) for reason, who in found.left.items() for o in who)
    carried = sorted(
        (then.get(o, ""), now.get(h, ""), WORDS[k])
        for o, h, k in zip(found.origins.tolist(), found.heirs.tolist(), found.kinds.tolist(), strict=True)
    )
    return SegmentDifference(
        segment=name,
        run_a=earlier.run,
        run_b=later.run,
        before=found.before,
        after=found.after,
        entered=rows_answer({"CustomerId": sorted(now[o] for o in found.entered if o in now)}),
        left=rows_answer({"CustomerId": [who for who, _ in left], "reason": [reason for _, reason in left]}),
        carried=rows_answer(
            {
                "CustomerId": [c[0] for c in carried],
                "now": [c[1] for c in carried],
                "how": [c[2] for c in carried],
            }
        ),
    )


def heirs_between(reading: Reading, members: BitMap, start: int, end: int) -> Heirs:
    """The heirs of an earlier generation's customers in a later one; QueryError when they have no common history."""
    return _heirs(reading, members, start, end)[0]


def _heirs(reading: Reading, members: BitMap, start: int, end: int) -> tuple[Heirs, BitMap]:
    """The heirs of an earlier generation's members, and those of whom the later one knows nothing."""
    store = reading.store
    before = Before(store, None, end, None, lambda _: True)
    heirs = before.heirs(members, start)
    common, _ = way(before.parents, start, end)
    if common == start:
        return heirs, BitMap()
    if common is None:
        hint = "compare runs after the first one that kept members"
        raise QueryError(f"how customers of generation {start} became those of {end} is not known", hint=hint)
    founded = members - BitMap(reading.opened.ids(members))
    return _again(reading, heirs, founded, start)


def _again(reading: Reading, heirs: Heirs, founded: BitMap, start: int) -> tuple[Heirs, BitMap]:
    """Customers that were founded in a generation that was rolled back, and again after it: the same CustomerId.

    Their ordinals differ. They are found by CustomerId as long as that generation is kept.
    """
    names = _names_in(reading, founded, start)
    pairs = [(old, reading.opened.customers.ordinal(name)) for old, name in names.items()]
    known = [(old, new) for old, new in pairs if new is not None and new != GONE]
    origin = np.concatenate([heirs.origin, np.array([o for o, _ in known], dtype=np.uint32)])
    heir = np.concatenate([heirs.heir, np.array([n for _, n in known], dtype=np.uint32)])
    kind = np.concatenate([heirs.kind, np.full(len(known), SAME, dtype=np.uint8)])
    return Heirs(heirs.origins, heirs.kept - founded, origin, heir, kind), founded - BitMap([o for o, _ in known])


def _names(reading: Reading, ordinals: BitMap, generation: int) -> dict[int, str]:
    """Ordinal → CustomerId; of customers of a generation that was rolled back as long as it is kept."""
    found = reading.opened.ids(ordinals)
    rest = ordinals - BitMap(found)
    return found | _names_in(reading, rest, generation) if rest else found


def _names_in(reading: Reading, ordinals: BitMap, generation: int) -> dict[int, str]:
    kept = {g.number: g for g in reading.store.generations()}
    if not ordinals or generation not in kept:
        return {}
    pin = reading.store.pin(kept[generation])
    with pin, DuckDBEngine.reading(kept[generation].path) as engine:
        return names_of(engine, ordinals)
