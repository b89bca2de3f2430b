"""Operations 19–24, and the PATCHes of the documents: relationships, which are those of the draft."""

# ruff: noqa: N803 - parameters are called what the wire calls them

import asyncio
import json
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field, ValidationError

from segments.relation_checks import check_relationships, relation_problems
from segments.relationships import CUSTOMER, RelationshipGraph
from unify.core.errors import did_you_mean
from unify.core.names import table_of
from unify.service.errors import ServiceError, bad_request, not_found
from unify.service.hosted import Hosted
from unify.service.management.authors import Authors
from unify.service.management.depends import Building, Reading, TheCaller, TheService, open_to
from unify.service.management.documented import Documented
from unify.service.management.drafts import Schemas, edit, entity_named, project_in, schemas_on
from unify.service.management.entities import wire_type
from unify.service.management.errors import RefusedInputError
from unify.service.management.ok import OkResult
from unify.service.management.routes import area, body_problem
from unify.spec import Project, Relationship
from unify.spec.wire import AuditedWire, initial_lower
from unify.verbs.draft import Document

router = area("Relationships")
KIND: Final = "relationship"
Cardinality = Annotated[Literal["oneToMany", "oneToOne", "manyToOne"], BeforeValidator(initial_lower)]
RelationshipType = Annotated[
    Literal[
        "singleKeyRelationshipOrigin",
        "singleKeyRelationshipDestination",
        "dataSourceLineageOrigin",
        "dataSourceLineageDestination",
    ],
    BeforeValidator(initial_lower),
]


class RelationshipMetadata(AuditedWire, Documented):
    """A relationship. Entities are named as `qualifiedEntityName` has them, `web_Orders`."""

    friendly_name: str | None = Field(default=None, max_length=200)
    name: str | None = None
    description: str | None = None
    relationship_type: RelationshipType | None = None
    from_attribute_name: str | None = None
    from_entity_name: str | None = None
    to_attribute_name: str | None = None
    to_entity_name: str | None = None
    cardinality: Cardinality | None = None
    source: Literal["user", "system", "inferred"] | None = None


@router.get("/manage/relationships", operation_id="get_all_relationships", summary="Relationships that were declared")
async def get_all_relationships(hosted: Reading, service: TheService, caller: TheCaller) -> list[RelationshipMetadata]:
    """Those of the draft, by name; also before any data was ingested."""
    return await open_to(hosted, caller, await asyncio.to_thread(_all, service, hosted))


@router.get("/manage/relationships/{relationshipName}", operation_id="get_a_relationship", summary="One relationship")
async def get_a_relationship(
    hosted: Reading, service: TheService, caller: TheCaller, relationshipName: str
) -> RelationshipMetadata:
    """One that was declared."""
    return await open_to(hosted, caller, await asyncio.to_thread(_one, service, hosted, relationshipName))


@router.get(
    "/manage/systemrelationships",
    operation_id="get_all_system_created_relationships",
    summary="Relationships that conflation makes",
)
async def get_all_system_created_relationships(hosted: Reading, caller: TheCaller) -> list[RelationshipMetadata]:
    """From Customer to each entity of the plan."""
    return await open_to(hosted, caller, await asyncio.to_thread(_system, hosted))


@router.post("/manage/relationships", operation_id="create_a_relationship", summary="Declare a relationship")
async def create_a_relationship(
    body: RelationshipMetadata, hosted: Building, service: TheService, caller: TheCaller
) -> RelationshipMetadata:
    """Both entities must have been ingested, both attributes be there and of one type; the name must be free."""
    return await _save(service, hosted, body, None, caller.principal)


@router.patch("/manage/relationships", operation_id="patch_relationships", summary="Declare a relationship (documents)")
async def patch_relationships(
    body: RelationshipMetadata, hosted: Building, service: TheService, caller: TheCaller
) -> RelationshipMetadata:
    """As the documents have it: cardinality is OneToMany or ManyToOne, no other."""
    _two_cardinalities(body)
    return await _save(service, hosted, body, None, caller.principal)


