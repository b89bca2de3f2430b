"""Tables: those of the user's document, and those that clients make at run time."""

import json
import re
from enum import IntEnum
from pathlib import Path

import pytest

from unify.dataverse.errors import DataverseError
from unify.dataverse.model import (
    Cascade,
    ManyToMany,
    Type,
    add_attribute,
    add_key,
    change_attribute,
    change_table,
    create_relationship,
    create_table,
    delete_attribute,
    delete_key,
    delete_relationship,
    delete_table,
    model_of,
    ready,
)
from unify.dataverse.writes import Writes, writer_of
from unify.records import RecordStore, Writing

DOCUMENT = Path(__file__).parents[2] / ".." / "shared" / "seeds" / "dataverse-openapi.txt"
TABLE_OF = {
    "Account": "account", "Contact": "contact", "Lead": "lead", "Opportunity": "opportunity", "Incident": "incident",
    "Activity": "activitypointer",
}  # fmt: skip
EDM = {
    ("string", "uuid"): {Type.GUID}, ("string", "date-time"): {Type.DATETIME}, ("string", "date"): {Type.DATETIME},
    ("string", ""): {Type.STRING, Type.MEMO, Type.ENTITY_NAME}, ("number", "decimal"): {Type.DECIMAL, Type.MONEY},
    ("integer", ""): {Type.INTEGER, Type.PICKLIST, Type.STATE, Type.STATUS},
}  # fmt: skip


@pytest.fixture
def writing(tmp_path: Path):
    store = RecordStore(tmp_path)
    ready(store)
    with store.write() as made:
        yield made


def label(text: str) -> dict:
    return {"LocalizedLabels": [{"Label": text, "LanguageCode": 1033}]}


def column(name: str, kind: str = "String", **more: object) -> dict:
    return {
        "@odata.type": f"#Microsoft.Dynamics.CRM.{kind}AttributeMetadata",
        "SchemaName": name,
        "DisplayName": label(name),
        **more,
    }


def table(name: str = "new_Thing", *columns: dict, **more: object) -> dict:
    return {
        "SchemaName": name,
        "DisplayName": label("Thing"),
        "Attributes": [column("new_Name", IsPrimaryName=True), *columns],
        **more,
    }


def documented() -> dict[str, dict[str, tuple[str, str, bool, str]]]:
    """Schema → property → type, format, read-only, description: read from the document's text."""
    text = DOCUMENT.read_text(encoding="utf-8")
    text = text[text.index(" schemas: Account:") :].removesuffix("\n")
    found = {}
    for name, part in re.findall(r"(\w+): type: object properties: (.*?)(?= \w+: type: object| tags:|$)", text):
        found[name] = {
            prop: (kind, form, bool(ro), description)
            for prop, kind, form, ro, description in re.findall(
                r'(\w+): type: (\w+)(?: format: ([\w-]+))?( readOnly: true)?(?: description: "([^"]*)")?', part
            )
        }
    return found


@pytest.mark.skipif(not DOCUMENT.exists(), reason="the user's OpenAPI document is not here")
def test_every_property_of_the_document_is_there(writing: Writing) -> None:
    model, document = model_of(writing), documented()
    assert set(document) == set(TABLE_OF)
    assert sum(map(len, document.values())) == 98
    for name, properties in document.items():
        known = model.table(TABLE_OF[name])
        for said, (kind, form, read_only, description) in properties.items():
            attribute = known.of_property(said)
            assert attribute.type in EDM[kind, form], f"{name}.{said}"
            assert attribute.date_only == (form == "date")
            if said != known.id_attribute:
                assert read_only == (not attribute.create and not attribute.update), f"{name}.{said}"
            for value, text in re.findall(r"(\d+) = (\w+)", description):
                assert attribute.label_of(int(value)) == text, f"{name}.{said}"
            if said == "statecode" and description:
                assert len(attribute.options) == description.count("=")
    assert {"accounts", "contacts", "leads", "opportunities", "incidents", "activities", "activitypointers"} <= set(
        model.sets
    )


def test_the_model_holds_together(writing: Writing) -> None:
    model = model_of(writing)
    for one in model.one_to_many:
        assert one.referenced_attribute == model.table(one.referenced).id_attribute, one
        lookup = model.table(one.referencing).attributes[one.attribute]
        assert lookup.is_lookup
        assert one.referenced == "owner" or one.referenced in lookup.targets, one
        assert model.navigation(one.referencing, one.lookup).target == one.referenced
        assert model.navigation(one.referenced, one.collection).target == one.referencing
    for known in model.tables.values():
        assert len({a.schema_name for a in known.attributes.values()}) == len(known.attributes)
        assert not {a.wire_name for a in known.attributes.values()} & model.navigations(known.name).keys() - {"ownerid"}
        for attribute in known.attributes.values():
            assert attribute.name == attribute.schema_name.lower()
            if len(attribute.targets) > 1:
                assert known.attributes[attribute.type_column].type is Type.ENTITY_NAME
        if "statuscode" in known.attributes:
            states = {option.value: option for option in known.attributes["statecode"].options}
            for option in known.attributes["statuscode"].options:
                assert option.state in states
            for state in states.values():
                [default] = [o for o in known.attributes["statuscode"].options if o.value == state.default]
                assert default.state == state.value
    codes = [known.type_code for known in model.tables.values()]
    assert len(codes) == len(set(codes))


