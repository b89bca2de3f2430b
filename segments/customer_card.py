"""One customer at a glance, and the customer's timeline."""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time
from typing import Any

from segments.activities import UNIFIED
from unify.core.engine import Engine, scalar
from unify.core.errors import QueryError, did_you_mean
from unify.core.names import quote
from unify.core.reports import Report
from unify.core.steps import Query

Moment = str | date | datetime
"""A point of time; text is ISO (`2024-01-31`, `2024-01-31T12:00:00Z`). Without a zone it is UTC."""


class CustomerRecord(Report):
    """A record of the customer; `is_winner` is false of an alternate."""

    entity: str
    key: str
    is_winner: bool


class ActivityCount(Report):
    """Activities of one type: how many, and when the first and the last happened (ISO, UTC)."""

    type: str
    activities: int
    first: str | None
    last: str | None


class CustomerCard(Report):
    """Who a customer is.

    profile      the unified columns that have a value, as in Customer
    records      every record, in conflation order
    activities   per type, most first
    """

    CustomerId: str
    profile: dict[str, Any]
    records: list[CustomerRecord]
    activities: list[ActivityCount] = []

    def lines(self) -> Iterator[str]:
        """Plain text."""
        yield f"customer {self.CustomerId}"
        width = max((len(name) for name in self.profile), default=0)
        for name, value in self.profile.items():
            yield f"  {name:<{width}}  {value}"
        yield f"{_counted(len(self.records), 'record')}:"
        for record in self.records:
            yield f"  {record.entity}:{record.key}{'' if record.is_winner else ' (alternate)'}"
        total = sum(count.activities for count in self.activities)
        yield _counted(total, "activity", "activities") + (":" if total else "")
        for count in self.activities:
            last = f", last {count.last}" if count.last else ""
            yield f"  {count.type}: {count.activities:,}{last}"

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def __repr__(self) -> str:
        return str(self)


def _counted(n: int, one: str, many: str = "") -> str:
    return f"{n:,} {one if n == 1 else many or f'{one}s'}"


def customer_card(engine: Engine, customer_id: str) -> CustomerCard:
    """The card of an active customer."""
    [row] = engine.fetch(Query("FROM Customer WHERE CustomerId = $id", {"id": customer_id})).to_pylist()
    records = engine.fetch(
        Query("SELECT entity, key, is_winner FROM members WHERE CustomerId = $id ORDER BY rid", {"id": customer_id})
    ).to_pylist()
    counts: list[dict[str, Any]] = []
    if _has_activities(engine):
        counts = engine.fetch(
            Query(
                'SELECT "ActivityType" AS type, count(*) AS activities, min("ActivityTime") AS first, '
                f'max("ActivityTime") AS last FROM {quote(UNIFIED)} WHERE ordinal = $ordinal '
                'GROUP BY "ActivityType" ORDER BY activities DESC, type',
                {"ordinal": _ordinal(engine, customer_id)},
            )
        ).to_pylist()
    return CustomerCard(
        CustomerId=customer_id,
        profile={k: v for k, v in row.items() if v is not None and k != "CustomerId"},
        records=[CustomerRecord(**r) for r in records],
        activities=[
            ActivityCount(type=c["type"], activities=c["activities"], first=_iso(c["first"]), last=_iso(c["last"]))
            for c in counts
        ],
    )


def _ordinal(engine: Engine, customer_id: str) -> int:
    """The customer's number. A customer's activities lie together by it: with a number in the question DuckDB reads one
    row group of UnifiedActivity (2 ms of 10 M activities), with a subquery it reads them all (50 ms)."""
    return int(scalar(engine, Query('SELECT ordinal FROM customer_ids WHERE "CustomerId" = $id', {"id": customer_id})))


def timeline_query(
    engine: Engine,
    customer_id: str,
    *,
    since: Moment | None = None,
    until: Moment | None = None,
    types: Sequence[str] | None = None,
    declared: Sequence[str] = (),
    limit: int | None = 100,
) -> Query:
    """Activities of an active customer, newest first; of one time, in the order of their ids; those without one last.

    since, until   from this moment on, and up to and without that one
    types          ActivityTypes; QueryError for one that no activity has and that is not `declared` either
    limit          rows at most; None: all
    """
    if not _has_activities(engine):
        raise QueryError("this generation has no UnifiedActivity", hint="`unify conflate` makes it")
    params: dict[str, Any] = {"ordinal": _ordinal(engine, customer_id)}
    conditions = ["ordinal = $ordinal"]
    for name, moment, sign in (("since", since, ">="), ("until", until, "<")):
        if moment is not None:
            params[name] = moment_of(moment, name)
            conditions.append(f'"ActivityTime" {sign} CAST(${name} AS TIMESTAMP)')
    if types is not None:
        params["types"] = known_types(engine, types, declared)
        conditions.append('list_contains($types, "ActivityType")')
    if limit is not None:
        if limit < 0:
            raise QueryError(f"{limit} rows cannot be shown", where="limit", hint="write 0 or more")
        params["limit"] = limit
    sql = (
        f"FROM {quote(UNIFIED)} WHERE {' AND '.join(conditions)} "
        'ORDER BY "ActivityTime" DESC NULLS LAST, "ActivityId"' + (" LIMIT $limit" if limit is not None else "")
    )
    return Query(sql, params)


def known_types(engine: Engine, types: Sequence[str], declared: Sequence[str]) -> list[str]:
    """The types, when activities have them or the project declares them; QueryError otherwise."""
    wanted = [types] if isinstance(types, str) else list(types)
    if set(wanted) <= set(declared):
        return wanted
    found = engine.fetch(Query(f'SELECT DISTINCT "ActivityType" FROM {quote(UNIFIED)}')).column(0).to_pylist()
    known = {*found, *declared}
    for kind in wanted:
        if kind not in known:
            raise QueryError(f"no activity is of type {kind!r}", where="types", hint=did_you_mean(kind, known))
    return wanted


def moment_of(moment: Moment, where: str) -> datetime:
    """A naive datetime in UTC. QueryError for text that is no ISO date or time.

    >>> moment_of("2024-01-31T12:00:00+02:00", "since")
    datetime.datetime(2024, 1, 31, 10, 0)
    """
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment.strip())
        except ValueError:
            hint = "write it as 2024-01-31 or 2024-01-31T12:00:00Z"
            raise QueryError(f"{moment!r} is no date", where=where, hint=hint) from None
    elif not isinstance(moment, datetime):
        moment = datetime.combine(moment, time())
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


def _has_activities(engine: Engine) -> bool:
    try:
        engine.columns(UNIFIED)
    except KeyError:
        return False
    return True


def _iso(moment: datetime | None) -> str | None:
    return moment.isoformat(sep=" ") if moment is not None else None
