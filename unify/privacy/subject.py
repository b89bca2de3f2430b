"""Everything that is held about one person, as one document: for whoever asks what is known about them.

acme.subject("crm.Contacts:C-1").as_dict()   JSON        .html()   a page that needs nothing else
"""

import json
from dataclasses import asdict, dataclass
from html import escape
from typing import Any

from segments.membership.codec import from_bytes
from segments.model import MEASURES
from segments.relationships import CUSTOMER
from unify.core.names import quote
from unify.core.steps import Query
from unify.instance import Instance
from unify.privacy.person import Person, person, rows_of
from unify.privacy.records import theirs
from unify.records import RecordStore
from unify.store.written import WrittenRows
from unify.verbs.decisions import decided

STYLE = (
    "body{font:15px sans-serif;margin:2em}table{border-collapse:collapse;margin:.5em 0}"
    "td,th{border:1px solid #ccc;padding:.2em .5em;text-align:left;vertical-align:top}"
)


@dataclass(frozen=True)
class Subject:
    """A person's data.

    customer      CustomerId, and the ids that became it
    profile       column of Customer → value, and the records that it was taken from
    records       entity → whole rows that conflation made one; `related`: rows that hang on them
    activities    the timeline, whole
    measures      attributes that were worked out
    memberships   segments that the person is in
    history       of every kept generation the profile, and every run whose members are kept with the segments
    written       changes of rows that were written one by one
    decisions     what somebody decided about the records
    kept          entity → rows of record tables as they are now, written since the generation or not
    """

    customer: str
    ids: list[str]
    generation: int
    profile: dict[str, dict[str, Any]]
    records: dict[str, list[dict[str, Any]]]
    related: dict[str, list[dict[str, Any]]]
    activities: list[dict[str, Any]]
    measures: dict[str, Any]
    memberships: list[str]
    history: dict[str, list[dict[str, Any]]]
    written: list[dict[str, Any]]
    decisions: list[dict[str, Any]]
    kept: dict[str, list[dict[str, Any]]]

    def as_dict(self) -> dict[str, Any]:
        """For JSON: times as ISO text, decimals as text."""
        return dict(json.loads(self.json()))

    def json(self) -> str:
        """The document."""
        return json.dumps(asdict(self), ensure_ascii=False, indent=2, default=_plain)

    def html(self) -> str:
        """The same as a page."""
        document = self.as_dict()
        parts = "".join(f"<h2>{escape(name)}</h2>{_drawn(value)}" for name, value in document.items())
        title = f"Data of customer {escape(self.customer)}"
        head = f'<meta charset="utf-8"><title>{title}</title><style>{STYLE}</style>'
        return f'<!doctype html><html lang="en">{head}<h1>{title}</h1>{parts}</html>\n'


def subject(acme: Instance, customer: str) -> Subject:
    """By CustomerId, a retired one, or a record; QueryError for nobody."""
    who = person(acme, customer)
    engine = acme.engine()
    own = {"id": who.id}
    lineage: dict[str, list[str]] = {}
    for row in engine.fetch(Query('FROM customer_lineage WHERE "CustomerId" = $id ORDER BY ALL', own)).to_pylist():
        lineage.setdefault(row["column"], []).append(f"{row['entity']}:{row['key']}")
    profile = _one(acme, CUSTOMER, who)
    return Subject(
        customer=who.id,
        ids=list(who.ids),
        generation=acme.published().number,
        profile={c: {"value": value, "from": lineage.get(c, [])} for c, value in profile.items()},
        records={entity: rows_of(acme, entity, keys) for entity, keys in who.records.items()},
        related={entity: rows_of(acme, entity, keys) for entity, keys in who.related.items()},
        activities=list(acme.timeline(who.id, limit=None).rows()),
        measures=_one(acme, MEASURES, who) if MEASURES in engine.tables() else {},
        memberships=sorted(n for n, members in acme.segments().bitmaps().items() if set(who.ordinals) & set(members)),
        history={"profiles": _profiles(acme, who), "segments": _segments(acme, who)},
        written=_written(acme, who),
        decisions=[
            {"id": d.id, "verdict": d.verdict, "records": [":".join(d.one), ":".join(d.other)], "note": d.note}
            for d in decided(acme.store)
            if {d.one, d.other} & {(entity, key) for entity, keys in who.records.items() for key in keys}
        ],
        kept=theirs(RecordStore(acme.path), acme.project(), who),
    )


def _one(acme: Instance, table: str, who: Person) -> dict[str, Any]:
    sql = f'FROM {quote(table)} WHERE "CustomerId" = $id'
    found = acme.engine().fetch(Query(sql, {"id": who.id})).to_pylist()
    return dict(found[0]) if found else {}


def _profiles(acme: Instance, who: Person) -> list[dict[str, Any]]:
    """As other kept generations have it."""
    found = []
    for kept in acme.generations():
        if kept.current or CUSTOMER not in kept.rows:
            continue
        with acme.store.pin(kept), acme.reading(kept) as engine:
            sql = f'FROM {CUSTOMER} WHERE list_contains($ids, "CustomerId") ORDER BY "CustomerId"'
            rows = engine.fetch(Query(sql, {"ids": list(who.ids)})).to_pylist()
            found += [{"generation": kept.number, "profile": row} for row in rows]
    return found


def _segments(acme: Instance, who: Person) -> list[dict[str, Any]]:
    found, known = [], {}
    for row in acme.store.membership_history(kept=True):
        if row.file is None:
            continue
        if row.file not in known:
            known[row.file] = bool(set(who.ordinals) & set(from_bytes(acme.store.members_file(row.file), row.file)))
        if known[row.file]:
            found.append({"run": row.run, "segment": row.segment, "clock": row.facts.get("clock")})
    return found


def _written(acme: Instance, who: Person) -> list[dict[str, Any]]:
    from datetime import UTC, datetime

    mine = {entity: set(keys) for entity, keys in who.rows.items()}
    return [
        {"entity": row.entity, "key": row.key, "values": dict(row.values)}
        for entity, rows in WrittenRows(acme.path).all(datetime.now(UTC)).items()
        for row in rows
        if row.key in mine.get(entity, ())
    ]


def _plain(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _drawn(value: Any) -> str:
    if isinstance(value, dict):
        rows = "".join(f"<tr><th>{escape(str(k))}</th><td>{_drawn(v)}</td></tr>" for k, v in value.items())
        return f"<table>{rows}</table>" if rows else "nothing"
    if isinstance(value, list):
        return "".join(f"<div>{_drawn(item)}</div>" for item in value) or "nothing"
    return escape("" if value is None else str(value))
