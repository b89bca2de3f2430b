"""What a snapshot is made of: values, indexes, members, files."""

import random
import struct
from datetime import date, time
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segments.odata.answers.formats import converted, json_text
from segments.predicates.fields import type_of_sql
from unify.core.errors import StoreError
from unify.core.names import quote
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.service.hot import index
from unify.service.hot.members import (
    BLOCK,
    Everybody,
    Listed,
    Marked,
    Members,
    intersection,
    read_members,
    union,
    write_members,
)
from unify.service.hot.packed import Pack, PackWriter
from unify.service.hot.texts import Texts
from unify.service.hot.values import json_sql

# ── values ───────────────────────────────────────────────────────────────────────────────────────────────────────────

DOUBLES = st.floats(width=64)
COLUMNS = {
    "VARCHAR": st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
    | st.text('\\"\n\t\x00\x1f\x7fé%', max_size=9),
    "BOOLEAN": st.booleans(),
    "BIGINT": st.integers(-(2**63), 2**63 - 1),
    "DOUBLE": DOUBLES,
    "FLOAT": st.floats(width=32),
    "DECIMAL(18,2)": st.decimals(-(10**15), 10**15, places=2),
    "DECIMAL(5,5)": st.decimals(Decimal("-0.99999"), Decimal("0.99999"), places=5),
    "DECIMAL(38,0)": st.integers(-(10**37), 10**37).map(Decimal),
    "DATE": st.dates(date(1, 1, 1)),
    "TIMESTAMP": st.datetimes(),
    "TIME": st.times(),
    "UUID": st.uuids(),
}


TABLE = {kind: st.lists(st.none() | values, min_size=12, max_size=12) for kind, values in COLUMNS.items()}


@settings(max_examples=12, deadline=None)
@given(st.fixed_dictionaries(TABLE))
def test_sql_writes_values_as_odata_does(columns: dict[str, list[object]]) -> None:
    kinds = {f'c "{n}': kind for n, kind in enumerate(columns)}
    declared = ", ".join(f"{quote(name)} {kind}" for name, kind in kinds.items())
    rows = zip(*([str(v) if isinstance(v, UUID) else v for v in values] for values in columns.values()), strict=True)
    made_by = ", ".join(f"{json_sql(name, type_of_sql(kind), kind)} AS j{kind[:2]}" for name, kind in kinds.items())
    shown = [f"CAST({quote(c)} AS VARCHAR) AS {quote(c)}" if k == "UUID" else quote(c) for c, k in kinds.items()]
    with DuckDBEngine() as engine:
        engine.connection.execute(f"CREATE TABLE t (n INTEGER, {declared})")
        marks = ", ".join("?" * (len(kinds) + 1))
        engine.connection.executemany(f"INSERT INTO t VALUES ({marks})", [(n, *row) for n, row in enumerate(rows)])
        made = engine.fetch(Query(f"SELECT {made_by} FROM t ORDER BY n"))
        back = engine.fetch(Query(f"SELECT {', '.join(shown)} FROM t ORDER BY n"))
    for n, kind in enumerate(kinds.values()):
        texts = made.column(n).to_pylist()
        assert texts == [json_text(v) for v in converted(back.column(n).to_pylist(), type_of_sql(kind))]
        assert not any("\n" in text for text in texts)


@pytest.mark.parametrize(
    "sql_type", ["INTEGER[]", "STRUCT(a INTEGER)", "BLOB", "TIMESTAMP WITH TIME ZONE", "TIMESTAMP_NS"]
)
def test_what_sql_would_write_otherwise_is_written_by_hand(sql_type: str) -> None:
    assert json_sql("x", type_of_sql(sql_type), sql_type) is None


def test_doubles_of_all_sizes_are_the_shortest_text() -> None:
    draw = random.Random(7)
    values = [struct.unpack("<d", draw.randbytes(8))[0] for _ in range(5_000)] + [
        1e15,
        1e16,
        1e22,
        5e-324,
        -0.0,
        0.1 + 0.2,
    ]
    with DuckDBEngine() as engine:
        engine.load("t", pa.table({"n": pa.array(range(len(values))), "v": pa.array(values)}))
        sql = json_sql("v", type_of_sql("DOUBLE"), "DOUBLE")
        made = engine.fetch(Query(f"SELECT {sql} AS j FROM t ORDER BY n")).column(0).to_pylist()
    assert made == [json_text(v) for v in converted(values, type_of_sql("DOUBLE"))]


def test_rows_are_put_together_as_they_were_taken_apart() -> None:
    texts = Texts(["a", 'b"%s', "c"])
    values = b'1\n"x\\n%b"\nnull'
    assert texts.whole.row(values) == b'{"a":1,"b\\"%s":"x\\n%b","c":null}'
    for names in (("c",), ("c", "a"), ("a", "c", "a")):
        shape = texts.shape(names)
        assert shape is not None
        assert shape.rows([values, values]) == b",".join([shape.row(values)] * 2)
    one = texts.shape(("c",))
    assert one is not None
    assert (one.row(values), one.suffix) == (b'{"c":null}', b"(c)")
    assert texts.shape(("d",)) is None
    assert texts.whole.rows([]) == b""
    assert texts.whole.rows([values] * 250) == b",".join([texts.whole.row(values)] * 250)


