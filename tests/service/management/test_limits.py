"""Every limitation of the user's documents, each answered by its kind of error: conflation, entity info, relationships."""

import copy
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from dynamics.customerinsights.api import CustomerInsights, models

from unify.service.management.conflation_shapes import ConflationPlanInfo, plan_of, wire_of
from unify.service.management.conflations import wire_names
from unify.spec import ConflationPlan

Refused = Callable[..., dict[str, Any]]
PLAN = "contoso/conflations/main/conflationPlan"
RULES = "contoso/conflations/main/conflictResolutionRules"
INFO = "contoso/conflations/main/entityInformation"
SMALL = {
    "ConflationOrder": ["crm_Contacts", "web_SignUps"],
    "EntityConflationInformation": [
        {"EntityName": "Contacts", "DatasourceId": "crm"},
        {"EntityName": "SignUps", "DatasourceId": "web"},
    ],
    "Rules": [
        {
            "Name": "e-mail",
            "SourceEntityName": "web_SignUps",
            "TargetEntityName": "crm_Contacts",
            "Criteria": [{"SourceAttributes": ["EMail"], "Precision": "high", "Normalizations": ["lower"]}],
        }
    ],
}


def changed(**parts: Any) -> dict[str, Any]:
    return {**copy.deepcopy(SMALL), **parts}


def rule(**parts: Any) -> list[dict[str, Any]]:
    return [{**copy.deepcopy(SMALL["Rules"][0]), **parts}]


@pytest.fixture(scope="module")
def plan(http: httpx.Client) -> dict[str, Any]:
    """The plan of the sample, as it is told."""
    return dict(http.get(PLAN).json())


# ── conflation plan ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_plan_in_the_documents_spelling_is_taken_and_told_in_the_clients(http: httpx.Client, plan: dict) -> None:
    made = http.put(PLAN, json=SMALL)
    assert made.status_code == 200, made.text
    told = made.json()
    assert told["conflationOrder"] == ["crm_Contacts", "web_SignUps"]
    assert [i["primaryKey"] for i in told["entityConflationInformation"]] == ["ContactId", "UserId"]
    [only] = told["rules"]
    assert only["criteria"] == [
        {"sourceAttributes": ["EMail"], "targetAttributes": ["EMail"], "precision": "high", "normalizations": ["lower"]}
    ]
    assert http.put(PLAN, json=told).json()["rules"] == told["rules"]  # what was read can be sent back
    project = http.get("contoso/project").json()["conflation"]
    assert project["order"] == [{"entity": e, "include_all": True} for e in ("crm.Contacts", "web.SignUps")]
    assert project["match"][0]["rules"][0]["when"][0]["precision"] == 80
    patched = http.patch(PLAN, json={"ConflationOrder": ["web_SignUps", "crm_Contacts"], "Rules": rule(
        SourceEntityName="crm.Contacts", TargetEntityName="SignUps")})  # fmt: skip
    assert patched.json()["conflationOrder"] == ["web_SignUps", "crm_Contacts"]
    assert http.put(PLAN, json=plan).status_code == 200


def test_the_samples_plan_survives_the_way_out_and_back(http: httpx.Client, plan: dict) -> None:
    before = http.get("contoso/project").json()["conflation"]
    assert http.put(PLAN, json=plan).status_code == 200
    assert http.get("contoso/project").json()["conflation"] == before


