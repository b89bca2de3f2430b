"""A predicate as a sentence: `Spend is at least 100 and (City is one of "Bern", "Ulm" or Vip)`.

Functions bring their own words (functions.py). A sentence says every part of the tree, once, with brackets where two
ways of reading would differ; segments/spellings/sentences.py reads it again and gets the same tree. Its grammar is in
docs/spellings.md.
"""

import re
from datetime import date, time
from decimal import Decimal
from functools import cache
from typing import Any

from segments.predicates import tree as p
from segments.predicates.fields import BOOLEAN, KINDS, is_finite
from segments.predicates.functions import table
from unify.core.errors import QueryError, did_you_mean

SHOWN_VALUES = 10
"""Of a long list; the rest is counted."""
UNITS = {"day": 86_400_000_000, "hour": 3_600_000_000, "minute": 60_000_000, "second": 1_000_000, "microsecond": 1}
PLAIN_NAME = re.compile(r"[^\W\d]\w*\Z")
_WORD = re.compile(r"[^\W\d]\w*")
_GRAMMAR = (
    "and or not always never all any of has for which is in segment one nothing true false a span outer the row own now"
)


def sentence(expr: p.Expr, *, values: int | None = SHOWN_VALUES) -> str:
    """The whole tree in words. QueryError for functions, comparisons and aggregates that do not exist.

    values  how many of a long list are shown; None: all, so that the sentence can be read again

    >>> sentence(p.And((p.Compare("ge", p.Field("Spend"), p.literal(100)), p.Not(p.Field("Vip")))))
    'Spend is at least 100 and not Vip'
    """
    p.check_size(expr)
    return _Speaker(values).say(expr)


@cache
def reserved() -> frozenset[str]:
    """Words of the language: names that are spelled like one stand in backquotes."""
    phrases = [_GRAMMAR, *p.COMPARISONS.values(), *p.AGGREGATES.values()]
    phrases += [re.sub(r"\{\d\}", " ", row.sentence) for rows in table().values() for row in rows]
    units = [f"{unit}{s}" for unit in UNITS for s in ("", "s")]
    return frozenset(_WORD.findall(" ".join(phrases))) | {*KINDS, *units}


def name(text: str) -> str:
    """A name as a sentence writes it: in backquotes unless it is one word that means nothing else."""
    return text if PLAIN_NAME.match(text) and text not in reserved() else "`" + text.replace("`", "``") + "`"


