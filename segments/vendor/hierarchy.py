"""childOf and parentOf: which keys are below or above another one is found in the data, when the segment is.

Region, Parent        hierarchy_of …   HierarchyCondition(expr)   expr: `Exists(… RegionId in (#hierarchy-3f…))`
──────────────
Basel   Suisse        the place holder stands for the keys that a recursive query finds, and the rest of the
Suisse  Europe        condition, on the same row, is around it
"""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from pyroaring import BitMap

from segments.lowered import Block, Scope
from segments.predicates import tree as p
from segments.predicates.bind import bind_predicate
from segments.predicates.compile import rows_where
from segments.predicates.fields import STRING, type_of_value
from segments.predicates.sentence import sentence
from unify.core.errors import QueryError
from unify.core.names import quote
from unify.core.steps import Query

MAX_LEVELS = 100
"""Of a hierarchy. Deeper ones are an error, not cut; a circle in the data ends where nothing new is found."""


@dataclass(frozen=True, slots=True)
class Relatives:
    """The keys below (`children`) or above one key, through any number of rows of a table that name child and parent.

    The key itself is among them only where the data lead in a circle back to it.
    """

    table: str
    child: str
    parent: str
    of: p.Literal
    children: bool

    @property
    def key(self) -> str:
        """What stands for them in a tree."""
        return f"#hierarchy-{sha256(repr(self).encode()).hexdigest()[:16]}"

    @property
    def words(self) -> str:
        """What stands for them in a sentence."""
        return f"whatever is {'below' if self.children else 'above'} {self.of.value} in {self.table}"

    def query(self) -> Query:
        """One row per key: `key`, and its least `level` from 1 on."""
        start, end = (self.parent, self.child) if self.children else (self.child, self.parent)
        table, a, b = quote(self.table), quote(start), quote(end)
        # A pair of key and level comes once: without the levels a circle would end too, but no depth would be known.
        sql = (
            f"WITH RECURSIVE found(key, level) AS ("
            f"SELECT DISTINCT {b}, 1 FROM {table} WHERE CAST({a} AS VARCHAR) = $of AND {b} IS NOT NULL "
            f"UNION SELECT edges.{b}, found.level + 1 FROM found JOIN {table} AS edges ON edges.{a} = found.key "
            f"WHERE edges.{b} IS NOT NULL AND found.level < $most) "
            f"SELECT key, min(level) AS level FROM found GROUP BY key ORDER BY key"
        )
        return Query(sql, {"of": str(self.of.value), "most": MAX_LEVELS})

    def keys(self, scope: Scope) -> tuple[p.Literal, ...]:
        """The keys, in order. QueryError when they go on beyond MAX_LEVELS."""
        answer = scope.engine.fetch(self.query())
        levels = answer.column("level").to_pylist()
        if levels and max(levels) >= MAX_LEVELS:
            hint = "its data are hardly a hierarchy: check the columns of the definition"
            raise QueryError(f"{self.words}: more than {MAX_LEVELS} levels", hint=hint)
        return tuple(p.Literal(type_of_value(key), key) for key in answer.column("key").to_pylist())


@dataclass(frozen=True, slots=True)
class HierarchyCondition:
    """A condition on customers in which place holders stand for relatives."""

    expr: p.Expr
    relatives: tuple[Relatives, ...]

    @property
    def key(self) -> str:
        """Its name in a tree."""
        return f"#hierarchy-{sha256(repr(self).encode()).hexdigest()[:16]}"

    @property
    def sentence(self) -> str:
        """The condition in words."""
        return sentence(_filled(self.expr, {r.key: (p.literal(r.words),) for r in self.relatives}))

    @property
    def segments(self) -> frozenset[str]:
        """Segments that the condition names."""
        return p.segments_named(self.expr)

    def members(self, scope: Scope) -> BitMap:
        """Customers for whom it holds."""
        expr = _filled(self.expr, {r.key: r.keys(scope) for r in self.relatives})
        catalog = scope.model.catalog
        bind_predicate(expr, catalog, catalog.customers)
        answer = scope.engine.fetch(rows_where(expr, catalog, catalog.customers, clock=scope.clock))
        return BitMap(answer.column("id").to_numpy().astype("uint32"))


def with_blocks(expr: p.Expr, relatives: dict[str, Relatives]) -> tuple[p.Expr, dict[str, Block]]:
    """A tree over Customer whose conditions with place holders have become blocks."""
    blocks: dict[str, Block] = {}

    def changed(node: p.Expr) -> p.Expr:
        held = tuple(dict.fromkeys(relatives[key] for key in _held(node, relatives)))
        if not held:
            return node
        if isinstance(node, (p.And, p.Or)):
            return p.rebuild(node, changed)
        block = HierarchyCondition(node, held)
        blocks[block.key] = block
        return p.MemberOf(block.key)

    return changed(expr), blocks


def is_relative(attribute: p.Expr, relatives: Relatives) -> p.In:
    """An attribute is one of the keys."""
    return p.In(attribute, (p.Literal(STRING, relatives.key),))


def _key_of(node: p.Expr) -> str:
    match node:
        case p.In(values=(p.Literal(type=kind, value=str(key)),)) if kind == STRING:
            return key
    return ""


def _held(expr: p.Expr, relatives: dict[str, Relatives]) -> Iterator[str]:
    return (key for node in p.walk(expr) if (key := _key_of(node)) in relatives)


def _filled(expr: p.Expr, keys: dict[str, tuple[p.Literal, ...]]) -> p.Expr:
    if isinstance(expr, p.In) and (key := _key_of(expr)) in keys:
        return p.In(expr.item, keys[key])
    return p.rebuild(expr, lambda part: _filled(part, keys))
