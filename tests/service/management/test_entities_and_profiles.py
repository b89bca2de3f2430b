"""Operations 11–13, 17–18 and 36–40 with the vendor's client, held against SQL over the same generation."""

import asyncio
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest
from dynamics.customerinsights.api import CustomerInsights, models

import unify
from unify.service.app import Service
from unify.service.caller import Caller, Role
from unify.service.settings import Settings


@pytest.fixture(scope="module")
def contoso_sql(shared_root: Path) -> Any:
    with unify.open(shared_root / "contoso") as instance:
        yield lambda sql, **params: instance.sql(sql, params).arrow().to_pylist()


@pytest.fixture(scope="module")
def empty(http: httpx.Client) -> str:
    return str(http.post("V2", json={"instanceMetadata": {"name": "Empty"}}).json()["instanceId"])


def test_every_entity_is_told_with_what_it_is(client: CustomerInsights, contoso_sql: Any) -> None:
    model = client.get_all_entity_metadata("contoso")
    assert isinstance(model, models.IC360EntityModel)
    found = {e.qualified_entity_name: e for e in model.entities}
    kinds = {name: e.entity_type for name, e in found.items()}
    assert kinds == {
        "crm_Contacts": "profile", "loyalty_Members": "profile", "web_SignUps": "profile", "web_Orders": "activity",
        "web_Reviews": "activity", "pos_Purchases": "activity", "Customer": "profile", "UnifiedActivity": "unifiedActivity",
        "Customer_Measure": "profileKpi", "ConflationMatchPairs": "conflationMap", "customer_lineage": "dataLineage",
        "doubtful_links": "conflationManualReview", "Measure_MonthlySpend": "aggregateKpi", "Measure_Revenue": "aggregateKpi",
        "big_spenders": "segment", "gone_quiet": "segment", "unhappy": "segment", "win_back": "segment",
    }  # fmt: skip
    for name, entity in found.items():
        table = "Customer" if entity.entity_type == "segment" else name
        columns = contoso_sql(
            "SELECT column_name AS name FROM information_schema.columns WHERE table_name = $table ORDER BY ordinal_position",
            table=table,
        )
        assert [a.name for a in entity.attributes] == [c["name"] for c in columns if c["name"] != "ordinal"], name
        assert all(a.data_type for a in entity.attributes), name
        assert entity.refresh_time is not None


def test_the_facts_of_an_ingested_entity(client: CustomerInsights) -> None:
    orders = client.get_entity_metadata("contoso", "web_Orders")
    assert isinstance(orders, models.IEntityMetadata)
    assert (orders.name, orders.qualified_entity_name, orders.data_source_name) == ("Orders", "web_Orders", "web")
    assert (orders.datasource_id, orders.dataflow_type, orders.timestamp_attribute.name) == (
        "web",
        "ingestion",
        "OrderedOn",
    )
    assert [[a.name for a in key] for key in orders.keys] == [["OrderId"]]
    assert {r.name: (r.from_attribute.name, r.to_attribute.name) for r in orders.relationships} == {
        "orders": ("UserId", "UserId")
    }
    types = {a.name: a.data_type for a in orders.attributes}
    assert (types["Total"], types["Quantity"], types["OrderedOn"], types["Product"]) == (
        "decimal",
        "int64",
        "date",
        "string",
    )
    contacts = client.get_entity_metadata("contoso", "Contacts")  # the only one of that name
    assert {a.name: a.semantic_type for a in contacts.attributes if a.semantic_type}["EMail"] == "IdentityServiceEmail"
    assert contacts.as_dict() == client.get_entity_metadata("contoso", "crm.Contacts").as_dict()
    customer = client.get_entity_metadata("contoso", "Customer")
    assert [[a.name for a in key] for key in customer.keys] == [["CustomerId"]]
    assert customer.semantic_type == "Customer"
    assert {a.name: a.semantic_type for a in customer.attributes if a.semantic_type}["FullName"] == "PersonFullName"
    activity = client.get_entity_metadata("contoso", "UnifiedActivity")
    assert activity.timestamp_attribute.name == "ActivityTime"
    unknown = client.get_entity_metadata("contoso", "Contcats")
    assert (unknown.http_status_code, unknown.error_code) == ("404", "entityNotFound")
    assert "Contacts" in unknown.params["hint"]