def test_another_process_sees_the_same_model_and_a_second_start_changes_nothing(tmp_path: Path) -> None:
    store = RecordStore(tmp_path)
    ready(store)
    with store.write() as writing:
        create_table(writing, table())
    with store.read() as reading:
        before = model_of(reading), reading.version
    ready(RecordStore(tmp_path))
    with RecordStore(tmp_path).read() as reading:
        assert (model_of(reading), reading.version) == before


def test_a_newer_release_keeps_what_users_added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = RecordStore(tmp_path)
    ready(store)
    with store.write() as writing:
        add_attribute(writing, "account", column("new_Size", "Integer"))
        add_key(writing, "account", {"SchemaName": "new_BySize", "KeyAttributes": ["new_size"]})
        one = create_relationship(writing, lookup("new_Best", "contact", "account"))
    monkeypatch.setattr("unify.dataverse.model.shipping.REVISION", 99)
    ready(store)
    with store.read() as reading:
        model = model_of(reading)
        account = model.table("account")
        assert {"new_size", "new_best"} <= set(account.attributes)
        assert set(account.keys) == {"accountnumber", "new_bysize"}
        assert one in model.one_to_many
        assert reading.count("organization") == 1


class Level(IntEnum):
    low = 1
    high = 2


def test_what_the_official_client_sends_makes_a_table(writing: Writing) -> None:
    base = pytest.importorskip("PowerPlatform.Dataverse.data._odata_base")
    client = base._ODataBase.__new__(base._ODataBase)
    client.config, client.api = type("Config", (), {"language_code": 1033}), ""
    kinds = {
        "new_Price": "decimal", "new_Count": "int", "new_When": "datetime", "new_Ok": "bool", "new_Doc": "file", "new_Level": Level,
        "new_Notes": "memo", "new_Share": "float", "new_Cap": {"type": "int", "min_value": 1, "max_value": 5},
    }  # fmt: skip
    made = create_table(writing, json.loads(client._build_create_entity("new_Product", kinds).body)["Entities"][0])
    assert (made.name, made.set_name, made.id_attribute, made.name_attribute) == (
        "new_product",
        "new_products",
        "new_productid",
        "new_name",
    )
    types = {n: a.type for n, a in made.attributes.items() if a.custom}
    assert types == {
        "new_name": Type.STRING, "new_price": Type.DECIMAL, "new_count": Type.INTEGER, "new_when": Type.DATETIME, "new_ok": Type.BOOLEAN,
        "new_doc": Type.FILE, "new_doc_name": Type.STRING, "new_level": Type.PICKLIST, "new_notes": Type.MEMO, "new_share": Type.DOUBLE,
        "new_cap": Type.INTEGER,
    }  # fmt: skip
    assert [(o.value, o.label) for o in made.attributes["new_level"].options] == [(1, "low"), (2, "high")]
    lookup, relationship = client._build_lookup_field_models(
        "new_Product", "new_AccountId", "account", cascade_delete="Cascade"
    )
    one = create_relationship(writing, {**relationship.to_dict(), "Lookup": lookup.to_dict()})
    assert (one.lookup, one.collection, one.on_delete) == (
        "new_AccountId",
        "account_new_product_new_AccountId",
        Cascade.CASCADE,
    )


def lookup(name: str, referenced: str, referencing: str, **more: object) -> dict:
    return {
        "SchemaName": f"{referenced}_{referencing}_{name}", "ReferencedEntity": referenced, "ReferencingEntity": referencing,
        "Lookup": {"SchemaName": name, "DisplayName": label(name)}, **more,
    }  # fmt: skip


