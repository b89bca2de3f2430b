"""One function for all spellings: what a segment says, said otherwise.

odata      filter text; what OData cannot say is an error that names the part
sentence   readable, and read back
json, yaml a definition of a segment; a condition in it is the predicate tree
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Literal, get_args

import yaml

from segments.lowered import Lowered
from segments.lowering import lower
from segments.model import Model
from segments.predicates.sentence import sentence
from segments.predicates.tree_json import to_json
from segments.spellings.odata import odata_text
from segments.vendor.paths import segments_of
from unify.core.documents import parse_mapping, segment_of
from unify.core.errors import QueryError, did_you_mean
from unify.spec import Segment
from unify.spec.criteria import Predicate, Sentence

Spelling = Literal["odata", "sentence", "json", "yaml"]
SPELLINGS: tuple[str, ...] = get_args(Spelling)
_OPERATORS = re.compile(r"\b(eq|ne|lt|le|gt|ge)\b|/|\bin\s*\(|(?<!\bdecimal)(?<=\w)\(")
"""What OData text has and a sentence has not, texts in quotes aside."""
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"\\]|\\.)*\"|`[^`]*`")


def convert(
    said: Segment | str | Mapping[str, Any],
    to: str,
    model: Model,
    *,
    spelling: str | None = None,
    name: str = "segment",
) -> str:
    """A segment, or a condition as text or mapping, in another spelling.

    spelling  of a text: odata, sentence, json or yaml; None: told from the text
    name      of the segment, for places in messages

    QueryError or SpecError for what cannot be read, and for what `to` cannot say, by name.
    """
    if to not in SPELLINGS:
        raise QueryError(f"there is no spelling {to!r}", hint=did_you_mean(to, SPELLINGS))
    segment = read(said, spelling=spelling, name=name)
    model = _with_all_segments(model)
    found = lower(segment, model, name=name)
    if to == "sentence":
        return spoken(found)
    if to == "odata":
        return _as_odata(found, model)
    return written(_definition(segment, model), to)


def _with_all_segments(model: Model) -> Model:
    """Any segment may be named, members or not."""
    named = dict.fromkeys(segments_of(model), model.catalog.customers)
    return model.with_segments({**named, **model.catalog.segments})


def read(said: Segment | str | Mapping[str, Any], *, spelling: str | None = None, name: str = "segment") -> Segment:
    """The segment that a text, a mapping or a segment says; UnifyError as `convert`."""
    if isinstance(said, str):
        said = _of_text(said, spelling or _told(said))
    if isinstance(said, Mapping):
        keys = set(said) & set(Segment.model_fields)
        body: Any = said if keys - {"members"} else {"where": _where(said)}
        return segment_of(name, dict(body))
    return said


def _where(said: Mapping[str, Any]) -> dict[str, Any]:
    """A predicate tree is told by its `kind`; anything else is criteria."""
    return {"predicate": dict(said)} if "kind" in said else dict(said)


def _told(text: str) -> str:
    if text.lstrip().startswith("{"):
        return "json"
    bare = _QUOTED.sub(" ", text)
    if re.match(r"\s*[\w ]+:(\s|\Z)", bare) or bare.startswith("- "):
        return "yaml"
    return "odata" if _OPERATORS.search(bare) else "sentence"


def _of_text(text: str, spelling: str) -> Mapping[str, Any]:
    match spelling:
        case "odata":
            return {"where": text}
        case "sentence":
            return {"where": {"sentence": text}}
        case "json" | "yaml":
            return _document(text, spelling)
    raise QueryError(f"there is no spelling {spelling!r}", hint=did_you_mean(spelling, SPELLINGS))


def _document(text: str, spelling: str) -> Mapping[str, Any]:
    return parse_mapping(text, where=spelling, is_json=spelling == "json")


# ── saying ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def spoken(found: Lowered) -> str:
    """The sentence, whole; of blocks their own, between ‹ and ›, which is not read back."""
    text = sentence(found.expr, values=None)
    for key, block in found.blocks.items():
        text = text.replace(f'in segment "{key}"', f"‹{block.sentence}›")
    return text


def _as_odata(found: Lowered, model: Model) -> str:
    if found.blocks:
        said = "; ".join(block.sentence for block in found.blocks.values())
        hint = "blocks have none: keep the segment as YAML or JSON"
        raise QueryError(f"OData has no spelling for: {said}", hint=hint)
    return odata_text(found.expr, model)


def _definition(segment: Segment, model: Model) -> dict[str, Any]:
    """The segment as it is written. Text and sentences become the tree."""
    body = segment.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if isinstance(segment.where, (str, Sentence, Predicate)):
        alone = Segment(where=segment.where, timezone=segment.timezone)
        body["where"] = {"predicate": to_json(lower(alone, model).expr)}
    return body


def written(body: Mapping[str, Any], to: str) -> str:
    """A document as JSON or YAML text."""
    if to == "json":
        return json.dumps(body, indent=2, ensure_ascii=False)
    return yaml.dump(dict(body), Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120).rstrip("\n")


class _Plain(yaml.SafeDumper):
    """Text stands in quotes unless every YAML reads it as text: a decimal written as 1E-7 is a float for some."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_WORDS_THAT_ARE_VALUES = {"true", "false", "null", "yes", "no", "on", "off", "y", "n", "nan", "inf"}


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    plain = re.fullmatch(r"[A-Za-z][A-Za-z_]*", text) and text.lower() not in _WORDS_THAT_ARE_VALUES
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=None if plain else '"')


_Plain.add_representer(str, _text)
