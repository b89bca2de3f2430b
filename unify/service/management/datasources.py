"""Operations 8–10: data sources, which are the sources of the draft; and what the client lacks: making one."""

# ruff: noqa: N803 - parameters are called what the wire calls them

import asyncio
import os
import shutil
import uuid
from datetime import datetime
from typing import Any, Final, Literal

from pydantic import Field

from unify.core.errors import SpecError, did_you_mean
from unify.service.errors import ServiceError, not_found
from unify.service.hosted import Hosted
from unify.service.management.authors import Authors
from unify.service.management.depends import Building, Reading, TheCaller, TheService, open_to
from unify.service.management.drafts import edit, users_of, whole
from unify.service.management.entity_info import (
    AttributeSemanticInformation,
    DatasourceEntityInformation,
    WireEntityType,
    apply_info,
    info_of,
)
from unify.service.management.fence import INCOMING
from unify.service.management.ok import OkResult
from unify.service.management.routes import area
from unify.service.management.telling import told
from unify.spec import Project
from unify.spec.base import NAME
from unify.spec.wire import AuditedWire, Wire
from unify.verbs.draft import Document

router = area("Data sources")
Kind = Literal[
    "salesforce", "dynamics365", "powerQuery", "attachCdm", "attachSynapse", "attachCds", "powerPlatform", "datahub",
    "firstParty",
]  # fmt: skip
FILES: Final = "attachCdm"
"""What the vendor calls a source of files that are read where they lie; the kind is kept and told, nothing more."""


class DataSourceMetadata(AuditedWire):
    """A source. `dataSourceId` is its name: it tells sources of an instance apart and never changes."""

    kind: Kind | None = None
    is_active: bool | None = None
    entity_names: tuple[str, ...] | None = None
    entities_count: int | None = None
    data_source_id: str | None = None
    name: str | None = None
    friendly_name: str | None = None
    entity_information: tuple[DatasourceEntityInformation, ...] | None = None
    provisioning_state: Literal["active"] | None = None
    last_refresh: datetime | None = None
    refresh_state: Literal["notUpdated", "updated", "updating", "updateFailed", "updateCancelled"] | None = None


class ModelEntity(Wire):
    """An entity of the model."""

    name: str | None = None
    description: str | None = None
    is_hidden: bool | None = None


class DataModel(Wire):
    """The entities of a source, as `includeModel` tells them."""

    name: str | None = None
    version: str | None = None
    culture: str | None = None
    modified_time: datetime | None = None
    entities: tuple[ModelEntity, ...] | None = None


class DataSourceInfo(Wire):
    """A source and its model."""

    data_source_metadata: DataSourceMetadata | None = None
    model: DataModel | None = None


class NewEntity(Wire):
    """An entity to declare.

    settings   further keys of an entity in a project file: `columns`, `csv`, `dates`, `where`, `duplicates`, `drift`,
               `format`, `incremental`, `pii`; and `files`, paths below `incoming/`, when uploads are to lie elsewhere,
               or `records`, a record table that stands for files
    """

    entity_name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=100)
    primary_key: str = Field(min_length=1)
    entity_type: WireEntityType | None = None
    timestamp_field_name: str | None = Field(default=None, min_length=1)
    semantic_labels: tuple[AttributeSemanticInformation, ...] | None = None
    settings: dict[str, Any] = Field(default={})


class DataSourceCreation(Wire):
    """A source to declare; its files are uploaded next."""

    name: str = Field(min_length=1, max_length=100)
    kind: Kind | None = None
    friendly_name: str | None = Field(default=None, max_length=200)
    entities: tuple[NewEntity, ...] = Field(min_length=1)


@router.get("/manage/datasources", operation_id="get_all_data_sources", summary="Every data source")
async def get_all_data_sources(hosted: Reading, service: TheService, caller: TheCaller) -> list[DataSourceInfo]:
    """Sources of the draft with what was last ingested of each, by name."""
    return await open_to(hosted, caller, await asyncio.to_thread(_all, service, hosted))


@router.get("/manage/datasources/{dataSourceId}", operation_id="get_data_source", summary="One data source")
async def get_data_source(
    hosted: Reading,
    service: TheService,
    caller: TheCaller,
    dataSourceId: str,
    includeModel: bool = True,
) -> DataSourceInfo:
    """404 for an unknown one, which the vendor's client tells as HttpOperationError: its list has no 404 here."""
    found = await open_to(hosted, caller, await asyncio.to_thread(_one, service, hosted, dataSourceId))
    return found if includeModel else found.model_copy(update={"model": None})


@router.post("/manage/datasources", operation_id="create_a_data_source", summary="Declare a data source")
async def create_a_data_source(
    body: DataSourceCreation, hosted: Building, service: TheService, caller: TheCaller
) -> DataSourceInfo:
    """Its entities become entities of the draft; each takes the files that are uploaded for it (PUT …/files/…)."""
    await asyncio.to_thread(_create, service, hosted, body, caller.principal)
    return await asyncio.to_thread(_one, service, hosted, body.name)


@router.delete("/manage/datasources/{dataSourceId}", operation_id="delete_a_data_source", summary="Remove a source")
async def delete_a_data_source(hosted: Building, service: TheService, dataSourceId: str) -> OkResult:
    """From the draft, with the files that were uploaded for it; its rows go with the next run.

    409 naming what depends on it, in the order in which that must go.
    """
    await asyncio.to_thread(_delete, service, hosted, dataSourceId)
    return OkResult()


