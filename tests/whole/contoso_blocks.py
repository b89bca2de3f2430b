"""Segments of the Contoso files in our own building blocks, each with the SQL that says the same, written by hand.

Together they use every key of every noun of unify/spec/criteria.py and unify/spec/segment.py, which a test counts.
"""

from typing import Any

from contoso_operators import EVENTS, ORDERS, REVIEWS, SALES, TILL, C

NOW = "TIMESTAMP '2019-02-01 12:00:00'"
PLACES = {"of": "geo.Places", "key": "Name", "parent": "Parent"}
Said = tuple[dict[str, Any], str]


def of(relation: str, having: str, rows: str = "TRUE") -> str:
    """Customers whose rows of a relation, grouped, have something."""
    return f"SELECT CustomerId FROM {relation} WHERE {rows} GROUP BY CustomerId HAVING {having}"


def tested(attribute: str, wanted: str, **tests: Any) -> Said:
    """One attribute of the customer and its tests."""
    return {"where": {"attribute": attribute, **tests}}, C + wanted


TESTS: dict[str, Said] = {
    "t_equals": tested("State", "lower(State) = 'texas'", equals="tEXAS", ignore_case=True),
    "t_not_equals": tested("Occupation", "Occupation <> 'Teacher' AND Occupation <> 'Doctor'",
                           not_equals=["Teacher", "Doctor"], match="all"),
    "t_more_less": tested("RewardPoints", "RewardPoints > 100 AND RewardPoints < 150", greater_than=100, less_than=150),
    "t_at": tested("Income", "Income >= 50000 AND Income <= 60000", at_least=50000, at_most=60000),
    "t_text": tested("FullName", "FullName LIKE 'A%e%n'", starts_with="A", contains="e", ends_with="n"),
    "t_missing": tested("State", "State IS NULL", is_null=True),
    "t_there": tested("Loyalty Tier", "\"Loyalty Tier\" IS NOT NULL AND \"Loyalty Tier\" = 'high'", is_not_null=True, equals="high"),
    "t_in": tested("State", "State IN ('Ohio', 'Iowa') AND City NOT IN ('Dayton')", is_in=["Ohio", "Iowa"]),
    "t_between": tested("DateOfBirth", "DateOfBirth BETWEEN DATE '1990-01-01' AND DATE '1990-06-30'",
                        between=["1990-01-01", "1990-06-30"]),
    "t_outside": tested("RewardPoints", "RewardPoints NOT BETWEEN 51 AND 290", not_between=[51, 290]),
    "t_lately": tested("CreatedOn", "CreatedOn BETWEEN DATE '2018-02-02' AND DATE '2019-02-01'", within_last="365 days"),
    "t_soon": ({"where": {"attribute": "web_Orders/PurchasedOn", "within_next": "30 days"}},
               f"SELECT CustomerId FROM {ORDERS} WHERE PurchasedOn BETWEEN DATE '2019-02-01' AND DATE '2019-03-02'"),
    "t_this_year": ({"where": {"attribute": "web_Orders/PurchasedOn", "year_to_date": True}},
                    f"SELECT CustomerId FROM {ORDERS} WHERE PurchasedOn BETWEEN DATE '2019-01-01' AND DATE '2019-02-01'"),
    "t_parts": tested("DateOfBirth", "day(DateOfBirth) = 29 AND month(DateOfBirth) = 2 AND year(DateOfBirth) IN (1984, 1988, 1992)",
                      day_of=29, month_of="Feb", year_of=[1984, 1988, 1992]),
    "t_weekday": tested("DateOfBirth", "isodow(DateOfBirth) = 1 AND year(DateOfBirth) = 1985", day_of_week="Monday", year_of=1985),
    "t_minute": ({"where": {"attribute": "UnifiedActivity/ActivityTime", "time_at": "20:00"}, "timezone": "America/New_York"},
                 f"SELECT CustomerId FROM {EVENTS} WHERE hour(ActivityTime AT TIME ZONE 'UTC' AT TIME ZONE 'America/New_York') = 20"),
    "t_clock": ({"where": {"attribute": "UnifiedActivity/ActivityTime", "time_of_day": True, "at_least": "19:30"},
                 "timezone": "America/New_York"},
                f"SELECT CustomerId FROM {EVENTS} WHERE hour(ActivityTime AT TIME ZONE 'UTC' AT TIME ZONE 'America/New_York') >= 20"),
    "t_below": tested("State", "State IN ('California', 'Oregon', 'Nevada', 'Texas', 'Florida')", child_of="USA", hierarchy=PLACES),
    "t_above": tested("State", "State = 'Texas'", parent_of="Austin", hierarchy=PLACES),
    "t_two_columns": ({"where": [{"attribute": "CreatedOn", "less_than": {"attribute": "DateOfBirth"}}]}, C + "CreatedOn < DateOfBirth"),
    "t_window": tested("CreatedOn", "CreatedOn BETWEEN DATE '2018-10-01' AND DATE '2018-12-31'", within="last quarter"),
    "t_every": ({"where": {"attribute": "web_Reviews/ReviewRating", "at_least": 4, "every": True}},
                C + f"CustomerId NOT IN (SELECT CustomerId FROM {REVIEWS} WHERE ReviewRating < 4 OR ReviewRating IS NULL)"),
}  # fmt: skip
TESTS["t_in"][0]["where"] = [TESTS["t_in"][0]["where"], {"attribute": "City", "is_not_in": ["Dayton"]}]

