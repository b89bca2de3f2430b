from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.incremental import replay, resolve
from unify.core.errors import SourceError, SpecError
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine

_spec = spec_from_file_location("oracle_replay", Path(__file__).parents[1] / "oracles" / "replay.py")
assert _spec is not None
assert _spec.loader is not None
oracle = module_from_spec(_spec)
_spec.loader.exec_module(oracle)

NOON = datetime(2024, 5, 17, 12, 0, tzinfo=UTC)
ROWS = pa.schema(
    [("Id", pa.string()), ("Updated", pa.timestamp("us")), ("hour", pa.timestamp("us")), ("Value", pa.int64())]
)
DELETES = pa.schema([("Id", pa.string()), ("Updated", pa.timestamp("us")), ("hour", pa.timestamp("us"))])


def folder(root: Path, *files: str) -> Path:
    for name in files:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("Id\n1\n")
    return root


def table(rows, schema):
    return pa.Table.from_pylist([dict(zip(schema.names, row, strict=True)) for row in rows], schema=schema)


def run(rows, deletes, *, delete_schema=DELETES):
    """Kept rows as a bag, and the counts."""
    with DuckDBEngine(threads=1) as engine:
        engine.load("rows", table(rows, ROWS))
        engine.load("gone", table(deletes, delete_schema))
        names = {"rows": "rows", "makes": "now", "key": "Id", "updated": "Updated", "hour": "hour"}
        counts = replay(engine, deletes="gone", **names).run(engine)
        kept = engine.fetch(Query("SELECT * FROM now")).to_pylist()
    return Counter(tuple(row.values()) for row in kept), asdict(counts)


def at(hour: int, minute: int = 0) -> datetime:
    return datetime.fromisoformat(f"2024-05-17T{hour:02}:{minute:02}")


# ── folders ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_files_are_found_with_their_hours(tmp_path):
    root = folder(
        tmp_path,
        "FullData/b.csv",
        "FullData/a.parquet",
        "FullData/_SUCCESS",
        "FullData/.DS_Store",
        "IncrementalData/2024/05/17/10/Upserts/u.csv",
        "IncrementalData/2024/05/17/09/Upserts/u.jsonl.gz",
        "IncrementalData/2024/05/17/09/Deletes/d.csv",
    )
    found = resolve(root, NOON)
    assert [p.name for p in found.full] == ["a.parquet", "b.csv"]
    assert [(h, p.name) for h, p in found.upserts] == [(at(9), "u.jsonl.gz"), (at(10), "u.csv")]
    assert [(h, p.name) for h, p in found.deletes] == [(at(9), "d.csv")]
    assert found.waiting == ()
    assert found.hours[root / "FullData/b.csv"] is None
    assert found.hours[root / "IncrementalData/2024/05/17/10/Upserts/u.csv"] == at(10)


def test_an_hour_is_read_once_it_is_over(tmp_path):
    root = folder(tmp_path, "FullData/a.csv", "IncrementalData/2024/05/17/11/Upserts/u.csv")
    early = resolve(root, NOON.replace(hour=11, minute=59, second=59))
    assert (early.upserts, early.waiting) == ((), (at(11),))
    late = resolve(root, NOON)
    assert ([h for h, _ in late.upserts], late.waiting) == ([at(11)], ())


def test_the_clock_is_read_in_utc(tmp_path):
    root = folder(tmp_path, "FullData/a.csv", "IncrementalData/2024/05/17/11/Upserts/u.csv")
    assert resolve(root, datetime.fromisoformat("2024-05-17T13:30:00+02:00")).waiting == (at(11),)
    assert resolve(root, datetime.fromisoformat("2024-05-17T07:30:00-05:00")).waiting == ()
    with pytest.raises(ValueError, match="time zone"):
        resolve(root, at(12))


def test_only_full_data_is_enough(tmp_path):
    assert resolve(folder(tmp_path, "FullData/a.csv"), NOON).upserts == ()


@pytest.mark.parametrize(
    ("files", "message", "hint"),
    [
        (["IncrementalData/2024/05/17/09/Upserts/u.csv"], "FullData is missing", "export of all rows"),
        (["FullData/_SUCCESS"], "FullData is empty", "export of all rows"),
        (["FullData/a.csv", "fulldata2/a.csv"], "does not belong", "did you mean FullData"),
        (["FullData/a.csv", "notes.txt"], "a file that does not belong", "holds only"),
        (["FullData/a.csv", "FullData/part/a.csv"], "a folder that does not belong", "directly into"),
        (["FullData/a.csv", "IncrementalData/24/05/17/09/Upserts/u.csv"], "'24' is not a year", "yyyy"),
        (["FullData/a.csv", "IncrementalData/2024/5/17/09/Upserts/u.csv"], "'5' is not a month", "yyyy"),
        (["FullData/a.csv", "IncrementalData/2024/02/30/09/Upserts/u.csv"], "day", "yyyy/mm/dd/hh"),
        (["FullData/a.csv", "IncrementalData/2024/05/17/24/Upserts/u.csv"], "hour", "yyyy/mm/dd/hh"),
        (["FullData/a.csv", "IncrementalData/2024/05/17/x.csv"], "'x.csv' is not a two-digit hour", "yyyy"),
        (["FullData/a.csv", "IncrementalData/2024/05/17/09/upsert/u.csv"], "does not belong", "did you mean Upserts"),
        (["FullData/a.csv", "IncrementalData/2024/05/17/09/u.csv"], "a file that does not belong", "holds only"),
    ],
)
def test_what_does_not_belong_is_an_error_with_a_next_move(tmp_path, files, message, hint):
    with pytest.raises(SourceError, match=message) as caught:
        resolve(folder(tmp_path, *files), NOON)
    assert hint in caught.value.hint
    assert caught.value.where.startswith(str(tmp_path))


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(SourceError, match="not a folder"):
        resolve(tmp_path / "nowhere", NOON)


