"""The items of a sentence: what its tokens are, one pair of brackets at a time, before anybody asks what they say.

the sum of Amount of Orders.Lines      ─▶  the · sum · of · Named(Amount) · of · Named(Orders, Lines)
"""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from segments.predicates import tree as p
from segments.predicates.fields import DURATION, KINDS, Type, parse_type
from segments.predicates.sentence import UNITS
from segments.spellings.words import Token, fail
from unify.core.errors import QueryError, UnifyError


@dataclass(frozen=True, slots=True)
class Named:
    """A name with its path, and whose it is: "" the innermost row's, `outer n`, `own` or the name of a row."""

    path: tuple[str, ...]
    owner: str
    at: int


@dataclass(frozen=True, slots=True)
class Member:
    """`in segment "…"`."""

    segment: str
    owner: str
    at: int


@dataclass(frozen=True, slots=True)
class Brackets:
    """What stands in brackets."""

    items: "tuple[tuple[Item, int], ...]"
    at: int
    end: int


Item = Token | Named | Member | Brackets | p.Expr
"""Words and commas stay tokens. Values, always and never are expressions already; they need no place."""
Placed = tuple[Item, int]


class Reader:
    """Goes over the tokens once."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens, self.i, self.depth = tokens, 0, 0

    @property
    def end(self) -> int:
        """Where the text ends."""
        return self.tokens[-1].at

    def _peek(self, *texts: str) -> bool:
        """Whether words and marks come next."""
        ahead = self.tokens[self.i : self.i + len(texts)]
        return [t.text for t in ahead if t.kind in ("word", "mark")] == list(texts)

    def _next(self) -> Token:
        self.i += 1
        return self.tokens[self.i - 1]

    def items(self, *, closing: bool) -> tuple[Placed, ...]:
        """Up to the bracket that closes, or the end."""
        found: list[Placed] = []
        while True:
            at = self.tokens[self.i].at
            if self.tokens[self.i].kind == "end":
                if closing:
                    fail(at, "a bracket is not closed", "expected )")
                return tuple(found)
            if self._peek(")"):
                if not closing:
                    fail(at, "a bracket is closed that was not opened")
                return tuple(found)
            found.append((self._item(), at))

    def _item(self) -> Item:
        token = self.tokens[self.i]
        if token.kind == "block":
            hint = "keep such a segment as YAML or JSON"
            fail(token.at, f"{token.text} speaks of more than a condition, and is not read back", hint)
        if token.kind == "literal":
            assert token.value is not None
            return self._value(self._next().value)
        if token.kind == "name":
            return self._named()
        if self._peek("("):
            return self._brackets()
        if self._peek("the", "row") and self.tokens[self.i + 2].kind == "whose":
            return self._of_top()
        if self._peek("outer") and self.tokens[self.i + 1].kind == "literal":
            return self._outer()
        if self._peek("in", "segment"):
            return self._member("")
        return self._word()

    @staticmethod
    def _value(value: p.Literal | None) -> p.Expr:
        assert value is not None
        return value

    def _brackets(self) -> Brackets:
        at = self._next().at
        self.depth += 1
        if self.depth > p.MAX_DEPTH:
            fail(at, f"brackets are nested deeper than {p.MAX_DEPTH} levels")
        items = self.items(closing=True)
        self.depth -= 1
        end = self._next().at
        if not items:
            fail(at, "there is nothing in the brackets")
        return Brackets(items, at, end)

    def _named(self) -> Named | Member:
        first = self._next()
        if self.tokens[self.i].kind == "whose":
            self._next()
            return self._owned(f"row {first.text}")
        return self._path([first.text], "", first.at)

    def _path(self, names: list[str], owner: str, at: int) -> Named:
        while self._peek("."):
            self._next()
            if self.tokens[self.i].kind != "name":
                fail(self.tokens[self.i].at, "a name comes after the point", _quote_hint(self.tokens[self.i]))
            names.append(self._next().text)
        return Named(tuple(names), owner, at)

    def _of_top(self) -> Named | Member:
        self.i += 3
        if not self._peek("own"):
            fail(self.tokens[self.i].at, "the row’s what?", "expected own, and a name")
        self._next()
        return self._owned("own")

    def _outer(self) -> Named | Member:
        self._next()
        count = self._next()
        if not count.text.isdigit() or self._next().kind != "whose":
            fail(count.at, "outer how far?", "expected a number and ’s, as in outer 2’s Amount")
        return self._owned(f"outer {count.text}")

    def _owned(self, owner: str) -> Named | Member:
        token = self.tokens[self.i]
        if self._peek("in", "segment"):
            return self._member(owner)
        if token.kind != "name":
            fail(token.at, "a name comes after ’s", _quote_hint(token))
        return self._path([self._next().text], owner, token.at)

    def _member(self, owner: str) -> Member:
        at = self._next().at
        self._next()
        token = self._next()
        if token.value is None or not isinstance(token.value.value, str):
            fail(token.at, "which segment?", 'expected its name in quotes, as in segment "Vip"')
        return Member(str(token.value.value), owner, at)

    def _word(self) -> Item:
        """A word, or several that are one value."""
        token = self._next()
        match token.text:
            case "always" | "never":
                return p.And(()) if token.text == "always" else p.Or(())
            case "true" | "false":
                return p.TRUE if token.text == "true" else p.FALSE
            case "now":
                return p.Call("now")
            case "nothing":
                return self._nothing()
            case "a" if self._peek("span", "of"):
                return self._span()
        if (token.kind == "type" or token.text in KINDS) and self.tokens[self.i].kind == "literal":
            return self._typed(token)
        return token

    def _nothing(self) -> p.Expr:
        after = self.tokens[self.i + 1] if self._peek("of") else None
        if after and (after.kind == "type" or (after.kind == "word" and after.text in KINDS)):
            self.i += 2
            return p.Literal(_type(after), None)
        return p.literal(None)

    def _span(self) -> p.Expr:
        self.i += 2
        count, unit = self._next(), self._next()
        size = UNITS.get(unit.text.removesuffix("s")) if unit.kind == "word" else None
        if count.value is None or not isinstance(count.value.value, int) or size is None:
            fail(count.at, "how long is the span?", f"expected a number and one of {', '.join(UNITS)}")
        return _made(count.at, lambda: p.Literal(DURATION, int(str(count.value.value)) * size))  # type: ignore[union-attr]

    def _typed(self, token: Token) -> p.Expr:
        text = self._next()
        kind = _type(token)
        if text.value is None or not isinstance(text.value.value, str) or kind.kind not in ("decimal", "double"):
            fail(text.at, f"{text.text} is no {kind.name}", 'expected a text, as in decimal(9,2) "5"')
        try:
            value = Decimal(text.value.value) if kind.kind == "decimal" else float(text.value.value)
        except (InvalidOperation, ValueError):
            fail(text.at, f"{text.text} is no {kind.name}")
        return _made(text.at, lambda: p.Literal(kind, value))


def _made(at: int, make: Callable[[], p.Literal]) -> p.Literal:
    try:
        return make()
    except QueryError as error:
        fail(at, error.message, error.hint)


def _type(token: Token) -> Type:
    try:
        return parse_type(token.text)
    except UnifyError as error:
        fail(token.at, error.message, error.hint)


def _quote_hint(token: Token) -> str:
    return (
        f"{token.text!r} is a word of the language: write `{token.text}`" if token.kind == "word" else "expected a name"
    )
