"""Every segment of docs/segments.md on the sample: its members are those of SQL written by hand.

The clock is 2025-12-01 09:00 UTC, the zone UTC unless the example says another.
"""

import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
import yaml

import unify
from segments.blocks.condition import Condition
from segments.lowered import Scope, depends_on
from segments.lowering import lower, sentence_of
from segments.model import model_of
from segments.waterfall import expanded
from unify.spec import Project

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "segments.md").read_text(encoding="utf-8")
CLOCK = datetime(2025, 12, 1, 9, tzinfo=UTC)
NOW = "TIMESTAMP '2025-12-01 09:00:00'"

C = 'SELECT ordinal FROM "Customer" WHERE '
EVENT = 'SELECT ordinal FROM "UnifiedActivity" WHERE '
ORDERS = """(SELECT m.ordinal, o.* FROM "web_Orders" AS o JOIN "web_SignUps" AS s USING ("UserId")
  JOIN members AS m ON m.entity = 'web.SignUps' AND m.key = s."UserId")"""
REVIEWS = ORDERS.replace("web_Orders", "web_Reviews")
SALES = '(SELECT * FROM "UnifiedActivity" WHERE "ActivityType" = \'SalesOrder\')'
ORDER_EVENT = """(SELECT u.*, o."Total" FROM "UnifiedActivity" AS u JOIN "web_Orders" AS o ON o."OrderId" = u."SourceActivityId"
  WHERE u."SourceTableName" = 'web_Orders')"""


def per_order(having, where="TRUE"):
    return f"SELECT ordinal FROM {ORDERS} WHERE {where} GROUP BY ordinal HAVING {having}"


def edge(order, of, wanted):
    """The first or last of some events, by a window function."""
    return (
        f'SELECT ordinal FROM (SELECT *, row_number() OVER (PARTITION BY ordinal ORDER BY "ActivityTime" {order}, '
        f'"ActivityId" {order}) AS n FROM {of}) WHERE n = 1 AND {wanted}'
    )


