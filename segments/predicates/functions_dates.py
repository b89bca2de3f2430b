"""Rows of the function table: dates and times. A datetime is UTC; local() and utc() go between it and a clock."""

from segments.predicates import function_values as values
from segments.predicates.fields import DATE, DATETIME, DURATION, INTEGER, TIME, Type, decimal
from segments.predicates.function_rows import Function

_D = "dates"


def _guard(sql: str, kind: Type) -> str:
    """Null outside the years 1 to 9999, which is what Python, JSON and OData can write."""
    last = "9999-12-31" if kind == DATE else "9999-12-31 23:59:59.999999"
    low, high = f"{kind.sql} '0001-01-01'", f"{kind.sql} '{last}'"
    return f"list_filter([{sql}], lambda d: d BETWEEN {low} AND {high})[1]"


def dates() -> list[Function]:
    """The rows."""
    rows = [
        Function(
            "local",
            ("datetime", "string"),
            DATETIME,
            _guard("(({0}) AT TIME ZONE 'UTC' AT TIME ZONE {1})", DATETIME),
            values.local,
            "{0} on a clock in {1}",
            _D,
            literals=(1,),
        ),
        Function(
            "utc",
            ("datetime", "string"),
            DATETIME,
            _guard("(({0}) AT TIME ZONE {1} AT TIME ZONE 'UTC')", DATETIME),
            values.utc,
            "{0} on a clock in {1}, in UTC",
            _D,
            literals=(1,),
        ),
        Function("date_of", ("datetime",), DATE, "CAST({0} AS DATE)", lambda _, a: a.date(), "the date of {0}", _D),
        Function(
            "time_of", ("datetime",), TIME, "CAST({0} AS TIME)", lambda _, a: a.time(), "the time of day of {0}", _D
        ),
        Function(
            "at_midnight", ("date",), DATETIME, "CAST({0} AS TIMESTAMP)", values.at_midnight, "the begin of {0}", _D
        ),
        Function(
            "sub",
            ("datetime", "datetime"),
            DURATION,
            "(epoch_us({0}) - epoch_us({1}))",
            values.between,
            "the time from {1} to {0}",
            _D,
        ),
        Function(
            "sub",
            ("date", "date"),
            DURATION,
            "(CAST({0} - {1} AS BIGINT) * 86400000000)",
            values.between,
            "the time from {1} to {0}",
            _D,
        ),
        Function(
            "total_seconds",
            ("duration",),
            decimal(25, 6),
            "CAST(CAST({0} AS DECIMAL(19,0)) * CAST(0.000001 AS DECIMAL(6,6)) AS {type})",
            values.total_seconds,
            "{0} in seconds",
            _D,
        ),
        Function("now", (), DATETIME, "", lambda _: None, "now", _D),
    ]
    long = "TRY_CAST(CAST({0} AS HUGEINT) %s {1} AS BIGINT)"
    for key, sign, word in (("add", "+", "after"), ("sub", "-", "before")):
        moved = values.add_duration if key == "add" else values.subtract_duration
        plain = values.add if key == "add" else values.subtract
        at = f"TRY({{0}} {sign} to_microseconds({{1}}))"
        day = f"CAST(TRY(CAST({{0}} AS TIMESTAMP) {sign} to_microseconds({{1}})) AS DATE)"
        rows += [
            Function(key, ("datetime", "duration"), DATETIME, _guard(at, DATETIME), moved, f"{{1}} {word} {{0}}", _D),
            Function(key, ("date", "duration"), DATE, _guard(day, DATE), moved, f"{{1}} {word} {{0}}", _D),
            Function(key, ("duration", "duration"), DURATION, long % sign, plain, f"{{1}} {word} {{0}}", _D),
        ]
    rows += [
        Function("mul", ("duration", "integer"), DURATION, long % "*", values.multiply, "{0} times {1}", _D),
        Function("negate", ("duration",), DURATION, "TRY(-{0})", values.negate, "minus {0}", _D),
    ]
    for kind in (DATE, DATETIME):
        whole = (
            "TRY({0} + TRY_CAST({1} AS INTEGER))" if kind == DATE else "TRY({0} + to_days(TRY_CAST({1} AS INTEGER)))"
        )
        months = "CAST(TRY({0} + to_months(TRY_CAST({1} AS INTEGER))) AS {type})"
        rows += [
            Function(
                "add_days", (kind.kind, "integer"), kind, _guard(whole, kind), values.add_days, "{1} days after {0}", _D
            ),
            Function(
                "add_months",
                (kind.kind, "integer"),
                kind,
                _guard(months, kind),
                values.add_months,
                "{1} months after {0}",
                _D,
            ),
            *(
                Function(
                    f"start_of_{unit}",
                    (kind.kind,),
                    DATE,
                    f"CAST(date_trunc('{unit}', {{0}}) AS DATE)",
                    values.start_of(unit),
                    f"the first day of the {unit} of {{0}}",
                    _D,
                )
                for unit in ("week", "month", "quarter", "year")
            ),
            *(
                Function(part, (kind.kind,), INTEGER, f"{part}({{0}})", python, f"the {part} of {{0}}", _D)
                for part, python in (
                    ("year", lambda _, a: a.year),
                    ("month", lambda _, a: a.month),
                    ("day", lambda _, a: a.day),
                )
            ),
            Function(
                "quarter",
                (kind.kind,),
                INTEGER,
                "quarter({0})",
                lambda _, a: (a.month + 2) // 3,
                "the quarter of {0}",
                _D,
            ),
            Function(
                "week",
                (kind.kind,),
                INTEGER,
                "weekofyear({0})",
                lambda _, a: a.isocalendar().week,
                "the ISO week of {0}",
                _D,
            ),
            Function(
                "day_of_week",
                (kind.kind,),
                INTEGER,
                "isodow({0})",
                lambda _, a: a.isoweekday(),
                "the day of the week of {0}, from Monday on",
                _D,
            ),
            Function(
                "day_of_year",
                (kind.kind,),
                INTEGER,
                "dayofyear({0})",
                lambda _, a: a.timetuple().tm_yday,
                "the day of the year of {0}",
                _D,
            ),
        ]
    for kind in (DATETIME, TIME):
        rows += [
            *(
                Function(part, (kind.kind,), INTEGER, f"{part}({{0}})", python, f"the {part} of {{0}}", _D)
                for part, python in (
                    ("hour", lambda _, a: a.hour),
                    ("minute", lambda _, a: a.minute),
                    ("second", lambda _, a: a.second),
                )
            ),
            Function(
                "fraction",
                (kind.kind,),
                decimal(7, 6),
                "CAST(CAST(microsecond({0}) % 1000000 AS DECIMAL(7,0)) * CAST(0.000001 AS DECIMAL(6,6)) AS {type})",
                values.fraction,
                "the fraction of the second of {0}",
                _D,
            ),
        ]
    return rows
