"""What a definition may be, as rows: every rule of the document, refused with 400 in Dataverse's words."""

from collections.abc import Callable
from typing import Any

import pytest

from unify.custom import FieldType, custom_api, event
from unify.custom.events import EVENTS
from unify.custom.rules import check_unique_name
from unify.dataverse.errors import DataverseError


@pytest.fixture
def refused(world) -> Callable[..., DataverseError]:
    """What a write is refused with."""

    def why(work: Callable[[], Any]) -> DataverseError:
        with pytest.raises(DataverseError) as found:
            work()
        assert found.value.status == 400
        return found.value

    return why


@pytest.mark.parametrize(
    "name",
    ["NoPrefix", "_Do", "a_Do", "1acme_Do", "acme_", "acme_Do it", "acme_Do.It", "acme_Dö", "toolongpre_Do", "mscrm_Do",
     "acme-Do"],
)  # fmt: skip
def test_a_unique_name_has_the_prefix_of_a_publisher(world, refused, name):
    error = refused(lambda: world.api(name))
    assert error.code == "0x800608ad"
    assert "uniquename for component CustomAPI must start with a valid customization prefix" in error.message
    assert world.rows("customapi") == []


@pytest.mark.parametrize("name", ["acme_Do", "Ac_Do_It2", "acme1234_x", "unify_ResolveCustomer"])
def test_names_that_are_fine(name):
    check_unique_name(name)


def test_a_name_is_no_longer_than_128(world, refused):
    assert refused(lambda: world.api("acme_" + "x" * 124, name="n")).code == "0x80044331"
    world.api("acme_" + "x" * 123, name="n")


@pytest.mark.parametrize("column", ["uniquename", "name", "displayname", "description"])
def test_what_an_api_needs(world, refused, column):
    assert refused(lambda: world.api(**{column: None})).where == column


def test_two_apis_have_not_one_name(world, refused):
    world.api("acme_Do")
    assert refused(lambda: world.api("acme_DO")).code == "0x80040237"


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({"bindingtype": 0, "boundentitylogicalname": "account"}, "boundentitylogicalname"),
        ({"bindingtype": 1}, "boundentitylogicalname"),
        ({"bindingtype": 2}, "boundentitylogicalname"),
        ({"bindingtype": 1, "boundentitylogicalname": "acount"}, "boundentitylogicalname"),
        ({"isfunction": True, "workflowsdkstepenabled": True}, "workflowsdkstepenabled"),
        ({"executeprivilegename": "prvReadAcount"}, "executeprivilegename"),
        ({"bindingtype": 3}, "bindingtype"),
    ],
)
def test_definitions_that_cannot_be(world, refused, body, where):
    error = refused(lambda: world.api(**body))
    assert error.where == where
    assert world.rows("customapi") == []


def test_wrong_names_are_answered_with_the_nearest(world, refused):
    error = refused(lambda: world.api(bindingtype=1, boundentitylogicalname="acount"))
    assert "account" in error.hint
    assert "prvReadAccount" in refused(lambda: world.api(executeprivilegename="prvReadAcount")).hint


@pytest.mark.parametrize(
    ("column", "before", "after"),
    [
        ("uniquename", "acme_Do", "acme_Other"),
        ("bindingtype", 0, 2),
        ("boundentitylogicalname", "account", "contact"),
        ("isfunction", False, True),
        ("allowedcustomprocessingsteptype", 0, 1),
        ("workflowsdkstepenabled", False, True),
    ],
)
def test_what_cannot_be_changed_after_it_is_saved(world, refused, column, before, after):
    bound = {"bindingtype": 1, "boundentitylogicalname": "account"} if column == "boundentitylogicalname" else {}
    made = world.api(**{**bound, column: before})
    error = refused(lambda: world.write(lambda w: w.update("customapi", made.id, {column: after})))
    assert error.where == column
    assert f"'{column}' of 'customapi' cannot be changed after it is saved" in error.message
    world.write(lambda w: w.update("customapi", made.id, {column: before}))  # saying what is there changes nothing


def test_what_can_be_changed(world):
    made = world.api()
    said = {"displayname": "Other", "description": "else", "isprivate": True, "executeprivilegename": "prvReadAccount",
            "name": "n", "iscustomizable": False}  # fmt: skip
    world.write(lambda w: w.update("customapi", made.id, said))
    [row] = world.rows("customapi")
    assert {name: row[name] for name in said} == said


# ── parameters and properties ────────────────────────────────────────────────────────────────────────────────────────

BOTH = pytest.mark.parametrize("table", ["customapirequestparameter", "customapiresponseproperty"])


def bind(api: Any) -> dict[str, str]:
    return {"CustomAPIId@odata.bind": f"/customapis({api.id})"}


@BOTH
@pytest.mark.parametrize("name", ["A.B", "A:B", "A@B", "A B", "1A", "x" * 129])
def test_field_names_have_no_special_characters(world, refused, field_of, table, name):
    api = world.api()
    assert refused(lambda: world.create(table, **field_of(name), **bind(api))).where == "uniquename"


