"""The vendor's MeasureMetadata as our Measure, and back.

    measure_of_wire(read_metadata(document))   → the noun, and what has no place in it
    wire_of_measure("TotalSpend", measure)     → the document

What changes no value (display names of columns, audit tails, evaluations) is told by its key; what would change one and
is not understood is an error. So is what our measures can say and the vendor's cannot.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from segments.measures.wire import MeasureAggregate, MeasureMetadata
from segments.measures.wire_filters import criteria_of, expression_of, name_of, text_of
from unify.core.documents import measure_of
from unify.core.errors import SpecError
from unify.spec import Calculation, Measure, Variable

OPERATIONS = {"countDistinct": "count_distinct", "argMax": "argmax", "argMin": "argmin"}
"""Where the vendor's word differs from ours."""
WORDS = {ours: theirs for theirs, ours in OPERATIONS.items()}
LEFT_OUT = {
    "latestEvaluation", "output", "evaluationStats", "errorDescription", "sqlValidationStats", "evaluationHistory",
    "outputHistory", "isTemplate", "templateId", "isCreatedFromTemplate", "version", "updatedBy", "updatedUtc",
    "createdBy", "createdUtc", "instanceId",
}  # fmt: skip

BESIDE_SQL = ("linkedEntities", "variables", "filters", "filteringCriteria", "dimensions", "aggregates", "dependencies")
"""What describes a measure in other words than its SQL."""


@dataclass(frozen=True)
class Imported:
    """A measure from the wire. `left_out`: keys that were sent and have no place in it; none changes a value."""

    name: str
    measure: Measure
    left_out: tuple[str, ...]


def measure_of_wire(metadata: MeasureMetadata) -> Imported:
    """The noun. SpecError for what is not understood."""
    reader = _Reader(metadata)
    return Imported(metadata.name, reader.measure(), tuple(reader.left_out))


