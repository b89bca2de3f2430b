"""Operations 56–60: hierarchies, for the segments that ask who is below or above (docs/segmentation-query.md)."""

from typing import Annotated, Any

from fastapi import Path

from unify.core.documents import segment_of
from unify.core.errors import SpecError, did_you_mean
from unify.core.names import table_of
from unify.instance import Instance
from unify.service.caller import Caller
from unify.service.errors import ServiceError, bad_request
from unify.service.hosted import Hosted
from unify.service.management.authors import Authors
from unify.service.management.decoded import vendor_area
from unify.service.management.depends import Building, Reading, TheCaller, TheService, open_to
from unify.service.management.hierarchy_list import Hierarchies, HierarchyDependency, HierarchyMetadata
from unify.service.management.ok import OkObjectResult

router = vendor_area("Hierarchies")
HierarchyId = Annotated[str, Path(alias="hierarchyId", description="Its name.")]


@router.get("/hierarchies", operation_id="get_all_hierarchies", summary="All hierarchies")
async def get_all_hierarchies(hosted: Reading, service: TheService, caller: TheCaller) -> list[HierarchyMetadata]:
    """By name."""
    found = await hosted.ask(lambda acme: _Hierarchies(acme, hosted, service, caller).all())
    return await open_to(hosted, caller, found)


@router.get("/hierarchies/{hierarchyId}", operation_id="get_a_hierarchy", summary="One hierarchy")
async def get_a_hierarchy(
    hosted: Reading, service: TheService, caller: TheCaller, hierarchy_id: HierarchyId
) -> HierarchyMetadata:
    """By its name."""
    found = await hosted.ask(lambda acme: _Hierarchies(acme, hosted, service, caller).one(hierarchy_id))
    return await open_to(hosted, caller, found)


@router.post("/hierarchies", operation_id="create_a_hierarchy", summary="A new hierarchy")
async def create_a_hierarchy(
    hosted: Building, service: TheService, caller: TheCaller, body: HierarchyMetadata
) -> HierarchyMetadata:
    """Entity and columns have to be there."""
    return await hosted.ask(lambda acme: _Hierarchies(acme, hosted, service, caller).create(body))


@router.patch("/hierarchies/{hierarchyId}", operation_id="update_a_hierarchy", summary="Change a hierarchy")
async def update_a_hierarchy(
    hosted: Building, service: TheService, caller: TheCaller, hierarchy_id: HierarchyId, body: HierarchyMetadata
) -> HierarchyMetadata:
    """What is not said stays. Segments that were saved with it keep the columns that it had then."""
    return await hosted.ask(lambda acme: _Hierarchies(acme, hosted, service, caller).update(hierarchy_id, body))


@router.delete("/hierarchies/{hierarchyId}", operation_id="delete_a_hierarchy", summary="Delete a hierarchy")
async def delete_a_hierarchy(
    hosted: Building, service: TheService, caller: TheCaller, hierarchy_id: HierarchyId
) -> OkObjectResult:
    """Segments that were saved with it keep its columns."""
    await hosted.ask(lambda acme: _Hierarchies(acme, hosted, service, caller).delete(hierarchy_id))
    return OkObjectResult(value=True)


class _Hierarchies:
    """Those of the catalog, with their authors. Blocking."""

    def __init__(self, acme: Instance, hosted: Hosted, service: Any, caller: Caller) -> None:
        self._acme, self._hosted, self._caller = acme, hosted, caller
        self._kept = Hierarchies(acme.store)
        self._authors = Authors(service.database, hosted.id, "hierarchy")

    def all(self) -> list[HierarchyMetadata]:
        authors = self._authors.all()
        return [self._told(name, authors) for name in self._kept.all()]

    def one(self, name: str) -> HierarchyMetadata:
        return self._told(name, self._authors.all())

    def create(self, body: HierarchyMetadata) -> HierarchyMetadata:
        name = body.name
        if not name:
            raise bad_request("a hierarchy needs a name", where="name")
        try:
            segment_of(name, {"where": "CustomerId ne null"})  # names are checked where projects are read
        except SpecError as error:
            raise bad_request(error.message, where="name", hint=error.hint) from None
        if name in self._kept.all():
            hint = "choose another name, or change it with PATCH"
            raise ServiceError(409, f"there is a hierarchy {name!r} already", where="name", hint=hint)
        self._save(name, body, {})
        return self.one(name)

    def update(self, name: str, body: HierarchyMetadata) -> HierarchyMetadata:
        before = self._kept.get(name)
        if body.name not in (None, name):
            raise bad_request("names do not change", where="name", hint="displayName does")
        self._save(name, body, before.said, after=body.version)
        return self.one(name)

    def delete(self, name: str) -> None:
        self._kept.delete(name)
        self._authors.gone(name)

    def _save(self, name: str, body: HierarchyMetadata, before: dict[str, Any], after: int | None = None) -> None:
        if body.instance_id not in (None, self._hosted.id):
            raise bad_request("it is of another instance", where="instanceId", hint="leave it out")
        said = {k: v for k, v in body.wire().items() if k in ("displayName", "dependency")}
        dependency = {**before.get("dependency", {}), **said.get("dependency", {})}
        self._check(HierarchyDependency.model_validate(dependency))
        whole = {**before, **said, "name": name, "dependency": dependency}
        self._kept.save(name, whole, after=after)
        if not before:
            self._authors.gone(name)
        self._authors.note(name, self._caller.principal)

    def _check(self, said: HierarchyDependency) -> None:
        """ServiceError 400 for an entity or a column that is not there."""
        columns = {
            "accountIdAttribute": said.account_id_attribute,
            "parentAccountIdAttribute": said.parent_account_id_attribute,
        }
        for key, value in {"sourceEntity": said.source_entity, **columns}.items():
            if not value:
                raise bad_request(
                    "is missing", where=f"dependency.{key}", hint="an entity, its key, and the parent's key"
                )
        if self._acme.store.published() is None:
            raise bad_request(
                "nothing has been ingested yet", where="dependency.sourceEntity", hint="submit a job of ingestion"
            )
        known, table = self._acme.entities(), table_of(str(said.source_entity))
        tables = {table_of(entity): entity for entity in known}
        if table not in tables:
            hint = did_you_mean(str(said.source_entity), known)
            raise bad_request(f"there is no entity {said.source_entity!r}", where="dependency.sourceEntity", hint=hint)
        there = self._acme.engine().columns(table)
        for key, column in columns.items():
            if column not in there:
                hint = did_you_mean(str(column), there)
                raise bad_request(
                    f"{said.source_entity} has no column {column!r}", where=f"dependency.{key}", hint=hint
                )

    def _told(self, name: str, authors: dict[str, Any]) -> HierarchyMetadata:
        kept = self._kept.get(name)
        author = authors.get(name)
        tail = (
            author.tail(self._hosted.id)
            if author is not None
            else {"updatedUtc": kept.saved, "instanceId": self._hosted.id}
        )
        return HierarchyMetadata.model_validate({**kept.said, **tail, "version": kept.version})
