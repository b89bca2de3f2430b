"""`$metadata`: the model as CSDL XML, OData 4.0: entity types with properties, keys and navigation, one container.

Names that OData cannot spell (a column called `First name`) are left out of the types; rows carry them all the same.
"""

import re
from collections.abc import Iterator
from xml.sax.saxutils import quoteattr

from segments.model import Model
from segments.odata.answers.entity_sets import EntitySet, alternate_keys, entity_sets
from segments.odata.syntax.lexer import NAME
from segments.predicates.fields import Attribute

NAMESPACE = "Unify"
CONTAINER = "Instance"
_IDENTIFIER = re.compile(rf"{NAME}\Z")
_EDM = {
    "boolean": "Edm.Boolean", "integer": "Edm.Int64", "double": "Edm.Double", "string": "Edm.String",
    "date": "Edm.Date", "datetime": "Edm.DateTimeOffset", "time": "Edm.TimeOfDay", "duration": "Edm.Duration",
    "guid": "Edm.Guid",
}  # fmt: skip


def csdl(model: Model) -> str:
    """The document for a public model."""
    return "\n".join(_lines(model)) + "\n"


def _lines(model: Model) -> Iterator[str]:
    sets = entity_sets(model)
    yield '<?xml version="1.0" encoding="utf-8"?>'
    yield '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">'
    yield "  <edmx:DataServices>"
    yield f'    <Schema Namespace="{NAMESPACE}" xmlns="http://docs.oasis-open.org/odata/ns/edm">'
    for set_ in sets.values():
        yield from _entity_type(model, set_)
    yield f'      <EntityContainer Name="{CONTAINER}">'
    for name, set_ in sets.items():
        yield f"        <EntitySet Name={quoteattr(name)} EntityType={quoteattr(f'{NAMESPACE}.{name}')}>"
        for relation in _spellable(set_.relations):
            target = _target(model, set_, relation)
            yield (f"          <NavigationPropertyBinding Path={quoteattr(relation)} Target={quoteattr(target)}/>")
        yield "        </EntitySet>"
    yield "      </EntityContainer>"
    yield "    </Schema>"
    yield "  </edmx:DataServices>"
    yield "</edmx:Edmx>"


def _entity_type(model: Model, set_: EntitySet) -> Iterator[str]:
    yield f"      <EntityType Name={quoteattr(set_.table)}>"
    if set_.key:
        yield f"        <Key><PropertyRef Name={quoteattr(set_.key)}/></Key>"
    for name in _spellable(tuple(set_.attributes)):
        yield f"        {_property(set_.attributes[name], is_key=name == set_.key)}"
    for name in _spellable(set_.relations):
        if name in set_.attributes:
            continue  # a type has a name once; the attribute is read, the relation expanded
        path = model.path(set_.table, (name,))
        target = f"{NAMESPACE}.{_target(model, set_, name)}"
        kind = f"Collection({target})" if model.is_many(set_.table, path) else target
        yield f"        <NavigationProperty Name={quoteattr(name)} Type={quoteattr(kind)}/>"
    for names in alternate_keys(model, set_):
        if all(n in set_.attributes for n in names):
            yield from _alternate(names)
    yield "      </EntityType>"


def _target(model: Model, set_: EntitySet, relation: str) -> str:
    return model.end(set_.table, model.path(set_.table, (relation,)))


def _spellable(names: tuple[str, ...]) -> Iterator[str]:
    return (name for name in names if _IDENTIFIER.match(name))


def _property(attribute: Attribute, *, is_key: bool) -> str:
    facets = ' Nullable="false"' if is_key else ""
    kind = attribute.type
    if kind is None:
        collection = attribute.sql_type.endswith("[]")
        edm = "Collection(Edm.Untyped)" if collection else "Edm.Untyped"
    elif kind.kind == "decimal":
        edm, facets = "Edm.Decimal", f'{facets} Precision="{kind.precision}" Scale="{kind.scale}"'
    else:
        edm = _EDM[kind.kind]
        if kind.kind in ("datetime", "time"):
            facets += ' Precision="6"'
    return f"<Property Name={quoteattr(attribute.name)} Type={quoteattr(edm)}{facets}/>"


def _alternate(names: tuple[str, ...]) -> Iterator[str]:
    """As Org.OData.Core.V1 describes keys beside the key."""
    yield '        <Annotation Term="Org.OData.Core.V1.AlternateKeys"><Collection>'
    yield '          <Record><PropertyValue Property="Key"><Collection>'
    for name in names:
        value = quoteattr(name)
        yield (
            f'            <Record><PropertyValue Property="Name" PropertyPath={value}/>'
            f'<PropertyValue Property="Alias" String={value}/></Record>'
        )
    yield "          </Collection></PropertyValue></Record>"
    yield "        </Collection></Annotation>"