BY_HAND = {
    "gold": C + "\"Tier\" = 'gold'",
    "everything_of": C + "\"Tier\" = 'gold' AND \"RewardPoints\" >= 1000",
    "a_list": C + "\"Tier\" = 'gold' AND \"City\" = 'Larkfield'",
    "one_of": C + "\"City\" IN ('Larkfield', 'Foxglove')",
    "not_gold": C + "\"Tier\" <> 'gold'",
    "gold_elsewhere": C + "\"Tier\" = 'gold' AND \"City\" <> 'Larkfield'",
    "odata": C + "\"Tier\" = 'gold' AND \"City\" NOT LIKE 'Lark%'",
    "in_odata": C
    + "\"Tier\" = 'gold' AND \"City\" IS DISTINCT FROM 'Larkfield' "
    + f'AND ordinal IN (SELECT ordinal FROM {ORDERS} WHERE "Total" >= 100)',
    "numbers": C + '"RewardPoints" >= 1000 AND "RewardPoints" < 2000',
    "differs": C + "\"Tier\" <> 'gold'",
    "more": C + '"RewardPoints" > 4000',
    "at_most": C + '"RewardPoints" <= 100',
    "listed": C + "\"City\" IN ('Larkfield', 'Foxglove')",
    "not_listed": C + "\"City\" NOT IN ('Larkfield', 'Foxglove')",
    "ranges": C + '"RewardPoints" BETWEEN 100 AND 500',
    "outside": C + '"RewardPoints" NOT BETWEEN 100 AND 4000',
    "text": C + "\"FullName\" LIKE 'A%ar%s'",
    "one_text": C + "\"EMail\" LIKE '%inbox%' OR \"EMail\" LIKE '%post%'",
    "all_texts": C + "\"EMail\" LIKE '%inbox%' AND \"EMail\" LIKE '%post%'",
    "any_case": C + "lower(\"City\") = 'larkfield'",
    "missing": C + '"EMail" IS NULL',
    "there": C + '"EMail" IS NOT NULL',
    "truth": C + '"Newsletter"',
    "two_columns": C + '"CreatedOn" < "JoinedOn"',
    "lately": C + "\"SignedUpOn\" >= TIMESTAMP '2023-03-07 09:00:00' AND \"SignedUpOn\" < " + NOW,
    "last_quarter": per_order("TRUE", "\"OrderedOn\" BETWEEN DATE '2025-07-01' AND DATE '2025-09-30'"),
    "to_date": per_order("TRUE", "year(\"OrderedOn\") = 2025 AND \"OrderedOn\" <= DATE '2025-12-01'"),
    "since": C + "\"JoinedOn\" >= DATE '2020-09-01'",
    "on_a_day": C + "CAST(\"SignedUpOn\" AS DATE) = DATE '2022-05-24'",
    "in_between": C + "CAST(\"SignedUpOn\" AS DATE) BETWEEN DATE '2022-03-01' AND DATE '2022-05-31'",
    "long_ago": C + "\"SignedUpOn\" < TIMESTAMP '2022-12-01 09:00:00'",
    "born_in_may": C + 'month("DateOfBirth") = 5 AND day("DateOfBirth") <= 5',
    "weekend": C + 'isodow("SignedUpOn") >= 6',
    "of_age": C + "\"DateOfBirth\" BETWEEN DATE '1980-01-01' AND DATE '1981-12-31'",
    "at_night": C + "CAST(\"SignedUpOn\" AS TIME) >= TIME '22:00' OR CAST(\"SignedUpOn\" AS TIME) < TIME '06:00'",
    "same_minute": C + "strftime(\"SignedUpOn\", '%H:%M') = '15:13'",
    "night_in_york": C + "hour(\"SignedUpOn\" AT TIME ZONE 'UTC' AT TIME ZONE 'America/New_York') < 6",
    "birthday": C + "strftime(\"DateOfBirth\", '%m-%d') BETWEEN '12-01' AND '12-07' AND year(\"DateOfBirth\") < 2025",
    "birthday_month": C + 'month("DateOfBirth") = 12 AND year("DateOfBirth") < 2025',
    "some_row": f"SELECT ordinal FROM {ORDERS} WHERE \"Product\" ILIKE '%lamp%'",
    "every_row": C + "ordinal NOT IN (SELECT m.ordinal FROM members AS m JOIN \"crm_Contacts\" AS c ON m.key = c.\"ContactId\""
    " WHERE m.entity = 'crm.Contacts' AND c.\"City\" IS DISTINCT FROM 'Larkfield')",
    "same_row": f'SELECT ordinal FROM {ORDERS} WHERE "Total" >= 100 AND "Quantity" = 1',
    "two_rows": per_order("count(*) >= 2", '"Total" >= 100'),
    "no_row": C + f"ordinal NOT IN (SELECT ordinal FROM {ORDERS})",
    "every_order": per_order('bool_and("Total" >= 100)'),
    "big_spender": per_order('sum("Total") >= 500'),
    "recent_spender": per_order('sum("Total") >= 200', "\"OrderedOn\" BETWEEN DATE '2024-12-02' AND DATE '2025-12-01'"),
    "mean": f'SELECT ordinal FROM {REVIEWS} GROUP BY ordinal HAVING avg("Rating") <= 2',
    "rarely": per_order("count(*) IN (2, 3)", '"Total" >= 50'),
    "varied": per_order('count(DISTINCT "Product") >= 3'),
    "latest": per_order("max(\"OrderedOn\") BETWEEN DATE '2025-09-03' AND DATE '2025-12-01'"),
    "first_small": per_order('min("Total") < 25'),
    "bought": EVENT + "\"ActivityType\" = 'SalesOrder'",
    "bought_online": EVENT + "\"SourceTableName\" = 'web_Orders' AND \"ActivityTime\" >= TIMESTAMP '2024-12-01 09:00:00' "
    f'AND "ActivityTime" < {NOW} GROUP BY ordinal HAVING count(*) >= 2',
    "bought_much": f'SELECT ordinal FROM {ORDER_EVENT} WHERE "Total" >= 200',
    "reviewed_a_lamp": EVENT + "\"ActivityType\" = 'Feedback' AND \"Title\" ILIKE '%lamp%'",
    "by_display": EVENT + "\"ActivityTypeDisplay\" = 'store_purchase' GROUP BY ordinal HAVING count(*) = 1",
    "silent": C + f"ordinal NOT IN ({EVENT} \"ActivityTime\" >= TIMESTAMP '2025-06-04 09:00:00' AND \"ActivityTime\" < {NOW})",
    "last_was_dear": edge("DESC", ORDER_EVENT, '"Total" >= 100'),
    "first_was_review": edge("ASC", '"UnifiedActivity"', "\"ActivityType\" = 'Feedback'"),
    "new_buyer": f'SELECT ordinal FROM {SALES} GROUP BY ordinal HAVING min("ActivityTime") >= '
    f"TIMESTAMP '2025-09-02 09:00:00' AND min(\"ActivityTime\") < {NOW}",
    "regular": f"SELECT ordinal FROM {SALES}, (SELECT {NOW} - to_months(n::INTEGER) AS till, {NOW} - to_months((n + 1)::INTEGER) "
    'AS since FROM range(12) AS r(n)) WHERE "ActivityTime" >= since AND "ActivityTime" < till GROUP BY ordinal '
    "HAVING count(DISTINCT till) >= 2",
    "lost": f"SELECT ordinal FROM {SALES} GROUP BY ordinal HAVING max(\"ActivityTime\") < TIMESTAMP '2025-06-04 09:00:00'",
    "back_again": f"""SELECT ordinal FROM (SELECT *, lag("ActivityTime") OVER (PARTITION BY ordinal ORDER BY "ActivityTime") AS b
      FROM {SALES}) WHERE "ActivityTime" >= TIMESTAMP '2025-10-02 09:00:00' AND b < TIMESTAMP '2025-04-05 09:00:00'""",
    "bought_then_reviewed": f"""SELECT s.ordinal FROM {SALES} AS s JOIN "UnifiedActivity" AS r ON r.ordinal = s.ordinal
      AND r."SourceTableName" = 'web_Reviews' AND r."ActivityTime" > s."ActivityTime"
      AND r."ActivityTime" <= s."ActivityTime" + INTERVAL 30 DAY""",
    "three_steps": f"""SELECT a.ordinal FROM {ORDER_EVENT} AS a JOIN (SELECT u.*, w."Rating" FROM "UnifiedActivity" AS u
      JOIN "web_Reviews" AS w ON w."ReviewId" = u."SourceActivityId" WHERE u."SourceTableName" = 'web_Reviews') AS b
      ON b.ordinal = a.ordinal AND b."Rating" >= 4 AND b."ActivityTime" > a."ActivityTime"
      JOIN {SALES} AS c ON c.ordinal = a.ordinal AND c."ActivityTime" > b."ActivityTime"
      AND c."ActivityTime" <= a."ActivityTime" + INTERVAL 365 DAY""",
    "best": C + '"RewardPoints" IS NOT NULL ORDER BY "RewardPoints" DESC, "CustomerId" LIMIT 10',
    "best_share": f"""WITH t AS (SELECT ordinal, sum("Total") AS s FROM {ORDERS} GROUP BY ordinal)
      SELECT ordinal FROM t WHERE s >= (SELECT min(s) FROM (SELECT s FROM t ORDER BY s DESC
      LIMIT (SELECT CAST(ceil(count(*) * 0.05) AS BIGINT) FROM t)))""",
    "best_of_town": C + "\"City\" = 'Larkfield' AND \"RewardPoints\" IS NOT NULL ORDER BY \"RewardPoints\" DESC, \"CustomerId\" "
    "LIMIT 3",
    "longest": """WITH r AS (SELECT ordinal, "JoinedOn" AS d, (SELECT count(*) FROM "Customer" AS b
      WHERE b."JoinedOn" <= a."JoinedOn") AS n FROM "Customer" AS a WHERE "JoinedOn" IS NOT NULL)
      SELECT ordinal FROM r WHERE n <= 10""",
    "hand_picked": "SELECT ordinal FROM members WHERE (entity = 'crm.Contacts' AND key = 'C-1001') "
    "OR (entity = 'loyalty.Members' AND key = 'L-1002')",
    "staff": "SELECT ordinal FROM members WHERE entity = 'crm.Contacts' AND key IN ('C-1001', 'C-1002')",
    "campaign": C + "(\"Tier\" = 'gold' OR \"City\" = 'Larkfield') AND \"EMail\" IS NOT NULL "
    "AND coalesce(\"RewardPoints\", 500) >= 500 AND \"crm_Contacts_ContactId\" NOT IN ('C-1001', 'C-1002')"
    .replace('"crm_Contacts_ContactId"', "coalesce(\"crm_Contacts_ContactId\", '')"),
    "spenders": C + '"RewardPoints" >= 2000',
    "everyone": C + "TRUE",
    "offer_gold": C + "\"Tier\" = 'gold' AND coalesce(\"crm_Contacts_ContactId\", '') NOT IN ('C-1001', 'C-1002')",
    "offer_points": C + "coalesce(\"Tier\", '') <> 'gold' AND \"RewardPoints\" >= 2000 "
    "AND coalesce(\"crm_Contacts_ContactId\", '') NOT IN ('C-1001', 'C-1002')",
    "offer_rest": C + "coalesce(\"Tier\", '') <> 'gold' AND coalesce(\"RewardPoints\", 0) < 2000 "
    "AND coalesce(\"crm_Contacts_ContactId\", '') NOT IN ('C-1001', 'C-1002')",
    "offers": C + "coalesce(\"crm_Contacts_ContactId\", '') NOT IN ('C-1001', 'C-1002')",
}  # fmt: skip


