"""Which columns Customer has, what feeds them, and every way in which conflict resolution can be wrong."""

from typing import Any

import pytest

from unify.conflation.column_types import cast, combining_label, promote
from unify.conflation.columns import resolution_problems, unified_columns
from unify.conflation.picks import CustomerColumns
from unify.core.errors import SpecError
from unify.spec import Project

SCHEMAS = {
    "crm.Contacts": {
        "ContactId": "VARCHAR", "FullName": "VARCHAR", "EMail": "VARCHAR", "Mobile": "VARCHAR", "Telephone": "VARCHAR",
        "City": "VARCHAR", "Income": "BIGINT", "CreatedOn": "DATE",
    },
    "loyalty.Members": {
        "LoyaltyId": "VARCHAR", "fullname": "VARCHAR", "Mail": "VARCHAR", "PhoneNo": "VARCHAR", "City": "VARCHAR",
        "Income": "DECIMAL(18,2)", "JoinedOn": "TIMESTAMP", "Points": "BIGINT",
    },
    "web.Users": {"Id": "BIGINT", "City": "VARCHAR", "OptIn": "BOOLEAN", "CreatedOn": "TIMESTAMP"},
}  # fmt: skip
KEYS = {"crm.Contacts": "ContactId", "loyalty.Members": "LoyaltyId", "web.Users": "Id", "pos.Shops": "Id"}
LABELS = {
    "crm.Contacts": {
        "EMail": "Identity.Service.Email", "Mobile": "Identity.Service.Phone", "Telephone": "IdentityServicePhone",
    },
    "loyalty.Members": {"mail": "Identity.Service.Email", "PhoneNo": "Identity.Service.Phone"},
}  # fmt: skip


def project(
    resolution: dict[str, Any] | None = None,
    *,
    labels: dict[str, dict[str, str]] | None = None,
    dedupe: dict[str, Any] | None = None,
    clusters: dict[str, Any] | None = None,
    **customer: Any,
) -> Project:
    sources: dict[str, Any] = {}
    for entity, key in KEYS.items():
        source, name = entity.split(".")
        sources.setdefault(source, {})[name] = {
            "key": key,
            "labels": (LABELS if labels is None else labels).get(entity, {}),
        }
    return Project.model_validate(
        {
            "sources": sources,
            "conflation": {"order": list(SCHEMAS), "dedupe": dedupe or {}},
            "resolution": resolution or {},
            "customer": customer,
            "clusters": clusters or {},
        }
    )


def columns(resolution: dict[str, Any] | None = None, **more: Any) -> CustomerColumns:
    return unified_columns(project(resolution, **more), SCHEMAS)


def feeds(found: CustomerColumns) -> dict[str, list[str]]:
    return {column.name: [str(feed) for feed in column.feeds] for column in found.columns}


def test_equal_names_and_equal_meaning_combine() -> None:
    found = columns()
    assert feeds(found) == {
        "FullName": ["crm.Contacts.FullName", "loyalty.Members.fullname"],
        "EMail": ["crm.Contacts.EMail", "loyalty.Members.Mail"],
        # two phones of one entity stay two columns; the first takes the other entity's
        "Mobile": ["crm.Contacts.Mobile", "loyalty.Members.PhoneNo"],
        "Telephone": ["crm.Contacts.Telephone"],
        "City": ["crm.Contacts.City", "loyalty.Members.City", "web.Users.City"],
        "Income": ["crm.Contacts.Income", "loyalty.Members.Income"],
        "CreatedOn": ["crm.Contacts.CreatedOn", "web.Users.CreatedOn"],
        "JoinedOn": ["loyalty.Members.JoinedOn"],
        "Points": ["loyalty.Members.Points"],
        "OptIn": ["web.Users.OptIn"],
    }
    types = {column.name: column.type for column in found.columns}
    assert (types["Income"], types["CreatedOn"]) == ("DECIMAL(21,2)", "TIMESTAMP")
    assert found.notes == ()
    assert found.layout[0] == "CustomerId"
    assert found.layout[-7:] == (
        "crm_Contacts_ContactId", "crm_Contacts_ContactId_Alternate", "loyalty_Members_LoyaltyId",
        "loyalty_Members_LoyaltyId_Alternate", "web_Users_Id", "web_Users_Id_Alternate", "PreviousCustomerId",
    )  # fmt: skip


