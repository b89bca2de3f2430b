"""Options, `$search`, `$apply`, paths and whole requests back into URL text.

`print_request` and `print_options` percent-encode what a URL cannot hold; spaces become `%20`, so both dialects read
them alike. `print_nested` and what it is made of is decoded text, encoded once by the option around it.
"""

import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import quote as percent_encoded

from segments.odata.syntax.ast import Arguments, KeyText, Path
from segments.odata.syntax.ast_options import (
    Aggregate,
    AggregateItem,
    AliasValue,
    Apply,
    Compute,
    Concat,
    CountOption,
    Custom,
    CustomTransformation,
    Expand,
    ExpandItem,
    Filter,
    GroupBy,
    Hierarchy,
    HierarchyReference,
    Identity,
    Index,
    Join,
    Levels,
    Membership,
    Nest,
    Option,
    OrderBy,
    OrderItem,
    Property,
    Rank,
    Request,
    Rollup,
    RollupRecursive,
    Search,
    Select,
    SelectItem,
    Skip,
    Text,
    Top,
    Transformation,
    Traverse,
)  # fmt: skip
from segments.odata.syntax.ast_search import AllOf, AnyOf, Not, Phrase, SearchTerm, Word
from segments.odata.syntax.functions import MEMBERSHIP
from segments.odata.syntax.printer import name, print_argument, print_expression, print_segment, string

SAFE_IN_QUERY: Final = "$'()*,:;@/?!-._~="
SAFE_IN_PATH: Final = "$'()*,:;@!-._~="
WORD: Final = re.compile(r"""[^\s()";'][^\s()";]*\Z""")


def print_request(request: Request) -> str:
    """The URL relative to the service root, percent-encoded.

    >>> from segments.odata import parse_request
    >>> print_request(parse_request("Customer('a%2Fb')?$filter=Name eq 'R%26D'&top=3"))
    "Customer('a%2Fb')?$filter=Name%20eq%20'R%26D'&$top=3"
    """
    query = print_options(request.options)
    return print_path(request.path) + (f"?{query}" if query else "")


def print_path(path: Path) -> str:
    """A resource path, percent-encoded."""
    out = ""
    for segment in path.segments:
        text = print_segment(segment)
        if isinstance(segment, KeyText) and (valid_text(text) or text.startswith("$") or not text):
            raise ValueError(f"{text!r} reads as a name, not as a key")
        out += text_of(text) if isinstance(segment, Arguments) else ("/" if out else "") + text_of(text)
    return out


def valid_text(text: str) -> bool:
    """Whether a segment of this text reads as a name."""
    return re.match(r"[^\W\d][\w.]*(?:\(|\Z)", text) is not None


def text_of(segment: str) -> str:
    """A segment, percent-encoded."""
    return percent_encoded(segment, safe=SAFE_IN_PATH)


def print_options(options: tuple[Option, ...]) -> str:
    """The query part of a URL without its `?`, percent-encoded."""
    return "&".join([_encoded(option) for option in options])


def _encoded(option: Option) -> str:
    if isinstance(option, Custom):
        head = percent_encoded(option.name, safe=SAFE_IN_PATH.replace("=", ""))
        return head if option.value is None else f"{head}={percent_encoded(option.value, safe=SAFE_IN_QUERY)}"
    return percent_encoded(print_option(option), safe=SAFE_IN_QUERY)


def print_option(option: Option) -> str:
    """One option, not percent-encoded."""
    return OPTIONS[type(option)](option)


def print_nested(options: tuple[Option, ...]) -> str:
    """Options in parentheses, not percent-encoded; empty without options."""
    return f"({';'.join(print_option(o) for o in options)})" if options else ""


def _joined(items: tuple[Any, ...], one: Callable[[Any], str]) -> str:
    if not items:
        raise ValueError("an option without items cannot be spelt")
    return ",".join([one(item) for item in items])


def _order(item: OrderItem) -> str:
    return print_expression(item.key) + (" desc" if item.descending else "")


def _step(text: str) -> str:
    if text in {"*", "$value"}:
        return text
    plain = text.removeprefix("@").removesuffix(".*")
    for part in plain.split("#"):
        name(part, dotted=True)
    return text


def _select(item: SelectItem) -> str:
    parameters = f"({','.join(map(name, item.parameters))})" if item.parameters else ""
    return "/".join(map(_step, item.names)) + parameters + print_nested(item.options)


def _expand(item: ExpandItem) -> str:
    return "/".join(map(_step, item.names)) + (f"/{item.tail}" if item.tail else "") + print_nested(item.options)


def _custom(option: Custom) -> str:
    return option.name if option.value is None else f"{option.name}={option.value}"


