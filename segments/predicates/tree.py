"""The predicate tree: what a segment and an OData `$filter` both become.

    Expr
    ├── Literal(type, value)                         a value; None is the null of its type
    ├── Field(name, path, up)                        an attribute of the row, or of the one row that a path leads to
    ├── Call(function, args)                         a row of functions.py: arithmetic, text, dates, null tests
    ├── Compare(op, left, right)                     eq ne lt le gt ge: null with a null; is, is_not: null is a value
    ├── In(item, values)                             equal to one of many literals
    ├── And(args)  Or(args)  Not(arg)                three-valued; And() is true, Or() is false
    ├── Exists(path, where, up)                      a related row for which `where` is true
    ├── Aggregate(function, path, value, where, up)  count, sum, … over related rows for which `where` is true
    └── MemberOf(segment, up)                        the customer is a member of another segment

`path` is a tuple of relation names and starts at the row; `up` climbs: 0 is the innermost row, 1 the row whose related
rows an enclosing Exists or Aggregate looks at, and so on. Meaning is settled in docs/predicates.md. A tree is only
names and values: bind.py checks it against a catalog, compile.py makes SQL of it, sentence.py a sentence,
predicate_json.py JSON.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from segments.predicates.fields import BOOLEAN, Type, Value, conform, type_of_value
from unify.core.errors import QueryError

MAX_DEPTH = 100
"""Of a tree. Python's own stack holds about 1000 frames, and no step here takes more than four a level."""
MAX_NODES = 50_000
"""Of a tree, the values of In not counted."""

