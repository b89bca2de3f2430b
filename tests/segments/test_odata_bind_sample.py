"""Questions about the sample, against SQL written by hand: system relations, shortcuts, activities, groups."""

import datetime as dt
from pathlib import Path
from urllib.parse import quote

import pytest

import unify
from segments.model import model_of
from segments.odata.aggregation.query import apply_of_text
from segments.odata.binding.bind import filter_of_text
from segments.predicates.compile import rows_where
from unify.core.steps import Query

PROJECT = Path(__file__).parents[2] / "sample_data" / "project.yaml"
CLOCK = dt.datetime(2025, 12, 1, tzinfo=dt.UTC)


@pytest.fixture(scope="module")
def acme(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample") / "instance"
    with unify.open(folder, create=True) as instance:
        instance.run(PROJECT)
    with unify.open(folder) as instance:
        yield instance


BY_HAND = {
    "UnifiedActivity/any(a:a/ActivityType eq 'SalesOrder' and a/ActivityTime ge now() sub duration'P90D')": """
        SELECT DISTINCT ordinal FROM UnifiedActivity
        WHERE ActivityType = 'SalesOrder' AND ActivityTime >= TIMESTAMP '2025-12-01' - INTERVAL 90 DAY""",
    "UnifiedActivity/$count($filter=ActivityType eq 'SalesOrder') ge 3": """
        SELECT ordinal FROM UnifiedActivity WHERE ActivityType = 'SalesOrder' GROUP BY ordinal HAVING count(*) >= 3""",
    "UnifiedActivity/all(a:a/ActivityType eq 'Feedback')": """
        SELECT ordinal FROM Customer WHERE ordinal NOT IN
            (SELECT ordinal FROM UnifiedActivity WHERE ActivityType IS DISTINCT FROM 'Feedback')""",
    "web_Orders/any(o:o/Total gt 50)": """
        SELECT DISTINCT c.ordinal FROM Customer c JOIN members m USING (CustomerId)
        JOIN web_SignUps s ON m.entity = 'web.SignUps' AND m.key = s.UserId JOIN web_Orders o ON o.UserId = s.UserId
        WHERE o.Total > 50""",
    "web_Orders/aggregate(Total with sum) gt 100 and not (City eq 'Eastwick')": """
        SELECT c.ordinal FROM Customer c JOIN members m USING (CustomerId)
        JOIN web_SignUps s ON m.entity = 'web.SignUps' AND m.key = s.UserId JOIN web_Orders o ON o.UserId = s.UserId
        WHERE c.City IS DISTINCT FROM 'Eastwick' GROUP BY c.ordinal HAVING sum(o.Total) > 100""",
    "not (City gt 'M') and CreatedOn ge 2015-01-01": """
        SELECT ordinal FROM Customer WHERE coalesce(NOT City > 'M', TRUE) AND CreatedOn >= DATE '2015-01-01'""",
    "ModifiedOn ge 2020-01-01 or ModifiedOn eq null": """
        SELECT ordinal FROM Customer WHERE ModifiedOn >= TIMESTAMP '2020-01-01' OR ModifiedOn IS NULL""",
}


@pytest.mark.parametrize("text", BY_HAND)
def test_filters_of_the_sample_keep_whom_sql_by_hand_keeps(text, acme):
    model, engine = model_of(acme.engine(), acme.project()), acme.engine()
    tree = filter_of_text(text, model, timezone="UTC")
    found = engine.fetch(rows_where(tree, model.catalog, "Customer", clock=CLOCK)).column(0).to_pylist()
    by_hand = engine.fetch(Query(f"SELECT ordinal FROM ({BY_HAND[text]}) ORDER BY ordinal")).column(0).to_pylist()
    assert found == by_hand
    assert found


def test_groups_of_activities_are_those_of_sql_by_hand(acme):
    model, engine = model_of(acme.engine(), acme.project()), acme.engine()
    text = "groupby((ActivityType,Customer/State),aggregate($count as N,ordinal with countdistinct as Who))/orderby(N desc)"
    applied = apply_of_text(quote(text), model, "UnifiedActivity", clock=CLOCK)
    by_hand = """SELECT a.ActivityType AS "ActivityType", c.State AS "Customer/State", count(*) AS "N", count(DISTINCT a.ordinal) AS "Who"
        FROM UnifiedActivity a JOIN Customer c USING (ordinal) GROUP BY ALL
        ORDER BY "N" DESC, a.ActivityType NULLS FIRST, c.State NULLS FIRST"""
    assert engine.fetch(applied.query).to_pylist() == engine.fetch(Query(by_hand)).to_pylist()