def test_what_is_asked_for_besides(client: CustomerInsights, http: httpx.Client) -> None:
    plain = {e.qualified_entity_name for e in client.get_all_entity_metadata("contoso").entities}
    corrupt = {
        e.qualified_entity_name: e.entity_type
        for e in client.get_all_entity_metadata("contoso", include_quarantined=True).entities
    }
    more = set(corrupt) - plain
    assert more == {f"{t}_corrupt" for t in plain if "_" in t and t.split("_")[0] in ("crm", "loyalty", "web", "pos")}
    assert {corrupt[name] for name in more} == {"corrupt"}
    own = {
        e.qualified_entity_name: e.entity_type
        for e in client.get_all_entity_metadata("contoso", include_self_conflated_entity=True).entities
    }
    assert {name: own[name] for name in set(own) - plain} == dict.fromkeys(
        ("Deduplication_crm_Contacts", "Deduplication_loyalty_Members", "Deduplication_web_SignUps"), "selfConflation"
    )
    annotated = http.get("contoso/manage/entities/crm_Contacts?attributesAnnotations=true").json()["attributes"]
    said = {a["name"]: {x["name"]: x["value"] for x in a["annotations"]} for a in annotated}
    assert said["ContactId"] == {"ReadOnly": "true", "Mandatory": "true"}
    assert said["EMail"] == {"ReadOnly": "true", "Mandatory": "false"}
    assert "annotations" not in http.get("contoso/manage/entities/crm_Contacts").json()["attributes"][0]


def test_sizes_are_those_of_the_tables(client: CustomerInsights, contoso_sql: Any) -> None:
    for table in ("Customer", "crm_Contacts", "web_Orders_corrupt", "Measure_Revenue"):
        size = client.get_entity_size("contoso", table)
        assert isinstance(size, models.EntitySize)
        assert size.row_count == contoso_sql(f"SELECT count(*) AS n FROM {table}")[0]["n"]
        assert size.qualified_entity_name == table
    assert (
        client.get_entity_size("contoso", "Customer").size
        > client.get_entity_size("contoso", "Measure_Revenue").size
        > 0
    )
    spenders = contoso_sql('SELECT count(*) AS n FROM Customer_Measure WHERE "TotalSpend" >= 500')[0]["n"]
    assert client.get_entity_size("contoso", "big_spenders").row_count == spenders
    assert client.get_entity_size("contoso", "nothing").http_status_code == "404"


def test_an_instance_without_data_has_no_entities_and_says_so(client: CustomerInsights, empty: str) -> None:
    assert client.get_all_entity_metadata(empty).entities == []
    assert client.get_entity_metadata(empty, "Customer").http_status_code == "404"
    assert client.get_entity_size(empty, "Customer").http_status_code == "404"
    assert client.get_an_entity_profile(empty, "crm_Contacts").http_status_code == "404"
    state = client.get_profile_store_state(empty)
    assert (state.primary_info.current_state, state.primary_info.row_count) == ("empty", 0)
    assert client.get_search_configuration(empty).entity_config == []


def test_profiles_count_what_sql_counts(client: CustomerInsights, contoso_sql: Any) -> None:
    profile = client.get_an_entity_profile("contoso", "crm_Contacts")
    assert isinstance(profile, models.EntityDataProfile)
    assert profile.attribute_data_profiles is None
    [rows] = contoso_sql("SELECT count(*) AS n FROM crm_Contacts")
    [bad] = contoso_sql("SELECT count(*) AS n FROM crm_Contacts_corrupt")
    assert (profile.row_count, profile.quarantine_row_count) == (rows["n"], bad["n"])
    assert "EMail" in profile.profiled_attributes.split(",")
    full = client.get_an_entity_profile("contoso", "crm_Contacts", include_attribute_data=True)
    columns = {a.attribute_name: a for a in full.attribute_data_profiles}
    assert list(columns) == profile.profiled_attributes.split(",")
    [want] = contoso_sql(
        'SELECT count("EMail") AS n, count(DISTINCT "EMail") AS d, count(*) - count("EMail") AS m FROM crm_Contacts'
    )
    mail = columns["EMail"]
    assert (mail.count, mail.unique_value_count, mail.missing_count) == (want["n"], want["d"], want["m"])
    assert [a.attribute_name for a in columns.values() if a.is_suggested_primary_key] == ["ContactId"]


