"""Paths: names to attributes, relations and rows, and what is asked of many rows at their end.

    Name                       an attribute of the row, or a measure of the customer
    Relation/Name              of the one row that a relation leads to
    Relations/any(x:…)         one of many rows; all, $count, $filter(…) and aggregate(…) likewise

Inside any and all, names without the variable speak of the row outside, as OData says; inside $filter(…), $count(…) and
aggregate(…) they speak of each of the many rows. `$it` is always a row of the table that the question is about.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, NoReturn

from segments.odata.binding.errors import cut, fail, unanswered
from segments.odata.binding.values import NULL, Value, truth
from segments.odata.syntax import ast
from segments.odata.syntax.ast_options import AggregateItem, Filter
from segments.odata.syntax.functions import KNOWN
from segments.predicates import tree as p
from segments.predicates.fields import DOUBLE, INTEGER, Type
from unify.core.errors import QueryError, did_you_mean

if TYPE_CHECKING:
    from segments.odata.binding.expressions import Binder

METHODS: Final = {
    "sum": "sum", "min": "min", "max": "max", "average": "avg", "countdistinct": "count_distinct",
}  # fmt: skip
"""Aggregation methods of OData as aggregates of the tree."""


@dataclass(frozen=True, slots=True)
class Sight:
    """The rows in sight.

    tables     of the rows, outermost first; the last is the innermost
    here       the row that bare names speak of
    variables  of any and all: name → row
    """

    tables: tuple[str, ...]
    here: int = 0
    variables: Mapping[str, int] = field(default_factory=dict)

    def up(self, row: int) -> int:
        """How far out a row is."""
        return len(self.tables) - 1 - row

    def over(self, table: str, variable: str = "") -> "Sight":
        """With a related row; a variable names it, else bare names speak of it."""
        row = len(self.tables)
        if variable:
            return Sight((*self.tables, table), self.here, {**self.variables, variable: row})
        return Sight((*self.tables, table), row, self.variables)


@dataclass(frozen=True, slots=True)
class Walk:
    """How far a path has been followed: from a row, through relations, to a table; `kept` are its $filter(…)."""

    row: int
    table: str
    path: tuple[str, ...] = ()
    many: bool = False
    kept: tuple[ast.Expression, ...] = ()
    spelt: str = ""


def bind_path(binder: "Binder", node: ast.Path, sight: Sight) -> Value:
    """What a path stands for; one that ends at a row gives a Value with `row`."""
    first, *rest = node.segments
    match first:
        case ast.Alias():
            if rest:
                fail(rest[0].at, f"nothing is below @{first.name}", "a parameter alias stands for a value")
            return binder.alias(first, sight)
        case ast.Annotation():
            fail(node.at, f"there are no annotations, so no @{cut(first.term)}")
        case ast.Variable(name="$root" | "$these"):
            hint = "two questions: ask for the value first" if first.name == "$root" else "$apply aggregates all rows"
            unanswered(node.at, f"{first.name} is not answered: a question is about one row at a time", hint)
        case ast.Variable():
            return _follow(binder, Walk(0 if first.name == "$it" else sight.here, ""), rest, sight, first)
        case ast.Name() if first.text in sight.variables:
            return _follow(binder, Walk(sight.variables[first.text], ""), rest, sight, first)
        case ast.Name():
            if not rest and sight.here == 0 and first.text in binder.computed:
                return binder.computed_value(first, sight)
            return _follow(binder, Walk(sight.here, ""), list(node.segments), sight, first)
    return fail(node.at, "this is no path to an attribute")


def _follow(binder: "Binder", start: Walk, segments: list[ast.Segment], sight: Sight, first: ast.Segment) -> Value:
    walk = replace(start, table=sight.tables[start.row])
    if (grouped := _grouped(binder, walk, segments, sight, first.at)) is not None:
        return grouped
    for i, segment in enumerate(segments):
        rest = segments[i + 1 :]
        match segment:
            case ast.Name():
                if rest and isinstance(rest[0], ast.Arguments):
                    _arguments(binder, walk, segment)
                steps = _relation(binder, walk.table, segment.text)
                attribute = not rest and _has_attribute(binder, walk.table, segment.text)
                if steps is None or attribute:
                    return _attribute(binder, walk, segment, rest, sight)
                model = binder.model
                walk = replace(
                    walk,
                    table=model.end(walk.table, steps),
                    path=(*walk.path, *steps),
                    many=walk.many or any(s.many or s.through for s in model.catalog.path(walk.table, steps)),
                    spelt=f"{walk.spelt}/{segment.text}".lstrip("/"),
                )
            case ast.Lambda():
                _needs_many(walk, segment.quantifier, segment.at)
                return _lambda(binder, walk, segment, sight)
            case ast.Count():
                _needs_many(walk, "$count", segment.at)
                return _count(binder, walk, segment, sight)
            case ast.Aggregated():
                _needs_many(walk, "aggregate", segment.at)
                return _aggregate(binder, walk, segment.item, segment.at, sight)
            case ast.Filtered():
                _needs_many(walk, "$filter", segment.at)
                walk = replace(walk, kept=(*walk.kept, segment.predicate))
            case ast.Annotation():
                fail(segment.at, f"there are no annotations, so no @{cut(segment.term)}")
            case ast.Arguments():
                fail(segment.at, "keys do not stand in expressions", "write Relation/any(x:x/Key eq …)")
            case _:
                fail(segment.at, "nothing of that kind stands in an expression", "an attribute, any(…) or $count")
    at = first.at
    if walk.many:
        _many(walk, at)
    found = p.Exists(walk.path, p.TRUE, sight.up(walk.row)) if walk.path else p.TRUE
    return Value(found, None, at, nullable=False, row=True)


def _grouped(binder: "Binder", walk: Walk, segments: list[ast.Segment], sight: Sight, at: int) -> Value | None:
    """`Product/Name` where $apply has grouped by it: one column of that name."""
    names = [s.text for s in segments if isinstance(s, ast.Name)]
    whole = "/".join(names)
    if len(names) < 2 or len(names) < len(segments):
        return None
    if walk.row == 0 and whole in binder.computed:
        return binder.computed_value(ast.Name(whole, at), sight)
    found = binder.model.catalog.tables[walk.table].attributes.get(whole)
    return Value(p.Field(whole, (), sight.up(walk.row)), found.type, at) if found else None


def _relation(binder: "Binder", table: str, name: str) -> tuple[str, ...] | None:
    model = binder.model
    return (name,) if (table, name) in model.catalog.relations else model.shortcuts.get((table, name))


def _has_attribute(binder: "Binder", table: str, name: str) -> bool:
    return name in binder.model.catalog.tables[table].attributes


def _attribute(binder: "Binder", walk: Walk, segment: ast.Name, rest: list[ast.Segment], sight: Sight) -> Value:
    try:
        more, found, kind = binder.model.attribute(walk.table, segment.text)
    except QueryError as error:
        if segment.text in binder.model.catalog.tables[walk.table].attributes:
            fail(segment.at, error.message, error.hint)  # a list or a struct
        _unknown(binder, walk, segment, sight, rest)
    if rest:
        what = "annotation" if isinstance(rest[0], ast.Annotation) else "further path"
        fail(rest[0].at, f"{cut(segment.text)} is a {kind.name}, with no {what} below it")
    if walk.many:
        _many(walk, segment.at, segment.text)
    return Value(p.Field(found.name, (*walk.path, *more), sight.up(walk.row)), kind, segment.at)


def _unknown(binder: "Binder", walk: Walk, segment: ast.Name, sight: Sight, rest: list[ast.Segment]) -> NoReturn:
    name, model = segment.text, binder.model
    if "." in name:
        fail(segment.at, f"{walk.table} has no {cut(name)!r}", "there are no derived types and no functions")
    for variable, row in sight.variables.items():
        if not walk.path and row != walk.row and _has_attribute(binder, sight.tables[row], name):
            hint = f"write {variable}/{name}: bare names speak of {walk.table}"
            fail(segment.at, f"{walk.table} has no attribute {cut(name)!r}", hint)
    known = binder.names(walk.table)
    if not walk.path:
        known = [*known, *sight.variables, *(binder.computed if walk.row == 0 else ())]
    relation = rest and isinstance(rest[0], ast.Name | ast.Lambda | ast.Count | ast.Filtered | ast.Aggregated)
    if relation:
        known = [*model.relations(walk.table), *(() if walk.path else sight.variables)]
    what = "relation" if relation else "attribute"
    message, hint = f"{walk.table} has no {what} {cut(name)!r}", did_you_mean(name, known)
    if not (relation or rest or walk.path or hint.startswith("did")):
        hint = f"a text stands in quotes: '{cut(name)}'; {hint}"
    fail(segment.at, message, hint)


def _arguments(binder: "Binder", walk: Walk, segment: ast.Name) -> NoReturn:
    """Parentheses that the parser took for a key: a misspelt function, or a key that no expression takes."""
    name = segment.text
    if _relation(binder, walk.table, name) is not None:
        fail(segment.at, f"a key behind {name} does not stand in an expression", f"write {name}/any(x:x/Key eq …)")
    if "." in name:
        fail(segment.at, f"there is no function {cut(name)!r}", "the model has no functions of its own")
    fail(segment.at, f"there is no function {cut(name)!r}", did_you_mean(name, KNOWN))


def _many(walk: Walk, at: int, name: str = "") -> NoReturn:
    example = f"{walk.spelt}/any(x:x/{name or 'Attribute'} eq …)"
    aggregate = f"{walk.spelt}/aggregate({name} with max)" if name else f"{walk.spelt}/$count"
    fail(at, f"{walk.spelt} leads from one row to many", f"write {example} or {aggregate}")


def _needs_many(walk: Walk, what: str, at: int) -> None:
    if not walk.path:
        fail(at, f"{what} needs a relation in front", f"as in UnifiedActivity/{what}")
    if not walk.many:
        hint = f"read its attributes, as in {walk.spelt}/Name, or compare it with null"
        fail(at, f"{walk.spelt} leads to one row, so {what} has nothing to choose from", hint)


# ── many rows ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _kept(binder: "Binder", walk: Walk, sight: Sight) -> list[p.Expr]:
    """The conditions of $filter(…), with bare names speaking of each of the many rows."""
    return [binder.truth(c, sight.over(walk.table), exact=False).expr for c in walk.kept]


def _all_of(parts: list[p.Expr]) -> p.Expr:
    return p.TRUE if not parts else parts[0] if len(parts) == 1 else p.And(tuple(parts))


def _lambda(binder: "Binder", walk: Walk, node: ast.Lambda, sight: Sight) -> Value:
    parts = _kept(binder, walk, sight)
    if node.predicate is not None:
        inner = sight.over(walk.table, node.variable or "")
        asked = binder.truth(node.predicate, inner, exact=False).expr
        parts.append(asked if node.quantifier == "any" else p.Not(p.Call("is_true", (asked,))))
    found = p.Exists(walk.path, _all_of(parts), sight.up(walk.row))
    return truth(found if node.quantifier == "any" else p.Not(found), node.at, nullable=False)


def _count(binder: "Binder", walk: Walk, node: ast.Count, sight: Sight) -> Value:
    conditions = list(walk.kept)
    for option in node.options:
        if not isinstance(option, Filter):
            fail(option.at or node.at, "$search does not stand in an expression", "write contains(…) in $filter")
        conditions.append(option.predicate)
    where = _all_of(_kept(binder, replace(walk, kept=tuple(conditions)), sight))
    found = p.Aggregate("count", walk.path, None, where, sight.up(walk.row))
    return Value(found, INTEGER, node.at, nullable=False)


def _aggregate(binder: "Binder", walk: Walk, item: AggregateItem, at: int, sight: Sight) -> Value:
    if item.steps:
        fail(item.steps[0].at, "from does not stand in an expression", "$apply takes it")
    segments = item.expression.segments if isinstance(item.expression, ast.Path) else ()
    if len(segments) == 1 and isinstance(segments[0], ast.Count):
        return _count(binder, walk, ast.Count((), at), sight)
    if item.method not in METHODS:
        hint = did_you_mean(item.method, METHODS) if item.method else "as in aggregate(Amount with sum)"
        fail(item.at, f"there is no aggregation {cut(item.method)!r}" if item.method else "it has no method", hint)
    value = binder.value(item.expression, sight.over(walk.table))
    function = METHODS[item.method]
    kind = aggregated_type(function, value, item.method)
    where = _all_of(_kept(binder, walk, sight))
    taken = value.expr if value.type else NULL
    found = p.Aggregate(function, walk.path, taken, where, sight.up(walk.row))
    return Value(found, kind, at, nullable=function != "count_distinct")


def aggregated_type(function: str, value: Value, method: str) -> Type:
    """The type of an aggregate; BindError for one that its value does not have."""
    if value.type is None:
        fail(value.at, f"{method} of null says nothing", "name an attribute")
    if function == "count_distinct":
        return INTEGER
    if function in ("min", "max"):
        return value.type
    if not value.type.is_number:
        fail(value.at, f"{method} needs numbers; {value.named}", "min, max and countdistinct take any type")
    if function == "avg":
        return DOUBLE
    return Type("decimal", 38, value.type.scale) if value.type.kind == "decimal" else value.type
