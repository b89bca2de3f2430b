"""Words of a project file that YAML 1.1 would twist: columns and keys called No, Yes, On; numbers that are text."""

from pathlib import Path

import pytest

import unify
from unify.core.documents import parse_project
from unify.core.errors import SpecError

PROJECT = """
sources:
  crm:
    People:
      files: people.csv
      key: No
      columns: {No: string, On: date, Yes: string, Off: integer, y: string}
      where: [{column: Yes, operator: not_equals, value: no}]
lists:
  junk: {kind: bypass, values: [no, off, ~null, 12:30, 0123, 1_000]}
conflation:
  order: [crm.People]
  dedupe:
    crm.People: {rules: [{name: yes, when: [{field: y, normalize: [{bypass: junk}]}]}], winner: most recent by On}
"""


def test_words_that_yaml_would_take_for_truth_values(tmp_path: Path) -> None:
    (tmp_path / "project.yaml").write_text(PROJECT)
    (tmp_path / "people.csv").write_text(
        "No,On,Yes,Off,y\n1,2020-01-01,a,1,same\n2,2021-01-01,b,2,same\n3,2021-01-01,no,3,same\n"
        "4,2021-01-01,c,3,0123\n5,2021-01-01,c,3,0123\n6,2021-01-01,c,3,12:30\n7,2021-01-01,c,3,12:30\n"
    )
    with unify.open(tmp_path / "acme", create=True) as acme:
        acme.run(tmp_path / "project.yaml")
        rows = acme.sql("SELECT crm_People_No AS winner FROM Customer ORDER BY 1").rows()
        assert [row["winner"] for row in rows] == ["2", "4", "5", "6", "7"]


@pytest.mark.parametrize(
    ("written", "read"),
    [("0123", "0123"), ("12:30", "12:30"), ("1_000", "1_000"), ("0x1F", "0x1F"), ("2020-01-31", "2020-01-31"),
     ("yes", "yes"), ("Off", "Off"), ("7", 7), ("-7", -7), ("7.5", 7.5), ("1e3", 1000.0), ("true", True),
     ("False", False), ("1.2.3", "1.2.3"), (".5", 0.5), ("'7'", "7")],
)  # fmt: skip
def test_values_of_a_row_filter(written: str, read: object) -> None:
    text = PROJECT.replace("value: no", f"value: {written}")
    value = parse_project(text).entities["crm.People"].where[0].value
    assert value == read
    assert type(value) is type(read)


@pytest.mark.parametrize("written", ["", "~", "null", "NULL"])
def test_nothing_is_nothing(written: str) -> None:
    with pytest.raises(SpecError, match="not_equals takes one value"):
        parse_project(PROJECT.replace("value: no", f"value: {written}"))


def test_a_project_from_a_notebook_is_refused_in_the_same_words(tmp_path: Path) -> None:
    with unify.open(tmp_path / "acme", create=True) as acme:
        with pytest.raises(SpecError) as caught:
            acme.run({"sources": {"crm": {"People": {"kee": "Id"}}}})
        assert "sources.crm.People.key: is missing" in str(caught.value)
        assert "sources.crm.People.kee: unknown key; did you mean key?" in str(caught.value)
        with pytest.raises(SpecError, match="sources: is missing"):
            acme.run({})


@pytest.mark.parametrize("threads", [0, -1])
def test_threads_that_cannot_work(tmp_path: Path, threads: int) -> None:
    with unify.open(tmp_path / "acme", create=True) as acme, pytest.raises(SpecError, match="threads"):
        acme.run({"sources": {"crm": {"People": {"key": "Id"}}}}, threads=threads)
