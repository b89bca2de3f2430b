"""Ours beside peers: rows of those that answer, fail, or have no time left; what peers are given; their environments."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import psutil
import pytest

from benchmarks import __main__ as command
from benchmarks import child, messy, sets
from benchmarks.peers import environment, measure, tables
from benchmarks.sets import DataSet, Entity

HEAD = """
import csv, json, sys, time
from pathlib import Path
sys.path.insert(0, {protocol!r})
from protocol import Talk
talk = Talk()
print("a library that talks")
records = [row["record"] for path in talk.job["tables"] for row in csv.DictReader(open(path))]
"""
FAKES = {
    "right": """
people = {row["record"]: row["person"] for row in csv.DictReader(open(talk.job["truth"]))} if talk.job["truth"] else None
talk.stage("think")
talk.answer(talk.clusters([(r, people[r]) for r in records]), 0.5, labels=3, versions={"right": "1.0"})
""",
    "apart": """
talk.answer(talk.clusters((r, i) for i, r in enumerate(records)), 0.9, labels=0, versions={"apart": "2.0"})
talk.answer(talk.clusters((r, 0) for r in records), 0.1, labels=0, versions={"apart": "2.0"})
""",
    "fails": "sys.exit('no licence for this machine')\n",
    "sleeps": "time.sleep(60)\n",
    "lingers": """
