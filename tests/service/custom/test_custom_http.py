"""Custom APIs over the Web API: called as actions and functions, refused, told of in $metadata, labelled."""

import re
import threading
from decimal import Decimal
from typing import Any

import pytest

from unify.service.caller import Role
from unify.service.jobs.queue import Queue
from unify.service.jobs.runner import Runner
from unify.service.settings import read_settings

ID = "6d81597f-0f9f-e711-8122-000d3aa2331c"
NOTHING = dict.fromkeys(
    ("Flag", "At", "Weight", "Row", "Rows", "Reference", "Share", "Count", "Price", "Priority", "Text", "Texts", "Key")
)


def answered(answer: Any) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    said = answer.json(parse_float=Decimal)
    said.pop("@odata.context")
    return said


def refused(answer: Any, status: int = 400) -> tuple[str, str]:
    assert answer.status_code == status, answer.text
    error = answer.json()["error"]
    return error["code"], error["message"]


BODIES: list[tuple[str, Any, Any]] = [
    ("Flag", True, True), ("At", "2026-11-22T09:30:00+01:00", "2026-11-22T08:30:00Z"),
    ("Weight", 0.1, Decimal("0.1")), ("Share", 0.5, Decimal("0.5")), ("Count", -3, -3), ("Price", 12.5, Decimal("12.5")),
    ("Priority", 1, 1), ("Text", "ä'\"", "ä'\""), ("Texts", ["a", "b"], ["a", "b"]), ("Key", ID.upper(), ID),
    ("Row", {"@odata.type": "Microsoft.Dynamics.CRM.account", "name": "A"},
     {"@odata.type": "#Microsoft.Dynamics.CRM.account", "name": "A"}),
    ("Rows", [{"@odata.type": "Microsoft.Dynamics.CRM.account", "name": "A"}],
     [{"@odata.type": "#Microsoft.Dynamics.CRM.account", "name": "A"}]),
    ("Reference", {"@odata.type": "Microsoft.Dynamics.CRM.contact", "contactid": ID},
     {"@odata.type": "#Microsoft.Dynamics.CRM.contact", "contactid": ID}),
]  # fmt: skip


def test_an_action_takes_thirteen_types_and_gives_them_back(same):
    answer = same.post("acme_Echo", {name: value for name, value, _ in BODIES})
    context = answer.json()["@odata.context"]
    assert context.endswith("/$metadata#Microsoft.Dynamics.CRM.acme_EchoResponse")
    assert answered(answer) == {name: value for name, _, value in BODIES}
    assert answered(same.post("acme_Echo")) == NOTHING, "None is null"


INLINE: list[tuple[str, str, Any]] = [
    ("Flag", "true", True), ("At", "2026-11-22T09:30:00Z", "2026-11-22T09:30:00Z"), ("Weight", "-1.5", Decimal("-1.5")),
    ("Share", "2", Decimal("2.0")), ("Count", "-3", -3), ("Price", "12.50", Decimal("12.50")), ("Priority", "1", 1),
    ("Text", "'it''s'", "it's"), ("Key", ID, ID),
]  # fmt: skip
ALIASED: list[tuple[str, str, Any]] = [
    *INLINE, ("Texts", '["a","b"]', ["a", "b"]), ("At", "2026-11-22T09:30:00%2B01:00", "2026-11-22T08:30:00Z"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "literal", "value"), INLINE)
def test_a_function_takes_its_parameters_in_the_address(same, name, literal, value):
    assert answered(same.ask("GET", f"acme_EchoF({name}={literal})")) == {**NOTHING, name: value}


def test_a_function_takes_aliases(same):
    for name, literal, value in ALIASED:
        answer = same.ask("GET", f"acme_EchoF({name}=@p2)?@p2={literal}")
        assert answered(answer) == {**NOTHING, name: value}
    answer = same.ask("GET", "acme_EchoF(Text='x',Count=@p2)?@p2=3")
    assert answered(answer) == {**NOTHING, "Text": "x", "Count": 3}
    assert answered(same.ask("GET", "acme_EchoF(Count=@p2)")) == NOTHING, "an alias that is not given is null"


