"""Members as files: a row per member with chosen attributes, and attributes of related rows as lists.

CustomerId │ City │ TotalSpend │ UnifiedActivity_Title
89d8…      │ Bern │ 120.50     │ ["Pro subscription","Grinder"]        oldest first; as JSON text where it is CSV
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyroaring import BitMap

from segments.activities import UNIFIED
from segments.membership.tables import loaded, ordinals
from segments.model import CUSTOMER_ID, MEASURES, ORDINAL, Model
from segments.predicates.fields import Relation
from unify.core.engine import Engine, scalar
from unify.core.errors import QueryError, SpecError, did_you_mean
from unify.core.names import quote
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.engines.export import Exported, Format, export, format_of
from unify.spec.segment import Projected, Segment

SHOWN = 5
FIRST_ORDER = {UNIFIED: ("ActivityTime",)}
"""What a table's rows are ordered by before their key: a timeline reads from old to new, unknown times last."""


def export_members(
    engine: DuckDBEngine,
    model: Model,
    members: BitMap,
    path: Path | str,
    *,
    attributes: Sequence[str] | None = None,
    projected: Iterable[Projected] = (),
    format: Format | None = None,  # noqa: A002 - the word users know
    neutralise: bool = True,
    overwrite: bool = False,
) -> Exported:
    """Write members to one file, in the order of their ordinals.

    engine      a reading one that is not sealed: it writes the file
    attributes  columns of Customer and measures, by name; None: all columns of Customer. CustomerId always comes first
    projected   attributes of related rows: a column `<Path>_<Attribute>` each, a list per member, in the order of the
                rows' time and key; lists of one path are as long as each other. An empty path: columns of Customer
    format      csv, parquet, json, jsonl; by the file's ending when absent. In CSV, lists are JSON text
    neutralise  CSV only: text that a spreadsheet would run as a formula gets a leading apostrophe
    overwrite   an existing file is replaced, in one instant

    QueryError for an unknown attribute, relation or member, and for two columns of one name; SpecError for the format;
    StoreError for the file.
    """
    kind, _ = format_of(Path(path), format)
    with loaded(engine, members) as table:
        _check_members(engine, model, members, table)
        query = members_rows(model, table, attributes, tuple(projected), kind)
        return export(engine, query, path, kind, neutralise=neutralise, overwrite=overwrite)


def members_rows(
    model: Model, table: str, attributes: Sequence[str] | None, projected: Sequence[Projected], kind: Format
) -> Query:
    """The SELECT of an export; `table` has the members' ordinals."""
    own = [*(_all(model) if attributes is None else attributes)]
    own += [name for p in projected if not p.path for name in p.attributes]
    columns: dict[str, str] = {CUSTOMER_ID: f"c.{quote(CUSTOMER_ID)}"}
    measured = False
    for name in dict.fromkeys(own):
        if name == CUSTOMER_ID:
            continue
        source, sql_type = _own(model, name)
        measured |= source == "v"
        _put(columns, name, _cell(f"{source}.{quote(name)}", sql_type, kind))
    params: dict[str, Any] = {}
    sources = [f"FROM {quote(table)} AS m", f"JOIN {quote(model.catalog.customers)} AS c USING ({ORDINAL})"]
    if measured:
        sources.append(f"LEFT JOIN {quote(MEASURES)} AS v ON v.{ORDINAL} = m.{ORDINAL}")
    for i, one in enumerate(p for p in projected if p.path):
        sql, bound = _lists(model, table, one, i, kind)
        params |= bound
        sources.append(f"LEFT JOIN (\n{sql}\n) AS p{i} ON p{i}.{ORDINAL} = m.{ORDINAL}")
        for j, name in enumerate(one.attributes):
            listed = f"coalesce(p{i}.a{j}, [])"
            _put(
                columns, "_".join((*one.path, name)), f"CAST(to_json({listed}) AS VARCHAR)" if kind == "csv" else listed
            )
    cells = ",\n  ".join(f"{cell} AS {quote(name)}" for name, cell in columns.items())
    return Query(f"SELECT {cells}\n" + "\n".join(sources) + f"\nORDER BY m.{ORDINAL}", params)


def _all(model: Model) -> list[str]:
    """Columns of Customer but its number, which means nothing outside."""
    return [name for name in model.catalog.tables[model.catalog.customers].attributes if name != ORDINAL]


