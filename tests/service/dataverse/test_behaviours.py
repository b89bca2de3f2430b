"""What a client of Dataverse notices: one test for each line of the list of behaviours, by its number there."""

import json
import re
from uuid import uuid4

import pytest

GUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
ANNOTATED = {"Prefer": 'odata.include-annotations="*"'}
NOBODY = "00000000-0000-0000-0000-00000000dead"


def code(reply):
    said = reply.json()["error"]
    assert said["message"], said
    return reply.status_code, said["code"]


# ── 1 errors ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("method", "path", "options", "expected"),
    [
        ("GET", "acounts", {}, (404, "0x8006088a")),
        ("GET", f"accounts({NOBODY})", {}, (404, "0x80040217")),
        ("GET", "accounts?$select=nme", {}, (400, "0x80060888")),
        ("GET", "accounts?$filter=name eq", {}, (400, "0x80060888")),
        ("GET", "accounts(1)", {}, (400, "0x80060888")),
        ("GET", f"accounts({NOBODY})/nothing", {}, (404, "0x8006088a")),
        ("POST", "accounts", {"json": {"name": "x" * 161}}, (400, "0x80044331")),
        ("POST", "accounts", {"json": [1]}, (400, "0x80048d19")),
        ("POST", "accounts", {}, (400, "0x80048d19")),
        ("POST", "accounts", {"content": b'{"name":', "headers": {"content-type": "application/json"}}, (400, "0x80048d19")),
        ("POST", "accounts", {"content": b'{"name":"a","name":"b"}', "headers": {"content-type": "application/json"}},
         (400, "0x80048d19")),
        ("DELETE", "accounts", {}, (405, "")),
        ("POST", "accounts", {"content": b"<a/>", "headers": {"content-type": "text/xml"}}, (415, "")),
        ("POST", "accounts?$filter=name eq 'x'", {"json": {}}, (400, "0x80060888")),
        ("DELETE", f"accounts({NOBODY})?colour=red", {}, (400, "0x80060888")),
        ("GET", "accounts", {"headers": {"accept": "text/html"}}, (406, "")),
        ("GET", "accounts", {"headers": {"accept": "application/json;odata.metadata=full"}}, (406, "")),
        ("GET", "accounts", {"headers": {"accept": "application/json;IEEE754Compatible=true"}}, (406, "")),
        ("GET", "accounts", {"headers": {"odata-maxversion": "3.0"}}, (400, "")),
        ("GET", "accounts", {"headers": {"mscrmcallerid": NOBODY}}, (403, "0x80040220")),
        ("POST", "accounts", {"json": {}, "headers": {"mscrm.solutionuniquename": "mine"}}, (400, "0x80048403")),
    ],
)  # fmt: skip
def test_1_errors_have_a_code_and_a_message(ask, method, path, options, expected):
    reply = ask(method, path, **options)
    assert code(reply) == expected, reply.text
    assert reply.headers["content-type"].startswith("application/json")
    assert reply.headers["odata-version"] == "4.0"
    assert reply.headers["x-ms-service-request-id"] == reply.headers["req_id"]


def test_1_an_unsupported_method_says_which_there_are(ask):
    assert ask("DELETE", "accounts").headers["allow"] == "GET, HEAD, POST, OPTIONS"
    assert ask("POST", "WhoAmI").headers["allow"] == "GET, HEAD, OPTIONS"
    assert ask("OPTIONS", "accounts").headers["allow"] == "GET, HEAD, POST, OPTIONS"


def test_1_details_of_an_error_where_they_are_asked_for(ask):
    plain = ask("GET", f"accounts({NOBODY})").json()["error"]
    assert set(plain) == {"code", "message"}
    told = ask("GET", f"accounts({NOBODY})", headers=ANNOTATED).json()["error"]
    assert {name for name in told if name.startswith("@")} == {
        "@Microsoft.PowerApps.CDS.ErrorDetails.OperationStatus",
        "@Microsoft.PowerApps.CDS.ErrorDetails.SubErrorCode",
        "@Microsoft.PowerApps.CDS.HelpLink",
        "@Microsoft.PowerApps.CDS.TraceText",
        "@Microsoft.PowerApps.CDS.InnerError.Message",
    }
    one = {"Prefer": 'odata.include-annotations="Microsoft.PowerApps.CDS.HelpLink"'}
    assert len(ask("GET", f"accounts({NOBODY})", headers=one).json()["error"]) == 3


