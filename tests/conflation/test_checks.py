"""Every documented limit of a conflation plan is an error that names what offends."""

import re

import pytest

from unify.conflation.checks import check_plan
from unify.core.documents import parse_project
from unify.core.errors import SpecError
from unify.core.problems import family

SCHEMAS = {
    "crm.Contacts": {"ContactId": "VARCHAR", "EMail": "VARCHAR", "Name": "VARCHAR", "Born": "DATE", "Age": "BIGINT"},
    "loyalty.Members": {"LoyaltyId": "VARCHAR", "Email": "VARCHAR", "Name": "VARCHAR", "Born": "VARCHAR"},
}

GOOD = """
sources:
  crm: {Contacts: {files: c.csv, key: ContactId}}
  loyalty: {Members: {files: l.csv, key: LoyaltyId}}
  web: {Visits: {files: v.csv, key: VisitId, type: activity, timestamp: At}}
lists:
  junk: {kind: bypass, values: [x]}
conflation:
  order: [crm.Contacts, loyalty.Members]
  dedupe:
    crm.Contacts: {rules: [{name: d, when: [{field: EMail}]}], winner: most recent by Born}
  match:
    loyalty.Members -> crm.Contacts:
      - {name: m, when: [{left: Email, right: EMail, normalize: [lower, {bypass: junk}]}, {field: Name, precision: 80}]}
  limits: [{at_most_one: loyalty.Members}, {never_two: Name}]
"""


def problems(text: str, schemas: dict[str, dict[str, str]] = SCHEMAS) -> str:
    with pytest.raises(SpecError) as raised:
        check_plan(parse_project(text), schemas)
    return str(raised.value)


def test_a_good_plan_passes() -> None:
    check_plan(parse_project(GOOD), SCHEMAS)


@pytest.mark.parametrize(
    ("limit", "old", "new", "expected"),
    [
        ("1 ingested", "", "", r"loyalty\.Members has not been ingested"),
        ("2 attribute exists", "{field: EMail}", "{field: Emial}", r"rule 'd': crm\.Contacts has no column 'Emial' .*EMail"),
        ("3 primary key", "key: ContactId", "key: ContactNo", r"crm\.Contacts has no primary key.*'ContactNo'.*ContactId"),
        ("4 entity information", "[crm.Contacts, loyalty.Members]", "[crm.Contacts, loyalty.Members, crm.Contact]",
         r"crm\.Contact is not declared under sources \(did you mean crm\.Contacts"),
        ("6 copy of a rule", "{name: d, when: [{field: EMail}]}",
         "{name: d, when: [{field: EMail}]}, {name: e, when: [{field: EMail}]}", r"'e': is a copy of rule 'd'"),
        ("7 in the order", "order: [crm.Contacts, loyalty.Members]", "order: [crm.Contacts]", r"loyalty\.Members is not in the conflation order"),
        ("8 out of order", "loyalty.Members -> crm.Contacts", "crm.Contacts -> loyalty.Members",
         r"crm\.Contacts is not below loyalty\.Members"),
        ("9 same type", "{field: Name, precision: 80}", "{field: Born}",
         r"'m': matched attributes must have the same type: loyalty\.Members\.Born is string, crm\.Contacts\.Born is date"),
        ("names differ", "{name: d, when: [{field: EMail}]}", "{name: d, when: [{field: EMail}]}, {name: d, when: [{field: Name}]}",
         r"another rule of this pair has the same name"),
        ("lists exist", "{bypass: junk}", "{bypass: jnk}", r"no list 'jnk' \(did you mean junk"),
        ("list kinds", "{bypass: junk}", "{alias: junk}", r"list 'junk' is of kind bypass, not alias"),
        ("recency", "most recent by Born", "most recent by EMail", r"winner: crm\.Contacts\.EMail is string; recency needs"),
        ("limit entity", "at_most_one: loyalty.Members", "at_most_one: loyalty.Member", r"loyalty\.Member is not in the conflation order"),
        ("limit column", "never_two: Name", "never_two: Nam", r"no entity has a column 'Nam' \(did you mean Name"),
        ("fuzzy on text", "{name: d, when: [{field: EMail}]}", "{name: d, when: [{field: Age, precision: 80}]}",
         r"levenshtein compares text, crm\.Contacts\.Age is integer"),
        ("number on numbers", "{name: d, when: [{field: EMail}]}", "{name: d, when: [{field: EMail, compare: number, within: 2}]}",
         r"`number` compares numbers"),
        ("no activities", "order: [crm.Contacts, loyalty.Members]", "order: [crm.Contacts, loyalty.Members, web.Visits]",
         r"web\.Visits is an activity"),
        ("twice", "order: [crm.Contacts, loyalty.Members]", "order: [crm.Contacts, loyalty.Members, crm.Contacts]", r"crm\.Contacts stands twice"),
    ],
)  # fmt: skip
def test_a_violated_limit_is_named(limit: str, old: str, new: str, expected: str) -> None:
    schemas = {"crm.Contacts": SCHEMAS["crm.Contacts"]} if limit.startswith("1") else SCHEMAS
    assert old in GOOD
    assert re.search(expected, problems(GOOD.replace(old, new) if old else GOOD, schemas)), limit


def test_limit_5_at_least_one_rule() -> None:
    text = GOOD[: GOOD.index("  dedupe:")]
    assert "at least one active rule" in problems(text)


def test_all_problems_come_at_once() -> None:
    text = GOOD.replace("{field: EMail}", "{field: Emial}").replace("never_two: Name", "never_two: Nam")
    assert problems(text).count("\n") == 1


@pytest.mark.parametrize(
    ("sql_type", "expected"),
    [
        ("BIGINT", "integer"),
        ("DECIMAL(9,2)", "number"),
        ("TIMESTAMP_NS", "datetime"),
        ("UUID", "guid"),
        ("BLOB", "blob"),
    ],
)
def test_families_of_types(sql_type: str, expected: str) -> None:
    assert family(sql_type) == expected
