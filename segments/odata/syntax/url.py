"""A URL into a Request: split first, percent-decode after, then parse each part.

    Customer('4%2F7')/Orders?$filter=Amount gt 5&$top=3
    └ at / outside ( )        └ at & , then at the first =

Decoding before splitting would let `%2F`, `%26` and `%3D` cut a value in two.
"""

import re
from dataclasses import fields, is_dataclass
from typing import Final, NoReturn

from segments.odata.dialect import CUSTOMER_INSIGHTS, Dialect
from segments.odata.errors import ODataSyntaxError, shown
from segments.odata.syntax.ast import (
    Arguments,
    Count,
    Crossjoin,
    Expression,
    Filtered,
    KeyText,
    Literal,
    Name,
    Path,
    Segment,
    System,
)  # fmt: skip
from segments.odata.syntax.ast_options import AliasValue, Custom, Filter, Membership, Option, Request, Search, Text
from segments.odata.syntax.lexer import NAME, Source
from segments.odata.syntax.limits import MAX_HEIGHT, MAX_LENGTH, MAX_OPTIONS, MAX_SEGMENTS
from segments.odata.syntax.options import OPTIONS, TEXTS, OptionParser, option_name, raw_text
from segments.odata.syntax.paths import is_key_value
from segments.odata.syntax.search import SearchReader
from unify.core.errors import did_you_mean

CALL: Final = re.compile(rf"{NAME}(?:\.{NAME})*+(?P<open>\()?")
MEMBER_OPTION: Final = re.compile(r"IsMemberOfSegment\(", re.IGNORECASE)
SYSTEM: Final = (
    "$ref", "$value", "$count", "$each", "$query", "$filter", "$all", "$crossjoin", "$metadata", "$batch", "$entity",
)  # fmt: skip
ROOTS: Final = frozenset(("$all", "$metadata", "$batch", "$entity"))
"""System segments that stand first; the others follow something."""
ENDS: Final = frozenset(("$ref", "$value", "$query", "$metadata", "$batch"))
ALLOWED: Final = {"$batch": {"$format"}, "$metadata": {"$format", "$schemaversion"}, "$entity": {"$id", "$format"}}
"""Options of resources that are no data."""


def parse_request(text: str, dialect: Dialect = CUSTOMER_INSIGHTS) -> Request:
    """A URL relative to the service root, percent-encoded or not, e.g. `Customer?$filter=Age gt 30&$top=5`.

    ODataSyntaxError with the position in `text`.
    """
    _check_whole(text)
    path, question, query = text.partition("?")
    request = Request(
        parse_path(path, dialect), parse_options(query, dialect, offset=len(path) + 1) if question and query else ()
    )
    _check_belongs(request, text)
    return request


def _check_whole(text: str) -> None:
    Source(text[:MAX_LENGTH], encoded=False) if len(text) <= MAX_LENGTH else Source(text)
    at = text.find("#")
    if at >= 0:
        raise ODataSyntaxError(
            "a # begins a fragment, which never reaches a service", position=at, hint="write %23 for #"
        )


def _check_belongs(request: Request, text: str) -> None:
    first = request.path.segments[0] if request.path.segments else None
    if not isinstance(first, System) or first.name not in ALLOWED:
        return
    allowed = ALLOWED[first.name] | ({"$expand", "$select"} if len(request.path.segments) > 1 else set())
    for option in request.options:
        name = option.name if isinstance(option, Text) else "$" + type(option).__name__.lower()
        if not isinstance(option, Custom) and name not in allowed:
            raise ODataSyntaxError(
                f"{first.name} takes no {name}", position=option.at, expected=", ".join(sorted(allowed))
            )
    if first.name == "$entity" and not any(isinstance(o, Text) and o.name == "$id" for o in request.options):
        raise ODataSyntaxError("$entity needs $id", position=len(text), hint="as in $entity?$id=Customer('42')")


