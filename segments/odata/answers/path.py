"""A resource path walked: which set, which of its rows, and what of them.

    Customer('…')/UnifiedActivity('…')/Title/$value
    └ set, key     └ relation, key      └ property └ tail

Every step from a row to related rows reads the one value that leads there, so that the last table is asked for rows of
known values.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from segments.odata.answers.entity_sets import (
    ByRecord,
    EntitySet,
    Found,
    entity_set,
    find_set,
    key_of,
    members_set,
    retired_ids,
)
from segments.odata.answers.ground import Ground, bindable
from segments.odata.answers.links import links
from segments.odata.answers.rows import EVERYTHING, Narrowed, column_of
from segments.odata.errors import ODataUnsupportedError
from segments.odata.syntax import ast
from segments.odata.syntax.ast import Arguments, Count, Expression, Filtered, KeyText, Literal, Name, Path, System
from segments.predicates import tree as p
from segments.relationships import CUSTOMER
from unify.core.errors import NotFoundError, QueryError, did_you_mean
from unify.core.steps import Query


@dataclass(frozen=True)
class Place:
    """Where a path leads.

    single     one row at most
    narrowed   which rows
    words      the row in words, for what is not there
    property   a name behind it, or ""
    tail       "$count", "$value", "$ref" or ""
    must_be    False: a to-one relation that may lead nowhere
    """

    set: EntitySet
    single: bool = False
    narrowed: Narrowed = EVERYTHING
    words: str = ""
    property: str = ""
    tail: str = ""
    must_be: bool = True

    def also(self, predicate: p.Expr) -> "Place":
        """Fewer rows."""
        return replace(self, narrowed=replace(self.narrowed, predicates=(*self.narrowed.predicates, predicate)))


def place_of(ground: Ground, path: Path) -> Place:
    """The place; NotFoundError for names and keys that are not there, QueryError for steps that lead nowhere."""
    first, *rest = path.segments
    if not isinstance(first, Name):
        raise ODataUnsupportedError(f"{_spelt(first)} is not answered here", where="path", hint="name an entity set")
    place = _first(ground, first.text)
    for segment in rest:
        if place.tail:
            raise QueryError(f"nothing may follow {place.tail}", where="path", hint="cut it off")
        place = _step(ground, place, segment)
    return place


def _first(ground: Ground, name: str) -> Place:
    segment = ground.segments.get(name)
    if segment is None:
        return Place(find_set(ground.public, name, also=ground.segments))
    return Place(members_set(ground.public, name)).also(p.MemberOf(segment))


def _step(ground: Ground, place: Place, segment: ast.Segment) -> Place:
    match segment:
        case Arguments():
            return _keyed(ground, place, _values(ground, segment))
        case KeyText(text=text):
            return _keyed(ground, place, {"": text})
        case Count():
            return _tail(place, "$count", place.single, "one row is not counted")
        case System(name="$value"):
            return _tail(place, "$value", not place.property, "$value is that of a property")
        case System(name="$ref"):
            return _tail(place, "$ref", bool(place.property), "a property has no reference")
        case Filtered(predicate=predicate):
            if place.single or place.property:
                raise QueryError("$filter(…) narrows a set", where="path", hint="leave it out")
            return place.also(ground.condition(predicate, place.set.table, {}, "path"))
        case Name(text=name):
            return _named(ground, place, name)
    raise ODataUnsupportedError(f"{_spelt(segment)} is not answered here", where="path", hint="docs/odata.md")


def _tail(place: Place, tail: str, wrong: bool, why: str) -> Place:
    if wrong:
        raise QueryError(f"{tail} cannot stand there: {why}", where="path", hint="cut it off")
    return replace(place, tail=tail)


def _spelt(segment: ast.Segment) -> str:
    return getattr(segment, "name", "") or f"a {type(segment).__name__}"


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _values(ground: Ground, arguments: Arguments) -> dict[str, object]:
    if not arguments.items:
        raise QueryError("the key is empty", where="path", hint="as in Customer('…')")
    return {item.name or "": _value(ground, item.value) for item in arguments.items}


def _value(ground: Ground, expression: Expression) -> object:
    for _ in range(len(ground.aliases) + 1):
        match expression:
            case Literal(kind=kind, value=value):
                if kind == "null":
                    raise QueryError("a key is never null", where="path", hint="write the value of the key")
                return value
            case Path(segments=(ast.Alias(name=name),)):
                if name not in ground.aliases:
                    hint = f"add &@{name}=… to the question"
                    raise QueryError(f"@{name} has no value", where="path", hint=hint)
                expression = ground.aliases[name]
            case _:
                break
    raise QueryError("a key is a single value", where="path", hint="as in Customer('…')")


def _keyed(ground: Ground, place: Place, values: Mapping[str, object]) -> Place:
    if place.single or place.property:
        raise QueryError("the key stands behind one row already", where="path", hint="leave it out")
    key = key_of(ground.public, place.set, values)
    if isinstance(key, ByRecord):
        key = _by_record(ground, key)
    elif place.set.table == CUSTOMER:
        key = _current(ground, key)
    words = f"{place.set.name} with {key.words}"
    return replace(place.also(key.predicate), single=True, words=words, must_be=True)


def _by_record(ground: Ground, key: ByRecord) -> Found:
    sql = 'SELECT "CustomerId" FROM members WHERE "entity" = $entity AND "key" = $key'
    rows = ground.engine.fetch(Query(sql, {"entity": key.entity, "key": key.key})).column(0).to_pylist()
    if not rows:
        raise NotFoundError(f"no customer has the record {key.entity}:{key.key}", where="path", hint="check the key")
    literal = p.literal(rows[0])
    return Found(p.Compare("eq", p.Field("CustomerId"), literal), f"CustomerId {rows[0]!r}")


def _current(ground: Ground, key: Found) -> Found:
    """The customer that a retired id resolves to; NotFoundError when the customer went with its records."""
    match key.predicate:
        case p.Compare(left=p.Field(name="CustomerId"), right=p.Literal(value=str(id_))):
            pass
        case _:
            return key
    try:
        ground.engine.columns("customer_ids")
    except KeyError:
        return key
    sql, params = retired_ids(id_)
    for row in ground.engine.fetch(Query(sql, params)).to_pylist():
        if row["successor"] is None:
            message = f"customer {id_} was retired in run {row['retired_run']} and has no successor"
            raise NotFoundError(message, where="path", hint="its records are gone")
        return Found(p.Compare("eq", p.Field("CustomerId"), p.literal(row["successor"])), key.words)
    return key


# ── names ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _named(ground: Ground, place: Place, name: str) -> Place:
    if place.property:
        raise QueryError(f"{place.property} has no parts", where="path", hint=f"cut off /{name}")
    if name in place.set.relations:
        if not place.single:
            hint = f"write {place.set.table}('…')/{name}, or {place.set.table}?$expand={name}"
            raise QueryError(f"{name} belongs to one row of {place.set.table}", where="path", hint=hint)
        return _related(ground, place, name)
    if not place.single:
        known = [*place.set.relations, *place.set.attributes]
        hint = did_you_mean(name, known) if name not in known else f"write {place.set.table}('…')/{name}"
        raise QueryError(f"a set has no {name!r}; its rows have", where="path", hint=hint)
    if name not in place.set.attributes:
        try:
            ground.public.attribute(place.set.table, name, "path")
        except QueryError:
            hint = did_you_mean(name, [*place.set.attributes, *place.set.relations])
            raise NotFoundError(f"{place.set.table} has no {name!r}", where="path", hint=hint) from None
    return replace(place, property=name)


def _related(ground: Ground, place: Place, name: str) -> Place:
    table = place.set.table
    path = ground.public.path(table, (name,), "path")
    steps = ground.model.catalog.path(table, path)
    start = steps[0].from_column
    values = column_of(ground, place.set, start, place.narrowed)
    if not values:
        raise NotFoundError(f"there is no {place.words}", where="path", hint="check the key")
    end = entity_set(ground.public, steps[-1].to_table)
    many = ground.public.is_many(table, path)
    made = Place(end, single=not many, words=f"{name} of {place.words}", must_be=False)
    if len(steps) == 1 and not (steps[0].through or steps[0].record_of):
        literal = _literal(ground, end.table, steps[0].to_column, values[0])
        if literal is not None:
            return made.also(p.Compare("eq", p.Field(steps[0].to_column), literal))
    sql_type = ground.sql_type(table, start)
    found = links(steps, f"(SELECT CAST($start AS {sql_type}) AS link)", {"start": bindable(values[0])})
    return replace(made, narrowed=Narrowed((), found))


def _literal(ground: Ground, table: str, column: str, value: Any) -> p.Literal | None:
    """The value as the column's type holds it: with a plain value DuckDB reads the one row group that has it."""
    kind = ground.model.catalog.tables[table].attributes[column].type
    if kind is None or value is None:
        return None
    try:
        return p.Literal(kind, value)
    except QueryError:
        return None
