"""Operations 25–30: segments. docs/service-jobs.md says where they are kept and when they take force.

A segment that is made here is a version in the catalog of the instance (docs/segment-lifecycle.md); one that the
project file declares is changed in the draft of the project, and takes force with the next job.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, NoReturn

from fastapi import Path, Query

from segments.vendor.segment_metadata import segment_of as segment_of_wire
from unify.core.documents import segment_of
from unify.core.errors import NotFoundError, QueryError, SpecError, StoreError, UnifyError, did_you_mean
from unify.instance import Instance
from unify.service.access.definitions import NOTE, defining, withheld
from unify.service.caller import Caller, Role
from unify.service.errors import ServiceError, bad_request, not_found
from unify.service.hosted import Hosted
from unify.service.management.authors import Authors
from unify.service.management.decoded import vendor_area
from unify.service.management.depends import Reading, TheCaller, TheService
from unify.service.management.hierarchy_list import filled_in
from unify.service.management.ok import OkResult
from unify.service.management.segment_shapes import RunIds, SegmentBody, Told, evaluated
from unify.spec.segment import Segment
from unify.store import Membership
from unify.verbs.segment_catalog import SegmentCatalog, definition_of

router = vendor_area("Segments")
INVALID: Final = "invalidSegmentDefinitionErrorMessage"
NOT_FOUND: Final = "segmentNotFound"
SegmentName = Annotated[str, Path(alias="segmentName")]
Force = Annotated[
    bool, Query(description="Also where other segments need it: those fail until they are changed. Ours.")
]


@router.get("/manage/segments", operation_id="get_all_segments", summary="All segments")
async def get_all_segments(
    hosted: Reading,
    service: TheService,
    caller: TheCaller,
    include_historic_stats: Annotated[
        bool, Query(alias="includeHistoricStats", description="With what earlier runs gave.")
    ] = False,
    historic_stats_days: Annotated[
        int, Query(alias="historicStatsDays", ge=1, le=3650, description="Of so many days.")
    ] = 10,
    number_of_segments: Annotated[
        int | None, Query(alias="numberOfSegments", ge=1, description="At most so many.")
    ] = None,
) -> list[SegmentBody]:
    """Those of the project first, then those made here, each with what the last run gave."""
    days = historic_stats_days if include_historic_stats else None
    return await hosted.ask(lambda acme: _Segments(acme, hosted, service, caller).all(days, number_of_segments))


@router.get("/manage/segments/{segmentName}", operation_id="get_a_segment", summary="One segment")
async def get_a_segment(
    hosted: Reading, service: TheService, caller: TheCaller, segment_name: SegmentName
) -> SegmentBody:
    """Not among the operations of the vendor's client."""
    return await hosted.ask(lambda acme: _Segments(acme, hosted, service, caller).one(segment_name))


@router.post("/manage/segments", operation_id="create_a_segment", summary="A new segment", status_code=201)
async def create_a_segment(hosted: Reading, service: TheService, caller: TheCaller, body: SegmentBody) -> SegmentBody:
    """An active one is tried out, and refused with the reason when its members cannot be found; its members come with
    the next job of segmentation. An inactive one may be a draft that is wrong yet."""
    return await hosted.ask(lambda acme: _Segments(acme, hosted, service, caller).create(body))


@router.put("/manage/segments/{segmentName}", operation_id="update_a_segment", summary="Another definition")
async def update_a_segment(
    hosted: Reading, service: TheService, caller: TheCaller, segment_name: SegmentName, body: SegmentBody
) -> SegmentBody:
    """With a `version`, only if it still is the newest."""
    return await hosted.ask(lambda acme: _Segments(acme, hosted, service, caller).update(segment_name, body))


@router.delete("/manage/segments/{segmentName}", operation_id="delete_segment", summary="Delete a segment")
async def delete_segment(
    hosted: Reading, service: TheService, caller: TheCaller, segment_name: SegmentName, force: Force = False
) -> OkResult:
    """Its history stays."""
    await hosted.ask(lambda acme: _Segments(acme, hosted, service, caller).delete(segment_name, force))
    return OkResult()


@router.put("/manage/segments/{segmentName}/activate", operation_id="activate_segment", summary="Take it into force")
async def activate_segment(hosted: Reading, service: TheService, caller: TheCaller, segment_name: SegmentName) -> bool:
    """Refused with the reason when its members cannot be found."""
    return await hosted.ask(lambda acme: _Segments(acme, hosted, service, caller).activate(segment_name))


@router.put(
    "/manage/segments/{segmentName}/deactivate", operation_id="deactivate_segment", summary="Take it out of force"
)
async def deactivate_segment(
    hosted: Reading, service: TheService, caller: TheCaller, segment_name: SegmentName, force: Force = False
) -> bool:
    """Runs leave it alone; its history stays."""
    return await hosted.ask(lambda acme: _Segments(acme, hosted, service, caller).deactivate(segment_name, force))


