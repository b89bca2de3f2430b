"""What a leaf looks at: attributes, aggregates over related rows, values worked out from them."""

from collections.abc import Iterator
from dataclasses import dataclass

from segments.model import MEASURES
from segments.predicates import tree as p
from segments.predicates.bind import Bound
from segments.predicates.sentence import sentence
from segments.why.seen import RowNode


@dataclass(frozen=True)
class Subjects:
    """Of one leaf, each once, in order.

    fields    attributes of the customer, or of the one row a path leads to
    rows      Exists and Aggregate over the customer's rows
    worked    sides of comparisons that are neither: `year(DateOfBirth)`, `30 days before now`
    """

    fields: tuple[p.Field, ...]
    rows: tuple[RowNode, ...]
    worked: tuple[p.Expr, ...]

    @property
    def all(self) -> tuple[p.Expr, ...]:
        """What decides the leaf: fields, then rows."""
        return (*self.fields, *self.rows)


def subjects(leaf: Bound) -> Subjects:
    """What a bound leaf looks at. Rows inside rows belong to the outer ones."""
    fields: dict[p.Field, None] = {}
    rows: dict[RowNode, None] = {}
    worked: dict[p.Expr, None] = {}
    for bound in _outer(leaf):
        match bound.expr:
            case p.Field() as field:
                fields[field] = None
            case p.Exists() | p.Aggregate() as node:
                rows[node] = None
            case p.Compare(left=left, right=right):
                sides = zip((left, right), bound.args, strict=True)
                worked |= {e: None for e, _ in sides if not isinstance(e, (p.Literal, p.Field, p.Aggregate, p.Exists))}
            case p.In(item=item) if not isinstance(item, (p.Literal, p.Field, p.Aggregate)):
                worked[item] = None
    return Subjects(tuple(fields), tuple(rows), tuple(worked))


def _outer(bound: Bound) -> Iterator[Bound]:
    """Nodes about the customer, parents first: not what is inside Exists and Aggregate."""
    yield bound
    if not isinstance(bound.expr, (p.Exists, p.Aggregate)):
        for arg in bound.args:
            yield from _outer(arg)


def name_of(expr: p.Expr) -> str:
    """A thing in words; measures are named as if they were columns of Customer."""
    if isinstance(expr, p.Field):
        return ".".join([*(step for step in expr.path if step != MEASURES), expr.name])
    return sentence(expr)
