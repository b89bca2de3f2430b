"""Project files: YAML or JSON to a Project, with the line of every mistake."""

import json
import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from unify.core.errors import SpecError, did_you_mean
from unify.core.mistakes import in_words, page_for
from unify.spec import Measure, Project
from unify.spec.segment import Segment

Lines = dict[tuple[str | int, ...], int]
"""Path inside the document to line number, from 1."""


class _LineLoader(yaml.SafeLoader):
    """YAML that knows its lines, refuses duplicate keys, and takes unquoted words as YAML 1.2 does.

    YAML 1.1 would read a column called No, Yes or On as a truth value, 0123 as 83 and 12:30 as 750.
    """


_LineLoader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("bool", r"(?:true|True|TRUE|false|False|FALSE)\Z", "tTfF"),
    ("int", r"[-+]?(?:0|[1-9][0-9]*)\Z", "-+0123456789"),
    ("float", r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?\Z", "-+.0123456789"),
    ("null", r"(?:~|null|Null|NULL|)\Z", ["~", "n", "N", ""]),
    ("merge", r"<<\Z", "<"),
):
    _LineLoader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


def read_project(path: Path) -> Project:
    """Read and validate a project file (.yaml, .yml or .json).

    Raises SpecError naming the file, the line and the place in the document, one line per problem.
    """
    return parse_project(read_text(path), where=str(path), is_json=path.suffix == ".json")


def read_text(path: Path, *, hint: str = "`unify init` writes a first project") -> str:
    """The text of a file; SpecError when it is not there, which `hint` helps with, or no UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise SpecError("there is no such file", where=str(path), hint=hint) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"cannot be read: {error}", where=str(path)) from error


def parse_project(text: str, *, where: str = "project", is_json: bool = False) -> Project:
    """The same from text."""
    data, lines = _parse_json(text, where) if is_json else _parse_yaml(text, where)
    if not isinstance(data, dict):
        raise SpecError("a project is a mapping: sources, conflation, resolution, ...", where=where)
    return project_of(data, lines, where=where)


def project_of(data: dict[str, Any], lines: Lines | None = None, *, where: str = "project") -> Project:
    """The same from what a file holds, e.g. a dict written in a notebook; it has no lines to name."""
    try:
        return Project.model_validate(data)
    except ValidationError as error:
        errors = [e for e in error.errors() if not _lost_its_bad_items(e, error.errors())]
        problems = [_problem(e, data, lines or {}) for e in errors]
        raise SpecError("\n".join(problems), where=where, hint=page_for([e["loc"] for e in errors])) from None


def _lost_its_bad_items(error: Any, errors: list[Any]) -> bool:
    """Whether a list is too short only because items of it, told as errors of their own, fell out."""
    place = error["loc"]
    inside = any(len(e["loc"]) > len(place) and e["loc"][: len(place)] == place for e in errors)
    return bool(error["type"] == "too_short" and error["input"] and inside)


_SOMETHING = {"sources": {"some": {"Entity": {"key": "Id"}}}}
"""A segment is checked as part of a project, so that its mistakes are told in the same words and places."""


def segment_of(name: str, data: Any, lines: Lines | None = None, *, where: str = "") -> Segment:
    """One segment from what a file or a notebook says; SpecError with the place of every mistake."""
    if isinstance(data, Segment):
        return data
    return project_of({**_SOMETHING, "segments": {name: data}}, lines, where=where).segments[name]


def read_segment(name: str, path: Path) -> Segment:
    """One segment from a YAML or JSON file."""
    parse = _parse_json if path.suffix == ".json" else _parse_yaml
    data, lines = parse(read_text(path, hint="docs/segments.md shows what stands in it"), str(path))
    return segment_of(name, data, {("segments", name, *place): n for place, n in lines.items()}, where=str(path))


def measure_of(name: str, data: Any, *, where: str = "") -> Measure:
    """One measure from what a notebook says: a dict, or an expression over other measures; SpecError likewise."""
    if isinstance(data, Measure):
        return data
    given = dict(data) if isinstance(data, Mapping) else data
    return project_of({**_SOMETHING, "measures": {name: given}}, where=where).measures[name]


def measure_of_text(name: str, text: str) -> Measure:
    """The same from YAML or JSON text: `{sum: Total, of: web.Orders}`, or an expression."""
    data, _ = _parse_yaml(text, name)
    return measure_of(name, data, where=name)


def parse_mapping(text: str, *, where: str, is_json: bool = False) -> dict[str, Any]:
    """A mapping from YAML or JSON text, with its keys told apart; SpecError with the line."""
    data, _ = _parse_json(text, where) if is_json else _parse_yaml(text, where)
    if not isinstance(data, dict):
        raise SpecError("a mapping is wanted here", where=where)
    return data


def project_schema() -> dict[str, Any]:
    """The JSON Schema of a project file."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Project.model_json_schema(by_alias=True)}


