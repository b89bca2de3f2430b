"""Query options: one method each, and the nested ones inside `$expand`, `$select` and `$count`."""

import re
from collections.abc import Callable
from typing import Final, TypeVar

from segments.odata.syntax.apply import ApplyParser
from segments.odata.syntax.ast_options import (
    AliasValue,
    Apply,
    Compute,
    ComputeItem,
    CountOption,
    Expand,
    ExpandItem,
    Filter,
    Index,
    Levels,
    Option,
    OrderBy,
    OrderItem,
    Search,
    Select,
    SelectItem,
    Skip,
    Text,
    Top,
)  # fmt: skip
from segments.odata.syntax.ast_search import SearchTerm
from segments.odata.syntax.lexer import Cursor
from segments.odata.syntax.limits import MAX_WORDS
from segments.odata.syntax.search import SearchReader

Item = TypeVar("Item")

PARSED: Final = (
    "filter", "search", "orderby", "top", "skip", "index", "count", "select", "expand", "compute", "apply", "levels",
)  # fmt: skip
TEXTS: Final = ("format", "skiptoken", "deltatoken", "schemaversion", "id")
OPTIONS: Final = tuple("$" + name for name in (*PARSED, *TEXTS))
"""Every system query option."""
DOLLAR_ALWAYS: Final = frozenset(("skiptoken", "deltatoken"))
"""Options that need their `$` even in 4.01."""

OF_COUNT: Final = frozenset(("filter", "search"))
OF_REF: Final = OF_COUNT | {"orderby", "skip", "top", "count"}
OF_EXPAND: Final = OF_REF | {"select", "expand", "compute", "levels", "apply", "@"}
OF_STAR: Final = frozenset(("levels",))
OF_SELECT: Final = OF_REF | {"compute", "select", "@"}
"""Options that may stand in parentheses; `@` are parameter aliases."""

FORMAT: Final = re.compile(
    r"(?:atom|json|xml|csv|[\w.!$&'()*+,;=:@~-]+/[\w.!$&'()*+,;=:@~-]+)\Z", re.IGNORECASE | re.ASCII
)
VERSION: Final = re.compile(r"(?:\*|[\w.~-]+)\Z", re.ASCII)
LARGEST: Final = 2**63 - 1
"""No page begins beyond it: DuckDB counts rows in 64 bits."""


