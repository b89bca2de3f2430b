"""Segments of the Contoso files in the vendor's spelling, each with the SQL that says the same, written by hand.

The SQL looks at tables of the generation alone. The clock is 2019-02-01 12:00 UTC, before the last rows.
"""

from typing import Any

C = 'SELECT CustomerId FROM "Customer" WHERE '


def rows_of(table: str, entity: str, refers: str) -> str:
    """A related table with the CustomerId of the record that each row refers to."""
    return f'(SELECT m.CustomerId, r.* FROM "{table}" AS r JOIN members AS m ON m.entity = \'{entity}\' AND m.key = r."{refers}")'


ORDERS = rows_of("web_Orders", "crm.Contacts", "ContactId")
REVIEWS = rows_of("web_Reviews", "crm.Contacts", "UserId")
TILL = rows_of("pos_Purchases", "loyalty.Members", "LoyaltyId")
EVENTS = '"UnifiedActivity"'
SALES = f"(SELECT * FROM {EVENTS} WHERE ActivityType = 'SalesOrder')"

HIERARCHIES = [
    {"hierarchyEntityName": "geo.Places", "sourceAttributeName": "Name", "destinationAttributeName": "Parent"}
]

Said = tuple[dict[str, Any], str]
"""A SegmentationQuery, and SQL with its members."""


def leaf(attribute: str, operator: str, *values: str, **more: Any) -> dict[str, Any]:
    """A condition; one value goes to `value`, several to `listOfValues`."""
    said: dict[str, Any] = {"attribute": attribute, "comparisonOperator": operator, **more}
    if len(values) == 1:
        said["value"] = values[0]
    elif values:
        said["listOfValues"] = list(values)
    return said


def group(word: str, *children: dict[str, Any]) -> dict[str, Any]:
    """Children joined by `and` or `or`."""
    return {"logicalOperator": word, "childCriterias": list(children)}


