"""Criteria over rows of several entities as one predicate: which of them speak of the same row.

A rowset is true of a customer when one can choose a row for each path, or none, so that its criteria come out true; a
condition on a row that was not chosen is not met. So `Orders.Total > 100 and Orders.City = Bern` is about one order,
`Orders.Total > 100 or Customer.City = Bern` also true of a customer without orders, and the lines of
`Orders.Total > 100 and Lines.Product = bike` are lines of that order.

The tree has no quantifier over everything, so each choice is put as far inside as it goes: around the smallest group of
conditions that speak of its row.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from segments.predicates import tree as p
from segments.predicates.fields import Catalog

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """The rows in sight: how deep the innermost is, and how deep the row of each path. Of `()`: the customer."""

    depth: int = 0
    rows: tuple[tuple[Path, int], ...] = (((), 0),)

    def up(self, path: Path) -> int:
        """How many rows further out that of a path is."""
        return self.depth - dict(self.rows)[path]

    def over(self, path: Path) -> "Scope":
        """The same, with one more row."""
        return Scope(self.depth + 1, (*self.rows, (path, self.depth + 1)))


@dataclass(frozen=True, slots=True)
class Leaf:
    """A condition on the row of a path; `say` makes it where its row is in sight."""

    path: Path
    say: Callable[[Scope], p.Expr]


@dataclass(frozen=True, slots=True)
class All:
    """Children that all hold."""

    parts: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Any:
    """Children of which one holds; none: never."""

    parts: "tuple[Node, ...]"


Node = Leaf | All | Any
NEVER = Any(())


def predicate_of(node: Node, catalog: Catalog, scope: Scope | None = None) -> p.Expr:
    """The criteria as a predicate over Customer, or over the rows of a scope."""
    scope = scope or Scope()
    used = {leaf.path for leaf in _leaves(node)}
    shared = {path for path in used if path} | set(_forks(used, catalog)) | {path for path, _ in scope.rows}
    return _Rows(frozenset(shared - {()})).say(node, scope)


def _leaves(node: Node) -> Iterator[Leaf]:
    if isinstance(node, Leaf):
        yield node
    else:
        for part in node.parts:
            yield from _leaves(part)


def _forks(paths: Iterable[Path], catalog: Catalog) -> Iterator[Path]:
    """Where paths part: the row there is one row for both, unless it is just a record of the customer's.

    What hangs on two records of one customer belongs to the customer, whichever record it hangs on.
    """
    ordered = sorted(paths)
    for i, one in enumerate(ordered):
        for other in ordered[i + 1 :]:
            length = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))
            if length and not catalog.path(catalog.customers, one[:length])[-1].through:
                yield one[:length]


@dataclass(frozen=True)
class _Rows:
    """`paths`: those with a row of their own."""

    paths: frozenset[Path]
    _way: dict[Path, tuple[Path, ...]] = field(default_factory=dict)

    def say(self, node: Node, scope: Scope) -> p.Expr:
        match node:
            case Any(parts=parts):
                return _joined(p.Or, [self.say(part, scope) for part in parts])
            case All():
                return _joined(p.And, [self._group(group, scope) for group in self._groups(_flat(node), scope)])
            case Leaf():
                return self._chosen((node,), scope) if self._unseen(node, scope) else node.say(scope)

    def _group(self, parts: tuple[Node, ...], scope: Scope) -> p.Expr:
        return self.say(parts[0], scope) if len(parts) == 1 else self._chosen(parts, scope)

    def _chosen(self, parts: tuple[Node, ...], scope: Scope) -> p.Expr:
        """A row for the path that most parts need, or none."""
        seen = dict(scope.rows)
        counts: dict[Path, int] = {}
        for part in parts:
            for path in self._unseen(part, scope):
                if self._start(path) in seen:
                    counts[path] = counts.get(path, 0) + 1
        path = max(sorted(counts), key=lambda c: counts[c])
        start = self._start(path)
        exists = p.Exists(path[len(start) :], self.say(All(parts), scope.over(path)), scope.up(start))
        without = _without(All(parts), path)
        return exists if without == NEVER else _joined(p.Or, [exists, self.say(without, scope)])

    def _groups(self, parts: list[Node], scope: Scope) -> list[tuple[Node, ...]]:
        """Parts that speak of common rows that are not in sight yet, together; in the order of their first part."""
        groups: list[tuple[set[Path], list[int]]] = []
        for i, part in enumerate(parts):
            needs, members, rest = set(self._unseen(part, scope)), [i], []
            for group in groups:
                if group[0] & needs:
                    needs |= group[0]
                    members = group[1] + members
                else:
                    rest.append(group)
            groups = [*rest, (needs, members)]
        ordered = sorted((sorted(members) for _, members in groups), key=lambda m: m[0])
        return [tuple(parts[i] for i in members) for members in ordered]

    def _unseen(self, node: Node, scope: Scope) -> frozenset[Path]:
        seen = {path for path, _ in scope.rows}
        return frozenset(way for leaf in _leaves(node) for way in self._along(leaf.path) if way not in seen)

    def _along(self, path: Path) -> tuple[Path, ...]:
        """The path itself and what it passes, as far as they have rows, from the customer outwards."""
        if path not in self._way:
            self._way[path] = tuple(path[:n] for n in range(1, len(path) + 1) if path[:n] in self.paths)
        return self._way[path]

    def _start(self, path: Path) -> Path:
        """The row that a path goes on from: the nearest on its way, or the customer."""
        return (*((),), *self._along(path))[-2]


def _flat(node: All) -> list[Node]:
    found: list[Node] = []
    for part in node.parts:
        found += _flat(part) if isinstance(part, All) else [part]
    return found


def _joined(kind: type[p.And] | type[p.Or], parts: list[p.Expr]) -> p.Expr:
    return parts[0] if len(parts) == 1 else kind(tuple(parts))


def _without(node: Node, path: Path) -> Node:
    """The criteria for whom no row of a path is chosen."""
    if isinstance(node, Leaf):
        return NEVER if node.path[: len(path)] == path else node
    parts = tuple(_without(part, path) for part in node.parts)
    if isinstance(node, All):
        return NEVER if NEVER in parts else replace(node, parts=parts)
    kept = tuple(part for part in parts if part != NEVER)
    return Any(kept)