# ── replay ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_later_time_wins_between_upsert_and_delete():
    rows = [
        ("a", at(1), None, 1),
        ("a", at(9, 30), at(9), 2),  # upserted after its delete: lives
        ("b", at(1), None, 3),
        ("b", at(9, 10), at(9), 4),  # deleted after its upsert: gone
        ("c", at(1), None, 5),  # never touched
    ]
    deletes = [("a", at(9, 20), at(9)), ("b", at(9, 20), at(9)), ("x", at(9), at(9))]
    kept, counts = run(rows, deletes)
    assert {row[0]: row[3] for row in kept} == {"a": 2, "c": 5}
    assert counts == {
        "rows": 5, "kept": 2, "from_upserts": 1, "superseded": 1, "deleted": 2,
        "deletes": 3, "deletes_applied": 1, "deletes_superseded": 1, "deletes_unknown": 1,
    }  # fmt: skip


def test_at_one_time_the_later_hour_wins_and_in_one_hour_the_delete():
    rows = [("a", at(1), None, 1), ("b", at(1), None, 2), ("b", at(1), at(10), 3), ("c", at(9), at(9), 4)]
    deletes = [("a", at(1), at(9)), ("b", at(1), at(9)), ("c", at(9), at(9))]
    kept, _ = run(rows, deletes)
    assert {row[0]: row[3] for row in kept} == {"b": 3}


def test_full_data_that_is_newer_than_an_old_increment_stands():
    kept, counts = run([("a", at(20), None, 1), ("a", at(9, 5), at(9), 2)], [("a", at(9, 30), at(9))])
    assert {row[3] for row in kept} == {1}
    assert (counts["superseded"], counts["deletes_superseded"]) == (1, 1)


def test_a_delete_file_may_hold_nothing_but_the_key():
    only_key = pa.schema([("Id", pa.string()), ("hour", pa.timestamp("us"))])
    rows = [("a", at(9, 59), at(9), 1), ("b", at(10), at(10), 2), ("b", at(1), None, 3)]
    kept, counts = run(rows, [("a", at(9)), ("b", at(8))], delete_schema=only_key)
    assert {row[3] for row in kept} == {2}  # a delete without a time counts as of the end of its hour
    assert counts["deletes_applied"] == counts["deletes_superseded"] == 1


def test_rows_without_key_are_left_for_the_key_check():
    kept, counts = run([(None, at(1), None, 1), (None, at(9), at(9), 2)], [(None, at(9), at(9))])
    assert sum(kept.values()) == counts["kept"] == 2
    assert counts["deletes_unknown"] == 1


def test_duplicates_inside_full_data_stay_for_the_duplicates_option():
    kept, counts = run([("a", at(1), None, 1), ("a", at(2), None, 2)], [])
    assert sum(kept.values()) == 2
    assert counts["superseded"] == 0


def test_without_delete_files_and_with_dates():
    hour = pa.array([None, 3600 * 10**6, None], pa.timestamp("us"))
    rows = pa.table({"Id": [1, 1, 2], "On": pa.array([1, 2, 3], pa.date32()), "hour": hour})
    with DuckDBEngine(threads=1) as engine:
        engine.load("rows", rows)
        plan = replay(engine, rows="rows", deletes=None, makes="now", key="Id", updated="On", hour="hour")
        assert plan.run(engine).superseded == 1
        assert [step.makes for step in plan.steps] == ["now_events", "now_last", "now"]


def test_columns_are_checked():
    with DuckDBEngine(threads=1) as engine:
        engine.load("rows", table([("a", at(1), None, 1)], ROWS))
        engine.load("gone", pa.table({"ID": ["a"], "hour": pa.array([at(9)])}))
        names = {"rows": "rows", "makes": "now", "hour": "hour"}
        with pytest.raises(SpecError, match="no column 'Updatd'"):
            replay(engine, deletes=None, key="Id", updated="Updatd", **names)
        with pytest.raises(SpecError, match="'Value' is BIGINT"):
            replay(engine, deletes=None, key="Id", updated="Value", **names)
        with pytest.raises(SpecError, match="no key column 'Id'") as caught:
            replay(engine, deletes="gone", key="Id", updated="Updated", **names)
        assert "did you mean ID" in caught.value.hint


hours = st.sampled_from([at(8), at(9), at(10)])
times = st.none() | st.sampled_from([at(7), at(8, 30), at(9), at(9, 30), at(10), at(11)])
keys = st.sampled_from(["a", "b", "c"]) | st.none()
some_rows = st.lists(st.tuples(keys, times, st.none() | hours, st.integers(0, 2)), max_size=14)
some_deletes = st.lists(st.tuples(keys, times, hours), max_size=8)


@settings(max_examples=120, deadline=None)
@given(some_rows, some_deletes, st.randoms(use_true_random=False))
def test_replay_agrees_with_a_dict_and_with_any_order(rows, deletes, random):
    expected, counts = oracle.replay(rows, deletes)
    random.shuffle(rows)
    random.shuffle(deletes)
    kept, counted = run(rows, deletes)
    assert kept == Counter(expected)
    assert counted == counts
    assert counted["rows"] == counted["kept"] + counted["superseded"] + counted["deleted"]