# ── indexes ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=40, deadline=None)
@given(
    st.sets(st.integers(0, 2**128 - 1) | st.integers(0, 300) | st.integers(0, 9).map(lambda n: n << 64), max_size=60)
)
def test_an_index_finds_what_is_there_and_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, keys: set[int]
) -> None:
    digits = [f"{key:032x}" for key in keys]
    halves = index.halves(pa.array(digits, pa.string()))
    order = index.order_of(halves)
    path = tmp_path_factory.mktemp("index") / "x"
    with PackWriter(path) as pack:
        index.write(pack, "mine", halves[order], None)
        index.write(pack, "other", halves[order], np.arange(len(keys))[::-1].astype(np.int32))
        pack.finish({})
    packed = Pack(path)
    mine, other = index.Index(packed, "mine", places=False), index.Index(packed, "other", places=True)
    for place, text in enumerate(sorted(digits)):
        assert (mine.find(text), mine.find(text.encode()), mine.digits(place)) == (place, place, text)
        assert other.find(text) == len(keys) - 1 - place
    for key in (0, 1, 2**64, 2**128 - 1, 299):
        assert (mine.find(f"{key:032x}") is None) == (key not in keys)


# ── members ──────────────────────────────────────────────────────────────────────────────────────────────────────────

SETS = st.tuples(st.integers(1, BLOCK + 100), st.sampled_from([1, 2, 3, 7, 50, 400, 10_000]), st.integers(0, 99))


def packed(folder: Path, places: list[int], customers: int) -> Members:
    path = folder / sha256(repr((places, customers)).encode()).hexdigest()
    with PackWriter(path) as pack:
        said = write_members(pack, 0, np.array(places, np.uint32), customers)
        pack.finish({})
    return read_members(Pack(path), 0, said)


@settings(max_examples=25, deadline=None)
@given(SETS, SETS, st.integers(0, BLOCK), st.integers(0, 300))
def test_members_are_a_sorted_set(
    tmp_path_factory: pytest.TempPathFactory,
    one: tuple[int, int, int],
    two: tuple[int, int, int],
    begin: int,
    count: int,
) -> None:
    folder = tmp_path_factory.mktemp("members")
    customers = max(one[0], two[0])
    sets = [[n for n in range(customers) if (n * 7919 + seed) % every == 0] for _, every, seed in (one, two)]
    made = [packed(folder, places, customers) for places in sets]
    made += [union(made), intersection(made), Everybody(customers)]
    sets += [sorted({*sets[0], *sets[1]}), sorted({*sets[0]} & {*sets[1]}), list(range(customers))]
    for members, places in zip(made, sets, strict=True):
        there = set(places)
        assert members.count == len(places)
        assert list(members.slice(begin, count)) == places[begin : begin + count]
        for place in {p for p in (0, 1, 7, 8, BLOCK - 1, BLOCK, begin, customers - 1) if p < customers}:
            assert members.has(place) == (place in there)
            assert members.before(place) == sum(1 for p in places if p < place)
        assert np.flatnonzero(np.unpackbits(members.bits(), bitorder="little"))[:customers].tolist() == places


def test_many_are_marked_and_few_are_listed(tmp_path: Path) -> None:
    assert isinstance(packed(tmp_path, [1, 2], 64), Listed)
    assert isinstance(packed(tmp_path, [1, 2, 3], 64), Marked)
    assert packed(tmp_path, [], 64).count == 0


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_has_its_name_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.rows"
    with pytest.raises(TypeError), PackWriter(path) as pack:
        pack.section("a", [b"abc", "no bytes"])
    assert list(tmp_path.iterdir()) == []
    with PackWriter(path) as pack:
        pack.section("a", [b"abc", np.arange(3, dtype=np.uint8)])
        pack.section("empty", [])
        pack.finish({"n": 1})
    assert path.stat().st_mode & 0o777 == 0o600
    whole = Pack(path)
    assert (whole.facts, whole.bytes("a").tobytes()) == ({"n": 1}, b"abc\x00\x01\x02")
    assert len(whole.numbers("empty", "Q")) == 0
    path.unlink()
    assert whole.bytes("a").tobytes() == b"abc\x00\x01\x02"  # who has it mapped keeps it


@pytest.mark.parametrize("content", [b"", b"x", b"x" * 100, b"UNIFYHOT" + b"\xff" * 12])
def test_a_foreign_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(StoreError):
        Pack(tmp_path / "x")


def test_times_of_day_have_the_decimals_they_have() -> None:
    with DuckDBEngine() as engine:
        sql = json_sql("v", type_of_sql("TIME"), "TIME")
        engine.connection.execute("CREATE TABLE t AS SELECT TIME '12:00:00.250' AS v")
        [made] = engine.fetch(Query(f"SELECT {sql} AS j FROM t")).column(0).to_pylist()
    assert made == json_text(converted([time(12, 0, 0, 250_000)], type_of_sql("TIME"))[0]) == '"12:00:00.25"'
