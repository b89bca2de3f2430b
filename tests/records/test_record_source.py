"""Record tables as sources: what a run takes in, and that it takes in the same by changes as it does whole."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import unify
from ingest.record_tables import load_records, state_of
from unify import batch
from unify.core.documents import project_of
from unify.dataverse.model import add_attribute, ready
from unify.dataverse.writes import Writes, writer_of
from unify.engines.duckdb import DuckDBEngine
from unify.instance import Instance
from unify.privacy.search import search
from unify.records import Column, Kind, RecordStore, Table
from unify.spec import Entity
from unify.store.written import WrittenRow, WrittenRows
from unify.validation import validate_project

PLAN = {
    "name": "records",
    "sources": {"crm": {"Contacts": {"records": "contact", "where": [{"column": "gendercode", "operator": "is_not_null"}]}}},
    "conflation": {"order": ["crm.Contacts"], "dedupe": {"crm.Contacts": [{"name": "mail", "when": [{"field": "emailaddress1"}]}]}},
}  # fmt: skip
EVERY = Table(
    "every", (Column("part", Kind.TEXT), Column("number", Kind.INTEGER), *(Column(k.value, k, scale=2 if k is Kind.DECIMAL else 0) for k in Kind)),
    ("part", "number"), about={"labels": {"integer": {"1": "one", "2": "two"}}},
)  # fmt: skip


def write(store: RecordStore, step) -> None:
    with store.write() as writing:
        step(Writes(writing, writer_of(writing, "t")))


@pytest.fixture
def store(tmp_path: Path) -> RecordStore:
    made = RecordStore(tmp_path)
    ready(made)
    return made


@pytest.fixture
def acme(tmp_path: Path) -> Iterator[Instance]:
    with unify.open(tmp_path / "acme", create=True) as made:
        store = RecordStore(made.path)
        ready(store)
        people = [
            {"lastname": f"l{i}", "emailaddress1": f"somebody{i % 3}@example.com", "gendercode": i % 2 + 1}
            for i in range(5)
        ]
        write(store, lambda w: w.create_multiple("contact", [*people, {"lastname": "left out"}]))
        yield made


def test_every_kind_of_column(store: RecordStore, tmp_path: Path) -> None:
    values = {
        "part": "a|b\\", "number": -7, "text": "Zoë", "integer": 2, "decimal": Decimal("-0.05"), "double": 0.1, "boolean": True, "date": date(1900, 1, 1),
        "datetime": datetime(2026, 1, 2, 3, 4, 5, 6, UTC), "guid": "00000000-0000-0000-0000-000000000001", "binary": b"x",
    }  # fmt: skip
    big = {"part": "c", "number": 2**62, "integer": 3, "decimal": Decimal(2**63 - 1).scaleb(-2)}
    with store.write() as writing:
        writing.define(EVERY)
        writing.insert("every", [values, big])
    with DuckDBEngine() as engine:
        entity = Entity(records="every", key="record_key")
        report = load_records(engine, "a.every", entity, store, base=tmp_path)
        types = {c.name: c.type for c in report.columns}
        first, second = engine.connection.execute("FROM a_every ORDER BY part").fetchall()
        names = [c.name for c in report.columns]
    assert (report.rows_in, report.rows_kept) == (2, 2)
    found = dict(zip(names, first, strict=True))
    assert found.pop("record_key") == "a\\|b\\\\|-7"
    assert found.pop("integer_label") == "two"
    assert found == {
        **{k: v for k, v in values.items() if k != "binary"},
        "datetime": values["datetime"].replace(tzinfo=None),
    }
    assert dict(zip(names, second, strict=True)) | big == dict(zip(names, second, strict=True))
    assert (types["decimal"], types["datetime"], types["guid"], types["boolean"]) == (
        "decimal(19,2)",
        "datetime",
        "string",
        "boolean",
    )


STEPS = st.lists(
    st.lists(st.tuples(st.sampled_from(["upsert", "delete", "other"]), st.integers(0, 5), st.sampled_from([None, 1, 2])), max_size=6),
    min_size=2, max_size=3,
)  # fmt: skip


@settings(max_examples=12, deadline=None)
@given(STEPS)
def test_taking_in_changes_is_taking_in_all(tmp_path_factory: pytest.TempPathFactory, steps: list) -> None:
    """After every step of a history: the generation before and the changes give the rows and the counts of all rows."""
    folder = tmp_path_factory.mktemp("history")
    store = RecordStore(folder)
    columns = (Column("id", Kind.GUID), Column("name", Kind.TEXT), Column("gendercode", Kind.INTEGER))
    with store.write() as writing:
        for name in ("people", "others"):
            writing.define(Table(name, columns, ("id",)))
    entity = Entity.model_validate({**PLAN["sources"]["crm"]["Contacts"], "records": "people", "key": "id"})
    clock = 0
    for number, step in enumerate(steps):
        for verb, row, gender in step:
            id_ = f"00000000-0000-0000-0000-00000000000{row}"
            with store.write() as writing:
                table = "others" if verb == "other" else "people"
                there = writing.get(table, [id_]) is not None
                if verb == "delete":
                    writing.delete_many(table, [[id_]])
                elif there:
                    writing.update(table, [id_], {"name": f"n{gender}", "gendercode": gender})
                else:
                    writing.insert(table, [{"id": id_, "name": "new", "gendercode": gender}])
        outcomes: list[tuple[list, tuple]] = []
        for since in dict.fromkeys((clock, 0)):
            path = folder / f"{number}.{since}.duckdb"
            with DuckDBEngine(path) as engine:
                if since:
                    engine.attach(folder / f"{number - 1}.0.duckdb", "previous")
                report = load_records(
                    engine, "crm.Contacts", entity, store, base=folder, since=since, previous="previous"
                )
                rows = engine.connection.execute("FROM main.crm_Contacts ORDER BY id").fetchall()
                if since:
                    engine.detach("previous")
            outcomes.append((rows, (report.rows_in, report.rows_kept, report.rows_filtered, report.columns)))
        assert all(outcome == outcomes[0] for outcome in outcomes)
        with store.read() as reading:
            clock = state_of(reading, "people").clock


def counts(report) -> tuple[int, int, int]:
    [entity] = report.entities
    return entity.rows_in, entity.rows_kept, entity.rows_filtered


def change(report) -> tuple:
    [entity] = report.incremental.entities
    return entity.state, entity.inserted, entity.updated, entity.deleted


def rows(acme: Instance, table: str) -> list[dict]:
    return sorted(acme.table(table).rows(), key=str)


def test_runs_take_in_what_changed(acme: Instance, monkeypatch: pytest.MonkeyPatch) -> None:
    store = RecordStore(acme.path)
    assert counts(acme.run(PLAN)) == (6, 5, 1)
    assert acme.project().entity("crm.Contacts").key == "contactid"
    assert acme.sql("SELECT DISTINCT gendercode_label FROM crm_Contacts ORDER BY 1").rows()[0] == {
        "gendercode_label": "Female"
    }
    write(store, lambda w: w.create("account", {"name": "of no concern"}))
    again = acme.run(PLAN)
    assert (change(again), counts(again)) == (("carried", 0, 0, 0), (6, 5, 1))

    ids = [str(r.values["contactid"]) for r in _contacts(store)]
    read: list[int] = []
    reader = batch.load_records
    monkeypatch.setattr(
        batch, "load_records", lambda *a, since, **k: (read.append(since), reader(*a, since=since, **k))[1]
    )
    write(
        store,
        lambda w: (
            w.update("contact", ids[0], {"lastname": "new"}),
            w.delete("contact", ids[1]),
            w.create("contact", {"gendercode": 1}),
        ),
    )
    report = acme.run(PLAN)
    assert (change(report), counts(report)) == (("read", 1, 1, 1), (6, 5, 1))
    assert read[-1] > 0
    by_changes = rows(acme, "crm_Contacts"), rows(acme, "Customer")
    full = acme.run(PLAN, full=True)
    assert (rows(acme, "crm_Contacts"), rows(acme, "Customer"), counts(full), read[-1]) == (*by_changes, (6, 5, 1), 0)

    with store.write() as writing:
        add_attribute(
            writing,
            "contact",
            {"@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata", "SchemaName": "new_Pet"},
        )
    report = acme.run(PLAN)
    assert read[-1] == 0
    assert any("new_pet" in warning for entity in report.entities for warning in entity.warnings)


def _contacts(store: RecordStore) -> list:
    with store.read() as reading:
        return [row for row in reading.rows("contact") if row.values["gendercode"] is not None]


def test_a_run_after_deletions_were_forgotten_reads_all(acme: Instance) -> None:
    store = RecordStore(acme.path)
    acme.run(PLAN)
    write(store, lambda w: w.delete("contact", str(_contacts(store)[0].values["contactid"])))
    with store.write() as writing:
        writing.purge(datetime(2100, 1, 1, tzinfo=UTC))
    report = acme.run(PLAN)
    assert (change(report), counts(report)) == (("read", 0, 0, 1), (5, 4, 1))


def test_rows_written_over_a_record_table_stand_and_go(acme: Instance) -> None:
    store, over, now = RecordStore(acme.path), WrittenRows(acme.path), datetime.now(UTC)
    acme.run(PLAN)
    key = str(_contacts(store)[0].values["contactid"])
    before = rows(acme, "crm_Contacts")
    over.write(WrittenRow("crm.Contacts", key, {"lastname": "over"}, created=False), now)
    write(store, lambda w: w.create("contact", {"lastname": "left out too"}))
    assert counts(acme.run(PLAN)) == (7, 5, 2)
    assert [r["lastname"] for r in rows(acme, "crm_Contacts") if r["contactid"] == key] == ["over"]
    over.erase("crm.Contacts", [key])
    assert counts(acme.run(PLAN)) == (7, 5, 2)
    assert rows(acme, "crm_Contacts") == before


@pytest.mark.parametrize(
    ("entity", "words"),
    [
        ({"records": "contact", "files": "a.csv"}, "`files` is not for `records`"), ({"records": "contact", "columns": {"a": "date"}}, "`columns` is not for"),
        ({"records": "contact", "duplicates": "first"}, "`duplicates` is not"), ({"records": ""}, "records"), ({"files": "a.csv"}, "key"),
    ],
)  # fmt: skip
def test_declarations_that_contradict_themselves(entity: dict, words: str) -> None:
    with pytest.raises(unify.SpecError, match=words):
        project_of({**PLAN, "sources": {"crm": {"Contacts": entity}}})


def test_a_table_that_is_not_there_is_told(acme: Instance) -> None:
    wrong = {**PLAN, "sources": {"crm": {"Contacts": {"records": "contcat"}}}}
    with pytest.raises(unify.SourceError, match="no record table 'contcat'") as caught:
        acme.run(wrong)
    assert "contact" in caught.value.hint
    with pytest.raises(unify.SpecError, match="key of this record table is contactid"):
        acme.run({**PLAN, "sources": {"crm": {"Contacts": {"records": "contact", "key": "lastname"}}}})
    with pytest.raises(unify.SpecError, match="nobody"):
        acme.run(
            {**PLAN, "sources": {"crm": {"Contacts": {"records": "contact", "labels": {"nobody": "Person.FirstName"}}}}}
        )


def test_validation_knows_shipped_tables_and_those_of_the_instance(acme: Instance) -> None:
    report = unify.validate(PLAN)
    assert report.ok, report
    assert report.columns["crm.Contacts"]["birthdate"] == "date"
    assert report.rules
    with RecordStore(acme.path).write() as writing:
        writing.define(EVERY)
    own = project_of({**PLAN, "sources": {"crm": {"Contacts": {"records": "every"}}}, "conflation": None})
    assert "no record table that every instance has" in str(validate_project(own, acme.path))
    known = validate_project(own, acme.path, records=RecordStore(acme.path))
    assert known.columns["crm.Contacts"]["record_key"] == "string"


def test_a_plan_is_suggested_from_record_tables(acme: Instance) -> None:
    assert acme.suggest({**PLAN, "conflation": None}).project.entity("crm.Contacts").records == "contact"


def test_erasing_somebody_leaves_nothing_of_them(acme: Instance) -> None:
    store = RecordStore(acme.path)
    write(
        store,
        lambda w: w.create(
            "contact", {"lastname": "Unforgettable", "emailaddress1": "unforgettable@example.com", "gendercode": 1}
        ),
    )
    them = next(str(r.values["contactid"]) for r in _contacts(store) if r.values["lastname"] == "Unforgettable")
    write(
        store,
        lambda w: w.create(
            "task",
            {
                "subject": "call unforgettable@example.com",
                "regardingobjectid_contact_task@odata.bind": f"/contacts({them})",
            },
        ),
    )
    write(store, lambda w: w.create("email", {"sender": "unforgettable@example.com", "subject": "stays"}))
    acme.run(PLAN)
    assert [r["lastname"] for r in acme.subject(f"crm.Contacts:{them}").kept["crm.Contacts"]] == ["Unforgettable"]
    acme.erase(f"crm.Contacts:{them}", reason="asked")
    assert search(acme.path, ["unforgettable", them]) == []
    with store.read() as reading:
        assert [(r.values["subject"], r.values["sender"]) for r in reading.rows("email")] == [("stays", None)]
        assert reading.count("task") == 0
    assert counts(acme.run(PLAN)) == (6, 5, 1)


def test_the_doctor_looks_at_record_tables(acme: Instance) -> None:
    from unify.doctor import examine

    def said() -> str:
        [check] = [check for check in examine(acme.path).checks if check.name == "records"]
        return f"{check.state} {check.message}"

    assert said().startswith("ok ")
    path = RecordStore(acme.path).path
    path.write_bytes(path.read_bytes()[:8192] + b"\xff" * 8192 + path.read_bytes()[16384:])
    assert said().startswith("fail records.sqlite is damaged")
