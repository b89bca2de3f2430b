"""Words, names and values of a sentence, each with its place."""

import re
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import NoReturn

from segments.predicates import tree as p
from segments.predicates.fields import DATE, DATETIME, DOUBLE, GUID, TIME
from segments.predicates.sentence import reserved
from unify.core.errors import QueryError

MAX_CHARACTERS = 1_000_000
"""Of a sentence: a condition with 50,000 listed values has about as many."""

_TOKEN = re.compile(
    r"""
      (?P<blank>\s+)
    | (?P<text>"(?:[^"\\]|\\.)*")
    | (?P<name>`(?:[^`]|``)*`)
    | (?P<block>‹[^›]*›)
    | (?P<guid>[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b)
    | (?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?)
    | (?P<date>\d{4}-\d\d-\d\d\b)
    | (?P<time>\d\d:\d\d:\d\d(?:\.\d{1,6})?)
    | (?P<double>-?\d+(?:\.\d+)?e[+-]?\d+\b)
    | (?P<decimal>-?\d+\.\d+\b)
    | (?P<integer>-?\d+\b)
    | (?P<type>decimal\(\d{1,2},\d{1,2}\))
    | (?P<word>[^\W\d]\w*)
    | (?P<whose>[’']s\b)
    | (?P<mark>[(),.])
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a sentence. `kind`: word, name, mark, whose, type, block, end, or literal, which has its `value`."""

    kind: str
    text: str
    at: int
    value: p.Literal | None = None


def fail(at: int, message: str, hint: str = "") -> NoReturn:
    """QueryError at a place of a sentence, counted from 0."""
    raise QueryError(message, where=f"sentence, position {at}", hint=hint)


def tokens_of(text: str) -> list[Token]:
    """The pieces in order, and one of kind `end`. QueryError for what is none."""
    if len(text) > MAX_CHARACTERS:
        fail(MAX_CHARACTERS, f"the sentence is longer than {MAX_CHARACTERS:,} characters")
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match:
            fail(at, *_unread(text, at))
        kind = str(match.lastgroup)
        if kind != "blank":
            found.append(_token(kind, match[0], at))
        at = match.end()
    return [*found, Token("end", "", len(text))]


def _unread(text: str, at: int) -> tuple[str, str]:
    if text[at] == '"':
        return "the text does not end", 'texts end with "; inside, write \\" for "'
    if text[at] == "`":
        return "the name does not end", "names end with a backquote; inside, write two of them"
    return f"{text[at]!r} means nothing here", 'texts stand in "…", names with blanks or signs in `…`'


def _token(kind: str, text: str, at: int) -> Token:
    match kind:
        case "word":
            return Token("word" if text in reserved() else "name", text, at)
        case "name":
            return Token("name", text[1:-1].replace("``", "`"), at)
        case "whose" | "mark" | "type" | "block":
            return Token(kind, text, at)
    try:
        return Token("literal", text, at, _value(kind, text))
    except (QueryError, ValueError) as error:
        message = error.message if isinstance(error, QueryError) else f"{text} is no {kind}: {error}"
        fail(at, message)


def _value(kind: str, text: str) -> p.Literal:
    match kind:
        case "text":
            return p.literal(re.sub(r"\\(.)", r"\1", text[1:-1], flags=re.DOTALL))
        case "guid":
            return p.Literal(GUID, text)
        case "datetime":
            return p.Literal(DATETIME, datetime.fromisoformat(text))
        case "date":
            return p.Literal(DATE, date.fromisoformat(text))
        case "time":
            return p.Literal(TIME, time.fromisoformat(text))
        case "double":
            return p.Literal(DOUBLE, float(text))
    return p.literal(Decimal(text) if kind == "decimal" else int(text))
