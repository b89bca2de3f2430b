"""Operations 11–13: what stands in the published generation, entity by entity, and how large it is."""

# ruff: noqa: N803 - parameters are called what the wire calls them

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Final, Literal
from weakref import WeakKeyDictionary

from ingest.labels import canonical
from segments.model import own_table
from segments.relationships import RelationshipGraph
from unify.core.errors import did_you_mean
from unify.core.names import corrupt_table_of, quote, table_of
from unify.core.problems import family
from unify.core.steps import Query
from unify.engines.duckdb import DuckDBEngine
from unify.instance import Instance
from unify.service.errors import not_found
from unify.service.management.depends import Asking, TheCaller
from unify.service.management.routes import area
from unify.service.management.searching import AttributeSearchProperties, search_in_force
from unify.service.management.telling import told
from unify.spec.wire import Wire

router = area("Entities")
EntityType = Literal[
    "unspecified", "profile", "conflationMap", "activity", "aggregateKpi", "profileKpi", "unifiedActivity", "segment",
    "intelligence", "genericPrediction", "enrichment", "insights", "derivedEntity", "corrupt", "selfConflation",
    "conflationManualReview", "selfConflationManualReview", "semanticActivity", "segmentMembership", "hierarchy",
    "dataLineage", "transform", "semanticEntity",
]  # fmt: skip
DataflowType = Literal[
    "ingestion", "conflationDeduplication", "conflationMatchPairs", "conflationResolveConflicts", "unifiedActivity",
    "kpi", "segmentation", "attachCdm",
]  # fmt: skip
TYPES: Final = {
    "string": "string", "guid": "guid", "boolean": "boolean", "date": "date", "integer": "int64", "number": "double",
    "datetime": "dateTime",
}  # fmt: skip
"""Kind of values → the wire's word; decimals say `decimal`."""
ORDINAL: Final = "ordinal"
"""Numbers customers inside; the wire has no such attribute."""
FIXED: Final[dict[str, tuple[EntityType, DataflowType, str]]] = {
    "Customer": ("profile", "conflationResolveConflicts", "CustomerId"),
    "UnifiedActivity": ("unifiedActivity", "unifiedActivity", "ActivityId"),
    "Customer_Measure": ("profileKpi", "kpi", "CustomerId"),
    "ConflationMatchPairs": ("conflationMap", "conflationMatchPairs", "TrueObjectId"),
    "customer_lineage": ("dataLineage", "conflationResolveConflicts", ""),
    "doubtful_links": ("conflationManualReview", "conflationMatchPairs", ""),
}
"""Tables of every generation: their type, the step that makes them, their key."""


class Annotation(Wire):
    """A fact beside the model."""

    name: str
    value: str


class IAttributeMetadata(Wire):
    """A column."""

    name: str
    friendly_name: str | None = None
    base_name: str | None = None
    data_type: str | None = None
    semantic_type: str | None = None
    search_properties: AttributeSearchProperties | None = None
    annotations: tuple[Annotation, ...] | None = None


class IRelationshipMetadata(Wire):
    """A relationship, as one of its entities has it."""

    name: str
    friendly_name: str | None = None
    from_attribute: IAttributeMetadata | None = None
    to_attribute: IAttributeMetadata | None = None
    relationship_type: str | None = None


class IEntityMetadata(Wire):
    """An entity. `name` stands alone, `qualifiedEntityName` begins with the source: `crm_Contacts`."""

    name: str
    qualified_entity_name: str
    data_source_name: str | None = None
    dataflow_type: DataflowType | None = None
    datasource_id: str | None = None
    entity_type: EntityType | None = None
    attributes: tuple[IAttributeMetadata, ...] = ()
    keys: tuple[tuple[IAttributeMetadata, ...], ...] = ()
    relationships: tuple[IRelationshipMetadata, ...] = ()
    timestamp_attribute: IAttributeMetadata | None = None
    incremental_attribute: IAttributeMetadata | None = None
    semantic_type: str | None = None
    refresh_time: datetime | None = None
    annotations: tuple[Annotation, ...] | None = None


class IC360EntityModel(Wire):
    """Every entity of an instance."""

    instance_id: str
    dataflow_id: str | None = None
    datasource_id: str | None = None
    dataflow_type: str | None = None
    entities: tuple[IEntityMetadata, ...] = ()


class EntitySize(Wire):
    """`size`: bytes that the table takes in the generation's file, estimated by its share of the rows' width."""

    qualified_entity_name: str
    size: int
    row_count: int


@router.get("/manage/entities", operation_id="get_all_entity_metadata", summary="Every entity")
async def get_all_entity_metadata(
    hosted: Asking,
    caller: TheCaller,
    attributesAnnotations: bool = False,
    includeQuarantined: bool = False,
    includeSelfConflatedEntity: bool = False,
) -> IC360EntityModel:
    """Of the published generation: ingested ones, Customer, UnifiedActivity, measures, segments. None before a run.

    includeQuarantined           also the rows that were not accepted, with reasons
    includeSelfConflatedEntity   also Deduplication_<Source>_<Entity>
    attributesAnnotations        of each attribute, whether it is ReadOnly and Mandatory
    """

    def look(acme: Instance) -> tuple[IEntityMetadata, ...]:
        found = [] if acme.store.published() is None else list(_Generation(acme, attributesAnnotations).all())
        skipped = {
            *(() if includeQuarantined else ("corrupt",)),
            *(() if includeSelfConflatedEntity else ("selfConflation",)),
        }
        return tuple(entity for entity in found if entity.entity_type not in skipped)

    return told(IC360EntityModel, instance_id=hosted.id, entities=await hosted.ask_as(caller, look))


