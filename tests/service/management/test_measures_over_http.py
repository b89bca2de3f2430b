"""Operations 31–35 by the vendor's own client, and what it lacks by hand."""

from typing import Any

import pytest
from dynamics.customerinsights.api import models

import unify
from unify.store import Store
from unify.verbs.draft import Draft


def measure(
    name: str, field: str | None = "Total", operation: str = "sum", entity: str = "web.Orders", **said: Any
) -> models.MeasureMetadata:
    definition = models.MeasureDefinition(
        kind="attribute",
        is_profile=True,
        type="structured",
        linked_entities=[models.MeasureLinkedEntity(kind="base", entity=entity)],
        aggregates=[models.MeasureAggregate(operation=operation, field=field, alias=name, display_name=f"{name}!")],
        dependencies=[models.EntityDependency(qualified_entity_name=entity, attribute_names=["Total"])],
    )
    return models.MeasureMetadata(name=name, display_name=said.pop("title", name), definition=definition, **said)


@pytest.fixture
def api_measure(client):
    yield client.create_a_measure("contoso", measure("ApiSpend"))
    client.delete_a_measure("contoso", "ApiSpend")


def test_measures_of_the_project_are_listed_with_what_the_last_run_gave(client):
    found = {m.name: m for m in client.get_a_list_of_measures_metadata("contoso")}
    assert list(found) == ["TotalSpend", "Orders", "AverageOrder", "LastOrder", "MonthlySpend", "Revenue"]
    assert found["TotalSpend"].definition.aggregates[0].field == "Total"
    assert found["TotalSpend"].latest_evaluation.state == "completed"
    assert found["TotalSpend"].evaluation_stats.consecutive_failure_count == 0
    assert found["Revenue"].definition.is_scalar is True
    assert found["Revenue"].output.values == {"Revenue": "54017.00"}
    assert found["TotalSpend"].output is None
    one = client.get_metadata_for_a_measure("contoso", "Revenue", include_historic_stats=True)
    assert [e.state for e in one.evaluation_history] == ["completed"]
    assert [o.values for o in one.output_history] == [{"Revenue": "54017.00"}]
    assert client.get_metadata_for_a_measure("contoso", "Revenue").evaluation_history is None


def test_a_measure_is_made_changed_worked_out_and_deleted(client, shared_root):
    made = client.create_a_measure("contoso", measure("ApiLife", title="Life"))
    assert (made.name, made.display_name, made.version, made.created_by) == ("ApiLife", "Life", 1, "loopback")
    assert made.definition.as_dict() == measure("ApiLife").definition.as_dict()  # what was sent comes back
    assert made.latest_evaluation.state == "none"
    changed = client.update_a_measure("contoso", "ApiLife", measure("ApiLife", operation="max", version=1))
    assert (changed.version, changed.definition.aggregates[0].operation) == (2, "max")
    store = Store.open(shared_root / "contoso")
    draft = Draft(store)
    with unify.open(shared_root / "contoso") as acme:
        assert "ApiLife" not in acme.project().measures
        acme.refresh(draft.project(), base=draft.now().base)
        assert acme.measure("ApiLife").history().rows()
    found = client.get_metadata_for_a_measure("contoso", "ApiLife", include_historic_stats=True)
    assert found.latest_evaluation.state == "completed"
    assert found.latest_evaluation.last_successful_run_id == store.runs(1)[0].run_id
    assert [e.state for e in found.evaluation_history] == ["completed"]
    assert client.delete_a_measure("contoso", "ApiLife").status_code == 200
    assert client.get_metadata_for_a_measure("contoso", "ApiLife").http_status_code == "404"