# ── the path ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def parse_path(text: str, dialect: Dialect = CUSTOMER_INSIGHTS) -> Path:
    """A resource path relative to the service root; the empty one is the service document."""
    if not text:
        return Path(())
    segments: list[Segment] = []
    offset = 0
    for piece in _pieces(text, dialect):
        source = Source(piece, offset=offset)
        if segments and _closed(segments[-1]):
            _fail(source, f"nothing may follow {_spelt(segments[-1])}", hint="")
        segments += _segments(source, dialect, first=not segments)
        offset += len(piece) + 1
    return Path(tuple(segments))


def _pieces(text: str, dialect: Dialect) -> list[str]:
    """The raw path at its slashes but those in parentheses. A slash in a key is kept or refused as the dialect says."""
    pieces: list[str] = []
    depth, quoted = 0, False
    parts = text.split("/")
    if len(parts) > MAX_SEGMENTS:
        raise ODataSyntaxError(f"a path of {len(parts):,} segments", position=0, expected=f"at most {MAX_SEGMENTS}")
    for piece in parts:
        if pieces and depth > 0:
            if quoted and not dialect.slash_in_key:
                at = sum(map(len, pieces)) + len(pieces) - 1
                raise ODataSyntaxError("a slash inside a key", position=at, where="path", hint="write %2F for /")
            pieces[-1] += "/" + piece
        else:
            pieces.append(piece)
            depth, quoted = 0, False
        depth, quoted = _nesting(piece, depth, quoted=quoted)
    return pieces


NESTING: Final = re.compile(r"%2[789]|[()']")


def _nesting(piece: str, depth: int, *, quoted: bool) -> tuple[int, bool]:
    for match in NESTING.finditer(piece):
        sign = {"%27": "'", "%28": "(", "%29": ")"}.get(match[0], match[0])
        if sign == "'":
            quoted = not quoted if depth else False
        elif not quoted:
            depth += 1 if sign == "(" else -1 if depth else 0
    return depth, quoted


def _fail(source: Source, message: str, *, expected: str = "", hint: str = "", at: int = 0) -> NoReturn:
    raise ODataSyntaxError(message, position=source.place(at), expected=expected, hint=hint, where="path")


def _closed(segment: Segment) -> bool:
    return isinstance(segment, Count) or (isinstance(segment, System) and segment.name in ENDS)


def _spelt(segment: Segment) -> str:
    return segment.name if isinstance(segment, System) else "$count"


def _segments(source: Source, dialect: Dialect, *, first: bool) -> list[Segment]:
    """What one piece between slashes says: a name with its parentheses is several segments."""
    text = source.text
    if text.startswith("$"):
        return [_system(source, dialect, first=first)]
    match = CALL.match(text)
    if match and (match["open"] or match.end() == len(text)):
        parser = OptionParser(source, dialect, "path")
        segments: list[Segment] = [Name(parser.name("a name", dotted=not first or dialect.dotted_sets))]
        _arguments(parser, segments)
        return segments
    if first or not text:
        _fail(
            source,
            "an empty segment" if not text else f"{shown(text)} is no name",
            expected="the name of an entity set",
        )
    if not dialect.key_segments:
        _fail(source, f"{shown(text)} is no name", hint="write the key in parentheses, as in Customer('42')")
    return [KeyText(text)]


def _arguments(parser: OptionParser, segments: list[Segment]) -> None:
    """Parentheses behind a name, all of them, up to the end of the piece."""
    end = parser.before
    parser.follow(segments)
    if parser.kind != "end" or not all(isinstance(segment, Arguments) for segment in segments[1:]):
        hint = "the / between segments is not percent-encoded"
        parser.fail("more than a name and its parentheses", at=end, hint=hint)
    for segment in segments:
        for item in segment.items if isinstance(segment, Arguments) else ():
            if not is_key_value(item.value):
                parser.fail("keys and parameters in a path are literals or @aliases", at=item.value.at)