def _parse_json(text: str, where: str) -> tuple[Any, Lines]:
    def no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        for key, value in pairs:
            if key in seen:
                raise SpecError(f"the key {key!r} stands twice in one object", where=where)
            seen[key] = value
        return seen

    try:
        return json.loads(text, object_pairs_hook=no_duplicates), {}
    except json.JSONDecodeError as error:
        raise SpecError(f"line {error.lineno}, column {error.colno}: {error.msg}", where=where) from error


def _parse_yaml(text: str, where: str) -> tuple[Any, Lines]:
    lines: Lines = {}
    loader = _LineLoader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            raise SpecError("the file is empty", where=where, hint="`unify init` writes a first project")
        _walk(node, (), lines, where, set())
        return loader.construct_document(node), lines
    except yaml.MarkedYAMLError as error:
        at = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise SpecError(f"{at}{error.problem or error.context}", where=where) from error
    except yaml.YAMLError as error:
        raise SpecError(f"not YAML: {error}", where=where) from error
    finally:
        loader.dispose()


def _walk(node: yaml.Node, path: tuple[str | int, ...], lines: Lines, where: str, open_nodes: set[int]) -> None:
    """Note the line of every node; refuse duplicate keys and aliases that contain themselves."""
    if id(node) in open_nodes:
        raise SpecError(f"line {node.start_mark.line + 1}: an anchor contains itself", where=where)
    open_nodes.add(id(node))
    lines[path] = node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        seen: dict[Hashable, int] = {}
        for key, value in node.value:
            name = str(key.value)
            line = key.start_mark.line + 1
            if name in seen and name != "<<":
                raise SpecError(f"line {line}: the key {name!r} stands here and in line {seen[name]}", where=where)
            seen[name] = line
            _walk(value, (*path, name), lines, where, open_nodes)
            lines[(*path, name)] = line
    elif isinstance(node, yaml.SequenceNode):
        for i, item in enumerate(node.value):
            _walk(item, (*path, i), lines, where, open_nodes)
    open_nodes.discard(id(node))


def _problem(error: Any, data: Any, lines: Lines) -> str:
    """One pydantic error as `line 7: conflation.order.0: message`."""
    place: list[str | int] = []
    here: Any = data
    for part in error["loc"]:
        in_list = isinstance(here, (list, tuple)) and isinstance(part, int) and part < len(here)
        if in_list or (isinstance(here, dict) and part in here):
            here = here[part]
        elif error["type"] != "missing" or part != error["loc"][-1]:
            continue  # a part of the type, not of the document (union branch, short form)
        place.append(part)
    message = in_words(error, _keys_of_noun)
    if error["type"] == "extra_forbidden":
        message = f"unknown key; {did_you_mean(str(error['loc'][-1]), _known_keys(error['loc']))}"
    elif error["type"] == "missing":
        message = "is missing"
    found = next((lines[tuple(place[:n])] for n in range(len(place), -1, -1) if tuple(place[:n]) in lines), None)
    dotted = ".".join(str(p) for p in place) or "project"
    return f"{f'line {found}: ' if found else ''}{dotted}: {message}"


def _keys_of_noun(name: str) -> list[str]:
    """The keys of a noun, in its order; none for a name that is no noun of a project."""
    return list(Project.model_json_schema(by_alias=True).get("$defs", {}).get(name, {}).get("properties", {}))


def _known_keys(loc: tuple[str | int, ...]) -> list[str]:
    """Keys allowed where an unknown key stands, found by walking the JSON Schema along the path."""
    schema = Project.model_json_schema(by_alias=True)
    definitions = schema.get("$defs", {})
    nodes = [schema]
    for part in loc[:-1]:
        step: list[dict[str, Any]] = []
        for node in nodes:
            for real in _alternatives(node, definitions):
                if isinstance(part, int) and "items" in real:
                    step.append(real["items"])
                elif part in real.get("properties", {}):
                    step.append(real["properties"][part])
                elif isinstance(real.get("additionalProperties"), dict):
                    step.append(real["additionalProperties"])
        nodes = step or nodes
    return sorted(
        {k for node in nodes for real in _alternatives(node, definitions) for k in real.get("properties", {})}
    )


def _alternatives(node: dict[str, Any], definitions: dict[str, Any]) -> list[dict[str, Any]]:
    if "$ref" in node:
        return _alternatives(definitions[node["$ref"].rsplit("/", 1)[1]], definitions)
    for key in ("anyOf", "oneOf", "allOf"):
        if key in node:
            return [real for choice in node[key] for real in _alternatives(choice, definitions)]
    return [node]
