"""The user's OpenAPI document against the running service: each path, parameter, property, type and status code.

The document is written out here by hand, and compared with its text where that is at hand.
"""

import re
from pathlib import Path
from uuid import uuid4

import pytest

DOCUMENT = Path(__file__).parents[3] / ".." / "shared" / "seeds" / "dataverse-openapi.txt"
ADDRESS = ("address1_line1", "address1_city", "address1_stateorprovince", "address1_postalcode", "address1_country")
TEXT, WHOLE, NUMBER, GUID, DAY, MOMENT = "text", "whole", "number", "guid", "day", "moment"
AUDITED = {"statecode": WHOLE, "statuscode": WHOLE, "createdon": MOMENT, "modifiedon": MOMENT}
SCHEMAS = {
    "Account": {
        "accountid": GUID, **dict.fromkeys(("name", "accountnumber", "description"), TEXT), "revenue": NUMBER,
        "numberofemployees": WHOLE, "industrycode": WHOLE, "address1_line2": TEXT, **dict.fromkeys(ADDRESS, TEXT),
        **dict.fromkeys(("telephone1", "emailaddress1", "websiteurl"), TEXT), **AUDITED,
    },
    "Contact": {
        "contactid": GUID,
        **dict.fromkeys(("firstname", "lastname", "fullname", "jobtitle", "emailaddress1", "telephone1", "mobilephone"),
                        TEXT),
        **dict.fromkeys(ADDRESS, TEXT), "birthdate": DAY, **AUDITED,
    },
    "Lead": {
        "leadid": GUID,
        **dict.fromkeys(("subject", "firstname", "lastname", "fullname", "companyname", "jobtitle", "emailaddress1",
                         "telephone1"), TEXT),
        **dict.fromkeys(ADDRESS, TEXT), "leadsourcecode": WHOLE, "estimatedvalue": NUMBER, "estimatedclosedate": DAY,
        **AUDITED,
    },
    "Opportunity": {
        "opportunityid": GUID, "name": TEXT, "description": TEXT, "estimatedvalue": NUMBER, "estimatedclosedate": DAY,
        "actualvalue": NUMBER, "actualclosedate": DAY, "closeprobability": WHOLE,
        **dict.fromkeys(("currentsituation", "customerneed", "proposedsolution", "stepname"), TEXT), **AUDITED,
    },
    "Incident": {
        "incidentid": GUID, "title": TEXT, "description": TEXT, "ticketnumber": TEXT, "casetypecode": WHOLE,
        "prioritycode": WHOLE, "severitycode": WHOLE, **AUDITED,
    },
    "Activity": {
        "activityid": GUID, "subject": TEXT, "description": TEXT, "activitytypecode": TEXT, "scheduledstart": MOMENT,
        "scheduledend": MOMENT, "actualdurationminutes": WHOLE, "prioritycode": WHOLE, **AUDITED,
    },
}  # fmt: skip
READ_ONLY = {
    "Account": {"accountid", "createdon", "modifiedon"},
    "Contact": {"contactid", "fullname", "createdon", "modifiedon"},
    "Lead": {"leadid", "fullname", "createdon", "modifiedon"},
    "Opportunity": {"opportunityid", "createdon", "modifiedon"},
    "Incident": {"incidentid", "ticketnumber", "createdon", "modifiedon"},
    "Activity": {"activityid", "activitytypecode", "createdon", "modifiedon"},
}
SETS = {"accounts": "Account", "contacts": "Contact", "leads": "Lead", "opportunities": "Opportunity",
        "incidents": "Incident", "activities": "Activity"}  # fmt: skip
WRITTEN = ("accounts", "contacts", "leads", "opportunities", "incidents")
SINGLE = ("accounts", "contacts", "leads", "opportunities")
STATES = {"Account": 2, "Contact": 2, "Lead": 3, "Opportunity": 3, "Incident": 3}
"""Of statecode, from 0."""
VALUES = {TEXT: "Text", WHOLE: 1, NUMBER: 12.5, DAY: "2026-11-22", MOMENT: "2026-11-22T09:30:00Z"}
PATTERNS = {
    GUID: r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", DAY: r"\d{4}-\d\d-\d\d",
    MOMENT: r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z",
}  # fmt: skip


def filled(schema: str) -> dict[str, object]:
    """A row with every property that a client may set."""
    found = {name: VALUES[kind] for name, kind in SCHEMAS[schema].items() if name not in READ_ONLY[schema]}
    found |= {"statecode": 0} if "statecode" in found else {}
    return found | ({"emailaddress1": "a@example.org"} if "emailaddress1" in found else {})


@pytest.fixture(scope="module")
def customer(ask):
    return ask("POST", "accounts", json={"name": "of cases"}).headers["odata-entityid"][-37:-1]


@pytest.fixture
def row(ask, customer):
    def made(entity_set):
        body = filled(SETS[entity_set])
        if entity_set == "accounts":
            body["accountnumber"] = uuid4().hex[:20]
        if entity_set == "incidents":
            body["customerid_account@odata.bind"] = f"accounts({customer})"
        reply = ask("POST", entity_set, json=body)
        assert reply.status_code == 204, (entity_set, reply.text)
        return reply.headers["odata-entityid"][-37:-1], body

    return made


