"""$filter into a condition of SQL: names are held against the table, literals against the types of columns."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from segments.odata.syntax.ast import (
    Alias,
    And,
    Arguments,
    Array,
    Binary,
    Call,
    Count,
    EnumLiteral,
    Expression,
    Lambda,
    Literal,
    Name,
    Or,
    Path,
    Segment,
    Unary,
    ValueList,
    Variable,
)  # fmt: skip
from unify.core.errors import did_you_mean
from unify.dataverse.errors import DataverseError
from unify.dataverse.model import Navigation, Type
from unify.dataverse.query.compare import FLIPPED, columns, comparable, compare, is_pattern, like, not_null, within
from unify.dataverse.query.fragments import ALWAYS, NEVER, Sql, both, either, negated, sql
from unify.dataverse.query.operators import BY_FUNCTION, NOT_HERE, Operator, condition
from unify.dataverse.query.options import refused
from unify.dataverse.query.scope import Ref, Scope, Setting, Tables, collected, means, sources
from unify.dataverse.query.values import edm, incompatible, literal

NAMESPACE: Final = "Microsoft.Dynamics.CRM."
AROUND: Final = {"contains": ("%", "%"), "startswith": ("", "%"), "endswith": ("%", "")}


class Filtering:
    """Conditions on rows of one SELECT.

    aliases   values of `@p`; None: none may be used
    names     variables of lambdas, and the table each stands for
    root      the table that names without a variable are of; that of the SELECT
    """

    def __init__(
        self,
        setting: Setting,
        tables: Tables,
        aliases: Mapping[str, Expression] | None,
        names: Mapping[str, tuple[Scope, Tables]] | None = None,
        root: Scope | None = None,
    ) -> None:
        self.setting, self.tables, self.aliases = setting, tables, aliases
        self.names = names or {}
        self.root = root or tables.root

    def predicate(self, tree: Expression) -> Sql:
        """What must hold of a row; DataverseError."""
        tree = self._resolved(tree)
        match tree:
            case And(terms):
                return both([self.predicate(term) for term in terms])
            case Or(terms):
                return either([self.predicate(term) for term in terms])
            case Unary("not", operand):
                self._refuse_function(self._resolved(operand))
                return negated(self.predicate(operand))
            case Binary(("eq" | "ne" | "lt" | "le" | "gt" | "ge") as operator, left, right):
                self.setting.condition()
                return self._comparison(operator, self._resolved(left), self._resolved(right))
            case Binary("in", left, right):
                self.setting.condition()
                return self._among(self._resolved(left), right)
            case Binary(operator):
                raise refused(f"The operator '{operator}' is not supported.", hint="Dataverse has no arithmetic")
            case Call(name, arguments):
                self.setting.condition()
                return self._call(name, arguments)
            case Literal("boolean", value):
                return ALWAYS if value else NEVER
            case Path(segments):
                return self._path(segments)
        raise refused("This expression is no condition.", hint="compare a column, as in name eq 'x'")

    def _resolved(self, tree: Any) -> Any:
        """An alias is what it was given as; one that was not given is null."""
        if isinstance(tree, Path) and len(tree.segments) == 1 and isinstance(tree.segments[0], Alias):
            if self.aliases is None:
                raise refused("Parameter aliases are not supported inside $expand.")
            given = self.aliases.get(tree.segments[0].name)
            if isinstance(given, Path) and isinstance(given.segments[0], Alias):
                raise refused(f"The parameter alias @{tree.segments[0].name} stands for another alias.")
            return given if given is not None else Literal("null", None)
        if isinstance(tree, Unary) and tree.operator == "-" and isinstance(tree.operand, Literal):
            value = tree.operand.value
            if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
                return Literal(tree.operand.kind, -value)
        return tree

    # ── comparisons ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _comparison(self, operator: str, left: Expression, right: Any) -> Sql:
        if isinstance(left, Literal | EnumLiteral) and isinstance(right, Path):
            return self._comparison(FLIPPED[operator], right, left)
        if not isinstance(left, Path):
            raise _no_column(left, operator)
        if isinstance(right, Literal) and right.kind == "null":
            return self._with_null(operator, left)
        ref = self.ref(left.segments)
        if isinstance(right, Path):
            return self._two(operator, ref, self.ref(right.segments))
        if not isinstance(right, Literal | EnumLiteral):
            raise _no_column(right, operator)
        value = literal(ref, right, operator)
        if ref.kind == "choices" and operator not in {"eq", "ne"}:
            raise incompatible(edm(ref), "Edm.String", operator)
        if ref.kind == "text" and operator in {"eq", "ne"} and is_pattern(value):
            found = like(ref, value)
            return found if operator == "eq" else negated(found)
        return compare(ref, operator, value)

    def _with_null(self, operator: str, left: Path) -> Sql:
        """`eq null`, `ne null`; also of a single-valued navigation."""
        present = self._present(left)
        return present if operator == "ne" else negated(present) if operator == "eq" else NEVER

    def _present(self, left: Path) -> Sql:
        scope, tables, rest = self._walk(left.segments)
        if len(rest) == 1 and isinstance(rest[0], Name):
            navigation = self.setting.model.navigations(scope.table.name).get(rest[0].text)
            if navigation is not None and not navigation.collection and rest[0].text not in scope.table.properties:
                lookup = Ref(scope.alias, scope.table, scope.table.attributes[str(navigation.attribute)])
                meant = means(scope, navigation.relationship)  # type: ignore[arg-type]  # not a collection
                return both([not_null(lookup), *([meant] if meant is not None else [])])
        return not_null(self._ref(scope, tables, rest))

    def _two(self, operator: str, left: Ref, right: Ref) -> Sql:
        if left.alias != right.alias:
            raise refused(
                "Only columns of the same row can be compared.", hint="FetchXML compares across tables, with valueof"
            )
        if not comparable(left, right):
            raise incompatible(edm(left), edm(right), operator)
        return columns(left, operator, right)

    def _among(self, left: Expression, right: Any) -> Sql:
        if not isinstance(left, Path):
            raise refused("'in' needs a column on its left.", hint="as in statuscode in (1,2)")
        ref = self.ref(left.segments)
        items = right.items if isinstance(right, ValueList | Array) else (right,)
        values, null = [], False
        for item in items:
            found = self._resolved(item)
            if not isinstance(found, Literal | EnumLiteral):
                raise refused("'in' takes a list of values.", hint="as in statuscode in (1,2)")
            if isinstance(found, Literal) and found.kind == "null":
                null = True
            else:
                values.append(literal(ref, found, "eq"))
        parts = [within(ref, values)] if values else []
        return either([*parts, *([negated(not_null(ref))] if null else [])])

    def _call(self, name: str, arguments: tuple[Expression, ...]) -> Sql:
        if name not in AROUND:
            raise no_function(name)
        left, right = (self._resolved(argument) for argument in arguments)
        if not isinstance(left, Path):
            raise refused(f"{name} takes a column first.", hint=f"as in {name}(name,'x')")
        ref = self.ref(left.segments)
        if isinstance(right, Literal) and right.kind == "null":
            return NEVER
        if ref.kind != "text" or not isinstance(right, Literal) or right.kind != "string":
            raise refused(
                f"No function signature for the function with name '{name}' matches the specified arguments. The "
                f"function signatures considered are: {name}(Edm.String Nullable=true, Edm.String Nullable=true).",
                where=ref.attribute.wire_name,
            )
        before, after = AROUND[name]
        return like(ref, f"{before}{right.value!s}{after}")

    # ── paths ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def ref(self, segments: tuple[Segment, ...]) -> Ref:
        """The column that a path ends at, over single-valued navigations; DataverseError."""
        scope, tables, rest = self._walk(segments)
        return self._ref(scope, tables, rest)

    def _ref(self, scope: Scope, tables: Tables, rest: tuple[Segment, ...]) -> Ref:
        if len(rest) == 1 and isinstance(rest[0], Name):
            name = rest[0].text
            known = self.setting.model.navigations(scope.table.name)
            if name in known and name not in scope.table.properties:
                lookup = known[name].attribute
                hint = f"_{lookup}_value is the column" if lookup and not known[name].collection else "use any or all"
                raise refused(f"The property '{name}' is a navigation and cannot be compared.", hint=hint)
            return scope.wire(name)
        if rest and isinstance(rest[-1], Count):
            raise refused("$count is not supported in $filter.", hint="any() tells whether there are any")
        shown = rest[0].text if rest and isinstance(rest[0], Name) else "it"
        raise refused(f"The path ends in no column: '{shown[:60]}'.")

    def _walk(self, segments: tuple[Segment, ...]) -> tuple[Scope, Tables, tuple[Segment, ...]]:
        """Over a variable and single-valued navigations, to the table of the last part."""
        scope, tables = self.root, self.tables
        if isinstance(segments[0], Variable):
            if segments[0].name != "$it":
                raise refused(f"{segments[0].name} is not supported.")
            scope, tables = self.names.get("$it", (scope, tables))
            segments = segments[1:]
        elif isinstance(segments[0], Name) and segments[0].text in self.names and len(segments) > 1:
            scope, tables = self.names[segments[0].text]
            segments = segments[1:]
        while len(segments) > 1 and isinstance(segments[0], Name):
            navigation = self.setting.model.navigations(scope.table.name).get(segments[0].text)
            if navigation is None or navigation.collection or isinstance(segments[1], Arguments):
                break
            scope = tables.follow(scope, navigation)
            segments = segments[1:]
        return scope, tables, segments

    def _path(self, segments: tuple[Segment, ...]) -> Sql:
        """A lambda, a query function, or a boolean column."""
        scope, tables, rest = self._walk(segments)
        if len(rest) == 2 and isinstance(rest[0], Name):
            if isinstance(rest[1], Arguments):
                return self._function(scope, tables, rest[0].text, rest[1])
            navigation = self.setting.model.navigations(scope.table.name).get(rest[0].text)
            if isinstance(rest[1], Lambda) and navigation is not None and navigation.collection:
                return self._lambda(scope, navigation, rest[1])
        if isinstance(rest[-1], Lambda):
            raise refused("any and all need a collection in front.", hint="as in Account_Tasks/any(t:t/statecode eq 0)")
        ref = self._ref(scope, tables, rest)
        if ref.attribute.type is not Type.BOOLEAN:
            raise refused(
                "The $filter expression must evaluate to a single boolean value.", where=ref.attribute.wire_name
            )
        return compare(ref, "eq", value=True)

    # ── any, all ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _lambda(self, scope: Scope, navigation: Navigation, lambda_: Lambda) -> Sql:
        """`id IN (SELECT owner …)`: worked out once, where EXISTS would be for every row anew."""
        self.setting.condition()
        target = self.setting.scope(navigation.target)
        tables = Tables(self.setting, target)
        owner, there = collected(navigation, target)
        wanted = ALWAYS
        if lambda_.predicate is not None and lambda_.variable is not None:
            known = {**self.names, lambda_.variable: (target, tables)}
            inner = Filtering(self.setting, tables, self.aliases, {**known, "$it": (target, tables)})
            wanted = inner.within(lambda_.predicate, lambda_.variable)
        hold = wanted if lambda_.quantifier == "any" else negated(wanted)
        found = sql(
            "SELECT {} FROM {}{} WHERE {}",
            owner,
            sources(navigation, target),
            Sql(tables.sql.text.removeprefix("FROM "), tables.sql.params),
            both([there, hold]),
        )
        word = "IN" if lambda_.quantifier == "any" else "NOT IN"
        return sql("{} {} ({})", scope.id.sql, word, found)

    def within(self, tree: Expression, variable: str) -> Sql:
        """The predicate of a lambda. DataverseError where it speaks of other rows than the variable's."""
        for path in _paths(tree):
            first = path.segments[0]
            if isinstance(first, Name) and first.text not in self.names and not first.text.startswith(NAMESPACE):
                raise refused(
                    f"Inside any and all every column begins with the variable: '{first.text[:60]}' does not.",
                    hint=f"{variable}/{first.text[:60]}",
                )
        return self.predicate(tree)

    # ── Microsoft.Dynamics.CRM.* ─────────────────────────────────────────────────────────────────────────────────────

    def _function(self, scope: Scope, tables: Tables, name: str, arguments: Arguments) -> Sql:
        operator = self._operator(name)
        given = {argument.name: self._resolved(argument.value) for argument in arguments.items}
        wanted = {"PropertyName", *_parameters(operator)}
        if set(given) != wanted:
            raise refused(
                f"The query function '{operator.function}' takes {', '.join(sorted(wanted))}.",
                hint=did_you_mean(next((str(n) for n in given if n not in wanted), ""), wanted),
            )
        values = [v for parameter in _parameters(operator) for v in self._values(given[parameter])]
        return condition(self.setting, operator, self._named(scope, tables, given["PropertyName"]), values)

    @staticmethod
    def _operator(name: str) -> Operator:
        short = name.removeprefix(NAMESPACE)
        if short in NOT_HERE:
            raise refused(f"The query function '{name}' is not supported.", hint=NOT_HERE[short])
        if not name.startswith(NAMESPACE) or short not in BY_FUNCTION:
            near = did_you_mean(short[:64], BY_FUNCTION)
            raise refused(f"An unknown function with name '{name[:100]}' was found.", hint=near)
        return BY_FUNCTION[short]

    def _named(self, scope: Scope, tables: Tables, tree: Any) -> Ref:
        """PropertyName: 'createdon', 'primarycontactid/createdon', with or without quotes; a lookup by either name."""
        if isinstance(tree, Literal) and tree.kind == "string":
            parts: tuple[Segment, ...] = tuple(Name(part) for part in str(tree.value).split("/"))
        elif isinstance(tree, Path):
            parts = tree.segments
        else:
            raise refused("PropertyName is the name of a column, in quotes.")
        inner = Filtering(self.setting, tables, self.aliases, self.names, scope)
        scope, tables, rest = inner._walk(parts)
        if len(rest) == 1 and isinstance(rest[0], Name) and rest[0].text in scope.table.attributes:
            return scope.attribute(rest[0].text)
        return inner._ref(scope, tables, rest)

    def _values(self, tree: Any) -> list[Any]:
        items = tree.items if isinstance(tree, Array | ValueList) else (tree,)
        values = []
        for item in items:
            found = self._resolved(item)
            if not isinstance(found, Literal) or found.kind == "null":
                raise refused("The values of a query function are literals, and not null.")
            values.append(found.value)
        return values

    def _refuse_function(self, tree: Any) -> None:
        if isinstance(tree, Path) and len(tree.segments) > 1 and isinstance(tree.segments[-1], Arguments):
            raise DataverseError(
                "Not operator along with the Custom Named Condition operators is not allowed",
                code="0x80060888",
                hint="many have a negative of their own: NotIn, NotBetween, NotEqualUserId, OlderThanXDays",
            )


