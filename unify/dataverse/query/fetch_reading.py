"""FetchXML into nouns. What it does not know it refuses: an attribute that is passed over may have been a filter."""

import re
from collections.abc import Sequence
from typing import Final

from unify.core.errors import did_you_mean
from unify.dataverse.errors import DataverseError
from unify.dataverse.query.fetch_nouns import Attribute, Condition, Fetch, Filter, Link, Order, Source
from unify.dataverse.query.nouns import MOST
from unify.dataverse.query.operators import BY_FETCH, Takes
from unify.dataverse.query.scope import MOST_JOINS, too_many_joins
from unify.dataverse.query.xml import Element, XmlError, parse_xml

INVALID_ARGUMENT: Final = "0x80040203"
INVALID_CHILD: Final = "0x8004111c"
LONGEST: Final = 65_536
"""Characters of a query: what a batch can hold of one."""
OF_FETCH: Final = frozenset({"top", "count", "page", "paging-cookie", "distinct", "aggregate", "returntotalrecordcount",
                             "aggregatelimit", "useraworderby"})  # fmt: skip
HINTS: Final = frozenset({"version", "output-format", "mapping", "no-lock", "latematerialize", "options", "utc-offset"})
"""Of fetch: they say how to work, not what is wanted."""
OF_ATTRIBUTE: Final = frozenset({"name", "alias", "aggregate", "groupby", "dategrouping", "distinct", "rowaggregate",
                                 "usertimezone"})  # fmt: skip
OF_ORDER: Final = frozenset({"attribute", "alias", "descending", "entityname"})
OF_LINK: Final = frozenset({"name", "from", "to", "alias", "link-type", "intersect", "visible", "enableprefiltering"})
OF_CONDITION: Final = frozenset({"attribute", "operator", "value", "valueof", "entityname", "uiname", "uitype",
                                 "uihidden"})  # fmt: skip
OF_FILTER: Final = frozenset({"type", "hint", "isquickfindfields", "overridequickfindrecordlimitenabled"})
JOINS: Final = ("inner", "outer", "natural", "exists", "in", "matchfirstrowusingcrossapply")
IN_FILTER: Final = ("any", "not any", "all", "not all")
AGGREGATES: Final = ("count", "countcolumn", "sum", "avg", "min", "max")
GROUPINGS: Final = ("day", "week", "month", "quarter", "year", "fiscal-period", "fiscal-year")
COMPARED: Final = frozenset({"eq", "ne", "neq", "gt", "ge", "lt", "le"})


def read_fetch(text: str) -> Fetch:
    """What the text asks; DataverseError."""
    if len(text) > LONGEST:
        raise wrong(f"The FetchXML has {len(text):,} characters, and {LONGEST:,} are taken.")
    try:
        root = parse_xml(text)
    except XmlError as error:
        raise wrong(f"Invalid XML: {error}.") from None
    if root.tag != "fetch":
        raise child(root, "fetch")
    _known(root, OF_FETCH, HINTS)
    if [element.tag for element in root.children] != ["entity"]:
        raise (
            wrong("The fetch element has exactly one child: entity.") if root.children else wrong("There is no entity.")
        )
    return _fetch(root, _Reader().source(root.children[0], "entity"))


def _fetch(root: Element, source: Source) -> Fetch:
    count, top, page = (_number(root, name) for name in ("count", "top", "page"))
    if top is not None and (page is not None or count is not None):
        raise wrong("The top attribute can't be specified with paging attribute page or count.")
    if top is not None and top > MOST:
        raise wrong(f"The top attribute can't exceed {MOST:,}.", hint="page through the rows with count and page")
    return Fetch(
        source,
        aggregate=_flag(root, "aggregate"),
        distinct=_flag(root, "distinct"),
        top=top,
        count=count,
        page=1 if page is None else page,
        cookie=root.attributes.get("paging-cookie") or None,
        total=_flag(root, "returntotalrecordcount"),
        by_number=_flag(root, "useraworderby"),
        most=min(50_000, _number(root, "aggregatelimit") or 50_000),
    )


class _Reader:
    """Of one query: aliases that nobody gave are numbered over all of it."""

    def __init__(self) -> None:
        self._links = 0

    def source(self, element: Element, kind: str, alias: str = "") -> Source:
        attributes: list[Attribute] = []
        filters: list[Filter] = []
        orders: list[Order] = []
        links: list[Link] = []
        every = nothing = False
        if kind == "entity":
            _known(element, frozenset({"name", "enableprefiltering", "prefilterparametername"}))
        for part in element.children:
            if part.tag == "attribute":
                attributes.append(_attribute(part))
            elif part.tag == "filter":
                filters.append(self.filter(part))
            elif part.tag == "order":
                orders.append(_order(part))
            elif part.tag == "link-entity":
                links.append(self.link(part, JOINS))
            elif part.tag in {"all-attributes", "no-attrs"}:
                _known(part, frozenset())
                every, nothing = every or part.tag == "all-attributes", nothing or part.tag == "no-attrs"
            else:
                raise child(part, "filter, order, link-entity, attribute, all-attributes, no-attrs")
        every = every or (kind == "entity" and not attributes and not nothing)
        return Source(
            _needed(element, "name"), alias, tuple(attributes), every, tuple(filters), tuple(orders), tuple(links)
        )

    def link(self, element: Element, kinds: Sequence[str]) -> Link:
        _known(element, OF_LINK)
        self._links += 1
        if self._links > MOST_JOINS:
            raise too_many_joins()
        kind = element.attributes.get("link-type", "inner")
        if kind not in kinds:
            raise wrong(f"The link-type '{kind[:60]}' is not supported here.", hint=f"known: {', '.join(kinds)}")
        alias = element.attributes.get("alias") or f"{_needed(element, 'name')}{self._links}"
        if not re.fullmatch(r"[A-Za-z_][\w]{0,127}", alias, re.ASCII):
            raise wrong(f"Invalid alias '{alias[:60]}': letters, digits and underscores make aliases.")
        source = self.source(element, "link-entity", alias)
        quiet = kind in {"exists", "in", *IN_FILTER}
        if quiet and (source.attributes or source.every or source.orders):
            raise wrong(f"A link-entity of link-type '{kind}' only filters: it has no columns and no order.")
        return Link(source, _needed(element, "from"), _needed(element, "to"), "inner" if kind == "natural" else kind)

    def filter(self, element: Element) -> Filter:
        _known(element, OF_FILTER)
        kind = element.attributes.get("type", "and")
        if kind not in {"and", "or"}:
            raise wrong(f"The filter type is 'and' or 'or', not '{kind[:40]}'.")
        items: list[Condition | Filter | Link] = []
        for part in element.children:
            if part.tag == "condition":
                items.append(_condition(part))
            elif part.tag == "filter":
                items.append(self.filter(part))
            elif part.tag == "link-entity":
                items.append(self.link(part, IN_FILTER))
            else:
                raise child(part, "condition, filter, link-entity")
        return Filter(kind == "and", tuple(items))