class _Speaker:
    """Knows the relations on the way in, to name attributes of rows further out."""

    def __init__(self, values: int | None) -> None:
        self.rows: list[str] = []
        self.values = values

    def say(self, expr: p.Expr) -> str:
        match expr:
            case p.Literal():
                return written(expr)
            case p.Field(name=field, path=path, up=up):
                return self.owned((*path, field), up)
            case p.Call(function=key, args=args):
                return self.call(key, args)
            case p.Compare(op=op, left=left, right=right):
                return f"{self.strict(left)} {_known(op, p.COMPARISONS, 'comparison')} {self.strict(right)}"
            case p.In(item=item, values=values):
                return f"{self.strict(item)} is {self.one_of(values)}"
            case p.And(args=args):
                return self.joined(args, "and", "all", "always")
            case p.Or(args=args):
                return self.joined(args, "or", "any", "never")
            case p.Not(arg=arg):
                return f"not {self.loose(arg)}"
            case p.MemberOf(segment=segment, up=up):
                return f"{self.owner(up)}in segment {_quoted(segment)}"
            case p.Exists(path=path, where=where, up=up):
                return f"has {self.owned(path, up)}{self.inside(path, where)}"
            case p.Aggregate():
                return self.aggregate(expr)

    def joined(self, args: tuple[p.Expr, ...], word: str, alone: str, nothing: str) -> str:
        if len(args) == 1:
            return f"{alone} of {self.strict(args[0])}"
        return f" {word} ".join(self.loose(a) for a in args) or nothing

    def strict(self, expr: p.Expr) -> str:
        """A part of something: one thing, or in brackets."""
        said = self.say(expr)
        return said if _is_one_thing(expr) else f"({said})"

    def loose(self, expr: p.Expr) -> str:
        """Beside and, or, not: in brackets only where these could be mistaken for words of the part."""
        said = self.say(expr)
        return said if _is_one_thing(expr) or _is_plain(expr) else f"({said})"

    def owned(self, path: tuple[str, ...], up: int) -> str:
        if not path:
            raise QueryError("the path is empty", hint="name the relations that lead to the rows")
        return self.owner(up) + ".".join(map(name, path))

    def owner(self, up: int) -> str:
        """Whose: nothing for the innermost row."""
        if up == 0:
            return ""
        place = len(self.rows) - 1 - up
        if place == -1:
            return "the row’s own "
        if place < 0 or self.rows[place] in self.rows[place + 1 :]:
            return f"outer {up}’s "  # another row between is called the same
        return f"{name(self.rows[place])}’s "

    def inside(self, path: tuple[str, ...], where: p.Expr) -> str:
        """` for which …`, said from the related row."""
        if where == p.TRUE:
            return ""
        self.rows.append(path[-1])
        try:
            return f" for which {self.loose(where)}"
        finally:
            self.rows.pop()

    def aggregate(self, expr: p.Aggregate) -> str:
        words = _known(expr.function, p.AGGREGATES, "aggregate")
        rows = self.owned(expr.path, expr.up)
        if expr.value is None:
            return f"{words} {rows}{self.inside(expr.path, expr.where)}"
        self.rows.append(expr.path[-1])
        value = self.strict(expr.value)
        self.rows.pop()
        return f"{words} {value} of {rows}{self.inside(expr.path, expr.where)}"

    def call(self, key: str, args: tuple[p.Expr, ...]) -> str:
        if key not in table():
            raise QueryError(f"there is no function {key!r}", hint=did_you_mean(key, table()))
        rows = [row for row in table()[key] if len(row.takes) == len(args)]
        if not rows:
            raise QueryError(f"{key} does not take {len(args)} arguments")
        return rows[0].sentence.format(*(self.strict(a) for a in args))

    def one_of(self, values: tuple[p.Literal, ...]) -> str:
        most = len(values) if self.values is None else self.values
        shown = ", ".join("nothing of boolean" if v == _NULL else written(v) for v in values[:most])
        more = len(values) - most
        return f"one of {shown}" + (f" and {more} more" if more > 0 else "") if values else "one of nothing"


_NULL = p.Literal(BOOLEAN, None)
_NOW = p.Call("now")


def _is_one_thing(expr: p.Expr) -> bool:
    return isinstance(expr, (p.Literal, p.Field, p.MemberOf)) or expr in (p.And(()), p.Or(()), _NOW)


def _is_plain(expr: p.Expr) -> bool:
    """Said without and, or, and without a condition that could go on."""
    match expr:
        case p.Not(arg=arg):
            return not isinstance(arg, p.Not)
        case p.Exists(where=where) | p.Aggregate(where=where):
            return where == p.TRUE
        case p.Call(function=key):
            return key != "coalesce"
    return isinstance(expr, (p.Compare, p.In))


def _known(key: str, words: dict[str, str], kind: str) -> str:
    if key not in words:
        raise QueryError(f"there is no {kind} {key!r}", hint=did_you_mean(key, words))
    return words[key]


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def written(expr: p.Literal) -> str:
    """A value as a sentence writes it: its type can be told again.

    `5`, `1.50`, `2.5e0` are integer, decimal, double; a decimal with more digits than it shows, and doubles that are no
    number, are a type and a text, `decimal(9,2) "5"`.
    """
    value: Any = expr.value
    kind = expr.type
    if value is None:
        return "nothing" if kind == BOOLEAN else f"nothing of {kind.name}"
    if kind.kind == "duration":
        return f"a span of {_duration(value)}"
    if kind.kind == "double":
        text = repr(value)
        return (text if "e" in text else f"{text}e0") if is_finite(value) else f'double "{text}"'
    if isinstance(value, Decimal):
        text = format(value, "f")
        plain = "." in text and p.literal(Decimal(text)) == expr
        return text if plain else f'{kind.name} "{text}"'
    return spoken(expr)


def spoken(expr: p.Literal) -> str:
    """A value as people say it: text quoted, so that `1` and `"1"` differ."""
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
    for unit, size in UNITS.items():
        if count and count % size == 0:
            n = count // size
            return f"{n} {unit}" + ("" if abs(n) == 1 else "s")
    return "0 microseconds"