class OptionParser(ApplyParser):
    """Options at a Cursor. The value of an option is read by the method of its name."""

    encoded = True
    """Whether the text was percent-encoded: then `%3B` and `;` differ inside a search."""

    def option(self, name: str, at: int = 0) -> Option:
        """The value of a system query option; `name` in lower case without `$`."""
        if name == "filter":
            return Filter(self.expression(), at)
        if name == "orderby":
            return OrderBy(self.order_items(), at)
        if name in {"top", "skip"}:
            count = self.digits("a whole number")
            return Top(count, at) if name == "top" else Skip(count, at)
        if name == "select":
            return Select(self._separated(self._select_item), at)
        if name == "expand":
            return Expand(self._separated(self._expand_item), at)
        if name == "compute":
            return Compute(self.compute_items(), at)
        if name == "apply":
            return Apply(self.sequence(), at)
        if name == "count":
            return CountOption(self._boolean(), at)
        return self._index(at) if name == "index" else self._levels(at)

    def _separated(self, one: Callable[[], Item]) -> tuple[Item, ...]:
        items = [one()]
        while self.listed():
            items.append(one())
        return tuple(items)

    def search_at(self, position: int, *, nested: bool) -> SearchTerm:
        """A search from that decoded position on; the cursor goes behind it."""
        reader = SearchReader(
            self.source, position, self.part, nested=nested, encoded=self.encoded, any_word=self.dialect.any_word
        )
        reader.depth = self.depth
        term, end = reader.whole()
        self.left -= MAX_WORDS - reader.left
        self.jump(end)
        return term

    def order_items(self) -> tuple[OrderItem, ...]:
        """`Name asc,Rating desc`."""
        return self._separated(self._order_item)

    def _order_item(self) -> OrderItem:
        at, key = self.start, self.expression()
        direction = self.word() if self.start > self.before else ""
        if direction in {"asc", "desc"}:
            self.advance()
        elif self.kind == "name":
            self.unexpected("asc, desc or ','", ("asc", "desc"))
        return OrderItem(key, direction == "desc", at)

    def compute_items(self) -> tuple[ComputeItem, ...]:
        """`Price mul 2 as Double,…`; spaces around the comma are allowed by `compute(…)` and harmless here."""
        items = [self._compute_item()]
        while self.sign(","):
            items.append(self._compute_item())
        return tuple(items)

    def _compute_item(self) -> ComputeItem:
        at, expression = self.start, self.expression()
        if self.word() != "as":
            self.unexpected("as and a name", ("as",))
        self.advance()
        return ComputeItem(expression, self.name("the name of the computed property"), at)

    def digits(self, what: str) -> int:
        """A whole number without sign, at most 2⁶³ − 1."""
        text = self.text
        if self.kind != "number" or not text.isdecimal():
            self.unexpected(what)
        if len(text) > 19 or int(text) > LARGEST:
            self.fail("a number beyond 64 bits", expected=what)
        self.advance()
        return int(text)

    def _boolean(self) -> bool:
        word = self.word()
        if word not in {"true", "false"}:
            self.unexpected("true or false", ("true", "false"))
        self.advance()
        return word == "true"

    def _index(self, at: int) -> Index:
        negative = self.kind == "number" and self.text.startswith("-")
        text = self.text.removeprefix("-") if negative else self.text
        if self.kind != "number" or not text.isdecimal() or len(text) > 18:
            self.unexpected("a whole number")
        self.advance()
        return Index(-int(text) if negative else int(text), at)

    def _levels(self, at: int) -> Levels:
        if self.word() == "max":
            self.advance()
            return Levels(None, at)
        if self.text.startswith("0"):
            self.unexpected("a whole number from 1, or max")
        return Levels(self.digits("a whole number from 1, or max"), at)

    # ── $select and $expand ──────────────────────────────────────────────────────────────────────────────────────────

    def _slash(self) -> bool:
        if self.kind == "sign" and self.text == "/" and self.start == self.before:
            self.advance()
            self.tight()
            return True
        return False

    def _step(self, what: str, *, schema_star: bool = False) -> str:
        """One segment of a selected or expanded path, stepped over."""
        text = self.text
        if self.kind == "at":
            term, _, qualifier = text[1:].partition("#")
            self.check_name(term)
            if qualifier:
                self.check_name(qualifier, dotted=False)
            self.advance()
        elif self.kind == "star" and schema_star:
            self.check_name(text[:-2])
            self.advance()
        elif not self.sign("*"):
            return self.name(what, dotted=True)
        return text

    def _select_item(self) -> SelectItem:
        at = self.start
        names = [self._step("the name of an attribute, or *", schema_star=True)]
        while names[-1][-1] != "*" and self._slash():
            names.append(self._step("the name of an attribute"))
            if names[-1] == "*":
                self.fail("* stands alone", at=self.before - 1, expected="the name of an attribute")
        parameters: tuple[str, ...] = ()
        options: tuple[Option, ...] = ()
        if self.kind == "sign" and self.text == "(" and self.start == self.before and names[-1][-1] != "*":
            if PARAMETERS.match(self.source.text, self.end):
                self.advance()
                parameters = self._separated(lambda: self.name("the name of a parameter"))
                self.need(")")
            else:
                options = self.nested_options(OF_SELECT, "$select")
        return SelectItem(tuple(names), parameters, options, at)

    def _expand_item(self) -> ExpandItem:
        at = self.start
        if self.kind == "system" and self.text == "$value":
            self.advance()
            return ExpandItem(("$value",), "", (), at)
        names = [self._step("the name of a navigation, or *")]
        tail = ""
        while not tail and self._slash():
            if self.kind == "system":
                tail = self._tail(names[-1])
            elif names[-1] == "*":
                self.unexpected("$ref")
            else:
                names.append(self._step("the name of a navigation, *, $ref or $count"))
        options: tuple[Option, ...] = ()
        if self.kind == "sign" and self.text == "(" and self.start == self.before and not (tail and names[-1] == "*"):
            allowed = OF_STAR if names[-1] == "*" else {"$ref": OF_REF, "$count": OF_COUNT}.get(tail, OF_EXPAND)
            options = self.nested_options(allowed, f"$expand of {'/'.join(names)}{'/' + tail if tail else ''}"[:80])
        return ExpandItem(tuple(names), tail, options, at)  # type: ignore[arg-type]

    def _tail(self, last: str) -> str:
        text = self.text
        if text not in {"$ref", "$count"} or (text == "$count" and last == "*"):
            self.unexpected("$ref" if last == "*" else "$ref or $count", ("$ref", "$count"))
        self.advance()
        return text

    def nested_options(self, allowed: frozenset[str], what: str) -> tuple[Option, ...]:
        """Options in parentheses with `;` between, from `(` to behind `)`."""
        self.enter()
        self.need("(")
        options = [self._nested(allowed, what)]
        seen = {type(options[0])}
        while self.listed(";"):
            at = self.start
            option = self._nested(allowed, what)
            if type(option) in seen and not isinstance(option, AliasValue) and not self.dialect.repeats:
                self.fail("the option stands twice", at=at)
            seen.add(type(option))
            options.append(option)
        self.need(")")
        self.depth -= 1
        return tuple(options)

    def _nested(self, allowed: frozenset[str], what: str) -> Option:
        at, text = self.start, self.text
        if self.kind == "at" and "@" in allowed:
            self.check_name(text[1:], dotted=False)
            self.advance()
            self._equals()
            self.advance()
            self.tight()
            return AliasValue(text[1:], self.expression(), at)
        name = option_name(text, self) if self.kind in {"system", "name"} else ""
        if name not in allowed:
            known = tuple("$" + n for n in sorted(allowed - {"@"}))
            self.unexpected(f"an option of {what}: {', '.join(known)}", known)
        self.advance()
        self._equals()
        if name == "search":
            return Search(self.search_at(self.end, nested=True), at)
        self.advance()
        self.tight()
        return self.option(name, at)

    def _equals(self) -> None:
        self.tight()
        if not (self.kind == "sign" and self.text == "="):
            self.unexpected("'='")


def option_name(text: str, cursor: Cursor) -> str:
    """The system query option a name stands for, in lower case without `$`; empty when it stands for none.

    Whether case and `$` matter is the dialect's business.
    """
    dollar = text.startswith("$")
    name = text[1:] if dollar else text
    if cursor.any_case:
        name = name.lower()
    if not dollar and (not cursor.dialect.dollar_optional or name in DOLLAR_ALWAYS):
        return ""
    return name if name in PARSED or name in TEXTS else ""


PARAMETERS: Final = re.compile(r"[ \t]*[^\W\d]\w*[ \t]*[,)]")
"""The first of a list of names, as opposed to an option with its value."""


def raw_text(cursor: Cursor, name: str, value: str) -> Text:
    """$format, $skiptoken, $deltatoken, $schemaversion or $id: text others read, checked for its outer form."""
    if not value:
        cursor.fail(f"${name} has no value")
    if name == "format" and not FORMAT.match(value):
        cursor.fail("not a format", expected="json, xml, atom or a media type such as text/csv")
    if name == "schemaversion" and not VERSION.match(value):
        cursor.fail("not a schema version", expected="* or letters, digits and -._~")
    return Text(f"${name}", value)  # type: ignore[arg-type]
