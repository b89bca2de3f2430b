"""What Store, Build and Reader promise, in one process."""

import json
import os
import shutil
import sqlite3
import time
from pathlib import Path

import crash_harness as harness
import duckdb
import pytest

from unify.core.errors import InstanceNotFoundError, StoreError
from unify.store import Reader, Store, catalog
from unify.store.lease import HEARTBEAT_SECONDS


def build_one(root: Path, keep: int = 5, **more: object) -> int:
    store = Store.open(root)
    with store.lease("run") as lease, store.begin(lease, project="hash") as build:
        harness.write_tables(build, rows=10)
        return build.publish({"rows": 10}, keep, **more).number  # type: ignore[arg-type]


# Making and opening


def test_no_instance(tmp_path: Path) -> None:
    with pytest.raises(InstanceNotFoundError, match="unify init"):
        Store.open(tmp_path / "acme")
    (tmp_path / "file").write_text("x")
    for verb in (Store.open, Store.create, Store.open_or_create):
        with pytest.raises(StoreError):
            verb(tmp_path / "file")
    assert not (tmp_path / "acme").exists()


def test_create_refuses_what_is_not_ours(tmp_path: Path, acme: Path) -> None:
    with pytest.raises(StoreError, match="instance already"):
        Store.create(acme)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.doc").write_text("x")
    with pytest.raises(StoreError, match=r"other files \(chapter1.doc\)"):
        Store.open_or_create(tmp_path / "thesis")
    assert [p.name for p in (tmp_path / "thesis").iterdir()] == ["chapter1.doc"]


def test_a_new_instance_is_empty(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "deep" / "down" / "acme")
    assert (store.published(), store.generations(), store.runs(), store.lease_holder()) == (None, [], [], None)
    assert {p.name for p in store.path.iterdir() if p.is_dir()} == {
        "generations",
        "memberships",
        "incoming",
        "rejected",
    }
    with pytest.raises(StoreError, match="nothing has been published yet"):
        Reader(store)
    with pytest.raises(StoreError, match="nothing has run yet"):
        store.run(1)


def test_damaged_catalog(acme: Path) -> None:
    (acme / "catalog.sqlite").write_bytes(b"SQLite format 2\0" * 1000)
    with pytest.raises(StoreError, match="damaged"):
        Store.open(acme).published()


def test_catalog_of_a_newer_unify(acme: Path) -> None:
    with sqlite3.connect(acme / "catalog.sqlite") as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    store = Store.open(acme)
    for verb in (store.published, lambda: store.save_definition("k", "n", 1)):
        with pytest.raises(StoreError, match="newer unify"):
            verb()


