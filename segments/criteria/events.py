"""Criteria on what happened: rows of UnifiedActivity, by activity, type and window."""

from collections.abc import Callable
from typing import Any

from segments.activities import UNIFIED
from segments.blocks.edge import EdgeEvent
from segments.blocks.sequence import Sequence
from segments.criteria.attribute_tests import in_window
from segments.criteria.here import Here
from segments.criteria.times import counted
from segments.criteria.windows import moved, number
from segments.predicates import tree as p
from segments.predicates.fields import DATETIME
from unify.core.errors import did_you_mean
from unify.core.names import table_of
from unify.spec import criteria_events as c
from unify.spec.windows import Span, parse_span

PATH = (UNIFIED,)
TIME = p.Field("ActivityTime")
ANYTHING = "anything"


def event_of(here: Here, said: "str | c.Event") -> p.Expr:
    """Which activities are meant, as a condition on a row of UnifiedActivity."""
    row = here.rows(UNIFIED)
    if isinstance(said, str):
        return _by_word(row, said)
    parts: list[p.Expr] = []
    if said.activity is not None:
        parts.append(_activity(row.at("activity"), said.activity))
    if said.type is not None:
        _known_type(row.at("type"), said.type)
        parts.append(p.Compare("eq", p.Field("ActivityType"), p.literal(said.type)))
    if said.display is not None:
        parts.append(p.Compare("eq", p.Field("ActivityTypeDisplay"), p.literal(said.display)))
    if said.where is not None:
        from segments.criteria.conditions import lower_criteria

        parts.append(lower_criteria(_row_of(row, said).at("where"), said.where))
    return p.TRUE if not parts else parts[0] if len(parts) == 1 else p.And(tuple(parts))


def _row_of(row: Here, said: "str | c.Event") -> Here:
    """The activity; when it is of one entity, that one's columns may be named too."""
    name = said if isinstance(said, str) else said.activity
    activity = row.model.project.activities.get(name or "")
    return row.made_of(table_of(activity.entity)) if activity else row


def _by_word(row: Here, word: str) -> p.Expr:
    """The name of an activity, else a type."""
    activities = row.model.project.activities
    types = {a.type for a in activities.values() if a.timeline}
    if word == ANYTHING:
        return p.TRUE
    if word in activities and word in types and any(a.type == word and n != word for n, a in activities.items()):
        raise row.error(f"{word!r} is an activity and a type", f"write {{activity: {word}}} or {{type: {word}}}")
    if word in activities:
        return _activity(row, word)
    if word in types:
        return p.Compare("eq", p.Field("ActivityType"), p.literal(word))
    raise row.error(f"there is no activity and no type {word!r}", did_you_mean(word, [*activities, *types, ANYTHING]))


def _activity(row: Here, name: str) -> p.Expr:
    activities = row.model.project.activities
    if name not in activities:
        raise row.error(f"there is no activity {name!r}", did_you_mean(name, activities))
    table = table_of(activities[name].entity)
    if not activities[name].timeline:
        hint = f"ask its rows: `related: {table}`"
        raise row.error(f"{name} is hidden (timeline: false), so UnifiedActivity does not have it", hint)
    return p.Compare("eq", p.Field("SourceTableName"), p.literal(table))


def _known_type(row: Here, name: str) -> None:
    types = {a.type for a in row.model.project.activities.values() if a.timeline}
    if name not in types:
        raise row.error(f"no activity has the type {name!r}", did_you_mean(name, types))


def _customers_only(here: Here, word: str) -> None:
    if here.table != here.model.catalog.customers:
        raise here.error(f"{word} is asked of customers, and this is a row of {here.table}")
    here.relations(PATH)


def _in(here: Here, kind: p.Expr, within: str | None) -> p.Expr:
    """The kind of event, in a window."""
    if within is None:
        return kind
    when = in_window(here.rows(UNIFIED).at("within"), TIME, DATETIME, within)
    return _both(kind, when)


