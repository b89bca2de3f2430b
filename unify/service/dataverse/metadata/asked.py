"""Definitions asked for with `$select`, `$filter`, `$expand`, `$orderby`, `$top` and `$count`, as rows are."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from segments.odata.syntax.ast import Expression, Name, Path
from segments.odata.syntax.ast_options import CountOption, Expand, ExpandItem, Filter, OrderBy, OrderItem, Select, Top
from unify.core.errors import did_you_mean
from unify.dataverse.errors import NO_PROPERTY, DataverseError
from unify.dataverse.query import Options
from unify.service.dataverse.metadata.evaluate import evaluate
from unify.service.errors import ServiceError


@dataclass(frozen=True)
class Thing:
    """One definition.

    kind    `EntityMetadata`, `StringAttributeMetadata`
    base    what all of its collection are: `AttributeMetadata`
    values  all its properties
    links   what can be expanded, by name; worked out when it is asked for
    """

    kind: str
    base: str
    values: Mapping[str, Any]
    links: "Mapping[str, Callable[[], list[Thing] | Thing | None]]" = field(default_factory=dict)

    @property
    def id(self) -> str:
        """MetadataId."""
        return str(self.values["MetadataId"])


@dataclass(frozen=True, slots=True)
class Asked:
    """What of definitions is asked for."""

    select: tuple[str, ...] | None = None
    filter: Expression | None = None
    expand: tuple[ExpandItem, ...] = ()
    orderby: tuple[OrderItem, ...] = ()
    top: int | None = None
    count: bool = False


REFUSED = ("$apply", "$skip", "$skiptoken", "$deltatoken")


def asked_of(options: Options) -> Asked:
    """From options of a URL. ServiceError 501."""
    for name in REFUSED:
        if name in options.given:
            raise ServiceError(501, f"{name} is not answered on definitions", where=name)
    if options.fetch_xml is not None or options.sql is not None:
        raise ServiceError(501, "definitions are asked for with $filter", where="url")
    select = None if options.select is None else tuple(_name(item.names) for item in options.select)
    return Asked(select, options.filter, options.expand, options.orderby, options.top, options.count)


def _nested(item: ExpandItem) -> Asked:
    found = Asked()
    for option in item.options:
        match option:
            case Select(items):
                found = _with(found, select=tuple(_name(one.names) for one in items))
            case Filter(predicate):
                found = _with(found, filter=predicate)
            case Expand(items):
                found = _with(found, expand=items)
            case OrderBy(items):
                found = _with(found, orderby=items)
            case Top(count):
                found = _with(found, top=count)
            case CountOption(wanted):
                found = _with(found, count=wanted)
            case _:
                what = type(option).__name__.lower()
                raise ServiceError(501, f"${what} is not answered on definitions", where="$expand")
    return found


def _with(asked: Asked, **more: Any) -> Asked:
    from dataclasses import replace

    return replace(asked, **more)


def _name(names: Sequence[str]) -> str:
    return "/".join(names)


# ── answered ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def chosen(things: Iterable[Thing], asked: Asked) -> list[Thing]:
    """Those that fit, in the order asked for."""
    found = list(things)
    names = {name for thing in found for name in thing.values}
    base = found[0].base if found else ""
    if asked.filter is not None:
        if found:
            _check_names(asked.filter, names, base)
        found = [thing for thing in found if evaluate(asked.filter, thing.values) is True]
    for item in reversed(asked.orderby):
        found.sort(key=lambda thing: _rank(evaluate(item.key, thing.values)), reverse=item.descending)
    return found if asked.top is None else found[: asked.top]


def _rank(value: Any) -> tuple[int, Any]:
    if value is None:
        return 0, ""
    return (1, value) if isinstance(value, int | float) else (2, str(value))


def _check_names(node: Any, names: set[str], base: str) -> None:
    """DataverseError for a property that no object has."""
    todo = [node]
    while todo:
        one = todo.pop()
        if isinstance(one, Path):
            first = one.segments[0]
            if isinstance(first, Name) and first.text not in names:
                raise no_property(first.text, base, names)
        elif isinstance(one, tuple):
            todo += one
        elif hasattr(one, "__dataclass_fields__"):
            todo += [getattr(one, name) for name in one.__dataclass_fields__]


def shown(thing: Thing, asked: Asked, *, typed: bool, known: set[str] | None = None) -> dict[str, Any]:
    """One object as it goes out. `typed`: say its kind, since others of its collection are of other kinds."""
    found: dict[str, Any] = {}
    if typed and thing.kind != thing.base:
        found["@odata.type"] = f"#Microsoft.Dynamics.CRM.{thing.kind}"
    if asked.select is None:
        found |= thing.values
    else:
        for name in asked.select:
            if name not in thing.values and name not in thing.links and name not in (known or ()):
                raise no_property(name, thing.base, {*thing.values, *thing.links})
            if name in thing.values:
                found[name] = thing.values[name]
        found["MetadataId"] = thing.values["MetadataId"]
    for item in asked.expand:
        name = _name(item.names)
        if name not in thing.links:
            if name in (known or ()):
                continue
            raise no_property(name, thing.base, set(thing.links))
        linked = thing.links[name]()
        nested = _nested(item)
        if isinstance(linked, list):
            found[name] = rows(linked, nested, typed=True)
        else:
            found[name] = None if linked is None else shown(linked, nested, typed=False)
    return found


def rows(things: list[Thing], asked: Asked, *, typed: bool) -> list[dict[str, Any]]:
    """Objects as they go out."""
    known = {name for thing in things for name in (*thing.values, *thing.links)}
    return [shown(thing, asked, typed=typed, known=known) for thing in chosen(things, asked)]


def no_property(name: str, base: str, known: set[str]) -> DataverseError:
    """There is no such property: 400."""
    message = f"Could not find a property named '{name[:100]}' on type 'Microsoft.Dynamics.CRM.{base}'."
    return DataverseError(message, code=NO_PROPERTY, where=base, hint=did_you_mean(name[:100], sorted(known)))