def test_1_none_of_the_metadata_for_who_wants_none(ask, make, unique):
    make("accounts", name=unique)
    said = {"Accept": "application/json;odata.metadata=none"}
    found = ask("GET", f"accounts?$filter=name eq '{unique}'&$select=name&$count=true", headers=said)
    assert found.headers["content-type"] == "application/json; odata.metadata=none"
    (row,) = found.json()["value"]
    assert set(row) == {"name", "accountid"}
    assert set(found.json()) == {"value", "@odata.count"}


def test_1_head_is_get_without_a_body(ask):
    head, get = ask("HEAD", "accounts?$top=1"), ask("GET", "accounts?$top=1")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == get.headers["content-length"]


def test_1_ids_of_a_request_come_back(ask):
    id_ = str(uuid4())
    assert ask("GET", "WhoAmI", headers={"x-ms-client-request-id": id_}).headers["x-ms-client-request-id"] == id_
    other = ask("GET", "WhoAmI", headers={"x-ms-client-request-id": "no guid"}).headers["x-ms-client-request-id"]
    assert re.fullmatch(GUID, other)


# ── 2 create and update ──────────────────────────────────────────────────────────────────────────────────────────────


def test_2_create_is_204_with_the_address_of_the_row(ask, unique):
    reply = ask("POST", "accounts", json={"name": unique})
    assert reply.status_code == 204
    assert reply.content == b""
    assert re.fullmatch(rf"http://127.0.0.1/api/data/v9.2/accounts\({GUID}\)", reply.headers["odata-entityid"])
    assert reply.headers["location"] == reply.headers["odata-entityid"]
    assert ask("GET", reply.headers["odata-entityid"]).json()["name"] == unique


def test_2_a_representation_is_201_and_200_and_honours_select(ask, unique):
    prefer = {"Prefer": "return=representation"}
    made = ask("POST", "accounts?$select=name", json={"name": unique, "revenue": 5}, headers=prefer)
    assert (made.status_code, made.headers["preference-applied"]) == (201, "return=representation")
    body = made.json()
    assert set(body) == {"@odata.context", "@odata.etag", "name", "accountid"}
    changed = ask("PATCH", f"accounts({body['accountid']})?$select=revenue&$expand=primarycontactid",
                  json={"revenue": 6}, headers=prefer)  # fmt: skip
    assert changed.status_code == 200
    assert set(changed.json()) == {"@odata.context", "@odata.etag", "revenue", "accountid"}
    assert changed.headers["etag"] == changed.json()["@odata.etag"] != body["@odata.etag"]


def test_2_update_is_204(ask, make, unique):
    id_ = make("accounts", name=unique)
    reply = ask("PATCH", f"accounts({id_})", json={"name": f"{unique} 2"})
    assert (reply.status_code, reply.content) == (204, b"")
    assert reply.headers["odata-entityid"].endswith(f"accounts({id_})")


def test_2_rows_nested_in_a_row_are_made_with_it(ask, unique):
    nested = {
        "name": unique,
        "primarycontactid": {"lastname": unique},
        "Account_Tasks": [{"subject": "one"}, {"subject": "two"}],
    }
    made = ask("POST", "accounts", json=nested)
    assert made.status_code == 204, made.text
    url = f"{made.headers['odata-entityid']}?$select=name&$expand=primarycontactid($select=lastname),Account_Tasks($select=subject)"
    row = ask("GET", url).json()
    assert row["primarycontactid"]["lastname"] == unique
    assert sorted(task["subject"] for task in row["Account_Tasks"]) == ["one", "two"]


