"""A sentence read: exactly the language that segments/predicates/sentence.py prints, so the same tree comes back.

    tokens ──▶ items of one pair of brackets: words, values, names, brackets ──▶ a form ──▶ Expr
               sentence_items.py

A form is told by its words alone, as in `_ is less than _` or `the sum of _ of _`: in the place of each `_` stands one
thing, or brackets. Around forms there are only `not`, `and`, `or`, `for which` and lists.
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import NoReturn

from segments.model import Model
from segments.predicates import tree as p
from segments.predicates.bind import bind_predicate
from segments.predicates.functions import table
from segments.predicates.sentence import written
from segments.spellings.sentence_items import Brackets, Item, Member, Named, Placed, Reader
from segments.spellings.words import Token, fail, tokens_of
from unify.core.errors import QueryError, did_you_mean

Rows = tuple[str, ...]
"""The relations on the way in; those of the innermost row last."""


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
    reader = Reader(tokens_of(text))
    items = reader.items(closing=False)
    if not items:
        fail(0, "the sentence is empty", "say always for everybody")
    found = _say(items, (), reader.end)
    p.check_size(found)
    return found


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
