"""Clients that nobody here wrote, over a real loopback server: odatapy, python-odata, httpx, and the vendor's."""

import warnings
from datetime import date
from decimal import Decimal
from typing import Any

import httpx
import pytest


@pytest.fixture(scope="module")
def clean(shared_server: str) -> str:
    return f"{shared_server}/odata/contoso"


@pytest.fixture(scope="module")
def plain(clean: str) -> list[dict[str, Any]]:
    """All customers, as httpx sees them, page after page."""
    rows: list[dict[str, Any]] = []
    url: str | None = f"{clean}/Customer"
    while url:
        found = httpx.get(url, headers={"prefer": "maxpagesize=500"}).json()
        rows += found["value"]
        url = found.get("@odata.nextLink")
    return rows


# ── odatapy ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def odatapy(clean: str) -> Any:
    from odatapy.client import EdmEnabledODataClient
    from odatapy.client.transport import HttpxTransport

    with HttpxTransport() as transport:
        yield EdmEnabledODataClient(clean, transport)


def test_odatapy_reads_the_documents(odatapy):
    names = list(odatapy.get_service_document().entity_sets)
    assert {"Customer", "UnifiedActivity", "crm_Contacts", "big_spenders"} <= set(names)
    edm = odatapy.get_edm()
    assert odatapy.refresh_edm() is edm  # a 304
    assert odatapy.entity_set_type("big_spenders").name == "Customer"


def test_odatapy_reads_entities_page_by_page_in_their_types(odatapy, plain):
    uri = odatapy.entity_set_uri("Customer").orderby("CustomerId").select("CustomerId", "DateOfBirth", "RewardPoints")
    found = list(odatapy.iter_entities(uri))
    by_id = sorted(plain, key=lambda row: row["CustomerId"])
    assert len(found) == len(plain)
    for entity, row in zip(found, by_id, strict=True):
        value = entity.get_value("DateOfBirth")
        assert (value.isoformat() if isinstance(value, date) else value) == row["DateOfBirth"]
        assert entity.get_value("RewardPoints") == row["RewardPoints"]


def test_odatapy_filters_counts_and_follows(odatapy, plain):
    from odatapy.client import Field

    here = [row for row in plain if row["City"] == "Eastwick"]
    uri = odatapy.entity_set_uri("Customer").filter(Field("City").eq("Eastwick"))
    assert odatapy.get_count(uri.copy().append_count_segment()) == len(here)
    one = here[0]
    entity = odatapy.get_entity(odatapy.entity_uri("Customer", one["CustomerId"]).expand("UnifiedActivity"))
    assert entity.get_value("FullName") == one["FullName"]
    city = odatapy.get_property(odatapy.entity_uri("Customer", one["CustomerId"]).append_property_segment("City"))
    assert city.value == "Eastwick"


@pytest.mark.parametrize("form", ["multipart", "json"])
def test_odatapy_batches(odatapy, plain, form):
    batch = odatapy.batch(format=form, continue_on_error=True)
    batch.add_retrieve(odatapy.entity_uri("Customer", plain[0]["CustomerId"]), content_id="a")
    batch.add_retrieve(odatapy.entity_set_uri("Nobody"), content_id="b")
    batch.add_retrieve(odatapy.entity_set_uri("Customer").append_count_segment(), content_id="c")
    found = odatapy.execute_batch(batch)
    assert [part.status_code for part in found] == [200, 404, 200]
    assert found.by_content_id("a").entity().get_value("FullName") == plain[0]["FullName"]


# ── python-odata ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def python_odata(clean: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from odata import ODataService

        return ODataService(clean, reflect_entities=True, quiet_progress=True)


def test_python_odata_makes_classes_of_the_metadata(python_odata):
    assert {"Customer", "UnifiedActivity", "crm_Contacts", "big_spenders"} <= set(python_odata.entities)


def test_python_odata_asks(python_odata, plain):
    customer = python_odata.entities["Customer"]
    query = (
        python_odata.query(customer).filter(customer.City == "Eastwick").order_by(customer.CustomerId.asc()).limit(3)
    )
    wanted = sorted(row["CustomerId"] for row in plain if row["City"] == "Eastwick")[:3]
    assert [one.CustomerId for one in query] == wanted
    one = python_odata.query(customer).get(wanted[0])
    assert one.CustomerId == wanted[0]
    assert python_odata.query(customer).count() == len(plain)


# ── the vendor's ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def vendor(shared_server: str) -> Any:
    from dynamics.customerinsights.api import CustomerInsights

    client = CustomerInsights(f"{shared_server}/v1")
    yield client
    client.close()


def test_the_vendors_client_reads_pages_and_passes_its_own_options(vendor, plain):
    found = vendor.get_entities_with_odata_path(
        "contoso",
        "Customer",
        force_search=True,
        proxy=False,
        select="CustomerId,City",
        top="5",
        orderby="CustomerId",
        skip="1",
    )
    wanted = sorted(row["CustomerId"] for row in plain)[1:6]
    assert [row["CustomerId"] for row in found.value] == wanted
    assert found.odatacontext.endswith("/v1/instances/contoso/data/$metadata#Customer(CustomerId,City)")
    whole = vendor.get_entities_with_odata_path("contoso", "Customer")
    assert len(whole.value) == 100
    assert "/data/Customer?" in whole.additional_properties["@odata.nextLink"]


def test_the_vendors_client_encodes_the_path_whole(vendor, plain):
    active = vendor.get_entities_with_odata_path("contoso", "Customer", filter="UnifiedActivity/any()", top="1").value[
        0
    ]
    path = f"Customer(customerId='{active['CustomerId']}')/UnifiedActivity"
    found = vendor.get_entities_with_odata_path("contoso", path, top="2")
    assert found.value
    assert {"Title", "ActivityTime"} <= set(found.value[0])
    said = vendor.get_entities_with_odata_path("contoso", "Customer?$filter=City eq 'Eastwick'&$top=2")
    assert [row["City"] for row in said.value] == ["Eastwick", "Eastwick"]


def test_the_vendors_client_reads_refusals(vendor):
    for path, code in (
        ("Nobody", "notFound"),
        ("$all", "notImplemented"),
        ("$crossjoin(Customer,web_Orders)", "notImplemented"),
    ):
        found = vendor.get_entities_with_odata_path("contoso", path)
        assert type(found).__name__ == "ODataError"
        assert found.message
        assert found.error_code == code
    wrong = vendor.get_entities_with_odata_path("contoso", "Customer", filter="City eq")
    assert (wrong.error_code, wrong.target) == ("syntaxError", "$filter, character 27")
    nowhere = vendor.get_entities_with_odata_path("nobody", "Customer")
    assert nowhere.error_code == "notFound"


def test_get_and_put_give_the_same(shared_server):
    for prefix in ("/v1", "/api", ""):
        url = f"{shared_server}{prefix}/instances/contoso/data/Customer?%24top=2&$select=City,FullName&$orderby=CustomerId"
        asked, put = httpx.get(url), httpx.put(url)
        assert asked.status_code == put.status_code == 200
        assert asked.json() == put.json()
    assert httpx.put(url, content=b'{"$top":1}').status_code == 400


def test_decimals_keep_their_digits(clean):
    found = httpx.get(
        f"{clean}/Measure_MonthlySpend?$top=3", headers={"accept": "application/json;IEEE754Compatible=true"}
    )
    assert found.status_code == 200
    for row in found.json()["value"]:
        for value in row.values():
            assert value is None or isinstance(value, str | bool | float)
    assert Decimal("1.10") == Decimal("1.1")