def test_figures_of_times_and_numbers_are_numbers(client: CustomerInsights, contoso_sql: Any) -> None:
    """The client reads bounds and quantiles as floats: ISO text would be an error there."""
    born = client.get_an_attribute_profile("contoso", "crm_Contacts", "DateOfBirth")
    assert isinstance(born, models.AttributeDataProfile)
    [want] = contoso_sql(
        'SELECT epoch(quantile_disc("DateOfBirth", 0.5)) AS q, epoch(min("DateOfBirth")) AS lo FROM crm_Contacts'
    )
    assert born.quantiles.p50 == pytest.approx(want["q"], abs=86400)
    assert born.histogram[0].lower_bound == want["lo"]
    assert sum(b.count for b in born.histogram) == born.count
    total = client.get_an_attribute_profile("contoso", "web_Orders", "Total")
    [want] = contoso_sql('SELECT avg("Total")::DOUBLE AS m, stddev_samp("Total") AS s FROM web_Orders')
    assert total.moments.mean == pytest.approx(want["m"])
    assert total.moments.standard_deviation == pytest.approx(want["s"])
    assert {"p0_d1", "p1", "p5", "p25", "p50", "p75", "p95", "p99", "p99_d9"} == set(total.quantiles.as_dict())
    assert client.get_an_attribute_profile("contoso", "crm_Contacts", "Nothing").http_status_code == "404"
    for name in ("Customer", "crm_Contacts_corrupt", "nothing"):
        assert client.get_an_entity_profile("contoso", name).http_status_code == "404"


def test_a_key_ring_has_every_key_of_the_customer(client: CustomerInsights, contoso_sql: Any) -> None:
    [most] = contoso_sql(
        "SELECT CustomerId AS id FROM members GROUP BY ALL ORDER BY count(DISTINCT entity) DESC, count(*) DESC, id LIMIT 1"
    )
    records = contoso_sql("SELECT entity, key, is_winner FROM members WHERE CustomerId = $id", id=most["id"])
    for record in records:
        source, entity = record["entity"].split(".")
        ring = client.get_key_ring("contoso", source, entity, record["key"])
        assert isinstance(ring, models.KeyRingResponse)
        assert (ring.customer_id, ring.instance_id) == (most["id"], "contoso")
        told = {(r["dataSourceName"] + "." + r["entityName"], key) for r in ring.key_ring for key in r["keys"]}
        assert told == {(r["entity"], r["key"]) for r in records}
        assert {r["preferredKey"] for r in ring.key_ring} == {r["key"] for r in records if r["is_winner"]}
    assert client.get_key_ring("contoso", "crm", "Contacts", "nobody").error_code == "customerNotFound"
    assert client.get_key_ring("contoso", "crm", "Orders", "1").http_status_code == "404"


def test_activities_of_a_customer_are_counted(client: CustomerInsights, contoso_sql: Any) -> None:
    [most] = contoso_sql(
        "SELECT CustomerId AS id, count(*) AS n FROM UnifiedActivity GROUP BY ALL ORDER BY n DESC, id LIMIT 1"
    )
    counted = client.get_activity_types_and_counts("contoso", most["id"])
    assert counted.key_ring["totalCount"] == most["n"]
    want = contoso_sql(
        'SELECT "ActivityType" AS t, count(*) AS n FROM UnifiedActivity WHERE CustomerId = $id GROUP BY ALL',
        id=most["id"],
    )
    assert {t["activityType"]: t["count"] for t in counted.key_ring["activityTypes"]} == {r["t"]: r["n"] for r in want}
    assert client.get_activity_types_and_counts("contoso", "0" * 32).http_status_code == "404"


def test_profiles_can_be_asked_for_once_they_are_published(
    client: CustomerInsights, shared_root: Path, contoso_sql: Any
) -> None:
    state = client.get_profile_store_state("contoso")
    assert isinstance(state, models.ProfileStoreStateInfo)
    assert state.primary_info.current_state == "queryable"
    assert state.primary_info.row_count == contoso_sql("SELECT count(*) AS n FROM Customer")[0]["n"]
    assert state.secondary_info.current_state == "empty"
    with unify.open(shared_root / "contoso").store.lease("run"):
        assert client.get_profile_store_state("contoso").secondary_info.current_state == "inBuild"


def configuration(**flags: bool) -> models.InstanceSearchConfiguration:
    return models.InstanceSearchConfiguration(
        entity_config=[
            models.EntitySearchConfiguration(
                qualified_entity_name="Customer",
                attributes=[
                    models.AttributeSearchConfiguration(
                        name=name, properties=models.AttributeSearchProperties(is_searchable=on, is_facetable=True)
                    )
                    for name, on in flags.items()
                ],
            )
        ]
    )


