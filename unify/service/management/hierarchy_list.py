"""Hierarchies that the API has made: an entity whose rows name their parent, under a name. Kept in the catalog.

A segment's query may name one of them, or its entity, and leave the columns out (`filled_in`).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from unify.core.errors import did_you_mean
from unify.service.errors import ServiceError, bad_request, not_found
from unify.spec.segmentation_query import HierarchyDefinition, SegmentationQuery
from unify.spec.wire import AuditedWire, Wire
from unify.store import Store

KIND: Final = "hierarchy"


class HierarchyDependency(Wire):
    """Whose rows, which column is the key of a row, and which names the row above it."""

    source_entity: str | None = None
    account_id_attribute: str | None = None
    parent_account_id_attribute: str | None = None


class HierarchyMetadata(AuditedWire):
    """A hierarchy. Its name is its id."""

    name: str | None = None
    display_name: str | None = None
    dependency: HierarchyDependency | None = None


@dataclass(frozen=True)
class Kept:
    """One, with its version in the catalog."""

    said: dict[str, Any]
    version: int
    saved: datetime


class Hierarchies:
    """Those of one instance. Blocking: SQLite."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def all(self) -> dict[str, Kept]:
        """By name."""
        found = self._store.definitions(KIND)
        return {d.name: Kept(d.body["hierarchy"], d.version, d.saved) for d in found if not d.body.get("deleted")}

    def get(self, name: str) -> Kept:
        """ServiceError 404."""
        known = self.all()
        if name not in known:
            hint = did_you_mean(name, known)
            raise not_found(f"there is no hierarchy {name[:128]!r}", where="hierarchyId", hint=hint)
        return known[name]

    def save(self, name: str, said: dict[str, Any], *, after: int | None = None) -> None:
        """ServiceError 409 when `after` is not the newest version any more."""
        newest = max((v.version for v in self._store.versions(KIND, name)), default=0)
        if after is not None and after != newest:
            message = f"it is at version {newest}, not {after}"
            raise ServiceError(409, message, where="version", hint="look at it again", key="versionConflict")
        self._store.save_definition(KIND, name, {"hierarchy": said}, after=newest)

    def delete(self, name: str) -> None:
        """ServiceError 404."""
        self.get(name)
        self._store.save_definition(KIND, name, {"deleted": True})


def filled_in(query: SegmentationQuery, store: Store) -> SegmentationQuery:
    """A query whose hierarchies have their columns: one that names a hierarchy of the instance, or the entity of one,
    may leave them out. ServiceError 400 for a name without columns that is neither."""
    if not query.hierarchies or all(_whole(h) for h in query.hierarchies):
        return query
    known = Hierarchies(store).all()
    return query.model_copy(update={"hierarchies": tuple(_filled(h, known) for h in query.hierarchies)})


def _whole(hierarchy: HierarchyDefinition) -> bool:
    return hierarchy.source_attribute_name is not None and hierarchy.destination_attribute_name is not None


def _filled(said: HierarchyDefinition, known: dict[str, Kept]) -> HierarchyDefinition:
    if _whole(said):
        return said
    name = said.hierarchy_entity_name or ""
    by_entity = [k.said for k in known.values() if k.said["dependency"]["sourceEntity"] == name]
    found = [known[name].said] if name in known else by_entity
    if len(found) != 1:
        what = "no hierarchy" if not found else "more than one hierarchy"
        hint = "name its columns: sourceAttributeName (the child), destinationAttributeName"
        raise bad_request(f"there is {what} {name!r}", where="segmentQueryExpression.hierarchies", hint=hint)
    dependency = found[0]["dependency"]
    return HierarchyDefinition.model_validate(
        {
            "hierarchyEntityName": dependency["sourceEntity"],
            "sourceAttributeName": dependency["accountIdAttribute"],
            "destinationAttributeName": dependency["parentAccountIdAttribute"],
        }
    )
