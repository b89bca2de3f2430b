"""QueryExpression, as BulkDelete takes it, into FetchXML, which says the same: one way of asking, one meaning.

{"EntityName": "account", "Criteria": {"FilterOperator": "And", "Conditions": [
    {"AttributeName": "accountid", "Operator": "In", "Values": [{"Value": "…", "Type": "System.Guid"}]}]}}
"""

import re
from collections.abc import Mapping
from typing import Any, Final
from xml.sax.saxutils import escape, quoteattr

from unify.dataverse.model import Model, TableModel
from unify.service.dataverse.bodies import bad_payload
from unify.service.errors import ServiceError

TAKEN: Final = frozenset(("EntityName", "Criteria", "ColumnSet", "Distinct"))
"""Columns are passed over: what is asked for are rows."""
OPERATORS: Final[Mapping[str, str]] = {
    "Equal": "eq", "NotEqual": "ne", "GreaterThan": "gt", "LessThan": "lt", "GreaterEqual": "ge", "LessEqual": "le",
    "OlderThanXMinutes": "olderthan-x-minutes", "OlderThanXHours": "olderthan-x-hours",
    "OlderThanXDays": "olderthan-x-days", "OlderThanXWeeks": "olderthan-x-weeks",
    "OlderThanXMonths": "olderthan-x-months", "OlderThanXYears": "olderthan-x-years",
    "EqualUserId": "eq-userid", "NotEqualUserId": "ne-userid", "EqualBusinessId": "eq-businessid",
    "NotEqualBusinessId": "ne-businessid", "DoesNotBeginWith": "not-begin-with", "BeginsWith": "begins-with",
    "DoesNotEndWith": "not-end-with", "DoesNotContainValues": "not-contain-values",
}  # fmt: skip
WORD: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=X)(?=[A-Z])")
NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,127}")
MANY: Final = frozenset(("in", "not-in", "between", "not-between", "contain-values", "not-contain-values"))
DEEPEST: Final = 16
"""Filters inside filters."""


def fetch_of(model: Model, query: Any) -> tuple[str, str]:
    """The table, and the rows' ids as FetchXML. DataverseError 400 and 404, ServiceError 501."""
    if not isinstance(query, dict) or not isinstance(query.get("EntityName"), str):
        raise bad_payload("a query names its EntityName")
    for name, value in query.items():
        if name not in TAKEN and "@" not in name and value:
            raise ServiceError(501, f"{name[:60]} of a query is not answered here", where=name[:60])
    table = model.table(query["EntityName"])
    criteria = query.get("Criteria")
    inside = "" if not criteria else _filter(table, criteria, 0)
    entity = f"<entity name={quoteattr(table.name)}><attribute name={quoteattr(table.id_attribute)}/>{inside}</entity>"
    return table.name, f"<fetch>{entity}</fetch>"


def _filter(table: TableModel, said: Any, depth: int) -> str:
    if not isinstance(said, dict) or depth > DEEPEST:
        raise bad_payload("a filter is an object, and 16 of them stand inside each other at most")
    kind = {"And": "and", "Or": "or", 0: "and", 1: "or"}.get(said.get("FilterOperator", "And"))
    if kind is None:
        raise bad_payload("FilterOperator is And or Or")
    conditions = "".join(_condition(table, one) for one in _listed(said, "Conditions"))
    filters = "".join(_filter(table, one, depth + 1) for one in _listed(said, "Filters"))
    return f"<filter type={quoteattr(kind)}>{conditions}{filters}</filter>" if conditions or filters else ""


def _listed(said: Mapping[str, Any], name: str) -> list[Any]:
    found = said.get(name) or []
    if not isinstance(found, list):
        raise bad_payload(f"{name} is a list")
    return found


def _condition(table: TableModel, said: Any) -> str:
    name = said.get("AttributeName") if isinstance(said, dict) else None
    if not isinstance(name, str):
        raise bad_payload("a condition names its AttributeName")
    table.attribute(name)
    if said.get("EntityName") not in (None, "", table.name):
        raise ServiceError(501, "conditions on linked tables are not answered here", where="EntityName")
    spelt = said.get("Operator")
    if not isinstance(spelt, str) or not NAME.fullmatch(spelt):
        raise bad_payload(f"the condition on {name} has no Operator")
    operator = OPERATORS.get(spelt) or WORD.sub("-", spelt).lower()
    values = [_text(one) for one in _listed(said, "Values")]
    head = f"<condition attribute={quoteattr(name)} operator={quoteattr(operator)}"
    if operator in MANY:
        return f"{head}>{''.join(f'<value>{escape(value)}</value>' for value in values)}</condition>"
    if len(values) > 1:
        raise bad_payload(f"{spelt} takes one value, and the condition on {name} has {len(values)}")
    return f"{head} value={quoteattr(values[0])}/>" if values else f"{head}/>"


def _text(said: Any) -> str:
    value = said.get("Value") if isinstance(said, dict) else said
    if isinstance(value, bool):
        return "1" if value else "0"
    if value is None or isinstance(value, dict | list):
        raise bad_payload("a value of a condition is text, a number or a boolean")
    return re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", str(value))
