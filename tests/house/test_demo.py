"""What `make demo` does for a newcomer: readable, repeatable, and it touches nothing but its own."""

import contextlib
import re
import shlex
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import pytest

import unify
from sample_data import demo as demo_module


def test_it_fits_a_terminal_of_80_columns(demo):
    width = {
        line: sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line) for line in demo.said.splitlines()
    }
    assert {line: n for line, n in width.items() if n > 80 and " -i " not in line} == {}


def test_it_tells_the_whole_story(demo):
    titles = re.findall(r"^(.+?) ─+$", demo.said, re.MULTILINE)
    assert titles == [
        "Rows in: every one is kept, or set aside with a reason",
        "1,259 records are 723 customers",
        "What each rule was good for",
        "Why are two records one customer?",
        "Where does each value of a customer come from?",
        "Why are two records not one customer?",
        "Was it right?",
        "What is a customer worth, and who is in which segment?",
        "The same run once more",
        "Look further",
    ]
    assert "Of 649 pairs of records that are one person" in demo.said
    assert "Customers created: 0, merged: 0, split: 0, retired: 0; unchanged: 723." in demo.said


def test_its_figures_are_those_of_the_instance(demo):
    with unify.open(demo.folder / "instance") as acme:
        report = acme.report(1)
        rows = re.findall(r"^(\w+\.\w+) +([\d,]+) +([\d,]+) +([\d,]+)$", demo.said.replace(" \n", "\n"), re.MULTILINE)
        assert [(name, *(int(n.replace(",", "")) for n in numbers)) for name, *numbers in rows] == [
            (e.entity, e.rows_in, e.rows_kept, e.rows_quarantined) for e in report.entities
        ]
        first, second = (
            {r["CustomerId"] for r in acme.sql(f"SELECT CustomerId FROM {t}").rows()} for t in ("Customer", "members")
        )
        assert len(first) == 723
        assert first == second
        sizes = re.findall(r"^(\w+) +(\d+)  \w", demo.said, re.MULTILINE)
        assert [(name, int(n)) for name, n in sizes] == [(s.name, s.members) for s in acme.segments()]
        assert len(sizes) == 4
        assert [g.number for g in acme.generations()] == [2, 1]


def test_it_writes_a_page_that_needs_nothing_else(demo):
    page = (demo.folder / "report.html").read_text(encoding="utf-8")
    assert f"page for your browser: {Path('demo') / 'report.html'}" in demo.said
    assert page.startswith("<!doctype html>")
    assert "crm.Contacts" in page
    assert re.findall(r"<script|<link|<iframe|(?:src|href)=\"(?!#)|url\((?!#)", page) == []


def test_the_commands_it_names_work(demo):
    lines = [line for line in demo.said.splitlines() if "unify" in line and "-i " in line]
    assert len(lines) == 2
    for line in lines:
        _, *words = shlex.split(line)
        done = subprocess.run(
            [sys.executable, "-m", "unify", *words], cwd=demo.folder.parent, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout


def test_a_second_demo_replaces_the_first_and_nothing_else(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "mine.txt").write_text("keep")
    texts = []
    for _ in range(2):
        started = time.perf_counter()
        assert demo_module.main([]) == 0
        assert time.perf_counter() - started < 30
        texts.append(re.sub(r"took [\d.]+ seconds", "took", capsys.readouterr().out))
    assert texts[0] == texts[1]
    assert sorted(p.name for p in (tmp_path / "demo").iterdir()) == ["instance", "mine.txt", "report.html"]
    assert (tmp_path / "demo" / "mine.txt").read_text() == "keep"


@pytest.mark.parametrize("what", ["folder", "file", "instance", "in use"])
def test_it_removes_nothing_that_it_did_not_make(tmp_path, capsys, what):
    other = tmp_path / "instance"
    holding = contextlib.nullcontext()
    if what == "file":
        other.write_text("years of work")
    elif what == "folder":
        other.mkdir()
        (other / "thesis.txt").write_text("years of work")
    else:
        with unify.open(other, create=True) as instance:
            if what == "instance":
                people = {"name": "mine", "sources": {"a": {"People": {"key": "id"}}}}
                instance.run(people, frames={"a.People": [{"id": "1"}]})
            else:
                holding = instance.store.lease("run")
    before = sorted(tmp_path.rglob("*"))
    with holding:
        assert demo_module.main([str(tmp_path)]) == 1
    assert "not the demo's" in capsys.readouterr().err
    assert set(before) <= set(tmp_path.rglob("*"))