def lots(seed, start, end):
    """Lots drawn in Python: the first 15 hex digits of an MD5, of a million."""

    def drawn(customer_id):
        text = f"{len(seed)}:{seed}{customer_id}"
        return start <= int(hashlib.md5(text.encode()).hexdigest()[:15], 16) % 1_000_000 < end

    return drawn


BY_LOT = {"tenth": lots("spring", 0, 100_000), "part_b": lots("autumn", 500_000, 800_000)}


def examples():
    """Every segment of the page, those that waterfalls make too."""
    sample = yaml.safe_load((ROOT / "sample_data" / "project.yaml").read_text(encoding="utf-8"))
    found = {}
    for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL):
        found |= yaml.safe_load(block)["segments"]
    return expanded(Project.model_validate(sample | {"segments": found}).segments)


EXAMPLES = examples()


class Sample:
    def __init__(self, engine, project):
        self.engine, self.model = engine, model_of(engine, project)
        self.found = {}

    def members(self, name):
        """Ordinals, those of the segments it needs first."""
        if name not in self.found:
            lowered = lower(EXAMPLES[name], self.model, name=name, known=EXAMPLES)
            for needed in depends_on(lowered):
                ordinals = pa.array(sorted(self.members(needed)), pa.int32())
                self.engine.load(f"members_{needed}", pa.table({"ordinal": ordinals}))
            tables = {n: f"members_{n}" for n in depends_on(lowered)}
            scope = Scope(self.engine, self.model.with_segments(tables), CLOCK)
            self.found[name] = set(Condition(lowered.expr, tuple(lowered.blocks.items())).members(scope))
            assert sentence_of(lowered)
        return self.found[name]


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    with unify.open(tmp_path_factory.mktemp("segments") / "instance", create=True) as instance:
        instance.run(ROOT / "sample_data" / "project.yaml")
        yield Sample(instance.engine(), instance.project())


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_finds_what_sql_finds(sample, name):
    connection = sample.engine.connection
    if name in BY_LOT:
        everybody = connection.sql('SELECT ordinal, "CustomerId" FROM "Customer"').fetchall()
        expected = {ordinal for ordinal, customer in everybody if BY_LOT[name](customer)}
    else:
        expected = {row[0] for row in connection.sql(BY_HAND[name]).fetchall()}
    assert sample.members(name) == expected
    if name != "all_texts":  # no address is at two hosts
        assert expected, "an example that finds nobody shows nothing"
