"""Project files: every mistake has a line and a next move."""

import json
from pathlib import Path

import pytest

from unify.core.documents import parse_project, project_schema, read_project
from unify.core.errors import SpecError

ENTITY = "sources:\n  crm:\n    C: {files: a.csv, key: Id}\n"
RULE = ENTITY + "conflation:\n  order: [crm.C]\n  dedupe:\n    crm.C:\n      - {name: r, when: [%s]}\n"


def test_the_design_illustration_is_a_project() -> None:
    project = parse_project(
        """
sources:
  crm:
    Contacts:  {files: exports/crm/contacts*.csv, key: ContactId, labels: {EMail: Identity.Service.Email}}
  loyalty:
    Members:   {files: exports/loyalty.parquet, key: LoyaltyId}
  web:
    Purchases: {files: exports/purchases/*.parquet, key: PurchaseId, type: activity, timestamp: PurchasedOn}
conflation:
  order: [crm.Contacts, loyalty.Members]
  dedupe:
    crm.Contacts:
      - {name: same, when: [{field: EMail, normalize: [lower]}, {field: FullName, normalize: [name], precision: high}]}
  match:
    loyalty.Members -> crm.Contacts:
      - {name: e-mail, when: [{field: EMail, normalize: [lower]}]}
      - {name: phone and name, when: [{fields: [Mobile, Telephone], normalize: [phone]}, {field: FullName, precision: 70}],
         unless: [{field: DateOfBirth, differs: true}]}
  limits: [{at_most_one: loyalty.Members}, {never_two: DateOfBirth}]
resolution:
  Email:   most recent by CreatedOn
  Address: {group: [Street, City, PostCode], by: importance}
"""
    )
    plan = project.conflation
    assert plan is not None
    assert [r.name for r in plan.match[0].rules] == ["e-mail", "phone and name"]
    assert plan.dedupe["crm.Contacts"].rules[0].when[1].precision == 80
    assert str(project.resolution["Email"].by) == "most recent by CreatedOn"
    assert list(project.resolution["Address"].group) == ["Street", "City", "PostCode"]


def test_json_says_the_same_as_yaml() -> None:
    project = parse_project(RULE % "{field: a, precision: 0.64}")
    again = parse_project(project.model_dump_json(by_alias=True), is_json=True)
    assert again == project


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (ENTITY.replace("key", "kee"), "line 3: sources.crm.C.kee: unknown key; did you mean key?"),
        (ENTITY.replace(", key: Id", ""), "sources.crm.C.key: is missing"),
        (ENTITY + "    C: {files: b.csv, key: Id}\n", "line 4: the key 'C' stands here and in line 3"),
        (ENTITY.replace("crm", "9crm"), "'9crm' is not a name"),
        (RULE % "{field: a, precission: 80}", "line 8: conflation.dedupe.crm.C.0.when.0.precission: unknown key; did you mean precision?"),
        (RULE % "{field: a, precision: 0.645}", "precision goes in steps of 1 %"),
        (RULE % "{field: a, precision: strong}", "precision 'strong' is not one of low, medium, high, exact"),
        (RULE % "{field: a, fields: [b]}", "name the columns once"),
        (RULE % "{left: a}", "`left` and `right` come together"),
        (RULE % "{field: a, differs: true}", "`differs` belongs under `unless`"),
        (RULE % "{field: a}, {field: a}", "a condition is a copy of another one"),
        (RULE % "{field: a, compare: jaro_winkler}", "jaro_winkler needs a precision"),
        (RULE % "{field: a, compare: date}", "date needs `within`"),
        (RULE % "{field: a, compare: number, precision: 80}", "number takes `within`"),
        (RULE % "{field: a, swap: true}", "`swap` belongs to date"),
        (RULE % "{field: a, normalize: [upper]}", "'upper' is none of what may stand here"),
        (RULE % "{field: a, normalize: [bypass]}", "bypass needs a list"),
        (RULE % "{field: a, compare: alike}", "'alike' is none of what may stand here"),
        (ENTITY + "conflation: {order: [crm.C], limits: [{max_records: 3, never_two: x}]}", "a limit is one of"),
        (ENTITY + "conflation: {order: [crmC]}", "write source.Entity"),
        (ENTITY + "conflation: {order: [crm.C], match: {crm.C => x: []}}", "write `loyalty.Members -> crm.Contacts`"),
        (ENTITY + "resolution: {Email: newest}", "'newest' is not a preference"),
        (ENTITY + "resolution: {Email: most recent}", "needs a date or numeric column"),
        (ENTITY + "lists: {l: {kind: bypass, pairs: [[a, b]]}}", "takes `values` or `files`, not `pairs`"),
        (ENTITY + "lists: {l: {kind: never}}", "takes either `files` or `records`"),
        ("", "the file is empty"),
        ("- a\n", "a project is a mapping"),
        ("a: &x [*x]", "an anchor contains itself"),
        ("sources: [\n", "line 2"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line(text: str, expected: str) -> None:
    with pytest.raises(SpecError) as raised:
        parse_project(text)
    assert expected in str(raised.value)


def test_a_mistake_inside_a_rule_is_reported_once() -> None:
    with pytest.raises(SpecError) as raised:
        parse_project(RULE % "{field: a, precission: 80}")
    assert "must stand here" not in str(raised.value)


def test_json_mistakes(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text('{"sources": {}, "sources": {}}', encoding="utf-8")
    with pytest.raises(SpecError, match="stands twice"):
        read_project(path)
    path.write_text("{", encoding="utf-8")
    with pytest.raises(SpecError, match="line 1, column 2"):
        read_project(path)


def test_a_missing_file_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="unify init"):
        read_project(tmp_path / "none.yaml")


def test_the_published_schema_is_the_one_in_docs() -> None:
    schema = project_schema()
    published = Path(__file__).parents[2] / "docs" / "project.schema.json"
    assert json.loads(published.read_text(encoding="utf-8")) == schema, "`unify validate --schema` writes it anew"
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == {"sources"}
