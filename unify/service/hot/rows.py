"""Customers of one generation, packed: rows as JSON values, and the ways to find one.

ids        CustomerIds, sorted; the number of one among them is its place
rows       of each customer the values of a row as JSON, parted by line feeds, which no JSON value holds
retired    ids that were given up, and the place of the customer who took them over
records    digests of `entity:key` of every record, and the place of its customer
places     ordinal → place, for members of segments
"""

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from segments.model import CUSTOMER_ID, ORDINAL, Model, model_of
from segments.odata.answers.entity_sets import alternate_keys, entity_set, public
from segments.odata.answers.formats import converted, json_text
from segments.predicates.fields import Attribute
from segments.relationships import CUSTOMER
from unify.core.names import quote, table_of
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.service.hot import index
from unify.service.hot.packed import Pack, PackWriter
from unify.service.hot.values import json_sql
from unify.spec import Project
from unify.store import Generation

GONE: Final = -1
"""Place of an id whose records are all gone."""
AT_ONCE: Final = 100_000
"""Ordinals that are read at once: some 30 MB of text."""
BETWEEN: Final = b"\n"

RETIRED_SQL: Final = """
SELECT ids.CustomerId AS id, heir.ordinal FROM customer_ids AS ids
LEFT JOIN customer_ids AS heir ON heir.CustomerId = ids.successor WHERE ids.retired_run IS NOT NULL"""
RECORDS_SQL: Final = "SELECT substr(sha256(entity || ':' || key), 1, 32) AS id, ordinal FROM members"
LAST_SQL: Final = "SELECT coalesce(max(ordinal), -1) AS last FROM customer_ids"


# ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def write_rows(path: Path, generation: Generation, engine: DuckDBEngine) -> None:
    """The packed file of a generation that `engine` is on."""
    text = engine.fetch(Query("SELECT project FROM project")).column(0)[0].as_py()
    model = public(model_of(engine, Project.model_validate_json(text)))
    customers = entity_set(model, CUSTOMER)
    last = int(engine.fetch(Query(LAST_SQL)).column(0)[0].as_py())
    with PackWriter(path) as pack:
        found = _Rows(engine, customers.attributes, last)
        pack.section("rows", found.texts())
        keys = found.keys()
        order = index.order_of(keys)
        index.write(pack, "ids", keys[order], None)
        pack.section("starts", [found.starts()[order]])
        pack.section("lengths", [found.lengths()[order]])
        places = np.full(last + 1, GONE, np.int32)
        places[found.ordinals()[order]] = np.arange(len(order), dtype=np.int32)
        pack.section("places", [places])
        _index_of(pack, engine, "retired", RETIRED_SQL, places)
        _index_of(pack, engine, "records", RECORDS_SQL, places)
        pack.finish(
            {
                "generation": generation.number,
                "published": generation.published.isoformat(),
                "customers": len(order),
                "columns": list(customers.attributes),
                "alternates": _alternates(model),
                "project": text,
            }
        )


def _alternates(model: Model) -> dict[str, str]:
    found = alternate_keys(model, entity_set(model, CUSTOMER))
    return {names[0].casefold(): entity for names, entity in found.items() if len(names) == 1 and entity}