class _Reader:
    def __init__(self, metadata: MeasureMetadata) -> None:
        self.metadata, self.said = metadata, metadata.definition
        self.left_out = sorted(LEFT_OUT & set(metadata.wire()))
        self.place = f"measures.{metadata.name}.definition"
        self.base = ""

    def measure(self) -> Measure:
        said = self.said
        if said.type == "manual" or (said.type is None and said.measure_query_sql is not None):
            return self._manual()
        if said.measure_query_sql is not None:
            hint = "of `type: manual` the SQL counts, of `structured` all but the SQL"
            raise SpecError("it is structured and in SQL", where=self.place, hint=hint)
        entities = said.linked_entities or ()
        bases = [e.entity for e in entities if e.kind == "base"]
        if len(bases) != 1 or bases[0] is None:
            raise SpecError(f"{len(bases)} linked entities are the base: one is needed", where=self.place)
        self.base = bases[0]
        self._leave("linkedEntities", entities, "alias")
        if said.dependencies or any(e.kind == "scalar" for e in entities):
            self.left_out.append("definition.dependencies")  # they follow from what the expressions name
        body: dict[str, Any] = {
            "of": self.base,
            "path": [e.entity for e in entities if e.kind == "join"],
            "kind": self._kind(),
            "by": dict(self._dimensions()),
            "variables": dict(self._variables()),
            "title": self.metadata.display_name,
            "description": self.metadata.description,
            **self._where(),
            **self._calculations(),
        }
        return measure_of(self.metadata.name, {k: v for k, v in body.items() if v not in (None, {}, [])})

    def _manual(self) -> Measure:
        """SQL says all of it; what else describes a measure in the document follows from the SQL."""
        said = self.said
        if said.measure_query_sql is None:
            raise SpecError("a manual measure needs measureQuerySql", where=self.place)
        single = said.is_scalar if said.is_manual_query_scalar is None else said.is_manual_query_scalar
        if single and said.kind == "attribute" and said.is_profile:
            hint = "of an attribute of customers isManualQueryScalar is false"
            raise SpecError("one value is no attribute of customers", where=self.place, hint=hint)
        if not single and not said.is_profile:
            hint = "set isProfile, and select CustomerId; or isManualQueryScalar, and select one value"
            raise SpecError("SQL gives a row per customer, or a single value", where=self.place, hint=hint)
        for key, value in said.wire().items():
            if key in BESIDE_SQL and value:
                self.left_out.append(f"definition.{key}")
        body = {
            "sql": said.measure_query_sql,
            "kind": "business" if single else self._kind(),
            "title": self.metadata.display_name,
            "description": self.metadata.description,
        }
        return measure_of(self.metadata.name, {k: v for k, v in body.items() if v is not None})

    def _leave(self, key: str, items: Any, *names: str) -> None:
        for i, item in enumerate(items or ()):
            sent = item.model_dump(by_alias=True)
            self.left_out += [f"definition.{key}[{i}].{n}" for n in names if n in sent]

    def _kind(self) -> str:
        if self.said.kind == "attribute":
            return "attribute"
        return "customer" if self.said.is_profile else "business"

    def _dimensions(self) -> Iterator[tuple[str, Any]]:
        dimensions = self.said.dimensions or ()
        self._leave("dimensions", dimensions, "displayName", "isReadOnly")
        for d in sorted(dimensions, key=lambda d: d.order or 0):
            value = name_of(d.field, self.base)
            if value in ("CustomerId", "Customer/CustomerId") and self.said.is_profile:
                continue  # every measure of customers has it
            yield d.alias or value.rpartition("/")[2], {"value": value, "bucket": d.bucket or "none"}

    def _variables(self) -> Iterator[tuple[str, Any]]:
        self._leave("variables", self.said.variables, "dataType")
        for i, variable in enumerate(self.said.variables or ()):
            place = f"{self.place}.variables[{i}]"
            if variable.expression_text is None:
                raise SpecError("a variable needs an expressionText", where=place)
            found: dict[str, Any] = {"value": variable.expression_text}
            for group in variable.variable_condition_groups or ():
                for condition in group.conditions or ():
                    self._condition(found, condition.wire(), place)
            yield variable.name, found

    def _condition(self, found: dict[str, Any], said: dict[str, Any], place: str) -> None:
        wanted = {"kind", "replacementValue"} | ({"targetValue"} if said["kind"] == "replaceTargetValues" else set())
        if set(said) != wanted:
            keys = " and ".join(sorted(wanted - {"kind"}))
            raise SpecError(f"{said['kind']} is understood with {keys}", where=place, hint="docs/measures.md")
        if said["kind"] == "replaceNulls":
            found["nulls"] = said["replacementValue"]
        else:
            found.setdefault("replace", {})[said["targetValue"]] = said["replacementValue"]

    def _where(self) -> dict[str, Any]:
        parts: list[Any] = []
        if self.said.filters is not None:
            parts.append(text_of(self.said.filters, f"{self.place}.filters"))
        if self.said.filtering_criteria is not None:
            parts.append(criteria_of(self.said.filtering_criteria, self.base, f"{self.place}.filteringCriteria"))
        return {} if not parts else {"where": parts[0] if len(parts) == 1 else {"all": parts}}

    def _calculations(self) -> dict[str, Any]:
        aggregates = sorted(self.said.aggregates or (), key=lambda a: a.order or 0)
        self._leave("aggregates", self.said.aggregates, "displayName")
        found = {}
        for i, aggregate in enumerate(aggregates):
            place = f"{self.place}.aggregates[{i}]"
            if aggregate.is_included is False:
                self.left_out.append(f"definition.aggregates[{i}]")
                continue
            found[aggregate.alias or self.metadata.name] = self._aggregate(aggregate, place)
        if len(found) == 1 and (self.said.kind == "attribute" or self.metadata.name in found):
            return next(iter(found.values()))
        return {"calculate": found}

    def _aggregate(self, said: MeasureAggregate, place: str) -> dict[str, Any]:
        if said.operation_scope is not None:
            raise SpecError(f"operationScope {said.operation_scope} is not understood", where=place)
        function = OPERATIONS.get(said.operation, said.operation)
        field = None if said.field is None else name_of(said.field, self.base)
        if function in ("argmax", "argmin"):
            inner = [a.field for a in said.aggregates or () if a.field is not None]
            if len(inner) != 1 or field is None:
                hint = "`field` says what is taken, the field of one nested aggregate what it goes by"
                raise SpecError(f"{said.operation} needs both of its fields", where=place, hint=hint)
            return {function: {"take": field, "by": name_of(inner[0], self.base)}}
        if said.aggregates:
            raise SpecError(f"{said.operation} has no aggregates of its own", where=place)
        if field is None and function != "count":
            raise SpecError(f"{said.operation} needs a field", where=place)
        return {function: True if field is None else field}


