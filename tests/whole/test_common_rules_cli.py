"""Common rules from a project file through the command: validate, run, explain, the page of the report, mistakes."""

import json
from pathlib import Path

import pytest

import unify
from unify.cli import run as command

PROJECT = """\
name: shop
sources:
  crm:     {Contacts: {files: contacts.csv, key: Id, columns: {Born: date}}}
  loyalty: {Members: {files: members.csv, key: Id}}
  web:
    SignUps: {files: signups.csv, key: Id}
    Visits:  {files: visits.csv, key: Id, type: activity, timestamp: At}
conflation:
  order: [crm.Contacts, loyalty.Members, web.SignUps]
  dedupe:
    crm.Contacts: {winner: most recent by Born}
  rules:
    - name: e-mail and name
      when:
        - {field: EMail, columns: {loyalty.Members: Mail, web.SignUps: [Mail1, Mail2]}, normalize: [lower]}
        - {field: FullName, columns: {web.SignUps: {join: [First, Last]}}, normalize: [name], compare: token_sort, precision: 90}
    - {name: e-mail, when: [{field: EMail, columns: {loyalty.Members: Mail, web.SignUps: [Mail1, Mail2]}, normalize: [lower]}]}
  limits: [{never_two: Born}, {at_most_one: loyalty.Members}]
"""
FILES = {
    "contacts.csv": "Id,EMail,FullName,Born\nC1,ada@x.example,Ada Okafor,1980-01-02\nC2,ADA@x.example,Okafor Ada,\n"
    "C3,us@x.example,Bob Stone,1971-05-05\nC4,us@x.example,Beth Stone,1973-06-06\n",
    "members.csv": "Id,Mail,FullName\nL1,ada@x.example,Ada Okafor\nL2,us@x.example,Beth Stone\nL3,us@x.example,Bob Stone\n",
    "signups.csv": "Id,Mail1,Mail2,First,Last\nS1,new@x.example,Ada@x.example,Ada,Okafor\nS2,us@x.example,,Bob,Stone\n",
    "visits.csv": "Id,At\nV1,2026-01-01\n",
}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "shop.yaml").write_text(PROJECT, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("UNIFY_INSTANCE", str(tmp_path / "shop"))
    return tmp_path


def test_from_the_project_file_to_customers(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["validate", "shop.yaml"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "EMail (loyalty.Members: Mail; web.SignUps: any of Mail1, Mail2) is equal, after: lower" in said
    assert "FullName (web.SignUps: First + Last)" in said

    assert command(["run", "shop.yaml", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert [(r["kind"], r["name"], r["shape"]) for r in report["rules"]] == [
        ("common", "e-mail and name", "join"), ("common", "e-mail", "star"),
    ]  # fmt: skip
    assert report["rules"][0]["entities"] == ["crm.Contacts", "loyalty.Members", "web.SignUps"]
    assert report["clusters"]["customers"] == 3
    assert report["clusters"]["dedupe_groups"] == 1

    groups = "SELECT string_agg(key, ' ' ORDER BY rid) AS keys FROM members GROUP BY ordinal ORDER BY ordinal"
    with unify.open(shop / "shop") as acme:
        assert [row["keys"] for row in acme.sql(groups).rows()] == ["C1 C2 L1 S1", "C3 L3 S2", "C4 L2"]

    assert command(["explain", "loyalty.Members:L1", "web.SignUps:S1"]) == 0
    said = capsys.readouterr().out
    assert "rule 'e-mail and name' (common)" in said
    assert "First + Last 'Ada Okafor'" in said

    assert command(["explain", "crm.Contacts:C3", "crm.Contacts:C4"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "was cut: never two Born: 1971-05-05 and 1973-06-06" in said


def test_the_report_names_every_entity(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["run", "shop.yaml"]) == 0
    assert "every entity" in capsys.readouterr().out
    assert command(["report", "--html", "report.html"]) == 0
    page = (shop / "report.html").read_text(encoding="utf-8")
    assert "Every entity (common rules)" in page
    assert "within every entity" not in page
    drawn = page.split("How the rows flowed")[1]
    assert drawn.index("crm.Contacts") < drawn.index("web.Visits"), "who takes part in conflation comes first"


def test_mistakes_are_named_with_their_lines(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    wrong = PROJECT.replace("loyalty.Members: Mail,", "loyalty.Member: Mail,", 1).replace(
        "[First, Last]", "[First, Lst]"
    )
    (shop / "shop.yaml").write_text(wrong, encoding="utf-8")
    assert command(["run", "shop.yaml"]) != 0
    said = " ".join(capsys.readouterr().err.split())
    assert "loyalty.Member is not in the conflation order (did you mean loyalty.Members" in said
    assert "web.SignUps has no column 'Lst' (did you mean Last?" in said
    (shop / "shop.yaml").write_text(PROJECT.replace("join: [First, Last]", "joined: [First, Last]"), encoding="utf-8")
    assert command(["validate", "shop.yaml"]) != 0
    out = capsys.readouterr()
    said = " ".join((out.out + out.err).split())
    assert "joined" in said
    assert "line 16" in said
