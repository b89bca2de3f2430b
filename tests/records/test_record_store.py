"""The record store: what it keeps, what it refuses, and what followers of a table hear."""

import os
import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from unify.core.errors import SpecError, StoreError
from unify.records import Column, Kind, RecordStore, Table
from unify.records.errors import ForgottenError, KeyTakenError, NoSuchRowError, RecordError, VersionError

ID = "00000000-0000-0000-0000-00000000000{}"
EVERY = Table(
    "every",
    tuple(Column(kind.value, kind, scale=2 if kind is Kind.DECIMAL else 0) for kind in Kind),
    key=("guid",),
    keys={"by text": ("text",)},
)
VALUES = {
    "text": "Zoë", "integer": -(2**63), "decimal": Decimal("-12.34"), "double": 0.1, "boolean": True,
    "date": date(1900, 1, 1), "datetime": datetime(1, 2, 3, 4, 5, 6, 7, UTC), "guid": ID.format(1), "binary": b"\0",
}  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> RecordStore:
    made = RecordStore(tmp_path)
    with made.write() as writing:
        writing.define(EVERY)
    return made


def test_nothing_is_made_before_the_first_write(tmp_path: Path) -> None:
    with RecordStore(tmp_path).read() as reading:
        assert (dict(reading.tables()), reading.version) == ({}, 0)
    assert list(tmp_path.iterdir()) == []


def test_every_kind_comes_back_as_it_went_in(store: RecordStore) -> None:
    with store.write() as writing:
        writing.insert("every", [VALUES, {"guid": ID.format(2)}])
    with store.read() as reading:
        assert reading.get("every", [ID.format(1)]).values == VALUES
        assert reading.get("every", [ID.format(2)]).values == {**dict.fromkeys(EVERY.names), "guid": ID.format(2)}
        assert [row.version for row in reading.rows("every")] == [reading.version - 1, reading.version]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("text", "a\0"), ("text", "\ud800"), ("text", 1), ("integer", 2**63), ("integer", True), ("decimal", Decimal("0.001")),
        ("decimal", float("nan")), ("decimal", Decimal("1e30")), ("double", float("inf")), ("boolean", 1), ("date", VALUES["datetime"]),
        ("datetime", datetime(2026, 1, 1)),  # noqa: DTZ001
        ("guid", "x" * 36), ("guid", None), ("nobody", 1),
    ],
)  # fmt: skip
def test_what_a_column_cannot_hold_is_refused_whole(store: RecordStore, column: str, value: object) -> None:
    with pytest.raises(Exception, match=column) as caught, store.write() as writing:
        writing.insert("every", [{"guid": ID.format(2)}, {"guid": ID.format(3), column: value}])
    assert caught.value.where == column
    with store.read() as reading:
        assert reading.count("every") == 0


def test_keys_tell_rows_apart(store: RecordStore) -> None:
    with store.write() as writing:
        writing.insert("every", [VALUES])
    with pytest.raises(KeyTakenError) as caught, store.write() as writing:
        writing.insert("every", [{"guid": ID.format(1)}])
    assert caught.value.where == "guid"
    with store.write() as writing:
        writing.insert("every", [{"guid": ID.format(2), "text": "b"}, {"guid": ID.format(3)}, {"guid": ID.format(4)}])
    with pytest.raises(KeyTakenError) as caught, store.write() as writing:
        writing.update("every", [ID.format(3)], {"text": "B"})
    assert caught.value.where == "by text"


def test_a_writer_that_saw_an_older_row_is_told(store: RecordStore) -> None:
    with store.write() as writing:
        seen = writing.insert("every", [VALUES])
        new = writing.update("every", [ID.format(1)], {"text": "new"}, version=seen)
        assert new == seen + 1
        with pytest.raises(VersionError):
            writing.update("every", [ID.format(1)], {"text": "newer"}, version=seen)
        with pytest.raises(VersionError):
            writing.delete("every", [ID.format(1)], version=seen)
        with pytest.raises(NoSuchRowError):
            writing.delete("every", [ID.format(2)])
        with pytest.raises(RecordError):
            writing.update("every", [ID.format(1)], {"guid": ID.format(2)})


def test_followers_hear_of_every_write_and_of_what_is_gone(store: RecordStore) -> None:
    with store.write() as writing:
        writing.insert("every", [VALUES, {"guid": ID.format(2)}, {"guid": ID.format(3)}])
    with store.read() as reading:
        first = reading.changes("every", 0)
    assert (len(first.rows), first.gone) == (3, [])
    with store.write() as writing:
        writing.delete("every", [ID.format(2)])
        writing.delete("every", [ID.format(3)])
        writing.insert("every", [{"guid": ID.format(3)}])
        writing.update("every", [ID.format(1)], {"integer": 7})
    with store.read() as reading:
        then = reading.changes("every", first.version)
        assert [row.values["guid"] for row in then.rows] == [ID.format(3), ID.format(1)]
        assert [key for key, _ in then.gone] == [(ID.format(2),)]
        assert reading.changes("every", then.version).rows == []