def test_a_label_never_joins_what_an_entity_holds_twice() -> None:
    """A name and a label pull loyalty's two columns to one of crm's: the name wins, the other stays alone."""
    schemas = {"crm.Contacts": {"ContactId": "VARCHAR", "Mail": "VARCHAR"},
               "loyalty.Members": {"LoyaltyId": "VARCHAR", "Home": "VARCHAR", "MAIL": "VARCHAR"}}  # fmt: skip
    labels = {"crm.Contacts": {"Mail": "Identity.Service.Email"}, "loyalty.Members": {"Home": "Identity.Service.Email"}}
    found = unified_columns(project(labels=labels), schemas | {"web.Users": {"Id": "BIGINT"}})
    assert feeds(found) == {"Mail": ["crm.Contacts.Mail", "loyalty.Members.MAIL"], "Home": ["loyalty.Members.Home"]}


def test_labels_that_say_nothing_about_a_person_do_not_combine() -> None:
    labels = {"crm.Contacts": {"CreatedOn": "Calendar.Date"}, "loyalty.Members": {"JoinedOn": "Calendar.Date"}}
    assert feeds(columns(labels=labels))["JoinedOn"] == ["loyalty.Members.JoinedOn"]


def test_names_combine_despite_labels_and_a_note_says_so() -> None:
    labels = {"crm.Contacts": {"City": "Location.City"}, "web.Users": {"City": "Person.FullName"}}
    found = columns(labels=labels)
    assert len(feeds(found)["City"]) == 3
    assert any(note.startswith("City: combined by name although the labels differ") for note in found.notes)


def test_types_that_do_not_meet_become_text_and_a_note_says_so() -> None:
    schemas = SCHEMAS | {"web.Users": {"Id": "BIGINT", "Income": "BOOLEAN"}}
    found = unified_columns(project(), schemas)
    assert {c.name: c.type for c in found.columns}["Income"] == "VARCHAR"
    assert "Income: types differ, values become VARCHAR" in found.notes[0]


@pytest.mark.parametrize(
    ("kinds", "expected"),
    [
        (["BIGINT"], ("BIGINT", False)),
        (["INTEGER", "BIGINT"], ("BIGINT", False)),
        (["UBIGINT", "BIGINT"], ("DECIMAL(20,0)", False)),
        (["BIGINT", "DECIMAL(38,10)"], ("DECIMAL(38,10)", False)),
        (["HUGEINT", "DECIMAL(18,2)"], ("DOUBLE", True)),
        (["DECIMAL(10,4)", "DECIMAL(18,2)"], ("DECIMAL(20,4)", False)),
        (["BIGINT", "DOUBLE"], ("DOUBLE", False)),
        (["DATE", "TIMESTAMP"], ("TIMESTAMP", False)),
        (["TIMESTAMP", "TIMESTAMP WITH TIME ZONE"], ("TIMESTAMP", True)),
        (["DATE", "BIGINT"], ("VARCHAR", True)),
        (["UUID", "VARCHAR"], ("VARCHAR", True)),
    ],
)
def test_promotion(kinds: list[str], expected: tuple[str, bool]) -> None:
    assert promote(kinds) == expected
    assert promote(reversed(kinds)) == expected


def test_small_things_of_types() -> None:
    assert cast("x", "DATE", "DATE") == "x"
    assert cast("x", "TIMESTAMPTZ", "TIMESTAMP") == "CAST((x AT TIME ZONE 'UTC') AS TIMESTAMP)"
    assert combining_label("LOCATION.City") == combining_label("LocationCity") == "locationcity"
    assert combining_label("Personal") is None
    assert combining_label(None) is None


def test_from_names_renames_and_orders() -> None:
    found = columns({"Phone": {"from": ["loyalty.Members.phoneno", "crm.Contacts.Mobile", "crm.Contacts.Telephone"]}})
    assert feeds(found)["Phone"] == ["loyalty.Members.PhoneNo", "crm.Contacts.Mobile", "crm.Contacts.Telephone"]
    assert not {"Mobile", "Telephone", "PhoneNo"} & feeds(found).keys()
    phone = next(c for c in found.columns if c.name == "Phone")
    assert [feed.rank for feed in phone.feeds] == [0, 1, 2]


def test_from_may_name_a_key() -> None:
    found = columns({"CardNumber": {"from": ["loyalty.Members.LoyaltyId"]}})
    assert feeds(found)["CardNumber"] == ["loyalty.Members.LoyaltyId"]
    assert "loyalty_Members_LoyaltyId" in found.layout


def test_what_from_leaves_out_is_said() -> None:
    found = columns({"City": {"from": ["crm.Contacts.City"]}})
    assert feeds(found)["City"] == ["crm.Contacts.City"]
    assert "loyalty.Members.City feeds no column: resolution.City names its sources" in found.notes


def test_the_keys_spelling_is_the_users() -> None:
    assert "Email" in feeds(columns({"Email": "most filled"}))


def test_order_ranks_and_the_rest_follows() -> None:
    found = columns({"City": {"order": ["web.Users"]}})
    assert feeds(found)["City"] == ["web.Users.City", "crm.Contacts.City", "loyalty.Members.City"]


