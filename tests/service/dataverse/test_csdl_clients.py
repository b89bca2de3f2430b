"""Clients that read `$metadata` before they ask: odatapy and python-odata; and what the document itself must hold."""

import warnings
import xml.etree.ElementTree as ET
from typing import Any

import httpx
import pytest

from unify.service.settings import Settings

EDM = "{http://docs.oasis-open.org/odata/ns/edm}"


@pytest.fixture(scope="module")
def root(acme: Any, serve: Any) -> Any:
    with serve(Settings(root=acme, jobs=False)) as url:
        for n in range(3):
            body = {"name": f"CSDL {n}", "revenue": n, "contact_customer_accounts": [{"lastname": "L"}]}
            assert httpx.post(f"{url}/api/data/v9.2/accounts", json=body).status_code == 204
        yield f"{url}/api/data/v9.2"


@pytest.fixture(scope="module")
def schema(root: str) -> ET.Element:
    found = ET.fromstring(httpx.get(f"{root}/$metadata").text).find(f".//{EDM}Schema")
    assert found is not None
    return found


def named(schema: ET.Element, kind: str) -> dict[str, ET.Element]:
    return {one.attrib["Name"]: one for one in schema.findall(f"{EDM}{kind}")}


def test_every_type_that_is_named_is_there(schema):
    known = {f"mscrm.{name}" for kind in ("EntityType", "ComplexType", "EnumType") for name in named(schema, kind)}
    said = {
        one.attrib[where].removeprefix("Collection(").removesuffix(")").replace("Microsoft.Dynamics.CRM.", "mscrm.")
        for one in schema.iter()
        for where in ("Type", "BaseType", "EntityType")
        if where in one.attrib
    }
    assert {one for one in said if not one.startswith("Edm.")} <= known


def test_every_name_stands_once_and_every_partner_and_target_is_there(schema):
    types = named(schema, "EntityType")
    members = {name: [one.attrib["Name"] for one in each if "Name" in one.attrib] for name, each in types.items()}
    for name, each in types.items():
        base = each.attrib.get("BaseType", "").removeprefix("mscrm.")
        assert len(set(members[name])) == len(members[name]), name
        assert not set(members[name]) & set(members.get(base, ())), name
    sets = {one.attrib["Name"] for one in schema.iter(f"{EDM}EntitySet")}
    assert {one.attrib["Target"] for one in schema.iter(f"{EDM}NavigationPropertyBinding")} <= sets
    for name, each in types.items():
        for one in each.findall(f"{EDM}NavigationProperty"):
            target = one.attrib["Type"].removeprefix("Collection(").removesuffix(")").removeprefix("mscrm.")
            base = types[target].attrib.get("BaseType", "").removeprefix("mscrm.")
            if "Partner" in one.attrib:
                assert one.attrib["Partner"] in {*members[target], *members.get(base, ())}, (name, one.attrib)


def test_operations_are_told(schema):
    container = schema.find(f"{EDM}EntityContainer")
    assert container is not None
    assert {"WhoAmI", "RetrieveVersion"} <= {one.attrib["Name"] for one in container.iter(f"{EDM}FunctionImport")}
    assert "BulkDelete" in {one.attrib["Name"] for one in container.iter(f"{EDM}ActionImport")}
    bound = {one.attrib["Name"]: one for one in schema.findall(f"{EDM}Action")}
    assert bound["CreateMultiple"].attrib["IsBound"] == "true"


def test_annotations_where_they_are_asked_for(root):
    assert "Org.OData.Core.V1.Description" not in httpx.get(f"{root}/$metadata").text
    assert "Org.OData.Core.V1.Description" in httpx.get(f"{root}/$metadata?annotations=true").text
    first = httpx.get(f"{root}/$metadata")
    assert httpx.get(f"{root}/$metadata", headers={"If-None-Match": first.headers["etag"]}).status_code == 304
    assert httpx.get(f"{root}/$metadata", headers={"Accept": "text/html"}).status_code == 406


def test_odatapy(root):
    client = pytest.importorskip("odatapy.client")
    from odatapy.client.transport import HttpxTransport

    with HttpxTransport() as transport:
        api = client.EdmEnabledODataClient(root, transport)
        assert {"accounts", "contacts", "tasks"} <= set(api.get_service_document().entity_sets)
        edm = api.get_edm()
        assert api.refresh_edm() is edm
        uri = api.entity_set_uri("accounts").filter(client.Field("name").eq("CSDL 1")).select("name", "revenue")
        (found,) = list(api.iter_entities(uri))
        assert (found.get_value("name"), float(found.get_value("revenue"))) == ("CSDL 1", 1.0)
        assert api.get_count(api.entity_set_uri("accounts").append_count_segment()) == 3


def test_python_odata(root):
    odata = pytest.importorskip("odata")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        service = odata.ODataService(f"{root}/", reflect_entities=True, quiet_progress=True)
        account = service.entities["accounts"]
        made = account()
        made.name = "python-odata"
        service.save(made)
        found = list(service.query(account).filter(account.name == "python-odata"))
    assert [one.name for one in found] == ["python-odata"]