def test_plans_of_every_kind_survive_the_way_out_and_back() -> None:
    said: dict[str, Any] = {
        "order": [{"entity": "a.A", "include_all": False}, "b.B", "c.C"],
        "dedupe": {
            "a.A": {"rules": [{"name": "d", "when": [{"field": "X"}]}], "winner": "most recent by T", "prefer": {"X": "most filled"}},
            "b.B": {"rules": [], "default_rule": False},
        },
        "match": {
            "b.B -> a.A": [
                {"name": "m", "active": False, "when": [
                    {"left": ["P", "Q"], "right": "R", "normalize": [{"phone": "US"}, {"bypass": "l"}], "compare": "jaro_winkler", "precision": 88},
                    {"fields": ["S", "T"]}, {"field": "D", "compare": "date", "within": 3, "swap": True},
                    {"field": "E", "precision": 64}, {"field": "F", "precision": 100}, {"field": "G", "compare": "phonetic"}],
                 "unless": [{"field": "B", "differs": True}, {"all": [{"field": "C"}, {"field": "D", "differs": True}]}]},
                {"name": "s", "score": ["X", {"field": "Y", "levels": [50, 75]}], "at_least": 0.5},
            ],
            "c.C -> a.A": [{"name": "n", "when": [{"field": "X"}]}],
        },
        "rules": [{"name": "everywhere", "when": [{"field": "X", "columns": {"b.B": {"join": ["P", "Q"]}}}]}],
        "limits": [{"never_two": "D", "normalize": ["lower"]}, {"at_most_one": "b.B"}],
        "clustering": "anchored", "max_shared": 7, "max_pairs": 1000, "overload": "refuse", "junk": "detect",
    }  # fmt: skip
    plan = ConflationPlan.model_validate(said)
    wire = ConflationPlanInfo.model_validate(wire_of(plan, {"a.A": "Id"}))
    assert ConflationPlan.model_validate(plan_of(wire, wire_names(["a.A", "b.B", "c.C"]))) == plan


LIMITS_OF_A_PLAN = {
    "1 entities have been ingested": (
        changed(ConflationOrder=["crm_Contacts", "web_Nothing"]), "conflationOrder.1", "has not been ingested"),
    "1 in the data source that is said": (
        changed(EntityConflationInformation=[{"EntityName": "Contacts", "DatasourceId": "web"}, SMALL["EntityConflationInformation"][1]]),
        "entityConflationInformation.0.entityName", "has not been ingested"),
    "2 attributes exist": (changed(Rules=rule(Criteria=[{"SourceAttributes": ["EMial"]}])), "", "EMial"),
    "4 every entity of the order has its information": (
        changed(EntityConflationInformation=SMALL["EntityConflationInformation"][:1]), "entityConflationInformation", "web.SignUps"),
    "4 and the other way round": (
        changed(ConflationOrder=["crm_Contacts"], Rules=[]), "entityConflationInformation.1", "not in the conflation order"),
    "5 at least one rule": (changed(Rules=[]), "rules", "at least one rule"),
    "5 and one criterion": (changed(Rules=rule(Criteria=[])), "rules.0", "at least one criterion"),
    "6 no copy criteria": (
        changed(Rules=rule(Criteria=[{"Kind": "Copy", "SourceAttributes": ["EMail"]}])), "rules.0.criteria.0", "copy"),
    "7 entities of rules are in the order": (
        changed(Rules=rule(TargetEntityName="loyalty_Members")), "", "not in the conflation order"),
    "8 rules keep the order": (
        changed(Rules=rule(SourceEntityName="crm_Contacts", TargetEntityName="web_SignUps")), "", "is not below"),
    "nothing is said twice": (changed(Settings={"order": ["x.Y"]}), "settings.order", "unknown key"),
    "9 matched attributes are of one type": (
        changed(Rules=rule(Criteria=[{"SourceAttributes": ["DateOfBirth"], "TargetAttributes": ["FirstName"]}])), "", "type"),
}  # fmt: skip


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize("limit", LIMITS_OF_A_PLAN)
def test_limits_of_a_conflation_plan(refused: Refused, http: httpx.Client, limit: str, method: str) -> None:
    body, where, words = LIMITS_OF_A_PLAN[limit]
    before = http.get(PLAN).json()
    error = refused(method, PLAN, body)
    assert error["errorCode"] == "conflationPlanInvalid"
    places = {(r.get("params") or {}).get("where", ""): r["message"] for r in error["ciResults"]}
    assert any(where in place and words in f"{place} {message}" for place, message in places.items()), error
    assert http.get(PLAN).json() == before


