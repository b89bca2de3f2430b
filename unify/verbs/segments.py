"""Segments of an instance: listing them, making and changing definitions, finding members, opening one.

    acme.segments()                                   every segment: state, members, run
    acme.segments().create("vip", "TotalSpend gt 1000")
    acme.segments().refresh("vip")                    takes the lease; everything else here does not
    acme.segment("vip")                               one of them, opened (segment_handle.py)

Definitions of the project file are changed there and take force with the next run; those made here are versions in the
catalog of the instance.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pyroaring import BitMap

from segments.membership.check import check_projected
from segments.membership.declared import Declared, hash_of, naming, with_parts
from segments.membership.preview import SAMPLE, SegmentPreview, preview
from unify.core.documents import segment_of
from unify.core.errors import NotFoundError, QueryError, SpecError, UnifyError, did_you_mean
from unify.core.progress import Progress, silent
from unify.core.reports import RunReport
from unify.spec.segment import ListedCustomers, Segment
from unify.store import Store
from unify.verbs.segment import SegmentHandle
from unify.verbs.segment_answers import SegmentInfo, SegmentState
from unify.verbs.segment_catalog import SegmentCatalog, SegmentVersion
from unify.verbs.segment_reading import OpenGeneration, Reading
from unify.verbs.segment_stage import refresh_segments

SegmentLike = Segment | str | Mapping[str, Any] | Sequence[str]
"""A definition: a noun, OData filter text, the mapping a project file would hold, or a list of customers."""
UNSAVED = "preview"
"""What a preview calls a definition without a name."""


class Segments:
    """The segments of one instance, as a collection: iterate, `len`, `in`, `[name]`."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._catalog = SegmentCatalog(store)
        self._reading: Reading | None = None

    # ── looking ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def reading(self) -> Reading:
        """The published generation with the members in force now; the same object until something is published.

        StoreError when nothing has been published yet.
        """
        state = self._store.segment_state()
        old = self._reading
        if old is None or old.state != state:
            published = self._store.published()
            same = old is not None and published is not None and old.generation.number == published.number
            opened = old.opened if old is not None and same else OpenGeneration(self._store)
            self._reading = Reading.of(self._store, opened, state)
        assert self._reading is not None
        return self._reading

    def open(self, name: str) -> SegmentHandle:
        """One segment; NotFoundError for an unknown one."""
        reading = self.reading()
        _known(reading.declared, name)
        return SegmentHandle(reading, name, self.get)

    def __getitem__(self, name: str) -> SegmentHandle:
        return self.open(name)

    def all(self) -> list[SegmentInfo]:
        """Every segment, those of the project first, parts of waterfalls after their waterfall."""
        reading = self.reading()
        problems = self._problems()
        return [_info(reading, d, problems) for d in reading.declared.values()]

    def get(self, name: str) -> SegmentInfo:
        """One segment; NotFoundError for an unknown one."""
        reading = self.reading()
        return _info(reading, _known(reading.declared, name), self._problems())

    def _problems(self) -> dict[str, dict[str, str]]:
        return {name: v.problem for name, v in self._catalog.newest().items() if v.problem is not None}

    def definition(self, name: str) -> Segment:
        """What a segment says."""
        return _known(self.reading().declared, name).segment

    def versions(self, name: str) -> list[SegmentVersion]:
        """Every version of a definition that was made here, oldest first, deletions included."""
        self._refuse_project(name, "has no versions here")
        return self._catalog.versions(name)

    def dependents(self, name: str) -> list[str]:
        """The segments that name this one, sorted."""
        declared = self._declared()
        _known(declared, name)
        return naming(declared, name)

    def bitmaps(self, names: Collection[str] | None = None) -> dict[str, BitMap]:
        """Ordinals of the members of several segments, of one moment; of None: all that have members."""
        found = self.reading().bitmaps(names)
        return {name: members.copy() for name, members in found.items()}

    def __iter__(self) -> Iterator[SegmentInfo]:
        return iter(self.all())

    def __len__(self) -> int:
        return len(self.reading().declared)

    def __contains__(self, name: object) -> bool:
        return name in self.reading().declared

    def __repr__(self) -> str:
        lines = [f"  {info!r}" for info in self.all()]
        return "\n".join([f"<Segments of {self._store.path}: {len(lines)}>", *lines])

    # ── finding ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def preview(
        self,
        definition: SegmentLike,
        *,
        name: str = UNSAVED,
        sample: int = SAMPLE,
        attributes: Sequence[str] | None = None,
        clock: datetime | None = None,
        base: str | Path | None = None,
    ) -> SegmentPreview:
        """What a definition would find, exactly, without saving it; QueryError when it cannot be found.

        name        of the saved segment in whose place it is tried
        attributes  columns of Customer in the sample; None: all
        clock       the moment that conditions on time look from; default: now
        """
        segment = _with_list(segment_of(name, _data(definition)), name, base)
        return self._preview(name, segment, sample, attributes, clock)[0]

    def _preview(
        self, name: str, segment: Segment, sample: int, attributes: Sequence[str] | None, clock: datetime | None
    ) -> tuple[SegmentPreview, BitMap]:
        reading = self.reading()
        check_projected(segment, reading.opened.model, name)
        tried = segment.model_copy(update={"active": True, "ends": None})
        others = {n: d for n, d in reading.declared.items() if name not in (n, d.part_of)}
        extra = with_parts({**others, name: Declared(name, tried, "catalog")})
        stage = reading.stage(clock, extra)
        if name in stage.in_force:  # what is tried is found, static or not
            stage.in_force = {n: m for n, m in stage.in_force.items() if n != name}
        return preview(stage, name, generation=reading.generation.number, sample=sample, attributes=attributes)

    def refresh(
        self,
        *names: str,
        wait: float | None = None,
        progress: Progress = silent,
        clock: datetime | None = None,
    ) -> RunReport:
        """Find members anew on the published generation, of one, some or (no name) all segments; takes the lease.

        In the order of need. Static segments are found anew only by name. One that fails does not stop the others; the
        report has its error. Raises LeaseHeldError, QueryError for a segment that is unknown or inactive.
        """
        return refresh_segments(self._store, names or None, wait=wait, progress=progress, clock=clock)

    # ── changing ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def create(self, name: str, definition: SegmentLike, *, base: str | Path | None = None) -> SegmentInfo:
        """A new segment. An active one is tried out and refused with its error; an inactive one may be a draft.

        base   folder of a list that stands in a file; the list is read now and becomes part of the definition
        Its members are found by `refresh` or the next run. SpecError when the name is taken or the definition is wrong.
        """
        segment = _with_list(segment_of(name, _data(definition)), name, base)
        declared = self._declared()
        if (taken := declared.get(name)) is not None:
            raise SpecError(f"there is a segment {name!r} already", where=name, hint=_how_to_change(taken))
        with_parts({**declared, name: Declared(name, segment, "catalog")})
        newest = self._store.versions("segment", name)
        return self._save(name, segment, after=newest[-1].version if newest else 0)

    def update(
        self, name: str, definition: SegmentLike, *, version: int | None = None, base: str | Path | None = None
    ) -> SegmentInfo:
        """Another definition in the place of the one there is; a new version.

        version   the one that the change was made from; StoreError when it is no longer the newest
        """
        segment = _with_list(segment_of(name, _data(definition)), name, base)
        self._mine(name)
        declared = {n: d for n, d in self._declared().items() if name not in (n, d.part_of)}
        with_parts({**declared, name: Declared(name, segment, "catalog")})
        return self._save(name, segment, after=version)

    def duplicate(self, name: str, new: str) -> SegmentInfo:
        """A new segment with the same definition; also of one in the project."""
        return self.create(new, _known(self._declared(), name).segment)

    def activate(self, name: str) -> SegmentInfo:
        """Take a segment into force; refused with the reason when its definition cannot be found."""
        d = self._mine(name)
        active = d.segment.model_copy(update={"active": True})
        if not Declared(name, active).in_force(_now()):
            raise QueryError(f"segment {name} ended at {d.segment.ends}", hint="update it with a later end, or none")
        return self._save(name, active, after=d.version)

    def deactivate(self, name: str, *, force: bool = False) -> SegmentInfo:
        """Take it out of force: runs leave it alone, asking for its members is an error. Its history stays.

        QueryError when other segments need it, unless `force`.
        """
        d = self._mine(name)
        self._refuse_needed(name, "deactivated", force)
        return self._save(name, d.segment.model_copy(update={"active": False}), after=d.version)

    def delete(self, name: str, *, force: bool = False, version: int | None = None) -> int:
        """Delete a definition; the version that says so. Its versions and its history stay.

        QueryError when other segments need it, unless `force`: then those fail until they are changed.
        """
        self._mine(name)
        self._refuse_needed(name, "deleted", force)
        return self._catalog.delete(name, after=version)

    # ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _declared(self) -> Mapping[str, Declared]:
        """Definitions; those made here alone when nothing has been published yet."""
        if self._store.published() is None:
            return with_parts(self._catalog.declared())
        return self.reading().declared

    def _mine(self, name: str) -> Declared:
        """A definition that may be changed here."""
        d = _known(self._declared(), name)
        self._refuse_project(name, "cannot be changed here")
        if d.part_of is not None:
            raise SpecError(f"segment {name} is made by the waterfall {d.part_of}", where=name, hint="change that one")
        return d

    def _refuse_project(self, name: str, what: str) -> None:
        d = self._declared().get(name)
        if d is not None and d.source == "project":
            hint = "change it there; it takes force with the next run"
            raise SpecError(f"segment {name} is declared in the project file and {what}", where=name, hint=hint)

    def _refuse_needed(self, name: str, what: str, force: bool) -> None:
        needed_by = self.dependents(name)
        if needed_by and not force:
            need = "need" if len(needed_by) > 1 else "needs"
            raise QueryError(
                f"segment {name} cannot be {what}: {', '.join(needed_by)} {need} it",
                where=name,
                hint="change those first, or use force: they fail until they are changed",
            )

    def _save(self, name: str, segment: Segment, *, after: int | None) -> SegmentInfo:
        problem = self._problem(name, segment)
        if problem is not None and segment.active:
            if not problem.where:
                problem.where = name
            raise problem
        self._catalog.save(name, segment, problem=problem.as_dict() if problem else None, after=after)
        if self._store.published() is None:
            return _unpublished(self._catalog.declared()[name])
        return self.get(name)

    def _problem(self, name: str, segment: Segment) -> UnifyError | None:
        """Why the segment cannot be found on the published generation; None when it can, or when there is none yet."""
        published = self._store.published()
        if published is None or "Customer" not in published.rows:
            return None
        try:
            self._preview(name, segment, 0, None, None)
        except UnifyError as error:
            return error
        return None


