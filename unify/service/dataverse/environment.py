"""Operations about the environment: who asks, what answers, how much there is."""

from typing import Any, Final

from unify.dataverse.errors import DataverseError
from unify.dataverse.model import model_of
from unify.dataverse.writes import organization_of, user_id
from unify.service.caller import Role
from unify.service.dataverse.operations import Builtin, Call, Outcome, Parameter

PRODUCT: Final = "9.2.0.0"
"""What clients of Dataverse compare: which Web API this speaks."""


def who_am_i(call: Call) -> Outcome:
    """WhoAmI(): the caller, as a user of the organization."""
    with call.reading() as reading:
        organization, unit = organization_of(reading)
        user = user_id(reading, call.caller.principal)
    return Outcome({"BusinessUnitId": unit, "UserId": user, "OrganizationId": organization})


def retrieve_version(call: Call) -> Outcome:
    """RetrieveVersion()."""
    return Outcome({"Version": PRODUCT})


def retrieve_current_organization(call: Call) -> Outcome:
    """RetrieveCurrentOrganization(AccessType=…): this instance."""
    with call.reading() as reading:
        organization, _ = organization_of(reading)
    base = call.root.partition("/api/data/")[0]
    detail: dict[str, Any] = {
        "OrganizationId": organization,
        "FriendlyName": call.instance.path.name,
        "OrganizationVersion": PRODUCT,
        "EnvironmentId": organization,
        "DatacenterId": "00000000-0000-0000-0000-000000000000",
        "Geo": "",
        "TenantId": "",
        "UrlName": call.instance.path.name,
        "UniqueName": call.instance.path.name,
        "EndpointType": 0,
        "State": "Enabled",
        "Endpoints": {
            "Count": 1,
            "IsReadOnly": False,
            "Keys": ["WebApplication"],
            "Values": [f"{base}/"],
        },
    }
    return Outcome({"Detail": detail})


def retrieve_total_record_count(call: Call) -> Outcome:
    """RetrieveTotalRecordCount(EntityNames=[…]): rows of tables."""
    names = call.parameters["EntityNames"]
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise DataverseError("EntityNames is a list of logical names.", code="0x80040203", where="EntityNames")
    with call.reading() as reading:
        model = model_of(reading)
        tables = [model.table(name) for name in dict.fromkeys(names)]
        counts = [reading.count(table.name) for table in tables]
    return Outcome(
        {
            "EntityRecordCountCollection": {
                "Count": len(tables), "IsReadOnly": False, "Keys": [table.name for table in tables], "Values": counts,
            }
        }
    )  # fmt: skip


OPERATIONS: Final = (
    Builtin(
        "WhoAmI", who_am_i, function=True, role=Role.READER,
        returns=(
            Parameter("BusinessUnitId", "Edm.Guid"), Parameter("UserId", "Edm.Guid"),
            Parameter("OrganizationId", "Edm.Guid"),
        ),
    ),
    Builtin(
        "RetrieveVersion", retrieve_version, function=True, role=Role.READER,
        returns=(Parameter("Version", "Edm.String"),),
    ),
    Builtin(
        "RetrieveCurrentOrganization", retrieve_current_organization, function=True, role=Role.READER,
        parameters=(Parameter("AccessType", "mscrm.EndpointAccessType"),),
        returns=(Parameter("Detail", "mscrm.OrganizationDetail"),),
    ),
    Builtin(
        "RetrieveTotalRecordCount", retrieve_total_record_count, function=True,
        parameters=(Parameter("EntityNames", "Collection(Edm.String)"),),
        returns=(Parameter("EntityRecordCountCollection", "mscrm.EntityRecordCountCollection"),),
    ),
)  # fmt: skip