def test_2_a_link_by_bind(ask, make, unique):
    contact = make("contacts", lastname=unique)
    for spelt in (
        f"contacts({contact})",
        f"/contacts({contact})",
        f"http://127.0.0.1/api/data/v9.2/contacts({contact})",
    ):
        account = make("accounts", name=unique, **{"primarycontactid@odata.bind": spelt})
        assert ask("GET", f"accounts({account})").json()["_primarycontactid_value"] == contact


def test_2_one_value_is_put_and_deleted(ask, make, unique):
    id_ = make("accounts", name=unique, revenue=5)
    assert ask("PUT", f"accounts({id_})/name", json={"value": "new"}).status_code == 204
    assert ask("GET", f"accounts({id_})/name").json()["value"] == "new"
    assert ask("GET", f"accounts({id_})/name/$value").text == "new"
    assert ask("DELETE", f"accounts({id_})/revenue").status_code == 204
    assert ask("GET", f"accounts({id_})/revenue").status_code == 204
    assert code(ask("PUT", f"accounts({id_})/name", json={"values": 1}))[0] == 400


# ── 3 and 4 versions ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_3_every_row_has_a_weak_etag_and_its_id(ask, make, unique):
    make("accounts", name=unique)
    (row,) = ask("GET", f"accounts?$select=revenue&$filter=name eq '{unique}'").json()["value"]
    assert re.fullmatch(r'W/"\d+"', row["@odata.etag"])
    assert row["accountid"]


def test_3_304_for_who_has_the_row_but_not_with_expand_or_annotations(ask, make, unique):
    url = f"accounts({make('accounts', name=unique)})"
    tag = ask("GET", url).headers["etag"]
    known = {"If-None-Match": tag}
    same = ask("GET", url, headers=known)
    assert (same.status_code, same.content) == (304, b"")
    assert ask("GET", f"{url}?$expand=primarycontactid", headers=known).status_code == 200
    assert ask("GET", url, headers={**known, **ANNOTATED}).status_code == 200
    assert ask("GET", url, headers={"If-None-Match": "null"}).status_code == 200
    ask("PATCH", url, json={"revenue": 1})
    assert ask("GET", url, headers=known).status_code == 200


def test_4_patch_makes_what_is_not_there(ask, unique):
    id_ = str(uuid4())
    made = ask("PATCH", f"accounts({id_})", json={"name": unique})
    assert made.status_code == 204
    assert made.headers["odata-entityid"].endswith(f"({id_})")
    assert ask("GET", f"accounts({id_})").json()["name"] == unique


def test_4_if_match_any_only_updates(ask):
    reply = ask("PATCH", f"accounts({NOBODY})", json={"name": "x"}, headers={"If-Match": "*"})
    assert code(reply) == (404, "0x80040217")
    assert reply.json()["error"]["message"] == f"account With Id = {NOBODY} Does Not Exist"


def test_4_if_none_match_any_only_makes(ask, make, unique):
    id_ = make("accounts", name=unique)
    reply = ask("PATCH", f"accounts({id_})", json={"name": "x"}, headers={"If-None-Match": "*"})
    assert reply.status_code == 412
    assert reply.json()["error"]["message"].startswith("A record with matching key values already exists.")
    assert (
        ask("PATCH", f"accounts({uuid4()})", json={"name": unique}, headers={"If-None-Match": "*"}).status_code == 204
    )


@pytest.mark.parametrize("method", ["PATCH", "DELETE"])
def test_4_another_version_is_412(ask, make, unique, method):
    url = f"accounts({make('accounts', name=unique)})"
    tag = ask("GET", url).headers["etag"]
    ask("PATCH", url, json={"revenue": 7})
    body = {"json": {"name": "x"}} if method == "PATCH" else {}
    for old in (tag, 'W/"no number"', f'W/"1", {tag}'):
        reply = ask(method, url, headers={"If-Match": old}, **body)
        assert code(reply) == (412, "0x80060882"), old
        assert reply.json()["error"]["message"] == (
            "The version of the existing record doesn't match the RowVersion property provided."
        )
    now = ask("GET", url).headers["etag"]
    assert ask(method, url, headers={"If-Match": f'W/"1", {now}'}, **body).status_code == 204