def test_columns_come_change_and_go(writing: Writing) -> None:
    create_table(
        writing, table("new_Thing", column("new_Price", "Decimal", Precision=2), column("new_Short", MaxLength=5))
    )
    writes = Writes(writing, writer_of(writing, "t"))
    row = writes.create("new_thing", {"new_name": "a", "new_price": 1.25, "new_short": "abcd"}).id
    change_attribute(
        writing, "new_thing", "new_price", column("new_Price", "Decimal", Precision=4, DisplayName=label("Cost"))
    )
    assert str(writing.get("new_thing", [row]).values["new_price"]) == "1.2500"
    assert model_of(writing).table("new_thing").attributes["new_price"].label == "Cost"
    for wrong in (column("new_Price", "Decimal", Precision=1),):
        with pytest.raises(DataverseError, match="fewer digits"):
            change_attribute(writing, "new_thing", "new_price", wrong)
    with pytest.raises(DataverseError, match="4 characters"):
        change_attribute(writing, "new_thing", "new_short", column("new_Short", MaxLength=3))
    assert change_attribute(writing, "new_thing", "new_short", column("new_Short", MaxLength=4)).length == 4
    delete_attribute(writing, "new_thing", "new_price")
    assert "new_price" not in writing.get("new_thing", [row]).values
    with pytest.raises(DataverseError, match="part of the system"):
        delete_attribute(writing, "account", "name")
    assert change_table(writing, "new_thing", {"DisplayName": label("Other")}).label == "Other"


def test_keys_and_relationships_come_and_go(writing: Writing) -> None:
    create_table(writing, table())
    writes = Writes(writing, writer_of(writing, "t"))
    add_key(writing, "new_thing", {"SchemaName": "new_Key", "KeyAttributes": ["new_name"]})
    thing = writes.create("new_thing", {"new_name": "a"}).id
    with pytest.raises(DataverseError) as caught:
        writes.create("new_thing", {"new_name": "A"})
    assert (caught.value.code, caught.value.status) == ("0x80060892", 412)
    delete_key(writing, "new_thing", "new_key")
    writes.create("new_thing", {"new_name": "A"})
    with pytest.raises(DataverseError, match="same values"):
        add_key(writing, "new_thing", {"SchemaName": "new_Key", "KeyAttributes": ["new_name"]})
    one = create_relationship(writing, lookup("new_Owner2", "account", "new_thing"))
    account = writes.create("account", {"name": "x"}).id
    writes.update("new_thing", thing, {"new_Owner2@odata.bind": f"/accounts({account})"})
    many = create_relationship(
        writing,
        {
            "SchemaName": "new_thing_contact",
            "Entity1LogicalName": "new_thing",
            "Entity2LogicalName": "contact",
            "IntersectEntityName": "new_tc",
        },
    )
    assert isinstance(many, ManyToMany)
    with pytest.raises(DataverseError, match="already exists"):
        create_relationship(writing, lookup("new_Owner2", "account", "new_thing"))
    delete_relationship(writing, one.schema_name)
    assert "new_owner2" not in writing.get("new_thing", [thing]).values
    delete_table(writing, "new_thing")
    assert not {"new_thing", "new_tc"} & set(writing.tables())
    assert "new_thing_contact" not in model_of(writing).navigations("contact")


def test_a_table_that_goes_takes_lookups_and_keys_with_it(writing: Writing) -> None:
    create_table(writing, table())
    create_relationship(writing, lookup("new_ThingId", "new_thing", "contact"))
    add_key(writing, "contact", {"SchemaName": "new_ByThing", "KeyAttributes": ["new_thingid"]})
    delete_table(writing, "new_thing")
    contact = model_of(writing).table("contact")
    assert "new_thingid" not in contact.attributes
    assert not contact.keys


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (table("Thing"), "prefix of a publisher"), (table("new_Thing", column("Price")), "prefix of a publisher"),
        (table("new_Thing", column("new_X", "Image")), "no type of column"), (table("new_Thing", column("new_X", "Lookup")), "cannot be made"),
        (table("new_Thing", column("new_Name")), "already exists"), (table("new_Thing", column("new_X", MaxLength=0)), "may be 1 to"),
        (table("new_Thing", column("new_X", "Picklist")), "options"), (table("new_Thing", column("new_X", "Picklist", OptionSet={"Options": [{"Value": 1}, {"Value": 1}]})), "one value"),
        ({"SchemaName": "new_Thing"}, "IsPrimaryName"), (table("new_Thing", column("new_X", RequiredLevel={"Value": "Much"})), "no level"),
        (table(IsActivity=True), "not served"), (table("new_Thing", EntitySetName="accounts"), "already exists"),
    ],
)  # fmt: skip
def test_definitions_that_cannot_be_are_refused(writing: Writing, said: dict, words: str) -> None:
    before = set(writing.tables())
    with pytest.raises(DataverseError, match=words):
        create_table(writing, said)
    assert set(writing.tables()) == before


def test_what_is_not_there_is_told_with_what_is(writing: Writing) -> None:
    model = model_of(writing)
    for ask, hint in (
        (lambda: model.table("acount"), "account"), (lambda: model.of_set("account"), "accounts"),
        (lambda: model.table("account").of_property("nmae"), "name"), (lambda: model.navigation("account", "nobody"), ""),
    ):  # fmt: skip
        with pytest.raises(DataverseError) as caught:
            ask()
        assert hint in caught.value.hint
