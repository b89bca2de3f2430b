"""The conflation plan over HTTP, as the documents have it: the plan, the entities that take part, the resolution rules.

One instance has one conflation, `main`. What is changed here is the draft; the next run conflates by it.
"""

# ruff: noqa: N803 - parameters are called what the wire calls them

import asyncio
from typing import Annotated, Any, Final

from fastapi import Body, Path
from pydantic import Field

from unify.conflation.checks import plan_problems
from unify.conflation.columns import resolution_problems
from unify.core.errors import SpecError
from unify.core.names import table_of
from unify.service.errors import ServiceError, not_found
from unify.service.hosted import Hosted
from unify.service.management.conflation_checks import json_problems, keyless, other_keys
from unify.service.management.conflation_shapes import (
    ConflationPlanInfo,
    EntityConflationInformation,
    plan_of,
    wire_of,
)
from unify.service.management.depends import Building, Reading, TheCaller, open_to
from unify.service.management.documented import Documented
from unify.service.management.drafts import Schemas, edit, entity_named, project_in, required_project, schemas_on
from unify.service.management.errors import RefusedInputError
from unify.service.management.resolution_rules import ConflictResolutionRule, resolution_of, rule_problems, rules_of
from unify.service.management.routes import area
from unify.spec import Project
from unify.verbs.draft import Document

MAIN: Final = "main"
router = area("Conflation")
ConflationId = Annotated[str, Path(alias="conflationId", description="`main`: an instance has one conflation.")]
PLAN: Final = "/conflations/{conflationId}/conflationPlan"
INFO: Final = "/conflations/{conflationId}/entityInformation"
OF_SOURCE: Final = "/conflations/{conflationId}/datasources/{datasourceId}/entityInformation/{entityName}"
RULES: Final = "/conflations/{conflationId}/conflictResolutionRules"


class EntitiesOfSource(Documented):
    """Entities of one source that are to take part."""

    datasource_id: str
    entity_names: tuple[str, ...] = Field(min_length=1)


@router.get(PLAN, operation_id="get_conflation_plan", summary="The plan")
async def get_conflation_plan(hosted: Reading, caller: TheCaller, conflation: ConflationId) -> ConflationPlanInfo:
    """Of the draft; 404 while there is none."""
    _exists(conflation)
    return await open_to(hosted, caller, await asyncio.to_thread(_told, hosted))


@router.put(PLAN, operation_id="put_conflation_plan", summary="Write the plan")
async def put_conflation_plan(
    body: ConflationPlanInfo, hosted: Building, conflation: ConflationId
) -> ConflationPlanInfo:
    """The whole of it. The nine documented limits hold; each that is broken is told."""
    _exists(conflation)
    schemas = await hosted.ask(schemas_on)
    return await asyncio.to_thread(_keep, hosted, body, schemas)


@router.patch(PLAN, operation_id="patch_conflation_plan", summary="Change parts of the plan")
async def patch_conflation_plan(
    body: ConflationPlanInfo, hosted: Building, conflation: ConflationId
) -> ConflationPlanInfo:
    """Each of `conflationOrder`, `entityConflationInformation`, `rules` and `settings` that is said takes the place of
    what was there; the plan that results must keep the limits."""
    _exists(conflation)
    schemas = await hosted.ask(schemas_on)
    return await asyncio.to_thread(_keep, hosted, body, schemas, patch=True)


@router.get(INFO, operation_id="get_entity_information", summary="Entities that take part")
async def get_entity_information(
    hosted: Reading, caller: TheCaller, conflation: ConflationId
) -> list[EntityConflationInformation]:
    """In the order of the plan; none while there is no plan."""
    _exists(conflation)
    return await open_to(hosted, caller, await asyncio.to_thread(_infos, hosted))


@router.patch(INFO, operation_id="patch_entity_information", summary="Let entities take part")
async def patch_entity_information(
    body: Annotated[list[EntitiesOfSource], Body(min_length=1)], hosted: Building, conflation: ConflationId
) -> list[EntityConflationInformation]:
    """Entities by source; those that do not take part yet go to the end of the order."""
    _exists(conflation)
    said: list[tuple[str, str | None, EntityConflationInformation]] = [
        (f"{i}.entityNames.{n}", one.datasource_id, EntityConflationInformation.model_validate({"entityName": name}))
        for i, one in enumerate(body)
        for n, name in enumerate(one.entity_names)
    ]
    return await _take_part(hosted, said)


