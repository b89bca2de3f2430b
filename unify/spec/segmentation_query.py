"""The vendor's SegmentationQuery, key for key.

    SegmentationQuery
    ├── rowsets: [SegmentationRowset]                      joined in sequence by set operations
    │   ├── criteria: SegmentMembershipCriteria            childCriterias joined by and/or, to any depth
    │   └── paths: [[relationship]]                        how rows of other entities belong to a customer
    ├── projectedAttributes: [SegmentationProjection]      what goes out with each member
    ├── hierarchies: [HierarchyDefinition]                 for childOf and parentOf
    └── segmentationQuerySql                               of type manual

Only keys and types are checked here, so that a draft can be kept; what a query means, and everything that makes it
impossible, is said when it is lowered (segments/vendor/segmentation_query.py). Meaning: docs/segmentation-query.md.
"""

from typing import Annotated, Literal

from pydantic import BeforeValidator

from unify.spec.wire import Wire, initial_lower

QueryType = Annotated[Literal["structured", "manual"], BeforeValidator(initial_lower)]
RowsetOperation = Annotated[
    Literal["union", "intersect", "except", "none", "include", "exclude"], BeforeValidator(initial_lower)
]
CriteriaKind = Annotated[Literal["post", "default", "consent", "engagement"], BeforeValidator(initial_lower)]
LogicalOperator = Annotated[Literal["and", "or"], BeforeValidator(initial_lower)]
ProjectionType = Annotated[Literal["pre", "post"], BeforeValidator(initial_lower)]
ComparisonOperator = Annotated[
    Literal[
        "equals", "notEquals", "greaterThan", "greaterThanOrEqualTo", "lessThan", "lessThanOrEqualTo", "any",
        "contains", "startsWith", "endsWith", "isNull", "isNotNull", "all", "isIn", "isWithinLast", "isBetween",
        "isNotBetween", "yearToDate", "dayOf", "monthOf", "yearOf", "dayOfWeek", "timeAt", "childOf", "parentOf",
    ],
    BeforeValidator(initial_lower),
]  # fmt: skip


class SegmentMembershipCriteria(Wire):
    """A condition on one attribute, or children joined by `logicalOperator`."""

    kind: CriteriaKind | None = None
    logical_operator: LogicalOperator | None = None
    attribute: str | None = None
    comparison_operator: ComparisonOperator | None = None
    child_criterias: "tuple[SegmentMembershipCriteria, ...] | None" = None
    value: str | None = None
    ignore_case: bool | None = None
    list_of_values: tuple[str, ...] | None = None
    is_time: bool | None = None


class SegmentationRowset(Wire):
    """One rule, and what is done with its customers to those of the rules before."""

    rowset_operation: RowsetOperation | None = None
    criteria: SegmentMembershipCriteria | None = None
    paths: tuple[tuple[str, ...], ...] | None = None
    rowset_id: str | None = None


class SegmentationProjection(Wire):
    """Attributes of an entity that go out with each member."""

    entity_name: str | None = None
    attribute_names: tuple[str, ...] | None = None
    path: tuple[str, ...] | None = None
    projection_type: ProjectionType | None = None


class HierarchyDefinition(Wire):
    """An entity whose rows lead from a child (`sourceAttributeName`) to its parent (`destinationAttributeName`)."""

    hierarchy_entity_name: str | None = None
    source_attribute_name: str | None = None
    destination_attribute_name: str | None = None


class SegmentationQuery(Wire):
    """What a segment is. `projections`, which the vendor has deprecated, is texts like `Entity.Attribute`."""

    type: QueryType | None = None
    projections: tuple[str, ...] | None = None
    projected_attributes: tuple[SegmentationProjection, ...] | None = None
    rowsets: tuple[SegmentationRowset, ...] | None = None
    segmentation_query_sql: str | None = None
    hierarchies: tuple[HierarchyDefinition, ...] | None = None