def source_in(document: Document, name: str) -> dict[str, Any]:
    """The entities of a source of a draft; ServiceError 404."""
    sources: dict[str, Any] = document.get("sources") or {}
    if name not in sources:
        raise not_found(
            f"there is no data source {name[:200]!r}",
            where="dataSourceId",
            hint=did_you_mean(name, sources),
            key="dataSourceNotFound",
        )
    found: dict[str, Any] = sources[name]
    return found


def _all(service: Any, hosted: Hosted) -> list[DataSourceInfo]:
    document = whole(hosted.draft.now().document)
    return [_told(service, hosted, document, name) for name in sorted(document.get("sources") or {})]


def _one(service: Any, hosted: Hosted, name: str) -> DataSourceInfo:
    document = whole(hosted.draft.now().document)
    source_in(document, name)
    return _told(service, hosted, document, name)


def _told(service: Any, hosted: Hosted, document: Document, name: str) -> DataSourceInfo:
    project = Project.model_validate(document)
    entities = {entity: project.entity(f"{name}.{entity}") for entity in project.sources[name]}
    author = Authors(service.database, hosted.id, "datasource").all().get(name)
    said = (author.said or {}) if author else {}
    published = hosted.store.published()
    ingested = published is not None and all(f"{name}_{entity}" in published.rows for entity in entities)
    metadata = DataSourceMetadata.model_validate(
        {
            "kind": said.get("kind", FILES),
            "isActive": True,
            "entityNames": list(entities),
            "entitiesCount": len(entities),
            "dataSourceId": name,
            "name": name,
            "friendlyName": said.get("friendlyName", name),
            "entityInformation": [info_of(entity, spec).wire() for entity, spec in entities.items()],
            "provisioningState": "active",
            "lastRefresh": published.published if published is not None and ingested else None,
            "refreshState": "updated" if ingested else "notUpdated",
            **(author.tail(hosted.id) if author else {"instanceId": hosted.id}),
        }
    )
    model = told(
        DataModel,
        name=name,
        version="1.0",
        culture="en-US",
        modified_time=metadata.last_refresh,
        entities=tuple(told(ModelEntity, name=entity, is_hidden=False) for entity in entities),
    )
    return told(DataSourceInfo, data_source_metadata=metadata, model=model)


def _create(service: Any, hosted: Hosted, body: DataSourceCreation, by: str) -> None:
    if not NAME.match(body.name):
        raise ServiceError(
            400,
            f"{body.name!r} is no name of a data source",
            where="name",
            hint="begin with a letter, then letters, digits and underscores",
            key="invalidDataSourceNameCharacter",
        )
    names = [e.entity_name for e in body.entities]
    for name in {n for n in names if sum(n.casefold() == other.casefold() for other in names) > 1}:
        raise ServiceError(400, f"the entity {name} stands twice", where="entities")

    def add(document: Document) -> None:
        sources = document.setdefault("sources", {})
        if body.name.casefold() in {name.casefold() for name in sources}:
            raise ServiceError(
                409, f"there is a data source {body.name!r} already", where="name", key="duplicateDataSourceName"
            )
        sources[body.name] = {e.entity_name: _declared(body.name, e) for e in body.entities}

    edit(hosted, add)
    said = {"kind": body.kind or FILES, "friendlyName": body.friendly_name or body.name}
    Authors(service.database, hosted.id, "datasource").note(body.name, by, said)


def _declared(source: str, entity: NewEntity) -> dict[str, Any]:
    """As a project file would have it."""
    taken = {"key", "type", "timestamp", "labels"} & set(entity.settings)
    if taken:
        word = ", ".join(sorted(taken))
        raise SpecError(f"{word}: said beside `settings`", where=f"entities.{entity.entity_name}.settings")
    uploads = [] if "records" in entity.settings else [f"{INCOMING}/{source}/{entity.entity_name}"]
    made: dict[str, Any] = {
        **({"files": uploads} if uploads else {}),
        **entity.settings,
        "key": entity.primary_key,
        "labels": {},
    }
    info = told(
        DatasourceEntityInformation,
        entity_name=entity.entity_name,
        entity_type=entity.entity_type,
        timestamp_field_name=entity.timestamp_field_name,
        semantic_labels=entity.semantic_labels,
    )
    apply_info(made, info)
    return made


def _delete(service: Any, hosted: Hosted, name: str) -> None:
    def remove(document: Document) -> None:
        entities = source_in(document, name)
        users = users_of(document, [f"{name}.{entity}" for entity in entities]) + _segments_using(
            hosted, name, entities
        )
        if users:
            raise ServiceError(
                409,
                f"the data source {name} is used by {', '.join(users)}",
                where="dataSourceId",
                hint="remove or change those first, in this order",
                key="dataSourceUpdateDependenciesError",
            )
        del document["sources"][name]

    edit(hosted, remove)
    Authors(service.database, hosted.id, "datasource").gone(name)
    folder = hosted.store.path / INCOMING / name
    if folder.is_dir() and not folder.is_symlink():
        gone = hosted.store.path / INCOMING / f".gone-{uuid.uuid4().hex}"
        os.rename(folder, gone)  # noqa: PTH104 - its name goes at once, its files when there is time
        shutil.rmtree(gone, ignore_errors=True)


def _segments_using(hosted: Hosted, name: str, entities: dict[str, Any]) -> list[str]:
    """Segments that were made here and name an entity of the source."""
    made = {d.name: d.body for d in hosted.store.definitions("segment") if not d.body.get("deleted")}
    return users_of({"segments": made}, [f"{name}.{entity}" for entity in entities])