def _no_column(tree: Any, operator: str) -> DataverseError:
    """A side of a comparison that is neither a column nor a value."""
    if isinstance(tree, Call):
        return no_function(tree.name)
    if isinstance(tree, Binary):
        return refused(f"The operator '{tree.operator}' is not supported.", hint="Dataverse has no arithmetic")
    return refused(f"A comparison needs a column on one side of '{operator}'.", hint="as in numberofemployees gt 5")


def no_function(name: str) -> DataverseError:
    """A function of OData that Dataverse does not have."""
    hint = "contains, startswith and endswith are; see Microsoft.Dynamics.CRM.* for dates, numbers and choices"
    return refused(f"The function '{name}' is not supported in $filter.", hint=hint)


def _parameters(operator: Operator) -> tuple[str, ...]:
    return tuple(part for part in operator.takes.value if isinstance(part, str)) if operator.takes.value else ()


def _paths(tree: Any) -> list[Path]:
    """All paths of an expression but those in lambdas inside and in the parameters of query functions."""
    match tree:
        case Path():
            return [tree]
        case And(terms) | Or(terms):
            return [path for term in terms for path in _paths(term)]
        case Unary(_, operand):
            return _paths(operand)
        case Binary(_, left, right):
            return [*_paths(left), *_paths(right)]
        case Call(_, arguments):
            return [path for argument in arguments for path in _paths(argument)]
    return []
