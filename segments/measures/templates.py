"""Templates: measures over a mapped activity, said in one word, that become ordinary measures anybody can look at."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from unify.core.errors import SpecError, did_you_mean
from unify.core.names import table_of
from unify.spec import Activity, Measure, Project

AMOUNT, EARNED, REDEEMED = "OrderTotal", "PointsEarned", "PointsRedeemed"
"""Fields of activities that templates read; `fields` of the activity or of the measure say which column each is."""
SALES, LOYALTY, ANY = ("SalesOrder", "SalesOrderLine", "Subscription"), ("Loyalty",), ()
SPAN = {"First": {"min": "{time}"}, "Last": {"max": "{time}"}}
DAYS_SINCE = "floor(totalseconds(now() sub {}) div 86400)"
PER_DAY = "(totalseconds({last} sub {first}) div 86400 add 1)"
PER_MONTH = "((year(Last) sub year(First)) mul 12 add month(Last) sub month(First) add 1)"
PER_YEAR = "(year(Last) sub year(First) add 1)"


class Row(NamedTuple):
    """What a template stands for: keys of a measure, in which {time} and names of fields in braces are columns.

    types   of activities it suits; of none in particular, any
    """

    types: tuple[str, ...]
    title: str
    body: dict[str, Any]


def _revenue_per(period: str) -> dict[str, Any]:
    return {"calculate": {"Revenue": {"sum": f"{{{AMOUNT}}}"}, **SPAN}, "value": f"Revenue divby {period}"}


TEMPLATES = {
    "total_transaction_value": Row(SALES, "Sum of all transactions", {"sum": f"{{{AMOUNT}}}"}),
    "average_transaction_value": Row(SALES, "Mean of all transactions", {"avg": f"{{{AMOUNT}}}"}),
    "transaction_count": Row(SALES, "Number of transactions", {"count": True}),
    "average_daily_revenue": Row(
        SALES, "Revenue per day, from the day of the first transaction to that of the last", _revenue_per(PER_DAY)
    ),
    "average_monthly_revenue": Row(
        SALES, "Revenue per month, from the month of the first transaction to that of the last", _revenue_per(PER_MONTH)
    ),
    "average_yearly_revenue": Row(
        SALES, "Revenue per year, from the year of the first transaction to that of the last", _revenue_per(PER_YEAR)
    ),
    "loyalty_points_earned": Row(LOYALTY, "Points earned", {"sum": f"{{{EARNED}}}"}),
    "loyalty_points_redeemed": Row(LOYALTY, "Points redeemed", {"sum": f"{{{REDEEMED}}}"}),
    "loyalty_points_balance": Row(
        LOYALTY,
        "Points earned and not redeemed",
        {
            "calculate": {
                "Earned": {"sum": f"{{{EARNED}}}", "default": 0},
                "Redeemed": {"sum": f"{{{REDEEMED}}}", "default": 0},
            },
            "value": "Earned sub Redeemed",
        },
    ),
    "active_lifespan": Row(
        ANY,
        "Days from the first activity to the last",
        {"calculate": SPAN, "value": "totalseconds({last} sub {first}) div 86400", "whole": True},
    ),
    "membership_duration": Row(
        (*LOYALTY, "Subscription"),
        "Whole days since the first activity",
        {
            "calculate": {"First": SPAN["First"]},
            "value": "floor(totalseconds(now() sub First) div 86400)",
            "whole": True,
        },
    ),
    "time_since_last_purchase": Row(
        SALES,
        "Whole days since the last transaction",
        {"calculate": {"Last": SPAN["Last"]}, "value": DAYS_SINCE.format("Last"), "whole": True},
    ),
}


def fields_of(row: Row) -> list[str]:
    """Fields of an activity that a template reads, beside its timestamp."""
    said = repr(row.body)
    return [field for field in (AMOUNT, EARNED, REDEEMED) if f"{{{field}}}" in said]


def expanded(project: Project, measures: Mapping[str, Measure]) -> dict[str, Measure]:
    """Active measures, templates replaced by what they stand for. SpecError for one that no activity suits."""
    return {n: expand(project, n, m) if m.template else m for n, m in measures.items() if m.active}


def expand(project: Project, name: str, measure: Measure) -> Measure:
    """The ordinary measure that a template stands for. SpecError."""
    assert measure.template is not None
    place = f"measures.{name}"
    row = TEMPLATES[measure.template]
    activity = _activity(project, measure, row, place)
    entity = project.entity(activity.entity)
    time = entity.timestamp
    if time is None:
        raise SpecError(f"{activity.entity} has no timestamp", where=place, hint=f"add it to {activity.entity}")
    columns = {**activity.fields, **measure.fields}
    unknown = set(measure.fields) - {AMOUNT, EARNED, REDEEMED}
    if unknown:
        hint = did_you_mean(min(unknown), (AMOUNT, EARNED, REDEEMED))
        raise SpecError(f"no template has a field {min(unknown)}", where=f"{place}.fields", hint=hint)
    body = _filled(row.body, {**columns, "time": time}, place)
    keys = ("period", "title", "description", "tags", "default", "whole")
    kept = {k: getattr(measure, k) for k in keys if k in measure.model_fields_set}
    return Measure.model_validate({**body, "of": activity.entity, "kind": "attribute", "title": row.title, **kept})


def _activity(project: Project, measure: Measure, row: Row, place: str) -> Activity:
    """The one that `of` names, by its own name or its entity's; without `of` the only one of a fitting type."""
    if measure.of is not None:
        for name, activity in project.activities.items():
            if measure.of in (name, activity.entity, table_of(activity.entity)):
                return activity
        hint = did_you_mean(measure.of, project.activities)
        raise SpecError(f"there is no activity {measure.of!r}", where=f"{place}.of", hint=hint)
    fitting = [n for n, a in project.activities.items() if not row.types or a.type in row.types]
    if len(fitting) == 1:
        return project.activities[fitting[0]]
    kinds = " or ".join(row.types) or "any type"
    if not fitting:
        raise SpecError(f"{measure.template} needs an activity of {kinds}", where=place, hint="map one: `activities:`")
    message = f"{', '.join(fitting)} are all activities of {kinds}"
    raise SpecError(message, where=place, hint=f"say which: `of: {fitting[0]}`; several are added up by a `value`")


def _filled(part: Any, columns: Mapping[str, str], place: str) -> Any:
    """The body with columns in the place of fields."""
    if isinstance(part, dict):
        return {k: _filled(v, columns, place) for k, v in part.items()}
    if not isinstance(part, str) or not (part.startswith("{") or "{last}" in part):
        return part
    if "{last}" in part:
        return part.replace("{last}", "date(Last)").replace("{first}", "date(First)")
    field = part.strip("{}")
    if field not in columns:
        hint = f"say which column it is: `fields: {{{field}: <column>}}`, here or at the activity"
        raise SpecError(f"the activity has no field {field}", where=place, hint=hint)
    return columns[field]
