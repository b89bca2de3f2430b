"""Expressions: precedence climbing over operators, recursive descent for everything between them.

or < and < eq ne < lt le gt ge < add sub < mul div divby mod < not - < has in < / ( )
"""

import math
import re
from typing import Final, NoReturn

from segments.odata.syntax.ast import (
    And,
    Argument,
    Array,
    Binary,
    Call,
    Case,
    Cast,
    EnumLiteral,
    Expression,
    GeoLiteral,
    IsOf,
    Literal,
    Name,
    Object,
    Or,
    Path,
    Segment,
    TypeName,
    Unary,
    ValueList,
)  # fmt: skip
from segments.odata.syntax.functions import CANONICAL, KNOWN, MEMBERSHIP, OPERATORS, SPELLING, UNARY
from segments.odata.syntax.lexer import NAME
from segments.odata.syntax.limits import MAX_DEPTH
from segments.odata.syntax.literals import NAN, json_string, plain, typed
from segments.odata.syntax.paths import FIRST_NAMED, PathParser
from unify.core.errors import did_you_mean

PLAIN: Final = frozenset(("string", "number", "guid", "date", "dateTimeOffset", "timeOfDay"))
CONSTANTS: Final[dict[str, Literal]] = {
    "null": Literal("null", None),
    "true": Literal("boolean", True),
    "false": Literal("boolean", False),
    "INF": Literal("double", math.inf),
    "NaN": Literal("double", NAN),
}
TYPE_ALONE: Final = re.compile(rf"(?:Collection\([ \t]*)?{NAME}(?:\.{NAME})*+[ \t]*\)")
EDM: Final = frozenset((
    "Binary", "Boolean", "Byte", "Date", "DateTimeOffset", "Decimal", "Double", "Duration", "Guid", "Int16", "Int32",
    "Int64", "SByte", "Single", "Stream", "String", "TimeOfDay",
    *(s + c for s in ("Geography", "Geometry")
      for c in ("", "Collection", "LineString", "MultiLineString", "MultiPoint", "MultiPolygon", "Point", "Polygon")),
))  # fmt: skip
VALUE: Final = "a value, an attribute or a function"
LITERALS: Final = (Literal, EnumLiteral, GeoLiteral)