def _own(model: Model, name: str) -> tuple[str, str]:
    """Where an attribute of a customer is found, `c` or `v` (measures), and its SQL type; QueryError."""
    customer = model.catalog.tables[model.catalog.customers].attributes
    measures = model.catalog.tables[MEASURES].attributes if MEASURES in model.catalog.tables else {}
    if name in customer:
        return "c", customer[name].sql_type
    if name in measures:
        return "v", measures[name].sql_type
    hint = did_you_mean(name, [*customer, *measures])
    raise QueryError(f"a customer has no attribute {name!r}", where="attributes", hint=hint)


def _put(columns: dict[str, str], name: str, cell: str) -> None:
    """Names of columns are compared without regard to case, as every reader of tables does."""
    if name.casefold() in {c.casefold() for c in columns}:
        raise QueryError(f"two columns would be called {name}", where="attributes", hint="choose one of them")
    columns[name] = cell


def _cell(value: str, sql_type: str, kind: Format) -> str:
    """A list or struct of a customer's own is JSON text in CSV, as projected ones are."""
    nested = sql_type.endswith("]") or sql_type.startswith(("STRUCT", "MAP"))
    return f"CAST(to_json({value}) AS VARCHAR)" if nested and kind == "csv" else value


def projected_by(segment: Segment, model: Model) -> tuple[Projected, ...]:
    """What a definition projects: `projected`, and of the vendor's query its projectedAttributes."""
    if segment.query is None:
        return segment.projected
    from segments.vendor.segmentation_query import projected_of

    return (*segment.projected, *projected_of(segment.query, model))


# ── related rows ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _lists(model: Model, table: str, projected: Projected, number: int, kind: Format) -> tuple[str, dict[str, Any]]:
    """Per member, the lists of one path: `a0`, `a1`, … as long as each other, in one order."""
    where = f"projected[{number}]"
    path = model.path(model.catalog.customers, projected.path, where)
    steps = model.catalog.path(model.catalog.customers, path, where)
    end = steps[-1].to_table
    if end not in model.keys:
        raise QueryError(f"{end} has no key to order its rows by", where=where)
    known = model.catalog.tables[end]
    for name in projected.attributes:
        known.attribute(name, where)  # QueryError for unknown ones, and for lists of lists
    joins, params = _joins(steps, f"w{number}")
    last = f"w{number}_{len(steps) - 1}"
    order = [*FIRST_ORDER.get(end, ()), model.keys[end]]
    keys = [f"{last}.{quote(name)} AS o{i}" for i, name in enumerate(order)]
    values = [
        f"{_finite(f'{last}.{quote(name)}', known.attributes[name].sql_type, kind)} AS v{j}"
        for j, name in enumerate(projected.attributes)
    ]
    by = ", ".join(f"o{i} NULLS LAST" for i in range(len(order)))
    lists = ", ".join(f"list(v{j} ORDER BY {by}) AS a{j}" for j in range(len(values)))
    rows = (
        f"SELECT DISTINCT m.{ORDINAL}, {', '.join([*keys, *values])}\n"  # a row that two ways lead to is one row
        f"FROM {quote(table)} AS m\nJOIN {quote(model.catalog.customers)} AS w{number} USING ({ORDINAL})\n{joins}"
    )
    return f"SELECT {ORDINAL}, {lists}\nFROM (\n{rows}\n) AS rows_there\nGROUP BY {ORDINAL}", params


def _joins(steps: Sequence[Relation], name: str) -> tuple[str, dict[str, Any]]:
    """The joins of a path that starts at the alias `name`; rows at its end have the alias `<name>_<last step>`."""
    joins: list[str] = []
    params: dict[str, Any] = {}
    for i, step in enumerate(steps):
        here, there = (name if i == 0 else f"{name}_{i - 1}"), f"{name}_{i}"
        start, end = f"{here}.{quote(step.from_column)}", f"{there}.{quote(step.to_column)}"
        if step.through:
            params[f"{there}_entity"] = step.through
            customer = quote(ORDINAL if step.from_column == ORDINAL else CUSTOMER_ID)
            joins.append(f"JOIN members AS {there}_m ON {there}_m.{customer} = {start} "
                         f"AND {there}_m.entity = ${there}_entity")  # fmt: skip
            condition = f"{there}_m.key = CAST({end} AS VARCHAR)"
        elif step.record_of:
            params[f"{there}_entity"] = step.record_of
            customer = quote(ORDINAL if step.to_column == ORDINAL else CUSTOMER_ID)
            joins.append(f"JOIN members AS {there}_m ON {there}_m.key = CAST({start} AS VARCHAR) "
                         f"AND {there}_m.entity = ${there}_entity")  # fmt: skip
            condition = f"{there}_m.{customer} = {end}"
        elif step.made_of:
            params[f"{there}_made_of"] = step.made_of
            condition = f"{start} = CAST({end} AS VARCHAR) AND {here}.{quote('SourceTableName')} = ${there}_made_of"
        else:
            condition = f"{start} = {end}"
        joins.append(f"JOIN {quote(step.to_table)} AS {there} ON {condition}")
    return "\n".join(joins), params


