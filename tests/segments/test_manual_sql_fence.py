"""The fence without the list: what gets past every check still reaches nothing, and the process is capped and alone."""

import json
import os
import re
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

from segments.manual_sql import Limits, ManualSqlError, Moment
from segments.manual_sql.allowed import FUNCTIONS, OPERATORS, TABLE_FUNCTIONS
from segments.manual_sql.fence import RUNNER, Fence
from unify.engines.duckdb import DuckDBEngine

HERE = Path(__file__).parent
MOMENT = Moment(datetime(2024, 1, 1))  # noqa: DTZ001 - UTC
NEVER_HERE = ("sleep", "enable_logging", "python_map_function", "pandas_scan", "arrow_scan")
"""Attacks that would hold up or end the process that tries them all: one alone must, this one may not."""

DRIVER = """
import importlib.util, json, os, socket, sys
fd, offset, length, path = int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
spec = importlib.util.spec_from_file_location("runner", path)
runner = importlib.util.module_from_spec(spec); spec.loader.exec_module(runner)
request = json.loads(os.pread(fd, length, offset))
sys.path[:] = request["path"]
connection = runner._open(request)
connection.execute("SET lock_configuration = true")
runner._shut(request)
told = []
for sql in request["attacks"]:
    try:
        told.append(["ran", str(connection.execute(sql).fetchmany(50))])
    except BaseException as error:
        told.append([type(error).__name__, str(error)])
for attempt in (lambda: open("/etc/hostname"), lambda: socket.socket(), lambda: os.pipe(), lambda: os.memfd_create("x")):
    try:
        attempt(); told.append(["ran", "a new file descriptor"])
    except OSError as error:
        told.append(["refused", error.strerror])
told.append(["environment", sorted(os.environ)])
os.write(1, json.dumps(told).encode())
"""


def test_what_is_hostile_reaches_nothing_behind_the_fence_alone(tmp_path: Path) -> None:
    secret, target = tmp_path / "secret.txt", tmp_path / "target"
    secret.write_text("xyzzy")
    groups = yaml.safe_load((HERE / "manual_sql_attacks.yaml").read_text(encoding="utf-8"))
    texts = [sql for g in groups if not g.get("made") and not g.get("runs") for sql in g["sql"]]
    texts = [t.replace("{secret}", str(secret)).replace("{target}", str(target)) for t in texts if t.isprintable()]
    texts = [t for t in texts if not any(word in t for word in NEVER_HERE)]
    request = {
        "path": sys.path, "memory": 256 * 2**20, "threads": 1, "seconds": 60, "now": "2024-01-01", "today": "2024-01-01",
        "clock": [], "attacks": texts,
    }  # fmt: skip
    with tempfile.TemporaryFile() as file:
        data = json.dumps(request).encode()
        file.write(data)
        file.flush()
        words = [sys.executable, "-I", "-S", "-c", DRIVER, str(file.fileno()), "0", str(len(data)), str(RUNNER)]
        done = subprocess.run(words, pass_fds=[file.fileno()], env={}, capture_output=True, timeout=60, check=False)
    told = json.loads(done.stdout)
    assert len(told) == len(texts) + 5 > 150
    assert "xyzzy" not in done.stdout.decode()
    assert not target.exists()
    *attempts, environment = told[len(texts) :]
    assert attempts == [["refused", "Too many open files"]] * 4, "no file, no socket, no pipe, no memory file"
    assert [name for name in environment[1] if not name.startswith(("LC_", "LD_"))] == []
    by_sql = dict(zip(texts, told, strict=False))
    for start in ("SELECT * FROM read_", "COPY", "ATTACH", "INSTALL", "LOAD", "SET memory", "SET lock", "EXPORT"):
        tried = [how for sql, (how, _) in by_sql.items() if sql.startswith(start)]
        assert tried, start
        assert "ran" not in tried, start


def test_nothing_of_this_process_is_over_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNIFY_SECRET", "xyzzy")
    with Fence({}, MOMENT, Limits(), do="check") as fence:
        here = Path(f"/proc/{fence.process.pid}")
        if not here.exists():
            pytest.skip("no /proc: the limits of another process cannot be read")
        assert b"xyzzy" not in (here / "environ").read_bytes()
        assert (here / "cwd").resolve() == Path("/")
        assert (here / "oom_score_adj").read_text().strip() == "1000"
        limits = {" ".join(line.split()[:3]): line.split()[-3:] for line in (here / "limits").read_text().splitlines()}
        assert limits["Max open files"][:2] == ["0", "0"]
        assert limits["Max file size"][:2] == ["0", "0"]
        assert limits["Max core file"][-3:-1] == ["0", "0"]
        assert int(limits["Max address space"][0]) < 8 * 2**30
        files = {str(link.readlink()) for link in (here / "fd").iterdir()}
        assert [f for f in files if f.startswith("/") and f != "/dev/null" and not f.endswith("(deleted)")] == []
        pid = fence.process.pid
    assert not Path(f"/proc/{pid}").exists(), "it is gone when the block is left"


def test_a_process_that_dies_is_told() -> None:
    with Fence({}, MOMENT, Limits(), do="check") as fence:
        os.kill(fence.process.pid, 11)
        with pytest.raises(ManualSqlError, match="ended by SIGSEGV; nothing else was harmed"):
            fence.ask()
    with Fence({}, MOMENT, Limits(), do="check") as fence:
        fence._deadline = 0
        with pytest.raises(ManualSqlError, match="did not end within 10 s"):
            fence.ask()


def test_frames_that_are_too_long_are_not_read() -> None:
    with Fence({}, MOMENT, Limits(), do="check") as fence:
        fence.send(b"SELECT 1")
        with pytest.raises(ManualSqlError, match="at most 10"):
            fence.frame(10)


def test_every_allowed_function_is_one_of_duckdbs() -> None:
    """And those that are known to reach out, wait or throw dice are not among them."""
    with DuckDBEngine() as engine:
        rows = engine.connection.execute(
            "SELECT function_name, function_type, has_side_effects FROM duckdb_functions() WHERE internal"
        ).fetchall()
    known = {name.lower() for name, *_ in rows} | {"current_timestamp", "localtimestamp"}
    grammar = {"unnest", "struct_pack"}
    assert sorted(FUNCTIONS - known - grammar) == []
    assert sorted(OPERATORS - known - {"!", "->"}) == []
    assert {name for name, kind, _ in rows if kind == "table" and name in FUNCTIONS} <= {*TABLE_FUNCTIONS, "repeat"}
    side_effects = {name for name, _, effects in rows if effects and name in FUNCTIONS}
    assert side_effects <= {"now", "today", "current_date", "get_current_timestamp", "transaction_timestamp"}


def test_the_page_lists_every_function() -> None:
    page = (HERE.parents[1] / "docs" / "manual-sql.md").read_text(encoding="utf-8").partition("## Functions")[2]
    assert sorted(re.findall(r"`(\w+)`", page)) == sorted(FUNCTIONS)


def test_a_table_crosses_as_it_is() -> None:
    table = pa.table({"CustomerId": ["a", None, "ünï"], "n": pa.array([1, None, 3], pa.int32())})
    with Fence({"T": lambda: iter([table])}, MOMENT, Limits(), do="run", sql="FROM T", columns=[0, 1], distinct=False,
               rows=10, bytes=10_000) as fence:  # fmt: skip
        assert fence.ask() == {"rows": 3}
        back = pa.ipc.open_stream(fence.frame(100_000)).read_all()
    assert back.rename_columns(table.column_names).to_pylist() == table.to_pylist()
