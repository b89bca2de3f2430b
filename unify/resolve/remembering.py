"""Reading a generation into memory, once: the prepared values by the SQL of the run, everything else as it was kept.

remember ─ bind, prepare, junk is no value ─▶ Held per entity
         ─ links, members, customer_ids, overrides, ignored, cuts, value_verdicts ─▶ Memory
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from unify.conflation.binding import BoundPlan, bind, plan_of
from unify.conflation.junk.effects import drop_junk, forms_of
from unify.conflation.junk.fields import Judged, judged
from unify.conflation.normalize_lists import lists_of
from unify.conflation.prepare import Prepared, make_values, rows_by_key
from unify.conflation.rules import ScoredTerm, Term
from unify.core.engine import Engine
from unify.core.errors import QueryError
from unify.core.names import quote, table_of
from unify.core.problems import family
from unify.core.steps import Query, Step
from unify.resolve.columns import Column
from unify.resolve.memory import (
    NOBODY,
    READ,
    UNMATCHED,
    Adjacent,
    Held,
    Listed,
    Memory,
    cells,
    columns_by_entity,
)
from unify.spec import Project, parts

TOO_MANY = ("with it the rule would compare more than", "the rule compares ")
"""How `ignored` begins to say that a value, or a key of a scored rule, was left out for the pairs that it makes."""


def remember(engine: Engine, project: Project) -> Memory:
    """Read a generation into memory. QueryError when it has no customers.

    The engine is left with the functions of the normalisers defined, and without the prepared tables.
    """
    if "members" not in _tables(engine):
        raise QueryError("there are no customers yet", hint="`unify run PROJECT.yaml` makes them")
    plan, lists = plan_of(project), lists_of(engine, project)
    bound = bind(engine, project, lists)
    lies = judged(project, bound)
    make_records(engine, project, bound)
    verdicts = _verdicts(engine, lies)
    counted = Query("SELECT entity, min(rid) AS first, count(*) AS n FROM records GROUP BY entity")
    counts = {r["entity"]: (r["first"], r["n"]) for r in engine.fetch(counted).to_pylist()}
    read = _read_as(bound)
    entities: dict[str, Held] = {}
    for name, prepared in bound.prepared.items():
        drop_junk(engine, prepared, forms_of(lies, prepared))
        first, n = counts.get(name, (0, 0))
        entities[name] = _hold(engine, project, prepared, read.get(prepared.table, {}), first, n)
        why = "free memory"
        engine.build(Step("released", Query("SELECT 1 AS one"), why, releases=(prepared.table, "released")))
    records = sum(n for _, n in counts.values())
    entity_of, links, customers, ids, founded, founders = _identities(engine, records)
    never, listed = _overrides(engine)
    memory = Memory(
        project, plan, bound, entities, records, entity_of, links, customers, ids, founded, founders,
        _first_rules(engine, bound, entities), never, listed, _left_out(engine), _weak_bridges(engine), lies, verdicts,
    )  # fmt: skip
    for column in _looked_up(memory):
        column.build()
    return memory


def make_records(engine: Engine, project: Project, bound: BoundPlan) -> None:
    """Make the prepared tables of every record that is there."""
    for entity, one in bound.prepared.items():
        one.rows = rows_by_key(entity, one.number, project.entity(entity).key)
    make_values(engine, bound.prepared.values())


def _tables(engine: Engine) -> set[str]:
    rows = engine.fetch(Query("SELECT table_name FROM duckdb_tables() WHERE NOT internal"))
    return set(rows.column(0).to_pylist())


def _read_as(bound: BoundPlan) -> dict[str, dict[str, str]]:
    """Prepared table to its columns that some rule compares as number or date."""
    found: dict[str, dict[str, str]] = {}
    for rule in bound.rules:
        for term in (*rule.fuzzy, *(t for veto in rule.vetoes for t in veto)):
            if term.criterion.compare in READ and not term.criterion.is_exact:
                for one, form in rule.forms(term):
                    found.setdefault(one.table, {})[form] = term.criterion.compare
    return found


def _hold(engine: Engine, project: Project, prepared: Prepared, read: dict[str, str], first: int, n: int) -> Held:
    key = project.entity(prepared.entity).key
    types = engine.columns(prepared.table)
    made = cells(prepared, read, types)
    wanted = "".join(f", p.{cell.rpartition(' AS ')[2]}" for cell in made)
    # LEFT: after an ingest alone a record's row may be gone from its source; it then has no values.
    table = engine.fetch(
        Query(
            f"SELECT r.key{wanted} "
            f"FROM records AS r LEFT JOIN (SELECT rid{''.join(f', {c}' for c in made)} FROM {prepared.table}) AS p "
            "USING (rid) WHERE r.entity = $entity ORDER BY rid",
            {"entity": prepared.entity},
        )
    ).combine_chunks()
    if table.num_rows != n:
        raise AssertionError(f"{prepared.entity} has {n} records and {table.num_rows} rows")
    one: dict[str, pa.Array] = {c: _whole(table.column(c)) for c in table.column_names}
    columns = {v: Column(one[v]) for v in prepared.values.values()}
    extra = {name: array for name, array in one.items() if name not in columns and name != "key"}
    kinds = {v: types[v] for v in prepared.values.values()}
    kind = prepared.types[key]
    keys = one["key"] if family(kind) in ("string", "guid") else one["key"].cast(pa.decimal128(38, 0))
    written = _written(engine, prepared)
    return Held(prepared.entity, prepared.number, first, keys, prepared, columns, read, kinds, extra, written)


def _written(engine: Engine, prepared: Prepared) -> dict[str, "pa.Array"]:
    """The columns of the source that prepared values are made of, of every record; null where its row is gone."""
    columns = list(dict.fromkeys(c for origin in prepared.origins.values() for c in parts(origin)))
    source = "".join(f', source.{quote(c)} AS "#{i}"' for i, c in enumerate(columns))
    wanted = "".join(f', s."#{i}"' for i in range(len(columns)))
    table = engine.fetch(
        Query(
            f"SELECT r.rid{wanted} FROM records AS r LEFT JOIN (SELECT record_rows.rid{source} FROM {prepared.source}) "
            "AS s USING (rid) WHERE r.entity = $entity ORDER BY r.rid",
            {"entity": prepared.entity},
        )
    ).combine_chunks()
    return {column: _whole(table.column(f"#{i}")) for i, column in enumerate(columns)}


def _whole(column: "pa.ChunkedArray") -> "pa.Array":
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


def _identities(engine: Engine, records: int) -> tuple[Any, ...]:
    """entity_of, links, customers, ids, founded, founders."""
    entity_of = engine.fetch(Query("SELECT entity_no FROM records ORDER BY rid")).column(0).to_numpy()
    links = Adjacent.of(engine.fetch(Query("SELECT a, b, rule, score FROM links")), records)
    members = engine.fetch(Query("SELECT rid, ordinal FROM members"))
    ids = engine.fetch(
        Query(
            "SELECT CustomerId, founded_run, founded_by_entity AS entity, founded_by_key AS key, ordinal "
            "FROM customer_ids WHERE retired_run IS NULL ORDER BY ordinal"
        )
    )
    customers = np.full(records, NOBODY, dtype=np.int32)
    place = np.searchsorted(ids.column("ordinal").to_numpy(), members.column("ordinal").to_numpy())
    customers[members.column("rid").to_numpy()] = place
    founders = {c: _whole(ids.column(c)) for c in ("entity", "key")}
    founders["entity"] = founders["entity"].dictionary_encode()
    return entity_of, links, customers, _whole(ids.column(0)), ids.column("founded_run").to_numpy(), founders


def _first_rules(
    engine: Engine, bound: BoundPlan, entities: Mapping[str, Held]
) -> dict[tuple[str, str], "np.typing.NDArray[np.int16]"]:
    """Per pair of a match: the first rule that linked each lower record, by its place."""
    found: dict[tuple[str, str], np.typing.NDArray[np.int16]] = {}
    pairs: dict[tuple[str, str], list[int]] = {}
    for rule in bound.rules:
        if rule.kind == "match":
            pairs.setdefault((rule.left.entity, rule.right.entity), []).append(rule.number)
    for pair, numbers in pairs.items():
        lower = entities[pair[0]]
        first = np.full(len(lower.keys), UNMATCHED, dtype=np.int16)
        among = ", ".join(map(str, numbers))
        rows = engine.fetch(Query(f"SELECT b, min(rule) AS rule FROM links WHERE rule IN ({among}) GROUP BY b"))
        first[rows.column("b").to_numpy() - lower.first] = rows.column("rule").to_numpy()
        found[pair] = first
    return found


def _overrides(engine: Engine) -> tuple[dict[int, list[int]], Listed]:
    """Rid to the rids it must stay apart from, and every entry by the records that it names."""
    rows = engine.fetch(
        Query(
            "SELECT o.kind, o.entity1, o.key1, o.entity2, o.key2, x.rid AS a, y.rid AS b FROM overrides AS o "
            "LEFT JOIN records AS x ON replace(x.entity, '.', '_') = replace(o.entity1, '.', '_') AND x.key = o.key1 "
            "LEFT JOIN records AS y ON replace(y.entity, '.', '_') = replace(o.entity2, '.', '_') AND y.key = o.key2 "
            "ORDER BY ALL"
        )
    ).to_pylist()
    never: dict[int, list[int]] = {}
    listed: Listed = {}
    for row in rows:
        one, other = ((table_of(row[f"entity{i}"]), row[f"key{i}"]) for i in (1, 2))
        for here, there in ((one, other), (other, one)):
            listed.setdefault(here, []).append((row["kind"], *there))
        if row["kind"] == "never" and row["a"] is not None and row["b"] is not None:
            never.setdefault(row["a"], []).append(row["b"])
            never.setdefault(row["b"], []).append(row["a"])
    return never, listed


def _left_out(engine: Engine) -> dict[int, frozenset[str]]:
    """Rule to the values that it left out because they make too many pairs."""
    why = " OR ".join(f"starts_with(reason, $why_{i})" for i in range(len(TOO_MANY)))
    params = {f"why_{i}": begins for i, begins in enumerate(TOO_MANY)}
    rows = engine.fetch(Query(f"SELECT rule, value FROM ignored WHERE {why}", params))
    found: dict[int, set[str]] = {}
    for row in rows.to_pylist():
        found.setdefault(row["rule"], set()).add(row["value"])
    return {rule: frozenset(values) for rule, values in found.items()}


def _weak_bridges(engine: Engine) -> frozenset[tuple[int, int]]:
    rows = engine.fetch(Query("SELECT a, b FROM cuts WHERE \"limit\" = 'weak bridge'")).to_pylist()
    return frozenset((row["a"], row["b"]) for row in rows)


def _verdicts(engine: Engine, lies: Judged) -> dict[tuple[int, str], tuple[str, str]]:
    """(field, value) to (verdict, reason) of junk and shared values; makes `junk_values` for drop_junk."""
    found: dict[tuple[int, str], tuple[str, str]] = {}
    fields = {(f.columns, f.normalized): f.number for f in lies.fields}
    if fields and "value_verdicts" in _tables(engine):
        rows = engine.fetch(Query("FROM value_verdicts WHERE verdict <> 'genuine'")).to_pylist()
        for row in rows:
            number = fields.get((row["columns"], row["normalized"]))
            if number is not None:
                found[number, row["value"]] = (row["verdict"], row["reason"])
    junk = [(number, value) for (number, value), (verdict, _) in found.items() if verdict == "junk"]
    engine.load(
        "junk_values",
        pa.table(
            {"field": pa.array([n for n, _ in junk], pa.uint8()), "value": pa.array([v for _, v in junk], pa.string())}
        ),
    )
    return found


def _looked_up(memory: Memory) -> Iterator[Column]:
    """Columns in which rules look values up."""
    for rule in memory.bound.rules:
        terms: tuple[Term | ScoredTerm, ...] = (*rule.exact, *rule.scored, *(() if rule.exact else rule.fuzzy))
        for term in terms:
            for side in ("left", "right"):
                for entity, forms in columns_by_entity(rule, side, term).items():
                    yield from (memory.entities[entity].columns[v] for v in forms)