# ── 5 to 7 reading ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def five(ask):
    """A company with five people."""
    name = f"five {uuid4().hex[:8]}"
    people = [{"lastname": f"P{n}", "jobtitle": name, "annualincome": 10 * n, "gendercode": 1} for n in range(5)]
    made = ask("POST", "accounts", json={"name": name, "contact_customer_accounts": people})
    assert made.status_code == 204, made.text
    return name, made.headers["odata-entityid"][-37:-1]


def got(ask, path, **options):
    reply = ask("GET", path, **options)
    assert reply.status_code == 200, reply.text
    return reply.json()


def test_5_options_of_a_list(ask, five):
    name, _ = five
    page = got(
        ask, f"contacts?$select=lastname&$filter=jobtitle eq '{name.upper()}'&$orderby=lastname desc&$top=2&$count=true"
    )
    assert ([row["lastname"] for row in page["value"]], page["@odata.count"]) == (["P4", "P3"], 5)
    assert [
        r["lastname"] for r in got(ask, f"contacts?$filter=jobtitle eq '{name}'&$orderby=lastname&$skip=3")["value"]
    ] == ["P3", "P4"]
    likes = f"contacts?$filter=startswith(jobtitle,@p) and lastname eq 'P%25'&@p='{name}'"
    assert len(got(ask, likes)["value"]) == 5
    assert got(ask, f"contacts/$count?$filter=jobtitle eq '{name}'") == 5
    assert code(ask("GET", "contacts?$search=x"))[0] in (400, 501)
    assert code(ask("GET", "contacts?$TOP=1"))[0] == 400
    assert got(ask, "contacts?$filter=jobtitle eq @none")["value"] is not None


def test_5_functions_of_the_query_language(ask, five):
    name, _ = five
    where = f"contacts?$filter=jobtitle eq '{name}' and Microsoft.Dynamics.CRM."
    assert len(got(ask, where + "LastXDays(PropertyName='createdon',PropertyValue=7)")["value"]) == 5
    assert len(got(ask, where + 'Between(PropertyName=\'annualincome\',PropertyValues=["10","30"])')["value"]) == 3


def test_6_lookups_and_formatted_values(ask, five):
    name, account = five
    url = f"contacts?$filter=jobtitle eq '{name}'&$top=1&$select=_parentcustomerid_value,gendercode,annualincome"
    (plain,) = got(ask, url)["value"]
    assert plain["_parentcustomerid_value"] == account
    assert not [key for key in plain if "Formatted" in key]
    (row,) = got(ask, url, headers=ANNOTATED)["value"]
    lookup = "_parentcustomerid_value@"
    assert row[f"{lookup}OData.Community.Display.V1.FormattedValue"] == name
    assert row[f"{lookup}Microsoft.Dynamics.CRM.lookuplogicalname"] == "account"
    assert row[f"{lookup}Microsoft.Dynamics.CRM.associatednavigationproperty"] == "parentcustomerid_account"
    assert row["gendercode@OData.Community.Display.V1.FormattedValue"] == "Male"


def test_7_pages(ask, five):
    name, account = five
    prefer = {"Prefer": "odata.maxpagesize=2"}
    reply = ask("GET", f"contacts?$filter=jobtitle eq '{name}'&$orderby=lastname&$select=lastname", headers=prefer)
    assert reply.headers["preference-applied"] == "odata.maxpagesize=2"
    seen, page = [], reply.json()
    while True:
        seen += [row["lastname"] for row in page["value"]]
        if "@odata.nextLink" not in page:
            break
        assert "$skiptoken=" in page["@odata.nextLink"]
        page = got(ask, page["@odata.nextLink"], headers=prefer)
    assert seen == ["P0", "P1", "P2", "P3", "P4"]
    counted = got(ask, f"contacts?$filter=jobtitle eq '{name}'&$count=true&$top=1", headers=ANNOTATED)
    assert counted["@Microsoft.Dynamics.CRM.totalrecordcount"] == 5
    assert counted["@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"] is False
    expanded = got(ask, f"accounts({account})?$select=name&$expand=contact_customer_accounts($select=lastname)")
    assert len(expanded["contact_customer_accounts"]) == 5
    assert code(ask("GET", f"contacts?$filter=jobtitle eq '{name}'&$select=" + "a" * 33_000))[0] == 414


