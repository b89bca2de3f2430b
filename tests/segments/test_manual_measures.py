"""Measures that are one SELECT: values as other SQL has them, what may use them, history, and every refusal in its place."""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
import yaml

import unify
from segments.manual_sql import ManualSqlError
from unify.core.documents import measure_of
from unify.core.errors import SpecError

SAMPLE = Path(__file__).parents[2] / "sample_data"
MEASURES = yaml.safe_load("""
Visits: {sql: "SELECT CustomerId, count(*) AS n FROM UnifiedActivity GROUP BY CustomerId"}
Quantity:
  sql: >
    SELECT sum(o.Quantity), m.CustomerId FROM web_Orders AS o
    JOIN members AS m ON m.entity = 'web.SignUps' AND m.key = o.UserId GROUP BY ALL
FirstDay: {sql: "SELECT CustomerId, CAST(min(ActivityTime) AS DATE) FROM UnifiedActivity GROUP BY CustomerId"}
Times:
  kind: customer
  sql: >
    SELECT CustomerId, min(ActivityTime) AS First, max(ActivityTime) AS Last, count(*) AS Number
    FROM UnifiedActivity GROUP BY CustomerId HAVING count(*) > 1
Takings: {kind: business, sql: "SELECT sum(Total) FROM web_Orders", title: Takings}
Share: {value: "Quantity div Takings"}
Busiest: {kind: business, max: Number, of: Times}
Busy: {count: true, of: Times, where: "Number ge 3"}
Regulars: {kind: business, count: true, of: Customer, where: "Visits ge 3"}
Idle: {sql: "SELECT nothing", active: false}
""")
SEGMENTS = {"busy": "Visits ge 3", "many": {"sql": "SELECT CustomerId FROM Measure_Times WHERE Number >= 3"}}


@pytest.fixture(scope="module")
def acme(tmp_path_factory):
    body = yaml.safe_load((SAMPLE / "project.yaml").read_text(encoding="utf-8"))
    with unify.open(tmp_path_factory.mktemp("manual") / "instance", create=True) as instance:
        instance.run(body | {"measures": MEASURES, "segments": SEGMENTS}, base=SAMPLE)
        yield instance


BY_HAND = {
    "Visits": "SELECT ordinal, (SELECT count(*) FROM UnifiedActivity a WHERE a.ordinal = c.ordinal) AS v FROM Customer c WHERE v > 0",
    "Quantity": "SELECT m.ordinal, sum(o.Quantity)::BIGINT AS v FROM web_SignUps s JOIN web_Orders o USING (UserId) "
    "JOIN members m ON m.entity = 'web.SignUps' AND m.key = s.UserId GROUP BY 1",
    "FirstDay": "SELECT ordinal, min(ActivityTime::DATE) AS v FROM UnifiedActivity WHERE ordinal IS NOT NULL GROUP BY 1",
    "Busy": "SELECT c.ordinal, (SELECT count(*) FROM UnifiedActivity a WHERE a.ordinal = c.ordinal) >= 3 AS v FROM Customer c",
}


@pytest.mark.parametrize("name", BY_HAND)
def test_attributes_as_other_sql_has_them(acme, name):
    wanted = {r["ordinal"]: r["v"] for r in acme.sql(BY_HAND[name]).rows()}
    found = {r["ordinal"]: r["v"] for r in acme.sql(f'SELECT ordinal, "{name}" AS v FROM Customer_Measure').rows()}
    assert found == {ordinal: wanted.get(ordinal) for ordinal in found}
    assert len(found) == len(acme.customers())
    assert len(set(found.values())) > 1, "a measure with one value shows nothing"


def test_a_table_of_its_own_and_a_single_value(acme):
    wanted = acme.sql(
        "SELECT c.CustomerId, c.ordinal, min(ActivityTime) AS First, max(ActivityTime) AS Last, count(*) AS Number "
        "FROM UnifiedActivity a JOIN Customer c USING (ordinal) GROUP BY ALL HAVING count(*) > 1 ORDER BY c.ordinal"
    ).rows()
    assert acme.measure("Times").values().rows() == wanted
    [total] = acme.sql("SELECT sum(Total) AS t FROM web_Orders").rows()
    assert acme.measure("Takings").value() == total["t"]
    assert acme.measure("Busiest").value() == max(r["Number"] for r in wanted)
    assert acme.measure("Regulars").value() == sum(r["Number"] >= 3 for r in wanted) > 0


def test_other_measures_segments_and_odata_use_them(acme):
    shares = acme.sql("SELECT Quantity, Share FROM Customer_Measure WHERE Quantity IS NOT NULL").rows()
    takings = float(acme.measure("Takings").value())
    assert all(r["Share"] == pytest.approx(r["Quantity"] / takings) for r in shares)
    assert acme.segment("busy").count() == acme.segment("many").count() == acme.measure("Regulars").value()
    found = acme.odata("Customer?$filter=Visits ge 3 and Measure_Times/any(t:t/Number ge 3)&$count=true&$top=1")
    assert found.count == acme.measure("Regulars").value()


