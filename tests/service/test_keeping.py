"""A connection that stays open: SQLite syncs its log into the file when the last one closes."""

import os

import pytest

from unify.records import RecordStore
from unify.service.database import ServiceDatabase
from unify.service.keeping import keep


def test_a_store_is_kept_open_and_is_that_of_the_path(tmp_path):
    """Closing the last connection syncs the disk twice: one stays. A file in the place of another one is its own."""
    for _ in range(2):
        path = RecordStore(tmp_path).path
        with RecordStore(tmp_path).write() as writing:
            assert writing.version >= 0
        keep(path)
        keep(path)
        with RecordStore(tmp_path).write():
            pass
        assert path.with_name(f"{path.name}-wal").exists()
        for each in tmp_path.iterdir():
            each.unlink()
    keep(tmp_path / "nothing.sqlite")


def test_the_service_s_own_file_keeps_its_log_between_transactions(tmp_path):
    database = ServiceDatabase(tmp_path)
    with database.write() as connection:
        connection.execute("CREATE TABLE kept (n INTEGER)")
    assert database.path.with_name(f"{database.path.name}-wal").stat().st_size > 0


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # Python 3.12 warns of forks beside threads
def test_a_forked_process_opens_its_own_and_ends_without_harm(tmp_path):
    database = ServiceDatabase(tmp_path)
    with database.write() as connection:
        connection.execute("CREATE TABLE kept (n INTEGER)")
    child = os.fork()
    if not child:
        code = 1
        try:
            with ServiceDatabase(tmp_path).write() as connection:
                connection.execute("INSERT INTO kept VALUES (1)")
            code = 0
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    with database.write() as connection:
        connection.execute("INSERT INTO kept VALUES (2)")
    assert [n for (n,) in database.rows("SELECT n FROM kept ORDER BY n")] == [1, 2]
    assert database.rows("PRAGMA integrity_check")[0][0] == "ok"


def test_what_was_overwritten_leaves_the_log_that_is_kept_open(tmp_path):
    database = ServiceDatabase(tmp_path)
    with database.write() as connection:
        connection.execute("CREATE TABLE kept (text TEXT)")
        connection.execute("INSERT INTO kept VALUES ('ada@mail.example')")
    with database.write() as connection:
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("UPDATE kept SET text = ''")
    log = database.path.with_name(f"{database.path.name}-wal")
    assert b"ada@mail.example" in log.read_bytes()
    database.compact()
    assert b"ada@mail.example" not in log.read_bytes() + database.path.read_bytes()