def _now() -> datetime:
    return datetime.now(UTC)


def _data(definition: SegmentLike) -> Any:
    """A definition as a project file would hold it."""
    if isinstance(definition, (Segment, str)):
        return definition
    return dict(definition) if isinstance(definition, Mapping) else list(definition)


def _with_list(segment: Segment, name: str, base: str | Path | None) -> Segment:
    """A list that stands in a file becomes part of the definition: the file may be gone when the next run needs it."""
    if segment.members is None or segment.members.file is None:
        return segment
    from ingest.customer_lists import listed

    items = listed(segment.members.file, Path(base) if base is not None else Path.cwd(), where=f"segments.{name}")
    if not items:
        raise SpecError("the list is empty", where=f"segments.{name}.members.file", hint="write a customer into it")
    return segment.model_copy(update={"members": ListedCustomers(customers=tuple(items))})


def _known(declared: Mapping[str, Declared], name: str) -> Declared:
    if name not in declared:
        raise NotFoundError(f"there is no segment {name!r}", hint=did_you_mean(name, declared))
    return declared[name]


def _how_to_change(taken: Declared) -> str:
    if taken.source == "project":
        return "it is declared in the project file: change it there, or choose another name"
    if taken.part_of is not None:
        return f"the waterfall {taken.part_of} makes it: choose another name"
    return f"`unify segment update {taken.name}`, or choose another name"


