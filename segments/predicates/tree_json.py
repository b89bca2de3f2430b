"""The tree as JSON: what a catalog stores and an API sends. Reading what was written gives the same tree.

    {"kind": "compare", "op": "ge",
     "left": {"kind": "field", "name": "Spend"},
     "right": {"kind": "literal", "type": "integer", "value": 100}}

Values that JSON has no form for are texts: decimals, dates, times, integers beyond 2^53, infinities. Keys that have
their default (`path`, `up`, `where`) are left out; unknown keys, kinds and types are errors with their place.
"""

from collections.abc import Callable
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from segments.predicates import tree as p
from segments.predicates.fields import Type, Value, is_finite, parse_type
from unify.core.errors import QueryError, SpecError, did_you_mean

_EXACT = 2**53
"""Above it, what reads JSON numbers as doubles would change an integer."""

_KEYS = {
    "literal": ("type", "value"), "field": ("name", "path", "up"), "call": ("function", "args"),
    "compare": ("op", "left", "right"), "in": ("item", "type", "values"), "and": ("args",), "or": ("args",),
    "not": ("arg",), "exists": ("path", "where", "up"),
    "aggregate": ("function", "path", "value", "where", "up"), "member_of": ("segment", "up"),
}  # fmt: skip
_NEEDED = {
    "literal": ("type", "value"), "field": ("name",), "call": ("function",), "compare": ("op", "left", "right"),
    "in": ("item", "values"), "and": ("args",), "or": ("args",), "not": ("arg",), "exists": ("path",),
    "aggregate": ("function", "path"), "member_of": ("segment",),
}  # fmt: skip


def to_json(expr: p.Expr) -> dict[str, Any]:
    """The tree as dicts, lists, texts, numbers and booleans."""
    match expr:
        case p.Literal(type=kind, value=value):
            return {"kind": "literal", "type": kind.name, "value": _written(kind, value)}
        case p.Field(name=name, path=path, up=up):
            return {"kind": "field", "name": name} | _row(path, up)
        case p.Call(function=function, args=args):
            return {"kind": "call", "function": function, "args": [to_json(a) for a in args]}
        case p.Compare(op=op, left=left, right=right):
            return {"kind": "compare", "op": op, "left": to_json(left), "right": to_json(right)}
        case p.In(item=item, values=values):
            return {"kind": "in", "item": to_json(item)} | _values(values)
        case p.And(args=args):
            return {"kind": "and", "args": [to_json(a) for a in args]}
        case p.Or(args=args):
            return {"kind": "or", "args": [to_json(a) for a in args]}
        case p.Not(arg=arg):
            return {"kind": "not", "arg": to_json(arg)}
        case p.Exists(path=path, where=where, up=up):
            return {"kind": "exists"} | _row(path, up) | _where(where)
        case p.Aggregate(function=function, path=path, value=value, where=where, up=up):
            taken = {} if value is None else {"value": to_json(value)}
            return {"kind": "aggregate", "function": function} | _row(path, up) | taken | _where(where)
        case p.MemberOf(segment=segment, up=up):
            return {"kind": "member_of", "segment": segment} | _row((), up)


def _row(path: tuple[str, ...], up: int) -> dict[str, Any]:
    return ({"path": list(path)} if path else {}) | ({"up": up} if up else {})


def _where(where: p.Expr) -> dict[str, Any]:
    return {} if where == p.TRUE else {"where": to_json(where)}


def _values(values: tuple[p.Literal, ...]) -> dict[str, Any]:
    """One type for the list when all have it, which is always but for decimals of mixed length."""
    types = {v.type for v in values}
    if len(types) == 1:
        return {"type": values[0].type.name, "values": [_written(v.type, v.value) for v in values]}
    return {"values": [to_json(v) for v in values]}


def _written(kind: Type, value: Value) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, (date, time)):
        return value.isoformat()
    if isinstance(value, Decimal) or not is_finite(value):
        return str(value)
    return str(value) if isinstance(value, int) and abs(value) > _EXACT else value


def from_json(data: Any, *, where: str = "predicate") -> p.Expr:
    """A tree from what to_json writes. SpecError with the place (`predicate.args[1].left`) for anything else."""
    return _read(data, where, 0)


def _read(data: Any, where: str, depth: int) -> p.Expr:
    if depth >= p.MAX_DEPTH:
        raise SpecError(f"it is nested deeper than {p.MAX_DEPTH} levels", where=where)
    if not isinstance(data, dict):
        raise SpecError(f"a part of a predicate is an object, this is {type(data).__name__}", where=where)
    kind = data.get("kind")
    if not isinstance(kind, str) or kind not in _KEYS:
        raise SpecError(f"there is no kind {kind!r}", where=where, hint=did_you_mean(str(kind), _KEYS))
    for key in data:
        if key != "kind" and key not in _KEYS[kind]:
            raise SpecError(f"{kind} has no key {key!r}", where=where, hint=did_you_mean(str(key), _KEYS[kind]))
    for key in _NEEDED[kind]:
        if key not in data:
            raise SpecError(f"{kind} needs the key {key!r}", where=where)
    return _READ[kind](_Node(data, where, depth))


