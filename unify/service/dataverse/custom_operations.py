"""Custom APIs as operations of the Web API: a source of `operations.py`, beside those that are built in.

POST acme_Score {"Customer": "…"}      GET acme_Best(Shop='Bern',At=@p)?@p=2026-11-22T00:00:00Z
POST accounts(…)/Microsoft.Dynamics.CRM.acme_Escalate
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from unify.custom import STEPS, CustomApi, EntityCollection, EntityReference, FieldType, Pipeline, Request, Who
from unify.custom.installing import install
from unify.custom.privileges import level_of
from unify.custom.queue import depth_of
from unify.custom.registered import registered
from unify.custom.types import edm, row, written
from unify.dataverse.model import model_of
from unify.dataverse.writes import Writer, organization_of, user_id
from unify.opened import Opened
from unify.records import RecordStore, Writing
from unify.service.access.restricted import RestrictedInstance
from unify.service.caller import Caller, Role
from unify.service.dataverse.custom_jobs import submitter
from unify.service.dataverse.custom_labels import LABELS
from unify.service.dataverse.operations import Binding, Call, Operations, Outcome, Parameter

ANY_ROWS: Final = "Collection(Microsoft.Dynamics.CRM.crmbaseentity)"
ROLES: Final = {level.name.lower(): level for level in Role}


def operations(instance: Opened) -> Operations:
    """Custom APIs of an instance that can be called, by name, and the operations on their labels."""
    store = RecordStore(instance.path)
    code = STEPS.code(instance.path)
    install(store, code)
    with store.read() as reading:
        found = registered(reading, code)
    return {**LABELS, **{api.name: Custom(api) for api in found.apis.values() if api.complete}}


@dataclass(frozen=True, slots=True)
class Custom:
    """One custom API as an operation. Who may call it is the API's own rule: a privilege, or everybody with a role."""

    api: CustomApi

    @property
    def name(self) -> str:
        """See Operation."""
        return self.api.name

    @property
    def function(self) -> bool:
        """See Operation."""
        return self.api.is_function

    @property
    def binding(self) -> Binding:
        """See Operation."""
        return Binding(int(self.api.binding))

    @property
    def table(self) -> str | None:
        """See Operation."""
        return self.api.entity

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """See Operation."""
        return tuple(Parameter(field.name, edm(field), field.optional) for field in self.api.parameters)

    @property
    def returns(self) -> str | tuple[Parameter, ...] | None:
        """See Operation: one Entity or EntityCollection is the answer itself."""
        if self.api.returned is not None:
            return edm(self.api.returned)
        return tuple(Parameter(field.name, edm(field)) for field in self.api.properties) or None

    @property
    def private(self) -> bool:
        """See Operation."""
        return self.api.is_private

    @property
    def role(self) -> Role:
        """See Operation."""
        return Role.READER

    def call(self, call: Call) -> Outcome:
        """Do it, and write what it answers."""
        with call.reading() as reading:
            organization = organization_of(reading)
            user = user_id(reading, call.caller.principal)
            sent = _guid(call.headers.get("x-ms-correlation-request-id"))
            depth = depth_of(reading, sent) + 1 if sent is not None else 1
            model = model_of(reading)

        def may(privilege: str) -> bool:
            level = level_of(privilege, model)
            return level in ROLES and call.caller.may(call.instance.path.name, ROLES[level or ""])

        @contextmanager
        def begin() -> Iterator[Writing]:
            with call.transaction() as writing:
                call.writer(writing)
                yield writing

        who = Who(
            call.caller.principal,
            Writer(user, organization[1], datetime.now(UTC)),
            may,
            records=may_see_records(call.caller, call.instance),
        )
        pipeline = Pipeline(
            call.instance.path,
            STEPS.code(call.instance.path),
            who,
            instance=call.instance,
            look=call.reading,
            begin=begin,
            failed=STEPS.failed,
            submit=submitter(call.instance.path, call.caller.principal),
        )
        target = None
        if call.target is not None and call.target.id is not None:
            target = EntityReference(call.target.table, call.target.id)
        request = Request(self.name, call.parameters, target, depth, sent or call.correlation)
        answer = pipeline.call(request)
        with call.reading() as reading:
            return _outcome(answer.api, answer.outputs, model_of(reading), call)


def may_see_records(caller: Caller, instance: Opened) -> bool:
    """Whether a caller may read and write record tables, which hold unmasked data."""
    return caller.may(instance.path.name, Role.STEWARD) and not isinstance(instance, RestrictedInstance)


def _outcome(api: CustomApi, outputs: Mapping[str, Any], model: Any, call: Call) -> Outcome:
    if not api.properties:
        return Outcome()
    only = api.returned
    if only is None:
        return Outcome({field.name: written(field, outputs[field.name], model) for field in api.properties})
    value = outputs[only.name]
    if only.type is FieldType.ENTITY_COLLECTION:
        value = value or EntityCollection()
        table = only.entity or value.table
        context = ANY_ROWS if table is None else model.table(table).set_name
        return Outcome([row(one, model) for one in value.rows], context)
    if value is None:
        return Outcome()
    said = row(value, model)
    return Outcome(said, f"{model.table(value.table).set_name}/$entity")


def _guid(text: str | None) -> str | None:
    try:
        return str(UUID((text or "").strip().strip("{}")))
    except ValueError:
        return None
