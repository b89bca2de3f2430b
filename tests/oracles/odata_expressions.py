"""What an OData expression says of one row, read from the standard's text: the syntax tree is walked, row by row.

Nothing of the binder or of the predicate trees is used but the syntax tree of the parser. Values are Python's; a
duration is a timedelta. A world is rows as dicts by table; a relation is a function from a row to rows.
"""

import datetime as dt
import re
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from fractions import Fraction
from zoneinfo import ZoneInfo

from segments.odata.syntax import ast


class UnansweredError(Exception):
    """The standard lets the request fail: overflow, division by zero."""


@dataclass
class World:
    """links: (table, relation) → (table at the end, many, row → rows); zone: where days begin."""

    tables: dict
    links: dict
    clock: dt.datetime
    zone: str
    segments: dict = field(default_factory=dict)
    aliases: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    """it: the row the question is about; here: the row bare names speak of; names: of lambda variables."""

    it: tuple
    here: tuple
    names: tuple = ()


def holds(node, table, row, world):
    """Whether $filter keeps the row."""
    me = (table, row)
    return value(node, Seen(me, me), world) is True


def value(node, seen, world):
    match node:
        case ast.Literal():
            return literal(node)
        case ast.Array():
            return [value(i, seen, world) for i in node.items]
        case ast.ValueList():
            return [value(i, seen, world) for i in node.items]
        case ast.Path():
            return path(node, seen, world)
        case ast.And():
            found = [value(t, seen, world) for t in node.terms]
            return False if False in found else None if None in found else True
        case ast.Or():
            found = [value(t, seen, world) for t in node.terms]
            return True if True in found else None if None in found else False
        case ast.Unary(operator="not"):
            found = value(node.operand, seen, world)
            return None if found is None else not found
        case ast.Unary():
            found = value(node.operand, seen, world)
            return None if found is None else -found
        case ast.Binary():
            return binary(node, seen, world)
        case ast.Call():
            return call(node, seen, world)
        case ast.Case():
            for condition, result in node.branches:
                if value(condition, seen, world) is True:
                    return value(result, seen, world)
            return None
    raise AssertionError(node)


def literal(node):
    text = node.value
    match node.kind:
        case "date":
            return dt.date.fromisoformat(text)
        case "dateTimeOffset":
            return dt.datetime.fromisoformat(text).astimezone(dt.UTC).replace(tzinfo=None)
        case "timeOfDay":
            return dt.time.fromisoformat(text)
        case "duration":
            sign, days, hours, minutes, seconds = re.fullmatch(
                r"(-?)P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?)?", text
            ).groups()
            found = dt.timedelta(
                days=int(days or 0), hours=int(hours or 0), minutes=int(minutes or 0), seconds=float(seconds or 0)
            )
            return -found if sign else found
    return text


# ── comparisons ──────────────────────────────────────────────────────────────────────────────────────────────────────


def moment(value, world):
    """A date is the moment at which it begins."""
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        midnight = dt.datetime(value.year, value.month, value.day, tzinfo=ZoneInfo(world.zone))
        return midnight.astimezone(dt.UTC).replace(tzinfo=None)
    return value


def pair(a, b, world):
    if isinstance(a, dt.datetime) != isinstance(b, dt.datetime):
        a, b = moment(a, world), moment(b, world)
    if isinstance(a, float) or isinstance(b, float):
        return tuple(float(v) if isinstance(v, int | Decimal | Fraction) else v for v in (a, b))
    return tuple(Fraction(v) if isinstance(v, int | Decimal) and not isinstance(v, bool) else v for v in (a, b))


def same(a, b, world):
    if a is None or b is None:
        return a is b
    a, b = pair(a, b, world)
    return a == b


def compared(operator, a, b, world):
    if operator == "eq":
        return same(a, b, world)
    if operator == "ne":
        return not same(a, b, world)
    if operator in ("ge", "le") and same(a, b, world):
        return True
    if a is None or b is None:
        return False
    a, b = pair(a, b, world)
    return a > b if operator in ("gt", "ge") else a < b


def binary(node, seen, world):
    left = value(node.left, seen, world)
    if node.operator == "in":
        return any(same(left, item, world) for item in value(node.right, seen, world))
    right = value(node.right, seen, world)
    if node.operator in ("eq", "ne", "lt", "le", "gt", "ge"):
        return compared(node.operator, left, right, world)
    if left is None or right is None:
        return None
    return arithmetic(node.operator, left, right)


def arithmetic(operator, a, b):
    if isinstance(a, float) or isinstance(b, float):
        a, b = (float(v) if isinstance(v, int | Decimal) else v for v in (a, b))  # numeric promotion
    try:
        if operator == "add":
            if isinstance(a, dt.timedelta) and isinstance(b, dt.date):
                a, b = b, a
            return shifted(a, b, 1)
        if operator == "sub":
            return shifted(a, b, -1)
        if operator == "mul":
            return bounded(a * b)
        if operator == "mod":
            return a - b * whole(Fraction(a) / Fraction(b))
        if operator == "div" and isinstance(a, int) and isinstance(b, int):
            return whole(Fraction(a, b))
        return float(a) / float(b)
    except (OverflowError, ZeroDivisionError) as error:
        raise UnansweredError from error


def shifted(a, b, sign):
    if isinstance(a, dt.date) and not isinstance(a, dt.datetime) and isinstance(b, dt.timedelta):
        return (dt.datetime(a.year, a.month, a.day) + sign * b).date()  # noqa: DTZ001 - a day, in no zone
    with localcontext() as context:
        context.prec = 80
        return bounded(a + b if sign > 0 else a - b)


def bounded(found):
    if isinstance(found, int) and not -(2**63) <= found < 2**63:
        raise UnansweredError
    return found


