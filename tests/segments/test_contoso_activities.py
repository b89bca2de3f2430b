"""The publisher's purchases and reviews at their customers: counts as SQL by hand over the files has them."""

from pathlib import Path

import duckdb
import pytest

from unify.instance import Instance

FILES = {
    "pos_Purchases": ("POSPurchases.csv", "PurchaseId", "LoyaltyId", "loyalty.Members", "Customer-Loyalty.csv"),
    "web_Orders": ("OnlinePurchases.csv", "PurchaseId", "ContactId", "crm.Contacts", "Contact.csv"),
    "web_Reviews": (
        "WebsiteReviews_LinkedToEcommerceContacts.csv",
        "ReviewId",
        "UserId",
        "crm.Contacts",
        "Contact.csv",
    ),
}
"""Table to its file, its key, the column that refers, and what that refers to."""


@pytest.mark.parametrize("table", FILES)
def test_every_customer_has_as_many_as_the_files_say(contoso: Instance, contoso_data: Path, table: str) -> None:
    """Rows of the file, joined to the file of the records, counted by customer: equal, customer by customer."""
    name, key, refers, entity, records = FILES[table]
    with contoso.connect() as db:
        raw = f"(SELECT DISTINCT {key} AS k, {refers} AS f FROM read_csv('{contoso_data / name}', all_varchar = true))"
        known = f"(SELECT DISTINCT {refers if entity != 'crm.Contacts' else 'ContactId'} AS f FROM read_csv('{contoso_data / records}', all_varchar = true))"
        side = duckdb.sql(f"SELECT a.k, a.f FROM {raw} AS a SEMI JOIN {known} AS b ON a.f = b.f").to_arrow_table()
        db.register("by_hand", side)
        wanted = dict(
            db.execute(
                "SELECT m.CustomerId, count(*) FROM by_hand AS h JOIN members AS m ON m.key = h.f AND m.entity = $e GROUP BY ALL",
                {"e": entity},
            ).fetchall()
        )
        found = dict(
            db.execute(
                "SELECT CustomerId, count(*) FROM UnifiedActivity WHERE SourceTableName = $t GROUP BY ALL", {"t": table}
            ).fetchall()
        )
        assert found == wanted
        assert len(found) > 1_000
        [(rows,)] = db.execute(f"SELECT count(*) FROM {table}").fetchall()
        [(lost,)] = db.execute(
            "SELECT count(*) FROM orphan_activities WHERE entity = $e", {"e": table.replace("_", ".", 1)}
        ).fetchall()
        assert rows == sum(found.values()) + lost


def test_a_customer_with_both_has_one_timeline(contoso: Instance) -> None:
    row = contoso.sql(
        "SELECT crm_Contacts_ContactId AS contact, loyalty_Members_LoyaltyId AS member FROM Customer "
        "WHERE CustomerId IN (SELECT CustomerId FROM UnifiedActivity GROUP BY ALL HAVING count(DISTINCT SourceTableName) = 3) "
        "ORDER BY CustomerId LIMIT 1"
    ).rows()[0]
    timeline = contoso.timeline(f"loyalty.Members:{row['member']}", limit=None).rows()
    assert timeline == contoso.timeline(f"crm.Contacts:{row['contact']}", limit=None).rows()
    assert {r["SourceTableName"] for r in timeline} == set(FILES)
    times = [r["ActivityTime"] for r in timeline]
    assert times == sorted(times, reverse=True)


def test_the_longer_way_is_listed_and_not_taken(contoso: Instance) -> None:
    """Members lead to Contacts by their ContactId too: purchases go the short way, and nobody must choose."""
    paths = contoso.relationship_paths("pos.Purchases")
    assert [[h.relationship for h in p if not h.system] for p in paths] == [["purchases"], ["purchases", "members"]]