def test_a_group_ranks_entities_as_its_from_lists_agree() -> None:
    group = {
        "City": [],
        "Tel": ["loyalty.Members.PhoneNo", "crm.Contacts.Mobile"],
        "Mail": ["web.Users.City", "loyalty.Members.Mail"],
    }
    found = columns({"Contact": {"group": group}})
    [pick] = [p for p in found.picks if p.is_group]
    ranks = {feed.entity: feed.rank for column in pick.columns for feed in column.feeds}
    assert ranks == {"web.Users": 0, "loyalty.Members": 1, "crm.Contacts": 2}
    assert [column.name for column in pick.columns] == ["City", "Tel", "Mail"]
    assert "as a unit: importance" in pick.sentence


def test_recency_goes_by_the_column_or_by_what_feeds_a_column_of_that_name() -> None:
    changed = {"from": ["crm.Contacts.CreatedOn", "loyalty.Members.JoinedOn"]}
    found = columns(
        {
            "Changed": changed,
            "FullName": "most recent by Changed",
            "City": {"from": ["crm.Contacts.City", "web.Users.City"], "by": "least recent by createdon"},
        }
    )
    by = {pick.name: (dict(pick.recency), pick.recency_type) for pick in found.picks}
    assert by["FullName"] == ({"crm.Contacts": ("CreatedOn",), "loyalty.Members": ("JoinedOn",)}, "TIMESTAMP")
    assert by["City"] == ({"crm.Contacts": ("CreatedOn",), "web.Users": ("CreatedOn",)}, "TIMESTAMP")


def test_default_preference_holds_for_unnamed_columns_only() -> None:
    found = columns({"City": {"order": ["web.Users"]}}, default="most filled")
    assert {pick.name: pick.by.kind for pick in found.picks if pick.name in ("City", "EMail")} == {
        "City": "importance",
        "EMail": "most filled",
    }


def test_separate_exclude_first() -> None:
    found = columns(
        separate=["EMail", "web.Users.City"],
        exclude=["points", "Income"],
        first=["OptIn", "City", "crm_Contacts_ContactId"],
    )
    assert feeds(found)["crm_Contacts_EMail"] == ["crm.Contacts.EMail"]
    assert feeds(found)["loyalty_Members_Mail"] == ["loyalty.Members.Mail"]
    assert feeds(found)["City"] == ["crm.Contacts.City", "loyalty.Members.City"]
    assert feeds(found)["web_Users_City"] == ["web.Users.City"]
    assert not {"Points", "Income"} & set(found.layout)
    assert found.layout[:5] == ("CustomerId", "OptIn", "City", "crm_Contacts_ContactId", "FullName")
    assert len(set(found.layout)) == len(found.layout)


def test_a_recency_column_may_be_excluded_from_the_output() -> None:
    changed = {"from": ["crm.Contacts.CreatedOn", "loyalty.Members.JoinedOn"]}
    found = columns({"Changed": changed, "FullName": "most recent by Changed"}, exclude=["Changed"])
    assert "Changed" not in found.layout
    assert next(p for p in found.picks if p.name == "FullName").recency


def test_a_files_own_customer_id_steps_aside() -> None:
    schemas = SCHEMAS | {"web.Users": {"Id": "BIGINT", "CUSTOMERID": "VARCHAR", "ordinal": "BIGINT"}}
    assert {"web_Users_CUSTOMERID", "web_Users_ordinal"} <= feeds(unified_columns(project(), schemas)).keys()


