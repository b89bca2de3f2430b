"""One generation and the members that are in force on it, opened to be asked: the same answer however often.

Reading takes no lease. What is read stays what it is, also when a run publishes the next generation or a refresh other
members: whoever asks anew gets those.
"""

import weakref
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pyroaring import BitMap

from segments.membership.codec import from_bytes
from segments.membership.customers import Customers
from segments.membership.declared import Declared, check_in_force
from segments.membership.stage import Stage
from segments.membership.tables import loaded
from segments.model import Model, model_of
from unify.core.errors import NotFoundError, QueryError
from unify.core.names import quote
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.spec import Project
from unify.store import Generation, Membership, Store
from unify.verbs.segment_stage import Before, declared_in, project_of, usable_of
from unify.verbs.segment_tables import file_of

if TYPE_CHECKING:
    from unify.conflation.explain import Explainer


class OpenGeneration:
    """A generation, pinned and open. Closed with the last one who holds it."""

    def __init__(self, store: Store) -> None:
        self.generation, pin = store.pin_published()
        try:
            self.engine = DuckDBEngine.reading(self.generation.path)
        except BaseException:
            pin.close()
            raise
        self.close = weakref.finalize(self, _close, self.engine, pin)
        self.project: Project = project_of(self.engine)

    @cached_property
    def model(self) -> Model:
        """What questions may name. QueryError when there are no customers yet."""
        return model_of(self.engine, self.project)

    @cached_property
    def customers(self) -> Customers:
        """From a CustomerId or a record to the ordinal; read once, when somebody asks."""
        return Customers(self.engine).open()

    def nobody(self, customer: str) -> NotFoundError:
        """What to say of somebody who is no customer: in the words, and with the guesses, of `unify explain`."""
        try:
            self.explainer.customer_id(customer)
        except QueryError as error:
            return NotFoundError(error.message, where=error.where, hint=error.hint)
        return NotFoundError(f"there is no customer {customer!r}")

    @cached_property
    def explainer(self) -> "Explainer":
        """Tells of records and how they became customers."""
        from unify.conflation.explain import Explainer
        from unify.conflation.normalize_lists import lists_of

        return Explainer(self.engine, self.project, lists_of(self.engine, self.project))

    def ids(self, ordinals: BitMap) -> dict[int, str]:
        """Ordinal → CustomerId, retired ones too; those of a generation that was rolled back are not in it."""
        return names_of(self.engine, ordinals)


def names_of(engine: DuckDBEngine, ordinals: BitMap) -> dict[int, str]:
    """Ordinal → CustomerId of those that an engine's generation knows."""
    with loaded(engine, ordinals) as table:
        sql = f"SELECT m.ordinal, i.CustomerId FROM {quote(table)} AS m JOIN customer_ids AS i ON i.ordinal = m.ordinal"
        found = engine.fetch(Query(sql))
    return dict(zip(found.column(0).to_pylist(), found.column(1).to_pylist(), strict=True))


def _close(engine: DuckDBEngine, pin: Any) -> None:
    engine.close()
    pin.close()


@dataclass
class Reading:
    """One generation with the rows and definitions of one moment."""

    store: Store
    opened: OpenGeneration
    state: tuple[int, ...]
    declared: Mapping[str, Declared]
    warnings: Sequence[str]
    rows: Mapping[str, Membership]
    _members: dict[str, BitMap] = field(default_factory=dict)

    @classmethod
    def of(cls, store: Store, opened: OpenGeneration, state: tuple[int, ...]) -> "Reading":
        """What is in force now on a generation."""
        declared, warnings = declared_in(store, opened.project)
        usable = usable_of(store, declared)
        rows = store.memberships(opened.generation.number)
        mine = {name: row for name, row in rows.items() if usable(row)}
        return cls(store, opened, state, declared, warnings, mine)

    @property
    def generation(self) -> Generation:
        """The generation that answers."""
        return self.opened.generation

    def bitmap(self, name: str) -> BitMap:
        """The members in force; do not change them. QueryError when there are none, or the segment is inactive."""
        check_in_force(self.declared, name, datetime.now(UTC))
        if name not in self._members:
            self._members[name] = self._load(name)
        return self._members[name]

    def _load(self, name: str) -> BitMap:
        file = file_of(name, self.rows.get(name), lambda _: True, self.generation.number)
        return from_bytes(self.store.members_file(file), file)

    def bitmaps(self, names: Collection[str] | None = None) -> dict[str, BitMap]:
        """Members of the named segments; of None: of all that have some."""
        if names is not None:
            return {name: self.bitmap(name) for name in names}
        moment = datetime.now(UTC)
        return {
            name: self.bitmap(name)
            for name, d in self.declared.items()
            if d.in_force(moment) and name in self.rows and self.rows[name].file is not None
        }

    def stage(self, clock: datetime | None = None, extra: Mapping[str, Declared] | None = None) -> Stage:
        """What a run would find with: `in_force` are the static segments, as a full run would carry them.

        extra   definitions that are not saved, in the place of saved ones
        """
        declared = {**self.declared, **(extra or {})}
        number = self.generation.number
        before = Before(self.store, None, number, None, usable_of(self.store, self.declared))
        moment = clock or datetime.now(UTC)
        in_force = {
            name: last.carried
            for name, d in declared.items()
            if d.segment.static and d.in_force(moment) and (last := before.last(name)) is not None
        }
        return Stage(self.opened.engine, self.opened.model, declared, 0, moment, before.last, in_force)
