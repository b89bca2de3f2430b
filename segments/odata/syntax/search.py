"""`$search`: words, "phrases", NOT, AND, OR and parentheses. It has tokens of its own, so it reads text directly.

    any of < all of < side by side < NOT < word, phrase, ( )

AND, OR and NOT are operators only where they can be: `$search=AND` looks for the word.
"""

import re
from collections.abc import Collection
from typing import Final, NoReturn

from segments.odata.errors import ODataSyntaxError, shown
from segments.odata.syntax.ast_search import AllOf, AnyOf, Incomplete, Not, Phrase, SearchTerm, Word
from segments.odata.syntax.lexer import Source
from segments.odata.syntax.limits import MAX_DEPTH, MAX_WORDS

TOKEN: Final = re.compile(
    r"""[ \t]*+(?:(?P<open>\()|(?P<close>\))|(?P<phrase>"[^"]++")|(?P<incomplete>'[^']*+(?:''[^']*+)*+')
    |(?P<word>[^\s()";'][^\s()";]*+)|(?P<end>\Z|;)|(?P<bad>.))""",
    re.VERBOSE | re.DOTALL,
)
STAND_IN: Final = "\x00"
"""Stands for a semicolon that is data, `%3B`, while tokens are taken; a Source holds no NUL."""


class SearchReader:
    """One search expression from `start` on; `end` is where it stopped: at the end, at `;` or at a `)` not its own."""

    def __init__(
        self, source: Source, start: int, part: str, *, nested: bool, encoded: bool, any_word: bool = False
    ) -> None:
        self.source, self.part, self.nested, self.any_word = source, part, nested, any_word
        text = source.text
        if ";" in text:
            data: Collection[int] = source.escaped() if encoded else () if nested else range(start, len(text))
            if data:
                text = "".join(STAND_IN if c == ";" and i in data else c for i, c in enumerate(text))
        self.matches = TOKEN.finditer(text, start)
        self.depth, self.left, self.end = 0, MAX_WORDS, start
        self.advance()

    def advance(self) -> None:
        """The next token."""
        match = next(self.matches)
        self.before = self.end
        self.kind = match.lastgroup or "end"
        self.start, self.end = match.span(self.kind)
        self.text = match[self.kind].replace(STAND_IN, ";")

    def fail(self, message: str, *, expected: str = "", hint: str = "", at: int | None = None) -> NoReturn:
        """Raise at the current token, or at another decoded position."""
        place = self.source.place(self.start if at is None else at)
        raise ODataSyntaxError(message, position=place, expected=expected, hint=hint, where=self.part)

    def whole(self) -> tuple[SearchTerm, int]:
        """The search, and the position behind it."""
        if self.kind == "incomplete":
            term: SearchTerm = Incomplete(self.text[1:-1].replace("''", "'"), self.start)
            self.advance()
        else:
            term = self.any_of()
        if self.kind == "end" and (self.nested or not self.text):
            return term, self.start
        if self.kind == "close" and self.nested:
            return term, self.start
        if self.kind == "end":
            self.fail("a semicolon ends a nested option", expected="the end", hint="write %3B for a semicolon")
        return self.unreadable()

    def unreadable(self) -> NoReturn:
        """Raise: nothing to search for stands here."""
        if self.text == '"':
            self.fail("the phrase is empty or not closed", expected='text between two "')
        if self.text == "'":
            self.fail("an apostrophe begins a search that is closed by another", hint='put the word in "double quotes"')
        found = "the end" if self.kind == "end" else shown(self.text)
        self.fail(f"unexpected {found}", expected='a word, a "phrase", NOT or (')

    def any_of(self) -> SearchTerm:
        """Terms with OR between."""
        self.depth += 1
        if self.depth > MAX_DEPTH:
            self.fail(f"nested more than {MAX_DEPTH} levels deep", hint="simplify the search")
        at, terms = self.start, [self.all_of()]
        while self.operator("OR"):
            self.advance()
            terms.append(self.all_of())
        self.depth -= 1
        return terms[0] if len(terms) == 1 else AnyOf(tuple(terms), at)

    def all_of(self) -> SearchTerm:
        """Terms with AND, or nothing, between."""
        at, groups = self.start, [[self.negated()]]
        while self.kind in {"word", "phrase", "open"} and not self.operator("OR"):
            if self.start == self.before:
                self.fail("a space must stand between words", at=self.start)
            if self.operator("AND"):
                self.advance()
                groups.append([self.negated()])
            elif self.any_word:
                groups[-1].append(self.negated())
            else:
                groups.append([self.negated()])
        terms = [term for group in groups for term in side_by_side(group, at)]
        return terms[0] if len(terms) == 1 else AllOf(tuple(terms), at)

    def operator(self, name: str) -> bool:
        """Whether the word is that operator: something to search for must follow behind a space."""
        return self.kind == "word" and self.text == name and self.followed()

    def followed(self) -> bool:
        """Whether something to search for stands behind the current word."""
        return FOLLOWS.match(self.source.text, self.end) is not None

    def negated(self) -> SearchTerm:
        """A word, a phrase or a group, with any number of NOT in front."""
        at = self.start
        self.left -= 1
        if self.left < 0:
            self.fail(f"more than {MAX_WORDS:,} words", hint="shorten the search")
        if self.operator("NOT"):
            self.depth += 1
            if self.depth > MAX_DEPTH:
                self.fail(f"nested more than {MAX_DEPTH} levels deep", hint="simplify the search")
            self.advance()
            term: SearchTerm = Not(self.negated(), at)
            self.depth -= 1
            return term
        if self.kind == "open":
            self.advance()
            term = self.any_of()
            if self.kind != "close":
                self.fail(f"unexpected {shown(self.text) if self.text else 'the end'}", expected="')'")
            self.advance()
            return term
        if self.kind == "word":
            term = Phrase(self.text, at) if ";" in self.text else Word(self.text, at)
        elif self.kind == "phrase":
            term = Phrase(self.text[1:-1], at)
        else:
            self.unreadable()
        self.advance()
        return term


def side_by_side(group: list[SearchTerm], at: int) -> list[SearchTerm]:
    """What words without AND between them demand: one of those without NOT, and none of those with it."""
    wanted = [term for term in group if not isinstance(term, Not)]
    refused = [term for term in group if isinstance(term, Not)]
    return [*([AnyOf(tuple(wanted), at)] if len(wanted) > 1 else wanted), *refused]


FOLLOWS: Final = re.compile(r"""[ \t]+(?:[^\s()";']|"|\()""")
"""White space and the first character of something to search for."""
