"""`$apply`: all transformations of the OData extension for data aggregation 4.0. Their names are case-sensitive."""

from typing import TYPE_CHECKING, Final

from segments.odata.syntax.ast import Argument, Count, Expression, Name, Path, Variable
from segments.odata.syntax.ast_options import (
    Aggregate,
    AggregateItem,
    Compute,
    ComputeItem,
    Concat,
    CustomTransformation,
    Filter,
    From,
    GroupBy,
    Hierarchy,
    HierarchyReference,
    Identity,
    Join,
    Nest,
    OrderBy,
    OrderItem,
    Property,
    Rank,
    Rollup,
    RollupRecursive,
    Search,
    Skip,
    Top,
    Transformation,
    Traverse,
)  # fmt: skip
from segments.odata.syntax.ast_search import SearchTerm
from segments.odata.syntax.expr import ExpressionParser

RANKS: Final = ("topcount", "topsum", "toppercent", "bottomcount", "bottomsum", "bottompercent")
PRESERVING: Final = (
    *RANKS,
    "filter",
    "identity",
    "orderby",
    "search",
    "skip",
    "top",
    "ancestors",
    "descendants",
    "traverse",
)
"""Transformations that only leave out or reorder: the others may not stand where a set of nodes is chosen."""
NAMES: Final = (*PRESERVING, "aggregate", "compute", "concat", "groupby", "join", "outerjoin", "nest", "addnested")
METHODS: Final = ("sum", "min", "max", "average", "countdistinct")
Steps = tuple[Transformation, ...]


