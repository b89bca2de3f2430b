"""Operations 31–35: measures. They stand in the draft of the project and take force with the next job.

A measure that cannot be worked out would stop the whole run, so it is planned on what is published before it is saved.
"""

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, NoReturn

import orjson
from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from segments.measures.checks import check_measures
from segments.measures.plan import measure_plan
from segments.model import model_of, own_table
from segments.relationships import CUSTOMER
from unify.core.documents import measure_of, project_of
from unify.core.errors import QueryError, SpecError, UnifyError, did_you_mean
from unify.core.names import table_of
from unify.instance import Instance
from unify.service.access.definitions import defining, withheld, withheld_measures
from unify.service.caller import Caller, Role
from unify.service.errors import ServiceError, bad_request, not_found, status_of
from unify.service.hosted import Hosted
from unify.service.management.authors import Authors
from unify.service.management.decoded import DecodedRoute
from unify.service.management.depends import Reading, TheCaller, TheService
from unify.service.management.drafts import project_in
from unify.service.management.measure_shapes import (
    Evaluations,
    MeasureBody,
    ParsingError,
    metadata,
    noun_of,
    parsing_error,
)
from unify.service.management.ok import OkResult
from unify.service.management.routes import Handler
from unify.spec import Measure, Project
from unify.verbs.draft import Document
from unify.verbs.segment_catalog import SegmentCatalog, definition_of

PARSED: Final = ("create_a_measure", "update_a_measure")
"""Operations whose 400 the client reads as a ParsingError."""


class _Route(DecodedRoute):
    def get_route_handler(self) -> Handler:
        """See APIRoute."""
        answer = super().get_route_handler()

        async def handle(request: Request) -> Response:
            try:
                return await answer(request)
            except UnifyError as error:
                if status_of(error) != 400 or self.operation_id not in PARSED:
                    raise
                return Response(orjson.dumps(parsing_error(error).wire()), 400, media_type="application/json")

        return handle


router = APIRouter(route_class=_Route, tags=["Measures"])
WRONG: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": ParsingError, "description": "The measure cannot be taken: `messages` names every problem."}
}
MeasureName = Annotated[str, Path(alias="measureName")]


@router.get("/manage/measures", operation_id="get_a_list_of_measures_metadata", summary="All measures")
async def get_a_list_of_measures_metadata(
    hosted: Reading,
    service: TheService,
    caller: TheCaller,
    template_summary_included: Annotated[
        bool, Query(alias="templateSummaryIncluded", description="With `templateId` of those made from a template.")
    ] = False,
) -> list[MeasureBody]:
    """In the order of the project, with what the latest run gave."""
    return await hosted.ask(lambda acme: _Measures(acme, hosted, service, caller).all(template_summary_included))


@router.get("/manage/measures/{measureName}", operation_id="get_metadata_for_a_measure", summary="One measure")
async def get_metadata_for_a_measure(
    hosted: Reading,
    service: TheService,
    caller: TheCaller,
    measure_name: MeasureName,
    include_historic_stats: Annotated[
        bool, Query(alias="includeHistoricStats", description="With what earlier runs gave.")
    ] = False,
    historic_stats_days: Annotated[
        int, Query(alias="historicStatsDays", ge=1, le=3650, description="Of so many days.")
    ] = 30,
) -> MeasureBody:
    """With what the latest run gave; a single value stands in `output`."""
    since = datetime.now(UTC) - timedelta(days=historic_stats_days) if include_historic_stats else None
    return await hosted.ask(lambda acme: _Measures(acme, hosted, service, caller).one(measure_name, since))


@router.post("/manage/measures", operation_id="create_a_measure", summary="A new measure", responses=WRONG)
async def create_a_measure(hosted: Reading, service: TheService, caller: TheCaller, body: MeasureBody) -> MeasureBody:
    """Worked out by the next job of measures, merge or all."""
    return await hosted.ask(lambda acme: _Measures(acme, hosted, service, caller).create(body))