talk.answer(talk.clusters((r, i) for i, r in enumerate(records)), None, labels=0, versions={})
time.sleep(60)
""",
}


@pytest.fixture
def few(tmp_path):
    """Six records of three people in one file."""
    people = [1, 1, 2, 2, 3, 3]
    folder, truth = tmp_path / "files", tmp_path / "truth.parquet"
    folder.mkdir()
    (folder / "p.csv").write_text("Id,name\n" + "".join(f"R{i},n{p}\n" for i, p in enumerate(people)))
    rows = " UNION ALL ".join(f"SELECT 'a.P' AS entity, 'R{i}' AS key, {p} AS person" for i, p in enumerate(people))
    duckdb.sql(rows).write_parquet(str(truth))
    return DataSet("few", folder, (Entity("a.P", "p.csv", "Id"),), truth, len(people), across=False)


@pytest.fixture
def fakes(monkeypatch, tmp_path):
    """Peers made of a few lines, run by this Python; ours is a row of constants."""
    folder = tmp_path / "peers"
    head = HEAD.format(protocol=str(environment.HERE))
    for name, body in FAKES.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "run.py").write_text(head + body)
    monkeypatch.setattr(environment, "HERE", folder)
    monkeypatch.setattr(environment, "PEERS", (*FAKES, "absent"))
    monkeypatch.setattr(environment, "python_of", python_of)
    monkeypatch.setattr(measure, "SHOWN_LABELS", ("right",))
    ours = {
        "precision": 1.0, "recall": 0.5, "f1": 2 / 3, "b3": 0.8, "seconds": 2.0, "peak_mib": 100.0, "customers": 4,
        "true_pairs": 3, "candidates": 9, "versions": {"unify": "0"}, "suggest_seconds": 0.5, "run_seconds": 1.0,
    }  # fmt: skip
    monkeypatch.setattr(measure.quality, "ours", lambda _: dict(ours))


def python_of(peer):
    if peer == "absent":
        raise environment.NotInstalledError("ERROR: No matching distribution found for absent==9")
    return Path(sys.executable)


def rows_of(few, *peers, timeout=20.0, rounds=1):
    return measure.beside(few, peers, timeout, rounds)["rows"]


def test_ours_comes_first_and_a_peer_that_is_right_is_right(few, fakes):
    ours, right = rows_of(few, "right")
    assert (ours["tool"], ours["stages"]) == ("ours", {"suggest": 0.5, "run": 1.0})
    assert (right["precision"], right["recall"], right["f1"], right["b3"]) == (1, 1, 1, 1)
    assert (right["threshold"], right["labels"], right["versions"]) == (0.5, 3, {"right": "1.0"})
    assert set(right["stages"]) == {"think"}
    assert 0 < right["seconds"] < 20
    assert right["peak_mib"] > 3


def test_only_who_learns_from_labels_is_shown_the_truth(few, fakes, monkeypatch):
    monkeypatch.setattr(measure, "SHOWN_LABELS", ())
    _, right = rows_of(few, "right")
    assert "NoneType" in right["failed"]


def test_the_best_other_threshold_is_a_row_of_its_own(few, fakes):
    _, documented, tuned = rows_of(few, "apart")
    assert (documented["threshold"], documented["recall"]) == (0.9, 0)
    assert (tuned["threshold"], tuned["recall"], tuned["tuned_on_the_truth"]) == (0.1, 1, True)
    assert tuned["precision"] == pytest.approx(3 / 15)
    assert "seconds" not in tuned


def test_a_peer_that_fails_is_a_row_with_its_last_words(few, fakes):
    _, row = rows_of(few, "fails")
    assert row == {"tool": "fails", "failed": "exit code 1: a library that talks | no licence for this machine"}


def test_a_peer_that_cannot_be_installed_is_a_row_that_says_so(few, fakes):
    _, row = rows_of(few, "absent")
    assert row["failed"] == "not installed: ERROR: No matching distribution found for absent==9"


def test_a_peer_without_an_answer_in_time_is_ended(few, fakes):
    started = time.monotonic()
    _, row = rows_of(few, "sleeps", timeout=1.5)
    assert row["failed"] == "no answer in 1.5 s"
    assert time.monotonic() - started < 15


def test_an_answer_stands_though_the_peer_never_ends(few, fakes):
    _, row = rows_of(few, "lingers", timeout=2.0)
    assert "failed" not in row
    assert row["precision"] == 1


def test_rounds_alternate_and_give_medians(few, fakes, monkeypatch):
    seconds, turns = iter([1.0, 5.0, 2.0]), []

    def ours(_):
        turns.append("ours")
        return {**plain, "seconds": next(seconds)}

    plain = measure.quality.ours(few)
    monkeypatch.setattr(measure.quality, "ours", ours)
    real = measure._peer
    monkeypatch.setattr(measure, "_peer", lambda peer, *rest: turns.append(peer) or real(peer, *rest))
    first, peer = rows_of(few, "apart", rounds=3)[:2]
    assert turns == ["ours", "apart"] * 3
    assert (first["seconds"], first["all_seconds"]) == (2.0, [1.0, 5.0, 2.0])
    assert len(peer["all_seconds"]) == 3


def test_the_table_has_a_line_for_everybody(few, fakes):
    found = {"few": measure.beside(few, ["right", "apart", "fails", "absent"], 20.0)}
    text = measure.shown(found)
    lines = text.splitlines()
    assert lines[0] == "few: 6 records, 3 true pairs, scored over all pairs"
    names = [line.split("|")[1].strip() for line in lines[4:]]
    assert names == ["ours", "right", "apart", "apart, tuned on the truth", "fails", "absent"]
    assert "| right | 1.0000 | 1.0000 | 1.0000 | 1.0000 | 0.5 | 3 |" in text
    assert all(line.count("|") == lines[2].count("|") for line in lines[4:])
    assert json.loads(json.dumps(found)) == found


def test_growth_says_how_seconds_grow(few, fakes, monkeypatch):
    monkeypatch.setattr(measure.sets, "prepared", lambda *_, **__: Opened(few))
    found = measure._growth({"records": 3, "rows": [{"tool": "ours", "seconds": 0.5}]}, 6, 7)
    assert (found["times_the_records"], found["times_the_seconds"]) == (2, 4)
    assert "2 times the records take 4 times as long" in measure.shown({"messy_growth": found})


class Opened:
    def __init__(self, data):
        self.data = data

    def __enter__(self):
        return self.data

    def __exit__(self, *_):
        return None


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--peer", "zingg"], "there is no peer 'zingg'"),
        (["--only", "nothing"], "there is no data set 'nothing'"),
        (["--growth", "0"], "--growth 0: at least 1"),
        (["--rounds", "0"], "--rounds 0: at least 1"),
    ],
)
def test_what_cannot_be_asked_is_refused(arguments, said, capsys):
    assert command.main(["peers", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_dedupe_runs_by_itself_on_one_set_only():
    assert "dedupe" in measure._who("fake_1000", [])
    assert "dedupe" not in measure._who("febrl3", [])
    assert measure._who("febrl3", ["dedupe"]) == ["dedupe"]
    assert "splink" in measure._who("febrl3", [])


# ── one measured process ─────────────────────────────────────────────────────────────────────────────────────────────


def run(tmp_path, code, timeout=20.0):
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    return child.run(
        [sys.executable, "-c", code], {"work": str(work)}, timeout=timeout, cwd=tmp_path, environment={"SAID": "yes"}
    )


def test_memory_of_children_counts_and_what_comes_after_the_answer_does_not(tmp_path):
    code = (
        "import subprocess, sys, time, json\n"
        "grow = 'b = bytearray(150_000_000); import time; time.sleep(1)'\n"
        "subprocess.run([sys.executable, '-c', grow])\n"
        "print(json.dumps({'clusters': 'x'}), flush=True)\n"
        "b = bytearray(600_000_000); time.sleep(0.5)\n"
    )
    outcome = run(tmp_path, code)
    assert outcome.failure is None
    assert 140 < outcome.peak_mib < 500


def test_what_a_timeout_ends_includes_what_the_process_started(tmp_path):
    code = (
        "import subprocess, sys, pathlib\n"
        "p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "pathlib.Path('pid').write_text(str(p.pid)); p.wait()\n"
    )
    outcome = run(tmp_path, code, timeout=1.5)
    assert outcome.failure == "no answer in 1.5 s"
    pid = int((tmp_path / "pid").read_text())
    assert gone(pid)


def test_ending_the_one_who_measures_ends_the_measured(tmp_path):
    measured = "import os, pathlib, time; pathlib.Path('pid').write_text(str(os.getpid())); time.sleep(60)"
    code = (
        "import sys, pathlib; from benchmarks import child\n"
        f"child.run([sys.executable, '-c', {measured!r}], {{'work': '.'}}, timeout=60, cwd=pathlib.Path(), environment={{}})"
    )
    root = str(Path(child.__file__).parents[1])
    measuring = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": root})
    deadline = time.monotonic() + 20
    while not ((tmp_path / "pid").exists() and (tmp_path / "pid").read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    pid = int((tmp_path / "pid").read_text())
    measuring.terminate()
    assert measuring.wait(10) == 128 + signal.SIGTERM
    assert gone(pid)


def gone(pid):
    """Ended, or ended and not yet collected, within five seconds."""
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


def test_noise_on_stdout_is_no_answer_and_the_environment_arrives(tmp_path):
    code = "import os, json; print('[1]'); print('{'); print(json.dumps({'clusters': os.environ['SAID']}))"
    assert [answer["clusters"] for answer in run(tmp_path, code).answers] == ["yes"]


def test_a_process_that_never_reads_its_job_still_fails_with_its_own_words(tmp_path):
    assert run(tmp_path, "raise SystemExit('not today')").failure == "exit code 1: not today"


# ── environments ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_every_peer_has_a_script_and_pins_every_package():
    for peer in environment.PEERS:
        folder = environment.HERE / peer
        pins = (folder / "requirements.txt").read_text().split()
        assert (folder / "run.py").is_file()
        assert pins
        assert all(pin.count("==") == 1 for pin in pins), peer
        assert any(pin.lower().startswith(f"{peer}==") for pin in pins), peer


def test_an_environment_is_made_once_and_again_when_its_pins_change(monkeypatch, tmp_path):
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "requirements.txt").write_text("a==1\n")
    commands = []

    def made(*command):
        commands.append(command)
        (tmp_path / "p" / ".venv" / "bin").mkdir(parents=True, exist_ok=True)
        (tmp_path / "p" / ".venv" / "bin" / "python").touch()

    monkeypatch.setattr(environment, "_run", made)
    python = environment.python_of("p", tmp_path)
    assert python == tmp_path / "p" / ".venv" / "bin" / "python"
    assert len(commands) == 2
    environment.python_of("p", tmp_path)
    assert len(commands) == 2
    (tmp_path / "p" / "requirements.txt").write_text("a==2\n")
    environment.python_of("p", tmp_path)
    assert len(commands) == 4


def test_pip_that_fails_says_why(tmp_path):
    with pytest.raises(environment.NotInstalledError, match="ERROR: broken"):
        environment._run(sys.executable, "-c", "import sys; print('ERROR: broken', file=sys.stderr); sys.exit(3)")


# ── what peers are given ─────────────────────────────────────────────────────────────────────────────────────────────


def read(path):
    with Path(path).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def harmonised(tmp_path_factory):
    """4,000 messy records as the one table of the peers, and the truth as they may be shown it."""
    made = messy.customers(4_000, data=tmp_path_factory.mktemp("data"))
    from benchmarks.messy_files import FILES

    entities = tuple(Entity(name, file.file, file.key) for name, file in FILES.items())
    data = DataSet("messy", made.files, entities, made.truth, made.records, across=False)
    folder = tmp_path_factory.mktemp("tables")
    [path] = tables.tables(data, folder)
    return read(path), read(tables.truth(data, folder / "truth.csv"))


def test_the_one_table_has_every_record_once(harmonised):
    rows, truth = harmonised
    assert len(rows) == 4_000
    assert sorted(row["record"] for row in rows) == [row["record"] for row in truth]


def test_the_one_table_is_clean(harmonised):
    rows, _ = harmonised
    assert not {row["email"] for row in rows} & {"noreply@store.example"} or len(rows) < 5_000
    assert {len(row["birth_date"]) for row in rows} == {0, 10}
    assert not [row for row in rows if row["birth_date"] in ("1900-01-01", "1970-01-01")]
    assert all(row["phone"].isdigit() and len(row["phone"]) == 10 for row in rows if row["phone"])
    named = [row for row in rows if row["record"].startswith("support")]
    assert named
    assert all(row["first_name"] and row["last_name"] for row in named)
    assert not [row for row in rows if "," in row["last_name"] or row["last_name"] != row["last_name"].lower()]


def test_contoso_is_cleaned_as_by_hand():
    if not (sets.DATA / "contoso" / "Contact.csv").is_file():
        pytest.skip(f"the publisher's Contoso files are not at {sets.DATA}")
    with sets.prepared("contoso_dirty") as data:
        found = [read(path) for path in tables.tables(data, data.folder)]
    assert [len(rows) for rows in found] == [5_000, 5_002]
    for rows in found:
        assert set(rows[0]) == {"record", "first_name", "last_name", "sorted_name", "birth_date", "phone"}
        assert sum(len(row["birth_date"]) == 10 for row in rows) > 4_990
        assert sum(len(row["phone"]) == 10 for row in rows) > 4_900
