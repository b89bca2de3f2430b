"""Microsoft's client for Python against a real server, over TLS on loopback, which is all that it speaks."""

import enum
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from unify.service.access.changes import Changes
from unify.service.access.guard import Guard
from unify.service.caller import EVERYWHERE, Role
from unify.service.database import ServiceDatabase
from unify.service.settings import Settings

dataverse = pytest.importorskip("PowerPlatform.Dataverse.client", reason="PowerPlatform-Dataverse-Client is missing")
from PowerPlatform.Dataverse.core.errors import HttpError, MetadataError  # noqa: E402
from PowerPlatform.Dataverse.models.filters import col  # noqa: E402
from PowerPlatform.Dataverse.models.upsert import UpsertItem  # noqa: E402

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]


class Token:
    """A credential as azure-core wants it."""

    def __init__(self, text: str = "any") -> None:
        self.text = text

    def get_token(self, *scopes: str, **_: Any) -> Any:
        from azure.core.credentials import AccessToken

        return AccessToken(self.text, 4_000_000_000)


@pytest.fixture(scope="module")
def base(acme: Path, certificates: Path, serve: Any) -> Iterator[str]:
    with serve(Settings(root=acme, jobs=False), certificates) as url:
        yield f"{url}/instances/acme"


@pytest.fixture
def client(base: str, certificates: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates / "authority.pem"))
    with dataverse.DataverseClient(base, Token()) as made:
        yield made


def test_rows(client, unique):
    id_ = client.records.create("account", {"Name": unique, "revenue": 1234.5, "industrycode": "Accounting"})
    row = client.records.retrieve("account", id_, select=["name", "revenue", "industrycode"])
    assert (row["name"], row["revenue"], row["industrycode"]) == (unique, 1234.5, 1)
    assert row.etag.startswith('W/"')
    client.records.update("account", id_, {"name": f"{unique} 2"})
    assert client.records.retrieve("account", id_, select=["name"])["name"] == f"{unique} 2"
    client.records.delete("account", id_)
    with pytest.raises(HttpError) as refused:
        client.records.update("account", id_, {"name": "gone"})
    assert refused.value.status_code == 404
    assert refused.value.details["service_error_code"] == "0x80040217"
    assert refused.value.details["service_request_id"]


def test_many_rows(client, unique):
    ids = client.records.create("contact", [{"lastname": f"{unique}{n}", "jobtitle": unique} for n in range(25)])
    assert len(set(ids)) == 25
    client.records.update("contact", ids, {"department": "all"})
    client.records.update("contact", ids[:2], [{"department": "one"}, {"department": "two"}])
    found = client.records.list("contact", filter=f"jobtitle eq '{unique}'", select=["lastname", "department"],
                                orderby=["lastname"])  # fmt: skip
    assert [row["department"] for row in found][2:] == ["all"] * 23
    assert {row["department"] for row in found} == {"one", "two", "all"}
    job = client.records.delete("contact", ids)
    told = client.records.retrieve("asyncoperation", job)
    assert (told["statuscode"], told["message"]) == (30, "25 rows were deleted.")
    assert len(client.records.list("contact", filter=f"jobtitle eq '{unique}'")) == 0


def test_pages(client, unique):
    client.records.create("contact", [{"lastname": f"{n:02}", "jobtitle": unique} for n in range(23)])
    pages = list(client.records.list_pages("contact", filter=f"jobtitle eq '{unique}'", select=["lastname"],
                                           orderby=["lastname"], page_size=10))  # fmt: skip
    assert [len(page) for page in pages] == [10, 10, 3]
    assert [row["lastname"] for page in pages for row in page] == [f"{n:02}" for n in range(23)]
    topped = client.records.list("contact", filter=f"jobtitle eq '{unique}'", orderby=["lastname"], top=4)
    assert [row["lastname"] for row in topped] == ["00", "01", "02", "03"]