def test_a_table_gets_wider_and_keeps_its_rows(store: RecordStore) -> None:
    with store.write() as writing:
        writing.insert("every", [VALUES])
        wider = Table("every", (*EVERY.columns, Column("more", Kind.INTEGER)), ("guid",), {"by more": ("more",)})
        writing.define(wider)
        assert writing.table("every") == wider
        writing.update("every", [ID.format(1)], {"more": 1})
        writing.insert("every", [{"guid": ID.format(2), "text": "Zoë"}])  # the alternate key of before is gone
        with pytest.raises(Exception, match="holds rows"):
            writing.define(Table("every", (Column("guid", Kind.TEXT),), ("guid",)))
        writing.drop("every")
        assert "every" not in writing.tables()


def test_what_raises_is_undone(store: RecordStore) -> None:
    with pytest.raises(ZeroDivisionError), store.write() as writing:  # noqa: PT012
        writing.insert("every", [VALUES])
        raise ZeroDivisionError
    with store.read() as reading:
        assert reading.count("every") == 0


def test_many_processes_may_be_the_first(tmp_path: Path) -> None:
    """Six at once, ten times: each finds the tables or makes them, whoever comes first."""
    for number in range(10):
        folder = tmp_path / str(number)
        folder.mkdir()
        start = time.monotonic() + 0.02
        children = []
        for _ in range(6):
            if (child := os.fork()) == 0:
                code = 1
                try:
                    while time.monotonic() < start:
                        pass
                    store = RecordStore(folder)
                    with store.read() as reading:
                        dict(reading.tables())
                    with store.write() as writing:
                        writing.define(EVERY)
                    code = 0
                finally:
                    os._exit(code)
            children.append(child)
        assert [os.waitpid(child, 0)[1] for child in children] == [0] * 6
        with RecordStore(folder).read() as reading:
            assert dict(reading.tables()) == {"every": EVERY}


def test_many_rows_are_updated_and_deleted_in_one_go(store: RecordStore) -> None:
    keys = [[ID.format(n)] for n in range(4)]
    with store.write() as writing:
        writing.insert("every", [{"guid": key[0]} for key in keys])
        last = writing.update_many(
            "every", [(keys[0], {"text": "a"}), (keys[1], {"integer": 1}), (keys[0], {"text": "b"})]
        )
        assert [writing.get("every", key).version for key in keys[:2]] == [last, last - 1]
        assert writing.get("every", keys[0]).values["text"] == "b"
        with pytest.raises(NoSuchRowError):
            writing.update_many("every", [(keys[1], {"text": "c"}), ([ID.format(9)], {"text": "d"})])
        before = writing.version
        assert writing.delete_many("every", [keys[2], [ID.format(9)], keys[3], keys[2]]) == 2
        assert [(key, version > before) for key, version in writing.changes("every", before).gone] == [
            ((k[0],), True) for k in keys[2:]
        ]
        assert [r.values["guid"] for r in writing.many("every", "guid", [keys[1][0], keys[2][0]])] == keys[1]
        assert writing.absent("every", "guid", [k[0] for k in keys]) == keys[2][0]


def test_what_was_deleted_is_forgotten_after_a_week(store: RecordStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with store.write() as writing:
        writing.insert("every", [{"guid": ID.format(n)} for n in range(3)])
        since = writing.version
        writing.delete("every", [ID.format(0)])
    with store.read() as reading:
        assert len(reading.changes("every", since).gone) == 1
    monkeypatch.setattr("unify.records.store.REMEMBERED", timedelta(seconds=-1))
    with store.write() as writing:
        writing.delete("every", [ID.format(1)])
    with store.read() as reading:
        with pytest.raises(ForgottenError):
            reading.changes("every", since)
        assert reading.changes("every", reading.version).gone == []
        assert len(reading.changes("every", 0).rows) == 1
    with store.write() as writing:
        now = writing.version
        writing.forget("every", [[ID.format(1)]])
    with store.read() as reading:
        assert reading.purged == now
        assert reading.connection.execute("SELECT count(*) FROM gone").fetchone()[0] == 0


def test_columns_go_and_get_more_digits(store: RecordStore) -> None:
    with store.write() as writing:
        writing.insert("every", [VALUES])
        writing.rescale("every", "decimal", 5)
        assert writing.get("every", [ID.format(1)]).values["decimal"] == Decimal("-12.34")
        with pytest.raises(RecordError, match="no room"):
            writing.rescale("every", "decimal", 18)
        writing.remove_column("every", "binary", {"kept": True})
        assert "binary" not in writing.table("every").names
        assert writing.table("every").about == {"kept": True}
        for key in ("guid", "text"):
            with pytest.raises(SpecError, match="part of the key"):
                writing.remove_column("every", key, {})
        assert writing.longest("every", "text") == 3


def test_a_store_that_cannot_be_written_says_so(store: RecordStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unify.records.store.BUSY_S", 0.05)
    with store.write(), pytest.raises(StoreError, match="somebody else"), store.write():
        pass
    store.path.write_bytes(b"no database at all" * 1000)
    with pytest.raises(StoreError, match="damaged"), store.read() as reading:
        reading.tables()