COMBINED: dict[str, Said] = {
    "c_all": ({"where": {"all": [{"segment": "t_equals"}, {"attribute": "Gender", "equals": "Male"}]}},
              C + "State = 'Texas' AND Gender = 'Male'"),
    "c_any": ({"where": {"any": ["State eq 'Texas'", {"attribute": "State", "equals": "Ohio"}]}}, C + "State IN ('Texas', 'Ohio')"),
    "c_not": ({"where": {"not": {"attribute": "State", "equals": "Texas"}}}, C + "State <> 'Texas'"),
    "c_odata": ({"where": "IsMemberOfSegment('t_equals') and web_Orders/any(o: o/TotalPrice gt 2600) and Gender ne 'Male'"},
                C + "State = 'Texas' AND Gender IS DISTINCT FROM 'Male' AND CustomerId IN "
                f"(SELECT CustomerId FROM {ORDERS} WHERE TotalPrice > 2600)"),
    "c_sentence": ({"where": {"sentence": 'State equals "Texas" and Gender equals "Male"'}}, C + "State = 'Texas' AND Gender = 'Male'"),
    "c_predicate": ({"where": {"predicate": {"kind": "compare", "op": "eq", "left": {"kind": "field", "name": "State"},
                                             "right": {"kind": "literal", "value": "Ohio", "type": "string"}}}},
                    C + "State = 'Ohio'"),
    "c_measure": ({"where": {"attribute": "OnlineSpend", "at_least": 5000}}, of(ORDERS, "sum(TotalPrice) >= 5000")),
    "c_ratio": ({"where": "OnlineSpend div Orders gt 2000"}, of(ORDERS, "avg(TotalPrice) > 2000")),
}  # fmt: skip

RELATED: dict[str, Said] = {
    "r_some": ({"where": {"related": "web_Orders", "where": {"attribute": "TotalPrice", "at_least": 2600}}},
               f"SELECT CustomerId FROM {ORDERS} WHERE TotalPrice >= 2600"),
    "r_none": ({"where": {"related": "web_Reviews", "none": True}}, C + f"CustomerId NOT IN (SELECT CustomerId FROM {REVIEWS})"),
    "r_every": ({"where": [{"related": "web_Orders"}, {"related": "web_Orders", "every": True, "where": "TotalPrice gt 1000"}]},
                of(ORDERS, "min(TotalPrice) > 1000")),
    "r_at_least": ({"where": {"related": "web_Orders", "at_least": 4, "within": "2018-01-01 to 2018-12-31", "time": "PurchasedOn"}},
                   of(ORDERS, "count(*) >= 4", "year(PurchasedOn) = 2018")),
    "r_at_most": ({"where": {"related": "web_Reviews", "at_most": 1}},
                  C + f"CustomerId NOT IN ({of(REVIEWS, 'count(*) > 1')})"),
    "r_exactly": ({"where": {"related": "web_Orders", "exactly": 2}}, of(ORDERS, "count(*) = 2")),
    "r_between": ({"where": {"related": "web_Orders", "between": [2, 3]}}, of(ORDERS, "count(*) IN (2, 3)")),
    "r_path": ({"where": {"related": "loyalty_Members/purchases", "where": "TotalPrice gt 190"}},
               f"SELECT CustomerId FROM {TILL} WHERE TotalPrice > 190"),
    "a_count": ({"where": {"count": "web_Orders", "where": "TotalPrice gt 2000", "at_least": 3}},
                of(ORDERS, "count(*) >= 3", "TotalPrice > 2000")),
    "a_distinct": ({"where": {"count_distinct": "ProductId", "of": "web_Orders", "at_least": 5}},
                   of(ORDERS, "count(DISTINCT ProductId) >= 5")),
    "a_sum": ({"where": {"sum": "TotalPrice", "of": "web_Orders", "within": "2018-10-01 to 2018-12-31", "time": "PurchasedOn",
                         "at_least": 5000}},
              of(ORDERS, "sum(TotalPrice) >= 5000", "PurchasedOn BETWEEN DATE '2018-10-01' AND DATE '2018-12-31'")),
    "a_avg": ({"where": {"avg": "ReviewRating", "of": "web_Reviews", "less_than": 2.5}}, of(REVIEWS, "avg(ReviewRating) < 2.5")),
    "a_min": ({"where": {"min": "TotalPrice", "of": "web_Orders", "at_least": 1000}}, of(ORDERS, "min(TotalPrice) >= 1000")),
    "a_max": ({"where": {"max": "PurchasedOn", "of": "web_Orders", "less_than": "2017-03-01"}},
              of(ORDERS, "max(PurchasedOn) < DATE '2017-03-01'")),
}  # fmt: skip


