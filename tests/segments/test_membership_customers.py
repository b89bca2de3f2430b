"""From ids and records to ordinals, against a dict."""

from hashlib import sha256

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segments.membership.customers import GONE, Customers
from unify.core.errors import QueryError
from unify.engines.duckdb import DuckDBEngine

HALVES = st.sampled_from(
    ["0" * 16, "f" * 16, "00000000000000ff", "abcdef0123456789", "abcd000000000000", "abce000000000000"]
)
IDS = st.builds(str.__add__, HALVES, HALVES)


def engine_with(ids: dict[str, int], members: list[tuple[str, str, int]], gone: dict[str, str | None]) -> DuckDBEngine:
    """An engine with the two tables that are read: active ids, records, and retired ids with their successors."""
    engine = DuckDBEngine()
    rows = [(i, n, None, None) for i, n in ids.items()]
    rows += [(i, 900_000 + n, 7, successor) for n, (i, successor) in enumerate(gone.items())]
    columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
    types = {"CustomerId": pa.string(), "ordinal": pa.int32(), "retired_run": pa.int64(), "successor": pa.string()}
    engine.load("customer_ids", pa.table({k: pa.array(c, t) for (k, t), c in zip(types.items(), columns, strict=True)}))
    parts = list(zip(*members, strict=True)) or [(), (), ()]
    kinds = {"entity": pa.string(), "key": pa.string(), "ordinal": pa.int32()}
    engine.load("members", pa.table({k: pa.array(c, t) for (k, t), c in zip(kinds.items(), parts, strict=True)}))
    return engine


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(IDS, st.integers(0, 2**31 - 1), max_size=20), st.lists(IDS, max_size=20))
def test_ids_are_found_as_in_a_dict(ids: dict[str, int], others: list[str]) -> None:
    """Halves that many ids share, at both ends of what 16 digits can say, and no id at all."""
    with engine_with(ids, [], {}) as engine:
        customers = Customers(engine).open()
        for one in [*ids, *others]:
            assert customers.ordinal(one) == ids.get(one)


def test_many_ids() -> None:
    ids = {sha256(str(n).encode()).hexdigest()[:32]: n for n in range(20_000)}
    with engine_with(ids, [], {}) as engine:
        customers = Customers(engine).open()
        assert {one: customers.ordinal(one) for one in ids} == ids
        assert all(customers.ordinal(sha256(f"x{n}".encode()).hexdigest()[:32]) is None for n in range(1000))


def test_retired_ids_records_and_keys() -> None:
    active, merged, gone = "a" * 32, "b" * 32, "c" * 32
    members = [("crm.Contacts", "C:1", 5), ("crm.Contacts", "Ünï", 6), ("web.Users", "U", 6), ("crm.Contacts", "U", 5)]
    with engine_with({active: 5, "d" * 32: 6}, members, {merged: active, gone: None}) as engine:
        customers = Customers(engine)
        assert (customers.ordinal(merged), customers.ordinal(gone)) == (5, GONE)
        assert customers.ordinal("crm.Contacts:C:1") == customers.ordinal("crm_Contacts:C:1") == 5
        assert customers.ordinal("crm.Contacts:Ünï") == 6
        assert customers.ordinal("Ünï") == 6
        assert customers.ordinal("C:1") == 5, "a key that looks like entity and key"
        for nobody in ("crm.Contacts:c:1", "crm.Contacts:", "web.Users:C:1", "", ":", "A" * 32, "a" * 31, "a" * 33):
            assert customers.ordinal(nobody) is None
        with pytest.raises(QueryError, match="'U' is a key of several entities") as caught:
            customers.ordinal("U")
        assert caught.value.hint == "say which: crm.Contacts:U, web.Users:U"