def test_the_search_configuration_says_what_is_searched(
    client: CustomerInsights, shared_root: Path, contoso_sql: Any
) -> None:
    before = client.get_search_configuration("contoso")
    assert before.is_system_generated is True
    flags = {a.name: a.properties for a in before.entity_config[0].attributes}
    assert flags["FullName"].is_searchable is True
    assert flags["DateOfBirth"].is_searchable is False
    [row] = contoso_sql(
        'SELECT "City" AS city FROM Customer WHERE "City" IS NOT NULL GROUP BY ALL ORDER BY count(*) DESC, city LIMIT 1'
    )
    with unify.open(shared_root / "contoso") as instance:

        def hits() -> int:
            return int(instance.odata(f'Customer?$search="{row["city"]}"&$count=true&$top=0').count)

        assert hits() > 0
        said = client.update_search_configuration("contoso", configuration(FullName=True, City=False))
        assert (said.is_system_generated, said.version) == (False, 1)
        assert hits() == 0  # the city is no longer looked at
        client.update_search_configuration("contoso", configuration(FullName=True, City=True))
        assert hits() > 0
    told = client.get_search_configuration("contoso")
    assert {a.name for a in told.entity_config[0].attributes} == {"FullName", "City"}
    customer = client.get_entity_metadata("contoso", "Customer")
    assert {a.name: a.search_properties.is_facetable for a in customer.attributes if a.search_properties} == {
        "FullName": True, "City": True,
    }  # fmt: skip
    again = client.update_search_configuration("contoso", told)  # what was read can be sent back
    assert again.version == 3


@pytest.mark.parametrize(
    ("config", "where"),
    [
        ({"qualifiedEntityName": "crm_Contacts"}, "entityConfig.0.qualifiedEntityName"),
        ({"qualifiedEntityName": "Customer", "attributes": [{"name": "Nmae", "properties": {}}]}, "entityConfig.0.attributes.0.name"),
        ({"qualifiedEntityName": "Customer", "attributes": [{"name": "DateOfBirth", "properties": {"isSearchable": True}}]},
         "entityConfig.0.attributes.0.properties.isSearchable"),
        ({"qualifiedEntityName": "Customer", "attributes": [{"name": "City", "properties": {}}] * 2}, "entityConfig.0.attributes.1"),
    ],
)  # fmt: skip
def test_search_configurations_that_cannot_be(http: httpx.Client, config: dict, where: str) -> None:
    response = http.put("contoso/manage/search", json={"entityConfig": [config]})
    assert response.status_code == 400
    assert [r["params"]["where"] for r in response.json()["ciResults"]] == [where]


def test_callers_are_told_of_what_they_may_see(tmp_path: Path, contoso_made: Path) -> None:
    """Neither a hidden column nor its name, nor how many there are of customers that are withheld."""
    shutil.copytree(contoso_made, tmp_path / "contoso")
    service = Service(Settings(root=tmp_path, jobs=False, log_level="error"))
    reader = Caller("me", "app", {"contoso": Role.READER}, segments={"contoso": ("big_spenders",)})

    async def as_reader(_: object) -> Caller:
        return reader

    service.gate.caller = as_reader  # type: ignore[method-assign]
    with service.database.write() as rows:
        rows.execute("INSERT INTO access_columns VALUES ('contoso', 'Customer', 'City', '', 'hidden')")
    service.guard.registry.look()

    async def go() -> tuple[Any, ...]:
        transport = httpx.ASGITransport(app=service)
        async with (
            service,
            httpx.AsyncClient(transport=transport, base_url="http://service/v1/instances/contoso/") as http,
        ):
            paths = (
                "manage/entities/Customer",
                "manage/entities/Customer/entitysize",
                "profilestore/stateinfo",
                "manage/entities/unhappy/entitysize",
            )
            answers = [await http.get(path) for path in paths]
            assert {a.status_code for a in answers} <= {200, 404}, [a.text for a in answers]
            return tuple(a.json() for a in answers)

    customer, size, state, unhappy = asyncio.run(go())
    names = [a["name"] for a in customer["attributes"]]
    assert "FullName" in names
    assert "City" not in names
    assert size["rowCount"] == state["primaryInfo"]["rowCount"] == 35
    assert unhappy.get("rowCount", 0) <= 35
