"""Operations 56–60 by the vendor's own client."""

import pytest
from dynamics.customerinsights.api import models

from unify.store import Store
from unify.verbs.segment_catalog import SegmentCatalog


def hierarchy(
    name: str | None, entity: str | None = "crm.Contacts", key: str | None = "ContactId", parent: str | None = "City"
):
    dependency = models.HierarchyDependency(
        source_entity=entity, account_id_attribute=key, parent_account_id_attribute=parent
    )
    return models.HierarchyMetadata(name=name, display_name="Places", dependency=dependency)


def test_a_hierarchy_from_its_making_to_its_end(client):
    made = client.create_a_hierarchy("contoso", hierarchy("places"))
    assert (made.name, made.version, made.created_by, made.instance_id) == ("places", 1, "loopback", "contoso")
    assert made.dependency.as_dict() == hierarchy("places").dependency.as_dict()
    change = models.HierarchyMetadata(
        display_name="Where", dependency=models.HierarchyDependency(parent_account_id_attribute="State")
    )
    changed = client.update_a_hierarchy("contoso", "places", change)
    assert (changed.version, changed.display_name, changed.dependency.parent_account_id_attribute) == (
        2,
        "Where",
        "State",
    )
    assert changed.dependency.account_id_attribute == "ContactId"  # what is not said stays
    assert [h.as_dict() for h in client.get_all_hierarchies("contoso")] == [
        client.get_a_hierarchy("contoso", "places").as_dict()
    ]
    gone = client.delete_a_hierarchy("contoso", "places")
    assert (gone.status_code, gone.value) == (200, True)
    assert client.get_all_hierarchies("contoso") == []
    assert client.get_a_hierarchy("contoso", "places").http_status_code == "404"


@pytest.mark.parametrize(
    ("body", "where", "said"),
    [
        (hierarchy(None), "name", "name"),
        (hierarchy("two words"), "name", "not a name"),
        (hierarchy("h", "crm.Nobody"), "dependency.sourceEntity", "no entity"),
        (hierarchy("h", key="Id"), "dependency.accountIdAttribute", "no column"),
        (hierarchy("h", parent=None), "dependency.parentAccountIdAttribute", "is missing"),
        (models.HierarchyMetadata(name="h"), "dependency.sourceEntity", "is missing"),
    ],
)
def test_what_is_no_hierarchy_is_a_404_with_the_reason(client, body, where, said):
    refused = client.create_a_hierarchy("contoso", body)
    assert isinstance(refused, models.ApiErrorResult)
    assert (refused.params["where"], said in refused.message) == (where, True)
    assert client.get_all_hierarchies("contoso") == []


def test_changes_of_what_is_not_there_or_not_so_any_more(client):
    client.create_a_hierarchy("contoso", hierarchy("places"))
    try:
        twice = client.create_a_hierarchy("contoso", hierarchy("places"))
        stale = client.update_a_hierarchy("contoso", "places", models.HierarchyMetadata(version=9))
        renamed = client.update_a_hierarchy("contoso", "places", models.HierarchyMetadata(name="other"))
        assert ["already" in twice.message, stale.error_code, "do not change" in renamed.message] == [
            True,
            "versionConflict",
            True,
        ]
        assert client.update_a_hierarchy("contoso", "nobody", hierarchy(None)).http_status_code == "404"
        assert client.delete_a_hierarchy("contoso", "nobody").http_status_code == "404"
    finally:
        client.delete_a_hierarchy("contoso", "places")


def test_a_segment_may_name_a_hierarchy_and_leave_its_columns_out(client, shared_root):
    client.create_a_hierarchy("contoso", hierarchy("places"))
    criteria = models.SegmentMembershipCriteria(
        kind="default", attribute="crm_Contacts.ContactId", comparison_operator="childOf", value="Alderbrook"
    )
    rowset = models.SegmentationRowset(
        rowset_operation="union", criteria=criteria, paths=[["Customer", "crm_Contacts"]]
    )
    for named in ("places", "crm.Contacts"):
        query = models.SegmentationQuery(
            type="structured", rowsets=[rowset], hierarchies=[models.HierarchyDefinition(hierarchy_entity_name=named)]
        )
        draft = models.SegmentMetadata(name="api_below", state="inactive", segment_query_expression=query)
        made = client.create_a_segment("contoso", draft)
        assert isinstance(made, models.SegmentMetadata), made
        (kept,) = SegmentCatalog(Store.open(shared_root / "contoso")).newest()["api_below"].segment.query.hierarchies
        assert (kept.hierarchy_entity_name, kept.source_attribute_name, kept.destination_attribute_name) == (
            "crm.Contacts",
            "ContactId",
            "City",
        )
        client.delete_segment("contoso", "api_below")
    query.hierarchies[0].hierarchy_entity_name = "nothing"
    refused = client.create_a_segment(
        "contoso", models.SegmentMetadata(name="api_below", segment_query_expression=query)
    )
    assert "no hierarchy 'nothing'" in refused.message
    client.delete_a_hierarchy("contoso", "places")
