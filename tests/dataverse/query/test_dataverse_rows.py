"""What a row looks like: values, annotations, what is expanded in it, and what is refused."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from tests.dataverse.query.conftest import ROOT, UNIT, USER
from tests.oracles import dataverse_questions as world
from unify.dataverse.errors import DataverseError
from unify.dataverse.query import Preferences
from unify.dataverse.query.shown import money

ACCOUNT, CHILD, ANN, BEN = world.guid(1, 1), world.guid(1, 2), world.guid(2, 1), world.guid(2, 2)
SHOWN = "@OData.Community.Display.V1.FormattedValue"


@pytest.fixture
def few(empty):
    with empty.store.write() as writing:
        writing.insert("contact", [
            {"contactid": ANN, "fullname": "Ann Muster", "lastname": "Muster", "parentcustomerid": ACCOUNT,
             "parentcustomeridtype": "account", "birthdate": date(1990, 4, 7), "createdon": datetime(2026, 4, 7, 21, 59, 1, tzinfo=UTC),
             "statecode": 0, "ownerid": USER, "owneridtype": "systemuser"},
            {"contactid": BEN, "fullname": "Ben Muster", "lastname": "Muster", "parentcustomerid": ANN, "parentcustomeridtype": "contact",
             "statecode": 1, "createdon": datetime(2026, 4, 7, 0, 5, 9, 120_000, tzinfo=UTC)},
        ])  # fmt: skip
        writing.insert("account", [
            {"accountid": ACCOUNT, "name": "Contoso", "revenue": Decimal("20000.5"), "primarycontactid": ANN, "numberofemployees": 6200,
             "creditonhold": True, "statecode": 0, "statuscode": 1},
            {"accountid": CHILD, "name": None, "revenue": Decimal(-5), "parentaccountid": ACCOUNT, "creditonhold": False},
        ])  # fmt: skip
    return empty


def one(few, key=ACCOUNT, annotations="", **said):
    return few("one", "account", key, few.options(**said), Preferences(annotations))


def test_select_gives_the_key_and_the_etag_always(few):
    row = one(few, select="name").row
    assert list(row) == ["@odata.etag", "name", "accountid"]
    assert row["@odata.etag"].startswith('W/"')
    assert one(few, key=CHILD, select="name").row["name"] is None
    assert one(few, select="name").context == "accounts(name)/$entity"
    everything = one(few).row
    assert {"name", "_primarycontactid_value", "revenue", "statecode"} <= set(everything)
    assert "primarycontactid" not in everything


def test_values_on_the_wire(few):
    row = few("one", "contact", ANN).row
    assert (row["createdon"], row["birthdate"], row["statecode"]) == ("2026-04-07T21:59:01Z", "1990-04-07", 0)
    assert few("one", "contact", BEN).row["createdon"] == "2026-04-07T00:05:09.12Z"
    assert (one(few).row["revenue"], one(few).row["creditonhold"]) == (20000.5, True)
    assert few("value", "account", ACCOUNT, "_primarycontactid_value") == ANN
    assert few("value", "account", CHILD, "name") is None


def test_money_beyond_a_float_keeps_its_digits(few):
    exact = Decimal("922337203685477.59")
    with few.store.write() as writing:
        writing.update("account", [ACCOUNT], {"revenue": exact})
    assert Decimal(str(one(few, select="revenue").row["revenue"])) == exact


def test_annotations_are_those_that_were_asked_for(few):
    row = one(
        few, annotations="*", select="revenue,_primarycontactid_value,creditonhold,numberofemployees,statecode"
    ).row
    assert row[f"revenue{SHOWN}"] == "$20,000.50"
    assert row[f"creditonhold{SHOWN}"] == "Yes"
    assert row[f"numberofemployees{SHOWN}"] == "6,200"
    assert row[f"statecode{SHOWN}"] == "Active"
    assert row[f"_primarycontactid_value{SHOWN}"] == "Ann Muster"
    assert row["_primarycontactid_value@Microsoft.Dynamics.CRM.lookuplogicalname"] == "contact"
    assert row["_primarycontactid_value@Microsoft.Dynamics.CRM.associatednavigationproperty"] == "primarycontactid"
    assert list(row).index(f"revenue{SHOWN}") < list(row).index("revenue")
    only = one(
        few, annotations="Microsoft.Dynamics.CRM.lookuplogicalname", select="revenue,_primarycontactid_value"
    ).row
    assert [name for name in only if "@" in name[1:]] == [
        "_primarycontactid_value@Microsoft.Dynamics.CRM.lookuplogicalname"
    ]
    but = one(few, annotations="*,-Microsoft.Dynamics.CRM.*", select="_primarycontactid_value").row
    assert [name for name in but if "@" in name[1:]] == [f"_primarycontactid_value{SHOWN}"]
    assert not [name for name in one(few, select="revenue").row if "@" in name[1:]]


def test_dates_as_people_read_them(few):
    row = few("one", "contact", ANN, few.options(select="createdon,birthdate"), Preferences("*")).row
    assert (row[f"createdon{SHOWN}"], row[f"birthdate{SHOWN}"]) == ("4/7/2026 9:59 PM", "4/7/1990")
    early = few("one", "contact", BEN, few.options(select="createdon"), Preferences("*")).row
    assert early[f"createdon{SHOWN}"] == "4/7/2026 12:05 AM"


@pytest.mark.parametrize(
    ("value", "text"), [(0, "$0.00"), (-5, "($5.00)"), (1234567.891, "$1,234,567.89"), (0.5, "$0.50")]
)
def test_money_as_people_read_it(value, text):
    assert money(value) == text


def test_a_lookup_of_several_tables_says_which(few):
    found = few.rows("contact", select="_parentcustomerid_value", orderby="fullname", annotations="*")
    assert [row["_parentcustomerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"] for row in found] == [
        "account",
        "contact",
    ]
    assert [row[f"_parentcustomerid_value{SHOWN}"] for row in found] == ["Contoso", "Ann Muster"]
    assert [row["_parentcustomerid_value@Microsoft.Dynamics.CRM.associatednavigationproperty"] for row in found] == [
        "parentcustomerid_account", "parentcustomerid_contact",
    ]  # fmt: skip
    assert few.ids("contact", filter="parentcustomerid_account/name eq 'contoso'") == [ANN]
    assert few.ids("contact", filter="parentcustomerid_contact ne null") == [BEN]


# ── $expand ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_expand_of_a_lookup_and_of_what_is_behind_it(few):
    row = one(
        few,
        select="name",
        expand="primarycontactid($select=fullname;$expand=parentcustomerid_account($select=name)),parentaccountid($select=name)",
    ).row
    assert row["primarycontactid"]["fullname"] == "Ann Muster"
    assert row["primarycontactid"]["parentcustomerid_account"]["accountid"] == ACCOUNT
    assert row["parentaccountid"] is None
    wanted = "accounts(name,primarycontactid(fullname,parentcustomerid_account(name)),parentaccountid(name))/$entity"
    assert (
        one(
            few,
            select="name",
            expand="primarycontactid($select=fullname;$expand=parentcustomerid_account($select=name)),parentaccountid($select=name)",
        ).context
        == wanted
    )


def test_expand_of_a_collection_and_the_link_to_it(few):
    row = one(
        few,
        select="name",
        expand="contact_customer_accounts($select=fullname;$filter=statecode eq 0),account_parent_account($select=name)",
    ).row
    assert [contact["fullname"] for contact in row["contact_customer_accounts"]] == ["Ann Muster"]
    link = row["contact_customer_accounts@odata.nextLink"]
    assert link == f"{ROOT}accounts({ACCOUNT})/contact_customer_accounts?$select=fullname&$filter=statecode%20eq%200"


def test_expanded_collections_come_in_pages_where_an_expand_is_nested(asked):
    expand = "contact_customer_accounts($select=lastname;$expand=owninguser($select=fullname))"
    options = asked.options(select="name", expand=expand)
    for row in asked("query", "account", options, Preferences(page_size=1)).rows:
        wanted = [c["contactid"] for c in world.members(row)]
        found = [c["contactid"] for c in row["contact_customer_accounts"]]
        assert found == sorted(wanted)[:1]
        link = row.get("contact_customer_accounts@odata.nextLink")
        assert (link is not None) == (len(wanted) > 1)
        if link:
            from unify.dataverse.query import parse_options

            rest = asked(
                "related",
                "account",
                row["accountid"],
                "contact_customer_accounts",
                parse_options(link.partition("?")[2]),
            )
            assert [c["contactid"] for c in rest.rows] == sorted(wanted)[1:]


def test_top_and_order_of_an_expanded_collection_are_those_of_each_row(asked):
    rows = asked.rows(
        "account", select="name", expand="contact_customer_accounts($select=lastname;$orderby=createdon desc;$top=2)"
    )
    for row in rows:
        wanted = sorted(world.members(row), key=lambda c: c["createdon"], reverse=True)[:2]
        assert [c["contactid"] for c in row["contact_customer_accounts"]] == [c["contactid"] for c in wanted]


def test_expand_of_a_reference(few):
    row = one(few, select="name", expand="primarycontactid/$ref").row
    assert row["primarycontactid"] == {"@odata.id": f"{ROOT}contacts({ANN})"}
    assert row["_primarycontactid_value"] == ANN


def test_a_filter_in_the_expand_of_a_lookup_empties_it(few):
    assert one(few, expand="primarycontactid($filter=lastname eq 'x')").row["primarycontactid"] is None
    assert one(few, expand="primarycontactid($filter=lastname eq 'muster')").row["primarycontactid"]["contactid"] == ANN


def test_owners_are_users_and_teams(few):
    with few.store.write() as writing:
        writing.insert("systemuser", [{"systemuserid": USER, "fullname": "Eve", "businessunitid": UNIT}])
        writing.insert("owner", [{"ownerid": USER, "name": "Eve", "owneridtype": "systemuser"}])
    said = few.options(select="_ownerid_value", expand="ownerid($select=name)")
    row = few("one", "contact", ANN, said, Preferences("*")).row
    assert row["_ownerid_value@Microsoft.Dynamics.CRM.lookuplogicalname"] == "systemuser"
    assert row["_ownerid_value@Microsoft.Dynamics.CRM.associatednavigationproperty"] == "ownerid"
    assert row[f"_ownerid_value{SHOWN}"] == "Eve"
    assert row["ownerid"]["name"] == "Eve"
    assert few.ids("contact", filter="ownerid/name eq 'eve'") == [ANN]


# ── related rows ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_related_rows(few):
    assert few("step", "account", ACCOUNT, "primarycontactid") == ("contact", ANN)
    assert few("step", "account", CHILD, "primarycontactid") is None
    assert few("step", "account", ACCOUNT, "contact_customer_accounts", ANN) == ("contact", ANN)
    page = few(
        "related",
        "account",
        ACCOUNT,
        "contact_customer_accounts",
        few.options(select="fullname", filter="lastname eq 'muster'"),
    )
    assert [row["contactid"] for row in page.rows] == [ANN]
    assert page.context == "contacts(fullname)"
    assert few("related_count", "account", ACCOUNT, "contact_customer_accounts") == 1
    assert few("references", "account", ACCOUNT, "contact_customer_accounts").rows == [
        {"@odata.id": f"{ROOT}contacts({ANN})"}
    ]
    assert few("references", "account", CHILD, "primarycontactid").rows == []
    for call in (("step", "account", world.guid(7, 7), "primarycontactid"), ("one", "account", world.guid(7, 7)),
                 ("related", "account", world.guid(7, 7), "contact_customer_accounts"), ("value", "account", world.guid(7, 7), "name"),
                 ("step", "account", ACCOUNT, "contact_customer_accounts", BEN)):  # fmt: skip
        with pytest.raises(DataverseError, match="Does Not Exist") as caught:
            few(*call)
        assert caught.value.status == 404


def test_rows_of_a_many_to_many(empty):
    """Whatever pair of tables the model ships one for."""
    from unify.dataverse.model import model_of

    with empty.store.read() as reading:
        model = model_of(reading)
    many = next((m for m in model.many_to_many if m.first != m.second), None)
    if many is None:
        pytest.skip("no many-to-many relationship is shipped")
    a, b, c = world.guid(5, 1), world.guid(6, 1), world.guid(6, 2)
    first, second = model.table(many.first), model.table(many.second)
    with empty.store.write() as writing:
        writing.insert(many.first, [{first.id_attribute: a}])
        writing.insert(many.second, [{second.id_attribute: b}, {second.id_attribute: c}])
        writing.insert(
            many.intersect,
            [{f"{many.intersect}id": world.guid(8, 1), many.first_attribute: a, many.second_attribute: b}],
        )
    assert [r[second.id_attribute] for r in empty("related", many.first, a, many.first_collection).rows] == [b]
    assert [r[first.id_attribute] for r in empty("related", many.second, b, many.second_collection).rows] == [a]
    assert empty("related", many.second, c, many.second_collection).rows == []
    name = f"{many.first_collection}/any(x:x/{second.id_attribute} eq {b})"
    assert [r[first.id_attribute] for r in empty.rows(many.first, filter=name)] == [a]
    expanded = empty.rows(
        many.first, select=first.id_attribute, expand=f"{many.first_collection}($select={second.id_attribute})"
    )
    assert [x[second.id_attribute] for x in expanded[0][many.first_collection]] == [b]
    near, far = many.first_attribute, many.second_attribute
    xml = f"""<fetch><entity name='{many.first}'><link-entity name='{many.intersect}' from='{near}' to='{near}' intersect='true'>
        <link-entity name='{many.second}' from='{far}' to='{far}' alias='z'><attribute name='{far}'/></link-entity></link-entity></entity></fetch>"""
    assert [(r[near], r[f"z.{far}"]) for r in empty("fetch_xml", many.first, xml).rows] == [(a, b)]
    text = f"SELECT x.{near}, y.{far} FROM {many.first} x JOIN {many.intersect} m ON x.{near} = m.{near} JOIN {many.second} y ON m.{far} = y.{far}"
    assert [(r[near], r[far]) for r in empty("sql", many.first, text).rows] == [(a, b)]


def test_who_asks(few):
    assert few.ids("contact", filter="Microsoft.Dynamics.CRM.EqualUserId(PropertyName='ownerid')") == [ANN]
    assert few.ids("contact", filter="Microsoft.Dynamics.CRM.NotEqualUserId(PropertyName='_ownerid_value')") == [BEN]
    assert few.ids("contact", filter="Microsoft.Dynamics.CRM.EqualUserTeams(PropertyName='ownerid')") == []
    with few.store.write() as writing:
        writing.insert("systemuser", [{"systemuserid": USER, "fullname": "Eve", "businessunitid": UNIT}])
    mine = "Microsoft.Dynamics.CRM.EqualBusinessId(PropertyName='businessunitid')"
    assert [row["systemuserid"] for row in few.rows("systemuser", filter=mine)] == [USER]


def test_above_and_under(few):
    third = world.guid(1, 3)
    with few.store.write() as writing:
        writing.insert("account", [{"accountid": third, "parentaccountid": CHILD}])
        writing.update("account", [ACCOUNT], {"parentaccountid": third})  # a ring

    def found(function, key, attribute="accountid"):
        return set(
            few.ids(
                "account", filter=f"Microsoft.Dynamics.CRM.{function}(PropertyName='{attribute}',PropertyValue='{key}')"
            )
        )

    assert found("UnderOrEqual", ACCOUNT) == {ACCOUNT, CHILD, third}
    with few.store.write() as writing:
        writing.update("account", [ACCOUNT], {"parentaccountid": None})
    assert found("Under", ACCOUNT) == {CHILD, third}
    assert found("NotUnder", ACCOUNT) == {ACCOUNT}
    assert found("Above", third) == {ACCOUNT, CHILD}
    assert found("AboveOrEqual", CHILD) == {ACCOUNT, CHILD}
    assert found("UnderOrEqual", CHILD, "parentaccountid") == {third}
    with pytest.raises(DataverseError, match="hierarchy"):
        found("Under", USER, "ownerid")


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────────

REFUSED = {
    "Could not find a property named 'x' on type 'Microsoft.Dynamics.CRM.account'.": {"select": "x"},
    "Could not find a property named 'y' on type": {"filter": "y eq 1"},
    "Could not find a property named 'z' on type 'Microsoft.Dynamics.CRM.contact'": {"expand": "primarycontactid($select=z)"},
    "Could not find a property named 'nix'": {"expand": "nix"},
    "Could not find a property named 'q'": {"orderby": "q"},
    "incompatible types was detected. Found operand types 'Edm.String' and 'Edm.Int32' for operator kind 'Equal'": {"filter": "name eq 5"},
    "'Edm.Boolean' and 'Edm.String'": {"filter": "creditonhold eq 'true'"},
    "'Edm.DateTimeOffset' and 'Edm.String'": {"filter": "createdon gt '2026-01-01'"},
    "'Edm.Guid' and 'Edm.String'": {"filter": "accountid eq 'x'"},
    "Not operator along with the Custom Named Condition operators is not allowed": {
        "filter": "not Microsoft.Dynamics.CRM.EqualUserId(PropertyName='ownerid')"},
    "An unknown function with name 'Microsoft.Dynamics.CRM.LastXDay'": {"filter": "Microsoft.Dynamics.CRM.LastXDay(PropertyName='createdon',PropertyValue=1)"},
    "takes PropertyName, PropertyValue": {"filter": "Microsoft.Dynamics.CRM.LastXDays(PropertyName='createdon')"},
    "'Microsoft.Dynamics.CRM.Contains' is not supported": {"filter": "Microsoft.Dynamics.CRM.Contains(PropertyName='name',PropertyValue='x')"},
    "is not valid for the attribute 'name'": {"filter": "Microsoft.Dynamics.CRM.Today(PropertyName='name')"},
    "requires 2 value": {"filter": "Microsoft.Dynamics.CRM.Between(PropertyName='revenue',PropertyValues=['1'])"},
    "The function 'tolower' is not supported": {"filter": "tolower(name) eq 'x'"},
    "The operator 'add' is not supported": {"filter": "revenue add 1"},
    "needs a column on one side": {"filter": "1 eq 2"},
    "No function signature for the function with name 'contains'": {"filter": "contains(revenue,'5')"},
    "is a navigation and cannot be compared": {"filter": f"primarycontactid eq {ANN}"},
    "Only columns of the same row": {"filter": "name eq primarycontactid/fullname"},
    "begins with the variable": {"filter": "contact_customer_accounts/any(c:name eq 'x')"},
    "$count is not supported in $filter": {"filter": "contact_customer_accounts/$count gt 1"},
    "must evaluate to a single boolean value": {"filter": "name"},
    "$select takes names of columns": {"select": "primarycontactid/fullname"},
    "$orderby takes columns": {"orderby": "length(name)"},
    "Expand with $ref is only supported on lookup": {"expand": "contact_customer_accounts/$ref"},
    "Only $select and $filter clause can be provided": {"expand": "primarycontactid($top=1)"},
    "or nested one-to-many relationship.": {"expand": "contact_customer_accounts($top=1;$expand=owninguser)"},
    "'$skip' is not supported inside $expand": {"expand": "contact_customer_accounts($skip=1)"},
    "'$count' is not supported inside $expand": {"expand": "contact_customer_accounts($count=true)"},
    "'$levels' is not supported inside $expand": {"expand": "parentaccountid($levels=2)"},
    "Parameter aliases are not supported inside $expand": {"expand": "contact_customer_accounts($filter=lastname eq @p)", "_p": "'x'"},
    "is expanded twice": {"expand": "primarycontactid,primarycontactid"},
    "Number of link entities in query exceeded maximum limit": {
        "expand": "parentaccountid($expand=" * 15 + "primarycontactid" + ")" * 15},
    "The query parameter $search is not supported": {"search": "x"},
    "The query parameter $format is not supported": {"format": "json"},
    "The query parameter $compute is not supported": {"compute": "revenue as r"},
    "there is no option '$Filter'": {"Filter": "name eq 'x'"},
    "there is no option '$fitler'": {"fitler": "name eq 'x'"},
    "Number of conditions in query exceeded maximum limit": {"filter": " or ".join(["statecode eq 0"] * 501)},
}  # fmt: skip


@pytest.mark.parametrize("words", sorted(REFUSED))
def test_what_is_refused_and_in_which_words(asked, words):
    with pytest.raises(DataverseError) as caught:
        asked.page("account", **REFUSED[words])
    assert words in caught.value.message
    assert caught.value.status == 400
    assert caught.value.code.startswith("0x800")


@pytest.mark.parametrize(
    "text",
    [
        "foo=1",
        "filter=name eq 'x'",
        "savedQuery=x",
        "$top=1&$top=2",
        "$top=-1",
        "$top=x",
        "$filter=",
        "$filter=name%20eq%20'O'Brien'",
        "$select=",
        "sql=a&sql=b",
        "$filter=%ff",
    ],
)
def test_options_that_are_not_taken(text):
    from unify.dataverse.query import parse_options

    with pytest.raises(DataverseError):
        parse_options(text)


def test_aliases(few):
    assert few.ids("account", filter="@c eq @v", _c="name", _v="'contoso'") == [ACCOUNT]
    assert few.ids("account", filter="name eq @nothing") == [CHILD]
    assert few.ids("account", orderby="@c desc", _c="revenue") == [ACCOUNT, CHILD]
    said = few.ids(
        "account",
        filter="Microsoft.Dynamics.CRM.In(PropertyName=@p1,PropertyValues=@p2)",
        _p1="'name'",
        _p2='["contoso","O\'Brien"]',
    )
    assert said == [ACCOUNT]
    assert few.ids("account", filter="_primarycontactid_value in (@p)".replace("(@p)", f"({ANN})")) == [ACCOUNT]


def test_a_question_that_takes_too_long_is_stopped(empty):
    import time

    with empty.store.write() as writing:
        writing.insert("contact", ({"contactid": world.guid(2, i), "lastname": f"n{i % 7}"} for i in range(3_000)))
    joins = (
        "".join(f"<link-entity name='contact' from='lastname' to='lastname' alias='c{i}'>" for i in range(4))
        + "</link-entity>" * 4
    )
    xml = f"<fetch><entity name='contact'><attribute name='contactid'/><order attribute='lastname'/>{joins}</entity></fetch>"
    start = time.monotonic()
    with empty.store.read() as reading:
        asking = empty.questions(reading, seconds=0.3)
        with pytest.raises(DataverseError, match="SQL timeout expired") as caught:
            asking.fetch_xml("contact", xml)
        assert caught.value.code == "0x80044151"
        assert time.monotonic() - start < 5
        assert asking.count("contact") == 3_000  # the connection works on
