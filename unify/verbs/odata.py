"""OData over an instance: first pages from the published generation, every other one from that which it belongs to."""

from collections.abc import Callable
from datetime import datetime
from functools import partial
from weakref import WeakKeyDictionary

from segments.model import Model, model_of
from segments.odata.answers.answer import Prepare, answer, generation_asked
from segments.odata.answers.result import ODataAnswer
from unify.core.errors import NotFoundError, StoreError
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.spec import Project
from unify.store import Store

Segments = Callable[[DuckDBEngine, Model, int], Prepare]
"""What makes the members of segments available on an engine; the number is that of its generation."""
_models: "WeakKeyDictionary[DuckDBEngine, Model]" = WeakKeyDictionary()
"""Models by engine: a generation never changes, and reading the columns of 20 tables takes 20 ms."""


def model_on(engine: DuckDBEngine) -> Model:
    """The model of the generation an engine reads."""
    found = _models.get(engine)
    if found is None:
        text = engine.fetch(Query("SELECT project FROM project")).column(0)[0].as_py()
        found = _models[engine] = model_of(engine, Project.model_validate_json(text))
    return found


def ask(
    store: Store,
    current: Callable[[], tuple[DuckDBEngine, int]],
    request: str,
    *,
    clock: datetime,
    page_size: int | None = None,
    root: str = "",
    segments: Segments | None = None,
) -> ODataAnswer:
    """An answer that finds its own next pages. `current`: an engine on the published generation, and its number.

    NotFoundError for a next link whose generation is no longer kept; else as `segments.odata.answers.answer.answer`.
    """
    text = request.removeprefix(root) if root else request
    wanted = generation_asked(text)
    engine, number = current()
    if wanted is None or wanted == number:
        made = _answer(engine, number, text, clock, page_size, root, segments)
    else:
        made = _from_kept(store, wanted, text, clock, page_size, root, segments)
    if made.next_link is not None:
        again = partial(ask, store, current, clock=clock, page_size=page_size, root=root, segments=segments)
        made.follow = partial(again, made.next_link)
    return made


def _answer(
    engine: DuckDBEngine,
    number: int,
    text: str,
    clock: datetime,
    page_size: int | None,
    root: str,
    segments: Segments | None,
) -> ODataAnswer:
    model = model_on(engine)
    prepare = segments(engine, model, number) if segments else None
    return answer(text, engine, model, clock=clock, page_size=page_size, generation=number, root=root, prepare=prepare)


def _from_kept(
    store: Store,
    number: int,
    text: str,
    clock: datetime,
    page_size: int | None,
    root: str,
    segments: Segments | None,
) -> ODataAnswer:
    try:
        kept = store.generation(number)
        pin = store.pin(kept)
    except StoreError:
        message = f"this page is of generation {number}, which is no longer kept"
        hint = "ask again without $skiptoken: the answer then comes from the published generation"
        raise NotFoundError(message, where="$skiptoken", hint=hint) from None
    with pin, DuckDBEngine.reading(kept.path) as engine:
        return _answer(engine, number, text, clock, page_size, root, segments)
