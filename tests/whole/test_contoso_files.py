"""The publisher's Contoso files through the whole job: rows accounted for, and ten customers that explain themselves."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

import unify
from unify.instance import Instance

DATA = Path(__file__).parents[2] / ".." / "shared" / "data" / "contoso"
PROJECT = """
name: contoso
sources:
  crm:
    Contacts:
      {files: Contact.csv, key: ContactId, columns: {Telephone: string, DateOfBirth: date, CreatedOn: date}}
  loyalty:
    Members:
      {files: Customer-Loyalty.csv, key: LoyaltyId, columns: {Telephone: string, DateOfBirth: date, CreatedOn: date}}
  web:
    Orders: {files: OnlinePurchases.csv, key: PurchaseId, type: activity, timestamp: PurchasedOn}
    Reviews: {files: WebsiteReviews_LinkedToEcommerceContacts.csv, key: ReviewId, type: activity, timestamp: ReviewDate}
  pos:
    Purchases: {files: POSPurchases.csv, key: PurchaseId, type: activity, timestamp: PurchasedOn}
conflation:
  order: [crm.Contacts, loyalty.Members]
  match:
    loyalty.Members -> crm.Contacts:
      - {name: e-mail, when: [{field: EMail, normalize: [lower]}]}
      - name: birth date and name in any order
        when: [{field: DateOfBirth}, {field: FullName, normalize: [lower], compare: token_sort, precision: 80}]
resolution:
  EMail: most recent by CreatedOn
"""


@pytest.fixture(scope="module")
def contoso(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Instance]:
    if not DATA.is_dir():
        pytest.skip("the publisher's Contoso files are not beside the project")
    folder = tmp_path_factory.mktemp("contoso")
    (folder / "project.yaml").write_text(PROJECT, encoding="utf-8")
    with unify.open(folder / "instance", create=True) as instance:
        instance.run(folder / "project.yaml", base=DATA)
        yield instance


def test_every_row_of_every_file_is_accounted_for(contoso: Instance) -> None:
    report = contoso.report()
    assert all(arrow.balanced for arrow in report.arrows)
    for entity in report.entities:
        name = contoso.project().entity(entity.entity).files[0]
        with (DATA / name).open(encoding="utf-8-sig", newline="") as file:
            rows = sum(1 for _ in csv.reader(file)) - 1
        assert entity.rows_in == rows, name
        assert entity.rows_in == entity.rows_kept + entity.rows_quarantined


def test_loyalty_members_find_their_contacts(contoso: Instance) -> None:
    pairs = contoso.sql(
        "SELECT count(*) AS found, count(*) FILTER (l.ContactId = c.key) AS right FROM members AS m "
        "JOIN loyalty_Members AS l ON l.LoyaltyId = m.key AND m.entity = 'loyalty.Members' "
        "JOIN members AS c ON c.CustomerId = m.CustomerId AND c.entity = 'crm.Contacts'"
    ).rows()[0]
    assert pairs["found"] == pairs["right"]
    assert pairs["found"] >= 4_999


def test_ten_customers_explain_themselves(contoso: Instance) -> None:
    picked = contoso.sql(
        "SELECT crm_Contacts_ContactId AS contact, loyalty_Members_LoyaltyId AS member, CustomerId FROM Customer "
        "WHERE loyalty_Members_LoyaltyId IS NOT NULL AND crm_Contacts_ContactId IS NOT NULL "
        "ORDER BY md5(CustomerId) LIMIT 10"
    ).rows()
    assert len(picked) == 10
    for row in picked:
        why = contoso.explain(f"loyalty.Members:{row['member']}", f"crm.Contacts:{row['contact']}")
        assert why.kind == "same"
        assert why.path[0].check is not None
        assert all(condition.passed for condition in why.path[0].check.conditions)
        whole = contoso.explain(row["CustomerId"])
        assert {r.record for r in whole.records} == {
            f"loyalty.Members:{row['member']}",
            f"crm.Contacts:{row['contact']}",
        }
        origin = {value.column: value for value in whole.values}
        assert origin["EMail"].how.startswith("most recent by CreatedOn")
        for value in whole.values:
            giver = next(r for r in whole.records if r.record == value.record)
            assert value.value in giver.row.values()
    others = contoso.explain(f"loyalty.Members:{picked[0]['member']}", f"crm.Contacts:{picked[1]['contact']}")
    assert others.kind == "different"
    assert others.nearest is not None
    assert not others.nearest.passed