@router.put("/manage/relationships/{relationshipName}", operation_id="update_a_relationship", summary="Change one")
async def update_a_relationship(
    body: RelationshipMetadata,
    hosted: Building,
    service: TheService,
    caller: TheCaller,
    relationshipName: str,
) -> RelationshipMetadata:
    """The whole of it, under the name that it has."""
    return await _save(service, hosted, body, relationshipName, caller.principal)


@router.patch(
    "/manage/relationships/{relationshipName}", operation_id="patch_a_relationship", summary="Change one (documents)"
)
async def patch_a_relationship(
    body: RelationshipMetadata,
    hosted: Building,
    service: TheService,
    caller: TheCaller,
    relationshipName: str,
) -> RelationshipMetadata:
    """What is not said stays. Cardinality is OneToMany or ManyToOne."""
    _two_cardinalities(body)
    before = await asyncio.to_thread(_one, service, hosted, relationshipName)
    full = RelationshipMetadata.model_validate({**before.wire(), **body.wire()})
    return await _save(service, hosted, full, relationshipName, caller.principal)


@router.delete("/manage/relationships/{relationshipName}", operation_id="delete_a_relationship", summary="Remove one")
async def delete_a_relationship(hosted: Building, service: TheService, relationshipName: str) -> OkResult:
    """409 naming the activities, segments and measures that go along it."""
    schemas = await hosted.ask(schemas_on)
    await asyncio.to_thread(_delete, service, hosted, relationshipName, schemas)
    return OkResult()


async def _save(
    service: Any, hosted: Hosted, body: RelationshipMetadata, name: str | None, by: str
) -> RelationshipMetadata:
    schemas = await hosted.ask(schemas_on)
    return await asyncio.to_thread(_keep, service, hosted, body, name, by, schemas)


def _keep(
    service: Any, hosted: Hosted, body: RelationshipMetadata, name: str | None, by: str, schemas: Schemas
) -> RelationshipMetadata:
    """`name` None: a new one."""
    required = ("fromEntityName", "fromAttributeName", "toEntityName", "toAttributeName")
    said = body.wire()
    missing = [key for key in (("name",) if name is None else ()) + required if key not in said]
    if missing:
        raise RefusedInputError([(key, "is missing") for key in missing])
    if name is not None and body.name not in (None, name):
        raise bad_request("a name stays what it is", where="name", hint="delete the relationship, and make another")
    called = name if name is not None else str(body.name)
    if called in _system_names(hosted):
        raise bad_request(f"{called} is made by conflation", where="name", hint="change the conflation plan")

    def change(document: Document) -> None:
        taken = document.get("relationships") or {}
        if name is not None and name not in taken:
            raise _unknown(name, taken)
        made = _noun(body, schemas)
        check_relationships(taken, {called: made}, schemas, update=name is not None)
        document.setdefault("relationships", {})[called] = made.model_dump(mode="json", by_alias=True)

    edit(hosted, change)
    Authors(service.database, hosted.id, KIND).note(called, by, {"friendlyName": body.friendly_name or called})
    return _one(service, hosted, called)


def _noun(body: RelationshipMetadata, schemas: Schemas) -> Relationship:
    ends = [
        f"{_entity(schemas, str(entity), where)}.{attribute}"
        for entity, attribute, where in (
            (body.from_entity_name, body.from_attribute_name, "fromEntityName"),
            (body.to_entity_name, body.to_attribute_name, "toEntityName"),
        )
    ]
    said = {
        "from": ends[0],
        "to": ends[1],
        "cardinality": body.cardinality or "ManyToOne",
        "type": body.relationship_type or "SingleKeyRelationshipOrigin",
        "description": body.description,
    }
    try:
        return Relationship.model_validate(said)
    except ValidationError as error:
        raise RefusedInputError([body_problem(e, {}) for e in error.errors(include_url=False)]) from None


