"""Thirteen types: what is taken from JSON, what goes out, what an event says and what comes back of it."""

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unify.custom import Entity, EntityCollection, EntityReference, Field, FieldType
from unify.custom.remote import document, image_of, stamp, text, values_of, was_cut
from unify.custom.types import World, default, edm, fits, read, written
from unify.dataverse.errors import DataverseError
from unify.dataverse.model import Model, model_of

ID = "6d81597f-0f9f-e711-8122-000d3aa2331c"


@pytest.fixture(scope="module")
def model(made) -> Model:
    from unify.records import RecordStore

    with RecordStore(made).read() as reading:
        return model_of(reading)


@pytest.fixture(scope="module")
def here(model) -> World:
    return World(model, lambda address: EntityReference("contact", address.partition("(")[2].rstrip(")")))


def a(kind: FieldType, entity: str | None = None) -> Field:
    return Field("A", kind, entity=entity)


TAKEN: list[tuple[FieldType, Any, Any]] = [
    (FieldType.BOOLEAN, True, True),
    (FieldType.DATETIME, "2026-11-22T09:30:00Z", datetime(2026, 11, 22, 9, 30, tzinfo=UTC)),
    (FieldType.DATETIME, "2026-11-22T09:30:00+01:00", datetime(2026, 11, 22, 8, 30, tzinfo=UTC)),
    (FieldType.DATETIME, "2026-11-22", datetime(2026, 11, 22, tzinfo=UTC)),
    (FieldType.DECIMAL, 0.1, Decimal("0.1")),
    (FieldType.DECIMAL, 3, Decimal(3)),
    (FieldType.MONEY, Decimal("12.50"), Decimal("12.50")),
    (FieldType.FLOAT, 3, 3.0),
    (FieldType.INTEGER, -(2**31), -(2**31)),
    (FieldType.PICKLIST, 7, 7),
    (FieldType.STRING, "ä", "ä"),
    (FieldType.STRING, "", ""),
    (FieldType.STRING_ARRAY, ["a", ""], ["a", ""]),
    (FieldType.GUID, ID.upper(), UUID(ID)),
    (FieldType.ENTITY_REFERENCE, {"@odata.id": f"contacts({ID})"}, EntityReference("contact", ID)),
    (FieldType.ENTITY_REFERENCE, {"@odata.type": "Microsoft.Dynamics.CRM.account", "accountid": ID},
     EntityReference("account", ID)),
    (FieldType.ENTITY, {"@odata.type": "#Microsoft.Dynamics.CRM.account", "name": "A", "accountid": ID},
     Entity("account", {"name": "A", "accountid": ID}, ID)),
    (FieldType.ENTITY_COLLECTION, [{"@odata.type": "Microsoft.Dynamics.CRM.account", "name": "A"}],
     EntityCollection((Entity("account", {"name": "A"}),), "account")),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value", "expected"), TAKEN)
def test_what_is_taken(here, kind, value, expected):
    found = read(a(kind), value, here)
    assert found == expected
    assert type(found) is type(expected)
    assert fits(a(kind), found)


REFUSED: list[tuple[FieldType, Any]] = [
    *((kind, {}) for kind in FieldType if kind is not FieldType.ENTITY),
    *((kind, value) for kind in (FieldType.INTEGER, FieldType.PICKLIST) for value in ("1", True, 1.0, 2**31)),
    *((kind, value) for kind in (FieldType.DECIMAL, FieldType.MONEY, FieldType.FLOAT) for value in ("1", True)),
    (FieldType.DECIMAL, 100_000_000_001), (FieldType.MONEY, 10**15), (FieldType.FLOAT, 10**400),
    (FieldType.BOOLEAN, 1), (FieldType.BOOLEAN, "true"), (FieldType.STRING, 1), (FieldType.STRING_ARRAY, "a"),
    (FieldType.STRING_ARRAY, [1]), (FieldType.GUID, "x"), (FieldType.GUID, ID[:-1]), (FieldType.GUID, f"{{{ID}}}"),
    (FieldType.DATETIME, "yesterday"), (FieldType.DATETIME, 5), (FieldType.ENTITY_REFERENCE, ID),
    (FieldType.ENTITY_REFERENCE, {"contactid": ID}), (FieldType.ENTITY, {"name": "A"}), (FieldType.ENTITY, [1]),
    (FieldType.ENTITY_COLLECTION, {"value": []}), (FieldType.ENTITY_COLLECTION, [1]),
    (FieldType.ENTITY, {"@odata.type": "Microsoft.Dynamics.CRM.account", "nmae": "A"}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value"), REFUSED)
def test_what_is_refused(here, kind, value):
    with pytest.raises(DataverseError) as refused:
        read(a(kind), value, here)
    assert refused.value.status in (400, 404)


def test_null_is_null(here):
    assert all(read(a(kind), None, here) is None for kind in FieldType)
    assert all(fits(a(kind), default(a(kind))) or default(a(kind)) is None for kind in FieldType)


def test_a_table_that_is_named_is_kept_to(here):
    named = a(FieldType.ENTITY_REFERENCE, "account")
    with pytest.raises(DataverseError):
        read(named, {"@odata.id": f"contacts({ID})"}, here)
    assert read(named, {"accountid": ID}, here) == EntityReference("account", ID)
    assert not fits(named, EntityReference("contact", ID))


GIVEN: list[tuple[FieldType, Any, Any]] = [
    (FieldType.DATETIME, datetime(2026, 11, 22, 9, 30, tzinfo=timezone(timedelta(hours=1))), "2026-11-22T08:30:00Z"),
    (FieldType.DATETIME, datetime(1, 1, 1, 0, 0, 0, 120_000, tzinfo=UTC), "0001-01-01T00:00:00.12Z"),
    (FieldType.DECIMAL, 3, Decimal(3)), (FieldType.FLOAT, 3, 3.0), (FieldType.GUID, UUID(ID), ID),
    (FieldType.STRING_ARRAY, ("a",), ["a"]),
    (FieldType.ENTITY_REFERENCE, EntityReference("contact", ID),
     {"@odata.type": "#Microsoft.Dynamics.CRM.contact", "contactid": ID}),
    (FieldType.ENTITY, Entity("contact", {"lastname": "A", "parentcustomerid": ID, "birthdate": None}, ID),
     {"@odata.type": "#Microsoft.Dynamics.CRM.contact", "lastname": "A", "_parentcustomerid_value": ID,
      "birthdate": None, "contactid": ID}),
    (FieldType.ENTITY_COLLECTION, EntityCollection((Entity("contact", {"lastname": "A"}),)),
     [{"@odata.type": "#Microsoft.Dynamics.CRM.contact", "lastname": "A"}]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value", "expected"), GIVEN)
def test_what_goes_out(model, kind, value, expected):
    assert written(a(kind), value, model) == expected


@pytest.mark.parametrize(
    ("kind", "value"),
    [(FieldType.BOOLEAN, 1), (FieldType.INTEGER, True), (FieldType.INTEGER, 2**31), (FieldType.DATETIME, datetime(2026, 1, 1)),  # noqa: DTZ001
     (FieldType.FLOAT, float("nan")), (FieldType.DECIMAL, Decimal("Infinity")), (FieldType.STRING_ARRAY, [1]),
     (FieldType.STRING, b"a"), (FieldType.GUID, ID), (FieldType.ENTITY, {})],
)  # fmt: skip
def test_what_code_may_not_give(kind, value):
    assert not fits(a(kind), value)


def test_csdl():
    plain = [
        "Boolean",
        "DateTimeOffset",
        "Decimal",
        "-",
        "-",
        "-",
        "Double",
        "Int32",
        "Decimal",
        "Int32",
        "String",
        "-",
        "Guid",
    ]
    for kind, word in zip(FieldType, plain, strict=True):
        assert word == "-" or edm(a(kind)) == f"Edm.{word}"
    assert edm(a(FieldType.STRING_ARRAY)) == "Collection(Edm.String)"
    rows = (FieldType.ENTITY, FieldType.ENTITY_COLLECTION, FieldType.ENTITY_REFERENCE)
    assert [edm(a(kind, "contact")) for kind in rows] == ["mscrm.contact", "Collection(mscrm.contact)", "mscrm.contact"]
    assert edm(a(FieldType.ENTITY_COLLECTION)) == "Collection(mscrm.crmbaseentity)"


# ── events ───────────────────────────────────────────────────────────────────────────────────────────────────────────

moments = st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
    lambda at: at.replace(microsecond=at.microsecond // 1000 * 1000)
)
VALUES: dict[FieldType, st.SearchStrategy] = {
    FieldType.BOOLEAN: st.booleans(), FieldType.DATETIME: moments, FieldType.STRING: st.text(max_size=8),
    FieldType.DECIMAL: st.decimals(-1000, 1000, places=3), FieldType.FLOAT: st.floats(-1e6, 1e6),
    FieldType.INTEGER: st.integers(-(2**31), 2**31 - 1), FieldType.PICKLIST: st.integers(0, 9),
    FieldType.MONEY: st.decimals(-1000, 1000, places=2), FieldType.GUID: st.uuids(),
    FieldType.STRING_ARRAY: st.lists(st.text(max_size=3), max_size=3),
    FieldType.ENTITY_REFERENCE: st.just(EntityReference("contact", ID)),
    FieldType.ENTITY: st.just(Entity("contact", {"lastname": "A"}, ID)),
    FieldType.ENTITY_COLLECTION: st.just(EntityCollection((Entity("contact", {"lastname": "A"}, ID),), "contact")),
}  # fmt: skip


def said(**more: Any) -> dict[str, Any]:
    return document(**{  # type: ignore[arg-type]
        "message": "acme_OnVisit", "inputs": [], "correlation": ID, "operation": ID, "depth": 1, "user": ID,
        "business_unit": ID, "organization": "acme", "organization_id": ID, "step": ID,
        "created": datetime(2017, 9, 26, 7, 4, 8, tzinfo=UTC), **more,
    })  # fmt: skip


@given(st.data(), st.sampled_from(list(FieldType)))
def test_what_an_event_says_comes_back_as_it_was(data, kind):
    field, value = Field("A", kind), data.draw(VALUES[kind])
    told = json.loads(text(said(inputs=[("A", value, kind)])))
    assert values_of(told["InputParameters"], [field]) == {"A": value}


DOCUMENTED = {
    "BusinessUnitId", "CorrelationId", "Depth", "InitiatingUserId", "InputParameters", "IsExecutingOffline",
    "IsInTransaction", "IsOfflinePlayback", "IsolationMode", "MessageName", "Mode", "OperationCreatedOn", "OperationId",
    "OrganizationId", "OrganizationName", "OutputParameters", "OwningExtension", "ParentContext", "PostEntityImages",
    "PreEntityImages", "PrimaryEntityId", "PrimaryEntityName", "RequestId", "SecondaryEntityName", "SharedVariables",
    "Stage", "UserId",
}  # fmt: skip
"""Members of the example in the vendor's page on webhooks."""


def test_the_context_has_the_documented_shape():
    image = Entity("contact", {"fullname": "James Glynn (sample)"}, ID)
    target = Entity("contact", {"firstname": "James", "modifiedon": datetime(2017, 9, 26, 0, 4, 7, tzinfo=UTC)}, ID)
    told = said(message="Update", inputs=[("Target", target, None)], after={"AsynchronousStepPrimaryName": image},
                entity="contact", entity_id=ID)  # fmt: skip
    assert set(told) == DOCUMENTED
    assert told["InputParameters"] == [{"key": "Target", "value": {
        "__type": "Entity:http://schemas.microsoft.com/xrm/2011/Contracts",
        "Attributes": [{"key": "firstname", "value": "James"}, {"key": "modifiedon", "value": "/Date(1506384247000)/"}],
        "EntityState": None, "FormattedValues": [], "Id": ID, "KeyAttributes": [], "LogicalName": "contact",
        "RelatedEntities": [], "RowVersion": None,
    }}]  # fmt: skip
    assert told["PostEntityImages"][0]["key"] == "AsynchronousStepPrimaryName"
    assert "__type" not in told["PostEntityImages"][0]["value"]
    assert image_of(told["PostEntityImages"][0]["value"]) == image
    assert told["OwningExtension"] == {
        "Id": ID, "KeyAttributes": [], "LogicalName": "sdkmessageprocessingstep", "Name": None, "RowVersion": None
    }  # fmt: skip
    assert told["OperationCreatedOn"] == stamp(datetime(2017, 9, 26, 7, 4, 8, tzinfo=UTC)) == "/Date(1506409448000)/"


@pytest.mark.parametrize(("signs", "cut"), [(200_000, False), (262_144, True), (140_000, False)])
def test_long_ones_are_cut(signs, cut):
    """A quarter of a MiB in all; 140,000 signs of two bytes are more than that."""
    letter = "ä" if signs == 140_000 else "a"
    told = json.loads(text(said(inputs=[("A", letter * signs, FieldType.STRING)])))
    cut = cut or letter == "ä"
    assert was_cut(told) == cut
    gone = {"ParentContext", "InputParameters", "PreEntityImages", "PostEntityImages"}
    assert set(told) == (DOCUMENTED - gone if cut else DOCUMENTED)
    assert len(text(said(inputs=[("A", letter * signs, FieldType.STRING)])).encode()) <= 256 * 1024
