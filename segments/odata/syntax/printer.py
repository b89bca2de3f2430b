"""Expressions back into text: the canonical spelling, with parentheses only where the tree needs them.

`print_expression(tree)` is decoded text; `parse_expression` of it gives an equal tree, for every tree that a parser
could have made. A tree put together by hand that no text can spell is a ValueError.
"""

import base64
import json
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from segments.odata.syntax.ast import (
    Aggregated,
    Alias,
    And,
    Annotation,
    Argument,
    Arguments,
    Array,
    Binary,
    Call,
    Case,
    Cast,
    Count,
    Crossjoin,
    EnumLiteral,
    Expression,
    Filtered,
    GeoLiteral,
    IsOf,
    KeyText,
    Lambda,
    Literal,
    Name,
    Object,
    Or,
    Path,
    Segment,
    System,
    TypeName,
    Unary,
    ValueList,
    Variable,
)  # fmt: skip
from segments.odata.syntax.functions import OPERATORS, UNARY
from segments.odata.syntax.lexer import valid_name

PRIMARY: Final = 9
"""How tightly everything without an operator binds."""
WORDS: Final = frozenset(("null", "true", "false", "INF", "NaN", "not"))
"""Names no attribute can have where an operand begins. A dialect may also refuse other spellings of them."""


def print_expression(tree: Expression | ValueList) -> str:
    """The text of an expression, not percent-encoded.

    >>> from segments.odata import parse_expression
    >>> print_expression(parse_expression("NOT(A eq 1)and contains(B,'x')"))
    "not (A eq 1) and contains(B,'x')"
    """
    return PRINTERS[type(tree)](tree)


def binding(tree: Expression | ValueList) -> int:
    """How tightly the top of a tree binds."""
    if isinstance(tree, And | Or):
        return 2 if isinstance(tree, And) else 1
    if isinstance(tree, Binary):
        return OPERATORS[tree.operator]
    return UNARY if isinstance(tree, Unary) else PRIMARY


def within(tree: Expression | ValueList, floor: int) -> str:
    """The text, in parentheses where it binds less tightly than `floor`."""
    text = print_expression(tree)
    return f"({text})" if binding(tree) < floor else text


def name(text: str, *, dotted: bool = False) -> str:
    """A name that can be read again."""
    if not all(valid_name(part) for part in (text.split(".") if dotted else [text])):
        raise ValueError(f"{text!r} is no name of OData")
    return text


def string(text: str) -> str:
    """A string literal."""
    if "\x00" in text:
        raise ValueError("a string with NUL cannot be spelt")
    return "'" + text.replace("'", "''") + "'"


def print_literal(literal: Literal) -> str:
    """A literal in its canonical spelling."""
    value = literal.value
    if isinstance(value, str):
        return (
            string(value) if literal.kind == "string" else f"duration'{value}'" if literal.kind == "duration" else value
        )
    if isinstance(value, bytes):
        return f"binary'{base64.urlsafe_b64encode(value).decode()}'"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _double(value)
    if isinstance(value, Decimal):
        text = format(value, "f")
        return text if "." in text else text + ".0"
    return str(value)


