"""What a write takes, what follows from it, and what it refuses in which words."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.dataverse.asked import NOBODY, NOW, refused, row
from unify.dataverse.errors import DataverseError
from unify.dataverse.model import create_relationship, create_table, ready
from unify.dataverse.writes import ANY, NEW, Writes, parse_reference, user_id, writer_of
from unify.records import RecordStore

# ── one row ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_new_row_has_what_nobody_said(writes: Writes) -> None:
    made = writes.create("contact", {"firstname": "Eva", "lastname": "Muster"})
    found = row(writes, "contact", made.id)
    assert (found["fullname"], found["statecode"], found["statuscode"], found["donotemail"]) == (
        "Eva Muster",
        0,
        1,
        False,
    )
    assert found["createdon"] == found["modifiedon"] == NOW.replace(microsecond=0)
    user = user_id(writes.writing, "crm-sync")
    assert {found[c] for c in ("createdby", "modifiedby", "ownerid", "owninguser")} == {user}
    assert (found["owneridtype"], found["owningteam"]) == ("systemuser", None)
    assert row(writes, "systemuser", user)["fullname"] == row(writes, "owner", user)["name"] == "crm-sync"


def test_an_id_that_is_given_is_taken_once(writes: Writes) -> None:
    writes.create("account", {"accountid": NOBODY.upper(), "name": "x"})
    with refused("0x80040237", 412, "matching key values already exists"):
        writes.create("account", {"accountid": NOBODY})
    assert writes.writing.count("account") == 1


def test_a_migrated_row_keeps_its_date(writes: Writes) -> None:
    made = row(writes, "account", writes.create("account", {"overriddencreatedon": "2001-02-03T04:05:06Z"}).id)
    assert (made["createdon"], made["overriddencreatedon"]) == (
        datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC),
        NOW.replace(microsecond=0),
    )


def test_what_a_client_cannot_set_is_passed_over_so_rows_can_be_sent_back(writes: Writes) -> None:
    id_ = writes.create("contact", {"lastname": "A"}).id
    before = row(writes, "contact", id_)
    sent = {
        "@odata.etag": 'W/"1"', "contactid": id_, "createdon": "1999-01-01T00:00:00Z", "fullname": "x", "versionnumber": 5, "lastname": "B",
        "_ownerid_value": before["ownerid"], "_createdby_value": before["createdby"], "_parentcustomerid_value": None,
        "statecode@OData.Community.Display.V1.FormattedValue": "Active",
    }  # fmt: skip
    writes.update("contact", id_, sent)
    after = row(writes, "contact", id_)
    assert (after["lastname"], after["fullname"], after["createdon"]) == ("B", "B", before["createdon"])
    with refused("0x80048d19", 400, "cannot be changed"):
        writes.update("contact", id_, {"contactid": NOBODY})
    with refused("0x80048d19", 400, "Navigation properties instead"):
        writes.update("contact", id_, {"_ownerid_value": NOBODY})


VALUES = [
    ("name", "x" * 160, "x" * 160), ("name", "", None), ("name", None, None), ("description", "a\nb", "a\nb"), ("numberofemployees", 7, 7),
    ("revenue", 12.345, Decimal("12.35")), ("revenue", 5, Decimal(5)), ("revenue", Decimal("-0.005"), Decimal("-0.01")),
    ("revenue", 922_337_203_685_477, Decimal(922_337_203_685_477)), ("creditonhold", True, True), ("industrycode", 33, 33),
    ("address1_latitude", 47.639583, 47.63958), ("statuscode", 1, 1),
]  # fmt: skip


@pytest.mark.parametrize(("column", "value", "held"), VALUES)
def test_values_are_held(writes: Writes, column: str, value: Any, held: Any) -> None:
    assert row(writes, "account", writes.create("account", {column: value}).id)[column] == held


@pytest.mark.parametrize(
    ("said", "held"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)), ("2026-01-02T03:04:05.999Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2026-01-02T03:04:05+02:00", datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC)), ("2026-01-02T03:04", datetime(2026, 1, 2, 3, 4, tzinfo=UTC)),
        ("2026-01-02", datetime(2026, 1, 2, tzinfo=UTC)),
    ],
)  # fmt: skip
def test_moments_are_held_to_the_second_in_utc(writes: Writes, said: str, held: datetime) -> None:
    assert row(writes, "task", writes.create("task", {"scheduledstart": said}).id)["scheduledstart"] == held


def test_days(writes: Writes) -> None:
    for said in ("2000-02-29", "2000-02-29T00:00:00"):
        assert row(writes, "contact", writes.create("contact", {"birthdate": said}).id)["birthdate"] == date(
            2000, 2, 29
        )


LITERAL = "Cannot convert the literal '{}' to the expected type '{}'"
WRONG = [
    ("account", {"name": 5}, "0x80048d19", LITERAL.format("5", "Edm.String")), ("account", {"numberofemployees": "7"}, "0x80048d19", LITERAL.format("7", "Edm.Int32")),
    ("account", {"numberofemployees": 7.5}, "0x80048d19", "Edm.Int32"), ("account", {"numberofemployees": True}, "0x80048d19", LITERAL.format("true", "Edm.Int32")),
    ("account", {"numberofemployees": 2**31}, "0x80048d19", "Edm.Int32"), ("account", {"numberofemployees": -1}, "0x80044330", "outside the valid range from 0"),
    ("account", {"revenue": "5"}, "0x80048d19", "Edm.Decimal"), ("account", {"revenue": float("nan")}, "0x80048d19", "Edm.Decimal"),
    ("account", {"revenue": 10**16}, "0x80044330", "outside the valid range"), ("account", {"revenue": Decimal("1e999999")}, "0x80048d19", "Edm.Decimal"),
    ("account", {"creditonhold": 1}, "0x80048d19", LITERAL.format("1", "Edm.Boolean")), ("account", {"creditonhold": "true"}, "0x80048d19", "Edm.Boolean"),
    ("account", {"industrycode": 34}, "0x8004431a", "Accepted Values: 1,2,3"), ("account", {"industrycode": "1"}, "0x80048d19", "Edm.Int32"),
    ("account", {"name": "x" * 161}, "0x80044331", "exceeded the maximum allowed length of '160'"), ("account", {"name": "a\0"}, "0x80048d19", "Edm.String"),
    ("account", {"name": "\ud800"}, "0x80048d19", "Edm.String"), ("account", {"accountid": "7"}, "0x80048d19", LITERAL.format("7", "Edm.Guid")),
    ("account", {"nmae": "x"}, "0x80048d19", "Invalid property 'nmae' was found in entity 'Microsoft.Dynamics.CRM.account'"),
    ("account", {"primarycontactid": 5}, "0x80048d19", "cannot hold the value"), ("account", {"nobody@odata.bind": "/contacts(1)"}, "0x80048d19", "An undeclared property 'nobody'"),
    ("account", {"@odata.type": "Microsoft.Dynamics.CRM.contact"}, "0x80048d19", "not the type"),
    ("account", {"primarycontactid@odata.bind": f"/accounts({NOBODY})"}, "0x80048d19", "cannot be referenced by"),
    ("account", {"primarycontactid@odata.bind": "contacts"}, "0x80048d19", "Resource not found"),
    ("account", {"createdby@odata.bind": f"/systemusers({NOBODY})"}, "0x80048d19", "read-only"),
    ("account", {"ownerid@odata.bind": None}, "0x80048d19", "owner is needed"),
    ("contact", {"birthdate": "29.2.2000"}, "0x80048d19", LITERAL.format("29.2.2000", "Edm.Date")), ("contact", {"birthdate": "2001-02-29"}, "0x80048d19", "Edm.Date"),
    ("contact", {"birthdate": "2000-01-01T12:00:00Z"}, "0x80048d19", "Edm.Date"), ("contact", {"parentcustomerid@odata.bind": f"/accounts({NOBODY})"}, "0x80048d19", "undeclared"),
    ("task", {"scheduledstart": "soon"}, "0x80048d19", "Edm.DateTimeOffset"), ("task", {"scheduledstart": "1600-01-01"}, "0x80044330", "01/01/1753"),
    ("task", {"scheduledstart": "9999-12-31T23:59:59-14:00"}, "0x80048d19", "Edm.DateTimeOffset"), ("task", {"scheduledstart": 5}, "0x80048d19", "Edm.DateTimeOffset"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "body", "code", "words"), WRONG)
def test_what_cannot_be_is_refused_and_leaves_nothing(
    writes: Writes, table: str, body: dict, code: str, words: str
) -> None:
    version = writes.writing.version
    with pytest.raises(DataverseError) as caught:
        writes.create(table, body)
    assert caught.value.code == code
    assert words in caught.value.message
    assert (caught.value.status, writes.writing.count(table), writes.writing.version) == (400, 0, version)


@settings(max_examples=60)
@given(st.dictionaries(st.sampled_from(["name", "revenue", "industrycode", "creditonhold", "primarycontactid", "x", "statecode", "accountid", "address1_latitude", "@odata.type", "primarycontactid@odata.bind", "contact_customer_accounts"]), st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2), max_leaves=3), max_size=4))  # fmt: skip
def test_whatever_comes_is_taken_or_refused_in_words(tmp_path_factory: pytest.TempPathFactory, body: dict) -> None:
    store = RecordStore(tmp_path_factory.getbasetemp())
    ready(store)
    with store.write() as writing:
        writes = Writes(writing, writer_of(writing, "t"))
        try:
            made = writes.create("account", body)
            writes.update("account", made.id, {"name": "y"})
        except DataverseError as error:
            assert error.code.startswith("0x8")  # noqa: PT017
            assert error.status in {400, 404, 412}  # noqa: PT017


# ── keys, conditions ────────────────────────────────────────────────────────────────────────────────────────────────


def test_versions_and_conditions(writes: Writes) -> None:
    made = writes.upsert("account", NOBODY, {"name": "a"}, expect=NEW)
    assert made.created
    with refused("0x80040237", 412, "A record with matching key values already exists"):
        writes.upsert("account", NOBODY, {"name": "b"}, expect=NEW)
    changed = writes.update("account", NOBODY, {"name": "b"}, expect=made.version)
    assert changed.version > made.version
    for write in (
        lambda: writes.update("account", NOBODY, {"name": "c"}, expect=made.version), lambda: writes.delete("account", NOBODY, expect=made.version),
        lambda: writes.upsert("account", NOBODY, {"name": "c"}, expect=made.version), lambda: writes.set_property("account", NOBODY, "name", "c", expect=made.version),
    ):  # fmt: skip
        with refused("0x80060882", 412, "doesn't match the RowVersion"):
            write()
    assert row(writes, "account", NOBODY)["name"] == "b"
    writes.delete("account", NOBODY, expect=changed.version)
    for write in (
        lambda: writes.update("account", NOBODY, {}), lambda: writes.delete("account", NOBODY), lambda: writes.upsert("account", NOBODY, {}, expect=ANY),
        lambda: writes.upsert("account", NOBODY, {}, expect=made.version), lambda: writes.associate("account", NOBODY, "primarycontactid", f"contacts({NOBODY})"),
    ):  # fmt: skip
        with refused("0x80040217", 404, f"account With Id = {NOBODY} Does Not Exist"):
            write()


def test_alternate_keys(writes: Writes) -> None:
    key = {"accountnumber": "A1"}
    made = writes.upsert("account", key, {"name": "a"})
    assert row(writes, "account", made.id)["accountnumber"] == "A1"
    assert (
        writes.upsert(
            "account", {"accountnumber": "a1"}, {"name": "b", "accountnumber": "A1"} | {"accountnumber": "a1"}
        ).id
        == made.id
    )
    with refused("0x80048d19", 400, "The address says"):
        writes.upsert("account", {"accountnumber": "A2"}, {"accountnumber": "A3"})
    with refused("0x80060892", 412, "The entity key Account Number requires"):
        writes.create("account", {"accountnumber": "a1"})
    with refused("0x80060891", 404, "specified key values does not exist in account"):
        writes.update("account", {"accountnumber": "B"}, {})
    with refused("0x80060890", 400, "not a defined key"):
        writes.update("account", {"name": "a"}, {})
    writes.create("account", {"accountnumber": None})
    writes.create("account", {"accountnumber": None})


@pytest.mark.parametrize(
    ("text", "table", "key"),
    [
        (f"/accounts({NOBODY})", "account", NOBODY), (f"accounts({NOBODY.upper()})", "account", NOBODY), (f"https://x.example/instances/a/api/data/v9.2/contacts({NOBODY})", "contact", NOBODY),
        (f"accounts('{NOBODY}')", "account", NOBODY), ("accounts(accountnumber='O''x/leads(1)')", "account", {"accountnumber": "O'x/leads(1)"}),
        ("/accounts(accountnumber='A%20B')", "account", {"accountnumber": "A B"}), (f"accounts(accountid={NOBODY})", "account", {"accountid": NOBODY}),
        ("accounts(a='x,y',b=5,c=true,d=null)", "account", {"a": "x,y", "b": 5, "c": True, "d": None}), (f"activities({NOBODY})", "activitypointer", NOBODY),
    ],
)  # fmt: skip
def test_addresses(writes: Writes, text: str, table: str, key: Any) -> None:
    found = parse_reference(writes.model, text)
    assert (found.table, found.key) == (table, key)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "accounts",
        "accounts()",
        "accounts(1)",
        "accounts(a=)",
        "accounts(a=1,)",
        "accounts(a=1,a=2)",
        "accounts(a='1)",
        None,
        5,
        f"({NOBODY})",
    ],
)
def test_no_addresses(writes: Writes, text: Any) -> None:
    with pytest.raises(DataverseError):
        parse_reference(writes.model, text)


# ── what follows ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("table", "state", "status"),
    [("account", 1, 2), ("contact", 0, 1), ("lead", 1, 3), ("lead", 2, 4), ("opportunity", 1, 3), ("opportunity", 2, 4), ("incident", 1, 5), ("incident", 2, 6), ("task", 0, 2), ("task", 1, 5), ("phonecall", 1, 2), ("email", 0, 1), ("appointment", 3, 5)],
)  # fmt: skip
def test_a_state_brings_its_default_status(writes: Writes, table: str, state: int, status: int) -> None:
    made = writes.create(table, {"statecode": state})
    assert row(writes, table, made.id)["statuscode"] == status
    again = writes.create(table, {})
    writes.update(table, again.id, {"statecode": state})
    assert row(writes, table, again.id)["statuscode"] == status


def test_status_and_state_belong_together(writes: Writes) -> None:
    made = writes.create("incident", {"statuscode": 2000}).id
    assert row(writes, "incident", made)["statecode"] == 2
    case = writes.create("incident", {"statuscode": 3}).id
    writes.update("incident", case, {"statecode": 0, "title": "x"})
    assert row(writes, "incident", case)["statuscode"] == 3
    for wrong in ({"statuscode": 5}, {"statecode": 1, "statuscode": 1}, {"statuscode": 99}):
        with refused("0x80048408", 400, "is not a valid status code for state code"):
            writes.update("incident", case, wrong)
    with refused("0x80048d19", 400, "cannot be set to null"):
        writes.update("incident", case, {"statecode": None})
    with refused("0x8004431a", 400):
        writes.update("incident", case, {"statecode": 9})


def test_case_numbers_are_never_the_same(writes: Writes) -> None:
    ids = [
        w.id for w in writes.create_multiple("incident", [{"title": str(i), "ticketnumber": "mine"} for i in range(5)])
    ]
    writes.delete("incident", ids[4])
    ids.append(writes.create("incident", {}).id)
    numbers = [row(writes, "incident", id_)["ticketnumber"] for id_ in [*ids[:4], ids[5]]]
    assert [n[:9] for n in numbers] == ["CAS-00001", "CAS-00002", "CAS-00003", "CAS-00004", "CAS-00006"]
    assert all(len(n) == 16 for n in numbers)


def test_owners(writes: Writes) -> None:
    team = next(writes.writing.rows("team")).values["teamid"]
    made = writes.create("account", {"ownerid@odata.bind": f"/teams({team})"}).id
    found = row(writes, "account", made)
    assert (found["owneridtype"], found["owningteam"], found["owninguser"]) == ("team", team, None)
    other = writer_of(writes.writing, "other").user
    writes.update("account", made, {"ownerid@odata.bind": f"/systemusers({other})"})
    found = row(writes, "account", made)
    assert (found["ownerid"], found["owneridtype"], found["owningteam"], found["owninguser"]) == (
        other,
        "systemuser",
        None,
        other,
    )
    with refused("0x80040217", 404, "systemuser With Id"):
        writes.update("account", made, {"ownerid@odata.bind": f"/systemusers({NOBODY})"})


def test_activities_are_also_activity_pointers(writes: Writes) -> None:
    account = writes.create("account", {"name": "x"}).id
    task = writes.create(
        "task", {"subject": "s", "regardingobjectid_account_task@odata.bind": f"/accounts({account})"}
    ).id
    call = writes.create("phonecall", {"subject": "c"}).id
    pointer = row(writes, "activitypointer", task)
    assert (pointer["activitytypecode"], pointer["subject"], pointer["statuscode"]) == ("task", "s", 1)
    assert (pointer["regardingobjectid"], pointer["regardingobjecttypecode"]) == (account, "account")
    writes.update("task", task, {"subject": "t", "statecode": 1})
    pointer = row(writes, "activitypointer", task)
    assert (
        pointer["subject"],
        pointer["statecode"],
        pointer["statuscode"],
        row(writes, "task", task)["statuscode"],
    ) == ("t", 1, 2, 5)
    with refused("0x80040800", 405, "does not support entities of type 'activitypointer'"):
        writes.create("activitypointer", {})
    writes.delete("account", account)
    assert [str(r.values["activityid"]) for r in writes.writing.rows("activitypointer")] == [call]


def test_what_a_deleted_row_takes_along(writes: Writes) -> None:
    account = writes.create("account", {"name": "x"}).id
    contact = writes.create("contact", {"parentcustomerid_account@odata.bind": f"/accounts({account})"}).id
    twin = writes.create("contact", {"contactid": account, "lastname": "same id as the account"}).id
    of_twin = writes.create("contact", {"parentcustomerid_contact@odata.bind": f"/contacts({twin})"}).id
    child = writes.create("account", {"parentaccountid@odata.bind": f"/accounts({account})"}).id
    case = writes.create("incident", {"customerid_account@odata.bind": f"/accounts({account})"}).id
    deal = writes.create("opportunity", {"customerid_account@odata.bind": f"/accounts({account})"}).id
    lead = writes.create("lead", {"subject": "l"}).id
    writes.associate("account", account, "accountleads_association", f"/leads({lead})")
    before = writes.writing.get("contact", [contact]).version
    writes.delete("account", account)
    assert writes.writing.get("incident", [case]) is None
    assert (
        row(writes, "contact", contact)["parentcustomerid"],
        row(writes, "contact", contact)["parentcustomeridtype"],
    ) == (None, None)
    assert writes.writing.get("contact", [contact]).version > before
    assert row(writes, "account", child)["parentaccountid"] is row(writes, "opportunity", deal)["customerid"] is None
    assert row(writes, "contact", of_twin)["parentcustomerid"] == twin  # a contact, although its id is the account's
    assert writes.writing.count("accountleads") == 0
    assert row(writes, "lead", lead)["subject"] == "l"


def test_restricted_and_cascading_relationships_of_users(writes: Writes) -> None:
    label = {"LocalizedLabels": [{"Label": "x", "LanguageCode": 1033}]}
    name = {
        "@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata",
        "SchemaName": "new_Name",
        "IsPrimaryName": True,
    }
    create_table(writes.writing, {"SchemaName": "new_Thing", "DisplayName": label, "Attributes": [name]})
    for column, cascade in (("new_Held", "Restrict"), ("new_Part", "Cascade")):
        said = {
            "SchemaName": f"{column}_r",
            "ReferencedEntity": "new_thing",
            "ReferencingEntity": "new_thing",
            "Lookup": {"SchemaName": column},
            "CascadeConfiguration": {"Delete": cascade},
        }
        create_relationship(writes.writing, said)
    top = writes.create("new_thing", {"new_name": "top"}).id
    part = writes.create("new_thing", {"new_Part@odata.bind": f"/new_things({top})"}).id
    writes.update("new_thing", top, {"new_Part@odata.bind": f"/new_things({part})"})  # a circle
    held = writes.create("new_thing", {"new_Held@odata.bind": f"/new_things({part})"}).id
    with refused("0x80048521", 405, "associated with another object"):
        writes.delete("new_thing", top)
    assert writes.writing.count("new_thing") == 3
    writes.clear_property("new_thing", held, "_new_held_value")
    writes.delete("new_thing", top)
    assert [str(r.values["new_thingid"]) for r in writes.writing.rows("new_thing")] == [held]