def test_references_in_addresses(same):
    contact = same.made("contacts", {"lastname": "Doe"})
    for address in (f"contacts({contact})", f"/contacts({contact})",
                    f"http://service/instances/contoso/api/data/v9.2/contacts({contact})"):  # fmt: skip
        answer = same.ask("GET", f"acme_EchoF(Reference=@p)?@p={{'@odata.id':'{address}'}}")
        assert answered(answer)["Reference"] == {"@odata.type": "#Microsoft.Dynamics.CRM.contact", "contactid": contact}
        answer = same.post("acme_Echo", {"Reference": {"@odata.id": address}})
        assert answered(answer)["Reference"]["contactid"] == contact
    assert same.ask("GET", f"acme_EchoF(Reference=@p)?@p={{'@odata.id':'contacts({ID})'}}").status_code == 400


WRONG: list[tuple[str, str, Any]] = [
    ("POST", "acme_Echo", {"Count": "3"}), ("POST", "acme_Echo", {"Count": True}), ("POST", "acme_Echo", {"cuont": 3}),
    ("POST", "acme_Echo", {"Texts": "a"}), ("POST", "acme_Echo", {"At": "x"}), ("POST", "acme_Echo", [1]),
    ("POST", "acme_Echo", {"Reference": ID}), ("POST", "acme_Echo", {"Row": {"name": "A"}}),
    ("GET", "acme_EchoF(Count='3')", None), ("GET", "acme_EchoF(Cuont=3)", None), ("GET", "acme_EchoF(3)", None),
    ("GET", "acme_EchoF(Count=@p)?@p='3'", None), ("POST", "acme_Make", {}), ("POST", "acme_Make", {"Name": None}),
]  # fmt: skip


@pytest.mark.parametrize(("method", "url", "body"), WRONG)
def test_what_does_not_fit_is_400(same, method, url, body):
    code, message = refused(same.ask(method, url, body))
    assert code.startswith("0x")
    assert message


def test_verbs_are_kept_apart(world):
    assert world.ask("GET", "acme_Make").status_code == 405
    assert world.post("acme_EchoF()").status_code == 405
    assert world.post("acme_Make()").status_code in (204, 400)


# ── bound ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_action_on_a_row(same):
    case = same.made("incidents", {"title": "Broken"})
    answer = same.post(f"incidents({case})/Microsoft.Dynamics.CRM.acme_EscalateCase", {"Priority": 1})
    me = same.get("WhoAmI()")["UserId"]
    assert answered(answer) == {"AssignedTo": {"@odata.type": "#Microsoft.Dynamics.CRM.systemuser", "systemuserid": me}}
    assert same.get(f"incidents({case})?$select=prioritycode")["prioritycode"] == 1
    for wrong, status in ((f"incidents({ID})/Microsoft.Dynamics.CRM.acme_EscalateCase", 404),
                          ("incidents/Microsoft.Dynamics.CRM.acme_EscalateCase", 404),
                          ("acme_EscalateCase", 404), (f"accounts({ID})/Microsoft.Dynamics.CRM.acme_EscalateCase", 404)):  # fmt: skip
        refused(same.post(wrong, {"Priority": 1}), status)
    assert refused(same.post(f"incidents({case})/Microsoft.Dynamics.CRM.acme_EscalateCase"))[0] == "0x80040203"


def test_a_function_on_a_set(world):
    for name in ("Zorn", "Adler"):
        world.made("accounts", {"name": name})
    assert answered(world.ask("GET", "accounts/Microsoft.Dynamics.CRM.acme_Best()")) == {"Name": "Adler"}
    refused(world.ask("GET", "contacts/Microsoft.Dynamics.CRM.acme_Best()"), 404)


def test_one_property_of_rows_is_the_answer_itself(world):
    account = world.made("accounts", {"name": "Adler"})
    one = world.get("acme_First()")
    assert one.pop("@odata.context").endswith("/$metadata#accounts/$entity")
    assert one == {"@odata.type": "#Microsoft.Dynamics.CRM.account", "name": "Adler", "accountid": account}
    many = world.get("acme_Every()")
    assert many["@odata.context"].endswith("/$metadata#accounts")
    assert [row["name"] for row in many["value"]] == ["Adler"]