def test_7_a_related_list_and_what_a_lookup_points_at(ask, five):
    name, account = five
    related = got(ask, f"accounts({account})/contact_customer_accounts?$select=lastname&$orderby=lastname")["value"]
    assert [row["lastname"] for row in related] == ["P0", "P1", "P2", "P3", "P4"]
    assert got(ask, f"accounts({account})/contact_customer_accounts/$count") == 5
    contact = related[0]["contactid"]
    assert got(ask, f"contacts({contact})/parentcustomerid_account?$select=name")["name"] == name
    assert got(ask, f"contacts({contact})/parentcustomerid_account/name")["value"] == name
    assert got(ask, f"accounts({account})/contact_customer_accounts({contact})?$select=lastname")["lastname"] == "P0"
    assert ask("GET", f"accounts({account})/primarycontactid").status_code == 204
    assert code(ask("GET", f"accounts({account})/contact_customer_accounts({NOBODY})"))[0] == 404


# ── 9 where dialects clash ───────────────────────────────────────────────────────────────────────────────────────────


def test_9_each_root_has_its_own_rules(ask, five):
    """Text is compared without case here and with it at the clean root; the versions of the path are one service."""
    name, _ = five
    for version in ("v9.0", "v9.1", "v9.2", "v9.17"):
        url = f"http://127.0.0.1/api/data/{version}/contacts?$filter=jobtitle eq '{name.upper()}'"
        assert len(got(ask, url)["value"]) == 5
        named = f"http://127.0.0.1/instances/acme/api/data/{version}/WhoAmI"
        context = got(ask, named)["@odata.context"]
        assert context.startswith(f"http://127.0.0.1/instances/acme/api/data/{version}/$metadata#")
    assert code(ask("GET", "http://127.0.0.1/api/data/v8.2/contacts")) == (404, "0x8006088a")
    assert code(ask("GET", "http://127.0.0.1/instances/other/api/data/v9.2/contacts"))[0] == 404


# ── 10 keys ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_10_keys_in_all_spellings(ask, make, unique):
    number = f"{unique}/ü'%"
    id_ = make("accounts", name=unique, accountnumber=number[:20])
    spelt = number[:20].replace("'", "''")
    from urllib.parse import quote

    for key in (f"({id_})", f"('{id_}')", f"(accountid={id_})", f"({id_.upper()})", f"(%27{id_}%27)", f"({{{id_}}})",
                f"(accountnumber='{quote(spelt, safe='')}')", f"(@k)?@k={id_}"):  # fmt: skip
        reply = ask("GET", f"accounts{key}")
        if "{" in key:
            assert reply.status_code in (200, 400)
            continue
        assert reply.status_code == 200, (key, reply.text)
        assert reply.json()["accountid"] == id_
    assert code(ask("GET", f"accounts(name='{unique}')"))[0] == 400
    assert "The key in the request URI is not valid for resource" in ask("GET", "accounts(name='x')").text
    assert code(ask("GET", "accounts(accountnumber='nowhere')")) == (404, "0x80060891")


# ── 11 aggregation ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_11_groups(ask, five):
    name, _ = five
    apply = f"filter(jobtitle eq '{name}')/groupby((gendercode),aggregate(annualincome with sum as total,$count as n))"
    (row,) = got(ask, f"contacts?$apply={apply}")["value"]
    assert (row["total"], row["n"], row["gendercode"]) == (100, 5, 1)


# ── 12 change tracking ───────────────────────────────────────────────────────────────────────────────────────────────


