"""Routes of the management API: what every one of them checks before its function is called.

    router = area("Segments")

    @router.get("/manage/segments", operation_id="get_all_segments")
    async def get_all_segments(hosted: Reading, includeHistoricStats: bool = False) -> list[SegmentMetadata]: ...

Checked here, so that no area forgets it: the length of the body (413), its content type (415), that it is JSON, its
types without coercion (`"1"` is no number), unknown keys and unknown or repeated query parameters, all told at once
with their places (400).
"""

import json
from collections.abc import Callable, Coroutine, Iterable
from email.message import Message as Mail
from typing import Any, Final, get_args

import orjson
from fastapi import APIRouter
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import ParamTypes
from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import Response

from unify.core.errors import did_you_mean
from unify.core.mistakes import in_words
from unify.service.asgi import body_of
from unify.service.errors import ServiceError, bad_request
from unify.service.management.errors import RefusedInputError

Handler = Callable[[Request], Coroutine[Any, Any, Response]]
JSON_TYPES: Final = ("application/json", "text/json")
"""And everything that ends in `+json`: the vendor's client says `application/json-patch+json`."""
_NONE: Final = object()


class _ReadRequest(Request):
    """A request whose body has been read and checked; `_NONE`: it has none."""

    def __init__(self, request: Request, value: Any) -> None:
        headers = [h for h in request.scope["headers"] if h[0] != b"content-type"]
        super().__init__({**request.scope, "headers": [*headers, (b"content-type", b"application/json")]})
        self.value = value

    async def body(self) -> bytes:
        return b"" if self.value is _NONE else b"read"

    async def json(self) -> Any:
        return self.value


class WireRoute(APIRoute):
    """An operation of the management API."""

    def get_route_handler(self) -> Handler:
        """See APIRoute."""
        answer = super().get_route_handler()
        query = _Query(self)
        body = _Body(self.body_field.field_info.annotation) if self.body_field is not None else None

        async def handle(request: Request) -> Response:
            problems = query.problems(request)
            if body is None:
                _raise(problems)
                return await answer(request)
            value = await body.read(request, problems)
            _raise(problems)
            return await answer(_ReadRequest(request, value))

        return handle


def area(tag: str, **options: Any) -> APIRouter:
    """A router of one area; `tag` groups its operations in the document."""
    return APIRouter(route_class=WireRoute, tags=[tag], **options)


def _raise(problems: list[tuple[str, str]]) -> None:
    if problems:
        raise RefusedInputError(problems)


class _Query:
    """The query parameters that an operation knows, by name, with the check of each one's text."""

    def __init__(self, route: APIRoute) -> None:
        fields = [f for f in get_flat_params(route.dependant) if getattr(f.field_info, "in_", None) is ParamTypes.query]
        self._kinds = {field.alias: _plain_kind(field.field_info.annotation) for field in fields}

    def problems(self, request: Request) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        given: dict[str, int] = {}
        for name, text in request.query_params.multi_items():
            given[name] = given.get(name, 0) + 1
            if name not in self._kinds:
                hint = did_you_mean(name, self._kinds) if self._kinds else "this operation takes none"
                found.append((f"query.{name}", f"unknown parameter; {hint}"))
            elif (kind := self._kinds[name]) is not list and given[name] > 1:
                found.append((f"query.{name}", "stands twice"))
            elif kind is bool and text.lower() not in ("true", "false"):
                found.append((f"query.{name}", f"{text!r} is no truth value: write true or false"))
            elif kind is int and not (text.removeprefix("-").isascii() and text.removeprefix("-").isdigit()):
                found.append((f"query.{name}", f"{text!r} is no whole number"))
        return list(dict.fromkeys(found))


def _plain_kind(annotation: Any) -> type:
    """bool, int, list, or str for the rest; `X | None` is X."""
    options = [a for a in get_args(annotation) if a is not type(None)] or [annotation]
    first = options[0]
    if first in (bool, int):
        return bool if first is bool else int
    origin = getattr(annotation, "__origin__", None)
    return list if origin in (list, tuple, set) else str