def test_queries(client, unique):
    account = client.records.create("account", {"name": unique})
    bound = {"parentcustomerid_account@odata.bind": f"/accounts({account})"}
    client.records.create("contact", [{"lastname": n, "jobtitle": unique, **bound} for n in ("Abel", "Babel", "Cole")])
    built = client.query.builder("contact").select("lastname").where(col("jobtitle") == unique)
    found = built.where(col("lastname").endswith("bel")).order_by("lastname", descending=True).execute()
    assert [row["lastname"] for row in found] == ["Babel", "Abel"]
    sql = f"SELECT lastname FROM contact WHERE jobtitle = '{unique}' ORDER BY lastname"
    assert [row["lastname"] for row in client.query.sql(sql)] == ["Abel", "Babel", "Cole"]
    xml = f"""<fetch><entity name='contact'><attribute name='lastname'/><order attribute='lastname'/>
        <filter><condition attribute='jobtitle' operator='eq' value='{unique}'/></filter>
        <link-entity name='account' from='accountid' to='parentcustomerid' alias='a'><attribute name='name'/>
        </link-entity></entity></fetch>"""
    rows = client.query.fetchxml(xml).execute()
    assert [(row["lastname"], row["a.name"]) for row in rows] == [(n, unique) for n in ("Abel", "Babel", "Cole")]
    expanded = client.records.list("account", filter=f"accountid eq {account}", select=["name"],
                                   expand=["contact_customer_accounts($select=lastname)"])  # fmt: skip
    assert len(expanded[0]["contact_customer_accounts"]) == 3
    assert "name" in {one["name"] for one in client.query.sql_columns("account")}


def test_upserts(client, unique):
    one = UpsertItem(alternate_key={"accountnumber": unique}, record={"name": "made"})
    client.records.upsert("account", [one])
    client.records.upsert("account", [UpsertItem(alternate_key={"accountnumber": unique}, record={"name": "changed"})])
    many = [UpsertItem(alternate_key={"accountnumber": f"{unique}{n}"}, record={"name": str(n)}) for n in range(3)]
    client.records.upsert("account", [*many, one])
    found = client.records.list("account", filter=f"startswith(accountnumber,'{unique}')", orderby=["accountnumber"])
    assert [row["name"] for row in found] == ["made", "0", "1", "2"]


def test_batches(client, unique):
    batch = client.batch.new()
    batch.records.create("account", {"name": unique})
    with batch.changeset() as together:
        made = together.records.create("contact", {"lastname": unique})
        together.records.update("contact", made, {"jobtitle": "chief"})
        together.records.create("account", {"name": f"{unique} 2", "primarycontactid@odata.bind": made})
    batch.records.list("contact", filter=f"lastname eq '{unique}'", select=["jobtitle"])
    result = batch.execute()
    assert [one.status_code for one in result.responses] == [204, 204, 204, 204, 200]
    assert all(one.entity_id for one in result.responses[:4])
    assert result.responses[-1].data["value"][0]["jobtitle"] == "chief"


def test_a_batch_that_fails(client, unique):
    batch = client.batch.new()
    with batch.changeset() as together:
        together.records.create("contact", {"lastname": unique})
        together.records.update("contact", "00000000-0000-0000-0000-00000000dead", {"jobtitle": "x"})
    batch.records.create("contact", {"lastname": f"{unique} after"})
    result = batch.execute(continue_on_error=True)
    assert [one.status_code for one in result.responses] == [404, 204]
    assert result.responses[0].error_code == "0x80040217"
    rows = client.records.list("contact", filter=f"startswith(lastname,'{unique}')", select=["lastname"])
    assert [row["lastname"] for row in rows] == [f"{unique} after"]


