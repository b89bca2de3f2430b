"""CSDL JSON spelt as CSDL XML.

Values of annotations that XML tells apart and JSON does not are marked in the document, and JSON drops the marks:
`{"$Enum": "Capabilities.ConformanceLevelType/Intermediate"}` and `{"$PropertyPath": "Name"}`.
"""

from collections.abc import Iterator, Mapping
from typing import Any
from xml.sax.saxutils import escape, quoteattr

EDMX = "http://docs.oasis-open.org/odata/ns/edmx"
EDM = "http://docs.oasis-open.org/odata/ns/edm"


def xml_text(document: Mapping[str, Any]) -> str:
    """The document as XML, version 4.0: nothing in it is newer."""
    return "\n".join(_lines(document)) + "\n"


def without_marks(value: Any) -> Any:
    """The document as JSON has it."""
    if isinstance(value, dict):
        if set(value) == {"$Enum"}:
            return value["$Enum"].partition("/")[2]
        if set(value) == {"$PropertyPath"}:
            return value["$PropertyPath"]
        return {name: without_marks(inner) for name, inner in value.items()}
    return [without_marks(inner) for inner in value] if isinstance(value, list) else value


def _lines(document: Mapping[str, Any]) -> Iterator[str]:
    yield '<?xml version="1.0" encoding="utf-8"?>'
    yield f'<edmx:Edmx Version="4.0" xmlns:edmx="{EDMX}">'
    for uri, reference in document["$Reference"].items():
        yield f"  <edmx:Reference Uri={quoteattr(uri)}>"
        for include in reference["$Include"]:
            names = f"Namespace={quoteattr(include['$Namespace'])} Alias={quoteattr(include['$Alias'])}"
            yield f"    <edmx:Include {names}/>"
        yield "  </edmx:Reference>"
    yield "  <edmx:DataServices>"
    for namespace, schema in _members(document):
        yield f'    <Schema Namespace={quoteattr(namespace)} xmlns="{EDM}">'
        for name, element in schema.items():
            yield from _container(name, element) if element["$Kind"] == "EntityContainer" else _type(name, element)
        yield "    </Schema>"
    yield "  </edmx:DataServices>"
    yield "</edmx:Edmx>"


def _members(element: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in element.items() if name[0] not in "$@")


def _type(name: str, element: Mapping[str, Any]) -> Iterator[str]:
    is_open = ' OpenType="true"' if element.get("$OpenType") else ""
    yield f"      <EntityType Name={quoteattr(name)}{is_open}>"
    if keys := element.get("$Key"):
        yield f"        <Key>{''.join(f'<PropertyRef Name={quoteattr(key)}/>' for key in keys)}</Key>"
    for inner, member in _members(element):
        is_relation = member.get("$Kind") == "NavigationProperty"
        kind = f"Collection({member['$Type']})" if member.get("$Collection") else member["$Type"]
        nullable = "" if member.get("$Nullable") or (is_relation and member.get("$Collection")) else ' Nullable="false"'
        facets = "".join(
            f' {facet}="{member[f"${facet}"]}"' for facet in ("Precision", "Scale") if f"${facet}" in member
        )
        element_name = "NavigationProperty" if is_relation else "Property"
        yield f"        <{element_name} Name={quoteattr(inner)} Type={quoteattr(kind)}{nullable}{facets}/>"
    yield from _annotations(element, 8)
    yield "      </EntityType>"


def _container(name: str, element: Mapping[str, Any]) -> Iterator[str]:
    yield f"      <EntityContainer Name={quoteattr(name)}>"
    for inner, member in _members(element):
        yield f"        <EntitySet Name={quoteattr(inner)} EntityType={quoteattr(member['$Type'])}>"
        for path, target in member.get("$NavigationPropertyBinding", {}).items():
            yield f"          <NavigationPropertyBinding Path={quoteattr(path)} Target={quoteattr(target)}/>"
        yield from _annotations(member, 10)
        yield "        </EntitySet>"
    yield from _annotations(element, 8)
    yield "      </EntityContainer>"


def _annotations(element: Mapping[str, Any], indent: int) -> Iterator[str]:
    for name, value in element.items():
        if name.startswith("@"):
            yield f"{' ' * indent}{_valued(f'Annotation Term={quoteattr(name[1:])}', 'Annotation', value)}"


def _valued(head: str, tag: str, value: Any) -> str:
    """An element with a constant as its attribute, or a collection or record inside it."""
    if isinstance(value, list):
        return f"<{head}><Collection>{''.join(map(_item, value))}</Collection></{tag}>"
    if isinstance(value, dict) and not _marked(value):
        return f"<{head}>{_record(value)}</{tag}>"
    kind, text = _constant(value)
    return f"<{head} {kind}={quoteattr(text)}/>"


def _item(value: Any) -> str:
    if isinstance(value, dict) and not _marked(value):
        return _record(value)
    kind, text = _constant(value)
    return f"<{kind}>{escape(text)}</{kind}>"


def _record(value: Mapping[str, Any]) -> str:
    inner = "".join(_valued(f"PropertyValue Property={quoteattr(n)}", "PropertyValue", v) for n, v in value.items())
    return f"<Record>{inner}</Record>"


def _marked(value: Mapping[str, Any]) -> bool:
    return set(value) in ({"$Enum"}, {"$PropertyPath"})


def _constant(value: Any) -> tuple[str, str]:
    if isinstance(value, dict):
        return ("EnumMember", value["$Enum"]) if "$Enum" in value else ("PropertyPath", value["$PropertyPath"])
    if isinstance(value, bool):
        return "Bool", str(value).lower()
    return ("Int", str(value)) if isinstance(value, int) else ("String", str(value))