COMPARISONS = {
    "eq": "equals", "ne": "differs from", "lt": "is less than", "le": "is at most", "gt": "is greater than",
    "ge": "is at least", "is": "is the same as", "is_not": "is not the same as",
}  # fmt: skip
AGGREGATES = {
    "count": "the number of", "count_distinct": "the number of different", "sum": "the sum of",
    "avg": "the average of", "min": "the smallest", "max": "the largest",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Literal:
    """A value of a type; QueryError when the type cannot hold it."""

    type: Type
    value: Value

    def __post_init__(self) -> None:
        object.__setattr__(self, "value", conform(self.type, self.value))


@dataclass(frozen=True, slots=True)
class Field:
    """An attribute. With a path, every step must lead to at most one row."""

    name: str
    path: tuple[str, ...] = ()
    up: int = 0


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the table in functions.py."""

    function: str
    args: "tuple[Expr, ...]" = ()


@dataclass(frozen=True, slots=True)
class Compare:
    """Two values of comparable types; `op` is a key of COMPARISONS."""

    op: str
    left: "Expr"
    right: "Expr"


@dataclass(frozen=True, slots=True)
class In:
    """Short for `item eq a or item eq b …`, however many. Nulls are not allowed among the values."""

    item: "Expr"
    values: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class And:
    """False if one is false, else null if one is null, else true."""

    args: "tuple[Expr, ...]"


@dataclass(frozen=True, slots=True)
class Or:
    """True if one is true, else null if one is null, else false."""

    args: "tuple[Expr, ...]"


@dataclass(frozen=True, slots=True)
class Not:
    """Null stays null."""

    arg: "Expr"


TRUE = Literal(BOOLEAN, True)
FALSE = Literal(BOOLEAN, False)


@dataclass(frozen=True, slots=True)
class Exists:
    """True or false, never null."""

    path: tuple[str, ...]
    where: "Expr" = TRUE
    up: int = 0


@dataclass(frozen=True, slots=True)
class Aggregate:
    """`function` is a key of AGGREGATES; `value` is what it takes of each related row, None for count."""

    function: str
    path: tuple[str, ...]
    value: "Expr | None" = None
    where: "Expr" = TRUE
    up: int = 0


@dataclass(frozen=True, slots=True)
class MemberOf:
    """Never null."""

    segment: str
    up: int = 0


Expr = Literal | Field | Call | Compare | In | And | Or | Not | Exists | Aggregate | MemberOf


def literal(value: Value) -> Literal:
    """A literal of the narrowest type of a Python value; of None, a null boolean."""
    return Literal(BOOLEAN if value is None else type_of_value(value), value)


def is_in(item: Expr, *values: Value) -> In:
    """In from Python values."""
    return In(item, tuple(literal(v) for v in values))


def for_all(path: tuple[str, ...], where: Expr) -> Not:
    """True when `where` is true for every related row, so also when there is none."""
    return Not(Exists(path, Not(Call("is_true", (where,)))))


def between(item: Expr, low: Expr, high: Expr) -> And:
    """Both ends included."""
    return And((Compare("ge", item, low), Compare("le", item, high)))


def window(item: Expr, start: Expr, end: Expr) -> And:
    """Half open: from `start`, before `end`; windows that meet share no moment."""
    return And((Compare("ge", item, start), Compare("lt", item, end)))


def today(zone: str) -> Call:
    """The day of the run clock in a time zone."""
    return Call("date_of", (Call("local", (Call("now"), literal(zone))),))


@lru_cache(256)
def _places(count: int) -> tuple[str, ...]:
    return tuple(f"args[{i}]" for i in range(count))


def children(expr: Expr) -> tuple[tuple[str, Expr], ...]:
    """The parts of a node with their places, in order: `("left", …)`, `("args[2]", …)`."""
    match expr:
        case Call(args=args) | And(args=args) | Or(args=args):
            return tuple(zip(_places(len(args)), args, strict=True))
        case Compare(left=left, right=right):
            return (("left", left), ("right", right))
        case In(item=item):
            return (("item", item),)
        case Not(arg=arg):
            return (("arg", arg),)
        case Exists(where=where):
            return (("where", where),)
        case Aggregate(value=value, where=where):
            return (("where", where),) if value is None else (("value", value), ("where", where))
        case _:
            return ()


def rebuild(expr: Expr, change: Callable[[Expr], Expr]) -> Expr:
    """The node with every part changed."""
    match expr:
        case Call(function=function, args=args):
            return Call(function, tuple(change(a) for a in args))
        case And(args=args):
            return And(tuple(change(a) for a in args))
        case Or(args=args):
            return Or(tuple(change(a) for a in args))
        case Compare(op=op, left=left, right=right):
            return Compare(op, change(left), change(right))
        case In(item=item, values=values):
            return In(change(item), values)
        case Not(arg=arg):
            return Not(change(arg))
        case Exists(path=path, where=where, up=up):
            return Exists(path, change(where), up)
        case Aggregate(function=function, path=path, value=value, where=where, up=up):
            return Aggregate(function, path, None if value is None else change(value), change(where), up)
        case _:
            return expr


def walk(expr: Expr) -> Iterator[Expr]:
    """Every node, parents first. Works on trees of any depth."""
    waiting = [expr]
    while waiting:
        here = waiting.pop()
        yield here
        waiting.extend(part for _, part in reversed(children(here)))


def check_size(expr: Expr, where: str = "") -> None:
    """QueryError when a tree is deeper than MAX_DEPTH or has more than MAX_NODES nodes."""
    layer, depth, nodes = [expr], 0, 0
    while layer:
        depth, nodes = depth + 1, nodes + len(layer)
        if depth > MAX_DEPTH:
            raise QueryError(f"it is nested deeper than {MAX_DEPTH} levels", where=where)
        if nodes > MAX_NODES:
            raise QueryError(f"it has more than {MAX_NODES} parts", where=where, hint="put long lists into `in`")
        layer = [part for node in layer for _, part in children(node)]


def segments_named(expr: Expr) -> frozenset[str]:
    """The segments a tree depends on."""
    return frozenset(node.segment for node in walk(expr) if isinstance(node, MemberOf))