@router.get("/manage/entities/{entityName}", operation_id="get_entity_metadata", summary="One entity")
async def get_entity_metadata(
    hosted: Asking,
    caller: TheCaller,
    entityName: str,
    attributesAnnotations: bool = False,
) -> IEntityMetadata:
    """By its qualified name, `crm_Contacts` or `crm.Contacts`; or by its own where it is the only one of that name."""
    return await hosted.ask_as(caller, lambda acme: entity_of(acme, entityName, annotated=attributesAnnotations))


@router.get("/manage/entities/{entityName}/entitysize", operation_id="get_entity_size", summary="Rows and bytes")
async def get_entity_size(hosted: Asking, caller: TheCaller, entityName: str) -> EntitySize:
    """Of an entity of the published generation."""
    return await hosted.ask_as(caller, lambda acme: _size(acme, entityName))


_columns: "WeakKeyDictionary[DuckDBEngine, dict[str, dict[str, str]]]" = WeakKeyDictionary()
"""Of the tables of an engine, none where there is no such table: a generation never changes, and one look is 20 ms."""


def columns_of(engine: DuckDBEngine, table: str) -> dict[str, str]:
    """Column → SQL type; empty for a table that is not there."""
    known = _columns.setdefault(engine, {})
    if table not in known:
        try:
            known[table] = dict(engine.columns(table))
        except KeyError:
            known[table] = {}
    return known[table]


def entity_of(acme: Instance, name: str, *, annotated: bool = False) -> IEntityMetadata:
    """One entity of the published generation, quarantined and self-conflated ones included; ServiceError 404."""
    known = [] if acme.store.published() is None else list(_Generation(acme, annotated).all())
    table = table_of(name) if "." in name else name
    found = [e for e in known if e.qualified_entity_name == table] or [e for e in known if e.name == name]
    if len(found) != 1:
        names = [e.qualified_entity_name for e in (found or known)]
        why = f"{name} is an entity of several sources" if found else f"there is no entity {name[:200]!r}"
        raise not_found(why, where="entityName", hint=did_you_mean(name, names), key="entityNotFound")
    return found[0]


