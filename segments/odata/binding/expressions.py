"""Expressions of OData as predicate trees: one case per kind of node."""

from collections.abc import Iterable, Mapping
from typing import Final, NoReturn

from segments.model import MEASURES, Model
from segments.odata.binding import casts as bind_casts
from segments.odata.binding import functions as bind_functions
from segments.odata.binding.compare import COMPARISONS, compare, has, is_in
from segments.odata.binding.errors import BindError, cut, fail
from segments.odata.binding.literals import of_literal
from segments.odata.binding.paths import Sight, bind_path
from segments.odata.binding.values import NULL, Value, as_written, begins, called, null, of_tree, truth
from segments.odata.syntax import ast
from segments.predicates import bind as predicates
from segments.predicates import tree as p
from segments.predicates.fields import BOOLEAN, DURATION, STRING
from unify.core.errors import QueryError, did_you_mean

ARITHMETIC: Final = {"add": "add", "sub": "sub", "mul": "mul", "div": "div", "divby": "div_by", "mod": "mod"}


class Binder:
    """Binds any number of expressions over the rows of one table.

    `value` and `truth` take a node and the rows in sight; `top` is the row of the table alone.
    """

    def __init__(
        self,
        model: Model,
        table: str,
        *,
        aliases: Mapping[str, ast.Expression],
        timezone: str | None,
        computed: Mapping[str, p.Expr],
    ) -> None:
        """QueryError for an unknown table or time zone."""
        model.catalog.table(table)
        self.model, self.aliases, self.computed = model, aliases, computed
        self.zone = timezone or model.timezone
        if self.zone not in predicates.zones():
            hint = did_you_mean(self.zone, predicates.zones())
            raise QueryError(f"there is no time zone {self.zone!r}", hint=hint)
        self.top = Sight((table,))
        self._depth = 0
        self._open: list[str] = []
        self._done: dict[tuple[str, int], Value] = {}

    # ── entry ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def value(self, node: ast.Expression, sight: Sight, *, exact: bool = True) -> Value:
        """A value; BindError for what is none."""
        found = self._node(node, sight, exact=exact)
        if found.row:
            hint = "name one of its attributes, or compare it with null"
            fail(node.at, f"this is a row of {self._row_table(found, sight)}, not a value", hint)
        return found

    def truth(self, node: ast.Expression, sight: Sight, *, exact: bool) -> Value:
        """A boolean. `exact`: whether false and null differ here."""
        found = self.value(node, sight, exact=exact)
        if found.type is None:
            return Value(p.Literal(BOOLEAN, None), BOOLEAN, found.at)
        if found.type != BOOLEAN:
            fail(node.at, f"a condition is needed; {found.named}", "compare it with a value")
        return found

    def row(self, node: ast.Expression, sight: Sight) -> tuple[str, Value]:
        """The table of a row that a path leads to, and whether there is one."""
        found = self._node(node, sight, exact=True)
        if not found.row:
            fail(node.at, "this is a value, not a row", "types of values begin with Edm.")
        return self._row_table(found, sight), truth(found.expr, node.at, nullable=False)

    def _row_table(self, found: Value, sight: Sight) -> str:
        if isinstance(found.expr, p.Exists):
            return self.model.end(sight.tables[-1 - found.expr.up], found.expr.path)
        return sight.tables[sight.here]

    def _node(self, node: ast.Expression, sight: Sight, *, exact: bool) -> Value:
        self._depth += 1
        if self._depth > p.MAX_DEPTH:
            fail(node.at, f"nested deeper than {p.MAX_DEPTH} levels", "make a segment or a $compute of a part")
        try:
            return self._dispatch(node, sight, exact)
        finally:
            self._depth -= 1

    def _dispatch(self, node: ast.Expression, sight: Sight, exact: bool) -> Value:
        match node:
            case ast.Literal():
                return null(node.at) if node.kind == "null" else of_tree(of_literal(node), node.at, node)
            case ast.EnumLiteral():
                return _enumeration(node)
            case ast.Path():
                return bind_path(self, node, sight)
            case ast.And() | ast.Or():
                return self._junction(node, sight, exact)
            case ast.Unary():
                return self._not(node, sight) if node.operator == "not" else self._minus(node, sight)
            case ast.Binary():
                return self._binary(node, sight, exact)
            case ast.Call():
                return bind_functions.call(self, node, sight)
            case ast.Cast():
                return bind_casts.cast(self, node, sight)
            case ast.IsOf():
                return bind_casts.isof(self, node, sight)
            case ast.Case():
                return bind_casts.case(self, node, sight)
            case ast.GeoLiteral():
                fail(node.at, "no attribute is a place on a map")
        what = "a list" if isinstance(node, ast.Array) else "an object"
        return fail(node.at, f"{what} is no single value", "lists stand on the right of in")

    # ── logic ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _junction(self, node: ast.And | ast.Or, sight: Sight, exact: bool) -> Value:
        terms = [self.truth(t, sight, exact=exact) for t in node.terms]
        args = tuple(t.expr for t in terms)
        made: p.Expr = p.And(args) if isinstance(node, ast.And) else p.Or(args)
        return truth(made, node.at, nullable=any(t.nullable for t in terms))

    def _not(self, node: ast.Unary, sight: Sight) -> Value:
        operand = self.value(node.operand, sight)
        if operand.type is None:
            return null(node.at)
        if operand.type != BOOLEAN:
            hint = "not binds tighter than eq and and: write not (… eq …)"
            fail(node.at, f"not needs a condition; {operand.named}", hint)
        return truth(p.Not(operand.expr), node.at, nullable=operand.nullable)

    def _binary(self, node: ast.Binary, sight: Sight, exact: bool) -> Value:
        if node.operator == "in":
            return self._in(node, sight, exact)
        right = node.right
        assert not isinstance(right, ast.ValueList)  # of `in` alone
        if node.operator == "has":
            return has(self.value(node.left, sight), right, node.at)
        if node.operator in COMPARISONS:
            left_value = self._node(node.left, sight, exact=True)
            right_value = self._node(right, sight, exact=True)
            return compare(node.operator, left_value, right_value, node.at, zone=self.zone, exact=exact)
        return self._arithmetic(node, self.value(node.left, sight), self.value(right, sight))

    def _in(self, node: ast.Binary, sight: Sight, exact: bool) -> Value:
        listed = node.right if isinstance(node.right, ast.ValueList) else self.resolved(node.right)
        if not isinstance(listed, ast.ValueList | ast.Array):
            hint = "in ('a','b'), in [Name,'b'] or in @p; a related table is asked with any(…)"
            fail(node.right.at, "in needs a list", hint)
        # A list behind an alias speaks of the table's own row, one written here of the row here.
        inner = sight if listed is node.right else Sight(sight.tables)
        if isinstance(node.left, ast.Array):
            return self._pairs(node.left, listed, sight, inner, exact)
        item = self.value(node.left, sight)
        values = [self.value(v, inner) for v in listed.items]
        return is_in(item, values, node.at, zone=self.zone, exact=exact)

    def _pairs(
        self, left: ast.Array, listed: ast.ValueList | ast.Array, sight: Sight, inner: Sight, exact: bool
    ) -> Value:
        """`[City,Country] in [["Bern","CH"],…]`."""
        items = [self.value(item, sight) for item in left.items]
        rows: list[p.Expr] = []
        for row in listed.items:
            if not isinstance(row, ast.Array) or len(row.items) != len(items):
                fail(row.at, f"each of the list has {len(items)} values in [ ]", 'as in [A,B] in [["x","y"]]')
            values = [self.value(v, inner) for v in row.items]
            pairs = zip(items, values, strict=True)
            rows.append(p.And(tuple(compare("eq", a, b, b.at, zone=self.zone, exact=exact).expr for a, b in pairs)))
        return truth(rows[0] if len(rows) == 1 else p.Or(tuple(rows)), left.at, nullable=False)

    # ── arithmetic ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _minus(self, node: ast.Unary, sight: Sight) -> Value:
        operand = self.value(node.operand, sight)
        if operand.type is None:
            return null(node.at)
        return called("negate", (operand,), node.at, "-")

    def _arithmetic(self, node: ast.Binary, left: Value, right: Value) -> Value:
        name = node.operator
        if left.type is None or right.type is None:
            return null(node.at)
        kinds = {left.kind, right.kind}
        if kinds & {"date", "datetime", "duration"} and "string" in kinds:
            left, right = as_written(left, DURATION), as_written(right, DURATION)
        if name == "sub" and kinds == {"date", "datetime"}:
            left, right = (begins(v, self.zone) if v.kind == "date" else v for v in (left, right))
        if left.kind == "duration" and right.kind != "duration" and name == "add":
            left, right = right, left
        if right.kind == "duration" and left.kind != "duration" and name == "mul":
            left, right = right, left
        if left.kind == "duration" and name in ("mul", "div", "divby") and right.kind != "integer":
            fail(node.at, f"a duration is multiplied by whole numbers, not by {right.kind}", "use totalseconds(…)")
        if left.kind == "duration" and name in ("div", "divby", "mod"):
            fail(node.at, f"{name} of a duration is not possible", "use totalseconds(…)")
        if "string" in kinds and name == "add":
            fail(node.at, "add takes numbers and durations", "concat(…) joins text")
        return called(ARITHMETIC[name], (left, right), node.at, name)

    # ── names ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def alias(self, node: ast.Alias, sight: Sight) -> Value:
        """The value of a parameter alias, which speaks of the table's own row."""
        name = node.name
        found = self._aliased(node)
        key = (name, len(sight.tables))
        if key not in self._done:
            self._open.append(name)
            try:
                self._done[key] = self.value(found, Sight(sight.tables))
            except BindError as error:
                raise error.inside(f"@{name}") from None
            finally:
                self._open.pop()
        return self._done[key]

    def _aliased(self, node: ast.Alias) -> ast.Expression:
        if node.name in self._open:
            circle = [*self._open[self._open.index(node.name) :], node.name]
            fail(node.at, f"parameter aliases go in a circle: {' → '.join('@' + cut(n) for n in circle)}")
        if node.name not in self.aliases:
            known = [f"@{n}" for n in self.aliases]
            self.unknown(node.at, f"@{cut(node.name)} has no value", f"@{node.name}", known)
        return self.aliases[node.name]

    def resolved(self, node: ast.Expression) -> ast.Expression:
        """The expression that a parameter alias stands for, through any number of them; others as they are."""
        opened = 0
        try:
            while isinstance(node, ast.Path) and len(node.segments) == 1 and isinstance(node.segments[0], ast.Alias):
                alias = node.segments[0]
                node = self._aliased(alias)
                self._open.append(alias.name)
                opened += 1
            return node
        finally:
            del self._open[len(self._open) - opened :]

    def computed_value(self, node: ast.Name, sight: Sight) -> Value:
        """A name that $compute has made, seen from the row here."""
        expr = self.computed[node.text]
        try:
            kind = predicates.bind(expr, self.model.catalog, self.top.tables[0]).type
        except QueryError as error:
            fail(node.at, f"{cut(node.text)}: {error.message}", error.hint)
        if expr == NULL:
            return null(node.at)
        return Value(lifted(expr, sight.up(0)), kind, node.at)

    def names(self, table: str) -> list[str]:
        """What may stand behind a row of a table: attributes, measures of customers, relations."""
        catalog = self.model.catalog
        found = [n for n in catalog.tables[table].attributes if n[:1] != "~"] + self.model.relations(table)
        if table == catalog.customers and MEASURES in catalog.tables:
            found += catalog.tables[MEASURES].attributes
        return found

    def unknown(self, at: int, message: str, name: str, known: Iterable[str]) -> NoReturn:
        """Raise, with the nearest known names."""
        fail(at, message, did_you_mean(name, known))

    def check(self, value: Value, at: int) -> None:
        """Refuse what the tree refuses of literals: a pattern that is none. The value may look at the rows in sight."""
        assert isinstance(value.expr, p.Call)
        blank = p.Call(value.expr.function, (p.literal(""), *value.expr.args[1:]))
        try:
            predicates.bind(blank, self.model.catalog, self.top.tables[0])
        except QueryError as error:
            fail(at, error.message, error.hint)


def _enumeration(node: ast.EnumLiteral) -> Value:
    """One member by name is text; numbers wait for what they are compared with."""
    text = ",".join(node.members)
    return Value(p.Literal(STRING, text), STRING, node.at, nullable=False, source=node)


def lifted(expr: p.Expr, levels: int, inside: int = 0) -> p.Expr:
    """The same tree, seen from a row that stands so many levels further in."""
    if levels == 0:
        return expr
    match expr:
        case p.Field(name=name, path=path, up=up) if up >= inside:
            return p.Field(name, path, up + levels)
        case p.MemberOf(segment=segment, up=up) if up >= inside:
            return p.MemberOf(segment, up + levels)
        case p.Exists(path=path, where=where, up=up):
            return p.Exists(path, lifted(where, levels, inside + 1), up + levels if up >= inside else up)
        case p.Aggregate(function=function, path=path, value=value, where=where, up=up):
            taken = None if value is None else lifted(value, levels, inside + 1)
            further = up + levels if up >= inside else up
            return p.Aggregate(function, path, taken, lifted(where, levels, inside + 1), further)
    return p.rebuild(expr, lambda part: lifted(part, levels, inside))
