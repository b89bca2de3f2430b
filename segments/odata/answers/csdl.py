"""`$metadata`: entity types with properties, keys and navigation, one container, and what is answered of OData.

The document is made once, as CSDL JSON 4.01 has it; the XML is another spelling of the same (csdl_xml.py). Sets of
segments are of the type of customers.

Names that OData cannot spell (a column called `First name`) are left out of the types; rows carry them all the same,
so such a type is an open one.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from segments.model import Model
from segments.odata.answers.capabilities import VOCABULARIES, VOCABULARY_URL, of_container, of_set, version_of
from segments.odata.answers.csdl_xml import without_marks, xml_text
from segments.odata.answers.entity_sets import EntitySet, alternate_keys, entity_sets, members_set
from segments.odata.errors import ODataUnsupportedError
from segments.odata.syntax.lexer import NAME
from segments.predicates.fields import Attribute

NAMESPACE: Final = "Unify"
CONTAINER: Final = "Instance"
XML: Final = "application/xml"
JSON: Final = "application/json"
_MEDIA: Final = {"xml": XML, XML: XML, "json": JSON, JSON: JSON}
_IDENTIFIER = re.compile(rf"{NAME}\Z")
_EDM = {
    "boolean": "Edm.Boolean", "integer": "Edm.Int64", "double": "Edm.Double", "string": "Edm.String",
    "date": "Edm.Date", "datetime": "Edm.DateTimeOffset", "time": "Edm.TimeOfDay", "duration": "Edm.Duration",
    "guid": "Edm.Guid",
}  # fmt: skip
Document = dict[str, Any]


def metadata(model: Model, segments: Mapping[str, str], asked: str) -> tuple[str, str]:
    """The document for a public model, and its media type. `asked`: xml, json, or a media type.

    ODataUnsupportedError for another one.
    """
    media = _MEDIA.get(asked.lower().partition(";")[0].strip())
    if media is None:
        raise ODataUnsupportedError(f"there is no $metadata as {asked[:40]}", where="$format", hint="write xml or json")
    document = csdl(model, segments)
    if media == XML:
        return xml_text(document), media
    return json.dumps(without_marks(document), ensure_ascii=False, indent=1), media


def schema_version(model: Model) -> str:
    """What `$schemaversion` calls the types of a public model."""
    return version_of(json.dumps(_types(model, entity_sets(model))))


def csdl(model: Model, segments: Mapping[str, str]) -> Document:
    """CSDL JSON. `segments`: sets that are segments."""
    sets = entity_sets(model)
    references = {
        VOCABULARY_URL.format(namespace): {"$Include": [{"$Namespace": namespace, "$Alias": alias}]}
        for namespace, alias in VOCABULARIES.items()
    }
    return {
        "$Version": "4.01",
        "$EntityContainer": f"{NAMESPACE}.{CONTAINER}",
        "$Reference": references,
        NAMESPACE: {**_types(model, sets), CONTAINER: _container(model, sets, segments)},
    }


def _types(model: Model, sets: Mapping[str, EntitySet]) -> Document:
    return {name: _entity_type(model, set_) for name, set_ in sets.items()}


def _container(model: Model, sets: Mapping[str, EntitySet], segments: Mapping[str, str]) -> Document:
    made: Document = {"$Kind": "EntityContainer"}
    every = [*sets.values(), *(members_set(model, name) for name in segments)]
    for set_ in every:
        bindings = {name: _target(model, set_, name) for name in _spellable(set_.relations)}
        made[set_.name] = {
            "$Collection": True,
            "$Type": f"{NAMESPACE}.{set_.table}",
            **({"$NavigationPropertyBinding": bindings} if bindings else {}),
            **_terms(of_set(set_)),
        }
        if set_.name in segments:
            made[set_.name]["@Core.Description"] = f"Members of segment {segments[set_.name]}"
    return made | _terms(of_container(schema_version(model)))


def _terms(annotations: Mapping[str, Any]) -> Document:
    return {f"@{term}": value for term, value in annotations.items()}


def _entity_type(model: Model, set_: EntitySet) -> Document:
    made: Document = {"$Kind": "EntityType"}
    if set_.key:
        made["$Key"] = [set_.key]
    spelt = list(_spellable(tuple(set_.attributes)))
    if len(spelt) < len(set_.attributes):
        made["$OpenType"] = True
    for name in spelt:
        made[name] = _property(set_.attributes[name], is_key=name == set_.key)
    for name in _spellable(set_.relations):
        if name in set_.attributes:
            continue  # a type has a name once; the attribute is read, the relation expanded
        made[name] = {"$Kind": "NavigationProperty", "$Type": f"{NAMESPACE}.{_target(model, set_, name)}"}
        path = model.path(set_.table, (name,))
        made[name] |= {"$Collection": True} if model.is_many(set_.table, path) else {"$Nullable": True}
    keys = [_alternate(names) for names in alternate_keys(model, set_) if all(n in set_.attributes for n in names)]
    return made | ({"@Core.AlternateKeys": keys} if keys else {})


def _target(model: Model, set_: EntitySet, relation: str) -> str:
    return model.end(set_.table, model.path(set_.table, (relation,)))


def _spellable(names: tuple[str, ...]) -> Iterator[str]:
    return (name for name in names if _IDENTIFIER.match(name))


def _property(attribute: Attribute, *, is_key: bool) -> Document:
    made: Document = {} if is_key else {"$Nullable": True}
    kind = attribute.type
    if kind is None:
        made |= {"$Type": "Edm.Untyped"} | ({"$Collection": True} if attribute.sql_type.endswith("[]") else {})
    elif kind.kind == "decimal":
        made |= {"$Type": "Edm.Decimal", "$Precision": kind.precision, "$Scale": kind.scale}
    else:
        made["$Type"] = _EDM[kind.kind]
        if kind.kind in ("datetime", "time"):
            made["$Precision"] = 6
    return made


def _alternate(names: tuple[str, ...]) -> Document:
    """As Org.OData.Core.V1 describes keys beside the key."""
    return {"Key": [{"Name": {"$PropertyPath": name}, "Alias": name} for name in names]}
