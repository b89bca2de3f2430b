"""Paths inside expressions: what may follow a name, a variable or an alias."""

import re
from typing import TYPE_CHECKING, Final

from segments.odata.syntax.ast import (
    Aggregated,
    Alias,
    Annotation,
    Argument,
    Arguments,
    Call,
    Count,
    EnumLiteral,
    Expression,
    Filtered,
    GeoLiteral,
    Lambda,
    Literal,
    Name,
    Path,
    Segment,
    Variable,
)  # fmt: skip
from segments.odata.syntax.lexer import NAME, Cursor
from segments.odata.syntax.limits import MAX_DEPTH

if TYPE_CHECKING:
    from typing import NoReturn

    from segments.odata.syntax.ast_options import AggregateItem, Option

LAST: Final = (Lambda, Count, Aggregated)
"""Segments that end a path."""
EQUALS: Final = re.compile(r"[ \t]*=")
FIRST_NAMED: Final = re.compile(rf"\([ \t]*{NAME}[ \t]*=")
"""Parentheses whose first value carries a name: parameters of a model's function."""
SEGMENT: Final = "an attribute, any(…), all(…), $count or $filter(…)"


class PathParser(Cursor):
    """Paths at a Cursor; expressions and options are read by the classes below it in the family."""

    deepest = 0
    types_alone = False
    """Whether a qualified name may be a whole expression: a type cast, `aggregate(Model.Vip with Custom.f as X)`."""

    if TYPE_CHECKING:

        def expression(self, floor: int = 1) -> Expression: ...  # noqa: D102
        def argument(self) -> Argument: ...  # noqa: D102
        def membership(self) -> Call: ...  # noqa: D102
        def unknown_function(self, name: str, at: int, problem: str) -> NoReturn: ...  # noqa: D102
        def nested_options(self, allowed: frozenset[str], what: str) -> tuple[Option, ...]: ...  # noqa: D102
        def aggregate_item(self, *, alone: bool = False) -> AggregateItem: ...  # noqa: D102

    def too_deep(self) -> None:
        """Raise: one level more than is read."""
        self.fail(f"nested more than {MAX_DEPTH} levels deep", hint="make a segment of the inner part, or simplify it")

    def enter(self) -> None:
        """Go one level down; `self.depth -= 1` comes back."""
        self.depth += 1
        if self.depth > self.deepest:
            self.deepest = self.depth
            if self.depth > MAX_DEPTH:
                self.too_deep()

    def path_from_variable(self) -> Path:
        """A path that begins with `$it`, `$this`, `$root`, `$these`, `@alias` or `@annotation`."""
        at, text = self.start, self.text
        segments: list[Segment] = []
        if self.kind == "at":
            segments.append(self._at_sign(first=True))
        elif text in {"$it", "$this", "$root", "$these"}:
            self.advance()
            segments.append(Variable(text, at))  # type: ignore[arg-type]
            if text in {"$root", "$these"} and not (self.kind == "sign" and self.text == "/"):
                self.unexpected(f"'/' and what is meant of {text}")
        else:
            self.unexpected("$it, $this, $root or $these", ("$it", "$this", "$root", "$these"))
        if self.kind == "sign" and self.text == "/":
            self.follow(segments)
        return Path(tuple(segments), at)

    def follow(self, segments: list[Segment]) -> None:
        """Append what follows the last segment: `/segment` and `(…)`, without spaces between."""
        while self.kind == "sign" and self.start == self.before:
            last = segments[-1]
            if self.text == "/" and not isinstance(last, LAST):
                self.advance()
                if self.start > self.before:
                    self.fail("no space may stand here", at=self.before)
                segments.append(self._segment())
            elif self.text == "(" and (isinstance(last, Name | Filtered) or self._may_have_key(segments)):
                segments.append(self._arguments(last))
            else:
                return

    @staticmethod
    def _may_have_key(segments: list[Segment]) -> bool:
        """Whether the last segment are parameters of a function, behind which a key may stand: `ByColor(c='r')(2)`."""
        return isinstance(segments[-1], Arguments) and not isinstance(segments[-2], Arguments)

    def _segment(self) -> Segment:
        at, text = self.start, self.text
        if self.kind == "at":
            return self._at_sign(first=False)
        if self.kind == "system":
            return self._system_segment()
        if self.kind != "name":
            self.unexpected(SEGMENT)
        if self.source.text[self.end : self.end + 1] == "(":
            word = self.word()
            if word in {"any", "all"}:
                return self._lambda(word)
            if text == "aggregate":
                self.advance()
                self.advance()
                item = self.aggregate_item(alone=True)
                self.need(")")
                return Aggregated(item, at)
        self.check_name(text)
        self.advance()
        return Name(text, at)

    def _system_segment(self) -> Segment:
        at = self.start
        if self.text == "$count":
            self.advance()
            if self.kind == "sign" and self.text == "(" and self.start == self.before:
                return Count(self.nested_options(frozenset(("filter", "search")), "$count"), at)
            return Count((), at)
        if self.text == "$filter":
            self.advance()
            self.need("(")
            predicate = self.expression()
            self.need(")")
            return Filtered(predicate, at)
        return self.unexpected(SEGMENT, ("$count", "$filter"))

    def _at_sign(self, *, first: bool) -> Alias | Annotation:
        at = self.start
        text, hash_sign, qualifier = self.text[1:].partition("#")
        self.check_name(text)
        if hash_sign:
            self.check_name(qualifier, dotted=False)
        self.advance()
        if first and not hash_sign and "." not in text:
            return Alias(text, at)
        return Annotation(text, qualifier if hash_sign else None, at)

    def _lambda(self, word: str) -> Lambda:
        at = self.start
        self.advance()
        self.advance()
        if self.sign(")"):
            if word == "all":
                self.fail("all needs a variable and a condition", hint="as in Orders/all(o:o/Amount gt 5)", at=at)
            return Lambda("any", None, None, at)
        variable = self.name("a variable and ':'")
        self.need(":")
        predicate = self.expression()
        self.need(")")
        return Lambda("any" if word == "any" else "all", variable, predicate, at)

    def names_argument(self) -> bool:
        """Whether the current name is that of a parameter: an `=` follows."""
        return self.kind == "name" and EQUALS.match(self.source.text, self.end) is not None

    def _arguments(self, owner: Segment) -> Arguments:
        at = self.start
        self.advance()
        items: list[Argument] = []
        if not self.sign(")"):
            items.append(self.argument())
            while self.sign(","):
                items.append(self.argument())
            self.need(")")
        self.check_arguments(owner, items, at)
        return Arguments(tuple(items), at)

    def check_arguments(self, owner: Segment, items: list[Argument], at: int) -> None:
        """Refuse what is neither a key nor parameters of a model's function."""
        unnamed = [item for item in items if item.name is None]
        name = owner.text if isinstance(owner, Name) else ""
        if not unnamed:
            names = [item.name for item in items]
            twice = next((item for i, item in enumerate(items) if item.name in names[:i]), None)
            if twice:
                self.fail(f"the parameter {twice.name} stands twice", at=twice.at)
            return
        if len(items) > 1:
            self.unknown_function(name or "()", owner.at, "several values without names")
        if not is_key_value(unnamed[0].value):
            self.unknown_function(name or "()", owner.at, "neither a key nor a named parameter")


def is_key_value(value: Expression) -> bool:
    """Whether the value may be a key: a literal or a parameter alias."""
    if isinstance(value, Path):
        return len(value.segments) == 1 and isinstance(value.segments[0], Alias)
    return isinstance(value, Literal | EnumLiteral | GeoLiteral)