class _Rows:
    """Rows of Customer as texts, and where each stands among them, in the order in which they are read."""

    def __init__(self, engine: DuckDBEngine, attributes: "dict[str, Attribute] | Any", last: int) -> None:
        self._engine, self._attributes, self._last = engine, attributes, last
        self._keys: list[index.Halves] = []
        self._ordinals: list[npt.NDArray[np.int32]] = []
        self._lengths: list[npt.NDArray[np.uint32]] = []

    def texts(self) -> Iterator[memoryview]:
        """The rows, many at once, without anything between them."""
        sql, by_hand = self._sql()
        for begin in range(0, self._last + 1, AT_ONCE):
            found = self._engine.fetch(Query(sql, {"begin": begin, "end": begin + AT_ONCE}))
            if not found.num_rows:
                continue
            parts = [
                _written(_one(found.column(2 + n)), attribute) if attribute else _one(found.column(2 + n))
                for n, attribute in enumerate(by_hand)
            ]
            texts = pc.binary_join_element_wise(*parts, BETWEEN) if len(parts) > 1 else parts[0]
            offsets = np.frombuffer(texts.buffers()[1], np.int64, len(texts) + 1, 8 * texts.offset)
            self._keys.append(index.halves(_one(found.column("id"), pa.string())))
            self._ordinals.append(found.column("ordinal").to_numpy().astype(np.int32))
            self._lengths.append(np.diff(offsets).astype(np.uint32))
            yield memoryview(texts.buffers()[2])[int(offsets[0]) : int(offsets[-1])]

    def _sql(self) -> tuple[str, list[Attribute | None]]:
        """The SELECT; and of each column behind id and ordinal: None when it is text, else what is written by hand."""
        parts: list[str] = []
        by_hand: list[Attribute | None] = []
        run: list[str] = []
        for name, attribute in self._attributes.items():
            sql = json_sql(name, attribute.type, attribute.sql_type)
            if sql is not None:
                run.append(sql)
                continue
            if run:
                parts.append(f"concat_ws(chr(10), {', '.join(run)})")
                by_hand.append(None)
                run = []
            parts.append(quote(name))
            by_hand.append(attribute)
        if run:
            parts.append(f"concat_ws(chr(10), {', '.join(run)})")
            by_hand.append(None)
        shown = ", ".join(f"{sql} AS c{n}" for n, sql in enumerate(parts))
        where = f"{ORDINAL} >= $begin AND {ORDINAL} < $end"
        return f"SELECT {CUSTOMER_ID} AS id, {ORDINAL} AS ordinal, {shown} FROM {CUSTOMER} WHERE {where}", by_hand

    def keys(self) -> index.Halves:
        """Of all rows."""
        return np.concatenate(self._keys) if self._keys else np.empty((0, 2), np.uint64)

    def ordinals(self) -> npt.NDArray[np.int32]:
        """Of all rows."""
        return np.concatenate(self._ordinals) if self._ordinals else np.empty(0, np.int32)

    def lengths(self) -> npt.NDArray[np.uint32]:
        """Bytes of each row."""
        return np.concatenate(self._lengths) if self._lengths else np.empty(0, np.uint32)

    def starts(self) -> npt.NDArray[np.uint64]:
        """Where each row begins."""
        lengths = self.lengths().astype(np.uint64)
        return np.concatenate(([np.uint64(0)], np.cumsum(lengths)[:-1])) if len(lengths) else lengths


def _one(column: pa.ChunkedArray, kind: pa.DataType | None = None) -> Any:
    """One array, of texts with 64-bit offsets unless another type is asked for."""
    wanted = kind
    if wanted is None:
        as_text = pa.types.is_string(column.type) or pa.types.is_string_view(column.type)
        wanted = pa.large_string() if as_text else column.type
    chunks = column.cast(wanted).chunks
    return pa.concat_arrays(chunks) if chunks else pa.array([], wanted)


def _written(column: Any, attribute: Attribute) -> Any:
    """A column whose values SQL cannot write as OData does."""
    return pa.array([json_text(v) for v in converted(column.to_pylist(), attribute.type)], pa.large_string())


def _index_of(pack: PackWriter, engine: DuckDBEngine, name: str, sql: str, places: npt.NDArray[np.int32]) -> None:
    found = engine.fetch(Query(sql))
    keys = index.halves(_one(found.column("id"), pa.string()))
    ordinals = found.column("ordinal").fill_null(GONE).to_numpy().astype(np.int64)
    order = index.order_of(keys)
    there = np.where(ordinals[order] == GONE, GONE, places[ordinals[order]]) if len(places) else ordinals[order]
    index.write(pack, name, keys[order], there)


# ── reading ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class Rows:
    """The packed customers of a generation, mapped."""

    def __init__(self, path: Path) -> None:
        pack = Pack(path)
        facts = pack.facts
        self.generation: int = facts["generation"]
        self.published: str = facts["published"]
        self.count: int = facts["customers"]
        self.columns: tuple[str, ...] = tuple(facts["columns"])
        self.alternates: dict[str, str] = facts["alternates"]
        self.project: str = facts["project"]
        self.entities = {name: entity for entity in self.alternates.values() for name in (entity, table_of(entity))}
        self.ids = index.Index(pack, "ids", places=False)
        self._retired = index.Index(pack, "retired", places=True)
        self._records = index.Index(pack, "records", places=True)
        self._rows, self._starts = pack.bytes("rows"), pack.numbers("starts", "Q")
        self._lengths = pack.numbers("lengths", "I")
        self.places = pack.numbers("places", "i")

    def heir(self, id_: bytes | str) -> int | None:
        """Place of the customer who took over a retired id; GONE when nobody did, None when it is no retired id."""
        return self._retired.find(id_) if len(self._retired) else None

    def of_record(self, entity: str, key: str) -> int | None:
        """Place of the customer that a record belongs to; None when there is no such record."""
        return self._records.find(sha256(f"{entity}:{key}".encode()).hexdigest()[:32])

    def row(self, place: int) -> bytes:
        """The values of a row."""
        start = self._starts[place]
        return self._rows[start : start + self._lengths[place]].tobytes()
