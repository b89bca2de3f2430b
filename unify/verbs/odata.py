"""OData over an instance: first pages from the published generation, every other one from that which it belongs to."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from weakref import WeakKeyDictionary

from segments.model import Model, model_of
from segments.odata.answers.answer import answer, generation_asked, parsed
from segments.odata.answers.export import Export, export_of
from segments.odata.answers.result import ODataAnswer
from segments.odata.dialect import CUSTOMER_INSIGHTS, Dialect
from segments.odata.syntax.ast_options import Request
from unify.core.errors import NotFoundError, StoreError
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.opened import Opened
from unify.spec import Project
from unify.verbs.searched import searched_in
from unify.verbs.segment_tables import preparing, sets_of

_models: "WeakKeyDictionary[DuckDBEngine, Model]" = WeakKeyDictionary()
"""Models by engine: a generation never changes, and reading the columns of 20 tables takes 20 ms."""


def model_on(engine: DuckDBEngine) -> Model:
    """The model of the generation an engine reads."""
    found = _models.get(engine)
    if found is None:
        text = engine.fetch(Query("SELECT project FROM project")).column(0)[0].as_py()
        found = _models[engine] = model_of(engine, Project.model_validate_json(text))
    return found


@dataclass(frozen=True)
class OData:
    """How an instance is asked.

    root       what links and contexts begin with
    page_size  rows a page; None: 100, or what a next link says
    accept     the format where `$format` says none
    """

    acme: Opened
    dialect: Dialect = CUSTOMER_INSIGHTS
    root: str = ""
    page_size: int | None = None
    accept: str | None = None

    def ask(self, request: str | Request, *, clock: datetime | None = None) -> ODataAnswer:
        """An answer that finds its own next pages; `clock`: what `now()` means, the present unless it is given.

        NotFoundError for a next link whose generation is no longer kept; else as segments/odata/answers/answer.py.
        """
        if isinstance(request, str):
            request = parsed(request.removeprefix(self.root) if self.root else request, self.dialect)
        with self._ground(request) as on:
            made = answer(
                request,
                on.engine,
                on.model,
                clock=clock or datetime.now(UTC),
                dialect=self.dialect,
                page_size=self.page_size,
                generation=on.generation,
                root=self.root,
                prepare=preparing(self.acme.store, on.engine, on.model, on.generation),
                segments=partial(sets_of, self.acme.store, on.model),
                accept=self.accept,
            )
        if made.next_link is not None:
            made.follow = partial(self.ask, made.next_link, clock=clock)
        return made

    def export(self, request: Request, *, clock: datetime | None = None) -> "Exporting":
        """The whole answer, a batch at a time; QueryError for what cannot be streamed. `accept` says csv or json."""
        with self._ground(request) as on:
            made = export_of(
                request,
                on.engine,
                on.model,
                clock=clock or datetime.now(UTC),
                generation=on.generation,
                root=self.root,
                prepare=preparing(self.acme.store, on.engine, on.model, on.generation),
                segments=partial(sets_of, self.acme.store, on.model),
                accept=self.accept,
            )
            return Exporting(made, on.engine)

    @contextmanager
    def _ground(self, request: Request) -> Iterator["_On"]:
        wanted = generation_asked(request)
        engine = self.acme.engine()
        number = self.acme.generation
        if wanted is None or wanted == number:
            yield _On(engine, number, searched_in(self.acme.store))
            return
        store = self.acme.store
        try:
            kept = store.generation(wanted)
            pin = store.pin(kept)
        except StoreError:
            message = f"this page is of generation {wanted}, which is no longer kept"
            hint = "ask again without $skiptoken: the answer then comes from the published generation"
            raise NotFoundError(message, where="$skiptoken", hint=hint) from None
        with pin, self.acme.reading(kept) as aside:
            yield _On(aside, wanted, searched_in(store))


@dataclass(frozen=True)
class _On:
    engine: DuckDBEngine
    generation: int
    searched: Mapping[str, frozenset[str]]
    model: Model = field(init=False)

    def __post_init__(self) -> None:
        model = model_on(self.engine)
        object.__setattr__(self, "model", replace(model, searched=self.searched) if self.searched else model)


@dataclass(frozen=True)
class Exporting:
    """An export that has been looked at and not been read: whatever is wrong with it has been said."""

    export: Export
    engine: DuckDBEngine
    rows: list[int] = field(default_factory=lambda: [0])
    """How many have been read so far."""

    def parts(self) -> Iterator[bytes]:
        """The text of the answer, some hundred kilobytes at a time."""
        yield self.export.head
        first = True
        for text in self._texts():
            if text:
                yield text[len(self.export.between) :] if first else text
                first = False
        yield self.export.tail

    def _texts(self) -> Iterator[bytes]:
        export = self.export
        if export.query is not None:
            for batch in self.engine.batches(export.query, export.rows):
                self.rows[0] += batch.num_rows
                yield export.of_batch(batch)
        elif export.pages is not None:
            for page in export.pages.pages():
                self.rows[0] += len(page.rows())
                yield export.of_page(page)


__all__ = ["Exporting", "OData", "model_on"]