def _finite(value: str, sql_type: str, kind: Format) -> str:
    """JSON has no NaN and no infinity; they become null, also where the JSON is a cell of CSV."""
    if kind == "parquet" or sql_type not in ("FLOAT", "DOUBLE"):
        return value
    return f"CASE WHEN isfinite({value}) THEN {value} END"


def _check_members(engine: Engine, model: Model, members: BitMap, table: str) -> None:
    """Nobody is left out in silence."""
    customers = quote(model.catalog.customers)
    found = int(scalar(engine, Query(f"SELECT count(*) FROM {quote(table)} JOIN {customers} USING ({ORDINAL})")))
    if found == len(members):
        return
    gone = engine.fetch(
        Query(f"SELECT {ORDINAL} FROM {quote(table)} ANTI JOIN {customers} USING ({ORDINAL}) ORDER BY 1 LIMIT {SHOWN}")
    )
    shown = ", ".join(map(str, gone.column(0).to_pylist()))
    hint = "members and tables must be of one generation"
    raise QueryError(f"{len(members) - found:,} members are no customers here, e.g. ordinals {shown}", hint=hint)


# ── the vendor's table ───────────────────────────────────────────────────────────────────────────────────────────────

PROVIDER = "unify"
MEMBERSHIP_TYPES = ("Customer", "Contact", "Account")


def segment_membership_table(
    engine: Engine,
    model: Model,
    members: Mapping[str, BitMap],
    *,
    provider: str = PROVIDER,
    type: str = "Customer",  # noqa: A002 - the vendor's word
) -> pa.Table:
    """The vendor's table of memberships, one row per customer who is in a segment, by ordinal.

    Columns: CustomerId, SegmentProvider, SegmentMembershipType, Segments: a JSON list of names, sorted, which the
    vendor's clients ask by `contains(Segments, '"vip"')`. SpecError for another type than Customer, Contact and
    Account; QueryError for members that are no customers.
    """
    if type not in MEMBERSHIP_TYPES:
        raise SpecError(f"there is no type {type!r}", where="type", hint=did_you_mean(type, MEMBERSHIP_TYPES))
    everybody = BitMap.union(*members.values()) if members else BitMap()
    with loaded(engine, everybody) as table:
        _check_members(engine, model, everybody, table)
        customers = quote(model.catalog.customers)
        sql = f"SELECT {quote(CUSTOMER_ID)} FROM {quote(table)} JOIN {customers} USING ({ORDINAL}) ORDER BY {ORDINAL}"
        ids = engine.fetch(Query(sql)).column(0)
    constant = [pa.repeat(word, len(ids)) for word in (provider, type)]
    return pa.table(
        {
            CUSTOMER_ID: ids,
            "SegmentProvider": constant[0],
            "SegmentMembershipType": constant[1],
            "Segments": _names(everybody, members),
        }
    )


def _names(everybody: BitMap, members: Mapping[str, BitMap]) -> pa.Array:
    """Per customer the JSON list of their segments. Lists are written once each: there are few combinations."""
    names = sorted(members)
    who = ordinals(everybody).column(ORDINAL).to_numpy()
    within = np.zeros((len(who), len(names)), dtype=bool)
    for i, name in enumerate(names):
        within[np.searchsorted(who, np.array((members[name] & everybody).to_array(), dtype=np.int32)), i] = True
    if not len(who):
        return pa.array([], pa.string())
    packed = np.packbits(within, axis=1)
    kinds, place = np.unique(packed.view(np.dtype((np.void, packed.shape[1]))).ravel(), return_inverse=True)
    bits = np.unpackbits(kinds.view(np.uint8).reshape(len(kinds), -1), axis=1, count=len(names)).astype(bool)
    texts = pa.array([json.dumps([names[i] for i in np.flatnonzero(row)], ensure_ascii=False) for row in bits])
    return texts.take(pa.array(place.ravel()))