def test_reports_and_statements(acme):
    reports = {(r.measure, r.column): r for r in acme.report().measures}
    assert (reports["Times", "Last"].kind, reports["Times", "Last"].type) == ("customer", "datetime")
    assert reports["Visits", "Visits"].max == acme.measure("Busiest").value()
    assert ("Idle", "Idle") not in reports
    assert "sum(o.Quantity), m.CustomerId FROM web_Orders" in acme.measure("Share").sql
    assert {t for t in acme.tables() if "easur" in t} == {
        "Customer_Measure", "Measure_Times", "Measure_Takings", "Measure_Busiest", "Measure_Regulars"}  # fmt: skip
    seen = acme.preview_measure(MEASURES["Times"], name="Times", limit=10_000)
    columns = ["CustomerId", "First", "Last", "Number"]
    kept = [{c: r[c] for c in columns} for r in acme.measure("Times").values().rows()]
    assert sorted(map(str, seen.rows.to_pylist())) == sorted(map(str, kept))
    assert seen.reports == acme.measure("Times").report()


def test_the_clock_is_the_runs(acme):
    late = datetime(2024, 6, 30, 23, 30, tzinfo=UTC)
    seen = acme.preview_measure({"kind": "business", "sql": "SELECT now()"}, clock=late)
    assert seen.rows.to_pylist() == [{"Preview": datetime(2024, 6, 30, 23, 30)}]  # noqa: DTZ001 - UTC, as stored
    assert "-- $now() = '2024-06-30 23:30:00'" in seen.sql


PEOPLE = [
    {"Id": "C1", "Mail": "ann@x.example"},
    {"Id": "C2", "Mail": "bea@x.example"},
    {"Id": "C3", "Mail": "cy@x.example"},
]
BY_MAIL = "SELECT CustomerId, length(Mail) FROM Customer WHERE Mail < 'c'"


def shop(people, measures, **more):
    project = {
        "sources": {"crm": {"People": {"key": "Id"}}},
        "conflation": {"order": ["crm.People"], "dedupe": {"crm.People": [{"name": "mail", "when": [{"field": "Mail"}]}]}},
        "measures": measures,
    }  # fmt: skip
    return project | more, {"crm.People": pd.DataFrame(people)}


def test_history_refresh_merges_and_time_zone(tmp_path):
    with unify.open(tmp_path / "instance", create=True) as acme:
        project, frames = shop(PEOPLE, {"Letters": {"sql": BY_MAIL}})
        acme.run(project, frames=frames)
        first, second = (acme.customer(f"crm.People:{key}").CustomerId for key in ("C1", "C2"))
        joined, frames = shop(
            [PEOPLE[0], {**PEOPLE[1], "Mail": "ann@x.example"}, PEOPLE[2]], {"Letters": {"sql": BY_MAIL}}
        )
        acme.run(joined, frames=frames)
        survivor = acme.customer("crm.People:C2").CustomerId
        history = acme.measure("Letters").history("crm.People:C2").rows()
        assert {(r["generation"], r["CustomerId"], r["Letters"]) for r in history} == {
            (1, first, 13), (1, second, 13), (2, survivor, 13)}  # fmt: skip
        retired = ({first, second} - {survivor}).pop()
        ids = f"SELECT * FROM (VALUES ('{retired}', 7)) AS v(CustomerId, Lucky)"
        zone = {
            "kind": "business",
            "sql": "SELECT current_date = CAST(now() AS DATE) OR current_date > CAST(now() AS DATE)",
        }
        new = {"Letters": {"sql": "SELECT CustomerId, 1 FROM Customer"}, "Lucky": {"sql": ids}, "Ahead": zone}
        acme.refresh({**joined, "measures": new, "timezone": "Pacific/Kiritimati"})
        assert acme.measure("Lucky").value("crm.People:C1") == 7, "a retired id counts for who it became"
        assert acme.measure("Lucky").value("crm.People:C3") is None
        assert acme.measure("Ahead").value() is True
        assert [(r["run"], r["rows"], r["nulls"]) for r in acme.measure("Letters").history().rows()] == [
            (1, 3, 1), (2, 2, 1), (3, 2, 0)]  # fmt: skip