@router.get(INFO + "/{entityName}", operation_id="get_information_of_an_entity", summary="One of them")
async def get_information_of_an_entity(
    hosted: Reading,
    caller: TheCaller,
    conflation: ConflationId,
    entityName: str,
) -> EntityConflationInformation:
    """404 for one that does not take part."""
    _exists(conflation)
    return await open_to(hosted, caller, await asyncio.to_thread(_info, hosted, entityName, None))


@router.patch(INFO + "/{entityName}", operation_id="patch_information_of_an_entity", summary="Let an entity take part")
async def patch_information_of_an_entity(
    body: EntityConflationInformation,
    hosted: Building,
    conflation: ConflationId,
    entityName: str,
) -> EntityConflationInformation:
    """Also how: whether all its records become customers, and how it is deduplicated."""
    _exists(conflation)
    _same_name(body, entityName)
    await _take_part(hosted, [("entityName", body.datasource_id, body)], of_path=True)
    return await asyncio.to_thread(_info, hosted, entityName, body.datasource_id)


@router.get(OF_SOURCE, operation_id="get_information_of_an_entity_of_a_source", summary="One of a source")
async def get_information_of_an_entity_of_a_source(
    hosted: Reading,
    caller: TheCaller,
    conflation: ConflationId,
    datasourceId: str,
    entityName: str,
) -> EntityConflationInformation:
    """404 for one that does not take part."""
    _exists(conflation)
    return await open_to(hosted, caller, await asyncio.to_thread(_info, hosted, entityName, datasourceId))


@router.patch(
    OF_SOURCE, operation_id="patch_information_of_an_entity_of_a_source", summary="Let an entity of a source take part"
)
async def patch_information_of_an_entity_of_a_source(
    body: EntityConflationInformation,
    hosted: Building,
    conflation: ConflationId,
    datasourceId: str,
    entityName: str,
) -> EntityConflationInformation:
    """The same with the source in the path."""
    _exists(conflation)
    _same_name(body, entityName)
    if body.datasource_id not in (None, datasourceId):
        raise RefusedInputError([("datasourceId", f"the path says {datasourceId[:200]!r}")])
    await _take_part(hosted, [("entityName", datasourceId, body)], of_path=True)
    return await asyncio.to_thread(_info, hosted, entityName, datasourceId)


@router.get(RULES, operation_id="get_conflict_resolution_rules", summary="How values are chosen")
async def get_conflict_resolution_rules(
    hosted: Reading, caller: TheCaller, conflation: ConflationId
) -> list[ConflictResolutionRule]:
    """Of the draft; columns without a rule take the first value in the order of the plan."""
    _exists(conflation)
    return await open_to(hosted, caller, await asyncio.to_thread(lambda: rules_of(project_in(hosted))))


@router.patch(RULES, operation_id="patch_conflict_resolution_rules", summary="Say how values are chosen")
async def patch_conflict_resolution_rules(
    body: list[ConflictResolutionRule], hosted: Building, conflation: ConflationId
) -> list[ConflictResolutionRule]:
    """Each rule takes the place of the one of its name; the others stay. Entities must be part of the plan."""
    _exists(conflation)
    schemas = await hosted.ask(schemas_on)
    return await asyncio.to_thread(_keep_rules, hosted, body, schemas, whole=False)


@router.put(RULES, operation_id="put_conflict_resolution_rules", summary="Write how values are chosen")
async def put_conflict_resolution_rules(
    body: list[ConflictResolutionRule], hosted: Building, conflation: ConflationId
) -> list[ConflictResolutionRule]:
    """All of them: rules that are not said go."""
    _exists(conflation)
    schemas = await hosted.ask(schemas_on)
    return await asyncio.to_thread(_keep_rules, hosted, body, schemas, whole=True)


def _exists(conflation: str) -> None:
    if conflation != MAIN:
        hint = "an instance has one conflation: main"
        raise not_found(f"there is no conflation {conflation[:200]!r}", where="conflationId", hint=hint)


def _same_name(body: EntityConflationInformation, name: str) -> None:
    if body.entity_name not in (name, name.split(".", 1)[-1]):
        raise RefusedInputError([("entityName", f"the path says {name[:200]!r}")])


