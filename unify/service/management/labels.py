"""Semantic labels and entity information, as the documents have them: what entities and attributes mean."""

# ruff: noqa: N803 - parameters are called what the wire calls them

import asyncio
from collections.abc import Sequence
from typing import Annotated, Any, Final

from fastapi import Body

from ingest.labels import LABELS
from unify.core.problems import Problem
from unify.service.hosted import Hosted
from unify.service.management.datasources import source_in
from unify.service.management.depends import Building, Reading, TheCaller, open_to
from unify.service.management.drafts import Schemas, edit, required_project, schemas_on, whole
from unify.service.management.entity_info import (
    DatasourceEntityInformation,
    apply_info,
    info_of,
    info_problems,
)
from unify.service.management.errors import RefusedInputError
from unify.service.management.routes import area
from unify.spec import Project
from unify.verbs.draft import Document

router = area("Semantic labels")
_WORDS: Final = """\
Account AccountLeads ActivityParty ActivityPointer Annotation Appointment BusinessUnit Campaign CampaignActivity
CampaignItem CampaignResponse Characteristic Competitor CompetitorAddress CompetitorProduct Connection ConnectionRole
Contact Contract ContractDetail Customer CustomerAddress CustomerRelationship Discount DiscountType Email Entitlement
Equipment Fax Feedback Goal Incident Invoice InvoiceDetail KbArticle KnowledgeArticle Lead LeadAddress Letter Metric
Opportunity Organization Owner PhoneCall Position PriceLevel Product Quote RatingModel Resource ResourceGroup
SalesLiterature SalesOrder Service ServiceAppointment Site SLA SocialActivity SocialProfile SystemUser Task Team
Territory UoM
"""
ENTITY_LABELS: Final = tuple(_WORDS.split())
"""Words for entities, of the Common Data Model."""


@router.get("/manage/schema/entitySemanticLabels", operation_id="get_entity_semantic_labels", summary="Of entities")
async def get_entity_semantic_labels(hosted: Reading) -> list[str]:
    """Every word for what an entity is; also before any data was ingested."""
    return list(ENTITY_LABELS)


@router.get(
    "/manage/schema/attributeSemanticLabels", operation_id="get_attribute_semantic_labels", summary="Of attributes"
)
async def get_attribute_semantic_labels(hosted: Reading) -> list[str]:
    """Every known word for what an attribute means, spelled as the API spells it, `PersonFullName`; others are taken"""
    return [label.replace(".", "") for label in LABELS]


@router.get(
    "/manage/datasources/{dataSourceId}/entities/entityInfo",
    operation_id="get_entity_info",
    summary="Facts of every entity of a source",
)
async def get_entity_info(hosted: Reading, caller: TheCaller, dataSourceId: str) -> list[DatasourceEntityInformation]:
    """Primary key, type, timestamp, labels, as the draft has them."""
    return await open_to(hosted, caller, await asyncio.to_thread(_told, hosted, dataSourceId))


@router.patch(
    "/manage/datasources/{dataSourceId}/entities/entityInfo",
    operation_id="patch_entity_info",
    summary="Change facts of entities",
)
async def patch_entity_info(
    body: Annotated[list[DatasourceEntityInformation], Body(min_length=1)],
    hosted: Building,
    dataSourceId: str,
) -> list[DatasourceEntityInformation]:
    """All of them or, when one is wrong, none. Entities must have been ingested."""
    schemas = await hosted.ask(schemas_on)
    return await asyncio.to_thread(_change, hosted, dataSourceId, body, schemas)


@router.patch(
    "/manage/datasources/{dataSourceId}/entities/{entityName}/entityInfo",
    operation_id="patch_info_of_an_entity",
    summary="Change facts of an entity",
)
async def patch_info_of_an_entity(
    body: DatasourceEntityInformation,
    hosted: Building,
    dataSourceId: str,
    entityName: str,
) -> DatasourceEntityInformation:
    """The same of one; `entityName` of the body is that of the path."""
    if body.entity_name != entityName:
        raise RefusedInputError([("entityName", f"the path says {entityName[:200]!r}")])
    schemas = await hosted.ask(schemas_on)
    found = await asyncio.to_thread(_change, hosted, dataSourceId, [body], schemas)
    return next(info for info in found if info.entity_name == entityName)


def _change(
    hosted: Hosted, source: str, infos: Sequence[DatasourceEntityInformation], schemas: Schemas
) -> list[DatasourceEntityInformation]:
    def change(document: Document) -> None:
        entities = source_in(document, source)
        problems: list[Problem] = []
        for i, info in enumerate(infos):
            columns = schemas.get(f"{source}.{info.entity_name}")
            if columns is None or info.entity_name not in entities:  # limit 1
                what = f"{info.entity_name[:200]!r} has not been ingested into {source}"
                problems.append(Problem(f"{i}.entityName", what))
                continue
            problems += info_problems(str(i), info, columns)
        if not problems:
            for info in infos:
                apply_info(entities[info.entity_name], info)
            problems += _without_timestamp(entities, infos)
        if not problems:
            problems += _without_profile(Project.model_validate(document), source, infos)
        if problems:
            raise RefusedInputError(
                [(p.place, p.message + (f"; {p.hint}" if p.hint else "")) for p in problems], key="invalidEntityInfo"
            )

    edit(hosted, change)
    return _told(hosted, source)


def _without_timestamp(entities: dict[str, Any], infos: Sequence[DatasourceEntityInformation]) -> list[Problem]:
    return [
        Problem(f"{i}.timestampFieldName", "an activity needs its timestamp")
        for i, info in enumerate(infos)
        if entities[info.entity_name]["type"] == "activity" and not entities[info.entity_name]["timestamp"]
    ]


def _without_profile(project: Project, source: str, infos: Sequence[DatasourceEntityInformation]) -> list[Problem]:
    """Limit 4: an activity hangs, over any number of relationships, on an entity of type Profile."""
    near: dict[str, set[str]] = {}
    for r in project.relationships.values():
        near.setdefault(r.from_entity, set()).add(r.to_entity)
        near.setdefault(r.to_entity, set()).add(r.from_entity)
    found = []
    for i, info in enumerate(infos):
        start = f"{source}.{info.entity_name}"
        if info.entity_type != "Activity":
            continue
        seen, open_ = {start}, [start]
        while open_:
            new = near.get(open_.pop(), set()) - seen
            seen |= new
            open_ += new
        if not any(project.entity(e).type == "profile" for e in seen - {start} if e in project.entities):
            what = f"{info.entity_name} has no relationship to an entity of type Profile"
            found.append(Problem(f"{i}.entityType", what, "declare one first: POST …/manage/relationships"))
    return found


def _told(hosted: Hosted, source: str) -> list[DatasourceEntityInformation]:
    source_in(whole(hosted.draft.now().document), source)
    project = required_project(hosted)
    return [info_of(name, entity) for name, entity in project.sources[source].items()]