class _Generation:
    """The entities of the published generation, as the engine at hand shows them."""

    def __init__(self, acme: Instance, annotated: bool) -> None:
        self.engine, self.project, self._annotated = acme.engine(), acme.project(), annotated
        self.refreshed = acme.published().published
        self._search = search_in_force(acme.store)
        self.graph = RelationshipGraph(self.project)
        rows = self.engine.fetch(Query('SELECT entity, key, type, timestamp, "columns" FROM entities ORDER BY entity'))
        self.ingested = {row["entity"]: row for row in rows.to_pylist()}
        self.segments = (
            {info.name: info for info in acme.segments() if info.state == "active"} if self._has("Customer") else {}
        )

    def all(self) -> Iterator[IEntityMetadata]:
        for entity in self.ingested:
            yield self._ingested(entity)
            if self._has(corrupt_table_of(entity)):
                yield self._corrupt(entity)
        for entity in self.ingested:
            if self._has(table := f"Deduplication_{table_of(entity)}"):
                own = str(self.ingested[entity]["key"])
                yield self._made(table, "selfConflation", "conflationDeduplication", (own,))
        for table, (kind, flow, key) in FIXED.items():
            if self._has(table):
                yield self._made(table, kind, flow, (key,) if key else ())
        for name, measure in self.project.measures.items():
            if measure.kind != "attribute" and self._has(own_table(name)):
                yield self._made(own_table(name), "aggregateKpi", "kpi", ())
        for name in self.segments:
            yield self._made("Customer", "segment", "segmentation", ("CustomerId",), called=name)

    def _has(self, table: str) -> bool:
        return bool(columns_of(self.engine, table))

    def _ingested(self, entity: str) -> IEntityMetadata:
        about = self.ingested[entity]
        source, name = entity.split(".", 1)
        labels = {c["name"]: c["label"] for c in json.loads(about["columns"]) if c["label"]}
        attributes = self._attributes(table_of(entity), labels, {about["key"]})
        by_name = {a.name: a for a in attributes}
        declared = self.project.entities.get(entity)
        updated = declared.incremental.updated if declared and declared.incremental else ""
        return told(
            IEntityMetadata,
            name=name,
            qualified_entity_name=table_of(entity),
            data_source_name=source,
            datasource_id=source,
            dataflow_type="ingestion",
            entity_type=about["type"],
            attributes=attributes,
            keys=((by_name[about["key"]],),) if about["key"] in by_name else (),
            relationships=tuple(self._relationships(entity)),
            timestamp_attribute=by_name.get(about["timestamp"] or ""),
            incremental_attribute=by_name.get(updated),
            refresh_time=self.refreshed,
        )

    def _corrupt(self, entity: str) -> IEntityMetadata:
        source, name = entity.split(".", 1)
        return told(
            IEntityMetadata,
            name=f"{name}_corrupt",
            qualified_entity_name=corrupt_table_of(entity),
            data_source_name=source,
            datasource_id=source,
            dataflow_type="ingestion",
            entity_type="corrupt",
            attributes=self._attributes(corrupt_table_of(entity), {}, set()),
            refresh_time=self.refreshed,
        )

    def _made(
        self, table: str, kind: EntityType, flow: DataflowType, key: tuple[str, ...], *, called: str = ""
    ) -> IEntityMetadata:
        """One that a run made. `called`: its name where it is not the table's: a segment has the columns of Customer"""
        labels = self._customer_labels() if table == "Customer" else {}
        attributes = self._attributes(table, labels, set(key))
        by_name = {a.name: a for a in attributes}
        return told(
            IEntityMetadata,
            name=called or table,
            qualified_entity_name=called or table,
            dataflow_type=flow,
            entity_type=kind,
            attributes=attributes,
            keys=(tuple(by_name[k] for k in key),) if key and all(k in by_name for k in key) else (),
            relationships=tuple(self._relationships("Customer")) if table == "Customer" and not called else (),
            timestamp_attribute=by_name.get("ActivityTime") if table == "UnifiedActivity" else None,
            semantic_type="Customer" if table == "Customer" and not called else None,
            refresh_time=self.refreshed,
        )

    def _customer_labels(self) -> dict[str, str]:
        """Of unified columns: the label of a column of that name, of the first entity in the order that has one."""
        labels: dict[str, str] = {}
        for entity in self.graph.profiles:
            for column, label in self.project.entity(entity).labels.items():
                labels.setdefault(column, label)
        return labels

    def _attributes(self, table: str, labels: dict[str, str], keys: set[str]) -> tuple[IAttributeMetadata, ...]:
        searched = self._search.get(table, {})
        hidden = ORDINAL if table in FIXED or table.startswith("Measure_") else ""
        return tuple(
            told(
                IAttributeMetadata,
                name=column,
                friendly_name=column,
                base_name=column,
                data_type=data_type(kind),
                semantic_type=canonical(labels[column]).replace(".", "") if column in labels else None,
                search_properties=searched.get(column),
                annotations=_annotations(column in keys) if self._annotated else None,
            )
            for column, kind in columns_of(self.engine, table).items()
            if column != hidden
        )

    def _relationships(self, entity: str) -> Iterator[IRelationshipMetadata]:
        for hop in self.graph.listed():
            if entity not in (hop.from_entity, hop.to_entity):
                continue
            said = self.project.relationships.get(hop.relationship)
            yield told(
                IRelationshipMetadata,
                name=hop.relationship,
                friendly_name=hop.relationship,
                from_attribute=told(IAttributeMetadata, name=hop.from_attribute),
                to_attribute=told(IAttributeMetadata, name=hop.to_attribute),
                relationship_type=wire_type(said.type if said else "SingleKeyRelationshipOrigin"),
            )


def data_type(sql: str) -> str:
    """The wire's word for an SQL type.

    >>> data_type("VARCHAR"), data_type("DECIMAL(18,2)"), data_type("TIMESTAMP"), data_type("INTEGER[]")
    ('string', 'decimal', 'dateTime', 'integer[]')
    """
    return (
        "decimal"
        if sql.startswith("DECIMAL(") and not sql.endswith("]")
        else TYPES.get(family(sql) if not sql.endswith("]") else "", sql.lower())
    )


def wire_type(word: str) -> str:
    """
    >>> wire_type("SingleKeyRelationshipOrigin")
    'singleKeyRelationshipOrigin'
    """
    return word[:1].lower() + word[1:]


def _annotations(key: bool) -> tuple[Annotation, ...]:
    """Everything published is read; only a key must have a value."""
    return (
        told(Annotation, name="ReadOnly", value="true"),
        told(Annotation, name="Mandatory", value=str(key).lower()),
    )


def _size(acme: Instance, name: str) -> EntitySize:
    entity = entity_of(acme, name)
    engine, table = acme.engine(), entity.qualified_entity_name
    if entity.entity_type == "segment":
        members = acme.odata(f"Customer?$filter=IsMemberOfSegment('{table}')&$count=true&$top=0").count or 0
        return told(EntitySize, qualified_entity_name=table, size=4 * members, row_count=members)
    [row] = engine.fetch(Query(f"SELECT count(*) AS n FROM {quote(table)}")).to_pylist()
    rows = acme.published().rows
    cells = {t: (n or 0) * len(columns_of(engine, t)) for t, n in rows.items()}
    share = cells.get(table, 0) / (sum(cells.values()) or 1)
    return told(EntitySize, qualified_entity_name=table, size=round(acme.published().bytes * share), row_count=row["n"])
