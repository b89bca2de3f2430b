"""Operations of Dataverse that clients send: who am I, versions, counts, many rows at once, deletes in bulk."""

from unify.opened import Opened
from unify.service.dataverse import bulk, definitions_calls, environment
from unify.service.dataverse.operations import Builtin, Operations

ALL = {one.name: one for one in (*environment.OPERATIONS, *bulk.OPERATIONS, *definitions_calls.OPERATIONS)}


def operations(instance: Opened) -> Operations:
    """See unify/service/dataverse/operations.py; the same for every instance."""
    return ALL


__all__ = ["Builtin", "operations"]