def _system(source: Source, dialect: Dialect, *, first: bool) -> Segment:
    name, opened, _ = source.text.partition("(")
    if name not in SYSTEM:
        _fail(source, f"there is no {shown(name)}", hint=did_you_mean(name[:64], SYSTEM))
    if first != (name in ROOTS or name == "$crossjoin"):
        _fail(source, f"{name} {'needs something in front' if first else 'stands first or not at all'}")
    if name not in {"$filter", "$crossjoin"}:
        if opened:
            _fail(source, f"{name} takes no parentheses", at=len(name))
        return Count() if name == "$count" else System(name)
    parser = OptionParser(source, dialect, "path")
    parser.advance()
    parser.need("(")
    made: Segment
    if name == "$filter":
        made = Filtered(parser.expression())
    else:
        sets = [parser.name("the name of an entity set")]
        while parser.listed():
            sets.append(parser.name("the name of an entity set"))
        made = Crossjoin(tuple(sets))
    parser.need(")")
    parser.finish()
    check_height(parser, made)
    return made


# ── the options ──────────────────────────────────────────────────────────────────────────────────────────────────────


def parse_options(text: str, dialect: Dialect = CUSTOMER_INSIGHTS, *, offset: int = 0) -> tuple[Option, ...]:
    """The query part of a URL without its `?`."""
    parts = text.split("&")
    if len(parts) > MAX_OPTIONS:
        raise ODataSyntaxError(f"{len(parts):,} options are more than the {MAX_OPTIONS} allowed", position=offset)
    options: list[Option] = []
    seen: set[str] = set()
    for part in parts:
        option, key = _option(part, offset, dialect)
        if key and key in seen and not dialect.repeats:
            raise ODataSyntaxError(f"{key} stands twice", position=offset, hint="join the conditions with and")
        seen.add(key)
        options.append(option)
        offset += len(part) + 1
    return tuple(options)


def parse_option(text: str, dialect: Dialect = CUSTOMER_INSIGHTS) -> Option:
    """One part between `&`."""
    at = text.find("&")
    if at >= 0:
        raise ODataSyntaxError("an & ends an option", position=at, hint="write %26 for &")
    return _option(text, 0, dialect)[0]


def _option(part: str, offset: int, dialect: Dialect) -> tuple[Option, str]:
    """The option, and a key that may stand once only (empty for those that may be repeated)."""
    raw_name, equals, raw_value = part.partition("=")
    if "#" in part:
        place = offset + part.index("#")
        raise ODataSyntaxError(
            "a # begins a fragment, which never reaches a service", position=place, hint="write %23 for #"
        )
    plus = dialect.plus_is_space
    if dialect.segment_option and MEMBER_OPTION.match(Source(part, offset=offset, plus_is_space=plus).text.lstrip()):
        return _membership(Source(part, offset=offset, plus_is_space=plus), dialect), ""
    head = Source(raw_name, offset=offset, plus_is_space=plus)
    name = head.text.strip(" \t") if dialect.loose_space else head.text
    value = Source(raw_value, offset=offset + len(raw_name) + 1, plus_is_space=plus)
    if name.startswith("@"):
        if not equals:
            raise ODataSyntaxError(f"{name[:40]} has no value", position=offset + len(raw_name), expected="'='")
        return _alias_value(name, head, value, dialect, offset)
    parser = OptionParser(Source("", offset=offset), dialect)
    key = option_name(name, parser)
    if not key:
        return _custom(name, value.text if equals else None, dialect, offset), ""
    if not equals:
        raise ODataSyntaxError(f"${key} has no value", position=offset + len(raw_name), expected="'='", where="$" + key)
    if key == "levels":
        raise ODataSyntaxError(
            "$levels stands inside $expand", position=offset, hint="as in $expand=Manager($levels=2)"
        )
    return _valued(key, value, dialect, offset), "$" + key


def _valued(key: str, value: Source, dialect: Dialect, at: int) -> Option:
    part = "$" + key
    if key == "search":
        reader = SearchReader(value, 0, part, nested=False, encoded=True, any_word=dialect.any_word)
        return Search(reader.whole()[0], at)
    if key in TEXTS:
        blank = OptionParser(Source("", offset=value.offset), dialect, part)
        return Text(raw_text(blank, key, value.text).name, value.text, at)
    parser = OptionParser(value, dialect, part)
    if not dialect.loose_space and parser.start > parser.before:
        parser.fail("no space may stand here", at=0)
    option = parser.option(key, at)
    parser.finish(WHAT_NEXT.get(key, "the end"), OPERATOR_WORDS)
    check_height(parser, option)
    return option