class _Node:
    """One object, with its place."""

    def __init__(self, data: dict[str, Any], where: str, depth: int) -> None:
        self.data, self.where, self.depth = data, where, depth

    def part(self, key: str) -> p.Expr:
        return _read(self.data[key], f"{self.where}.{key}", self.depth + 1)

    def parts(self, key: str) -> tuple[p.Expr, ...]:
        items = self.data.get(key, [])
        if not isinstance(items, list):
            raise SpecError("a list is wanted", where=f"{self.where}.{key}")
        return tuple(_read(item, f"{self.where}.{key}[{i}]", self.depth + 1) for i, item in enumerate(items))

    def text(self, key: str) -> str:
        if not isinstance(self.data[key], str):
            raise SpecError("a text is wanted", where=f"{self.where}.{key}")
        return str(self.data[key])

    def path(self) -> tuple[str, ...]:
        path = self.data.get("path", [])
        if not isinstance(path, list) or not all(isinstance(name, str) for name in path):
            raise SpecError("a list of relation names is wanted", where=f"{self.where}.path")
        return tuple(path)

    def up(self) -> int:
        up = self.data.get("up", 0)
        if not isinstance(up, int) or isinstance(up, bool) or up < 0:
            raise SpecError("a count of levels from 0 is wanted", where=f"{self.where}.up")
        return up

    def condition(self) -> p.Expr:
        return self.part("where") if "where" in self.data else p.TRUE

    def literal(self, kind: Type, value: Any, where: str) -> p.Literal:
        try:
            return p.Literal(kind, _value(kind, value))
        except (QueryError, ValueError, InvalidOperation) as error:
            raise SpecError(f"{value!r} is no {kind.name}: {error}", where=where) from None

    def listed(self) -> tuple[p.Literal, ...]:
        items = self.data["values"]
        if not isinstance(items, list):
            raise SpecError("a list is wanted", where=f"{self.where}.values")
        if "type" in self.data:
            kind = parse_type(self.text("type"), f"{self.where}.type")
            return tuple(self.literal(kind, v, f"{self.where}.values[{i}]") for i, v in enumerate(items))
        found = self.parts("values")
        for i, item in enumerate(found):
            if not isinstance(item, p.Literal):
                raise SpecError("a list to be in holds literals", where=f"{self.where}.values[{i}]")
        return tuple(item for item in found if isinstance(item, p.Literal))


def _value(kind: Type, value: Any) -> Value:
    """A value as JSON has it to one as Python has it. ValueError when it is spelled otherwise."""
    readers: dict[str, Callable[[str], Value]] = {
        "decimal": Decimal, "date": date.fromisoformat, "datetime": datetime.fromisoformat, "time": time.fromisoformat,
        "integer": int, "duration": int, "double": float,
    }  # fmt: skip
    if isinstance(value, str) and kind.kind in readers:
        return readers[kind.kind](value)
    as_text = kind.kind in ("decimal", "date", "datetime", "time") and value is not None
    if as_text or not (value is None or isinstance(value, (str, bool, int, float))):
        raise ValueError("a text is wanted" if as_text else "one value is wanted")
    return value


def _literal(node: _Node) -> p.Expr:
    kind = parse_type(node.text("type"), f"{node.where}.type")
    return node.literal(kind, node.data["value"], f"{node.where}.value")


def _aggregate(node: _Node) -> p.Expr:
    value = node.part("value") if "value" in node.data else None
    return p.Aggregate(node.text("function"), node.path(), value, node.condition(), node.up())


_READ: dict[str, Callable[[_Node], p.Expr]] = {
    "literal": _literal,
    "field": lambda n: p.Field(n.text("name"), n.path(), n.up()),
    "call": lambda n: p.Call(n.text("function"), n.parts("args")),
    "compare": lambda n: p.Compare(n.text("op"), n.part("left"), n.part("right")),
    "in": lambda n: p.In(n.part("item"), n.listed()),
    "and": lambda n: p.And(n.parts("args")),
    "or": lambda n: p.Or(n.parts("args")),
    "not": lambda n: p.Not(n.part("arg")),
    "exists": lambda n: p.Exists(n.path(), n.condition(), n.up()),
    "aggregate": _aggregate,
    "member_of": lambda n: p.MemberOf(n.text("segment"), n.up()),
}