def wire_names(entities: Any) -> dict[str, str]:
    """Every way to write an entity on the wire → the entity; `Contacts` alone where one source only has it."""
    names: dict[str, str] = {}
    for entity in entities:
        names |= {entity: entity, table_of(entity): entity}
        source = entity.split(".", 1)[0]
        names[f"{source}.{table_of(entity)}"] = entity
    alone: dict[str, list[str]] = {}
    for entity in entities:
        alone.setdefault(entity.split(".", 1)[1], []).append(entity)
    return {**{name: found[0] for name, found in alone.items() if len(found) == 1}, **names}


def _told(hosted: Hosted) -> ConflationPlanInfo:
    now = hosted.draft.now()
    project = project_in(hosted)
    if project is None or project.conflation is None:
        hint = "PUT one, or POST …/project/suggest works one out"
        raise not_found("there is no conflation plan yet", hint=hint, key="conflationMetadataNotFoundForEntity")
    keys = {name: entity.key for name, entity in project.entities.items()}
    said = {"conflationId": MAIN, "instanceId": hosted.id, "version": now.version}
    return ConflationPlanInfo.model_validate({**said, **wire_of(project.conflation, keys)})


def _keep(hosted: Hosted, body: ConflationPlanInfo, schemas: Schemas, *, patch: bool = False) -> ConflationPlanInfo:
    for key, said, is_ in (("conflationId", body.conflation_id, MAIN), ("instanceId", body.instance_id, hosted.id)):
        if said not in (None, is_):
            raise RefusedInputError([(key, f"the path says {is_!r}")])

    def change(document: Document) -> None:
        full = body
        if patch and document.get("conflation"):
            project = Project.model_validate(document)
            assert project.conflation is not None
            keys = {name: entity.key for name, entity in project.entities.items()}
            full = ConflationPlanInfo.model_validate({**wire_of(project.conflation, keys), **body.wire()})
        document["conflation"] = _checked(document, full, schemas)

    edit(hosted, change)
    return _told(hosted)


def _checked(document: Document, wire: ConflationPlanInfo, schemas: Schemas) -> dict[str, Any]:
    """The plan that the JSON means, when it breaks no limit; all that it breaks are told at once."""
    sources = document.get("sources") or {}
    declared = [f"{source}.{entity}" for source, entities in sources.items() for entity in entities]
    names = wire_names([e for e in declared if e in schemas])
    problems = [*json_problems(wire, names), *_unknown_entities(wire, names)]
    project = Project.model_validate({**document, "conflation": None}) if sources else None
    named = {names.get(name) for name in wire.conflation_order or ()}
    problems += [
        ("conflationOrder", f"{e} has no primary key")
        for e in sorted(n for n in named if n)
        if keyless(project, schemas, e)
    ]
    problems += other_keys(wire, names, project)
    if problems or project is None:
        raise RefusedInputError(list(dict.fromkeys(problems)), key="conflationPlanInvalid")
    plan = plan_of(wire, names)
    full = _project({**document, "conflation": plan})
    assert full.conflation is not None
    broken = [(f"conflation plan, {p.place}", p.message + (f"; {p.hint}" if p.hint else ""))
              for p in dict.fromkeys(plan_problems(full, full.conflation, schemas))]  # fmt: skip
    if broken:
        raise RefusedInputError(broken, key="conflationPlanInvalid")
    return dict(full.conflation.model_dump(mode="json", by_alias=True))


def _unknown_entities(wire: ConflationPlanInfo, names: dict[str, str]) -> list[tuple[str, str]]:
    """Limit 1: entities that were not ingested in the source that is said."""
    said = [(f"conflationOrder.{i}", name) for i, name in enumerate(wire.conflation_order or ())]
    for i, info in enumerate(wire.entity_conflation_information or ()):
        place = f"entityConflationInformation.{i}.entityName"
        said.append((place, f"{info.datasource_id}.{info.entity_name}" if info.datasource_id else info.entity_name))
    for i, rule in enumerate(wire.rules or ()):
        said += [(f"rules.{i}.sourceEntityName", n) for n in (rule.source_entity_name,) if n]
        said += [(f"rules.{i}.targetEntityName", n) for n in (rule.target_entity_name,) if n]
    return [(place, f"{name[:200]!r} has not been ingested") for place, name in said if name not in names]