def edge(order: str, rows: str, wanted: str) -> str:
    """The first or last event of each customer, by a window function."""
    return (f"SELECT CustomerId FROM (SELECT *, row_number() OVER (PARTITION BY CustomerId ORDER BY ActivityTime {order}, "
            f"ActivityId {order}) AS n FROM {rows}) WHERE n = 1 AND {wanted}")  # fmt: skip


DEAR_ORDERS = f"(SELECT CustomerId, PurchasedOn AS At FROM {ORDERS} WHERE TotalPrice > 100)"
BAD_REVIEWS = f"(SELECT CustomerId, ReviewDate AS At FROM {REVIEWS} WHERE ReviewRating = 2)"

HAPPENED: dict[str, Said] = {
    "e_did": ({"where": {"did": "SalesOrder", "times": {"at_least": 5}, "within": "last 12 months"}},
              of(EVENTS, "count(*) >= 5", f"ActivityType = 'SalesOrder' AND ActivityTime >= TIMESTAMP '2018-02-01 12:00:00' AND ActivityTime < {NOW}")),
    "e_did_at_most": ({"where": {"did": "review", "times": {"at_most": 1}}},
                      C + f"CustomerId NOT IN ({of(REVIEWS, 'count(*) > 1')})"),
    "e_did_exactly": ({"where": {"did": {"type": "SalesOrder", "display": "POS Purchase"}, "times": {"exactly": 4}}},
                      of(EVENTS, "count(*) = 4", "ActivityTypeDisplay = 'POS Purchase'")),
    "e_did_between": ({"where": {"did": {"activity": "online", "where": "TotalPrice gt 100"}, "times": {"between": [2, 3]}}},
                      of(ORDERS, "count(*) BETWEEN 2 AND 3", "TotalPrice > 100")),
    "e_did_not": ({"where": {"did_not": "anything", "within": "2019-01-01 to 2019-12-31"}},
                  C + f"CustomerId NOT IN (SELECT CustomerId FROM {EVENTS} WHERE year(ActivityTime) = 2019)"),
    "e_first": ({"where": {"first": "anything", "meets": {"attribute": "ActivityType", "equals": "Feedback"}}},
                edge("ASC", EVENTS, "ActivityType = 'Feedback'")),
    "e_last": ({"where": {"last": "online", "within": "before 2019-01-01", "meets": {"attribute": "TotalPrice", "at_least": 2500}}},
               edge("DESC", f"(SELECT e.*, o.TotalPrice FROM {EVENTS} AS e JOIN \"web_Orders\" AS o ON o.PurchaseId = e.SourceActivityId "
                    "WHERE e.SourceTableName = 'web_Orders' AND e.ActivityTime < DATE '2019-01-01')", "TotalPrice >= 2500")),
    "e_regularly": ({"where": {"regularly": "SalesOrder", "in_at_least": 4, "of_last": "12 months"}},
                    (f"SELECT CustomerId FROM {SALES}, (SELECT {NOW} - to_months(n::INTEGER) AS till, {NOW} - to_months((n + 1)::INTEGER) "
                    "AS since FROM range(12) AS r(n)) WHERE ActivityTime >= since AND ActivityTime < till GROUP BY CustomerId "
                    "HAVING count(DISTINCT till) >= 4")),
    "e_stopped": ({"where": {"stopped": "SalesOrder", "for": "540 days"}}, of(SALES, f"min(ActivityTime) < {NOW} - INTERVAL 540 DAY AND NOT "
                     f"bool_or(ActivityTime >= {NOW} - INTERVAL 540 DAY AND ActivityTime < {NOW})")),
    "e_restarted": ({"where": {"restarted": "SalesOrder", "within_last": "100 days", "after_a_break_of": "180 days"}},
                    (f"SELECT CustomerId FROM {SALES} GROUP BY ALL HAVING bool_or(ActivityTime >= {NOW} - INTERVAL 100 DAY AND ActivityTime < {NOW}) "
                    f"AND NOT bool_or(ActivityTime >= {NOW} - INTERVAL 280 DAY AND ActivityTime < {NOW} - INTERVAL 100 DAY) "
                    f"AND min(ActivityTime) < {NOW} - INTERVAL 280 DAY")),
    "e_sequence": ({"where": {"sequence": [{"activity": "online", "where": {"attribute": "TotalPrice", "greater_than": 100}},
                                           {"activity": "review", "where": {"attribute": "ReviewRating", "equals": 2}}], "max_gap": "14 days"}},
                   (f"SELECT o.CustomerId FROM {DEAR_ORDERS} AS o JOIN {BAD_REVIEWS} AS r ON r.CustomerId = o.CustomerId "
                   "AND r.At > o.At AND r.At <= o.At + INTERVAL 14 DAY")),
    "e_in_a_span": ({"where": {"sequence": ["online", "review", "pos"], "max_span": "20 days", "within": "2018-01-01 to 2018-12-31"}},
                    (f"SELECT o.CustomerId FROM {ORDERS} AS o JOIN {REVIEWS} AS r ON r.CustomerId = o.CustomerId AND r.ReviewDate > o.PurchasedOn "
                    f"JOIN {TILL} AS t ON t.CustomerId = o.CustomerId AND t.PurchasedOn > r.ReviewDate AND t.PurchasedOn <= o.PurchasedOn + 20 "
                    "WHERE year(o.PurchasedOn) = 2018 AND year(r.ReviewDate) = 2018 AND year(t.PurchasedOn) = 2018")),
}  # fmt: skip


