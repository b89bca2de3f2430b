"""`unify doctor` finds what is wrong, says the next move, and fails only for what serves no answer."""

import os
import shutil
import sqlite3
from collections import namedtuple

import pytest

import unify
from unify.doctor import ROOM_AT_LEAST, examine

Usage = namedtuple("Usage", "total used free")


def states(report):
    return {check["name"]: check["state"] for check in report["checks"]}


def check(report, name):
    return next(c for c in report["checks"] if c["name"] == name)


def test_a_healthy_instance(cli, sample):
    said = cli("doctor", "-i", sample, "--json")
    assert said.code == 0
    assert said.json["ok"]
    assert set(states(said.json).values()) == {"ok"}
    assert list(states(said.json)) == [
        "Python", "DuckDB", "packages", "instance", "catalog", "generation 1", "lease", "runs", "leftovers", "members", "permission",
        "disk",
    ]  # fmt: skip
    with unify.open(sample) as acme:
        assert acme.doctor().as_dict() == said.json


def test_without_an_instance_the_surroundings_are_examined(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = cli("doctor", "--json")
    assert (said.code, said.json["instance"]) == (0, None)
    assert list(states(said.json)) == ["Python", "DuckDB", "packages"]
    assert "--instance" in cli("doctor").out


def test_an_instance_that_is_not_there(cli, tmp_path):
    said = cli("doctor", "-i", tmp_path / "nowhere", "--json")
    assert said.code == 4
    assert states(said.json)["instance"] == "fail"


def test_a_missing_generation_file(cli, own_sample):
    [file] = (own_sample / "generations").glob("*.duckdb")
    file.unlink()
    said = cli("doctor", "-i", own_sample, "--json")
    assert (said.code, states(said.json)["generation 1"]) == (4, "fail")
    assert check(said.json, "generation 1")["hint"]
    assert "✗ generation 1" in cli("doctor", "-i", own_sample).out


def test_a_damaged_generation_file(cli, own_sample):
    [file] = (own_sample / "generations").glob("*.duckdb")
    file.chmod(0o644)
    file.write_bytes(b"not a database at all" * 1000)
    said = cli("doctor", "-i", own_sample, "--json")
    assert (said.code, states(said.json)["generation 1"]) == (4, "fail")


def test_a_generation_that_is_not_what_was_published(cli, own_sample, tmp_path):
    import duckdb

    [file] = (own_sample / "generations").glob("*.duckdb")
    file.chmod(0o644)
    with duckdb.connect(str(file)) as connection:
        connection.execute("DELETE FROM members WHERE rid = 0")
    said = cli("doctor", "-i", own_sample, "--json")
    assert said.code == 4
    assert "members has" in check(said.json, "generation 1")["message"]


def test_a_damaged_catalog(cli, own_sample):
    for beside in own_sample.glob("catalog.sqlite-*"):
        beside.unlink()
    catalog = own_sample / "catalog.sqlite"
    with sqlite3.connect(catalog) as connection:
        page = connection.execute("PRAGMA page_size").fetchone()[0]
        root = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'runs'").fetchone()[0]
    connection.close()
    content = bytearray(catalog.read_bytes())
    content[(root - 1) * page : root * page] = os.urandom(page)
    catalog.write_bytes(content)
    said = cli("doctor", "-i", own_sample, "--json")
    assert (said.code, states(said.json)["catalog"]) == (4, "fail")


def test_a_failed_run_and_leftovers_are_warnings(cli, own_sample, tiny):
    assert cli("run", tiny, "-i", own_sample).code == 3
    (own_sample / "generations" / "000099.duckdb").write_bytes(b"")
    said = cli("doctor", "-i", own_sample, "--json")
    assert said.code == 0
    assert {name for name, state in states(said.json).items() if state == "warn"} == {"runs", "leftovers"}
    assert check(said.json, "runs")["message"].startswith("run 2 failed: columns in the source data have changed")
    assert "\n" not in check(said.json, "runs")["message"]
    assert "000099.duckdb" in check(said.json, "leftovers")["message"]


def test_members_of_segments(cli, own_sample):
    """A file that is no longer what was written fails; one that nothing refers to is a leftover."""
    with unify.open(own_sample) as acme:
        acme.segments().create("gold", "RewardPoints gt 1000")
        acme.segments().refresh("gold")
    said = cli("doctor", "-i", own_sample, "--json")
    files = sorted((own_sample / "memberships").iterdir())
    assert check(said.json, "members")["message"] == f"of segments: {len(files)} whole files"
    file = files[0]
    (own_sample / "memberships" / f"{'0' * 64}.roaring").write_bytes(b"x")
    said = cli("doctor", "-i", own_sample, "--json")
    assert (said.code, states(said.json)["leftovers"]) == (0, "warn")
    file.write_bytes(file.read_bytes()[:-1])
    said = cli("doctor", "-i", own_sample, "--json")
    assert said.code == 4
    assert "damaged" in check(said.json, "members")["message"]


def test_nothing_published_yet(cli, tmp_path):
    unify.open(tmp_path / "new", create=True).close()
    said = cli("doctor", "-i", tmp_path / "new", "--json")
    assert (said.code, states(said.json)["generations"]) == (0, "warn")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_directory(cli, own_sample):
    own_sample.chmod(0o555)
    try:
        said = cli("doctor", "-i", own_sample, "--json")
    finally:
        own_sample.chmod(0o755)
    assert (said.code, states(said.json)["permission"]) == (0, "warn")


@pytest.mark.parametrize(("free", "state", "code"), [(1, "fail", 4), (ROOM_AT_LEAST - 1, "warn", 0), (2**40, "ok", 0)])
def test_disk_space(cli, sample, monkeypatch, free, state, code):
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(2**41, 0, free))
    said = cli("doctor", "-i", sample, "--json")
    assert (said.code, states(said.json)["disk"]) == (code, state)


def test_a_package_that_shadows_ours(sample, tmp_path, monkeypatch):
    foreign = tmp_path / "ingest"
    foreign.mkdir()
    (foreign / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(__import__("sys").modules, "ingest")
    [found] = [c for c in examine(None).checks if c.name == "packages"]
    assert found.state == "fail"
    assert str(foreign) in found.message
