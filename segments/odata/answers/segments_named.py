"""Which segments a request speaks of, wherever it does."""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import MappingProxyType

from segments.odata.syntax.ast import Call, Literal, Name
from segments.odata.syntax.ast_options import Membership, Request
from segments.odata.syntax.functions import MEMBERSHIP


def segments_named(request: Request, sets: Mapping[str, str] = MappingProxyType({})) -> frozenset[str]:
    """Names in every IsMemberOfSegment, in options, nested options, aliases and the path, and the set that is asked.

    sets   entity sets that are segments: name of the set → segment

    >>> from segments.odata import parse_request
    >>> sorted(segments_named(parse_request("Customer?$filter=not IsMemberOfSegment('A')&IsMemberOfSegment('B')")))
    ['A', 'B']
    """
    first = request.path.segments[0] if request.path.segments else None
    found = {sets[first.text]} if isinstance(first, Name) and first.text in sets else set[str]()
    todo: list[object] = [request]
    while todo:
        node = todo.pop()
        if isinstance(node, tuple):
            todo += node
        elif isinstance(node, Membership):
            found.add(node.segment)
        elif isinstance(node, Call) and node.name == MEMBERSHIP and isinstance(node.arguments[0], Literal):
            found.add(str(node.arguments[0].value))
        elif is_dataclass(node) and not isinstance(node, type):
            todo += [getattr(node, field.name) for field in fields(node)]
    return frozenset(found)
