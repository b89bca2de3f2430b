"""Functions and actions called: which one, with what, on what; and its answer."""

import re
from collections.abc import Mapping
from typing import Any, Final

from unify.dataverse.errors import NO_PROPERTY, DataverseError
from unify.service.data.exchange import Inquiry, Reply
from unify.service.dataverse.address import Step, Way, aliases_of, pairs_of, value_of
from unify.service.dataverse.allowed import ACTION, FUNCTION, not_allowed
from unify.service.dataverse.answers import json_reply
from unify.service.dataverse.bodies import json_body
from unify.service.dataverse.errors import BAD_PAYLOAD
from unify.service.dataverse.operations import Binding, Call, Operation, Outcome, Target, found
from unify.service.dataverse.places import Bound, Collection, Place, no_segment, row_id
from unify.service.dataverse.session import Session
from unify.service.errors import ServiceError

PASSED: Final = frozenset(("tag", "api-version", "SolutionUniqueName"))
"""Options that any call takes."""
COLLECTION_TYPE: Final = re.compile(r"Collection\((.+)\)\Z")


def call(session: Session, inquiry: Inquiry, way: Way) -> Reply:
    """An unbound one, by bare name."""
    step, *more = way.steps
    operation = found(session.instance, step.name)
    if operation is None or operation.binding is not Binding.GLOBAL or more or way.tail:
        raise no_segment(more[0].name if more and operation is not None else step.name)
    return _call(session, inquiry, operation, step, None)


def call_bound(session: Session, inquiry: Inquiry, bound: Bound, tail: str) -> Reply:
    """One that stands behind a row or a set. The row has to be there."""
    operation = found(session.instance, bound.step.name)
    table = bound.owner.table.name
    on_set = isinstance(bound.owner, Collection)
    wanted = Binding.COLLECTION if on_set else Binding.ENTITY
    if operation is None or operation.binding is not wanted or operation.table not in (None, table) or tail:
        raise no_segment(bound.step.name)
    if isinstance(bound.owner, Place):
        with session.reading() as reading:
            target = Target(table, row_id(session.questions(reading), bound.owner))
    else:
        target = Target(table, None)
    return _call(session, inquiry, operation, bound.step, target)


def _call(session: Session, inquiry: Inquiry, operation: Operation, step: Step, target: Target | None) -> Reply:
    session.need(operation.role)
    if operation.function:
        if inquiry.method not in ("GET", "HEAD"):
            raise not_allowed(inquiry.method, FUNCTION)
        given = _of_address(inquiry, operation, step)
    else:
        if inquiry.method != "POST":
            raise not_allowed(inquiry.method, ACTION)
        if step.arguments:
            raise _not_valid(str(step.arguments[0].name or ""), operation, "its values stand in the body")
        given = json_body(inquiry, session.references)
    _check_options(inquiry, operation)
    _check(operation, given)
    outcome = operation.call(_made(session, inquiry, operation, given, target))
    return _answer(session, inquiry, operation, outcome)


def _of_address(inquiry: Inquiry, operation: Operation, step: Step) -> dict[str, Any]:
    aliases = aliases_of(inquiry.query)
    given: dict[str, Any] = {}
    for argument in step.arguments or ():
        if argument.name is None:
            raise _not_valid("", operation, f"write {operation.name}(Name=@p)?@p=…")
        given[argument.name] = value_of(argument.value, aliases)
    return given


def _check_options(inquiry: Inquiry, operation: Operation) -> None:
    for name, _ in pairs_of(inquiry.query):
        if name.startswith("@") or name in PASSED:
            continue
        if name.startswith("$"):
            raise ServiceError(501, f"{name[:40]} is not answered on what {operation.name} gives", where=name[:40])
        raise DataverseError(f"The query parameter {name[:64]} is not supported.", code=NO_PROPERTY, where=name[:64])


def _check(operation: Operation, given: Mapping[str, Any]) -> None:
    """DataverseError for a parameter that is unknown or missing. Annotations are passed over."""
    known = {parameter.name: parameter for parameter in operation.parameters}
    for name in given:
        if name not in known and "@odata." not in name:
            raise _not_valid(name, operation, f"it has {', '.join(known) or 'none'}")
    for parameter in operation.parameters:
        if not parameter.optional and given.get(parameter.name) is None:
            message = f"Required field '{parameter.name}' is missing for operation '{operation.name}'."
            raise DataverseError(message, code="0x80040203", where=parameter.name)


def _not_valid(name: str, operation: Operation, hint: str) -> DataverseError:
    message = (
        f"The parameter '{name[:80]}' in the request payload is not a valid parameter for the operation "
        f"'{operation.name}'."
    )
    return DataverseError(message, code=BAD_PAYLOAD, where=name[:80] or "path", hint=hint)


def _made(
    session: Session, inquiry: Inquiry, operation: Operation, given: Mapping[str, Any], target: Target | None
) -> Call:
    return Call(
        name=operation.name,
        instance=session.instance,
        parameters={name: value for name, value in given.items() if "@odata." not in name},
        target=target,
        caller=session.caller,
        root=session.mount.root,
        correlation=session.correlation,
        headers=inquiry.headers,
        reading=session.reading,
        transaction=session.transaction,
        writer=session.writer,
        questions=session.questions,
        after=session.afters.append,
        in_change_set=session.in_change_set,
    )


def _answer(session: Session, inquiry: Inquiry, operation: Operation, outcome: Outcome) -> Reply:
    headers = [(name.lower().encode(), text.encode("latin-1", "replace")) for name, text in outcome.headers.items()]
    if outcome.value is None:
        return Reply(204, headers=headers)
    root, context = session.mount.root, outcome.context or _context(operation)
    said: dict[str, Any] = {"@odata.context": f"{root}$metadata#{context}"}
    if isinstance(outcome.value, Mapping):
        said |= outcome.value
    else:
        said["value"] = outcome.value
    reply = json_reply(inquiry, 200, said, headers)
    reply.rows = len(outcome.value) if isinstance(outcome.value, list) else 1
    return reply


def _context(operation: Operation) -> str:
    """What an answer is of, behind `$metadata#`."""
    if isinstance(operation.returns, str):
        match = COLLECTION_TYPE.match(operation.returns)
        return operation.returns if match is None or match[1].startswith("Edm.") else match[1].removeprefix("mscrm.")
    return f"Microsoft.Dynamics.CRM.{operation.name}Response"