class ExpressionParser(PathParser):
    """Expressions at a Cursor. Every method leaves the cursor on the first token it did not read."""

    def expression(self, floor: int = 1) -> Expression:
        """An expression whose operators bind at least as tightly as `floor` (see functions.OPERATORS)."""
        self.depth += 1
        if self.depth > self.deepest:
            self.deepest = self.depth
            if self.depth > MAX_DEPTH:
                self.too_deep()
        left = self._operand()
        while self.kind == "name":
            operator = self.text
            power = OPERATORS.get(operator)
            if power is None:
                operator = self.word()
                power = OPERATORS.get(operator, 0)
            if power < floor:
                break
            self.chained += 1
            at = self.start
            if power <= 2:
                left = self._junction(left, operator, power, at)
                continue
            self._step_over_operator()
            if operator == "in":
                left = Binary("in", left, self._members(), at)
            elif operator == "has":
                left = Binary("has", left, self._flags(), at)
            else:
                left = Binary(operator, left, self.expression(power + 1), at)
        self.depth -= 1
        return left

    def _step_over_operator(self) -> None:
        if self.start == self.before and not self.loose:
            self.fail("a space must stand in front of an operator")
        self.advance()
        if self.start == self.before and not self.loose:
            self.fail("a space must stand behind an operator")

    def _junction(self, first: Expression, operator: str, power: int, at: int) -> And | Or:
        terms = [first]
        while self.kind == "name" and (self.text == operator or self.word() == operator):
            self._step_over_operator()
            terms.append(self.expression(power + 1))
        return And(tuple(terms), at) if power == 2 else Or(tuple(terms), at)

    def _operand(self) -> Expression:
        kind = self.kind
        if kind == "name":
            return self._named()
        if kind in PLAIN:
            literal = plain(self)
            self.advance()
            return literal
        if kind == "typed":
            value = typed(self)
            self.advance()
            return value
        at = self.start
        if kind == "sign":
            if self.sign("("):
                inner = self.expression()
                if self.kind == "sign" and self.text == ",":
                    self.fail("a list may stand on the right of `in` alone")
                self.need(")")
                return inner
            if self.sign("-"):
                return Unary("-", self.expression(UNARY), at)
            if self.text == "[":
                return self._array()
            if self.text == "{":
                return self._object()
        if kind in {"system", "at"}:
            return self.path_from_variable()
        if kind == "json":
            self.fail("text in double quotes stands only inside [ ] and { }", hint="write 'text' in single quotes")
        return self.unexpected(VALUE, ("$it", "$this", "$root", "$these") if kind == "system" else ())

    def _named(self) -> Expression:
        text, at = self.text, self.start
        if self.source.text[self.end : self.end + 1] == "(":
            word = text.lower() if self.any_case else text
            if (
                word.lower() in SPELLING
                and (self.any_case or SPELLING[word.lower()] == text)
                and not FIRST_NAMED.match(self.source.text, self.end)
            ):
                return self._function(word.lower(), at)
            if word in {MEMBERSHIP, MEMBERSHIP.lower()}:
                return self.membership()
            if word in {"any", "all"}:
                self.fail(f"{word} needs a collection in front", hint=f"as in Orders/{word}(o:o/Amount gt 5)")
        constant = self._constant(text)
        if constant is not None:
            self.advance()
            return Literal(constant.kind, constant.value, at)
        if text == "not" or self.word() == "not":
            self.advance()
            if self.start == self.before and not self.loose:
                self.fail("a space must stand behind not")
            return Unary("not", self.expression(UNARY), at)
        self.check_name(text)
        self.advance()
        segments: list[Segment] = [Name(text, at)]
        if self.kind == "sign" and self.text in {"/", "("}:
            self.follow(segments)
        elif "." in text and not self.types_alone:
            self.fail(
                f"{text} is a type or a function, no value",
                hint=f"call it, {text}(), or read one of its attributes",
                at=at,
            )
        return Path(tuple(segments), at)

    def _constant(self, text: str) -> Literal | None:
        found = CONSTANTS.get(text)
        if found is None and len(text) <= 5:
            lower = text.lower()
            if (lower in {"true", "false"} and self.any_case) or (lower == "null" and self.dialect.null_any_case):
                return CONSTANTS[lower]
        return found

    # ── the right side of `in` and `has` ─────────────────────────────────────────────────────────────────────────────

    def _members(self) -> Expression | ValueList:
        at = self.start
        if not (self.kind == "sign" and self.text == "("):
            return self.expression(UNARY + 2)
        self.advance()
        if self.sign(")"):
            return ValueList((), at)
        first = self.expression()
        if not isinstance(first, LITERALS):
            if self.kind == "sign" and self.text == ",":
                self.fail("a list holds literals alone", at=first.at, hint="write [ ] for a list of expressions")
            self.need(")")
            return first
        items = [first]
        while self.sign(","):
            items.append(self._literal())
        self.need(")")
        return ValueList(tuple(items), at)

    def _literal(self) -> Literal | EnumLiteral | GeoLiteral:
        if self.kind in PLAIN:
            value: Literal | EnumLiteral | GeoLiteral = plain(self)
        elif self.kind == "typed":
            value = typed(self)
        else:
            constant = self._constant(self.text) if self.kind == "name" else None
            if constant is None:
                self.unexpected("a literal", ("null", "true", "false"))
            value = Literal(constant.kind, constant.value, self.start)
        self.advance()
        return value

    def _flags(self) -> Expression:
        at = self.start
        right = self.expression(UNARY + 2)
        if not isinstance(right, EnumLiteral) and not (isinstance(right, Literal) and right.kind == "string"):
            self.fail("has takes flags of an enumeration", at=at, hint="as in Colors has Model.Color'Red'")
        return right

    # ── functions of the language ────────────────────────────────────────────────────────────────────────────────────

    def _function(self, name: str, at: int) -> Expression:
        spelling = SPELLING[name]
        self.advance()
        self.advance()
        if name == "case":
            return self._case(at)
        if name in {"cast", "isof"}:
            return self._type_test(name, at)
        arguments: list[Expression] = []
        if not self.sign(")"):
            arguments.append(self.expression())
            while self.sign(","):
                arguments.append(self.expression())
            self.need(")")
        fewest, most = CANONICAL[name]
        if not fewest <= len(arguments) <= most:
            takes = f"{fewest} or {most}" if fewest != most else str(fewest)
            self.fail(f"{spelling} takes {takes} argument{'s' * (most != 1)}, not {len(arguments)}", at=at)
        if name == "isdefined" and not isinstance(arguments[0], Path):
            self.fail("isdefined asks for a path", at=arguments[0].at, hint="as in isdefined(Customer/Name)")
        return Call(spelling, tuple(arguments), at)

    def _case(self, at: int) -> Case:
        branches = []
        while True:
            condition = self.expression()
            self.need(":")
            branches.append((condition, self.expression()))
            if not self.sign(","):
                break
        self.need(")")
        return Case(tuple(branches), at)

    def _type_test(self, name: str, at: int) -> Cast | IsOf:
        operand = None
        if not TYPE_ALONE.match(self.source.text, self.start):
            operand = self.expression()
            self.need(",")
        found = self._type()
        self.need(")")
        return Cast(operand, found, at) if name == "cast" else IsOf(operand, found, at)

    def _type(self) -> TypeName:
        at, name = self.start, self.name("the name of a type", dotted=True)
        collection = name == "Collection" and self.sign("(")
        if collection:
            name = self.name("the name of a type", dotted=True)
            self.need(")")
        if name.startswith("Edm.") and name[4:] not in EDM:
            self.fail(
                f"there is no type {name[:40]}", at=at, hint=did_you_mean(name[4:], EDM) if len(name) < 60 else ""
            )
        return TypeName(name, collection, at)

    def membership(self) -> Call:
        """`IsMemberOfSegment('S')` or `IsMemberOfSegment(S)`: both give the name as a string literal."""
        at = self.start
        self.advance()
        self.advance()
        place, text = self.start, self.text
        if self.kind == "name":
            name = self.name("the name of a segment", dotted=True)
        elif self.kind == "string" and text != "''":
            name = text[1:-1].replace("''", "'")
            self.advance()
        else:
            self.unexpected("the name of a segment, as in IsMemberOfSegment('Vip')")
        self.need(")")
        return Call(MEMBERSHIP, (Literal("string", name, place),), at)

    def unknown_function(self, name: str, at: int, problem: str) -> NoReturn:
        """Raise: parentheses that no key and no function of a model can have, so the name is misspelt or missing."""
        if self.part == "path":
            self.fail("several values need names", hint="as in (OrderId=1,Line=2)", at=at)
        if "." in name:
            self.fail(problem, hint="parameters of a model's function carry names, as in f(x=1)", at=at)
        self.fail(f"there is no function {name[:40]!r}", hint=did_you_mean(name[:64], KNOWN), at=at)

    # ── JSON ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _array(self) -> Array:
        at = self.start
        self.advance()
        items: list[Expression] = []
        if not self.sign("]"):
            items.append(self._member_value())
            while self.sign(","):
                items.append(self._member_value())
            self.need("]")
        return Array(tuple(items), at)

    def _object(self) -> Object:
        at = self.start
        self.advance()
        members: dict[str, Expression] = {}
        while not self.sign("}"):
            if members:
                self.need(",")
            if self.kind != "json":
                self.unexpected("a name in double quotes")
            name = json_string(self, self.text)
            if name in members:
                self.fail(f"the name {name[:40]!r} stands twice")
            self.advance()
            self.need(":")
            members[name] = self._member_value()
        return Object(tuple(members.items()), at)

    def _member_value(self) -> Expression:
        if self.kind != "json":
            return self.expression()
        value = Literal("string", json_string(self, self.text), self.start)
        self.advance()
        return value

    def argument(self) -> Argument:
        """One value in parentheses, with or without a name in front."""
        at, name = self.start, None
        if self.names_argument():
            name = self.name("the name of a parameter")
            self.tight()
            self.need("=")
            self.tight()
        return Argument(name, self.expression(), at)