@pytest.mark.parametrize("entity_set", WRITTEN)
def test_every_property_is_written_and_read_with_its_type(ask, row, entity_set):
    schema, (id_, body) = SETS[entity_set], row(entity_set)
    found = ask("GET", f"{entity_set}({id_})").json()
    for name, kind in SCHEMAS[schema].items():
        assert name in found, name
        value = found[name]
        assert (kind in (TEXT, GUID, DAY, MOMENT) and isinstance(value, str)) or isinstance(value, int | float), name
        if kind in PATTERNS:
            assert re.fullmatch(PATTERNS[kind], value), (name, value)
        if name in body and "@" not in name:
            assert value == body[name], name


@pytest.mark.parametrize("entity_set", WRITTEN)
def test_what_is_read_only_is_not_written(ask, row, entity_set):
    """As Dataverse does, a value that a client sends back is passed over or refused, and never changes the row."""
    schema, (id_, _) = SETS[entity_set], row(entity_set)
    before = ask("GET", f"{entity_set}({id_})").json()
    for name in READ_ONLY[schema]:
        value = {GUID: str(uuid4()), MOMENT: "2001-01-01T00:00:00Z"}.get(SCHEMAS[schema][name], "changed")
        assert ask("PATCH", f"{entity_set}({id_})", json={name: value}).status_code in (204, 400), name
        assert ask("GET", f"{entity_set}({id_})").json()[name] == before[name] or name == "modifiedon", name
    assert ask("GET", f"{entity_set}({id_})").json()["modifiedon"] != "2001-01-01T00:00:00Z"


@pytest.mark.parametrize(("schema", "states"), STATES.items())
def test_states_are_those_of_the_document(ask, row, schema, states):
    entity_set = next(name for name, each in SETS.items() if each == schema)
    id_, _ = row(entity_set)
    for state in range(1, states):
        assert ask("PATCH", f"{entity_set}({id_})", json={"statecode": state}).status_code == 204, state
        assert ask("GET", f"{entity_set}({id_})").json()["statecode"] == state
    assert ask("PATCH", f"{entity_set}({id_})", json={"statecode": states}).status_code == 400


@pytest.mark.parametrize("entity_set", SETS)
def test_lists_take_every_parameter(ask, row, entity_set):
    if entity_set == "activities":
        for subject in ("one", "two", "three"):
            assert ask("POST", "tasks", json={"subject": subject}).status_code == 204
    else:
        for _ in range(3):
            row(entity_set)
    key = next(iter(SCHEMAS[SETS[entity_set]]))
    options = f"$top=2&$skip=1&$filter=statecode eq 0&$select={key},createdon&$orderby=createdon,{key}"
    if entity_set != "activities":
        options += "&$expand=ownerid($select=ownerid)"
    reply = ask("GET", f"{entity_set}?{options}")
    assert reply.status_code == 200, reply.text
    assert len(reply.json()["value"]) == 2
    assert {key, "createdon"} <= set(reply.json()["value"][0])


@pytest.mark.parametrize("entity_set", SINGLE)
def test_one_row_is_read_changed_and_deleted(ask, row, entity_set):
    id_, _ = row(entity_set)
    url = f"{entity_set}({id_})"
    first = ask("GET", f"{url}?$select=createdon&$expand=ownerid($select=ownerid)")
    assert first.status_code == 200
    assert first.json()["createdon"]
    stale = {"If-Match": 'W/"1"'}
    assert ask("PATCH", url, json={"emailaddress1": "b@example.org"} if entity_set != "opportunities" else {"name": "n"},
               headers={"If-Match": first.headers["etag"]}).status_code == 204  # fmt: skip
    assert ask("PATCH", url, json={}, headers=stale).status_code == 412
    assert ask("DELETE", url).status_code == 204
    assert ask("GET", url).status_code == 404
    assert ask("DELETE", url).status_code == 404


def test_401_where_nobody_says_who_they_are(acme, run_asking):
    from unify.service.settings import Settings

    with run_asking(Settings(root=acme, jobs=False, auth="required")) as stranger:
        for entity_set in SETS:
            reply = stranger("GET", entity_set)
            assert reply.status_code == 401
            assert reply.json()["error"]["message"]
            assert "www-authenticate" in reply.headers
        assert stranger("POST", "accounts", json={"name": "x"}).status_code == 401


def test_the_table_above_says_what_the_document_says():
    if not DOCUMENT.exists():
        pytest.skip("the user's document is not beside this checkout")
    text = DOCUMENT.read_text(encoding="utf-8")
    paths, _, schemas = text.partition(" schemas: ")
    listed = set(re.findall(r" /([a-z]+): get:", paths))
    assert listed == set(SETS)
    assert set(re.findall(r" /([a-z]+)\(\{[a-z]+\}\): get:", paths)) == set(SINGLE)
    words = {"string": TEXT, "integer": WHOLE, "number": NUMBER}
    formats = {"uuid": GUID, "date": DAY, "date-time": MOMENT, "decimal": NUMBER}
    pieces = re.split(r" (Account|Contact|Lead|Opportunity|Incident|Activity): type: object properties:", " " + schemas)
    for name, body in zip(pieces[1::2], pieces[2::2], strict=True):
        found, read_only = {}, set()
        for property_, kind, more in re.findall(r" ([a-z0-9_]+): type: (string|integer|number)((?: (?:format|readOnly): [a-z-]+)*)",
                                                body):  # fmt: skip
            form = re.search(r"format: ([a-z-]+)", more)
            found[property_] = formats[form[1]] if form else words[kind]
            if "readOnly: true" in more:
                read_only.add(property_)
        assert found == SCHEMAS[name], name
        assert read_only == READ_ONLY[name], name
