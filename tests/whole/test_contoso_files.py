"""The publisher's Contoso files through the whole job: rows accounted for, and ten customers that explain themselves."""

import csv
from pathlib import Path

from unify.instance import Instance


def test_every_row_of_every_file_is_accounted_for(contoso: Instance, contoso_data: Path) -> None:
    report = contoso.report()
    assert all(arrow.balanced for arrow in report.arrows)
    for entity in report.entities:
        name = contoso.project().entity(entity.entity).files[0]
        with (contoso_data / name).open(encoding="utf-8-sig", newline="") as file:
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