class ApplyParser(ExpressionParser):
    """Transformations at a Cursor."""

    if TYPE_CHECKING:  # read by the options, which are the last of the family

        def search_at(self, position: int, *, nested: bool) -> SearchTerm: ...  # noqa: D102
        def order_items(self) -> tuple[OrderItem, ...]: ...  # noqa: D102
        def compute_items(self) -> tuple[ComputeItem, ...]: ...  # noqa: D102
        def digits(self, what: str) -> int: ...  # noqa: D102

    def sequence(self) -> Steps:
        """One or more transformations with `/` between."""
        self.enter()
        steps = [self._transformation()]
        while self.kind == "sign" and self.text == "/" and self.start == self.before:
            self.advance()
            steps.append(self._transformation())
        self.depth -= 1
        return tuple(steps)

    def _open(self) -> None:
        if self.start > self.before or not self.sign("("):
            self.unexpected("'('")

    def _transformation(self) -> Transformation:
        at, name = self.start, self.text
        if self.kind != "name":
            self.unexpected("a transformation such as filter(…) or groupby((…))")
        if "." in name:
            return self._custom()
        if name == "identity":
            self.advance()
            return Identity(at)
        if name not in NAMES:
            self.unexpected("a transformation", NAMES)
        self.advance()
        if name == "search":
            return self._search(at)
        self._open()
        made = self._inside(name, at)
        self.need(")")
        return made

    def _search(self, at: int) -> Search:
        if self.start > self.before or not (self.kind == "sign" and self.text == "("):
            self.unexpected("'('")
        term = self.search_at(self.end, nested=True)
        self.need(")")
        return Search(term, at)

    def _inside(self, name: str, at: int) -> Transformation:
        if name in RANKS:
            amount = self.expression()
            self.need(",")
            return Rank(name, amount, self.expression(), at)  # type: ignore[arg-type]
        if name in {"ancestors", "descendants"}:
            return self._hierarchy(name, at)
        if name in {"nest", "addnested"}:
            return self._nest(name, at)
        if name in {"join", "outerjoin"}:
            return self._join(name, at)
        if name == "filter":
            return Filter(self.expression(), at)
        if name == "orderby":
            return OrderBy(self.order_items(), at)
        if name == "compute":
            return Compute(self.compute_items(), at)
        if name == "top":
            return Top(self.digits("how many"), at)
        if name == "skip":
            return Skip(self.digits("how many"), at)
        if name == "aggregate":
            return Aggregate(self._aggregates(), at)
        if name == "groupby":
            return self._groupby(at)
        if name == "traverse":
            return self._traverse(at)
        return self._concat(at)

    def _custom(self) -> CustomTransformation:
        at, name = self.start, self.name("a function", dotted=True)
        self._open()
        items: list[Argument] = []
        if not self.sign(")"):
            while True:
                if not self.names_argument():
                    self.unexpected("a parameter with its name, as in Count=1")
                items.append(self.argument())
                if not self.sign(","):
                    break
            self.need(")")
        self.check_arguments(Name(name, at), items, at)
        return CustomTransformation(name, tuple(items), at)

    # ── aggregate ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _aggregates(self) -> tuple[AggregateItem, ...]:
        items = [self.aggregate_item()]
        while self.sign(","):
            items.append(self.aggregate_item())
        return tuple(items)

    def aggregate_item(self, *, alone: bool = False) -> AggregateItem:
        """One aggregate; `alone` is the form inside an expression, `Sales/aggregate(…)`, which takes no alias."""
        at = self.start
        expression = self._aggregated()
        method = self._method() if self._keyword("with") else ""
        steps = self._steps()
        alias = ""
        if not alone and self._keyword("as"):
            alias = self.name("an alias")
        self._check_aggregate(expression, method, steps, alias, alone=alone, at=at)
        return AggregateItem(expression, method, steps, alias, at)

    def _aggregated(self) -> Expression:
        at = self.start
        if self.kind == "system" and self.text == "$count":
            self.advance()
            return Path((Count((), at),), at)
        outer, self.types_alone = self.types_alone, True
        found = self.expression()
        self.types_alone = outer
        return found

    def _check_aggregate(
        self, expression: Expression, method: str, steps: tuple[From, ...], alias: str, *, alone: bool, at: int
    ) -> None:
        segments = expression.segments if isinstance(expression, Path) else ()
        counts = bool(segments) and isinstance(segments[-1], Count)
        if counts and method:
            self.fail("$count takes no method", at=at, hint="write $count as Alias")
        custom = not method and not counts
        if custom and not (segments and all(isinstance(s, Name) for s in segments) and "." not in segments[-1].text):  # type: ignore[union-attr]
            self.unexpected("with and a method", ("with",))
        if not custom and not all(step.method for step in steps):
            self.fail("from needs its own method", at=at, hint="as in Amount with sum from Month with average as Mean")
        if not alone and not alias and (not custom or steps):
            self.unexpected("as and an alias", ("as",))

    def _keyword(self, word: str) -> bool:
        if self.kind == "name" and self.text == word and self.start > self.before:
            self.advance()
            return True
        return False

    def _method(self) -> str:
        if self.kind == "name" and "." not in self.text and self.text not in METHODS:
            self.unexpected("a method", METHODS)
        return self.name("a method: " + ", ".join(METHODS), dotted=True)

    def _steps(self) -> tuple[From, ...]:
        steps = []
        at = self.start
        while self._keyword("from"):
            properties = [self._property()]
            while self.sign(","):
                properties.append(self._property())
            steps.append(From(tuple(properties), self._method() if self._keyword("with") else "", at))
            at = self.start
        return tuple(steps)

    # ── groupby ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _property(self) -> tuple[str, ...]:
        """Names of a grouping property; the last one is no type."""
        names = self.plain_path("a property")
        if "." in names[-1]:
            self.fail(f"{names[-1][:40]} is a type, not a property", at=self.before - len(names[-1]))
        return names

    def plain_path(self, what: str) -> tuple[str, ...]:
        """Names with `/` between, no keys, no annotations."""
        names = [self.name(what, dotted=True)]
        while self.kind == "sign" and self.text == "/" and self.start == self.before:
            self.advance()
            self.tight()
            names.append(self.name(what, dotted=True))
        return tuple(names)

    def _groupby(self, at: int) -> GroupBy:
        self.need("(")
        elements = [self._element()]
        while self.sign(","):
            elements.append(self._element())
        self.need(")")
        return GroupBy(tuple(elements), self._then(), at)

    def _then(self) -> Steps:
        return self.sequence() if self.sign(",") else ()

    def _element(self) -> Property | Rollup | RollupRecursive:
        at = self.start
        if self.kind == "name" and self.source.text[self.end : self.end + 1] == "(":
            if self.text == "rollup":
                return self._rollup(at)
            if self.text == "rolluprecursive":
                self.advance()
                self.advance()
                reference = self._reference()
                start = self._nodes() if self.sign(",") else ()
                self.need(")")
                return RollupRecursive(reference, start, at)
        return Property(self._property(), at)

    def _rollup(self, at: int) -> Rollup:
        self.advance()
        self.advance()
        levels = [self._property()]
        while self.sign(","):
            levels.append(self._property())
        if len(levels) == 1 and len(levels[0]) > 1:
            self.unexpected("',' and the next level")
        self.need(")")
        return Rollup(tuple(levels), at)

    # ── hierarchies ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _reference(self) -> HierarchyReference:
        at = self.start
        nodes = self.expression()
        if not isinstance(nodes, Path) or not (
            isinstance(nodes.segments[0], Variable) and nodes.segments[0].name == "$root"
        ):
            self.fail("the nodes of a hierarchy begin with $root/", at=at, hint="as in $root/SalesOrganizations")
        self.need(",")
        qualifier = self.name("the name of a hierarchy")
        self.need(",")
        return HierarchyReference(nodes, qualifier, self._property(), at)

    def _nodes(self) -> Steps:
        steps = self.sequence()
        for step in steps:
            if isinstance(step, Aggregate | Compute | Concat | GroupBy | Join | Nest):
                self.fail("this would change the nodes", at=step.at, expected="one of " + ", ".join(PRESERVING))
        return steps

    def _hierarchy(self, kind: str, at: int) -> Hierarchy:
        reference = self._reference()
        self.need(",")
        start = self._nodes()
        distance, keep = None, False
        if self.sign(","):
            if self.kind == "number":
                distance = self.digits("a distance")
                keep = self.sign(",")
            else:
                keep = True
        if keep:
            if not (self.kind == "name" and self.text == "keep"):
                self.unexpected("keep start" if distance is not None else "a distance or keep start", ("keep",))
            self.advance()
            if not self._keyword("start"):
                self.unexpected("start", ("start",))
        return Hierarchy(kind, reference, start, distance, keep, at)  # type: ignore[arg-type]

    def _traverse(self, at: int) -> Traverse:
        reference = self._reference()
        self.need(",")
        order = self.name("preorder or postorder")
        if order not in {"preorder", "postorder"}:
            self.fail(f"unexpected {order[:40]!r}", at=self.before - len(order), expected="preorder or postorder")
        start: Steps = ()
        siblings: tuple[OrderItem, ...] = ()
        more = self.sign(",")
        if more and self._at_transformation():
            start = self._nodes()
            more = self.sign(",")
        if more:
            siblings = self.order_items()
        return Traverse(reference, order, start, siblings, at)  # type: ignore[arg-type]

    def _at_transformation(self) -> bool:
        if self.kind != "name":
            return False
        if self.text == "identity":
            return True
        return (self.text in NAMES or "." in self.text) and self.source.text[self.end : self.end + 1] == "("

    # ── concat, nest, join ───────────────────────────────────────────────────────────────────────────────────────────

    def _concat(self, at: int) -> Concat:
        sequences = [self.sequence()]
        while self.sign(","):
            sequences.append(self.sequence())
        if len(sequences) < 2:
            self.unexpected("',' and another sequence")
        return Concat(tuple(sequences), at)

    def _alias(self) -> str:
        if not self._keyword("as"):
            self.unexpected("as and an alias", ("as",))
        return self.name("an alias")

    def _nest(self, name: str, at: int) -> Nest:
        path: tuple[str, ...] = ()
        if name == "addnested":
            path = self.plain_path("a path")
            self.need(",")
        items = [(self.sequence(), self._alias())]
        while self.sign(","):
            items.append((self.sequence(), self._alias()))
        return Nest(path, tuple(items), at)

    def _join(self, name: str, at: int) -> Join:
        if self.kind == "at":
            path: tuple[str, ...] = (self.text,)
            self.check_name(self.text[1:].replace("#", "."))
            self.advance()
        else:
            path = self.plain_path("a collection")
        alias = self._alias()
        return Join(path, alias, self._then(), name == "outerjoin", at)