def test_an_older_catalog_is_read_and_the_next_writer_brings_it_up_to_date(
    acme: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One more migration is the first one's again in miniature: several statements, one transaction."""
    scripts = acme.parent / "sql"
    shutil.copytree(Path(catalog.__file__).parent / "sql", scripts / "sql")
    (scripts / "sql" / "9999_notes.sql").write_text(
        "CREATE TABLE notes (text TEXT);\nINSERT INTO notes VALUES ('a;b');\n"
    )
    monkeypatch.setattr(catalog.resources, "files", lambda _: scripts)
    monkeypatch.setattr(catalog, "MIGRATIONS", (*catalog.MIGRATIONS, "9999_notes.sql"))
    needed = len(catalog.MIGRATIONS)
    before = (acme / "catalog.sqlite").read_bytes()
    old = Store.open(acme)
    published = old.published()
    assert published is not None
    assert published.number == 2
    with old._catalog.read() as connection:  # a copy; the file waits for a writer
        assert connection.execute("SELECT text FROM notes").fetchone()[0] == "a;b"
    assert (acme / "catalog.sqlite").read_bytes() == before
    assert build_one(acme) == 3
    with Store.open(acme)._catalog.read() as connection:
        assert connection.execute("SELECT text FROM notes").fetchone()[0] == "a;b"
        assert connection.execute("PRAGMA user_version").fetchone()[0] == needed
    harness.assert_tidy(acme)


def test_an_instance_can_be_moved(acme: Path) -> None:
    moved = acme.rename(acme.parent / 'Łódź & söhne\'s "#1" 100%')
    build_one(moved)
    with Reader(Store.open(moved)) as reader:
        assert harness.look(reader) == 3
    harness.assert_tidy(moved)


def test_a_path_that_duckdb_cannot_write_to(acme: Path) -> None:
    with pytest.raises(StoreError, match=r"holds '\?'"):
        Store.create(acme.parent / "why?")
    with pytest.raises(StoreError, match=r"holds '\?'"):
        build_one(acme.rename(acme.parent / "why?"))


# Runs


def test_run_row_and_report(acme: Path) -> None:
    number = build_one(acme, summary={"customers": 10}, marks={"ordinal": 41})
    store = Store.open(acme)
    run, generation = store.run(number), store.published()
    assert generation is not None
    assert (run.state, run.project, run.purpose, run.pid, run.report) == (
        "published",
        "hash",
        "run",
        os.getpid(),
        {"rows": 10},
    )
    assert run.finished is not None
    assert run.started <= run.finished
    assert store.run(run.run_id) == run
    assert (generation.rows, generation.summary, generation.current) == ({"a": 10, "b": 10}, {"customers": 10}, True)
    assert len({r.run_id for r in store.runs()}) == 3
    assert [r.number for r in store.runs(2)] == [3, 2]
    with pytest.raises(StoreError, match="runs go from 1 to 3"):
        store.run(17)


def test_failed_run_changes_nothing(acme: Path) -> None:
    before = harness.fingerprint(acme)
    store = Store.open(acme)
    with (  # noqa: PT012 (what is tested is how the block is left)
        pytest.raises(KeyError, match="no such") as caught,
        store.lease("run") as lease,
        store.begin(lease) as build,
    ):
        harness.write_tables(build)
        build.path.with_suffix(".spill").mkdir()
        raise KeyError("no such column")
    assert not hasattr(caught.value, "__notes__")
    assert harness.fingerprint(acme) == before
    run = store.runs(1)[0]
    assert run.state == "failed"
    assert run.error == {"error": "KeyError", "message": "'no such column'", "where": "", "hint": ""}
    harness.assert_tidy(acme)


def test_leaving_without_publishing_is_a_failure(acme: Path) -> None:
    store = Store.open(acme)
    with store.lease("run") as lease, store.begin(lease):
        pass
    run = store.runs(1)[0]
    assert run.error is not None
    assert "without publishing" in run.error["message"]


def test_a_build_is_used_once(acme: Path) -> None:
    store = Store.open(acme)
    with store.lease("run") as lease:
        build = store.begin(lease)
        with pytest.raises(StoreError, match="still building"):
            store.begin(lease)
        harness.write_tables(build)
        build.publish({}, 5)
        for verb in (lambda: build.publish({}, 5), lambda: build.fail({})):
            with pytest.raises(StoreError, match="is finished"):
                verb()
        second = store.begin(lease)
        second.fail({"error": "Cancelled"})
    assert [run.state for run in store.runs(2)] == ["failed", "published"]


@pytest.mark.parametrize("broken", ["nothing built", "junk", "still open", "keep 0", "report", "lease", "lock file"])
def test_publish_refuses(acme: Path, broken: str) -> None:
    before = harness.fingerprint(acme)
    store = Store.open(acme)
    expected = {
        "nothing built": "nothing was built",
        "junk": "damaged",
        "still open": "still open|open elsewhere",
        "keep 0": "cannot keep 0",
        "report": "not JSON",
        "lease": "lease was released",
        "lock file": "lock file was removed",
    }[broken]
    opened = None
    with (  # noqa: PT012
        pytest.raises(StoreError, match=expected),
        store.lease("run") as lease,
        store.begin(lease) as build,
    ):
        if broken == "junk":
            build.path.write_bytes(b"no DuckDB file" * 1000)
        elif broken == "still open":
            opened = duckdb.connect(str(build.path))
            opened.execute("CREATE TABLE t AS SELECT 1")
        elif broken != "nothing built":
            harness.write_tables(build)
        if broken == "lease":
            lease.release()
        if broken == "lock file":
            (acme / "lease.lock").unlink()
        build.publish({"no": object()} if broken == "report" else {}, keep=0 if broken == "keep 0" else 5)
    if opened is not None:
        opened.close()
    assert harness.fingerprint(acme) == before
    assert store.runs(1)[0].state == "failed"
    build_one(acme)
    harness.assert_tidy(acme)


def test_a_run_that_was_declared_dead_cannot_publish(acme: Path) -> None:
    """Only possible when somebody deleted the lock file; the transaction says no once more."""
    store = Store.open(acme)
    with (  # noqa: PT012
        pytest.raises(StoreError, match="another writer took over"),
        store.lease("run") as lease,
        store.begin(lease) as build,
    ):
        harness.write_tables(build)
        with store._catalog.write("begin") as connection:
            connection.execute("UPDATE runs SET state = 'killed' WHERE state = 'running'")
        build.publish({}, 5)
    assert harness.fingerprint(acme)[0] == 2


def test_a_lease_is_for_one_instance(acme: Path, template: Path) -> None:
    with Store.open(acme).lease("run") as lease, pytest.raises(StoreError, match="this lease is for"):
        Store.open(template).begin(lease)


def test_lease_heartbeat(acme: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert HEARTBEAT_SECONDS <= 10
    monkeypatch.setattr("unify.store.lease.HEARTBEAT_SECONDS", 0.02)
    store = Store.open(acme)
    with store.lease("ünify 😀" * 1000):
        first = store.lease_holder()
        assert first is not None
        until = time.monotonic() + 10
        while (later := store.lease_holder()) == first and time.monotonic() < until:
            time.sleep(0.02)
    assert later is not None
    assert later.heartbeat > first.heartbeat
    assert (later.started, later.pid, later.purpose) == (first.started, os.getpid(), ("ünify 😀" * 1000)[:150])
    assert store.lease_holder() is None


# Keeping, sweeping, rolling back


def test_keep(acme: Path) -> None:
    for keep, kept in ((5, [3, 2, 1]), (2, [4, 3]), (3, [5, 4, 3]), (1, [6])):
        build_one(acme, keep)
        assert [g.number for g in Store.open(acme).generations()] == kept
        harness.assert_tidy(acme)


def test_sweeping_leaves_alone_what_is_not_ours(acme: Path) -> None:
    folder = acme / "generations"
    mine = ["notes.txt", "000001.duckdb.gz.part", "1.duckdb", "backup-000001.duckdb"]
    left = ["000099.duckdb", "000099.duckdb.wal", "000098.spill", "000002.duckdb.wal.recovery"]
    for name in mine[:1] + mine[2:] + left[:2] + left[3:]:
        (folder / name).write_text("x")
    (folder / left[2]).mkdir()
    (folder / left[2] / "block").write_text("x")
    assert build_one(acme) == 100, "above every file there is, whatever the catalog says"
    assert {p.name for p in folder.iterdir()} == {
        "notes.txt", "1.duckdb", "backup-000001.duckdb", "000001.duckdb", "000002.duckdb", "000100.duckdb",
    }  # fmt: skip


def test_sweep_tells_what_it_did(acme: Path) -> None:
    store = Store.open(acme)
    with store.pin(store.generation(1)), store.lease("run") as lease, store.begin(lease) as build:
        harness.write_tables(build)
        build.publish({}, 1)
        assert (build.swept.removed, build.swept.in_use, build.swept.failed) == (
            ("000002.duckdb",),
            ("000001.duckdb",),
            (),
        )
    with store.lease("run") as lease, store.begin(lease) as build:
        assert build.swept.removed == ("000001.duckdb",)


def test_pin_of_a_removed_generation(acme: Path) -> None:
    store = Store.open(acme)
    old = store.generation(1)
    build_one(acme, keep=1)
    with pytest.raises(StoreError, match="gone"):
        store.pin(old)


def test_rollback(acme: Path) -> None:
    store = Store.open(acme)
    build_one(acme, marks={"ordinal": 700})
    with Reader(store) as reader:
        with pytest.raises(StoreError, match="kept are 3, 2, 1"):
            store.rollback(17)
        assert store.rollback(1).current
        assert reader.refresh()
        assert harness.look(reader) == 1
        assert [(g.number, g.current) for g in store.generations()] == [(3, False), (2, False), (1, True)]
        assert store.mark("ordinal") == 700, "a mark never goes back"
        assert build_one(acme, marks={"ordinal": 5}) == 4
        assert reader.refresh()
        assert harness.look(reader) == 4
        assert store.mark("ordinal") == 700
        assert store.rollback(4).number == 4, "no change, no harm"
    with store._catalog.read() as connection:
        history = connection.execute("SELECT number, why FROM publications ORDER BY sequence").fetchall()
    assert [tuple(row) for row in history] == [(1, "run"), (2, "run"), (3, "run"), (1, "rollback"), (4, "run")]
    harness.assert_tidy(acme)


def test_rollback_to_a_damaged_file(acme: Path) -> None:
    store = Store.open(acme)
    path = store.generation(1).path
    path.chmod(0o644)
    path.write_bytes(b"x" * 10_000)
    with pytest.raises(StoreError, match="damaged"):
        store.rollback(1)
    path.unlink()
    with pytest.raises(StoreError, match="missing"):
        store.rollback(1)
    published = store.published()
    assert published is not None
    assert published.number == 2


def test_rolled_back_generation_survives_keep(acme: Path) -> None:
    """The newest `keep` stay, and what is published is among them, because publishing comes first."""
    store = Store.open(acme)
    store.rollback(1)
    assert build_one(acme, keep=2) == 3
    assert [g.number for g in store.generations()] == [3, 2]


# Reader


def test_reader_says_what_is_wrong_with_the_file(acme: Path) -> None:
    store = Store.open(acme)
    path = store.generation(2).path
    path.unlink()
    with pytest.raises(StoreError, match="is missing") as caught:
        Reader(store)
    assert "rollback` to one of 1" in caught.value.hint
    path.write_bytes(b"x" * 10_000)
    with pytest.raises(StoreError, match="damaged"):
        Reader(store)


def test_reader_stays_when_the_newer_generation_cannot_be_opened(acme: Path) -> None:
    store = Store.open(acme)
    with Reader(store) as reader:
        build_one(acme)
        store.generation(3).path.unlink()
        with pytest.raises(StoreError, match="is missing"):
            reader.refresh()
        assert harness.look(reader) == 2
        store.rollback(1)
        assert reader.refresh()
        assert harness.look(reader) == 1


def test_reader_is_read_only_and_closed_is_closed(acme: Path) -> None:
    with Reader(Store.open(acme)) as reader, reader.cursor() as cursor:
        with pytest.raises(duckdb.Error, match="read-only"):
            cursor.execute("DELETE FROM a")
        reader.close()
        assert cursor.execute("SELECT min(g) FROM a").fetchone() == (2,), "a cursor at work outlives close"
    for verb in (reader.refresh, lambda: reader.generation):
        with pytest.raises(StoreError, match="closed"):
            verb()


def test_readers_with_different_settings_share_a_file(acme: Path, tmp_path: Path) -> None:
    store = Store.open(acme)
    locked = {"enable_external_access": False, "lock_configuration": True, "threads": 1}
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with Reader(store, locked) as strict, Reader(store, {"threads": 2}) as free:
        assert harness.look(strict) == harness.look(free) == 2
        with duckdb.connect(str(store.generation(2).path), read_only=True) as own:
            assert own.execute("SELECT min(g) FROM a").fetchone() == (2,)
        for sql in (f"FROM '{tmp_path / 'secret.csv'}'", f"COPY a TO '{tmp_path / 'out.csv'}'", "SET threads = 4"):
            with strict.cursor() as cursor, pytest.raises(duckdb.Error):
                cursor.execute(sql).fetchall()
            with free.cursor() as cursor:
                cursor.execute(sql).fetchall()


def test_refresh_asks_the_catalog_only_when_its_files_changed(acme: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And never trusts file times younger than their tick: a second change may hide behind the same time."""
    store = Store.open(acme)
    asked = 0
    published = store.published

    def counting() -> object:
        nonlocal asked
        asked += 1
        return published()

    with Reader(store) as reader:
        monkeypatch.setattr(store, "published", counting)
        store.save_definition("segment", "vip", {})
        reader.refresh()
        reader.refresh()
        assert asked == 2
        monkeypatch.setattr("unify.store.reader.SETTLED_NS", 0)
        reader.refresh()
        asked = 0
        for _ in range(5):
            assert not reader.refresh()
        assert asked == 0
        build_one(acme)
        assert reader.refresh()


# Definitions


def test_definitions_are_versioned(acme: Path) -> None:
    store = Store.open(acme)
    vip, vip2 = {"where": "TotalSpend gt 1000", "größe": [1, 2.5, None]}, {"where": "x"}
    assert store.save_definition("segment", "vip", vip) == 1
    assert store.save_definition("segment", "vip", vip) == 1, "the same again is no new version"
    assert store.save_definition("segment", "vip", vip2) == 2
    assert store.save_definition("segment", "vip", vip) == 3, "back to an older content is a change"
    assert store.save_definition("segment", "staff", {}) == 1
    assert store.save_definition("measure", "vip", {}) == 1
    assert store.definition("segment", "vip").body == vip
    assert store.definition("segment", "vip", 2).body == vip2
    assert [(d.name, d.version) for d in store.definitions("segment")] == [("staff", 1), ("vip", 3)]
    with pytest.raises(StoreError, match="did you mean vip"):
        store.definition("segment", "vipp")
    with pytest.raises(StoreError, match="versions go from 1 to 3"):
        store.definition("segment", "vip", 9)
    with pytest.raises(StoreError, match="not JSON"):
        store.save_definition("segment", "vip", {"x": float("nan")})


def test_definitions_need_no_lease_and_do_not_disturb_one(acme: Path) -> None:
    store = Store.open(acme)
    with store.lease("run") as lease, store.begin(lease) as build:
        harness.write_tables(build)
        assert store.save_definition("segment", "vip", json.loads("{}")) == 1
        build.publish({}, 5)
    assert store.definition("segment", "vip").version == 1