OPERATOR_WORDS: Final = (
    "and", "or", "eq", "ne", "lt", "le", "gt", "ge", "in", "has", "add", "sub", "mul", "div", "divby", "mod",
)  # fmt: skip
WHAT_NEXT: Final = {"filter": "an operator such as eq or and, or the end", "orderby": "',', asc, desc or the end"}


def _alias_value(name: str, head: Source, value: Source, dialect: Dialect, at: int) -> tuple[AliasValue, str]:
    parser = OptionParser(value, dialect, name[:40])
    checker = OptionParser(Source(head.raw, offset=head.offset), dialect, "parameter alias")
    if checker.kind != "at" or checker.text != name or "#" in name or "." in name:
        checker.fail(f"{shown(name)} is no parameter alias", hint="an @ and a name, as in @p=5")
    checker.check_name(name[1:], dotted=False)
    expression = parser.expression()
    parser.finish("an operator or the end", OPERATOR_WORDS)
    option = AliasValue(name[1:], expression, at)
    check_height(parser, option)
    return option, name


def _membership(source: Source, dialect: Dialect) -> Membership:
    parser = OptionParser(source, dialect, "IsMemberOfSegment")
    call = parser.membership()
    parser.finish()
    literal = call.arguments[0]
    assert isinstance(literal, Literal)
    return Membership(str(literal.value), call.at)


def _custom(name: str, value: str | None, dialect: Dialect, at: int) -> Custom:
    if not name:
        raise ODataSyntaxError("an option without name", position=at, expected="$filter, $top, …")
    if name.startswith("$"):
        raise ODataSyntaxError(f"there is no option {shown(name)}", position=at, hint=did_you_mean(name[:64], OPTIONS))
    allowed = dialect.custom_options
    if allowed is not None and name not in allowed:
        hint = did_you_mean("$" + name[:64], (*OPTIONS, *allowed))
        raise ODataSyntaxError(f"there is no option {shown(name)}", position=at, hint=hint)
    return Custom(name, value, at)


# ── single parts ─────────────────────────────────────────────────────────────────────────────────────────────────────


def parse_expression(text: str, dialect: Dialect = CUSTOMER_INSIGHTS, *, encoded: bool = False) -> Expression:
    """An expression as plain text: what stands behind `$filter=`. `encoded` says it is still percent-encoded."""
    source = Source(text, encoded=encoded, plus_is_space=encoded and dialect.plus_is_space)
    parser = OptionParser(source, dialect, "")
    if not dialect.loose_space and parser.start > parser.before:
        parser.fail("no space may stand here", at=0)
    tree = parser.expression()
    parser.finish("an operator such as eq or and, or the end", OPERATOR_WORDS)
    check_height(parser, tree)
    return tree


def parse_filter(text: str, dialect: Dialect = CUSTOMER_INSIGHTS) -> Filter:
    """`parse_expression` as the option it is the value of."""
    return Filter(parse_expression(text, dialect))


def check_height(parser: OptionParser, tree: object) -> None:
    """Refuse a tree that is too tall to be walked recursively; most cannot be and are not measured."""
    if 5 * parser.deepest + parser.chained > MAX_HEIGHT and height(tree) > MAX_HEIGHT:
        parser.fail(f"a chain of more than {MAX_HEIGHT} operators", at=0, hint="put parts into $compute")


def height(tree: object) -> int:
    """Nodes from the root to the deepest leaf.

    >>> from segments.odata import parse_expression
    >>> height(parse_expression("Name eq 'x'"))
    3
    """
    tallest, todo = 0, [(tree, 0)]
    while todo:
        node, above = todo.pop()
        if isinstance(node, tuple):
            todo += [(item, above) for item in node]
        elif is_dataclass(node) and not isinstance(node, type):
            tallest = max(tallest, above + 1)
            todo += [(getattr(node, field.name), above + 1) for field in fields(node)]
    return tallest