CLUSTER = {"household": {"rules": [{"name": "same city", "when": [{"field": "City"}]}]}}
WRONG: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"Emial": "importance"}, {}, r"resolution.Emial: there is no column 'Emial' \(did you mean EMail"),
    ({"Mail": "importance"}, {}, r"column 'Mail' is combined into EMail .*\(name EMail"),
    ({"X": {"from": ["crm.Contcats.City"]}}, {}, r"there is no entity 'crm.Contcats' \(did you mean crm.Contacts"),
    ({"X": {"from": ["pos.Shops.City"]}}, {}, r"pos.Shops is not in the conflation order"),
    ({"X": {"from": ["crm.Contacts.Citty"]}}, {}, r"crm.Contacts has no column 'Citty' \(did you mean City"),
    ({"X": {"from": ["crm.Contacts.City", "crm.Contacts.city"]}}, {}, r"crm.Contacts.city is named twice"),
    ({"City": {"order": ["web.Usres"]}}, {}, r"resolution.City.order: there is no entity 'web.Usres' \(did you mean"),
    ({"City": {"order": ["pos.Shops"]}}, {}, r"pos.Shops is not in the conflation order"),
    ({"City": {"order": ["web.Users", "web.Users"]}}, {}, r"web.Users is named twice"),
    ({"EMail": {"order": ["web.Users"]}}, {}, r"web.Users does not feed EMail \(it is fed by crm.Contacts, loyalty"),
    (
        {"X": {"from": ["crm.Contacts.City"], "order": ["crm.Contacts"]}},
        {},
        r"`from` is the order of importance already",
    ),
    (
        {"FullName": "most recent by CreatedOn"},
        {},
        r"loyalty.Members has no column 'CreatedOn' \(.*or name one column per entity",
    ),
    ({"Telephone": "most recent by City"}, {}, r"crm.Contacts.City is VARCHAR, not a date or number"),
    (
        {"When": {"from": ["crm.Contacts.CreatedOn", "loyalty.Members.Points"]}, "EMail": "most recent by When"},
        {},
        r"would compare dates with numbers",
    ),
    ({}, {"default": "most recent by CreatedOn"}, r"customer.default: .*loyalty.Members has no column 'CreatedOn'"),
    (
        {"A": {"group": ["City", "Mobile"]}, "B": {"group": ["City"]}},
        {},
        r"column City is already resolved by resolution.A.group.City",
    ),
    ({"A": {"group": ["City"]}, "City": "importance"}, {}, r"column City is already resolved by"),
    (
        {
            "A": {
                "group": {
                    "T": ["crm.Contacts.City", "web.Users.City"],
                    "U": ["web.Users.CreatedOn", "crm.Contacts.CreatedOn"],
                }
            }
        },
        {},
        r"contradict each other's order \(write `order`",
    ),
    (
        {"customerid": {"from": ["crm.Contacts.City"]}},
        {},
        r"output column customerid would be made twice: by the product's own",
    ),
    ({"web_Users_Id": {"from": ["crm.Contacts.City"]}}, {}, r"made twice: by the key column of web.Users"),
    (
        {"A": {"from": ["crm.Contacts.City"]}, "a": {"from": ["web.Users.City"]}},
        {},
        r"output column a would be made twice",
    ),
    ({}, {"exclude": ["Citty"]}, r"customer.exclude: 'Citty' is not a unified column \(did you mean City"),
    ({}, {"exclude": ["CustomerId"]}, r"'CustomerId' is not a unified column"),
    ({"A": {"group": ["City", "Mobile"]}}, {"exclude": ["City"]}, r"City is part of resolution.A"),
    ({"City": "most filled"}, {"exclude": ["City"]}, r"City has a rule of its own: resolution.City"),
    ({}, {"exclude": ["City"], "first": ["city"]}, r"City is also in customer.first"),
    ({}, {"exclude": ["City"], "clusters": CLUSTER}, r"City is used by clusters.household"),
    ({}, {"first": ["Citty"]}, r"customer.first: there is no output column 'Citty'"),
    ({}, {"first": ["City", "city"]}, r"City is named twice"),
    ({}, {"separate": ["Citty"]}, r"customer.separate: 'Citty' is not a column .*\(did you mean City"),
    ({}, {"dedupe": {"crm.Contacts": {"prefer": {"City": "importance"}}}}, r"prefer City: importance ranks entities"),
    (
        {"P": {"from": ["crm.Contacts.Mobile", "crm.Contacts.Telephone"]}},
        {"dedupe": {"crm.Contacts": {"prefer": {"Mobile": "most filled"}}}},
        r"Mobile, Telephone feed P together",
    ),
]


@pytest.mark.parametrize(("resolution", "more", "says"), WRONG, ids=[says[:40] for _, _, says in WRONG])
def test_every_mistake_is_named(resolution: dict[str, Any], more: dict[str, Any], says: str) -> None:
    plan = project(resolution, **more)
    assert len(resolution_problems(plan, SCHEMAS)) == 1
    with pytest.raises(SpecError, match=says):
        unified_columns(plan, SCHEMAS)


def test_all_mistakes_are_told_at_once() -> None:
    plan = project({"Emial": "importance", "X": {"from": ["crm.Contacts.Y"]}}, exclude=["Z"])
    assert len(resolution_problems(plan, SCHEMAS)) == 3


def test_at_least_one_attribute_feeds_customer() -> None:
    bare = {entity: {KEYS[entity]: "VARCHAR"} for entity in SCHEMAS}
    assert resolution_problems(project(labels={}), bare) == [
        "customer: no attribute feeds the Customer table (name at least one under resolution, or exclude fewer)"
    ]


def test_a_project_without_mistakes_has_no_problems() -> None:
    assert resolution_problems(project(), SCHEMAS) == []


def test_very_many_columns_are_noted() -> None:
    wide = SCHEMAS | {"web.Users": {"Id": "BIGINT"} | {f"c{i}": "BIGINT" for i in range(1001)}}
    assert "more than 1000 are hard to use" in unified_columns(project(), wide).notes[0]
