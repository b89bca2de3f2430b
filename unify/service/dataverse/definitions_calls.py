"""Operations about the model: tables made in one call, and what changed in the definitions."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

from unify.dataverse.errors import EXPIRED_TOKEN, DataverseError
from unify.dataverse.model import create_table, model_of
from unify.service.caller import Role
from unify.service.dataverse.bodies import bad_payload, floated
from unify.service.dataverse.metadata import things
from unify.service.dataverse.metadata.asked import Thing, no_property
from unify.service.dataverse.operations import Builtin, Call, Outcome, Parameter

PARTS: Final[Mapping[str, tuple[str, ...]]] = {
    "AttributeQuery": ("Attributes",),
    "KeyQuery": ("Keys",),
    "RelationshipQuery": ("OneToManyRelationships", "ManyToOneRelationships", "ManyToManyRelationships"),
}
"""Members of a query that speak of what hangs on a table."""
TESTS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "Equals": lambda left, right: left == right,
    "NotEquals": lambda left, right: left != right,
    "In": lambda left, right: isinstance(right, list) and left in right,
    "NotIn": lambda left, right: isinstance(right, list) and left not in right,
    "GreaterThan": lambda left, right: _both(left, right) and left > right,
    "LessThan": lambda left, right: _both(left, right) and left < right,
}
DEEPEST: Final = 16


def create_entities(call: Call) -> Outcome:
    """CreateEntities: tables with their columns, all or none."""
    said = call.parameters["Entities"]
    if not isinstance(said, list) or not said or not all(isinstance(one, dict) for one in said):
        raise bad_payload("Entities is a list of definitions")
    with call.transaction() as writing:
        made = [create_table(writing, floated(one)) for one in said]
    return Outcome({"EntityIds": [table.id for table in made]})


# ── RetrieveMetadataChanges ──────────────────────────────────────────────────────────────────────────────────────────


def retrieve_changes(call: Call) -> Outcome:
    """RetrieveMetadataChanges: definitions that fit a query, with the properties it names.

    A stamp of ours that is the current one gives nothing, since nothing changed; another one is refused as expired, so
    that the client reads all again.
    """
    query = call.parameters.get("Query") or {}
    if not isinstance(query, dict):
        raise bad_payload("Query is an EntityQueryExpression")
    with call.reading() as reading:
        model = model_of(reading)
        stamp = f"{model.version}!{reading.version}"
    current, given = str(model.version), call.parameters.get("ClientVersionStamp")
    if given is not None:
        if str(given).partition("!")[0] != current:
            raise DataverseError(
                "Version stamp associated with the client has expired. Please perform a full sync.",
                code=EXPIRED_TOKEN, status=HTTPStatus.BAD_REQUEST, where="ClientVersionStamp",
            )  # fmt: skip
        return Outcome({"ServerVersionStamp": str(given), "EntityMetadata": [], "DeletedMetadata": None})
    for name in query:
        if name not in (*PARTS, "Properties", "Criteria", "LabelQuery") and "@" not in name:
            raise bad_payload(f"a query has no {name[:60]}", hint=f"it has {', '.join(PARTS)}, Properties, Criteria")
    rows = [_shown(one, query) for one in things.tables(model) if _fits(query.get("Criteria"), one.values, 0)]
    return Outcome({"ServerVersionStamp": stamp, "EntityMetadata": rows, "DeletedMetadata": None})


def _both(left: Any, right: Any) -> bool:
    return isinstance(left, int | float) and isinstance(right, int | float)


def _shown(one: Thing, query: Mapping[str, Any]) -> dict[str, Any]:
    names = _names(query)
    found = _properties(one, names)
    for part, lists in PARTS.items():
        nested = query.get(part)
        for name in lists:
            if nested is None and (names is None or name not in names):
                continue
            inner = nested if isinstance(nested, dict) else {}
            items = one.links[name]()
            chosen = (
                [each for each in items if _fits(inner.get("Criteria"), each.values, 0)]
                if isinstance(items, list)
                else []
            )
            found[name] = [_typed(each, _names(inner)) for each in chosen]
    return found


def _typed(one: Thing, names: list[str] | None) -> dict[str, Any]:
    made = {"@odata.type": f"#Microsoft.Dynamics.CRM.{one.kind}", **_properties(one, names)}
    if names is None or "OptionSet" in names:
        linked = one.links["OptionSet"]() if "OptionSet" in one.links else None
        if isinstance(linked, Thing):
            made["OptionSet"] = {"@odata.type": f"#Microsoft.Dynamics.CRM.{linked.kind}", **linked.values}
    return made


def _names(query: Mapping[str, Any]) -> list[str] | None:
    """Properties that are asked for; None: all."""
    said = query.get("Properties")
    if said is None:
        return []
    if not isinstance(said, dict):
        raise bad_payload("Properties is a MetadataPropertiesExpression")
    if said.get("AllProperties"):
        return None
    names = said.get("PropertyNames") or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise bad_payload("PropertyNames is a list of names")
    return names


def _properties(one: Thing, names: list[str] | None) -> dict[str, Any]:
    """Those that are asked for; of a list of mixed kinds each has its own."""
    if names is None:
        return dict(one.values)
    if one.base == things.ENTITY:
        for name in names:
            if name not in one.values and name not in one.links:
                raise no_property(name, one.base, {*one.values, *one.links})
    found = {name: one.values[name] for name in names if name in one.values}
    return found | {"MetadataId": one.values["MetadataId"]}


def _fits(criteria: Any, values: Mapping[str, Any], depth: int) -> bool:
    """Whether one object meets a MetadataFilterExpression; DataverseError."""
    if criteria is None:
        return True
    if not isinstance(criteria, dict) or depth > DEEPEST:
        raise bad_payload("Criteria is a MetadataFilterExpression")
    conditions, filters = criteria.get("Conditions") or [], criteria.get("Filters") or []
    if not isinstance(conditions, list) or not isinstance(filters, list):
        raise bad_payload("Conditions and Filters are lists")
    met = [_met(one, values) for one in conditions] + [_fits(one, values, depth + 1) for one in filters]
    joined = criteria.get("FilterOperator", "And")
    if joined not in ("And", "Or"):
        raise bad_payload("FilterOperator is And or Or")
    return all(met) if joined == "And" else any(met) or not met


def _met(said: Any, values: Mapping[str, Any]) -> bool:
    name = said.get("PropertyName") if isinstance(said, dict) else None
    test = TESTS.get(str(said.get("ConditionOperator"))) if isinstance(said, dict) else None
    if not isinstance(name, str) or test is None:
        hint = f"it has a PropertyName, a Value, and a ConditionOperator of {', '.join(TESTS)}"
        raise bad_payload("this is no condition on definitions", hint=hint)
    given = said.get("Value")
    return test(values.get(name), given.get("Value") if isinstance(given, dict) else given)


OPERATIONS: Final = (
    Builtin(
        "CreateEntities", create_entities,
        parameters=(
            Parameter("Entities", "Collection(mscrm.ComplexEntityMetadata)"),
            Parameter("SolutionUniqueName", "Edm.String", optional=True),
        ),
        returns=(Parameter("EntityIds", "Collection(Edm.Guid)"),),
    ),
    Builtin(
        "RetrieveMetadataChanges", retrieve_changes, function=True, role=Role.ANALYST,
        parameters=(
            Parameter("Query", "mscrm.EntityQueryExpression", optional=True),
            Parameter("ClientVersionStamp", "Edm.String", optional=True),
        ),
        returns=(
            Parameter("EntityMetadata", "Collection(mscrm.EntityMetadata)"),
            Parameter("ServerVersionStamp", "Edm.String"), Parameter("DeletedMetadata", "Edm.String", optional=True),
        ),
    ),
)  # fmt: skip