def test_12_changes_since(ask, make, unique):
    first = ask("GET", "accounts?$select=name", headers={"Prefer": "odata.track-changes"})
    assert first.headers["preference-applied"] == "odata.track-changes"
    link = first.json()["@odata.deltaLink"]
    kept, gone = make("accounts", name=unique), make("accounts", name=f"{unique} gone")
    before = got(ask, link)
    assert {row.get("name") for row in before["value"]} >= {unique}
    ask("DELETE", f"accounts({gone})")
    later = got(ask, link)
    assert [row["accountid"] for row in later["value"] if row.get("name") == unique] == [kept]
    last = got(ask, before["@odata.deltaLink"])
    (deleted,) = last["value"]
    assert (deleted["id"], deleted["reason"]) == (gone, "deleted")
    assert deleted["@odata.context"].endswith("/$deletedEntity")
    refused = ask("GET", "accounts?$filter=name eq 'x'", headers={"Prefer": "odata.track-changes"})
    assert code(refused)[0] == 400


# ── 13 operations ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_13_functions_and_actions(ask, make, unique):
    who = got(ask, "WhoAmI()")
    assert {"BusinessUnitId", "UserId", "OrganizationId"} < set(who)
    assert who == got(ask, "WhoAmI") == got(ask, "Microsoft.Dynamics.CRM.WhoAmI()")
    assert ask("GET", "accounts", headers={"MSCRMCallerID": who["UserId"]}).status_code == 200
    assert got(ask, "RetrieveVersion()")["Version"].startswith("9.2.")
    detail = got(ask, "RetrieveCurrentOrganization(AccessType=Microsoft.Dynamics.CRM.EndpointAccessType'Default')")
    assert detail["Detail"]["OrganizationId"] == who["OrganizationId"]
    counts = got(ask, 'RetrieveTotalRecordCount(EntityNames=@p)?@p=["account","contact"]')
    assert counts["EntityRecordCountCollection"]["Keys"] == ["account", "contact"]
    made = ask("POST", "accounts/Microsoft.Dynamics.CRM.CreateMultiple", json={"Targets": [{"name": unique}] * 2})
    assert len(set(made.json()["Ids"])) == 2
    assert code(ask("POST", "accounts/Microsoft.Dynamics.CRM.CreateMultiple", json={}))[0] == 400
    assert code(ask("GET", "accounts/Microsoft.Dynamics.CRM.CreateMultiple"))[0] == 405
    assert code(ask("GET", "RetrieveTotalRecordCount(EntityNames=@p)?@p='O'x'")) == (400, "0x80060888")
    assert code(ask("GET", "NoSuchFunction()")) == (404, "0x8006088a")
    assert code(ask("POST", "BulkDelete", json={"JobName": "x", "QuerySet": [], "Colour": 1}))[0] == 400


