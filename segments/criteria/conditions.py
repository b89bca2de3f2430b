"""Criteria to a predicate over a row. What only a block can say becomes `MemberOf("#…")` and a block beside it.

text                    OData, read by segments/odata
all, any, not, segment  nodes of the tree
attribute, related, …   comparisons; through Exists where a path leads to many rows
did, sequence, …        criteria_events.py
top, members, …         blocks over customers
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from segments.blocks.condition import Condition
from segments.blocks.hierarchy import Relatives
from segments.blocks.listed import Listed
from segments.blocks.top import Top
from segments.criteria.attribute_tests import in_window, tested
from segments.criteria.events import EVENTS
from segments.criteria.here import Here
from segments.criteria.times import counted
from segments.criteria.windows import call, ends, local, number
from segments.predicates import tree as p
from segments.predicates.bind import bind
from segments.predicates.fields import BOOLEAN, DATE, DATETIME, Type
from segments.predicates.function_values import BUCKETS
from segments.predicates.simplify import depends_on_clock
from segments.spellings.criteria import spelled
from unify.core.errors import UnifyError
from unify.core.names import table_of
from unify.spec import criteria as c
from unify.spec.windows import CALENDAR_UNITS, parse_span, parse_window


def lower_criteria(here: Here, said: "str | c.Criterion") -> p.Expr:
    """A predicate over rows of `here.table`. QueryError with the place in the document."""
    if isinstance(said, str):
        return _text(here, said)
    return LOWER[type(said)](here, said)


def _text(here: Here, text: str) -> p.Expr:
    from segments.odata.binding.bind import filter_of_text

    model, catalog = here.model, here.model.catalog
    if here.known is not None:  # their tables need not be there yet
        model = model.with_segments(dict.fromkeys(here.known, catalog.customers) | dict(catalog.segments))
    try:
        found: p.Expr = filter_of_text(
            text, model, table=here.table, timezone=here.zone, computed=here.columns_of_origin()
        )
    except UnifyError as error:
        error.where = f"{here.place}: {error.where}" if error.where else here.place
        raise
    return pinned(found, here.now)


def pinned(expr: p.Expr, now: p.Expr) -> p.Expr:
    """The same at a moment: every `now` is that."""
    if expr == p.Call("now"):
        return now
    return p.rebuild(expr, lambda part: pinned(part, now)) if depends_on_clock(expr) else expr


# ── combinations ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _all(here: Here, said: c.AllOf) -> p.Expr:
    parts = tuple(lower_criteria(here.at(f"all[{i}]"), part) for i, part in enumerate(said.all))
    return parts[0] if len(parts) == 1 else p.And(parts)


def _any(here: Here, said: c.AnyOf) -> p.Expr:
    parts = tuple(lower_criteria(here.at(f"any[{i}]"), part) for i, part in enumerate(said.any))
    return parts[0] if len(parts) == 1 else p.Or(parts)


def _not(here: Here, said: c.NotThis) -> p.Expr:
    return p.Not(lower_criteria(here.at("not"), said.not_))


def _segment(here: Here, said: c.InSegment) -> p.Expr:
    if here.table != here.model.catalog.customers:
        raise here.at("segment").error(f"rows of {here.table} are no customers", "segments hold customers")
    return p.MemberOf(here.at("segment").segment(said.segment))


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _attribute(here: Here, said: c.AttributeCriterion) -> p.Expr:
    spot = here.at("attribute")
    path, attribute, kind = spot.attribute(said.attribute)
    many = here.is_many(path)
    if said.every and not many:
        raise here.at("every").error(f"{'/'.join(said.attribute)} is one value", "leave `every` out")
    at_row = here.rows(here.model.end(here.table, path)) if many else here
    field = p.Field(attribute.name, () if many else path)
    if said.hierarchy is not None:
        return _relatives(here, said, path, field, kind)
    test = _tests(at_row, field, kind, said)
    if not many:
        return test
    return p.for_all(path, test) if said.every else p.Exists(path, test)


def _tests(here: Here, field: p.Expr, kind: Type, said: c.AttributeCriterion) -> p.Expr:
    parts = tested(here, field, kind, said)
    if said.within is not None:
        parts.append(in_window(here.at("within"), field, kind, said.within))
    return parts[0] if len(parts) == 1 else p.And(tuple(parts))


def _relatives(here: Here, said: c.AttributeCriterion, path: tuple[str, ...], field: p.Field, kind: Type) -> p.Expr:
    """child_of and parent_of. Over a path the other tests go along, because they are asked of the same row."""
    hierarchy = said.hierarchy
    assert hierarchy is not None
    spot = here.at("hierarchy")
    table = table_of(hierarchy.of)
    keys = [spot.model.attribute(table, name, spot.place)[1:] for name in (hierarchy.key, hierarchy.parent)]
    for attribute, its_kind in keys:
        if its_kind != kind:
            raise spot.error(
                f"{attribute.name} is {its_kind.name}, {field.name} {kind.name}", "they must be of one type"
            )
    if said.child_of is not None and said.parent_of is not None:
        raise here.error("child_of and parent_of in one condition", "write two conditions")
    rest = said.model_copy(update={"child_of": None, "parent_of": None, "hierarchy": None})
    many = here.is_many(path)
    at_row = here.rows(here.model.end(here.table, path)) if many else here
    parts = tested(at_row, field, kind, rest)
    if said.within is not None:
        parts.append(in_window(at_row.at("within"), field, kind, said.within))
    block = Relatives(
        table=table,
        key=hierarchy.key,
        parent=hierarchy.parent,
        root=str(said.child_of if said.child_of is not None else said.parent_of),
        above=said.child_of is None,
        field=field,
        path=path if many else (),
        every=said.every,
        rest=tuple(parts) if many else (),
    )
    found = here.block(block, "relatives")
    if many:
        return found
    # A set has no third value. The comparison is null for a missing key, else false: unknown, as every test of it is.
    unknown = p.Compare("ne", field, field)
    return p.And((p.Or((found, unknown)), *parts))


def _rows(here: Here, said: c.Rows, path: tuple[str, ...]) -> p.Expr:
    """The condition on the rows at the end of a path: criteria and window."""
    row = here.rows(here.model.end(here.table, path))
    parts: list[p.Expr] = []
    if said.where is not None:
        parts.append(lower_criteria(row.at("where"), said.where))
    if said.within is not None:
        column, kind = row.at("time" if said.time else "within").time_of(row.table, said.time)
        parts.append(in_window(row.at("within"), p.Field(column), kind, said.within))
    return p.TRUE if not parts else parts[0] if len(parts) == 1 else p.And(tuple(parts))


def _related(here: Here, said: c.RelatedCriterion) -> p.Expr:
    path = here.at("related").relations(said.related)
    where = _rows(here, said, path)
    if said.every:
        return p.for_all(path, where)
    if said.none:
        return p.Not(p.Exists(path, where))
    return counted(path, where, said.times) if said.times else p.Exists(path, where)


def aggregate(here: Here, said: c.Aggregated) -> p.Aggregate:
    """The value over related rows."""
    path = here.at("count" if said.of is None else "of").relations(said.path)
    where = _rows(here, said, path)
    if said.value is None:
        return p.Aggregate(said.function, path, None, where)
    row = here.rows(here.model.end(here.table, path)).at(said.function)
    inner, attribute, kind = row.attribute(tuple(said.value.split("/")) if "/" in said.value else (said.value,))
    if row.is_many(inner):
        raise row.error(f"{said.value} leads to many rows", "let `of` lead to the rows that have the attribute")
    if said.function in ("sum", "avg") and not kind.is_number:
        hint = "take a number; count_distinct, min and max take others too"
        raise row.error(f"{said.function} takes numbers, and {said.value} is {kind.name}", hint)
    return p.Aggregate(said.function, path, p.Field(attribute.name, inner), where)


def _aggregate(here: Here, said: c.AggregateCriterion) -> p.Expr:
    value = aggregate(here, said)
    kind = bind(value, here.model.catalog, here.table, where=here.place).type
    parts = tested(here, value, kind, said)
    return parts[0] if len(parts) == 1 else p.And(tuple(parts))


# ── customers as a whole ─────────────────────────────────────────────────────────────────────────────────────────────


def condition(here: Here, said: "str | c.Criterion") -> Condition:
    """Criteria on customers as a set of its own, blocks included."""
    own: dict[str, Any] = {}
    inner = Here(here.model, here.zone, here.now, here.table, here.place, own, here.known)
    expr = lower_criteria(inner, said)
    return Condition(expr, tuple(own.items()))


def _top(here: Here, said: c.Top) -> p.Expr:
    if isinstance(said.by, str):
        path, attribute, _ = here.at("by").attribute(tuple(said.by.split("/")))
        if here.is_many(path):
            raise here.at("by").error(f"{said.by} leads to many rows", "take one value of them: `by: {max: …, of: …}`")
        by: p.Expr = p.Field(attribute.name, path)
    else:
        by = aggregate(here.at("by"), said.by)
    kind = bind(by, here.model.catalog, here.table, where=here.at("by").place).type
    if kind == BOOLEAN:
        raise here.at("by").error("true and false have no order", "name a number, a date or a text")
    return here.block(
        Top(
            by=by,
            count=said.top if isinstance(said.top, int) else None,
            percent=said.percent,
            lowest=said.order == "lowest",
            ties=said.ties,
            among=None if said.among is None else condition(here.at("among"), said.among),
        ),
        "top",
    )


def _lots(here: Here, seed: str, start: Decimal, end: Decimal) -> p.Expr:
    """The customer's lot is in a range of percents."""
    if not here.is_customer:
        raise here.error(f"rows of {here.table} draw no lots", "take it out of the condition on related rows")
    lot = call("bucket", p.literal(seed), p.Field("CustomerId"))
    low, high = (int(share * BUCKETS / 100) for share in (start, end))
    upper = p.Compare("lt", lot, number(high))
    return upper if low == 0 else p.And((p.Compare("ge", lot, number(low)), upper))


