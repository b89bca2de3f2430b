"""An instance as somebody sees it from whom something is withheld: the same verbs over views (views.py).

A verb that is not on the list here is refused, so that a new one of Instance is no new way around.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import pyarrow as pa
from pyroaring import BitMap

from segments.activities import UNIFIED
from segments.membership.codec import from_bytes
from segments.membership.tables import ordinals
from segments.model import MEASURES, own_table
from segments.relationships import CUSTOMER
from unify.core.errors import NotFoundError, QueryError
from unify.core.names import quote, table_of
from unify.core.steps import Query, Step
from unify.engines.duckdb import DuckDBEngine
from unify.instance import Instance
from unify.service.access.classes import Schema, schema_of
from unify.service.access.views import ALLOWED, WITHHELD, Views
from unify.service.access.visibility import Policy, Visibility, visibility_of
from unify.service.errors import ServiceError
from unify.spec import Project
from unify.store import Generation, Store
from unify.verbs.segment_answers import SegmentInfo
from unify.verbs.segment_stage import declared_in, usable_of
from unify.verbs.segment_tables import file_of
from unify.verbs.segments import Segments

VERBS: Final = frozenset((
    "engine", "interrupt", "published", "generations", "tables", "customer_id", "table", "customers", "profile",
    "entities", "customer", "timeline", "odata", "relationships", "relationship_paths", "status", "close",
    "project", "explainer", "suggest_labels", "reading", "generation", "segments",
))  # fmt: skip
"""What may be asked. `project` and `explainer` are for other verbs; no answer holds them."""


@dataclass(frozen=True, slots=True)
class Seen:
    """How somebody sees an instance: instances that are seen alike are opened once for all of them."""

    policy: Policy
    key: str

    def open(self, store: Store, **means: Any) -> "RestrictedInstance":
        """The instance, seen so."""
        return RestrictedInstance(store, self.policy, self.key, **means)


class RestrictedEngine(DuckDBEngine):
    """Shows views alone. The generation is attached, but no name of the model leads there."""

    shown: tuple[str, ...] = ()

    def tables(self, database: str | None = None, schema: str = "main") -> list[str]:
        """The tables that questions may be about."""
        return list(self.shown)

    def row_counts(self) -> dict[str, int | None]:
        """The same with the number of rows that are shown."""
        return {
            table: int(self.fetch(Query(f"SELECT count(*) AS n FROM {quote(table)}")).column(0)[0].as_py())
            for table in self.shown
        }

    def question(self, sql: str, params: dict[str, Any]) -> pa.Table:
        """SQL of a user could name the generation itself."""
        raise _refused("sql")


class RestrictedInstance(Instance):
    """An instance through a policy. Moves on when a generation is published, and when members of its segments change.

    key   hex: what tokens in the place of keys are made with
    """

    def __init__(self, store: Store, policy: Policy, key: str, **means: Any) -> None:
        super().__init__(store, **means)
        self._policy, self._key = policy, key
        self._state: tuple[int, ...] = ()
        self.visibility = Visibility()

    def engine(self) -> DuckDBEngine:
        """An engine that shows what the policy leaves of the published generation."""
        number = self.published().number
        state = (number, *(self.store.segment_state() if self._policy.segments is not None else ()))
        if self._engine is None or state != self._state:
            self.close()
            generation, self._pin = self.store.pin_published()
            self._engine = self._restricted(generation)
            self._open_number, self._state = generation.number, state
        return self._engine

    def segments(self) -> Any:
        """Their names and sizes, to be looked through; of them nothing can be opened or changed."""
        return SeenSegments(self.store, self._policy.segments)

    @contextmanager
    def reading(self, generation: Generation) -> Iterator[DuckDBEngine]:
        """The same on another kept generation, for as long as the block lasts; the caller pins it."""
        with self._restricted(generation) as engine:
            self._aside = engine
            try:
                yield engine
            finally:
                self._aside = None

    def _restricted(self, generation: Generation) -> RestrictedEngine:
        engine = RestrictedEngine(**self._means)
        try:
            engine.attach(generation.path, WITHHELD)
            schema, tables = _look(engine)
            self.visibility = visibility_of(schema, self._policy)
            if self.visibility.segments is not None:
                members = _members(self.store, schema.project, generation.number, self.visibility.segments)
                engine.load(ALLOWED, ordinals(members))
            _show(engine, Views(schema, self.visibility, self._key), tables)
        except BaseException:
            engine.close()
            raise
        return engine


class SeenSegments:
    """The segments of an instance as a list of SegmentInfo. `rows`: segments whose customers alone are shown."""

    def __init__(self, store: Store, rows: tuple[str, ...] | None) -> None:
        self._segments, self._store, self._rows = Segments(store), store, rows

    def __iter__(self) -> Iterator[SegmentInfo]:
        return iter([self._seen(info) for info in self._segments.all()])

    def __len__(self) -> int:
        return len(self._segments)

    def __contains__(self, name: object) -> bool:
        return name in self._segments

    def get(self, name: str) -> SegmentInfo:
        """One of them; NotFoundError."""
        return self._seen(self._segments.get(name))

    def _seen(self, info: SegmentInfo) -> SegmentInfo:
        """Without the text of an error, which may name anything, and with the members who are shown."""
        members = info.members
        if self._rows is not None and members is not None:
            reading = self._segments.reading()
            allowed = _members(self._store, reading.opened.project, reading.generation.number, self._rows)
            members = len(reading.bitmap(info.name) & allowed) if info.state == "active" else None
        return info.model_copy(update={"error": None, "members": members})


def _look(engine: RestrictedEngine) -> tuple[Schema, dict[str, dict[str, str]]]:
    """The schema of the attached generation, and every table and view there."""
    engine.connection.execute(f"USE {WITHHELD}")
    rows = engine.connection.execute(
        "SELECT table_name, column_name, data_type FROM duckdb_columns() "
        "WHERE database_name = $name AND schema_name = 'main' ORDER BY table_name, column_index",
        {"name": WITHHELD},
    ).fetchall()
    tables: dict[str, dict[str, str]] = {}
    for table, column, kind in rows:
        tables.setdefault(table, {})[column] = kind
    text = engine.fetch(Query("SELECT project FROM project")).column(0)[0].as_py()
    project = Project.model_validate_json(text)
    measured = [own_table(name) for name, m in project.measures.items() if m.kind != "attribute"]
    about = (CUSTOMER, UNIFIED, MEASURES, *map(table_of, project.entities), *measured)
    schema = schema_of(engine, project, {table: tables[table] for table in about if table in tables})
    engine.connection.execute("USE memory")
    return schema, tables


def schema_on(generation: Generation) -> Schema:
    """What columns a generation has, and what they tell; 20 to 50 ms."""
    with RestrictedEngine(memory_limit="256MiB", threads=1) as engine:
        engine.attach(generation.path, WITHHELD)
        return _look(engine)[0]


def _show(engine: RestrictedEngine, views: Views, tables: dict[str, dict[str, str]]) -> None:
    for name, select in views.sql(tables):
        engine.build(Step(name, Query(select), "what may be seen", view=True))
    if "entities" in tables:
        engine.load("entities", _entities(engine, views))
    engine.shown = tuple(views.shown)
    engine.connection.execute("SET enable_external_access = false")
    engine.connection.execute("SET lock_configuration = true")


def _entities(engine: RestrictedEngine, views: Views) -> pa.Table:
    """The list of entities, without columns that are hidden, and without counts where rows are."""
    whole = engine.fetch(Query(f"FROM {WITHHELD}.main.entities ORDER BY entity"))
    rows, hidden = whole.to_pylist(), views.visibility.hidden
    for row in rows:
        columns = [c for c in json.loads(row["columns"]) if (row["table_name"], c["name"]) not in hidden]
        row["columns"] = json.dumps(columns)
        if views.visibility.segments is not None:
            row |= {name: None for name in row if name.startswith("rows_")}
    return pa.Table.from_pylist(rows, schema=whole.schema)


def _members(store: Store, project: Project, generation: int, segments: tuple[str, ...]) -> BitMap:
    """Ordinals of who is in one of the segments. One without members on the generation lets nobody through."""
    declared, _ = declared_in(store, project)
    usable, rows = usable_of(store, declared), store.memberships(generation)
    found = BitMap()
    for name in segments:
        try:
            file = file_of(name, rows.get(name), usable, generation)
        except (QueryError, NotFoundError):
            continue
        found |= from_bytes(store.members_file(file), file)
    return found


def _refused(verb: str) -> ServiceError:
    return ServiceError(403, f"{verb} shows more than you may see", hint="an admin can widen what you see")


def _refusing(verb: str, *_: Any, **__: Any) -> Any:
    raise _refused(verb)


def _close_ways(kind: type[RestrictedInstance]) -> None:
    for verb in dir(Instance):
        if not verb.startswith("_") and verb not in VERBS:
            refusal: Callable[..., Any] = partial(_refusing, verb)
            setattr(kind, verb, property(refusal) if isinstance(getattr(Instance, verb), property) else refusal)


_close_ways(RestrictedInstance)
