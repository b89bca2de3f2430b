"""Definitions that somebody may not write, and may not read: what is not yours to ask is not yours to read either.

A segment on a column that is withheld tells the column by who is in it, and its definition tells values of it.

    segment, measure, filter that names a withheld column ─▶ told without what it says (NOTE in the place of it)
    anything else that would name a hidden column         ─▶ 403
"""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, TypeVar

from pydantic import BaseModel

from segments.model import MEASURES, own_table
from unify.core.documents import project_of
from unify.core.errors import UnifyError
from unify.service.access.visibility import Visibility, hidden_measures, words_of
from unify.service.errors import ServiceError, bad_request
from unify.spec import Project

T = TypeVar("T")
NOTE: Final = "what it says names columns that you may not see"
WITHHELD: Final = "withheld"
"""Key of NOTE in a project: a project with it cannot be written back, so that nothing is lost by that."""


@contextmanager
def defining(visibility: Visibility, definition: object) -> Iterator[None]:
    """Around whatever tries or saves a definition (as JSON: dicts, lists, text) for somebody with this visibility.

    ServiceError 403 when it names a masked column, 400 for a hidden one, in words for a name that never was. Names
    alone are looked at, so a column of that name in another table is refused too. Errors from inside come through
    without their hints, which list what there is.
    """
    said = words_of(definition)
    masked = sorted({column for _, column in visibility.masked if column.casefold() in said})
    if masked:
        hint = "ask an admin to show you the column, or a steward to save the definition"
        raise ServiceError(403, f"{', '.join(masked)} is masked for you, so a definition cannot name it", hint=hint)
    hidden = sorted({column for _, column in visibility.hidden if column.casefold() in said})
    if hidden:
        raise bad_request(f"there is no attribute {hidden[0]!r}")
    try:
        yield
    except UnifyError as error:
        if visibility.hidden:
            error.hint = ""
        raise


def withheld(visibility: Visibility, definition: object) -> bool:
    """Whether a definition (as JSON) names a column that is masked or hidden: what `defining` refuses to write."""
    names = {column.casefold() for _, column in visibility.masked | visibility.hidden}
    return not names.isdisjoint(words_of(definition))


def withheld_measures(visibility: Visibility, project: Project) -> set[str]:
    """Measures of a draft that are told without what they say: those whose values would be hidden."""
    return hidden_measures(project, visibility.masked | visibility.hidden)


def names_hidden(visibility: Visibility, said: object) -> bool:
    """Whether a text, a document or a model names a column that is hidden.

    Names alone are looked at: words in texts as they are folded, keys of mappings as they are spelled, fields of models
    not at all. Names of measures are no secret: whoever lists measures reads them, without what they say.
    """
    ours = (MEASURES, own_table(""))
    hidden = {column for table, column in visibility.hidden if not table.startswith(ours)}
    if not hidden:
        return False
    folded, (keys, texts) = {column.casefold() for column in hidden}, _parts(said)
    return not (hidden.isdisjoint(keys) and folded.isdisjoint(words_of(texts)))


def _parts(said: object) -> tuple[list[str], list[str]]:
    """Keys, and texts, at whatever depth."""
    keys: list[str] = []
    texts: list[str] = []
    left = [said]
    while left:
        match left.pop():
            case str() as text:
                texts.append(text)
            case BaseModel() as model:
                left += [value for _, value in model]
            case Mapping() as mapping:
                keys += mapping
                left += mapping.values()
            case list() | tuple() as parts:
                left += parts
    return keys, texts


def without_hidden(visibility: Visibility, said: T) -> T:
    """An answer (a model, a list of them, or JSON), as it is. ServiceError 403 when it names a hidden column."""
    if names_hidden(visibility, said):
        raise ServiceError(403, "it names columns that you may not see", hint="an admin can widen what you see")
    return said


def project_shown(visibility: Visibility, document: dict[str, Any]) -> dict[str, Any]:
    """A project (as JSON, written out) with NOTE in the place of segments, measures and filters that are withheld.

    ServiceError 403 when what is left names a hidden column.
    """
    if not visibility.masked and not visibility.hidden:
        return document
    shown: dict[str, Any] = json.loads(json.dumps(document))
    if document.get("sources"):
        project = project_of(json.loads(json.dumps(document)))
        gone = withheld_measures(visibility, project)
        for name, measure in project.measures.items():
            if name in gone or withheld(visibility, measure.model_dump(mode="json")):
                shown["measures"][name] = {WITHHELD: NOTE}
        for name, segment in project.segments.items():
            if withheld(visibility, segment.model_dump(mode="json")):
                shown["segments"][name] = {WITHHELD: NOTE}
        for name, entity in project.entities.items():
            source, short = name.split(".", 1)
            if withheld(visibility, entity.model_dump(mode="json")["where"]):
                shown["sources"][source][short]["where"] = {WITHHELD: NOTE}
    return without_hidden(visibility, shown)