def _attribute(element: Element) -> Attribute:
    _known(element, OF_ATTRIBUTE)
    given = element.attributes
    _one_of(element, "aggregate", AGGREGATES)
    _one_of(element, "dategrouping", GROUPINGS)
    _one_of(element, "rowaggregate", ("CountChildren",))
    for part in element.children:
        raise child(part, "none")
    return Attribute(
        _needed(element, "name"),
        given.get("alias", ""),
        given.get("aggregate", ""),
        _flag(element, "groupby"),
        given.get("dategrouping", ""),
        _flag(element, "distinct"),
        "rowaggregate" in given,
    )


def _order(element: Element) -> Order:
    _known(element, OF_ORDER)
    given = element.attributes
    if ("attribute" in given) == ("alias" in given):
        raise wrong("An order element has an attribute or an alias.")
    return Order(
        given.get("attribute", ""), given.get("alias", ""), _flag(element, "descending"), given.get("entityname", "")
    )


def _condition(element: Element) -> Condition:
    _known(element, OF_CONDITION)
    given = element.attributes
    name = _needed(element, "operator")
    operator = BY_FETCH.get(name) if name else None
    if operator is None:
        raise wrong(
            f"Invalid condition operator '{name[:60]}'.", hint=did_you_mean(name[:60], [n for n in BY_FETCH if n])
        )
    if "valueof" in given:
        if name not in COMPARED:
            raise wrong(f"valueof compares with {', '.join(sorted(COMPARED))}, not with '{name}'.")
        return Condition(_needed(element, "attribute"), operator, (), given.get("entityname", ""), given["valueof"])
    values = _values(element)
    if operator.takes is Takes.ONE and not values:
        raise wrong(f"Attribute 'value' or 'valueof' must be specified for condition operator '{name}'.")
    return Condition(_needed(element, "attribute"), operator, values, given.get("entityname", ""))


def _values(element: Element) -> tuple[str, ...]:
    found = [element.attributes["value"]] if "value" in element.attributes else []
    for part in element.children:
        if part.tag != "value":
            raise child(part, "value")
        _known(part, frozenset({"uiname", "uitype"}))
        found.append(part.text.strip())
    return tuple(found)


# ── attributes of elements ───────────────────────────────────────────────────────────────────────────────────────────


def _known(element: Element, *allowed: frozenset[str]) -> None:
    names = frozenset().union(*allowed)
    for name in element.attributes:
        if name not in names and not name.startswith("xmlns"):
            raise wrong(
                f"Invalid attribute '{name[:60]}' of the element '{element.tag}'.", hint=did_you_mean(name[:60], names)
            )


def _needed(element: Element, name: str) -> str:
    value = element.attributes.get(name, "")
    if not value:
        raise wrong(f"Required attribute '{name}' is missing on the element '{element.tag}'.")
    return value


def _flag(element: Element, name: str) -> bool:
    text = element.attributes.get(name, "false").lower()
    if text not in {"true", "false", "1", "0"}:
        raise wrong(f"The attribute '{name}' is true or false, not '{text[:40]}'.")
    return text in {"true", "1"}


def _number(element: Element, name: str) -> int | None:
    text = element.attributes.get(name)
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,9}", text, re.ASCII) or int(text) < 1:
        raise wrong(f"The attribute '{name}' is a whole number from 1, not '{text[:40]}'.")
    return int(text)


def _one_of(element: Element, name: str, known: Sequence[str]) -> None:
    value = element.attributes.get(name)
    if value is not None and value not in known:
        raise wrong(f"The attribute '{name}' cannot be '{value[:60]}'.", hint=did_you_mean(value[:60], known))


def child(element: Element, valid: str) -> DataverseError:
    """An element where none of its kind may stand."""
    given = "".join(f' {name}="{value}"' for name, value in element.attributes.items())
    shown = f"<{element.tag}{given} />"[:200]
    return DataverseError(
        f"Invalid Child Node, valid nodes are {valid}. NodeName = {element.tag[:60]} NodeXml = {shown}",
        code=INVALID_CHILD,
    )


def wrong(message: str, *, hint: str = "", where: str = "") -> DataverseError:
    """Not a query that is answered: 400."""
    return DataverseError(message, code=INVALID_ARGUMENT, hint=hint, where=where)