@router.put(
    "/manage/measures/{measureName}", operation_id="update_a_measure", summary="Another definition", responses=WRONG
)
async def update_a_measure(
    hosted: Reading, service: TheService, caller: TheCaller, measure_name: MeasureName, body: MeasureBody
) -> MeasureBody:
    """With a `version`, only if it still is the newest. The old values stay in force until the next job."""
    return await hosted.ask(lambda acme: _Measures(acme, hosted, service, caller).update(measure_name, body))


@router.delete("/manage/measures/{measureName}", operation_id="delete_a_measure", summary="Delete a measure")
async def delete_a_measure(
    hosted: Reading,
    service: TheService,
    caller: TheCaller,
    measure_name: MeasureName,
    force: Annotated[
        bool, Query(description="Also where segments name it: those fail until they are changed.")
    ] = False,
) -> OkResult:
    """Its values stay in force until the next job. Refused while other measures, or segments, need it."""
    await hosted.ask(lambda acme: _Measures(acme, hosted, service, caller).delete(measure_name, force))
    return OkResult()


class _Measures:
    """Those of the draft, with what runs made of them. Blocking."""

    def __init__(self, acme: Instance, hosted: Hosted, service: Any, caller: Caller) -> None:
        self._acme, self._hosted, self._caller = acme, hosted, caller
        self._authors = Authors(service.database, hosted.id, "measure")
        document = hosted.draft.now().document
        self._kept = _kept(document)
        self._visible = hosted.visibility(caller)
        self._withheld = self._not_told()

    def _not_told(self) -> set[str]:
        """Measures whose definition the caller may not read."""
        if not self._visible.masked and not self._visible.hidden:
            return set()
        said = {name for name, measure in self._kept.items() if withheld(self._visible, _body(measure))}
        project = project_in(self._hosted)
        return said | withheld_measures(self._visible, project) if project is not None else said

    # ── telling ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def all(self, templates: bool) -> list[MeasureBody]:
        authors, made = self._authors.all(), Evaluations.of(self._acme.store)
        return [self._told(name, authors, made, templates=templates) for name in self._kept]

    def one(self, name: str, since: datetime | None = None) -> MeasureBody:
        self._known(name)
        made = Evaluations.of(self._acme.store)
        return self._told(name, self._authors.all(), made, since=since, templates=True)

    def _told(
        self, name: str, authors: Any, made: Evaluations, *, since: datetime | None = None, templates: bool
    ) -> MeasureBody:
        measure = self._kept[name]
        visible = self._visible
        values = visible.segments is None and (own_table(name), name) not in visible.hidden | visible.masked
        values = values and name not in self._withheld
        told = made.told(name, measure, since=since, values=values)
        shown = name not in self._withheld
        return metadata(name, measure, authors.get(name), told, self._hosted.id, templates=templates, shown=shown)

    # ── changing ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def create(self, body: MeasureBody) -> MeasureBody:
        if (taken := next((n for n in self._kept if n.casefold() == body.name.casefold()), None)) is not None:
            hint = "choose another name, or update it with PUT"
            raise ServiceError(409, f"there is a measure {taken!r} already", where="name", hint=hint)
        measure = self._read(body)
        with self._defining(measure):
            self._edit(lambda document: document.setdefault("measures", {}).update({body.name: _body(measure)}))
        self._authors.gone(body.name)
        self._authors.note(body.name, self._caller.principal, _sent(body))
        return self._again(body.name)

    def update(self, name: str, body: MeasureBody) -> MeasureBody:
        self._known(name)
        if body.name != name:
            raise bad_request(f"{name} cannot become {body.name}", where="name", hint="displayName can change")
        author = self._authors.all().get(name)
        newest = author.version if author is not None else None
        if body.version is not None and body.version != newest:
            message = f"it is at version {newest}, not {body.version}"
            raise ServiceError(409, message, where="version", hint="look at it again", key="versionConflict")
        measure = self._read(body)
        with self._defining(measure):
            self._edit(lambda document: document["measures"].update({name: _body(measure)}))
        self._authors.note(name, self._caller.principal, _sent(body))
        return self._again(name)

    def delete(self, name: str, force: bool) -> None:
        self._known(name)
        if not force and (needed_by := self._segments_naming(name)):
            message = f"measure {name} cannot be deleted: segments name it: {', '.join(needed_by)}"
            raise bad_request(message, where=name, hint="change those first, or use force", key="measureInUse")
        self._edit(lambda document: document["measures"].pop(name, None))
        self._authors.gone(name)

    # ── parts ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _defining(self, measure: Measure) -> AbstractContextManager[None]:
        """What a measure makes of a column that is withheld from its author would tell the column."""
        return defining(self._hosted.visibility(self._caller), _body(measure))

    def _again(self, name: str) -> MeasureBody:
        document = self._hosted.draft.now().document
        self._kept = _kept(document)
        self._withheld = self._not_told()
        return self.one(name)

    def _read(self, body: MeasureBody) -> Measure:
        if body.instance_id not in (None, self._hosted.id):
            raise bad_request("it is of another instance", where="instanceId", hint="leave it out")
        if (body.definition is None) == (body.own_definition is None):
            hint = "`definition`, in the vendor's words, or `ownDefinition`, as in a project file"
            raise bad_request("a measure is said once", where="definition", hint=hint)
        if body.own_definition is not None:
            measure = measure_of(body.name, body.own_definition, where="ownDefinition")
            said = {"title": body.display_name, "description": body.description}
            measure = measure.model_copy(update={k: v for k, v in said.items() if v is not None})
        else:
            assert body.definition is not None
            measure = noun_of(body.name, body.display_name, body.description, body.definition)
        if measure.sql is not None and not self._caller.may(self._hosted.id, Role.STEWARD):
            raise ServiceError(403, "SQL takes the role steward", hint="SQL sees every table unmasked")
        return measure

    def _edit(self, change: Callable[[Document], Any]) -> None:
        """Change the draft, when all of its measures can be worked out then."""

        def checked(document: Document) -> None:
            change(document)
            if document.get("sources"):
                self._check(project_of(document, where="draft"))

        self._hosted.draft.edit(checked)

    def _check(self, project: Project) -> None:
        """SpecError for measures that no run could work out on what is published. Of entities that were not ingested
        yet only the form can be checked."""
        check_measures(project)
        published = self._acme.store.published()
        active = {n: m for n, m in project.measures.items() if m.active}
        if published is None or CUSTOMER not in published.rows or not active:
            return
        engine = self._acme.engine()
        there = set(engine.tables())
        if any(m.of in project.entities and table_of(m.of) not in there for m in active.values() if m.of is not None):
            return
        model = model_of(engine, project)
        try:
            measure_plan(engine, project, model, clock=datetime.now(UTC), only=active)
        except QueryError as error:
            raise SpecError(error.message, where=error.where, hint=error.hint) from None

    def _segments_naming(self, name: str) -> list[str]:
        """Segments in whose definition the name stands as a word: of the draft, and made by hand."""
        word = re.compile(rf"\b(?:{re.escape(own_table(name))}|{re.escape(name)})\b")
        drafted = self._hosted.draft.now().document.get("segments") or {}
        made = {n: definition_of(v.segment) for n, v in SegmentCatalog(self._acme.store).newest().items() if v.segment}
        return [n for n, said in {**made, **drafted}.items() if word.search(_words(said))]

    def _known(self, name: str) -> None:
        if name not in self._kept:
            self._unknown(name)

    def _unknown(self, name: str) -> NoReturn:
        hint = did_you_mean(name, self._kept)
        raise not_found(f"there is no measure {name[:128]!r}", where="measureName", hint=hint)


def _kept(document: Document) -> dict[str, Measure]:
    return {name: measure_of(name, said) for name, said in (document.get("measures") or {}).items()}


def _body(measure: Measure) -> Any:
    return measure.model_dump(mode="json", by_alias=True, exclude_unset=True)


def _sent(body: MeasureBody) -> Any:
    """What the client will want to see again."""
    return body.definition.wire() if body.definition is not None else None


def _words(said: Any) -> str:
    """Everything that a definition says but its description and title."""
    plain = {k: v for k, v in said.items() if k not in ("title", "description")} if isinstance(said, dict) else said
    return orjson.dumps(plain).decode()
