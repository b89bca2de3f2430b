"""Trees of expressions and paths: frozen, hashable, equal when they say the same.

    Expression  Literal · EnumLiteral · GeoLiteral · Array · Object · ValueList
                Unary · Binary · And · Or · Call · Case · Cast · IsOf · Path
    Path        one or more Segments
    Segment     Name · Arguments · Variable · Alias · Annotation · KeyText · System
                Lambda · Count · Filtered · Aggregated · Crossjoin

`at` is the position in the decoded text the node was read from; it is left out of comparison, hash and repr.
A name does not say what it names: attribute, type and function look alike until a binder holds them against a model.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING
from typing import Literal as OneOf

if TYPE_CHECKING:
    from segments.odata.syntax.ast_options import AggregateItem, Option

LiteralKind = OneOf[
    "null", "boolean", "integer", "decimal", "double", "string",
    "guid", "date", "dateTimeOffset", "timeOfDay", "duration", "binary",
]  # fmt: skip
LiteralValue = None | bool | int | Decimal | float | str | bytes


@dataclass(frozen=True, slots=True)
class Literal:
    """A primitive value.

    null None · boolean bool · integer int · decimal Decimal · double float (INF and NaN included) · string str ·
    binary bytes · guid, date, dateTimeOffset, timeOfDay, duration: checked text, since years beyond 9999, 23:59:60
    and `P1DT36H` have no Python value. Guids are lower case, `T` and `Z` upper case. NaN is always the same object.
    """

    kind: LiteralKind
    value: LiteralValue
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class EnumLiteral:
    """`Sales.Pattern'Yellow,Solid'`: members are names or whole numbers. Without a type it is a string literal."""

    type: str
    members: tuple[str, ...]
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class GeoLiteral:
    """`geography'SRID=4326;Point(4.3 52.1)'`: the shape is checked text in its canonical spelling."""

    system: OneOf["geography", "geometry"]
    srid: int
    shape: str
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Array:
    """`["Milk",Name]`."""

    items: "tuple[Expression, ...]"
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Object:
    """`{"Street":"NE 40th"}`: members in the order written; a name stands once."""

    members: "tuple[tuple[str, Expression], ...]"
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ValueList:
    """`('a','b')`, the right side of `in` alone."""

    items: "tuple[Literal | EnumLiteral | GeoLiteral, ...]"
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Unary:
    """`not x` or `-x`."""

    operator: OneOf["not", "-"]
    operand: "Expression"
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Binary:
    """eq ne lt le gt ge add sub mul div divby mod has in; `at` is where the operator stands."""

    operator: str
    left: "Expression"
    right: "Expression | ValueList"
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class And:
    """Two or more terms, all of which must hold. Long chains stay flat, so they nest no deeper than short ones."""

    terms: "tuple[Expression, ...]"
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Or:
    """Two or more terms, one of which must hold."""

    terms: "tuple[Expression, ...]"
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the language itself; `name` in the spelling of `functions.KNOWN`, the count of arguments checked.

    Functions of a model are paths: `Model.ByColor(color='red')` is Name and Arguments.
    """

    name: str
    arguments: "tuple[Expression, ...]"
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Case:
    """`case(X gt 0:1,true:0)`: pairs of condition and value."""

    branches: "tuple[tuple[Expression, Expression], ...]"
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class TypeName:
    """`Edm.String`, `Customer`, `Collection(Model.Order)`."""

    name: str
    collection: bool = False
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Cast:
    """`cast(Amount,Edm.Int32)`; without operand the current instance is cast."""

    operand: "Expression | None"
    type: TypeName
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class IsOf:
    """`isof(Model.Vip)`; without operand the current instance is tested."""

    operand: "Expression | None"
    type: TypeName
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Name:
    """An attribute, navigation, entity set, type or function; dotted when it carries a namespace."""

    text: str
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Argument:
    """One value in parentheses, with its name where one was written."""

    name: str | None
    value: "Expression"
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Arguments:
    """Parentheses directly behind a segment: the key of an entity or the parameters of a function.

    Either all items carry names or there is one item without.
    """

    items: tuple[Argument, ...]
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Variable:
    """`$it`, `$this`, `$root` (always followed by a name) or `$these`; first in a path."""

    name: OneOf["$it", "$this", "$root", "$these"]
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Alias:
    """`@p`: the value of the option of that name; first in a path."""

    name: str
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Annotation:
    """`@Core.Messages` or `Price/@Currency#Reporting`. First in a path it carries a namespace or a qualifier, else it
    reads as an Alias, which a binder may take for an annotation when no such alias is given."""

    term: str
    qualifier: str | None = None
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class KeyText:
    """A segment of a resource path that is no name: a key (`Orders/1`) or an ordinal (`Addresses/-1`)."""

    text: str
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class System:
    """$ref, $value, $each, $query, $all, $metadata, $batch or $entity in a resource path."""

    name: str
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Lambda:
    """`any()`, `any(x:…)` or `all(x:…)`; variable and predicate are both there or both None."""

    quantifier: OneOf["any", "all"]
    variable: str | None
    predicate: "Expression | None"
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Count:
    """`/$count`, in expressions with its own `$filter` and `$search` if need be."""

    options: "tuple[Option, ...]" = ()
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Filtered:
    """`/$filter(…)`."""

    predicate: "Expression"
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Aggregated:
    """`/aggregate(Amount with sum)` inside an expression."""

    item: "AggregateItem"
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Crossjoin:
    """`$crossjoin(Customer,Orders)`."""

    sets: tuple[str, ...]
    at: int = field(default=0, compare=False, repr=False)


Segment = (
    Name
    | Arguments
    | Variable
    | Alias
    | Annotation
    | KeyText
    | System
    | Lambda
    | Count
    | Filtered
    | Aggregated
    | Crossjoin
)


@dataclass(frozen=True, slots=True)
class Path:
    """Segments from left to right. An empty path is the service document and stands in resource paths alone."""

    segments: tuple[Segment, ...]
    at: int = field(default=0, compare=False, repr=False)


Expression = (
    Literal | EnumLiteral | GeoLiteral | Array | Object | Unary | Binary | And | Or | Call | Case | Cast | IsOf | Path
)