class _Segments:
    """Those of the draft and those of the catalog, as one collection. Blocking."""

    def __init__(self, acme: Instance, hosted: Hosted, service: Any, caller: Caller) -> None:
        self._acme, self._hosted, self._caller, self._service = acme, hosted, caller, service
        self._store = acme.store
        self._authors = Authors(service.database, hosted.id, "segment")
        self._published = acme.store.published() is not None
        document = hosted.draft.now().document
        self._drafted = {n: segment_of(n, said) for n, said in (document.get("segments") or {}).items()}
        self._made = SegmentCatalog(acme.store).newest()
        self._visible = hosted.visibility(caller)

    # ── telling ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def all(self, days: int | None, most: int | None) -> list[SegmentBody]:
        told = self._told()[:most]
        if days is not None:
            past = self._past(days)
            for one in told:
                one.history = past.get(one.name, [])
        return [one.metadata(self._hosted.id) for one in told]

    def one(self, name: str) -> SegmentBody:
        found = [one for one in self._told() if one.name == name]
        if not found:
            self._unknown(name)
        return found[0].metadata(self._hosted.id)

    def _told(self) -> list[Told]:
        reading = self._acme.segments().reading() if self._published else None
        infos = {info.name: info for info in self._acme.segments().all()} if self._published else {}
        rows = reading.rows if reading is not None else {}
        authors, runs = self._authors.all(), RunIds(self._store)
        count = self._visible.segments is None
        found = [
            Told(
                name,
                segment,
                "project",
                infos.get(name),
                rows.get(name),
                None,
                authors.get(name),
                runs=runs,
                count=count,
            )
            for name, segment in self._drafted.items()
        ]
        for name, version in self._made.items():
            if name not in self._drafted:
                one = Told(name, version.segment, "api", infos.get(name), rows.get(name), runs=runs, count=count)
                one.author, one.version, one.saved = authors.get(name), version.version, version.saved
                one.problem = version.problem if not self._published else None
                found.append(one)
        known = {one.name for one in found}
        parts = [info for info in infos.values() if info.part_of in known and info.name not in known]
        for info in parts:
            declared_in = "project" if info.source == "project" else "api"
            found.append(Told(info.name, None, declared_in, info, rows.get(info.name), runs=runs, count=count))
        withheld_ = self._withheld()
        for one in found:
            part_of = one.info.part_of if one.info is not None else None
            one.shown = withheld_.isdisjoint((one.name, part_of))
        return found

    def _withheld(self) -> set[str]:
        """Segments whose definition the caller may not read."""
        if not self._visible.masked and not self._visible.hidden:
            return set()
        known = {n: v.segment for n, v in self._made.items() if v.segment is not None} | self._drafted
        return {n for n, segment in known.items() if withheld(self._visible, segment.model_dump(mode="json"))}

    def _past(self, days: int) -> dict[str, list[Membership]]:
        since = datetime.now(UTC) - timedelta(days=days)
        found: dict[str, list[Membership]] = {}
        for row in self._store.membership_history():
            at = evaluated(row)
            if at is not None and datetime.fromisoformat(at) >= since:
                found.setdefault(row.segment, []).append(row)
        return found

    # ── changing ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def create(self, body: SegmentBody) -> SegmentBody:
        name, segment = self._read(body)
        if name in self._drafted or name in self._made:
            hint = "choose another name, or update it with PUT"
            raise ServiceError(
                409, f"there is a segment {name!r} already", where="name", hint=hint, key="invalidSegmentNameExists"
            )
        with self._defining(segment):
            self._tried(lambda: self._acme.segments().create(name, segment))
        self._authors.gone(name)
        self._authors.note(name, self._caller.principal)
        return self._again(name)

    def update(self, name: str, body: SegmentBody) -> SegmentBody:
        self._known(name)
        if body.name not in (None, name):
            hint = "names do not change: friendlyName does"
            raise bad_request(
                f"{name} cannot become {body.name}", where="name", hint=hint, key="invalidSegmentNameConflict"
            )
        _, segment = self._read(body.model_copy(update={"name": name}))
        with self._defining(segment):
            if name in self._drafted:
                self._same_version(name, body.version)
                self._redraft(name, segment)
            else:
                self._tried(lambda: self._acme.segments().update(name, segment, version=body.version))
        self._authors.note(name, self._caller.principal)
        return self._again(name)

    def activate(self, name: str) -> bool:
        self._known(name)
        try:
            return self._activated(name)
        except UnifyError as error:
            if name not in self._withheld():
                raise
            raise bad_request(f"{name} cannot be activated", where=name, hint=NOTE, key=INVALID) from error

    def _activated(self, name: str) -> bool:
        if name in self._drafted:
            self._redraft(name, self._drafted[name].model_copy(update={"active": True}))
        else:
            self._tried(lambda: self._acme.segments().activate(name))
        self._authors.note(name, self._caller.principal)
        return True

    def deactivate(self, name: str, force: bool) -> bool:
        self._known(name)
        if name in self._drafted:
            self._not_needed(name, "deactivated", force)
            self._redraft(name, self._drafted[name].model_copy(update={"active": False}))
        else:
            self._tried(lambda: self._acme.segments().deactivate(name, force=force), "segmentInUse")
        self._authors.note(name, self._caller.principal)
        return True

    def delete(self, name: str, force: bool) -> None:
        self._known(name)
        if name in self._drafted:
            self._not_needed(name, "deleted", force)
            self._hosted.draft.edit(lambda document: document["segments"].pop(name, None))
        else:
            self._tried(lambda: self._acme.segments().delete(name, force=force), "segmentInUse")
        self._authors.gone(name)

    # ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _defining(self, segment: Segment) -> AbstractContextManager[None]:
        """Members of a segment on a column that is withheld from its author would tell the column."""
        return defining(self._visible, segment.model_dump(mode="json"))

    def _again(self, name: str) -> SegmentBody:
        return _Segments(self._acme, self._hosted, self._service, self._caller).one(name)

    def _read(self, body: SegmentBody) -> tuple[str, Segment]:
        """Name and definition. ServiceError with the vendor's key for what is none."""
        if body.instance_id not in (None, self._hosted.id):
            raise bad_request("it is of another instance", where="instanceId", hint="leave it out")
        try:
            name, segment = self._own(body) if body.own_definition is not None else self._vendors(body)
            segment_of(name, {"where": "CustomerId ne null"})  # names are checked where projects are read
        except SpecError as error:
            raise bad_request(error.message, where=error.where, hint=error.hint, key=INVALID) from None
        manual = segment.sql is not None or (segment.query is not None and segment.query.type == "manual")
        if manual and not self._caller.may(self._hosted.id, Role.STEWARD):
            hint = "SQL sees every table unmasked: a steward can save it"
            raise ServiceError(403, "SQL takes the role steward", hint=hint, key="segmentAdvancedEditorNotEnabled")
        if segment.ends is not None and segment.ends.tzinfo is None:
            raise bad_request("a moment needs its zone", where="endDate", hint="e.g. 2026-12-31T00:00:00Z", key=INVALID)
        return name, segment

    def _vendors(self, body: SegmentBody) -> tuple[str, Segment]:
        said = {k: v for k, v in body.wire().items() if k not in ("ownDefinition", "declaredIn")}
        name, segment = segment_of_wire(SegmentBody.model_validate(said))
        if segment.query is not None:
            segment = segment.model_copy(update={"query": filled_in(segment.query, self._store)})
        return name, segment

    def _own(self, body: SegmentBody) -> tuple[str, Segment]:
        if body.segment_query_expression is not None:
            raise SpecError("it says twice what it is", where="ownDefinition", hint="one of the two is enough")
        if not body.name:
            raise SpecError("a segment needs a name", where="name")
        segment = segment_of(body.name, body.own_definition, where="ownDefinition")
        if segment.members is not None and segment.members.file is not None:
            hint = "send the customers themselves: `members: {customers: [...]}`"
            raise SpecError(
                "a list in a file of the server cannot be named here", where="ownDefinition.members.file", hint=hint
            )
        said: dict[str, Any] = {"title": body.friendly_name, "description": body.description, "ends": body.end_date}
        if body.state is not None:
            said["active"] = body.state == "active"
        changed = {key: value for key, value in said.items() if value is not None}
        return body.name, segment.model_copy(update=changed)

    def _redraft(self, name: str, segment: Segment) -> None:
        """Change a segment of the project, after it was tried out."""
        published = self._store.published()
        if segment.active and published is not None and "Customer" in published.rows:
            self._tried(lambda: self._acme.segments().preview(segment, name=name, sample=0))
        body = definition_of(segment)
        self._tried(lambda: self._hosted.draft.edit(lambda document: document["segments"].update({name: body})))

    def _tried(self, work: Callable[[], object], key: str = INVALID) -> None:
        try:
            work()
        except NotFoundError as error:
            raise not_found(error.message, where=error.where, hint=error.hint, key=NOT_FOUND) from None
        except (SpecError, QueryError) as error:
            raise bad_request(error.message, where=error.where, hint=error.hint, key=key) from None
        except StoreError as error:
            if "version" not in error.message:
                raise
            raise ServiceError(409, error.message, where="version", hint=error.hint, key="versionConflict") from None

    def _same_version(self, name: str, version: int | None) -> None:
        author = self._authors.all().get(name)
        newest = author.version if author is not None else None
        if version is not None and version != newest:
            message = f"it is at version {newest}, not {version}"
            raise ServiceError(409, message, where="version", hint="look at it again", key="versionConflict")

    def _not_needed(self, name: str, what: str, force: bool) -> None:
        try:
            needed_by = self._acme.segments().dependents(name) if self._published and not force else []
        except UnifyError:
            needed_by = []
        if needed_by:
            message = f"segment {name} cannot be {what}: {', '.join(needed_by)} needs it"
            raise bad_request(message, where=name, hint="change those first, or use force", key="segmentInUse")

    def _known(self, name: str) -> None:
        if name not in self._drafted and name not in self._made:
            self._unknown(name)

    def _unknown(self, name: str) -> NoReturn:
        hint = did_you_mean(name, [*self._drafted, *self._made])
        raise not_found(f"there is no segment {name[:128]!r}", where="segmentName", hint=hint, key=NOT_FOUND)
