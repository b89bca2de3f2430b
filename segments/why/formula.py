"""Truth and smallest changes of a definition whose leaves are numbered: no data, no SQL.

    Formula ── Leaf(number) · Constant(value) · All(parts) · Any(parts) · Opposite(part) · Surely(part)

Logic is three-valued: None is unknown. A leaf can be turned to true or to false, never to unknown.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

Truth = bool | None
TRIES = 4096
"""Ways to set leaves that occur several times. Each is one pass over the formula: 4096 over 100 parts take a second."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """What turns round by itself. Equal leaves have equal numbers and turn round together."""

    number: int


@dataclass(frozen=True, slots=True)
class Constant:
    """What nothing about a customer changes."""

    value: Truth


@dataclass(frozen=True, slots=True)
class All:
    """And; true of nothing."""

    parts: "tuple[Formula, ...]"


@dataclass(frozen=True, slots=True)
class Any:
    """Or; false of nothing."""

    parts: "tuple[Formula, ...]"


@dataclass(frozen=True, slots=True)
class Opposite:
    """Not."""

    part: "Formula"


@dataclass(frozen=True, slots=True)
class Surely:
    """True where the part is true, else false."""

    part: "Formula"


Formula = Leaf | Constant | All | Any | Opposite | Surely


def truth(formula: Formula, leaves: Mapping[int, Truth]) -> Truth:
    """The truth of a formula from that of its leaves.

    >>> truth(All((Leaf(0), Opposite(Leaf(1)))), {0: True, 1: None}) is None
    True
    """
    match formula:
        case Leaf(number=number):
            return leaves[number]
        case Constant(value=value):
            return value
        case Opposite(part=part):
            found = truth(part, leaves)
            return None if found is None else not found
        case Surely(part=part):
            return truth(part, leaves) is True
        case All(parts=parts):
            found_all = [truth(x, leaves) for x in parts]
            return False if False in found_all else None if None in found_all else True
        case Any(parts=parts):
            found_any = [truth(x, leaves) for x in parts]
            return True if True in found_any else None if None in found_any else False


def numbers(formula: Formula) -> Iterator[int]:
    """Numbers of its leaves in order, as often as they occur."""
    match formula:
        case Leaf(number=number):
            yield number
        case All(parts=parts) | Any(parts=parts):
            for part in parts:
                yield from numbers(part)
        case Opposite(part=part) | Surely(part=part):
            yield from numbers(part)


@dataclass(frozen=True, slots=True)
class Flips:
    """Leaves to turn: number → what it becomes. `smallest`: no smaller set does."""

    turn: dict[int, bool]
    smallest: bool = True


def smallest_flips(
    formula: Formula, leaves: Mapping[int, Truth], *, fixed: frozenset[int] = frozenset()
) -> Flips | None:
    """The fewest leaves that turn the answer round: to true when it is not, else to not true. None when none can.

    `fixed`: leaves that cannot turn. Of several smallest sets the one whose leaves come first in the definition.

    Exact where every leaf occurs once, by dynamic programming over And, Or and Not: for each part the cheapest way to
    each of true, false and unknown. Leaves that occur several times are tried in every combination (at most TRIES),
    the rest by the same programme, so the result is still exact; beyond it `smallest` is False.
    """
    wanted: tuple[Truth, ...] = (True,) if truth(formula, leaves) is not True else (False, None)
    often = [n for n, count in Counter(numbers(formula)).items() if count > 1 and n not in fixed]
    tried, exact = _within(often, leaves)
    choices = [[leaves[n], *(v for v in (True, False) if v is not leaves[n])] for n in tried]
    best: tuple[int, list[int], dict[int, bool]] | None = None
    for chosen in product(*choices):
        set_to = dict(zip(tried, chosen, strict=True))
        turned = {n: bool(v) for n, v in set_to.items() if v is not leaves[n]}
        if best is not None and len(turned) > best[0]:
            continue
        ways = _cheapest(formula, {**leaves, **set_to}, fixed | set(often))
        for value in wanted:
            if (way := ways.get(value)) is not None:
                turn = turned | dict(way)
                rank = (len(turn), sorted(turn), turn)
                if best is None or rank[:2] < best[:2]:
                    best = rank
    return Flips(best[2], exact) if best is not None else None


def _within(often: Sequence[int], leaves: Mapping[int, Truth]) -> tuple[list[int], bool]:
    """As many of the leaves that occur several times as TRIES allows, and whether that is all."""
    ways, taken = 1, list[int]()
    for number in often:
        ways *= 3 if leaves[number] is None else 2
        if ways > TRIES:
            return taken, False
        taken.append(number)
    return taken, True


Way = tuple[tuple[int, bool], ...]
"""Leaves and what they become."""


def _cheapest(formula: Formula, leaves: Mapping[int, Truth], fixed: frozenset[int]) -> dict[Truth, Way]:
    """For each truth that a part can have, the cheapest way there; leaves of different parts are different."""
    match formula:
        case Leaf(number=number):
            now = leaves[number]
            turned: dict[Truth, Way] = {now: ()}
            for value in (True, False):
                if value is not now and number not in fixed:
                    turned[value] = ((number, value),)
            return turned
        case Constant(value=value):
            return {value: ()}
        case Opposite(part=part):
            return {None if v is None else not v: way for v, way in _cheapest(part, leaves, fixed).items()}
        case Surely(part=part):
            inner = _cheapest(part, leaves, fixed)
            found: dict[Truth, Way] = {True: inner[True]} if True in inner else {}
            rest = [inner[v] for v in (False, None) if v in inner]
            return found | {False: min(rest, key=_rank)} if rest else found
        case All(parts=parts):
            return _joined([_cheapest(x, leaves, fixed) for x in parts], decides=False)
        case Any(parts=parts):
            return _joined([_cheapest(x, leaves, fixed) for x in parts], decides=True)


def _rank(way: Way) -> tuple[int, Way]:
    return len(way), way


def _joined(parts: list[dict[Truth, Way]], *, decides: bool) -> dict[Truth, Way]:
    """And (`decides` False) or Or (True), one part after the other: three truths by three, the cheaper kept."""
    found: dict[Truth, Way] = {not decides: ()}
    for part in parts:
        after: dict[Truth, Way] = {}
        for a, one in found.items():
            for b, other in part.items():
                value = decides if decides in (a, b) else None if None in (a, b) else not decides
                way = one + other
                if value not in after or _rank(way) < _rank(after[value]):
                    after[value] = way
        found = after
    return found