def test_13_deletes_in_bulk(ask, make, unique):
    """Done at once, noted as a job; what cannot be deleted leaves all as it was, and the job says so."""
    name, other = f"acme_{unique}", f"acme_{unique}x"
    label = {"LocalizedLabels": [{"Label": "x", "LanguageCode": 1033}]}
    for each in (name, other):
        column = {"@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata", "SchemaName": "acme_Name",
                  "IsPrimaryName": True, "MaxLength": 50, "DisplayName": label}  # fmt: skip
        said = {"SchemaName": each, "DisplayName": label, "DisplayCollectionName": label, "Attributes": [column]}
        assert ask("POST", "EntityDefinitions", json=said).status_code == 204
    lookup = {
        "@odata.type": "Microsoft.Dynamics.CRM.LookupAttributeMetadata",
        "SchemaName": "acme_ParentId",
        "DisplayName": label,
    }
    relationship = {
        "@odata.type": "Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata", "SchemaName": f"{name}_{other}",
        "ReferencedEntity": name, "ReferencingEntity": other, "Lookup": lookup, "CascadeConfiguration": {"Delete": "Restrict"},
    }  # fmt: skip
    assert ask("POST", "RelationshipDefinitions", json=relationship).status_code == 204
    sets = {t: got(ask, f"EntityDefinitions(LogicalName='{t}')")["EntitySetName"] for t in (name, other)}
    held, free = (make(sets[name], acme_name=n) for n in ("held", "free"))
    child = make(sets[other], acme_name="child", **{"acme_ParentId@odata.bind": f"{sets[name]}({held})"})

    def delete(*values):
        condition = {
            "AttributeName": "acme_name",
            "Operator": "In",
            "Values": [{"Value": v, "Type": "System.String"} for v in values],
        }
        query = {"EntityName": name, "Criteria": {"FilterOperator": "And", "Conditions": [condition]}}
        reply = ask("POST", "BulkDelete", json={"JobName": unique, "QuerySet": [query]})
        assert reply.status_code == 200, reply.text
        return got(ask, f"asyncoperations({reply.json()['JobId']})?$select=statuscode,message,errorcode,name")

    failed = delete("held", "free")
    assert (failed["statuscode"], failed["name"]) == (31, unique)
    assert failed["errorcode"] < 0
    assert got(ask, f"{sets[name]}/$count") == 2
    assert delete("free")["statuscode"] == 30
    assert ask("GET", f"{sets[name]}({free})").status_code == 404
    assert ask("DELETE", f"{sets[name]}({held})").status_code == 405  # CannotDeleteDueToAssociation
    assert ask("DELETE", f"{sets[other]}({child})").status_code == 204
    assert delete("held")["message"] == "1 row was deleted."
    for each in (other, name):
        assert ask("DELETE", f"EntityDefinitions(LogicalName='{each}')").status_code == 204
    assert code(ask("GET", sets[name])) == (404, "0x8006088a")


def test_13_links_are_made_and_taken_away(ask, make, unique):
    account, contact = make("accounts", name=unique), make("contacts", lastname=unique)
    said = {"@odata.id": f"http://127.0.0.1/api/data/v9.2/contacts({contact})"}
    assert ask("PUT", f"accounts({account})/primarycontactid/$ref", json=said).status_code == 204
    assert got(ask, f"accounts({account})/primarycontactid/$ref")["@odata.id"].endswith(f"/contacts({contact})")
    assert ask("POST", f"accounts({account})/contact_customer_accounts/$ref", json=said).status_code == 204
    refs = got(ask, f"accounts({account})/contact_customer_accounts/$ref")["value"]
    assert [one["@odata.id"] for one in refs] == [said["@odata.id"]]
    way = f"accounts({account})/contact_customer_accounts/$ref?$id=contacts({contact})"
    assert ask("DELETE", way).status_code == 204
    assert ask("DELETE", f"accounts({account})/primarycontactid/$ref").status_code == 204
    assert ask("GET", f"accounts({account})/primarycontactid/$ref").status_code == 204
    assert ask("POST", f"accounts({account})/contact_customer_accounts/$ref", json=said).status_code == 204
    assert ask("DELETE", f"accounts({account})/contact_customer_accounts({contact})/$ref").status_code == 204
    assert got(ask, f"accounts({account})/contact_customer_accounts")["value"] == []


# ── 14 metadata ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_14_the_service_document_names_every_set(ask):
    listed = {one["name"] for one in got(ask, "")["value"]}
    assert {"accounts", "contacts", "leads", "opportunities", "incidents", "activitypointers", "tasks"} <= listed
    assert {"EntityDefinitions", "RelationshipDefinitions", "GlobalOptionSetDefinitions"} <= listed