@BOTH
def test_field_names_are_told_apart_within_their_api(world, refused, field_of, table):
    api, other = world.api(), world.api("acme_Other")
    world.create(table, **field_of("Name"), **bind(api))
    world.create(table, **field_of("Name"), **bind(other))
    assert refused(lambda: world.create(table, **field_of("NAME"), **bind(api))).code == "0x80040237"


@BOTH
def test_a_field_belongs_to_an_api(world, refused, field_of, table):
    assert refused(lambda: world.create(table, **field_of("Name"))).where == "customapiid"


@BOTH
@pytest.mark.parametrize("column", ["uniquename", "type", "logicalentityname"])
def test_what_cannot_be_changed_of_a_field(world, refused, field_of, table, column):
    made = world.create(table, **field_of("Name", 5, logicalentityname="account"), **bind(world.api()))
    changed = {"uniquename": "Other", "type": 3, "logicalentityname": "contact"}[column]
    assert refused(lambda: world.write(lambda w: w.update(table, made.id, {column: changed}))).where == column
    world.write(lambda w: w.update(table, made.id, {"displayname": "else"}))


def test_whether_a_parameter_is_optional_stays(world, refused, field_of):
    made = world.create("customapirequestparameter", **field_of("Name", isoptional=True), **bind(world.api()))
    change = {"isoptional": False}
    error = refused(lambda: world.write(lambda w: w.update("customapirequestparameter", made.id, change)))
    assert error.where == "isoptional"


@BOTH
@pytest.mark.parametrize("kind", [t for t in FieldType if t not in (3, 4, 5)])
def test_only_rows_have_a_logical_entity_name(world, refused, field_of, table, kind):
    api = world.api()
    said = field_of("Name", int(kind), logicalentityname="account")
    assert refused(lambda: world.create(table, **said, **bind(api))).where == "logicalentityname"


def test_a_collection_that_is_answered_has_no_logical_entity_name(world, refused, field_of):
    api, said = world.api(), field_of("Rows", 4, logicalentityname="account")
    assert refused(lambda: world.create("customapiresponseproperty", **said, **bind(api))).where == "logicalentityname"
    world.create("customapirequestparameter", **said, **bind(api))


@BOTH
def test_a_logical_entity_name_is_that_of_a_table(world, refused, field_of, table):
    api = world.api()
    error = refused(lambda: world.create(table, **field_of("A", 5, logicalentityname="acount"), **bind(api)))
    assert (error.where, error.code) == ("logicalentityname", "0x80041102")


def test_target_comes_by_itself(world, refused, field_of):
    api = world.api(bindingtype=1, boundentitylogicalname="account")
    assert (
        "created automatically"
        in refused(lambda: world.create("customapirequestparameter", **field_of("Target", 5), **bind(api))).message
    )
    other = world.api("acme_Global")
    world.create("customapirequestparameter", **field_of("Target", 5), **bind(other))


@BOTH
@pytest.mark.parametrize("kind", list(FieldType))
def test_what_workflows_have_no_types_for(world, refused, field_of, table, kind):
    api = world.api(workflowsdkstepenabled=True)
    if kind in (FieldType.ENTITY, FieldType.ENTITY_COLLECTION, FieldType.STRING_ARRAY, FieldType.ENTITY_REFERENCE):
        assert refused(lambda: world.create(table, **field_of("A", int(kind)), **bind(api))).where == "type"
    else:
        world.create(table, **field_of("A", int(kind)), **bind(api))


@BOTH
def test_workflows_take_references_in_a_bound_api(world, field_of, table):
    api = world.api(workflowsdkstepenabled=True, bindingtype=1, boundentitylogicalname="account")
    world.create(table, **field_of("A", 5), **bind(api))


def test_a_deep_insert_makes_the_whole_or_nothing(world, refused, field_of):
    whole = {"CustomAPIRequestParameters": [field_of("In", 7)], "CustomAPIResponseProperties": [field_of("Out", 2)]}
    made = world.api("acme_Whole", isfunction=True, **whole)
    assert world.call("acme_Whole", {"In": 3}) == {"Out": 0}
    whole["CustomAPIResponseProperties"].append(field_of("a.b"))
    refused(lambda: world.api("acme_Half", isfunction=True, **whole))
    assert [row["uniquename"] for row in world.rows("customapi")] == ["acme_Whole"]
    world.write(lambda w: w.delete("customapi", made.id))
    for table in ("customapi", "customapirequestparameter", "customapiresponseproperty"):
        assert world.rows(table) == []
    assert {row["name"] for row in world.rows("sdkmessage")} == {"Create", "Update", "Delete"}


# ── managed ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@custom_api("acme_Sealed", privilege="prvUnifySteward")
def sealed(context, name: str) -> None:
    """Does nothing."""


