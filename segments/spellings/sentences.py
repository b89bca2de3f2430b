"""A sentence read: exactly the language that segments/predicates/sentence.py prints, so the same tree comes back.

    tokens ──▶ items of one pair of brackets: words, values, names, brackets ──▶ a form ──▶ Expr

A form is told by its words alone, as in `_ is less than _` or `the sum of _ of _`: in the place of each `_` stands one
thing, or brackets. Around forms there are only `not`, `and`, `or`, `for which` and lists.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import NoReturn

from segments.model import Model
from segments.predicates import tree as p
from segments.predicates.bind import bind_predicate
from segments.predicates.fields import DURATION, KINDS, Type, parse_type
from segments.predicates.functions import table
from segments.predicates.sentence import UNITS, written
from segments.spellings.words import Token, fail, tokens_of
from unify.core.errors import QueryError, UnifyError, did_you_mean

Rows = tuple[str, ...]
"""The relations on the way in; those of the innermost row last."""


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


def expression_of_sentence(text: str, model: Model, *, where: str = "") -> p.Expr:
    """The tree of a sentence over Customer. `where`: the place of the text, for errors.

    QueryError with the position of what is not understood, and what would be; and for names that the model has not.
    """
    try:
        found = parse_sentence(text)
        bind_predicate(found, model.catalog, model.catalog.customers)
    except QueryError as error:
        place = " ".join(filter(None, (where, error.where)))
        raise QueryError(error.message, where=place, hint=error.hint) from None
    return found


def parse_sentence(text: str) -> p.Expr:
    """The tree of a sentence, its names unchecked. QueryError as above."""
    reader = _Reader(tokens_of(text))
    items = reader.items(closing=False)
    if not items:
        fail(0, "the sentence is empty", "say always for everybody")
    found = _say(items, (), reader.end)
    p.check_size(found)
    return found


# ── items ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class _Reader:
    """Goes over the tokens once."""

    def __init__(self, tokens: list[Token]) -> None:
        self.tokens, self.i, self.depth = tokens, 0, 0

    @property
    def end(self) -> int:
        return self.tokens[-1].at

    def peek(self, *texts: str) -> bool:
        """Whether words and marks come next."""
        ahead = self.tokens[self.i : self.i + len(texts)]
        return [t.text for t in ahead if t.kind in ("word", "mark")] == list(texts)

    def next(self) -> Token:
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
            if self.peek(")"):
                if not closing:
                    fail(at, "a bracket is closed that was not opened")
                return tuple(found)
            found.append((self.item(), at))

    def item(self) -> Item:
        token = self.tokens[self.i]
        if token.kind == "block":
            hint = "keep such a segment as YAML or JSON"
            fail(token.at, f"{token.text} speaks of more than a condition, and is not read back", hint)
        if token.kind == "literal":
            assert token.value is not None
            return self._value(self.next().value)
        if token.kind == "name":
            return self.named()
        if self.peek("("):
            return self.brackets()
        if self.peek("the", "row") and self.tokens[self.i + 2].kind == "whose":
            return self.of_top()
        if self.peek("outer") and self.tokens[self.i + 1].kind == "literal":
            return self.outer()
        if self.peek("in", "segment"):
            return self.member("")
        return self.word()

    @staticmethod
    def _value(value: p.Literal | None) -> p.Expr:
        assert value is not None
        return value

    def brackets(self) -> Brackets:
        at = self.next().at
        self.depth += 1
        if self.depth > p.MAX_DEPTH:
            fail(at, f"brackets are nested deeper than {p.MAX_DEPTH} levels")
        items = self.items(closing=True)
        self.depth -= 1
        end = self.next().at
        if not items:
            fail(at, "there is nothing in the brackets")
        return Brackets(items, at, end)

    def named(self) -> Named | Member:
        first = self.next()
        if self.tokens[self.i].kind == "whose":
            self.next()
            return self.owned(f"row {first.text}")
        return self.path([first.text], "", first.at)

    def path(self, names: list[str], owner: str, at: int) -> Named:
        while self.peek("."):
            self.next()
            if self.tokens[self.i].kind != "name":
                fail(self.tokens[self.i].at, "a name comes after the point", _quote_hint(self.tokens[self.i]))
            names.append(self.next().text)
        return Named(tuple(names), owner, at)

    def of_top(self) -> Named | Member:
        self.i += 3
        if not self.peek("own"):
            fail(self.tokens[self.i].at, "the row’s what?", "expected own, and a name")
        self.next()
        return self.owned("own")

    def outer(self) -> Named | Member:
        self.next()
        count = self.next()
        if not count.text.isdigit() or self.next().kind != "whose":
            fail(count.at, "outer how far?", "expected a number and ’s, as in outer 2’s Amount")
        return self.owned(f"outer {count.text}")

    def owned(self, owner: str) -> Named | Member:
        token = self.tokens[self.i]
        if self.peek("in", "segment"):
            return self.member(owner)
        if token.kind != "name":
            fail(token.at, "a name comes after ’s", _quote_hint(token))
        return self.path([self.next().text], owner, token.at)

    def member(self, owner: str) -> Member:
        at = self.next().at
        self.next()
        token = self.next()
        if token.value is None or not isinstance(token.value.value, str):
            fail(token.at, "which segment?", 'expected its name in quotes, as in segment "Vip"')
        return Member(str(token.value.value), owner, at)

    def word(self) -> Item:
        """A word, or several that are one value."""
        token = self.next()
        match token.text:
            case "always" | "never":
                return p.And(()) if token.text == "always" else p.Or(())
            case "true" | "false":
                return p.TRUE if token.text == "true" else p.FALSE
            case "now":
                return p.Call("now")
            case "nothing":
                return self.nothing()
            case "a" if self.peek("span", "of"):
                return self.span()
        if (token.kind == "type" or token.text in KINDS) and self.tokens[self.i].kind == "literal":
            return self.typed(token)
        return token

    def nothing(self) -> p.Expr:
        after = self.tokens[self.i + 1] if self.peek("of") else None
        if after and (after.kind == "type" or (after.kind == "word" and after.text in KINDS)):
            self.i += 2
            return p.Literal(_type(after), None)
        return p.literal(None)

    def span(self) -> p.Expr:
        self.i += 2
        count, unit = self.next(), self.next()
        size = UNITS.get(unit.text.removesuffix("s")) if unit.kind == "word" else None
        if count.value is None or not isinstance(count.value.value, int) or size is None:
            fail(count.at, "how long is the span?", f"expected a number and one of {', '.join(UNITS)}")
        return _made(count.at, lambda: p.Literal(DURATION, int(str(count.value.value)) * size))  # type: ignore[union-attr]

    def typed(self, token: Token) -> p.Expr:
        text = self.next()
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


# ── forms ────────────────────────────────────────────────────────────────────────────────────────────────────────────

Signature = tuple[str | None, ...]
"""The words of a form, None where something stands."""
Build = Callable[[Sequence[Placed], Rows], p.Expr]


@cache
def forms() -> dict[Signature, Build]:
    """Every form by its words."""
    found: dict[Signature, Build] = {}

    def add(phrase: str, build: Build) -> None:
        signature = tuple(None if word == "_" else word for word in phrase.replace(",", " ,").split())
        assert signature not in found, f"two forms are said as {phrase!r}"
        found[signature] = build

    for op, words in p.COMPARISONS.items():
        add(f"_ {words} _", _comparison(op))
    for key, rows in table().items():
        for arity in dict.fromkeys(len(row.takes) for row in rows):
            template = next(row.sentence for row in rows if len(row.takes) == arity)
            if arity:
                add(_blanks(template), _function(key, template))
    for key, words in p.AGGREGATES.items():
        add(f"{words} _" if key == "count" else f"{words} _ of _", _aggregate(key))
    add("has _", lambda parts, rows: p.Exists(*_path(parts[0], rows)))
    add("all of _", lambda parts, rows: p.And((_part(parts[0], rows),)))
    add("any of _", lambda parts, rows: p.Or((_part(parts[0], rows),)))
    return found


def _blanks(template: str) -> str:
    return template.format(*("_" * 3))


def _function(key: str, template: str) -> Build:
    order = [int(piece[0]) for piece in template.split("{")[1:]]

    def build(parts: Sequence[Placed], rows: Rows) -> p.Expr:
        args: dict[int, p.Expr] = {place: _part(part, rows) for place, part in zip(order, parts, strict=True)}
        return p.Call(key, tuple(args[i] for i in range(len(args))))

    return build


def _comparison(op: str) -> Build:
    return lambda parts, rows: p.Compare(op, _part(parts[0], rows), _part(parts[1], rows))


def _aggregate(key: str) -> Build:
    def build(parts: Sequence[Placed], rows: Rows) -> p.Expr:
        path, _, up = _path(parts[-1], rows)
        value = None if key == "count" else _part(parts[0], (*rows, path[-1]))
        return p.Aggregate(key, path, value, p.TRUE, up)

    return build


def _path(part: Placed, rows: Rows) -> tuple[tuple[str, ...], p.Expr, int]:
    item, at = part
    if not isinstance(item, Named):
        fail(at, "a relation is wanted here", "expected names with points between, as in Orders.Lines")
    return item.path, p.TRUE, _up(item.owner, rows, at)


def _up(owner: str, rows: Rows, at: int) -> int:
    kind, _, text = owner.partition(" ")
    if not owner:
        return 0
    if kind == "own":
        return len(rows)
    if kind == "outer":
        return int(text)
    up = next((up for up in range(1, len(rows)) if rows[-1 - up] == text), 0)
    if up:
        return up
    known = ", ".join(f"{row}’s" for row in rows[:-1]) or "no other row"
    return fail(at, f"no row further out is called {text}", f"in sight: {known}; the row’s own is the outermost")


def _part(part: Placed, rows: Rows) -> p.Expr:
    """What one item stands for."""
    item, at = part
    match item:
        case Named(path=path, owner=owner):
            return p.Field(path[-1], path[:-1], _up(owner, rows, at))
        case Member(segment=segment, owner=owner):
            return p.MemberOf(segment, _up(owner, rows, at))
        case Brackets(items=items, end=end):
            return _say(items, rows, end)
        case Token():
            fail(at, f"{item.text!r} stands where a value is wanted")
    return item


def _is_word(part: Placed, *texts: str) -> bool:
    item = part[0]
    return isinstance(item, Token) and item.text in texts


def _say(items: Sequence[Placed], rows: Rows, end: int) -> p.Expr:
    """One pair of brackets. `end`: where it closes."""
    if not items:
        fail(end, "something is missing here", "expected a condition")
    joints = [i for i in range(len(items)) if _joins(items, i)]
    condition = next((i for i in range(len(items)) if _for_which(items, i)), None)
    if condition is not None and joints:
        hint = "put brackets around has … for which …, or around the condition behind it"
        fail(items[joints[0]][1], "and, or beside `for which` can be read in two ways", hint)
    if joints:
        return _joined(items, joints, rows, end)
    if _is_word(items[0], "not"):
        return p.Not(_say(items[1:], rows, end))
    if condition is not None:
        return _with_condition(items, condition, rows, end)
    if len(items) == 1 and not isinstance(items[0][0], Token):
        return _part(items[0], rows)
    if len(items) > 3 and [_is_word(items[i + 1], w) for i, w in enumerate(("is", "one", "of"))] == [True] * 3:
        return _listed(items, rows, end)
    return _form(items, rows, end)


def _for_which(items: Sequence[Placed], i: int) -> bool:
    return _is_word(items[i], "for") and i + 1 < len(items) and _is_word(items[i + 1], "which")


def _joins(items: Sequence[Placed], i: int) -> bool:
    """Whether it is `and`, or an `or` that is not the one of `_, or _ where that is missing`."""
    return _is_word(items[i], "and") or (_is_word(items[i], "or") and not (i and _is_word(items[i - 1], ",")))


def _with_condition(items: Sequence[Placed], i: int, rows: Rows, end: int) -> p.Expr:
    head, rest = items[:i], items[i + 2 :]
    found = _form(head, rows, items[i][1]) if head else None
    if not isinstance(found, (p.Exists, p.Aggregate)):
        fail(items[i][1], "`for which` follows has … or an aggregate", "as in has Orders for which Total is at least 5")
    where = _say(rest, (*rows, found.path[-1]), end)
    if isinstance(found, p.Exists):
        return p.Exists(found.path, where, found.up)
    return p.Aggregate(found.function, found.path, found.value, where, found.up)


def _joined(items: Sequence[Placed], joints: list[int], rows: Rows, end: int) -> p.Expr:
    words = {items[i][0].text for i in joints}  # type: ignore[union-attr]
    if len(words) > 1:
        other = next(i for i in joints if items[i][0].text != items[joints[0]][0].text)  # type: ignore[union-attr]
        fail(items[other][1], "and beside or can be read in two ways", "put brackets around one of them")
    parts = []
    for start, stop in zip([-1, *joints], [*joints, len(items)], strict=True):
        close = items[stop][1] if stop < len(items) else end
        _check_whole(items[start + 1 : stop])
        parts.append(_say(items[start + 1 : stop], rows, close))
    return p.And(tuple(parts)) if words == {"and"} else p.Or(tuple(parts))


def _check_whole(items: Sequence[Placed]) -> None:
    """`… and 12 more` is what is said for people of a long list."""
    match [item for item, _ in items]:
        case [p.Literal(), Named(path=("more",))]:
            fail(items[0][1], "the list was cut short for reading", "only a sentence with all its values is read back")


def _listed(items: Sequence[Placed], rows: Rows, end: int) -> p.Expr:
    item, values = _part(items[0], rows), items[4:]
    if not values:
        fail(end, "one of what?", "expected values with commas between, or nothing")
    if len(values) == 1 and values[0][0] == p.literal(None):
        return p.In(item, ())
    found: list[p.Literal] = []
    for i, (value, at) in enumerate(values):
        if i % 2:
            if not _is_word((value, at), ","):
                fail(at, "a comma is wanted here", "values are listed with commas")
        elif isinstance(value, p.Literal):
            found.append(value)
        else:
            fail(at, "only fixed values can be listed", "compare the others with equals, joined by or")
    if len(values) % 2 == 0:
        fail(end, "a value is missing after the comma")
    return p.In(item, tuple(found))


def _form(items: Sequence[Placed], rows: Rows, end: int) -> p.Expr:
    signature = tuple(item.text if isinstance(item, Token) else None for item, _ in items)
    build = forms().get(signature)
    if build is None:
        _explain(items, signature, end)
    return build([part for part in items if not isinstance(part[0], Token)], rows)


def _explain(items: Sequence[Placed], signature: Signature, end: int) -> NoReturn:
    """The first item that no form has at its place, and what could stand there."""
    known = set(forms())
    for i in range(len(signature)):
        fitting = {form for form in known if form[: i + 1] == signature[: i + 1]}
        if not fitting:
            item, at = items[i]
            said = item.text if isinstance(item, Token) else _shown(item)
            expected = {form[i] or "a value" if i < len(form) else "the end" for form in known}
            hint = did_you_mean(said, sorted(expected)) if isinstance(item, (Token, Named)) else ""
            wanted = ", ".join(sorted(expected)[:12])
            near = f"; {hint}" if hint.startswith("did you mean") else ""
            fail(at, f"{said} was not expected here", f"expected {wanted}{near}")
        known = fitting
    after = sorted({form[len(signature)] or "a value" for form in known})
    fail(end, "the sentence ends too early", f"expected {', '.join(after[:12])}")


def _shown(item: Item) -> str:
    if isinstance(item, Named):
        return ".".join(item.path)
    return written(item) if isinstance(item, p.Literal) else "this"
