"""The Contoso benchmark: what the engine may see, and how its answer is scored."""

import csv
import json

import duckdb
import pytest

from benchmarks import __main__ as command
from benchmarks import contoso


@pytest.fixture
def publisher(tmp_path):
    """Three contacts and four members in the publisher's columns; two members are contact A, one is nobody's."""
    data = tmp_path / "publisher"
    data.mkdir()
    (data / contoso.CONTACTS).write_text(
        "ContactId,FirstName,LastName,FullName,DateOfBirth,EMail,Telephone\n"
        "A,Ann,Ash,Ann Ash,5/8/1986,ann@x.example,201-555-0100\n"
        "B,Bob,Birch,Birch Bob,8/1/1974,bob@x.example,201-555-0101\n"
        "C,Cy,Cole,Cy Cole,,cy@x.example,\n"
    )
    (data / contoso.LOYALTY).write_text(
        "LoyaltyId,ContactId,FirstName,LastName,FullName,DateOfBirth,EMail,Telephone\n"
        "L1,A,Ann,Ash,Ash Ann,1986-05-08,ann@x.example,+1-201-555-0100\n"
        "L2,A,Ann,Ash,Ann Ash,1986-05-08,ann@x.example,201-555-0100\n"
        "L3,B,Bob,Birch,Bob Birch,1974-08-01,bob@x.example,\n"
        "L4,,Dee,Dow,Dee Dow,1990-01-01,dee@x.example,\n"
    )
    return data


def columns_of(path):
    with path.open(newline="") as file:
        return next(csv.reader(file))


@pytest.mark.parametrize("kind", ["clean", "dirty"])
def test_the_link_is_not_in_what_the_engine_reads(kind, publisher, tmp_path):
    truth = contoso.prepare(kind, tmp_path, publisher)
    assert "ContactId" not in columns_of(tmp_path / contoso.LOYALTY)
    if kind == "dirty":
        assert columns_of(tmp_path / contoso.CONTACTS) == ["ContactId", "FullName", "DateOfBirth", "Telephone"]
        assert columns_of(tmp_path / contoso.LOYALTY) == ["LoyaltyId", "FullName", "DateOfBirth", "Telephone"]
    assert truth["loyalty.Members", "L1"] == truth["crm.Contacts", "A"]
    assert truth["loyalty.Members", "L4"] not in {truth["crm.Contacts", key] for key in "ABC"}


@pytest.mark.parametrize("kind", ["clean", "dirty"])
def test_rules_use_only_columns_that_are_there(kind, publisher, tmp_path):
    contoso.prepare(kind, tmp_path, publisher)
    plan = contoso.project(kind)
    for rule in plan.conflation.match[0].rules:
        for criterion in rule.when:
            assert set(criterion.left_columns) <= set(columns_of(tmp_path / contoso.LOYALTY))
            assert set(criterion.right_columns) <= set(columns_of(tmp_path / contoso.CONTACTS))


def _answer(*clusters):
    """A runner that publishes these clusters, whatever it is asked."""

    def run(_project, folder):
        entity = {"L": "loyalty.Members"}
        rows = [(entity.get(key[0], "crm.Contacts"), key, str(i)) for i, keys in enumerate(clusters) for key in keys]
        path = folder / "generation.duckdb"
        with duckdb.connect(str(path)) as connection:
            connection.execute("CREATE TABLE members (rid INTEGER, entity VARCHAR, key VARCHAR, CustomerId VARCHAR)")
            for rid, row in enumerate(rows):
                connection.execute("INSERT INTO members VALUES ($1, $2, $3, $4)", (rid, *row))
        return path

    return run


def test_only_pairs_across_the_files_count(publisher):
    perfect = _answer(["A", "L1", "L2"], ["B", "L3"], ["C"], ["L4"])
    found = contoso.measure("clean", perfect, publisher)
    assert (found["precision"], found["recall"], found["f1"]) == (1, 1, 1)
    assert (found["records"], found["customers"]) == (7, 4)
    poor = contoso.measure("clean", _answer(["A", "L1"], ["L2"], ["B", "L4"], ["C"], ["L3"]), publisher)
    assert (poor["precision"], poor["recall"]) == (1 / 2, 1 / 3)


def test_lost_rows_are_an_error(publisher):
    with pytest.raises(AssertionError, match="7 records went in, 6 came out"):
        contoso.measure("clean", _answer(["A", "L1", "L2"], ["B", "L3"], ["C"]), publisher)


def test_absent_files_are_named(tmp_path, capsys):
    assert command.main(["contoso", "--data", str(tmp_path)]) == 2
    assert "Contact.csv" in capsys.readouterr().err


def test_the_engine_reaches_what_is_promised(capsys):
    """Publisher's files, real engine: pairwise F1 of 0.9999 clean and 0.999 dirty, all rows accounted for."""
    if not (contoso.DATA / contoso.CONTACTS).is_file():
        pytest.skip(f"the publisher's Contoso files are not at {contoso.DATA}")
    assert command.main(["contoso", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"clean", "dirty"}
    assert found["clean"]["f1"] >= 0.9999
    assert found["dirty"]["f1"] >= 0.999
    for kind in found.values():
        assert {"precision", "recall", "f1", "seconds"} <= set(kind)
        assert kind["records"] == 10_002
