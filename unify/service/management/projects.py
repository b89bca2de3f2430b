"""The whole draft in our own words: read, written, held against its files, worked out from the data."""

import asyncio
import json
from typing import Annotated, Any, Final

import yaml
from fastapi import Header, Request, Response

from unify.core.documents import parse_mapping, project_of
from unify.core.errors import SpecError
from unify.instance import Instance
from unify.records import RecordStore
from unify.service.access.definitions import NOTE, project_shown, withheld, without_hidden
from unify.service.asgi import body_of
from unify.service.caller import Caller
from unify.service.errors import ServiceError, bad_request
from unify.service.hosted import Hosted
from unify.service.management.depends import Building, Reading, TheCaller
from unify.service.management.drafts import NEEDS_SOURCES, whole
from unify.service.management.errors import RefusedInputError
from unify.service.management.fence import Fence
from unify.service.management.routes import area, check_content_type, json_of
from unify.spec.wire import Wire
from unify.verbs.draft import Document, DraftVersion

router = area("Project")
YAML_TYPES = ("application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml", "application/vnd.yaml")
MOST_NODES: Final = 1_000_000
PROJECT = {"type": "object", "description": "A project, as a project file holds it: docs/project-file.md."}
IF_MATCH = Annotated[
    str | None, Header(alias="If-Match", description="Version that the change was made from; else it is not checked.")
]


class Validation(Wire):
    """What is wrong with a draft, what is doubtful, and its rules in words."""

    ok: bool
    problems: list[str]
    warnings: list[str]
    columns: dict[str, dict[str, str]]
    rules: list[dict[str, str]]


class Suggested(Wire):
    """A plan worked out from the data. `project`: with the plan, to be PUT; `explanation`: its file, with estimates."""

    project: dict[str, Any]
    explanation: str


@router.get(
    "/project",
    operation_id="get_project",
    summary="The draft",
    response_class=Response,
    responses={
        200: {
            "description": "JSON, or YAML where `Accept` says `application/yaml`; `ETag` is the version.",
            "content": {"application/json": {"schema": PROJECT}, "application/yaml": {"schema": PROJECT}},
        }
    },
)
async def get_project(request: Request, hosted: Reading, caller: TheCaller) -> Response:
    """What the next run will use. Paths of uploads are relative to the instance."""
    now, document = await asyncio.to_thread(_readable, hosted, caller)
    headers = {"ETag": f'"{now.version}"'}
    if any(kind in request.headers.get("accept", "") for kind in YAML_TYPES):
        text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=120)
        return Response(text, media_type="application/yaml", headers=headers)
    return Response(json.dumps(document, ensure_ascii=False), media_type="application/json", headers=headers)


@router.put(
    "/project",
    operation_id="put_project",
    summary="Write the draft",
    response_class=Response,
    responses={
        200: {"description": "The draft as it is now.", "content": {"application/json": {"schema": PROJECT}}},
        412: {"model": None, "description": "Somebody else changed it: `If-Match` is not its version any more."},
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": PROJECT}, "application/yaml": {"schema": PROJECT}},
        }
    },
)
async def put_project(request: Request, hosted: Building, if_match: IF_MATCH = None) -> Response:
    """The whole of it, JSON or YAML, short spellings included. Files must have been uploaded to the instance, or stand
    in the draft already. It is checked as `unify run` would check it before reading any data."""
    document = await _body(request)
    await asyncio.to_thread(_keep, hosted, document, if_match)
    now, shown = await asyncio.to_thread(_shown, hosted)
    text = json.dumps(shown, ensure_ascii=False)
    return Response(text, media_type="application/json", headers={"ETag": f'"{now.version}"'})


@router.post("/project/validate", operation_id="validate_project", summary="Hold the draft against its files")
async def validate_project(hosted: Reading, caller: TheCaller) -> Validation:
    """Files are sniffed, the plan is tried on empty tables; everything that is wrong is told. Nothing is changed."""

    def look(acme: Instance) -> Validation:
        from unify.validation import validate_project as validated

        now = hosted.draft.now()
        if not now.document.get("sources"):
            raise bad_request("the draft has no data sources yet", hint=NEEDS_SOURCES)
        project, records = project_of(json.loads(json.dumps(now.document))), RecordStore(hosted.store.path)
        report = validated(project, now.base, where="draft", records=records)
        home = f"{hosted.store.path}/"
        found: dict[str, Any] = json.loads(
            json.dumps(report.model_dump(mode="json")).replace(json.dumps(home)[1:-1], "")
        )
        visibility = hosted.visibility(caller)
        for lines in ("problems", "warnings"):
            found[lines] = [NOTE if withheld(visibility, [line]) else line for line in found[lines]]
        return without_hidden(
            visibility,
            Validation.model_validate({key: found[key] for key in ("ok", "problems", "warnings", "columns", "rules")}),
        )

    return await hosted.ask(look)


