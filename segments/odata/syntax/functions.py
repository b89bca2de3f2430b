"""The functions the language itself knows: how each is spelt and how many arguments it takes."""

from typing import Final

CANONICAL: Final[dict[str, tuple[int, int]]] = {
    "concat": (2, 2), "contains": (2, 2), "endswith": (2, 2), "indexof": (2, 2), "length": (1, 1),
    "matchespattern": (2, 2), "startswith": (2, 2), "substring": (2, 3), "tolower": (1, 1), "toupper": (1, 1),
    "trim": (1, 1),
    "date": (1, 1), "day": (1, 1), "fractionalseconds": (1, 1), "hour": (1, 1), "maxdatetime": (0, 0),
    "mindatetime": (0, 0), "minute": (1, 1), "month": (1, 1), "now": (0, 0), "second": (1, 1), "time": (1, 1),
    "totaloffsetminutes": (1, 1), "totalseconds": (1, 1), "year": (1, 1),
    "ceiling": (1, 1), "floor": (1, 1), "round": (1, 1),
    "geo.distance": (2, 2), "geo.intersects": (2, 2), "geo.length": (1, 1),
    "hassubset": (2, 2), "hassubsequence": (2, 2), "isdefined": (1, 1),
}  # fmt: skip
"""Name in lower case: fewest and most arguments. `case`, `cast` and `isof` have forms of their own."""

SPELLING: Final[dict[str, str]] = {name: name for name in CANONICAL} | {
    "matchespattern": "matchesPattern",
    "case": "case",
    "cast": "cast",
    "isof": "isof",
}
"""Name in lower case: the name as it is printed and as OData 4.0 demands it."""

MEMBERSHIP: Final = "IsMemberOfSegment"
"""The vendor's function: `IsMemberOfSegment('S')` and `IsMemberOfSegment(S)` say the same."""

KNOWN: Final = (*SPELLING.values(), MEMBERSHIP)
"""What a misspelt function is compared with."""

OPERATORS: Final[dict[str, int]] = {
    "or": 1, "and": 2, "eq": 3, "ne": 3, "lt": 4, "le": 4, "gt": 4, "ge": 4,
    "add": 5, "sub": 5, "mul": 6, "div": 6, "divby": 6, "mod": 6, "has": 8, "in": 8,
}  # fmt: skip
"""Infix operators and how tightly they bind (URL conventions 5.1.1.17)."""

UNARY: Final = 7
"""`not` and `-` bind tighter than `mul` and looser than `has` and `in`."""
