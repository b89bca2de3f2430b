"""One request handled in a thread: what it is about by its first name, what is done by its method.

""  $metadata  EntityDefinitions…       definitions.py        the model
accounts…                               reading.py writing.py rows
WhoAmI…                                 calls.py              operations
"""

from typing import Final

from unify.dataverse.errors import DataverseError
from unify.dataverse.model import model_of
from unify.service.caller import Role
from unify.service.data.exchange import Inquiry, Reply
from unify.service.data.negotiate import version_of
from unify.service.dataverse import calls, definitions, reading, writing
from unify.service.dataverse.address import Way, way_of
from unify.service.dataverse.allowed import COLLECTION, FUNCTION, READ, not_allowed
from unify.service.dataverse.bodies import bad_payload
from unify.service.dataverse.operations import found
from unify.service.dataverse.session import Session

READS: Final = frozenset(("GET", "HEAD"))
WRITES: Final = frozenset(("POST", "PATCH", "PUT", "DELETE"))
NO_SOLUTION: Final = "0x80048403"
KNOWN_SOLUTIONS: Final = frozenset(("", "active", "default"))


def handled(session: Session, inquiry: Inquiry) -> Reply:
    """The reply; UnifyError for what is refused."""
    version_of(inquiry)
    session.check_caller(inquiry.headers)
    _check_solution(inquiry)
    way = way_of(inquiry.path)
    method = inquiry.method
    if method == "OPTIONS":
        return Reply(204, headers=[(b"allow", _allowed(session, way).encode())])
    if method not in READS and method not in WRITES:
        raise not_allowed(method, _allowed(session, way))
    if way.tail == "$batch":
        message = "a batch holds no batch" if inquiry.in_batch else "a batch is sent with POST"
        raise bad_payload(message) if inquiry.in_batch else not_allowed(method, "POST, OPTIONS")
    if definitions.takes(way):
        return definitions.answer(session, inquiry, way)
    if _is_set(session, way):
        return (reading.read if method in READS else writing.write)(session, inquiry, way)
    return calls.call(session, inquiry, way)


def _check_solution(inquiry: Inquiry) -> None:
    """DataverseError for a solution: components of all belong to the one there is."""
    said = inquiry.header("mscrm.solutionuniquename") or inquiry.header("mscrm.solutionname") or ""
    if said.strip().lower() not in KNOWN_SOLUTIONS:
        message = f"The solution '{said[:80]}' was not found."
        raise DataverseError(message, code=NO_SOLUTION, hint="there are no solutions here; leave the header out")


def _is_set(session: Session, way: Way) -> bool:
    """Whether the first name is that of a set; DataverseError 404 where it is nothing at all."""
    first = way.steps[0]
    if first.qualified:
        return False
    with session.reading() as moment:
        model = model_of(moment)
        if first.name in model.sets:
            return True
        if found(session.instance, first.name) is None:
            session.need(Role.READER)
            model.of_set(first.name)
    return False


def _allowed(session: Session, way: Way) -> str:
    """Methods of an address, as far as its text tells."""
    if way.tail == "$batch":
        return "POST, OPTIONS"
    if not way.steps or definitions.takes(way):
        return READ
    if not _is_set(session, way):
        operation = found(session.instance, way.steps[0].name)
        return FUNCTION if operation is None or operation.function else "POST, OPTIONS"
    if way.tail == "$ref":
        return "GET, HEAD, POST, PUT, DELETE, OPTIONS"
    return (
        COLLECTION
        if len(way.steps) == 1 and way.steps[0].arguments is None
        else "GET, HEAD, PATCH, PUT, POST, DELETE, OPTIONS"
    )
