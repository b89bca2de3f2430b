"""Which attributes `$search` looks at, where somebody said so: the search configuration of an instance."""

from collections.abc import Mapping
from typing import Any, Final
from weakref import WeakKeyDictionary

from unify.store import Store

KIND: Final = "search"
NAME: Final = "configuration"
"""Of the definition in the catalog: the vendor's InstanceSearchConfiguration."""
_read: "WeakKeyDictionary[Store, tuple[tuple[object, ...], Mapping[str, frozenset[str]]]]" = WeakKeyDictionary()
"""Store → the stamp of its catalog and what it said then: asking for the stamp takes 4 µs, reading 400."""


def searched_in(store: Store) -> Mapping[str, frozenset[str]]:
    """Table → attributes that are searched; a table that is not in it: every attribute that holds text."""
    stamp = tuple(store.stamp())
    found = _read.get(store)
    if found is None or found[0] != stamp:
        found = _read[store] = stamp, _searched(store)
    return found[1]


def _searched(store: Store) -> Mapping[str, frozenset[str]]:
    bodies: list[dict[str, Any]] = [d.body for d in store.definitions(KIND) if d.name == NAME]
    saved = bodies[0] if bodies else {"entityConfig": []}
    return {
        entity["qualifiedEntityName"]: frozenset(
            a["name"] for a in entity["attributes"] if a["properties"].get("isSearchable")
        )
        for entity in saved["entityConfig"]
    }
