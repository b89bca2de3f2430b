"""The command as a process: signals, pipes, terminals, two at once, and errors of ours."""

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import unify
from unify.cli import entry
from unify.store import Store


def start(environment, *args, **options):
    """A process that is not waited for."""
    return subprocess.Popen(
        [sys.executable, "-m", "unify", *(str(a) for a in args)],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


def until(holds, seconds=30.0):
    """Wait for something another process does."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := holds():
            return found
        time.sleep(0.01)
    pytest.fail("waited in vain")
    return None


@pytest.fixture
def building(tiny, environment):
    """A published instance, and a process that is building its next generation and will not finish by itself."""
    import duckdb

    with unify.open(tiny.parent / "tiny", create=True) as acme:
        acme.run(tiny)
    big = tiny.parent / "big.parquet"
    names = "md5(range::VARCHAR) AS FullName, range::VARCHAR AS LoyaltyId, NULL::VARCHAR AS EMail"
    duckdb.sql(f"COPY (SELECT {names} FROM range(200000)) TO '{big}'")
    # 200,000 random names compared all with all take minutes, and nothing is alike: it needs time, not memory
    text = tiny.read_text().replace("members.csv", "big.parquet")
    text += """\
  max_pairs: 1000000000000
  dedupe:
    loyalty.Members: [{name: slow, when: [{field: FullName, compare: damerau_levenshtein, precision: 60}]}]
"""
    long = tiny.parent / "long.yaml"
    long.write_text(text)
    process = start(environment, "run", long, "--threads", "1", "--json")
    store = Store.open(tiny.parent / "tiny")
    until(lambda: store.runs(1)[0].state == "running")
    yield process, store
    if process.poll() is None:
        process.kill()
    process.communicate()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_is_marked_failed_and_the_old_state_is_served(building, number, code):
    process, store = building
    before = store.published()
    time.sleep(0.5)  # somewhere inside the work
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (code, "")
    assert "Traceback" not in err
    assert [r.state for r in store.runs()] == ["failed", "published"]
    assert store.lease_holder() is None
    assert store.published() == before
    assert sorted(p.name for p in (store.path / "generations").iterdir()) == [before.path.name]


def test_two_runs_at_once(building, cli, tiny):
    process, store = building
    second = cli("run", tiny, "--json")
    assert (second.code, second.out, second.error["error"]) == (5, "", "LeaseHeldError")
    assert f"process {process.pid} " in second.error["message"]
    assert "--wait" in second.error["hint"]
    assert cli("rollback", "1", "-i", store.path).code == 5
    said = cli("status", "-i", store.path, "--json").json
    assert (said["writer"]["pid"], said["generation"]) == (process.pid, 1)
    assert f"process {process.pid}" in cli("status", "-i", store.path).out
    examined = cli("doctor", "-i", store.path, "--json")
    assert examined.code == 0
    leftovers = next(c for c in examined.json["checks"] if c["name"] == "leftovers")
    assert leftovers["state"] == "ok", "what is being built is no leftover"
    waited = cli("run", tiny, "--wait", "0.5", "--json")
    assert (waited.code, "waited 0.5 s" in waited.error["message"]) == (5, True)


def test_waiting_for_the_other_writer(cli, tiny, environment):
    with unify.open(tiny.parent / "tiny", create=True) as acme:
        lease = acme.store.lease("a test")
        process = start(environment, "run", tiny, "--wait", "60", "--json")
        time.sleep(0.7)
        assert process.poll() is None
        lease.release()
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    assert json.loads(out)["generation"] == 1


def test_a_reader_that_goes_away_is_no_error(sample, environment):
    process = start(environment, "query", "SELECT * FROM range(300000)", "-f", "csv", "-i", sample)
    assert process.stdout.readline() == "range\n"
    process.stdout.close()
    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait(60) == 141


class TestStreams:
    """Answers on stdout, progress and errors on stderr; progress for a terminal only."""

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
    def test_a_full_disk_under_the_answer(self, sample, environment):
        call = [sys.executable, "-m", "unify", "query", "FROM range(9)", "-i", str(sample), "--json"]
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(call, env=environment, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        assert (done.returncode, json.loads(done.stderr)["where"]) == (4, "the output")

    def test_no_progress_into_a_pipe(self, process, tiny):
        said = process("run", tiny)
        assert (said.code, said.err) == (0, "")
        assert "\x1b" not in said.out

    @pytest.mark.parametrize(("extra", "live"), [((), True), (("--quiet",), False), (("--json",), False)])
    def test_progress_on_a_terminal(self, tiny, environment, extra, live):
        here, there = pty.openpty()
        done = subprocess.Popen(
            [sys.executable, "-m", "unify", "run", str(tiny), *extra],
            env={**environment, "TERM": "xterm"}, stdout=subprocess.PIPE, stderr=there,
        )  # fmt: skip
        os.close(there)
        seen = b""
        while True:
            try:
                piece = os.read(here, 65536)
            except OSError:  # Linux says EIO when the other end is closed
                break
            if not piece:
                break
            seen += piece
        os.close(here)
        out = done.communicate(timeout=60)[0]
        assert done.returncode == 0
        assert (b"ingest" in seen) == live, seen
        assert bool(seen) == live
        assert b"\x1b" not in out

    def test_a_terminal_gets_colour_unless_it_says_no(self, sample, environment):
        def drawn(**more):
            here, there = pty.openpty()
            call = [sys.executable, "-m", "unify", "doctor", "-i", str(sample)]
            done = subprocess.Popen(call, env={**environment, "TERM": "xterm-256color", **more}, stdout=there)
            os.close(there)
            seen = b""
            while True:
                try:
                    piece = os.read(here, 65536)
                except OSError:
                    break
                if not piece:
                    break
                seen += piece
            os.close(here)
            assert done.wait(60) == 0
            return seen

        assert b"\x1b[32m" in drawn()
        assert b"\x1b[3" not in drawn(NO_COLOR="1")

    def test_columns_is_the_width(self, cli, sample, monkeypatch):
        monkeypatch.setenv("COLUMNS", "40")
        narrow = cli("runs", "-i", sample)
        monkeypatch.delenv("COLUMNS")
        wide = cli("runs", "-i", sample)
        assert max(map(len, narrow.out.splitlines())) <= 40
        assert max(map(len, wide.out.splitlines())) > 40

    def test_a_stream_that_cannot_show_a_letter(self, process, sample):
        said = process("query", "SELECT 'Ærøskøbing ✓' AS v", "-i", sample, env={"PYTHONIOENCODING": "ascii"})
        assert said.code == 0
        assert r"\xc6r\xf8sk\xf8bing" in said.out


class TestErrorsOfOurs:
    """A bug is one line and a hint; the traceback is for those who ask."""

    @pytest.fixture
    def bug(self, monkeypatch):
        def fails(*_args, **_kwargs):
            raise RuntimeError("two\nlines")

        monkeypatch.setattr("unify.instance.Instance.status", fails)

    def test_one_line(self, cli, sample, bug):
        said = cli("status", "-i", sample)
        assert (said.code, said.out) == (1, "")
        assert "RuntimeError: two lines" in said.err
        assert "bug" in said.err
        assert "Traceback" not in said.err

    def test_as_json(self, cli, sample, bug):
        said = cli("status", "-i", sample, "--json")
        assert said.code == 1
        assert said.error["error"] == "RuntimeError"
        assert set(said.error) == {"error", "message", "where", "hint"}

    def test_traceback_when_asked(self, cli, sample, bug, monkeypatch):
        monkeypatch.setenv("UNIFY_DEBUG", "1")
        assert "Traceback" in cli("status", "-i", sample).err


class TestUsage:
    """What the argument parser refuses is exit 2, in our words or as JSON."""

    @pytest.mark.parametrize(
        "args", [("nothing",), ("run",), ("status", "--nix"), ("rollback", "two"), ("query", "SELECT 1", "-f", "xml")]
    )
    def test_exit_two(self, cli, args):
        said = cli(*args)
        assert (said.code, said.out) == (2, "")
        assert "→" in said.err
        assert "--help" in said.err
        said = cli(*args, "--json")
        assert (said.code, said.error["error"]) == (2, "UsageError")

    def test_no_arguments_is_help(self, cli):
        assert cli().out == cli("--help").out != ""

    def test_short_help_everywhere(self, cli):
        assert cli("run", "-h").out == cli("run", "--help").out

    def test_version(self, cli):
        assert cli("--version").out == f"unify {unify.__version__}\n"

    def test_completion(self, process):
        said = process(
            "--show-completion", env={"SHELL": "/bin/bash", "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
        )
        assert said.code in (0, 2)
        done = process(env={"_UNIFY_COMPLETE": "complete_bash", "COMP_WORDS": "unify ro", "COMP_CWORD": "1"})
        assert done.out.split() == ["rollback"]


def test_help_starts_fast_and_light(environment):
    code = (
        "import sys; from unify.cli import run; run(['--help']); "
        "print([m for m in ('duckdb', 'pyarrow', 'numpy', 'scipy', 'networkx', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_every_error_has_its_exit_code():
    def below(kind):
        return [kind, *(k for sub in kind.__subclasses__() for k in below(sub))]

    codes = {kind.exit_code for kind in below(unify.UnifyError) if kind.__module__ == "unify.core.errors"}
    page = (Path(__file__).parents[2] / "docs" / "cli.md").read_text(encoding="utf-8")
    for code in {0, *codes, entry.USAGE, entry.INTERRUPTED, entry.BROKEN_PIPE, entry.TERMINATED}:
        assert f"| {code} |" in page, code
