"""The ledger of erasures: one definition in the catalog, whose every version holds all entries.

It outlives generations, rollbacks and resets of sources: whoever is in it is left out by every later run, wherever the
files still have them. It holds hashes of keys under a salt of the instance, the reason, the time, and nothing else.
"""

import secrets
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from unify.core.erased import NOBODY, Erased
from unify.store import Store

KIND: Final = "erasures"
NAME: Final = "ledger"


def erased(store: Store) -> Erased:
    """Everybody who was erased."""
    body = _body(store)
    if body is None:
        return NOBODY
    hashes: dict[str, set[str]] = {}
    for entry in body["entries"]:
        for entity, found in entry["hashes"].items():
            hashes.setdefault(entity, set()).update(found)
    return Erased(body["salt"], {entity: frozenset(found) for entity, found in hashes.items()})


def entries(store: Store) -> list[dict[str, Any]]:
    """What was erased when and why, oldest first; `done` is false where a process ended before it had finished."""
    body = _body(store)
    return list(body["entries"]) if body is not None else []


def add(store: Store, records: Mapping[str, Collection[str]], reason: str) -> str:
    """Write an erasure down, before the first deletion; its id. On disk when this returns."""
    body = _body(store) or {"salt": secrets.token_hex(16), "entries": []}
    known = Erased(body["salt"])
    id_ = secrets.token_hex(6)
    hashes = {e: sorted(known.hash(e, key) for key in keys) for e, keys in sorted(records.items()) if keys}
    at = datetime.now(UTC).isoformat(timespec="seconds")
    body["entries"].append({"id": id_, "at": at, "reason": reason, "hashes": hashes, "done": False})
    _save(store, body)
    return id_


def finished(store: Store) -> None:
    """Every erasure is whole."""
    body = _body(store)
    if body is not None and not all(entry["done"] for entry in body["entries"]):
        _save(store, {**body, "entries": [{**entry, "done": True} for entry in body["entries"]]})


def _body(store: Store) -> dict[str, Any] | None:
    found = [d for d in store.definitions(KIND) if d.name == NAME]
    return dict(found[0].body) if found else None


def _save(store: Store, body: Mapping[str, Any]) -> None:
    known = [d.version for d in store.definitions(KIND) if d.name == NAME]
    store.save_definition(KIND, NAME, body, after=known[0] if known else 0)
