"""The vendor's MeasureMetadata: every key there and back, unknown ones refused, nouns both ways."""

import pytest

from segments.measures.wire import MeasureMetadata, Wire, read_metadata
from segments.measures.wire_measures import measure_of_wire, wire_of_measure
from unify.core.documents import measure_of
from unify.core.errors import SpecError

SPEND = {
    "name": "TotalSpend",
    "displayName": "Total spend",
    "description": "What a customer paid",
    "definition": {
        "kind": "attribute", "isScalar": False, "isProfile": True, "type": "structured",
        "linkedEntities": [{"kind": "base", "entity": "web.Orders"}],
        "variables": [{
            "kind": "arithmetic", "name": "Net", "expressionText": "Total sub Discount",
            "variableConditionGroups": [{"conditions": [
                {"kind": "replaceNulls", "replacementValue": 0},
                {"kind": "replaceTargetValues", "targetValue": "-1", "replacementValue": 0}]}]}],
        "filters": {"kind": "and", "arguments": [
            {"kind": "equals", "left": {"kind": "property", "name": "Status"}, "right": {"kind": "constant", "value": "paid"}},
            {"kind": "greaterThan", "left": {"kind": "memberAccess", "expression": {"kind": "property", "name": "product"},
                                             "name": "Price"}, "right": {"kind": "constant", "value": 1.5}},
            {"kind": "isNotNull", "expression": {"kind": "property", "name": "Total"}}]},
        "aggregates": [{"operation": "sum", "field": "Net", "alias": "TotalSpend"}],
    },
}  # fmt: skip
TABLE = {
    "name": "ByMonth",
    "definition": {
        "kind": "entity", "isScalar": False, "isProfile": True, "type": "structured",
        "linkedEntities": [{"kind": "base", "entity": "web.Orders"}, {"kind": "join", "entity": "web_SignUps"},
                           {"kind": "join", "entity": "orders"}],
        "dimensions": [{"field": "OrderedOn", "alias": "Month", "bucket": "month"},
                       {"field": "product.Category", "alias": "Category", "bucket": "none"}],
        "aggregates": [
            {"operation": "countDistinct", "field": "Product", "alias": "Products"},
            {"operation": "count", "alias": "Orders"},
            {"operation": "argMax", "field": "Product", "alias": "Dearest", "aggregates": [
                {"operation": "max", "field": "Total"}]}],
    },
}  # fmt: skip
EVERYTHING = {
    **SPEND,
    "definition": {
        **SPEND["definition"], "measureQuerySql": "SELECT 1", "isManualQueryScalar": False, "dependencies": ["Other"],
        "filteringCriteria": {"attribute": "web_Orders.Total", "comparisonOperator": "greaterThan", "value": "5"},
        "dimensions": [{"field": "A", "alias": "B", "displayName": "C", "order": 1, "bucket": "day", "isReadOnly": True}],
        "aggregates": [{"operation": "sum", "field": "A", "alias": "B", "displayName": "C", "order": 2,
                        "operationScope": "rollup", "aggregates": [], "isIncluded": True}],
    },
    "latestEvaluation": {"lastSuccessfulRunId": "r", "state": "completed", "endTime": "2024-01-01T00:00:00Z",
                         "error": {"key": "k", "value": "v", "args": []}},
    "output": {"values": {"x": 1}, "measureName": "m", "evaluationTime": "2024-01-01T00:00:00Z"},
    "evaluationStats": {"lastSuccessful": "2024-01-01T00:00:00Z", "consecutiveFailureCount": 0},
    "errorDescription": {"key": "k"},
    "sqlValidationStats": {"validationDate": "2024-01-01T00:00:00Z", "error": "e"},
    "evaluationHistory": [{"state": "failed"}], "outputHistory": [{"values": {}}],
    "isTemplate": False, "templateId": "t", "isCreatedFromTemplate": False,
    "version": 3, "updatedBy": "u", "updatedUtc": "2024-01-01T00:00:00Z", "createdBy": "c",
    "createdUtc": "2024-01-01T00:00:00Z", "instanceId": "i",
}  # fmt: skip
DOCUMENTED = {
    "MeasureMetadata": """displayName name description definition latestEvaluation output evaluationStats errorDescription
        sqlValidationStats evaluationHistory outputHistory isTemplate templateId isCreatedFromTemplate version updatedBy
        updatedUtc createdBy createdUtc instanceId""",
    "MeasureDefinition": """kind isScalar isProfile type linkedEntities variables filters filteringCriteria dimensions
        aggregates measureQuerySql isManualQueryScalar dependencies""",
    "MeasureAggregate": "operation field alias displayName order operationScope aggregates isIncluded",
    "MeasureDimension": "field alias displayName order bucket isReadOnly",
    "MeasureVariable": "kind name dataType expressionText variableConditionGroups",
    "Evaluation": "lastSuccessfulRunId state endTime error",
    "ScalarOutput": "values measureName evaluationTime",
    "LinkedEntity": "kind entity alias",
}
"""Keys as the vendor's client models them."""