def test_limit_3_of_a_plan_every_entity_has_a_primary_key(refused: Refused, http: httpx.Client) -> None:
    project = http.get("contoso/project").json()
    keyless = copy.deepcopy(project)
    keyless["sources"]["web"]["SignUps"]["key"] = "NoSuchColumn"
    assert http.put("contoso/project", json=keyless).status_code == 200
    try:
        error = refused("PUT", PLAN, SMALL)
        assert "web.SignUps has no primary key" in error["message"]
        information = refused("PATCH", INFO, [{"datasourceId": "web", "entityNames": ["SignUps"]}])
        assert "no primary key" in information["message"]
    finally:
        assert http.put("contoso/project", json=project).status_code == 200


def test_limits_by_field(refused: Refused) -> None:
    assert refused("GET", PLAN.replace("contoso", "nowhere"), status=404)["params"]["where"] == "instanceId"
    assert refused("GET", PLAN.replace("main", "other"), status=404)["params"]["where"] == "conflationId"
    assert refused("PATCH", f"{INFO}/Nothing", {"entityName": "Nothing"}, 404)["errorCode"] == "entityNotFound"
    of_source = "contoso/conflations/main/datasources/{}/entityInformation/Contacts"
    assert (
        refused("PATCH", of_source.format("nothing"), {"entityName": "Contacts"}, 404)["errorCode"] == "entityNotFound"
    )
    assert refused("GET", of_source.format("web"), status=404)["params"]["where"] == "entityName"


def test_entity_information_in_its_three_forms(http: httpx.Client, plan: dict, refused: Refused) -> None:
    assert http.put(PLAN, json=SMALL).status_code == 200
    try:
        assert [i["entityName"] for i in http.get(INFO).json()] == ["Contacts", "SignUps"]
        error = refused("PATCH", INFO, [{"datasourceId": "loyalty", "entityNames": ["Members", "Nothing"]}])
        assert error["params"]["where"] == "0.entityNames.1"
        assert len(http.get(INFO).json()) == 2  # all of them or none
        joined = http.patch(INFO, json=[{"DatasourceId": "loyalty", "EntityNames": ["Members"]}]).json()
        assert [i["entityName"] for i in joined] == ["Contacts", "SignUps", "Members"]
        one = http.patch(f"{INFO}/Members", json={"entityName": "Members", "includeAllRecords": False})
        assert one.json() == {
            **one.json(),
            "entityName": "Members",
            "datasourceId": "loyalty",
            "includeAllRecords": False,
        }
        path = "contoso/conflations/main/datasources/crm/entityInformation/Contacts"
        deduplication = {
            "rules": [{"name": "same", "criteria": [{"sourceAttributes": ["EMail"]}]}],
            "winner": "most recent by ModifiedOn",
        }
        two = http.patch(path, json={"entityName": "Contacts", "deduplication": deduplication})
        assert two.json()["deduplication"]["winner"] == "most recent by ModifiedOn"
        assert http.get(path).json() == two.json()
        bad = {"rules": [{"name": "same", "criteria": [{"sourceAttributes": ["EMial"]}]}]}
        assert "EMial" in refused("PATCH", path, {"entityName": "Contacts", "deduplication": bad})["message"]
        assert refused("PATCH", path, {"entityName": "SignUps"})["params"]["where"] == "entityName"
    finally:
        assert http.put(PLAN, json=plan).status_code == 200


LIMITS_OF_RESOLUTION = {
    "1 entities have been ingested": (
        [{"name": "City", "sourceAttributes": [{"entityName": "Nothing", "attributeName": "City"}]}], "0.sourceAttributes.0.entityName"),
    "2 attributes exist": (
        [{"name": "City", "sourceAttributes": [{"entityName": "Contacts", "attributeName": "Ctiy"}]}], "0.sourceAttributes.0.attributeName"),
    "4 at least one policy": ([], ""),
    "4 against at least one attribute": ([{"name": "NoSuch", "policy": "importance"}], "0"),
    "5 entities are part of the plan": (
        [{"name": "City", "sourceAttributes": [{"entityName": "Orders", "datasourceId": "web", "attributeName": "OrderId"}]}],
        "0.sourceAttributes.0.entityName"),
    "recency needs an attribute": ([{"name": "City", "policy": "MostRecent"}], "0.byAttribute"),
    "importance takes none": ([{"name": "City", "policy": "importance", "byAttribute": "ModifiedOn"}], "0.byAttribute"),
    "a rule stands once": ([{"name": "City"}, {"name": "City"}], "1.name"),
}  # fmt: skip