class _Body:
    """How the body of an operation is read: JSON, by its type, without coercion."""

    def __init__(self, annotation: Any) -> None:
        self._adapter: TypeAdapter[Any] = TypeAdapter(annotation)
        self._schema: dict[str, Any] | None = None

    async def read(self, request: Request, problems: list[tuple[str, str]]) -> Any:
        """The JSON value; what is wrong with it is added to `problems`. `_NONE`: there is no body."""
        most = request.scope["unify.service"].settings.limits.body_bytes
        length = request.headers.get("content-length", "")
        if length.isdigit() and int(length) > most:
            raise ServiceError(413, f"the body is longer than {most} bytes", key="bodyTooLarge")
        raw = await body_of(request.receive, most)
        if not raw:
            return _NONE
        check_content_type(request.headers.get("content-type"))
        value = json_of(raw)
        try:
            self._adapter.validate_json(orjson.dumps(value), strict=True)
        except ValidationError as error:
            problems += self._told(error.errors(include_url=False))
        return value

    def _told(self, errors: Iterable[Any]) -> list[tuple[str, str]]:
        schema = self._schema = self._schema or self._adapter.json_schema(by_alias=True)
        return [body_problem(error, schema) for error in errors]


def body_problem(error: Any, schema: dict[str, Any]) -> tuple[str, str]:
    """One error of pydantic as a place and a sentence."""
    where = ".".join(str(part) for part in error["loc"] if not _of_the_type(part))
    if error["type"] == "extra_forbidden":
        known = _keys_at(schema, error["loc"][:-1])
        return where, f"unknown key; {did_you_mean(str(error['loc'][-1]), known)}" if known else "unknown key"
    if error["type"] == "missing":
        return where, "is missing"
    return where, in_words(error, lambda name: list(schema.get("$defs", {}).get(name, {}).get("properties", {})))


def _of_the_type(part: Any) -> bool:
    """Whether a part of pydantic's place names a type and not a part of the document."""
    return isinstance(part, str) and ("[" in part or part.startswith("function-"))


def _keys_at(schema: dict[str, Any], place: Iterable[Any]) -> set[str]:
    """Keys that may stand at a place, by walking the JSON Schema."""
    definitions = schema.get("$defs", {})

    def real(node: dict[str, Any]) -> Iterable[dict[str, Any]]:
        if "$ref" in node:
            yield from real(definitions[node["$ref"].rsplit("/", 1)[1]])
        elif "anyOf" in node or "oneOf" in node:
            for choice in node.get("anyOf", node.get("oneOf", ())):
                yield from real(choice)
        else:
            yield node

    nodes = list(real(schema))
    for part in place:
        steps: list[dict[str, Any]] = []
        for node in nodes:
            if isinstance(part, int) and "items" in node:
                steps += real(node["items"])
            elif part in node.get("properties", {}):
                steps += real(node["properties"][part])
            elif isinstance(node.get("additionalProperties"), dict):
                steps += real(node["additionalProperties"])
        nodes = steps or nodes
    return {key for node in nodes for key in node.get("properties", {})}


def check_content_type(said: str | None) -> None:
    """ServiceError 415 for what is not JSON; nothing said counts as JSON."""
    if said is None:
        return
    mail = Mail()
    mail["content-type"] = said
    kind, charset = mail.get_content_type(), mail.get_content_charset("utf-8")
    if not (kind in JSON_TYPES or kind.endswith("+json")) or charset not in ("utf-8", "us-ascii"):
        raise ServiceError(
            415,
            f"the body is {said[:100]!r}",
            where="Content-Type",
            hint="send application/json or application/json-patch+json, in UTF-8",
            headers={"Accept": "application/json, application/json-patch+json"},
        )


def json_of(raw: bytes) -> Any:
    """What a body says. A JSON string that holds JSON stands for it: the vendor's client encodes some bodies twice."""
    value = _parsed(raw)
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        return _parsed(value.encode())
    return value


def _parsed(raw: bytes) -> Any:
    try:
        return orjson.loads(raw.removeprefix(b"\xef\xbb\xbf"))
    except json.JSONDecodeError as error:  # orjson's error is one of these
        raise bad_request(f"no JSON: {error}", where="body") from None