@pytest.mark.parametrize("document", [SPEND, TABLE, EVERYTHING])
def test_a_document_comes_back_as_it_was(document):
    assert read_metadata(document).wire() == document


@pytest.mark.parametrize("model", DOCUMENTED)
def test_keys_are_the_clients(model):
    from segments.measures import wire

    fields = getattr(wire, model).model_fields
    assert {f.alias or n for n, f in fields.items()} == set(DOCUMENTED[model].split())


@pytest.mark.parametrize(("change", "said"), [
    ({"displayname": "x"}, "displayname: unknown key; did you mean displayName"),
    ({"definition": {"kind": "profile"}}, "definition.kind: Input should be 'entity' or 'attribute'"),
    ({"definition": {"kind": "entity", "aggregates": [{"operation": "median"}]}}, "definition.aggregates.0.operation"),
    ({"definition": {"kind": "entity", "filters": {"kind": "equal"}}}, "did you mean equals"),
    ({"definition": {"kind": "entity", "filters": {"kind": "and", "arguments": [{"kind": "nor"}]}}}, "no kind of expression"),
    ({"definition": {"kind": "entity", "dimensions": [{"field": "A", "bucket": "week"}]}}, "definition.dimensions.0.bucket"),
])  # fmt: skip
def test_unknown_keys_and_kinds_are_refused(change, said):
    with pytest.raises(SpecError) as error:
        read_metadata({**SPEND, **change})
    assert said in str(error.value)


@pytest.mark.parametrize("document", [SPEND, TABLE])
def test_wire_to_noun_to_wire(document):
    found = measure_of_wire(read_metadata(document))
    assert found.left_out == ()
    assert wire_of_measure(found.name, found.measure).wire() == document


def test_what_the_noun_says():
    spend = measure_of_wire(read_metadata(SPEND)).measure
    assert (spend.sum, spend.of, spend.kind) == ("Net", "web.Orders", "attribute")
    assert spend.where == "Status eq 'paid' and product/Price gt 1.5 and Total ne null"
    assert spend.variables["Net"].nulls == 0
    assert spend.variables["Net"].replace == {"-1": 0}
    table = measure_of_wire(read_metadata(TABLE)).measure
    assert table.path == ("web_SignUps", "orders")
    assert table.by["Category"].value == "product/Category"
    assert table.calculate["Dearest"].argmax.by == "Total"


@pytest.mark.parametrize("said", [
    {"sum": "Total", "of": "web.Orders", "where": "contains(Product,'x') or -Total lt 3 sub Quantity mul 2"},
    {"kind": "business", "count": "Total", "of": "web.Orders", "title": "How many"},
    {"kind": "business", "of": "web.Orders", "by": {"City": "Customer/City"}, "calculate": {"A": {"max": "Total"}}},
    {"of": "web.Orders", "calculate": {"A": {"first": "Total"}, "B": {"argmin": {"take": "Product", "by": "Total"}}}},
    {"sum": "Days", "of": "web.Orders", "variables": {"Days": "totalseconds(now() sub OrderedOn) div 86400"}},
])  # fmt: skip
def test_noun_to_wire_to_noun(said):
    measure = measure_of("M", said)
    wire = wire_of_measure("M", measure)
    found = measure_of_wire(MeasureMetadata.model_validate(wire.wire())).measure
    assert wire_of_measure("M", found).wire() == wire.wire()
    assert found.model_copy(update={"calculate": {}}) == measure.model_copy(update={"calculate": {}})


@pytest.mark.parametrize(("kind", "said"), [
    ("attribute", {"kind": "attribute", "isScalar": False, "isProfile": True, "isManualQueryScalar": False}),
    ("customer", {"kind": "entity", "isScalar": False, "isProfile": True, "isManualQueryScalar": False}),
    ("business", {"kind": "entity", "isScalar": True, "isProfile": False, "isManualQueryScalar": True}),
])  # fmt: skip
def test_sql_both_ways(kind, said):
    document = {"name": "M", "displayName": "Mine", "description": "By hand",
                "definition": {**said, "type": "manual", "measureQuerySql": "SELECT CustomerId, 1 FROM Customer"}}  # fmt: skip
    found = measure_of_wire(read_metadata(document))
    assert (found.measure.kind, found.measure.sql, found.left_out) == (kind, "SELECT CustomerId, 1 FROM Customer", ())
    assert found.measure == measure_of(
        "M", {"sql": found.measure.sql, "kind": kind, "title": "Mine", "description": "By hand"}
    )
    assert wire_of_measure("M", found.measure).wire() == document