def whole(fraction):
    """Cut towards zero."""
    return int(fraction)


# ── functions ────────────────────────────────────────────────────────────────────────────────────────────────────────


def call(node, seen, world):
    if node.name == "IsMemberOfSegment":
        table, row = seen.here
        assert table == "Customer"
        return row["ordinal"] in world.segments[node.arguments[0].value]
    args = [value(a, seen, world) for a in node.arguments]
    if any(a is None for a in args):
        return None
    first = node.arguments[0] if args else None
    if isinstance(first, ast.Literal) and first.kind == "dateTimeOffset":  # parts of what is written
        written = dt.datetime.fromisoformat(first.value)
        if node.name == "totaloffsetminutes":
            return written.utcoffset() // dt.timedelta(minutes=1)
        return FUNCTIONS[node.name](world, written)
    return FUNCTIONS[node.name.lower()](world, *args)


def shown(world, at):
    """What a clock shows in the zone of the question."""
    if isinstance(at, dt.datetime) and at.tzinfo:
        return at.replace(tzinfo=None)
    if isinstance(at, dt.datetime):
        return at.replace(tzinfo=dt.UTC).astimezone(ZoneInfo(world.zone)).replace(tzinfo=None)
    return at


def substring(_, text, start, length=None):
    start = max(len(text) + start, 0) if start < 0 else start
    return text[start:] if length is None else text[start : start + length]


def half_away(_, number):
    cut = int(number)
    return cut + (1 if number > 0 else -1) if abs(number - cut) * 2 >= 1 else cut


FUNCTIONS = {
    "contains": lambda _, a, b: b in a,
    "startswith": lambda _, a, b: a[: len(b)] == b,
    "endswith": lambda _, a, b: b == "" or a[-len(b) :] == b,
    "indexof": lambda _, a, b: a.find(b),
    "length": lambda _, a: len(a),
    "substring": substring,
    "concat": lambda _, a, b: a + b,
    "trim": lambda _, a: a.strip(),
    "tolower": lambda _, a: "".join(c.lower() for c in a),
    "toupper": lambda _, a: "".join(c.upper() for c in a),
    "year": lambda w, a: shown(w, a).year,
    "month": lambda w, a: shown(w, a).month,
    "day": lambda w, a: shown(w, a).day,
    "hour": lambda w, a: shown(w, a).hour,
    "minute": lambda w, a: shown(w, a).minute,
    "second": lambda w, a: shown(w, a).second,
    "fractionalseconds": lambda w, a: Decimal(shown(w, a).microsecond).scaleb(-6),
    "date": lambda w, a: shown(w, a).date(),
    "time": lambda w, a: shown(w, a).time(),
    "totaloffsetminutes": lambda w, a: (shown(w, a) - a) // dt.timedelta(minutes=1),
    "totalseconds": lambda _, a: Decimal(a // dt.timedelta(microseconds=1)).scaleb(-6),
    "now": lambda w: w.clock,
    "mindatetime": lambda _: dt.datetime.min,  # noqa: DTZ901 - naive means UTC here
    "maxdatetime": lambda _: dt.datetime.max,  # noqa: DTZ901 - naive means UTC here
    "round": half_away,
    "floor": lambda _, a: a.__floor__(),
    "ceiling": lambda _, a: a.__ceil__(),
}  # fmt: skip


# ── paths ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def path(node, seen, world):
    first, *rest = node.segments
    if isinstance(first, ast.Alias):
        return value(world.aliases[first.name], Seen(seen.it, seen.it), world)
    if isinstance(first, ast.Variable):
        return follow(seen.it if first.name == "$it" else seen.here, rest, seen, world)
    names = dict(seen.names)
    if first.text in names:
        return follow(names[first.text], rest, seen, world)
    return follow(seen.here, node.segments, seen, world)


def follow(start, segments, seen, world):
    """One row after another; a path to many rows ends in what is asked of them."""
    table, rows, many = start[0], [start[1]], False
    whole = "/".join(s.text for s in segments if isinstance(s, ast.Name))
    if len(segments) > 1 and whole in start[1]:
        return start[1][whole]  # $apply has grouped by that path
    for segment in segments:
        match segment:
            case ast.Name(text=name) if (table, name) in world.links:
                table, several, related = world.links[table, name]
                rows, many = [r for row in rows for r in related(row)], many or several
            case ast.Name(text=name):
                assert not many
                return None if not rows else rows[0][name] if table in world.tables else rows[0].get(name)
            case ast.Filtered(predicate=predicate):
                rows = kept(predicate, table, rows, seen, world)
            case ast.Count(options=options):
                for option in options:
                    rows = kept(option.predicate, table, rows, seen, world)
                return len(rows)
            case ast.Lambda(quantifier=word, variable=variable, predicate=predicate):
                if predicate is None:
                    return bool(rows)
                test = [
                    value(predicate, Seen(seen.it, seen.here, (*seen.names, (variable, (table, r)))), world) is True
                    for r in rows
                ]
                return any(test) if word == "any" else all(test)
            case ast.Aggregated(item=item):
                taken = [value(item.expression, Seen(seen.it, (table, r), seen.names), world) for r in rows]
                return aggregated(item.method, [v for v in taken if v is not None])
    return None if not rows else (table, id(rows[0]))


def kept(predicate, table, rows, seen, world):
    return [r for r in rows if value(predicate, Seen(seen.it, (table, r), seen.names), world) is True]


def aggregated(method, values):
    if method == "countdistinct":
        return len(set(values))
    if not values:
        return None
    if method in ("min", "max"):
        return min(values) if method == "min" else max(values)
    total = sum(values)
    return float(total) / len(values) if method == "average" else bounded(total)