REFUSED = [
    ({"sql": "SELECT CustomerId, Visits FROM Customer_Measure"}, "line 1, column 32: there is no table 'Customer_Measure' here"),
    ({"sql": "SELECT CustomerId, 1 FROM Customer_Measure"}, "all other measures: let a `value` put them together)"),
    ({"sql": "SELECT CustomerId, Number FROM measure_times"}, "(SQL is worked out before all other measures"),
    ({"sql": "SELECT CustomerId, 1 FROM Custmer"}, "there is no table 'Custmer' here (did you mean Customer"),
    ({"sql": "SELECT CustomerId, Cty FROM Customer"}, "line 1, column 20: there is no column 'Cty' here (did you mean City"),
    ({"sql": "SELECT CustomerId, City, LastName FROM Customer"}, "it gives 2 values: City, LastName (write `kind: customer`)"),
    ({"sql": "SELECT CustomerId FROM Customer"}, "there is no column of values"),
    ({"sql": "SELECT City FROM Customer"}, "one column CustomerId is wanted"),
    ({"kind": "business", "sql": "SELECT 1 AS a, 2 AS b"}, "it gives 2 values: a, b (one measure for each)"),
    ({"kind": "customer", "sql": "SELECT CustomerId, count(*) FROM Customer GROUP BY 1"}, "a column is called 'count_star()'"),
    ({"kind": "customer", "sql": "SELECT CustomerId, 1 AS Ordinal FROM Customer"}, "Ordinal is there already"),
    ({"sql": "SELECT CustomerId, [1] FROM Customer"}, "which is no single value"),
    ({"sql": "SELECT CustomerId, random() FROM Customer"}, "'random' is not allowed"),
    ({"sql": "DROP TABLE Customer"}, "is not allowed: a segment or measure is one SELECT"),
]  # fmt: skip


@pytest.mark.parametrize(("measure", "message"), REFUSED)
def test_sql_that_is_refused_says_where(acme, measure, message):
    with pytest.raises(SpecError) as error:
        acme.preview_measure(measure, name="M")
    assert error.value.message.startswith("measures.M.sql: ")
    assert message in error.value.message


@pytest.mark.parametrize(("measure", "message"), [
    ({"sql": "SELECT CustomerId, City FROM Customer UNION ALL SELECT CustomerId, City FROM Customer"}, "customers have several rows"),
    ({"sql": "SELECT ContactId AS CustomerId, 1 FROM crm_Contacts"}, "are no customers"),
    ({"kind": "business", "sql": "SELECT City FROM Customer"}, "one row is wanted"),
])  # fmt: skip
def test_an_answer_that_does_not_fit_says_whose_it_is(acme, measure, message):
    with pytest.raises(ManualSqlError) as error:
        acme.preview_measure(measure, name="M")
    assert error.value.where == "measures.M.sql"
    assert message in error.value.message


def test_validation_and_run_tell_every_problem_and_publish_nothing(tmp_path):
    wrong = {
        "A": {"sql": "SELECT CustomerId, Post FROM Customer"},
        "B": {"value": "A add 1"},
        "C": {"kind": "customer", "sql": "SELECT CustomerId, 1 AS n FROM Custom"},
        "D": {"value": "Nothing"},
    }
    project, frames = shop(PEOPLE, {})
    with unify.open(tmp_path / "instance", create=True) as acme:
        acme.run(project, frames=frames)
        with pytest.raises(SpecError) as error:
            acme.run({**project, "measures": wrong}, frames=frames)
        places = [line.partition(": ")[0] for line in error.value.message.split("\n")]
        assert sorted(places) == ["measures.A.sql", "measures.C.sql", "measures.D.value, character 1"]
        assert unify.validate({**project, "measures": wrong}, frames=frames).problems == error.value.message.split("\n")
        twice = {"Twice": {"sql": "SELECT CustomerId, 1 FROM Customer, range(2)"}}
        with pytest.raises(ManualSqlError, match=r"3 customers have several rows") as failed:
            acme.run({**project, "measures": twice}, frames=frames)
        assert failed.value.where == "measures.Twice.sql"
        assert acme.published().number == 1, "what was published stays"


def test_validation_does_not_run_sql_on_tables_without_rows():
    first = {"kind": "business", "sql": "SELECT Mail FROM Customer ORDER BY Mail LIMIT 1"}
    measures = {"First": first, "Mine": {"sql": BY_MAIL}, "Same": "Mine add 1", "Long": {"value": "length(First)"}}
    project, frames = shop(PEOPLE, measures)
    assert unify.validate(project, frames=frames).ok


@pytest.mark.parametrize(("measure", "message"), [
    ({"sql": "SELECT 1", "of": "web.Orders", "default": 0}, "`sql` says what is measured: leave out default, of"),
    ({"sql": "SELECT 1", "sum": "Total", "whole": True}, "leave out sum, whole"),
    ({"sql": "SELECT 1", "kind": "business", "by": ["City"]}, "leave out by"),
    ({"sql": " \n"}, "`sql` is empty: write one SELECT"),
    ({"sql": "SELECT 1", "template": "transaction_count"}, "a template says what is measured: leave out sql"),
])  # fmt: skip
def test_sql_says_it_all(measure, message):
    with pytest.raises(SpecError) as error:
        measure_of("M", measure)
    assert message in str(error.value)
