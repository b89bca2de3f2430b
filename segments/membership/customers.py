"""Which customer is meant: from a CustomerId or a record to its ordinal, in a microsecond after the first question.

Ids are 128-bit numbers. Sorted halves in C arrays and `bisect` answer in about a microsecond, take 20 bytes an id, and
stand 0.6 s after opening a million; a dict of strings would take ten times the memory and twice the time.
"""

import re
from array import array
from bisect import bisect_left
from hashlib import sha256
from typing import Any

import numpy as np
import pyarrow as pa

from unify.core.engine import Engine
from unify.core.errors import QueryError
from unify.core.names import table_of
from unify.core.steps import Query

CUSTOMER_ID = re.compile(r"[0-9a-f]{32}\Z")
BUCKETS = 2**16
BUCKET_SHIFT = 48
"""Ids are spread evenly: of a million, 15 share their first 16 bits. Four steps of bisection instead of twenty, each of
which would wait for memory."""
GONE = -1
"""Ordinal of an id that was retired with all its records."""

IDS_SQL = f"""
SELECT ids.CustomerId AS id, CAST(CASE
    WHEN ids.retired_run IS NULL THEN ids.ordinal ELSE coalesce(heir.ordinal, {GONE}) END AS INTEGER) AS ordinal
FROM customer_ids AS ids LEFT JOIN customer_ids AS heir ON heir.CustomerId = ids.successor"""
RECORDS_SQL = "SELECT substr(sha256(entity || ':' || key), 1, 32) AS id, ordinal FROM members"
"""Records by a hash of 128 bits of their name: no two ever share one."""


class _Index:
    """From 32 hexadecimal digits to an ordinal."""

    def __init__(self, ids: pa.Array, ordinals: pa.Array) -> None:
        digits = memoryview(ids.buffers()[2] or b"")[32 * ids.offset : 32 * (ids.offset + len(ids))]
        halves = np.frombuffer(bytes.fromhex(str(digits, "ascii")), dtype=">u8").reshape(-1, 2)
        high = halves[:, 0].astype(np.uint64)
        order = np.argsort(high)  # of equal first halves any order will do: `find` looks at all of them
        self._high = array("Q", high[order].tobytes())
        self._low = array("Q", halves[order, 1].astype(np.uint64).tobytes())
        buckets = np.arange(BUCKETS, dtype=np.uint64) << np.uint64(BUCKET_SHIFT)
        starts = np.searchsorted(high[order], buckets)
        self._starts = array("I", np.append(starts, len(high)).astype(np.uint32).tobytes())
        self._ordinals = array("i", ordinals.to_numpy(zero_copy_only=False)[order].astype(np.int32).tobytes())

    def find(self, digits: str) -> int | None:
        """The ordinal; None when the id is not there."""
        high = int(digits[:16], 16)
        bucket = high >> BUCKET_SHIFT
        place = bisect_left(self._high, high, self._starts[bucket], self._starts[bucket + 1])
        while place < len(self._high) and self._high[place] == high:
            if self._low[place] == int(digits[16:], 16):
                found: int = self._ordinals[place]
                return found
            place += 1
        return None


class Customers:
    """Customers of one generation, by CustomerId and by record. What is not asked for is not read."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._ids: _Index | None = None
        self._records: _Index | None = None
        self._entities: dict[str, str] = {}

    def open(self) -> "Customers":
        """Read the ids now, so that the first question is as fast as the others."""
        if self._ids is None:
            self._open()
        return self

    def ordinal(self, customer: str) -> int | None:
        """The ordinal of a CustomerId (retired ones resolve) or a record (`crm.Contacts:C-1`, `crm_Contacts:C-1`).

        None when nobody is called so; GONE for a customer without records. A record may be named by its key alone: that
        takes milliseconds; QueryError when several entities have it.
        """
        if CUSTOMER_ID.match(customer):
            return (self._ids or self._open()).find(customer)
        entity, colon, key = customer.partition(":")
        if colon:
            records = self._records or self._open_records()
            if (known := self._entities.get(entity)) is not None:
                return records.find(sha256(f"{known}:{key}".encode()).hexdigest()[:32])
        return self._by_key(customer)

    def _open(self) -> _Index:
        self._ids = _index(self._engine, IDS_SQL)
        return self._ids

    def _open_records(self) -> _Index:
        names = self._engine.fetch(Query("SELECT DISTINCT entity FROM members")).column(0).to_pylist()
        self._entities = {n: n for n in names} | {table_of(n): n for n in names}
        self._records = _index(self._engine, RECORDS_SQL)
        return self._records

    def _by_key(self, key: str) -> int | None:
        sql = "SELECT ordinal, entity FROM members WHERE key = $key ORDER BY entity"
        found = self._engine.fetch(Query(sql, {"key": key})).to_pylist()
        if len(found) > 1:
            which = ", ".join(f"{row['entity']}:{key}" for row in found)
            hint = f"say which: {which}"
            raise QueryError(f"{key!r} is a key of several entities", hint=hint)
        return int(found[0]["ordinal"]) if found else None


def _index(engine: Engine, sql: str) -> _Index:
    found = engine.fetch(Query(sql))
    return _Index(_array(found.column("id").cast(pa.string())), _array(found.column("ordinal")))


def _array(column: pa.ChunkedArray) -> pa.Array:
    """One array, whatever `combine_chunks` of this version gives back."""
    combined: Any = column.combine_chunks()
    if isinstance(combined, pa.ChunkedArray):
        return pa.concat_arrays(combined.chunks) if combined.num_chunks else pa.array([], combined.type)
    return combined