def lot(seed: str, start: int, end: int) -> str:
    """Customers whose lot of a million is in a range: the first 15 hex digits of an MD5, as SQL reads them."""
    drawn = f"CAST('0x' || left(md5('{len(seed)}:{seed}' || CustomerId), 15) AS BIGINT) % 1000000"
    return C + f"{drawn} >= {start} AND {drawn} < {end}"


WHOLE: dict[str, Said] = {
    "w_top": ({"where": {"top": 25, "by": "Income"}}, C + "Income IS NOT NULL ORDER BY Income DESC, CustomerId LIMIT 25"),
    "w_share": ({"where": {"top": "2 %", "by": {"sum": "TotalPrice", "of": "web_Orders"}, "ties": "include"}},
                (f"WITH t AS (SELECT CustomerId, sum(TotalPrice) AS s FROM {ORDERS} GROUP BY ALL) SELECT CustomerId FROM t WHERE s >= "
                "(SELECT s FROM t ORDER BY s DESC LIMIT 1 OFFSET (SELECT CAST(ceil(count(*) * 0.02) AS BIGINT) - 1 FROM t))")),
    "w_lowest": ({"where": {"top": 40, "by": "RewardPoints", "order": "lowest", "ties": "drop",
                            "among": {"attribute": "State", "equals": "Texas"}}},
                 ("WITH t AS (SELECT CustomerId, RewardPoints AS v, (SELECT count(*) FROM \"Customer\" AS b WHERE b.State = 'Texas' AND "
                 "b.RewardPoints <= a.RewardPoints) AS n FROM \"Customer\" AS a WHERE State = 'Texas' AND RewardPoints IS NOT NULL) "
                 "SELECT CustomerId FROM t WHERE n <= 40")),
    "w_by_id": ({"where": {"top": 7, "by": "RewardPoints", "order": "highest", "ties": "by_id"}},
                C + "RewardPoints IS NOT NULL ORDER BY RewardPoints DESC, CustomerId LIMIT 7"),
    "w_percent": ({"where": {"percent": 10, "seed": "spring"}}, lot("spring", 0, 100_000)),
    "w_split": ({"where": {"split": {"seed": "fall", "parts": {"A": 50, "B": 30, "C": 20}, "part": "B"}}}, lot("fall", 500_000, 800_000)),
    "w_listed": ({"where": {"members": ["crm.Contacts:CNTID_1000", "loyalty.Members:LOYID_1001"]}},
                 "SELECT CustomerId FROM members WHERE key IN ('CNTID_1000', 'LOYID_1001')"),
    "w_birthday": ({"where": {"anniversary": "DateOfBirth", "within_next": "7 days"}},
                   C + "strftime(DateOfBirth, '%m-%d') BETWEEN '02-01' AND '02-07' AND year(DateOfBirth) < 2019"),
    "w_birthday_was": ({"where": {"anniversary": "DateOfBirth", "within_last": "7 days"}},
                       C + "strftime(DateOfBirth, '%m-%d') BETWEEN '01-26' AND '02-01' "
                       "AND year(DateOfBirth) < 2019"),
    "w_birthday_month": ({"where": {"anniversary": "DateOfBirth", "within": "this month"}},
                         C + "month(DateOfBirth) = 2 AND year(DateOfBirth) < 2019"),
}  # fmt: skip