def test_what_stands_beside_sql_is_told():
    beside = {**SPEND["definition"], "type": "manual", "measureQuerySql": "SELECT 1", "dependencies": ["Other"]}
    found = measure_of_wire(read_metadata({**SPEND, "definition": beside}))
    assert found.left_out == ("definition.linkedEntities", "definition.variables", "definition.filters",
                              "definition.aggregates", "definition.dependencies")  # fmt: skip


@pytest.mark.parametrize(("said", "message"), [
    ({"median": "Total", "of": "web.Orders"}, "no median"),
    ({"sum": "Total", "of": "web.Orders", "default": 0}, "no default"),
    ({"sum": "Total mul 2", "of": "web.Orders"}, "is no column"),
    ("TotalSpend div Orders", "no value"),
    ({"sum": "Total", "of": "web.Orders", "where": "not contains(Product,'x')"}, "no filter for `not contains"),
    ({"count": True, "of": "web.Orders", "by": {"W": {"value": "OrderedOn", "bucket": "week"}}}, "no bucket week"),
])  # fmt: skip
def test_what_the_vendor_cannot_say_is_refused(said, message):
    with pytest.raises(SpecError) as error:
        wire_of_measure("M", measure_of("M", said))
    assert message in str(error.value)


@pytest.mark.parametrize(("change", "message"), [
    ({"measureQuerySql": "SELECT 1"}, "it is structured and in SQL"),
    ({"type": "manual"}, "a manual measure needs measureQuerySql"),
    ({"type": "manual", "measureQuerySql": "SELECT 1", "isManualQueryScalar": True}, "one value is no attribute of customers"),
    ({"type": "manual", "measureQuerySql": "SELECT 1", "kind": "entity", "isProfile": False}, "or a single value"),
    ({"linkedEntities": []}, "0 linked entities are the base"),
    ({"filters": {"kind": "exponent", "left": {"kind": "now"}, "right": {"kind": "now"}}}, "exponent is not understood"),
    ({"filters": {"kind": "equals", "operands": []}}, "a filter of kind equals has left, right"),
    ({"aggregates": [{"operation": "sum", "field": "A", "operationScope": "rollup"}]}, "operationScope rollup"),
    ({"aggregates": [{"operation": "argMax", "field": "A"}]}, "argMax needs both of its fields"),
    ({"aggregates": [{"operation": "sum"}]}, "sum needs a field"),
    ({"variables": [{"kind": "date", "name": "D"}]}, "needs an expressionText"),
    ({"variables": [{"kind": "date", "name": "D", "expressionText": "now()",
                     "variableConditionGroups": [{"conditions": [{"kind": "replaceNulls"}]}]}]}, "is understood with"),
    ({"filteringCriteria": {"attribute": "A", "comparisonOperator": "childOf", "value": "x"}}, "childOf is not understood"),
])  # fmt: skip
def test_what_is_not_understood_is_refused(change, message):
    document = {**SPEND, "definition": {**SPEND["definition"], "filters": None, "variables": None, **change}}
    with pytest.raises(SpecError) as error:
        measure_of_wire(read_metadata(document))
    assert message in str(error.value)


def test_keys_without_a_place_are_told():
    document = {**SPEND, "isCreatedFromTemplate": False, "definition": {**SPEND["definition"], "dependencies": ["A"]}}
    document["definition"]["aggregates"] = [{**SPEND["definition"]["aggregates"][0], "displayName": "Spend"}]
    found = measure_of_wire(read_metadata(document))
    assert found.left_out == (
        "isCreatedFromTemplate",
        "definition.dependencies",
        "definition.aggregates[0].displayName",
    )


def test_criteria_become_criteria():
    criteria = {"logicalOperator": "or", "childCriterias": [
        {"attribute": "web_Orders.Total", "comparisonOperator": "isBetween", "listOfValues": ["1", "5"]},
        {"attribute": "Product", "comparisonOperator": "startsWith", "value": "T", "ignoreCase": True}]}  # fmt: skip
    document = {**SPEND, "definition": {**SPEND["definition"], "filters": None, "filteringCriteria": criteria}}
    where = measure_of_wire(read_metadata(document)).measure.where
    assert where.any[0].attribute == "Total" or where.any[0].attribute == ("Total",)
    assert where.any[1].ignore_case


def test_every_model_is_frozen_and_strict():
    for model in (m for m in Wire.__subclasses__() if m.__module__.endswith("measures.wire")):
        assert model.model_config["frozen"]
        assert model.model_config["extra"] == (
            "allow" if model.__name__ in ("MeasureExpression", "VariableCondition") else "forbid"
        )
