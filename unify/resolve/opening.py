"""Resolving records against the published generation: opening a resolver on it."""

from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.resolve.resolver import Resolver
from unify.spec import Project
from unify.store import Store


def resolver(store: Store) -> Resolver:
    """A resolver on the published generation, which stays on disk until it is closed. QueryError without customers."""
    generation, pin = store.pin_published()
    engine = None
    try:
        engine = DuckDBEngine.reading(generation.path, sealed=False)
        text = engine.fetch(Query("SELECT project FROM project")).column(0)[0].as_py()
        project = Project.model_validate_json(text)
        return Resolver(engine, project, generation.number, _notes(store, generation.number), pin.close)
    except BaseException:
        if engine is not None:
            engine.close()
        pin.close()
        raise


def _notes(store: Store, number: int) -> list[str]:
    """Whether sources were ingested after the customers were made."""
    run = store.run(number)
    if run.purpose != "ingest":
        return []
    return ["sources were ingested after customers were made: `unify conflate` brings them together"]
