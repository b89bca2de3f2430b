"""What a run of an instance means to those who listen: events without anything of a person but the CustomerId.

    run.finished, run.failed
    segment.entered, segment.left        who came in and who is out since the run before that looked at the segment
    customer.created, .merged, .split, .retired

Long lists come in parts of 1,000 customers; ids that customers were merged with count too, so that a part stays below
the 256 KB of a Dataverse webhook. An event's id is made of the run, the kind, the segment and the part: the
same run told twice gives the same events. docs/segment-lifecycle.md says who has entered and who has left.
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from segments.membership.codec import from_bytes
from unify.core.errors import QueryError, UnifyError
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.store import Membership, Run, Store
from unify.verbs.segment import SegmentMoment, between
from unify.verbs.segment_catalog import SegmentCatalog
from unify.verbs.segment_reading import Reading
from unify.verbs.segments import Segments

RUNS: Final = ("run.finished", "run.failed")
SEGMENTS: Final = ("segment.entered", "segment.left")
CUSTOMERS: Final = ("customer.created", "customer.merged", "customer.split", "customer.retired")
KINDS: Final = (*RUNS, *SEGMENTS, *CUSTOMERS)
CONFLATING: Final = ("run", "conflate")
"""Purposes of runs that make customers."""
PART: Final = 1000
"""Customers in one event: about 40 kB."""
OTHERS: Final = 4000
"""Ids in one event that its customers were merged with or split from: at most 140 kB more."""


@dataclass(frozen=True)
class Event:
    """One. `segment`: of the segment's events, for subscriptions to some segments."""

    event_id: str
    kind: str
    run: int
    segment: str | None
    body: str


def events_of(
    instance: str, store: Store, run: Run, wanted: Collection[str], segments: Collection[str] | None
) -> list[Event]:
    """What a run that has ended means. `wanted`: kinds; `segments`: those somebody listens to, None: all."""
    making = _Making(instance, store, run)
    found: list[Event] = []
    if run.state == "published":
        if set(wanted) & set(SEGMENTS):
            found += [e for e in making.segments(segments) if e.kind in wanted]
        if kinds := [k for k in CUSTOMERS if k in wanted]:
            found += making.customers(kinds)
        if "run.finished" in wanted:
            found.append(making.finished())
    elif "run.failed" in wanted:
        found.append(
            making.event("run.failed", {"purpose": run.purpose, "error": (run.error or {}).get("error", run.state)})
        )
    return found


