"""Trees of query options and of `$apply`, and the whole Request.

Request      resource path + options
Option       Filter · Search · OrderBy · Top · Skip · Index · CountOption · Select · Expand · Compute · Apply
             Levels · Text · AliasValue · Custom · Membership
SearchTerm   Word · Phrase · Not · AllOf · AnyOf · Incomplete
Transformation  Aggregate · GroupBy · Rank · Filter · Search · OrderBy · Top · Skip · Compute · Identity
             Concat · Nest · Join · Hierarchy · Traverse · CustomTransformation
"""

from dataclasses import dataclass, field
from typing import Literal as OneOf
from typing import TypeVar

from segments.odata.syntax.ast import And, Argument, Call, Expression, Literal, Path
from segments.odata.syntax.ast_search import SearchTerm
from segments.odata.syntax.functions import MEMBERSHIP

# ── options ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Filter:
    """$filter."""

    predicate: Expression
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Search:
    """$search."""

    term: SearchTerm
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class OrderItem:
    """One sort key."""

    key: Expression
    descending: bool = False
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class OrderBy:
    """$orderby."""

    items: tuple[OrderItem, ...]
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Top:
    """$top: at most so many."""

    count: int
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Skip:
    """$skip: so many are left out first."""

    count: int
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Index:
    """$index: the place of an insert in an ordered collection; negative from the end."""

    ordinal: int
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class CountOption:
    """$count=true asks for the number of all matching items beside the page."""

    wanted: bool
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Levels:
    """$levels inside $expand: how deep; None is max."""

    depth: int | None
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SelectItem:
    """`Address/Street`, `*`, `Model.*`, `@Core.Messages`, `MostPopular(Location,Kind)`; `parameters` of an overload."""

    names: tuple[str, ...]
    parameters: tuple[str, ...] = ()
    options: "tuple[Option, ...]" = ()
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Select:
    """$select."""

    items: tuple[SelectItem, ...]
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ExpandItem:
    """`Orders($top=3)`, `Orders/$ref`, `Orders/$count`, `*`, `$value`; `tail` is $ref, $count or empty."""

    names: tuple[str, ...]
    tail: OneOf["", "$ref", "$count"] = ""
    options: "tuple[Option, ...]" = ()
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Expand:
    """$expand."""

    items: tuple[ExpandItem, ...]
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ComputeItem:
    """`Price mul 2 as Double`."""

    expression: Expression
    alias: str
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Compute:
    """$compute, or compute(…) inside $apply."""

    items: tuple[ComputeItem, ...]
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Text:
    """Options whose value is for others to read: $format, $skiptoken, $deltatoken, $schemaversion, $id."""

    name: OneOf["$format", "$skiptoken", "$deltatoken", "$schemaversion", "$id"]
    value: str
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class AliasValue:
    """`@p=5`; the name without the @."""

    name: str
    value: Expression
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Custom:
    """An option that is not OData's, decoded. None is a name without `=`."""

    name: str
    value: str | None
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Membership:
    """`&IsMemberOfSegment('S')` as an option of its own; it narrows the filter."""

    segment: str
    at: int = field(default=0, compare=False, repr=False)