def where(criteria: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A query of one rowset."""
    return {"type": "structured", "rowsets": [{"criteria": criteria}], **more}


def then(*rowsets: tuple[str, dict[str, Any]], **more: Any) -> dict[str, Any]:
    """A query of rowsets in sequence."""
    return {"rowsets": [{"rowsetOperation": word, "criteria": said} for word, said in rowsets], **more}


TEXAN = leaf("Customer.State", "equals", "TEXAS", ignoreCase=True)
DEAR = leaf("web_Orders.TotalPrice", "greaterThan", "2600")

BY_OPERATOR: dict[str, Said] = {
    "equals": (where(TEXAN), C + "State ILIKE 'texas'"),
    "notEquals": (where(leaf("Customer.Occupation", "notEquals", "Teacher")), C + "Occupation <> 'Teacher'"),
    "greaterThan": (where(DEAR), f"SELECT CustomerId FROM {ORDERS} WHERE TotalPrice > 2600"),
    "greaterThanOrEqualTo": (where(leaf("Income", "greaterThanOrEqualTo", "150000.5")), C + "Income >= 150000.5"),
    "lessThan": (where(leaf("Customer.DateOfBirth", "lessThan", "1970-01-01")), C + "DateOfBirth < DATE '1970-01-01'"),
    "lessThanOrEqualTo": (where(leaf("RewardPoints", "lessThanOrEqualTo", "60")), C + "RewardPoints <= 60"),
    "contains": (where(leaf("FullName", "contains", "an ")), C + "FullName LIKE '%an %'"),
    "startsWith": (where(leaf("City", "startsWith", "San")), C + "City LIKE 'San%'"),
    "endsWith": (
        where(leaf("web_Reviews.ReviewText", "endsWith", "product")),
        f"SELECT CustomerId FROM {REVIEWS} WHERE ReviewText LIKE '%product'",
    ),
    "isNull": (where(leaf("State", "isNull")), C + "State IS NULL"),
    "isNotNull": (where(leaf("web_Orders.PurchaseId", "isNotNull")), f"SELECT CustomerId FROM {ORDERS}"),
    "isIn": (where(leaf("Occupation", "isIn", "Doctor", "Student")), C + "Occupation IN ('Doctor', 'Student')"),
    "any": (
        where({"attribute": "web_Reviews", "comparisonOperator": "any", "childCriterias": [
            group("and", leaf("web_Reviews.ReviewRating", "lessThan", "3"),
                  leaf("web_Reviews.ReviewDate", "greaterThan", "2019-01-31"))]}),
        f"SELECT CustomerId FROM {REVIEWS} WHERE ReviewRating < 3 AND ReviewDate > DATE '2019-01-31'",
    ),
    "all": (
        where(leaf("UnifiedActivity.ActivityTypeDisplay", "all", "OnlinePurchase", "POS Purchase", "WebsiteReview")),
        (f"SELECT CustomerId FROM {EVENTS} GROUP BY ALL HAVING count(DISTINCT ActivityTypeDisplay) FILTER (ActivityTypeDisplay IN "
        "('OnlinePurchase', 'POS Purchase', 'WebsiteReview')) = 3"),
    ),
    "isWithinLast": (
        where(leaf("web_Orders.PurchasedOn", "isWithinLast", "120 days")),
        f"SELECT CustomerId FROM {ORDERS} WHERE PurchasedOn BETWEEN DATE '2019-02-01' - 119 AND DATE '2019-02-01'",
    ),
    "isBetween": (
        where(leaf("web_Orders.TotalPrice", "isBetween", "2400", "2450")),
        f"SELECT CustomerId FROM {ORDERS} WHERE TotalPrice >= 2400 AND TotalPrice <= 2450",
    ),
    "isNotBetween": (
        where(leaf("Income", "isNotBetween", "20000", "200000")), C + "Income < 20000 OR Income > 200000",
    ),
    "yearToDate": (
        where(leaf("pos_Purchases.PurchasedOn", "yearToDate"), ), f"SELECT CustomerId FROM {TILL} WHERE PurchasedOn BETWEEN DATE '2019-01-01' AND DATE '2019-02-01'",
    ),
    "dayOf": (where(leaf("DateOfBirth", "dayOf", "29")), C + "day(DateOfBirth) = 29"),
    "monthOf": (where(leaf("DateOfBirth", "monthOf", "February", "12")), C + "month(DateOfBirth) IN (2, 12)"),
    "yearOf": (where(leaf("web_Orders.PurchasedOn", "yearOf", "2017")),
               f"SELECT CustomerId FROM {ORDERS} WHERE PurchasedOn BETWEEN DATE '2017-01-01' AND DATE '2017-12-31'"),
    "dayOfWeek": (
        where(group("and", leaf("web_Orders.PurchasedOn", "dayOfWeek", "Saturday", "7"), DEAR)),
        f"SELECT CustomerId FROM {ORDERS} WHERE dayname(PurchasedOn) IN ('Saturday', 'Sunday') AND TotalPrice > 2600",
    ),
    "timeAt": (  # midnight in UTC is 19:00 in New York in winter, 20:00 in summer
        where(group("and", leaf("UnifiedActivity.ActivityTime", "timeAt", "19:00"),
                    leaf("UnifiedActivity.ActivityType", "equals", "Feedback"))),
        (f"SELECT CustomerId FROM {EVENTS} WHERE ActivityType = 'Feedback' AND "
        "strftime(ActivityTime AT TIME ZONE 'UTC' AT TIME ZONE 'America/New_York', '%H:%M') = '19:00'"),
    ),
    "childOf": (where(leaf("State", "childOf", "West"), hierarchies=HIERARCHIES), C + "State IN ('California', 'Oregon', 'Nevada')"),
    "parentOf": (where(leaf("State", "parentOf", "Houston"), hierarchies=HIERARCHIES), C + "State = 'Texas'"),
}  # fmt: skip
"""Operator to a segment that uses it."""
ZONES = {"timeAt": "America/New_York"}
"""Of those segments that have one of their own."""

ANY_ROW = leaf("web_Orders.PurchaseId", "isNotNull")
BY_ROWSETS: dict[str, Said] = {
    "rows_none": (then(("none", TEXAN)), C + "State = 'Texas'"),
    "rows_union": (
        then(("none", TEXAN), ("union", DEAR)),
        C + f"State = 'Texas' OR CustomerId IN (SELECT CustomerId FROM {ORDERS} WHERE TotalPrice > 2600)",
    ),
    "rows_include": (
        then(("include", TEXAN), ("include", leaf("State", "equals", "Ohio"))), C + "State IN ('Texas', 'Ohio')",
    ),
    "rows_intersect": (
        then(("union", TEXAN), ("intersect", DEAR)),
        C + f"State = 'Texas' AND CustomerId IN (SELECT CustomerId FROM {ORDERS} WHERE TotalPrice > 2600)",
    ),
    "rows_except": (
        then(("none", TEXAN), ("except", ANY_ROW)),
        C + f"State = 'Texas' AND CustomerId NOT IN (SELECT CustomerId FROM {ORDERS})",
    ),
    "rows_exclude": (
        then(("none", TEXAN), ("exclude", leaf("Gender", "equals", "Male"))), C + "State = 'Texas' AND Gender <> 'Male'",
    ),
    "rows_or_and": (
        where(group("or", TEXAN, group("and", DEAR, leaf("web_Orders.PurchasedOn", "yearOf", "2018")))),
        C + f"State = 'Texas' OR CustomerId IN (SELECT CustomerId FROM {ORDERS} WHERE TotalPrice > 2600 AND year(PurchasedOn) = 2018)",
    ),
    "rows_all_children": (
        where({"attribute": "web_Reviews", "comparisonOperator": "all", "childCriterias": [
            leaf("web_Reviews.ReviewRating", "greaterThan", "3")]}),
        f"SELECT CustomerId FROM {REVIEWS} GROUP BY ALL HAVING min(ReviewRating) > 3",
    ),
    "rows_by_path": (
        {"rowsets": [{"criteria": leaf("pos_Purchases.TotalPrice", "greaterThan", "190"),
                      "paths": [["purchases", "members", "Customer_crm_Contacts"]]}]},
        """SELECT m.CustomerId FROM "pos_Purchases" AS p JOIN "loyalty_Members" AS l ON l.LoyaltyId = p.LoyaltyId
           JOIN members AS m ON m.entity = 'crm.Contacts' AND m.key = l.ContactId WHERE p.TotalPrice > 190""",
    ),
    "rows_measure": (
        where(leaf("Customer_Measure.OnlineSpend", "greaterThan", "5000")),
        f"SELECT CustomerId FROM {ORDERS} GROUP BY ALL HAVING sum(TotalPrice) > 5000",
    ),
    "rows_segment": (
        where(group("and", leaf("equals.CustomerId", "isNotNull"), leaf("Gender", "equals", "Female"))),
        C + "State = 'Texas' AND Gender = 'Female'",
    ),
    "rows_time_of_day": (
        where(leaf("UnifiedActivity.ActivityTime", "isBetween", "00:00", "00:01", isTime=True)),
        f"SELECT CustomerId FROM {EVENTS} WHERE ActivityTime IS NOT NULL",
    ),
    "rows_manual": (
        {"type": "manual", "segmentationQuerySql": "SELECT CustomerId FROM Customer WHERE length(FullName) > 20"},
        C + "length(FullName) > 20",
    ),
    "rows_projected": (
        where(leaf("Occupation", "equals", "Doctor"),
              projectedAttributes=[{"entityName": "web.Orders", "attributeNames": ["TotalPrice"], "projectionType": "post"}]),
        C + "Occupation = 'Doctor'",
    ),
}  # fmt: skip
"""Set operations, groups, paths and what else a query has, by our own names."""