@pytest.mark.parametrize(
    ("body", "code", "said"),
    [
        (measure("ApiBad", "Totel"), "attributeNotFound", "did you mean Total"),
        (measure("ApiBad", entity="web.Order"), "entityNotFound", "web.Order"),
        (measure("TotalSpend"), "invalidArgument", "already"),
        (measure("totalspend"), "invalidArgument", "already"),
        (measure("two words"), "invalidArgument", "not a name"),
        (measure("ApiBad", None), "invalidArgument", "needs a field"),
        (measure("ApiBad", instance_id="other"), "invalidArgument", "another instance"),
        (models.MeasureMetadata(name="ApiBad"), "invalidArgument", "said once"),
        (models.MeasureMetadata(name="ApiBad", definition=models.MeasureDefinition(kind="attribute", filters=models.MeasureExpression(kind="likes"))), "unsupportedSyntax", "no kind of expression"),
    ],
)  # fmt: skip
def test_what_cannot_be_worked_out_is_a_parsing_error(client, body, code, said):
    refused = client.create_a_measure("contoso", body)
    assert isinstance(refused, models.ParsingError), refused
    assert said in " ".join(m.message for m in refused.messages)
    assert refused.code == code
    assert "ApiBad" not in [m.name for m in client.get_a_list_of_measures_metadata("contoso")]


def test_where_in_an_expression_it_is_wrong_is_a_location(client):
    refused = client.create_a_measure("contoso", measure("ApiBad", "Totel"))
    assert (refused.messages[0].location.line, refused.messages[0].location.column) == (1, 1)


def test_refusals_of_the_other_operations(client, http, api_measure):
    assert api_measure.version == 1
    stale = client.update_a_measure("contoso", "ApiSpend", measure("ApiSpend", version=7))
    assert isinstance(stale, models.ParsingError)
    assert "version 1, not 7" in stale.messages[0].message
    renamed = client.update_a_measure("contoso", "ApiSpend", measure("Other"))
    assert "cannot become Other" in renamed.messages[0].message
    unknown = client.update_a_measure("contoso", "ApiSpand", measure("ApiSpand"))
    assert (unknown.http_status_code, unknown.params["hint"]) == ("404", "did you mean ApiSpend?")
    needed = client.delete_a_measure("contoso", "TotalSpend")
    assert (needed.error_code, "big_spenders" in needed.message) == ("measureInUse", True)
    forced = http.delete("contoso/manage/measures/TotalSpend?force=true")
    assert (forced.status_code, "AverageOrder" in forced.text) == (404, True)  # another measure is made of it
    assert "TotalSpend" in [m.name for m in client.get_a_list_of_measures_metadata("contoso")]


def test_what_the_vendor_cannot_say_is_told_and_taken_in_our_words(http):
    told = http.get("contoso/manage/measures/AverageOrder").json()
    assert told["ownDefinition"] == {"value": "TotalSpend div Orders"}
    assert "definition" not in told
    back = http.put("contoso/manage/measures/AverageOrder", json={k: v for k, v in told.items() if k != "version"})
    assert back.status_code == 200, back.text
    made = http.post(
        "contoso/manage/measures",
        json={"name": "ApiQuiet", "ownDefinition": {"template": "time_since_last_purchase", "of": "online_order"}},
    )
    assert made.json()["isCreatedFromTemplate"] is True
    listed = {m["name"]: m for m in http.get("contoso/manage/measures?templateSummaryIncluded=true").json()}
    assert listed["ApiQuiet"]["templateId"] == "time_since_last_purchase"
    assert "templateId" not in http.get("contoso/manage/measures").json()[-1]
    assert http.delete("contoso/manage/measures/ApiQuiet").json() == {"statusCode": 200}


def test_what_one_deletes_another_one_may_be_made_of(http):
    for name, said in (("ApiA", {"sum": "Total", "of": "web.Orders"}), ("ApiB", {"value": "ApiA mul 2"})):
        assert http.post("contoso/manage/measures", json={"name": name, "ownDefinition": said}).status_code == 200
    assert http.delete("contoso/manage/measures/ApiA").status_code == 404
    assert http.delete("contoso/manage/measures/ApiB").status_code == 200
    assert http.delete("contoso/manage/measures/ApiA").status_code == 200