def _project(document: Document) -> Project:
    from unify.core.documents import project_of

    try:
        return project_of(document, where="")
    except SpecError as error:
        raise RefusedInputError(
            [("", line) for line in error.message.split("\n")], key="conflationPlanInvalid"
        ) from None


def _infos(hosted: Hosted) -> list[EntityConflationInformation]:
    project = project_in(hosted)
    if project is None or project.conflation is None:
        return []
    return list(_told(hosted).entity_conflation_information or ())


def _info(hosted: Hosted, name: str, source: str | None) -> EntityConflationInformation:
    infos = {f"{i.datasource_id}.{i.entity_name}": i for i in _infos(hosted)}
    return infos[entity_named(infos, name, source)]


async def _take_part(
    hosted: Hosted, said: list[tuple[str, str | None, EntityConflationInformation]], *, of_path: bool = False
) -> list[EntityConflationInformation]:
    """Each: place in the body, source, what is said. `of_path`: the path names the entity, so an unknown one is 404."""
    schemas = await hosted.ask(schemas_on)
    return await asyncio.to_thread(_join, hosted, said, schemas, of_path=of_path)


def _join(
    hosted: Hosted, said: list[tuple[str, str | None, EntityConflationInformation]], schemas: Schemas, *, of_path: bool
) -> list[EntityConflationInformation]:
    def change(document: Document) -> None:
        project = Project.model_validate(document) if document.get("sources") else None
        ingested = [e for e in schemas if project is not None and e in project.entities]
        plan = document.get("conflation") or {"order": []}
        order = {o["entity"]: o for o in plan["order"]}
        problems: list[tuple[str, str]] = []
        for place, source, info in said:
            try:
                entity = entity_named(ingested, info.entity_name, source)
            except ServiceError as error:
                if of_path:
                    raise
                problems.append((place, error.message + "; it has not been ingested"))
                continue
            if keyless(project, schemas, entity):
                problems.append((place, f"{entity} has no primary key"))
            place_in = order.setdefault(entity, {"entity": entity, "include_all": True})
            if info.include_all_records is not None:
                place_in["include_all"] = info.include_all_records
            if info.deduplication is not None:
                wire = ConflationPlanInfo.model_validate({"entityConflationInformation": [info.wire()]})
                made = plan_of(wire, {info.entity_name: entity, f"{source}.{info.entity_name}": entity})
                plan.setdefault("dedupe", {})[entity] = next(iter(made["dedupe"].values()))
        if problems:
            raise RefusedInputError(problems, key="conflationConfigurationInvalid")
        plan["order"] = list(order.values())
        full = _project({**document, "conflation": plan})
        assert full.conflation is not None
        touched = {names for _, _, i in said if i.deduplication for names in order}
        broken = [str(p) for p in plan_problems(full, full.conflation, schemas) if any(t in p.place for t in touched)]
        if broken:
            raise RefusedInputError([("deduplication", text) for text in broken], key="conflationConfigurationInvalid")
        document["conflation"] = full.conflation.model_dump(mode="json", by_alias=True)

    edit(hosted, change)
    return _infos(hosted)


def _keep_rules(
    hosted: Hosted, body: list[ConflictResolutionRule], schemas: Schemas, *, whole: bool
) -> list[ConflictResolutionRule]:
    required_project(hosted)

    def change(document: Document) -> None:
        project = Project.model_validate(document)
        names = wire_names(schemas)
        problems = list(rule_problems(body, project, names, schemas))
        if problems:
            raise RefusedInputError(problems, key="conflationResolutionInvalid")
        made = {rule.name: resolution_of(rule, names) for rule in body}
        document["resolution"] = made if whole else {**document.get("resolution", {}), **made}
        before = set(resolution_problems(project, schemas)) if _all_ingested(project, schemas) else set()
        full = _project(document)
        after = resolution_problems(full, schemas) if _all_ingested(full, schemas) else []
        if broken := [problem for problem in after if problem not in before]:
            raise RefusedInputError([("", text) for text in broken], key="conflationResolutionInvalid")

    edit(hosted, change)
    return rules_of(project_in(hosted))


def _all_ingested(project: Project, schemas: Schemas) -> bool:
    return project.conflation is not None and all(o.entity in schemas for o in project.conflation.order)