@pytest.mark.parametrize("limit", LIMITS_OF_RESOLUTION)
def test_limits_of_conflict_resolution_rules(refused: Refused, http: httpx.Client, limit: str) -> None:
    body, where = LIMITS_OF_RESOLUTION[limit]
    before = http.get(RULES).json()
    error = refused("PATCH", RULES, body)
    assert error["errorCode"] == "conflationResolutionInvalid"
    assert where in [(r.get("params") or {}).get("where", "") for r in error["ciResults"]], error
    assert http.get(RULES).json() == before


def test_conflict_resolution_rules_are_written_and_read(http: httpx.Client) -> None:
    before = http.get(RULES).json()
    first = {"name": "FirstName", "policy": "leastRecent", "byAttribute": "ModifiedOn",
            "sourceAttributes": [{"entityName": "SignUps", "attributeName": "City", "datasourceId": "web"},
                                 {"entityName": "Contacts", "attributeName": "City", "datasourceId": "crm"}]}  # fmt: skip
    mail = {"name": "EMail", "policy": "importance", "entityOrder": ["web_SignUps", "crm_Contacts"]}
    after = {r["name"]: r for r in http.patch(RULES, json=[first, mail]).json()}
    assert (after["FirstName"], after["EMail"]) == (first, mail)
    assert set(after) == {r["name"] for r in before} | {"FirstName"}
    assert http.put(RULES, json=[first]).json() == [first]
    assert http.put(RULES, json=before).json() == before


# ── entity information of sources ────────────────────────────────────────────────────────────────────────────────────

ENTITY_INFO = "contoso/manage/datasources/web/entities/entityInfo"
LIMITS_OF_ENTITY_INFO = {
    "1 entities have been ingested": ({"EntityName": "Nothing"}, "0.entityName"),
    "1 into the given source": ({"EntityName": "Contacts"}, "0.entityName"),
    "2 attributes exist": (
        {"EntityName": "SignUps", "SemanticLabels": [{"AttributeName": "EMial", "Label": "x"}]}, "0.semanticLabels.0"),
    "3 Profile cannot be said": ({"EntityName": "SignUps", "EntityType": "Profile"}, "0.entityType"),
    "4 an activity hangs on a profile": (
        {"EntityName": "SignUps", "EntityType": "Activity", "TimestampFieldName": "SignedUpOn"}, "0.entityType"),
    "5 the timestamp is an attribute": ({"EntityName": "Orders", "TimestampFieldName": "Never"}, "0.timestampFieldName"),
    "5 of type DateTime or long": ({"EntityName": "Orders", "TimestampFieldName": "Product"}, "0.timestampFieldName"),
}  # fmt: skip


@pytest.mark.parametrize("limit", LIMITS_OF_ENTITY_INFO)
def test_limits_of_entity_info_for_many_and_for_one(refused: Refused, http: httpx.Client, limit: str) -> None:
    body, where = LIMITS_OF_ENTITY_INFO[limit]
    before = http.get(ENTITY_INFO).json()
    if limit.startswith("4"):  # nothing hangs on anything
        project = http.get("contoso/project").json()
        alone = {**project, "relationships": {}, "activities": {}, "measures": {}, "segments": {}}
        assert http.put("contoso/project", json=alone).status_code == 200
    try:
        many = refused("PATCH", ENTITY_INFO, [body])
        assert where in [r["params"]["where"] for r in many["ciResults"]]
        one = refused("PATCH", f"contoso/manage/datasources/web/entities/{body['EntityName']}/entityInfo", body)
        assert where in [r["params"]["where"] for r in one["ciResults"]]
        assert http.get(ENTITY_INFO).json() == before
    finally:
        if limit.startswith("4"):
            assert http.put("contoso/project", json=project).status_code == 200