@router.post("/project/suggest", operation_id="suggest_project", summary="Work a plan out from the data")
async def suggest_project(hosted: Building) -> Suggested:
    """From what was ingested last; docs/suggest.md. The draft stays as it is."""

    def look(acme: Instance) -> Suggested:
        if acme.store.published() is None:
            raise bad_request("nothing has been ingested yet", hint="submit a job of operationType ingestion first")
        suggestion = acme.suggest()
        made = json.loads(suggestion.project.model_dump_json(by_alias=True))
        return Suggested.model_validate({"project": made, "explanation": suggestion.text})

    return await hosted.ask(look)


async def _body(request: Request) -> Document:
    limit = request.scope["unify.service"].settings.limits.body_bytes
    raw = await body_of(request.receive, limit)
    said = request.headers.get("content-type", "")
    if said.split(";")[0].strip().lower() in YAML_TYPES:
        return await asyncio.to_thread(_yaml, raw)
    check_content_type(said or None)
    if not raw:
        raise RefusedInputError([("body", "is missing")])
    value = json_of(raw)
    if not isinstance(value, dict):
        raise RefusedInputError([("body", "a project is an object: sources, conflation, …")])
    return value


def _yaml(raw: bytes) -> Document:
    try:
        text = raw.decode("utf-8")
        _refuse_bomb(text)
        return parse_mapping(text, where="body")
    except UnicodeDecodeError:
        raise bad_request("the body is not UTF-8", where="body") from None
    except RecursionError:
        raise bad_request("the body is nested too deep", where="body") from None


def _refuse_bomb(text: str) -> None:
    """400 for a few lines whose aliases of aliases stand for more than MOST_NODES values."""
    sizes: dict[int, int] = {}

    def size(node: yaml.Node) -> int:
        if id(node) not in sizes:
            sizes[id(node)] = 0  # one that contains itself is refused where it is read
            inner = node.value if isinstance(node, yaml.CollectionNode) else ()
            parts = [part for item in inner for part in (item if isinstance(item, tuple) else (item,))]
            sizes[id(node)] = 1 + sum(map(size, parts))
        return sizes[id(node)]

    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError:
        return  # told with its line where it is read
    if root is not None and size(root) > MOST_NODES:
        raise bad_request("its aliases stand for too many values", where="body", hint=f"{MOST_NODES:,} at most")


def _keep(hosted: Hosted, document: Document, if_match: str | None) -> None:
    before = hosted.draft.now()
    if if_match is not None and if_match != "*" and if_match.strip().strip('"') != str(before.version):
        raise ServiceError(
            412,
            f"the draft is at version {before.version}, not {if_match[:40]}",
            where="If-Match",
            hint="read it again, then repeat the change",
        )
    if not document.get("sources"):
        raise bad_request("sources: is missing", where="body", hint="a project has at least one data source")
    fence = Fence(hosted.store, before)
    known = {fence.shown(path): path for path in fence.known}

    def change(current: Document) -> None:
        if if_match is not None and if_match != "*" and hosted.draft.now().version != before.version:
            raise ServiceError(412, "the draft was changed meanwhile", where="If-Match", hint="read it again")
        full = whole(json.loads(json.dumps(document)))
        fence.check(full, known)
        current.clear()
        current.update(full)

    try:
        hosted.draft.edit(change)
    except SpecError as error:
        raise RefusedInputError([("", line) for line in error.message.split("\n")], hint=error.hint) from None


def _readable(hosted: Hosted, caller: Caller) -> tuple[DraftVersion, Document]:
    """As the caller may read it. ServiceError 403."""
    now, document = _shown(hosted)
    return now, project_shown(hosted.visibility(caller), document)


def _shown(hosted: Hosted) -> tuple[DraftVersion, Document]:
    now = hosted.draft.now()
    fence = Fence(hosted.store, now)
    document = json.loads(json.dumps(now.document))
    fence.show(document)
    return now, document