def test_nothing_to_say_is_204(world):
    answer = world.post("acme_Make", {"Name": "Adler"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert world.get("accounts?$select=name")["value"][0]["name"] == "Adler"


def test_an_action_in_a_change_set_is_part_of_it(world):
    def part(number: int, name: str, path: str, body: str) -> str:
        return (f"--c\r\nContent-Type: application/http\r\nContent-ID: {number}\r\n\r\nPOST {path} HTTP/1.1\r\n"
                f"Content-Type: application/json\r\n\r\n{body}\r\n")  # fmt: skip

    base = "/instances/contoso/api/data/v9.2"
    for last, kept in (('{"name": "B"}', 2), ('{"nmae": "B"}', 2)):
        body = ("--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
                + part(1, "a", f"{base}/acme_Make", '{"Name": "A"}') + part(2, "b", f"{base}/accounts", last)
                + "--c--\r\n--b--\r\n")  # fmt: skip
        headers = {"Content-Type": "multipart/mixed; boundary=b", "Ocp-Apim-Subscription-Key": world.keys[Role.ADMIN]}
        world.runner.run(world.client.post(f"{base}/$batch", content=body.encode(), headers=headers))
        assert len(world.get("accounts?$select=name")["value"]) == kept, "the second one undoes the action too"


def test_an_action_sees_what_its_change_set_has_written(world):
    def part(number: int, path: str, body: str) -> str:
        return (f"--c\r\nContent-Type: application/http\r\nContent-ID: {number}\r\n\r\nPOST {path} HTTP/1.1\r\n"
                f"Content-Type: application/json\r\n\r\n{body}\r\n")  # fmt: skip

    base = "/instances/contoso/api/data/v9.2"
    body = ("--b\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n"
            + part(1, f"{base}/accounts", '{"name": "Adler"}')
            + part(2, f"{base}/acme_Echo", '{"Reference": {"@odata.id": "$1"}}')
            + part(3, f"{base}/incidents", '{"title": "Broken"}')
            + part(4, "$3/Microsoft.Dynamics.CRM.acme_EscalateCase", '{"Priority": 1}')
            + "--c--\r\n--b--\r\n")  # fmt: skip
    headers = {"Content-Type": "multipart/mixed; boundary=b", "Ocp-Apim-Subscription-Key": world.keys[Role.ADMIN]}
    answer = world.runner.run(world.client.post(f"{base}/$batch", content=body.encode(), headers=headers))
    [account] = world.get("accounts?$select=name")["value"]
    assert f'"accountid":"{account["accountid"]}"' in answer.text
    assert world.get("incidents?$select=prioritycode")["value"][0]["prioritycode"] == 1


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_refusal_has_the_documented_shape(same):
    answer = same.post("acme_Refuse", {"How": "no"}, headers={"Prefer": 'odata.include-annotations="*"'})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["message"]) == (400, "0x80040265", "Not today")
    details = "@Microsoft.PowerApps.CDS.ErrorDetails."
    assert (error[details + "SubErrorCode"], error[details + "OperationStatus"]) == ("42", "0")
    assert error["@Microsoft.PowerApps.CDS.TraceText"] == "about to say no"
    assert set(same.post("acme_Refuse", {"How": "no"}).json()["error"]) == {"code", "message"}


def test_a_refusal_undoes_what_was_written(world):
    refused(world.post("acme_Refuse", {"How": "write"}))
    assert world.get("accounts?$select=name")["value"] == []


def test_a_crash_is_500_without_its_inside(same, root, capfd):
    world = type(same)(root)  # made here: a service writes its log where stderr is when it starts
    answer = world.post("acme_Refuse", {"How": "crash"}, headers={"x-ms-client-request-id": ID})
    assert answer.status_code == 500
    assert "swordfish" not in answer.text
    written = capfd.readouterr().err
    world.close()
    [line] = [one for one in written.splitlines() if "custom API failed" in one]
    assert '"api": "acme_Refuse"' in line
    assert f'"correlation": "{ID}"' in line
    assert "RuntimeError" in line
    assert "swordfish" not in written


# ── who may ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_privileges_are_roles(same):
    assert same.post("acme_Guarded").status_code == 204
    for role in (Role.STEWARD, Role.ANALYST, Role.READER):
        code, message = refused(same.post("acme_Guarded", role=role), 403)
        assert code == "0x80040220"
        assert "missing prvUnifyAdmin privilege" in message


def test_whoever_may_not_see_record_tables_does_not_through_an_api(world):
    assert world.post("acme_Echo", {"Text": "a"}, role=Role.READER).status_code == 200
    for role in (Role.READER, Role.ANALYST):
        refused(world.ask("GET", "acme_First()", role=role), 403)
        refused(world.post("acme_Make", {"Name": "A"}, role=role), 403)
    assert world.get("accounts")["value"] == []


def test_code_sees_customers_as_the_caller_may(same):
    assert same.get("acme_Names()")["Count"] > 100
    for role in (Role.READER, Role.STEWARD):
        some = same.changes.create_key(f"few {role.name}", roles={"contoso": role})
        same.changes.grant(f"few {role.name}", segments={"contoso": ["big_spenders"]})
        headers = {"Ocp-Apim-Subscription-Key": some.text}
        assert same.get("acme_Names()", headers=headers)["Count"] == 35
        refused(same.ask("GET", "acme_First()", headers=headers), 403)
        refused(same.post("unify_RefreshSegment", {"Segment": "big_spenders"}, headers=headers), 403)
        refused(same.ask("GET", "unify_ExplainMembership(Customer='x',Segment='big_spenders')", headers=headers), 403)


def test_events_of_the_product_are_nobodys_to_tell(same):
    body = {"Purpose": "run", "Error": "x", "Run": 1, "At": "now"}
    assert refused(same.post("unify_OnRunFailed", body), 403)[0] == "0x80040220"


# ── definitions ──────────────────────────────────────────────────────────────────────────────────────────────────────


def field(name: str, kind: int, **more: Any) -> dict[str, Any]:
    return {"uniquename": name, "name": name, "displayname": name, "description": name, "type": kind, **more}


def api(name: str, **more: Any) -> dict[str, Any]:
    return {"uniquename": name, "name": name, "displayname": name, "description": name, **more}


def test_a_definition_in_one_request_is_called_at_once(same):
    same.made("customapis", api(
        "myapi_Sum", isfunction=True, CustomAPIRequestParameters=[field("A", 7), field("B", 7, isoptional=True)],
        CustomAPIResponseProperties=[field("Sum", 7)],
    ))  # fmt: skip
    assert answered(same.ask("GET", "myapi_Sum(A=1)")) == {"Sum": 0}
    found = same.get(
        "customapis?$select=uniquename,bindingtype,isfunction&$filter=uniquename eq 'myapi_Sum'"
        "&$expand=CustomAPIRequestParameters($select=uniquename,type,isoptional;$orderby=uniquename),"
        "CustomAPIResponseProperties($select=uniquename,type),PluginTypeId($select=typename)"
    )["value"]
    [row] = found
    assert [(p["uniquename"], p["type"], p["isoptional"]) for p in row["CustomAPIRequestParameters"]] == [
        ("A", 7, False), ("B", 7, True)
    ]  # fmt: skip
    assert row["PluginTypeId"] is None


def test_the_rules_hold_over_http(same):
    assert refused(same.post("customapis", api("NoPrefix")))[0] == "0x800608ad"
    key = same.made("customapis", api("myapi_Do"))
    assert (
        "cannot be changed after it is saved"
        in refused(same.ask("PATCH", f"customapis({key})", {"isfunction": True}))[1]
    )
    code, message = refused(same.post("customapis", api("myapi_F", isfunction=True, workflowsdkstepenabled=True)))
    assert code == "0x80040203"
    assert "cannot be enabled for workflow" in message


def test_a_managed_property_is_an_object(same):
    key = same.made("customapis", api("myapi_Managed", iscustomizable={"Value": False, "CanBeChanged": True}))
    said = same.get(f"customapis({key})?$select=iscustomizable", headers={"Prefer": 'odata.include-annotations="*"'})
    assert said["iscustomizable"] == {
        "Value": False, "CanBeChanged": True, "ManagedPropertyLogicalName": "iscustomizableanddeletable"
    }  # fmt: skip
    assert same.ask("PATCH", f"customapis({key})", {"iscustomizable": {"Value": True}}).status_code == 204
    assert same.get(f"customapis({key})?$select=iscustomizable")["iscustomizable"]["Value"] is True
    assert refused(same.ask("PATCH", f"customapis({key})", {"iscustomizable": {"Value": 1}}))
    assert [r["uniquename"] for r in same.get(
        "customapis?$select=uniquename&$filter=iscustomizable eq true and uniquename eq 'myapi_Managed'"
    )["value"]] == ["myapi_Managed"]  # fmt: skip


def test_rows_of_code_can_be_read_and_not_changed(same):
    [row] = same.get(
        "customapis?$filter=uniquename eq 'acme_EscalateCase'&$expand=PluginTypeId($select=typename,assemblyname)"
    )["value"]
    assert row["PluginTypeId"] | {"plugintypeid": ""} != {}
    assert row["PluginTypeId"]["assemblyname"] == "acme"
    assert refused(same.ask("DELETE", f"customapis({row['customapiid']})"))[0] == "0x8004f026"


def test_a_function_that_returns_nothing_is_404(same):
    same.made("customapis", api("myapi_Nothing", isfunction=True))
    code, message = refused(same.ask("GET", "myapi_Nothing()"), 404)
    assert (code, message.startswith("Resource not found for the segment 'myapi_Nothing'.")) == ("0x8006088a", True)
    assert "myapi_Nothing" not in same.ask("GET", "$metadata").text


def test_metadata_tells_of_what_is_public(same):
    text = same.ask("GET", "$metadata").text
    assert "acme_Private" not in text
    assert same.post("acme_Private").status_code == 204, "it can be called all the same"
    assert re.search(r'<Action Name="acme_EscalateCase" IsBound="true">.*?Type="mscrm.incident".*?</Action>', text)
    assert re.search(r'<Function Name="acme_EchoF">.*?<ReturnType Type="mscrm.acme_EchoFResponse"', text)
    response = re.search(r'<ComplexType Name="acme_EchoResponse">(.*?)</ComplexType>', text)
    assert response
    for name, kind in (("Flag", "Edm.Boolean"), ("At", "Edm.DateTimeOffset"), ("Weight", "Edm.Decimal"),
                       ("Share", "Edm.Double"), ("Count", "Edm.Int32"), ("Price", "Edm.Decimal"),
                       ("Priority", "Edm.Int32"), ("Text", "Edm.String"), ("Texts", "Collection(Edm.String)"),
                       ("Key", "Edm.Guid")):  # fmt: skip
        assert f'<Property Name="{name}" Type="{kind}"' in response[1]
    assert re.search(r'<Function Name="acme_Every">.*?<ReturnType Type="Collection\(mscrm.crmbaseentity\)"', text)


def test_labels_in_further_languages(world):
    key = world.made("customapis", api("myapi_Do"))
    moniker = {"@odata.type": "Microsoft.Dynamics.CRM.customapi", "customapiid": key}
    labels = [{"Label": "例え", "LanguageCode": 1041}, {"Label": "Beispiel", "LanguageCode": 1031},
              {"Label": "ejemplo", "LanguageCode": 3082}]  # fmt: skip
    body = {"EntityMoniker": moniker, "AttributeName": "displayname", "Labels": labels}
    assert world.post("SetLocLabels", body).status_code == 204
    url = ("RetrieveLocLabels(EntityMoniker=@p1,AttributeName=@p2,IncludeUnpublished=@p3)"
           f"?@p1={{'@odata.id':'customapis({key})'}}&@p2='displayname'&@p3=false")  # fmt: skip
    said = world.get(url)
    assert said["@odata.context"].endswith("$metadata#Microsoft.Dynamics.CRM.RetrieveLocLabelsResponse")
    found = said["Label"]["LocalizedLabels"]
    assert [(one["LanguageCode"], one["Label"]) for one in found] == [
        (1033, "myapi_Do"), (1031, "Beispiel"), (1041, "例え"), (3082, "ejemplo")
    ]  # fmt: skip
    assert said["Label"]["UserLocalizedLabel"] == found[0] == {
        "Label": "myapi_Do", "LanguageCode": 1033, "IsManaged": None, "MetadataId": None, "HasChanged": None
    }  # fmt: skip
    again = {**body, "Labels": [{"Label": "Muster", "LanguageCode": 1031}, {"Label": "Sample", "LanguageCode": 1033}]}
    assert world.post("SetLocLabels", again).status_code == 204
    found = world.get(url)["Label"]["LocalizedLabels"]
    assert [one["Label"] for one in found] == ["Sample", "Muster", "例え", "ejemplo"]
    assert world.get(f"customapis({key})?$select=displayname")["displayname"] == "Sample"
    for wrong in ({**body, "AttributeName": "uniquename"}, {**body, "Labels": []}, {**body, "Labels": [{"Label": "a"}]},
                  {**body, "Labels": [{"Label": "x" * 101, "LanguageCode": 1031}]},
                  {**body, "EntityMoniker": {**moniker, "customapiid": ID}}):  # fmt: skip
        assert world.post("SetLocLabels", wrong).status_code in (400, 404)
    assert world.post("SetLocLabels", body, role=Role.ANALYST).status_code == 403


# ── settings, and what the product ships ─────────────────────────────────────────────────────────────────────────────


def test_settings_name_what_is_loaded(root):
    said = read_settings(None, {"UNIFY_SERVE_ROOT": str(root), "UNIFY_SERVE_CUSTOM_APIS": "acme, other"})
    assert said.custom_apis == ("acme", "other")


def test_resolve_a_record(same):
    body = {"Entity": "crm.Contacts",
            "Record": '{"EMail": "Florence.Montague418@mail.example", "FirstName": "Florence"}'}  # fmt: skip
    said = answered(same.post("unify_ResolveCustomer", body, role=Role.STEWARD))
    assert said["Verdict"] == "joins"
    assert "crm.Contacts:C-1355" in said["Matches"]
    assert said["Why"][0].endswith(f"belongs to customer {said['Customer']}")
    refused(same.post("unify_ResolveCustomer", body, role=Role.ANALYST), 403)
    assert refused(same.post("unify_ResolveCustomer", {**body, "Entity": "crm.Contact"}))[0] == "0x80040265"


def test_explain_a_membership(same):
    url = "unify_ExplainMembership(Customer='crm.Contacts:C-1355',Segment='big_spenders')"
    said = answered(same.ask("GET", url))
    assert said["IsMember"] is False
    assert said["NearestChange"]
    refused(same.ask("GET", url, role=Role.READER), 403)
    refused(same.ask("GET", url.replace("C-1355", "C-X")))


def test_refresh_a_segment_at_once(world):
    said = answered(world.post("unify_RefreshSegment", {"Segment": "big_spenders"}, role=Role.STEWARD))
    assert (said["State"], said["Count"], said["Entered"], said["Left"], said["Job"]) == ("successful", 35, 0, 0, None)
    refused(world.post("unify_RefreshSegment", {"Segment": "big_spenders"}, role=Role.ANALYST), 403)
    refused(world.post("unify_RefreshSegment", {"Segment": "big_spender"}))


def test_refresh_a_segment_through_the_queue(same, root):
    world = type(same)(root, jobs=True)
    body = {"Segment": "big_spenders", "Wait": False}
    waiting = answered(world.post("unify_RefreshSegment", body, role=Role.STEWARD))
    assert (waiting["State"], waiting["Count"]) == ("queued", None)
    runner, done = Runner(world.settings), threading.Event()

    def run() -> None:
        while not done.wait(0.02):
            runner.tick()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        said = answered(world.post("unify_RefreshSegment", {"Segment": "big_spenders"}, role=Role.STEWARD))
    finally:
        done.set()
        thread.join(10)
        runner.go_down()
        world.close()
    assert (said["State"], said["Count"]) == ("successful", 35)
    assert said["Run"] > 1
    job = Queue(world.service.database).get(said["Job"], "contoso")
    assert (job.request.operation, job.submitted_by, job.status) == ("segmentation", "STEWARD", "successful")