def test_limit_3_of_entity_info_no_other_word_is_a_type(refused: Refused) -> None:
    error = refused("PATCH", ENTITY_INFO, [{"EntityName": "SignUps", "EntityType": "Segment"}])
    assert error["params"]["where"] == "0.EntityType" or error["params"]["where"] == "0.entityType"


def test_entity_info_changes_what_is_said(http: httpx.Client) -> None:
    before = {i["entityName"]: i for i in http.get(ENTITY_INFO).json()}
    body = [
        {"EntityName": "SignUps", "SemanticLabels": [{"AttributeName": "City", "Label": None}]},
        {"EntityName": "Orders", "EntityType": "Activity", "TimestampFieldName": "OrderedOn",
         "SemanticLabels": [{"AttributeName": "Product", "Label": "Product"}]},
    ]  # fmt: skip
    after = {i["entityName"]: i for i in http.patch(ENTITY_INFO, json=body).json()}
    assert after["Orders"]["entityType"] == "Activity"
    assert after["SignUps"]["primaryKey"] == before["SignUps"]["primaryKey"]
    assert "City" not in [s["attributeName"] for s in after["SignUps"]["semanticLabels"]]
    assert after["Orders"]["semanticLabels"] == [{"attributeName": "Product", "label": "Product"}]
    http.patch(ENTITY_INFO, json=[{"EntityName": "SignUps", "EntityType": "Unspecified"}])
    assert {i["entityName"]: i["entityType"] for i in http.get(ENTITY_INFO).json()}["SignUps"] == "Unspecified"
    one = {"EntityName": "Orders", "SemanticLabels": [{"AttributeName": "Product", "Label": "BarCode"}]}
    told = http.patch("contoso/manage/datasources/web/entities/Orders/entityInfo", json=one).json()
    assert told["semanticLabels"] == [{"attributeName": "Product", "label": "BarCode"}]


def test_semantic_labels_and_relationships_are_listed_before_any_data(http: httpx.Client) -> None:
    empty = http.post("V2", json={"instanceMetadata": {"name": "Empty"}}).json()["instanceId"]
    assert "Contact" in http.get(f"{empty}/manage/schema/entitySemanticLabels").json()
    assert "PersonFullName" in http.get(f"{empty}/manage/schema/attributeSemanticLabels").json()
    assert http.get(f"{empty}/manage/relationships").json() == []
    assert http.get(f"{empty}/manage/relationships/none").status_code == 404
    assert http.delete(f"{empty}/manage/relationships/none").status_code == 404


# ── relationships ────────────────────────────────────────────────────────────────────────────────────────────────────

LINK = {"name": "mail", "fromEntityName": "web_SignUps", "fromAttributeName": "EMail", "toEntityName": "crm_Contacts",
        "toAttributeName": "EMail", "cardinality": "ManyToOne"}  # fmt: skip
LIMITS_OF_RELATIONSHIPS = {
    "1 letters, numbers, underscores": ({**LINK, "name": "my link"}, "letters, digits"),
    "2 unique": ({**LINK, "name": "orders"}, "unique"),
    "3 two cardinalities": ({**LINK, "cardinality": "OneToOne"}, "OneToMany or ManyToOne"),
    "3 no other word": ({**LINK, "cardinality": "ManyToMany"}, "manyToOne"),
    "4 four types": ({**LINK, "relationshipType": "Other"}, "singleKeyRelationshipOrigin"),
    "5 the first entity exists": ({**LINK, "fromEntityName": "web_Nothing"}, "no entity"),
    "5 the second entity exists": ({**LINK, "toEntityName": "Nothing"}, "no entity"),
    "6 the first attribute exists": ({**LINK, "fromAttributeName": "EMial"}, "EMial"),
    "6 the second attribute exists": ({**LINK, "toAttributeName": "EMial"}, "EMial"),
    "nothing is left out": ({"name": "mail"}, "is missing"),
    "attributes are of one type": ({**LINK, "toAttributeName": "DateOfBirth"}, "type"),
}  # fmt: skip


