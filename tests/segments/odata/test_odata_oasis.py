"""The published test cases of OData 4.01 and its aggregation extension: not written by us, not copied here."""

import json
from pathlib import Path

import pytest
import yaml

from benchmarks import __main__ as command
from benchmarks import oasis
from segments.odata import ODataSyntaxError, parse_options

HERE = Path(__file__).parent
ACCEPTED = yaml.safe_load((HERE / "accepted_negatives.yaml").read_text(encoding="utf-8"))

pytestmark = pytest.mark.skipif(
    not all((oasis.DATA / name).is_file() for name in oasis.FILES), reason="no OASIS test cases in ../shared/data/odata"
)


@pytest.fixture(scope="module")
def cases():
    return oasis.cases()


def test_the_files_are_whole(cases):
    assert len(cases) == 840 + 201
    assert sum(case.fail_at is not None for case in cases) == 79 + 23


def test_every_positive_case_parses_and_round_trips(cases):
    problems = {}
    for case in cases:
        if case.fail_at is None and not oasis.left_out(case):
            try:
                oasis.check(case)
            except (ODataSyntaxError, AssertionError) as error:
                problems[case.text] = str(error)
    assert problems == {}


def test_every_negative_case_is_refused_but_those_with_a_reason(cases):
    accepted = []
    for case in cases:
        if case.fail_at is not None and not oasis.left_out(case):
            try:
                oasis.check(case)
            except ODataSyntaxError:
                continue
            accepted.append(case.name)
    assert sorted(accepted) == sorted(ACCEPTED)


def test_what_is_left_out_is_no_part_of_a_question(cases):
    left_out = {case.rule for case in cases if oasis.left_out(case)}
    assert left_out == set(oasis.LEFT_OUT) | {"odataRelativeUri"}
    assert {case.rule for case in cases} - left_out <= set(oasis.READERS)


def test_an_accepted_ampersand_is_refused_by_the_dialect_of_customer_insights():
    with pytest.raises(ODataSyntaxError, match="there is no option 'more'"):
        parse_options("$search=more&more")


def test_measure_counts_what_the_tests_see(cases):
    found = oasis.measure()
    assert found["positive_passed"] == found["positive_total"]
    assert found["negative_total"] - found["negative_rejected"] == len(found["negative_accepted"]) == len(ACCEPTED)
    total = found["positive_total"] + found["negative_total"] + sum(found["left_out"].values())
    assert total == len(cases)


def test_a_tree_that_lost_something_would_be_noticed(cases, monkeypatch):
    case = next(c for c in cases if c.text == "(Price add 2.45) mod 2")
    real = oasis.parse_back
    monkeypatch.setattr(oasis, "parse_back", lambda rule, text: real(rule, text.replace("(", "").replace(")", "")))
    with pytest.raises(AssertionError, match="became"):
        oasis.check(case)


def test_the_command_prints_one_json_document(capsys):
    assert command.main(["oasis", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["positive_passed"] == 812
    assert found["positive_failed"] == []


def test_the_command_says_when_the_cases_are_not_there(tmp_path, capsys):
    assert command.main(["oasis", "--data", str(tmp_path)]) == 2
    assert "OASIS test cases are needed" in capsys.readouterr().err
