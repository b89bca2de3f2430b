"""The last stage of a run, and a run of its own: who is in which segment, and keeping it.

    run        … ─▶ activities ─▶ segments ─▶ publish     every active segment, on the generation that is being built
    refresh    lease ─▶ begin ─▶ segments ─▶ publish      the segments that were named, on the published generation

Both evaluate by segments/membership and keep by unify/store; this is where the two meet.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from time import perf_counter

from pyroaring import BitMap

from segments.membership.codec import from_bytes, to_bytes
from segments.membership.declared import Declared, all_declared, check_in_force, hash_of
from segments.membership.differences import difference
from segments.membership.identity import Changes, Heirs, follow, lineage, way
from segments.membership.stage import Found, Last, Stage
from segments.model import Model, model_of
from unify.core.memory import peak_mib
from unify.core.progress import Progress, silent
from unify.core.reports import RunReport, SegmentReport, StageReport
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.spec import Project
from unify.store import Membership, NewMembers, NewMembership, Store
from unify.verbs.segment_catalog import SegmentCatalog

Usable = Callable[[Membership], bool]
"""Whether a row is of the segment that bears its name now."""
PURPOSE = "segments"
"""What a refresh is called among the runs."""


@dataclass(frozen=True)
class SegmentsFound:
    """What the stage has to keep and to tell."""

    kept: NewMembers
    reports: list[SegmentReport] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


class Before:
    """Members as earlier runs left them, carried to a generation that may still be in the making."""

    def __init__(
        self,
        store: Store,
        parent: int | None,
        generation: int,
        now: Changes | None,
        usable: Usable,
    ) -> None:
        """`now`: what became of customers since `parent`, the generation this one is built on; None: it is kept."""
        self._store, self._generation, self._now, self._usable = store, generation, now, usable
        self._steps = store.identity_steps()
        self.parents = {n: step.parent for n, step in self._steps.items()}
        if now is not None:
            self.parents[generation] = parent
        self._changes: dict[int, Changes] = {}
        self._found: dict[str, Last | None] = {}

    @cached_property
    def _rows(self) -> dict[str, Membership]:
        """Of each segment the latest row with members, on this generation or one it comes from."""
        found: dict[str, Membership] = {}
        mine = set(lineage(self.parents, self._generation))
        for row in self._store.membership_history(kept=True):
            if row.generation in mine and self._usable(row):
                found[row.segment] = row
        return found

    def last(self, segment: str) -> Last | None:
        """The latest members of a segment; None when there never were any."""
        if segment not in self._found:
            row = self._rows.get(segment)
            self._found[segment] = None if row is None else self._load(row)
        return self._found[segment]

    def _load(self, row: Membership) -> Last:
        assert row.file is not None
        members = from_bytes(self._store.members_file(row.file), row.file)
        return Last(row.run, members, self.heirs(members, row.generation), row.facts)

    def heirs(self, members: BitMap, generation: int) -> Heirs:
        """The heirs of an earlier generation's customers in this one."""
        _, steps = way(self.parents, generation, self._generation)
        return follow(members, [self._step(n) for n in steps])

    def _step(self, generation: int) -> Changes:
        if generation == self._generation and self._now is not None:
            return self._now
        if generation not in self._changes:
            file = self._steps[generation].file
            self._changes[generation] = Changes.from_bytes(self._store.members_file(file) if file else b"")
        return self._changes[generation]


def segments_of_run(
    engine: DuckDBEngine,
    store: Store,
    project: Project,
    *,
    run: int,
    clock: datetime,
    parent: int | None,
    changes: Changes,
    progress: Progress = silent,
) -> SegmentsFound:
    """Every active segment on the generation that is being built.

    parent    the generation it is built on; `changes`: what became of that one's customers
    """
    identity = changes.to_bytes()
    kept = NewMembers(identity=identity, parent=parent, keep=project.keep_members)
    declared, warnings = declared_in(store, project)
    if not declared or "Customer" not in engine.tables():
        return SegmentsFound(kept, warnings=warnings)
    progress("segments", f"{len(declared):,} definitions")
    before = Before(store, parent, run, changes, usable_of(store, declared))
    stage = Stage(engine, model_of(engine, project), declared, run, clock, before.last)
    found = stage.everything()
    return _kept(found, kept, before, stage.model, warnings)


def declared_in(store: Store, project: Project) -> tuple[dict[str, Declared], list[str]]:
    """Every definition that counts, parts of waterfalls included; and warnings."""
    return all_declared(project, SegmentCatalog(store).declared())


def usable_of(store: Store, declared: Mapping[str, Declared]) -> Usable:
    """Whether a row is of the segment that bears its name now: one that was deleted and made again begins anew."""
    catalog = SegmentCatalog(store)
    since = {name: catalog.made_after(d.part_of or name) for name, d in declared.items() if d.source == "catalog"}

    def usable(row: Membership) -> bool:
        version = row.facts.get("version")
        return version is None or version > since.get(row.segment, 0)

    return usable


