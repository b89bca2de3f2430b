"""Members of segments as tables on somebody's engine, for questions that are asked in SQL: `IsMemberOfSegment`.

A table is made once for an engine and a file of members, however often it is asked for.
"""

from collections.abc import Callable, Collection
from datetime import UTC, datetime
from weakref import WeakKeyDictionary

from segments.membership.codec import from_bytes
from segments.membership.declared import check_in_force
from segments.membership.tables import load
from segments.model import Model
from segments.odata.answers.entity_sets import segment_sets
from unify.core.errors import QueryError
from unify.engines.duckdb import DuckDBEngine
from unify.store import Membership, Store
from unify.verbs.segment_stage import declared_in, usable_of

_tables: "WeakKeyDictionary[DuckDBEngine, dict[str, str]]" = WeakKeyDictionary()
"""Engine → file of members → table: files are named by their content, so equal members share one."""


def preparing(store: Store, engine: DuckDBEngine, model: Model, generation: int) -> Callable[[Collection[str]], Model]:
    """From names of segments to the model with tables of their members on this engine.

    generation   the one that the engine is on; members are those in force on it
    The function raises NotFoundError for an unknown segment, QueryError for an inactive one and one without members.
    """

    def prepare(names: Collection[str]) -> Model:
        declared, _ = declared_in(store, model.project)
        usable, rows = usable_of(store, declared), store.memberships(generation)
        moment = datetime.now(UTC)
        tables = dict(model.catalog.segments)
        for name in sorted(names):
            check_in_force(declared, name, moment)
            tables[name] = _table(store, engine, file_of(name, rows.get(name), usable, generation))
        return model.with_segments(tables)

    return prepare


def sets_of(store: Store, model: Model) -> dict[str, str]:
    """Entity sets that are segments: name of the set → segment, of all that are in force now."""
    declared, _ = declared_in(store, model.project)
    moment = datetime.now(UTC)
    return segment_sets(model, [name for name, d in declared.items() if d.in_force(moment)])


def file_of(name: str, row: Membership | None, usable: Callable[[Membership], bool], generation: int) -> str:
    """The file of a segment's members on a generation; QueryError when it has none there."""
    if row is None or not usable(row):
        hint = f"`unify segment refresh {name}`, or the next run"
        raise QueryError(f"segment {name} has not been found on generation {generation} yet", hint=hint)
    if row.file is None:
        why = (row.facts.get("error") or {}).get("message", "no members are kept")
        raise QueryError(
            f"segment {name} could not be found: {why}", hint=f"mend it, then `unify segment refresh {name}`"
        )
    return row.file


def _table(store: Store, engine: DuckDBEngine, file: str) -> str:
    known = _tables.setdefault(engine, {})
    if file not in known:
        known[file] = load(engine, from_bytes(store.members_file(file), file))
    return known[file]