def _double(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "INF" if value > 0 else "-INF"
    text = repr(value)
    return text if "e" in text else text + "e0"


def _unary(tree: Unary) -> str:
    text = within(tree.operand, UNARY)
    if tree.operator == "not":
        return "not " + text
    # A minus directly in front would become part of these literals: -5, -INF, -2020-01-01.
    return ("- " if text[0].isdigit() or text[0] in "+-" or text == "INF" else "-") + text


def _binary(tree: Binary) -> str:
    power = OPERATORS[tree.operator]
    right = print_expression(tree.right) if isinstance(tree.right, ValueList) else within(tree.right, power + 1)
    return f"{within(tree.left, power)} {tree.operator} {right}"


def _and(tree: And | Or) -> str:
    if len(tree.terms) < 2:
        raise ValueError("and, or need two terms")
    floor = 3 if isinstance(tree, And) else 2
    return (" and " if isinstance(tree, And) else " or ").join([within(term, floor) for term in tree.terms])


def _list(items: tuple[Any, ...]) -> str:
    return ",".join([print_expression(item) for item in items])


def _type(found: TypeName) -> str:
    text = name(found.name, dotted=True)
    return f"Collection({text})" if found.collection else text


def _typed(word: str, operand: Expression | None, found: TypeName) -> str:
    return f"{word}({'' if operand is None else print_expression(operand) + ','}{_type(found)})"


def _case(tree: Case) -> str:
    return "case(" + ",".join([f"{print_expression(c)} : {print_expression(v)}" for c, v in tree.branches]) + ")"


def _object(tree: Object) -> str:
    return "{" + ",".join([f"{json.dumps(k, ensure_ascii=False)}:{print_expression(v)}" for k, v in tree.members]) + "}"


# ── paths ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def print_segments(path: Path) -> str:
    """A path inside an expression."""
    out = [print_segment(path.segments[0])]
    for segment in path.segments[1:]:
        out += [print_segment(segment)] if isinstance(segment, Arguments) else ["/", print_segment(segment)]
    text = "".join(out)
    if len(path.segments) == 1 and text in WORDS:
        raise ValueError(f"{text!r} reads as a literal or an operator, not as an attribute")
    return text


def print_segment(segment: Segment) -> str:
    """One segment without the slash in front."""
    return SEGMENTS[type(segment)](segment)


def _arguments(segment: Arguments) -> str:
    return "(" + ",".join([print_argument(item) for item in segment.items]) + ")"


def print_argument(item: Argument) -> str:
    """`name=value` or the value alone."""
    return ("" if item.name is None else name(item.name) + "=") + print_expression(item.value)


def _annotation(segment: Annotation) -> str:
    qualifier = "" if segment.qualifier is None else "#" + name(segment.qualifier)
    return f"@{name(segment.term, dotted=True)}{qualifier}"


def _lambda(segment: Lambda) -> str:
    if segment.predicate is None or segment.variable is None:
        return f"{segment.quantifier}()"
    return f"{segment.quantifier}({name(segment.variable)}:{print_expression(segment.predicate)})"


def _count(segment: Count) -> str:
    if not segment.options:
        return "$count"
    from segments.odata.syntax.printer_options import print_nested

    return "$count" + print_nested(segment.options)


def _aggregated(segment: Aggregated) -> str:
    from segments.odata.syntax.printer_options import print_aggregate

    return f"aggregate({print_aggregate(segment.item)})"


SEGMENTS: Final[dict[type, Callable[[Any], str]]] = {
    Name: lambda s: name(s.text, dotted=True),
    Arguments: _arguments,
    Variable: lambda s: s.name,
    Alias: lambda s: "@" + name(s.name),
    Annotation: _annotation,
    KeyText: lambda s: s.text,
    System: lambda s: s.name,
    Lambda: _lambda,
    Count: _count,
    Filtered: lambda s: f"$filter({print_expression(s.predicate)})",
    Aggregated: _aggregated,
    Crossjoin: lambda s: f"$crossjoin({','.join(name(n) for n in s.sets)})",
}
PRINTERS: Final[dict[type, Callable[[Any], str]]] = {
    Literal: print_literal,
    EnumLiteral: lambda t: f"{name(t.type, dotted=True)}'{','.join(t.members)}'",
    GeoLiteral: lambda t: f"{t.system}'SRID={t.srid};{t.shape}'",
    Array: lambda t: f"[{_list(t.items)}]",
    Object: _object,
    ValueList: lambda t: f"({_list(t.items)})",
    Unary: _unary,
    Binary: _binary,
    And: _and,
    Or: _and,
    Call: lambda t: f"{t.name}({_list(t.arguments)})",
    Case: _case,
    Cast: lambda t: _typed("cast", t.operand, t.type),
    IsOf: lambda t: _typed("isof", t.operand, t.type),
    Path: print_segments,
}
