"""Operations 25–30 by the vendor's own client, and what it lacks by hand."""

from pathlib import Path
from typing import Any

import pytest
from dynamics.customerinsights.api import models

import unify


def criteria(attribute: str, operator: str, value: str) -> models.SegmentMembershipCriteria:
    return models.SegmentMembershipCriteria(
        kind="default", attribute=attribute, comparison_operator=operator, value=value
    )


def query(*rows: models.SegmentMembershipCriteria) -> models.SegmentationQuery:
    rowsets = [
        models.SegmentationRowset(rowset_operation="union", rowset_id=f"r{n}", criteria=c) for n, c in enumerate(rows)
    ]
    return models.SegmentationQuery(type="structured", rowsets=rowsets)


def metadata(name: str, *rows: models.SegmentMembershipCriteria, **said: Any) -> models.SegmentMetadata:
    rows = rows or (criteria("Customer.City", "equals", "Alderbrook"),)
    return models.SegmentMetadata(name=name, segment_query_expression=query(*rows), **said)


@pytest.fixture
def made(client):
    """`made("vip")`: a segment that is gone after the test."""
    names = []

    def make(name: str, *rows: Any, **said: Any) -> models.SegmentMetadata:
        names.append(name)
        return client.create_a_segment("contoso", metadata(name, *rows, **said))

    yield make
    for name in reversed(names):
        client.delete_segment("contoso", name)


def test_a_segment_from_its_making_to_its_end(client, shared_root: Path):
    made = client.create_a_segment(
        "contoso", metadata("api_life", friendly_name="Life", description="all of it"), raw=True
    )
    assert made.response.status_code == 201
    segment = made.output
    assert (segment.name, segment.friendly_name, segment.state, segment.kind) == (
        "api_life",
        "Life",
        "active",
        "default",
    )
    assert (segment.version, segment.created_by, segment.updated_by, segment.instance_id) == (
        1,
        "loopback",
        "loopback",
        "contoso",
    )
    assert segment.created_utc == segment.updated_utc
    assert segment.evaluation_status.job_status == "None"
    assert (
        segment.segment_query_expression.as_dict() == query(criteria("Customer.City", "equals", "Alderbrook")).as_dict()
    )

    rows = (criteria("Customer.City", "equals", "Alderbrook"), criteria("Customer.City", "equals", "Bern"))
    changed = client.update_a_segment("contoso", "api_life", metadata("api_life", *rows, friendly_name="Longer life"))
    assert (changed.version, changed.friendly_name) == (2, "Longer life")
    assert changed.created_utc == segment.created_utc

    with unify.open(shared_root / "contoso") as acme:
        acme.segments().refresh("api_life")
        count = acme.segment("api_life").count()
        runs = acme.runs(1)
    assert count > 0
    (found,) = [s for s in client.get_all_segments("contoso", include_historic_stats=True) if s.name == "api_life"]
    assert found.evaluation_status.job_status == "CompletedSuccess"
    assert found.evaluation_status.entity_count == count
    assert found.evaluation_status.last_successful_run_id == runs[0].run_id
    assert [(h.entity_count, h.job_status) for h in found.evaluation_status_history] == [(count, "CompletedSuccess")]
    stats = {s.rowset_id: s.rowset_count for s in found.segment_query_stats.rowset_stat}
    assert stats["r0"] == count
    assert set(stats) == {"r0", "r1"}

    assert client.deactivate_segment("contoso", "api_life") is True
    assert client.get_all_segments("contoso")[-1].state == "inactive"
    assert client.activate_segment("contoso", "api_life") is True
    gone = client.delete_segment("contoso", "api_life")
    assert gone.status_code == 200
    assert "api_life" not in [s.name for s in client.get_all_segments("contoso")]
    again = client.create_a_segment("contoso", metadata("api_life"))
    assert again.evaluation_status.job_status == "None"  # another one of the same name
    assert again.created_utc > segment.created_utc
    client.delete_segment("contoso", "api_life")


def test_lists_are_of_the_length_and_the_days_that_were_asked_for(client, http):
    assert len(client.get_all_segments("contoso", number_of_segments=2)) == 2
    assert all(s.evaluation_status_history is None for s in client.get_all_segments("contoso"))
    assert all(
        s.evaluation_status_history
        for s in client.get_all_segments("contoso", include_historic_stats=True, historic_stats_days=1)
    )
    assert http.get("contoso/manage/segments?historicStatsDays=0").status_code == 404
    assert http.get("contoso/manage/segments?numberOfSegments=none").status_code == 404
    assert http.get("contoso/manage/segments?number=1").status_code == 404


@pytest.mark.parametrize(
    ("segment", "key", "said"),
    [
        (metadata("big_spenders"), "invalidSegmentNameExists", "already"),
        (metadata("two words"), "invalidSegmentDefinitionErrorMessage", "not a name"),
        (metadata("api_bad", criteria("Customer.Citi", "equals", "x")), "invalidSegmentDefinitionErrorMessage", "Citi"),
        (metadata("api_bad", criteria("Customer.City", "likes", "x")), None, "likes"),
        (models.SegmentMetadata(segment_query_expression=query(criteria("Customer.City", "equals", "x"))), "invalidSegmentDefinitionErrorMessage", "name"),
        (models.SegmentMetadata(name="api_bad"), "invalidSegmentDefinitionErrorMessage", "segmentQueryExpression"),
        (metadata("api_bad", instance_id="other"), None, "another instance"),
        (models.SegmentMetadata(name="api_bad", kind="engagement", segment_query_expression=query(criteria("Customer.City", "equals", "x"))), "invalidSegmentDefinitionErrorMessage", "engagement"),
    ],
)  # fmt: skip
def test_what_cannot_be_made_is_a_404_with_the_reason_because_the_client_decodes_no_other(client, segment, key, said):
    refused = client.create_a_segment("contoso", segment)
    assert isinstance(refused, models.ApiErrorResult)
    assert refused.http_status_code == "404"
    assert said in refused.message
    assert key is None or refused.error_code == key
    assert "api_bad" not in [s.name for s in client.get_all_segments("contoso")]


