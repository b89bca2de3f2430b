"""A predicate as a sentence, for people: `Spend is at least 100 and (City is one of "Bern", "Ulm" or Vip)`.

Functions bring their own words (functions.py). A sentence says every part of the tree, once, with brackets where two
ways of reading would differ; it is not parsed again.
"""

from datetime import date, time
from typing import Any

from segments.predicates import tree as p
from segments.predicates.functions import table
from unify.core.errors import QueryError, did_you_mean

SHOWN_VALUES = 10
"""Of a long list; the rest is counted."""
_UNITS = ((86_400_000_000, "day"), (3_600_000_000, "hour"), (60_000_000, "minute"), (1_000_000, "second"))


def sentence(expr: p.Expr) -> str:
    """The whole tree in words. QueryError for functions, comparisons and aggregates that do not exist.

    >>> sentence(p.And((p.Compare("ge", p.Field("Spend"), p.literal(100)), p.Not(p.Field("Vip")))))
    'Spend is at least 100 and not Vip'
    """
    p.check_size(expr)
    return _Speaker().say(expr)


class _Speaker:
    """Knows the relations on the way in, to name attributes of rows further out."""

    def __init__(self) -> None:
        self.rows: list[str] = []

    def say(self, expr: p.Expr) -> str:
        match expr:
            case p.Literal():
                return spoken(expr)
            case p.Field():
                return self.field(expr)
            case p.Call(function=key, args=args):
                return self.call(key, args)
            case p.Compare(op=op, left=left, right=right):
                return f"{self.part(left)} {_known(op, p.COMPARISONS, 'comparison')} {self.part(right)}"
            case p.In(item=item, values=values):
                return f"{self.part(item)} is {_one_of(values)}"
            case p.And(args=args):
                return " and ".join(self.part(a) for a in args) or "always"
            case p.Or(args=args):
                return " or ".join(self.part(a) for a in args) or "never"
            case p.Not(arg=arg):
                return f"not {self.part(arg)}"
            case p.MemberOf(segment=segment, up=up):
                return f"{self.owner(up)}in segment {_quoted(segment)}"
            case p.Exists(path=path, where=where, up=up):
                return f"{self.owner(up)}has {self.path(path)}{self.inside(path, where)}"
            case p.Aggregate():
                return self.aggregate(expr)

    def part(self, expr: p.Expr) -> str:
        """A part of something, in brackets unless it is one thing or binds by itself."""
        said = self.say(expr)
        if isinstance(expr, (p.Literal, p.Field, p.MemberOf)) or said in ("always", "never"):
            return said
        return said if isinstance(expr, p.Compare) and not self._nested(expr) else f"({said})"

    def _nested(self, expr: p.Compare) -> bool:
        return not all(isinstance(side, (p.Literal, p.Field)) for side in (expr.left, expr.right))

    def field(self, expr: p.Field) -> str:
        return self.owner(expr.up) + ".".join([*expr.path, expr.name])

    def owner(self, up: int) -> str:
        """Whose attribute: nothing for the innermost row."""
        if up == 0:
            return ""
        place = len(self.rows) - 1 - up
        return f"{self.rows[place]}’s " if 0 <= place < len(self.rows) else "the row’s own "

    def path(self, path: tuple[str, ...]) -> str:
        return ".".join(path)

    def inside(self, path: tuple[str, ...], where: p.Expr) -> str:
        """` for which …`, said from the related row."""
        if where == p.TRUE:
            return ""
        self.rows.append(path[-1])
        try:
            return f" for which {self.part(where)}"
        finally:
            self.rows.pop()

    def aggregate(self, expr: p.Aggregate) -> str:
        words = _known(expr.function, p.AGGREGATES, "aggregate")
        if expr.value is None:
            return f"{words} {self.owner(expr.up)}{self.path(expr.path)}{self.inside(expr.path, expr.where)}"
        self.rows.append(expr.path[-1])
        value = self.part(expr.value)
        self.rows.pop()
        return f"{words} {value} of {self.owner(expr.up)}{self.path(expr.path)}{self.inside(expr.path, expr.where)}"

    def call(self, key: str, args: tuple[p.Expr, ...]) -> str:
        if key not in table():
            raise QueryError(f"there is no function {key!r}", hint=did_you_mean(key, table()))
        rows = [row for row in table()[key] if len(row.takes) == len(args)]
        if not rows:
            raise QueryError(f"{key} does not take {len(args)} arguments")
        return rows[0].sentence.format(*(self.part(a) for a in args))


def _known(key: str, words: dict[str, str], kind: str) -> str:
    if key not in words:
        raise QueryError(f"there is no {kind} {key!r}", hint=did_you_mean(key, words))
    return words[key]


def _one_of(values: tuple[p.Literal, ...]) -> str:
    shown = ", ".join(spoken(v) for v in values[:SHOWN_VALUES])
    more = len(values) - SHOWN_VALUES
    return f"one of {shown}" + (f" and {more} more" if more > 0 else "") if values else "one of nothing"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def spoken(expr: p.Literal) -> str:
    """A value as a sentence writes it: text quoted, so that `1` and `"1"` differ."""
    value: Any = expr.value
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if expr.type.kind == "duration":
        return _duration(value)
    if isinstance(value, str):
        return _quoted(value) if expr.type.kind == "string" else value
    return str(value.isoformat()) if isinstance(value, (date, time)) else str(value)


def _duration(count: int) -> str:
    for unit, name in _UNITS:
        if count and count % unit == 0:
            n = count // unit
            return f"{n} {name}" + ("" if abs(n) == 1 else "s")
    return f"{count} microseconds"
