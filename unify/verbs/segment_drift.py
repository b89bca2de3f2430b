"""What changed a segment between two runs: the old definition found again, on old data and on new, at the new moment.

Definitions, clocks and members of both runs are in the catalog; data are generations, as long as they are kept. What
cannot be found again is said, and counts as data changed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pyroaring import BitMap

from segments.insights.drift import Carry, Drifted, drift
from segments.membership.codec import from_bytes
from segments.membership.declared import Declared
from segments.membership.identity import Heirs
from segments.membership.order import needs_of
from segments.membership.stage import Stage
from segments.model import model_of
from unify.core.errors import UnifyError
from unify.engines.duckdb import DuckDBEngine
from unify.spec.segment import Segment
from unify.store import Membership
from unify.verbs.segment import SegmentHandle, SegmentMoment, heirs_between
from unify.verbs.segment_reading import Reading
from unify.verbs.segment_stage import project_of


@dataclass
class Drifting:
    """One segment between two moments. `notes`: what could not be told apart."""

    reading: Reading
    name: str
    earlier: SegmentMoment
    later: SegmentMoment
    notes: list[str] = field(default_factory=list)

    @classmethod
    def between(cls, handle: SegmentHandle, reading: Reading, run_a: int | None, run_b: int | None) -> "Drifting":
        """Of two runs of a segment; defaults as `diff` has them."""
        earlier, later = handle.moments(run_a, run_b)
        return cls(reading, handle.name, earlier, later)

    def told(self) -> Drifted:
        """Who entered and left, by cause. QueryError when the two runs have no common history."""
        timed, renewed = self._found_again() if self._can_be() else (None, None)
        found = drift(
            self.earlier.bitmap,
            self.later.bitmap,
            old_rule_old_data_new_clock=timed,
            old_rule_new_data_new_clock=renewed,
            identity=self._carry(),
            name=self.name,
        )
        return Drifted(found.report.model_copy(update={"notes": self.notes}), found.entered, found.left)

    def _carry(self) -> Carry:
        start, end = self.earlier.generation, self.later.generation

        def carry(members: BitMap) -> BitMap:
            heirs: Heirs = heirs_between(self.reading, members, start, end)
            return heirs.all | (members - heirs.kept - BitMap(heirs.origin))

        return carry

    def _can_be(self) -> bool:
        """Whether both runs found the members themselves: those of a frozen or failed segment are of another moment."""
        if self.earlier.as_of == self.later.as_of:
            return False  # the same finding: only identity can have changed it
        for moment in (self.earlier, self.later):
            if moment.as_of != moment.row.run:
                self.notes.append(f"the members at run {moment.run} are those that run {moment.as_of} found")
                return False
        return True

    def _found_again(self) -> tuple[BitMap | None, BitMap | None]:
        """The old definition at the new moment, on old data and on new; None where it gives what there is anyway."""
        clock = datetime.fromisoformat(str(self.later.row.facts["clock"]))
        same_clock = self.earlier.row.facts["clock"] == self.later.row.facts["clock"]
        timed = None if same_clock else self._again(self.earlier, clock, "time did")
        if not self._rule_changed():
            return timed, None
        return timed, self._again(self.later, clock, "the change of its definition did")

    def _again(self, data: SegmentMoment, clock: datetime, what: str) -> BitMap | None:
        """The old definition on the data of a moment; None, and a note, when that cannot be."""
        generations = {g.number: g for g in self.reading.store.generations()}
        if data.generation not in generations:
            said = f"generation {data.generation} is no longer kept"
        else:
            kept = generations[data.generation]
            with self.reading.store.pin(kept), DuckDBEngine.reading(kept.path) as engine:
                try:
                    return self._evaluated(engine, data, clock)
                except UnifyError as error:
                    said = f"the old definition is not possible on generation {data.generation}: {error.message}"
        self.notes.append(f"{said}: what {what} is not told from what changed in the data")
        return None

    def _evaluated(self, engine: DuckDBEngine, data: SegmentMoment, clock: datetime) -> BitMap:
        rows = self._rows(self.earlier)
        declared = {n: Declared(n, self._segment(row)) for n, row in rows.items() if row.facts.get("definition")}
        frozen = {n: row for n, row in rows.items() if row.as_of != row.run}
        model = model_of(engine, project_of(engine))
        in_force = {n: self._members(data, n, row) for n, row in frozen.items() if row.file is not None}
        stage = Stage(engine, model, declared, 0, clock, lambda _: None, in_force)
        [found] = [x for x in stage.these([self.name]) if x.declared.name == self.name]
        if found.members is None:
            raise found.error or UnifyError("it has no members")
        return found.members

    def _members(self, data: SegmentMoment, name: str, old: Membership) -> BitMap:
        """Frozen members on the data of a moment: as that run had them, else as they were, carried over."""
        there = self._rows(data).get(name, old)
        file = there.file or old.file
        assert file is not None
        members = from_bytes(self.reading.store.members_file(file), file)
        return self._carry()(members) if there is old and data is self.later else members

    def _rows(self, moment: SegmentMoment) -> Mapping[str, Membership]:
        return self.reading.store.memberships(moment.generation, until=moment.run)

    def _segment(self, row: Membership) -> Segment:
        return Segment.model_validate(self.reading.store.segment_text(str(row.facts["definition"])))

    def _rule_changed(self) -> bool:
        """Whether the definition, or one that it needs, is another one."""
        old, new = self._rows(self.earlier), self._rows(self.later)
        return any(
            n not in new or old[n].facts.get("definition") != new[n].facts.get("definition")
            for n in self._needed(old)
            if n in old
        )

    def _needed(self, rows: Mapping[str, Membership]) -> Sequence[str]:
        """The segment and all that it needs, by the definitions of the earlier run."""
        from segments.lowering import lower

        model = self.reading.opened.model.with_segments(
            dict.fromkeys(rows, self.reading.opened.model.catalog.customers)
        )
        found: dict[str, None] = {}
        waiting = [self.name]
        while waiting:
            name = waiting.pop()
            if name in found or name not in rows or not rows[name].facts.get("definition"):
                continue
            found[name] = None
            try:
                waiting += sorted(needs_of(lower(self._segment(rows[name]), model, name=name)))
            except UnifyError:
                continue  # not possible on today's data; `_again` will say so
        return list(found)