def test_refusals_of_the_other_operations_are_decoded_too(client, made):
    made("api_one")
    update = client.update_a_segment("contoso", "api_nobody", metadata("api_nobody"))
    renamed = client.update_a_segment("contoso", "api_one", metadata("api_two"))
    stale = client.update_a_segment("contoso", "api_one", metadata("api_one", version=9))
    activate = client.activate_segment("contoso", "api_nobody")
    needed = client.deactivate_segment("contoso", "unhappy")
    delete = client.delete_segment("contoso", "api_nobody")
    found = {r.error_code: r.http_status_code for r in (update, renamed, stale, activate, needed)}
    assert found == {
        "segmentNotFound": "404",
        "invalidSegmentNameConflict": "404",
        "versionConflict": "404",
        "segmentInUse": "404",
    }
    assert (delete.error_code, delete.http_status_code) == ("segmentNotFound", "400")  # it decodes no 404 there


def test_a_draft_may_be_wrong_until_it_is_activated(client, made):
    draft = made("api_draft", criteria("Customer.Citi", "equals", "x"), state="inactive")
    assert (draft.state, "Citi" in draft.error_description) == ("invalid", True)
    refused = client.activate_segment("contoso", "api_draft")
    assert (refused.error_code, "Citi" in refused.message) == ("invalidSegmentDefinitionErrorMessage", True)


def test_what_the_vendor_has_no_words_for_is_told_and_taken_in_ours(http, refused):
    told = http.get("contoso/manage/segments/win_back").json()
    assert told["declaredIn"] == "project"
    assert [rule["operation"] for rule in told["ownDefinition"]["rules"] if "operation" in rule] == ["intersect"]
    assert "segmentQueryExpression" not in told
    told["friendlyName"] = "Win back"
    changed = http.put("contoso/manage/segments/win_back", json=told)
    assert changed.status_code == 200, changed.text
    assert changed.json()["ownDefinition"]["rules"] == told["ownDefinition"]["rules"]
    assert changed.json()["friendlyName"] == "Win back"
    body = {"name": "api_own", "ownDefinition": {"where": "City eq 'Bern'", "tags": ["city"]}}
    made = http.post("contoso/manage/segments", json=body)
    assert made.status_code == 201
    assert made.json()["ownDefinition"]["tags"] == ["city"]
    assert http.delete("contoso/manage/segments/api_own").json() == {"statusCode": 200}
    both = {**body, "segmentQueryExpression": {"type": "structured", "rowsets": []}}
    assert "twice" in refused("POST", "contoso/manage/segments", both, 404)["message"]


def test_segments_of_the_project_change_in_its_draft_and_take_force_with_the_next_run(http, shared_root):
    off = http.put("contoso/manage/segments/gone_quiet/deactivate?force=true")
    assert off.json() is True
    assert http.get("contoso/manage/segments/gone_quiet").json()["state"] == "inactive"
    with unify.open(shared_root / "contoso") as acme:
        assert acme.segments().get("gone_quiet").state == "active"
    assert http.put("contoso/manage/segments/gone_quiet/activate").json() is True
    assert http.get("contoso/manage/segments/gone_quiet").json()["state"] == "active"


@pytest.mark.parametrize("file", ["/etc/passwd", "../../secret.csv", "people.csv"])
def test_lists_in_files_of_the_server_are_not_read(refused, file):
    body = {"name": "api_list", "ownDefinition": {"members": {"file": file}}}
    error = refused("POST", "contoso/manage/segments", body, 404)
    assert "file" in error["message"]
    assert "root:" not in str(error)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"name": "x", "segmentQueryExpresion": {}}, 404, "segmentQueryExpression"),
        ({"name": "x", "ownDefinition": {"where": "City eq 'Bern'", "ends": "2027-01-01T00:00:00"}}, 404, "zone"),
        ({"name": 1}, 404, "name"),
        ([], 404, ""),
    ],
)
def test_bodies_that_are_none(http, body, status, said):
    response = http.post("contoso/manage/segments", json=body)
    assert response.status_code == status
    assert said in response.text


def test_the_client_may_send_a_body_as_json_patch_and_as_text_that_holds_json(http):
    import json

    body = json.dumps({"name": "api_twice", "ownDefinition": {"where": "City eq 'Bern'"}})
    headers = {"content-type": "application/json-patch+json; charset=utf-8"}
    made = http.post("contoso/manage/segments", content=json.dumps(body), headers=headers)
    assert made.status_code == 201
    http.delete("contoso/manage/segments/api_twice")


def test_a_parameter_out_of_range_is_decoded_too(client):
    refused = client.get_all_segments("contoso", historic_stats_days=-1)
    assert (refused.http_status_code, refused.params["where"]) == ("404", "query.historicStatsDays")