def test_14_definitions(ask):
    account = got(ask, "EntityDefinitions(LogicalName='account')?$select=LogicalName,SchemaName,EntitySetName,"
                       "PrimaryIdAttribute,PrimaryNameAttribute,MetadataId")  # fmt: skip
    assert account == account | {
        "LogicalName": "account", "SchemaName": "Account", "EntitySetName": "accounts",
        "PrimaryIdAttribute": "accountid", "PrimaryNameAttribute": "name",
    }  # fmt: skip
    assert got(ask, f"EntityDefinitions({account['MetadataId']})")["LogicalName"] == "account"
    columns = got(ask, "EntityDefinitions(LogicalName='account')/Attributes?$select=LogicalName&$filter=AttributeType eq "
                       "Microsoft.Dynamics.CRM.AttributeTypeCode'Picklist'")["value"]  # fmt: skip
    assert "industrycode" in {one["LogicalName"] for one in columns}
    assert {one["@odata.type"] for one in columns} == {"#Microsoft.Dynamics.CRM.PicklistAttributeMetadata"}
    cast = "EntityDefinitions(LogicalName='account')/Attributes/Microsoft.Dynamics.CRM.PicklistAttributeMetadata"
    options = got(ask, f"{cast}?$select=LogicalName&$expand=OptionSet($select=Options)")["value"]
    (industry,) = [one for one in options if one["LogicalName"] == "industrycode"]
    assert industry["OptionSet"]["Options"][0]["Label"]["UserLocalizedLabel"]["Label"] == "Accounting"
    required = got(ask, "EntityDefinitions(LogicalName='account')/Attributes?$select=LogicalName&$filter=RequiredLevel/Value eq "
                        "Microsoft.Dynamics.CRM.AttributeRequiredLevel'SystemRequired'")["value"]  # fmt: skip
    assert "accountid" in {one["LogicalName"] for one in required}
    expanded = got(ask, "EntityDefinitions?$select=LogicalName&$filter=LogicalName eq 'contact'"
                        "&$expand=Keys,Attributes($select=LogicalName;$filter=LogicalName eq 'lastname')")  # fmt: skip
    assert [one["LogicalName"] for one in expanded["value"][0]["Attributes"]] == ["lastname"]
    assert got(ask, "GlobalOptionSetDefinitions")["value"] == []
    relations = got(ask, "RelationshipDefinitions/Microsoft.Dynamics.CRM.OneToManyRelationshipMetadata"
                         "?$filter=SchemaName eq 'contact_customer_accounts'")["value"]  # fmt: skip
    assert [one["ReferencingAttribute"] for one in relations] == ["parentcustomerid"]
    assert code(ask("GET", "EntityDefinitions(LogicalName='nothing')"))[0] == 404
    assert code(ask("GET", "EntityDefinitions?$select=Nothing"))[0] == 400


def test_14_changes_of_definitions(ask):
    query = {
        "Properties": {"PropertyNames": ["LogicalName"]},
        "Criteria": {
            "Conditions": [
                {
                    "PropertyName": "LogicalName",
                    "ConditionOperator": "Equals",
                    "Value": {"Type": "System.String", "Value": "lead"},
                }
            ]
        },
    }
    url = "RetrieveMetadataChanges(Query=@p1)"
    found = got(ask, url, params={"@p1": json.dumps(query)})
    assert [one["LogicalName"] for one in found["EntityMetadata"]] == ["lead"]
    stamped = "RetrieveMetadataChanges(ClientVersionStamp=@s)"
    nothing = got(ask, stamped, params={"@s": f"'{found['ServerVersionStamp']}'"})
    assert nothing["EntityMetadata"] == []
    assert code(ask("GET", stamped, params={"@s": "'12!3'"})) == (400, "0x80044352")


def test_14_activities_are_activitypointers(ask, make, unique):
    id_ = make("tasks", subject=unique)
    for name in ("activities", "activitypointers"):
        (row,) = got(ask, f"{name}?$filter=subject eq '{unique}'&$select=subject,activitytypecode")["value"]
        assert (row["activityid"], row["activitytypecode"]) == (id_, "task")
    cast = got(ask, f"activitypointers/Microsoft.Dynamics.CRM.task?$filter=subject eq '{unique}'")["value"]
    assert [row["activityid"] for row in cast] == [id_]
    assert got(ask, f"activitypointers({id_})/Microsoft.Dynamics.CRM.task")["subject"] == unique
