"""Numbers, moments and values as people read them; the same in the terminal and on a page."""

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import groupby
from typing import Any

from unify.core.explanations import ValueOrigin
from unify.core.reports import RuleReport, RunReport

LONGEST_VALUE = 120
"""Characters of a value that are shown; the rest of a longer one is counted."""


def count(number: float) -> str:
    """A count.

    >>> count(1234567)
    '1,234,567'
    """
    return f"{number:,}"


def counted(number: int, one: str, many: str | None = None) -> str:
    """A count and its noun.

    >>> counted(1, "row"), counted(2_000, "entity", "entities")
    ('1 row', '2,000 entities')
    """
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def seconds(number: float) -> str:
    """A time span.

    >>> seconds(0.0004), seconds(0.031), seconds(3.493), seconds(83.2), seconds(4000)
    ('<1 ms', '31 ms', '3.5 s', '83 s', '1 h 7 min')
    """
    if number < 0.001:
        return "<1 ms"
    if number < 0.9995:
        return f"{number * 1000:.0f} ms"
    if number < 10:
        return f"{number:.1f} s"
    if number < 120:
        return f"{number:.0f} s"
    minutes = round(number / 60)
    return f"{minutes} min" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def mib(number: float) -> str:
    """A size in memory, from MiB.

    >>> mib(276.1), mib(1536)
    ('276 MiB', '1.5 GiB')
    """
    return f"{number:,.0f} MiB" if number < 1024 else f"{number / 1024:,.1f} GiB"


def share(part: int, whole: int) -> str:
    """A part in percent; never 0 % of something or 100 % of less than all.

    >>> share(1, 3), share(1, 5000), share(4999, 5000), share(0, 0)
    ('33 %', '<1 %', '>99 %', '–')
    """
    if not whole:
        return "–"
    percent = 100 * part / whole
    if 0 < percent < 0.5:
        return "<1 %"
    return ">99 %" if 99.5 <= percent < 100 else f"{percent:.0f} %"


def signed(number: int) -> str:
    """A difference.

    >>> signed(1200), signed(-3), signed(0)
    ('+1,200', '−3', '±0')
    """
    return f"+{number:,}" if number > 0 else f"−{-number:,}" if number else "±0"


def moment(when: str | datetime | None) -> str:
    """A point in time, in UTC, to the minute.

    >>> moment("2026-11-22T05:31:25+00:00")
    '2026-11-22 05:31 UTC'
    """
    if when is None:
        return "–"
    try:
        read = datetime.fromisoformat(when) if isinstance(when, str) else when
    except ValueError:
        return str(when)
    utc = read.astimezone(UTC) if read.tzinfo else read
    return f"{utc:%Y-%m-%d %H:%M} UTC"


def value(thing: Any) -> str:
    """A value of a record. Spaces at its ends are made visible, because they are why two equal words differ.

    >>> value(" Ann "), value(None), value(True), value(4262)
    ('␣Ann␣', '', 'true', '4262')
    """
    if thing is None:
        return ""
    if isinstance(thing, bool):
        return str(thing).lower()
    text = str(thing)
    core = text.strip(" ")
    if core:
        text = "␣" * (len(text) - len(text.lstrip(" "))) + core + "␣" * (len(text) - len(text.rstrip(" ")))
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}… ({len(text):,} characters)"


def how_won(origin: ValueOrigin) -> str:
    """How a value won, without the list of columns that took part.

    >>> how_won(ValueOrigin(column="City", value="Bern", record="a.A:1",
    ...                     how="most recent by T, of a.A.City, b.B.City, together with Street"))
    'most recent by T, together with Street'
    """
    head, _, _ = origin.how.partition(", of ")
    unit = together(origin)
    return f"{head}, together with {', '.join(unit)}" if unit else head


def together(origin: ValueOrigin) -> list[str]:
    """Columns that were taken from the same record as a unit with this one."""
    _, _, unit = origin.how.partition(", together with ")
    return unit.split(", ") if unit else []


def rows_in(report: RunReport) -> int:
    """Rows read from files and frames."""
    return sum(e.rows_in for e in report.entities)


def files(report: RunReport) -> int:
    """Files read."""
    return sum(e.files for e in report.entities)


def aside(report: RunReport) -> int:
    """Rows that ingestion set aside, for any reason."""
    return sum(e.rows_in - e.rows_kept for e in report.entities)


def pair(rule: RuleReport) -> str:
    """Between whom a rule looks."""
    if rule.kind == "cluster":
        return "Customers (clusters of customers)"
    if rule.kind == "common":
        return "Every entity (common rules)"
    return f"within {rule.left}" if rule.left == rule.right else f"{rule.left} → {rule.right}"


def by_pair(rules: Iterable[RuleReport]) -> list[tuple[str, list[RuleReport]]]:
    """Rules of each pair, in the order of the plan."""
    return [(name, list(some)) for name, some in groupby(rules, key=pair)]


def size_bands(histogram: dict[int, int], *, most: int = 24) -> list[tuple[str, int, int]]:
    """Cluster sizes as (label, records, customers), ascending; past `most` sizes, the large ones share powers of two.

    >>> size_bands({1: 10, 2: 3, 5: 1}, most=2)
    [('1', 10, 10), ('2–3', 6, 3), ('4–7', 5, 1)]
    >>> size_bands({1: 10, 3: 3})
    [('1', 10, 10), ('3', 9, 3)]
    """
    if len(histogram) <= most:
        return [(count(size), size * n, n) for size, n in sorted(histogram.items())]
    bands: dict[int, list[int]] = {}
    for size, n in sorted(histogram.items()):
        band = bands.setdefault(size.bit_length(), [0, 0])
        band[0] += size * n
        band[1] += n
    return [("1" if bits == 1 else f"{2 ** (bits - 1):,}–{2**bits - 1:,}", *band) for bits, band in bands.items()]  # type: ignore[misc]
