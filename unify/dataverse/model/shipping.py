"""The shipped tables, put into an instance: once, and again when a release brings more of them."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from uuid import uuid4

from unify.dataverse.model.kept import about_of, intersect_table, lookup_from, record_table, table_from
from unify.dataverse.model.nouns import AttributeModel, TableModel
from unify.dataverse.model.shipped import MANY_TO_MANY, ONE_TO_MANY, REVISION, TABLES
from unify.records import Column, Kind, Reading, RecordStore, Table, Value, Writing


def ready(store: RecordStore) -> None:
    """Make the shipped tables where they are not there yet. One short read when they are."""
    with store.read() as reading:
        if is_ready(reading):
            return
    with store.write() as writing:
        ship(writing)


@cache
def shipped_record_tables() -> Mapping[str, Table]:
    """The record tables that every instance has, by name."""
    return {table.name: _merged(None, table) for table in TABLES}


def is_ready(reading: Reading) -> bool:
    """The shipped tables of this release are there."""
    known = reading.tables()
    there = all((found := known.get(t.name)) is not None and _revision(found) >= REVISION for t in TABLES)
    return there and reading.count("organization") > 0


def ship(writing: Writing) -> None:
    """As `ready`, in a transaction. What a user added to a shipped table stays."""
    if is_ready(writing):
        return
    for table in TABLES:
        writing.define(_merged(writing.tables().get(table.name), table))
    for many in MANY_TO_MANY:
        writing.define(intersect_table(many, revision=REVISION))
    if not writing.count("organization"):
        _found(writing)


_BODY = Column("body", Kind.BINARY)
"""Of fileattachment: what is in the file. No attribute: it goes out through the file's own address."""


def _revision(table: Table) -> int:
    about = about_of(table)
    return 0 if about is None else int(about["revision"])


def _merged(before: Table | None, table: TableModel) -> Table:
    """The shipped table with the columns, keys and lookups that users gave to the one that is there."""
    lookups = [one for one in ONE_TO_MANY if one.referencing == table.name]
    about = None if before is None else about_of(before)
    if about is not None:
        held = table_from(about["table"])
        own: dict[str, AttributeModel] = {n: a for n, a in held.attributes.items() if a.custom}
        keys = {n: k for n, k in held.keys.items() if k.custom}
        table = replace(table, attributes={**table.attributes, **own}, keys={**table.keys, **keys})
        lookups += [one for one in map(lookup_from, about["lookups"]) if one.custom]
    made = record_table(table, lookups, revision=REVISION)
    return replace(made, columns=(*made.columns, _BODY)) if table.name == "fileattachment" else made


def _found(writing: Writing) -> None:
    """The organization, its business unit and that unit's team."""
    now = datetime.now(UTC)
    organization, unit, team = (str(uuid4()) for _ in range(3))
    made: dict[str, Value] = {"createdon": now, "modifiedon": now}
    writing.insert("organization", [{"organizationid": organization, "name": "org", "languagecode": 1033, **made}])
    of: dict[str, Value] = {"businessunitid": unit, "name": "org", "organizationid": organization, "isdisabled": False}
    writing.insert("businessunit", [{**of, **made}])
    of = {"teamid": team, "name": "org", "teamtype": 0, "isdefault": True, "businessunitid": unit}
    writing.insert("team", [{**of, **made}])
    writing.insert("owner", [{"ownerid": team, "name": "org", "owneridtype": "team"}])
