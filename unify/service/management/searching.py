"""Operations 39–40: which attributes of Customer are searched, filtered, faceted and sorted by.

What is said governs `$search` over Customer (unify/verbs/searched.py); the flags beside `isSearchable` are kept and
told, for clients that show facets. Nothing said: every text is searched, everything is filtered and sorted by.
"""

import asyncio
from typing import Any

from pydantic import Field

from unify.core.errors import did_you_mean
from unify.core.names import table_of
from unify.instance import Instance
from unify.service.caller import Caller
from unify.service.hosted import Hosted
from unify.service.management.authors import Authors
from unify.service.management.depends import Asking, Ruling, TheCaller, TheService
from unify.service.management.errors import RefusedInputError
from unify.service.management.routes import area
from unify.service.management.telling import told
from unify.spec.wire import AuditedWire, Wire
from unify.store import Store
from unify.verbs.searched import KIND, NAME

router = area("Search")


class AttributeSearchProperties(Wire):
    """What may be done with an attribute."""

    is_searchable: bool | None = None
    is_filterable: bool | None = None
    is_facetable: bool | None = None
    is_sortable: bool | None = None
    facet_specification: str | None = Field(default=None, max_length=1000)


class AttributeSearchConfiguration(Wire):
    """One attribute."""

    name: str
    properties: AttributeSearchProperties


class EntitySearchConfiguration(Wire):
    """One entity; Customer is the one that has an index."""

    qualified_entity_name: str
    attributes: tuple[AttributeSearchConfiguration, ...] = ()


class InstanceSearchConfiguration(AuditedWire):
    """All of it. `isSystemGenerated`: nobody has said anything yet."""

    entity_config: tuple[EntitySearchConfiguration, ...] | None = None
    is_system_generated: bool | None = None


@router.get("/manage/search", operation_id="get_search_configuration", summary="What is searched")
async def get_search_configuration(
    hosted: Asking, service: TheService, caller: TheCaller
) -> InstanceSearchConfiguration:
    """As it was said; before that, what holds without a word: text is searched, facets are made of nothing."""
    return await _told(service, hosted, caller)


@router.put("/manage/search", operation_id="update_search_configuration", summary="Say what is searched")
async def update_search_configuration(
    body: InstanceSearchConfiguration, hosted: Ruling, service: TheService, caller: TheCaller
) -> InstanceSearchConfiguration:
    """In the place of what was said before, at once. Only text can be searched; attributes must be there."""
    schema = await hosted.ask(lambda acme: _columns(acme, body))
    problems = list(_problems(body, schema))
    if problems:
        raise RefusedInputError(problems)
    said = [entity.wire() for entity in body.entity_config or ()]
    await asyncio.to_thread(_keep, service, hosted, said, caller.principal)
    return await _told(service, hosted, caller)


def search_in_force(store: Store) -> dict[str, dict[str, AttributeSearchProperties]]:
    """Entity → attribute → what was said of it; empty while nothing was said."""
    saved = next((d.body for d in store.definitions(KIND) if d.name == NAME), None)
    config = InstanceSearchConfiguration.model_validate({"entityConfig": (saved or {}).get("entityConfig", [])})
    return {
        entity.qualified_entity_name: {a.name: a.properties for a in entity.attributes}
        for entity in config.entity_config or ()
    }


def _keep(service: Any, hosted: Hosted, said: list[dict[str, Any]], by: str) -> None:
    hosted.store.save_definition(KIND, NAME, {"entityConfig": said})
    Authors(service.database, hosted.id, KIND).note(NAME, by)


def _columns(acme: Instance, config: InstanceSearchConfiguration) -> dict[str, dict[str, str]]:
    """Of the entities that a configuration names; absent: not there, or not in the generation."""
    if acme.store.published() is None:
        return {}
    engine, found = acme.engine(), {}
    for entity in config.entity_config or ():
        try:
            found[entity.qualified_entity_name] = dict(engine.columns(entity.qualified_entity_name))
        except (KeyError, ValueError):
            continue
    return found


def _problems(config: InstanceSearchConfiguration, schema: dict[str, dict[str, str]]) -> Any:
    seen: set[str] = set()
    for i, entity in enumerate(config.entity_config or ()):
        name, where = entity.qualified_entity_name, f"entityConfig.{i}"
        if name in seen:
            yield where, f"{name} stands twice"
        seen.add(name)
        if name != "Customer":
            yield f"{where}.qualifiedEntityName", f"{name!r} has no index: Customer has one"
        elif name not in schema:
            yield where, "there are no customers yet: run a conflation first"
        else:
            yield from _attribute_problems(where, entity, schema[name])


def _attribute_problems(where: str, entity: EntitySearchConfiguration, columns: dict[str, str]) -> Any:
    seen: set[str] = set()
    known = {name: kind for name, kind in columns.items() if name != "ordinal"}
    for i, attribute in enumerate(entity.attributes):
        place = f"{where}.attributes.{i}"
        if attribute.name in seen:
            yield place, f"{attribute.name} stands twice"
        seen.add(attribute.name)
        if attribute.name not in known:
            yield (
                f"{place}.name",
                f"Customer has no attribute {attribute.name!r}; {did_you_mean(attribute.name, known)}",
            )
        elif attribute.properties.is_searchable and known[attribute.name] != "VARCHAR":
            yield f"{place}.properties.isSearchable", f"{attribute.name} holds no text: only text is searched"


async def _told(service: Any, hosted: Hosted, caller: Caller) -> InstanceSearchConfiguration:
    def look(acme: Instance) -> InstanceSearchConfiguration:
        said = search_in_force(acme.store)
        author = Authors(service.database, hosted.id, KIND).all().get(NAME)
        tail = author.tail(hosted.id) if author else {"instanceId": hosted.id}
        generated = not any(d.name == NAME for d in acme.store.definitions(KIND))
        if generated:
            said = _without_a_word(acme)
        config = tuple(
            told(
                EntitySearchConfiguration,
                qualified_entity_name=name,
                attributes=tuple(
                    told(AttributeSearchConfiguration, name=a, properties=p)
                    for a, p in attributes.items()
                    if _shown(acme, name, a)
                ),
            )
            for name, attributes in said.items()
        )
        made = told(InstanceSearchConfiguration, entity_config=config, is_system_generated=generated)
        return InstanceSearchConfiguration.model_validate({**made.wire(), **tail})

    return await hosted.ask_as(caller, look)


def _shown(acme: Instance, table: str, attribute: str) -> bool:
    """Whether whoever asks may know that there is such an attribute."""
    if acme.store.published() is None:
        return True
    try:
        return attribute in acme.engine().columns(table)
    except KeyError:
        return False


def _without_a_word(acme: Instance) -> dict[str, dict[str, AttributeSearchProperties]]:
    published = acme.store.published()
    if published is None or "Customer" not in published.rows:
        return {}
    columns = acme.engine().columns(table_of("Customer"))
    return {
        "Customer": {
            name: told(
                AttributeSearchProperties,
                is_searchable=kind == "VARCHAR",
                is_filterable=True,
                is_facetable=False,
                is_sortable=True,
            )
            for name, kind in columns.items()
            if name != "ordinal"
        }
    }