def _both(kind: p.Expr, when: p.Expr) -> p.Expr:
    return when if kind == p.TRUE else p.And((kind, when))


def _did(here: Here, said: c.Did) -> p.Expr:
    _customers_only(here, "did")
    return counted(PATH, _in(here, event_of(here.at("did"), said.did), said.within), said.times)


def _did_not(here: Here, said: c.DidNot) -> p.Expr:
    _customers_only(here, "did_not")
    return p.Not(p.Exists(PATH, _in(here, event_of(here.at("did_not"), said.did_not), said.within)))


def _edge(here: Here, said: c.EdgeEvent) -> p.Expr:
    from segments.criteria.conditions import lower_criteria

    word = "first" if said.first is not None else "last"
    _customers_only(here, word)
    event = said.first if said.first is not None else said.last
    assert event is not None
    kind = event_of(here.at(word), event)
    meets = lower_criteria(_row_of(here.rows(UNIFIED), event).at("meets"), said.meets)
    return here.block(EdgeEvent(_in(here, kind, said.within), meets, word == "last"), word)


def _regularly(here: Here, said: c.Regularly) -> p.Expr:
    """The number of different periods that have such an event: the period of a moment is found by halving."""
    _customers_only(here, "regularly")
    kind = event_of(here.at("regularly"), said.regularly)
    span = parse_span(said.of_last)
    bounds = [here.now, *(moved(here.now, Span(i, span.unit), -1) for i in range(1, span.count + 1))]

    def period(newest: int, beyond: int) -> p.Expr:
        if beyond - newest == 1:
            return number(newest)
        middle = (newest + beyond) // 2
        newer = p.Compare("ge", TIME, bounds[middle])
        return p.Call("iif", (newer, period(newest, middle), period(middle, beyond)))

    where = _both(kind, p.window(TIME, bounds[-1], here.now))
    periods = p.Aggregate("count_distinct", PATH, period(0, span.count), where)
    return p.Compare("ge", periods, number(said.in_at_least))


def _stopped(here: Here, said: c.Stopped) -> p.Expr:
    _customers_only(here, "stopped")
    kind = event_of(here.at("stopped"), said.stopped)
    since = moved(here.now, parse_span(said.for_), -1)
    before = p.Exists(PATH, _both(kind, p.Compare("lt", TIME, since)))
    return p.And((before, p.Not(p.Exists(PATH, _both(kind, p.window(TIME, since, here.now))))))


def _restarted(here: Here, said: c.Restarted) -> p.Expr:
    _customers_only(here, "restarted")
    kind = event_of(here.at("restarted"), said.restarted)
    again = moved(here.now, parse_span(said.within_last), -1)
    silent = moved(again, parse_span(said.after_a_break_of), -1)
    return p.And((
        p.Exists(PATH, _both(kind, p.window(TIME, again, here.now))),
        p.Not(p.Exists(PATH, _both(kind, p.window(TIME, silent, again)))),
        p.Exists(PATH, _both(kind, p.Compare("lt", TIME, silent))),
    ))  # fmt: skip


def _sequence(here: Here, said: c.Sequence) -> p.Expr:
    _customers_only(here, "sequence")
    steps = tuple(event_of(here.at(f"sequence[{i}]"), step) for i, step in enumerate(said.sequence))
    window: p.Expr = p.TRUE
    if said.within is not None:
        window = in_window(here.rows(UNIFIED).at("within"), TIME, DATETIME, said.within)
    gap, span = (None if text is None else parse_span(text) for text in (said.max_gap, said.max_span))
    return here.block(Sequence(steps, window, gap, span), "sequence")


EVENTS: dict[type, Callable[[Here, Any], p.Expr]] = {
    c.Did: _did, c.DidNot: _did_not, c.EdgeEvent: _edge, c.Regularly: _regularly, c.Stopped: _stopped,
    c.Restarted: _restarted, c.Sequence: _sequence,
}  # fmt: skip