STAFF = "CustomerId IN (SELECT CustomerId FROM members WHERE key IN ('CNTID_1000', 'CNTID_1001'))"
KINDS: dict[str, Said] = {
    "k_staff": ({"members": {"customers": ["crm.Contacts:CNTID_1000", "crm.Contacts:CNTID_1001"]}}, C + STAFF),
    "k_file": ({"members": {"file": "vip.csv"}}, "SELECT CustomerId FROM members WHERE key IN ('CNTID_1002', 'LOYID_1003')"),
    "k_rules": (
        {"rules": [
            {"where": {"segment": "t_equals"}, "name": "Texas"},
            {"where": "State eq 'Ohio'", "operation": "union"},
            {"where": "State eq 'California'", "operation": "include"},
            {"where": {"attribute": "Gender", "equals": "Female"}, "operation": "intersect"},
            {"where": "RewardPoints lt 100", "operation": "except"},
            {"where": "Occupation eq 'Teacher'", "operation": "exclude"}],
         "suppress": ["k_staff"], "title": "Campaign", "description": "Western and southern women", "tags": ["spring"]},
        C + "State IN ('Texas', 'Ohio', 'California') AND Gender = 'Female' AND NOT coalesce(RewardPoints < 100, false) "
        f"AND NOT coalesce(Occupation = 'Teacher', false) AND NOT {STAFF}",
    ),
    "k_offers": ({"waterfall": {"k_offer_state": "t_equals", "k_offer_spend": "c_measure", "k_offer_rest": "t_below"}, "suppress": ["k_staff"]},
                 C + f"(State IN ('California', 'Oregon', 'Nevada', 'Texas', 'Florida') OR CustomerId IN ({of(ORDERS, 'sum(TotalPrice) >= 5000')})) "
                 f"AND NOT {STAFF}"),
    "k_sql": ({"sql": "SELECT CustomerId FROM UnifiedActivity WHERE ActivityTime > now() - INTERVAL 90 DAY GROUP BY CustomerId "
               "HAVING count(*) >= 2"},
              of(EVENTS, "count(*) >= 2", f"ActivityTime > {NOW} - INTERVAL 90 DAY")),
    "k_static": ({"where": "State eq 'Alaska'", "static": True, "active": True, "ends": "2099-01-01T00:00:00Z",
                  "projected": [{"attributes": ["TotalPrice"], "path": ["web_Orders"]}]}, C + "State = 'Alaska'"),
    "k_query": ({"query": {"rowsets": [{"criteria": {"attribute": "City", "comparisonOperator": "equals", "value": "Fairfield"}}]}},
                C + "City = 'Fairfield'"),
}  # fmt: skip
PARTS: dict[str, str] = {
    "k_offer_state": C + f"State = 'Texas' AND NOT {STAFF}",
    "k_offer_spend": C + f"State IS DISTINCT FROM 'Texas' AND CustomerId IN ({of(ORDERS, 'sum(TotalPrice) >= 5000')}) AND NOT {STAFF}",
    "k_offer_rest": C + "State IN ('California', 'Oregon', 'Nevada', 'Florida') AND CustomerId NOT IN "
    f"({of(ORDERS, 'sum(TotalPrice) >= 5000')}) AND NOT {STAFF}",
}  # fmt: skip
"""What the waterfall makes."""

BY_BLOCK: dict[str, Said] = {**TESTS, **COMBINED, **RELATED, **HAPPENED, **WHOLE, **KINDS}