# ── $apply ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class From:
    """`from Time with average`: aggregate per value of the properties first. Only custom aggregates lack a method."""

    properties: tuple[tuple[str, ...], ...]
    method: str = ""
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class AggregateItem:
    """`Amount with sum as Total`, `$count as N`, or a custom aggregate without method; `alias` may be empty."""

    expression: Expression
    method: str = ""
    steps: tuple[From, ...] = ()
    alias: str = ""
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Aggregate:
    """aggregate(…)."""

    items: tuple[AggregateItem, ...]
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Property:
    """A grouping property: `Customer/Country`."""

    names: tuple[str, ...]
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Rollup:
    """rollup(Country,City) with two or more properties, or rollup(NamedHierarchy) with one name."""

    levels: tuple[tuple[str, ...], ...]
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class HierarchyReference:
    """Nodes, qualifier and the property that leads to the node."""

    nodes: Path
    qualifier: str
    property: tuple[str, ...]
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class RollupRecursive:
    """rolluprecursive($root/Orgs,OrgHierarchy,ID,filter(…))."""

    hierarchy: HierarchyReference
    start: "tuple[Transformation, ...]" = ()
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class GroupBy:
    """groupby((…),…)."""

    elements: tuple[Property | Rollup | RollupRecursive, ...]
    then: "tuple[Transformation, ...]" = ()
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Rank:
    """topcount, topsum, toppercent, bottomcount, bottomsum, bottompercent: how much, by what."""

    kind: OneOf["topcount", "topsum", "toppercent", "bottomcount", "bottomsum", "bottompercent"]
    amount: Expression
    by: Expression
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Identity:
    """identity."""

    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Concat:
    """concat(…,…): two or more sequences."""

    sequences: "tuple[tuple[Transformation, ...], ...]"
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Nest:
    """nest(… as A) with an empty path, or addnested(Path,… as A)."""

    path: tuple[str, ...]
    items: "tuple[tuple[tuple[Transformation, ...], str], ...]"
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Join:
    """join(Sales as Sale,…) or outerjoin(…)."""

    path: tuple[str, ...]
    alias: str
    then: "tuple[Transformation, ...]" = ()
    outer: bool = False
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """ancestors(…) or descendants(…) of the nodes that `start` leaves."""

    kind: OneOf["ancestors", "descendants"]
    hierarchy: HierarchyReference
    start: "tuple[Transformation, ...]"
    distance: int | None = None
    keep_start: bool = False
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Traverse:
    """traverse(…,preorder,…): nodes in order."""

    hierarchy: HierarchyReference
    order: OneOf["preorder", "postorder"]
    start: "tuple[Transformation, ...]" = ()
    siblings: tuple[OrderItem, ...] = ()
    at: int = field(default=0, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class CustomTransformation:
    """`Custom.condense(…)`: a function of the service, named arguments."""

    name: str
    arguments: tuple[Argument, ...] = ()
    at: int = field(default=0, compare=False, repr=False)


Transformation = (
    Aggregate | GroupBy | Rank | Filter | Search | OrderBy | Top | Skip | Compute | Identity | Concat | Nest | Join
    | Hierarchy | Traverse | CustomTransformation
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Apply:
    """$apply: transformations from left to right."""

    steps: tuple[Transformation, ...]
    at: int = field(default=0, compare=False, repr=False)


Option = (
    Filter | Search | OrderBy | Top | Skip | Index | CountOption | Levels | Select | Expand | Compute | Apply | Text
    | AliasValue | Custom | Membership
)  # fmt: skip
OneKind = TypeVar("OneKind", bound=Option)


@dataclass(frozen=True, slots=True)
class Request:
    """One question: what is addressed, and the options in the order they were written."""

    path: Path
    options: tuple[Option, ...] = ()

    def option(self, kind: type[OneKind]) -> OneKind | None:
        """The first option of that kind, or None."""
        return next((o for o in self.options if isinstance(o, kind)), None)

    def aliases(self) -> dict[str, Expression]:
        """Values of parameter aliases by name, without the @."""
        return {o.name: o.value for o in self.options if isinstance(o, AliasValue)}

    def predicate(self) -> Expression | None:
        """`$filter` narrowed by every `&IsMemberOfSegment('S')`; None when there is neither.

        >>> Request(Path(()), (Membership("Vip"),)).predicate()
        Call(name='IsMemberOfSegment', arguments=(Literal(kind='string', value='Vip'),))
        """
        terms: list[Expression] = []
        for option in self.options:
            if isinstance(option, Filter):
                terms.append(option.predicate)
            elif isinstance(option, Membership):
                terms.append(Call(MEMBERSHIP, (Literal("string", option.segment),), option.at))
        return None if not terms else terms[0] if len(terms) == 1 else And(tuple(terms))
