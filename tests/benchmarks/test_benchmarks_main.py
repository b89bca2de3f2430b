"""`python -m benchmarks`: JSON alone when asked, lines otherwise, exit code 2 with a reason."""

import json
import sys
import types

import pytest

from benchmarks import __main__ as command
from benchmarks import generate


@pytest.fixture
def cached(monkeypatch, tmp_path):
    """Generated customers go to a temporary folder."""
    real = generate.customers
    monkeypatch.setattr(command.generate, "customers", lambda n, *, seed: real(n, seed=seed, data=tmp_path))
    return tmp_path


def test_generate_prints_one_json_document(cached, capsys):
    assert command.main(["generate", "--records", "500", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["records"] == 500
    assert found["folder"].startswith(str(cached))


def test_generate_prints_lines_for_people(cached, capsys):
    assert command.main(["generate", "--records", "1500"]) == 0
    assert "records     1,500" in capsys.readouterr().out


def test_a_size_that_cannot_be_is_refused(cached, capsys):
    assert command.main(["generate", "--records", "0"]) == 2
    assert "at least 1" in capsys.readouterr().err


def test_pipeline_measures_the_customers_of_that_size_and_seed(cached, monkeypatch, capsys):
    pipeline = types.ModuleType("benchmarks.pipeline")
    pipeline.measure = lambda made: {"records": made.records, "stages": {"ingest": 1.5}}
    monkeypatch.setitem(sys.modules, "benchmarks.pipeline", pipeline)
    monkeypatch.setattr(sys.modules["benchmarks"], "pipeline", pipeline, raising=False)
    assert command.main(["pipeline", "--records", "300"]) == 0
    assert capsys.readouterr().out == "records  300\nstages\n  ingest  1.5\n"
