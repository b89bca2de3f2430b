"""Above and below in a hierarchy: rows of an entity that name their parent, at any distance."""

from dataclasses import dataclass

from pyroaring import BitMap

from segments.blocks.condition import Condition
from segments.lowered import Scope
from segments.predicates import tree as p
from segments.predicates.fields import Type
from segments.predicates.sentence import sentence
from unify.core.names import quote
from unify.core.steps import Query


@dataclass(frozen=True)
class Relatives:
    """Customers with a value among the keys below (or `above`) a root, the root itself left out. Circles do no harm.

    table, key, parent  the hierarchy: its table, the key of a row, and the key of the row it is under
    root                the key of the row that is started from, as text
    field, path, every  the value: on the customer's row, or on some (every) row at the end of a path
    rest                what else is asked of that row
    """

    table: str
    key: str
    parent: str
    root: str
    above: bool
    field: p.Field
    path: tuple[str, ...] = ()
    every: bool = False
    rest: tuple[p.Expr, ...] = ()

    @property
    def sentence(self) -> str:
        """`crm_Accounts.AccountId is below "A-1" in crm_Accounts`."""
        value = ".".join([*self.path, *self.field.path, self.field.name])
        also = "".join(f" and ({sentence(part)})" for part in self.rest)
        which = "every " if self.every else ""
        return f'{which}{value} is {"above" if self.above else "below"} "{self.root}" in {self.table}{also}'

    @property
    def segments(self) -> frozenset[str]:
        """Segments that the rest names."""
        return frozenset().union(*(p.segments_named(part) for part in self.rest))

    def members(self, scope: Scope) -> BitMap:
        """Keys first, by a recursive SELECT; then customers by a predicate."""
        keys = scope.engine.fetch(self._keys()).column(0).to_pylist()
        _, _, kind = scope.model.attribute(self.table, self.key)
        test: p.Expr = p.In(self.field, tuple(_literal(kind, key) for key in keys))
        if self.rest:
            test = p.And((test, *self.rest))
        if self.path:
            test = p.for_all(self.path, test) if self.every else p.Exists(self.path, test)
        return Condition(test).members(scope)

    def _keys(self) -> Query:
        """One column of keys. UNION keeps each once, so a circle ends."""
        start, onward = (self.key, self.parent) if self.above else (self.parent, self.key)
        key, parent = quote(start), quote(onward)
        sql = (
            f"WITH RECURSIVE found(key) AS (\n"
            f"  SELECT {parent} FROM {quote(self.table)} \n"
            f"  WHERE CAST({key} AS VARCHAR) = $root AND {parent} IS NOT NULL\n"
            f"  UNION\n"
            f"  SELECT t.{parent} FROM {quote(self.table)} AS t JOIN found AS f ON t.{key} = f.key\n"
            f"  WHERE t.{parent} IS NOT NULL)\n"
            f"SELECT key FROM found WHERE CAST(key AS VARCHAR) <> $root ORDER BY key"
        )
        return Query(sql, {"root": self.root})


def _literal(kind: Type, key: object) -> p.Literal:
    return p.Literal(kind, str(key) if kind.kind == "guid" else key)  # type: ignore[arg-type]