def _entity(schemas: Schemas, name: str, where: str) -> str:
    """Limit 5, as 400: the path names no entity here, the body does."""
    try:
        return entity_named(schemas, name)
    except ServiceError as error:
        hint = error.hint if schemas else "ingest the data sources first"
        raise bad_request(error.message, where=where, hint=hint, key=error.key) from None


def _two_cardinalities(body: RelationshipMetadata) -> None:
    if body.cardinality == "oneToOne":
        raise bad_request("a cardinality is OneToMany or ManyToOne", where="cardinality", hint="PUT and POST take it")


def _delete(service: Any, hosted: Hosted, name: str, schemas: Schemas) -> None:
    if name in _system_names(hosted):
        raise bad_request(f"{name} is made by conflation", where="relationshipName", hint="change the conflation plan")

    def remove(document: Document) -> None:
        relationships = document.get("relationships") or {}
        if name not in relationships:
            raise _unknown(name, relationships)
        users = [
            f"{section}.{called}"
            for section in ("segments", "measures", "activities")
            for called, said in (document.get(section) or {}).items()
            if json.dumps(name) in json.dumps(said)
        ]
        before = set(map(str, relation_problems(Project.model_validate(document), schemas)))
        del relationships[name]
        after = relation_problems(Project.model_validate(document), schemas)
        users += [str(problem) for problem in after if str(problem) not in before]
        if users:
            raise ServiceError(
                409, f"the relationship {name} is used: {'; '.join(users)}", where=name, hint="change those first"
            )

    edit(hosted, remove)
    Authors(service.database, hosted.id, KIND).gone(name)


def _all(service: Any, hosted: Hosted) -> list[RelationshipMetadata]:
    project = project_in(hosted)
    if project is None:
        return []
    authors = Authors(service.database, hosted.id, KIND).all()
    return [
        _told(hosted, name, project.relationships[name], authors.get(name)) for name in sorted(project.relationships)
    ]


def _one(service: Any, hosted: Hosted, name: str) -> RelationshipMetadata:
    project = project_in(hosted)
    known = project.relationships if project is not None else {}
    if name not in known:
        raise _unknown(name, known)
    return _told(hosted, name, known[name], Authors(service.database, hosted.id, KIND).all().get(name))


def _told(hosted: Hosted, name: str, r: Relationship, author: Any) -> RelationshipMetadata:
    return RelationshipMetadata.model_validate(
        {
            "friendlyName": (author.said or {}).get("friendlyName", name) if author else name,
            "name": name,
            "description": r.description,
            "relationshipType": wire_type(r.type),
            "fromEntityName": table_of(r.from_entity),
            "fromAttributeName": r.from_attribute,
            "toEntityName": table_of(r.to_entity),
            "toAttributeName": r.to_attribute,
            "cardinality": wire_type(r.cardinality),
            "source": "user",
            **(author.tail(hosted.id) if author else {"instanceId": hosted.id}),
        }
    )


def _system(hosted: Hosted) -> list[RelationshipMetadata]:
    project = project_in(hosted)
    hops = RelationshipGraph(project).listed() if project is not None else []
    return [
        RelationshipMetadata.model_validate(
            {
                "friendlyName": hop.relationship,
                "name": hop.relationship,
                "relationshipType": "singleKeyRelationshipOrigin",
                "fromEntityName": CUSTOMER,
                "fromAttributeName": hop.from_attribute,
                "toEntityName": table_of(hop.to_entity),
                "toAttributeName": hop.to_attribute,
                "cardinality": "oneToMany",
                "source": "system",
                "instanceId": hosted.id,
            }
        )
        for hop in hops
        if hop.system
    ]


def _system_names(hosted: Hosted) -> set[str]:
    return {str(r.name) for r in _system(hosted)}


def _unknown(name: str, known: Any) -> ServiceError:
    return not_found(
        f"there is no relationship {name[:200]!r}", where="relationshipName", hint=did_you_mean(name, known)
    )