def test_tables(client, unique):
    class Size(enum.IntEnum):
        Small = 1
        Large = 2

    table = f"acme_{unique}"
    made = client.tables.create(table, {"acme_Code": "string", "acme_Size": Size, "acme_Price": "decimal",
                                        "acme_Since": "datetime", "acme_Live": "bool", "acme_Note": "memo",
                                        "acme_Count": "int", "acme_Ratio": "float"})  # fmt: skip
    assert made["entity_set_name"]
    assert made["metadata_id"]
    with pytest.raises(MetadataError):
        client.tables.create(table, {})
    client.tables.add_columns(table, {"acme_Extra": "string", "acme_Colour": Size})
    columns = {one["LogicalName"] for one in client.tables.list_columns(table)}
    assert {"acme_code", "acme_size", "acme_extra", "acme_colour"} <= columns
    id_ = client.records.create(table, {"acme_Name": "first", "acme_Size": "Large", "acme_Price": 9.5, "acme_Count": 3,
                                        "acme_Since": "2026-11-22", "acme_Live": True, "acme_Ratio": 0.25})  # fmt: skip
    row = client.records.retrieve(table, id_)
    assert (row["acme_size"], row["acme_price"], row["acme_count"], row["acme_live"]) == (2, 9.5, 3, True)
    client.tables.update_column(table, "acme_Code", {"max_length": 300})
    assert client.tables.get_column(table, "acme_Code", typed=True)["MaxLength"] == 300
    client.tables.remove_columns(table, "acme_Extra")
    assert client.tables.get_column(table, "acme_Extra") is None
    key = client.tables.create_alternate_key(table, f"acme_{unique}_Key", ["acme_code"])
    assert [one.key_attributes for one in client.tables.get_alternate_keys(table)] == [["acme_code"]]
    client.records.upsert(table, [UpsertItem(alternate_key={"acme_code": "K1"}, record={"acme_name": "by key"})])
    client.tables.delete_alternate_key(table, key.metadata_id)
    assert client.tables.get_alternate_keys(table) == []
    client.tables.delete(table)
    assert client.tables.get(table) is None


def test_relationships(client, unique):
    table = f"acme_{unique}"
    client.tables.create(table, {"acme_Code": "string"})
    made = client.tables.create_lookup_field(table, "acme_AccountId", "account", display_name="Account")
    assert client.tables.get_relationship(made.relationship_schema_name) is not None
    account = client.records.create("account", {"name": unique})
    id_ = client.records.create(table, {"acme_Name": "x", "acme_AccountId@odata.bind": f"/accounts({account})"})
    assert client.records.retrieve(table, id_)["_acme_accountid_value"] == account
    assert any(one["SchemaName"] == made.relationship_schema_name
               for one in client.tables.list_table_relationships(table))  # fmt: skip
    client.tables.delete_relationship(made.relationship_id)
    client.tables.delete(table)


def test_files(client, unique, tmp_path):
    table = f"acme_{unique}"
    client.tables.create(table, {"acme_Paper": "file"})
    id_ = client.records.create(table, {"acme_Name": "x"})
    path = tmp_path / "päper.bin"
    path.write_bytes(bytes(range(256)) * 20_000)
    client.files.upload(table, id_, "acme_Paper", str(path), mode="chunk")
    client.files.upload(table, id_, "acme_Paper", str(path), mode="small", if_none_match=False)
    client.tables.delete(table)


def test_data_frames(client, unique):
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"lastname": [f"{unique}a", f"{unique}b"], "jobtitle": [unique, None]})
    frame["contactid"] = client.dataframe.create("contact", frame)
    sql = f"SELECT lastname, jobtitle FROM contact WHERE lastname LIKE '{unique}%' ORDER BY lastname"
    found = client.dataframe.sql(sql)
    assert list(found["lastname"]) == [f"{unique}a", f"{unique}b"]


def test_with_credentials(tmp_path, acme, certificates, serve, monkeypatch):
    """A service that wants to know who asks: a token of its own endpoint opens it, any other does not."""
    import requests

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificates / "authority.pem"))
    database = ServiceDatabase(acme)
    steward = Changes(Guard(database)).create_key("sync", roles={EVERYWHERE: Role.STEWARD})
    with serve(Settings(root=acme, jobs=False, auth="required"), certificates) as url:
        form = {"grant_type": "client_credentials", "client_id": steward.id, "client_secret": steward.text,
                "scope": f"{url}/.default"}  # fmt: skip
        token = requests.post(f"{url}/oauth2/token", data=form, timeout=10).json()["access_token"]
        with dataverse.DataverseClient(url, Token(token)) as client:
            id_ = client.records.create("account", {"name": "with a token"})
            assert client.records.retrieve("account", id_, select=["name"])["name"] == "with a token"
        assert _status_of_create(url, Token("wrong")) == 401


def _status_of_create(url: str, credential: Token) -> int | None:
    """Of the refusal. The error is not kept: it holds the client's connection, which the server waits for at its end."""
    with dataverse.DataverseClient(url, credential) as client:
        try:
            client.records.create("account", {"revenue": 1})
        except HttpError as error:
            return int(error.status_code)
    return None