class _Making:
    def __init__(self, instance: str, store: Store, run: Run) -> None:
        self._instance, self._store, self._run = instance, store, run
        self._untold: list[str] = []
        """Segments whose entries and exits cannot be told any more."""
        self._lost = False
        """What became of customers cannot be told any more: the generation is not kept."""

    def event(self, kind: str, data: dict[str, Any], segment: str | None = None, part: int = 1) -> Event:
        run = self._run
        said = "\0".join([self._instance, run.run_id, kind, segment or "", str(part)])
        event_id = f"evt_{hashlib.sha256(said.encode()).hexdigest()[:32]}"
        at = run.finished or run.started
        body = {
            "id": event_id,
            "type": kind,
            "timestamp": at.isoformat(timespec="milliseconds"),
            "data": {"instance": self._instance, "run": run.number, "generation": run.generation, **data},
        }
        return Event(event_id, kind, run.number, segment, json.dumps(body, ensure_ascii=False))

    def finished(self) -> Event:
        run = self._run
        seconds = (run.finished - run.started).total_seconds() if run.finished is not None else None
        data = {"purpose": run.purpose, "seconds": seconds, "segmentsNotTold": self._untold}
        data["customersNotTold"] = self._lost
        return self.event("run.finished", data)

    def _parts(
        self, kind: str, parts: Sequence[Sequence[Any]], count: int, segment: str | None = None
    ) -> Iterator[Event]:
        for number, some in enumerate(parts, start=1):
            data = {"customers": list(some), "part": number, "parts": len(parts), "count": count}
            yield self.event(kind, data | ({"segment": segment} if segment else {}), segment, number)

    def segments(self, wanted: Collection[str] | None) -> Iterator[Event]:
        history = self._store.membership_history()
        rows = [m for m in history if m.run == self._run.number and m.state != "failed"]
        rows = [m for m in rows if wanted is None or m.segment in wanted]
        if not rows:
            return
        reading = Segments(self._store).reading()
        for row in rows:
            earlier = _before(self._store, history, row)
            try:
                entered, left = _difference(reading, earlier, row)
            except UnifyError:  # the members of the run before are not kept any more, or have no common history
                self._untold.append(row.segment)
                continue
            for kind, moved in (("segment.entered", entered), ("segment.left", left)):
                parts = [moved[i : i + PART] for i in range(0, len(moved), PART)]
                yield from self._parts(kind, parts, len(moved), row.segment)

    def customers(self, kinds: Sequence[str]) -> Iterator[Event]:
        kept = {g.number: g for g in self._store.generations()}
        made = self._run.purpose in CONFLATING and (self._run.report or {}).get("changes") is not None
        if not made:  # what a generation took over from another was told then
            return
        if self._run.number not in kept:  # nobody looked for so long that it was removed
            self._lost = True
            return
        generation = kept[self._run.number]
        with self._store.pin(generation), DuckDBEngine.reading(generation.path) as engine:
            if "customer_changes" not in engine.tables():
                return
            sql = (
                "SELECT change, CustomerId, list(other ORDER BY other) FILTER (other IS NOT NULL) AS others"
                " FROM customer_changes GROUP BY ALL ORDER BY change, CustomerId"
            )
            rows = engine.fetch(Query(sql)).to_pylist()
        for kind in kinds:
            mine = [r for r in rows if f"customer.{r['change']}" == kind]
            items = [
                {"id": r["CustomerId"], "others": r["others"]} if r["others"] else {"id": r["CustomerId"]} for r in mine
            ]
            yield from self._parts(kind, _in_parts(items), len(items))


def _in_parts(items: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """PART customers and OTHERS others at most in each. A customer of more others stands in several."""
    parts: list[list[dict[str, Any]]] = []
    held = 0
    for item in items:
        others = item.get("others", [])
        for start in range(0, max(len(others), 1), OTHERS):
            some = others[start : start + OTHERS]
            if not parts or len(parts[-1]) >= PART or held + len(some) > OTHERS:
                parts.append([])
                held = 0
            parts[-1].append(item | {"others": some} if some else item)
            held += len(some)
    return parts


def _before(store: Store, history: Sequence[Membership], row: Membership) -> Membership | None:
    """The last run before that found members of this very segment, not of one of the same name that was deleted."""
    earlier = [
        m
        for m in history
        if m.segment == row.segment and m.run < row.run and m.state != "failed" and m.members is not None
    ]
    if not earlier:
        return None
    last = earlier[-1]
    version, then = row.facts.get("version"), last.facts.get("version")
    if version is not None and then is not None:
        deleted = [v.version for v in SegmentCatalog(store).versions(row.segment) if v.segment is None]
        if any(then < v < version for v in deleted):
            return None
    return last


def _difference(reading: Reading, earlier: Membership | None, later: Membership) -> tuple[list[str], list[str]]:
    """CustomerIds that entered and that left, sorted. UnifyError when the members are not kept."""
    now = _moment(reading, later)
    if earlier is None:
        return now.members().arrow().column(0).to_pylist(), []
    moved = between(reading, later.segment, _moment(reading, earlier), now)
    return moved.entered.arrow().column(0).to_pylist(), moved.left.arrow().column(0).to_pylist()


def _moment(reading: Reading, row: Membership) -> SegmentMoment:
    if row.file is None:
        raise QueryError(f"the members of {row.segment} at run {row.run} are not kept")
    return SegmentMoment(reading, row, row.run, from_bytes(reading.store.members_file(row.file), row.file))
