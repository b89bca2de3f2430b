"""An instance, opened for reading: the engine on its published generation, and what every verb needs of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from unify.core.errors import NotPublishedError
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.spec import Project
from unify.store import Generation, Pin, Store

if TYPE_CHECKING:
    from unify.conflation.explain import Explainer
    from unify.resolve.resolver import Resolver


class Opened:
    """Answers from the published generation, whole, and moves to a newer one between two questions.

    memory_limit, threads   of its engine; None: as DuckDBEngine chooses for somebody who has the machine alone
    """

    def __init__(self, store: Store, *, memory_limit: str | None = None, threads: int | None = None) -> None:
        self.store = store
        self._means: dict[str, Any] = {"memory_limit": memory_limit, "threads": threads}
        self.path = store.path
        self._engine: DuckDBEngine | None = None
        self._aside: DuckDBEngine | None = None
        self._pin: Pin | None = None
        self._open_number: int | None = None
        self._project: tuple[int | None, Project] | None = None
        self._resolver: Resolver | None = None

    def engine(self) -> DuckDBEngine:
        """A read-only engine on the published generation; moves to a newer one between two calls."""
        if self._engine is None or self.published().number != self._open_number:
            self.close()
            generation, self._pin = self.store.pin_published()
            self._engine = DuckDBEngine.reading(generation.path, **self._means)
            self._open_number = generation.number
        return self._engine

    @contextmanager
    def reading(self, generation: Generation) -> Iterator[DuckDBEngine]:
        """An engine on another kept generation, by the same means, for as long as the block lasts."""
        with DuckDBEngine.reading(generation.path, **self._means) as engine:
            self._aside = engine
            try:
                yield engine
            finally:
                self._aside = None

    def interrupt(self) -> None:
        """Stop the question that another thread asks; harmless when none is asked."""
        for engine in (self._engine, self._aside):
            if engine is not None:
                engine.interrupt()

    @property
    def generation(self) -> int:
        """The number of the one that `engine` is on; published() when it has not been asked for yet."""
        return self._open_number if self._open_number is not None else self.published().number

    def published(self) -> Generation:
        """The published generation; NotPublishedError when there is none."""
        published = self.store.published()
        if published is None:
            hint = "`unify run PROJECT.yaml`"
            raise NotPublishedError("nothing has been published yet", where=str(self.path), hint=hint)
        return published

    def generations(self) -> list[Generation]:
        """Kept generations, newest first."""
        return self.store.generations()

    def tables(self) -> dict[str, int | None]:
        """Table to row count; None for a view."""
        engine = self.engine()
        return engine.row_counts()

    def project(self) -> Project:
        """The project that made the published generation."""
        engine = self.engine()
        if self._project is None or self._project[0] != self._open_number:
            text = engine.fetch(Query("SELECT project FROM project")).column(0)[0].as_py()
            self._project = (self._open_number, Project.model_validate_json(text))  # takes 10 ms
        return self._project[1]

    def explainer(self) -> "Explainer":
        """Tells of records and customers of the published generation."""
        from unify.conflation.explain import Explainer
        from unify.conflation.normalize_lists import lists_of

        engine, project = self.engine(), self.project()
        return Explainer(engine, project, lists_of(engine, project))

    def customer_id(self, customer: str) -> str:
        """The CustomerId of a record, `crm.Contacts:C-1`, or what a retired id became; QueryError for neither."""
        return self.explainer().customer_id(customer)

    def resolver(self) -> "Resolver":
        """Answers which customer a record belongs to, on the published generation, for many threads; close it."""
        from unify.resolve.opening import resolver

        return resolver(self.store)

    def resolving(self) -> "Resolver":
        """The resolver of this instance's own: on the published generation, and on a newer one when there is one."""
        if self._resolver is None or self._resolver.generation != self.published().number:
            if self._resolver is not None:
                self._resolver.close()
            self._resolver = self.resolver()
        return self._resolver

    def close(self) -> None:
        """Let go of the generation; the next question opens it again."""
        if self._resolver is not None:
            self._resolver.close()
            self._resolver = None
        if self._engine is not None:
            self._engine.close()
            self._engine = None
        if self._pin is not None:
            self._pin.close()
            self._pin = None
        self._open_number = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        self.__dict__.pop("_segments", None)  # it holds the generation that its last question was about