def _info(reading: Reading, d: Declared, problems: Mapping[str, dict[str, str]]) -> SegmentInfo:
    row = reading.rows.get(d.name)
    error = row.facts.get("error") if row is not None else None
    if not d.in_force(_now()):
        error = problems.get(d.part_of or d.name) if d.source == "catalog" else None
    state: SegmentState = "invalid" if error else "active" if d.in_force(_now()) else "inactive"
    text = hash_of(d.text(reading.opened.project.timezone))
    return SegmentInfo(
        **_said(d),
        state=state,
        refresh=row.state if row is not None else None,
        members=row.members if row is not None else None,
        as_of=row.as_of if row is not None else None,
        clock=row.facts.get("clock") if row is not None else None,
        outdated=row is not None and row.facts.get("definition") not in (None, text),
        error=error,
    )


def _unpublished(d: Declared) -> SegmentInfo:
    return SegmentInfo(**_said(d), state="active" if d.in_force(_now()) else "inactive")


def _said(d: Declared) -> dict[str, Any]:
    s = d.segment
    return {
        "name": d.name, "title": s.title, "description": s.description, "kind": s.kind, "source": d.source,
        "version": d.version, "part_of": d.part_of, "static": s.static, "ends": s.ends, "tags": list(s.tags),
    }  # fmt: skip