def _kept(found: Sequence[Found], kept: NewMembers, before: Before, model: Model, warnings: list[str]) -> SegmentsFound:
    """What was found as rows to keep, reports and warnings."""
    rows, texts, reports = [], {}, []
    for one in found:
        name = one.declared.name
        text = one.declared.text(model.timezone)
        texts[hash_of(text)] = text
        content = None if one.members is None else to_bytes(one.members)
        size = None if one.members is None else len(one.members)
        rows.append(NewMembership(name, one.state, size, content, one.facts))
        reports.append(_report(one, before.last(name)))
        warnings += [f"segment {name}: {warning}" for warning in one.warnings]
        if one.error is not None:
            warnings.append(_failure(one))
    said = NewMembers(rows, texts, kept.identity, kept.parent, kept.keep)
    return SegmentsFound(said, reports, warnings)


def _failure(one: Found) -> str:
    assert one.error is not None
    said = " ".join(str(one.error.message).split())
    stand = "it never had members" if one.members is None else f"its members are those of run {one.facts['as_of']}"
    return f"segment {one.declared.name} could not be found: {said}; {stand}"


def _report(one: Found, last: Last | None) -> SegmentReport:
    entered = left = None
    if last is not None and one.members is not None:
        moved = difference(last.members, one.members, last.heirs)
        entered, left = len(moved.entered), len(moved.all_left)
    return SegmentReport(
        segment=one.declared.name,
        kind=one.declared.segment.kind,
        state=one.state,
        members=None if one.members is None else len(one.members),
        entered=entered,
        left=left,
        as_of=one.facts.get("as_of"),
        seconds=one.facts.get("seconds", 0.0),
        rules=dict(one.facts.get("rules") or []),
        error=None if one.error is None else one.error.as_dict(),
        warnings=list(one.warnings),
    )


# ── a refresh ────────────────────────────────────────────────────────────────────────────────────────────────────────


def refresh_segments(
    store: Store,
    names: Collection[str] | None = None,
    *,
    wait: float | None = None,
    progress: Progress = silent,
    clock: datetime | None = None,
) -> RunReport:
    """Find members anew on the published generation; a run of its own, without a generation.

    names   one or several segments, static ones too; None: every active segment that is not static
    clock   the moment that conditions on time look from; default: now
    Segments they need that have no members on this generation are found too. One that fails does not stop the others:
    its report says why. Raises LeaseHeldError, StoreError when nothing is published, QueryError for a segment that is
    unknown or inactive; then nothing has changed.
    """
    started, begun = datetime.now(UTC), perf_counter()
    with store.lease(PURPOSE, wait) as lease:
        generation, pin = store.pin_published()
        with pin, DuckDBEngine.reading(generation.path) as engine:
            project = project_of(engine)
            declared, warnings = declared_in(store, project)
            model = model_of(engine, project)
            wanted = _wanted(declared, names, clock or started)
            with store.begin(lease) as build:
                progress("segments", f"{len(wanted):,} definitions")
                usable = usable_of(store, declared)
                before = Before(store, None, generation.number, None, usable)
                in_force = _in_force(store, generation.number, usable)
                stage = Stage(engine, model, declared, build.number, clock or started, before.last, in_force)
                kept = NewMembers(keep=project.keep_members)
                done = _kept(stage.these(wanted), kept, before, model, warnings)
                seconds = round(perf_counter() - begun, 3)
                report = RunReport(
                    run=build.number,
                    generation=generation.number,
                    project=project.name,
                    started=started.isoformat(timespec="seconds"),
                    seconds=seconds,
                    peak_mib=peak_mib(),
                    stages=[StageReport(stage="segments", seconds=seconds)],
                    segments=done.reports,
                    warnings=done.warnings,
                )
                build.refresh(report.as_dict(), generation.number, done.kept)
    return report


def project_of(engine: DuckDBEngine) -> Project:
    """The project that made the generation an engine is on."""
    return Project.model_validate_json(engine.fetch(Query("SELECT project FROM project")).column(0)[0].as_py())


def _wanted(declared: Mapping[str, Declared], names: Collection[str] | None, clock: datetime) -> list[str]:
    """The segments to find; QueryError for one that is unknown or inactive."""
    if names is None:
        return [name for name, d in declared.items() if d.in_force(clock) and not d.segment.static]
    for name in names:
        check_in_force(declared, name, clock)
    return list(dict.fromkeys(names))


def _in_force(store: Store, generation: int, usable: Usable) -> dict[str, BitMap]:
    """Members that stand on a generation."""
    rows = store.memberships(generation)
    return {
        name: from_bytes(store.members_file(row.file), row.file)
        for name, row in rows.items()
        if row.file is not None and usable(row)
    }
