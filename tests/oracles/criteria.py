"""What criteria say of one customer, by walking plain data: no SQL, no sets, no pydantic, no cleverness.

Criteria are as a project file holds them (dicts, lists). A world is rows as dicts by table, a clock (naive UTC) and a
zone. Every answer is True, False or None; at the top only True counts.
"""

import calendar
import hashlib
import re
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import cache, reduce
from math import ceil
from typing import Any
from zoneinfo import ZoneInfo

UNITS = {"minute": timedelta(minutes=1), "hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(7)}
MONTHS = {"month": 1, "quarter": 3, "year": 12}
TESTS = [
    "equals",
    "not_equals",
    "greater_than",
    "at_least",
    "less_than",
    "at_most",
    "contains",
    "starts_with",
    "ends_with",
    "is_null",
    "is_not_null",
    "is_in",
    "is_not_in",
    "between",
    "not_between",
    "within_last",
    "within_next",
    "year_to_date",
    "day_of",
    "month_of",
    "year_of",
    "day_of_week",
    "time_at",
    "within",
    "child_of",
    "parent_of",
]
MONTH_NAMES = [name[:3].lower() for name in calendar.month_name]
DAY_NAMES = ["", *(name[:3].lower() for name in calendar.day_name)]


@dataclass
class World:
    """`relations`: table → name → function from a row to rows. `kinds`: table → attribute → its kind."""

    tables: dict[str, list[dict[str, Any]]]
    relations: dict[str, dict[str, Any]]
    kinds: dict[str, dict[str, str]]
    times: dict[str, str]
    activities: dict[str, tuple[str, str, str]]
    ids: dict[str, int]
    clock: datetime
    zone: str
    segments: dict[str, set[int]] = field(default_factory=dict)


# ── three values ─────────────────────────────────────────────────────────────────────────────────────────────────────


def both(a, b):
    return False if a is False or b is False else None if a is None or b is None else True


def either(a, b):
    return True if a is True or b is True else None if a is None or b is None else False


def opposite(a):
    return None if a is None else not a


# ── time ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def to_local(moment, zone):
    return moment.replace(tzinfo=ZoneInfo("UTC")).astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def to_utc(clock, zone):
    """The later moment where a clock shows a time twice; where it never does, as if it had not jumped."""
    for fold in (1, 0):
        found = clock.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(ZoneInfo("UTC")).replace(tzinfo=None)
        if fold == 0 or to_local(found, zone) == clock:
            return found
    raise AssertionError


def shifted(at, count, unit):
    """`count` units later; months keep the day or take the last of the month."""
    if unit in UNITS:
        return at + count * UNITS[unit]
    months = at.year * 12 + at.month - 1 + count * MONTHS[unit]
    year, month = divmod(months, 12)
    return at.replace(year=year, month=month + 1, day=min(at.day, calendar.monthrange(year, month + 1)[1]))


def begin(day, unit):
    if unit == "day":
        return day
    if unit == "week":
        return day - timedelta(day.weekday())
    month = {"month": day.month, "quarter": (day.month - 1) // 3 * 3 + 1, "year": 1}[unit]
    return day.replace(month=month, day=1)


def today(world):
    return to_local(world.clock, world.zone).date()


def midnight(day, world):
    return to_utc(datetime.combine(day, time()), world.zone)


def span(text):
    count, unit = text.split()
    return int(count), unit.rstrip("s")


def moment(text, world, dates):
    """(value, is it a whole day): a date where dates are compared, else a datetime."""
    here = today(world)
    words = {"yesterday": -1, "today": 0, "tomorrow": 1}
    day = None
    if text == "now":
        return (here, False) if dates else (world.clock, False)
    if text in words:
        day = here + timedelta(words[text])
    elif found := re.fullmatch(r"start of (this|last|next) (\w+)", text):
        offset = {"this": 0, "last": -1, "next": 1}[found[1]]
        day = shifted(begin(here, found[2]), offset, found[2])
    elif found := re.fullmatch(r"(\d+ \w+) ago|in (\d+ \w+)", text):
        count, unit = span(found[1] or found[2])
        at = shifted(here if dates else world.clock, -count if found[1] else count, unit)
        return at, False
    elif len(text) == 10:
        day = date.fromisoformat(text)
    if day is not None:
        return (day, True) if dates else (midnight(day, world), True)
    at = datetime.fromisoformat(text)
    return (at.astimezone(ZoneInfo("UTC")).replace(tzinfo=None) if at.tzinfo else to_utc(at, world.zone)), False


def in_window(value, text, world, dates):
    """Is it in? None for a missing value."""
    if value is None:
        return None
    here = today(world)
    if text in ("yesterday", "today", "tomorrow"):
        text = {"yesterday": "last day", "today": "this day", "tomorrow": "next day"}[text]
    if found := re.fullmatch(r"(last|next) (\d+ \w+)", text):
        count, unit = span(found[2])
        if not dates:
            edge = shifted(world.clock, -count if found[1] == "last" else count, unit)
            low, high = sorted([edge, world.clock])
            return low <= value < high
        edge = shifted(here, -count if found[1] == "last" else count, unit)
        return edge < value <= here if found[1] == "last" else here <= value < edge
    if found := re.fullmatch(r"(this|last|next) (\w+)", text):
        start = shifted(begin(here, found[2]), {"this": 0, "last": -1, "next": 1}[found[1]], found[2])
        if dates:
            return begin(value, found[2]) == start
        return midnight(start, world) <= value < midnight(shifted(start, 1, found[2]), world)
    if found := re.fullmatch(r"(\w+) to date", text):
        start = begin(here, found[1])
        return start <= value <= here if dates else midnight(start, world) <= value < world.clock
    if found := re.fullmatch(r"since (.+)", text):
        return value >= moment(found[1], world, dates)[0]
    if found := re.fullmatch(r"before (.+)", text):
        return value < moment(found[1], world, dates)[0]
    low, high = text.split(" to ")
    end, whole = moment(high, world, dates)
    if whole and not dates:
        end = midnight(to_local(end, world.zone).date() + timedelta(1), world) - timedelta(microseconds=1)
    return moment(low, world, dates)[0] <= value <= end


# ── tests of a value ─────────────────────────────────────────────────────────────────────────────────────────────────


def compared(op, a, b):
    if a is None or b is None:
        return None
    a, b = ((1, 0.0) if v != v else (0, v) for v in (a, b))  # noqa: PLR0124 - NaN is one value, above all others
    return {"equals": a == b, "not_equals": a != b, "greater_than": a > b, "at_least": a >= b, "less_than": a < b,
            "at_most": a <= b}[op]  # fmt: skip


def compare(op, value, wanted, said, kind, world, row):
    """One comparison with a value as it was written."""
    if isinstance(wanted, dict):
        other, other_kind = read(wanted["attribute"], row, world)
        if said.get("time_of_day") and other is not None and other_kind == "datetime":
            other = to_local(other, world.zone).time()
        return compared(op, folded(value, said), folded(other, said))
    if kind == "datetime":
        at, whole = moment(wanted, world, dates=False)
        if not whole:
            return compared(op, value, at)
        end = midnight(moment(wanted, world, dates=True)[0] + timedelta(1), world)
        if value is None:
            return None
        return {"equals": at <= value < end, "not_equals": not at <= value < end, "greater_than": value >= end,
                "at_least": value >= at, "less_than": value < at, "at_most": value < end}[op]  # fmt: skip
    if kind == "date":
        return compared(op, value, moment(wanted, world, dates=True)[0])
    if kind == "time":
        return compared(op, value, time.fromisoformat(wanted))
    if isinstance(wanted, float) and kind != "double":
        wanted = Decimal(str(wanted))
    return compared(op, folded(value, said), folded(wanted, said))


def folded(value, said):
    return value.casefold() if said.get("ignore_case") and isinstance(value, str) else value


def tests(value, kind, said, world, row):
    if said.get("time_of_day"):
        value, kind = (None if value is None else to_local(value, world.zone).time()), "time"
    return reduce(both, [test(value, kind, t, said[t], said, world, row) for t in TESTS if t in said], True)


def test(value, kind, name, wanted, said, world, row):
    many = wanted if isinstance(wanted, (list, tuple)) else [wanted]
    join = both if said.get("match") == "all" else either
    start = said.get("match") == "all"
    dates = kind == "date"
    if name in ("equals", "not_equals"):
        return reduce(join, [compare(name, value, w, said, kind, world, row) for w in many], start)
    if name in ("greater_than", "at_least", "less_than", "at_most"):
        return compare(name, value, wanted, said, kind, world, row)
    if name in ("contains", "starts_with", "ends_with"):
        asked = {"contains": lambda a, b: b in a, "starts_with": str.startswith, "ends_with": str.endswith}[name]
        parts = [None if value is None else asked(folded(value, said), folded(w, said)) for w in many]
        return reduce(join, parts, start)
    if name in ("is_null", "is_not_null"):
        return (value is None) == (wanted == (name == "is_null"))
    if name in ("is_in", "is_not_in"):
        found = reduce(either, [compare("equals", value, w, said, kind, world, row) for w in wanted], False)
        return found if name == "is_in" else opposite(found)
    if name in ("between", "not_between"):
        ends = [
            compare(op, value, w, said, kind, world, row) for op, w in zip(("at_least", "at_most"), wanted, strict=True)
        ]
        over = kind == "time" and time.fromisoformat(wanted[0]) > time.fromisoformat(wanted[1])
        found = either(*ends) if over else both(*ends)
        return found if name == "between" else opposite(found)
    if name in ("within_last", "within_next", "within"):
        return in_window(
            value, {"within_last": "last ", "within_next": "next ", "within": ""}[name] + wanted, world, dates
        )
    if name == "year_to_date":
        return in_window(value, "year to date", world, dates)
    if name in ("child_of", "parent_of"):
        return None if value is None else value in relatives(said, world)
    if value is None:
        return None
    clock = to_local(value, world.zone) if kind == "datetime" else value
    if name == "time_at":
        parts = [int(p) for p in wanted.split(":")]
        return [clock.hour, clock.minute, clock.second][: len(parts)] == parts
    if name == "day_of_week":
        return clock.isoweekday() in [DAY_NAMES.index(w[:3].lower()) if isinstance(w, str) else w for w in many]
    if name == "month_of":
        return clock.month in [MONTH_NAMES.index(w[:3].lower()) if isinstance(w, str) else w for w in many]
    return (clock.day if name == "day_of" else clock.year) in many


def relatives(said, world):
    """Keys below or above a root."""
    tree = said["hierarchy"]
    rows = world.tables[tree["of"].replace(".", "_")]
    root = said.get("child_of", said.get("parent_of"))
    found, waiting = set(), [root]
    while waiting:
        here = waiting.pop()
        if "child_of" in said:
            near = [r[tree["key"]] for r in rows if r[tree["parent"]] == here]
        else:
            near = [r[tree["parent"]] for r in rows if r[tree["key"]] == here and r[tree["parent"]] is not None]
        waiting += [k for k in near if k not in found and k is not None]
        found |= set(near)
    return found - {root, None}


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def follow(names, row, table, world):
    """(rows, table) at the end of a path, one for each way."""
    rows = [row]
    for name in names:
        step, table = world.relations[table][name]
        rows = [other for here in rows for other in step(here)]
    return rows, table


def table_of(row):
    return row["__table__"]


def read(attribute, row, world):
    """(value, kind) of an attribute of the row; of an activity made of a row, of that one too."""
    kinds = world.kinds[table_of(row)]
    if attribute in kinds:
        return row[attribute], kinds[attribute]
    origin = row["__origin__"]
    return origin[attribute], world.kinds[table_of(origin)][attribute]


def attribute(said, row, world):
    *names, name = said["attribute"].split("/")
    if not names:
        value, kind = read(name, row, world)
        return tests(value, kind, said, world, row)
    rows, table = follow(names, row, table_of(row), world)
    answers = [tests(r[name], world.kinds[table][name], said, world, r) is True for r in rows]
    return all(answers) if said.get("every") else any(answers)


def rows_of(said, path, row, world):
    rows, table = follow(path.split("/"), row, table_of(row), world)
    kept = [r for r in rows if "where" not in said or evaluate(said["where"], r, world) is True]
    if "within" in said:
        column = said.get("time") or world.times[table]
        dates = world.kinds[table][column] == "date"
        kept = [r for r in kept if in_window(r[column], said["within"], world, dates) is True]
    return kept, rows, table


def related(said, row, world):
    kept, rows, _ = rows_of(said, said["related"], row, world)
    if said.get("every"):
        return len(kept) == len(rows)
    if said.get("none"):
        return not kept
    times = {k: said[k] for k in ("at_least", "at_most", "exactly", "between") if k in said}
    return counted(len(kept), times or {"at_least": 1})


def counted(n, times):
    ((key, wanted),) = times.items()
    if key == "between":
        return wanted[0] <= n <= wanted[1]
    return {"at_least": n >= wanted, "at_most": n <= wanted, "exactly": n == wanted}[key]


AGGREGATES = ("count", "count_distinct", "sum", "avg", "min", "max")


def aggregate(said, row, world):
    """(value, kind)."""
    function = next(f for f in AGGREGATES if f in said)
    kept, _, table = rows_of(said, said.get("of", said[function]), row, world)
    if function == "count":
        return len(kept), "integer"
    kind = world.kinds[table][said[function]]
    values = [v for v in (r[said[function]] for r in kept) if v is not None]
    if function == "count_distinct":
        return len(set(values)), "integer"
    if not values:
        return None, kind
    if function == "avg":
        return float(sum(map(Fraction, values)) / len(values)), "double"
    return {"sum": sum, "min": min, "max": max}[function](values), kind


# ── events ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def is_event(said, event, world):
    if said == "anything":
        return True
    if isinstance(said, str):
        if said in world.activities:
            return event["SourceTableName"] == world.activities[said][0]
        return event["ActivityType"] == said
    if "activity" in said and event["SourceTableName"] != world.activities[said["activity"]][0]:
        return False
    if "type" in said and event["ActivityType"] != said["type"]:
        return False
    if "display" in said and event["ActivityTypeDisplay"] != said["display"]:
        return False
    return "where" not in said or evaluate(said["where"], event, world) is True


def events(said, window, row, world):
    rows, _ = follow(["UnifiedActivity"], row, "Customer", world)
    kept = [e for e in rows if is_event(said, e, world)]
    return kept if window is None else [e for e in kept if in_window(e["ActivityTime"], window, world, False) is True]


def between(said, start, end, row, world):
    """Events from one moment on, before another; None: no bound."""
    found = [e for e in events(said, None, row, world) if e["ActivityTime"] is not None]
    return [
        e for e in found if (start is None or e["ActivityTime"] >= start) and (end is None or e["ActivityTime"] < end)
    ]


def edge(said, row, world):
    key = "first" if "first" in said else "last"
    found = [e for e in events(said[key], said.get("within"), row, world) if e["ActivityTime"] is not None]
    if not found:
        return False
    pick = {"first": min, "last": max}[key](found, key=lambda e: (e["ActivityTime"], e["ActivityId"]))
    return evaluate(said["meets"], pick, world) is True


def regularly(said, row, world):
    count, unit = span(said["of_last"])
    bounds = [shifted(world.clock, -i, unit) for i in range(count + 1)]
    hit = sum(bool(between(said["regularly"], bounds[i + 1], bounds[i], row, world)) for i in range(count))
    return hit >= said["in_at_least"]


def stopped(said, row, world):
    count, unit = span(said["for"])
    since = shifted(world.clock, -count, unit)
    kind = said["stopped"]
    return bool(between(kind, None, since, row, world)) and not between(kind, since, world.clock, row, world)


def restarted(said, row, world):
    count, unit = span(said["within_last"])
    again = shifted(world.clock, -count, unit)
    count, unit = span(said["after_a_break_of"])
    silent = shifted(again, -count, unit)
    kind = said["restarted"]
    return (
        bool(between(kind, again, world.clock, row, world))
        and not between(kind, silent, again, row, world)
        and bool(between(kind, None, silent, row, world))
    )


def sequence(said, row, world):
    """Every way to pick one event a step."""
    steps = [
        [e["ActivityTime"] for e in events(step, said.get("within"), row, world) if e["ActivityTime"] is not None]
        for step in said["sequence"]
    ]

    @cache  # the same first and last moments may be met on thousands of ways
    def go(at, first, last):
        if at == len(steps):
            return "max_span" not in said or last <= shifted(first, *span(said["max_span"]))
        for t in steps[at]:
            if last is not None and t <= last:
                continue
            if last is not None and "max_gap" in said and t > shifted(last, *span(said["max_gap"])):
                continue
            if go(at + 1, t if first is None else first, t):
                return True
        return False

    return go(0, None, None)


# ── customers as a whole ─────────────────────────────────────────────────────────────────────────────────────────────


def top(said, row, world):
    return row["ordinal"] in top_of(said, world)


def top_of(said, world):
    ranked = []
    for c in world.tables["Customer"]:
        if "among" in said and evaluate(said["among"], c, world) is not True:
            continue
        value = read(said["by"], c, world)[0] if isinstance(said["by"], str) else aggregate(said["by"], c, world)[0]
        if value is not None and value == value:  # noqa: PLR0124 - NaN
            ranked.append((value, c["CustomerId"], c["ordinal"]))
    ranked.sort(key=lambda r: r[1])
    ranked.sort(key=lambda r: r[0], reverse=said.get("order") != "lowest")
    asked = said["top"]
    n = asked if isinstance(asked, int) else ceil(Fraction(asked.rstrip("% ")) * len(ranked) / 100)
    taken = ranked[:n]
    if taken and n < len(ranked) and ranked[n][0] == taken[-1][0] and said.get("ties", "by_id") != "by_id":
        shared = taken[-1][0]
        keep = said["ties"] == "include"
        taken = [r for r in ranked if r in taken or r[0] == shared] if keep else [r for r in taken if r[0] != shared]
    return {ordinal for _, _, ordinal in taken}


def lot(seed, text):
    return int(hashlib.md5(f"{len(seed)}:{seed}{text}".encode()).hexdigest()[:15], 16) % 1_000_000


def split(said, row, world):
    parts = said["split"]["parts"]
    names = list(parts)
    start = sum(Fraction(str(parts[n])) for n in names[: names.index(said["split"]["part"])])
    end = start + Fraction(str(parts[said["split"]["part"]]))
    return start <= Fraction(lot(said["split"]["seed"], row["CustomerId"]), 10_000) < end


def percent(said, row, world):
    return Fraction(lot(said.get("seed", ""), row["CustomerId"]), 10_000) < Fraction(str(said["percent"]))


def anniversary(said, row, world):
    """Every year until after the window is tried."""
    value, kind = read(said["anniversary"], row, world)
    if value is None:
        return None
    born = to_local(value, world.zone).date() if kind == "datetime" else value
    prefix, key = next(
        (p, k) for p, k in (("next ", "within_next"), ("last ", "within_last"), ("", "within")) if k in said
    )
    days = [shifted(born, years, "year") for years in range(1, max(2, today(world).year - born.year + 4))]
    return any(in_window(day, prefix + said[key], world, True) for day in days)


def members(said, row, world):
    return row["ordinal"] in {world.ids.get(item) for item in said["members"]}


KINDS = {
    "attribute": attribute, "related": related, "first": edge, "last": edge, "regularly": regularly, "stopped": stopped,
    "restarted": restarted, "sequence": sequence, "top": top, "split": split, "percent": percent,
    "anniversary": anniversary, "members": members,
}  # fmt: skip


def evaluate(said, row, world):
    """True, False or None for a customer, or for a row inside `where`."""
    if isinstance(said, list):
        said = {"all": said}
    if "all" in said:
        return reduce(both, [evaluate(part, row, world) for part in said["all"]], True)
    if "any" in said:
        return reduce(either, [evaluate(part, row, world) for part in said["any"]], False)
    if "not" in said:
        return opposite(evaluate(said["not"], row, world))
    if "segment" in said:
        return row["ordinal"] in world.segments[said["segment"]]
    if "did" in said:
        return counted(len(events(said["did"], said.get("within"), row, world)), said.get("times", {"at_least": 1}))
    if "did_not" in said:
        return not events(said["did_not"], said.get("within"), row, world)
    if any(f in said for f in AGGREGATES):
        value, kind = aggregate(said, row, world)
        own = {k: v for k, v in said.items() if k != "within"}  # the window is of the rows
        return tests(value, kind, own, world, row)
    return next(KINDS[key] for key in KINDS if key in said)(said, row, world)
