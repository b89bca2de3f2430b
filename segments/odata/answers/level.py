"""Options of one level, top or nested, as what is to be read: columns, condition, order, expansions.

Every option is either part of the Level or refused; nothing is passed over.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from segments.odata.answers.entity_sets import EntitySet, entity_set
from segments.odata.answers.ground import Ground
from segments.odata.answers.search_words import search_predicate
from segments.odata.errors import ODataUnsupportedError
from segments.odata.syntax import ast_options as o
from segments.odata.syntax.ast import Expression
from segments.predicates import tree as p
from segments.predicates.fields import Type
from unify.core.errors import QueryError, did_you_mean

OF_COLLECTION = frozenset((
    "$filter", "IsMemberOfSegment", "$search", "$orderby", "$top", "$skip", "$count", "$select", "$expand", "$compute",
    "$format", "$skiptoken",
))  # fmt: skip
OF_REFERENCES = OF_COLLECTION - {"$select", "$expand", "$compute"}
OF_ENTITY = frozenset(("$select", "$expand", "$compute", "$format"))
OF_COUNT = frozenset(("$filter", "IsMemberOfSegment", "$search"))
OF_PROPERTY = frozenset(("$format",))
NAMES = {
    o.Filter: "$filter", o.Membership: "IsMemberOfSegment", o.Search: "$search", o.OrderBy: "$orderby", o.Top: "$top",
    o.Skip: "$skip", o.CountOption: "$count", o.Select: "$select", o.Expand: "$expand", o.Compute: "$compute",
    o.Apply: "$apply", o.Index: "$index", o.Levels: "$levels",
}  # fmt: skip
UNSUPPORTED = frozenset(("$index", "$deltatoken", "$id"))
EVERYWHERE = "$schemaversion"
"""Taken by every resource; `answer` has looked at it."""
MOST_LEVELS = 10
"""Of $levels: every level may multiply the rows."""


@dataclass(frozen=True)
class Column:
    """One property of a row. `expr` is None for what no expression reads: a list, a struct."""

    name: str
    kind: Type | None
    expr: p.Expr | None


@dataclass(frozen=True)
class Expansion:
    """Related rows at every row.

    path     relations that lead there
    many     a list of rows, else one or null
    level    what is read of them
    tail     "", "$ref" or "$count"
    options  as they were written, for next links
    """

    name: str
    path: tuple[str, ...]
    many: bool
    level: "Level"
    tail: str
    options: tuple[o.Option, ...]


@dataclass(frozen=True)
class Level:
    """What is read of one set. `said`: the selected names, None for all; for the context of an answer."""

    set: EntitySet
    columns: tuple[Column, ...]
    condition: p.Expr | None = None
    order: tuple[tuple[p.Expr, bool], ...] = ()
    top: int | None = None
    skip: int = 0
    count: bool = False
    expansions: tuple[Expansion, ...] = ()
    said: tuple[str, ...] | None = None


@dataclass
class _Options:
    """The options of a level by kind."""

    all: Sequence[o.Option]
    found: dict[type, o.Option] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for option in self.all:
            self.found.setdefault(type(option), option)

    def one(self, kind: type[o.OneKind]) -> o.OneKind | None:
        found = self.found.get(kind)
        return found if isinstance(found, kind) else None


def option_names(options: Sequence[o.Option]) -> list[str]:
    """What the options are called; aliases and custom ones left out."""
    return [
        option.name if isinstance(option, o.Text) else NAMES[type(option)]
        for option in options
        if not isinstance(option, o.AliasValue | o.Custom)
    ]


def check_options(options: Sequence[o.Option], allowed: frozenset[str], what: str) -> None:
    """QueryError for an option that this resource does not take."""
    for name in option_names(options):
        if name == EVERYWHERE:
            continue
        if name in UNSUPPORTED and name not in allowed:
            raise ODataUnsupportedError(f"{name} is not answered here", where=name, hint="docs/odata.md lists what is")
        if name not in allowed:
            hint = f"it takes {', '.join(sorted(allowed))}" if allowed else "leave it out"
            raise QueryError(f"{what} takes no {name}", where=name, hint=hint)


def read_level(
    ground: Ground,
    set_: EntitySet,
    options: Sequence[o.Option],
    *,
    predicate: Expression | None = None,
    part: str = "",
) -> Level:
    """The level that options say. `predicate`: $filter and what narrows it. QueryError for what cannot be."""
    given = _Options(options)
    computed = _computed(ground, set_, given.one(o.Compute), part)
    terms: list[p.Expr] = []
    if predicate is not None:
        terms.append(ground.condition(predicate, set_.table, computed, f"{part}$filter"))
    if search := given.one(o.Search):
        terms.append(search_predicate(search.term, set_))
    orderby, top, skip, count = given.one(o.OrderBy), given.one(o.Top), given.one(o.Skip), given.one(o.CountOption)
    expansions = _expansions(ground, set_, given.one(o.Expand), part)
    columns, said = _columns(ground, set_, given.one(o.Select), computed, [e.name for e in expansions], part)
    return Level(
        set=set_,
        columns=columns,
        condition=None if not terms else terms[0] if len(terms) == 1 else p.And(tuple(terms)),
        order=tuple(
            (ground.value(item.key, set_.table, computed, f"{part}$orderby"), item.descending)
            for item in (orderby.items if orderby else ())
        ),
        top=top.count if top else None,
        skip=skip.count if skip else 0,
        count=bool(count and count.wanted),
        expansions=expansions,
        said=said,
    )


def _computed(ground: Ground, set_: EntitySet, compute: o.Compute | None, part: str) -> dict[str, p.Expr]:
    found: dict[str, p.Expr] = {}
    for item in compute.items if compute else ():
        if item.alias in set_.attributes or item.alias in found or item.alias in set_.relations:
            hint = "give the computed property a name of its own"
            raise QueryError(f"{set_.table} has {item.alias!r} already", where=f"{part}$compute", hint=hint)
        found[item.alias] = ground.value(item.expression, set_.table, found, f"{part}$compute")
    return found


# ── $select ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _columns(
    ground: Ground,
    set_: EntitySet,
    select: o.Select | None,
    computed: Mapping[str, p.Expr],
    expanded: Sequence[str],
    part: str,
) -> tuple[tuple[Column, ...], tuple[str, ...] | None]:
    every = [*set_.attributes, *computed]
    names: dict[str, None] = {}
    for item in select.items if select else ():
        name = _selected(set_, item, expanded, part)
        names.update(dict.fromkeys(every if name == "*" else [name] if name else []))
    chosen = every if select is None else list(names)
    columns = tuple(_column(ground, set_, name, computed, f"{part}$select") for name in chosen)
    stars = select is None or any(item.names == ("*",) for item in select.items)
    return columns, None if stars else tuple(chosen)


def _selected(set_: EntitySet, item: o.SelectItem, expanded: Sequence[str], part: str) -> str:
    """The attribute an item names, `*`, or "" for a relation that is expanded anyway."""
    where = f"{part}$select"
    name = item.names[0]
    if len(item.names) > 1:
        hint = f"expand it: $expand={name}($select={item.names[1]})"
        raise QueryError(f"{'/'.join(item.names)} is no attribute", where=where, hint=hint)
    if item.options or item.parameters or name[0] == "@" or (name != "*" and name.endswith("*")):
        raise ODataUnsupportedError(f"{name} is selected whole or not at all", where=where, hint="name the attribute")
    if name in set_.relations and name not in set_.attributes:
        if name in expanded:
            return ""
        raise QueryError(f"{name} is a relation, no attribute", where=where, hint=f"write $expand={name}")
    return name


def _column(ground: Ground, set_: EntitySet, name: str, computed: Mapping[str, p.Expr], where: str) -> Column:
    if name in computed:
        return Column(name, ground.type_of(computed[name], set_.table, where), computed[name])
    attribute = set_.attributes.get(name)
    if attribute is not None:
        return Column(name, attribute.type, p.Field(name) if attribute.type else None)
    try:
        path, _, kind = ground.public.attribute(set_.table, name, where)
    except QueryError as error:
        if name.casefold() in {n.casefold() for n in [*set_.attributes, *computed]}:
            raise
        hint = did_you_mean(name, [*set_.attributes, *computed])
        raise QueryError(error.message, where=where, hint=hint) from None
    return Column(name, kind, p.Field(name, path))


# ── $expand ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _expansions(ground: Ground, set_: EntitySet, expand: o.Expand | None, part: str) -> tuple[Expansion, ...]:
    found: dict[str, Expansion] = {}
    for item in expand.items if expand else ():
        if item.names == ("*",):
            for name in set_.relations:
                found.setdefault(name, _expansion(ground, set_, o.ExpandItem((name,), item.tail, item.options), part))
            continue
        one = _expansion(ground, set_, item, part)
        if one.name in found and any(i.names == (one.name,) for i in expand.items if i is not item):  # type: ignore[union-attr]
            raise QueryError(f"{one.name} is expanded twice", where=f"{part}$expand", hint="join the options with ;")
        found[one.name] = one
    return tuple(found.values())


def _expansion(ground: Ground, set_: EntitySet, item: o.ExpandItem, part: str) -> Expansion:
    name, where = item.names[0], f"{part}$expand"
    if len(item.names) > 1:
        hint = f"nest it: $expand={name}($expand={item.names[1]})"
        raise QueryError(f"{'/'.join(item.names)} leads over two relations", where=where, hint=hint)
    if name == "$value" or name[0] == "@":
        raise ODataUnsupportedError(f"{name} cannot be expanded", where=where, hint="name a relation")
    if name not in set_.relations:
        if name in set_.attributes:
            raise QueryError(f"{name} is an attribute, no relation", where=where, hint=f"write $select={name}")
        hint = did_you_mean(name, set_.relations)
        raise QueryError(f"{set_.table} has no relation {name!r}", where=where, hint=hint)
    path = ground.public.path(set_.table, (name,), where)
    many = ground.public.is_many(set_.table, path)
    end = entity_set(ground.public, ground.public.end(set_.table, path))
    inner = f"{where}={name}: "
    options = _levelled(item, set_, end, name, where)
    _check_nested(options, many=many, tail=item.tail, where=inner, name=name)
    aliases = {option.name: option.value for option in options if isinstance(option, o.AliasValue)}
    condition = next((option.predicate for option in options if isinstance(option, o.Filter)), None)
    level = read_level(ground.with_aliases(aliases), end, options, predicate=condition, part=inner)
    return Expansion(name, path, many, level, item.tail, options)


def _check_nested(options: Sequence[o.Option], *, many: bool, tail: str, where: str, name: str) -> None:
    if not many and tail == "$count":
        raise QueryError(f"{name} is one row at most", where=where.rstrip(": "), hint=f"write $expand={name}")
    allowed = OF_COLLECTION - {"$format", "$skiptoken", "IsMemberOfSegment"} if many else OF_ENTITY - {"$format"}
    if tail:
        allowed &= (
            {"$filter", "$search"}
            if tail == "$count"
            else {"$filter", "$search", "$orderby", "$top", "$skip", "$count"}
        )
    what = f"{name} is one row at most, so its $expand" if not many else f"$expand={name}{'/' + tail if tail else ''}"
    check_options(options, allowed, what)


def _levelled(item: o.ExpandItem, set_: EntitySet, end: EntitySet, name: str, where: str) -> tuple[o.Option, ...]:
    """The options with `$levels=n` written out: the same relation expanded inside itself."""
    levels = next((option for option in item.options if isinstance(option, o.Levels)), None)
    options = tuple(option for option in item.options if option is not levels)
    if levels is None:
        return options
    if levels.depth is None or levels.depth > MOST_LEVELS:
        raise QueryError("$levels goes too deep", where=where, hint=f"write a number from 1 to {MOST_LEVELS}")
    if levels.depth > 1 and (end.table != set_.table or name not in end.relations):
        hint = f"nest it: $expand={name}($expand=…)"
        raise QueryError(f"{name} does not lead from {set_.table} to itself", where=where, hint=hint)
    if levels.depth == 1:
        return options
    again = o.ExpandItem((name,), "", (*options, o.Levels(levels.depth - 1)))
    expand = next((option for option in options if isinstance(option, o.Expand)), None)
    items = (*(expand.items if expand else ()), again)
    return (*(option for option in options if option is not expand), o.Expand(items))
