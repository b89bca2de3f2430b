"""Segments to sets of customers: leaves by SQL, once each; everything above them by bitmap.

    {name: Lowered} ── leaves of all of them, 16 to a scan ──▶ {leaf: Truth}
                    ── in order of need: blocks, leaves that name segments, And Or Not ──▶ {name: Evaluated}

A segment that cannot be found is told, with its error; the others are found all the same. What needs it fails likewise.
The same function finds members in a run and for a preview, so both give the same.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from time import perf_counter

from pyroaring import BitMap

from segments.blocks.listed import Listed, ListedInFile, listing
from segments.lowered import Block, Lowered, Scope
from segments.membership.order import circle_error, in_order, needs_of
from segments.membership.tables import load, release
from segments.model import ORDINAL, Model
from segments.predicates import tree as p
from segments.predicates.bitmaps import LEAVES_PER_QUERY, Truth, bitmap_of, combine, leaves, materialise
from unify.core.engine import Engine
from unify.core.errors import QueryError, UnifyError, did_you_mean
from unify.core.names import quote
from unify.core.steps import Query


@dataclass(frozen=True, slots=True)
class Evaluated:
    """One segment's members, or why there are none.

    members   ordinals of customers; None when there was an error
    rules     name of a rule → how many customers meet it by itself
    seconds   spent on it; what several segments share is divided among them
    warnings  entries of lists that stand for no customer
    """

    members: BitMap | None
    rules: tuple[tuple[str, int], ...] = ()
    seconds: float = 0.0
    error: UnifyError | None = None
    warnings: tuple[str, ...] = ()


def evaluate(
    engine: Engine,
    model: Model,
    segments: Mapping[str, Lowered],
    *,
    clock: datetime,
    known: Mapping[str, BitMap] | None = None,
) -> dict[str, Evaluated]:
    """The members of each segment on the generation that the engine is on.

    clock   the run's moment
    known   members of segments that are not to be found anew: static ones, or the ones in force in a preview
    """
    return Evaluation(engine, model, clock=clock, known=known).of(segments)


def _of_segment(error: UnifyError, name: str) -> UnifyError:
    """The same error, saying whose SQL it speaks of."""
    if error.where == "sql":
        error.where = f"segments.{name}.sql"
    return error


@dataclass
class Evaluation:
    """Members on one generation at one moment. Leaves that were answered stay answered: ask it several times.

    everything  all customers
    members     of every segment that is known or was found
    """

    engine: Engine
    model: Model
    clock: datetime
    known: Mapping[str, BitMap] | None = None
    _truths: dict[p.Expr, Truth] = field(default_factory=dict)
    _broken: dict[p.Expr, UnifyError] = field(default_factory=dict)
    _cost: dict[p.Expr, float] = field(default_factory=dict)
    _blocks: dict[str, BitMap] = field(default_factory=dict)
    _unknown: dict[str, str] = field(default_factory=dict)
    _tables: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        table = self.model.catalog.customers
        found = self.engine.fetch(Query(f"SELECT {quote(ORDINAL)} FROM {quote(table)}"))
        self.everything = bitmap_of(found.column(0).to_numpy().astype("uint32"))
        self.members: dict[str, BitMap] = dict(self.known or {})

    def of(
        self, segments: Mapping[str, Lowered], failed: Mapping[str, UnifyError] | None = None
    ) -> dict[str, Evaluated]:
        """The members of these segments; each may name the others and those that are known.

        failed   segments that could not even be read, and why: told again, and whatever needs them fails too
        """
        needs = {name: needs_of(lowered) for name, lowered in segments.items()}
        order, circles = in_order(needs)
        found = {name: Evaluated(None, error=error) for name, error in (failed or {}).items()}
        found |= {name: Evaluated(None, error=circle_error(circle, name)) for name, circle in circles.items()}
        try:
            self._answer({leaf for name in order for leaf in _leaves(segments[name]) if not _names_segments(leaf)})
            for name in order:
                found[name] = self._one(name, segments[name], needs[name], found)
        finally:
            release(self.engine, self._tables.values())
            self._tables.clear()
        return found

    def _one(self, name: str, lowered: Lowered, needs: Iterable[str], found: Mapping[str, Evaluated]) -> Evaluated:
        started = perf_counter()
        try:
            self._check_needs(name, needs, found)
            members, rules = self._found(lowered)
        except UnifyError as error:
            return Evaluated(None, seconds=perf_counter() - started, error=_of_segment(error, name))
        self.members[name] = members
        shared = sum(self._cost.get(leaf, 0.0) for leaf in _leaves(lowered))
        unknown = tuple(self._unknown[key] for key in lowered.blocks if key in self._unknown)
        return Evaluated(members, rules, perf_counter() - started + shared, warnings=unknown)

    def _check_needs(self, name: str, needs: Iterable[str], found: Mapping[str, Evaluated]) -> None:
        for need in sorted(needs):
            failed = found.get(need)
            if failed is not None and failed.error is not None:
                hint = f"mend {need} first"
                raise QueryError(f"it needs {need}, which could not be found", where=name, hint=hint)
            if need not in self.members:
                raise QueryError(
                    f"there is no segment {need!r} to ask for", where=name, hint=did_you_mean(need, self.members)
                )

    def _found(self, lowered: Lowered) -> tuple[BitMap, tuple[tuple[str, int], ...]]:
        for key in _block_order(lowered.blocks):
            self._block(key, lowered.blocks[key])
        self._answer(leaf for leaf in _leaves(lowered) if leaf not in self._truths)
        rules = tuple((name, len(self._true(expr))) for name, expr in lowered.rules)
        return self._true(lowered.expr), rules

    def _true(self, expr: p.Expr) -> BitMap:
        for leaf in leaves(expr):
            if leaf in self._broken:
                raise self._broken[leaf]
        return combine(expr, self.everything, self._truths, self._set).true

    def _set(self, name: str) -> BitMap:
        return self._blocks[name] if name in self._blocks else self.members[name]

    # ── what SQL answers ─────────────────────────────────────────────────────────────────────────────────────────────

    def _answer(self, wanted: Iterable[p.Expr]) -> None:
        """Find the truth of leaves; of one that cannot be answered, the error."""
        todo = []
        for leaf in dict.fromkeys(wanted):
            if leaf in self._truths or leaf in self._broken:
                continue
            if isinstance(leaf, p.Literal) and isinstance(leaf.value, bool):
                self._truths[leaf] = Truth(self.everything if leaf.value else BitMap(), BitMap())
            else:
                todo.append(leaf)
        for start in range(0, len(todo), LEAVES_PER_QUERY):
            self._ask(todo[start : start + LEAVES_PER_QUERY])

    def _ask(self, batch: list[p.Expr]) -> None:
        """One scan for the batch. When it fails, one by one, so that the good ones are answered."""
        started = perf_counter()
        try:
            self._truths |= self._materialise(batch)
        except Exception as error:  # whatever an engine raises is told of this leaf, not of the run
            if len(batch) == 1:
                self._broken[batch[0]] = _told(error)
                return
            for leaf in batch:
                self._ask([leaf])
            return
        self._cost |= dict.fromkeys(batch, (perf_counter() - started) / len(batch))

    def _materialise(self, batch: list[p.Expr]) -> dict[p.Expr, Truth]:
        model = self._with_tables(name for leaf in batch for name in p.segments_named(leaf))
        return materialise(batch, model.catalog, model.catalog.customers, self.engine.fetch, clock=self.clock)

    def _block(self, key: str, block: Block) -> None:
        if key in self._blocks:
            return
        model = self._with_tables(block.segments)
        scope = Scope(self.engine, model, self.clock)
        try:
            found = block.members(scope)
            if isinstance(block, (Listed, ListedInFile)) and (unknown := block.unknown(scope)):
                self._unknown[key] = f"{len(unknown)} of the list stand for no customer: {listing(unknown)}"
        except Exception as error:  # as above: of this segment, not of the run
            raise _told(error) from error
        self._blocks[key] = found & self.everything

    def _with_tables(self, names: Iterable[str]) -> Model:
        """The model with tables of the segments that SQL is to ask for."""
        for name in sorted(set(names)):
            if name not in self._tables and (name in self._blocks or name in self.members):
                self._tables[name] = load(self.engine, self._set(name))
        return self.model.with_segments({**self.model.catalog.segments, **self._tables})


def _told(error: Exception) -> UnifyError:
    """The error as one of ours."""
    if isinstance(error, UnifyError):
        return error
    said = " ".join(str(error).split()) or type(error).__name__
    return QueryError(f"the engine could not answer: {said}", hint="look at the values that the condition compares")


def _leaves(lowered: Lowered) -> Iterator[p.Expr]:
    for expr in (lowered.expr, *(expr for _, expr in lowered.rules)):
        yield from leaves(expr)


def _names_segments(leaf: p.Expr) -> bool:
    return any(isinstance(node, p.MemberOf) for node in p.walk(leaf))


def _block_order(blocks: Mapping[str, Block]) -> list[str]:
    """A block may name other blocks of its segment."""
    order, circles = in_order({key: block.segments for key, block in blocks.items()})
    if circles:
        raise circle_error(next(iter(circles.values())))
    return order
