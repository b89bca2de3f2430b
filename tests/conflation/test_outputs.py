"""Deduplication_* and ConflationMatchPairs say what members, links and Customer say."""

import datetime as dt

import pytest

from unify.conflation.merge import merge_steps
from unify.conflation.outputs import output_steps
from unify.core.steps import Query, Step
from unify.engines.duckdb import DuckDBEngine
from unify.spec import Project

PROJECT = Project.model_validate(
    {
        "sources": {"crm": {"Contacts": {"key": "Id"}}, "web": {"Users": {"key": "Mail"}}},
        "conflation": {"order": ["crm.Contacts", "web.Users"]},
    }
)
SCHEMAS = {
    "crm.Contacts": {"Id": "INTEGER", "Name": "VARCHAR"},
    "web.Users": {"Mail": "VARCHAR", "Name": "VARCHAR"},
}
TABLES = {
    "crm_Contacts": "SELECT i::INTEGER AS Id, 'n' || i AS Name FROM unnest([9, 10, 11, 12]) AS t(i)",
    "web_Users": "SELECT i AS Mail, i AS Name FROM unnest(['a@x', 'b@x', 'c@x']) AS t(i)",
    "records": "SELECT rid::INTEGER AS rid, entity, no::UTINYINT AS entity_no, key FROM (VALUES "
    "(0, 'crm.Contacts', 0, '9'), (1, 'crm.Contacts', 0, '10'), (2, 'crm.Contacts', 0, '11'), "
    "(3, 'crm.Contacts', 0, '12'), (4, 'web.Users', 1, 'a@x'), (5, 'web.Users', 1, 'b@x'), (6, 'web.Users', 1, 'c@x')"
    ") t(rid, entity, no, key)",
    "members": "SELECT r.rid, r.entity, r.key, m.winner::INTEGER AS winner, m.winner = r.rid AS is_winner, "
    "m.ordinal::INTEGER AS ordinal, printf('%032x', m.ordinal) AS CustomerId FROM records AS r JOIN (VALUES "
    "(0, 1, 0), (1, 1, 0), (2, 1, 0), (3, 3, 0), (4, 4, 0), (5, 5, 1), (6, 6, 2)) m(rid, winner, ordinal) USING (rid)",
    "rules": "SELECT rule::SMALLINT AS rule, name "
    "FROM (VALUES (1, 'same name'), (2, 'same phone'), (3, 'web')) t(rule, name)",
    "links": "SELECT a::INTEGER AS a, b::INTEGER AS b, rule::SMALLINT AS rule, score::FLOAT AS score FROM (VALUES "
    "(0, 1, 2, 1.0), (1, 2, 1, 0.5), (0, 2, 1, 0.75), (2, 3, 3, 1.0), (0, 4, 3, 1.0)) t(a, b, rule, score)",
    "customer_ids": "SELECT DISTINCT CustomerId, ordinal FROM members",
    "previous_ids": "SELECT printf('%032x', 1) AS CustomerId, unnest(['zz', 'aa']) AS PreviousCustomerId",
}
WHEN = dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=dt.timezone(dt.timedelta(hours=1)))


@pytest.fixture
def engine() -> DuckDBEngine:
    engine = DuckDBEngine()
    for name, sql in TABLES.items():
        engine.build(Step(name, Query(sql), "test", keep=True))
    for step in merge_steps(PROJECT, SCHEMAS):
        engine.build(step)
    for step in output_steps(PROJECT, WHEN):
        engine.build(step)
    return engine


def rows(engine: DuckDBEngine, table: str) -> list[dict[str, object]]:
    return list(engine.fetch(Query(f'SELECT * FROM "{table}"')).to_pylist())


def test_every_record_of_a_group_is_listed_with_its_strongest_link(engine: DuckDBEngine) -> None:
    found = {row["Id"]: row for row in rows(engine, "Deduplication_crm_Contacts")}
    assert list(found) == ["9", "10", "11"]
    assert {key: row["Id_Alternate"] for key, row in found.items()} == {"9": None, "10": "10;11;9", "11": None}
    assert {row["Deduplication_WinnerId"] for row in found.values()} == {"10"}
    [group] = {row["Deduplication_GroupId"] for row in found.values()}
    assert len(str(group)) == 32
    # 9 has links by rule 2 (1.0) and rule 1 (0.75): the earlier rule is the stronger; 10 only by rules 1 (0.5) and 2
    assert [(row["Rule"], row["Score"]) for row in found.values()] == [
        ("same name", 0.75), ("same name", 0.5), ("same name", 0.75)]  # fmt: skip


def test_an_entity_without_duplicates_has_an_empty_table(engine: DuckDBEngine) -> None:
    assert rows(engine, "Deduplication_web_Users") == []


def test_match_pairs_are_the_customers_of_two_entities(engine: DuckDBEngine) -> None:
    assert rows(engine, "ConflationMatchPairs") == [
        {
            "TrueObjectId": f"{0:032x}",
            "crm_Contacts_Id": "10",
            "crm_Contacts_Id_Alternate": "10;11;12;9",
            "web_Users_Mail": "a@x",
            "web_Users_Mail_Alternate": "a@x",
            "ConflationMatchPairs_ModifiedOn": dt.datetime(2026, 1, 2, 2, 4, 5),  # noqa: DTZ001 - UTC, naive
        }
    ]


def test_customer_has_keys_and_previous_ids(engine: DuckDBEngine) -> None:
    first, second, third = rows(engine, "Customer")
    assert list(first) == [
        "CustomerId", "Name", "crm_Contacts_Id", "crm_Contacts_Id_Alternate", "web_Users_Mail",
        "web_Users_Mail_Alternate", "PreviousCustomerId", "ordinal"]  # fmt: skip
    assert (first["Name"], first["PreviousCustomerId"]) == ("n10", None)
    assert (second["PreviousCustomerId"], second["crm_Contacts_Id"], second["crm_Contacts_Id_Alternate"]) == (
        "aa;zz", None, None)  # fmt: skip
    assert third["web_Users_Mail"] == "c@x"