def _split(here: Here, said: c.Split) -> p.Expr:
    parts = said.split.parts
    before = sum((share for name, share in _until(parts, said.split.part)), Decimal(0))
    return _lots(here, said.split.seed, before, before + parts[said.split.part])


def _until(parts: dict[str, Decimal], last: str) -> list[tuple[str, Decimal]]:
    names = list(parts)
    return [(name, parts[name]) for name in names[: names.index(last)]]


def _percent(here: Here, said: c.PercentOf) -> p.Expr:
    return _lots(here, said.seed, Decimal(0), said.percent)


def _members(here: Here, said: c.Members) -> p.Expr:
    return here.block(Listed(said.members), "members")


def _anniversary(here: Here, said: c.Anniversary) -> p.Expr:
    """One of the two years that a window of a year touches has the day in it."""
    spot = here.at("anniversary")
    path, attribute, kind = spot.attribute(said.anniversary)
    if here.is_many(path):
        raise spot.error(
            f"{'/'.join(said.anniversary)} leads to many rows", "ask it of the row: `related: …, where: …`"
        )
    if kind not in (DATE, DATETIME):
        raise spot.error(f"{attribute.name} is {kind.name}", "a date or datetime has anniversaries")
    field = p.Field(attribute.name, path)
    born = call("date_of", local(here, field)) if kind == DATETIME else field
    key = next(k for k in ("within_next", "within_last", "within") if getattr(said, k) is not None)
    text = {"within_next": "next ", "within_last": "last ", "within": ""}[key] + getattr(said, key)
    spot = here.at(key)
    _a_year_at_most(spot, text)
    window = ends(spot, text, DATE)
    assert window.start is not None
    assert window.end is not None
    found: list[p.Expr] = []
    for later in (0, 1):
        years = call("sub", call("add", call("year", window.start), number(later)), call("year", born))
        day = call("add_months", born, call("mul", number(12), years))
        found.append(
            p.And((
                p.Compare("ge", years, number(1)),
                p.Compare("ge", day, window.start),
                p.Compare("le" if window.through else "lt", day, window.end),
            ))
        )  # fmt: skip
    return p.Or(tuple(found))


_YEAR = {"day": 366, "week": 52, "month": 12, "quarter": 4, "year": 1}


def _a_year_at_most(here: Here, text: str) -> None:
    window = parse_window(text)
    if window.since or window.before or window.through:
        hint = "write within_next: 7 days, within_last: 1 month, or within: this month"
        raise here.error("an anniversary is looked for in a window that moves with the clock", hint)
    span = window.last or window.next
    if span and (span.unit not in CALENDAR_UNITS or span.count > _YEAR[span.unit]):
        raise here.error(f"{parse_span(str(span))}: days, and a year at most, because every day comes round in a year")


LOWER: dict[type, Callable[[Here, Any], p.Expr]] = {
    c.AllOf: _all, c.AnyOf: _any, c.NotThis: _not, c.InSegment: _segment, c.AttributeCriterion: _attribute,
    c.RelatedCriterion: _related, c.AggregateCriterion: _aggregate, c.Top: _top, c.Split: _split,
    c.PercentOf: _percent, c.Anniversary: _anniversary, c.Members: _members, c.Sentence: spelled, c.Predicate: spelled,
    **EVENTS,
}  # fmt: skip
