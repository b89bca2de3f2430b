"""Every condition of a column: one row each, with its name in FetchXML, its name as a query function of OData, and SQL.

Operator("last-x-days", "LastXDays", Takes.ONE, TIMES, …)
<condition attribute="createdon" operator="last-x-days" value="7" />
$filter=Microsoft.Dynamics.CRM.LastXDays(PropertyName='createdon',PropertyValue=7)
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any, Final, TypeAlias

from unify.dataverse.query import moments
from unify.dataverse.query.compare import (
    compare,
    contains_values,
    during,
    is_null,
    like,
    not_null,
    within,
)
from unify.dataverse.query.fragments import NEVER, Sql, both, negated
from unify.dataverse.query.hierarchy import Side, related_in_hierarchy
from unify.dataverse.query.moments import Span
from unify.dataverse.query.options import refused
from unify.dataverse.query.scope import Ref, Setting
from unify.dataverse.query.values import given, moment_of, whole


class Takes(Enum):
    """Values that an operator takes: how many, and what the parameters of its query function are called."""

    NONE = ()
    ONE = ("PropertyValue",)
    MANY = ("PropertyValues",)
    TWO = ("PropertyValues", 2)
    PAIR = ("PropertyValue1", "PropertyValue2")


Make: TypeAlias = Callable[[Setting, Ref, Sequence[Any]], Sql]
ANY: Final = frozenset({"text", "number", "double", "boolean", "moment", "day", "id", "choices"})
TEXTS: Final = frozenset({"text"})
ORDERED: Final = frozenset({"text", "number", "double", "moment", "day", "id", "boolean"})
TIMES: Final = frozenset({"moment", "day"})
MOMENTS: Final = frozenset({"moment"})
IDS: Final = frozenset({"id"})


@dataclass(frozen=True, slots=True)
class Operator:
    """One row. `fetch`, `function`: empty where there is none."""

    fetch: str
    function: str
    takes: Takes
    kinds: frozenset[str] = field(repr=False)
    make: Make = field(repr=False)
    """Neither is told by repr: tokens are bound to that of a query, and go from one process to another."""


def condition(setting: Setting, operator: Operator, ref: Ref, values: Sequence[Any]) -> Sql:
    """The condition on a column; values are text or numbers, their number is checked here. DataverseError."""
    name = operator.function or operator.fetch
    setting.condition()
    if ref.kind not in operator.kinds:
        raise refused(
            f"The operator '{name}' is not valid for the attribute '{ref.attribute.name}' "
            f"of type {ref.attribute.type.value}{' (DateOnly)' if ref.attribute.date_only else ''}.",
            where=ref.attribute.name,
        )
    least, most = COUNTS[operator.takes]
    if not least <= len(values) <= most:
        wanted = str(least) if least == most else f"{least} or more"
        raise refused(f"The condition operator '{name}' requires {wanted} value(s), and {len(values)} were given.")
    return operator.make(setting, ref, values)


COUNTS: Final[Mapping[Takes, tuple[int, float]]] = {
    Takes.NONE: (0, 0), Takes.ONE: (1, 1), Takes.MANY: (1, float("inf")), Takes.TWO: (2, 2), Takes.PAIR: (2, 2),
}  # fmt: skip


# ── makers ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def _compared(sign: str) -> Make:
    return lambda _, ref, values: compare(ref, sign, given(ref, values[0]))


def _sql_unequal(_: Setting, ref: Ref, values: Sequence[Any]) -> Sql:
    return both([not_null(ref), compare(ref, "ne", given(ref, values[0]))])


def _among(_: Setting, ref: Ref, values: Sequence[Any]) -> Sql:
    return within(ref, [given(ref, value) for value in values])


def _not_among(setting: Setting, ref: Ref, values: Sequence[Any]) -> Sql:
    return both([not_null(ref), negated(_among(setting, ref, values))])


def _between(_: Setting, ref: Ref, values: Sequence[Any]) -> Sql:
    return both([compare(ref, sign, given(ref, value)) for sign, value in zip(("ge", "le"), values, strict=True)])


def _not_between(setting: Setting, ref: Ref, values: Sequence[Any]) -> Sql:
    return both([not_null(ref), negated(_between(setting, ref, values))])


def _matching(before: str, after: str, *, hold: bool = True, nulls: bool = True) -> Make:
    def make(_: Setting, ref: Ref, values: Sequence[Any]) -> Sql:
        found = like(ref, f"{before}{values[0]}{after}")
        if hold:
            return found
        return negated(found) if nulls else both([not_null(ref), negated(found)])

    return make


def _standing(name: str) -> Make:
    return lambda setting, ref, _: during(ref, moments.STANDING[name](setting.asker.now))


def _counted(name: str, span: Callable[[datetime, int], Span]) -> Make:
    return lambda setting, ref, values: during(ref, span(setting.asker.now, whole(name, values[0])))


def _on(pick: Callable[[Span], Span], *, hold: bool = True) -> Make:
    def make(_: Setting, ref: Ref, values: Sequence[Any]) -> Sql:
        if ref.kind == "day":
            start = moments.day(moment_of(ref, str(given(ref, values[0]))))
        else:
            start = moments.day(moment_of(ref, values[0]))
        found = during(ref, pick(start))
        return found if hold else both([not_null(ref), negated(found)])

    return make


def _fiscal(span: Callable[..., Span]) -> Make:
    def make(_: Setting, ref: Ref, values: Sequence[Any]) -> Sql:
        try:
            return during(ref, span(*(int(str(value)) for value in values)))
        except ValueError:
            raise refused(f"'{', '.join(map(str, values))[:60]}' is no fiscal period or year.") from None

    return make


def _in_period(_: Setting, ref: Ref, values: Sequence[Any]) -> Sql:
    period = whole("InFiscalPeriod", values[0])
    if period > 4:
        raise refused(f"{period} is no fiscal period: they are quarters, 1 to 4.")
    return Sql(f"(CAST(substr({ref.sql}, 6, 2) AS INTEGER) + 2) / 3 = ?", (period,))


def _user(sign: str) -> Make:
    return lambda setting, ref, _: compare(ref, sign, setting.asker.user)


def _business(sign: str) -> Make:
    return lambda setting, ref, _: compare(ref, sign, setting.asker.business_unit)


def _under(side: Side, *, itself: bool, hold: bool = True) -> Make:
    def make(setting: Setting, ref: Ref, values: Sequence[Any]) -> Sql:
        found = related_in_hierarchy(setting, ref, given(ref, values[0]), side, itself=itself)
        return found if hold else negated(found)

    return make


def _with_values(*, hold: bool) -> Make:
    def make(_: Setting, ref: Ref, values: Sequence[Any]) -> Sql:
        numbers = [int(part) for value in values for part in str(given(ref, value)).split(",")]
        found = contains_values(ref, numbers)
        return found if hold else negated(found)

    return make


# ── the table ────────────────────────────────────────────────────────────────────────────────────────────────────────

_PLAIN: Final = (
    Operator("eq", "", Takes.ONE, ANY, _compared("eq")),
    Operator("ne", "", Takes.ONE, ANY, _compared("ne")),
    Operator("neq", "", Takes.ONE, ANY, _compared("ne")),
    Operator("gt", "", Takes.ONE, ORDERED, _compared("gt")),
    Operator("ge", "", Takes.ONE, ORDERED, _compared("ge")),
    Operator("lt", "", Takes.ONE, ORDERED, _compared("lt")),
    Operator("le", "", Takes.ONE, ORDERED, _compared("le")),
    Operator("null", "", Takes.NONE, ANY, lambda _, ref, __: is_null(ref)),
    Operator("not-null", "", Takes.NONE, ANY, lambda _, ref, __: not_null(ref)),
    Operator("in", "In", Takes.MANY, ANY, _among),
    Operator("not-in", "NotIn", Takes.MANY, ANY, _not_among),
    Operator("between", "Between", Takes.TWO, ORDERED, _between),
    Operator("not-between", "NotBetween", Takes.TWO, ORDERED, _not_between),
    Operator("like", "", Takes.ONE, TEXTS, _matching("", "")),
    Operator("not-like", "", Takes.ONE, TEXTS, _matching("", "", hold=False)),
    Operator("begins-with", "", Takes.ONE, TEXTS, _matching("", "%")),
    Operator("not-begin-with", "", Takes.ONE, TEXTS, _matching("", "%", hold=False)),
    Operator("ends-with", "", Takes.ONE, TEXTS, _matching("%", "")),
    Operator("not-end-with", "", Takes.ONE, TEXTS, _matching("%", "", hold=False)),
    Operator("contain-values", "ContainValues", Takes.MANY, frozenset({"choices"}), _with_values(hold=True)),
    Operator("not-contain-values", "DoesNotContainValues", Takes.MANY, frozenset({"choices"}),
             _with_values(hold=False)),
)  # fmt: skip
SQL_UNEQUAL: Final = Operator("<>", "", Takes.ONE, ANY, _sql_unequal)
SQL_NOT_LIKE: Final = Operator("NOT LIKE", "", Takes.ONE, TEXTS, _matching("", "", hold=False, nulls=False))
"""`<>` and NOT LIKE of SQL, which do not hold for a null."""

_STANDING: Final = tuple(
    Operator(name, function, Takes.NONE, TIMES, _standing(name))
    for name, function in {
        "today": "Today", "yesterday": "Yesterday", "tomorrow": "Tomorrow", "last-seven-days": "Last7Days",
        "next-seven-days": "Next7Days", "last-week": "LastWeek", "this-week": "ThisWeek", "next-week": "NextWeek",
        "last-month": "LastMonth", "this-month": "ThisMonth", "next-month": "NextMonth", "last-year": "LastYear",
        "this-year": "ThisYear", "next-year": "NextYear", "last-fiscal-year": "LastFiscalYear",
        "this-fiscal-year": "ThisFiscalYear", "next-fiscal-year": "NextFiscalYear",
        "last-fiscal-period": "LastFiscalPeriod", "this-fiscal-period": "ThisFiscalPeriod",
        "next-fiscal-period": "NextFiscalPeriod",
    }.items()
)  # fmt: skip


def _spans(
    fetch: str, function: str, make: Callable[[datetime, int, str], Span], units: Sequence[str]
) -> list[Operator]:
    """`last-x-hours` … `last-x-years`. A day has no hours: of DateOnly columns only days and longer are asked."""
    return [
        Operator(
            fetch.format(unit),
            function.format(unit.capitalize()),
            Takes.ONE,
            MOMENTS if unit in {"minutes", "hours"} else TIMES,
            _counted(function.format(unit.capitalize()), lambda now, number, unit=unit: make(now, number, unit)),  # type: ignore[misc]
        )
        for unit in units
    ]


_RELATIVE: Final = (
    *_spans("last-x-{}", "LastX{}", moments.last, moments.UNITS[1:]),
    *_spans("next-x-{}", "NextX{}", moments.coming, moments.UNITS[1:]),
    *_spans("olderthan-x-{}", "OlderThanX{}", moments.older, moments.UNITS),
    Operator("last-x-fiscal-years", "LastXFiscalYears", Takes.ONE, TIMES,
             _counted("LastXFiscalYears", lambda now, n: moments.fiscal_years(now, -n, n))),
    Operator("next-x-fiscal-years", "NextXFiscalYears", Takes.ONE, TIMES,
             _counted("NextXFiscalYears", lambda now, n: moments.fiscal_years(now, 1, n))),
    Operator("last-x-fiscal-periods", "LastXFiscalPeriods", Takes.ONE, TIMES,
             _counted("LastXFiscalPeriods", lambda now, n: moments.fiscal_periods(now, -n, n))),
    Operator("next-x-fiscal-periods", "NextXFiscalPeriods", Takes.ONE, TIMES,
             _counted("NextXFiscalPeriods", lambda now, n: moments.fiscal_periods(now, 1, n))),
)  # fmt: skip
_GIVEN: Final = (
    Operator("on", "On", Takes.ONE, TIMES, _on(lambda span: span)),
    Operator("not-on", "NotOn", Takes.ONE, TIMES, _on(lambda span: span, hold=False)),
    Operator("on-or-after", "OnOrAfter", Takes.ONE, TIMES, _on(lambda span: (span[0], None))),
    Operator("on-or-before", "OnOrBefore", Takes.ONE, TIMES, _on(lambda span: (None, span[1]))),
    Operator("in-fiscal-year", "InFiscalYear", Takes.ONE, TIMES, _fiscal(moments.fiscal_year)),
    Operator("in-fiscal-period", "InFiscalPeriod", Takes.ONE, TIMES, _in_period),
    Operator("in-fiscal-period-and-year", "InFiscalPeriodAndYear", Takes.PAIR, TIMES, _fiscal(moments.fiscal_period)),
    Operator("in-or-after-fiscal-period-and-year", "InOrAfterFiscalPeriodAndYear", Takes.PAIR, TIMES,
             _fiscal(lambda period, year: (moments.fiscal_period(period, year)[0], None))),
    Operator("in-or-before-fiscal-period-and-year", "InOrBeforeFiscalPeriodAndYear", Takes.PAIR, TIMES,
             _fiscal(lambda period, year: (None, moments.fiscal_period(period, year)[1]))),
)  # fmt: skip
_WHO: Final = (
    Operator("eq-userid", "EqualUserId", Takes.NONE, IDS, _user("eq")),
    Operator("ne-userid", "NotEqualUserId", Takes.NONE, IDS, _user("ne")),
    Operator("eq-businessid", "EqualBusinessId", Takes.NONE, IDS, _business("eq")),
    Operator("ne-businessid", "NotEqualBusinessId", Takes.NONE, IDS, _business("ne")),
    Operator("eq-userlanguage", "EqualUserLanguage", Takes.NONE, frozenset({"number"}),
             lambda setting, ref, _: compare(ref, "eq", setting.asker.language)),
    # Users of a service have no teams and no managers: theirs is what is their own.
    Operator("eq-userteams", "EqualUserTeams", Takes.NONE, IDS, lambda _, __, ___: NEVER),
    Operator("eq-useroruserteams", "EqualUserOrUserTeams", Takes.NONE, IDS, _user("eq")),
    Operator("eq-useroruserhierarchy", "EqualUserOrUserHierarchy", Takes.NONE, IDS, _user("eq")),
    Operator("eq-useroruserhierarchyandteams", "EqualUserOrUserHierarchyAndTeams", Takes.NONE, IDS, _user("eq")),
)  # fmt: skip
_HIERARCHY: Final = (
    Operator("above", "Above", Takes.ONE, IDS, _under(Side.ABOVE, itself=False)),
    Operator("eq-or-above", "AboveOrEqual", Takes.ONE, IDS, _under(Side.ABOVE, itself=True)),
    Operator("under", "Under", Takes.ONE, IDS, _under(Side.UNDER, itself=False)),
    Operator("eq-or-under", "UnderOrEqual", Takes.ONE, IDS, _under(Side.UNDER, itself=True)),
    Operator("not-under", "NotUnder", Takes.ONE, IDS, _under(Side.UNDER, itself=False, hold=False)),
)  # fmt: skip

OPERATORS: Final = (*_PLAIN, *_STANDING, *_RELATIVE, *_GIVEN, *_WHO, *_HIERARCHY)
BY_FETCH: Final[Mapping[str, Operator]] = {operator.fetch: operator for operator in OPERATORS}
BY_FUNCTION: Final[Mapping[str, Operator]] = {o.function: o for o in OPERATORS if o.function}
NOT_HERE: Final = {
    "Contains": "it searches full-text indexes, which no table here has; use contains(name,'text')",
}
"""Query functions of Dataverse that are refused, and the next move."""
