"""Text into tokens, one at a time, and the way back from a token to the place it was written.

    raw URL part ──decode──▶ Source.text ──TOKEN──▶ Cursor.kind, .text, .start, .end

Tokens are taken on demand because `$search` has other tokens than expressions and may stand inside an `$expand`.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import Final, NoReturn
from urllib.parse import unquote_to_bytes

from segments.odata.dialect import Dialect
from segments.odata.errors import ODataSyntaxError, shown
from segments.odata.syntax.limits import MAX_LENGTH, MAX_NAME, MAX_TOKENS
from unify.core.errors import did_you_mean

NAME: Final = r"[A-Za-z_\u0080-\U0010ffff][A-Za-z0-9_\u0080-\U0010ffff]*+"
"""Wider than OData beyond ASCII; `valid_name` holds those to the categories OData allows."""
DATE: Final = r"-?\d{4,6}-\d\d-\d\d"
TIME: Final = r"\d\d:\d\d(?::\d\d(?:\.\d{1,12})?)?"

TOKEN: Final = re.compile(
    rf"""[ \t]*+(?:
    (?P<guid>[0-9A-Fa-f]{{8}}-[0-9A-Fa-f]{{4}}-[0-9A-Fa-f]{{4}}-[0-9A-Fa-f]{{4}}-[0-9A-Fa-f]{{12}}(?!\w))
    |(?P<name>{NAME}(?:\.{NAME})*+)(?:(?P<typed>'[^']*+(?:''[^']*+)*+')|(?P<star>\.\*))?
    |(?P<string>'[^']*+(?:''[^']*+)*+')
    |(?P<dateTimeOffset>{DATE}[Tt]{TIME}(?:[Zz]|[+-]\d\d:\d\d)(?!\w))
    |(?P<local>{DATE}[Tt]{TIME})
    |(?P<date>{DATE}(?!\w))
    |(?P<timeOfDay>{TIME}(?![\w:.]))
    |(?P<number>[+-]?(?:\d++(?:\.\d++)?(?:[eE][+-]?\d++)?(?![\w.]))|-INF(?![\w.]))
    |(?P<sign>[()/,:;=*\[\]{{}}-])
    |(?P<system>\${NAME})
    |(?P<at>@{NAME}(?:\.{NAME})*+(?:\#{NAME})?)
    |(?P<json>"[^"\\]*+(?:\\.[^"\\]*+)*+")
    |(?P<end>\Z)
    |(?P<bad>.))""",
    re.VERBOSE | re.DOTALL | re.ASCII,
)
REFUSED: Final = frozenset(("bad", "local"))
"""Kinds of tokens that are an error wherever they stand."""
NAME_STARTS: Final = frozenset(("Lu", "Ll", "Lt", "Lm", "Lo", "Nl"))
NAME_GOES_ON: Final = NAME_STARTS | {"Nd", "Mn", "Mc", "Pc", "Cf"}
STRAY: Final = re.compile("%(?![0-9A-Fa-f]{2})")
LOOKALIKES: Final[Mapping[str, str]] = {
    "=": "eq", "==": "eq", "!=": "ne", "<>": "ne", "<": "lt", "<=": "le", ">": "gt", ">=": "ge", "&&": "and",
    "||": "or", "!": "not", "+": "add", "-": "sub", "*": "mul", "/": "div", "%": "mod",
}  # fmt: skip
"""Operators of other languages and what they are called here."""


class Source:
    """Decoded text and where its characters stood before: an offset into what the user wrote.

    `escaped(at)` tells a `%3B` from a `;`: inside a search word only the first is a character of the word.
    """

    __slots__ = ("encoded", "offset", "raw", "text")

    def __init__(self, raw: str, *, offset: int = 0, encoded: bool = True, plus_is_space: bool = False) -> None:
        """ODataSyntaxError for what no URL can hold: NUL, half of a surrogate pair, `%` without two digits."""
        self.raw, self.offset, self.encoded = raw, offset, encoded and "%" in raw
        if len(raw) > MAX_LENGTH:
            raise ODataSyntaxError(
                f"{len(raw):,} characters are more than the {MAX_LENGTH:,} allowed",
                position=offset + MAX_LENGTH,
                hint="split the question, or make a segment of it and ask for its members",
            )
        text = raw.replace("+", " ") if encoded and plus_is_space else raw
        self.text = self._decoded(text) if self.encoded else text
        self._refuse_unwritable()

    def _decoded(self, text: str) -> str:
        stray = STRAY.search(text)
        if stray:
            raise ODataSyntaxError(
                "'%' without two hexadecimal digits", position=self.offset + stray.start(), hint="write %25 for %"
            )
        try:
            return unquote_to_bytes(text.encode("utf-8", "surrogatepass")).decode("utf-8")
        except UnicodeDecodeError:
            raise ODataSyntaxError(
                "the percent-encoded bytes are not UTF-8", position=self.offset + text.index("%")
            ) from None

    def _refuse_unwritable(self) -> None:
        at = self.text.find("\x00")
        if at >= 0:
            raise ODataSyntaxError("a NUL character is never part of a question", position=self.place(at))
        try:
            self.text.encode("utf-8")
        except UnicodeEncodeError as error:
            raise ODataSyntaxError("half of a surrogate pair", position=self.place(error.start)) from None

    def _places(self) -> list[int]:
        """Raw offset of every decoded character, and one for the end. Only errors and search words ask."""
        places, i = [], 0
        for character in self.text:
            places.append(i)
            i += 3 * len(character.encode("utf-8", "surrogatepass")) if self.raw[i] == "%" else 1
        return [*places, len(self.raw)]

    def place(self, at: int) -> int:
        """Position in the user's text of a position in the decoded one."""
        return self.offset + (self._places()[min(at, len(self.text))] if self.encoded else at)

    def escaped(self) -> frozenset[int]:
        """Decoded positions that were written as percent escapes."""
        if not self.encoded:
            return frozenset()
        return frozenset(i for i, place in enumerate(self._places()[:-1]) if self.raw[place] == "%")


class Cursor:
    """The current token of a Source, and errors that know where it is."""

    def __init__(self, source: Source, dialect: Dialect, part: str = "", start: int = 0) -> None:
        self.source, self.dialect, self.part = source, dialect, part
        self.any_case, self.loose = dialect.any_case, dialect.loose_space
        self.depth = self.chained = 0
        self.left = MAX_TOKENS
        self.kind, self.text = "", ""
        self.start = self.end = self.before = start
        self.jump(start)

    def jump(self, position: int) -> None:
        """Read on from another position: what lies between had a grammar of its own."""
        self._matches = TOKEN.finditer(self.source.text, position)
        self.end = position
        self.advance()

    def advance(self) -> None:
        """The next token; `before` is the end of the one that was."""
        self.left -= 1
        if self.left < 0:
            self.fail(
                f"more than {MAX_TOKENS:,} names, values and signs", hint="make a segment of it and ask for its members"
            )
        match = next(self._matches)
        kind = match.lastgroup or "end"
        self.before = self.end
        self.kind = kind
        if kind == "typed":
            self.start, self.end = match.start("name"), match.end()
            self.text = match["name"]
        elif kind == "star":
            self.start, self.end = match.start("name"), match.end()
            self.text = match["name"] + ".*"
        else:
            self.start, self.end = match.span(kind)
            self.text = match[kind]
        if kind in REFUSED:
            self._refuse()

    def _refuse(self) -> NoReturn:
        text, rest = self.text, self.source.text[self.start : self.start + 2]
        if self.kind == "local":
            self.fail("a time without its offset", hint="add Z, or an offset such as +01:00, in a URL %2B01:00")
        if text in "'\"":
            self.fail(
                "the text is not closed",
                hint=f"a {text} inside is written {'two' if text == chr(39) else 'with a backslash'}",
            )
        for operator in (rest, text):
            if operator in LOOKALIKES:
                self.fail(f"{operator} is no operator here", hint=f"write {LOOKALIKES[operator]}")
        self.fail(f"unexpected {shown(self.source.text[self.start : self.start + 12])}")

    @property
    def spaced(self) -> bool:
        """Whether white space stands in front of the current token."""
        return self.start > self.before

    def word(self) -> str:
        """The current name as a keyword: in lower case where the dialect reads keywords in any case, else as it is."""
        if self.kind != "name":
            return ""
        return self.text.lower() if self.any_case else self.text

    def fail(self, message: str, *, expected: str = "", hint: str = "", at: int | None = None) -> NoReturn:
        """Raise at the current token, or at another decoded position."""
        place = self.source.place(self.start if at is None else at)
        raise ODataSyntaxError(message, position=place, expected=expected, hint=hint, where=self.part)

    def unexpected(self, expected: str, known: tuple[str, ...] = ()) -> NoReturn:
        """Raise: something else should have stood here; `known` are the words a misspelt one is compared with."""
        found = "the end" if self.kind == "end" else shown(self.source.text[self.start : self.end])
        hint = ""
        if known and self.kind == "sign" and self.text in LOOKALIKES:
            hint = f"write {LOOKALIKES[self.text]}"
        if known and self.kind in {"name", "system"} and len(self.text) <= MAX_NAME:
            hint = did_you_mean(self.text, known)
        self.fail(f"unexpected {found}", expected=expected, hint=hint)

    def sign(self, sign: str) -> bool:
        """Step over the sign if it is there."""
        if self.kind == "sign" and self.text == sign:
            self.advance()
            return True
        return False

    def need(self, sign: str) -> None:
        """Step over the sign, which must be there."""
        if not self.sign(sign):
            self.unexpected(shown(sign))

    def tight(self) -> None:
        """Refuse white space in front of the current token, where OData knows none and the dialect is exact."""
        if self.start > self.before and not self.loose:
            self.fail("no space may stand here", at=self.before)

    def listed(self, sign: str = ",") -> bool:
        """Step over a separator that OData writes without spaces."""
        if self.kind == "sign" and self.text == sign:
            self.tight()
            self.advance()
            self.tight()
            return True
        return False

    def name(self, what: str, *, dotted: bool = False) -> str:
        """The current name, stepped over. Names are held to OData's characters and length."""
        if self.kind != "name":
            self.unexpected(what)
        text = self.text
        self.check_name(text, dotted=dotted)
        self.advance()
        return text

    def check_name(self, text: str, *, dotted: bool = True) -> None:
        """Refuse what the token's pattern lets through: other categories of Unicode, dots, overlong parts."""
        if not dotted and "." in text:
            self.fail(f"{shown(text)} has a dot", expected="a name without namespace")
        if len(text) > MAX_NAME and any(len(part) > MAX_NAME for part in text.split(".")):
            self.fail(f"a name of more than {MAX_NAME} characters", hint="identifiers of OData end there")
        if not text.isascii() and not all(valid_name(part) for part in text.split(".")):
            self.fail(f"{shown(text)} is no name", hint="letters, digits, marks and underscores make names")

    def finish(self, expected: str = "the end", known: tuple[str, ...] = ()) -> None:
        """Everything must have been read, trailing white space apart."""
        if self.kind != "end":
            self.unexpected(expected, known)
        if not self.loose and self.start > self.before:
            self.fail("no space may stand at the end", at=self.before)


def valid_name(text: str) -> bool:
    """Whether the text is one identifier of OData 4.01 (without namespace).

    >>> valid_name("Größe"), valid_name("naïve₂"), valid_name("0time")
    (True, False, False)
    """
    if not text or len(text) > MAX_NAME:
        return False
    if text.isascii():
        return (text[0].isalpha() or text[0] == "_") and text.replace("_", "a").isalnum()
    categories = [unicodedata.category(c) for c in text]
    return (categories[0] in NAME_STARTS or text[0] == "_") and all(c in NAME_GOES_ON for c in categories)
