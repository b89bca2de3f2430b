"""The vendor's MeasureMetadata, key for key; an unknown key or kind is an error.

    MeasureMetadata ── definition: MeasureDefinition ── linkedEntities, variables, dimensions, aggregates
                                                     ── filters (MeasureExpression), filteringCriteria

Of expressions and of a variable's conditions the vendor's client models the kind alone and hands every other key
through: they are kept as they came. docs/measures.md says which of them are understood.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, ConfigDict, ValidationError, model_validator

from unify.core.errors import SpecError, did_you_mean
from unify.spec.segment_metadata import SqlValidationStats
from unify.spec.segmentation_query import SegmentMembershipCriteria
from unify.spec.wire import AuditedWire, StringInfo, Wire, initial_lower

Operation = Annotated[
    Literal["sum", "avg", "min", "max", "count", "countDistinct", "first", "last", "argMax", "argMin"],
    BeforeValidator(initial_lower),
]
COMPARISONS = {
    "equals": "eq", "notEquals": "ne", "greaterThan": "gt", "greaterThanOrEqualTo": "ge", "lessThan": "lt",
    "lessThanOrEqualTo": "le",
}  # fmt: skip
ARITHMETIC = {"add": "add", "subtract": "sub", "multiply": "mul", "divide": "div", "modulo": "mod"}
TESTS = {"contains": "contains", "startsWith": "startswith", "endsWith": "endswith"}
KINDS = (
    "constant", "property", "memberAccess", "functionCall", "and", "or", *COMPARISONS, *TESTS, "isNull", "isNotNull",
    "negate", *ARITHMETIC, "exponent", "today", "now",
)  # fmt: skip


def _a_known_kind(kind: Any) -> Any:
    word = initial_lower(kind)
    if word not in KINDS:
        raise ValueError(f"no kind of expression; {did_you_mean(str(word), KINDS)}")
    return word


class MeasureExpression(Wire):
    """One node of a filter. Nodes inside it, under whatever key, have kinds too."""

    model_config = ConfigDict(extra="allow")

    kind: Annotated[str, BeforeValidator(_a_known_kind)]

    @model_validator(mode="after")
    def _kinds_inside(self) -> "MeasureExpression":
        for value in (self.model_extra or {}).values():
            for part in value if isinstance(value, list) else [value]:
                if isinstance(part, dict):
                    MeasureExpression.model_validate(part)
        return self


class LinkedEntity(Wire):
    """`base`: the rows that count; `join`: what a path goes through, from Customer on; `scalar`: another measure."""

    kind: Annotated[Literal["base", "join", "scalar"], BeforeValidator(initial_lower)]
    entity: str | None = None
    alias: str | None = None


class VariableCondition(Wire):
    """What stands instead of nulls, or of a target value."""

    model_config = ConfigDict(extra="allow")

    kind: Annotated[Literal["replaceNulls", "replaceTargetValues"], BeforeValidator(initial_lower)]


class VariableConditionGroup(Wire):
    """Conditions under one name."""

    name: str | None = None
    conditions: tuple[VariableCondition, ...] | None = None


class MeasureVariable(Wire):
    """A value per row."""

    kind: Annotated[Literal["arithmetic", "date"], BeforeValidator(initial_lower)]
    name: str
    data_type: str | None = None
    expression_text: str | None = None
    variable_condition_groups: tuple[VariableConditionGroup, ...] | None = None


class MeasureDimension(Wire):
    """What rows are grouped by."""

    field: str
    alias: str | None = None
    display_name: str | None = None
    order: int | None = None
    bucket: Annotated[Literal["none", "day", "month", "year"], BeforeValidator(initial_lower)] | None = None
    is_read_only: bool | None = None


class MeasureAggregate(Wire):
    """One aggregate; argMin and argMax hold what they go by as the field of an aggregate of their own."""

    operation: Operation
    field: str | None = None
    alias: str | None = None
    display_name: str | None = None
    order: int | None = None
    operation_scope: Literal["rollup"] | None = None
    aggregates: "tuple[MeasureAggregate, ...] | None" = None
    is_included: bool | None = None


class MeasureDefinition(Wire):
    """What a measure is."""

    kind: Annotated[Literal["entity", "attribute"], BeforeValidator(initial_lower)]
    is_scalar: bool | None = None
    is_profile: bool | None = None
    type: Annotated[Literal["structured", "manual"], BeforeValidator(initial_lower)] | None = None
    linked_entities: tuple[LinkedEntity, ...] | None = None
    variables: tuple[MeasureVariable, ...] | None = None
    filters: MeasureExpression | None = None
    filtering_criteria: SegmentMembershipCriteria | None = None
    dimensions: tuple[MeasureDimension, ...] | None = None
    aggregates: tuple[MeasureAggregate, ...] | None = None
    measure_query_sql: str | None = None
    is_manual_query_scalar: bool | None = None
    dependencies: tuple[str, ...] | None = None


class Evaluation(Wire):
    """How the last working out went."""

    last_successful_run_id: str | None = None
    state: Annotated[Literal["none", "running", "failed", "completed"], BeforeValidator(initial_lower)] | None = None
    end_time: datetime | None = None
    error: StringInfo | None = None


class EvaluationStats(Wire):
    """Of all workings out."""

    last_successful: datetime | None = None
    consecutive_failure_count: int | None = None


class ScalarOutput(Wire):
    """The value of a measure that has one only."""

    values: dict[str, Any] | None = None
    measure_name: str | None = None
    evaluation_time: datetime | None = None


class MeasureMetadata(AuditedWire):
    """A measure with everything around it."""

    display_name: str | None = None
    name: str
    description: str | None = None
    definition: MeasureDefinition
    latest_evaluation: Evaluation | None = None
    output: ScalarOutput | None = None
    evaluation_stats: EvaluationStats | None = None
    error_description: StringInfo | None = None
    sql_validation_stats: SqlValidationStats | None = None
    evaluation_history: tuple[Evaluation, ...] | None = None
    output_history: tuple[ScalarOutput, ...] | None = None
    is_template: bool | None = None
    template_id: str | None = None
    is_created_from_template: bool | None = None


def read_metadata(document: object) -> MeasureMetadata:
    """What a client sent. SpecError with the place of every unknown key and kind."""
    try:
        return MeasureMetadata.model_validate(document)
    except ValidationError as error:
        raise SpecError("\n".join(map(_said, error.errors())), where="MeasureMetadata") from None


def _said(error: Any) -> str:
    place = ".".join(map(str, error["loc"])) or "it"
    if error["type"] == "extra_forbidden":
        known = {f.alias or n for model in Wire.__subclasses__() for n, f in model.model_fields.items()}
        return f"{place}: unknown key; {did_you_mean(str(error['loc'][-1]), known)}"
    return f"{place}: {str(error['msg']).removeprefix('Value error, ')}"