# ── $search ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def print_search(term: SearchTerm) -> str:
    """A search expression, not percent-encoded."""
    if isinstance(term, Word):
        if not WORD.match(term.text):
            raise ValueError(f"{term.text!r} is no search word; make it a Phrase")
        return f"({term.text})" if term.text in {"AND", "OR", "NOT"} else term.text
    if isinstance(term, Phrase):
        if '"' in term.text or not term.text:
            raise ValueError("a phrase is not empty and holds no double quote")
        return f'"{term.text}"'
    if isinstance(term, Not):
        inner = print_search(term.term)
        return f"NOT ({inner})" if isinstance(term.term, AllOf | AnyOf) else f"NOT {inner}"
    if isinstance(term, AllOf):
        return " AND ".join(
            [f"({print_search(t)})" if isinstance(t, AllOf | AnyOf) else print_search(t) for t in term.terms]
        )
    if isinstance(term, AnyOf):
        return " OR ".join([f"({print_search(t)})" if isinstance(t, AnyOf) else print_search(t) for t in term.terms])
    return string(term.text)


# ── $apply ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def print_sequence(steps: tuple[Transformation, ...]) -> str:
    """Transformations with `/` between."""
    return "/".join([TRANSFORMATIONS[type(step)](step) for step in steps])


def print_aggregate(item: AggregateItem) -> str:
    """One aggregate with its method, steps and alias."""
    out = print_expression(item.expression) + (f" with {item.method}" if item.method else "")
    for step in item.steps:
        out += (
            " from "
            + ",".join(["/".join(p) for p in step.properties])
            + (f" with {step.method}" if step.method else "")
        )
    return out + (f" as {item.alias}" if item.alias else "")


def _then(steps: tuple[Transformation, ...]) -> str:
    return "," + print_sequence(steps) if steps else ""


def _reference(found: HierarchyReference) -> str:
    return f"{print_expression(found.nodes)},{found.qualifier},{'/'.join(found.property)}"


def _element(element: Property | Rollup | RollupRecursive) -> str:
    if isinstance(element, Property):
        return "/".join(element.names)
    if isinstance(element, Rollup):
        return f"rollup({','.join('/'.join(level) for level in element.levels)})"
    return f"rolluprecursive({_reference(element.hierarchy)}{_then(element.start)})"


def _hierarchy(step: Hierarchy) -> str:
    distance = "" if step.distance is None else f",{step.distance}"
    keep = ",keep start" if step.keep_start else ""
    return f"{step.kind}({_reference(step.hierarchy)}{_then(step.start)}{distance}{keep})"


def _traverse(step: Traverse) -> str:
    siblings = "," + _joined(step.siblings, _order) if step.siblings else ""
    return f"traverse({_reference(step.hierarchy)},{step.order}{_then(step.start)}{siblings})"


def _nest(step: Nest) -> str:
    items = ",".join([f"{print_sequence(steps)} as {alias}" for steps, alias in step.items])
    return f"addnested({'/'.join(step.path)},{items})" if step.path else f"nest({items})"


def _join(step: Join) -> str:
    return f"{'outerjoin' if step.outer else 'join'}({'/'.join(step.path)} as {step.alias}{_then(step.then)})"


def _groupby(step: GroupBy) -> str:
    return f"groupby(({','.join(map(_element, step.elements))}){_then(step.then)})"


def _compute(items: tuple[Any, ...]) -> str:
    return _joined(items, lambda item: f"{print_expression(item.expression)} as {name(item.alias)}")


TRANSFORMATIONS: Final[dict[type, Callable[[Any], str]]] = {
    Aggregate: lambda s: f"aggregate({_joined(s.items, print_aggregate)})",
    GroupBy: _groupby,
    Rank: lambda s: f"{s.kind}({print_expression(s.amount)},{print_expression(s.by)})",
    Filter: lambda s: f"filter({print_expression(s.predicate)})",
    Search: lambda s: f"search({print_search(s.term)})",
    OrderBy: lambda s: f"orderby({_joined(s.items, _order)})",
    Top: lambda s: f"top({s.count})",
    Skip: lambda s: f"skip({s.count})",
    Compute: lambda s: f"compute({_compute(s.items)})",
    Identity: lambda s: "identity",
    Concat: lambda s: f"concat({','.join(map(print_sequence, s.sequences))})",
    Nest: _nest,
    Join: _join,
    Hierarchy: _hierarchy,
    Traverse: _traverse,
    CustomTransformation: lambda s: f"{s.name}({','.join(map(print_argument, s.arguments))})",
}
OPTIONS: Final[dict[type, Callable[[Any], str]]] = {
    Filter: lambda o: "$filter=" + print_expression(o.predicate),
    Search: lambda o: "$search=" + print_search(o.term),
    OrderBy: lambda o: "$orderby=" + _joined(o.items, _order),
    Top: lambda o: f"$top={o.count}",
    Skip: lambda o: f"$skip={o.count}",
    Index: lambda o: f"$index={o.ordinal}",
    CountOption: lambda o: "$count=" + ("true" if o.wanted else "false"),
    Levels: lambda o: f"$levels={'max' if o.depth is None else o.depth}",
    Select: lambda o: "$select=" + _joined(o.items, _select),
    Expand: lambda o: "$expand=" + _joined(o.items, _expand),
    Compute: lambda o: "$compute=" + _compute(o.items),
    Apply: lambda o: "$apply=" + print_sequence(o.steps),
    Text: lambda o: f"{o.name}={o.value}",
    AliasValue: lambda o: f"@{name(o.name)}={print_expression(o.value)}",
    Custom: _custom,
    Membership: lambda o: f"{MEMBERSHIP}({string(o.segment)})",
}
