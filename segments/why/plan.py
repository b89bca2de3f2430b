"""A definition opened up: other segments in place of their names, every leaf numbered.

Segments and blocks that occur several times (diamonds) are one Part, explained once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pyroaring import BitMap

from segments.lowered import Block, Lowered
from segments.predicates import tree as p
from segments.predicates.sentence import sentence
from segments.why import formula as f
from unify.core.errors import QueryError, did_you_mean


@dataclass(frozen=True)
class Known:
    """What is known of a segment that a definition names: its definition, its members as the run found them, or both.

    frozen    a static segment: its members count, whatever its definition would say today
    """

    lowered: Lowered | None = None
    members: BitMap | None = None
    frozen: bool = False


@dataclass(frozen=True)
class Part:
    """One part of an opened definition. `number`: of a leaf; `segment`: name of a segment, or key of a block."""

    kind: str
    expr: p.Expr
    parts: "tuple[Part, ...]" = ()
    number: int | None = None
    label: str = ""
    segment: str = ""

    @property
    def formula(self) -> f.Formula:
        """The same for the logic alone."""
        inner = tuple(part.formula for part in self.parts)
        match self.kind:
            case "and":
                return f.All(inner)
            case "or":
                return f.Any(inner)
            case "not":
                return f.Opposite(inner[0])
            case "surely":
                return f.Surely(inner[0])
            case "segment" if inner:
                return f.Surely(inner[0])
        assert self.number is not None
        return f.Leaf(self.number)


@dataclass
class Plan:
    """Opens definitions. After `open`: `leaves`, the numbered parts in order; `blocks`, key → the blocks beside it."""

    known: Mapping[str, Known]
    leaves: list[Part] = field(default_factory=list)
    blocks: dict[str, Mapping[str, Block]] = field(default_factory=dict)
    _numbers: dict[p.Expr, Part] = field(default_factory=dict)
    _opened: dict[str, Part] = field(default_factory=dict)
    _way: list[str] = field(default_factory=list)

    def open(self, lowered: Lowered) -> Part:
        """The whole definition. QueryError for segments nobody knows, and for a cycle, which it names."""
        self.blocks |= dict.fromkeys(lowered.blocks, lowered.blocks)
        return self._part(lowered.expr, lowered, {expr: name for name, expr in reversed(lowered.rules)})

    def _part(self, expr: p.Expr, lowered: Lowered, rules: Mapping[p.Expr, str]) -> Part:
        label = rules.get(expr, "")
        match expr:
            case p.And(args=args):
                return Part("and", expr, tuple(self._part(a, lowered, rules) for a in args), label=label)
            case p.Or(args=args):
                return Part("or", expr, tuple(self._part(a, lowered, rules) for a in args), label=label)
            case p.Not(arg=arg):
                return Part("not", expr, (self._part(arg, lowered, rules),), label=label)
            case p.Call(function="is_true", args=(arg,)):
                return Part("surely", expr, (self._part(arg, lowered, rules),), label=label)
            case p.MemberOf(segment=key, up=0) if key in lowered.blocks:
                return self._leaf("block", expr, label, segment=key)
            case p.MemberOf(segment=name, up=0):
                return self._segment(name, expr, label)
        return self._leaf("leaf", expr, label)

    def _leaf(self, kind: str, expr: p.Expr, label: str, *, segment: str = "") -> Part:
        known = self._numbers.get(expr)
        if known is None:
            known = Part(kind, expr, number=len(self.leaves), label=label, segment=segment)
            self._numbers[expr] = known
            self.leaves.append(known)
        return known

    def _segment(self, name: str, expr: p.Expr, label: str) -> Part:
        if name in self._opened:
            return self._opened[name]
        if name in self._way:
            cycle = " → ".join([*self._way[self._way.index(name) :], name])
            raise QueryError(f"segments are made of each other: {cycle}", hint="one of them must be said otherwise")
        known = self.known.get(name)
        if known is None or (known.lowered is None and known.members is None):
            raise QueryError(f"there is no segment {name!r}", hint=did_you_mean(name, self.known))
        if known.lowered is None or known.frozen:
            found = self._leaf("segment", expr, label, segment=name)
        else:
            self._way.append(name)
            found = Part("segment", expr, (self.open(known.lowered),), label=label, segment=name)
            self._way.pop()
        self._opened[name] = found
        return found


def in_words(expr: p.Expr, blocks: Mapping[str, Block]) -> str:
    """The sentence of a part, with the words of blocks in place of their keys."""
    said = sentence(expr)
    for key, block in blocks.items():
        said = said.replace(f'in segment "{key}"', block.sentence)
    return said