@pytest.mark.parametrize("limit", LIMITS_OF_RELATIONSHIPS)
def test_limits_of_relationships(refused: Refused, http: httpx.Client, limit: str) -> None:
    body, words = LIMITS_OF_RELATIONSHIPS[limit]
    assert words in refused("PATCH", "contoso/manage/relationships", body)["message"]
    assert http.get("contoso/manage/relationships/mail").status_code == 404


@pytest.mark.parametrize("limit", [name for name in LIMITS_OF_RELATIONSHIPS if name[0] in "3456"])
def test_limits_of_relationships_when_one_is_changed(refused: Refused, limit: str) -> None:
    body, words = LIMITS_OF_RELATIONSHIPS[limit]
    body = {key: value for key, value in body.items() if key != "name"}  # limit 2 does not apply: it keeps its name
    assert words in refused("PATCH", "contoso/manage/relationships/reviews", body)["message"]
    assert (
        refused("PATCH", "contoso/manage/relationships/nothing", body | {"cardinality": "ManyToOne"}, 404)
        if limit[0] == "5"
        else True
    )


def test_relationships_live_as_the_client_says(client: CustomerInsights, http: httpx.Client) -> None:
    said = models.RelationshipMetadata(
        name="mail", friendly_name="By mail", description="d", from_entity_name="web_SignUps", from_attribute_name="EMail",
        to_entity_name="crm_Contacts", to_attribute_name="EMail", cardinality="oneToOne",
        relationship_type="dataSourceLineageOrigin",
    )  # fmt: skip
    made = client.create_a_relationship("contoso", said)
    assert isinstance(made, models.RelationshipMetadata)
    for key in (
        "name",
        "friendly_name",
        "description",
        "from_entity_name",
        "to_attribute_name",
        "cardinality",
        "relationship_type",
    ):
        assert getattr(made, key) == getattr(said, key), key
    assert (made.source, made.version, made.created_by) == ("user", 1, "loopback")
    assert {r.name for r in client.get_all_relationships("contoso")} == {"mail", "orders", "purchases", "reviews"}
    assert client.get_a_relationship("contoso", "mail").as_dict() == made.as_dict()
    made.description, made.cardinality = "other", "manyToOne"
    changed = client.update_a_relationship("contoso", "mail", made)  # with the tail that the service wrote
    assert (changed.description, changed.cardinality, changed.version) == ("other", "manyToOne", 2)
    http.patch("contoso/manage/relationships/mail", json={"Description": "third"})
    third = client.get_a_relationship("contoso", "mail")
    assert (third.description, third.friendly_name, third.version) == ("third", "By mail", 3)
    assert client.create_a_relationship("contoso", said).http_status_code == "400"
    assert client.update_a_relationship("contoso", "nothing", made).http_status_code in ("400", "404")
    assert isinstance(client.delete_a_relationship("contoso", "mail"), models.OkResult)
    assert client.delete_a_relationship("contoso", "mail").http_status_code == "404"
    assert client.get_a_relationship("contoso", "mail").http_status_code == "404"


def test_relationships_of_the_system_are_told_and_stay(client: CustomerInsights, refused: Refused) -> None:
    made = client.get_all_system_created_relationships("contoso")
    assert [r.name for r in made] == ["Customer_crm_Contacts", "Customer_loyalty_Members", "Customer_web_SignUps"]
    assert {(r.source, r.from_entity_name, r.cardinality) for r in made} == {("system", "Customer", "oneToMany")}
    assert made[0].from_attribute_name == "crm_Contacts_ContactId"
    refused("DELETE", "contoso/manage/relationships/Customer_crm_Contacts")
    refused("POST", "contoso/manage/relationships", {**LINK, "name": "Customer_crm_Contacts"})


def test_a_relationship_that_is_used_stays_and_says_who_uses_it(refused: Refused) -> None:
    error = refused("DELETE", "contoso/manage/relationships/orders", status=409)
    assert "online_order" in error["message"]