# ── the other way ────────────────────────────────────────────────────────────────────────────────────────────────────


def wire_of_measure(name: str, measure: Measure) -> MeasureMetadata:
    """The document. SpecError for what the vendor's measures cannot say."""
    place = f"measures.{name}"
    around = {"name": name, "displayName": measure.title, "description": measure.description}
    if measure.sql is not None:
        return MeasureMetadata.model_validate({**around, "definition": _manual(measure)})
    more = [k for k in ("period", "template") if getattr(measure, k)]
    for calculation in measure.columns(name).values():
        said = calculation.model_dump(exclude_defaults=True)
        more += [k for k in ("median", "value", "default", "whole") if k in said]
    if more or measure.of is None:
        lacking = ", ".join(dict.fromkeys(more)) or "value"
        raise SpecError(f"the vendor's measures have no {lacking}", where=place, hint="keep it in the project")
    where: dict[str, Any] = {}
    if isinstance(measure.where, str):
        where = {"filters": expression_of(measure.where, f"{place}.where").wire()}
    elif measure.where is not None:
        raise SpecError("criteria have no spelling here", where=f"{place}.where", hint="write the filter as text")
    definition = {
        "kind": "attribute" if measure.kind == "attribute" else "entity",
        "isScalar": measure.scalar,
        "isProfile": measure.kind != "business",
        "type": "structured",
        "linkedEntities": [
            {"kind": "base", "entity": measure.of},
            *({"kind": "join", "entity": step} for step in measure.path),
        ],
        "variables": [_variable(n, v, place) for n, v in measure.variables.items()] or None,
        "dimensions": list(_dimensions(measure, place)) or None,
        "aggregates": [_aggregate(n, c) for n, c in measure.columns(name).items()],
        **where,
    }
    return MeasureMetadata.model_validate({**around, "definition": definition})


def _manual(measure: Measure) -> dict[str, Any]:
    return {
        "kind": "attribute" if measure.kind == "attribute" else "entity",
        "isScalar": measure.scalar,
        "isProfile": measure.kind != "business",
        "type": "manual",
        "measureQuerySql": measure.sql,
        "isManualQueryScalar": measure.scalar,
    }


def _dimensions(measure: Measure, place: str) -> Iterator[dict[str, Any]]:
    for name, dimension in measure.by.items():
        if dimension.bucket in ("week", "quarter"):
            raise SpecError(f"the vendor has no bucket {dimension.bucket}", where=f"{place}.by.{name}")
        yield {"field": _field(dimension.value), "alias": name, "bucket": dimension.bucket}


def _variable(name: str, variable: Variable, place: str) -> dict[str, Any]:
    if variable.whole:
        raise SpecError("the vendor's variables are not rounded", where=f"{place}.variables.{name}")
    conditions: list[dict[str, Any]] = []
    if variable.nulls is not None:
        conditions.append({"kind": "replaceNulls", "replacementValue": variable.nulls})
    conditions += [
        {"kind": "replaceTargetValues", "targetValue": old, "replacementValue": new}
        for old, new in variable.replace.items()
    ]
    return {
        "kind": "date" if "now()" in variable.value else "arithmetic",
        "name": name,
        "expressionText": variable.value,
        "variableConditionGroups": [{"conditions": conditions}] if conditions else None,
    }


def _aggregate(name: str, spec: Calculation) -> dict[str, Any]:
    function = spec.function
    said = getattr(spec, function)
    operation = WORDS.get(function, function)
    if function in ("argmin", "argmax"):
        inner = {"operation": "max" if function == "argmax" else "min", "field": _field(said.by)}
        return {"operation": operation, "field": _field(said.take), "alias": name, "aggregates": [inner]}
    return {"operation": operation, "field": None if said is True else _field(said), "alias": name}


def _field(text: str) -> str:
    """A column or a path as the vendor names it. SpecError for an expression: those are variables there."""
    parts = text.split("/")
    if any(not part.replace("_", "").isalnum() for part in parts):
        raise SpecError(f"`{text}` is no column", hint="give the expression a name under `variables`")
    return ".".join(parts)