@custom_api("acme_Open", customizable=True)
def customizable(context, name: str) -> None:
    """Does nothing."""


def test_rows_of_code_are_managed(world, refused, field_of):
    world.load(sealed)
    [row] = world.rows("customapi")
    assert (row["uniquename"], row["ismanaged"], row["iscustomizable"]) == ("acme_Sealed", True, False)
    key = row["customapiid"]
    for work in (
        lambda w: w.update("customapi", key, {"displayname": "Mine"}),
        lambda w: w.delete("customapi", key),
        lambda w: w.delete("customapirequestparameter", world.rows("customapirequestparameter")[0]["customapirequestparameterid"]),
    ):  # fmt: skip
        error = refused(lambda work=work: world.write(work))
        assert error.code == "0x8004f026"
        assert "failed during managed property evaluation" in error.message


def test_to_a_sealed_api_others_add_optional_parameters_only(world, refused, field_of):
    world.load(sealed)
    bound = {"CustomAPIId@odata.bind": f"/customapis({world.rows('customapi')[0]['customapiid']})"}
    error = refused(lambda: world.create("customapirequestparameter", **field_of("More", isoptional=False), **bound))
    assert error.where == "isoptional"
    world.create("customapirequestparameter", **field_of("More", isoptional=True), **bound)
    world.create("customapiresponseproperty", **field_of("Said", 7), **bound)
    assert world.call("acme_Sealed", {"Name": "a", "More": "b"}) == {"Said": 0}


def test_labels_of_a_customizable_api_are_its_users(world, refused):
    world.load(customizable)
    key = world.rows("customapi")[0]["customapiid"]
    world.write(lambda w: w.update("customapi", key, {"displayname": "Ours", "isprivate": True}))
    refused(lambda: world.write(lambda w: w.delete("customapi", key)))
    world.load(customizable, sealed)  # what else is loaded changes nothing of it
    row = next(r for r in world.rows("customapi") if r["customapiid"] == key)
    assert (row["displayname"], row["isprivate"]) == ("Ours", True)


def test_rows_of_code_go_with_it(world):
    world.load(sealed, *EVENTS.values())
    assert len(world.rows("customapi")) == 9
    assert {row["uniquename"] for row in world.rows("catalog")} == {
        "unify_Unify", "unify_Customers", "unify_Segments", "unify_Runs"
    }  # fmt: skip
    assert len(world.rows("catalogassignment")) == 8
    world.load(sealed)
    assert [row["uniquename"] for row in world.rows("customapi")] == ["acme_Sealed"]
    assert world.rows("catalog") == world.rows("catalogassignment") == []


def test_a_name_that_a_user_took_stays_the_users(world):
    world.api("acme_Sealed", isprivate=True)
    world.load(sealed)
    [row] = world.rows("customapi")
    assert (row["ismanaged"], row["isprivate"]) == (False, True)


def test_installing_twice_writes_nothing(world):
    world.load(sealed)
    with world.store.read() as reading:
        version = reading.version
    world.load(sealed)
    with world.store.read() as reading:
        assert reading.version == version


# ── catalogs ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_catalog_has_two_levels(world, refused):
    said = {"name": "n", "displayname": "d", "description": "x"}
    root = world.create("catalog", uniquename="acme_Root", **said)
    above = {"ParentCatalogId@odata.bind": f"/catalogs({root.id})"}
    category = world.create("catalog", uniquename="acme_Events", **said, **above)
    below = {"ParentCatalogId@odata.bind": f"/catalogs({category.id})"}
    assert refused(lambda: world.create("catalog", uniquename="acme_Deep", **said, **below)).where == "parentcatalogid"
    assert refused(lambda: world.create("catalog", uniquename="Root", **said)).code == "0x800608ad"
    assert refused(lambda: world.create("catalog", uniquename="acme_root", **said)).code == "0x80040237"
    api = world.api("acme_OnVisit", allowedcustomprocessingsteptype=1)
    to = {"CustomAPIId@odata.bind": f"/customapis({api.id})"}
    for where, catalog in (("catalogid", root), ("", category)):
        into = {"CatalogId@odata.bind": f"/catalogs({catalog.id})"}
        if where:
            assert refused(lambda into=into: world.create("catalogassignment", **into, **to)).where == where
        else:
            world.create("catalogassignment", **into, **to)
            assert refused(lambda into=into: world.create("catalogassignment", **into, **to)).code == "0x80040237"


def test_events_are_for_those_who_listen():
    made = event("acme_OnVisit", parameters={"Shop": str, "Guests": int | None})
    assert made.event_only
    assert [(f.name, f.type, f.optional) for f in made.parameters] == [
        ("Shop", FieldType.STRING, False), ("Guests", FieldType.INTEGER, True)
    ]  # fmt: skip
    assert not any(api.event_only and not api.name.partition("_")[2].startswith("On") for api in EVENTS.values())
